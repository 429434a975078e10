/* Writes pcapng (draft-ietf-opsawg-pcapng): section header, interface description, enhanced packets with comments; times in ns.  A file
 * may hold several sections, so more can be appended later.  Errors stay in the FILE (ferror).  Private to capture/. */
#ifndef SQUALL_CAPTURE_PCAPNG_WRITE_H
#define SQUALL_CAPTURE_PCAPNG_WRITE_H

#include <stdint.h>
#include <stdio.h>

#include "base/span.h"

#define PCAPNG_COMMENT 1024 /* bytes of a comment that are written */

void pcapng_write_section(FILE *to, struct span comment); /* an empty comment is none */
void pcapng_write_interface(FILE *to, uint32_t link);     /* numbered from 0 in each section */
void pcapng_write_packet(FILE *to, uint32_t interface, int64_t time, struct span captured, uint32_t length, struct span comment);

#endif
