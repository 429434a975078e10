/* One round-robin file, by librrd, or by rrdcached where one is named.  librrd is not safe with threads (drawing shares one font map,
 * rrdcached one connection), so one thread calls these functions and nobody else calls librrd.  Times are seconds since the epoch.
 * Private to web/. */
#ifndef SQUALL_WEB_ROBIN_H
#define SQUALL_WEB_ROBIN_H

#include "base/log.h"

#define ROBIN_PATH 4352                   /* of a file, with the NUL */
#define ROBIN_EARLIEST INT64_C(315360002) /* librrd takes nothing before 1980 */

/* Everywhere below `cache` is the address of rrdcached, as "unix:/run/rrdcached.sock", or NULL; false: *why, without what to do. */
bool robin_create(const char *path, int64_t first, unsigned step, const char *const *lines, int count, struct reason *why);
/* "SECOND:value:value": each later than the one before it and than the last of the file. */
bool robin_update(const char *cache, const char *path, const char *const *values, int count, struct reason *why);
/* The last second of the file; false: there is no such file, or its sources are not the `count` ones of these names. */
bool robin_last(const char *cache, const char *path, const char *const *names, size_t count, int64_t *last);

struct robin_cells { /* row i, column c: cell[i * columns + c], of the `step` seconds that ended at first + i * step; NAN: unknown */
    int64_t first, step;
    size_t rows, columns;
    double *cell;
};
bool robin_fetch(
    const char *cache, const char *path, int64_t from, int64_t to, int64_t step, struct robin_cells *cells, struct reason *why);
void robin_cells_free(struct robin_cells *cells);

void robin_flush(const char *cache, const char *path); /* what rrdcached still holds of the file is written */
/* Draws by the arguments of rrdgraph(1); a "@" in a DEF stands for the path.  The image is malloc's.  Only for a process that does not live
 * long: see painter.h. */
bool robin_draw(const char *path, char *const *arguments, int count, char **image, size_t *size, struct reason *why);

#endif
