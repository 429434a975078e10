/* The past on disk: what is put into round-robin files comes back; times that jump, go back or begin anew; an alarm's course; the
 * thread. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "stats/history.h"
#include "web/course.h"
#include "web/traffic.h"
#include "web/trend.h"

#define BEGIN INT64_C(1795492100)

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/squall-rrd-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static struct rates second_of(int64_t second, uint64_t messages)
{
    struct rates r = {.time = second * NS_PER_SECOND, .messages = messages, .deliveries = 3 * messages, .bytes = 1000 * messages};
    r.alarms[SEVERITY_CRITICAL] = 1;
    return r;
}

static bool put(struct traffic *t, int64_t first, size_t n, uint64_t messages)
{
    struct reason why = {""};
    size_t taken;
    while (n) {
        struct rates all[TRAFFIC_BATCH];
        size_t now = n < TRAFFIC_BATCH ? n : TRAFFIC_BATCH;
        for (size_t i = 0; i < now; i++)
            all[i] = second_of(first + (int64_t)i, messages);
        if (!traffic_put(t, all, now, &taken, &why)) {
            print_message("%s\n", why.text);
            return false;
        }
        assert_int_equal(taken, now);
        first += (int64_t)now;
        n -= now;
    }
    return true;
}

static size_t files(const char *beginning)
{
    char command[128];
    size_t n = 0;
    snprintf(command, sizeof command, "ls %s | grep -c '^%s'", directory, beginning);
    FILE *from = popen(command, "r");
    assert_int_equal(fscanf(from, "%zu", &n), 1);
    pclose(from);
    return n;
}

static void comes_back(void **state)
{
    struct traffic t;
    static struct traffic_row rows[400];
    (void)state;
    traffic_init(&t, directory, NULL);
    assert_true(put(&t, BEGIN, 100, 5));
    assert_true(put(&t, BEGIN + 100, 100, 7));
    size_t n = traffic_rows(&t, BEGIN, BEGIN + 200, 1, rows, 400);
    assert_int_equal(n, 200);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rows[i].time, BEGIN + (int64_t)i);
        assert_float_equal(rows[i].rate[0], i < 100 ? 5 : 7, 1e-9);
        assert_float_equal(rows[i].rate[1], i < 100 ? 15 : 21, 1e-9);
    }
    n = traffic_rows(&t, BEGIN, BEGIN + 200, 100, rows, 400); /* 1795492100 is a multiple of a hundred */
    assert_int_equal(n, 2);
    assert_true(rows[0].rate[0] > 4.9 && rows[0].rate[0] < 5.1 && rows[1].rate[0] > 6.9);
    assert_int_equal(traffic_rows(&t, BEGIN, BEGIN + 200, 1, rows, 10), 10);
}

static void goes_on(void **state)
{
    struct traffic t, again;
    static struct traffic_row rows[400];
    (void)state;
    traffic_init(&t, directory, NULL);
    assert_true(put(&t, BEGIN, 50, 5));
    traffic_init(&again, directory, NULL); /* another run, twenty seconds later */
    assert_true(put(&again, BEGIN + 70, 50, 9));
    assert_int_equal(files("traffic-"), 1);
    size_t n = traffic_rows(&again, BEGIN, BEGIN + 120, 1, rows, 400);
    assert_int_equal(n, 100); /* nothing is known of the twenty */
    assert_true(fabs(rows[49].rate[0] - 5) < 1e-9);
    assert_int_equal(rows[50].time, BEGIN + 70);
    assert_true(fabs(rows[50].rate[0] - 9) < 1e-9);
}

static void time_goes_back(void **state)
{
    struct traffic t;
    static struct traffic_row rows[400];
    (void)state;
    traffic_init(&t, directory, NULL);
    assert_true(put(&t, BEGIN, 200, 5));
    assert_true(put(&t, BEGIN + 100, 150, 9)); /* the first hundred of these are there already */
    assert_int_equal(t.skipped, 100);
    assert_int_equal(traffic_rows(&t, BEGIN, BEGIN + 250, 1, rows, 400), 250);
    assert_true(fabs(rows[199].rate[0] - 5) < 1e-9);
    assert_true(fabs(rows[200].rate[0] - 9) < 1e-9);
    assert_int_equal(files("traffic-"), 1);
    assert_true(put(&t, 5, 1, 1)); /* 1970: librrd would not have it */
    assert_int_equal(t.skipped, 101);
}

