/* In: a storm.  Out: its propagation tree as SVG: each leaf a row, each depth a column, parents in the middle of their children.
 * Re-injectors stand out in colour, outline and words; hops that only a header names are dashed; lines are as thick as what went over
 * them again. */
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "stats/figure.h"
#include "stats/report_parts.h"
#include "stats/tree.h"

#define MOST_SHOWN 10 /* hosts below one: a page holds some 25 rows */
#define ROW        50
#define COLUMN     276
#define BOX_WIDTH  214
#define BOX_HEIGHT 42
#define LABEL      30 /* characters of a name that are shown, */
#define ROOMY      22 /* and of them those that fit a box whatever they are; more are drawn narrower */

struct drawing {
    const struct storm *s;
    const struct tree *t;
    double y[sizeof((struct tree *)0)->node / sizeof(struct tree_node)]; /* middle of each node */
    uint32_t rows, columns;
    uint64_t most_again; /* over one line */
};

static bool faulty(const struct drawing *d, const struct tree_node *n)
{
    return n->kind == TREE_HOST ? tree_at_fault(&d->s->hosts[n->host]) : n->redeliveries > 0;
}

static void lay_out(struct drawing *d)
{
    const struct tree *t = d->t;
    double first[sizeof d->y / sizeof *d->y], last[sizeof d->y / sizeof *d->y];
    for (uint32_t i = 0; i < t->count; i++)
        first[i] = last[i] = -1;
    for (uint32_t i = 0; i < t->count; i++) { /* leaves take the next row, in drawing order */
        if (i + 1 == t->count || t->node[i + 1].parent != (int32_t)i)
            first[i] = last[i] = ROW * (d->rows++ + 0.5);
        if (t->node[i].depth + 1 > d->columns)
            d->columns = t->node[i].depth + 1;
        if (t->node[i].redeliveries > d->most_again)
            d->most_again = t->node[i].redeliveries;
    }
    for (uint32_t i = t->count; i-- > 0;) {
        d->y[i] = (first[i] + last[i]) / 2;
        int32_t above = t->node[i].parent;
        if (above < 0)
            continue;
        if (first[above] < 0)
            last[above] = d->y[i]; /* the last child comes first here */
        first[above] = d->y[i];
    }
}

static int x_of(const struct tree_node *n)
{
    return 2 + COLUMN * (int)n->depth;
}

static void draw_edge(const struct drawing *d, uint32_t i, FILE *to)
{
    const struct tree_node *n = &d->t->node[i];
    char count[FIGURE_TEXT];
    if (n->parent < 0)
        return;
    int from = x_of(&d->t->node[n->parent]) + BOX_WIDTH, end = x_of(n), bend = (end - from) / 2;
    double y0 = d->y[n->parent], y1 = d->y[i];
    double width = n->redeliveries ? 2 + 5 * sqrt((double)n->redeliveries / (double)d->most_again) : 1.6;
    fprintf(to, "<path class=\"edge%s%s\" stroke-width=\"%.1f\" d=\"M%d %.0fC%d %.0f %d %.0f %d %.0f\"/>", n->redeliveries ? " bad" : "",
        n->on_wire ? "" : " word", width, from, y0, from + bend, y0, end - bend, y1, end, y1);
    if (n->kind == TREE_HOST && n->deliveries)
        fprintf(to, "<text class=\"sub\" x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%s%s</text>", end - 6, y1 - 6,
            figure_count(n->redeliveries ? n->redeliveries : n->deliveries, count), n->redeliveries ? " again" : "");
}

/* At most LABEL characters, with an ellipsis where it was cut. */
static void draw_label(const char *text, int x, double y, FILE *to)
{
    char clean[STORM_TEXT_SIZE + 4];
    log_clean(span_text(text), clean, STORM_TEXT_SIZE);
    size_t characters = 0;
    for (char *c = clean; *c; c++) {
        characters += ((unsigned char)*c & 0xc0) != 0x80;
        if (characters > LABEL) {
            snprintf(c, 4, "\u2026");
            break;
        }
    }
    fprintf(to, "<text class=\"lbl\" x=\"%d\" y=\"%.0f\" text-anchor=\"middle\"", x, y);
    if (characters > ROOMY)
        fprintf(to, " textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\"", BOX_WIDTH - 14);
    fputc('>', to);
    report_escape(clean, to);
    fputs("</text>", to);
}

