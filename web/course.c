/* In: where each alarm has come to, and the seconds, from trend.c.  Out: a file an alarm, for graph.c to draw.  Values are totals, kept as
 * what they grow by a second (DERIVE): a storm's rounds stand out as peaks. */
#include "web/course.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "stats/history.h"

#define QUIET 10 /* seconds between two puts of what does not change: far below the heartbeat of an hour */
#define LEAST_BYTES (4 << 20)

static const char *const sources[] = {"deliveries", "redeliveries", "recipients", "hosts"};
#define SOURCES (sizeof sources / sizeof sources[0])
static const char *const lines[] = {"DS:deliveries:DERIVE:3600:0:U", "DS:redeliveries:DERIVE:3600:0:U", "DS:recipients:GAUGE:3600:0:U",
    "DS:hosts:GAUGE:3600:0:U", "RRA:AVERAGE:0.5:1:900", "RRA:AVERAGE:0.5:10:720", "RRA:AVERAGE:0.5:60:1440", "RRA:AVERAGE:0.5:600:2016",
    "RRA:MAX:0.5:10:720", "RRA:MAX:0.5:60:1440", "RRA:MAX:0.5:600:2016"};

void course_mark_from(const struct storm *s, struct course_mark *m)
{
    *m = (struct course_mark){.open = s->state != STATE_CLEARED, .first_seen = s->first_seen, .deliveries = s->deliveries,
        .redeliveries = s->redeliveries, .recipients = s->recipients};
    m->message = course_message(s->message_id);
    span_copy(span_text(s->id), m->id, sizeof m->id);
    for (uint32_t i = 0; i < s->host_count; i++)
        m->hosts += s->hosts[i].role == ROLE_REINJECTOR || s->hosts[i].role == ROLE_LOOPER;
}

uint64_t course_message(const char *message_id)
{
    return message_id && message_id[0] ? hash_bytes(message_id, strnlen(message_id, STORM_TEXT_SIZE - 1)) | 1 : 0;
}

void courses_init(struct courses *c, const char *directory, const char *cache, size_t files)
{
    *c = (struct courses){.cache = cache, .files = files};
    span_copy(span_text(directory), c->directory, sizeof c->directory);
}

static void path_of(const struct courses *c, const char *id, char path[ROBIN_PATH])
{
    snprintf(path, ROBIN_PATH, "%s/alarm-%s.rrd", c->directory, id);
}

bool courses_path(const struct courses *c, const char *id, char path[ROBIN_PATH])
{
    int64_t last;
    path_of(c, id, path);
    return robin_last(c->cache, path, sources, SOURCES, &last);
}

static struct course *find(struct courses *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->live[i].now.id, id) == 0)
            return &c->live[i];
    return NULL;
}

void courses_take(struct courses *c, const struct course_mark *m)
{
    struct course *one = find(c, m->id);
    if (!one && (!m->open || c->count == COURSE_LIVE))
        return;
    if (!one) {
        one = &c->live[c->count++];
        *one = (struct course){.second = 0};
    }
    one->now = *m;
    one->fresh = true;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------ */

/* Calls visit for the id of each file that is there. */
static void each_file(struct courses *c, void (*visit)(struct courses *c, const char *id, void *user), void *user)
{
    DIR *d = opendir(c->directory);
    for (struct dirent *e; d && (e = readdir(d));) {
        char id[STORM_ID_SIZE];
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, "alarm-", 6) != 0 || n <= 10 || n - 10 >= sizeof id || strcmp(e->d_name + n - 4, ".rrd") != 0)
            continue;
        span_copy(span_of(e->d_name + 6, n - 10), id, sizeof id);
        visit(c, id, user);
    }
    if (d)
        closedir(d);
}

struct census {
    size_t count;
    char oldest[STORM_ID_SIZE]; /* of those that are over */
    int64_t written; /* ns */
};

static void count_file(struct courses *c, const char *id, void *user)
{
    struct census *all = user;
    char path[ROBIN_PATH];
    struct stat st;
    path_of(c, id, path);
    all->count++;
    if (find(c, id) || stat(path, &st) != 0)
        return;
    int64_t written = (int64_t)st.st_mtim.tv_sec * NS_PER_SECOND + st.st_mtim.tv_nsec;
    if (!all->oldest[0] || written < all->written) {
        span_copy(span_text(id), all->oldest, sizeof all->oldest);
        all->written = written;
    }
}

/* Makes room for one more; false: all files are of alarms that go on. */
static bool make_place(struct courses *c)
{
    for (;;) {
        struct census all = {0};
        char path[ROBIN_PATH];
        each_file(c, count_file, &all);
        if (all.count < c->files)
            return true;
        path_of(c, all.oldest, path);
        if (!all.oldest[0] || unlink(path) != 0)
            return false;
    }
}

