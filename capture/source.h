/* Capture files as one stream of frames in time order: pcap, pcapng, gzip or zstd around either, "-" for standard input.
 *
 *     struct source *s = source_open(paths, count, why, status);
 *     while ((n = source_read(s, frames, SOURCE_BATCH)) > 0)
 *         for (size_t i = 0; i < n; i++)
 *             ... decode_frame(d, &frames[i], &packet) ...
 *     bool whole = source_result(s, why, status);
 *     source_close(s);
 *
 * Frames come in batches so that the caller can look ahead (prefetch); all of a batch is valid until the next source_read(). */
#ifndef SQUALL_CAPTURE_SOURCE_H
#define SQUALL_CAPTURE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "capture/frame.h"

#define SOURCE_BATCH 64 /* frames worth asking for at once */

struct source;
/* NULL when a file is missing or may not be read, or memory is short: *why, and *status (sysexits: 66, 77, 71).  A file that is no capture
 * shows in source_result(), after what the other files hold. */
struct source *source_open(const char *const paths[], size_t count, struct reason *why, int *status);
size_t source_read(struct source *s, struct frame *frames, size_t most); /* 0: the end */
/* After the end.  True: every file was read to its end.  False: *why names the first that was not, the packet at which it broke, and
 * why; *status is 65. */
bool source_result(const struct source *s, struct reason *why, int *status);
/* Bytes of the files read so far, and of all of them; *total is 0 when one of them has no length (a pipe). */
void source_progress(const struct source *s, uint64_t *done, uint64_t *total);
void source_stop(struct source *s); /* async-signal-safe: source_read() ends soon, and the files count as whole */
void source_close(struct source *s);

#endif
