/* The rule book on routes, from accepted mails with Received lines as servers write them: what is raised and when, who is at fault, who is
 * not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "smtpdissect/session.h"
#include "stats/settings.h"
#include "stats/stats.h"
#include "stats/storm_json.h"
#include "tests/unit/arena.h"

#define S      NS_PER_SECOND
#define START  (INT64_C(1795490000) * S)
#define PEOPLE 700
#define DATE   "; Tue, 24 Nov 2026 03:26:40 +0000"

static struct world {
    struct stats_settings settings;
    struct stats *stats;
    uint32_t audience; /* p0@a.test, p1@a.test ... */
    const char *id;
    const char *list, *been;
    const char *delivered;
    int turn; /* s, when a circle begins */
    int64_t now;
    char told_id[STORM_ID_SIZE];
} w;

static void note(void *user, const struct storm *s, enum storm_change change)
{
    (void)user;
    if (change == STORM_RAISED)
        memcpy(w.told_id, s->id, sizeof w.told_id);
}

static void open_world(uint32_t audience)
{
    struct setting_group g = {"", stats_settings_list, stats_settings_count, &w.settings, NULL, NULL};
    w = (struct world){.audience = audience, .id = "1795490800747.6cd1@bank.test"};
    config_defaults(&g, 1);
    w.stats = stats_new(&w.settings, &(struct stats_sink){note, NULL});
    assert_non_null(w.stats);
    w.now = START;
}

static void close_world(void)
{
    stats_free(w.stats);
    w.stats = NULL;
}

static struct address address(const char *text)
{
    struct address a;
    assert_true(address_parse(span_text(text), &a));
    return a;
}

struct host {
    const char *address, *name;
};
static const struct host bank = {"10.1.0.10", "mail.bank.test"}, isp = {"10.4.0.11", "mx.isp.test"}, isp2 = {"10.4.0.12", "mx2.isp.test"},
                         c1 = {"10.3.1.10", "server.company1.test"}, c2 = {"10.3.2.10", "server.company2.test"},
                         c3 = {"10.3.3.10", "server.company3.test"}, p1 = {"10.2.1.10", "mail.provider1.test"},
                         p2 = {"10.2.2.10", "mail.provider2.test"};

/* At `seconds`, an accepted copy to people [first, first + count) of the audience (beyond it: others), or to `to`. */
static void copy_to(
    double seconds, struct host client, struct host server, const char *to, uint32_t first, uint32_t count, const char *const *lines)
{
    static struct recipient recipients[PEOPLE];
    static struct audience_address audience[PEOPLE];
    static char names[PEOPLE][32];
    static struct hop hops[64];
    static uint64_t connection;
    uint64_t delivered = w.delivered ? hash_nocase(span_text(w.delivered)) : 0;
    size_t n = 0;
    arena_reset(arena);
    while (lines && lines[n]) {
        received_parse(arena, span_text(lines[n]), &hops[n]);
        n++;
    }
    for (uint32_t i = 0; i < PEOPLE; i++) {
        snprintf(names[i], sizeof names[i], "p%u@a%u.test", i, i % 5);
        audience[i] = (struct audience_address){hash_nocase(span_text(names[i])), i % 5 + 1};
    }
    for (uint32_t i = 0; i < count; i++) {
        struct span name = to ? span_text(to) : span_text(names[first + i]);
        recipients[i] = (struct recipient){.address = name, .hash = hash_nocase(name), .code = 250, .final_code = 250};
    }
    int64_t at = START + (int64_t)(seconds * 1e9);
    struct transaction t = {
        .connection = ++connection,
        .ordinal = 1,
        .client = {address(client.address), 40000},
        .server = {address(server.address), 25},
        .helo = span_text(client.name),
        .greeting = span_text(server.name),
        .mail_time = at - S / 50,
        .data_end = at - S / 100,
        .end = at,
        .reverse_path = span_text("els@bank.test"),
        .recipients = recipients,
        .recipient_count = count,
        .code = 250,
        .bytes = 3000,
        .message = true,
        .header = {.message_id = span_text(w.id),
            .from = span_text("els@bank.test"),
            .from_address = span_text("els@bank.test"),
            .from_hash = 5,
            .subject = span_text("Offer"),
            .date = START + w.turn * S,
            .list_id = span_text(w.list),
            .x_been_there = span_text(w.been),
            .audience = audience,
            .audience_count = w.audience,
            .hops = hops,
            .hop_count = n,
            .delivered_to = &delivered,
            .delivered_to_count = w.delivered ? 1 : 0,
            .complete = true,
            .bytes = 900},
        .body_fingerprint = 77,
    };
    for (; w.now / S < at / S; w.now = (w.now / S + 1) * S)
        stats_tick(w.stats, (w.now / S + 1) * S);
    w.now = at;
    stats_transaction(w.stats, &t);
}
#define COPY(seconds, client, server, first, count, ...)                                                                                   \
    copy_to(seconds, client, server, NULL, first, count, (const char *const[]){__VA_ARGS__, NULL})
