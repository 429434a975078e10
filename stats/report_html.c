/* In: a storm.  Out: its report as one HTML page: no script, no picture, font or style from elsewhere, so that it can be mailed, printed
 * and kept. Every word that came from the wire goes through report_escape(); the page's own policy would stop what slipped through. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "stats/cure.h"
#include "stats/figure.h"
#include "stats/letter.h"
#include "stats/report_parts.h"
#include "stats/tree.h"

static const char STYLE[] =
    ":root{color-scheme:light "
    "dark;--ground:#f5f6f8;--sheet:#fff;--ink:#1c2330;--soft:#5a6576;--line:#dfe3ea;--hair:#eceff4;--calm:#00795a;--squall:#a86400;"
    "--storm:#c43d00;--storm-wash:#fdeee6;--calm-wash:#e5f4ee;--squall-wash:#fdf4e1}\n"
    "@media (prefers-color-scheme:dark) and (not "
    "print){:root{--ground:#0f141b;--sheet:#171e28;--ink:#e8edf4;--soft:#9aa7b8;--line:#2a3442;--hair:#222b37;--calm:#3fc79b;"
    "--squall:#f0b54a;--storm:#ff8a57;--storm-wash:#331c12;--calm-wash:#10291f;--squall-wash:#2e2410}}\n"
    "*{box-sizing:border-box;margin:0}body{background:var(--ground);color:var(--ink);font:14.5px/1.5 Inter,\"DejaVu "
    "Sans\",system-ui,sans-serif;font-feature-settings:\"tnum\" 1}\n"
    "main{max-width:1120px;margin:0 auto;padding:26px 24px 48px;display:grid;gap:16px}main>*{min-width:0}\n"
    ".bar{display:flex;gap:12px;align-items:baseline;color:var(--soft)}.bar b{color:var(--ink);font-size:17px}.bar .id{margin-left:auto}\n"
    ".state{border:1px solid var(--line);border-left:6px solid var(--squall);border-radius:10px;padding:18px "
    "22px;background:var(--squall-wash);display:grid;gap:8px}\n"
    ".state.storm{border-left-color:var(--storm);background:var(--storm-wash)}.state "
    "h1{font-size:21px;line-height:1.3;font-weight:700;overflow-wrap:anywhere}.state p{overflow-wrap:anywhere}\n"
    ".clean{color:var(--calm);font-weight:650}.bad{color:var(--storm)}.soft{color:var(--soft)}\n"
    ".tag{font-size:11.5px;font-weight:650;padding:1px 8px;border-radius:10px;border:1px solid "
    "currentColor;white-space:nowrap;display:inline-block}\n"
    ".card{background:var(--sheet);border:1px solid var(--line);border-radius:10px;padding:16px "
    "20px;overflow-x:auto}h2{font-size:15px;font-weight:650;margin-bottom:10px}"
    "h2 small{color:var(--soft);font-weight:400;font-size:12.5px;margin-left:8px}h3{font-size:13.5px;font-weight:650;margin:14px 0 6px}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(118px,1fr));gap:4px 18px}.figures+p{margin-top:10px}.figures "
    "b{display:block;font-size:23px;font-weight:700;line-height:1.25}.figures span{color:var(--soft);font-size:12.5px}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px}dt{color:var(--soft)}dd{overflow-wrap:anywhere}\n"
    "table{width:100%;border-collapse:collapse}th{text-align:left;color:var(--soft);font-weight:500;font-size:12.5px;padding:4px 12px 4px "
    "0;border-bottom:1px solid var(--line)}"
    "td{padding:7px 12px 7px 0;border-bottom:1px solid var(--hair);vertical-align:top;overflow-wrap:anywhere}tr:last-child "
    "td{border-bottom:0}td:first-child{min-width:150px}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".t{white-space:nowrap;width:1%;padding-right:26px}\n"
    ".mono,pre{font:12px/1.5 ui-monospace,\"DejaVu Sans Mono\",monospace}pre{background:var(--ground);border:1px solid "
    "var(--hair);border-radius:7px;padding:11px 13px;white-space:pre-wrap;overflow-wrap:anywhere}\n"
    ".proof+p{margin-top:8px}ul.proof{list-style:none;padding:0;display:grid;gap:9px}details{margin-top:8px}summary{cursor:pointer;font-"
    "weight:600;padding:4px 0}\n"
    "svg{max-width:100%;height:auto}svg "
    "text{font-family:inherit;fill:var(--ink)}.node{fill:var(--sheet);stroke:var(--soft);stroke-opacity:.5;stroke-width:1.4}.node.guilty{"
    "stroke:var(--storm);stroke-opacity:1;stroke-width:2.6;fill:var(--storm-wash)}"
    ".node.clean{stroke:var(--calm);stroke-opacity:1;stroke-width:2;fill:var(--calm-wash)}.node.word{stroke-dasharray:5 "
    "4}.edge{fill:none;stroke:var(--soft);opacity:.6}.edge.bad{stroke:var(--storm);opacity:.8}.edge.word{stroke-dasharray:5 4}"
    ".dot{fill:var(--soft)}.dot.bad{fill:var(--storm)}svg .lbl{font-size:12.5px;font-weight:650}svg .again{fill:var(--storm)}svg "
    ".sub{font-size:11px;fill:var(--soft)}\n"
    "footer{color:var(--soft);font-size:12.5px}\n"
    "@media "
    "(max-width:640px){main{padding:14px}svg{max-width:none}.bar{flex-wrap:wrap}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:6px}}\n"
    "@page{margin:14mm}@media "
    "print{body{background:#fff;font-size:10.5pt}main{max-width:none;padding:0;gap:10px}.card,.state{break-inside:avoid;padding:10px "
    "14px}.card.long{break-inside:auto}tr,li,pre{break-inside:avoid}h2,h3,th{break-after:avoid}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

void report_escape(const char *text, FILE *to)
{
    char clean[2 * STORM_TEXT_SIZE];
    figure_header(span_text(text), clean, sizeof clean);
    for (const char *c = clean; *c; c++)
        switch (*c) {
        case '&': fputs("&amp;", to); break;
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '"': fputs("&quot;", to); break;
        case '\'': fputs("&#39;", to); break;
        default: fputc(*c, to);
        }
}

/* Our own longer text (a cure, a letter), which is clean but may hold quoted words. */
static void escape_whole(const char *text, FILE *to)
{
    for (; *text; text++)
        if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '<')
            fputs("&lt;", to);
        else
            fputc(*text, to);
}

