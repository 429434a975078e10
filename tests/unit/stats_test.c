/* Through the door: counts, the table of messages, twins that change nothing, and the largest storm on record in bounded memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "stats/settings.h"
#include "stats/stats.h"
#include "tests/unit/post.h"

static struct stats_settings settings;
static struct post p;

static int defaults(void **state)
{
    (void)state;
    const struct setting_group group = {.about = "", .list = stats_settings_list, .count = stats_settings_count, .values = &settings};
    config_defaults(&group, 1);
    return 0;
}

static void counts_are_what_the_words_say(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    const struct stats_counters *c = stats_counters(s);
    post_begin(&p, "a@x.example", 1, 2, 1); /* three recipients, one refused for now, one for good */
    post_to(&p, 0, 3);
    p.recipient[1].code = 450;
    p.recipient[2].code = 550;
    stats_transaction(s, &p.t);
    post_begin(&p, "<a@X.EXAMPLE>", 2, 3, 2); /* the next hop */
    post_hop(&p, 1, 1);
    post_to(&p, 0, 1);
    stats_transaction(s, &p.t);
    post_begin(&p, "", 1, 2, 3); /* without an id */
    post_to(&p, 9, 1);
    p.t.header.date += POST_SECOND;
    stats_transaction(s, &p.t);
    post_begin(&p, "b@x.example", 1, 2, 4); /* refused after its data */
    post_to(&p, 10, 2);
    p.t.code = p.recipient[0].final_code = p.recipient[1].final_code = 554;
    p.t.message = false;
    stats_transaction(s, &p.t);
    post_begin(&p, "c@x.example", 1, 2, 5); /* loss: counted nowhere else */
    post_to(&p, 12, 2);
    p.recipient[0].code = 550;
    p.t.uncertain = true;
    p.t.message = false;
    stats_transaction(s, &p.t);
    for (int i = 0; i < 2; i++) { /* a constant: one id, two mails */
        post_begin(&p, "systemmessage", 1, 2, 6 + i);
        p.t.header.date += (i + 7) * POST_SECOND;
        post_to(&p, 14, 1);
        stats_transaction(s, &p.t);
    }
    assert_int_equal(c->transactions, 7);
    assert_int_equal(c->messages, 5);
    assert_int_equal(c->recipients, 5);
    assert_int_equal(c->rejected_recipients, 2);
    assert_int_equal(c->message_ids, 2);
    assert_int_equal(c->uncertain, 1);
    assert_int_equal(c->twins, 0);
    assert_int_equal(c->redeliveries, 0);
    stats_finish(s, POST_START + 10 * POST_SECOND);
    assert_int_equal(stats_storm_count(s), 0);
    stats_free(s);
    stats_free(NULL);
}

static void whole_twin_replaces_the_broken_one(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    const struct stats_counters *c = stats_counters(s);
    post_begin(&p, "a@x.example", 1, 2, 1);
    post_to(&p, 0, 3);
    p.t.uncertain = true;
    p.t.message = false;
    stats_transaction(s, &p.t);
    assert_false(stats_last(s).twin);
    p.t.connection++;
    p.t.uncertain = false;
    p.t.message = true;
    stats_transaction(s, &p.t);
    assert_false(stats_last(s).twin);
    p.t.connection++;
    stats_transaction(s, &p.t);
    assert_true(stats_last(s).twin);
    assert_true(c->transactions == 1 && c->uncertain == 0 && c->messages == 1 && c->recipients == 3 && c->twins == 2);
    stats_free(s);
}

