/* In: bounces, from stats.c, each with the chain of the copy it quotes; and the ledger's record of the mail.  Out: a re-injection that
 * this mirror does not see, told by its bounces: the origin's own link shows the mail going out once, and then reports about copies
 * that nobody sent from here.
 *
 * A bounce counts when it comes from a host that on this wire did not take the mail, nor send it but to us, quotes a chain that begins
 * as ours and goes on past the server X that took the mail from us, and reports a recipient of To or Cc *whom X did not take it for*.
 * Ordinary bounces stop at X or name X's own recipient; a forward to a dead mailbox names somebody outside the audience.  Where no
 * name on the wire tells which server X is, the chain must show another's mailbox (POP3, Delivered-To).  From a host that took the mail
 * here it counts when the chain shows that the copy came out of a mailbox after X: somebody may forward to people of To:, but not so.
 *
 * Who re-injects stands in the quoted chain: who fetched the mail from the mailbox, else the first host after X.  When that is the
 * host that sends the bounce, it is seen on the wire.  A host that only a header names is held at fault when it is the last one of the
 * chain, or when two bounces from different hosts name it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "stats/chain.h"
#include "stats/detect.h"
#include "stats/ledger.h"
#include "stats/software.h"

#define PINNED     64    /* mails kept in the ledger because of bounces */
#define LINES_READ 65536 /* of the copies sent from here, to a bounce: the origin's come first and share theirs */

struct elsewhere {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct ledger *ledger;
    uint64_t pinned[PINNED]; /* keys; 0: free */
    struct chain chain;      /* of the bounce at hand */
};

struct bounce { /* one that may count */
    const struct observation *o;
    struct message *m;
    const struct header *quoted;
    const struct chain *chain; /* the quoted one, as a way through hosts */
    uint32_t x_visit;          /* of X in it */
    size_t x;                  /* index of the line that the server added which took the mail from us */
    struct address x_address;  /* all zero: no name on the wire is that of the line */
};

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)memory;
    struct elsewhere *e = calloc(1, sizeof *e);
    if (e)
        *e = (struct elsewhere){.settings = settings, .incidents = incidents, .ledger = ledger};
    return e;
}

/* ---- the quoted chain ---- */

/* A copy from the host went to a server that its own chain names: that one had the mail before, the host only sent it back. */
static bool sent_it_back(const struct message *m, const struct message_host *h)
{
    for (uint32_t i = 0, read = 0; i < m->copy_count && read < LINES_READ; i++) {
        const struct copy *c = &m->copy_list[i];
        if (!address_equal(c->client, h->address))
            continue;
        for (uint32_t node = c->tail; node; node = m->nodes[node].parent, read++)
            if (address_equal(m->nodes[node].from_address, c->server))
                return true;
    }
    return false;
}

static bool passed(const struct header *quoted, struct address a)
{
    for (size_t i = 0; i < quoted->hop_count; i++)
        if (address_equal(quoted->hops[i].from_address, a))
            return true;
    return false;
}

/* Who sent the mail first: the shortest chain, and nothing had come in before.  When its copies were not seen, who is told of the failure
 * and stands in the quoted chain.  NULL: not known. */
static const struct message_host *origin_of(const struct message *m, const struct transaction *bounce)
{
    const struct message_host *origin = NULL;
    for (uint32_t i = 0; i < m->host_count; i++) {
        const struct message_host *h = &m->hosts[i];
        bool sent_first = h->copies_out && (h->copies_in == 0 || h->first_out < h->first_in); /* it comes back to the origin's own people */
        if (sent_first && (!origin || h->least_hops_out < origin->least_hops_out) && !sent_it_back(m, h))
            origin = h;
    }
    if (origin || !passed(&bounce->report.quoted, bounce->server.address))
        return origin;
    return message_host(m, bounce->server.address);
}

/* The lines that the quoted chain has in common with copies that left from here: those of the origin, and of hosts that took the mail on
 * this wire and passed it on.  What came back is not ours. */
static uint32_t lines_of_ours(const struct message *m, const struct message_host *origin, const struct header *quoted)
{
    uint32_t most = 0, last_tail = 0, read = 0;
    for (uint32_t i = 0; i < m->copy_count && read < LINES_READ && most < quoted->hop_count; i++) {
        const struct copy *c = &m->copy_list[i];
        const struct message_host *h = c->tail && c->tail != last_tail ? message_host(m, c->client) : NULL;
        if (!h || (h != origin && h->copies_in == 0))
            continue;
        last_tail = c->tail;
        read += m->nodes[last_tail].depth;
        uint32_t node = last_tail, common = 0;
        while (node && m->nodes[node].depth > quoted->hop_count)
            node = m->nodes[node].parent;
        for (; node; node = m->nodes[node].parent) /* from the newest line back: the last difference decides */
            common = m->nodes[node].hash != quoted->hops[m->nodes[node].depth - 1].hash ? 0 : common ? common : m->nodes[node].depth;
        most = common > most ? common : most;
    }
    return most;
}

