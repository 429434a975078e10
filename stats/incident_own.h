/* What the three files of the incidents share: incident.c (slots, keys, life), incident_lists.c (hosts, edges, timeline), incident_join.c
 * (two that are one).  Private to them. */
#ifndef SQUALL_STATS_INCIDENT_OWN_H
#define SQUALL_STATS_INCIDENT_OWN_H

#include "stats/incident.h"

#define HOST_HINTS 1024 /* four times STORM_HOSTS */

#define PEAK_SECONDS 10 /* storm.h: peak_rate is over the busiest ten */

struct slot {
    struct storm storm;           /* first: a slot is found from its storm */
    bool used, raised;
    bool forgotten; /* cleared so long ago that its keys are free again */
    bool resumed;   /* from before the restart, and not seen again yet */
    struct incident_before before; /* the restart */
    uint32_t generation;
    int64_t touched; /* latest evidence */
    int64_t pause;   /* the longest one after which it came back though it had been cleared */
    struct {         /* what the sink heard last */
        enum storm_severity severity;
        enum storm_kind kind;
        uint32_t at_fault;
    } told;
    int64_t words_begin; /* of the second in which incident_raise() was called so often */
    uint32_t words;
    uint64_t rate[PEAK_SECONDS], rate_sum; /* deliveries by second, a ring; all of them */
    uint32_t rate_newest;                  /* place of the newest second in it */
    int64_t rate_second;                   /* that second */
    int64_t rate_begin;                    /* when it begins, ns: most times need no division */
    uint32_t host_room, edge_room, event_room;
    struct {
        uint16_t place, tag;
    } hint[HOST_HINTS]; /* where a host stands in the list, by hash; the tag, of the hash too, spares a look at most others */
    uint64_t *more; /* set of hashes of hosts that found no room; NULL until there is one */
};

struct entry { /* of the key table; key 0 is stored as 1 */
    uint64_t key;
    uint32_t slot, generation; /* generation 0: empty */
};

struct incidents {
    const struct stats_settings *settings;
    const struct stats_sink *sink;
    struct stats_counters *counters;
    struct slot *slots;
    uint32_t slot_count, slot_high; /* of the setting; used so far */
    struct entry *table;
    uint32_t table_size, table_used; /* a power of two; entries not empty, dead ones too */
    struct slot **by_raising;
    size_t raised_count;
    uint32_t number; /* of the last id */
    int64_t latest;  /* evidence for a raised one, notices apart */
};

static inline struct slot *slot_of(struct storm *s)
{
    return (struct slot *)s;
}

static inline bool slot_is_open(const struct slot *s)
{
    return s->raised && s->storm.state != STATE_CLEARED;
}

/* incident.c */
struct slot *slot_take(struct incidents *all); /* an empty one, in use from now on; NULL: every slot holds an open storm */
void slot_free(struct incidents *all, struct slot *s);
size_t slot_rank(const struct incidents *all, const struct slot *s);  /* of a raised one, by time of raising */
void slot_tell(struct incidents *all, struct slot *s, enum storm_change change, int64_t now);
void slot_reopen(struct incidents *all, struct slot *s, int64_t now);

/* incident_lists.c */
void lists_free(struct slot *s);
void lists_join(struct storm *into, const struct storm *from); /* from's hosts and edges are into's as well */
bool lists_copy(struct slot *to, const struct storm *from);    /* to has none; false: out of memory */
void lists_earlier(struct slot *to, const struct storm *from); /* from's hosts and edges are what was before; without memory, nothing was */

/* incident_join.c */
/* The open storm of before the restart that s turns out to be; NULL: none. */
struct slot *slot_resumed(struct incidents *all, const struct slot *s);

#endif
