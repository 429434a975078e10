/* In: a storm.  Out: its verdict, acquittal, hosts, tree, growth and cure as text; to `squall read` and `squall report`. */
#include "storm_text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "stats/cure.h"
#include "stats/figure.h"
#include "stats/tree_text.h"

#define WIDTH 100

/* `text` in lines of at most WIDTH columns, each after `indent` blanks. */
static void wrap(const char *text, int indent, FILE *to)
{
    while (*text) {
        size_t room = (size_t)(WIDTH - indent), n = 0, last = 0, columns = 0;
        for (; text[n] && columns <= room; n++) {
            columns += ((uint8_t)text[n] & 0xc0) != 0x80; /* a character of UTF-8 is one column */
            if (text[n] == ' ')
                last = n;
        }
        if (text[n] && last)
            n = last;
        fprintf(to, "%*s%.*s\n", indent, "", (int)n, text);
        for (text += n; *text == ' '; text++)
            ;
    }
}

static void write_head(const struct storm *s, FILE *to)
{
    char severity[16], raised[FIGURE_TEXT], subject[STORM_TEXT_SIZE], audience[FIGURE_TEXT];
    snprintf(severity, sizeof severity, "%s", storm_severity_text(s->peak_severity));
    for (char *p = severity; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    fprintf(to, "\n== %s  %s  %s ==\n", severity, storm_kind_text(s->kind), s->id);
    wrap(s->why, 3, to);
    if (s->acquittal[0])
        wrap(s->acquittal, 3, to);
    putc('\n', to);
    if (s->subject[0])
        fprintf(to, "   Subject     %s\n", figure_header(span_text(s->subject), subject, sizeof subject));
    if (s->from[0])
        fprintf(to, "   From        %s\n", s->from);
    if (s->message_id[0])
        fprintf(to, "   Message-ID  <%s>\n", s->message_id);
    if (s->thread[0])
        fprintf(to, "   Thread      <%s>\n", s->thread);
    if (s->victim[0])
        fprintf(to, "   Victim      %s\n", s->victim);
    if (s->audience)
        fprintf(to, "   Audience    %s addresses in To and Cc\n", figure_count(s->audience, audience));
    fprintf(to, "   Raised      %s", figure_time(s->raised, raised));
    double after = (double)(s->raised - s->first_seen) / (double)NS_PER_SECOND;
    if (s->first_seen != TIME_UNKNOWN && after >= 0)
        fprintf(to, ", %.1f s after its first mail", after);
    if (s->state == STATE_CLEARED)
        fprintf(to, "; cleared %s", figure_time(s->cleared, raised));
    putc('\n', to);
}

static void write_hosts(const struct storm *s, FILE *to)
{
    if (s->host_count == 0)
        return;
    fprintf(to, "\n   %-11s %-22s %8s %10s %12s  %s\n", "role", "host", "copies", "deliveries", "redeliveries", "name");
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct storm_host *h = &s->hosts[i];
        char address[ADDRESS_TEXT];
        fprintf(to, "   %-11s %-22s %8llu %10llu %12llu  %s%s\n", storm_role_text(h->role),
            address_known(h->address) ? address_text(h->address, address) : "?", (unsigned long long)h->copies,
            (unsigned long long)h->deliveries, (unsigned long long)h->redeliveries, h->name,
            h->on_wire ? "" : "  (only Received lines name it)");
        if (h->role != ROLE_REINJECTOR && h->role != ROLE_LOOPER)
            continue;
        if (h->evidence_count)
            wrap(h->evidence[0].said, 15, to);
        if (h->software[0])
            wrap(h->software, 15, to);
    }
    if (s->hosts_more)
        fprintf(to, "   and %u more\n", s->hosts_more);
}

static void write_growth(const struct storm *s, FILE *to)
{
    char figure[FIGURE_TEXT], more[FIGURE_TEXT];
    if (!isnan(s->reproduction)) {
        fprintf(to, "\n   Growth      each copy re-injected makes %s%s more", s->reproduction_reckoned ? "at least " : "",
            figure_measure(s->reproduction, figure));
        if (!isnan(s->generation))
            fprintf(to, ", every %s", figure_seconds(s->generation, figure));
        putc('\n', to);
    }
    if (s->forecast_at != TIME_UNKNOWN)
        fprintf(to, "   Forecast    next round at %s: %s deliveries\n", figure_time(s->forecast_at, figure),
            figure_count(s->forecast_deliveries, more));
    if (s->generations_left >= 0)
        fprintf(to, "   It ends     by hop limits after about %d more round%s\n", s->generations_left, s->generations_left == 1 ? "" : "s");
}

static void write_cure(const struct storm *s, FILE *to)
{
    fputs("\n   What to do  ", to);
    fprintf(to, "%s\n", cure_advice(s));
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    bool there = memory && cure_write(s, CURE_POSTFIX, memory);
    if (memory)
        fclose(memory);
    char *rest = NULL;
    for (char *line = there ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
        fprintf(to, "               %s\n", line);
    free(text);
}

/* Box characters unless the locale says that the terminal cannot show them. */
static bool utf8_wanted(void)
{
    const char *locale = getenv("LC_ALL");
    if (!locale || !*locale)
        locale = getenv("LC_CTYPE");
    if (!locale || !*locale)
        locale = getenv("LANG");
    return !locale || !*locale || strcasestr(locale, "utf-8") || strcasestr(locale, "utf8");
}

bool storm_text_write(const struct storm *s, FILE *to)
{
    write_head(s, to);
    write_hosts(s, to);
    if (s->edge_count) {
        fputs("\n", to);
        tree_text_write(s, 3, utf8_wanted(), to);
    }
    write_growth(s, to);
    if (s->peak_severity > SEVERITY_NOTICE)
        write_cure(s, to);
    return !ferror(to);
}
