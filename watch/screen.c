/* In: storms as they change, a report a second.  Out: one screen of text with the answers in the order in which they are asked at night: is
 * there a storm, since when, who, how bad; and whether the sensor sees well.  Only plain text reaches the terminal: what came from mail was
 * cleaned of controls when it became a storm. */
#include "watch/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SHOWN 64  /* alarms remembered; open ones before cleared ones */
#define SMOOTH 10 /* seconds that the rates are averaged over */

struct line {
    char id[STORM_ID_SIZE], why[2 * STORM_TEXT_SIZE];
    enum storm_kind kind;
    enum storm_severity severity;
    enum storm_state state;
    int64_t raised, updated;
    uint64_t deliveries, redeliveries;
};

struct screen {
    struct line lines[SHOWN];
    size_t count;
    struct sensor_report report;
    struct rates seconds[SMOOTH];
    uint64_t second_count;
    char trouble[256];
};

struct screen *screen_new(void)
{
    return calloc(1, sizeof(struct screen));
}

void screen_free(struct screen *s)
{
    free(s);
}

static struct line *line_of(struct screen *s, const char *id)
{
    size_t oldest = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->lines[i].id, id) == 0)
            return &s->lines[i];
        bool over = s->lines[i].state == STATE_CLEARED, oldest_over = s->lines[oldest].state == STATE_CLEARED;
        if (over != oldest_over ? over : s->lines[i].updated < s->lines[oldest].updated)
            oldest = i;
    }
    return s->count < SHOWN ? &s->lines[s->count++] : &s->lines[oldest];
}

void screen_storm(struct screen *s, const struct storm *storm)
{
    if (!s)
        return;
    struct line *l = line_of(s, storm->id);
    *l = (struct line){.kind = storm->kind, .severity = storm->severity, .state = storm->state, .raised = storm->raised,
        .updated = storm->updated, .deliveries = storm->deliveries, .redeliveries = storm->redeliveries};
    memcpy(l->id, storm->id, sizeof l->id);
    memcpy(l->why, storm->why, sizeof l->why);
}

void screen_report(struct screen *s, const struct sensor_report *r, const struct rates *second)
{
    if (!s)
        return;
    s->report = *r;
    s->seconds[s->second_count++ % SMOOTH] = *second;
}

void screen_sensor(struct screen *s, const char *trouble)
{
    if (s)
        snprintf(s->trouble, sizeof s->trouble, "%s", trouble);
}

static int by_weight(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if ((x->state == STATE_CLEARED) != (y->state == STATE_CLEARED))
        return x->state == STATE_CLEARED ? 1 : -1;
    if (x->severity != y->severity)
        return x->severity < y->severity ? 1 : -1;
    return x->raised < y->raised ? 1 : x->raised > y->raised ? -1 : 0;
}

/* The text in lines of `width`, cut at blanks, each after `indent` blanks; at most three. */
static void wrap(const char *text, int width, int indent)
{
    for (int lines = 0; *text && lines < 3; lines++) {
        int n = (int)strlen(text), room = width - indent;
        if (n > room)
            for (n = room; n > room / 2 && text[n] != ' '; n--)
                continue;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) /* never within a character */
            n--;
        printf("%*s%.*s\033[K\n", indent, "", n, text);
        text += n;
        while (*text == ' ')
            text++;
    }
}

static void draw_state(const struct screen *s)
{
    const struct line *worst = s->count && s->lines[0].state != STATE_CLEARED ? &s->lines[0] : NULL;
    char when[TIME_TEXT] = "";
    const char *word = s->trouble[0] ? "\033[7m BLIND \033[0m" : "\033[1;32m CALM \033[0m";
    if (worst && worst->severity >= SEVERITY_MAJOR)
        word = "\033[1;37;41m STORM \033[0m";
    else if (worst && worst->severity >= SEVERITY_WARNING)
        word = "\033[1;30;43m SQUALL \033[0m";
    printf("%s", word);
    if (worst && worst->severity >= SEVERITY_WARNING)
        printf(" since %.19s UTC", clock_text(worst->raised, when));
    if (s->trouble[0])
        printf(" %s", s->trouble);
    printf("\033[K\n\033[K\n");
}

static void draw_counts(const struct screen *s)
{
    struct rates sum = {0};
    char now[TIME_TEXT] = "";
    size_t n = s->second_count < SMOOTH ? (size_t)s->second_count : SMOOTH;
    for (size_t i = 0; i < n; i++) {
        sum.deliveries += s->seconds[i].deliveries;
        sum.redeliveries += s->seconds[i].redeliveries;
        sum.messages += s->seconds[i].messages;
    }
    const struct sensor_view *v = &s->report.view;
    double seconds = n ? (double)n : 1;
    printf("%.19s UTC   a second: %.1f messages, %.1f deliveries, %.1f to people who had the mail\033[K\n",
        clock_text(s->second_count ? v->now : TIME_UNKNOWN, now), (double)sum.messages / seconds, (double)sum.deliveries / seconds,
        (double)sum.redeliveries / seconds);
    printf("%llu sessions, %llu messages, %llu deliveries   %llu packets, %llu dropped, %llu gaps, mirror shows each %.2f times\033[K\n"
           "\033[K\n",
        (unsigned long long)(v->smtp.sessions + v->smtp.tls_sessions), (unsigned long long)s->report.stats.messages,
        (unsigned long long)s->report.stats.recipients, (unsigned long long)v->capture.packets,
        (unsigned long long)(v->capture.kernel_drops + v->capture.interface_drops), (unsigned long long)v->capture.gaps, v->mirror_copies);
}

void screen_draw(struct screen *s)
{
    struct winsize size = {0};
    if (!s)
        return;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 40)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    qsort(s->lines, s->count, sizeof s->lines[0], by_weight);
    printf("\033[H");
    draw_state(s);
    draw_counts(s);
    int room = (size.ws_row - 7) / 4; /* an alarm takes up to four lines */
    for (size_t i = 0; i < s->count && (int)i < room; i++) {
        const struct line *l = &s->lines[i];
        char when[TIME_TEXT];
        printf("%-8s %-22s %.19s %-12s %llu deliveries, %llu again   %s\033[K\n", storm_severity_text(l->severity),
            storm_kind_text(l->kind), clock_text(l->raised, when), storm_state_text(l->state), (unsigned long long)l->deliveries,
            (unsigned long long)l->redeliveries, l->id);
        wrap(l->why, size.ws_col, 9);
    }
    if (s->count == 0)
        printf("No alarms.\033[K\n");
    else if ((int)s->count > room)
        printf("and %d more: squall alarms\033[K\n", (int)s->count - room);
    printf("\033[J");
    fflush(stdout);
}
