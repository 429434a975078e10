/* In: the counters of the three rooms, and the hosts that stats/ has seen.  Out: the same to the SNMP subagent of alert/, counters under
 * their names in /metrics. */
#include "watch/managers.h"

void managers_tell(struct alert *a, const struct capture_counters *c, const struct smtp_counters *m, const struct stats_counters *t,
    const struct host_row *hosts, size_t host_count)
{
    const struct alert_counter counters[] = {
#define X(name, doc) {"capture_" #name, c->name},
        CAPTURE_COUNTERS(X)
#undef X
#define X(name, doc) {"smtp_" #name, m->name},
        SMTP_COUNTERS(X)
#undef X
#define X(name, doc) {"stats_" #name, t->name},
        STATS_COUNTERS(X)
#undef X
    };
    alert_agent_update(a, counters, sizeof counters / sizeof counters[0], hosts, host_count);
}