/* Where the quoted chain leaves the way that the mail took here.  False: it is no copy of the mail, or ends at the server it was sent
 * to. */
static bool find_x(struct bounce *b)
{
    const struct message_host *origin = origin_of(b->m, b->o->t);
    if (!origin || address_equal(origin->address, b->o->t->client.address))
        return false;
    size_t common = lines_of_ours(b->m, origin, b->quoted);
    bool found = common > 0;
    for (size_t j = 0; j < b->quoted->hop_count && !found; j++) /* folded anew on the way, or the mail left us without a line */
        if (address_equal(b->quoted->hops[j].from_address, origin->address)) {
            common = j;
            found = true;
            while (common + 1 < b->quoted->hop_count && address_equal(b->quoted->hops[common + 1].from_address, origin->address))
                common++; /* handed in at the origin itself */
        }
    b->x = common;
    if (!found || b->chain->count == 0)
        return false;
    size_t cut = b->quoted->hop_count - b->chain->hop_count; /* lines too old to be read */
    b->x_visit = 0;
    while (b->x_visit + 1 < b->chain->count && b->chain->visit[b->x_visit].last + cut < common)
        b->x_visit++;
    return b->x_visit + 1 < b->chain->count; /* X and at least one more */
}

/* The client of the bounce sent the mail to others than the server of the bounce: then what it did is seen, and the rules on routes judge
 * it.  The origin's own people get their copies even where nobody else's are seen. */
static bool shown_by_the_wire(const struct message *m, const struct transaction *t)
{
    const struct message_host *h = message_host(m, t->client.address);
    if (!h || h->copies_out == 0)
        return false;
    for (uint32_t i = 0; i < m->copy_count; i++)
        if (address_equal(m->copy_list[i].client, h->address) && !address_equal(m->copy_list[i].server, t->server.address))
            return true;
    return false;
}

static bool copy_went_to(const struct message *m, const struct copy *c, struct span name)
{
    return name.n && span_equal_nocase(span_text(message_text(m, c->greeting)), name);
}

/* X took the mail for the recipient; notes X's address. */
static bool x_took_it_for(struct bounce *b, uint64_t recipient)
{
    for (uint32_t i = 0; i < b->m->copy_count; i++) {
        const struct copy *c = &b->m->copy_list[i];
        if (!copy_went_to(b->m, c, b->quoted->hops[b->x].by))
            continue;
        b->x_address = c->server;
        if (message_copies_at(b->m, recipient, c->server) > 0)
            return true;
    }
    return false;
}

/* The chain shows that the copy had come into a mailbox, and not the recipient's. */
static bool in_another_mailbox(const struct bounce *b, uint64_t recipient)
{
    for (uint32_t k = b->x_visit + 1; k < b->chain->count; k++)
        if (b->chain->visit[k].fetched)
            return true;
    bool own = b->quoted->delivered_to_count == 0;
    for (size_t i = 0; i < b->quoted->delivered_to_count; i++)
        own |= b->quoted->delivered_to[i] == recipient;
    return !own;
}

static bool out_of_a_mailbox(const struct chain *c, uint32_t from)
{
    for (uint32_t k = from + 1; k < c->count; k++)
        if (c->visit[k].arrival == ARRIVAL_MAILBOX && (c->visit[k].fetched || c->visit[k - 1].delivered))
            return true;
    return false;
}

/* A failed recipient who proves a re-injection; an empty span: none. */
static struct span proof_of(struct bounce *b)
{
    const struct report *r = &b->o->t->report;
    const struct message_host *reporter = message_host(b->m, b->o->t->client.address);
    if (reporter && reporter->copies_in && !out_of_a_mailbox(b->chain, b->x_visit))
        return (struct span){NULL, 0};
    for (size_t i = 0; i < r->final_recipient_count; i++) {
        uint64_t failed = r->final_recipient_hash[i];
        if (!message_in_audience(b->m, failed) || x_took_it_for(b, failed))
            continue;
        if (address_known(b->x_address) || in_another_mailbox(b, failed))
            return r->final_recipient[i];
    }
    return (struct span){NULL, 0};
}

/* The next host after visit k that got the mail out of a mailbox; 0: none. */
static uint32_t next_reinjector(const struct chain *c, uint32_t k)
{
    for (k++; k < c->count; k++)
        if (c->visit[k].arrival == ARRIVAL_MAILBOX)
            return k;
    return 0;
}

/* ---- the storm ---- */

static struct storm_host *host_named(struct storm *s, struct span name)
{
    for (uint32_t i = 0; i < s->host_count; i++)
        if (name.n && span_equal_nocase(span_text(s->hosts[i].name), name))
            return &s->hosts[i];
    return NULL;
}

