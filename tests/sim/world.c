/* In: a plan and a seed.  Out: every transaction that a mirror in this world would have shown, in order, and the truth; to sim.c.
 * Connectors poll at one period, each with its own offset; a copy found at a poll goes out again to everybody in To: but the connector's
 * own people.  Received lines grow by four a generation, as they do with fetchmail, Dovecot and Postfix. */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"

#define EPOCH (INT64_C(1795000000) * NS_PER_SECOND)
#define MS (NS_PER_SECOND / 1000)
#define BATCH 50             /* recipients a transaction: Postfix's default */
#define MOST_DELIVERIES 60000 /* of the storm: then the operator pulls the plug */
#define LAST_ROUND 3
#define NO_DOMAIN UINT32_MAX

struct chain {
    struct hop *hops;
    size_t count;
};

struct person {
    struct span address;
    uint64_t hash;
    uint32_t domain;
};

struct domain {
    struct span name;
    struct address server;    /* takes its mail */
    struct span server_name;
    uint32_t connector;       /* index, NO_DOMAIN: an ordinary one */
};

struct connector {
    uint32_t domain;
    struct address host;
    struct span name;
    int64_t offset;           /* of its polls */
    bool new_ids;
};

struct mail {                 /* what all copies share */
    struct span id, from, from_address, subject, reverse_path;
    uint64_t from_hash;
    int64_t date;
    const struct person *people;   /* the audience, sorted by domain */
    size_t person_count;
    struct audience_address *audience;
    size_t audience_count;
    uint64_t fingerprint;
    bool storms;
};

struct arrival {              /* a copy in the mailbox of a connector, waiting for the poll */
    uint32_t connector;
    int64_t time;
    struct chain chain;
};

struct store {
    struct arena *arena;
    uint64_t random[2];
    const struct world_plan *plan;
    struct world *world;
    struct domain *domains;
    uint32_t domain_count;
    struct connector connectors[WORLD_CONNECTORS];
    struct arrival *arrivals; /* a list that is worked off in order of time */
    size_t arrival_count, arrival_room;
    size_t transaction_room;
    uint64_t connection, serial;
    uint64_t storm_deliveries;
    int64_t first_poll;       /* that found a copy: rounds are counted from it, a period each */
    bool failed;
};

/* ---- chance ------------------------------------------------------------------------------------------------------------------ */

static uint64_t next_random(struct store *s) /* xorshift128+ */
{
    uint64_t a = s->random[0], b = s->random[1];
    s->random[0] = b;
    a ^= a << 23;
    s->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return s->random[1] + b;
}

static uint32_t below(struct store *s, uint32_t n)
{
    return (uint32_t)(next_random(s) % n);
}

static bool chance(struct store *s, double p)
{
    return (double)(next_random(s) >> 11) * 0x1p-53 < p;
}

static int64_t between(struct store *s, int64_t least, int64_t most)
{
    return least + (int64_t)(next_random(s) % (uint64_t)(most - least + 1));
}

/* ---- texts and addresses ----------------------------------------------------------------------------------------------------- */

