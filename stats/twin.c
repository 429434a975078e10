/* In: each transaction with its keys, from stats.c. Out: whether the mirror has shown this very one before.
 *
 * Twins are on different connections and overlap in time. Where the mirror shows a port's both directions or two VLANs, all four addresses
 * and ports are the same; no two live connections can have that in common, so nothing else need agree but the envelope, and not even that
 * when loss has touched one of the two. On the two sides of a NAT an address differs; there envelope, HELO, replies, and of a message key
 * and chain must agree, and begin and end within TWIN_SKEW. The side a NAT leaves alone keeps its port as well: the same client to the
 * same server from another port is another transaction (a second delivery while the first still waits for its reply, RFC 1047).
 *
 * Loss in one of the two pictures takes HELO, lines of the header or the id from it, and what came behind the hole was held back until it
 * was sure to be one: what is missing need not agree, and TWIN_LATE is the measure of time.
 *
 * A next hop is none: its chain is longer. A resend is none: it does not overlap, or comes from another port. */
#include "stats/twin.h"

#include "base/hash.h"
#include "base/pages.h"

#define BUCKETS (TWIN_MEMORY * 2) /* powers of two, all */
#define STRETCH 64 /* places of the ring */

struct seen { /* a line of the cache: what is looked at on the way along a bucket */
    uint64_t quadruple;           /* hash of both ends */
    uint64_t envelope;            /* of reverse-path and recipients */
    uint64_t name;                /* what the mail is known by; 0: not seen */
    int64_t mail_time, end;
    uint32_t number;              /* running; its place in the ring is number % TWIN_MEMORY; 0: empty */
    uint32_t same_quadruple, same_envelope, same_mail; /* the one before in the bucket */
    bool loss, uncertain;
};

struct wire { /* another: what is compared when that agrees */
    uint64_t connection;
    uint64_t chain;               /* 0: not seen */
    struct endpoint client, server;
    uint32_t helo;                /* 0: not seen */
    uint32_t replies;             /* of what was answered to the envelope */
};

_Static_assert(sizeof(struct seen) <= 64 && sizeof(struct wire) <= 64, "a line of the cache each");

struct place {
    _Alignas(64) struct seen seen;
    _Alignas(64) struct wire wire;
};

struct twins {
    struct place ring[TWIN_MEMORY];
    int64_t ended[TWIN_MEMORY / STRETCH]; /* no place of the stretch ended later: what is too old is known so without a look at it */
    uint32_t envelopes[BUCKETS], mails[BUCKETS], quadruples[BUCKETS]; /* number of the last in each; 0: none */
    struct place next;                /* the one that is about to be checked ... */
    const struct transaction *expected; /* ... made of this; NULL: not yet */
    uint64_t count;
    uint64_t nameless;                /* number of the last without a name; 0: none */
};

struct twins *twins_new(void)
{
    return pages_map(sizeof(struct twins));
}

void twins_free(struct twins *w)
{
    pages_unmap(w, sizeof *w);
}

static void place_make(struct place *p, const struct transaction *t, const struct key *k)
{
    struct seen *s = &p->seen;
    *s = (struct seen){.mail_time = t->mail_time, .end = t->end, .uncertain = t->uncertain};
    s->quadruple = hash_add(hash_add(k->client, k->server), (uint64_t)t->client.port << 16 | t->server.port);
    s->loss = t->uncertain || t->gap_bytes || t->helo.n == 0 || t->greeting.n == 0 || t->mail_time >= t->end; /* the last: all held back */
    s->envelope = hash_bytes(t->reverse_path.p, t->reverse_path.n);
    uint64_t replies = hash_add(t->code, t->recipient_count);
    for (const struct recipient *r = t->recipients, *end = r + t->recipient_count; r < end; r++) {
        s->envelope = hash_add(s->envelope, r->hash);
        replies = hash_add(replies, (uint64_t)r->code << 16 | r->final_code);
    }
    s->name = k->id ? k->id : s->loss ? 0 : k->fingerprint ? k->fingerprint : t->bytes;
    p->wire = (struct wire){.connection = t->connection, .client = t->client, .server = t->server, .replies = (uint32_t)replies};
    p->wire.helo = t->helo.n ? (uint32_t)hash_bytes(t->helo.p, t->helo.n) | 1 : 0;
    p->wire.chain = t->gap_bytes || t->uncertain ? 0 : k->chain;
}

