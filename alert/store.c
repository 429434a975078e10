/* In: notices to be delivered, and what became of them.  Out: the same to the channels' threads, in order, also after a restart.  One
 * SQLite file in the state directory, WAL: a commit survives our own death; with the machine's power at most the last moments go. */
#include "alert/store.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

struct store {
    sqlite3 *db;
    pthread_mutex_t lock;
    bool on_disk;
    uint64_t next_number;
    struct reason failure; /* "": none */
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS notice(number INTEGER PRIMARY KEY, type TEXT NOT NULL, time INTEGER NOT NULL, body TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS pending(channel TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(channel, number)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE INDEX IF NOT EXISTS pending_number ON pending(number);"
    "CREATE TABLE IF NOT EXISTS told(id TEXT NOT NULL, channel TEXT NOT NULL, open INTEGER NOT NULL, count INTEGER NOT NULL, severity "
    "INTEGER NOT NULL,"
    " last INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(id, channel)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS told_number ON told(number);"
    "CREATE TABLE IF NOT EXISTS trouble(part TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* ---- statements ---- */

/* Binds by the letters of `types`: i int64_t, t text, b a text of given size. */
static sqlite3_stmt *prepare(struct store *s, const char *sql, const char *types, ...)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
        return NULL;
    va_list args;
    va_start(args, types);
    for (int i = 1; *types; types++, i++)
        if (*types == 'i')
            sqlite3_bind_int64(st, i, va_arg(args, int64_t));
        else if (*types == 't')
            sqlite3_bind_text(st, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        else {
            const char *text = va_arg(args, const char *);
            sqlite3_bind_text(st, i, text, (int)va_arg(args, size_t), SQLITE_STATIC);
        }
    va_end(args);
    return st;
}

/* Runs a statement that gives no rows and frees it. */
static bool run(sqlite3_stmt *st)
{
    int result = st ? sqlite3_step(st) : SQLITE_ERROR;
    sqlite3_finalize(st);
    return result == SQLITE_DONE || result == SQLITE_ROW;
}

/* The one number that a statement gives; frees it. */
static int64_t number_of(sqlite3_stmt *st, int64_t otherwise)
{
    int64_t n = st && sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : otherwise;
    sqlite3_finalize(st);
    return n;
}

static bool begin(struct store *s)
{
    return sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
}

static bool commit(struct store *s, bool good)
{
    if (good && sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return true;
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* ---- opening ---- */

static bool open_file(struct store *s, const char *path)
{
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(s->db, 2000); /* `test-alert` beside a running sensor */
        if (sqlite3_exec(s->db,
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=4194304;"
                " PRAGMA max_page_count=16384;",
                NULL, NULL, NULL) == SQLITE_OK &&
            sqlite3_exec(s->db, schema, NULL, NULL, NULL) == SQLITE_OK)
            return true;
    }
    reason_say(&s->failure, "%s: cannot be used: %s; notices are kept in memory only", path, sqlite3_errmsg(s->db));
    sqlite3_close(s->db);
    s->db = NULL;
    return false;
}

/* The disk does not keep it: what comes from now on is kept in memory.  What waits on the disk waits for the next start. */
static bool to_memory(struct store *s)
{
    if (!s->on_disk)
        return false;
    reason_say(&s->failure, "the store of notices: %s; notices are kept in memory only", sqlite3_errmsg(s->db));
    sqlite3_close(s->db);
    s->on_disk = false;
    struct reason disk = s->failure;
    bool good = open_file(s, ":memory:");
    s->failure = disk;
    return good;
}

static bool meta_set(struct store *s, const char *name, int64_t value)
{
    return run(prepare(s, "INSERT INTO meta VALUES(?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", "ti", name, value));
}

static int64_t meta_get(struct store *s, const char *name, int64_t otherwise)
{
    return number_of(prepare(s, "SELECT value FROM meta WHERE name = ?", "t", name), otherwise);
}

struct store *store_open(const char *directory, struct reason *why)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    char path[4096];
    if (directory) {
        if (mkdir(directory, 0750) != 0 && errno != EEXIST)
            reason_say(&s->failure, "%s: cannot be made: %s; notices are kept in memory only", directory, strerror(errno));
        else {
            snprintf(path, sizeof path, "%s/notices.db", directory);
            mode_t before = umask(0027); /* bodies name people */
            s->on_disk = open_file(s, path);
            umask(before);
        }
    }
    if (!s->on_disk) {
        struct reason disk = s->failure;
        if (!open_file(s, ":memory:")) {
            free(s);
            return NULL;
        }
        s->failure = disk;
    }
    /* a number given out may not have been written: those of the last run are jumped over */
    s->next_number = (uint64_t)meta_get(s, "number", 1);
    if (why)
        *why = s->failure;
    return s;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

bool store_on_disk(struct store *s, struct reason *why)
{
    pthread_mutex_lock(&s->lock);
    *why = s->failure;
    pthread_mutex_unlock(&s->lock);
    return why->text[0] == '\0';
}

uint64_t store_number(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->next_number++;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void store_engine(struct store *s, bool start, int64_t now, uint32_t *boots, int64_t *began)
{
    pthread_mutex_lock(&s->lock);
    int64_t seconds = now / NS_PER_SECOND;
    int64_t b =
        meta_get(s, "engine_boots", s->on_disk ? 0 : seconds - INT64_C(1767225600)); /* without a disk the clock rises for us, from 2026 */
    *began = meta_get(s, "engine_began", seconds);
    if (start || b < 1) {
        b = b < 0 ? 1 : b < INT32_MAX ? b + 1 : INT32_MAX; /* RFC 3414 2.2.2: at the end it stays there */
        *began = seconds;
        meta_set(s, "engine_boots", b);
        meta_set(s, "engine_began", seconds);
    }
    *boots = (uint32_t)b;
    pthread_mutex_unlock(&s->lock);
}

uint64_t store_engine_mark(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t mark = meta_get(s, "engine_mark", 0);
    while (mark == 0)
        if (getrandom(&mark, sizeof mark, 0) == (ssize_t)sizeof mark && mark != 0)
            meta_set(s, "engine_mark", mark);
    pthread_mutex_unlock(&s->lock);
    return (uint64_t)mark;
}

/* ---- the queues ---- */

static int64_t waiting(struct store *s, const char *channel)
{
    return number_of(prepare(s, "SELECT count(*) FROM pending WHERE channel = ?", "t", channel), 0);
}

static bool drop_unused(struct store *s)
{
    return sqlite3_exec(s->db,
               "DELETE FROM notice WHERE number NOT IN (SELECT number FROM pending) AND number NOT IN (SELECT number FROM told)", NULL,
               NULL, NULL) == SQLITE_OK;
}

/* A full queue loses its oldest update; only when none is in it, its oldest notice. */
static bool make_room(struct store *s, const char *channel, uint64_t *dropped)
{
    while (waiting(s, channel) >= STORE_QUEUE) {
        int64_t number = number_of(prepare(s,
                                       "SELECT p.number FROM pending p JOIN notice n USING(number) WHERE p.channel = ?"
                                       " ORDER BY n.type NOT IN ('updated', 'heartbeat'), p.number LIMIT 1",
                                       "t", channel),
            -1);
        if (number < 0 || !run(prepare(s, "DELETE FROM pending WHERE channel = ? AND number = ?", "ti", channel, number)))
            return false;
        ++*dropped;
    }
    return true;
}

static bool add_entry(struct store *s, const struct notice *n, const struct store_entry *e, uint64_t *dropped)
{
    const struct told *t = e->told;
    int64_t number = (int64_t)n->number;
    if (n->type == NOTICE_HEARTBEAT && /* a heart beats now or not at all */
        !run(prepare(s, "DELETE FROM pending WHERE channel = ? AND number IN (SELECT number FROM notice WHERE type = 'heartbeat')", "t",
            e->channel)))
        return false;
    return make_room(s, e->channel, dropped) && run(prepare(s, "INSERT INTO pending VALUES(?, ?)", "ti", e->channel, number)) &&
           (!t || run(prepare(s, "INSERT OR REPLACE INTO told VALUES(?, ?, ?, ?, ?, ?, ?)", "ttiiiii", n->id, e->channel, (int64_t)t->open,
                      (int64_t)t->count, (int64_t)t->severity, t->last, number)));
}

static bool add(struct store *s, const struct notice *n, const struct store_entry *entries, size_t count, uint64_t dropped[])
{
    if (!begin(s))
        return false;
    bool good =
        meta_set(s, "number", (int64_t)n->number + 1) && run(prepare(s, "INSERT INTO notice VALUES(?, ?, ?, ?)", "itib", (int64_t)n->number,
                                                             notice_type_text(n->type), clock_now(), n->body, n->body_size));
    for (size_t i = 0; good && i < count; i++)
        good = add_entry(s, n, &entries[i], &dropped[i]);
    return commit(s, good && drop_unused(s));
}

/* The file has its bound (64 MiB): the oldest notice that waits goes, for all its channels.  False: there is none. */
static bool drop_oldest(struct store *s, const struct store_entry *entries, size_t count, uint64_t dropped[])
{
    int64_t number = number_of(prepare(s, "SELECT min(number) FROM pending", ""), 0);
    for (size_t i = 0; i < count; i++)
        dropped[i] += (uint64_t)number_of(
            prepare(s, "SELECT count(*) FROM pending WHERE channel = ? AND number = ?", "ti", entries[i].channel, number), 0);
    return number > 0 && run(prepare(s, "DELETE FROM pending WHERE number = ?", "i", number)) &&
           run(prepare(s, "UPDATE told SET number = 0 WHERE number = ?", "i", number)) && drop_unused(s);
}

void store_add(struct store *s, const struct notice *n, const struct store_entry *entries, size_t count, uint64_t dropped[])
{
    pthread_mutex_lock(&s->lock);
    memset(dropped, 0, count * sizeof *dropped);
    bool good = add(s, n, entries, count, dropped);
    while (!good && sqlite3_errcode(s->db) == SQLITE_FULL && drop_oldest(s, entries, count, dropped))
        good = add(s, n, entries, count, dropped);
    if (!good && (!to_memory(s) || !add(s, n, entries, count, dropped)))
        for (size_t i = 0; i < count; i++)
            dropped[i]++;
    pthread_mutex_unlock(&s->lock);
}

static bool forget_pending(struct store *s, const char *channel, int64_t number)
{
    return run(prepare(s, "DELETE FROM pending WHERE channel = ? AND number = ?", "ti", channel, number)) && drop_unused(s);
}

struct notice *store_next(struct store *s, const char *channel, int64_t oldest, uint64_t *dropped)
{
    struct notice *n = NULL;
    bool more = true;
    pthread_mutex_lock(&s->lock);
    while (more && !n) {
        sqlite3_stmt *st = prepare(s,
            "SELECT n.number, n.time, n.body FROM pending p JOIN notice n USING(number) WHERE p.channel = ? ORDER BY p.number LIMIT 1", "t",
            channel);
        more = st && sqlite3_step(st) == SQLITE_ROW;
        int64_t number = more ? sqlite3_column_int64(st, 0) : 0;
        if (more && sqlite3_column_int64(st, 1) >= oldest) {
            const char *body = (const char *)sqlite3_column_text(st, 2);
            n = body ? notice_parse(body, (size_t)sqlite3_column_bytes(st, 2), NULL) : NULL;
        }
        sqlite3_finalize(st);
        if (more && !n) {
            ++*dropped;
            more = forget_pending(s, channel, number);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

void store_done(struct store *s, const char *channel, uint64_t number)
{
    pthread_mutex_lock(&s->lock);
    if (!forget_pending(s, channel, (int64_t)number))
        to_memory(s); /* in it nothing waits: better than the same notice for ever */
    pthread_mutex_unlock(&s->lock);
}

size_t store_waiting(struct store *s, const char *channel)
{
    pthread_mutex_lock(&s->lock);
    int64_t n = waiting(s, channel);
    pthread_mutex_unlock(&s->lock);
    return (size_t)n;
}

/* ---- what is known ---- */

void store_open_incidents(struct store *s, const char *channel, void (*take)(void *user, const struct notice *n), void *user)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st =
        prepare(s, "SELECT n.body FROM told t JOIN notice n USING(number) WHERE t.channel = ? AND t.open ORDER BY t.number", "t", channel);
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        const char *body = (const char *)sqlite3_column_text(st, 0);
        struct notice *n = body ? notice_parse(body, (size_t)sqlite3_column_bytes(st, 0), NULL) : NULL;
        if (n)
            take(user, n);
        notice_free(n);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
}

void store_told(struct store *s, void (*take)(void *user, const char *id, const char *channel, const struct told *t), void *user)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = prepare(s, "SELECT id, channel, open, count, severity, last FROM told ORDER BY number", "");
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        struct told t = {.open = sqlite3_column_int(st, 2) != 0,
            .count = (uint32_t)sqlite3_column_int(st, 3),
            .severity = (enum storm_severity)sqlite3_column_int(st, 4),
            .last = sqlite3_column_int64(st, 5)};
        take(user, (const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 1), &t);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
}

void store_forget(struct store *s, const char *id)
{
    pthread_mutex_lock(&s->lock);
    if (!run(prepare(s, "DELETE FROM told WHERE id = ?", "t", id)) || !drop_unused(s))
        to_memory(s);
    pthread_mutex_unlock(&s->lock);
}

void store_trouble(struct store *s, const char *part, bool failing)
{
    pthread_mutex_lock(&s->lock);
    run(prepare(s, failing ? "INSERT OR IGNORE INTO trouble VALUES(?)" : "DELETE FROM trouble WHERE part = ?", "t", part));
    pthread_mutex_unlock(&s->lock); /* not written: after a restart it is told once more */
}

void store_troubles(struct store *s, void (*take)(void *user, const char *part), void *user)
{
    pthread_mutex_lock(&s->lock);
    sqlite3_stmt *st = prepare(s, "SELECT part FROM trouble", "");
    while (st && sqlite3_step(st) == SQLITE_ROW)
        take(user, (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    pthread_mutex_unlock(&s->lock);
}
