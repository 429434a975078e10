/* All traffic, second by second, for two years: files DIRECTORY/traffic-FIRST.rrd, of which one is written at a time.  Owned by trend.c's
 * thread.  Private to web/. */
#ifndef SQUALL_WEB_TRAFFIC_H
#define SQUALL_WEB_TRAFFIC_H

#include "stats/rates.h"
#include "web/robin.h"

#define TRAFFIC_BATCH 60 /* seconds put at once */
#define TRAFFIC_FILES 4  /* a replay of another time gets a file of its own; the shortest goes first */

struct traffic_file {
    int64_t first, last; /* seconds; last 0: no file of ours */
};
struct traffic {
    char directory[4096];
    const char *cache; /* of robin.h; the caller's */
    struct traffic_file files[TRAFFIC_FILES + 1];
    size_t count;
    struct traffic_file *current; /* NULL: not known which */
    bool resumed;      /* what was before the next second is not ours: unknown */
    int64_t previous;  /* second */
    uint64_t skipped;  /* seconds that were there already: time went back */
};

void traffic_init(struct traffic *t, const char *directory, const char *cache);
/* Puts up to TRAFFIC_BATCH seconds, *taken of them when it fails: *why. */
bool traffic_put(struct traffic *t, const struct rates *seconds, size_t n, size_t *taken, struct reason *why);
/* The file that knows most of that time; false: there is none. */
bool traffic_path(struct traffic *t, int64_t from, int64_t to, char path[ROBIN_PATH]);
/* Mean counts a second, a row for each step (or for each coarser one that was kept), at most `most`; columns as RATES lists them. */
#define X(name, doc) +1
enum { TRAFFIC_COLUMNS = 0 RATES(X) };
#undef X
struct traffic_row {
    int64_t time; /* second it begins with */
    double rate[TRAFFIC_COLUMNS];
};
size_t traffic_rows(struct traffic *t, int64_t from, int64_t to, int64_t step, struct traffic_row *rows, size_t most);

#endif
