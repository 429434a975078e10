/* In: a storm.  Out: its propagation tree as lines of text, to `squall read` and the text report. */
#include "stats/tree_text.h"

#include <stdlib.h>

#include "base/log.h"
#include "stats/figure.h"
#include "stats/tree.h"

#define MOST_SHOWN 12 /* hosts below one */

struct strokes {
    const char *branch, *end, *dashed_branch, *dashed_end, *pass, *blank;
};
static const struct strokes BOX = {"\u251c\u2500 ", "\u2514\u2500 ", "\u251c\u2504 ", "\u2514\u2504 ", "\u2502  ", "   "};
static const struct strokes ASCII = {"|- ", "`- ", "|. ", "`. ", "|  ", "   "};

static void write_name(const struct storm_host *h, FILE *to)
{
    char address[ADDRESS_TEXT], name[STORM_TEXT_SIZE];
    address_text(h->address, address);
    log_clean(span_text(h->name), name, sizeof name);
    if (name[0] && address_known(h->address))
        fprintf(to, "%s (%s)", name, address);
    else
        fputs(name[0] ? name : address_known(h->address) ? address : "?", to);
}

static void write_counts(uint64_t copies, uint64_t deliveries, uint64_t redeliveries, FILE *to)
{
    char n[FIGURE_TEXT];
    if (copies)
        fprintf(to, "%s cop%s, ", figure_count(copies, n), copies == 1 ? "y" : "ies");
    fprintf(to, "%s deliver%s", figure_count(deliveries, n), deliveries == 1 ? "y" : "ies");
    if (redeliveries)
        fprintf(to, ", %s again", figure_count(redeliveries, n));
}

static void write_host(const struct storm_host *h, FILE *to)
{
    static const char *const roles[] = {[ROLE_ORIGIN] = "origin",
        [ROLE_RELAY] = "relay",
        [ROLE_EXPANDER] = "expander",
        [ROLE_REINJECTOR] = "RE-INJECTS",
        [ROLE_LOOPER] = "LOOPS"};
    write_name(h, to);
    fprintf(to, "  %s", roles[h->role]);
    if (h->deliveries || tree_at_fault(h)) {
        fputs(": ", to);
        write_counts(h->copies, h->deliveries, h->redeliveries, to);
    }
    if (!h->on_wire)
        fputs(" (only Received lines name it)", to);
}

static void write_node(const struct storm *s, const struct tree_node *n, FILE *to)
{
    char count[FIGURE_TEXT];
    switch (n->kind) {
    case TREE_HOST: write_host(&s->hosts[n->host], to); return;
    case TREE_MORE:
        fprintf(to, "and %s more hosts", figure_count(n->hosts, count));
        if (n->faulty)
            fprintf(to, ", %s of them at fault", figure_count(n->faulty, count));
        break;
    case TREE_AGAIN: fprintf(to, "back to %s host%s of this tree", figure_count(n->hosts, count), n->hosts == 1 ? "" : "s"); break;
    case TREE_MAILBOXES: fputs("other mailboxes", to); break;
    }
    fputs(": ", to);
    write_counts(n->copies, n->deliveries, n->redeliveries, to);
}

/* The strokes of the ancestors that go on below, outermost first. */
static void write_stems(const struct tree *t, int32_t node, const struct strokes *strokes, FILE *to)
{
    int32_t above = t->node[node].parent;
    if (above < 0)
        return;
    write_stems(t, above, strokes, to);
    if (t->node[above].parent >= 0)
        fputs(t->node[above].last ? strokes->blank : strokes->pass, to);
}

void tree_text_write(const struct storm *s, int indent, bool utf8, FILE *to)
{
    const struct strokes *strokes = utf8 ? &BOX : &ASCII;
    struct tree *t = tree_new(s, MOST_SHOWN);
    for (uint32_t i = 0; t && i < t->count; i++) {
        const struct tree_node *n = &t->node[i];
        fprintf(to, "%*s", indent, "");
        write_stems(t, (int32_t)i, strokes, to);
        if (n->parent >= 0)
            fputs(n->on_wire ? n->last ? strokes->end : strokes->branch : n->last ? strokes->dashed_end : strokes->dashed_branch, to);
        write_node(s, n, to);
        fputc('\n', to);
    }
    if (s->hosts_more)
        fprintf(to, "%*s(and %u hosts that found no room here)\n", indent, "", s->hosts_more);
    free(t);
}