static void another_time(void **state)
{
    struct traffic live, replay, later;
    static struct traffic_row rows[400];
    const int64_t old = BEGIN - 100000000;
    (void)state;
    traffic_init(&live, directory, NULL);
    assert_true(put(&live, BEGIN, 100, 5));
    traffic_init(&replay, directory, NULL); /* an old capture in the directory of a live sensor */
    assert_true(put(&replay, old, 60, 9));
    assert_int_equal(files("traffic-"), 2);
    assert_int_equal(traffic_rows(&replay, old, old + 60, 1, rows, 400), 60);
    assert_true(fabs(rows[0].rate[0] - 9) < 1e-9);
    assert_int_equal(traffic_rows(&replay, BEGIN, BEGIN + 100, 1, rows, 400), 100); /* and what was live is still to be seen */
    traffic_init(&replay, directory, NULL); /* the same again takes the place of the first */
    assert_true(put(&replay, old, 60, 11));
    assert_int_equal(files("traffic-"), 2);
    assert_int_equal(traffic_rows(&replay, old, old + 60, 1, rows, 400), 60);
    assert_true(fabs(rows[0].rate[0] - 11) < 1e-9);
    traffic_init(&later, directory, NULL); /* live again: its own file */
    assert_true(put(&later, BEGIN + 200, 10, 7));
    assert_int_equal(later.current->first, BEGIN);
    for (int64_t i = 1; i < 9; i++) { /* others come and go; the longest stays */
        traffic_init(&replay, directory, NULL);
        assert_true(put(&replay, old - i * 1000000, 20, 1));
    }
    assert_int_equal(files("traffic-"), TRAFFIC_FILES);
    traffic_init(&later, directory, NULL);
    assert_int_equal(traffic_rows(&later, BEGIN, BEGIN + 100, 1, rows, 400), 100);
}

static void one_stands_for_several(void **state)
{
    struct traffic t;
    struct traffic_row rows[20];
    struct reason why;
    size_t taken;
    struct rates r = second_of(BEGIN + 20, 50);
    (void)state;
    traffic_init(&t, directory, NULL);
    assert_true(put(&t, BEGIN, 11, 5));
    assert_true(traffic_put(&t, &r, 1, &taken, &why));
    assert_int_equal(traffic_rows(&t, BEGIN + 11, BEGIN + 21, 1, rows, 20), 10);
    assert_true(fabs(rows[0].rate[0] - 5) < 1e-9); /* fifty over ten seconds */
    assert_true(fabs(rows[9].rate[0] - 5) < 1e-9);
}

static void no_place(void **state)
{
    struct traffic t;
    struct rates r = second_of(BEGIN, 1);
    struct reason why = {""};
    char path[ROBIN_PATH];
    size_t taken = 9;
    (void)state;
    traffic_init(&t, "/nonexistent/rrd", NULL);
    assert_false(traffic_put(&t, &r, 1, &taken, &why));
    assert_int_equal(taken, 0);
    assert_true(why.text[0]);
    assert_false(traffic_path(&t, BEGIN, BEGIN + 10, path));
    snprintf(path, sizeof path, "%s/traffic-%lld.rrd", directory, (long long)BEGIN); /* no round-robin file: passed over */
    FILE *f = fopen(path, "w");
    fputs("nothing", f);
    fclose(f);
    traffic_init(&t, directory, NULL);
    assert_true(put(&t, BEGIN + 100, 10, 5));
    assert_int_equal(t.current->first, BEGIN + 100);
}

/* ---- alarms ----------------------------------------------------------------------------------------------------------------------- */

static struct course_mark mark(const char *id, uint64_t deliveries, bool open)
{
    struct course_mark m = {.open = open, .first_seen = BEGIN * NS_PER_SECOND, .deliveries = deliveries, .redeliveries = deliveries / 2,
        .recipients = 10, .hosts = 2};
    span_copy(span_text(id), m.id, sizeof m.id);
    return m;
}