#define COPY_TO(seconds, client, server, to, ...) copy_to(seconds, client, server, to, 0, 1, (const char *const[]){__VA_ARGS__, NULL})

#define BANK             "from pc17.bank.test (pc17.bank.test [10.1.0.77]) by mail.bank.test (Postfix) with ESMTP id F0E6FA7A3AD" DATE
#define FROM_BANK(host)  "from mail.bank.test (mail.bank.test [10.1.0.10]) by " host " (Postfix) with ESMTP id 898A3A7A3B0" DATE
#define LMTP(host)       "from " host " by " host " with LMTP id E+qeAEAJBWvLBAAAllz6JA" DATE
#define POP(from, by, n) "from " from " by " by " with POP3 (fetchmail-6.4.37) id " n DATE
#define LOCAL(host, n)   "by " host " (Postfix, from userid 0) id 354DDAAC4F" n DATE
#define WAY1(n)                                                                                                                            \
    BANK, FROM_BANK("mail.provider1.test"), LMTP("mail.provider1.test"), POP("pop.provider1.test", "server.company1.test", n),             \
        LOCAL("server.company1.test", n)
#define WAY2(n)                                                                                                                            \
    BANK, FROM_BANK("mail.provider2.test"), LMTP("mail.provider2.test"), POP("pop.provider2.test", "server.company2.test", n),             \
        LOCAL("server.company2.test", n)

static void bank_sends(uint32_t count)
{
    COPY_TO(0, bank, p1, "info@company1.test", BANK);
    COPY_TO(0.1, bank, p2, "info@company2.test", BANK);
    COPY(0.2, bank, isp, 0, count, BANK);
}

static const struct storm *storm(void)
{
    const struct storm *found = NULL;
    for (size_t i = 0; i < stats_storm_count(w.stats); i++)
        if (stats_storm(w.stats, i)->severity != SEVERITY_NOTICE) {
            assert_null(found);
            found = stats_storm(w.stats, i);
        }
    return found;
}

static const struct storm_host *host_of(const struct storm *s, struct host h)
{
    for (uint32_t i = 0; i < s->host_count; i++)
        if (address_equal(s->hosts[i].address, address(h.address)))
            return &s->hosts[i];
    return NULL;
}

static uint32_t at_fault(const struct storm *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->host_count; i++)
        n += s->hosts[i].role == ROLE_REINJECTOR || s->hosts[i].role == ROLE_LOOPER;
    return n;
}

static void expect_role(const struct storm *s, struct host h, enum storm_role role)
{
    const struct storm_host *found = host_of(s, h);
    assert_non_null(found);
    assert_string_equal(storm_role_text(found->role), storm_role_text(role));
}

static void expect(enum storm_kind kind, enum storm_severity severity, double raised)
{
    const struct storm *s = storm();
    assert_non_null(s);
    assert_string_equal(storm_kind_text(s->kind), storm_kind_text(kind));
    assert_string_equal(storm_severity_text(s->severity), storm_severity_text(severity));
    assert_true(fabs((double)(s->raised - START) / 1e9 - raised) < 0.001);
}

/* ---- re-injection ---- */

