/* A notice as the varbinds of SQUALL-MIB. */
#ifndef SQUALL_ALERT_VARBINDS_H
#define SQUALL_ALERT_VARBINDS_H

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include "alert/engine.h"

/* Below the enterprise arc: 1 is SQUALL-MIB itself. */
enum { MIB_MODULE = 1, MIB_NOTIFICATIONS = 0, MIB_OBJECTS = 1, MIB_ALARMS = 1, MIB_COUNTERS = 2, MIB_NOTICE = 3, MIB_ACTIVE = 4 };

/* Every field of squallNotice once: number, type, value.  SEVERITY is that of ITU-T X.733 as RFC 3877 numbers it; "cleared" is one. */
int varbind_severity(const struct notice *n);
/* InetAddress (RFC 4001) into `octets`; returns its InetAddressType. */
int varbind_address(struct address a, uint8_t octets[16], size_t *size);
bool varbinds_add(netsnmp_pdu *pdu, const struct engine_spec *spec, const struct notice *n);
/* The text's first bytes, never within a UTF-8 sequence. */
size_t varbind_cut(const char *text, size_t most);

#endif
