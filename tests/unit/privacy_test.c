/* What the setting `privacy` hides, and what it must leave: awkward texts, stable pseudonyms, sealed alarms, keys that come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/keyring.h"
#include "stats/mask.h"
#include "stats/privacy.h"
#include "stats/reveal.h"
#include "stats/seal.h"
#include "stats/storm_json.h"

#define DAY (86400 * NS_PER_SECOND)
#define NOW (INT64_C(1795491000) * NS_PER_SECOND)

static char directory[64];

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/squall-privacy-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

/* ---- texts */

static void assert_text(const struct mask *m, const char *clear, const char *masked)
{
    char to[512];
    mask_text(m, span_text(clear), false, to, sizeof to);
    if (strcmp(to, masked) != 0)
        fail_msg("%s\n  became %s\n  not    %s", clear, to, masked);
}

static void sentences_lose_local_parts(void **state)
{
    (void)state;
    const struct mask m = {.privacy = PRIVACY_DOMAIN};
    static const char *const pairs[][2] = {
        {"", ""},
        {"nothing of the kind: 3 hosts, 10.0.0.1 [::1] (25)", "nothing of the kind: 3 hosts, 10.0.0.1 [::1] (25)"},
        {"alice@bank.example", "*@bank.example"},
        {"alice@bank.example and bob.b+x@other.example, too.", "*@bank.example and *@other.example, too."},
        {"to alice@bank.example.", "to *@bank.example."},
        {"(alice@bank.example)", "(*@bank.example)"},
        {"'alice@bank.example'", "*@bank.example'"},
        {"MAIL FROM:<alice@bank.example> SIZE=3", "MAIL FROM:<*@bank.example> SIZE=3"},
        {"MAIL FROM:<>", "MAIL FROM:<>"},
        {"RCPT TO:<postmaster>", "RCPT TO:<*>"},
        {"rfc822;alice@bank.example", "rfc822;*@bank.example"},
        {"mailto:alice@bank.example?subject", "mailto:*@bank.example*"},
        {"<@a.example,@b.example:alice@bank.example>", "<*@bank.example>"},
        {"alice%bank.example@relay.example", "*@relay.example"},
        {"alice@bank.example@relay.example", "*@relay.example"},
        {"list-return-alice=bank.example@lists.example", "*@lists.example"},
        {"\"alice smith\"@bank.example", "*@bank.example"},
        {"\"alice \\\" smith\"@bank.example x", "*@bank.example x"},
        {"\"alice @ home\"@bank.example", "*@bank.example"},
        {"<\"a>b\"@bank.example> x", "<*@bank.example> x"},
        {"a.\"b c\"@bank.example", "*@bank.example"},
        {"said \"alice@bank.example\" twice", "said \"*@bank.example\" twice"},
        {"said \"no such user\" twice", "said \"no such user\" twice"},
        {"\"alice smith\" @bank.example", "*@bank.example"},
        {"alice\\ smith@bank.example", "*@bank.example"},
        {"\"alice smith@bank.example", "*@bank.example"},
        {"alice @ bank.example", "*@ bank.example"},
        {"alice @bank.example", "*@bank.example"},
        {"alice(the (other) one)@bank.example", "*@bank.example"},
        {"alice (comment) @bank.example", "*@bank.example"},
        {"Jos\xc3\xa9@b\xc3\xbc" "cher.example", "*@b\xc3\xbc" "cher.example"},
        {"alice@[192.0.2.1]", "*@[192.0.2.1]"},
        {"alice@[IPv6:2001:db8::1] x", "*@[IPv6:2001:db8::1] x"},
        {"alice@", "*@"},
        {"@", "@"},
        {"@bank.example", "@bank.example"},
        {"by mx.example with ESMTP (envelope-from <alice", "by mx.example with ESMTP (envelope-from <*"},
        {"for <alice@bank.exa", "for <*@bank.exa"},
        {"one of 7 mails, Subject: Merger with alice", "one of 7 mails, Subject: (withheld)"},
        {"alice@bank.example\xff tail", "*@bank.example\xff tail"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789012345 x", "* x"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_text(&m, pairs[i][0], pairs[i][1]);
}

/* The same text cut anywhere never shows more than whole. */
static void cut_sentences_show_no_more(void **state)
{
    (void)state;
    const struct mask m = {.privacy = PRIVACY_DOMAIN};
    static const char text[] = "to \"zzq1 zzq2\"@bank.example, <zzq3@bank.example> and zzq4.zzq5@bank.example (zzq6@x) zzq7 @bank.example";
    for (size_t n = 0; n < sizeof text; n++) {
        char to[256];
        mask_text(&m, span_of(text, n), true, to, sizeof to);
        const char *leak = strstr(to, "zzq");
        if (leak && strncmp(leak, "zzq7 ", 5) != 0) /* before its '@' it is a word like any other */
            fail_msg("cut at %zu: %s", n, to);
    }
}

static void ids_stay(void **state)
{
    (void)state;
    const struct mask m = {.privacy = PRIVACY_DOMAIN, .keep = {span_text("12.34@mail.example")}, .hide = span_text("root")};
    assert_text(&m, "quotes <12.34@mail.example> of 12.34@mail.example", "quotes <12.34@mail.example> of 12.34@mail.example");
    assert_text(&m, "root got 100 mails", "* got 100 mails");
}

static void addresses_alone(void **state)
{
    (void)state;
    const struct mask m = {.privacy = PRIVACY_DOMAIN}, clear = {.privacy = PRIVACY_CLEAR};
    static const char *const pairs[][2] = {{"Alice Smith <alice@bank.example>", "*@bank.example"}, {"alice@bank.example", "*@bank.example"},
        {"root", "*"}, {"@bank.example", "@bank.example"}, {"", ""}, {"\"a@b\" <alice@bank.example>", "*@bank.example"},
        {"alice@[192.0.2.1]", "*@[192.0.2.1]"}, {"alice smith@bank.example", "*@bank.example"}, {"<alice", "*"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char to[256];
        assert_string_equal(mask_address(&m, span_text(pairs[i][0]), to, sizeof to), pairs[i][1]);
        assert_string_equal(mask_address(&clear, span_text(pairs[i][0]), to, sizeof to), pairs[i][0]);
    }
}

static void pseudonyms_are_stable_and_keyed(void **state)
{
    (void)state;
    struct mask m = {.privacy = PRIVACY_PSEUDONYM}, other = {.privacy = PRIVACY_PSEUDONYM, .key = {1}};
    char a[64], b[64], c[64], text[128], small[12];
    mask_address(&m, span_text("Alice@Bank.example"), a, sizeof a);
    mask_address(&m, span_text("A. <alice@bank.example>"), b, sizeof b);
    mask_address(&m, span_text("\"alice\"@bank.example"), c, sizeof c);
    assert_string_equal(a + 10, "@Bank.example");
    assert_memory_equal(a, b, 10);
    assert_memory_equal(a, c, 10);
    assert_memory_equal(a, "p-", 2);
    mask_address(&m, span_text("alicf@bank.example"), c, sizeof c);
    assert_memory_not_equal(b, c, 10);
    mask_address(&other, span_text("alice@bank.example"), c, sizeof c);
    assert_memory_not_equal(b, c, 10);
    mask_text(&m, span_text("from alice@bank.example"), false, text, sizeof text);
    assert_string_equal(text + 5, b);
    mask_subject(&m, span_text("Merger"), a, sizeof a);
    mask_subject(&m, span_text(" Merger "), b, sizeof b);
    assert_string_equal(a, b);
    assert_memory_equal(a, "subject-", 8);
    assert_string_equal(mask_subject(&m, span_text(""), a, sizeof a), "");
    mask_text(&m, span_text("alice@bank.example and bob"), false, small, sizeof small);
    assert_null(strstr(small, "bob"));
}

/* ---- storms */

static struct storm sample(struct storm_host *host, struct storm_event *event)
{
    struct storm s = {.id = "20261124T032647Z-1", .kind = KIND_MAILBOMB, .severity = SEVERITY_MAJOR, .peak_severity = SEVERITY_MAJOR,
        .message_id = "a.b@c.example", .subject = "The merger", .from = "Alice <alice@bank.example>", .victim = "root",
        .first_seen = NOW, .raised = NOW, .updated = NOW, .cleared = TIME_UNKNOWN, .forecast_at = TIME_UNKNOWN, .generations_left = -1,
        .why = "root got 9 mails of <a.b@c.example> from alice@bank.example.", .acquittal = "alice@bank.example sent it once",
        .hosts = host, .host_count = 1, .events = event, .event_count = 1};
    *host = (struct storm_host){.name = "mx.bank.example", .first = NOW, .last = NOW, .evidence_count = 1};
    snprintf(host->evidence[0].said, STORM_TEXT_SIZE, "From: alice@bank.example to bob@x.example");
    snprintf(host->evidence[0].received, STORM_TEXT_SIZE, "by x (envelope-from <alice@bank.exa");
    *event = (struct storm_event){.time = NOW};
    snprintf(event->what, STORM_TEXT_SIZE, "raised: root got 9 mails, Subject: The merger");
    return s;
}

static struct privacy *privacy_of(char *word, int64_t reveal)
{
    const struct privacy_settings settings = {word, 7 * DAY, reveal};
    struct reason why = {""};
    assert_true(privacy_settings_check(&settings, &why));
    struct privacy *p = privacy_new(&settings, directory);
    assert_non_null(p);
    return p;
}

static char *json_of(const struct storm *s)
{
    json_t *o = storm_json(s);
    char *text = json_dumps(o, STORM_JSON_FLAGS);
    json_decref(o);
    return text;
}

static void storms_are_masked_in_every_text(void **state)
{
    (void)state;
    struct storm_host host;
    struct storm_event event;
    struct storm s = sample(&host, &event);
    char *words[] = {"domain", "pseudonym"};
    for (int i = 0; i < 2; i++) {
        struct privacy *p = privacy_of(words[i], 0);
        struct storm *masked = privacy_storm(p, &s), *again = privacy_storm(p, masked);
        char *text = json_of(masked), *twice = json_of(again);
        assert_string_equal(text, twice);
        for (const char *const *bad = (const char *const[]){"alice", "Alice", "merger", "root", NULL}; *bad; bad++)
            if (strstr(text, *bad))
                fail_msg("%s: %s in %s", words[i], *bad, text);
        assert_non_null(strstr(text, "a.b@c.example"));
        assert_non_null(strstr(text, "mx.bank.example"));
        assert_non_null(strstr(text, "@bank.example"));
        assert_string_equal(storm_privacy_text(masked->privacy), words[i]);
        free(text);
        free(twice);
        storm_json_free(masked);
        storm_json_free(again);
        privacy_free(p);
    }
    struct privacy *p = privacy_of("clear", 0);
    struct storm *same = privacy_storm(p, &s);
    assert_string_equal(same->why, s.why);
    assert_string_equal(same->subject, s.subject);
    storm_json_free(same);
    privacy_free(p);
}

static void no_text_of_the_trace_is_forgotten(void **state)
{
    (void)state;
    struct privacy *p = privacy_of("domain", 0);
    json_t *t = json_loads(
        "{\"time\":\"2026-11-24T03:26:47Z\","
        "\"client\":{\"user\":\"alice\",\"name\":\"alice@a.example\",\"address\":\"10.0.0.1\"},\"from\":\"alice@bank.example\","
        "\"recipients\":[{\"address\":\"bob@x.example\",\"code\":250}],\"subject\":\"The merger\","
        "\"header_from\":\"Alice <alice@bank.example>\","
        "\"message_id\":\"a.b@c.example\",\"mailer\":\"Mail of alice@bank.example\","
        "\"received\":[{\"from\":\"alice@bank.example\",\"by\":\"mx\"}],"
        "\"report\":{\"final_recipients\":[\"bob@x.example\"],\"quoted_message_id\":\"q@q.example\","
        "\"quoted_received\":[{\"id\":\"bob@x\"}]}}",
        0, NULL);
    assert_non_null(t);
    privacy_transaction(p, t);
    char *text = json_dumps(t, 0);
    for (const char *const *bad = (const char *const[]){"alice", "Alice", "merger", "bob", NULL}; *bad; bad++)
        if (strstr(text, *bad))
            fail_msg("%s in %s", *bad, text);
    assert_non_null(strstr(text, "a.b@c.example"));
    assert_non_null(strstr(text, "q@q.example"));
    assert_non_null(strstr(text, "10.0.0.1"));
    json_t *rows = json_pack("[{s:s, s:s, s:s, s:s}]", "from", "alice@bank.example", "subject", "The merger", "message_id", "a@b",
        "received", "by mx for <alice@bank.example>");
    privacy_rows(p, rows);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "from")), "*@bank.example");
    assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "subject")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "message_id")), "a@b");
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "received")), "by mx for <*@bank.example>");
    json_decref(rows);
    json_decref(t);
    free(text);
    privacy_free(p);
}

