/* The one thread in which all Net-SNMP work of the process is done: the library is not thread-safe (its README.thread).  Channels hand it a
 * notice and wait; the engine waits for no receiver, so a dead one delays no other. */
#ifndef SQUALL_ALERT_ENGINE_H
#define SQUALL_ALERT_ENGINE_H

#include "alert/courier.h"

struct engine_spec {
    unsigned long arc[ARC_MOST]; /* SQUALL-MIB's enterprise */
    size_t arc_length;
    uint8_t id[32]; /* snmpEngineID, of our v3 traps */
    size_t id_length;
    uint32_t boots;
    int64_t began;             /* of these boots, seconds since the epoch */
    const char *agentx_socket; /* NULL: no subagent */
};

/* Net-SNMP is of the process, so the engine is: started before the first channel, stopped after the last. */
bool engine_start(const struct engine_spec *spec, struct reason *why);
void engine_stop(void);
const struct engine_spec *engine_spec(void);
/* The same from the settings and the store, when they ask for SNMP at all; new_boots: this is a start of the sensor. */
bool alert_engine_start(const struct alert_settings *s, struct store *store, bool new_boots, bool agentx, struct reason *why);

struct engine_receiver; /* one snmp section's session; touched in the engine's thread only */
struct engine_receiver *engine_receiver_new(const struct snmp_settings *s);
void engine_receiver_free(struct engine_receiver *r);
enum delivery engine_send(struct engine_receiver *r, const struct notice *n, const atomic_bool *stop, struct reason *why);

#endif
