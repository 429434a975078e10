/* The hosts seen on the wire handing mail on or taking it in, whatever becomes of it: the table of top hosts, and MTA-MIB's.  Private to
 * stats/; stats_hosts() is the door. */
#ifndef SQUALL_STATS_HOSTS_H
#define SQUALL_STATS_HOSTS_H

#include "stats/detect.h"

struct hosts;
struct hosts *hosts_new(struct memory *memory); /* NULL: out of memory */
void hosts_free(struct hosts *h);
void hosts_expect(const struct hosts *h, const struct key *k); /* fetches into the cache what hosts_count() will look at first, */
void hosts_near(const struct hosts *h, const struct key *k);   /* and when that has come, what it leads to */
void hosts_count(struct hosts *h, const struct observation *o); /* a message */
size_t hosts_rows(const struct hosts *h, struct host_row *rows, size_t most);

#endif