/* ---- seals and keys */

static void a_seal_opens_with_its_key_alone(void **state)
{
    (void)state;
    struct key key;
    struct reason why;
    uint8_t *sealed;
    size_t n;
    assert_true(keyring_current(directory, NOW, 7 * DAY, &key, &why));
    assert_true(seal_make(&key, "A-1", span_text("alice@bank.example wrote, alice@bank.example wrote"), &sealed, &n));
    assert_null(memmem(sealed, n, "alice", 5));
    char *text = seal_open(directory, "A-1", span_of(sealed, n), &why);
    assert_string_equal(text, "alice@bank.example wrote, alice@bank.example wrote");
    free(text);
    assert_null(seal_open(directory, "A-2", span_of(sealed, n), &why)); /* another alarm's */
    for (size_t i = 0; i < n; i++) {
        sealed[i] ^= 1;
        assert_null(seal_open(directory, "A-1", span_of(sealed, n), &why));
        sealed[i] ^= 1;
        assert_null(seal_open(directory, "A-1", span_of(sealed, i), &why));
    }
    assert_true(keyring_destroy(directory, NOW + DAY, &why));
    assert_null(seal_open(directory, "A-1", span_of(sealed, n), &why));
    assert_non_null(strstr(why.text, "destroyed"));
    free(sealed);
}

