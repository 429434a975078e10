/* The history keeps what it was given: through a kill, within its bounds, beside readers, and only in a file that is its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "stats/history.h"
#include "stats/storm_json.h"
#include "tests/unit/sample_storm.h"

#define DAY (86400 * NS_PER_SECOND)

static char directory[64], database[96];
static struct history_settings settings = {.directory = directory, .bytes = 64 << 20, .keep = 30 * DAY};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    char top[] = "/tmp/squall_history_XXXXXX";
    if (!mkdtemp(top))
        return -1;
    snprintf(directory, sizeof directory, "%s/state", top);
    snprintf(database, sizeof database, "%s/history.db", directory);
    settings.bytes = 64 << 20;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    *strrchr(directory, '/') = '\0';
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct history *opened(void)
{
    struct reason why = {""};
    int status;
    struct history *h = history_open(&settings, &why, &status);
    if (!h)
        fail_msg("%s", why.text);
    assert_int_equal(status, EX_OK);
    return h;
}

static struct history *reading(void)
{
    struct reason why = {""};
    int status;
    struct history *h = history_open_reading(directory, &why, &status);
    if (!h)
        fail_msg("%s", why.text);
    return h;
}

static void stored(struct history *h, const struct storm *s, int64_t now)
{
    struct reason why = {""};
    if (!history_store(h, s, now, &why))
        fail_msg("%s", why.text);
}

static void ticked(struct history *h, int64_t now)
{
    struct reason why = {""};
    if (!history_tick(h, now, &why))
        fail_msg("%s", why.text);
}

static void assert_same(const struct storm *a, const struct storm *b)
{
    json_t *ja = storm_json(a), *jb = storm_json(b);
    char *ta = json_dumps(ja, STORM_JSON_FLAGS), *tb = json_dumps(jb, STORM_JSON_FLAGS);
    assert_string_equal(ta, tb);
    free(ta);
    free(tb);
    json_decref(ja);
    json_decref(jb);
}

static int64_t number_of(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n =
        sqlite3_column_type(s, 0) == SQLITE_TEXT ? strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0 : sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

static bool count_visit(void *user, const struct storm *s)
{
    (void)s;
    ++*(int *)user;
    return true;
}

static void keeps_every_word(void **state)
{
    (void)state;
    struct sample_storm *a = sample_reinjection(), *b = sample_hostile();
    struct history *h = opened();
    stored(h, &a->storm, SAMPLE_TIME);
    stored(h, &b->storm, SAMPLE_TIME);
    history_close(h);
    struct stat st;
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(database, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    h = reading();
    struct reason why;
    struct storm *back = history_load(h, a->storm.id, &why);
    assert_non_null(back);
    assert_same(back, &a->storm);
    assert_string_equal(back->hosts[4].evidence[0].said, a->hosts[4].evidence[0].said);
    storm_json_free(back);
    back = history_load(h, b->storm.id, &why);
    assert_non_null(back);
    assert_same(back, &b->storm);
    storm_json_free(back);
    assert_null(history_load(h, "' OR 1=1 --", &why));
    assert_non_null(strstr(why.text, "no such alarm"));
    assert_false(history_store(h, &a->storm, SAMPLE_TIME, &why)); /* reading only */
    history_close(h);
    assert_int_equal(number_of("SELECT count(*) FROM hosts WHERE address = '10.3.3.10' AND role = 'reinjector'"), 2);
    free(a);
    free(b);
}

static void a_newer_state_takes_the_place_of_the_older(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    struct history *h = opened();
    stored(h, &x->storm, SAMPLE_TIME);
    x->storm.host_count = 4; /* fewer of everything: no row of the older state may remain */
    x->storm.edge_count = 2;
    x->storm.event_count = 1;
    x->hosts[0].evidence_count = 0;
    x->hosts[3].role = ROLE_LOOPER;
    x->storm.severity = SEVERITY_MAJOR;
    stored(h, &x->storm, SAMPLE_TIME);
    struct reason why;
    struct storm *back = history_load(h, x->storm.id, &why);
    assert_same(back, &x->storm);
    storm_json_free(back);
    history_close(h);
    assert_int_equal(number_of("SELECT count(*) FROM evidence"), 1);
    free(x);
}

static void open_storms_come_back(void **state)
{
    (void)state;
    struct sample_storm *a = sample_reinjection(), *b = sample_hostile();
    struct history *h = opened();
    b->storm.state = STATE_CLEARED;
    b->storm.cleared = b->storm.updated;
    stored(h, &a->storm, SAMPLE_TIME);
    stored(h, &b->storm, SAMPLE_TIME);
    history_close(h);
    h = opened();
    struct reason why;
    int open = 0, all = 0;
    assert_true(history_open_storms(h, count_visit, &open, &why));
    assert_true(history_all(h, count_visit, &all, &why));
    assert_int_equal(open, 1);
    assert_int_equal(all, 2);
    history_close(h);
    free(a);
    free(b);
}