static void add_evidence(struct storm_host *h, const struct bounce *b, const struct visit *v, struct span failed)
{
    const struct transaction *t = b->o->t;
    struct storm_evidence e = {.time = t->end, .connection = t->connection, .client = t->client.address, .server = t->server.address};
    char who[80], text[STORM_TEXT_SIZE];
    snprintf(text, sizeof text,
        "a bounce for %s, who stands in To or Cc, quotes a copy whose chain goes on for %zu lines past the server it was sent to",
        log_clean(failed, who, sizeof who), b->quoted->hop_count - b->x - 1);
    log_clean(span_text(text), e.said, sizeof e.said);
    chain_line(&b->chain->hops[v->first], e.received, sizeof e.received);
    incident_evidence(h, &e);
}

/* The host of the visit, at fault when it is the last that re-injected, or a second host has named it. */
static struct storm_host *accuse(struct storm *s, const struct bounce *b, const struct visit *v, bool last, struct span failed)
{
    const struct transaction *t = b->o->t;
    struct span name = v->name;
    struct address address = v->address;
    bool on_wire = last && (address_equal(address, t->client.address) || span_equal_nocase(name, t->helo));
    char text[STORM_TEXT_SIZE];
    log_clean(name, text, sizeof text);
    struct address seen = on_wire ? t->client.address : address;
    struct storm_host *h = host_named(s, span_text(text));
    if (!h || (address_known(seen) && address_known(h->address) && !address_equal(seen, h->address)))
        h = incident_host(s, seen, text, on_wire);
    else if (!address_known(h->address))
        h->address = seen;
    if (!h || h->role == ROLE_ORIGIN)
        return NULL;
    h->on_wire |= on_wire;
    const struct message_host *sent = h->on_wire ? message_host(b->m, h->address) : NULL; /* to the origin's own people */
    if (sent) {
        h->copies = sent->copies_out;
        h->deliveries = sent->out;
        h->redeliveries = sent->redeliveries;
    }
    if (h->software[0] == 0)
        software_text(b->chain, v, b->quoted, h->software, sizeof h->software);
    bool named_before = false;
    for (uint32_t i = 0; i < h->evidence_count; i++)
        named_before |= !address_equal(h->evidence[i].client, t->client.address);
    if (last || named_before)
        h->role = ROLE_REINJECTOR;
    if (h->first == TIME_UNKNOWN)
        h->first = t->end;
    h->last = t->end;
    add_evidence(h, b, v, failed);
    return h;
}

static struct storm_host *acquitted(struct storm *s)
{
    for (uint32_t i = 0; i < s->host_count; i++)
        if (s->hosts[i].role == ROLE_ORIGIN)
            return &s->hosts[i];
    return NULL;
}

/* X, which took the mail from us. */
static struct storm_host *way_out(struct storm *s, const struct bounce *b)
{
    const struct message_host *taken = address_known(b->x_address) ? message_host(b->m, b->x_address) : NULL;
    char name[STORM_TEXT_SIZE];
    log_clean(b->quoted->hops[b->x].by, name, sizeof name);
    struct storm_host *h = incident_host(s, b->x_address, name, taken != NULL);
    if (h && taken) {
        h->recipients_in = taken->in;
        h->first = h->last = taken->first_in;
    }
    return h;
}

/* `to` had the mail from `from`; hosts move when one is added, so they are named by their places. */
static void draw(struct storm *s, int32_t from, int32_t to, bool on_wire, uint64_t deliveries, int64_t time)
{
    struct storm_edge *e = from >= 0 && to >= 0 && from != to ? incident_edge(s, from, to) : NULL;
    if (!e)
        return;
    e->on_wire = on_wire;
    e->copies = on_wire ? 1 : e->copies + 1;
    e->deliveries = on_wire ? deliveries : e->deliveries;
    if (e->first == TIME_UNKNOWN)
        e->first = time;
}

static int32_t place_of(const struct storm *s, const struct storm_host *h)
{
    return h ? (int32_t)(h - s->hosts) : -1;
}

static void acquit(struct storm *s, const struct message *m, const struct transaction *bounce)
{
    const struct message_host *origin = origin_of(m, bounce);
    struct storm_host *h = origin ? incident_host(s, origin->address, message_text(m, origin->helo), true) : NULL;
    if (!h)
        return;
    h->role = ROLE_ORIGIN;
    h->copies = origin->copies_out;
    h->deliveries = origin->out;
    h->redeliveries = origin->redeliveries;
    h->first = origin->first_out;
    h->last = origin->last_out;
    char address[ADDRESS_TEXT];
    if (origin->copies_out && origin->redeliveries == 0)
        snprintf(s->acquittal, sizeof s->acquittal,
            "%s (%s) sent it to %llu recipients, each once; the copies that bounce were not sent by it.", address_text(h->address, address),
            h->name, (unsigned long long)h->deliveries);
}

