/* In: the hosts and edges of a storm, a graph with circles.  Out: a tree, to be drawn.
 * Each host hangs below the one that gave it the mail first; every other edge leads to a host that had the mail, and is told as "again". */
#include "stats/tree.h"

#include <stdlib.h>

struct builder {
    const struct storm *s;
    struct tree *tree;
    uint32_t most;
    int32_t feeder[STORM_HOSTS]; /* the edge by which a host got the mail first; -1: a root */
    bool placed[STORM_HOSTS];
    uint64_t blame[STORM_HOSTS]; /* what the hosts at fault, it and those below it, sent again; 0: there are none */
    uint32_t order[STORM_HOSTS]; /* as they were placed: parents before children */
    uint32_t placed_count;
};

bool tree_at_fault(const struct storm_host *h)
{
    return h->role == ROLE_REINJECTOR || h->role == ROLE_LOOPER;
}

/* For sorting: what is unknown comes last. */
static int64_t when(int64_t t)
{
    return t == TIME_UNKNOWN ? INT64_MAX : t;
}

static bool inner(const struct storm *s, const struct storm_edge *e)
{
    return e->from >= 0 && e->to >= 0 && e->from != e->to && (uint32_t)e->from < s->host_count && (uint32_t)e->to < s->host_count;
}

static void place(struct builder *b, uint32_t host, int32_t feeder)
{
    b->placed[host] = true;
    b->feeder[host] = feeder;
    b->order[b->placed_count++] = host;
}

/* The earliest edge from a placed host to one that is not; -1: none. */
static int32_t next_edge(const struct builder *b)
{
    int32_t best = -1;
    for (uint32_t i = 0; i < b->s->edge_count; i++) {
        const struct storm_edge *e = &b->s->edges[i];
        if (inner(b->s, e) && b->placed[e->from] && !b->placed[e->to] && (best < 0 || when(e->first) < when(b->s->edges[best].first)))
            best = (int32_t)i;
    }
    return best;
}

static bool fed(const struct builder *b, uint32_t host)
{
    for (uint32_t i = 0; i < b->s->edge_count; i++)
        if (inner(b->s, &b->s->edges[i]) && (uint32_t)b->s->edges[i].to == host && !b->placed[b->s->edges[i].from])
            return true;
    return false;
}

/* The host that begins the next tree: the origin, else one that nobody fed, else the earliest. */
static uint32_t next_root(const struct builder *b)
{
    uint32_t best = b->s->host_count;
    int best_rank = -1;
    for (uint32_t i = 0; i < b->s->host_count; i++) {
        const struct storm_host *h = &b->s->hosts[i];
        if (b->placed[i])
            continue;
        int rank = h->role == ROLE_ORIGIN ? 2 : !fed(b, i) ? 1 : 0;
        if (rank > best_rank || (rank == best_rank && when(h->first) < when(b->s->hosts[best].first))) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

static int32_t parent_of(const struct builder *b, uint32_t host)
{
    return b->feeder[host] < 0 ? -1 : b->s->edges[b->feeder[host]].from;
}

/* Should host x be drawn above host y? */
static bool before(const struct builder *b, uint32_t x, uint32_t y)
{
    const struct storm_host *hx = &b->s->hosts[x], *hy = &b->s->hosts[y];
    if (b->blame[x] != b->blame[y])
        return b->blame[x] > b->blame[y];
    if (hx->redeliveries != hy->redeliveries)
        return hx->redeliveries > hy->redeliveries;
    if (hx->first != hy->first)
        return when(hx->first) < when(hy->first);
    return x < y;
}

/* The children of a host (or the roots, for -1), in drawing order; returns how many. */
static uint32_t children_of(const struct builder *b, int32_t host, uint32_t children[STORM_HOSTS])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->s->host_count; i++) {
        if (parent_of(b, i) != host)
            continue;
        uint32_t at = n++;
        for (; at > 0 && before(b, i, children[at - 1]); at--)
            children[at] = children[at - 1];
        children[at] = i;
    }
    return n;
}

static struct tree_node *add(struct builder *b, enum tree_kind kind, int32_t parent)
{
    struct tree *t = b->tree;
    if (t->count == sizeof t->node / sizeof *t->node)
        return NULL; /* cannot be: at most four nodes a host */
    struct tree_node *n = &t->node[t->count++];
    *n = (struct tree_node){.kind = kind, .parent = parent, .depth = parent < 0 ? 0 : t->node[parent].depth + 1, .on_wire = true};
    return n;
}

