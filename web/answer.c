/* In: what a page or a call of the API says.  Out: the HTTP response: protective fields, an ETag where it helps, gzip where it is
 * wanted. */
#include "web/answer.h"

#include <openssl/sha.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "stats/storm_json.h"

#define POLICY "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
#define GZIP_LEAST 1024

struct span answer_field(struct request *r, const char *name)
{
    return span_text(http.lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

struct span answer_argument(struct request *r, const char *name)
{
    return span_text(http.lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name));
}

enum MHD_Result answer_send(struct request *r, unsigned status, struct MHD_Response *response, const char *type, const char *policy)
{
    if (!response)
        return MHD_NO;
    http.add_response_header(response, "Content-Security-Policy", policy ? policy : POLICY);
    http.add_response_header(response, "X-Content-Type-Options", "nosniff");
    http.add_response_header(response, "X-Frame-Options", "DENY");
    http.add_response_header(response, "Referrer-Policy", "no-referrer");
    http.add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    if (!http.get_response_header(response, "Cache-Control"))
        http.add_response_header(response, "Cache-Control", "no-cache");
    if (type)
        http.add_response_header(response, "Content-Type", type);
    enum MHD_Result result = http.queue_response(r->connection, status, response);
    http.destroy_response(response);
    return result;
}

static char *gzipped(const char *text, size_t n, size_t *size)
{
    z_stream z = {0};
    if (n > UINT32_MAX / 2 || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    size_t room = deflateBound(&z, n);
    char *to = malloc(room);
    z.next_in = (Bytef *)(uintptr_t)text; /* zlib only reads it */
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)room;
    bool good = to && deflate(&z, Z_FINISH) == Z_STREAM_END;
    *size = z.total_out;
    deflateEnd(&z);
    if (!good) {
        free(to);
        return NULL;
    }
    return to;
}

static bool wants_gzip(struct request *r)
{
    return text_accepts_gzip(answer_field(r, "Accept-Encoding"));
}

static enum MHD_Result send_tagged(struct request *r, unsigned status, struct MHD_Response *response, const char *type, const char *tag,
    const char *policy)
{
    if (response) {
        http.add_response_header(response, "ETag", tag);
        http.add_response_header(response, "Vary", "Accept-Encoding");
    }
    return answer_send(r, status, response, type, policy);
}

static bool is_known(struct request *r, const char *tag)
{
    struct span field = answer_field(r, "If-None-Match");
    return field.n && text_etag_matches(field, tag);
}

static struct MHD_Response *nothing(void)
{
    return http.create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result answer_text(struct request *r, unsigned status, const char *type, char *text, size_t n, const char *policy)
{
    uint8_t digest[32];
    char tag[20];
    SHA256((const uint8_t *)text, n, digest);
    snprintf(tag, sizeof tag, "\"%02x%02x%02x%02x%02x%02x%02x%02x\"", digest[0], digest[1], digest[2], digest[3], digest[4], digest[5],
        digest[6], digest[7]);
    if (status == MHD_HTTP_OK && is_known(r, tag)) {
        free(text);
        return send_tagged(r, MHD_HTTP_NOT_MODIFIED, nothing(), NULL, tag, policy);
    }
    size_t size = 0;
    char *packed = n >= GZIP_LEAST && strcmp(type, "image/png") != 0 && wants_gzip(r) ? gzipped(text, n, &size) : NULL;
    if (packed) {
        free(text);
        text = packed;
        n = size;
    }
    struct MHD_Response *response = http.create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    else if (packed)
        http.add_response_header(response, "Content-Encoding", "gzip");
    return send_tagged(r, status, response, type, tag, policy);
}

enum MHD_Result answer_json(struct request *r, unsigned status, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | STORM_JSON_FLAGS) : NULL;
    json_decref(object);
    return text ? answer_text(r, status, JSON_TYPE, text, strlen(text), NULL) : MHD_NO;
}

enum MHD_Result answer_error(struct request *r, unsigned status, const char *format, ...)
{
    char said[REASON_SIZE], clean[REASON_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(said, sizeof said, format, list);
    va_end(list);
    return answer_json(r, status, json_pack("{s:s}", "error", log_clean(span_text(said), clean, sizeof clean)));
}

enum MHD_Result answer_file(struct request *r, const struct static_file *f)
{
    if (is_known(r, f->etag))
        return send_tagged(r, MHD_HTTP_NOT_MODIFIED, nothing(), NULL, f->etag, NULL);
    bool packed = f->gzip_size < f->plain_size && wants_gzip(r);
    struct MHD_Response *response = http.create_response_from_buffer_with_free_callback(
        packed ? f->gzip_size : f->plain_size, (void *)(uintptr_t)(packed ? f->gzip : f->plain), NULL);
    if (response && packed)
        http.add_response_header(response, "Content-Encoding", "gzip");
    return send_tagged(r, MHD_HTTP_OK, response, f->type, f->etag, NULL);
}

enum MHD_Result answer_descriptor(struct request *r, int fd, const char *type, const char *file_name)
{
    struct stat st;
    char field[128];
    struct MHD_Response *response =
        fstat(fd, &st) == 0 ? http.create_response_from_fd64((uint64_t)st.st_size, fd) : NULL;
    if (!response) {
        close(fd);
        return MHD_NO;
    }
    snprintf(field, sizeof field, "attachment; filename=\"%s\"", file_name);
    http.add_response_header(response, "Content-Disposition", field);
    http.add_response_header(response, "Cache-Control", "no-store");
    return answer_send(r, MHD_HTTP_OK, response, type, NULL);
}
