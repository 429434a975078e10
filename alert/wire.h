/* The connection of a syslog channel: UDP, TCP or TLS, made when needed and kept. */
#ifndef SQUALL_ALERT_WIRE_H
#define SQUALL_ALERT_WIRE_H

#include "alert/courier.h"

struct wire;
struct wire *wire_new(const struct syslog_settings *o, struct reason *why); /* no traffic yet */
/* One message: framed by its length on a connection, bare in a datagram. */
enum delivery wire_send(struct wire *s, const char *text, size_t size, const atomic_bool *stop, struct reason *why);
void wire_free(struct wire *s);

#endif
