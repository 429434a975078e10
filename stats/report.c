/* In: a storm, from memory or from the history.  Out: its report, in the form asked for; to squall.c and to the page. */
#include "stats/report.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "stats/cure.h"
#include "stats/figure.h"
#include "stats/letter.h"
#include "stats/report_parts.h"
#include "stats/storm_json.h"
#include "stats/tree_text.h"

bool report_state(const struct storm *s, FILE *to)
{
    char raised[FIGURE_TEXT], cleared[FIGURE_TEXT], after[FIGURE_TEXT];
    if (s->raised == TIME_UNKNOWN)
        return false;
    fprintf(to, "Raised %s", figure_time(s->raised, raised));
    if (s->first_seen != TIME_UNKNOWN && s->raised >= s->first_seen)
        fprintf(to, ", %s after its first mail", figure_seconds((double)(s->raised - s->first_seen) / (double)NS_PER_SECOND, after));
    if (s->cleared != TIME_UNKNOWN)
        fprintf(to, "; over since %s.", figure_time(s->cleared, cleared));
    else
        fprintf(to, "; %s when this was recorded.", s->state == STATE_ACKNOWLEDGED ? "acknowledged, not over" : "not over");
    return true;
}

bool report_growth(const struct storm *s, FILE *to)
{
    char figure[FIGURE_TEXT], deliveries[FIGURE_TEXT];
    bool said = false;
    if (isfinite(s->reproduction)) {
        fprintf(to, "Each copy that is sent again makes %s%s more", s->reproduction_reckoned ? "at least " : "",
            figure_measure(s->reproduction, figure));
        if (isfinite(s->generation))
            fprintf(to, ", every %s", figure_seconds(s->generation, figure));
        fputs(s->reproduction >= 1 ? ": it grows." : s->reproduction_reckoned ? "." : ": it dies out.", to);
        said = true;
    }
    if (s->forecast_at != TIME_UNKNOWN) {
        fprintf(to, "%sThe next round was expected at %s", said ? " " : "", figure_time(s->forecast_at, figure));
        fprintf(to, " with about %s deliveries.", figure_count(s->forecast_deliveries, deliveries));
        said = true;
    }
    if (s->generations_left >= 0) {
        fprintf(to, "%sLeft alone, hop limits end it after about %d more round%s.", said ? " " : "", s->generations_left,
            s->generations_left == 1 ? "" : "s");
        said = true;
    }
    return said;
}

/* ---- plain text ---- */

static void heading(const char *text, FILE *to)
{
    fprintf(to, "\n%s\n", text);
    for (const char *c = text; *c; c++)
        fputc('-', to);
    fputc('\n', to);
}

static void line(const char *name, const char *text, FILE *to)
{
    char clean[2 * STORM_TEXT_SIZE];
    if (figure_header(span_text(text), clean, sizeof clean)[0])
        fprintf(to, "%s%s\n", name, clean);
}

static void number(const char *name, uint64_t n, FILE *to)
{
    char figure[FIGURE_TEXT];
    if (n)
        fprintf(to, "  %-26s %s\n", name, figure_count(n, figure));
}

static void write_numbers(const struct storm *s, FILE *to)
{
    char figure[FIGURE_TEXT];
    heading("Blast radius", to);
    number("copies", s->copies, to);
    number("deliveries", s->deliveries, to);
    number("of them again", s->redeliveries, to);
    number("people hit", s->recipients, to);
    number("copies a person, at most", s->most_copies_a_recipient, to);
    number("addresses in To and Cc", s->audience, to);
    number("of so many domains", s->audience_domains, to);
    if (s->bytes)
        fprintf(to, "  %-26s %s\n", "mail", figure_bytes(s->bytes, figure));
    if (isfinite(s->peak_rate) && s->peak_rate > 0)
        fprintf(to, "  %-26s %s\n", "deliveries a second, peak", figure_measure(s->peak_rate, figure));
}

