/* In: storms, each time they change.  Out: rows of history.db, and the same storms again for `squall alarms`, `squall report` and a
 * restarted sensor. A row holds the JSON of its thing (storm_json.h) and nothing twice: the columns to search by are generated from it,
 * for people with sqlite3(1). Writes gather in one transaction and are committed once a second: WAL with synchronous=NORMAL loses
 * nothing committed when the process is killed. */
#include "stats/history.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "stats/retention.h"
#include "stats/storm_json.h"

#define SCHEMA_VERSION 2 /* 1: nothing was sealed yet */
#define APPLICATION_ID 0x53514c31 /* "SQL1" of Squall, so that nobody's other database is taken for a history */
#define PAGE_BYTES     4096
#define PATH_SIZE      4096
#define HOUR           (3600 * NS_PER_SECOND)
#define ROOM_PAGES                                                                                                                         \
    2048 /* kept free: twice what the largest storm takes, so that only a full disk, never our own bound, stops a write half-way */

static const char SCHEMA[] =
    "CREATE TABLE alarms (id TEXT PRIMARY KEY, record TEXT NOT NULL,"
    " kind TEXT AS (record ->> 'kind'), severity TEXT AS (record ->> 'severity'), state TEXT AS (record ->> 'state'), message_id TEXT AS "
    "(record ->> 'message_id'),"
    " raised TEXT AS (record ->> 'raised'), updated TEXT AS (record ->> 'updated'), cleared TEXT AS (record ->> 'cleared')) STRICT, "
    "WITHOUT ROWID;"
    "CREATE INDEX alarms_by_raising ON alarms (raised, id);"
    "CREATE INDEX alarms_by_clearing ON alarms (cleared, raised);"
    "CREATE TABLE hosts (alarm TEXT NOT NULL REFERENCES alarms ON DELETE CASCADE, position INTEGER NOT NULL, record TEXT NOT NULL,"
    " address TEXT AS (record ->> 'address'), name TEXT AS (record ->> 'name'), role TEXT AS (record ->> 'role'), PRIMARY KEY (alarm, "
    "position)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX hosts_by_address ON hosts (address);"
    "CREATE TABLE evidence (alarm TEXT NOT NULL REFERENCES alarms ON DELETE CASCADE, position INTEGER NOT NULL, record TEXT NOT NULL,"
    " host INTEGER AS (record ->> 'host'), said TEXT AS (record ->> 'said'), PRIMARY KEY (alarm, position)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE edges (alarm TEXT NOT NULL REFERENCES alarms ON DELETE CASCADE, position INTEGER NOT NULL, record TEXT NOT NULL,"
    " PRIMARY KEY (alarm, position)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE timeline (alarm TEXT NOT NULL REFERENCES alarms ON DELETE CASCADE, position INTEGER NOT NULL, record TEXT NOT NULL,"
    " time TEXT AS (record ->> 'time'), what TEXT AS (record ->> 'what'), PRIMARY KEY (alarm, position)) STRICT, WITHOUT ROWID;";
static const char SCHEMA_OF_2[] =
    "CREATE TABLE sealed (alarm TEXT PRIMARY KEY REFERENCES alarms ON DELETE CASCADE, record BLOB NOT NULL) STRICT;";

#define PUT(table)                                                                                                                         \
    "INSERT INTO " table " (alarm, position, record) VALUES (?1, ?2, ?3)"                                                                  \
    " ON CONFLICT DO UPDATE SET record = excluded.record WHERE record <> excluded.record"
#define TRIM(table) "DELETE FROM " table " WHERE alarm = ?1 AND position >= ?2"
#define GET(table)  "SELECT record FROM " table " WHERE alarm = ?1 ORDER BY position"
#define CHILDREN(X) X(HOSTS, "hosts") X(EVIDENCE, "evidence") X(EDGES, "edges") X(TIMELINE, "timeline")

