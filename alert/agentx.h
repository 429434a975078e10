/* The subagent: SQUALL-MIB's tables and MTA-MIB's mtaGroup rows, served to snmpd. */
#ifndef SQUALL_ALERT_AGENTX_H
#define SQUALL_ALERT_AGENTX_H

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include "alert/engine.h"

#define AGENTX_COUNTERS 256
#define AGENTX_ALARMS   256

bool agentx_load(struct reason *why);              /* the library, before all else */
void agentx_start(const struct engine_spec *spec); /* in the engine's thread, once in a process */
void agentx_turn(netsnmp_large_fd_set *ready);     /* in the engine's thread; NULL: nothing to read */
/* From any thread: what is to be served from now on.  Copies; what is over the bounds is left out. */
void agentx_alarms(const struct notice *alarms, size_t count);
void agentx_numbers(const struct alert_counter *counters, size_t counter_count, const struct host_row *hosts, size_t host_count);

#endif