static bool same_endpoint(struct endpoint a, struct endpoint b)
{
    return a.port == b.port && address_equal(a.address, b.address);
}

static bool within(int64_t a, int64_t b, int64_t most)
{
    return a - b <= most && b - a <= most;
}

static bool overlap(const struct place *a, const struct place *b)
{
    return a->seen.mail_time <= b->seen.end && b->seen.mail_time <= a->seen.end && a->wire.connection != b->wire.connection;
}

/* One of the two came late because of a hole, and nothing of it is missing that tells mails and ways apart. */
static bool held_back(const struct place *p, const struct place *q)
{
    const struct seen *a = &p->seen, *b = &q->seen;
    return (a->loss || b->loss) && a->name && a->name == b->name && within(a->mail_time, b->mail_time, TWIN_LATE) &&
           within(a->end, b->end, TWIN_LATE) && p->wire.connection != q->wire.connection && p->wire.chain &&
           p->wire.chain == q->wire.chain;
}

/* Equal, or missing where something is missing. */
static bool agree(uint64_t a, uint64_t b, bool loss)
{
    return a == b || (loss && (a == 0 || b == 0));
}

static bool same_content(const struct place *p, const struct place *q)
{
    const struct seen *a = &p->seen, *b = &q->seen;
    bool loss = a->loss || b->loss, replies = a->uncertain || b->uncertain || p->wire.replies == q->wire.replies;
    return replies && agree(p->wire.helo, q->wire.helo, loss) && agree(a->name, b->name, loss) && agree(p->wire.chain, q->wire.chain, loss);
}

/* The mirror shows the wire twice: everything is equal, and nothing else can be. */
static bool wire_twin(const struct place *p, const struct place *q)
{
    const struct seen *a = &p->seen, *b = &q->seen;
    if (p->wire.connection == q->wire.connection) /* the mail before */
        return false;
    if (a->quadruple != b->quadruple || !same_endpoint(p->wire.client, q->wire.client) || !same_endpoint(p->wire.server, q->wire.server))
        return false;
    if (overlap(p, q) && (a->uncertain || b->uncertain))
        return true;
    return a->envelope == b->envelope && (overlap(p, q) || held_back(p, q)) && same_content(p, q);
}

/* An uncertain one ended when it was given up; behind a hole in content the end comes late. */
static bool at_once(const struct place *p, const struct place *q)
{
    const struct seen *a = &p->seen, *b = &q->seen;
    bool uncertain = a->uncertain || b->uncertain;
    return within(a->mail_time, b->mail_time, TWIN_SKEW) &&
           (uncertain || within(a->end, b->end, a->loss || b->loss ? TWIN_LATE : TWIN_SKEW)) && overlap(p, q);
}

static bool nat_twin(const struct place *p, const struct place *q)
{
    const struct seen *a = &p->seen, *b = &q->seen;
    if (a->envelope != b->envelope || (a->name != b->name && a->name && b->name) || (!at_once(p, q) && !held_back(p, q)))
        return false;
    const struct wire *x = &p->wire, *y = &q->wire;
    bool client = address_equal(x->client.address, y->client.address), server = address_equal(x->server.address, y->server.address);
    if ((client && server) || (client && x->client.port != y->client.port) || (server && x->server.port != y->server.port))
        return false;
    return same_content(p, q);
}

static struct place *place_at(struct twins *w, uint32_t number, int64_t earliest) /* NULL: none, or it ended before that */
{
    uint32_t at = number % TWIN_MEMORY;
    if (number == 0 || (uint32_t)w->count - number >= TWIN_MEMORY || w->ended[at / STRETCH] < earliest)
        return NULL;
    return w->ring[at].seen.end >= earliest ? &w->ring[at] : NULL;
}

static uint32_t bucket(uint64_t hash)
{
    return (uint32_t)hash % BUCKETS;
}

/* Envelope and name together: a flood to one mailbox has one envelope, and each mail its own name. */
static uint32_t mail_bucket(uint64_t envelope, uint64_t name)
{
    return bucket(hash_add(envelope, name));
}

