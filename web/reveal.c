/* In: who wants to see an alarm in clear, and why.  Out: the clear alarm, once stats/reveal.c has noted that; and who has seen it so
 * far. */
#include <arpa/inet.h>

#include "base/endpoint.h"
#include "stats/reveal.h"
#include "stats/storm_json.h"
#include "web/answer.h"
#include "web/api.h"

/* The address that asks, as text. */
static void take_client(struct request *r, char *to, size_t size)
{
    const union MHD_ConnectionInfo *info = http.get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    char text[INET6_ADDRSTRLEN] = "?";
    if (a && a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, text, sizeof text);
    else if (a && a->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, text, sizeof text);
    span_copy(span_text(text), to, size);
}

static bool take_text(const json_t *object, const char *name, char *to, size_t size)
{
    const json_t *v = json_object_get(object, name);
    log_clean(span_of(json_string_value(v), json_string_length(v)), to, size);
    return to[0];
}

enum MHD_Result reveal_alarm(struct request *r, const char *part)
{
    struct reason why;
    struct reveal asked = {.time = clock_now()};
    if (!text_alarm_id(span_text(part)))
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    if (!span_starts_nocase(answer_field(r, "Content-Type"), JSON_TYPE)) /* no form of another site's page can send that */
        return answer_error(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the body is to be " JSON_TYPE);
    json_t *body = json_loadb(r->body, r->body_size, JSON_REJECT_DUPLICATES, NULL);
    bool told = take_text(body, "who", asked.who, sizeof asked.who) && take_text(body, "reason", asked.reason, sizeof asked.reason);
    json_decref(body);
    if (!told)
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "the body is not {\"who\": \"NAME\", \"reason\": \"TEXT\"}");
    span_copy(span_text(part), asked.alarm, sizeof asked.alarm);
    take_client(r, asked.from, sizeof asked.from);
    struct storm *s = reveal_storm(r->web->state_directory, &asked, &why);
    json_t *object = s ? storm_json(s) : NULL;
    storm_json_free(s);
    return object ? answer_json(r, MHD_HTTP_OK, object) : answer_error(r, MHD_HTTP_CONFLICT, "%s", why.text);
}

static bool add(void *user, const struct reveal *one)
{
    char when[TIME_TEXT];
    return json_array_append_new(user, json_pack("{s:s, s:s, s:s, s:s}", "time", clock_text(one->time, when), "who", one->who, "from",
                                           one->from, "reason", one->reason)) == 0;
}

enum MHD_Result reveal_list(struct request *r, const char *part)
{
    struct reason why;
    if (!text_alarm_id(span_text(part)))
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    json_t *list = json_array();
    if (!reveal_all(r->web->state_directory, part, add, list, &why)) {
        json_decref(list);
        return answer_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", why.text);
    }
    return answer_json(r, MHD_HTTP_OK, json_pack("{s:o}", "reveals", list));
}