static struct span say(struct store *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static struct span say(struct store *s, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_copy(s->arena, span_of(text, (size_t)n));
}

static void *get(struct store *s, size_t n)
{
    void *p = arena_get(s->arena, n);
    if (!p)
        s->failed = true;
    else
        memset(p, 0, n);
    return p;
}

static struct address host(unsigned a, unsigned b, unsigned c)
{
    return address_v4((const uint8_t[4]){10, (uint8_t)a, (uint8_t)b, (uint8_t)c});
}

/* ---- Received ---------------------------------------------------------------------------------------------------------------- */

static struct chain chain_add(struct store *s, struct chain old, struct span from, struct address from_address, struct span by,
    const char *with, const char *note, int64_t date)
{
    struct chain c = {get(s, (old.count + 1) * sizeof *c.hops), old.count + 1};
    if (s->failed)
        return old;
    if (old.count)
        memcpy(c.hops, old.hops, old.count * sizeof *c.hops);
    struct span id = say(s, "%08X", (unsigned)next_random(s));
    char whole[512];
    int n = snprintf(whole, sizeof whole, "from %.*s by %.*s with %s %s id %.*s; %lld", (int)from.n, (const char *)from.p, (int)by.n,
        (const char *)by.p, with, note, (int)id.n, (const char *)id.p, (long long)(date / NS_PER_SECOND));
    c.hops[old.count] = (struct hop){.from = from,
                                     .from_address = from_address,
                                     .by = by,
                                     .with = say(s, "%s", with),
                                     .id = id,
                                     .with_note = *note ? say(s, "%s", note) : span_of(NULL, 0),
                                     .date = date / NS_PER_SECOND * NS_PER_SECOND,
                                     .hash = hash_bytes(whole, (size_t)n)};
    return c;
}

/* ---- transactions ------------------------------------------------------------------------------------------------------------ */

static struct transaction *transaction_add(struct store *s)
{
    struct world *w = s->world;
    if (w->transaction_count == s->transaction_room) {
        s->transaction_room = s->transaction_room ? s->transaction_room * 2 : 4096;
        struct transaction *more = realloc(w->transactions, s->transaction_room * sizeof *more);
        if (!more) {
            s->failed = true;
            return NULL;
        }
        w->transactions = more;
    }
    struct transaction *t = &w->transactions[w->transaction_count++];
    *t = (struct transaction){.connection = ++s->connection, .ordinal = 1};
    return t;
}

/* One transaction of mail `m`; the mirror may lose it.  Returns its end of data. */
static int64_t transact(struct store *s, const struct mail *m, struct span id, struct chain chain, struct address client, struct span helo,
    struct address server, struct span greeting, const struct person *people, size_t n, int64_t start, bool visible)
{
    int64_t data_end = start + between(s, 8 * MS, 60 * MS) + (int64_t)n * MS, end = data_end + between(s, 2 * MS, 30 * MS);
    double fate = (double)below(s, 1000000) / 1e6;
    if (!visible || fate < s->plan->loss / 2)
        return data_end;
    struct transaction *t = transaction_add(s);
    struct recipient *r = get(s, n * sizeof *r);
    if (s->failed)
        return data_end;
    for (size_t i = 0; i < n; i++)
        r[i] = (struct recipient){.address = people[i].address, .hash = people[i].hash, .code = 250, .final_code = 250};
    t->client = (struct endpoint){client, (uint16_t)(1024 + s->connection % 60000)};
    t->server = (struct endpoint){server, 25};
    t->helo = helo;
    t->greeting = greeting;
    t->mail_time = start;
    t->data_end = data_end;
    t->end = end;
    t->reverse_path = m->reverse_path;
    t->recipients = r;
    t->recipient_count = n;
    t->code = 250;
    t->bytes = 3000 + 700 * chain.count / 4;
    t->header = (struct header){.message_id = id,
                                .from = m->from,
                                .from_address = m->from_address,
                                .from_hash = m->from_hash,
                                .subject = m->subject,
                                .date = m->date,
                                .audience = m->audience,
                                .audience_count = m->audience_count,
                                .hops = chain.hops,
                                .hop_count = chain.count,
                                .complete = true,
                                .bytes = 2000};
    t->body_fingerprint = m->fingerprint;
    t->uncertain = fate < s->plan->loss;
    t->message = !t->uncertain;
    return data_end;
}

/* ---- the storm --------------------------------------------------------------------------------------------------------------- */

static void arrive(struct store *s, uint32_t connector, int64_t time, struct chain chain)
{
    if (s->arrival_count == s->arrival_room) {
        s->arrival_room = s->arrival_room ? s->arrival_room * 2 : 1024;
        struct arrival *more = realloc(s->arrivals, s->arrival_room * sizeof *more);
        if (!more) {
            s->failed = true;
            return;
        }
        s->arrivals = more;
    }
    s->arrivals[s->arrival_count++] = (struct arrival){connector, time, chain};
}

static void count_round(struct store *s, uint32_t round, size_t deliveries, int64_t end)
{
    struct world *w = s->world;
    s->storm_deliveries += deliveries;
    if (round >= WORLD_ROUNDS)
        return;
    if (w->round_deliveries[round] == 0)
        w->round_first[round] = end;
    w->round_deliveries[round] += deliveries;
    w->round_last[round] = end > w->round_last[round] ? end : w->round_last[round];
}

/* `sender` sends M to everybody of the audience but the people of `except`; each domain's server gets it in batches.  Copies for a
 * connector's domain land in its mailbox. */
static void send_to_all(struct store *s, const struct mail *m, struct span id, struct chain chain, struct address client, struct span helo,
    uint32_t except, int64_t start, uint32_t round, bool visible)
{
    int64_t now = start;
    for (size_t at = 0, n; at < m->person_count && !s->failed; at += n) {
        uint32_t d = m->people[at].domain;
        for (n = 1; at + n < m->person_count && n < BATCH && m->people[at + n].domain == d; n++)
            ;
        if (d == except)
            continue;
        const struct domain *domain = &s->domains[d];
        now += between(s, 1 * MS, 8 * MS);
        int64_t data_end = transact(s, m, id, chain, client, helo, domain->server, domain->server_name, m->people + at, n, now, visible);
        if (m->storms)
            count_round(s, round, n, data_end);
        if (m->storms && domain->connector != NO_DOMAIN) {
            struct chain taken = chain_add(s, chain, helo, client, domain->server_name, "ESMTP", "", data_end);
            taken = chain_add(s, taken, domain->server_name, (struct address){{0}}, domain->server_name, "LMTP", "", data_end);
            arrive(s, domain->connector, data_end, taken);
        }
    }
}

static void note_reinjector(struct store *s, struct address a)
{
    struct world *w = s->world;
    for (size_t i = 0; i < w->reinjector_count; i++)
        if (address_equal(w->reinjectors[i], a))
            return;
    if (w->reinjector_count < WORLD_CONNECTORS)
        w->reinjectors[w->reinjector_count++] = a;
}

static int64_t next_poll(const struct store *s, const struct connector *c, int64_t after)
{
    int64_t since = after - EPOCH - c->offset, period = s->world->period;
    return EPOCH + c->offset + (since < 0 ? 0 : since / period + 1) * period;
}

/* A connector has found a copy in its mailbox. */
static void reinject(struct store *s, const struct mail *m, const struct arrival *a, int64_t now, uint32_t round)
{
    const struct connector *c = &s->connectors[a->connector];
    const struct domain *d = &s->domains[c->domain];
    struct chain chain = chain_add(s, a->chain, d->server_name, d->server, c->name, "POP3", "fetchmail-6.4.37", now);
    chain = chain_add(s, chain, span_text("localhost"), address_v4((const uint8_t[4]){127, 0, 0, 1}), c->name, "SMTP", "", now);
    struct span id =
        c->new_ids ? say(s, "%u.%llu@%.*s", (unsigned)c->domain, (unsigned long long)++s->serial, (int)c->name.n, (const char *)c->name.p)
                   : m->id;
    if (!s->plan->smarthost) {
        note_reinjector(s, c->host);
        send_to_all(s, m, id, chain, c->host, c->name, c->domain, now, round, true);
        return;
    }
    struct address relay = host(200, 0, 1 + a->connector % 3);
    struct span relay_name = say(s, "relay%u.isp.example", (unsigned)(1 + a->connector % 3));
    int64_t through = now;
    for (size_t at = 0; at < m->person_count; at += 1000) { /* a smarthost gets all recipients of a queue file */
        size_t n = m->person_count - at < 1000 ? m->person_count - at : 1000;
        through = transact(s, m, id, chain, c->host, c->name, relay, relay_name, m->people + at, n, now, !s->plan->smarthost_hidden);
    }
    note_reinjector(s, c->host);
    chain = chain_add(s, chain, c->name, c->host, relay_name, "ESMTP", "", through);
    send_to_all(s, m, id, chain, relay, relay_name, c->domain, through + 5 * MS, round, true);
}

static void run_storm(struct store *s, const struct mail *m)
{
    while (s->arrival_count && !s->world->cut_short && !s->failed) {
        size_t first = 0;
        int64_t when = INT64_MAX;
        for (size_t i = 0; i < s->arrival_count; i++) {
            int64_t poll = next_poll(s, &s->connectors[s->arrivals[i].connector], s->arrivals[i].time);
            if (poll < when) {
                when = poll;
                first = i;
            }
        }
        struct arrival a = s->arrivals[first];
        s->arrivals[first] = s->arrivals[--s->arrival_count];
        if (!s->first_poll)
            s->first_poll = when;
        uint32_t round = (uint32_t)((when - s->first_poll) / s->world->period) + 1;
        if (s->storm_deliveries >= MOST_DELIVERIES)
            s->world->cut_short = round;
        else if (round <= LAST_ROUND)
            reinject(s, m, &a, when + between(s, 100 * MS, 2000 * MS), round);
    }
}

/* ---- what is in order -------------------------------------------------------------------------------------------------------- */

static const struct mail *mail_make(
    struct store *s, const char *subject, const struct person *people, size_t n, bool in_header, int64_t date)
{
    struct mail *m = get(s, sizeof *m);
    if (s->failed)
        return NULL;
    uint64_t serial = ++s->serial;
    m->id = say(s, "%llu.%x@bank.example", (unsigned long long)serial, (unsigned)next_random(s));
    m->from_address = say(s, "clerk%u@bank.example", (unsigned)(serial % 50));
    m->from = say(s, "Clerk <%.*s>", (int)m->from_address.n, (const char *)m->from_address.p);
    m->from_hash = hash_nocase(m->from_address);
    m->reverse_path = m->from_address;
    m->subject = say(s, "%s %llu", subject, (unsigned long long)serial);
    m->date = date / NS_PER_SECOND * NS_PER_SECOND;
    m->people = people;
    m->person_count = n;
    m->fingerprint = next_random(s) | 1;
    if (in_header) {
        m->audience = get(s, n * sizeof *m->audience);
        m->audience_count = s->failed ? 0 : n;
        for (size_t i = 0; i < m->audience_count; i++)
            m->audience[i] = (struct audience_address){people[i].hash, hash_nocase(s->domains[people[i].domain].name)};
    }
    return m;
}

/* Office mail: one to five recipients, one host to another. */
static void office_mail(struct store *s, const struct person *people, size_t n, int64_t from, int64_t to)
{
    for (int i = 0; i < 200 && !s->failed; i++) {
        int64_t now = between(s, from, to);
        size_t count = 1 + below(s, 5), at = below(s, (uint32_t)(n - 1));
        count = at + count > n ? n - at : count;
        const struct mail *m = mail_make(s, "Re: offer", people + at, count, true, now);
        unsigned office = 1 + below(s, 200);
        struct span helo = say(s, "mail.office%u.example", office);
        if (m)
            send_to_all(s, m, m->id, chain_add(s, (struct chain){0}, span_text("desk"), host(50, 0, office), helo, "ESMTPSA", "", now),
                host(51, 0, office), helo, NO_DOMAIN, now, 0, true);
    }
}

/* A list: one copy in, everybody gets one from the list host; the list's address is what stands in To:. */
static void list_mail(struct store *s, const struct person *people, size_t n, int64_t now)
{
    struct domain list_domain = {.name = span_text("lists.example")};
    struct person list = {say(s, "team@lists.example"), 0, 0};
    list.hash = hash_nocase(list.address);
    struct mail *m = NULL;
    const struct mail *made = mail_make(s, "[team] news", people, n, false, now);
    if (!made || !(m = get(s, sizeof *m)))
        return;
    *m = *made;
    m->audience = get(s, sizeof *m->audience);
    if (!m->audience)
        return;
    m->audience[0] = (struct audience_address){list.hash, hash_nocase(list_domain.name)};
    m->audience_count = 1;
    struct span helo = span_text("mail.member.example"), by = span_text("lists.example");
    struct chain c = chain_add(s, (struct chain){0}, span_text("desk"), host(60, 0, 1), helo, "ESMTPSA", "", now);
    transact(s, m, m->id, c, host(60, 0, 2), helo, host(61, 0, 1), by, &list, 1, now, true);
    c = chain_add(s, c, helo, host(60, 0, 2), by, "ESMTP", "", now);
    send_to_all(s, m, m->id, c, host(61, 0, 1), by, NO_DOMAIN, now + 300 * MS, 0, true);
}

/* A team alias whose members stand in To: as well: everyone gets exactly two copies. */
static void alias_mail(struct store *s, const struct person *people, size_t n, int64_t now)
{
    struct person *to = get(s, (n + 1) * sizeof *to);
    if (!to)
        return;
    memcpy(to, people, n * sizeof *to);
    to[n] = (struct person){say(s, "team@alias.example"), 0, to[n - 1].domain};
    to[n].hash = hash_nocase(to[n].address);
    const struct mail *m = mail_make(s, "Meeting", to, n + 1, true, now);
    if (!m)
        return;
    struct span helo = span_text("mail.boss.example"), by = span_text("mx.alias.example");
    struct chain c = chain_add(s, (struct chain){0}, span_text("desk"), host(62, 0, 1), helo, "ESMTPSA", "", now);
    struct mail direct = *m;
    direct.person_count = n;
    send_to_all(s, &direct, m->id, c, host(62, 0, 2), helo, NO_DOMAIN, now, 0, true);
    transact(s, m, m->id, c, host(62, 0, 2), helo, host(63, 0, 1), by, &to[n], 1, now + 40 * MS, true);
    c = chain_add(s, c, helo, host(62, 0, 2), by, "ESMTP", "", now);
    send_to_all(s, &direct, m->id, c, host(63, 0, 1), by, NO_DOMAIN, now + 200 * MS, 0, true);
}

/* ---- the world --------------------------------------------------------------------------------------------------------------- */

static struct person *people_make(struct store *s)
{
    const struct world_plan *plan = s->plan;
    uint32_t n = plan->recipients;
    s->domain_count = plan->connectors + n / 3 + 2;
    s->domains = get(s, s->domain_count * sizeof *s->domains);
    struct person *people = get(s, n * sizeof *people);
    if (s->failed)
        return NULL;
    for (uint32_t d = 0; d < s->domain_count; d++)
        s->domains[d] = (struct domain){.name = say(s, "company%u.example", d),
                                        .server = host(100 + d / 250, d % 250, 1),
                                        .server_name = say(s, "mx.company%u.example", d),
                                        .connector = d < plan->connectors ? d : NO_DOMAIN};
    uint32_t at = 0;
    for (uint32_t d = 0; d < plan->connectors; d++) { /* a connector's domain has one or two people in To: */
        people[at++].domain = d;
        if (chance(s, 0.3) && at + plan->connectors < n)
            people[at++].domain = d;
    }
    uint32_t spread = 0;
    for (; at < n; at++) { /* the others: a few large providers, many small companies */
        if (chance(s, 0.7) && spread + 1 < s->domain_count - plan->connectors)
            spread++;
        people[at].domain = plan->connectors + spread;
    }
    for (uint32_t i = 0; i < n; i++) {
        people[i].address = say(s, "person%u@company%u.example", i, people[i].domain);
        people[i].hash = hash_nocase(people[i].address);
    }
    return people;
}

/* Their polls stand close together, so that rounds can be told apart; a round is found by `start`, the first poll's place in the period. */
static void connectors_make(struct store *s, int64_t start)
{
    int64_t period = s->world->period;
    for (uint32_t c = 0; c < s->plan->connectors; c++)
        s->connectors[c] = (struct connector){.domain = c,
                                              .host = host(30, c, 10),
                                              .name = say(s, "server.company%u.example", c),
                                              .offset = start + between(s, 0, period / 10),
                                              .new_ids = s->plan->new_ids && c % 2};
}

static void origin_sends(struct store *s, const struct mail *m, int64_t now)
{
    struct world *w = s->world;
    struct span name = span_text("mail.bank.example");
    struct chain c = {0};
    if (s->plan->forged) { /* lines that stood in the mail before the origin ever saw it */
        c = chain_add(s, c, span_text("nowhere"), host(66, 6, 6), span_text("server.company0.example"), "POP3", "fetchmail-6.4.37",
            now - 60 * NS_PER_SECOND);
        c = chain_add(
            s, c, span_text("mail.bank.example"), w->origin, span_text("innocent.example"), "ESMTP", "", now - 50 * NS_PER_SECOND);
    }
    c = chain_add(s, c, span_text("desk17"), host(1, 0, 77), name, "ESMTPSA", "", now);
    if (!s->plan->two_relays) {
        send_to_all(s, m, m->id, c, w->origin, name, NO_DOMAIN, now, 0, !s->plan->origin_hidden);
        return;
    }
    struct address gateway = host(1, 9, 9);
    struct span gateway_name = span_text("gw.bank.example");
    for (size_t at = 0; at < m->person_count; at += BATCH) {
        size_t n = m->person_count - at < BATCH ? m->person_count - at : BATCH;
        transact(s, m, m->id, c, w->origin, name, gateway, gateway_name, m->people + at, n, now, !s->plan->origin_hidden);
    }
    c = chain_add(s, c, name, w->origin, gateway_name, "ESMTP", "", now);
    send_to_all(s, m, m->id, c, gateway, gateway_name, NO_DOMAIN, now + 400 * MS, 0, !s->plan->origin_hidden);
}

static int by_end(const void *a, const void *b)
{
    const struct transaction *x = a, *y = b;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->connection < y->connection ? -1 : x->connection > y->connection;
}

bool world_make(struct world *w, const struct world_plan *plan)
{
    *w = (struct world){.origin = host(1, 0, 10)};
    struct store *s = calloc(1, sizeof *s);
    if (!s || !(s->arena = arena_new((size_t)4 << 30))) {
        free(s);
        return false;
    }
    w->store = s;
    s->world = w;
    s->plan = plan;
    s->random[0] = plan->seed * 0x9e3779b97f4a7c15ULL + 1;
    s->random[1] = plan->seed ^ 0xbf58476d1ce4e5b9ULL;
    for (int i = 0; i < 16; i++)
        next_random(s);
    w->period = between(s, 5 * 60, 15 * 60) * NS_PER_SECOND;
    struct person *people = people_make(s);
    if (!people)
        return false;
    int64_t polls = between(s, 0, w->period * 3 / 4);
    connectors_make(s, polls);
    int64_t start = EPOCH + w->period + polls + between(s, w->period * 15 / 100, w->period * 90 / 100);
    struct mail *m = NULL;
    const struct mail *made = mail_make(s, "Your bank: new conditions", people, plan->recipients, true, start);
    if (made && (m = get(s, sizeof *m))) {
        *m = *made;
        m->storms = true;
        origin_sends(s, m, start);
        run_storm(s, m);
    }
    size_t few = plan->recipients < 40 ? plan->recipients : 40;
    office_mail(s, people, plan->recipients, EPOCH, start + 3 * w->period);
    list_mail(s, people, few, start + between(s, 1, 500) * NS_PER_SECOND);
    alias_mail(s, people + (plan->recipients - few), few, start + between(s, 1, 500) * NS_PER_SECOND);
    qsort(w->transactions, w->transaction_count, sizeof *w->transactions, by_end);
    return !s->failed;
}

void world_free(struct world *w)
{
    if (w->store) {
        arena_free(w->store->arena);
        free(w->store->arrivals);
        free(w->store);
    }
    free(w->transactions);
    *w = (struct world){.store = NULL};
}