static void the_table_of_messages(void **state)
{
    (void)state;
    struct stats *s = stats_new(&settings, NULL);
    for (uint32_t i = 0; i < 50; i++) {
        char name[40];
        snprintf(name, sizeof name, "m%u@x.example", i);
        post_begin(&p, name, 1, 2, 1 + i);
        post_hop(&p, 1000 + i, 9);
        post_to(&p, 100 * i, i == 20 ? 5 : i == 30 ? 4 : 1);
        stats_transaction(s, &p.t);
        if (i == 40) { /* comes again with a longer chain */
            post_begin(&p, name, 3, 2, 1.5 + i);
            post_hop(&p, 1000 + i, 9);
            post_hop(&p, 2000 + i, 9);
            post_to(&p, 100 * i, 1);
            stats_transaction(s, &p.t);
        }
    }
    struct message_row rows[20];
    assert_int_equal(stats_top(s, rows, 20), 20);
    assert_string_equal(rows[0].message_id, "m40@x.example");
    assert_true(rows[0].redeliveries == 1 && rows[0].copies == 2 && rows[0].sources == 2 && rows[0].recipients == 1);
    assert_true(rows[0].first == POST_START + 41 * POST_SECOND && rows[0].last == POST_START + 41 * POST_SECOND + POST_SECOND / 2);
    assert_string_equal(rows[1].message_id, "m20@x.example");
    assert_string_equal(rows[2].message_id, "m30@x.example");
    for (uint32_t i = 3; i < 20; i++) { /* then the earliest */
        char name[40];
        snprintf(name, sizeof name, "m%u@x.example", i - 3);
        assert_string_equal(rows[i].message_id, name);
    }
    assert_string_equal(rows[1].subject, "Subject of it");
    assert_int_equal(stats_top(s, rows, 0), 0);
    assert_int_equal(stats_top(s, rows, 1), 1);
    stats_free(s);
}

/* --- twins change nothing: random traffic once, and through each kind of doubling mirror --- */

#define TOLD 256
struct told {
    struct {
        enum storm_kind kind;
        enum storm_severity severity;
        enum storm_change change;
        uint64_t copies, deliveries, redeliveries;
        uint32_t hosts;
    } change[TOLD];
    uint32_t count;
};

static void tell(void *user, const struct storm *s, enum storm_change change)
{
    struct told *told = user;
    if (s->severity == SEVERITY_NOTICE || told->count == TOLD)
        return;
    told->change[told->count].kind = s->kind;
    told->change[told->count].severity = s->severity;
    told->change[told->count].change = change;
    told->change[told->count].copies = s->copies;
    told->change[told->count].deliveries = s->deliveries;
    told->change[told->count].redeliveries = s->redeliveries;
    told->change[told->count++].hosts = s->host_count;
}

enum doubling { ONCE, SAME_WIRE, CLIENT_NAT, SERVER_NAT, BOTH_NAT, DOUBLINGS };

static uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*seed >> 33) % sides);
}

/* One transaction of the random world: a few hosts, ids that repeat, resends, refusals, loss, parallel connections, a storm's copies. */
static void random_transaction(struct post *one, uint64_t *seed, uint32_t i)
{
    char name[40];
    uint32_t what = dice(seed, 10), mail = what < 3 ? dice(seed, 20) : i + 1000;
    snprintf(name, sizeof name, "m%u@x.example", mail);
    post_begin(one, what == 3 ? "" : name, 1 + dice(seed, 12), 20 + dice(seed, 5), 1 + i * 0.03);
    if (what < 3) {
        post_audience(one, mail * 10, 30);
        for (uint32_t h = 0, n = dice(seed, 6); h <= n; h++)
            post_hop(one, mail * 100 + (h ? h * 10 + dice(seed, 2) : 0), 9);
        post_to(one, mail * 10 + dice(seed, 10), 1 + dice(seed, 20));
    } else {
        one->t.header.date += i;
        for (uint32_t h = 0, n = dice(seed, 4); h < n; h++)
            post_hop(one, 100000 + i * 10 + h, 9);
        post_to(one, dice(seed, 1000), 1 + dice(seed, 3));
    }
    one->t.mail_time -= dice(seed, 5) * POST_SECOND;
    if (dice(seed, 8) == 0)
        for (size_t r = 0; r < one->t.recipient_count; r++)
            if (dice(seed, 2))
                one->recipient[r].code = dice(seed, 2) ? 450 : 550;
    if (dice(seed, 20) == 0) { /* refused at the end, or never sent */
        one->t.message = false;
        one->t.code = dice(seed, 2) ? 554 : 0;
        for (size_t r = 0; r < one->t.recipient_count; r++)
            one->recipient[r].final_code = one->t.code;
        if (one->t.code == 0) {
            one->t.bytes = 0;
            one->t.header = (struct header){.date = TIME_UNKNOWN};
        }
    }
    bool accepted = false;
    for (size_t r = 0; r < one->t.recipient_count; r++)
        accepted = accepted || (one->recipient[r].code == 250 && one->recipient[r].final_code == 250);
    one->t.message = one->t.message && accepted;
    if (dice(seed, 25) == 0) {
        one->t.uncertain = true;
        one->t.message = false;
    }
}

