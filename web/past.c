/* In: /graph/NAME.svg|png and /api/v1/rates.  Out: a picture, or rows: what the board holds is taken from it, the rest is asked of trend's
 * thread.  Such a request comes here twice: to ask, and, when the answer is there and its connection resumed, to send it. */
#include "web/past.h"

#include <stdlib.h>

#include "stats/storm_json.h"
#include "web/answer.h"
#include "web/graph.h"

#define ROWS 10000 /* of an answer */
#define BOARD_STEP 60 /* seconds: a shorter step is the board's as far back as it knows, a longer one the files' */
#define SVG_POLICY "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
#define DAY 86400

struct past {
    struct trend_question question;
    struct graph_command command;
    bool png;
    json_t *recent; /* rows of the board */
    int64_t step;
};

void past_free(struct past *p)
{
    if (!p)
        return;
    graph_command_free(&p->command);
    json_decref(p->recent);
    free(p->question.image);
    free(p->question.rows);
    free(p);
}

json_t *past_status(struct web *w)
{
    struct trend_health h;
    if (!w->trend)
        return json_null();
    trend_health(w->trend, &h);
    return json_pack("{s:o, s:I, s:I}", "trouble", h.trouble[0] ? json_string(h.trouble) : json_null(), "seconds_skipped",
        (json_int_t)h.skipped, "alarm_notes_lost", (json_int_t)h.lost);
}

static void resume(void *user)
{
    const struct request *r = user;
    http.resume_connection(r->connection);
}

static enum MHD_Result ask(struct request *r, struct past *p)
{
    r->past = p;
    p->question.ready = resume;
    p->question.user = r;
    http.suspend_connection(r->connection);
    trend_ask(r->web->trend, &p->question);
    return MHD_YES;
}

static int64_t seconds(int64_t time)
{
    return time / NS_PER_SECOND;
}

/* The time of the packets, which in a replay is not ours. */
static int64_t now_of(struct web *w)
{
    int64_t latest = board_latest(w->board);
    return latest ? latest : seconds(clock_now());
}

/* ---- pictures ----------------------------------------------------------------------------------------------------------------------- */

static enum MHD_Result send_image(struct request *r, char *image, size_t size, bool png)
{
    return answer_text(r, MHD_HTTP_OK, png ? "image/png" : "image/svg+xml", image, size, SVG_POLICY);
}

static enum MHD_Result send_drawn(struct request *r)
{
    struct past *p = r->past;
    struct trend_question *q = &p->question;
    char *image = q->image;
    if (q->answer == TREND_NOTHING)
        return answer_error(r, MHD_HTTP_NOT_FOUND, "nothing is kept of that time");
    if (q->answer == TREND_FAILED)
        return answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the graph cannot be drawn: %s", q->why.text);
    graph_cache_keep(r->web->graphs, &p->command, image, q->size);
    q->image = NULL;
    return send_image(r, image, q->size, p->png);
}

static int64_t moment_of(const json_t *alarm, const char *name, int64_t otherwise)
{
    int64_t t;
    return clock_parse(span_text(json_string_value(json_object_get(alarm, name))), &t) ? seconds(t) : otherwise;
}

/* What is drawn when the query does not say: a day; of an alarm, all of it with some time around. */
static bool default_range(struct request *r, const struct graph_request *g, int64_t now, int64_t *first, int64_t *last)
{
    *first = now - DAY;
    *last = now;
    if (!g->alarm[0])
        return true;
    json_t *alarm = api_find_alarm(r, g->alarm);
    if (!alarm)
        return false;
    *first = moment_of(alarm, "first_seen", *first);
    *last = moment_of(alarm, "cleared", now);
    int64_t around = (*last - *first) / 20 > 10 ? (*last - *first) / 20 : 10;
    *first -= around;
    *last += around;
    json_decref(alarm);
    return true;
}

