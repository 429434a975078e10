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
#include "stats/memory.h"
#include "stats/message.h"

#define BUCKETS (TWIN_MEMORY * 2)

struct seen {
    uint64_t number;              /* running; its place in the ring is number % TWIN_MEMORY; 0: empty */
    uint64_t quadruple;           /* hash of both ends */
    uint64_t envelope;            /* of reverse-path and recipients */
    uint64_t name;                /* what the mail is known by; 0: not seen */
    int64_t mail_time, end;
    uint64_t same_quadruple, same_envelope, same_mail; /* the one before in the bucket */
    uint64_t connection;
    struct endpoint client, server;
    uint64_t replies;             /* of what was answered to the envelope */
    uint64_t helo, chain;         /* 0: not seen */
    bool loss, uncertain;
};

struct twins {
    struct seen ring[TWIN_MEMORY];
    uint64_t envelopes[BUCKETS], mails[BUCKETS], quadruples[BUCKETS]; /* number of the last in each; 0: none */
    uint64_t count;
};

struct twins *twins_new(void)
{
    return memory_map(sizeof(struct twins));
}

void twins_free(struct twins *w)
{
    memory_unmap(w, sizeof *w);
}

static uint64_t endpoint_hash(struct endpoint e)
{
    return hash_pair(hash_bytes(e.address.b, sizeof e.address.b), e.port);
}

static struct seen seen_make(const struct transaction *t, const struct key *k)
{
    struct seen s = {.connection = t->connection, .client = t->client, .server = t->server, .mail_time = t->mail_time, .end = t->end,
                     .uncertain = t->uncertain};
    s.quadruple = hash_pair(endpoint_hash(t->client), endpoint_hash(t->server));
    s.loss = t->uncertain || t->gap_bytes || t->helo.n == 0 || t->greeting.n == 0 || t->mail_time >= t->end; /* the last: all held back */
    s.helo = t->helo.n ? hash_nocase(t->helo) : 0;
    s.envelope = hash_bytes(t->reverse_path.p, t->reverse_path.n);
    s.replies = hash_pair(t->code, t->recipient_count);
    for (size_t i = 0; i < t->recipient_count; i++) {
        s.envelope = hash_pair(s.envelope, t->recipients[i].hash);
        s.replies = hash_pair(s.replies, (uint64_t)t->recipients[i].code << 16 | t->recipients[i].final_code);
    }
    s.name = k->id ? k->id : s.loss ? 0 : k->fingerprint ? k->fingerprint : t->bytes;
    s.chain = t->gap_bytes || t->uncertain ? 0 : hash_pair(chain_fold(t->header.hops, t->header.hop_count), 1);
    return s;
}

static bool same_endpoint(struct endpoint a, struct endpoint b)
{
    return a.port == b.port && address_equal(a.address, b.address);
}

static bool within(int64_t a, int64_t b, int64_t most)
{
    return a - b <= most && b - a <= most;
}

static bool overlap(const struct seen *a, const struct seen *b)
{
    return a->connection != b->connection && a->mail_time <= b->end && b->mail_time <= a->end;
}

/* One of the two came late because of a hole, and nothing of it is missing that tells mails and ways apart. */
static bool held_back(const struct seen *a, const struct seen *b)
{
    return (a->loss || b->loss) && a->connection != b->connection && a->name && a->name == b->name && a->chain && a->chain == b->chain &&
           within(a->mail_time, b->mail_time, TWIN_LATE) && within(a->end, b->end, TWIN_LATE);
}

/* Equal, or missing where something is missing. */
static bool agree(uint64_t a, uint64_t b, bool loss)
{
    return a == b || (loss && (a == 0 || b == 0));
}

static bool same_content(const struct seen *a, const struct seen *b)
{
    bool loss = a->loss || b->loss, replies = a->uncertain || b->uncertain || a->replies == b->replies;
    return replies && agree(a->helo, b->helo, loss) && agree(a->name, b->name, loss) && agree(a->chain, b->chain, loss);
}