static void a_reader_sees_the_last_second_and_never_half_a_storm(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    struct history *h = opened();
    stored(h, &x->storm, SAMPLE_TIME);
    ticked(h, SAMPLE_TIME + NS_PER_SECOND);
    struct history *r = reading();
    x->storm.copies = 999;
    x->storm.host_count = 2;
    stored(h, &x->storm, SAMPLE_TIME + NS_PER_SECOND); /* not committed */
    struct reason why;
    struct storm *back = history_load(r, x->storm.id, &why);
    assert_int_equal(back->copies, 378);
    assert_int_equal(back->host_count, 5);
    storm_json_free(back);
    ticked(h, SAMPLE_TIME + 2 * NS_PER_SECOND);
    back = history_load(r, x->storm.id, &why);
    assert_int_equal(back->copies, 999);
    assert_int_equal(back->host_count, 2);
    storm_json_free(back);
    history_close(r);
    history_close(h);
    free(x);
}

/* Stores and commits until it is killed, telling each number that is on disk. */
static void store_for_ever(int tell)
{
    struct sample_storm *x = sample_hostile();
    struct reason why;
    int status;
    struct history *h = history_open(&settings, &why, &status);
    for (uint64_t n = 1; h; n++) {
        x->storm.copies = n;
        x->storm.host_count = 1 + (uint32_t)(n % 5);
        if (!history_store(h, &x->storm, (int64_t)n * NS_PER_SECOND, &why) || !history_tick(h, (int64_t)n * NS_PER_SECOND, &why) ||
            write(tell, &n, sizeof n) != sizeof n)
            break;
    }
    _exit(1);
}

static void what_was_committed_survives_kill_9(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(told[0]);
            store_for_ever(told[1]);
        }
        close(told[1]);
        uint64_t last = 0, n;
        for (int i = 0; i < 20 + round * 13; i++)
            if (read(told[0], &n, sizeof n) == sizeof n)
                last = n;
        assert_true(last > 0);
        kill(child, SIGKILL);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how)); /* it was still storing */
        while (read(told[0], &n, sizeof n) == sizeof n)
            last = n;
        close(told[0]);
        assert_int_equal(number_of("PRAGMA integrity_check"), 1);
        struct history *h = opened();
        struct reason why;
        struct storm *back = history_load(h, "20261124T034918Z-2", &why);
        if (!back)
            fail_msg("%s", why.text);
        assert_true(back->copies >= last && back->copies <= last + 1);
        assert_int_equal(back->host_count, 1 + back->copies % 5); /* all of one moment */
        storm_json_free(back);
        history_close(h);
    }
}

/* As large as a storm can be, or a good part of it. */
static struct sample_storm *sample_large(uint32_t hosts)
{
    struct sample_storm *x = sample_hostile();
    for (uint32_t i = x->storm.host_count; i < hosts; i++) {
        x->hosts[i] = x->hosts[3];
        for (uint32_t k = 0; k < STORM_EVIDENCE; k++) {
            x->hosts[i].evidence[k] = x->hosts[3].evidence[0];
            memset(x->hosts[i].evidence[k].said, '"', STORM_TEXT_SIZE - 1); /* two bytes each in JSON */
        }
        x->hosts[i].evidence_count = STORM_EVIDENCE;
    }
    x->storm.host_count = hosts;
    for (uint32_t i = 0; i < STORM_EDGES; i++)
        x->edges[i] = x->edges[0];
    x->storm.edge_count = STORM_EDGES;
    return x;
}

static void stays_within_its_bytes(void **state)
{
    (void)state;
    settings.bytes = 16 << 20;
    struct history *h = opened();
    struct sample_storm *x = sample_large(STORM_HOSTS);
    SAMPLE_TEXT(x->storm.id, "open");
    stored(h, &x->storm, SAMPLE_TIME);
    x->storm.state = STATE_CLEARED;
    for (int i = 0; i < 24; i++) {
        SAMPLE_TEXT(x->storm.id, "cleared-%04d", i);
        x->storm.raised = SAMPLE_TIME + i * NS_PER_SECOND / 4;
        x->storm.cleared = x->storm.raised + 30 * NS_PER_SECOND;
        stored(h, &x->storm, x->storm.raised);
    }
    struct reason why;
    struct storm *back = history_load(h, "cleared-0023", &why);
    assert_non_null(back);
    storm_json_free(back);
    assert_null(history_load(h, "cleared-0000", &why));
    back = history_load(h, "open", &why);
    assert_non_null(back);
    storm_json_free(back);
    history_close(h);
    struct stat st;
    assert_int_equal(stat(database, &st), 0);
    assert_in_range(st.st_size, 8 << 20, 16 << 20);
    assert_int_equal(number_of("SELECT count(*) FROM hosts WHERE alarm NOT IN (SELECT id FROM alarms)"), 0);
    assert_int_equal(number_of("PRAGMA integrity_check"), 1);
    free(x);
}

