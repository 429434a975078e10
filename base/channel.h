/* Framed messages over a stream socket between two of our own processes: a type, a length, the bytes, perhaps one descriptor (SCM_RIGHTS).
 * Never blocks: what cannot be sent at once waits in a bounded queue; a full queue refuses, and the sender decides what that means.  The
 * other end is not trusted: a frame over the bound or out of form closes the channel. */
#ifndef SQUALL_BASE_CHANNEL_H
#define SQUALL_BASE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct channel;
bool channel_pair(int fd[2]);                                 /* two connected sockets, close-on-exec, non-blocking */
struct channel *channel_new(int fd, size_t most_frame, size_t most_queued); /* bytes; owns fd; NULL: out of memory */
void channel_free(struct channel *c);                         /* closes; NULL does nothing */
int channel_descriptor(const struct channel *c);              /* for poll(2) */
bool channel_wants_write(const struct channel *c);            /* something is queued: poll for POLLOUT too */
/* fd: -1 none, else borrowed for the call.  False: the queue is full, or the channel closed. */
bool channel_send(struct channel *c, uint32_t type, struct span body, int fd);
bool channel_flush(struct channel *c);                        /* false: the other end is gone */
/* Takes what has arrived and calls `got` for each whole frame (body borrowed; fd -1 or the callee's to close).  False: the other end is
 * gone. */
bool channel_receive(struct channel *c, void (*got)(void *user, uint32_t type, struct span body, int fd), void *user);

#endif