enum MHD_Result past_graph(struct request *r, const char *part)
{
    struct web *w = r->web;
    struct graph_request g = {0};
    struct reason why;
    int64_t now = now_of(w), first, last;
    if (r->past)
        return send_drawn(r);
    if (!w->trend)
        return answer_error(r, MHD_HTTP_NOT_FOUND, "graphs are off; see section rrd of squall.conf");
    if (!graph_name(part, &g))
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such graph");
    if (!default_range(r, &g, now, &first, &last))
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    if (!graph_range(&g, answer_argument(r, "from"), answer_argument(r, "to"), now, first, last, &why) ||
        !graph_look(&g, answer_argument(r, "width"), answer_argument(r, "theme"), &why))
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "%s", why.text);
    g.language = words_language(answer_argument(r, "lang"), answer_field(r, "Accept-Language"));
    if (strcmp(g.name, "deliveries") == 0)
        g.mark_count = board_marks(w->board, g.from * NS_PER_SECOND, g.to * NS_PER_SECOND, g.marks, GRAPH_MARKS);
    struct past *p = calloc(1, sizeof *p);
    if (!p || !graph_command(&g, w->words, &p->command)) {
        past_free(p);
        return MHD_NO;
    }
    size_t size;
    char *image = graph_cache_find(w->graphs, &p->command, &size);
    if (image || !trend_has_room(w->trend)) {
        past_free(p);
        return image ? send_image(r, image, size, g.png)
                     : answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many graphs are asked for at once; ask again");
    }
    p->png = g.png;
    p->question = (struct trend_question){.from = g.from, .to = g.to, .arguments = p->command.argument, .count = p->command.count};
    span_copy(span_text(g.alarm), p->question.alarm, sizeof p->question.alarm);
    return ask(r, p);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------------- */

static json_t *row_json(const struct traffic_row *row)
{
    char when[TIME_TEXT];
    json_t *object = json_pack("{s:s}", "time", clock_text(row->time * NS_PER_SECOND, when));
    size_t c = 0;
#define X(name, doc) json_object_set_new(object, #name, json_real(row->rate[c++]));
    RATES(X)
#undef X
    return object;
}

static enum MHD_Result send_rows(struct request *r, json_t *kept, json_t *recent, int64_t step)
{
    size_t i, n = json_array_size(kept);
    int64_t last = n ? moment_of(json_array_get(kept, n - 1), "time", 0) : -1;
    json_t *row;
    json_array_foreach(recent, i, row)
        if (moment_of(row, "time", 0) > last)
            json_array_append(kept, row);
    return answer_json(r, MHD_HTTP_OK, json_pack("{s:I, s:o}", "step", (json_int_t)step, "rates", kept));
}

static enum MHD_Result send_asked(struct request *r)
{
    const struct past *p = r->past;
    json_t *kept = json_array();
    for (size_t i = 0; i < p->question.row_count; i++)
        json_array_append_new(kept, row_json(&p->question.rows[i]));
    return send_rows(r, kept, p->recent, p->step);
}

enum MHD_Result past_rates(struct request *r, const char *part)
{
    (void)part;
    struct web *w = r->web;
    struct span from_text = answer_argument(r, "from"), to_text = answer_argument(r, "to"), step_text = answer_argument(r, "step");
    int64_t latest = board_latest(w->board), to = latest ? (latest + 1) * NS_PER_SECOND : clock_now(), from, step = 1;
    if (r->past)
        return send_asked(r);
    if (to_text.n && !text_moment(to_text, &to))
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "to: expected RFC 3339 or seconds since 1970");
    from = to - 15 * 60 * NS_PER_SECOND;
    if (from_text.n && !text_moment(from_text, &from))
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "from: expected RFC 3339 or seconds since 1970");
    if (step_text.n && !text_count(step_text, 1, DAY, &step))
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "step: expected whole seconds, 1 to 86400");
    if (from < 0 || to < from)
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "from lies after to, or before 1970");
    json_t *recent = board_rates(w->board, from, to, step);
    int64_t begin = seconds(from) / step * step, end = latest && seconds(to) > latest ? latest + 1 : seconds(to);
    if (end - begin > ROWS * step)
        begin = (end - ROWS * step) / step * step;
    if (step < BOARD_STEP && json_array_size(recent))
        end = moment_of(json_array_get(recent, 0), "time", end);
    struct past *p = w->trend && end > begin && end > ROBIN_EARLIEST && trend_has_room(w->trend) ? calloc(1, sizeof *p) : NULL;
    if (!p) {
        enum MHD_Result sent = send_rows(r, json_array(), recent, step);
        json_decref(recent);
        return sent;
    }
    p->recent = recent;
    p->step = step;
    p->question = (struct trend_question){.from = begin > ROBIN_EARLIEST ? begin : ROBIN_EARLIEST, .to = end, .step = step, .most = ROWS};
    return ask(r, p);
}