enum sql {
#define X(name, table) PUT_##name, TRIM_##name, GET_##name,
    CHILDREN(X)
#undef X
        PUT_ALARM,
    GET_ALARM,
    PUT_SEALED,
    DROP_SEALED,
    GET_SEALED,
    LIST_ALL,
    LIST_OPEN,
    FORGET_OLD,
    DROP_OLDEST,
    BEGIN,
    COMMIT,
    BEGIN_READING,
    SAVEPOINT,
    RELEASE,
    ROLLBACK_TO,
    SQL_COUNT
};

static const char *const SQL[SQL_COUNT] = {
#define X(name, table) [PUT_##name] = PUT(table), [TRIM_##name] = TRIM(table), [GET_##name] = GET(table),
    CHILDREN(X)
#undef X
        [PUT_ALARM] = ("INSERT INTO alarms (id, record) VALUES (?1, ?2) "
                       "ON CONFLICT DO UPDATE SET record = excluded.record WHERE record <> excluded.record"),
    [GET_ALARM] = "SELECT record FROM alarms WHERE id = ?1",
    [PUT_SEALED] = "INSERT OR REPLACE INTO sealed (alarm, record) VALUES (?1, ?2)",
    [DROP_SEALED] = "DELETE FROM sealed WHERE alarm = ?1",
    [GET_SEALED] = "SELECT record FROM sealed WHERE alarm = ?1",
    [LIST_ALL] = "SELECT id FROM alarms ORDER BY raised, id",
    [LIST_OPEN] = "SELECT id FROM alarms WHERE cleared IS NULL ORDER BY raised, id",
    [FORGET_OLD] = "DELETE FROM alarms WHERE cleared < ?1",
    [DROP_OLDEST] = "DELETE FROM alarms WHERE id = (SELECT id FROM alarms WHERE cleared IS NOT NULL ORDER BY cleared, raised LIMIT 1)",
    [BEGIN] = "BEGIN IMMEDIATE",
    [BEGIN_READING] = "BEGIN",
    [COMMIT] = "COMMIT",
    [SAVEPOINT] = "SAVEPOINT storm",
    [RELEASE] = "RELEASE storm",
    [ROLLBACK_TO] = "ROLLBACK TO storm",
};

struct history {
    sqlite3 *db;
    sqlite3_stmt *statement[SQL_COUNT]; /* prepared at first use */
    int directory;                      /* locked while we write; -1 when reading */
    int64_t keep;                       /* ns */
    int64_t batch_since, swept;         /* ns; when the open transaction began, when old alarms were last forgotten */
    char path[PATH_SIZE], state_directory[PATH_SIZE];
};

#define OFFSET(field) offsetof(struct history_settings, field)
const struct setting history_settings_list[] = {
    {NULL, "state_directory", SETTING_TEXT, OFFSET(directory), "/var/lib/squall", 0, 0,
        "Where the history, the graphs' data and the evidence are kept; private to Squall."},
    {"history", "size", SETTING_SIZE, OFFSET(bytes), "256 MiB", 16 << 20, 1e13,
        "Most the alarms' database may take; the longest cleared alarms go first, an open one never; bytes."},
    {"history", "keep", SETTING_SECONDS, OFFSET(keep), "400 d", 3600, 1e9, "How long an alarm is kept after its all-clear; seconds."},
};
const size_t history_settings_count = sizeof history_settings_list / sizeof *history_settings_list;

static bool sql_failed(const struct history *h, const char *what, struct reason *why)
{
    return reason_say(why, "%s: cannot %s: %s; check the disk and who may write there", h->path, what, sqlite3_errmsg(h->db));
}

static sqlite3_stmt *prepared(struct history *h, enum sql which)
{
    if (!h->statement[which] &&
        sqlite3_prepare_v3(h->db, SQL[which], -1, SQLITE_PREPARE_PERSISTENT, &h->statement[which], NULL) != SQLITE_OK)
        return NULL;
    return h->statement[which];
}

