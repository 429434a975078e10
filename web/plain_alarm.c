/* In: GET /plain/alarms/ID; POST /plain/alarms/ID/acknowledge, from that page's form.  Out: the page of one alarm without scripts. */
#include <stdlib.h>

#include "stats/storm_json.h"
#include "stats/tree_text.h"
#include "web/answer.h"
#include "web/page.h"
#include "web/sentence.h"

#define REFRESH 30 /* seconds */

static int64_t count(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static const char *member(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void begin_card(struct page *p, const char *key)
{
    fputs("<section class=\"card\"><div class=\"head\"><h2>", p->to);
    page_say(p, key, WORDS_NO_NUMBER, NULL);
    fputs("</h2></div>\n", p->to);
}

static void end_card(struct page *p)
{
    fputs("</section>\n", p->to);
}

static void write_paragraph(struct page *p, const char *look, char *said) /* takes the text */
{
    if (said && said[0]) {
        fprintf(p->to, "<p%s>", look);
        page_text(p, said);
        fputs("</p>\n", p->to);
    }
    free(said);
}

/* A link or the form's place, of this alarm: "/alarms/ID/report". */
static void write_path(struct page *p, const char *before, const char *id, const char *after)
{
    fputs(before, p->to);
    page_text(p, id);
    fputs(after, p->to);
}

static void write_verdict(struct page *p, const json_t *a, const char *fault)
{
    const char *id = member(a, "id"), *severity = member(a, "severity");
    bool active = sentence_active(a);
    int rank = sentence_rank(a);
    char key[32];
    snprintf(key, sizeof key, "severity.%s", severity ? severity : "");
    fprintf(p->to, "<section class=\"state %s\"><div><span class=\"tag %s\">", active ? sentence_weather(rank) : "over",
        active && severity ? severity : "over");
    page_say(p, active ? key : "alarm.over", WORDS_NO_NUMBER, NULL);
    fputs("</span></div><div class=\"told\"><h1>", p->to);
    page_tell(p, sentence_headline(p->words, p->language, a));
    fputs("</h1>\n", p->to);
    write_paragraph(p, " class=\"calm-ink\"", sentence_acquittal(p->words, p->language, a));
    write_paragraph(p, "", sentence_figures(p->words, p->language, a));
    write_paragraph(p, "", sentence_forecast(p->words, p->language, a));
    if (span_equal(span_text(member(a, "state")), span_text(storm_state_text(STATE_ACKNOWLEDGED))))
        write_paragraph(p, "", words_say(p->words, p->language, "facts.acknowledged", WORDS_NO_NUMBER, NULL));
    const struct word why[] = {{"why", fault}, {NULL, NULL}};
    if (fault)
        write_paragraph(p, " role=\"alert\"", words_say(p->words, p->language, "act.failed", WORDS_NO_NUMBER, why));
    fputs("</div><div class=\"acts\">", p->to);
    if (span_equal(span_text(member(a, "state")), span_text(storm_state_text(STATE_RAISED)))) {
        write_path(p, "<form method=\"post\" action=\"/plain/alarms/", id, "/acknowledge?");
        page_language(p);
        fputs("\"><button class=\"btn main\" type=\"submit\">", p->to);
        page_say(p, "act.acknowledge", WORDS_NO_NUMBER, NULL);
        fputs("</button></form>", p->to);
    }
    write_path(p, "<a class=\"btn\" href=\"/alarms/", id, "/report\">");
    page_say(p, "act.report", WORDS_NO_NUMBER, NULL);
    write_path(p, "</a><a class=\"btn\" href=\"/alarms/", id, "/evidence.pcapng\">");
    page_say(p, "act.evidence", WORDS_NO_NUMBER, NULL);
    fputs("</a></div></section>\n", p->to);
}

static void write_figure(struct page *p, const char *key, double value, int digits, bool bad)
{
    char whole[48];
    if (value <= 0)
        return;
    fprintf(p->to, "<div><b%s>", bad ? " class=\"storm-ink\"" : "");
    page_number(p, value, digits);
    fputs("</b><span>", p->to);
    snprintf(whole, sizeof whole, "figure.%s", key);
    page_say(p, whole, WORDS_NO_NUMBER, NULL);
    fputs("</span></div>", p->to);
}

static void write_figures(struct page *p, const json_t *a)
{
    const json_t *blast = json_object_get(a, "blast_radius");
    int64_t people = count(blast, "recipients");
    double growth = json_number_value(json_object_get(a, "reproduction")), peak = json_number_value(json_object_get(blast, "peak_rate"));
    fputs("<section class=\"card figures\">", p->to);
    write_figure(p, "copies", (double)count(a, "copies"), 0, false);
    write_figure(p, "deliveries", (double)count(a, "deliveries"), 0, false);
    write_figure(p, "again", (double)count(a, "redeliveries"), 0, true);
    write_figure(p, "people", (double)(people ? people : count(a, "recipients")), 0, false);
    write_figure(p, "most", (double)count(blast, "most_copies_a_recipient"), 0, false);
    bool young = json_is_true(json_object_get(a, "reproduction_reckoned"));
    write_figure(p, young ? "reproduction_least" : "reproduction", growth, 1, growth >= 1);
    write_figure(p, "peak", peak, peak < 10, false);
    fputs("</section>\n", p->to);
}

static void write_course(struct page *p, const json_t *a)
{
    char name[STORM_ID_SIZE + 8];
    if (!p->request->web->trend || sentence_rank(a) == SEVERITY_NOTICE)
        return;
    begin_card(p, "past.storm");
    snprintf(name, sizeof name, "alarm/%s", member(a, "id"));
    page_picture(p, name, NULL, "graph.alarm");
    end_card(p);
}

static void write_tree(struct page *p, const json_t *a)
{
    char *text = NULL;
    size_t n = 0;
    struct reason why;
    struct storm *s = storm_json_parse(a, &why);
    FILE *to = s ? open_memstream(&text, &n) : NULL;
    if (to) {
        tree_text_write(s, 0, true, to);
        fclose(to);
    }
    storm_json_free(s);
    if (n) {
        begin_card(p, "tree.title");
        fputs("<pre class=\"whole\">", p->to);
        page_text(p, text);
        fputs("</pre>", p->to);
        end_card(p);
    }
    free(text);
}

static void write_cure(struct page *p, const json_t *a)
{
    const json_t *cure = json_object_get(a, "cure");
    const char *target, *advice = member(cure, "advice");
    json_t *text;
    begin_card(p, "cure.title");
    if (advice)
        write_paragraph(p, " lang=\"en\"", strdup(advice));
    json_object_foreach((json_t *)(uintptr_t)cure, target, text) {
        char key[48];
        if (!json_is_string(text) || strcmp(target, "advice") == 0)
            continue;
        snprintf(key, sizeof key, "cure.%s", target);
        fputs("<details><summary>", p->to);
        page_say(p, key, WORDS_NO_NUMBER, NULL);
        fputs("</summary><pre class=\"whole\">", p->to);
        page_text(p, json_string_value(text));
        fputs("</pre></details>\n", p->to);
    }
    end_card(p);
}

static void write_evidence(struct page *p, const json_t *host)
{
    const json_t *e;
    size_t i;
    fputs("<ul>", p->to);
    json_array_foreach(json_object_get(host, "evidence"), i, e) {
        fputs("<li><span lang=\"en\">", p->to);
        page_text(p, member(e, "said"));
        fputs("</span> <code class=\"line\">", p->to);
        page_text(p, member(e, "received"));
        fputs("</code><span class=\"soft line\">", p->to);
        page_time(p, json_object_get(e, "time"));
        if (member(e, "client") && member(e, "server")) {
            fputs(" · ", p->to);
            page_text(p, member(e, "client"));
            fputs(" → ", p->to);
            page_text(p, member(e, "server"));
        }
        fputs("</span></li>", p->to);
    }
    fputs("</ul>", p->to);
}

static void write_proof(struct page *p, const json_t *a)
{
    static const char *const keys[] = {"col.host", "col.role", "col.copies", "col.again", "col.why"};
    const json_t *h;
    size_t i;
    begin_card(p, "proof.title");
    fputs("<div class=\"scroll\"><table class=\"list proof\"><thead><tr>", p->to);
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        fprintf(p->to, "<th scope=\"col\"%s>", i == 2 || i == 3 ? " class=\"n\"" : "");
        page_say(p, keys[i], WORDS_NO_NUMBER, NULL);
        fputs("</th>", p->to);
    }
    fputs("</tr></thead><tbody>\n", p->to);
    json_array_foreach(json_object_get(a, "hosts"), i, h) {
        char key[32];
        int64_t again = count(h, "redeliveries");
        snprintf(key, sizeof key, "role.%s", member(h, "role") ? member(h, "role") : "");
        fputs("<tr><td><b>", p->to);
        page_text(p, sentence_host(h));
        fputs("</b><span class=\"mono soft line\">", p->to);
        page_text(p, member(h, "name") ? member(h, "address") : NULL);
        fputs("</span></td><td>", p->to);
        page_say(p, key, WORDS_NO_NUMBER, NULL);
        if (!json_is_true(json_object_get(h, "on_wire"))) {
            fputs("<span class=\"soft line\">", p->to);
            page_say(p, "proof.header_only", WORDS_NO_NUMBER, NULL);
            fputs("</span>", p->to);
        }
        fputs("</td><td class=\"n\">", p->to);
        page_number(p, (double)count(h, "copies"), 0);
        fprintf(p->to, "</td><td class=\"n%s\">", again ? " storm-ink" : "");
        page_number(p, (double)again, 0);
        fputs("</td><td class=\"why\">", p->to);
        write_evidence(p, h);
        if (member(h, "software"))
            write_paragraph(p, " class=\"advice\" lang=\"en\"", strdup(member(h, "software")));
        fputs("</td></tr>\n", p->to);
    }
    fputs("</tbody></table></div>", p->to);
    end_card(p);
}

static void write_timeline(struct page *p, const json_t *a)
{
    const json_t *e;
    size_t i;
    begin_card(p, "timeline.title");
    fputs("<ol class=\"timeline\">", p->to);
    json_array_foreach(json_object_get(a, "timeline"), i, e) {
        fputs("<li><time>", p->to);
        page_time(p, json_object_get(e, "time"));
        fputs("</time><span lang=\"en\">", p->to);
        page_text(p, member(e, "what"));
        fputs("</span></li>", p->to);
    }
    fputs("</ol>", p->to);
    end_card(p);
}

static void write_mail(struct page *p, const json_t *a)
{
    static const char *const facts[] = {"subject", "from", "message_id", "thread", "victim"};
    static const char *const times[][2] = {{"mail.first", "first_seen"}, {"mail.raised", "raised"}, {"mail.updated", "updated"}};
    begin_card(p, "mail.title");
    fputs("<dl class=\"facts\">\n", p->to);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        char key[32];
        snprintf(key, sizeof key, "mail.%s", facts[i]);
        page_fact(p, key, member(a, facts[i]), true);
    }
    page_fact(p, "mail.alarm", member(a, "id"), true);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        fputs("<dt>", p->to);
        page_say(p, times[i][0], WORDS_NO_NUMBER, NULL);
        fputs("</dt><dd>", p->to);
        page_time(p, json_object_get(a, times[i][1]));
        fputs("</dd>\n", p->to);
    }
    fputs("</dl>", p->to);
    end_card(p);
}

