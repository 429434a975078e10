/* The propagation tree of a storm, made ready for drawing: who had the mail first from whom, what else each host sent, what is folded
 * away because it says nothing new.  For tree_text.c and report_svg.c; private to stats/. */
#ifndef SQUALL_STATS_TREE_H
#define SQUALL_STATS_TREE_H

#include "stats/storm.h"

enum tree_kind {
    TREE_HOST,
    TREE_MORE,      /* `hosts` hosts below the same parent, not shown one by one */
    TREE_AGAIN,     /* what the parent sent to `hosts` hosts that stand elsewhere in the tree: it feeds them again */
    TREE_MAILBOXES, /* what the parent sent to mailboxes that are no host of this storm */
};

struct tree_node {
    enum tree_kind kind;
    int32_t parent; /* node; -1: a root */
    uint32_t depth; /* 0: a root */
    bool last;      /* of its parent's children */
    bool on_wire;   /* the edge from the parent; a root: the host */
    uint32_t host;  /* TREE_HOST */
    uint32_t hosts; /* TREE_MORE, TREE_AGAIN; of TREE_MORE those at fault: */
    uint32_t faulty;
    uint64_t copies, deliveries, redeliveries; /* from the parent */
};

struct tree { /* depth first: each node stands before its children */
    uint32_t count;
    struct tree_node node[4 * STORM_HOSTS];
};

/* At most `most` hosts are shown below one parent, those first that are, or lead to, re-injectors and loopers.  The caller frees it;
 * NULL: out of memory. */
struct tree *tree_new(const struct storm *s, uint32_t most);
bool tree_at_fault(const struct storm_host *h);

#endif
