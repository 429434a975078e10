/* A network interface: its frames are handed out in place in the kernel's ring, to a function, as many at once as lie ready there. */
#ifndef SQUALL_CAPTURE_LIVE_H
#define SQUALL_CAPTURE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "capture/capture.h"
#include "capture/counters.h"
#include "capture/frame.h"

struct live;
/* NULL: *why, and *status: 77 not permitted, 66 no such interface, 69 not to be had (down, unknown link type, no memory for the ring). */
struct live *live_open(const struct interface_settings *settings, struct reason *why, int *status);
void live_close(struct live *l);
int live_descriptor(const struct live *l); /* for poll(2): readable when frames wait */
/* Hands frames that wait now to take(), at most SOURCE_BATCH at once, some thousands a call; never blocks.  Those of one batch are valid
 * during the call.  Returns how many there were, -1: the interface is gone, *why. */
int live_read(struct live *l, void (*take)(void *user, const struct frame *frames, size_t n), void *user, struct reason *why);
void live_stop(struct live *l); /* async-signal-safe: live_read() returns after the batch at hand */
/* Adds what the kernel and the card dropped since the last call; call it at least once in 2^31 drops, say each second. */
void live_drops(struct live *l, struct capture_counters *counters);
/* Joins the other sockets of `group` (unique for this process and interface): the kernel spreads connections over them, both
 * directions to the same one, fragments put together first. */
bool live_fanout(struct live *l, uint16_t group, struct reason *why);

#endif