static void card(const char *title, const char *small, bool is_long, FILE *to)
{
    fprintf(to, "<section class=\"card%s\"><h2>%s", is_long ? " long" : "", title);
    if (small)
        fprintf(to, " <small>%s</small>", small);
    fputs("</h2>\n", to);
}

static void verdict(const struct storm *s, FILE *to)
{
    bool storm = s->peak_severity >= SEVERITY_MAJOR;
    fprintf(to, "<section class=\"state%s\"><div><span class=\"tag%s\">%s</span> <span class=\"tag soft\">%s</span></div>\n<h1>",
        storm ? " storm" : "", storm ? " bad" : "", storm_severity_text(s->peak_severity), storm_kind_text(s->kind));
    report_escape(s->why[0] ? s->why : storm_kind_doc(s->kind), to);
    fputs("</h1>\n", to);
    if (s->acquittal[0]) {
        fputs("<p><span class=\"clean\">\u2713 Not the cause:</span> ", to);
        report_escape(s->acquittal, to);
        fputs("</p>\n", to);
    }
    fputs("<p class=\"soft\">", to);
    report_state(s, to);
    fputs("</p></section>\n", to);
}

static void figure(const char *value, const char *what, bool bad, FILE *to)
{
    fprintf(to, "<div><b%s>%s</b><span>%s</span></div>", bad ? " class=\"bad\"" : "", value, what);
}

static void counted(uint64_t n, const char *what, bool bad, FILE *to)
{
    char text[FIGURE_TEXT];
    if (n)
        figure(figure_count(n, text), what, bad, to);
}

static void blast_radius(const struct storm *s, FILE *to)
{
    char text[FIGURE_TEXT];
    card("Blast radius", NULL, false, to);
    fputs("<div class=\"figures\">", to);
    counted(s->copies, "copies", false, to);
    counted(s->deliveries, "deliveries", false, to);
    counted(s->redeliveries, "of them again", true, to);
    counted(s->recipients, s->recipients == 1 ? "person hit" : "people hit", false, to);
    counted(s->most_copies_a_recipient, "copies a person, at most", false, to);
    if (isfinite(s->reproduction))
        figure(figure_measure(s->reproduction, text),
            s->reproduction_reckoned ? "reproduction number R, at least" : "reproduction number R", s->reproduction >= 1, to);
    if (isfinite(s->generation))
        figure(figure_seconds(s->generation, text), "from round to round", false, to);
    if (isfinite(s->peak_rate) && s->peak_rate > 0)
        figure(figure_measure(s->peak_rate, text), "deliveries a second, peak", false, to);
    if (s->bytes)
        figure(figure_bytes(s->bytes, text), "of mail", false, to);
    fputs("</div>\n<p>", to);
    report_growth(s, to);
    fputs("</p></section>\n", to);
}