static double at(const struct courses *c, const char *id, int64_t second, size_t column)
{
    struct robin_cells cells;
    struct reason why;
    char path[ROBIN_PATH];
    assert_true(courses_path(c, id, path));
    assert_true(robin_fetch(NULL, path, second - 1, second, 1, &cells, &why));
    assert_int_equal(cells.step, 1);
    double value = cells.rows ? cells.cell[column] : NAN;
    robin_cells_free(&cells);
    return value;
}

static void course(void **state)
{
    static struct courses c;
    struct reason why;
    (void)state;
    courses_init(&c, directory, NULL, 3);
    struct course_mark m = mark("20261124T034900Z-1", 100, true);
    courses_take(&c, &m);
    assert_true(courses_second(&c, BEGIN + 10, &why));
    for (int64_t s = 11; s <= 40; s++) { /* quiet, and said to be */
        courses_take(&c, &m);
        assert_true(courses_second(&c, BEGIN + s, &why));
    }
    m.deliveries = 160;
    courses_take(&c, &m);
    assert_true(courses_second(&c, BEGIN + 41, &why));
    m.open = false;
    courses_take(&c, &m);
    assert_true(courses_second(&c, BEGIN + 42, &why));
    assert_int_equal(c.count, 0);
    assert_true(fabs(at(&c, m.id, BEGIN + 5, 0) - 10) < 1e-6);  /* a hundred in the ten seconds before it was raised */
    assert_true(fabs(at(&c, m.id, BEGIN + 30, 0) - 0) < 1e-6);
    assert_true(fabs(at(&c, m.id, BEGIN + 41, 0) - 60) < 1e-6); /* one round, one second */
    assert_true(fabs(at(&c, m.id, BEGIN + 41, 3) - 2) < 1e-6);
}

static void oldest_goes(void **state)
{
    static struct courses c;
    struct reason why;
    char path[ROBIN_PATH];
    (void)state;
    courses_init(&c, directory, NULL, 3);
    for (int i = 0; i < 6; i++) {
        char id[STORM_ID_SIZE];
        snprintf(id, sizeof id, "20261124T034900Z-%d", i);
        struct course_mark m = mark(id, 10, true);
        courses_take(&c, &m);
        assert_true(courses_second(&c, BEGIN + 10 + i, &why));
        m.open = i < 1 || i > 4; /* two go on */
        courses_take(&c, &m);
        assert_true(courses_second(&c, BEGIN + 11 + i, &why));
        usleep(20000); /* the files' times tell them apart */
    }
    assert_int_equal(files("alarm-"), 3);
    assert_true(courses_path(&c, "20261124T034900Z-0", path));
    assert_true(courses_path(&c, "20261124T034900Z-4", path));
    assert_false(courses_path(&c, "20261124T034900Z-2", path));
}

static void forgotten(void **state)
{
    static struct courses c;
    struct history_settings settings = {.directory = directory, .bytes = 1 << 24, .keep = NS_PER_SECOND};
    struct reason why;
    int status;
    char path[ROBIN_PATH];
    struct storm s = {.id = "20261124T034900Z-1", .kind = KIND_BURST, .state = STATE_CLEARED, .first_seen = BEGIN, .raised = BEGIN,
        .updated = BEGIN, .cleared = BEGIN, .reproduction = NAN, .generation = NAN, .forecast_at = TIME_UNKNOWN, .generations_left = -1};
    (void)state;
    courses_init(&c, directory, NULL, 10);
    for (int i = 1; i < 3; i++) {
        struct course_mark m = mark(i == 1 ? "20261124T034900Z-1" : "20261124T034900Z-2", 10, true);
        courses_take(&c, &m);
        assert_true(courses_second(&c, BEGIN + 10, &why));
        m.open = false;
        courses_take(&c, &m);
        assert_true(courses_second(&c, BEGIN + 11, &why));
    }
    courses_forget(&c, directory); /* no history there: nothing is lost for that */
    assert_int_equal(files("alarm-"), 2);
    struct history *h = history_open(&settings, &why, &status);
    assert_non_null(h);
    assert_true(history_store(h, &s, BEGIN, &why));
    history_close(h);
    courses_forget(&c, directory);
    assert_true(courses_path(&c, "20261124T034900Z-1", path));
    assert_false(courses_path(&c, "20261124T034900Z-2", path));
}