static void suspected_then_confirmed(void **state)
{
    (void)state;
    open_world(40);
    bank_sends(40);
    COPY(300, c1, isp, 0, 9, WAY1("1"));
    assert_null(storm());
    COPY(300.1, c1, isp, 9, 1, WAY1("1"));
    expect(KIND_REINJECTION, SEVERITY_WARNING, 300.1);
    COPY(310, c2, isp, 0, 1, WAY2("1"));
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 300.1);
    const struct storm *s = storm();
    assert_int_equal(at_fault(s), 2);
    expect_role(s, c1, ROLE_REINJECTOR);
    expect_role(s, c2, ROLE_REINJECTOR);
    expect_role(s, bank, ROLE_ORIGIN);
    expect_role(s, p1, ROLE_RELAY);
    assert_non_null(strstr(s->acquittal, "mail.bank.test (10.1.0.10), sent 42 deliveries, each recipient once"));
    assert_non_null(strstr(s->why, "server.company1.test (10.3.1.10)"));
    const struct storm_host *h = host_of(s, c1);
    assert_true(h && strstr(h->software, "fetchmail"));
    assert_true(h->evidence_count > 0 && h->evidence[0].connection != 0);
    assert_non_null(strstr(h->evidence[0].received, "with POP3 (fetchmail-6.4.37)"));
    assert_true(address_equal(h->evidence[0].server, address(isp.address)));
    bool dashed = false, fed = false;
    for (uint32_t i = 0; i < s->edge_count; i++) {
        const struct storm_edge *e = &s->edges[i];
        dashed |= !e->on_wire && e->from == (int32_t)(host_of(s, p1) - s->hosts) && e->to == (int32_t)(h - s->hosts);
        fed |= e->on_wire && e->from == (int32_t)(host_of(s, bank) - s->hosts) && e->to == (int32_t)(host_of(s, p1) - s->hosts) &&
               e->deliveries == 1;
    }
    assert_true(dashed && fed);
    COPY(320, c2, isp, 0, 40, WAY2("2"));
    COPY(330, c1, isp, 0, 40, WAY1("3"));
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 300.1);
    COPY(340, c1, isp, 0, 9, WAY1("3"));
    expect(KIND_REINJECTION, SEVERITY_CRITICAL, 300.1); /* the hundredth */
    assert_string_equal(storm()->id, w.told_id);
    close_world();
}

static void one_alone(void **state)
{
    (void)state;
    open_world(40);
    bank_sends(40);
    COPY(300, c1, isp, 0, 35, WAY1("1"));
    expect(KIND_REINJECTION, SEVERITY_WARNING, 300);
    COPY(301, c1, isp, 35, 1, WAY1("1")); /* 36 of 40: nine in ten */
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 300);
    stats_tick(w.stats, w.now + S);
    assert_true(storm()->forecast_at == TIME_UNKNOWN); /* alone it dies */
    COPY(600, c1, isp, 0, 36, WAY1("2"));              /* but it keeps its mail */
    stats_tick(w.stats, w.now + S);
    assert_true(llabs(storm()->forecast_at - (START + 900 * S)) <= S);
    assert_int_equal(storm()->forecast_deliveries, 36);
    assert_int_equal(storm()->generations_left, -1);
    close_world();
}

static void without_a_word_of_pop(void **state)
{
    (void)state;
    open_world(40);
    bank_sends(40);
#define PICKUP(n) "from mail pickup service by server.company1.test with Microsoft SMTPSVC id " n DATE
    COPY(300, c1, isp, 0, 10, BANK, FROM_BANK("mail.provider1.test"), PICKUP("1"));
    expect(KIND_REINJECTION, SEVERITY_WARNING, 300);
    COPY(600, c1, isp, 0, 10, BANK, FROM_BANK("mail.provider1.test"), PICKUP("2"));
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 300);
    assert_int_equal(at_fault(storm()), 1);
    close_world();
}

static void a_small_victims_view(void **state)
{
    (void)state;
    open_world(40);
    COPY(0, bank, isp, 0, 1, BANK);
    COPY(300, c1, isp, 0, 1, WAY1("1"));
    assert_null(storm());
    COPY(310, c2, isp, 0, 1, WAY2("1"));
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 310);
    assert_int_equal(at_fault(storm()), 2);
    close_world();
}

static void twice_in_a_chain(void **state)
{
    (void)state;
    open_world(40);
    bank_sends(40);
    COPY(300, c1, isp, 0, 2, WAY1("1"));
    assert_null(storm());
    COPY(600, c1, isp2, 2, 2, WAY1("1"), "from server.company1.test ([10.3.1.10]) by mail.provider1.test with ESMTP id 7" DATE,
        LMTP("mail.provider1.test"), POP("pop.provider1.test", "server.company1.test", "2"), LOCAL("server.company1.test", "2"));
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 600);
    assert_int_equal(at_fault(storm()), 1);
    close_world();
}

static void started_late(void **state)
{
    (void)state;
    open_world(40);
    COPY(300, c1, isp, 0, 20, WAY1("1"));
    COPY(310, c2, isp, 0, 20, WAY2("1"));
    const struct storm *s = storm();
    assert_non_null(s);
    assert_int_equal(at_fault(s), 2);
    expect_role(s, bank, ROLE_ORIGIN);
    assert_false(host_of(s, bank)->on_wire);
    assert_non_null(strstr(s->acquittal, "on this wire it sent no copy"));
    close_world();
}

