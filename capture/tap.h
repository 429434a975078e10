/* An interface's frames by the kernel's own ring (a packet socket, TPACKET_V3), without a library between: whole batches, in place. */
#ifndef SQUALL_CAPTURE_TAP_H
#define SQUALL_CAPTURE_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "capture/capture.h"
#include "capture/counters.h"
#include "capture/frame.h"

struct tap;
/* NULL: not on this interface or this system, or not now (no rights, no memory, it is down): libpcap may know another way, or says why. */
struct tap *tap_open(const struct interface_settings *settings);
void tap_close(struct tap *t);
int tap_descriptor(const struct tap *t); /* also for PACKET_FANOUT */
/* Frames that wait, all of them valid until the next tap_read(); 0: none now. */
size_t tap_read(struct tap *t, struct frame *frames, size_t most);
/* To be asked when none waits.  False: the interface is gone, *why.  One that is down may come up again. */
bool tap_there(struct tap *t, struct reason *why);
void tap_drops(struct tap *t, struct capture_counters *counters); /* adds what was dropped since the last call */

#endif
