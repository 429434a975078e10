/* In: connections on the listening socket; what the sensor publishes.  Out: each request that is well formed, meant for us and allowed, to
 * route.c.  libmicrohttpd's one thread serves all; the sensor's thread only leaves copies on the board. */
#include "web/server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "stats/storm_json.h"
#include "web/answer.h"
#include "web/past.h"
#include "web/route.h"

#define PEM_MOST (1 << 20)

static enum MHD_Result refuse_login(struct request *r, enum auth_verdict v)
{
    static const char said[] = "{\"error\":\"the password is missing or wrong\"}";
    static const char wait[] = "{\"error\":\"too many wrong passwords; wait\"}";
    bool later = v == AUTH_LATER;
    struct MHD_Response *response = http.create_response_from_buffer_with_free_callback(
        later ? sizeof wait - 1 : sizeof said - 1, (void *)(uintptr_t)(later ? wait : said), NULL);
    if (response)
        http.add_response_header(
            response, later ? "Retry-After" : "WWW-Authenticate", later ? "2" : "Basic realm=\"Squall\", charset=\"UTF-8\"");
    return answer_send(r, later ? MHD_HTTP_TOO_MANY_REQUESTS : MHD_HTTP_UNAUTHORIZED, response, JSON_TYPE, NULL);
}

static enum auth_verdict check_login(struct request *r)
{
    char *password = NULL;
    if (!r->web->auth.hash)
        return AUTH_YES;
    char *user = http.basic_auth_get_username_password(r->connection, &password);
    enum auth_verdict v = auth_check(&r->web->auth, password, clock_monotonic());
    if (password)
        explicit_bzero(password, strlen(password));
    http.free(password);
    http.free(user);
    return v;
}

static enum MHD_Result decide(struct request *r, const char *path)
{
    struct web *w = r->web;
    struct span host = answer_field(r, "Host"), origin = answer_field(r, "Origin"), site = answer_field(r, "Sec-Fetch-Site");
    if (!text_host_allowed(host, &w->settings.host_names, w->own_name))
        return answer_error(r, MHD_HTTP_MISDIRECTED_REQUEST, "this server is not known by that name; see host_names in section web");
    if (r->method[0] == 'P' && ((origin.n && !text_origin_same(origin, host)) || span_equal(site, span_text("cross-site"))))
        return answer_error(r, MHD_HTTP_FORBIDDEN, "this comes from a page of another site");
    enum auth_verdict v = check_login(r);
    if (v != AUTH_YES)
        return refuse_login(r, v);
    if (r->body_too_long)
        return answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than %d bytes", TEXT_BODY_MOST);
    return route_answer(r, path);
}

/* Called when the header is there, with each piece of the body, and when it is whole. */
static enum MHD_Result requested(void *user, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
    const char *body, size_t *body_size, void **slot)
{
    (void)version;
    struct request *r = *slot;
    if (!r) {
        r = *slot = calloc(1, sizeof *r);
        if (!r)
            return MHD_NO;
        r->web = user;
        r->connection = connection;
        span_copy(span_text(method), r->method, sizeof r->method);
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && strcmp(method, "POST") != 0)
            return answer_error(r, MHD_HTTP_NOT_IMPLEMENTED, "only GET, HEAD and POST are known here");
        int64_t length;
        struct span field = answer_field(r, "Content-Length");
        if (field.n && !text_count(field, 0, TEXT_BODY_MOST, &length)) /* said before it is sent */
            return answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than %d bytes", TEXT_BODY_MOST);
        return MHD_YES;
    }
    if (*body_size == 0)
        return decide(r, path);
    size_t room = sizeof r->body - r->body_size;
    if (*body_size > room)
        r->body_too_long = true;
    else {
        memcpy(r->body + r->body_size, body, *body_size);
        r->body_size += *body_size;
    }
    *body_size = 0;
    return MHD_YES;
}

static void done(void *user, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode how)
{
    (void)user;
    (void)connection;
    (void)how;
    struct request *r = *slot;
    if (r)
        past_free(r->past);
    free(r);
    *slot = NULL;
}

static void say_nothing(void *user, const char *format, va_list list) /* what a client does wrong is no line in our log */
{
    (void)user;
    (void)format;
    (void)list;
}

static char *read_pem(const char *path, struct reason *why)
{
    FILE *f = fopen(path, "re");
    char *text = f ? calloc(1, PEM_MOST + 1) : NULL;
    if (!text || fread(text, 1, PEM_MOST, f) == 0) {
        reason_say(why, "web: %s: cannot read it: %s", path, strerror(errno ? errno : ENODATA));
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

static bool start_daemon(struct web *w, int listener, struct reason *why)
{
    const struct web_settings *s = &w->settings;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, NULL}, {MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)"SECURE256:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}, {MHD_OPTION_END, 0, NULL}};
    if (s->certificate) {
        if (!(w->certificate = read_pem(s->certificate, why)) || !(w->key = read_pem(s->key, why)))
            return false;
        tls[0].ptr_value = w->certificate;
        tls[1].ptr_value = w->key;
        flags |= MHD_USE_TLS;
    } else {
        tls[0] = tls[3];
    }
    w->daemon = http.start_daemon(flags, 0, NULL, NULL, requested, w, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)s->connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT, 15U, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_NOTIFY_COMPLETED, done, NULL, MHD_OPTION_ARRAY,
        tls, MHD_OPTION_END);
    return w->daemon || reason_say(why, "web: the server does not start%s", s->certificate ? "; are certificate and key a pair?" : "");
}

