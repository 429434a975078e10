/* Evidence capsules of storms: DIRECTORY/ALARM.pcapng grows with each new piece of evidence. */
#ifndef SQUALL_EVIDENCE_H
#define SQUALL_EVIDENCE_H

#include "base/log.h"
#include "base/span.h"

struct evidence;
/* Makes the directory (0700) when there is none.  replace: an alarm's first section takes the place of an earlier run's file; else it
 * follows what is there.  NULL: *why. */
struct evidence *evidence_new(const char *directory, bool replace, struct reason *why);
void evidence_free(struct evidence *e); /* NULL does nothing */
/* Appends a section, whole, to the alarm's capsule.  False: *why; the section is given up. */
bool evidence_add(struct evidence *e, const char *alarm, struct span section, struct reason *why);

#endif
