/* What network managers see of the sensor by SNMP besides its alarms. */
#ifndef SQUALL_MANAGERS_H
#define SQUALL_MANAGERS_H

#include "alert/alert.h"
#include "capture/counters.h"

/* Every few seconds: everything that is counted, and the mail servers seen (stats_hosts(), ALERT_HOSTS at most) to the AgentX subagent. */
#define MANAGERS_EVERY (5 * NS_PER_SECOND)
void managers_tell(struct alert *a, const struct capture_counters *c, const struct smtp_counters *m, const struct stats_counters *t,
    const struct host_row *hosts, size_t host_count);

#endif