static void behind_a_smarthost(void **state)
{
    (void)state;
    static const struct host relay = {"10.5.0.1", "relay.isp.example"};
#define TO_RELAY "from server.company1.test (server.company1.test [10.3.1.10]) by relay.isp.example (Postfix) with ESMTP id R1" DATE
    for (int hidden = 0; hidden < 2; hidden++) {
        open_world(40);
        bank_sends(40);
        if (!hidden)
            COPY(299, c1, relay, 0, 20, WAY1("1"));
        COPY(300, relay, isp, 0, 20, WAY1("1"), TO_RELAY);
        const struct storm *s = storm();
        assert_non_null(s);
        assert_int_equal(at_fault(s), 1);
        expect_role(s, c1, ROLE_REINJECTOR);
        assert_int_equal(host_of(s, c1)->on_wire, !hidden);
        expect_role(s, relay, ROLE_RELAY);
        expect_role(s, bank, ROLE_ORIGIN);
        close_world();
    }
}

static void two_addresses_of_one_host(void **state)
{
    (void)state;
    static const struct host c1_v6 = {"2001:db8::1", "server.company1.test"};
    open_world(40);
    bank_sends(40);
    COPY(300, c1, isp, 0, 12, WAY1("1"));
    COPY(301, c1_v6, isp, 12, 12, WAY1("1"));
    expect(KIND_REINJECTION, SEVERITY_WARNING, 300);
    close_world();
}

static void forwarders_in_a_storm_are_not_named(void **state)
{
    (void)state;
    static const struct host f = {"10.6.0.1", "mx.forward.test"};
    open_world(40);
    bank_sends(40);
    COPY_TO(0.3, bank, f, "someone@forward.test", BANK);
    COPY(1, f, isp, 3, 1, BANK, FROM_BANK("mx.forward.test"));
    COPY(300, c1, isp, 0, 20, WAY1("1"));
    COPY_TO(300.5, c1, f, "someone@forward.test", WAY1("1"));
    COPY(301, f, isp, 3, 1, WAY1("1"), "from server.company1.test ([10.3.1.10]) by mx.forward.test with ESMTP id 2" DATE);
    const struct storm *s = storm();
    assert_non_null(s);
    assert_int_equal(at_fault(s), 1);
    expect_role(s, c1, ROLE_REINJECTOR);
    expect_role(s, f, ROLE_EXPANDER);
    close_world();
}

/* Nobody fetches anything: one address in, the whole audience out. */
static void header_routing_by_smtp(void **state)
{
    (void)state;
    open_world(40);
    bank_sends(38);
    COPY_TO(0.3, bank, c1, "info@company1.test", BANK);
    COPY_TO(0.4, bank, c2, "info@company2.test", BANK);
    COPY(2, c1, isp, 0, 38, BANK, FROM_BANK("server.company1.test"), LOCAL("server.company1.test", "1"));
    assert_null(storm()); /* so far it may be an alias */
    COPY(3, c2, isp, 0, 38, BANK, FROM_BANK("server.company2.test"), LOCAL("server.company2.test", "1"));
    assert_null(storm()); /* nor are two of them, with the same members, more than that */
    COPY(4, c2, isp, 0, 38, BANK, FROM_BANK("server.company2.test"), LOCAL("server.company2.test", "1"),
        "from server.company2.test ([10.3.2.10]) by server.company1.test with ESMTP id 3" DATE, LOCAL("server.company1.test", "2"),
        "from server.company1.test ([10.3.1.10]) by server.company2.test with ESMTP id 4" DATE, LOCAL("server.company2.test", "3"));
    assert_non_null(storm()); /* a second pass */
    assert_int_equal(storm()->kind, KIND_REINJECTION);
    assert_null(strstr(storm()->why, "out of a mailbox"));
    expect_role(storm(), c2, ROLE_REINJECTOR);
    expect_role(storm(), bank, ROLE_ORIGIN);
    close_world();
}

/* ---- never an alarm ---- */

static void a_team_alias(void **state)
{
    (void)state;
    static const struct host team = {"10.8.1.10", "mx.team.test"}, other = {"10.8.2.10", "mx.other.test"};
    open_world(41);
    COPY_TO(0, bank, team, "p40@a0.test", BANK);
    COPY(0.1, bank, isp, 0, 40, BANK);
    w.delivered = "p40@a0.test"; /* local(8) writes it, and a line without "from" */
    COPY(0.5, team, isp, 0, 40, BANK, FROM_BANK("mx.team.test"), "by mx.team.test (Postfix) id 2CE32A7A044" DATE);
    assert_null(storm());
    w.delivered = NULL;
    COPY_TO(0.6, bank, other, "p39@a4.test", BANK); /* a second, smaller one */
    COPY(0.7, other, isp, 5, 15, BANK, FROM_BANK("mx.other.test"));
    assert_null(storm());
    close_world();
}