#define WORLD 6000u /* transactions */

static void pass_seconds(struct stats *s, int64_t *second, int64_t now)
{
    for (; *second + POST_SECOND <= now; *second += POST_SECOND)
        stats_tick(s, *second + POST_SECOND);
}

static struct stats_counters run_world(enum doubling how, struct told *told)
{
    struct stats_sink sink = {.storm = tell, .user = told};
    struct stats *s = stats_new(&settings, &sink);
    uint64_t seed = 20261124;
    int64_t second = POST_START, now = POST_START;
    for (uint32_t i = 0; i < WORLD; i++) {
        random_transaction(&p, &seed, i);
        now = p.t.end;
        pass_seconds(s, &second, now);
        stats_transaction(s, &p.t);
        assert_false(stats_last(s).twin);
        if (how == ONCE)
            continue;
        p.t.connection += UINT64_C(1) << 40;
        p.t.mail_time += 1000;
        p.t.data_end += p.t.data_end == TIME_UNKNOWN ? 0 : 1000;
        p.t.end += 1000;
        if (how == CLIENT_NAT || how == BOTH_NAT)
            p.t.client = (struct endpoint){post_address(5000), (uint16_t)(p.t.client.port * 7)};
        if (how == SERVER_NAT || how == BOTH_NAT)
            p.t.server = (struct endpoint){post_address(6000), 2525};
        stats_transaction(s, &p.t);
        assert_true(stats_last(s).twin);
    }
    stats_finish(s, now + POST_SECOND);
    struct stats_counters c = *stats_counters(s);
    stats_free(s);
    return c;
}

static void a_doubling_mirror_changes_nothing(void **state)
{
    (void)state;
    static struct told once, twice;
    once.count = 0;
    struct stats_counters plain = run_world(ONCE, &once);
    assert_true(plain.transactions == WORLD && plain.twins == 0 && plain.uncertain > 100 && plain.redeliveries > 1000 && once.count > 0);
    for (enum doubling how = SAME_WIRE; how < DOUBLINGS; how++) {
        memset(&twice, 0, sizeof twice);
        struct stats_counters doubled = run_world(how, &twice);
        assert_int_equal(doubled.twins, WORLD);
        doubled.twins = 0;
        assert_memory_equal(&doubled, &plain, sizeof plain);
        assert_memory_equal(&twice, &once, sizeof once);
    }
}

static void reading_ahead_changes_nothing(void **state)
{
    (void)state;
    static struct told plain, ahead;
    static struct post two[2];
    plain.count = ahead.count = 0;
    struct stats_counters counted = run_world(ONCE, &plain);
    struct stats *s = stats_new(&settings, &(struct stats_sink){.storm = tell, .user = &ahead});
    uint64_t seed = 20261124;
    int64_t second = POST_START, now = POST_START;
    for (uint32_t read = 0, judged = 0; judged < WORLD;) {
        if (read < WORLD) {
            random_transaction(&two[read % 2], &seed, read);
            stats_expect(s, &two[read++ % 2].t);
        }
        bool alone = read % 7 == 0 || read == WORLD; /* nothing follows at once */
        while (judged < read - !alone) {
            const struct transaction *t = &two[judged++ % 2].t;
            now = t->end;
            pass_seconds(s, &second, now);
            stats_transaction(s, t);
            assert_false(stats_last(s).twin);
        }
    }
    stats_finish(s, now + POST_SECOND);
    assert_memory_equal(stats_counters(s), &counted, sizeof counted);
    assert_memory_equal(&ahead, &plain, sizeof plain);
    stats_free(s);
}

