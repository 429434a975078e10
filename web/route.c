/* In: a request that may be answered.  Out: to the one handler of its path in the table below; what is not in the table does not exist. */
#include "web/route.h"

#include "web/answer.h"
#include "web/page.h"
#include "web/past.h"

static enum MHD_Result page(struct request *r, const char *name)
{
    const struct static_file *f = static_find(name);
    return f ? answer_file(r, f) : answer_error(r, MHD_HTTP_NOT_FOUND, "no such page");
}

static bool wants_plain(struct request *r) /* "?plain": where a page without scripts leads, whatever its own path */
{
    return http.lookup_connection_value_n(r->connection, MHD_GET_ARGUMENT_KIND, "plain", 5, NULL, NULL) == MHD_YES;
}

static enum MHD_Result page_now(struct request *r, const char *part)
{
    (void)part;
    return wants_plain(r) ? plain_now(r, "") : page(r, "now.html");
}

static enum MHD_Result page_storm(struct request *r, const char *part)
{
    if (wants_plain(r))
        return plain_alarm(r, part);
    return text_alarm_id(span_text(part)) ? page(r, "storm.html") : answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
}

static enum MHD_Result page_trace(struct request *r, const char *part)
{
    (void)part;
    return page(r, "trace.html");
}

static const struct {
    const char *pattern;
    handler *get, *post;
} routes[] = {
    {"/", page_now, NULL},
    {"/trace", page_trace, NULL},
    {"/plain", plain_now, NULL},
    {"/plain/alarms/*/acknowledge", NULL, plain_acknowledge},
    {"/plain/alarms/*", plain_alarm, NULL},
    {"/static/*", page, NULL},
    {"/healthz", api_healthz, NULL},
    {"/metrics", metrics_page, NULL},
    {"/graph/*", past_graph, NULL},
    {"/api/v1/status", api_status, NULL},
    {"/api/v1/events", api_events, NULL},
    {"/api/v1/rates", past_rates, NULL},
    {"/api/v1/messages", api_messages, NULL},
    {"/api/v1/messages/*", api_message, NULL},
    {"/api/v1/trace", api_trace, NULL},
    {"/api/v1/watched", api_watched, NULL},
    {"/api/v1/alarms", api_alarms, NULL},
    {"/api/v1/alarms/*/acknowledge", NULL, api_acknowledge},
    {"/api/v1/alarms/*/reveal", NULL, reveal_alarm},
    {"/api/v1/alarms/*/reveals", reveal_list, NULL},
    {"/api/v1/alarms/*", api_alarm, NULL},
    {"/alarms/*/report", report_page, NULL},
    {"/alarms/*/evidence.pcapng", report_evidence, NULL},
    {"/alarms/*", page_storm, NULL},
};

bool route_matches(const char *pattern, const char *path, char part[ROUTE_PART])
{
    const char *star = strchr(pattern, '*');
    part[0] = '\0';
    if (!star)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(star - pattern), n = strlen(path), after = strlen(star + 1);
    if (n <= before + after || strncmp(pattern, path, before) != 0 || strcmp(star + 1, path + n - after) != 0)
        return false;
    struct span name = span_of(path + before, n - before - after);
    if (name.n >= ROUTE_PART || (after && memchr(name.p, '/', name.n)))
        return false;
    span_copy(name, part, ROUTE_PART);
    return true;
}

enum MHD_Result route_answer(struct request *r, const char *path)
{
    char part[ROUTE_PART];
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!route_matches(routes[i].pattern, path, part))
            continue;
        handler *h = r->method[0] == 'P' ? routes[i].post : routes[i].get;
        return h ? h(r, part)
                 : answer_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "%s is not for this path", r->method);
    }
    return answer_error(r, MHD_HTTP_NOT_FOUND, "no such page");
}
