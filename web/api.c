/* In: a request of /api/v1.  Out: JSON in the words of `read --json`, from the board, the history and the desk. */
#include "web/api.h"

#include "stats/storm_json.h"
#include "web/answer.h"
#include "web/past.h"

enum MHD_Result api_status(struct request *r, const char *part)
{
    (void)part;
    struct web *w = r->web;
    json_t *status = board_status(w->board);
    json_object_set_new(status, "squall", json_string(SQUALL_VERSION));
    json_object_set_new(status, "channels", w->desk.channels ? w->desk.channels(w->desk.user) : json_array());
    json_object_set_new(status, "graphs", past_status(w));
    return answer_json(r, MHD_HTTP_OK, status);
}

enum MHD_Result api_alarms(struct request *r, const char *part)
{
    (void)part;
    struct span wanted = answer_argument(r, "state");
    int state = -1;
#define X(name, text) \
    if (span_equal(wanted, span_text(text))) \
        state = STATE_##name;
    STORM_STATES(X)
#undef X
    if (wanted.n && state < 0)
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "state: expected raised, acknowledged or cleared");
    return answer_json(r, MHD_HTTP_OK, json_pack("{s:o}", "alarms", board_alarms(r->web->board, state)));
}

json_t *api_find_alarm(struct request *r, const char *id)
{
    struct reason why;
    int status;
    if (!text_alarm_id(span_text(id)))
        return NULL;
    json_t *object = board_alarm(r->web->board, id);
    if (object)
        return object;
    struct history *h = history_open_reading(r->web->state_directory, &why, &status);
    struct storm *s = h ? history_load(h, id, &why) : NULL;
    history_close(h);
    object = s ? storm_json(s) : NULL;
    storm_json_free(s);
    return object;
}

enum MHD_Result api_alarm(struct request *r, const char *part)
{
    json_t *alarm = api_find_alarm(r, part);
    return alarm ? answer_json(r, MHD_HTTP_OK, alarm) : answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
}

enum MHD_Result api_acknowledge(struct request *r, const char *part)
{
    char who[STORM_TEXT_SIZE];
    struct reason why;
    struct web *w = r->web;
    if (!text_alarm_id(span_text(part)))
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    if (!span_starts_nocase(answer_field(r, "Content-Type"), JSON_TYPE)) /* no form of another site's page can send that */
        return answer_error(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the body is to be " JSON_TYPE);
    if (!text_acknowledge(span_of(r->body, r->body_size), who, sizeof who, &why))
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "%s", why.text);
    if (!w->desk.acknowledge(w->desk.user, part, who, &why))
        return answer_error(r, MHD_HTTP_CONFLICT, "%s", why.text);
    json_t *alarm = api_find_alarm(r, part);
    return answer_json(r, MHD_HTTP_OK, alarm ? alarm : json_object());
}

static int by_member(const void *x, const void *y, const char *name)
{
    json_int_t a = json_integer_value(json_object_get(*(json_t *const *)x, name));
    json_int_t b = json_integer_value(json_object_get(*(json_t *const *)y, name));
    return (a < b) - (a > b);
}

static int by_deliveries(const void *x, const void *y)
{
    return by_member(x, y, "deliveries");
}

/* The same rows, most deliveries first. */
static json_t *sorted(const json_t *rows)
{
    size_t n = json_array_size(rows), i;
    json_t **row = calloc(n + 1, sizeof(json_t *)), *list = json_array(), *one;
    if (!row)
        return list;
    json_array_foreach(rows, i, one)
        row[i] = one;
    qsort(row, n, sizeof(json_t *), by_deliveries);
    for (i = 0; i < n; i++)
        json_array_append(list, row[i]);
    free(row);
    return list;
}

enum MHD_Result api_messages(struct request *r, const char *part)
{
    (void)part;
    struct span sort = answer_argument(r, "sort");
    bool deliveries = span_equal(sort, span_text("deliveries")), rate = span_equal(sort, span_text("rate"));
    if (sort.n && !deliveries && !rate && !span_equal(sort, span_text("redeliveries")))
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "sort: expected rate, deliveries or redeliveries");
    json_t *said = board_messages(r->web->board);
    if (deliveries)
        json_object_set_new(said, "messages", sorted(json_object_get(said, "messages")));
    else if (rate && json_object_get(said, "by_rate"))
        json_object_set(said, "messages", json_object_get(said, "by_rate"));
    json_object_del(said, "by_rate");
    json_object_del(said, "watched");
    return answer_json(r, MHD_HTTP_OK, said);
}

enum MHD_Result api_message(struct request *r, const char *part)
{
    json_t *said = board_messages(r->web->board), *alarms = board_alarms(r->web->board, -1), *found = NULL, *its = json_array(), *one;
    size_t i;
    json_array_foreach(json_object_get(said, "messages"), i, one)
        if (!found && span_equal(span_text(json_string_value(json_object_get(one, "message_id"))), span_text(part)))
            found = one;
    json_array_foreach(alarms, i, one)
        if (span_equal(span_text(json_string_value(json_object_get(one, "message_id"))), span_text(part)))
            json_array_append(its, one);
    struct reason why;
    json_t *trace = trace_ask(r, part, NULL, &why), *hops = json_object_get(trace, "hops");
    json_t *answer = found || json_array_size(its) || json_array_size(hops)
                         ? json_pack("{s:O?, s:O, s:O?}", "message", found, "alarms", its, "hops", hops) : NULL;
    json_decref(trace);
    json_decref(its);
    json_decref(alarms);
    json_decref(said);
    return answer ? answer_json(r, MHD_HTTP_OK, answer)
                  : answer_error(r, MHD_HTTP_NOT_FOUND, "not among the messages with most deliveries, nor in an alarm, nor in the traces");
}

enum MHD_Result api_watched(struct request *r, const char *part)
{
    (void)part;
    json_t *said = board_messages(r->web->board), *watched = json_object_get(said, "watched");
    json_t *answer = json_pack("{s:o}", "watched", watched ? json_incref(watched) : json_array());
    json_decref(said);
    return answer_json(r, MHD_HTTP_OK, answer);
}

enum MHD_Result api_events(struct request *r, const char *part)
{
    (void)part;
    if (r->method[0] == 'H')
        return answer_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "events are only to be had with GET");
    struct MHD_Response *response = events_open(r->web->events, r->connection);
    if (!response)
        return answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "as many pages follow live as may: ask /api/v1/status from time to time");
    http.add_response_header(response, "Cache-Control", "no-store");
    return answer_send(r, MHD_HTTP_OK, response, "text/event-stream", NULL);
}

enum MHD_Result api_healthz(struct request *r, const char *part)
{
    (void)part;
    json_t *status = board_status(r->web->board);
    bool alive = json_is_true(json_object_get(json_object_get(status, "sensor"), "alive"));
    json_decref(status);
    return alive ? answer_json(r, MHD_HTTP_OK, json_pack("{s:b}", "ok", true))
                 : answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the sensor does not run");
}
