/* Storms made by hand, with the texts that a hostile sender would choose.  Shared by the tests of what remains of a storm. */
#ifndef SQUALL_TESTS_SAMPLE_STORM_H
#define SQUALL_TESTS_SAMPLE_STORM_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats/storm.h"

/* Every character that some mail server's configuration, a shell, HTML or SQL would take for its own. */
#define HOSTILE_ID      "a.b+c(d)[e]{f}|g^h$i*j?k\\l/m\"n'o`p#q%r&s<t>u;v:w=x,~!${run{/bin/id}}@evil.test"
#define HOSTILE_SUBJECT "</title><script>alert(1)</script><img src=x onerror=alert(2)> \"q\" 'a' & DROP TABLE"
#define HOSTILE_NAME    "\"><svg onload=alert(3)>.evil.test"
#define SAMPLE_TIME     INT64_C(1795492158350000001)

struct sample_storm {
    struct storm storm;
    struct storm_host hosts[STORM_HOSTS];
    struct storm_edge edges[STORM_EDGES];
    struct storm_event events[STORM_EVENTS];
};

#define SAMPLE_TEXT(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static inline struct storm_host *sample_host(struct sample_storm *x, uint8_t third, const char *name, enum storm_role role, bool on_wire)
{
    struct storm_host *h = &x->hosts[x->storm.host_count++];
    h->address = address_v4((uint8_t[]){10, 3, third, 10});
    SAMPLE_TEXT(h->name, "%s", name);
    h->role = role;
    h->on_wire = on_wire;
    h->first = SAMPLE_TIME + third * NS_PER_SECOND;
    h->last = h->first + 60 * NS_PER_SECOND;
    return h;
}

static inline void sample_edge(struct sample_storm *x, int32_t from, int32_t to, uint64_t deliveries, uint64_t redeliveries, bool on_wire)
{
    x->edges[x->storm.edge_count++] =
        (struct storm_edge){from, to, 1 + deliveries / 4, deliveries, redeliveries, on_wire, SAMPLE_TIME + to * NS_PER_SECOND};
}

static inline void sample_evidence(struct storm_host *h, uint64_t connection, const char *said, const char *received)
{
    struct storm_evidence *e = &h->evidence[h->evidence_count++];
    e->time = h->first;
    e->connection = connection;
    e->client = h->address;
    e->server = address_v4((uint8_t[]){10, 2, 1, 10});
    SAMPLE_TEXT(e->said, "%s", said);
    SAMPLE_TEXT(e->received, "%s", received);
}