/* --- the NHS storm of November 2016: a list of 850,000, 80 who answer all, 111,000 deliveries a second --- */

#define NHS_PEOPLE 850000u
#define NHS_REPLIERS 80u
#define NHS_BATCH 500u
#define NHS_EVERY (NHS_BATCH / 111000.0) /* seconds a transaction */

struct nhs {
    bool raised;
    enum storm_severity severity;
    uint32_t others;
};

static void nhs_tell(void *user, const struct storm *s, enum storm_change change)
{
    (void)change;
    struct nhs *n = user;
    if (s->kind == KIND_REPLY_ALL) {
        n->raised = true;
        n->severity = s->severity;
    } else if (s->severity > SEVERITY_WARNING) {
        n->others++;
    }
}

static long resident_mib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages / 256;
}

/* Each answer goes to every BATCH'th stretch of the people: all the repliers, all the people, a part of the transactions between them. */
static void the_nhs_storm(void **state)
{
    (void)state;
    const uint32_t thin = getenv("NHS_WHOLE") ? 1 : 8; /* NHS_WHOLE=1: all 68 million deliveries */
    struct nhs told = {0};
    struct stats_sink sink = {.storm = nhs_tell, .user = &told};
    struct stats *s = stats_new(&settings, &sink);
    long before = resident_mib();
    double now = 0;
    int64_t second = POST_START;
    uint64_t deliveries = 0;
    for (uint32_t at = 0; at < NHS_PEOPLE / NHS_BATCH * (NHS_REPLIERS + 1); at++) {
        uint32_t mail = at / (NHS_PEOPLE / NHS_BATCH), stretch = at % (NHS_PEOPLE / NHS_BATCH);
        now += NHS_EVERY;
        if (mail > 0 && (stretch + mail) % thin)
            continue;
        char name[40], from[40];
        snprintf(name, sizeof name, "nhs%u@nhs.example", mail);
        snprintf(from, sizeof from, "who%u@nhs.example", mail);
        post_begin(&p, name, 1 + at % 8, 50 + stretch % 40, now);
        p.t.header.from_hash = hash_nocase(span_text(from));
        p.t.header.from_address = p.t.header.from = span_text(from);
        p.t.header.date += mail * POST_SECOND;
        p.t.body_fingerprint += mail;
        post_hop(&p, mail, 9);
        post_audience(&p, 0, 1); /* the list's address */
        if (mail)
            p.t.header.references_root = p.t.header.in_reply_to = span_text("nhs0@nhs.example");
        for (uint32_t i = 0; i < NHS_BATCH; i++)
            p.recipient[i] = (struct recipient){.hash = hash_pair(stretch * NHS_BATCH + i, 5), .code = 250, .final_code = 250};
        p.t.recipient_count = NHS_BATCH;
        deliveries += NHS_BATCH;
        for (; second + POST_SECOND <= p.t.end; second += POST_SECOND)
            stats_tick(s, second + POST_SECOND);
        stats_transaction(s, &p.t);
    }
    stats_finish(s, POST_START + (int64_t)(now * 1e9));
    long grown = resident_mib() - before;
    const struct stats_counters *c = stats_counters(s);
    assert_int_equal(c->recipients, deliveries);
    assert_int_equal(c->redeliveries, 0);
    assert_int_equal(c->message_ids, NHS_REPLIERS + 1);
    assert_int_equal(c->keys_evicted, 0);
    struct message_row row;
    assert_int_equal(stats_top(s, &row, 1), 1);
    assert_string_equal(row.message_id, "nhs0@nhs.example");
    assert_int_equal(row.deliveries, NHS_PEOPLE);
    assert_true(fabs((double)row.recipients - NHS_PEOPLE) < 0.05 * NHS_PEOPLE);
    assert_true(told.raised);
    assert_int_equal(told.severity, SEVERITY_CRITICAL);
    assert_int_equal(told.others, 0);
#ifndef __SANITIZE_ADDRESS__
    assert_in_range(grown, 0, 256);
#else
    (void)grown;
#endif
    stats_free(s);
}

