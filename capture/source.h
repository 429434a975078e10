/* Capture files as one stream of frames in time order: pcap, pcapng, gzip or zstd around either, "-" for standard input.
 *
 *     struct source *s = source_open(paths, count, stop, why, status);
 *     while ((n = source_read(s, frames, SOURCE_BATCH)) > 0)
 *         for (size_t i = 0; i < n; i++)
 *             ... decode_frame(d, &frames[i], &packet) ...
 *     bool whole = source_result(s, why, status);
 *     source_close(s);
 *
 * Frames come in batches so that the caller can look ahead (prefetch); all of a batch is valid until the next source_read(). */
#ifndef SQUALL_CAPTURE_SOURCE_H
#define SQUALL_CAPTURE_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "capture/frame.h"

#define SOURCE_BATCH 64 /* frames worth asking for at once */

struct source;
/* NULL when a file is missing or may not be read, or memory is short: *why, and *status (sysexits: 66, 77, 71).  A file that is no capture
 * shows in source_result(), after what the other files hold.  Files that overlap in time are open together, half a MiB each.
 * stop: may be set by a signal handler or another thread, and outlives the source; source_read() then ends soon, also when it waits for
 * a pipe and a signal wakes it, and the files count as whole.  May be NULL. */
struct source *source_open(const char *const paths[], size_t count, const atomic_bool *stop, struct reason *why, int *status);
size_t source_read(struct source *s, struct frame *frames, size_t most); /* 0: the end */
/* After the end.  True: every file was read to its end.  False: *why names the first that was not, the packet at which it broke, and
 * why; *status is 65. */
bool source_result(const struct source *s, struct reason *why, int *status);
void source_close(struct source *s);

#endif