/* A connector as it should be: what it fetches goes to its own people, many of whom stand in To:. */
static void a_connector_in_order(void **state)
{
    (void)state;
    static const struct host inner = {"10.3.1.20", "exchange.company1.test"};
    open_world(100);
    for (uint32_t i = 0; i < 20; i++)
        COPY(300 + i, c1, inner, i * 5, 1, WAY1("1")); /* p0, p5, p10, ... are of one domain */
    assert_null(storm());
    for (uint32_t i = 0; i < 5; i++)
        COPY(330 + i, c1, inner, i, 1, WAY1("1"));
    expect(KIND_REINJECTION, SEVERITY_WARNING, 334); /* now it is for five */
    close_world();
}

static void repeats_of_the_origin(void **state)
{
    (void)state;
    open_world(40);
    for (int i = 0; i < 5; i++)
        COPY(i * 10, bank, isp, 0, 40, BANK);
    for (size_t i = 0; i < stats_storm_count(w.stats); i++)
        assert_int_not_equal(stats_storm(w.stats, i)->kind, KIND_REINJECTION);
    close_world();
}

static void forged_lines(void **state)
{
    (void)state;
    static const struct host f = {"10.6.0.1", "mx.forward.test"};
#define FORGED POP("pop.innocent.test", "server.innocent.test", "1"), LOCAL("server.innocent.test", "1")
    open_world(40);
    COPY(0, bank, isp, 0, 40, FROM_BANK("mail.whitehouse.test"), FORGED, BANK);
    COPY_TO(0.3, bank, f, "someone@forward.test", FROM_BANK("mail.whitehouse.test"), FORGED, BANK);
    COPY(1, f, isp, 3, 1, FROM_BANK("mail.whitehouse.test"), FORGED, BANK, FROM_BANK("mx.forward.test"));
    COPY(2, bank, isp2, 0, 40, FROM_BANK("mail.whitehouse.test"), FORGED, BANK);
    assert_null(storm());
    close_world();
}

static void tidy_ways(void **state)
{
    (void)state;
    static const struct host a = {"10.9.0.1", "relay.corp.test"}, b = {"10.9.0.2", "relay.corp.test"}, c = {"10.9.0.3", "relay.corp.test"};
#define SHARED(from, n) "from relay.corp.test ([" from "]) by relay.corp.test with ESMTP id " n DATE
    open_world(3);
    for (uint32_t i = 0; i < 3; i++) { /* three relays of one name, a copy for each person */
        COPY(i, bank, a, i, 1, BANK);
        COPY(i + 0.1, a, b, i, 1, BANK, FROM_BANK("relay.corp.test"));
        COPY(i + 0.2, b, c, i, 1, BANK, FROM_BANK("relay.corp.test"), SHARED("10.9.0.1", "b"));
        COPY(i + 0.3, c, isp, i, 1, BANK, FROM_BANK("relay.corp.test"), SHARED("10.9.0.1", "b"), SHARED("10.9.0.2", "c"));
    }
    assert_null(storm());
    close_world();
    /* a hub passes it to a filter, then to the list server, and has it back each time */
    static const struct host hub = {"10.9.1.1", "hub.corp.test"}, filter = {"10.9.1.2", "filter.corp.test"},
                             lists = {"10.9.1.3", "lists.corp.test"};
#define HOP(from, address, by) "from " from " ([" address "]) by " by " with ESMTP id x" DATE
    open_world(1);
    COPY_TO(1, bank, hub, "list@corp.test", BANK);
    COPY_TO(2, hub, filter, "list@corp.test", BANK, FROM_BANK("hub.corp.test"));
    COPY_TO(3, filter, hub, "list@corp.test", BANK, FROM_BANK("hub.corp.test"), HOP("hub.corp.test", "10.9.1.1", "filter.corp.test"));
    COPY_TO(4, hub, lists, "list@corp.test", BANK, FROM_BANK("hub.corp.test"), HOP("hub.corp.test", "10.9.1.1", "filter.corp.test"),
        HOP("filter.corp.test", "10.9.1.2", "hub.corp.test"));
    for (int i = 0; i < 3; i++)
        COPY(5 + i, lists, hub, 10 + (uint32_t)i, 1, BANK, FROM_BANK("hub.corp.test"), HOP("hub.corp.test", "10.9.1.1", "filter.corp.test"),
            HOP("filter.corp.test", "10.9.1.2", "hub.corp.test"), HOP("hub.corp.test", "10.9.1.1", "lists.corp.test"));
    COPY(9, hub, isp, 10, 3, BANK, FROM_BANK("hub.corp.test"), HOP("hub.corp.test", "10.9.1.1", "filter.corp.test"),
        HOP("filter.corp.test", "10.9.1.2", "hub.corp.test"), HOP("hub.corp.test", "10.9.1.1", "lists.corp.test"),
        HOP("lists.corp.test", "10.9.1.3", "hub.corp.test"));
    assert_null(storm());
    close_world();
}