static void keys_rotate_and_go(void **state)
{
    (void)state;
    struct key a, b, c;
    struct reason why;
    struct stat st;
    char path[128];
    assert_true(keyring_current(directory, NOW, 7 * DAY, &a, &why));
    snprintf(path, sizeof path, "%s/keys/%lld.key", directory, (long long)a.made);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(path, sizeof path, "%s/keys", directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_true(keyring_current(directory, NOW + 6 * DAY, 7 * DAY, &b, &why));
    assert_memory_equal(a.bytes, b.bytes, KEY_BYTES);
    assert_true(keyring_current(directory, NOW + 7 * DAY, 7 * DAY, &b, &why));
    assert_memory_not_equal(a.bytes, b.bytes, KEY_BYTES);
    assert_true(keyring_current(directory, NOW - DAY, 7 * DAY, &c, &why)); /* a clock set back */
    assert_memory_not_equal(a.bytes, c.bytes, KEY_BYTES);
    assert_true(keyring_destroy(directory, NOW + DAY, &why));
    assert_false(keyring_find(directory, a.made, &c));
    assert_false(keyring_find(directory, NOW / NS_PER_SECOND - 86400, &c));
    assert_true(keyring_find(directory, b.made, &c));
    assert_memory_equal(b.bytes, c.bytes, KEY_BYTES);
}

static struct history *open_history(void)
{
    const struct history_settings settings = {directory, 16 << 20, 400 * DAY};
    struct reason why;
    int status;
    struct history *h = history_open(&settings, &why, &status);
    if (!h)
        fail_msg("%s", why.text);
    return h;
}

static void the_clear_storm_is_sealed_beside_the_masked_one(void **state)
{
    (void)state;
    struct storm_host host;
    struct storm_event event;
    struct storm s = sample(&host, &event);
    struct reason why = {""};
    struct history *h = open_history();
    struct privacy *p = privacy_of("domain", 30 * DAY);
    struct storm *masked = privacy_storm(p, &s);
    assert_true(privacy_store(p, h, &s, masked, NOW, &why));
    assert_true(history_tick(h, NOW + NS_PER_SECOND, &why));
    struct storm *kept = history_load(h, s.id, &why), *clear = privacy_unseal(directory, h, s.id, &why);
    assert_string_equal(kept->from, "*@bank.example");
    assert_string_equal(clear->why, s.why);
    assert_string_equal(clear->subject, s.subject);
    assert_int_equal(clear->privacy, PRIVACY_CLEAR);
    storm_json_free(kept);
    storm_json_free(clear);

    assert_true(privacy_store(p, h, masked, masked, NOW, &why)); /* taken over from before a restart: the seal stays */
    storm_json_free(clear = privacy_unseal(directory, h, s.id, &why));
    assert_non_null(clear);

    assert_true(privacy_tick(p, NOW + 36 * DAY, &why));
    storm_json_free(clear = privacy_unseal(directory, h, s.id, &why));
    assert_non_null(clear);
    assert_true(privacy_tick(p, NOW + 38 * DAY, &why));
    assert_null(privacy_unseal(directory, h, s.id, &why));
    assert_non_null(strstr(why.text, "destroyed"));
    privacy_free(p);

    p = privacy_of("domain", 0);
    assert_true(privacy_store(p, h, &s, masked, NOW, &why));
    assert_null(privacy_unseal(directory, h, s.id, &why));
    assert_non_null(strstr(why.text, "not kept"));
    storm_json_free(masked);
    privacy_free(p);
    history_close(h);
}

/* A history of the version before nothing was sealed: read as it is, and taken over by who writes. */
static void an_older_history_is_taken_over(void **state)
{
    (void)state;
    struct storm_host host;
    struct storm_event event;
    struct storm s = sample(&host, &event), *got;
    struct reason why = {""};
    int status;
    char path[128];
    sqlite3 *db;
    struct history *h = open_history();
    assert_true(history_store(h, &s, NOW, &why));
    history_close(h);
    snprintf(path, sizeof path, "%s/history.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE sealed; PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);

    h = history_open_reading(directory, &why, &status);
    assert_non_null(h);
    uint8_t *sealed;
    size_t n;
    assert_false(history_sealed(h, s.id, &sealed, &n, &why));
    assert_non_null(got = history_load(h, s.id, &why));
    storm_json_free(got);
    history_close(h);

    h = open_history();
    struct privacy *p = privacy_of("domain", 30 * DAY);
    assert_true(privacy_adopt(p, h, &why));
    assert_non_null(got = privacy_unseal(directory, h, s.id, &why));
    assert_string_equal(got->from, s.from);
    storm_json_free(got);
    privacy_free(p);
    history_close(h);
}

/* The setting was "clear" once: nothing of it stays in the files. */
static void what_was_clear_is_adopted(void **state)
{
    (void)state;
    struct storm_host host;
    struct storm_event event;
    struct storm s = sample(&host, &event);
    struct reason why = {""};
    struct history *h = open_history();
    struct privacy *p = privacy_of("domain", 0);
    char command[256];
    assert_true(history_store(h, &s, NOW, &why));
    assert_true(history_settle(h, &why));
    snprintf(command, sizeof command, "grep -q 'alice@bank' %s/history.db*", directory);
    assert_int_equal(system(command), 0);
    assert_true(privacy_adopt(p, h, &why));
    assert_int_not_equal(system(command), 0);
    struct storm *kept = history_load(h, s.id, &why);
    assert_string_equal(kept->from, "*@bank.example");
    storm_json_free(kept);
    privacy_free(p);
    history_close(h);
}

static void put_file(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool has_file(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static bool count_reveal(void *user, const struct reveal *r)
{
    assert_string_equal(r->who, "Jo");
    ++*(int *)user;
    return true;
}

static int reveals(const char *alarm)
{
    int n = 0;
    struct reason why;
    assert_true(reveal_all(directory, alarm, count_reveal, &n, &why));
    return n;
}

static void who_reveals_is_noted_first(void **state)
{
    (void)state;
    struct storm_host host;
    struct storm_event event;
    struct storm s = sample(&host, &event);
    struct reason why = {""};
    struct history *h = open_history();
    struct privacy *p = privacy_of("pseudonym", 30 * DAY);
    struct storm *masked = privacy_storm(p, &s), *clear;
    assert_true(privacy_store(p, h, &s, masked, NOW, &why));
    assert_true(history_tick(h, NOW + NS_PER_SECOND, &why));
    struct reveal asked = {.time = NOW, .alarm = "20261124T032647Z-1", .who = "Jo", .from = "192.0.2.1", .reason = "  "};
    assert_null(reveal_storm(directory, &asked, &why)); /* no reason */
    assert_int_equal(reveals(NULL), 0);
    snprintf(asked.reason, sizeof asked.reason, "ticket \"7\"\n");
    assert_non_null(clear = reveal_storm(directory, &asked, &why));
    assert_string_equal(clear->from, s.from);
    storm_json_free(clear);
    assert_int_equal(reveals(NULL), 1);
    assert_int_equal(reveals(s.id), 1);
    assert_int_equal(reveals("another"), 0);
    snprintf(asked.alarm, sizeof asked.alarm, "none");
    assert_null(reveal_storm(directory, &asked, &why));
    assert_int_equal(reveals(NULL), 1);
    assert_true(reveal_forget(directory, NOW, &why));
    assert_int_equal(reveals(NULL), 1);
    assert_true(reveal_forget(directory, NOW + 1, &why));
    assert_int_equal(reveals(NULL), 0);

    char command[256];
    snprintf(command, sizeof command, "rm %s/reveals.log && mkdir %s/reveals.log", directory, directory);
    assert_int_equal(system(command), 0);
    snprintf(asked.alarm, sizeof asked.alarm, "%s", s.id);
    assert_null(reveal_storm(directory, &asked, &why)); /* what cannot be noted is not revealed */
    assert_non_null(strstr(why.text, "nothing is revealed"));
    storm_json_free(masked);
    privacy_free(p);
    history_close(h);
}

/* Days pass on a scripted clock. */
static void retention_takes_all_of_an_alarm(void **state)
{
    (void)state;
    struct storm_host host;
    struct storm_event event;
    struct storm s = sample(&host, &event);
    struct reason why = {""};
    struct history *h = open_history();
    struct privacy *p = privacy_of("domain", 30 * DAY);
    char path[160];
    snprintf(path, sizeof path, "%s/evidence", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file("evidence/20261124T032647Z-1.pcapng", "x");
    put_file("evidence/20261124T032647Z-2.pcapng", "x"); /* of no alarm */
    put_file("evidence/notes.txt", "x");
    s.state = STATE_CLEARED;
    s.cleared = NOW;
    struct storm *masked = privacy_storm(p, &s);
    assert_true(privacy_store(p, h, &s, masked, NOW, &why));
    assert_true(history_tick(h, NOW + NS_PER_SECOND, &why));
    struct reveal asked = {.time = NOW, .alarm = "20261124T032647Z-1", .who = "Jo", .reason = "ticket 7"};
    struct storm *clear = reveal_storm(directory, &asked, &why);
    assert_non_null(clear);
    storm_json_free(clear);
    assert_true(has_file("evidence/20261124T032647Z-2.pcapng")); /* its alarm may still be on its way */
    assert_true(history_tick(h, NOW + 2 * DAY, &why));
    assert_false(has_file("evidence/20261124T032647Z-2.pcapng"));
    assert_true(history_tick(h, NOW + 399 * DAY, &why));
    assert_true(has_file("evidence/20261124T032647Z-1.pcapng"));
    assert_true(history_has(h, s.id));
    assert_int_equal(reveals(NULL), 1);
    assert_true(history_tick(h, NOW + 401 * DAY, &why));
    assert_false(has_file("evidence/20261124T032647Z-1.pcapng"));
    assert_true(has_file("evidence/notes.txt"));
    assert_false(history_has(h, s.id));
    assert_int_equal(reveals(NULL), 0);
    snprintf(path, sizeof path, "grep -q 'mx.bank.example' %s/history.db*", directory);
    assert_int_not_equal(system(path), 0); /* nor in what SQLite keeps of deleted rows */
    storm_json_free(masked);
    privacy_free(p);
    history_close(h);
}

static void settings_are_checked(void **state)
{
    (void)state;
    struct reason why;
    assert_false(privacy_settings_check(&(struct privacy_settings){.privacy = (char[]){"none"}}, &why));
    assert_non_null(strstr(why.text, "clear, domain, pseudonym"));
    assert_false(privacy_settings_check(&(struct privacy_settings){.privacy = NULL}, &why));
    assert_int_equal(privacy_wanted(&(struct privacy_settings){.privacy = (char[]){"pseudonym"}}), PRIVACY_PSEUDONYM);
}

int main(void)
{
#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {cmocka_unit_test(sentences_lose_local_parts), cmocka_unit_test(cut_sentences_show_no_more),
        cmocka_unit_test(ids_stay), cmocka_unit_test(addresses_alone), cmocka_unit_test(pseudonyms_are_stable_and_keyed),
        ON_DISK(storms_are_masked_in_every_text), ON_DISK(no_text_of_the_trace_is_forgotten), ON_DISK(a_seal_opens_with_its_key_alone),
        ON_DISK(keys_rotate_and_go), ON_DISK(the_clear_storm_is_sealed_beside_the_masked_one), ON_DISK(what_was_clear_is_adopted),
        ON_DISK(an_older_history_is_taken_over),
        ON_DISK(who_reveals_is_noted_first), ON_DISK(retention_takes_all_of_an_alarm),
        cmocka_unit_test(settings_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