/* ---- the thread ------------------------------------------------------------------------------------------------------------------- */

static void ready(void *user)
{
    *(volatile bool *)user = true;
}

static void ask(struct trend *t, struct trend_question *q)
{
    volatile bool done = false;
    q->ready = ready;
    q->user = (void *)(uintptr_t)&done;
    assert_true(trend_has_room(t));
    trend_ask(t, q);
    for (int i = 0; i < 12000 && !done; i++)
        usleep(5000);
    assert_true(done);
}

static void thread(void **state)
{
    struct trend_question q = {.from = BEGIN, .to = BEGIN + 3000, .step = 1, .most = 3000};
    struct trend_health h;
    (void)state;
    struct trend *t = trend_start(directory, NULL, 10);
    assert_non_null(t);
    for (int64_t i = 0; i < 3000; i++) { /* faster than a disk: what does not fit is added up */
        struct rates r = second_of(BEGIN + i, 2);
        trend_rates(t, &r);
    }
    struct storm s = {.id = "20261124T034900Z-1", .state = STATE_RAISED, .peak_severity = SEVERITY_MAJOR,
        .first_seen = BEGIN * NS_PER_SECOND, .deliveries = 10, .message_id = "x@y"};
    trend_storm(t, &s);
    trend_message(t, "x@y", 30, 5, 3);
    trend_message(t, "other@y", 99, 99, 99);
    trend_stop(t);
    trend_free(t);
    t = trend_start(directory, NULL, 10); /* what was queued at the end is there */
    assert_non_null(t);
    ask(t, &q);
    assert_int_equal(q.answer, TREND_GOOD);
    double sum = 0;
    for (size_t i = 0; i < q.row_count; i++)
        sum += q.rows[i].rate[0];
    assert_true(q.row_count > 1000);
    assert_true(fabs(sum / (double)q.row_count - 2) < 0.01);
    free(q.rows);
    char *arguments[] = {strdup("--start=1795492100"), strdup("--end=1795495000"), strdup("DEF:a=@:messages:AVERAGE"),
        strdup("AREA:a#00619b")};
    struct trend_question image = {.from = BEGIN, .to = BEGIN + 2900, .arguments = arguments, .count = 4};
    ask(t, &image);
    assert_int_equal(image.answer, TREND_GOOD);
    assert_true(image.size > 1000 && memcmp(image.image, "\x89PNG", 4) == 0);
    free(image.image);
    struct trend_question nobody = {.from = BEGIN, .to = BEGIN + 2900, .alarm = "20261124T034900Z-7", .arguments = arguments, .count = 4};
    ask(t, &nobody);
    assert_int_equal(nobody.answer, TREND_NOTHING);
    for (size_t i = 0; i < 4; i++)
        free(arguments[i]);
    trend_health(t, &h);
    assert_string_equal(h.trouble, "");
    trend_stop(t);
    trend_free(t);
}

static void thread_without_place(void **state)
{
    struct trend_health h = {.skipped = 0};
    struct rates r = second_of(BEGIN, 2);
    char path[96];
    (void)state;
    snprintf(path, sizeof path, "%s/file", directory);
    FILE *f = fopen(path, "w");
    fclose(f);
    struct trend *t = trend_start(path, NULL, 10); /* a file is no directory */
    assert_non_null(t);
    for (int i = 0; i < 3000; i++) {
        r.time += NS_PER_SECOND;
        trend_rates(t, &r);
    }
    for (int i = 0; i < 12000 && !h.trouble[0]; i++) {
        usleep(5000);
        trend_health(t, &h);
    }
    assert_non_null(strstr(h.trouble, "cannot make the directory"));
    trend_stop(t);
    trend_free(t);
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {EACH(comes_back), EACH(goes_on), EACH(time_goes_back), EACH(another_time),
        EACH(one_stands_for_several), EACH(no_place), EACH(course), EACH(oldest_goes), EACH(forgotten),
        EACH(thread), EACH(thread_without_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
