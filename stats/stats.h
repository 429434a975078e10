/* The stats room's door.  In: transactions and session records, and the time.  Out: counts, and storms as they are raised, updated,
 * cleared. Driven by packet time alone: the same input gives the same storms, live or from a file.  One thread writes. */
#ifndef SQUALL_STATS_H
#define SQUALL_STATS_H

#include "base/config.h"
#include "smtpdissect/smtp.h"
#include "stats/counters.h"
#include "stats/storm.h"

struct stats_settings; /* stats/settings.h: a section a kind, thresholds by name */
extern const struct setting stats_settings_list[];
extern const size_t stats_settings_count;

enum storm_change { STORM_RAISED, STORM_UPDATED, STORM_CLEARED };
struct stats_sink {
    void (*storm)(void *user, const struct storm *s, enum storm_change change);
    void *user;
};

struct stats;
struct stats *stats_new(const struct stats_settings *settings, const struct stats_sink *sink); /* sink may be NULL; NULL: out of memory */
void stats_free(struct stats *s);
/* New thresholds, from now on; bounds of memory and the windows of counts stay as they were made. */
void stats_configure(struct stats *s, const struct stats_settings *settings);
/* For who has read a transaction before the one in front of it has been dealt with: fetches into the cache what stats_transaction(), of
 * that one first, then of this, will need.  In their order, none left out, one ahead at most; *t stays as it is until its turn. */
void stats_expect(struct stats *s, const struct transaction *t);
void stats_transaction(struct stats *s, const struct transaction *t);
void stats_session(struct stats *s, const struct session_record *r);

struct mirror_view { /* what capture/ knows of the mirror's health, as running totals */
    double copies;
    uint64_t packets, kernel_drops, flows, one_sided_flows, gaps;
};
void stats_mirror(struct stats *s, const struct mirror_view *m, int64_t now);
void stats_tick(struct stats *s, int64_t now);   /* time passes: forecasts, clearing */
void stats_finish(struct stats *s, int64_t now); /* the capture ends: what is still open is told one last time, not cleared */

const struct stats_counters *stats_counters(const struct stats *s);

struct message_row { /* of the table of messages; texts as in struct storm */
    char message_id[STORM_TEXT_SIZE], from[STORM_TEXT_SIZE], subject[STORM_TEXT_SIZE];
    uint64_t audience, copies, deliveries, recipients, redeliveries, sources;
    int64_t first, last;
};
/* The `most` messages with most redeliveries, then deliveries, then earliest; returns how many were written. */
size_t stats_top(const struct stats *s, struct message_row *rows, size_t most);
struct amplifier_row { /* of the census: a host that has been seen routing mail by its To and Cc */
    struct address address;
    char name[STORM_TEXT_SIZE], domain[STORM_TEXT_SIZE]; /* HELO; a domain it serves, "" when none is known */
    uint64_t mails, recipients; /* it routed so; people of To and Cc it sent them to */
    int64_t first, last;
    char message_id[STORM_TEXT_SIZE], line[STORM_TEXT_SIZE]; /* of the first; the Received line by which it fetched that one */
};
/* Those with most mails; returns how many were written. */
size_t stats_census(const struct stats *s, struct amplifier_row *rows, size_t most);
void stats_know(struct stats *s, const struct amplifier_row *row); /* at start: it was known before; of what it serves, its domain */
struct host_row { /* of the hosts seen on the wire as client or server of a mail */
    struct address address;
    uint64_t messages_out, recipients_out; /* as client: mails, and recipients accepted in them */
    uint64_t messages_in, recipients_in;   /* as server */
    uint64_t redeliveries;                 /* charged to it */
    int64_t first, last;
    char name[STORM_TEXT_SIZE]; /* as it first called itself: HELO or greeting; "" when neither was seen */
};
/* Those with most redeliveries, then most recipients either way; returns how many were written. */
size_t stats_hosts(const struct stats *s, struct host_row *rows, size_t most);
/* Storms, oldest first, cleared ones too (bounded; the history has all).  The pointer is good until the next call that takes a non-const
 * stats. */
size_t stats_storm_count(const struct stats *s);
const struct storm *stats_storm(const struct stats *s, size_t i);
bool stats_acknowledge(struct stats *s, const char *id, const char *who, int64_t now); /* false: no such open storm */

/* At start, for each storm that was open when the sensor stopped: it goes on under its id when it is seen again, else it is cleared in
 * time. Copied.  False: it is not open, or there is no room. */
bool stats_resume(struct stats *s, const struct storm *earlier);

struct noted { /* what the last stats_transaction() made of it */
    uint64_t key;          /* what the ledger files the mail under, after joins; 0: no message, or a twin */
    uint32_t redeliveries; /* recipients who had it at that server */
    bool twin;
};
struct noted stats_last(const struct stats *s);

#endif
