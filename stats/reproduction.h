/* How a storm breeds: rounds, the time between them, what the next one will bring, and whether hop limits will end it.  Private to stats/.
 */
#ifndef SQUALL_STATS_REPRODUCTION_H
#define SQUALL_STATS_REPRODUCTION_H

#include <stdbool.h>

#include "base/clock.h"

#define REPRODUCTION_EVENTS 16384 /* of one storm, told apart; later ones are not counted, the measure stands by then */
#define REPRODUCTION_HOSTS  512

#define EVENT_UNKNOWN UINT64_MAX /* the lines that tell the parent are gone */

/* One copy put back on its way: taken out of a mailbox by a re-injector, or come back to a server it has passed.  All its deliveries are
 * one event. */
struct event {
    uint64_t id;      /* of this event */
    uint64_t parent;  /* of the event that made the copy; 0: the origin did; EVENT_UNKNOWN */
    uint64_t copy;    /* the copy in the mailbox; twice the same: it was kept, and the first event is the parent of the second; 0: none */
    const void *host; /* who did it: whatever tells hosts apart */
    uint32_t hops;
    uint32_t hop_limit; /* the least of the servers in its chain whose marks tell it; 0: none tells */
    uint32_t deliveries;
    uint32_t reach; /* people whom the host has sent the mail, over all its events */
    int64_t time;
    int64_t fed; /* when the copy came into the mailbox, by the header's word; TIME_UNKNOWN */
};

enum breeding { BREEDING_MAILBOXES, BREEDING_CIRCLE };
struct reproduction;
struct reproduction *reproduction_new(enum breeding kind, int64_t origin_time, uint32_t origin_hops); /* NULL: out of memory */
void reproduction_free(struct reproduction *r);
void reproduction_event(struct reproduction *r, const struct event *e); /* the first delivery, or more of an event known */
void reproduction_more(struct reproduction *r, uint32_t deliveries, int64_t time); /* of the latest event */

bool reproduction_knows(const struct reproduction *r, uint64_t id); /* such an event was there */

struct outlook {
    double reproduction;      /* events that a finished event led to; NAN: none is finished */
    double reckoned;          /* then: events of the coming round to each of this one, by the hosts known so far; NAN: one host alone */
    double generation;        /* s, from an event to those it led to; NAN: not known yet */
    int64_t at;               /* of the next round; TIME_UNKNOWN: none is to be expected */
    uint64_t deliveries;      /* in it */
    int32_t generations_left; /* until hop limits end it; -1: not known or never */
    int64_t latest;           /* event; TIME_UNKNOWN: none yet */
};
struct outlook reproduction_outlook(struct reproduction *r, int64_t now);

#endif