static const struct storm_edge *edge_of(const struct storm *s, struct host from, struct host to)
{
    for (uint32_t i = 0; i < s->edge_count; i++) {
        const struct storm_edge *e = &s->edges[i];
        if (e->to >= 0 && address_equal(s->hosts[e->from].address, address(from.address)) &&
            address_equal(s->hosts[e->to].address, address(to.address)))
            return e;
    }
    return NULL;
}

/* A new sensor has counted nothing, but what each host had done is told it with the incident; drawn as often as one likes. */
static void after_a_restart_hosts_go_on_counting(void **state)
{
    (void)state;
    open_world(40);
    bank_sends(40);
    COPY(300, c1, isp, 0, 40, WAY1("1"));
    COPY(310, c2, isp, 0, 30, WAY2("1"));
    const struct storm *s = storm();
    assert_non_null(s);
    assert_int_equal(host_of(s, c2)->redeliveries, 30);
    assert_int_equal(edge_of(s, bank, p1)->deliveries, 1);
    struct reason why;
    json_t *told = storm_json(s);
    struct storm *earlier = storm_json_parse(told, &why);
    json_decref(told);
    stats_free(w.stats);
    w.stats = stats_new(&w.settings, &(struct stats_sink){note, NULL});
    assert_true(stats_resume(w.stats, earlier));
    COPY(600, c1, isp, 0, 40, WAY1("1"), LOCAL("server.company1.test", "2"));
    COPY(610, c2, isp, 0, 40, WAY2("1"), LOCAL("server.company2.test", "2"));
    COPY(615, c2, isp, 0, 5, WAY2("1"), LOCAL("server.company2.test", "3"));
    stats_tick(w.stats, w.now + S);
    stats_tick(w.stats, w.now + 2 * S);
    s = storm();
    assert_non_null(s);
    assert_string_equal(s->id, earlier->id);
    assert_int_equal(s->deliveries, earlier->deliveries + 85);
    assert_int_equal(host_of(s, c1)->deliveries, 80);
    assert_int_equal(host_of(s, c2)->deliveries, 75);
    assert_int_equal(host_of(s, c2)->copies, 3);
    assert_true(host_of(s, c2)->first == host_of(earlier, c2)->first);
    assert_int_equal(host_of(s, c2)->redeliveries, 30 + s->redeliveries - earlier->redeliveries);
    expect_role(s, c1, ROLE_REINJECTOR);
    assert_int_equal(host_of(s, bank)->deliveries, 42); /* it sent nothing more */
    assert_int_equal(host_of(s, bank)->redeliveries, 0);
    assert_int_equal(edge_of(s, bank, p1)->deliveries, 1);
    storm_json_free(earlier);
    close_world();
}

/* ---- loops ---- */

#define MOST_LINES 64
static const struct host alpha = {"10.3.1.10", "mx.alpha.test"}, beta = {"10.3.2.10", "mx.beta.test"},
                         middle = {"10.5.0.1", "relay.isp.example"};

/* The mail goes round through hosts[0 .. count): each takes it for its own recipient of to[] and sends it to the next. */
static void circle(const struct host *hosts, const char *const *to, int count, int copies, const char *const *list_of)
{
    static char text[MOST_LINES][200];
    const char *lines[MOST_LINES + 1] = {BANK};
    int n = 1;
    struct host before = bank;
    for (int i = 0; i < copies; i++) {
        struct host h = hosts[i % count];
        lines[n] = NULL;
        w.list = i && list_of ? list_of[(i - 1) % count] : NULL;
        copy_to(w.turn + i + 1, before, h, to[i % count], 0, 1, lines);
        snprintf(text[n], sizeof text[n], "from %s (%s [%s]) by %s (Postfix) with ESMTP id %d for <x@y>" DATE, before.name, before.name,
            before.address, h.name, i);
        lines[n] = text[n];
        n++;
        before = h;
    }
}

