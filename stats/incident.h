/* The life of incidents: opened (watched, nobody told), raised, updated, acknowledged, cleared; one id each, kept for good.
 * Detectors decide, this file keeps the books: hysteresis, ids, who is told what and when.  Private to stats/. */
#ifndef SQUALL_STATS_INCIDENT_H
#define SQUALL_STATS_INCIDENT_H

#include "stats/settings.h"
#include "stats/stats.h"

struct incidents;
struct incidents *incidents_new(const struct stats_settings *settings, const struct stats_sink *sink, struct stats_counters *counters);
void incidents_free(struct incidents *all);

/* A storm's place is its own until incident_open() (a watched or cleared one may make room), incident_join(), incident_drop() or
 * incident_tick(): find it anew by its key after these.  Evidence for a cleared one within a further quiet time opens it again under its
 * id, and it is told as raised. */
/* The incident about `key` (message key, thread, address hash... together with the family of kinds it can become), or NULL. */
struct storm *incident_find(struct incidents *all, uint64_t key);
/* Finds or opens one; a new one is watched only.  NULL: the bound is reached and every slot holds an open storm. */
struct storm *incident_open(struct incidents *all, uint64_t key, enum storm_kind kind, int64_t first_seen);
/* Raises a watched incident or lifts a raised one (severity never falls while it lasts); tells the sink when something that matters
 * changed: raised, severity, kind, number of re-injectors or loopers.  `why`: one sentence. */
void incident_raise(struct incidents *all, struct storm *s, enum storm_severity severity, int64_t now, const char *why, ...)
    __attribute__((format(printf, 5, 6)));
/* Evidence comes by the thousand: is it time for incident_raise() with new words, or will incident_touch() do?  True when it is not raised,
 * or cleared, or less severe so far, or has not been asked a thousand times in this second. */
bool incident_wants_words(struct storm *s, enum storm_severity severity, int64_t now);
/* Fresh evidence: puts off the all-clear. */
void incident_touch(struct incidents *all, struct storm *s, int64_t now);
/* Numbers matter now (reproduction, forecast): STORM_UPDATED. */
void incident_tell(struct incidents *all, struct storm *s, int64_t now);
/* A stronger kind takes over; the id stays. */
void incident_kind(struct incidents *all, struct storm *s, enum storm_kind kind, int64_t now);
/* Two keys turn out to be one storm, which gets `from`'s hosts, counts and keys.  The earlier id stays; `from` is cleared, or gone. */
void incident_join(struct incidents *all, struct storm *into, struct storm *from, int64_t now);
void incident_drop(struct incidents *all, struct storm *s); /* a watched one that came to nothing */
/* Deliveries that are part of it: measures peak_rate. */
void incident_rate(struct storm *s, uint64_t deliveries, int64_t now);
/* A line of the timeline. */
void incident_event(struct storm *s, int64_t now, const char *what, ...) __attribute__((format(printf, 3, 4)));
/* Finds or adds; NULL: hosts_more counted.  A known address is found by it alone, an unknown one by name.  A new host is a relay until told
 * otherwise.  Good until the next incident_host() or incident_join() of this storm. */
struct storm_host *incident_host(struct storm *s, struct address address, const char *name, bool on_wire);
/* The host of a known address, whose hash_bytes() is `hash`, on the wire; NULL: it is none of the storm's yet, or has no name.  Good as the
 * one above. */
struct storm_host *incident_named_host(struct storm *s, struct address address, uint64_t hash);
/* Finds or adds; NULL: no room.  Good until the next incident_edge() or incident_join() of this storm. */
struct storm_edge *incident_edge(struct storm *s, int32_t from, int32_t to);
/* Keeps the first STORM_EVIDENCE pieces; h may be NULL. */
void incident_evidence(struct storm_host *h, const struct storm_evidence *e);
bool incident_raised(const struct storm *s);               /* not merely watched */
int64_t incident_latest(const struct incidents *all);      /* when a raised one, notices apart, last had evidence; TIME_UNKNOWN: never */
void incident_tick(struct incidents *all, int64_t now);    /* clears what has been quiet long enough; drops it when it was only watched */
void incident_finish(struct incidents *all, int64_t now);  /* tells every open one a last time */
bool incident_acknowledge(struct incidents *all, const char *id, const char *who, int64_t now);
/* An open storm of before a restart: goes on under its id when the same matter is raised again, else falls by quiet.  Copied.  False: not
 * open, or no room. */
bool incident_resume(struct incidents *all, const struct storm *earlier);
struct earlier_host {
    struct address address;
    uint64_t name; /* its hash_nocase() */
    uint64_t copies, deliveries, redeliveries, recipients_in;
    int64_t first;
};
struct incident_before { /* what an incident came to before the restart that it outlived: whoever counts anew adds to these */
    uint64_t copies, deliveries, redeliveries, bytes;
    struct earlier_host *hosts;
    struct storm_edge *edges; /* between these hosts */
    uint32_t host_count, edge_count;
};
const struct incident_before *incident_before(const struct storm *s);
/* The host's numbers, counted since the restart, become those of the whole incident. */
void incident_add_earlier(const struct storm *s, struct storm_host *h);
int32_t incident_earlier_place(const struct storm *s, const struct earlier_host *e); /* among the storm's hosts now; -1: it is none */
size_t incident_count(const struct incidents *all);        /* raised ones, cleared too */
const struct storm *incident_at(const struct incidents *all, size_t i); /* by raising time; NULL: no more */

#endif