static void described(const char *name, const char *text, FILE *to)
{
    if (!text[0])
        return;
    fprintf(to, "<dt>%s</dt><dd>", name);
    report_escape(text, to);
    fputs("</dd>", to);
}

static void the_mail(const struct storm *s, FILE *to)
{
    char audience[2 * FIGURE_TEXT + 32] = "", addresses[FIGURE_TEXT], domains[FIGURE_TEXT], first[FIGURE_TEXT];
    if (s->audience && s->audience_domains)
        snprintf(audience, sizeof audience, "%s addresses in To and Cc, of %s domains", figure_count(s->audience, addresses),
            figure_count(s->audience_domains, domains));
    else if (s->audience)
        snprintf(audience, sizeof audience, "%s addresses in To and Cc", figure_count(s->audience, addresses));
    card(s->message_id[0] || s->subject[0] ? "The mail" : "What it is about", NULL, false, to);
    fputs("<dl>", to);
    described("Subject", s->subject, to);
    described("From", s->from, to);
    described("Message-ID", s->message_id, to);
    described("Thread", s->thread, to);
    described("Victim", s->victim, to);
    described("Audience", audience, to);
    described("First seen", figure_time(s->first_seen, first), to);
    fputs("</dl></section>\n", to);
}

static void write_host_name(const struct storm_host *h, FILE *to)
{
    char address[ADDRESS_TEXT];
    bool known = address_known(h->address);
    address_text(h->address, address);
    fputs("<b>", to);
    report_escape(h->name[0] ? h->name : known ? address : "?", to);
    fputs("</b>", to);
    if (known && h->name[0])
        fprintf(to, "<br><span class=\"mono soft\">%s</span>", address);
}

static void host_row(const struct storm_host *h, FILE *to)
{
    static const char *const roles[] = {[ROLE_ORIGIN] = "origin",
        [ROLE_RELAY] = "relay",
        [ROLE_EXPANDER] = "expander",
        [ROLE_REINJECTOR] = "re-injector",
        [ROLE_LOOPER] = "looper"};
    char n[FIGURE_TEXT], when[FIGURE_TEXT];
    fputs("<tr><td>", to);
    write_host_name(h, to);
    fprintf(to, "</td><td><span class=\"tag %s\">%s</span>",
        tree_at_fault(h)         ? "bad"
        : h->role == ROLE_ORIGIN ? "clean"
                                 : "soft",
        roles[h->role]);
    if (!h->on_wire)
        fputs("<br><span class=\"soft\">header only</span>", to);
    fprintf(to, "</td><td class=\"t\">%s</td>", figure_clock(h->first, when));
    fprintf(to, "<td class=\"n\">%s</td>", figure_count(h->copies, n));
    fprintf(to, "<td class=\"n\">%s</td>", figure_count(h->deliveries, n));
    fprintf(to, "<td class=\"n%s\">%s</td></tr>\n", h->redeliveries ? " bad" : "", figure_count(h->redeliveries, n));
}

static void hosts(const struct storm *s, FILE *to)
{
    char more[FIGURE_TEXT];
    card("Hosts", "counted on this wire; \u201cheader only\u201d: named by Received lines, which can be forged", true, to);
    fputs("<table><thead><tr><th>Host</th><th>Part</th><th>First seen, UTC</th><th class=\"n\">Copies</th><th "
          "class=\"n\">Deliveries</th><th class=\"n\">Again</th></tr></thead>\n",
        to);
    for (uint32_t i = 0; i < s->host_count; i++)
        host_row(&s->hosts[i], to);
    fputs("</table>", to);
    if (s->hosts_more)
        fprintf(to, "<p class=\"soft\">And %s more hosts with fewer redeliveries.</p>", figure_count(s->hosts_more, more));
    fputs("</section>\n", to);
}

static void evidence_item(const struct storm_evidence *e, FILE *to)
{
    char when[FIGURE_TEXT], client[ADDRESS_TEXT], server[ADDRESS_TEXT];
    fprintf(to, "<li><span class=\"mono soft\">%s", figure_time(e->time, when));
    if (address_known(e->client) && address_known(e->server))
        fprintf(to, " \u00b7 %s \u2192 %s", address_text(e->client, client), address_text(e->server, server));
    fputs("</span><br>", to);
    report_escape(e->said, to);
    if (e->received[0]) {
        fputs("<br><span class=\"mono\">Received: ", to);
        report_escape(e->received, to);
        fputs("</span>", to);
    }
    fputs("</li>\n", to);
}