/* A bank's mail, two connectors, their mailbox hosts; to be freed with free(). */
static inline struct sample_storm *sample_reinjection(void)
{
    struct sample_storm *x = calloc(1, sizeof *x);
    struct storm *s = &x->storm;
    s->hosts = x->hosts;
    s->edges = x->edges;
    s->events = x->events;
    SAMPLE_TEXT(s->id, "20261124T034918Z-1");
    s->kind = KIND_REINJECTION;
    s->severity = s->peak_severity = SEVERITY_CRITICAL;
    SAMPLE_TEXT(s->message_id, "1795492158195.3d3e@bank.test");
    SAMPLE_TEXT(s->subject, "Nieuwe openingsuren");
    SAMPLE_TEXT(s->from, "Els Peeters <els.peeters@bank.test>");
    s->first_seen = SAMPLE_TIME;
    s->raised = s->first_seen + 14 * NS_PER_SECOND;
    s->updated = s->raised + 100 * NS_PER_SECOND;
    s->cleared = TIME_UNKNOWN;
    s->copies = 378;
    s->deliveries = 1218;
    s->redeliveries = 1160;
    s->recipients = 58;
    s->bytes = 2900000;
    s->audience = 59;
    s->audience_domains = 14;
    s->most_copies_a_recipient = 21;
    s->peak_rate = 44.7;
    s->reproduction = 3.0;
    s->generation = 58.25;
    s->forecast_at = s->updated + 58 * NS_PER_SECOND;
    s->forecast_deliveries = 2088;
    s->generations_left = 10;
    SAMPLE_TEXT(s->why, "server.company3.test and server.company1.test sent the mail again to 58 people of its To: and Cc: who had it");
    SAMPLE_TEXT(s->acquittal, "mail.bank.test (10.3.0.10) delivered it 58 times, each recipient once");
    struct storm_host *bank = sample_host(x, 0, "mail.bank.test", ROLE_ORIGIN, true);
    struct storm_host *box1 = sample_host(x, 1, "mail.provider1.test", ROLE_RELAY, false);
    struct storm_host *box2 = sample_host(x, 2, "mail.provider3.test", ROLE_RELAY, false);
    struct storm_host *loud = sample_host(x, 3, "server.company3.test", ROLE_REINJECTOR, true);
    struct storm_host *other = sample_host(x, 4, "server.company1.test", ROLE_REINJECTOR, true);
    bank->copies = 18;
    bank->deliveries = bank->recipients_in = 58;
    box1->copies = box2->copies = box1->deliveries = box2->deliveries = 1;
    loud->copies = 200;
    loud->deliveries = loud->redeliveries = 620;
    loud->recipients_in = 1;
    other->copies = 160;
    other->deliveries = other->redeliveries = 540;
    other->recipients_in = 1;
    SAMPLE_TEXT(loud->software,
        "fetchmail in multidrop mode (\"with POP3 (fetchmail-6.4.37)\"): set localdomains to its own domain, or use envelope");
    sample_evidence(loud, 41, "sent the mail at 10.2.1.10 to 12 people of To: who had it, by a chain 4 hops longer",
        "from pop.provider3.test by server.company3.test with POP3 (fetchmail-6.4.37)");
    sample_evidence(other, 57, "sent the mail again to 9 people of To:", "");
    sample_edge(x, 0, 1, 1, 0, true);
    sample_edge(x, 0, 2, 1, 0, true);
    sample_edge(x, 2, 3, 1, 0, false);
    sample_edge(x, 1, 4, 1, 0, false);
    sample_edge(x, 0, -1, 56, 0, true);
    sample_edge(x, 3, -1, 618, 618, true);
    sample_edge(x, 4, -1, 538, 538, true);
    sample_edge(x, 3, 1, 2, 2, true);
    s->events[s->event_count++] = (struct storm_event){s->first_seen, "first copy"};
    s->events[s->event_count++] = (struct storm_event){s->raised, "raised: warning, server.company3.test"};
    s->events[s->event_count++] = (struct storm_event){s->updated, "critical: 1,160 redeliveries"};
    return x;
}

/* The same with every text hostile. */
static inline struct sample_storm *sample_hostile(void)
{
    struct sample_storm *x = sample_reinjection();
    SAMPLE_TEXT(x->storm.id, "20261124T034918Z-2");
    SAMPLE_TEXT(x->storm.message_id, "%s", HOSTILE_ID);
    SAMPLE_TEXT(x->storm.thread, "\xff\xfe\x80"
                                 "broken \xe2\x80\xae override \r\nX-Injected: yes");
    SAMPLE_TEXT(x->storm.subject, "%s", HOSTILE_SUBJECT);
    SAMPLE_TEXT(x->storm.from, "\"%s\" <o'brien+`id`@evil.test>\r\nBcc: victim@evil.test", HOSTILE_SUBJECT);
    SAMPLE_TEXT(x->storm.why, "%s re-sends", HOSTILE_NAME);
    SAMPLE_TEXT(x->storm.acquittal, "%s sent it once", HOSTILE_NAME);
    for (uint32_t i = 0; i < x->storm.host_count; i++)
        SAMPLE_TEXT(x->hosts[i].name, "%s", HOSTILE_NAME);
    SAMPLE_TEXT(x->hosts[3].software, "%s", HOSTILE_SUBJECT);
    SAMPLE_TEXT(x->hosts[3].evidence[0].said, "%s", HOSTILE_SUBJECT);
    SAMPLE_TEXT(x->hosts[3].evidence[0].received, "from %s by \x1b[31m%s", HOSTILE_NAME, HOSTILE_NAME);
    SAMPLE_TEXT(x->events[0].what, "%s", HOSTILE_SUBJECT);
    return x;
}

#endif