static void a_forwarding_loop(void **state)
{
    (void)state;
    open_world(1);
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 4, NULL);
    assert_null(storm()); /* each has seen one return at most */
    close_world();
    open_world(1);
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 20, NULL);
    expect(KIND_FORWARDING_LOOP, SEVERITY_MAJOR, 5);
    assert_int_equal(at_fault(storm()), 2);
    expect_role(storm(), alpha, ROLE_LOOPER);
    expect_role(storm(), beta, ROLE_LOOPER);
    expect_role(storm(), bank, ROLE_ORIGIN);
    stats_tick(w.stats, w.now + S);
    assert_true(fabs(storm()->reproduction - 1) < 0.01);
    close_world();
    open_world(1);
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 21, NULL);
    expect(KIND_FORWARDING_LOOP, SEVERITY_CRITICAL, 5);
    close_world();
}

/* A thousand mails in one loop are one incident; another loop is another. */
static void mails_on_the_same_circle(void **state)
{
    (void)state;
    static const struct host gamma = {"10.3.9.10", "mx.gamma.test"};
    open_world(1);
    for (int i = 0; i < 3; i++) {
        char id[32];
        snprintf(id, sizeof id, "m%d@bank.test", i);
        w.id = id;
        w.turn = 10 * i;
        circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 9, NULL);
    }
    expect(KIND_FORWARDING_LOOP, SEVERITY_MAJOR, 5);
    stats_tick(w.stats, w.now + S);
    assert_int_equal(storm()->copies, 27);
    assert_int_equal(storm()->deliveries, 27);
    assert_int_equal(storm()->redeliveries, 21);
    assert_int_equal(host_of(storm(), alpha)->recipients_in, 15);
    assert_int_equal(host_of(storm(), beta)->copies, 12);
    assert_int_equal(host_of(storm(), bank)->deliveries, 3);
    assert_non_null(strstr(storm()->why, "and 2 other mails like it"));
    w.id = "another@bank.test";
    w.turn = 40;
    circle((const struct host[]){alpha, gamma}, (const char *const[]){"jan@alpha.test", "jan@gamma.test"}, 2, 7, NULL);
    assert_int_equal(stats_storm_count(w.stats), 2);
    close_world();
}

static void a_relay_on_the_circle(void **state)
{
    (void)state;
    open_world(1);
    /* alpha sends through a smarthost that changes nothing */
    circle(
        (const struct host[]){alpha, middle, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test", "jan@beta.test"}, 3, 10, NULL);
    expect(KIND_FORWARDING_LOOP, SEVERITY_MAJOR, 7);
    assert_int_equal(at_fault(storm()), 2);
    expect_role(storm(), middle, ROLE_RELAY);
    close_world();
    open_world(1);
    /* two servers that each hold the other for the one to deliver: nobody changes anything, all are in it */
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@alpha.test"}, 2, 10, NULL);
    assert_int_equal(storm()->kind, KIND_FORWARDING_LOOP);
    assert_int_equal(at_fault(storm()), 2);
    close_world();
}

static void a_loop_seen_late(void **state)
{
    (void)state;
    open_world(1);
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 0, NULL);
    COPY_TO(1, beta, alpha, "jan@alpha.test", BANK, FROM_BANK("mx.alpha.test"), HOP("mx.alpha.test", "10.3.1.10", "mx.beta.test"),
        HOP("mx.beta.test", "10.3.2.10", "mx.alpha.test"), HOP("mx.alpha.test", "10.3.1.10", "mx.beta.test"),
        HOP("mx.beta.test", "10.3.2.10", "mx.alpha.test"), HOP("mx.alpha.test", "10.3.1.10", "mx.beta.test"),
        HOP("mx.beta.test", "10.3.2.10", "mx.alpha.test"), HOP("mx.alpha.test", "10.3.1.10", "mx.beta.test"));
    expect(KIND_FORWARDING_LOOP, SEVERITY_MAJOR, 1);
    assert_int_equal(at_fault(storm()), 2);
    expect_role(storm(), bank, ROLE_ORIGIN);
    close_world();
}

static void a_list_and_a_forwarder(void **state)
{
    (void)state;
    static const struct host list = {"10.8.1.10", "mx.lists.test"};
    open_world(1);
    circle((const struct host[]){alpha, list}, (const char *const[]){"jan@alpha.test", "club@lists.test"}, 2, 7,
        (const char *const[]){"", "Club <club.lists.test>"});
    const struct storm *s = storm();
    assert_non_null(s);
    assert_string_equal(storm_kind_text(s->kind), "list-loop");
    assert_int_equal(at_fault(s), 2);
    assert_true(address_equal(s->hosts[0].address, address(list.address))); /* it ignores its own mark */
    assert_true(address_equal(s->hosts[1].address, address(alpha.address)));
    close_world();
    /* the mail came by a list that has no part in the circle */
    open_world(1);
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 7,
        (const char *const[]){"<news.elsewhere.test>", "<news.elsewhere.test>"});
    expect(KIND_FORWARDING_LOOP, SEVERITY_MAJOR, 5);
    close_world();
}