static void write_evidence(const struct storm *s, FILE *to)
{
    char when[FIGURE_TEXT], client[ADDRESS_TEXT], server[ADDRESS_TEXT];
    heading("Evidence", to);
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct storm_host *h = &s->hosts[i];
        if (h->evidence_count == 0 && !h->software[0])
            continue;
        char name[STORM_TEXT_SIZE];
        log_clean(span_text(h->name), name, sizeof name);
        fprintf(to, "  %s %s, %s%s\n", address_known(h->address) ? address_text(h->address, client) : "", name, storm_role_text(h->role),
            h->on_wire ? "" : " (only Received lines name it)");
        for (uint32_t k = 0; k < h->evidence_count; k++) {
            const struct storm_evidence *e = &h->evidence[k];
            fprintf(to, "    %s", figure_time(e->time, when));
            if (address_known(e->client) && address_known(e->server))
                fprintf(to, "  %s to %s", address_text(e->client, client), address_text(e->server, server));
            fputc('\n', to);
            line("      ", e->said, to);
            line("      Received: ", e->received, to);
        }
        line("    runs: ", h->software, to);
    }
}

static void write_timeline(const struct storm *s, FILE *to)
{
    char when[FIGURE_TEXT], clean[STORM_TEXT_SIZE];
    heading("Timeline", to);
    for (uint32_t i = 0; i < s->event_count; i++)
        fprintf(to, "  %s  %s\n", figure_time(s->events[i].time, when), log_clean(span_text(s->events[i].what), clean, sizeof clean));
}

static void write_cure(const struct storm *s, FILE *to)
{
    heading("What stops it", to);
    fprintf(to, "%s\n", cure_advice(s));
    for (int t = 0; t < CURE_TARGET_COUNT; t++) {
        char *text = NULL;
        size_t n = 0;
        FILE *memory = open_memstream(&text, &n);
        bool some = memory && cure_write(s, (enum cure_target)t, memory);
        if (memory)
            fclose(memory);
        if (some)
            fprintf(to, "\n%s:\n\n%s", cure_title((enum cure_target)t), text);
        free(text);
    }
}

void report_text_write(const struct storm *s, FILE *to)
{
    char id[STORM_ID_SIZE];
    fprintf(to, "Squall: incident report %s\n\n", log_clean(span_text(s->id), id, sizeof id));
    fprintf(to, "%s, %s\n", storm_kind_text(s->kind), storm_severity_text(s->peak_severity));
    line("", s->why, to);
    line("", s->acquittal, to);
    if (report_state(s, to))
        fputc('\n', to);
    fputc('\n', to);
    line("Message-ID  ", s->message_id, to);
    line("Thread      ", s->thread, to);
    line("From        ", s->from, to);
    line("Subject     ", s->subject, to);
    line("Victim      ", s->victim, to);
    if (s->edge_count) {
        heading("How it spreads", to);
        tree_text_write(s, 2, true, to);
    }
    write_numbers(s, to);
    if (report_growth(s, to))
        fputc('\n', to);
    write_evidence(s, to);
    if (s->event_count)
        write_timeline(s, to);
    write_cure(s, to);
    for (uint32_t i = 0; i < s->host_count; i++)
        if (letter_wanted(s, &s->hosts[i])) {
            heading("Letter to the postmaster", to);
            letter_write(s, &s->hosts[i], to);
        }
}

bool report_write(const struct storm *s, enum report_form form, FILE *to)
{
    if (form == REPORT_JSON) {
        json_t *object = storm_json(s);
        bool good = object && json_dumpf(object, to, JSON_INDENT(2) | STORM_JSON_FLAGS) == 0 && fputc('\n', to) != EOF;
        json_decref(object);
        return good && !ferror(to);
    }
    if (form == REPORT_HTML)
        report_html_write(s, to);
    else
        report_text_write(s, to);
    return !ferror(to);
}