static void take_edge(struct tree_node *n, const struct storm_edge *e)
{
    n->copies += e->copies;
    n->deliveries += e->deliveries;
    n->redeliveries += e->redeliveries;
    n->on_wire = n->on_wire && e->on_wire;
}

static void add_hosts(struct builder *b, int32_t parent_host, int32_t parent);

/* What the host sent that is not a branch of the tree: to hosts that stand elsewhere, and to mailboxes. */
static void add_rest(struct builder *b, uint32_t host, int32_t at)
{
    struct tree_node *again = NULL, *mailboxes = NULL;
    for (uint32_t i = 0; i < b->s->edge_count; i++) {
        const struct storm_edge *e = &b->s->edges[i];
        if (e->from != (int32_t)host)
            continue;
        if (e->to < 0) {
            if (mailboxes || (mailboxes = add(b, TREE_MAILBOXES, at)))
                take_edge(mailboxes, e);
        } else if (inner(b->s, e) && b->feeder[e->to] != (int32_t)i) {
            if (again || (again = add(b, TREE_AGAIN, at))) {
                take_edge(again, e);
                again->hosts++;
            }
        }
    }
}

static void add_host(struct builder *b, uint32_t host, int32_t parent)
{
    struct tree_node *n = add(b, TREE_HOST, parent);
    if (!n)
        return;
    int32_t at = (int32_t)(n - b->tree->node);
    n->host = host;
    n->on_wire = b->s->hosts[host].on_wire;
    if (b->feeder[host] >= 0) {
        n->on_wire = true;
        take_edge(n, &b->s->edges[b->feeder[host]]);
    }
    add_hosts(b, (int32_t)host, at);
    add_rest(b, host, at);
}

/* The hosts below a folded one are folded with it: each stands in order[] after its parent. */
static void fold(struct builder *b, const uint32_t *hosts, uint32_t count, int32_t parent)
{
    bool folded[STORM_HOSTS] = {false};
    struct tree_node *more = count ? add(b, TREE_MORE, parent) : NULL;
    if (!more)
        return;
    for (uint32_t i = 0; i < count; i++) {
        folded[hosts[i]] = true;
        if (b->feeder[hosts[i]] >= 0)
            take_edge(more, &b->s->edges[b->feeder[hosts[i]]]);
    }
    for (uint32_t i = 0; i < b->placed_count; i++) {
        uint32_t host = b->order[i];
        int32_t above = parent_of(b, host);
        folded[host] = folded[host] || (above >= 0 && folded[above]);
        more->hosts += folded[host];
        more->faulty += folded[host] && tree_at_fault(&b->s->hosts[host]);
    }
}

static void add_hosts(struct builder *b, int32_t parent_host, int32_t parent)
{
    uint32_t children[STORM_HOSTS] = {0}, n = children_of(b, parent_host, children);
    uint32_t shown = n <= b->most + 1 ? n : b->most; /* one alone is not folded: it would take the same line */
    for (uint32_t i = 0; i < shown; i++)
        add_host(b, children[i], parent);
    fold(b, children + shown, n - shown, parent);
}

/* The last child of each parent, from the back. */
static void mark_last(struct tree *t)
{
    bool seen[sizeof t->node / sizeof *t->node + 1] = {false};
    for (uint32_t i = t->count; i-- > 0;) {
        struct tree_node *n = &t->node[i];
        n->last = !seen[n->parent + 1];
        seen[n->parent + 1] = true;
    }
}

struct tree *tree_new(const struct storm *s, uint32_t most)
{
    struct builder *b = calloc(1, sizeof *b);
    struct tree *t = calloc(1, sizeof *t);
    if (!b || !t) {
        free(b);
        free(t);
        return NULL;
    }
    b->s = s;
    b->tree = t;
    b->most = most;
    while (b->placed_count < s->host_count) {
        int32_t e = next_edge(b);
        if (e >= 0)
            place(b, (uint32_t)s->edges[e].to, e);
        else
            place(b, next_root(b), -1);
    }
    for (uint32_t i = b->placed_count; i-- > 0;) {
        uint32_t host = b->order[i];
        int32_t above = parent_of(b, host);
        if (tree_at_fault(&s->hosts[host]))
            b->blame[host] += s->hosts[host].redeliveries + 1;
        if (above >= 0)
            b->blame[above] += b->blame[host];
    }
    add_hosts(b, -1, -1);
    mark_last(t);
    free(b);
    return t;
}