static void describe(struct storm *s, const struct message *m)
{
    log_clean(span_text(message_text(m, m->id)), s->message_id, sizeof s->message_id);
    log_clean(span_text(message_text(m, m->from)), s->from, sizeof s->from);
    log_clean(span_text(message_text(m, m->subject)), s->subject, sizeof s->subject);
    s->audience = m->audience;
    s->copies = m->copies;
    s->deliveries = m->deliveries;
    s->redeliveries = message_redeliveries(m);
    s->recipients = message_recipients(m);
    s->bytes = m->bytes;
}

static void keep(struct elsewhere *e, struct message *m)
{
    if (m->pinned)
        return;
    for (size_t i = 0; i < PINNED; i++)
        if (e->pinned[i] == 0) {
            e->pinned[i] = m->key;
            ledger_pin(e->ledger, m, true);
            return;
        }
}

static void raise_storm(struct elsewhere *e, struct storm *s, struct bounce *b, struct span failed)
{
    describe(s, b->m);
    acquit(s, b->m, b->o->t);
    const struct storm_host *x = way_out(s, b);
    int32_t from = place_of(s, x);
    draw(s, place_of(s, acquitted(s)), from, x && x->on_wire, x ? x->recipients_in : 0, x ? x->first : 0);
    uint32_t k = next_reinjector(b->chain, b->x_visit);
    if (k == 0)
        k = b->x_visit + 1; /* no line shows the mailbox: the first host after X */
    while (k > 0 && k < b->chain->count) {
        uint32_t next = next_reinjector(b->chain, k);
        int32_t to = place_of(s, accuse(s, b, &b->chain->visit[k], next == 0, failed));
        draw(s, from, to, false, 0, b->o->now);
        from = to;
        k = next;
    }
    uint32_t at_fault = 0;
    const struct storm_host *h = NULL;
    for (uint32_t i = 0; i < s->host_count; i++)
        if (s->hosts[i].role == ROLE_REINJECTOR) {
            h = &s->hosts[i];
            at_fault++;
        }
    if (!h)
        return;
    char who[80];
    incident_kind(e->incidents, s, KIND_REINJECTION_ELSEWHERE, b->o->now);
    incident_raise(e->incidents, s, at_fault >= e->settings->reinjection_elsewhere.major_hosts ? SEVERITY_MAJOR : SEVERITY_WARNING,
        b->o->now,
        "%u host%s to which the mail was not sent re-inject%s it where this mirror does not see it: bounces quote copies that went on past "
        "the mailbox they were sent to, the latest for %s, by way of %s.",
        at_fault, at_fault == 1 ? "" : "s", at_fault == 1 ? "s" : "", log_clean(failed, who, sizeof who), h->name);
    keep(e, b->m);
}

static void observe(void *self, const struct observation *o)
{
    struct elsewhere *e = self;
    const struct transaction *t = o->t;
    struct span id = t->report.quoted.message_id;
    if (!e->settings->reinjection_elsewhere.enabled || !t->message || !t->null_reverse_path || !t->report.present || id.n == 0 ||
        key_is_constant(id))
        return;
    struct bounce b = {.o = o, .m = ledger_find(e->ledger, key_id(id)), .quoted = &t->report.quoted, .chain = &e->chain};
    if (!b.m)
        return;
    chain_read(&e->chain, b.quoted->hops, b.quoted->hop_count);
    if (shown_by_the_wire(b.m, t) || !find_x(&b))
        return;
    struct span failed = proof_of(&b);
    if (failed.n == 0)
        return;
    struct storm *s = incident_find(e->incidents, b.m->key);
    if (s && incident_raised(s) && s->kind != KIND_REINJECTION_ELSEWHERE) {
        incident_touch(e->incidents, s, o->now); /* the wire has shown it */
        return;
    }
    if (!s)
        s = incident_open(e->incidents, b.m->key, KIND_REINJECTION_ELSEWHERE, b.m->first);
    if (s)
        raise_storm(e, s, &b, failed);
}

static void tick(void *self, int64_t now)
{
    (void)now;
    struct elsewhere *e = self;
    for (size_t i = 0; i < PINNED; i++) {
        if (e->pinned[i] == 0)
            continue;
        const struct storm *s = incident_find(e->incidents, e->pinned[i]);
        if (s && s->state != STATE_CLEARED)
            continue;
        struct message *m = ledger_find(e->ledger, e->pinned[i]);
        if (m)
            ledger_pin(e->ledger, m, false);
        e->pinned[i] = 0;
    }
}

const struct detector elsewhere_detector = {.make = make, .drop = free, .traits = TRAIT_BOUNCE, .observe = observe, .tick = tick};
