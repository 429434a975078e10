/* In: accepted mails, from stats.c.  Out: the list of hosts that have been seen routing by header, whatever came of it; and a notice
 * when a new mail's To and Cc hold addresses that such hosts serve: the storm it may become is known before it begins.
 *
 * A host routes by header when it sends a mail that it got out of a mailbox, by its own Received line, to people who stand in To or
 * Cc.  What it serves is learnt from that mail too: a domain of its own name that stands in To or Cc, and the mailbox in Delivered-To. */
#include "stats/census.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/cells.h"
#include "stats/chain.h"
#include "stats/ledger.h"
#include "stats/message.h"

#define AMPLIFIERS 1024  /* kept; the one seen longest ago goes first */
#define SERVED     16384 /* domains and mailboxes */
#define NAMED      8     /* in one notice */

struct served { /* domain or mailbox: who drains it */
    uint32_t amplifier, serial;
};

struct amplifier {
    struct amplifier_row row;
    uint32_t serial; /* tells one that has gone from one that took its place */
};

struct census {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct cells *served;
    struct amplifier *list; /* of AMPLIFIERS */
    uint32_t count, serial;
};

static void drop(void *self)
{
    struct census *c = self;
    cells_free(c->served);
    free(c->list);
    free(c);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    struct census *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct census){.settings = settings, .incidents = incidents};
    c->served = cells_new(memory, sizeof(struct served), SERVED);
    c->list = calloc(AMPLIFIERS, sizeof *c->list);
    if (c->served && c->list)
        return c;
    drop(c);
    return NULL;
}

/* ---- who routes by header ---- */

static bool in_audience(const struct header *h, uint64_t address)
{
    for (size_t i = 0; i < h->audience_count; i++)
        if (h->audience[i].address == address)
            return true;
    return false;
}

/* The newest ones come first: who routes by header fetched it just now. */
static bool has_been_fetched(const struct header *h)
{
    for (size_t i = h->hop_count; i > 0; i--)
        if (chain_fetched(&h->hops[i - 1]))
            return true;
    return false;
}

/* The line by which the client fetched the mail that it sends; NULL: it did not, by its own word. */
static const struct hop *fetched_by(const struct transaction *t)
{
    if (!has_been_fetched(&t->header))
        return NULL;
    struct chain chain;
    chain_read(&chain, t->header.hops, t->header.hop_count);
    if (chain.count == 0 || !chain.visit[chain.count - 1].fetched)
        return NULL;
    const struct hop *line = t->header.hops + (t->header.hop_count - chain.hop_count);
    for (uint32_t i = chain.visit[chain.count - 1].first; i <= chain.visit[chain.count - 1].last; i++)
        if (chain_fetched(&line[i]))
            return &line[i];
    return NULL;
}

/* How many people of To and Cc it goes to: by the ledger's word, or, in short form, they are few. */
static uint64_t routed_to(const struct observation *o)
{
    const struct transaction *t = o->t;
    uint64_t n = 0;
    for (uint32_t i = 0; i < o->made_count; i++)
        n += o->made[i].in_audience;
    for (size_t i = 0; i < t->recipient_count && !o->message && o->deliveries <= LEDGER_SHORT; i++)
        n += recipient_accepted(t, &t->recipients[i]) && in_audience(&t->header, t->recipients[i].hash);
    return n;
}

/* The host's place in the list, or in its stead the one it is to have (*fresh). */
static struct amplifier *place_of(struct census *c, struct address host, bool *fresh)
{
    struct amplifier *stalest = &c->list[0];
    *fresh = false;
    for (uint32_t i = 0; i < c->count; i++) {
        if (address_equal(c->list[i].row.address, host))
            return &c->list[i];
        if (c->list[i].row.last < stalest->row.last)
            stalest = &c->list[i];
    }
    *fresh = true;
    return c->count < AMPLIFIERS ? &c->list[c->count++] : stalest;
}

static struct amplifier *amplifier_of(struct census *c, const struct transaction *t, const struct hop *line)
{
    bool fresh;
    struct amplifier *a = place_of(c, t->client.address, &fresh);
    if (fresh) {
        *a = (struct amplifier){.row = {.address = t->client.address, .first = t->end}, .serial = ++c->serial};
        log_clean(t->helo, a->row.name, sizeof a->row.name);
        log_clean(t->header.message_id, a->row.message_id, sizeof a->row.message_id);
        chain_line(line, a->row.line, sizeof a->row.line);
    }
    a->row.last = t->end;
    a->row.mails++;
    return a;
}

static void serves(struct census *c, const struct amplifier *a, uint64_t what, int64_t now)
{
    bool fresh;
    struct served *s = cells_take(c->served, what, now, &fresh);
    *s = (struct served){.amplifier = (uint32_t)(a - c->list), .serial = a->serial};
}