/* Steps a statement that gives no rows; SQLITE_OK or what went wrong. */
static int run(struct history *h, enum sql which)
{
    sqlite3_stmt *s = prepared(h, which);
    if (!s)
        return sqlite3_errcode(h->db);
    int rc = sqlite3_step(s);
    int reset = sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : reset;
}

static bool bind_text(sqlite3_stmt *s, int at, const char *text)
{
    return s && sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT) == SQLITE_OK;
}

static bool bind_json(sqlite3_stmt *s, int at, const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | STORM_JSON_FLAGS);
    return s && text ? sqlite3_bind_text(s, at, text, -1, free) == SQLITE_OK : (free(text), false);
}

/* ---- opening ---- */

static struct history *fresh(const char *directory, struct reason *why)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h) {
        reason_say(why, "%s: cannot open the history: out of memory", directory);
        return NULL;
    }
    h->directory = -1;
    span_copy(span_text(directory), h->state_directory, sizeof h->state_directory);
    if ((size_t)snprintf(h->path, sizeof h->path, "%s/history.db", directory) >= sizeof h->path) {
        reason_say(why, "%.100s...: the path is too long; choose a shorter state_directory", directory);
        free(h);
        return NULL;
    }
    return h;
}

static bool pragma_number(struct history *h, const char *sql, int64_t *n)
{
    sqlite3_stmt *s = NULL;
    bool got = sqlite3_prepare_v2(h->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    *n = got ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return got;
}

/* Is this a history that we understand?  An empty database is one when `making`. */
static bool schema_known(struct history *h, bool making, struct reason *why)
{
    int64_t application, version, things;
    if (!pragma_number(h, "PRAGMA application_id", &application) || !pragma_number(h, "PRAGMA user_version", &version) ||
        !pragma_number(h, "SELECT count(*) FROM sqlite_schema", &things))
        return reason_say(why, "%s: cannot read the history: %s; move the file away to begin a new one", h->path, sqlite3_errmsg(h->db));
    if (application == 0 && version == 0 && things == 0 && making)
        return true;
    if (application != APPLICATION_ID)
        return reason_say(why, "%s: this is not a history of Squall; choose another state_directory", h->path);
    if (version < 1 || version > SCHEMA_VERSION)
        return reason_say(why,
            "%s: the history has schema %lld, this version knows %d; use the version that wrote it, or move the file away", h->path,
            (long long)version, SCHEMA_VERSION);
    return true;
}

static bool make_schema(struct history *h, int64_t bytes, struct reason *why)
{
    int64_t version;
    char sql[256];
    snprintf(sql, sizeof sql,
        "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA temp_store = "
        "MEMORY;"
        "PRAGMA journal_size_limit = 8388608; PRAGMA secure_delete = ON; PRAGMA max_page_count = %lld;",
        PAGE_BYTES, (long long)(bytes / PAGE_BYTES));
    if (sqlite3_exec(h->db, sql, NULL, NULL, NULL) != SQLITE_OK || !pragma_number(h, "PRAGMA user_version", &version))
        return sql_failed(h, "set up the history", why);
    if (version == SCHEMA_VERSION)
        return true;
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID, SCHEMA_VERSION);
    if (sqlite3_exec(h->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        (version < 1 && sqlite3_exec(h->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK) ||
        sqlite3_exec(h->db, SCHEMA_OF_2, NULL, NULL, NULL) != SQLITE_OK || sqlite3_exec(h->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sql_failed(h, "make the tables", why);
    return true;
}

/* The directory, made when missing, and ours alone as a writer from here on. */
static bool take_directory(struct history *h, const char *directory, struct reason *why, int *status)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        *status = errno == EACCES || errno == EPERM || errno == EROFS ? EX_NOPERM : EX_NOINPUT;
        return reason_say(why, "%s: cannot make the directory: %s; make it, or choose another state_directory", directory, strerror(errno));
    }
    h->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (h->directory < 0) {
        *status = errno == EACCES ? EX_NOPERM : EX_NOINPUT;
        return reason_say(why, "%s: cannot open the directory: %s; check state_directory", directory, strerror(errno));
    }
    if (flock(h->directory, LOCK_EX | LOCK_NB) != 0) {
        *status = EX_UNAVAILABLE;
        return reason_say(why, "%s: another squall is writing its history here; stop it, or choose another state_directory", directory);
    }
    int file = openat(h->directory, "history.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite gives its log the same mode */
    if (file < 0) {
        *status = EX_NOPERM;
        return reason_say(why, "%s: cannot write the history: %s; check who owns it", h->path, strerror(errno));
    }
    close(file);
    return true;
}

struct history *history_open(const struct history_settings *settings, struct reason *why, int *status)
{
    *status = EX_OSERR;
    struct history *h = fresh(settings->directory, why);
    if (!h || !take_directory(h, settings->directory, why, status))
        goto fail;
    *status = EX_IOERR;
    h->keep = settings->keep;
    h->swept = TIME_UNKNOWN;
    if (sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        sql_failed(h, "open the history", why);
        goto fail;
    }
    sqlite3_busy_timeout(h->db, 250);
    if (!schema_known(h, true, why) || !make_schema(h, settings->bytes, why))
        goto fail;
    *status = EX_OK;
    return h;
fail:
    history_close(h);
    return NULL;
}

/* As a file: URI, for which '%', '?' and '#' have a meaning. */
static bool uri_of(const char *path, const char *options, char *to, size_t size)
{
    size_t at = (size_t)snprintf(to, size, "file:");
    for (; *path && at + 4 < size; path++)
        at += (size_t)snprintf(to + at, size - at, strchr("%?#", *path) ? "%%%02x" : "%c", (unsigned char)*path);
    return !*path && (size_t)snprintf(to + at, size - at, "%s", options) < size - at;
}

struct history *history_open_reading(const char *directory, struct reason *why, int *status)
{
    char uri[PATH_SIZE + 64], log[PATH_SIZE + 8];
    *status = EX_OSERR;
    struct history *h = fresh(directory, why);
    if (!h)
        return NULL;
    if (access(h->path, R_OK) != 0) {
        *status = errno == ENOENT || errno == ENOTDIR ? EX_NOINPUT : EX_NOPERM;
        reason_say(why, "%s: cannot read the history: %s; %s", h->path, strerror(errno),
            *status == EX_NOINPUT ? "has `squall watch` run with this state_directory?" : "run it as the user of `squall watch`");
        goto fail;
    }
    /* Reading a WAL database needs its -shm file, which takes a directory one may write to.  Where one may not, and nobody is writing,
     * the file as it lies there is the whole truth. */
    snprintf(log, sizeof log, "%s-wal", h->path);
    bool still = access(directory, W_OK) != 0 && access(log, F_OK) != 0;
    *status = EX_DATAERR;
    if (!uri_of(h->path, still ? "?immutable=1" : "", uri, sizeof uri) ||
        sqlite3_open_v2(uri, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        reason_say(why, "%s: cannot open the history: %s", h->path, h->db ? sqlite3_errmsg(h->db) : "the path is too long");
        goto fail;
    }
    sqlite3_busy_timeout(h->db, 2000);
    if (!schema_known(h, false, why))
        goto fail;
    *status = EX_OK;
    return h;
fail:
    history_close(h);
    return NULL;
}

void history_close(struct history *h)
{
    if (!h)
        return;
    if (h->db && !sqlite3_get_autocommit(h->db))
        run(h, COMMIT);
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(h->statement[i]);
    sqlite3_close(h->db);
    if (h->directory >= 0)
        close(h->directory);
    free(h);
}

/* ---- writing ---- */

/* Rows of one list of a storm in place of those that were there. */
static int put_list(struct history *h, enum sql put, enum sql trim, const char *id, const json_t *list)
{
    int rc = SQLITE_OK;
    size_t n = json_array_size(list);
    sqlite3_stmt *s = prepared(h, put);
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
        bool bound =
            bind_text(s, 1, id) && sqlite3_bind_int64(s, 2, (sqlite3_int64)i) == SQLITE_OK && bind_json(s, 3, json_array_get(list, i));
        rc = bound ? run(h, put) : SQLITE_NOMEM;
    }
    s = prepared(h, trim);
    if (rc == SQLITE_OK)
        rc = bind_text(s, 1, id) && sqlite3_bind_int64(s, 2, (sqlite3_int64)n) == SQLITE_OK ? run(h, trim) : SQLITE_NOMEM;
    return rc;
}

/* Takes the evidence out of the hosts into one list whose items say which host they are about. */
static json_t *evidence_out(json_t *hosts)
{
    json_t *all = json_array(), *host, *piece;
    size_t i, k;
    json_array_foreach(hosts, i, host)
    {
        json_array_foreach(json_object_get(host, "evidence"), k, piece)
        {
            if (json_object_set_new(piece, "host", json_integer((json_int_t)i)) != 0 || json_array_append(all, piece) != 0) {
                json_decref(all);
                return NULL;
            }
        }
        json_object_del(host, "evidence");
    }
    return all;
}

static json_t *list_out(json_t *object, const char *name)
{
    json_t *list = json_incref(json_object_get(object, name));
    json_object_del(object, name);
    return list;
}

static int put_storm(struct history *h, const char *id, json_t *object)
{
    json_t *hosts = list_out(object, "hosts"), *edges = list_out(object, "edges"), *timeline = list_out(object, "timeline"),
           *evidence = evidence_out(hosts);
    sqlite3_stmt *s = prepared(h, PUT_ALARM);
    int rc = evidence && bind_text(s, 1, id) && bind_json(s, 2, object) ? run(h, PUT_ALARM) : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = put_list(h, PUT_HOSTS, TRIM_HOSTS, id, hosts);
    if (rc == SQLITE_OK)
        rc = put_list(h, PUT_EVIDENCE, TRIM_EVIDENCE, id, evidence);
    if (rc == SQLITE_OK)
        rc = put_list(h, PUT_EDGES, TRIM_EDGES, id, edges);
    if (rc == SQLITE_OK)
        rc = put_list(h, PUT_TIMELINE, TRIM_TIMELINE, id, timeline);
    json_decref(hosts);
    json_decref(edges);
    json_decref(timeline);
    json_decref(evidence);
    return rc;
}

/* NULL: what was sealed before stays. */
static int put_sealed(struct history *h, const char *id, const struct span *sealed)
{
    if (!sealed)
        return SQLITE_OK;
    enum sql which = sealed->n ? PUT_SEALED : DROP_SEALED;
    sqlite3_stmt *s = prepared(h, which);
    bool bound = bind_text(s, 1, id) && (!sealed->n || sqlite3_bind_blob64(s, 2, sealed->p, sealed->n, SQLITE_TRANSIENT) == SQLITE_OK);
    return bound ? run(h, which) : SQLITE_NOMEM;
}

/* One storm, wholly or not at all. */
static int store_once(struct history *h, const struct storm *s, const struct span *sealed)
{
    json_t *object = storm_json_bare(s);
    int rc = object ? run(h, SAVEPOINT) : SQLITE_NOMEM;
    if (rc == SQLITE_OK) {
        rc = put_storm(h, s->id, object);
        if (rc == SQLITE_OK)
            rc = put_sealed(h, s->id, sealed);
        if (rc != SQLITE_OK && !sqlite3_get_autocommit(h->db))
            run(h, ROLLBACK_TO);
        if (!sqlite3_get_autocommit(h->db))
            run(h, RELEASE);
    }
    json_decref(object);
    return rc;
}

/* Lets the longest cleared alarms go until there is room for one more storm; false: there is none, or the database does not answer. */
static bool make_room(struct history *h)
{
    for (;;) {
        int64_t pages, unused, most;
        if (!pragma_number(h, "PRAGMA page_count", &pages) || !pragma_number(h, "PRAGMA freelist_count", &unused) ||
            !pragma_number(h, "PRAGMA max_page_count", &most))
            return false;
        if (most - pages + unused >= ROOM_PAGES)
            return true;
        if (run(h, DROP_OLDEST) != SQLITE_OK || sqlite3_changes(h->db) == 0)
            return false;
    }
}

static bool store(struct history *h, const struct storm *s, const struct span *sealed, int64_t now, struct reason *why)
{
    int rc = SQLITE_OK;
    if (sqlite3_get_autocommit(h->db)) {
        rc = run(h, BEGIN);
        h->batch_since = now;
    }
    if (rc == SQLITE_OK && !make_room(h))
        return reason_say(why, "%s: no room for alarm %s, and nothing old that may go; raise the history's size", h->path, s->id);
    if (rc == SQLITE_OK)
        rc = store_once(h, s, sealed);
    if (rc != SQLITE_OK)
        return reason_say(why, "%s: cannot store alarm %s: %s; check the disk and who may write there", h->path, s->id, sqlite3_errstr(rc));
    return now - h->batch_since < NS_PER_SECOND || history_tick(h, now, why);
}

bool history_store(struct history *h, const struct storm *s, int64_t now, struct reason *why)
{
    return store(h, s, NULL, now, why);
}

bool history_store_sealed(struct history *h, const struct storm *s, struct span sealed, int64_t now, struct reason *why)
{
    return store(h, s, &sealed, now, why);
}

bool history_settle(struct history *h, struct reason *why)
{
    if (!sqlite3_get_autocommit(h->db) && run(h, COMMIT) != SQLITE_OK)
        return sql_failed(h, "write the alarms", why);
    return sqlite3_exec(h->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK ||
           sql_failed(h, "tidy up the history", why);
}

static bool forget_old(struct history *h, int64_t now)
{
    char before[TIME_TEXT];
    h->swept = now;
    return bind_text(prepared(h, FORGET_OLD), 1, clock_text(now - h->keep, before)) && run(h, FORGET_OLD) == SQLITE_OK;
}

bool history_tick(struct history *h, int64_t now, struct reason *why)
{
    bool sweep = h->swept == TIME_UNKNOWN || now - h->swept >= HOUR;
    if (sweep && !forget_old(h, now))
        return sql_failed(h, "forget old alarms", why);
    if (!sqlite3_get_autocommit(h->db) && run(h, COMMIT) != SQLITE_OK)
        return sql_failed(h, "write the alarms of the last second", why);
    h->batch_since = now;
    return !sweep || (history_settle(h, why) && retention_sweep(h, h->state_directory, h->keep, now, why));
}

/* ---- reading ---- */

static json_t *json_column(sqlite3_stmt *s)
{
    const unsigned char *text = sqlite3_column_text(s, 0);
    return text ? json_loadb((const char *)text, (size_t)sqlite3_column_bytes(s, 0), JSON_REJECT_DUPLICATES, NULL) : NULL;
}

/* The rows of one list of an alarm; NULL: they cannot be read. */
static json_t *get_list(struct history *h, enum sql get, const char *id)
{
    sqlite3_stmt *s = prepared(h, get);
    json_t *list = json_array();
    bool good = list && bind_text(s, 1, id);
    int rc = SQLITE_DONE;
    while (good && (rc = sqlite3_step(s)) == SQLITE_ROW)
        good = json_array_append_new(list, json_column(s)) == 0;
    sqlite3_reset(s);
    if (good && rc == SQLITE_DONE)
        return list;
    json_decref(list);
    return NULL;
}

/* Gives each host its evidence back. */
static bool evidence_in(json_t *hosts, json_t *evidence)
{
    json_t *piece;
    size_t i;
    json_array_foreach(evidence, i, piece)
    {
        json_int_t at = json_integer_value(json_object_get(piece, "host"));
        json_t *host = at >= 0 ? json_array_get(hosts, (size_t)at) : NULL, *list = json_object_get(host, "evidence");
        if (host && !list && json_object_set_new(host, "evidence", list = json_array()) != 0)
            return false;
        if (host && json_array_append(list, piece) != 0)
            return false;
    }
    return true;
}

static json_t *alarm_object(struct history *h, const char *id, bool *missing)
{
    sqlite3_stmt *s = prepared(h, GET_ALARM);
    int rc = bind_text(s, 1, id) ? sqlite3_step(s) : SQLITE_ERROR;
    json_t *object = rc == SQLITE_ROW ? json_column(s) : NULL;
    *missing = rc == SQLITE_DONE;
    sqlite3_reset(s);
    return object;
}

/* All rows of one alarm; the caller sees to it that they are of one moment. */
static struct storm *load(struct history *h, const char *id, struct reason *why)
{
    bool missing;
    struct storm *s = NULL;
    json_t *object = alarm_object(h, id, &missing);
    if (missing) {
        reason_say(why, "%.64s: no such alarm in %s; `squall alarms` lists them", id, h->path);
        return NULL;
    }
    json_t *hosts = get_list(h, GET_HOSTS, id), *evidence = get_list(h, GET_EVIDENCE, id), *edges = get_list(h, GET_EDGES, id),
           *timeline = get_list(h, GET_TIMELINE, id);
    if (object && hosts && evidence && edges && timeline && evidence_in(hosts, evidence) && json_object_set(object, "hosts", hosts) == 0 &&
        json_object_set(object, "edges", edges) == 0 && json_object_set(object, "timeline", timeline) == 0)
        s = storm_json_parse(object, why);
    else
        reason_say(why, "%s: cannot read alarm %.64s: %s", h->path, id, sqlite3_errmsg(h->db));
    json_decref(object);
    json_decref(hosts);
    json_decref(evidence);
    json_decref(edges);
    json_decref(timeline);
    return s;
}

struct storm *history_load(struct history *h, const char *id, struct reason *why)
{
    bool ours = sqlite3_get_autocommit(h->db);
    if (ours && run(h, BEGIN_READING) != SQLITE_OK) {
        sql_failed(h, "read the history", why);
        return NULL;
    }
    struct storm *s = load(h, id, why);
    if (ours)
        run(h, COMMIT);
    return s;
}

bool history_sealed(struct history *h, const char *id, uint8_t **sealed, size_t *n, struct reason *why)
{
    sqlite3_stmt *s = prepared(h, GET_SEALED); /* none: the history is of version 1 */
    bool found = bind_text(s, 1, id) && sqlite3_step(s) == SQLITE_ROW;
    *n = found ? (size_t)sqlite3_column_bytes(s, 0) : 0;
    *sealed = *n ? malloc(*n) : NULL;
    if (*sealed)
        memcpy(*sealed, sqlite3_column_blob(s, 0), *n);
    sqlite3_reset(s);
    return *sealed || reason_say(why, "alarm %.64s: its clear text was not kept: privacy_reveal was 0, or there was no key", id);
}

bool history_has(struct history *h, const char *id)
{
    bool missing;
    json_t *object = alarm_object(h, id, &missing);
    json_decref(object);
    return !missing;
}

static bool visit_list(struct history *h, enum sql list, history_visitor *visit, void *user, struct reason *why)
{
    bool good = true, on = true;
    int rc = SQLITE_ERROR;
    sqlite3_stmt *s = prepared(h, list);
    while (on && s && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        char id[STORM_ID_SIZE];
        span_copy(span_text((const char *)sqlite3_column_text(s, 0)), id, sizeof id);
        struct storm *one = load(h, id, why);
        good = good && one;
        if (one)
            on = visit(user, one);
        storm_json_free(one);
    }
    sqlite3_reset(s);
    return on && rc != SQLITE_DONE ? sql_failed(h, "list the alarms", why) : good;
}

bool history_all(struct history *h, history_visitor *visit, void *user, struct reason *why)
{
    return visit_list(h, LIST_ALL, visit, user, why);
}

bool history_open_storms(struct history *h, history_visitor *visit, void *user, struct reason *why)
{
    return visit_list(h, LIST_OPEN, visit, user, why);
}
