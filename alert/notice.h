/* A notice: what one channel tells one receiver about one change, flat, with the JSON body that goes with it. */
#ifndef SQUALL_ALERT_NOTICE_H
#define SQUALL_ALERT_NOTICE_H

#include "base/log.h"
#include "stats/storm.h"

#define NOTICE_TYPES(X)                                                                                                                    \
    X(RAISED, "raised", "stormRaised")                                                                                                     \
    X(UPDATED, "updated", "stormUpdated")                                                                                                  \
    X(CLEARED, "cleared", "stormCleared")                                                                                                  \
    X(TROUBLE, "sensor-trouble", "sensorTrouble")                                                                                          \
    X(HEARTBEAT, "heartbeat", "heartbeat")                                                                                                 \
    X(TEST, "test", "testNotice")
enum notice_type { /* the order of the notifications in SQUALL-MIB */
#define X(name, text, mib) NOTICE_##name,
    NOTICE_TYPES(X)
#undef X
        NOTICE_TYPE_COUNT
};

#define NOTICE_URL_SIZE  256
#define NOTICE_PART_SIZE 80

struct notice {
    uint64_t number; /* rises; the same for every channel and every attempt, so that a receiver can tell a repetition */
    enum notice_type type;
    int64_t time;
    char sensor[64];
    char id[STORM_ID_SIZE]; /* of the storm; "": a notice about ourselves */
    enum storm_kind kind;   /* of a storm */
    enum storm_severity severity;
    int64_t raised;
    char message_id[STORM_TEXT_SIZE], subject[STORM_TEXT_SIZE], from[STORM_TEXT_SIZE], victim[STORM_TEXT_SIZE];
    char why[2 * STORM_TEXT_SIZE];
    struct address reinjector; /* all zero: none, or known by name only */
    char reinjector_name[STORM_TEXT_SIZE];
    uint64_t copies, deliveries, redeliveries, recipients;
    double reproduction;         /* NAN: unknown */
    char url[NOTICE_URL_SIZE];   /* of the report; "": no dashboard */
    char part[NOTICE_PART_SIZE]; /* sensorTrouble: what is in trouble, "snmp noc" */
    bool failing;                /* sensorTrouble: false: it works again */
    char *body;                  /* JSON, one object; the notice's own */
    size_t body_size;
};

const char *notice_type_text(enum notice_type t);
const char *notice_type_mib(enum notice_type t);
bool notice_of_storm(enum notice_type t);

/* The flat facts alone, without body: cheap. */
void notice_flat(struct notice *n, const struct storm *s, const char *report_base);
/* With the body; NULL: out of memory.  To be freed with notice_free(). */
struct notice *notice_new_storm(enum notice_type t, uint64_t number, const struct storm *s, const char *sensor, const char *report_base);
/* Of the other types; part "": does not apply. */
struct notice *notice_new_own(enum notice_type t, uint64_t number, int64_t time, const char *sensor, enum storm_severity severity,
    const char *part, bool failing, const char *why);
/* From a body that the store kept; NULL: it is none. */
struct notice *notice_parse(const char *body, size_t size, struct reason *why);
void notice_free(struct notice *n);

#endif