/* The mirror shows the wire twice: everything is equal, and nothing else can be. */
static bool wire_twin(const struct seen *a, const struct seen *b)
{
    if (a->quadruple != b->quadruple || !same_endpoint(a->client, b->client) || !same_endpoint(a->server, b->server))
        return false;
    if (overlap(a, b) && (a->uncertain || b->uncertain))
        return true;
    return a->envelope == b->envelope && (overlap(a, b) || held_back(a, b)) && same_content(a, b);
}

/* An uncertain one ended when it was given up; behind a hole in content the end comes late. */
static bool at_once(const struct seen *a, const struct seen *b)
{
    bool uncertain = a->uncertain || b->uncertain;
    return overlap(a, b) && within(a->mail_time, b->mail_time, TWIN_SKEW) &&
           (uncertain || within(a->end, b->end, a->loss || b->loss ? TWIN_LATE : TWIN_SKEW));
}

static bool nat_twin(const struct seen *a, const struct seen *b)
{
    if (a->envelope != b->envelope || (a->name != b->name && a->name && b->name) || (!at_once(a, b) && !held_back(a, b)))
        return false;
    bool client = address_equal(a->client.address, b->client.address), server = address_equal(a->server.address, b->server.address);
    if ((client && server) || (client && a->client.port != b->client.port) || (server && a->server.port != b->server.port))
        return false;
    return same_content(a, b);
}

static struct seen *seen_at(struct twins *w, uint64_t number)
{
    struct seen *s = &w->ring[number % TWIN_MEMORY];
    return number && s->number == number ? s : NULL;
}

/* Envelope and name together: a flood to one mailbox has one envelope, and each mail its own name. */
static uint64_t mail_bucket(uint64_t envelope, uint64_t name)
{
    return hash_pair(envelope, name) % BUCKETS;
}

static struct seen *nat_twin_of(struct twins *w, const struct seen *one, uint64_t number, bool by_mail)
{
    int64_t earliest = one->loss ? one->mail_time - TWIN_LATE : one->end - TWIN_SKEW;
    int walked = 0;
    for (struct seen *s = seen_at(w, number); s && s->end >= earliest && walked++ < TWIN_WALK;
         s = seen_at(w, by_mail ? s->same_mail : s->same_envelope))
        if (nat_twin(s, one))
            return s;
    return NULL;
}

static struct seen *twin_of(struct twins *w, const struct seen *one)
{
    /* Ends come in order of time: past the first that ended too early none can match.  What loss has cut short is given up late. */
    int64_t began = one->mail_time - (one->loss ? TWIN_LATE : 0);
    uint64_t number = w->quadruples[one->quadruple % BUCKETS];
    int walked = 0;
    for (struct seen *s = seen_at(w, number); s && s->end >= began && walked++ < TWIN_WALK; s = seen_at(w, s->same_quadruple))
        if (wire_twin(s, one))
            return s;
    if (!one->name) /* it may be any of this envelope */
        return nat_twin_of(w, one, w->envelopes[one->envelope % BUCKETS], false);
    struct seen *named = nat_twin_of(w, one, w->mails[mail_bucket(one->envelope, one->name)], true);
    return named ? named : nat_twin_of(w, one, w->mails[mail_bucket(one->envelope, 0)], true);
}

static void seen_keep(struct twins *w, struct seen *one)
{
    one->number = ++w->count;
    uint64_t *envelope = &w->envelopes[one->envelope % BUCKETS], *quadruple = &w->quadruples[one->quadruple % BUCKETS];
    uint64_t *mail = &w->mails[mail_bucket(one->envelope, one->name)];
    one->same_envelope = *envelope;
    one->same_quadruple = *quadruple;
    one->same_mail = *mail;
    *envelope = *quadruple = *mail = one->number;
    w->ring[one->number % TWIN_MEMORY] = *one;
}

enum twin twin_check(struct twins *w, const struct transaction *t, const struct key *k)
{
    struct seen one = seen_make(t, k);
    struct seen *first = twin_of(w, &one);
    if (!first) {
        seen_keep(w, &one);
        return TWIN_NONE;
    }
    if (!first->uncertain || t->uncertain)
        return TWIN_COUNTED;
    first->uncertain = false; /* it has been made good for */
    seen_keep(w, &one);       /* a third one is compared with what is whole */
    return TWIN_BETTER;
}
