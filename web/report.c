/* In: the id of an alarm.  Out: its report as a page to print, and the packets that prove it. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "stats/report.h"
#include "stats/storm_json.h"
#include "web/answer.h"
#include "web/api.h"

/* The report brings its one style sheet with it: that one is allowed, by its hash, and nothing else. */
static void policy_for(const char *page, char *to, size_t size)
{
    const char *begin = strstr(page, "<style>"), *end = begin ? strstr(begin, "</style>") : NULL;
    uint8_t digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
    unsigned n = 0;
    begin = begin ? begin + strlen("<style>") : NULL;
    if (!end || EVP_Digest(begin, (size_t)(end - begin), digest, &n, EVP_sha256(), NULL) != 1)
        n = 0;
    EVP_EncodeBlock(text, digest, (int)n);
    snprintf(to, size, "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        (const char *)text);
}

enum MHD_Result report_page(struct request *r, const char *part)
{
    struct reason why;
    json_t *alarm = api_find_alarm(r, part);
    struct storm *s = alarm ? storm_json_parse(alarm, &why) : NULL;
    char *page = NULL, policy[256];
    size_t n = 0;
    json_decref(alarm);
    if (!s)
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    FILE *to = open_memstream(&page, &n);
    bool good = to && report_write(s, REPORT_HTML, to);
    if (to)
        good = fclose(to) == 0 && good;
    storm_json_free(s);
    if (!good) {
        free(page);
        return answer_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
    }
    policy_for(page, policy, sizeof policy);
    return answer_text(r, MHD_HTTP_OK, "text/html; charset=utf-8", page, n, policy);
}

enum MHD_Result report_evidence(struct request *r, const char *part)
{
    struct reason why;
    char name[STORM_ID_SIZE + 16];
    if (!text_alarm_id(span_text(part)))
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    int fd = r->web->desk.capsule(r->web->desk.user, part, &why);
    if (fd < 0)
        return answer_error(r, MHD_HTTP_NOT_FOUND, "%s", why.text);
    snprintf(name, sizeof name, "%s.pcapng", part);
    return answer_descriptor(r, fd, "application/x-pcapng", name);
}
