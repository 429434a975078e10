/* Evidence capsules of storms: DIRECTORY/ALARM.pcapng grows with each new piece of evidence, while its packets are still in the ring. */
#ifndef SQUALL_EVIDENCE_H
#define SQUALL_EVIDENCE_H

#include "capture/capture.h"
#include "stats/storm.h"

struct evidence;
/* Makes the directory (0700) when there is none.  NULL: *why. */
struct evidence *evidence_new(const char *directory, struct reason *why);
void evidence_free(struct evidence *e); /* NULL does nothing */
void evidence_storm(struct evidence *e, const struct storm *s); /* notes the connections its evidence stands on */
/* Writes what was noted.  Once a second, between packets.  False: *why; what could not be written is given up. */
bool evidence_write(struct evidence *e, const struct capture *c, struct reason *why);

#endif
