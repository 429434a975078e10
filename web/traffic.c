/* In: the counts of each second, from trend.c.  Out: kept in a round-robin file; read back as rows, to api.c, or drawn, to graph.c.
 * Which file: time is that of the packets.  It may be today's, or that of an old capture replayed into a directory that has seen today; a
 * clock may be set while we run.  A round-robin file goes forward only, so each second goes to the file it continues, or begins one. */
#include "web/traffic.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"

#define HOUR 3600
#define DAY (24 * HOUR)
#define SAME_BEGINNING 60 /* seconds: the same capture again */
#define FILE_BYTES (36 << 20) /* what a new file takes, and some */
#define LEAST_BYTES (4 << 20) /* a file system with less room takes no update: a page of a mapped file may need a block there */

static const char *const sources[] = {
#define X(name, doc) #name,
    RATES(X)
#undef X
    "alarms_notice", "alarms_warning", "alarms_minor", "alarms_major", "alarms_critical"};
#define SOURCES (sizeof sources / sizeof sources[0])

/* Counts are what came since the second before (ABSOLUTE), so a second that stands for several is spread over them. */
static const char *const lines[] = {
#define X(name, doc) "DS:" #name ":ABSOLUTE:120:0:U",
    RATES(X)
#undef X
    "DS:alarms_notice:GAUGE:120:0:U", "DS:alarms_warning:GAUGE:120:0:U", "DS:alarms_minor:GAUGE:120:0:U", "DS:alarms_major:GAUGE:120:0:U",
    "DS:alarms_critical:GAUGE:120:0:U",
    "RRA:AVERAGE:0.5:1:3600", "RRA:AVERAGE:0.5:10:8640", "RRA:AVERAGE:0.5:60:20160", "RRA:AVERAGE:0.5:600:105120",
    "RRA:MAX:0.5:1:3600", "RRA:MAX:0.5:10:8640", "RRA:MAX:0.5:60:20160", "RRA:MAX:0.5:600:105120"};

void traffic_init(struct traffic *t, const char *directory, const char *cache)
{
    *t = (struct traffic){.cache = cache};
    span_copy(span_text(directory), t->directory, sizeof t->directory);
}

static void path_of(const struct traffic *t, int64_t first, char path[ROBIN_PATH])
{
    snprintf(path, ROBIN_PATH, "%s/traffic-%" PRId64 ".rrd", t->directory, first);
}

/* ---- which file ------------------------------------------------------------------------------------------------------------------- */

static void look(struct traffic *t)
{
    DIR *d = opendir(t->directory);
    char path[ROBIN_PATH];
    int64_t first;
    int end;
    t->count = 0;
    t->current = NULL;
    for (struct dirent *e; d && t->count < TRAFFIC_FILES && (e = readdir(d));) {
        end = 0;
        if (sscanf(e->d_name, "traffic-%" SCNd64 ".rrd%n", &first, &end) != 1 || end == 0 || e->d_name[end])
            continue;
        struct traffic_file *f = &t->files[t->count++];
        *f = (struct traffic_file){.first = first};
        path_of(t, first, path);
        if (!robin_last(t->cache, path, sources, SOURCES, &f->last))
            f->last = 0;
    }
    if (d)
        closedir(d);
}

static void drop(struct traffic *t, struct traffic_file *f)
{
    char path[ROBIN_PATH];
    path_of(t, f->first, path);
    unlink(path);
    *f = t->files[--t->count];
}

/* The file this second continues; NULL: none. */
static struct traffic_file *continued(struct traffic *t, int64_t second)
{
    struct traffic_file *best = NULL;
    for (size_t i = 0; i < t->count; i++) {
        struct traffic_file *f = &t->files[i];
        if (f->last == 0)
            continue;
        if (f->last >= second && second > f->first && f->last - second <= HOUR) /* the clock was set back a little: wait for it */
            return f;
        if (f->last < second && (!best || f->last > best->last))
            best = f;
    }
    return best;
}

static bool has_room(const struct traffic *t, uint64_t bytes, struct reason *why)
{
    struct statvfs s;
    if (statvfs(t->directory, &s) != 0)
        return reason_say(why, "%s: %s", t->directory, strerror(errno));
    return (uint64_t)s.f_bavail * s.f_frsize >= bytes || reason_say(why, "%s: the disk is full", t->directory);
}

static bool begin(struct traffic *t, int64_t second, struct reason *why)
{
    char path[ROBIN_PATH];
    while (t->count >= TRAFFIC_FILES) {
        struct traffic_file *shortest = &t->files[0];
        for (size_t i = 1; i < t->count; i++)
            if (t->files[i].last - t->files[i].first < shortest->last - shortest->first)
                shortest = &t->files[i];
        drop(t, shortest);
    }
    path_of(t, second, path);
    if (!has_room(t, FILE_BYTES, why) || !robin_create(path, second, 1, lines, sizeof lines / sizeof lines[0], why))
        return false;
    t->current = &t->files[t->count++];
    *t->current = (struct traffic_file){.first = second, .last = second - 1};
    t->resumed = false;
    return true;
}

static bool open_for(struct traffic *t, int64_t second, struct reason *why)
{
    look(t);
    for (size_t i = 0; i < t->count; i++) {
        struct traffic_file *f = &t->files[i];
        if (f->first - second <= SAME_BEGINNING && second - f->first <= SAME_BEGINNING && f->last >= second) {
            drop(t, f);
            break;
        }
    }
    t->current = continued(t, second);
    t->resumed = true;
    return t->current || begin(t, second, why);
}