static bool show_earlier(void *user, const struct storm *s)
{
    struct web *w = user;
    json_t *object = storm_json(s);
    if (object)
        board_put_alarm(w->board, s, object);
    json_decref(object);
    return true;
}

struct web *web_start(
    const struct web_settings *settings, int listener, const char *state_directory, const struct web_desk *desk, struct reason *why)
{
    struct reason trouble;
    int status;
    struct web *w = calloc(1, sizeof *w);
    if (!w) {
        reason_say(why, "web: out of memory");
        goto failed;
    }
    w->settings = *settings;
    w->desk = *desk;
    span_copy(span_text(state_directory), w->state_directory, sizeof w->state_directory);
    if (gethostname(w->own_name, sizeof w->own_name - 1) != 0)
        w->own_name[0] = '\0';
    w->board = board_new();
    w->events = events_new((size_t)settings->event_clients);
    w->words = words_new();
    w->graphs = graph_cache_new();
    if (settings->graphs && !(w->trend = trend_start(state_directory, settings->rrdcached, (size_t)settings->graph_alarms)))
        log_line(LOG_LEVEL_WARNING, "graphs: out of memory; the dashboard does without");
    if (!w->board || !w->events || !w->words || !w->graphs || !auth_init(&w->auth, settings->password)) {
        reason_say(why, "web: out of memory");
        goto failed;
    }
    struct history *h = history_open_reading(w->state_directory, &trouble, &status);
    if (h && !history_all(h, show_earlier, w, &trouble))
        log_line(LOG_LEVEL_WARNING, "%s; the dashboard does not show all of the earlier alarms", trouble.text);
    history_close(h);
    if (http_load(why) && start_daemon(w, listener, why))
        return w;
failed:
    close(listener);
    web_stop(w);
    return NULL;
}

void web_stop(struct web *w)
{
    if (!w)
        return;
    if (w->events)
        events_stop(w->events);
    trend_stop(w->trend); /* resumes who waits for it */
    if (w->daemon)
        http.stop_daemon(w->daemon); /* closes the listener */
    trend_free(w->trend);
    graph_cache_free(w->graphs);
    words_free(w->words);
    events_free(w->events);
    board_free(w->board);
    free(w->certificate);
    if (w->key)
        explicit_bzero(w->key, strlen(w->key));
    free(w->key);
    free(w);
}

/* ---- what the sensor publishes --------------------------------------------------------------------------------------------------- */

static void tell(struct web *w, const char *name, json_t *object) /* takes the reference */
{
    char *text = object ? json_dumps(object, JSON_COMPACT | STORM_JSON_FLAGS) : NULL;
    json_decref(object);
    if (text)
        events_tell(w->events, name, text);
    free(text);
}

void web_counters(struct web *w, const struct web_counter *counters, size_t count)
{
    board_put_counters(w->board, counters, count);
}

void web_rates(struct web *w, const struct rates *r)
{
    char when[TIME_TEXT];
    board_put_rates(w->board, r);
    if (w->trend)
        trend_rates(w->trend, r);
    json_t *object = json_pack("{s:s}", "time", clock_text(r->time, when)), *alarms = json_object();
#define X(name, doc) json_object_set_new(object, #name, json_integer((json_int_t)r->name));
    RATES(X)
#undef X
    for (int s = 0; s <= SEVERITY_CRITICAL; s++)
        json_object_set_new(alarms, storm_severity_text((enum storm_severity)s), json_integer(r->alarms[s]));
    json_object_set_new(object, "alarms", alarms);
    tell(w, "rates", object);
}

void web_storm(struct web *w, const struct storm *s, const char *change)
{
    json_t *storm = storm_json(s);
    if (!storm)
        return;
    board_put_alarm(w->board, s, storm);
    if (w->trend)
        trend_storm(w->trend, s);
    tell(w, "alarm", json_pack("{s:s, s:o}", "change", change, "storm", storm));
}

void web_status(struct web *w, json_t *status)
{
    board_put_status(w->board, status);
}

static uint64_t member(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

void web_messages(struct web *w, json_t *messages)
{
    size_t i;
    json_t *m;
    json_array_foreach(w->trend ? json_object_get(messages, "messages") : NULL, i, m) {
        trend_message(w->trend, json_string_value(json_object_get(m, "message_id")), member(m, "deliveries"), member(m, "redeliveries"),
            member(m, "recipients"));
    }
    board_put_messages(w->board, messages);
}

void web_sensor(struct web *w, bool alive, const char *why)
{
    board_put_sensor(w->board, alive, why);
}