static void learn(struct census *c, const struct transaction *t, const struct hop *line, uint64_t recipients)
{
    struct amplifier *a = amplifier_of(c, t, line);
    a->row.recipients += recipients;
    for (struct span domain = t->helo; domain.n;) { /* mail.shop.example, shop.example */
        uint64_t hash = hash_nocase(domain);
        for (size_t i = 0; i < t->header.audience_count; i++)
            if (t->header.audience[i].domain == hash) {
                serves(c, a, hash, t->end);
                log_clean(domain, a->row.domain, sizeof a->row.domain);
                break;
            }
        const uint8_t *dot = memchr(domain.p, '.', domain.n);
        domain = dot ? span_from(domain, (size_t)(dot + 1 - domain.p)) : (struct span){NULL, 0};
    }
    for (size_t i = 0; i < t->header.delivered_to_count; i++)
        if (in_audience(&t->header, t->header.delivered_to[i]))
            serves(c, a, t->header.delivered_to[i], t->end);
}

/* ---- whose mail will meet them ---- */

/* The known amplifier that serves the domain or mailbox; NULL: none. */
static const struct amplifier *who_serves(const struct census *c, uint64_t what)
{
    const struct served *s = cells_find(c->served, what);
    const struct amplifier *a = s ? &c->list[s->amplifier] : NULL;
    return a && a->serial == s->serial ? a : NULL;
}

static void warn(struct census *c, const struct observation *o)
{
    const struct header *h = &o->t->header;
    const struct amplifier *named[NAMED] = {NULL};
    uint32_t count = 0;
    uint64_t seen[AMPLIFIERS / 64] = {0}; /* by place in the list */
    for (size_t i = 0; i < h->audience_count; i++) {
        const struct amplifier *a = who_serves(c, h->audience[i].domain);
        if (!a)
            a = who_serves(c, h->audience[i].address);
        size_t at = a ? (size_t)(a - c->list) : 0;
        if (!a || seen[at / 64] & UINT64_C(1) << at % 64)
            continue;
        seen[at / 64] |= UINT64_C(1) << at % 64;
        if (count < NAMED)
            named[count] = a;
        count++;
    }
    if (!named[0] || count < c->settings->census.amplifiers)
        return;
    struct storm *s = incident_open(c->incidents, hash_pair(KIND_EXPOSURE, o->key), KIND_EXPOSURE, o->now);
    if (!s)
        return;
    bool alone = !incident_raised(s); /* exposure.c has not said it */
    if (alone) {
        detect_describe(s, o->t);
        s->copies = 1;
        s->deliveries = o->deliveries;
        struct storm_host *sender = detect_client(s, o);
        if (sender)
            sender->role = ROLE_ORIGIN;
    }
    for (uint32_t i = 0; i < count && i < NAMED; i++) {
        struct storm_host *amplifier = incident_host(s, named[i]->row.address, named[i]->row.name, true);
        detect_evidence(amplifier, o->t, "To and Cc hold addresses of %s, whose host has routed %llu mails by their header",
            named[i]->row.domain[0] ? named[i]->row.domain : "a mailbox it drains", (unsigned long long)named[i]->row.mails);
    }
    incident_event(s, o->now, "%u known amplifiers in To and Cc", count);
    incident_raise(c->incidents, s, SEVERITY_NOTICE, o->now,
        "This mail's audience of %llu holds %u known amplifier%s: %s%s routes by header, so the mail may come back to all; Bcc, or a mail "
        "each, would prevent it.",
        (unsigned long long)h->audience_count, count, count == 1 ? "" : "s", named[0]->row.name,
        count == 1 ? "" : " and others, each of which");
}

static void observe(void *self, const struct observation *o)
{
    struct census *c = self;
    const struct transaction *t = o->t;
    if (!c->settings->census.enabled || !t->message || t->header.audience_count < 2)
        return;
    const struct hop *line = fetched_by(t);
    uint64_t recipients = line ? routed_to(o) : 0;
    if (recipients)
        learn(c, t, line, recipients);
    else if (c->count > 0 && o->message && o->message->copies == 1 && t->header.audience_count >= (uint64_t)c->settings->census.audience)
        warn(c, o);
}

void census_know(void *self, const struct amplifier_row *row)
{
    struct census *c = self;
    bool fresh;
    struct amplifier *a = place_of(c, row->address, &fresh);
    if (!fresh)
        return;
    *a = (struct amplifier){.row = *row, .serial = ++c->serial};
    if (row->domain[0])
        serves(c, a, hash_nocase(span_text(row->domain)), row->last);
}

size_t census_rows(const void *self, struct amplifier_row *rows, size_t most)
{
    const struct census *c = self;
    size_t n = 0;
    for (uint32_t i = 0; i < c->count && most > 0; i++) {
        const struct amplifier_row *row = &c->list[i].row;
        if (n == most && rows[n - 1].mails >= row->mails)
            continue;
        size_t at = n < most ? n++ : most - 1;
        for (; at > 0 && rows[at - 1].mails < row->mails; at--)
            rows[at] = rows[at - 1];
        rows[at] = *row;
    }
    return n;
}

const struct detector census_detector = {.make = make, .drop = drop, .traits = TRAIT_PEOPLE, .observe = observe};
