/* Incidents, and what each channel has been told of them: who is told of a change, and as what. */
#ifndef SQUALL_ALERT_TOLD_H
#define SQUALL_ALERT_TOLD_H

#include "alert/courier.h"

#define TOLD_MOST       1024
#define TOLD_REMEMBERED (86400 * NS_PER_SECOND) /* after its end: so that it is not told again */

struct told_incident {
    char id[STORM_ID_SIZE];
    struct told told[ALERT_CHANNELS]; /* by channel */
    struct notice *held;              /* its raise, while a maintenance window is open; the incident's own */
    int64_t seen;                     /* when it last changed, our clock */
};

struct told_table {
    struct told_incident *list; /* TOLD_MOST, the first `count` in use */
    size_t count;
};

bool told_table_init(struct told_table *t);
void told_table_free(struct told_table *t);
struct told_incident *told_find(struct told_table *t, const char *id);
/* A new one; when the table is full the one that changed longest ago goes, its id in forgotten[] ("": none). */
struct told_incident *told_add(struct told_table *t, const char *id, int64_t now, char forgotten[STORM_ID_SIZE]);
void told_remove(struct told_table *t, struct told_incident *i);
bool told_over(const struct told_incident *i); /* no channel holds it for open, and nothing is held back */

struct told_rules {
    int64_t budget, interval;
};
enum verdict { VERDICT_NOTHING, VERDICT_SUPPRESSED, VERDICT_HELD, VERDICT_RAISED, VERDICT_UPDATED, VERDICT_CLEARED };
/* What a channel is to be told of a change; `maintenance`: a window is open.  told_note() then notes it as told. */
enum verdict told_verdict(const struct told *t, const struct told_rules *rules, const struct route *route, const struct storm *s,
    enum notice_type change, bool maintenance);
bool told_wanted(const struct route *route, enum storm_kind kind, enum storm_severity severity);
void told_note(struct told *t, enum verdict v, enum storm_severity severity, int64_t time);

#endif