static void a_stronger_kind_takes_over(void **state)
{
    (void)state;
    open_world(40);
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 7, NULL);
    expect(KIND_FORWARDING_LOOP, SEVERITY_MAJOR, 5);
    COPY(8, bank, isp, 0, 40, BANK);
    COPY(300, c1, isp, 0, 20, WAY1("1"));
    COPY(310, c2, isp, 0, 20, WAY2("1"));
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 5);
    assert_string_equal(storm()->id, w.told_id);
    assert_int_equal(at_fault(storm()), 2);
    expect_role(storm(), c1, ROLE_REINJECTOR);
    close_world();
}

static void turned_off(void **state)
{
    (void)state;
    open_world(40);
    stats_free(w.stats);
    w.settings.reinjection.enabled = w.settings.forwarding_loop.enabled = w.settings.list_loop.enabled = false;
    w.stats = stats_new(&w.settings, NULL);
    bank_sends(40);
    COPY(300, c1, isp, 0, 40, WAY1("1"));
    COPY(310, c2, isp, 0, 40, WAY2("1"));
    w.id = "another@bank.test";
    circle((const struct host[]){alpha, beta}, (const char *const[]){"jan@alpha.test", "jan@beta.test"}, 2, 20, NULL);
    for (size_t i = 0; i < stats_storm_count(w.stats); i++)
        assert_true(stats_storm(w.stats, i)->kind != KIND_REINJECTION && stats_storm(w.stats, i)->kind != KIND_FORWARDING_LOOP);
    close_world();
}

/* More mails with a sign than there is room for: the storm among them stays. */
static void many_trails(void **state)
{
    (void)state;
    open_world(40);
    bank_sends(40);
    COPY(300, c1, isp, 0, 20, WAY1("1"));
    for (int i = 0; i < 1500; i++) {
        char id[40];
        snprintf(id, sizeof id, "%d@bank.test", i);
        w.id = id;
        COPY(301 + i * 0.001, bank, isp, 0, 1, BANK);
        COPY(301.0001 + i * 0.001, c3, isp, 0, 1, BANK, FROM_BANK("server.company3.test"));
    }
    w.id = "1795490800747.6cd1@bank.test";
    COPY(310, c2, isp, 0, 1, WAY2("1"));
    expect(KIND_REINJECTION, SEVERITY_MAJOR, 300);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suspected_then_confirmed),
        cmocka_unit_test(one_alone),
        cmocka_unit_test(without_a_word_of_pop),
        cmocka_unit_test(a_small_victims_view),
        cmocka_unit_test(twice_in_a_chain),
        cmocka_unit_test(started_late),
        cmocka_unit_test(behind_a_smarthost),
        cmocka_unit_test(two_addresses_of_one_host),
        cmocka_unit_test(forwarders_in_a_storm_are_not_named),
        cmocka_unit_test(header_routing_by_smtp),
        cmocka_unit_test(a_team_alias),
        cmocka_unit_test(a_connector_in_order),
        cmocka_unit_test(repeats_of_the_origin),
        cmocka_unit_test(forged_lines),
        cmocka_unit_test(tidy_ways),
        cmocka_unit_test(after_a_restart_hosts_go_on_counting),
        cmocka_unit_test(a_forwarding_loop),
        cmocka_unit_test(mails_on_the_same_circle),
        cmocka_unit_test(a_relay_on_the_circle),
        cmocka_unit_test(a_loop_seen_late),
        cmocka_unit_test(a_list_and_a_forwarder),
        cmocka_unit_test(a_stronger_kind_takes_over),
        cmocka_unit_test(turned_off),
        cmocka_unit_test(many_trails),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