static __attribute__((noinline)) struct place *nat_twin_from(struct twins *w, struct place *p, int64_t earliest, bool by_mail)
{
    const struct place *one = &w->next;
    for (int walked = 0; p && walked++ < TWIN_WALK; p = place_at(w, by_mail ? p->seen.same_mail : p->seen.same_envelope, earliest))
        if (nat_twin(p, one))
            return p;
    return NULL;
}

static struct place *nat_twin_of(struct twins *w, uint32_t number, bool by_mail)
{
    const struct seen *one = &w->next.seen;
    int64_t earliest = one->loss ? one->mail_time - TWIN_LATE : one->end - TWIN_SKEW;
    struct place *p = place_at(w, number, earliest);
    return p ? nat_twin_from(w, p, earliest, by_mail) : NULL;
}

static struct place *twin_of(struct twins *w)
{
    const struct place *one = &w->next;
    /* Ends come in order of time: past the first that ended too early none can match.  What loss has cut short is given up late. */
    int64_t began = one->seen.mail_time - (one->seen.loss ? TWIN_LATE : 0);
    uint32_t number = w->quadruples[bucket(one->seen.quadruple)];
    int walked = 0;
    for (struct place *p = place_at(w, number, began); p && walked++ < TWIN_WALK; p = place_at(w, p->seen.same_quadruple, began))
        if (wire_twin(p, one))
            return p;
    uint64_t envelope = one->seen.envelope;
    if (!one->seen.name) /* it may be any of this envelope */
        return nat_twin_of(w, w->envelopes[bucket(envelope)], false);
    struct place *named = nat_twin_of(w, w->mails[mail_bucket(envelope, one->seen.name)], true);
    if (named || !w->nameless || w->count - w->nameless >= TWIN_MEMORY)
        return named;
    return nat_twin_of(w, w->mails[mail_bucket(envelope, 0)], true);
}

static void place_keep(struct twins *w)
{
    struct seen *one = &w->next.seen;
    one->number = (uint32_t)++w->count;
    if (!one->name)
        w->nameless = w->count;
    uint32_t *envelope = &w->envelopes[bucket(one->envelope)], *quadruple = &w->quadruples[bucket(one->quadruple)];
    uint32_t *mail = &w->mails[mail_bucket(one->envelope, one->name)];
    one->same_envelope = *envelope;
    one->same_quadruple = *quadruple;
    one->same_mail = *mail;
    *envelope = *quadruple = *mail = one->number;
    uint32_t at = one->number % TWIN_MEMORY;
    w->ring[at] = w->next;
    if (w->ended[at / STRETCH] < one->end)
        w->ended[at / STRETCH] = one->end;
}

void twin_expect(struct twins *w, const struct transaction *t, const struct key *k)
{
    place_make(&w->next, t, k);
    w->expected = t;
    const struct seen *s = &w->next.seen;
    __builtin_prefetch(&w->quadruples[bucket(s->quadruple)]);
    __builtin_prefetch(&w->mails[mail_bucket(s->envelope, s->name)]);
    __builtin_prefetch(&w->envelopes[bucket(s->envelope)], 1);
}

static void place_fetch(const struct twins *w, uint32_t number)
{
    const struct place *p = &w->ring[number % TWIN_MEMORY];
    __builtin_prefetch(&p->seen);
    __builtin_prefetch(&p->wire);
}

void twin_near(const struct twins *w)
{
    const struct seen *s = &w->next.seen;
    place_fetch(w, w->quadruples[bucket(s->quadruple)]);
    place_fetch(w, w->mails[mail_bucket(s->envelope, s->name)]);
}

enum twin twin_check(struct twins *w, const struct transaction *t, const struct key *k)
{
    if (w->expected != t)
        twin_expect(w, t, k);
    w->expected = NULL;
    struct place *first = twin_of(w);
    if (!first) {
        place_keep(w);
        return TWIN_NONE;
    }
    if (!first->seen.uncertain || t->uncertain)
        return TWIN_COUNTED;
    first->seen.uncertain = false; /* it has been made good for */
    place_keep(w);                 /* a third one is compared with what is whole */
    return TWIN_BETTER;
}