static enum MHD_Result show(struct request *r, unsigned status, const char *id, const char *fault)
{
    const struct words *w = r->web->words;
    enum language l = words_language(answer_argument(r, "lang"), answer_field(r, "Accept-Language"));
    json_t *a = api_find_alarm(r, id);
    struct page p;
    char path[STORM_ID_SIZE + 16];
    if (!a)
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    char *title = sentence_headline(w, l, a);
    snprintf(path, sizeof path, "/plain/alarms/%s", id);
    bool good = page_begin(&p, r, title, REFRESH, path);
    free(title);
    if (good) {
        write_verdict(&p, a, fault);
        write_figures(&p, a);
        write_course(&p, a);
        write_tree(&p, a);
        write_cure(&p, a);
        begin_card(&p, "why.title");
        write_paragraph(&p, " lang=\"en\"", member(a, "why") ? strdup(member(a, "why")) : NULL);
        end_card(&p);
        write_proof(&p, a);
        write_timeline(&p, a);
        write_mail(&p, a);
    }
    json_decref(a);
    return good ? page_send(&p, status) : MHD_NO;
}

enum MHD_Result plain_alarm(struct request *r, const char *part)
{
    return text_alarm_id(span_text(part)) ? show(r, MHD_HTTP_OK, part, NULL) : answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
}

/* A form can be sent by any site's page.  Where it came from is said by every browser that is not very old; what does not say it is refused
 * (what says another site was refused before). */
enum MHD_Result plain_acknowledge(struct request *r, const char *part)
{
    struct reason why;
    struct web *w = r->web;
    if (!text_alarm_id(span_text(part)))
        return answer_error(r, MHD_HTTP_NOT_FOUND, "no such alarm");
    if (!answer_field(r, "Origin").n && !span_equal(answer_field(r, "Sec-Fetch-Site"), span_text("same-origin")))
        return answer_error(r, MHD_HTTP_FORBIDDEN, "the browser does not say which page this comes from");
    if (!w->desk.acknowledge(w->desk.user, part, "the dashboard", &why))
        return show(r, MHD_HTTP_CONFLICT, part, why.text);
    char place[STORM_ID_SIZE + 32];
    enum language l = words_language(answer_argument(r, "lang"), answer_field(r, "Accept-Language"));
    snprintf(place, sizeof place, "/plain/alarms/%s?lang=%s", part, words_code(l));
    struct MHD_Response *response = http.create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (response)
        http.add_response_header(response, "Location", place);
    return answer_send(r, MHD_HTTP_SEE_OTHER, response, NULL, NULL);
}