static bool put(struct courses *c, struct course *one, int64_t second, const struct course_mark *m, struct reason *why)
{
    char line[128], path[ROBIN_PATH];
    const char *values[] = {line};
    path_of(c, m->id, path);
    snprintf(line, sizeof line, "%" PRId64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64, second, m->deliveries, m->redeliveries,
        m->recipients, m->hosts);
    if (!robin_update(c->cache, path, values, 1, why))
        return false;
    one->put = *m;
    one->second = second;
    return true;
}

/* Its file: the one an earlier run left, or a new one that begins with nothing at the alarm's first sign. */
static bool adopt(struct courses *c, struct course *one, int64_t second, struct reason *why)
{
    char path[ROBIN_PATH];
    int64_t last, first = one->now.first_seen / NS_PER_SECOND;
    path_of(c, one->now.id, path);
    if (robin_last(c->cache, path, sources, SOURCES, &last)) {
        if (last < second) {
            one->second = last;
            one->put = one->now;
            return true;
        }
        unlink(path); /* the same storm replayed: its course begins again */
    }
    one->refused = !make_place(c);
    if (one->refused)
        return true;
    if (first < ROBIN_EARLIEST || first >= second)
        first = second - 1;
    struct course_mark nothing = {.first_seen = one->now.first_seen};
    span_copy(span_text(one->now.id), nothing.id, sizeof nothing.id);
    return robin_create(path, first, 1, lines, sizeof lines / sizeof lines[0], why) && put(c, one, first, &nothing, why);
}

/* ---- time ------------------------------------------------------------------------------------------------------------------------- */

/* What came since it was last told that nothing had, came evenly between. */
static bool follow(struct courses *c, struct course *one, int64_t second, struct reason *why)
{
    bool changed = one->now.deliveries != one->put.deliveries || one->now.redeliveries != one->put.redeliveries ||
                   one->now.recipients != one->put.recipients || one->now.hosts != one->put.hosts;
    int64_t heard = one->heard;
    if (one->second == 0 && !one->refused) {
        if (!adopt(c, one, second, why))
            return false;
        changed = true;
    }
    one->heard = second;
    if (one->refused || second <= one->second || !(changed || !one->now.open || second - one->second >= QUIET))
        return true;
    struct course_mark before = one->put;
    if (changed && heard > one->second && heard < second && !put(c, one, heard, &before, why))
        return false;
    return put(c, one, second, &one->now, why);
}

bool courses_second(struct courses *c, int64_t second, struct reason *why)
{
    struct statvfs s;
    bool good = true, checked = false;
    for (size_t i = 0; i < c->count && second >= ROBIN_EARLIEST; i++) {
        struct course *one = &c->live[i];
        if (!one->fresh)
            continue;
        if (!checked && statvfs(c->directory, &s) == 0 && (uint64_t)s.f_bavail * s.f_frsize < LEAST_BYTES)
            return reason_say(why, "%s: the disk is full", c->directory);
        checked = true;
        bool done = follow(c, one, second, why);
        good = good && done;
        one->fresh = false;
        if (done && !one->now.open)
            *one = c->live[--c->count], i--;
    }
    return good;
}

/* ---- what the history has forgotten ------------------------------------------------------------------------------------------------- */

struct known {
    char (*id)[STORM_ID_SIZE];
    size_t count, room;
    bool full; /* no memory: nothing is forgotten this time */
};

static bool remember(void *user, const struct storm *s)
{
    struct known *k = user;
    if (k->count == k->room) {
        size_t room = k->room ? 2 * k->room : 64;
        void *more = realloc(k->id, room * sizeof *k->id);
        k->full = !more;
        if (!more)
            return false;
        k->id = more;
        k->room = room;
    }
    span_copy(span_text(s->id), k->id[k->count++], sizeof *k->id);
    return true;
}

static void forget(struct courses *c, const char *id, void *user)
{
    const struct known *k = user;
    char path[ROBIN_PATH];
    bool wanted = find(c, id) != NULL;
    for (size_t i = 0; i < k->count && !wanted; i++)
        wanted = strcmp(k->id[i], id) == 0;
    path_of(c, id, path);
    if (!wanted)
        unlink(path);
}

void courses_forget(struct courses *c, const char *history)
{
    struct known k = {0};
    struct reason why;
    int status;
    struct history *h = history_open_reading(history, &why, &status);
    if (h && history_all(h, remember, &k, &why) && !k.full)
        each_file(c, forget, &k);
    history_close(h);
    free(k.id);
}
