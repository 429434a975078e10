/* In: GET /plain, or / with "?plain" or without scripts.  Out: how things stand, as a page that asks no script of the browser and renews
 * itself. */
#include <stdlib.h>

#include "stats/figure.h"
#include "web/answer.h"
#include "web/page.h"
#include "web/past.h"
#include "web/sentence.h"

#define REFRESH  15 /* seconds */
#define ALARMS   25
#define MESSAGES 10
#define NO_MAIL_AFTER 600

static int64_t count(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static int by_weight(const void *x, const void *y)
{
    const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
    int active = sentence_active(b) - sentence_active(a), rank = sentence_rank(b) - sentence_rank(a);
    int64_t again = count(b, "redeliveries") - count(a, "redeliveries");
    if (active || rank)
        return active ? active : rank;
    if (again)
        return again < 0 ? -1 : 1;
    const char *raised = json_string_value(json_object_get(b, "raised")), *other = json_string_value(json_object_get(a, "raised"));
    return strcmp(raised ? raised : "", other ? other : "");
}

/* The alarms, the worst first: borrowed from `all`. */
static json_t **weighed(const json_t *all, size_t *n)
{
    json_t **list = calloc(json_array_size(all) + 1, sizeof(json_t *)), *one;
    size_t i;
    *n = 0;
    json_array_foreach(all, i, one)
        if (list)
            list[(*n)++] = one;
    if (*n)
        qsort(list, *n, sizeof(json_t *), by_weight);
    return list;
}

/* When mail was last seen, in seconds; 0: never. */
static int64_t mail_at(const json_t *messages)
{
    const json_t *m;
    int64_t latest = 0, t;
    size_t i;
    json_array_foreach(messages, i, m)
        if (clock_parse(span_text(json_string_value(json_object_get(m, "last"))), &t) && t / NS_PER_SECOND > latest)
            latest = t / NS_PER_SECOND;
    return latest;
}

static void write_state(struct page *p, const char *is, const json_t *worst, const json_t *status, int64_t seen)
{
    char key[32], when[FIGURE_TEXT];
    const struct word since[] = {{"time", figure_time(seen * NS_PER_SECOND, when)}, {NULL, NULL}};
    fprintf(p->to, "<section class=\"state %s\"><div><h1 class=\"big\">", is);
    snprintf(key, sizeof key, "state.%s", is);
    page_say(p, key, WORDS_NO_NUMBER, NULL);
    fputs("</h1></div><div class=\"told\"><p><b>", p->to);
    if (worst) {
        page_tell(p, sentence_headline(p->words, p->language, worst));
        fputs("</b> ", p->to);
        page_tell(p, sentence_figures(p->words, p->language, worst));
        fputs("</p><p class=\"calm-ink\">", p->to);
        page_tell(p, sentence_acquittal(p->words, p->language, worst));
        fputs("</p><p>", p->to);
        page_tell(p, sentence_forecast(p->words, p->language, worst));
        fputs("</p></div><div class=\"acts\"><a class=\"btn main\" href=\"/plain/alarms/", p->to);
        page_text(p, json_string_value(json_object_get(worst, "id")));
        fputs("?", p->to);
        page_language(p);
        fputs("\">", p->to);
        page_say(p, "act.proof", WORDS_NO_NUMBER, NULL);
        fputs("</a></div></section>\n", p->to);
        return;
    }
    snprintf(key, sizeof key, "say.%s", is);
    page_say(p, key, WORDS_NO_NUMBER, since);
    fputs("</b></p><p>", p->to);
    const json_t *smtp = json_object_get(status, "smtp");
    if (strcmp(is, "calm") == 0 && smtp) {
        char number[3][WORDS_NUMBER];
        const struct word values[] = {{"sessions", words_number(p->language, (double)count(smtp, "sessions"), 0, number[0])},
            {"messages", words_number(p->language, (double)count(smtp, "messages"), 0, number[1])},
            {"recipients", words_number(p->language, (double)count(smtp, "recipients"), 0, number[2])}, {NULL, NULL}};
        page_say(p, "say.watching", WORDS_NO_NUMBER, values);
    } else if (strcmp(is, "quiet") == 0) {
        page_say(p, "say.quiet_check", WORDS_NO_NUMBER, NULL);
    }
    fputs("</p></div></section>\n", p->to);
}

static void heading(struct page *p, const char *id, const char *key)
{
    fprintf(p->to, "<section class=\"card\" id=\"%s\"><div class=\"head\"><h2>", id);
    page_say(p, key, WORDS_NO_NUMBER, NULL);
    fputs("</h2></div>\n", p->to);
}

static void columns(struct page *p, const char *look, const char *const *keys, const char *const *looks, size_t n)
{
    fprintf(p->to, "<div class=\"scroll\"><table class=\"%s\"><thead><tr>", look);
    for (size_t i = 0; i < n; i++) {
        fprintf(p->to, "<th scope=\"col\"%s>", looks[i]);
        page_say(p, keys[i], WORDS_NO_NUMBER, NULL);
        fputs("</th>", p->to);
    }
    fputs("</tr></thead><tbody>\n", p->to);
}

static void cell(struct page *p, int64_t n, bool bad)
{
    fprintf(p->to, "<td class=\"n%s\">", bad ? " storm-ink" : "");
    page_number(p, (double)n, 0);
    fputs("</td>", p->to);
}

static void none(struct page *p, const char *key)
{
    fputs("<p class=\"empty\">", p->to);
    page_say(p, key, WORDS_NO_NUMBER, NULL);
    fputs("</p>", p->to);
}

#define RIGHT " class=\"n\""

static void write_alarms(struct page *p, json_t *const *alarms, size_t n)
{
    static const char *const keys[] = {"col.severity", "col.what", "col.since", "col.deliveries", "col.again"};
    static const char *const looks[] = {"", "", "", RIGHT, RIGHT};
    heading(p, "alarms", "alarms.title");
    if (n == 0)
        none(p, "alarms.empty");
    else
        columns(p, "list alarms", keys, looks, 5);
    for (size_t i = 0; i < n && i < ALARMS; i++) {
        const json_t *a = alarms[i];
        const char *severity = json_string_value(json_object_get(a, "severity"));
        bool active = sentence_active(a);
        char key[32];
        fprintf(p->to, "<tr><td><span class=\"tag %s\">", active && severity ? severity : "over");
        snprintf(key, sizeof key, "severity.%s", severity ? severity : "");
        page_say(p, active ? key : "alarm.over", WORDS_NO_NUMBER, NULL);
        fputs("</span></td><td class=\"wide\"><a href=\"/plain/alarms/", p->to);
        page_text(p, json_string_value(json_object_get(a, "id")));
        fputs("?", p->to);
        page_language(p);
        fputs("\">", p->to);
        page_tell(p, sentence_headline(p->words, p->language, a));
        fputs("</a><span class=\"soft line\">", p->to);
        page_text(p, json_string_value(json_object_get(a, "from")));
        fputs("</span></td><td class=\"when\">", p->to);
        page_time(p, json_object_get(a, "first_seen"));
        fputs("</td>", p->to);
        cell(p, count(a, "deliveries"), false);
        cell(p, count(a, "redeliveries"), count(a, "redeliveries") > 0);
        fputs("</tr>\n", p->to);
    }
    fputs(n ? "</tbody></table></div></section>\n" : "</section>\n", p->to);
}

static void write_messages(struct page *p, const json_t *messages)
{
    static const char *const keys[] = {"col.subject", "col.copies", "col.people", "col.again"};
    static const char *const looks[] = {"", RIGHT, RIGHT, RIGHT};
    const json_t *m;
    size_t i, n = json_array_size(messages);
    heading(p, "messages", "messages.title");
    if (n == 0)
        none(p, "messages.empty");
    else
        columns(p, "list", keys, looks, 4);
    json_array_foreach(messages, i, m) {
        const char *subject = json_string_value(json_object_get(m, "subject"));
        if (i == MESSAGES)
            break;
        fputs("<tr><td class=\"wide\">", p->to);
        if (subject && subject[0])
            page_text(p, subject);
        else
            page_say(p, "mail.no_subject", WORDS_NO_NUMBER, NULL);
        fputs("<span class=\"soft line\">", p->to);
        page_text(p, json_string_value(json_object_get(m, "from")));
        fputs("</span></td>", p->to);
        cell(p, count(m, "copies"), false);
        cell(p, count(m, "recipients"), false);
        cell(p, count(m, "redeliveries"), count(m, "redeliveries") > 0);
        fputs("</tr>\n", p->to);
    }
    fputs(n ? "</tbody></table></div></section>\n" : "</section>\n", p->to);
}

static void fact(struct page *p, const char *key, char *said, bool good)
{
    page_fact(p, key, said, good);
    free(said);
}

static void write_channels(struct page *p)
{
    const struct web *w = p->request->web;
    json_t *channels = w->desk.channels ? w->desk.channels(w->desk.user) : NULL, *c;
    size_t i;
    json_array_foreach(channels, i, c) {
        bool failing = json_is_true(json_object_get(c, "failing")), confirmed = json_is_true(json_object_get(c, "confirmed"));
        const struct word why[] = {{"why", json_string_value(json_object_get(c, "error"))}, {NULL, NULL}};
        fputs("<dt>", p->to);
        page_text(p, json_string_value(json_object_get(c, "name")));
        fprintf(p->to, "</dt><dd%s>", failing ? " class=\"bad\"" : "");
        if (failing)
            page_say(p, "sensor.failing", WORDS_NO_NUMBER, why);
        else
            page_say(p, confirmed ? "sensor.confirmed" : "sensor.sent", count(c, "delivered"), NULL);
        fputs("</dd>\n", p->to);
    }
    json_decref(channels);
}

static void write_sensor(struct page *p, const json_t *status)
{
    const json_t *capture = json_object_get(status, "capture"), *smtp = json_object_get(status, "smtp");
    bool alive = json_is_true(json_object_get(json_object_get(status, "sensor"), "alive"));
    int64_t lost = count(capture, "kernel_drops") + count(capture, "interface_drops"), sessions = count(smtp, "sessions");
    double lag = json_number_value(json_object_get(status, "lag_seconds"));
    char number[2][WORDS_NUMBER], bytes[FIGURE_TEXT];
    enum language l = p->language;
    heading(p, "sensor", "sensor.title");
    fputs("<dl class=\"facts\">\n", p->to);
    fact(p, "sensor.process", words_say(p->words, l, alive ? "sensor.alive" : "sensor.dead", WORDS_NO_NUMBER, NULL), alive);
    if (capture) {
        const struct word of[] = {{"lost", words_number(l, (double)lost, 0, number[0])},
            {"packets", words_number(l, (double)count(capture, "packets"), 0, number[1])}, {NULL, NULL}};
        fact(p, "sensor.lost", words_say(p->words, l, "sensor.lost_of", WORDS_NO_NUMBER, of), lost == 0);
        page_fact(p, "sensor.read", figure_bytes((uint64_t)count(capture, "bytes"), bytes), true);
    }
    if (sessions) {
        const struct word of[] = {{"share", words_number(l, 100.0 * (double)count(smtp, "tls_sessions") / (double)sessions, 0, number[0])},
            {"sessions", words_number(l, (double)sessions, 0, number[1])}, {NULL, NULL}};
        fact(p, "sensor.encrypted", words_say(p->words, l, "sensor.share", WORDS_NO_NUMBER, of), true);
    }
    int64_t passed_over = count(status, "evidence_passed_over");
    if (passed_over) {
        const struct word of[] = {{"n", words_number(l, (double)passed_over, 0, number[0])}, {NULL, NULL}};
        fact(p, "sensor.evidence", words_say(p->words, l, "sensor.passed_over", WORDS_NO_NUMBER, of), false);
    }
    snprintf(bytes, sizeof bytes, "%s s", words_number(l, lag, 1, number[0]));
    page_fact(p, "sensor.lag", bytes, lag < 5);
    json_t *graphs = past_status(p->request->web);
    page_fact(p, "sensor.graphs", json_string_value(json_object_get(graphs, "trouble")), false);
    json_decref(graphs);
    write_channels(p);
    fputs("</dl></section>\n", p->to);
}

static void write_past(struct page *p, const char *id, const char *key, const char *from)
{
    if (!p->request->web->trend)
        return;
    heading(p, id, key);
    page_picture(p, "deliveries", from, key);
    fputs("</section>\n", p->to);
}

enum MHD_Result plain_now(struct request *r, const char *part)
{
    (void)part;
    struct page p;
    struct web *w = r->web;
    enum language l = words_language(answer_argument(r, "lang"), answer_field(r, "Accept-Language"));
    json_t *status = board_status(w->board), *said = board_messages(w->board), *all = board_alarms(w->board, -1);
    const json_t *messages = json_object_get(said, "messages");
    size_t n;
    json_t **alarms = weighed(all, &n);
    int64_t seen = mail_at(messages), now = board_latest(w->board);
    bool alive = json_is_true(json_object_get(json_object_get(status, "sensor"), "alive"));
    int worst = n && sentence_active(alarms[0]) ? sentence_rank(alarms[0]) : SEVERITY_NOTICE;
    const char *is = !alive ? "lost" : sentence_weather(worst);
    if (alive && worst == SEVERITY_NOTICE && seen && now - seen > NO_MAIL_AFTER)
        is = "quiet";
    char key[32], title[96];
    snprintf(key, sizeof key, "state.%s", is);
    char *word = words_say(w->words, l, key, WORDS_NO_NUMBER, NULL);
    snprintf(title, sizeof title, "%s · Squall", word ? word : "");
    free(word);
    enum MHD_Result result = MHD_NO;
    if (page_begin(&p, r, title, REFRESH, "/plain")) {
        write_state(&p, is, worst > SEVERITY_NOTICE && alive ? alarms[0] : NULL, status, seen);
        write_past(&p, "hour", "past.hour", "-1h");
        write_alarms(&p, alarms, n);
        write_messages(&p, messages);
        write_sensor(&p, status);
        write_past(&p, "day", "past.day", "-1d");
        write_past(&p, "week", "past.week", "-7d");
        write_past(&p, "year", "past.year", "-1y");
        result = page_send(&p, MHD_HTTP_OK);
    }
    free(alarms);
    json_decref(all);
    json_decref(said);
    json_decref(status);
    return result;
}