/* ---- what comes in ---------------------------------------------------------------------------------------------------------------- */

#define LINE 384 /* a time and 15 counts of at most 20 digits */

static void write_line(const struct rates *r, char line[LINE])
{
    int n = snprintf(line, LINE, "%" PRId64, r->time / NS_PER_SECOND);
#define X(name, doc) n += snprintf(line + n, (size_t)(LINE - n), ":%" PRIu64, r->name);
    RATES(X)
#undef X
    for (size_t i = 0; i < sizeof r->alarms / sizeof r->alarms[0]; i++)
        n += snprintf(line + n, (size_t)(LINE - n), ":%" PRIu32, r->alarms[i]);
    assert(n < LINE);
}

static void write_unknown(int64_t second, char line[LINE])
{
    int n = snprintf(line, LINE, "%" PRId64, second);
    for (size_t i = 0; i < SOURCES; i++)
        n += snprintf(line + n, (size_t)(LINE - n), ":U");
}

struct batch {
    char line[TRAFFIC_BATCH + 1][LINE];
    const char *lines[TRAFFIC_BATCH + 1];
    int count;
    int64_t last;
};

static bool write_batch(struct traffic *t, struct batch *b, struct reason *why)
{
    char path[ROBIN_PATH];
    if (b->count == 0)
        return true;
    path_of(t, t->current->first, path);
    if (!has_room(t, LEAST_BYTES, why) || !robin_update(t->cache, path, b->lines, b->count, why)) {
        t->current = NULL; /* whatever became of it: look again */
        return false;
    }
    t->current->last = b->last;
    b->count = 0;
    return true;
}

static void add(struct batch *b, int64_t second)
{
    b->lines[b->count] = b->line[b->count];
    b->count++;
    b->last = second;
}

bool traffic_put(struct traffic *t, const struct rates *seconds, size_t n, size_t *taken, struct reason *why)
{
    struct batch b = {.count = 0};
    *taken = 0;
    assert(n <= TRAFFIC_BATCH);
    for (size_t i = 0; i < n; i++) {
        int64_t second = seconds[i].time / NS_PER_SECOND;
        if (second < ROBIN_EARLIEST) {
            t->skipped++;
            continue;
        }
        if (!t->current || second > t->previous + DAY || second < t->previous - HOUR) {
            if (!write_batch(t, &b, why))
                return false;
            *taken = i;
            if (!open_for(t, second, why))
                return false;
            b.last = t->current->last;
        }
        if (b.count == 0)
            b.last = t->current->last;
        t->previous = second;
        if (second <= b.last) {
            t->skipped++;
            continue;
        }
        if (t->resumed && second - 1 > b.last && b.count < TRAFFIC_BATCH) {
            write_unknown(second - 1, b.line[b.count]);
            add(&b, second - 1);
        }
        t->resumed = false;
        write_line(&seconds[i], b.line[b.count]);
        add(&b, second);
    }
    if (!write_batch(t, &b, why))
        return false;
    *taken = n;
    return true;
}

/* ---- what is asked ---------------------------------------------------------------------------------------------------------------- */

static int64_t common(const struct traffic_file *f, int64_t from, int64_t to)
{
    int64_t begin_at = f->first > from ? f->first : from, end_at = f->last < to ? f->last : to;
    return end_at - begin_at;
}

bool traffic_path(struct traffic *t, int64_t from, int64_t to, char path[ROBIN_PATH])
{
    if (!t->current)
        look(t);
    const struct traffic_file *best = t->current;
    for (size_t i = 0; i < t->count; i++)
        if (t->files[i].last && (!best || common(&t->files[i], from, to) > common(best, from, to)))
            best = &t->files[i];
    if (best)
        path_of(t, best->first, path);
    return best != NULL;
}

struct mean { /* of the cells that fall into one row */
    struct traffic_row row;
    double cells[TRAFFIC_COLUMNS];
};

static void add_cell(struct mean *m, const double *cell)
{
    for (size_t c = 0; c < TRAFFIC_COLUMNS; c++)
        if (isfinite(cell[c]))
            m->row.rate[c] += (cell[c] - m->row.rate[c]) / ++m->cells[c];
}

size_t traffic_rows(struct traffic *t, int64_t from, int64_t to, int64_t step, struct traffic_row *rows, size_t most)
{
    char path[ROBIN_PATH];
    struct robin_cells cells = {0};
    struct mean mean = {.row.time = -1};
    struct reason why;
    size_t n = 0;
    if (!traffic_path(t, from, to, path) || !robin_fetch(t->cache, path, from - 1, to, step, &cells, &why))
        return 0;
    assert(cells.columns >= TRAFFIC_COLUMNS || cells.rows == 0);
    for (size_t i = 0; i < cells.rows && n < most; i++) {
        /* a cell ends at its time; one of a second bears the name of that second, a longer one of the second it begins with */
        int64_t at = cells.first + (int64_t)i * cells.step - (cells.step > 1 ? cells.step : 0);
        int64_t time = cells.step > step ? at : at / step * step;
        if (at < from || at >= to)
            continue;
        if (time != mean.row.time) {
            if (mean.cells[0] > 0)
                rows[n++] = mean.row;
            mean = (struct mean){.row.time = time};
        }
        add_cell(&mean, cells.cell + i * cells.columns);
    }
    if (mean.cells[0] > 0 && n < most)
        rows[n++] = mean.row;
    robin_cells_free(&cells);
    return n;
}