static void open_storms_alone_are_never_dropped(void **state)
{
    (void)state;
    settings.bytes = 16 << 20;
    struct history *h = opened();
    struct sample_storm *x = sample_large(128);
    struct reason why = {""};
    int kept = 0;
    for (; kept < 100; kept++) {
        SAMPLE_TEXT(x->storm.id, "open-%04d", kept);
        if (!history_store(h, &x->storm, SAMPLE_TIME + kept * NS_PER_SECOND, &why))
            break;
    }
    assert_in_range(kept, 4, 40);
    assert_non_null(strstr(why.text, "no room"));
    history_close(h);
    assert_int_equal(number_of("SELECT count(*) FROM alarms"), kept);
    assert_int_equal(number_of("PRAGMA integrity_check"), 1);
    free(x);
}

static void forgets_after_its_days(void **state)
{
    (void)state;
    struct history *h = opened();
    struct sample_storm *x = sample_reinjection();
    stored(h, &x->storm, SAMPLE_TIME); /* open: kept whatever its age */
    SAMPLE_TEXT(x->storm.id, "long ago");
    x->storm.state = STATE_CLEARED;
    x->storm.cleared = SAMPLE_TIME;
    stored(h, &x->storm, SAMPLE_TIME);
    SAMPLE_TEXT(x->storm.id, "yesterday");
    x->storm.cleared = SAMPLE_TIME + 29 * DAY;
    stored(h, &x->storm, SAMPLE_TIME);
    ticked(h, SAMPLE_TIME + 30 * DAY + NS_PER_SECOND);
    history_close(h);
    assert_int_equal(number_of("SELECT count(*) FROM alarms"), 2);
    assert_int_equal(number_of("SELECT count(*) FROM alarms WHERE id = 'long ago'"), 0);
    free(x);
}

static void refuses(int expected_status, const char *says)
{
    struct reason why = {""};
    int status;
    assert_null(history_open(&settings, &why, &status));
    assert_int_equal(status, expected_status);
    assert_non_null(strstr(why.text, says));
}

static void one_writer(void **state)
{
    (void)state;
    struct history *h = opened();
    refuses(EX_UNAVAILABLE, "another squall");
    history_close(h);
    history_close(opened());
}

static void write_sql(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void only_its_own_file(void **state)
{
    (void)state;
    history_close(opened());
    write_sql("PRAGMA user_version = 99");
    refuses(EX_IOERR, "schema 99");
    write_sql("PRAGMA user_version = 1; PRAGMA application_id = 7");
    refuses(EX_IOERR, "not a history of Squall");
    FILE *f = fopen(database, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", f);
    fclose(f);
    refuses(EX_IOERR, "move the file away");
}

static void nothing_to_read(void **state)
{
    (void)state;
    struct reason why = {""};
    int status;
    assert_null(history_open_reading(directory, &why, &status));
    assert_int_equal(status, EX_NOINPUT);
    assert_int_equal(access(directory, F_OK), -1);
}

static void a_crooked_row_is_told_and_the_others_still_come(void **state)
{
    (void)state;
    struct sample_storm *a = sample_reinjection(), *b = sample_hostile();
    struct history *h = opened();
    stored(h, &a->storm, SAMPLE_TIME);
    stored(h, &b->storm, SAMPLE_TIME);
    history_close(h);
    write_sql("UPDATE alarms SET record = '{\"kind\":3}' WHERE id LIKE '%-1'");
    h = reading();
    struct reason why = {""};
    int all = 0;
    assert_false(history_all(h, count_visit, &all, &why));
    assert_int_equal(all, 1);
    assert_true(why.text[0]);
    history_close(h);
    free(a);
    free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_every_word),
        TEST(a_newer_state_takes_the_place_of_the_older),
        TEST(open_storms_come_back),
        TEST(a_reader_sees_the_last_second_and_never_half_a_storm),
        TEST(what_was_committed_survives_kill_9),
        TEST(stays_within_its_bytes),
        TEST(open_storms_alone_are_never_dropped),
        TEST(forgets_after_its_days),
        TEST(one_writer),
        TEST(only_its_own_file),
        TEST(nothing_to_read),
        TEST(a_crooked_row_is_told_and_the_others_still_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