static void evidence(const struct storm *s, FILE *to)
{
    bool begun = false;
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct storm_host *h = &s->hosts[i];
        if (h->evidence_count == 0 && !h->software[0])
            continue;
        if (!begun)
            card("The proof", "what was seen, host by host; the first pieces of each", true, to);
        begun = true;
        fputs("<h3>", to);
        report_escape(h->name, to);
        char address[ADDRESS_TEXT];
        if (address_known(h->address))
            fprintf(to, " <span class=\"mono soft\">%s</span>", address_text(h->address, address));
        fputs("</h3><ul class=\"proof\">\n", to);
        for (uint32_t k = 0; k < h->evidence_count; k++)
            evidence_item(&h->evidence[k], to);
        fputs("</ul>", to);
        if (h->software[0]) {
            fputs("<p>What it seems to run, and what to change: ", to);
            report_escape(h->software, to);
            fputs("</p>", to);
        }
    }
    if (begun)
        fputs("</section>\n", to);
}

static void timeline(const struct storm *s, FILE *to)
{
    char when[FIGURE_TEXT];
    if (s->event_count == 0)
        return;
    card("Timeline", "UTC", true, to);
    fputs("<table>", to);
    for (uint32_t i = 0; i < s->event_count; i++) {
        fprintf(to, "<tr><td class=\"t mono\">%s</td><td>", figure_time(s->events[i].time, when));
        report_escape(s->events[i].what, to);
        fputs("</td></tr>\n", to);
    }
    fputs("</table></section>\n", to);
}

static void cure(const struct storm *s, FILE *to)
{
    card("What stops it", NULL, true, to);
    fprintf(to, "<p>%s</p>\n", cure_advice(s));
    for (int t = 0; t < CURE_TARGET_COUNT; t++) {
        char *text = NULL;
        size_t n = 0;
        FILE *memory = open_memstream(&text, &n);
        bool some = memory && cure_write(s, (enum cure_target)t, memory);
        if (memory)
            fclose(memory);
        if (some) {
            fprintf(to, "<h3>%s</h3><pre>", cure_title((enum cure_target)t));
            escape_whole(text, to);
            fputs("</pre>\n", to);
        }
        free(text);
    }
    fputs("</section>\n", to);
}

static void letters(const struct storm *s, FILE *to)
{
    uint32_t written = 0;
    for (uint32_t i = 0; i < s->host_count; i++) {
        if (!letter_wanted(s, &s->hosts[i]))
            continue;
        char *text = NULL;
        size_t n = 0;
        FILE *memory = open_memstream(&text, &n);
        if (memory) {
            letter_write(s, &s->hosts[i], memory);
            fclose(memory);
        }
        if (!written)
            card("Letters to the postmasters", "one a host; open one to read or print it", true, to);
        char address[ADDRESS_TEXT];
        fprintf(to, "<details%s><summary>", written ? "" : " open");
        report_escape(s->hosts[i].name[0] ? s->hosts[i].name : address_text(s->hosts[i].address, address), to);
        fputs("</summary><pre>", to);
        escape_whole(text ? text : "", to);
        fputs("</pre></details>\n", to);
        free(text);
        written++;
    }
    if (written)
        fputs("</section>\n", to);
}

void report_html_write(const struct storm *s, FILE *to)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width,initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><meta name=\"referrer\" "
          "content=\"no-referrer\">\n<title>",
        to);
    report_escape(s->id, to);
    fprintf(to,
        " \u00b7 %s \u00b7 Squall</title>\n<style>%s</style></head>\n<body><main>\n<div class=\"bar\"><b>Squall</b><span>Incident "
        "report</span><span class=\"id mono\">",
        storm_kind_text(s->kind), STYLE);
    report_escape(s->id, to);
    fputs("</span></div>\n", to);
    verdict(s, to);
    blast_radius(s, to);
    if (s->edge_count) {
        card("How it spreads", "solid: seen on this wire \u00b7 dashed: only Received lines say so \u00b7 thick: again", false, to);
        report_tree_write(s, to);
        fputs("</section>\n", to);
    }
    the_mail(s, to);
    if (s->host_count)
        hosts(s, to);
    evidence(s, to);
    timeline(s, to);
    cure(s, to);
    letters(s, to);
    fputs("<footer>Made by Squall " SQUALL_VERSION " from the stored evidence of this alarm alone: the same evidence gives the same page, "
          "byte for byte. It holds no text of any mail.</footer>\n"
          "</main></body></html>\n",
        to);
}