/* A fetched mail to all of an enormous audience at one domain, sent on by three hosts: each copy takes milliseconds, where comparing
 * each recipient with each address took seconds. */
static void an_enormous_audience(void **state)
{
    (void)state;
    enum { PEOPLE = 24000, AUDIENCE = 250000 };
    struct recipient *to = calloc(PEOPLE, sizeof *to);
    struct audience_address *audience = calloc(AUDIENCE, sizeof *audience);
    struct stats *s = stats_new(&settings, NULL);
    assert_true(to && audience && s);
    for (uint32_t i = 0; i < PEOPLE; i++)
        to[i] = (struct recipient){.hash = hash_pair(i, 5), .code = 250, .final_code = 250};
    for (uint32_t i = 0; i < AUDIENCE; i++) /* the people stand last */
        audience[i] = (struct audience_address){i < AUDIENCE - PEOPLE ? to[0].hash : to[i - (AUDIENCE - PEOPLE)].hash, 7};
    clock_t began = clock();
    for (uint32_t host = 1; host <= 3; host++) {
        post_begin(&p, "all@x.example", host, 9, host);
        p.t.helo = span_text("connector.example");
        post_hop(&p, 1, 8);
        post_hop(&p, 1 + host, 7);
        p.hop[0].by = span_text("pop.example");
        p.hop[0].with = span_text("LMTP");
        p.hop[1].by = span_text("connector.example");
        p.hop[1].with = span_text("POP3");
        p.hop[1].with_note = span_text("fetchmail-6.4.37");
        p.t.recipients = to;
        p.t.recipient_count = PEOPLE;
        p.t.header.audience = audience;
        p.t.header.audience_count = AUDIENCE;
        stats_transaction(s, &p.t);
    }
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 3);
    assert_int_equal(stats_counters(s)->recipients, 3 * PEOPLE);
    assert_true(stats_counters(s)->redeliveries > 0);
    stats_free(s);
    free(audience);
    free(to);
}

/* A host took a mail in for thousands and sends copies on that bear a list's marks, long ones with many dots: is it one of the thousands?
 * Each small copy takes microseconds, where it took a third of a second. */
static void marks_against_thousands(void **state)
{
    (void)state;
    enum { PEOPLE = 12000, COPIES = 200 };
    struct recipient *to = calloc(PEOPLE, sizeof *to);
    struct stats *s = stats_new(&settings, NULL);
    char mark[250];
    assert_true(to && s);
    for (uint32_t i = 0; i < PEOPLE; i++)
        to[i] = (struct recipient){.hash = hash_pair(i, 5), .code = 250, .final_code = 250};
    for (size_t i = 0; i < sizeof mark; i++)
        mark[i] = i % 2 ? '.' : 'a';
    clock_t began = clock();
    for (uint32_t copy = 0; copy <= COPIES; copy++) {
        post_begin(&p, "list@x.example", copy ? 2 : 1, copy ? 3 : 2, copy);
        p.t.header.list_id = p.t.header.x_loop = p.t.header.x_been_there = span_of(mark, sizeof mark);
        post_hop(&p, copy, 1);
        post_to(&p, 0, 1);
        if (copy == 0) {
            p.t.recipients = to;
            p.t.recipient_count = PEOPLE;
        }
        stats_transaction(s, &p.t);
    }
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 3);
    assert_int_equal(stats_counters(s)->redeliveries, COPIES - 1);
    stats_free(s);
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(counts_are_what_the_words_say, defaults),
        cmocka_unit_test_setup(whole_twin_replaces_the_broken_one, defaults),
        cmocka_unit_test_setup(the_table_of_messages, defaults),
        cmocka_unit_test_setup(a_doubling_mirror_changes_nothing, defaults),
        cmocka_unit_test_setup(reading_ahead_changes_nothing, defaults),
        cmocka_unit_test_setup(the_nhs_storm, defaults),
        cmocka_unit_test_setup(an_enormous_audience, defaults),
        cmocka_unit_test_setup(marks_against_thousands, defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
