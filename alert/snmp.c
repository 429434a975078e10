/* In: notices of one snmp section.  Out: SNMP notifications of SQUALL-MIB, traps or informs, by the engine's thread. */
#include "alert/engine.h"

static void *snmp_open(const void *section, struct reason *why)
{
    struct engine_receiver *r = engine_receiver_new(section);
    if (!r)
        reason_say(why, "snmp: out of memory");
    return r;
}

static void snmp_close(void *receiver)
{
    engine_receiver_free(receiver);
}

static enum delivery snmp_send(void *receiver, const struct notice *n, const atomic_bool *stop, struct reason *why)
{
    return engine_send(receiver, n, stop, why);
}

static bool snmp_confirms(const void *section)
{
    return ((const struct snmp_settings *)section)->inform;
}

const struct courier_kind snmp_kind = {"snmp", snmp_open, snmp_close, snmp_send, snmp_confirms, NULL, NULL};