static void draw_host(const struct drawing *d, uint32_t i, FILE *to)
{
    const struct tree_node *n = &d->t->node[i];
    const struct storm_host *h = &d->s->hosts[n->host];
    static const char *const roles[] = {[ROLE_ORIGIN] = "origin",
        [ROLE_RELAY] = "relay",
        [ROLE_EXPANDER] = "expander",
        [ROLE_REINJECTOR] = "re-injects",
        [ROLE_LOOPER] = "loops"};
    char address[ADDRESS_TEXT], count[FIGURE_TEXT];
    int x = x_of(n), middle = x + BOX_WIDTH / 2;
    double y = d->y[i];
    address_text(h->address, address);
    bool known = address_known(h->address);
    fprintf(to, "<rect class=\"node%s%s\" x=\"%d\" y=\"%.0f\" width=\"%d\" height=\"%d\" rx=\"8\"/>",
        tree_at_fault(h)         ? " guilty"
        : h->role == ROLE_ORIGIN ? " clean"
                                 : "",
        h->on_wire ? "" : " word", x, y - BOX_HEIGHT / 2.0, BOX_WIDTH, BOX_HEIGHT);
    draw_label(h->name[0] ? h->name : known ? address : "?", middle, y - 3, to);
    fprintf(to, "<text class=\"sub\" x=\"%d\" y=\"%.0f\" text-anchor=\"middle\">%s%s%s", middle, y + 13, known && h->name[0] ? address : "",
        known && h->name[0] ? " \u00b7 " : "", roles[h->role]);
    if (h->role == ROLE_ORIGIN && h->deliveries)
        fprintf(to, ", %s deliver%s", figure_count(h->deliveries, count), h->deliveries == 1 ? "y" : "ies");
    fputs("</text>", to);
}

static void draw_rest(const struct drawing *d, uint32_t i, FILE *to)
{
    const struct tree_node *n = &d->t->node[i];
    char count[FIGURE_TEXT];
    int x = x_of(n);
    double y = d->y[i];
    fprintf(to, "<circle class=\"%s\" cx=\"%d\" cy=\"%.0f\" r=\"4\"/><text class=\"lbl%s\" x=\"%d\" y=\"%.0f\">",
        faulty(d, n) ? "dot bad" : "dot", x + 4, y, faulty(d, n) ? " again" : "", x + 14, y - 2);
    if (n->redeliveries)
        fprintf(to, "%s again", figure_count(n->redeliveries, count));
    else
        fprintf(to, "%s deliver%s", figure_count(n->deliveries, count), n->deliveries == 1 ? "y" : "ies");
    fprintf(to, "</text><text class=\"sub\" x=\"%d\" y=\"%.0f\">", x + 14, y + 13);
    if (n->kind == TREE_MAILBOXES)
        fputs("to other mailboxes", to);
    else if (n->kind == TREE_AGAIN)
        fprintf(to, "back to %s host%s of this tree", figure_count(n->hosts, count), n->hosts == 1 ? "" : "s");
    else
        fprintf(to, "by %s more host%s", figure_count(n->hosts, count), n->hosts == 1 ? "" : "s");
    if (n->faulty)
        fprintf(to, ", %s at fault", figure_count(n->faulty, count));
    fputs("</text>", to);
}

void report_tree_write(const struct storm *s, FILE *to)
{
    struct drawing *d = calloc(1, sizeof *d);
    struct tree *t = tree_new(s, MOST_SHOWN);
    if (d && t && t->count) {
        d->s = s;
        d->t = t;
        lay_out(d);
        fprintf(to, "<svg viewBox=\"0 0 %u %u\" width=\"%u\" role=\"img\" aria-label=\"Who sent the mail on to whom\">",
            COLUMN * d->columns - COLUMN + BOX_WIDTH + 4, ROW * d->rows, COLUMN * d->columns - COLUMN + BOX_WIDTH + 4);
        for (uint32_t i = 0; i < t->count; i++)
            draw_edge(d, i, to);
        for (uint32_t i = 0; i < t->count; i++)
            if (t->node[i].kind == TREE_HOST)
                draw_host(d, i, to);
            else
                draw_rest(d, i, to);
        fputs("</svg>\n", to);
    }
    free(t);
    free(d);
}
