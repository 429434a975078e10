/* In: a transaction. Out: the hashes by which the ledger knows which mail it carries.
 *
 * A mail's key is its Message-ID: brackets off, domain in lower case. Where there is none, or one that software puts on all its mails, it
 * is the fingerprint: From, Date, Subject and the start of the body, which a server that passes the mail on leaves alone.
 *
 * Some servers put an id of their own in the place of the old one. Two ids are joined when From, Date (to the second), body start, thread
 * root and audience are equal, and besides one of
 *  - the oldest Received line: it holds the first server's queue id and time; two mails share it only by a collision of 64-bit hashes;
 *  - the sender: a copy without any line (the origin's own) is matched, with its Subject as well, to a later copy whose oldest line says
 *    that it came from that very client; two copies without a line are never joined so;
 *  - the Subject, where the audience is large (KEY_WIDE): who sends twice in one second, under one Subject, to the same twenty people,
 *    sends one mail. This finds a copy whose old lines were stripped, or whose origin stands behind a NAT.
 * So a thousand personal copies of a newsletter, alike in From, Date, Subject and body start, stay a thousand mails;
 * tests/unit/key_test.c measures the rate of false joins over 100,000 of them and demands at most 1 in 100,000. Text too short to have a
 * fingerprint: no join.
 *
 * Ids that many unrelated mails share without being on the list here: the ledger gives the id to the first of them. */
#include "stats/key.h"

#include "base/hash.h"

enum salt { SALT_ID = 1, SALT_FINGERPRINT, SALT_JOIN, SALT_ORIGIN, SALT_WIDE, SALT_ALONE }; /* keys of different making never meet */

#define ID_MOST       512 /* bytes of an id that are hashed at once */
#define CONSTANT_MOST 13  /* bytes of the longest id that says nothing */
#define CONSTANT_SIZES (1 << 13 | 1 << 10 | 1 << 9 | 1 << 7 | 1 << 4 | 1 << 1 | 1) /* and of all of them, a bit each */

static uint64_t never_0(uint64_t h)
{
    return h ? h : 1;
}

/* A bracket or white space: what a span of an id seldom begins or ends with. */
static bool is_edge(uint8_t c)
{
    return c <= ' ' || c == '<' || c == '>';
}

static struct span without_brackets(struct span id)
{
    if (id.n && !is_edge(id.p[0]) && !is_edge(id.p[id.n - 1]))
        return id;
    id = span_trim(id);
    if (id.n && id.p[0] == '<')
        id = span_from(id, 1);
    if (id.n && id.p[id.n - 1] == '>')
        id.n--;
    return span_trim(id);
}

static const uint8_t *last_at(struct span s)
{
    return s.n ? memrchr(s.p, '@', s.n) : NULL;
}

uint64_t key_id(struct span message_id)
{
    struct span id = without_brackets(message_id);
    if (id.n == 0)
        return 0;
    const uint8_t *at = last_at(id);
    size_t local = at ? (size_t)(at - id.p) : id.n;
    if (id.n > ID_MOST)
        return never_0(hash_pair(SALT_ID, hash_pair(hash_bytes(id.p, local), hash_nocase(span_from(id, local)))));
    uint8_t text[1 + ID_MOST];
    text[0] = SALT_ID;
    memcpy(text + 1, id.p, local);
    span_lower_all(span_from(id, local), text + 1 + local);
    return never_0(hash_bytes(text, 1 + id.n));
}

bool key_is_constant(struct span message_id)
{
    static const char *const known[] = {"systemmessage", "message-id", "messageid", "none", "null", "unknown", "undefined", "0", "1"};
    struct span id = without_brackets(message_id);
    const uint8_t *at = last_at(id);
    if (at)
        id.n = (size_t)(at - id.p);
    if (id.n > CONSTANT_MOST || !(CONSTANT_SIZES >> id.n & 1))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_equal_nocase(id, span_text(known[i])))
            return true;
    return id.n == 0;
}

uint64_t key_chain(const struct hop *hops, size_t count)
{
    uint64_t fold = count;
    for (size_t i = 0; i < count; i++)
        fold = hash_add(fold, hops[i].hash);
    return never_0(fold);
}

/* The same whatever the order of To and Cc: servers sort addresses by domain. */
static uint64_t audience_sum(const struct header *h)
{
    uint64_t sum = h->audience_count;
    for (size_t i = 0; i < h->audience_count && h->audience; i++)
        sum += h->audience[i].address;
    return sum;
}

static uint64_t fingerprint_of(const struct transaction *t, uint64_t subject)
{
    const struct header *h = &t->header;
    uint64_t date = (uint64_t)h->date;
    if (h->date == TIME_UNKNOWN && h->hop_count == 0)
        return 0;
    if (h->date == TIME_UNKNOWN)
        date = h->hops[0].hash; /* a mail without Date: its first hop tells it from the next one like it */
    if (h->from_hash == 0 && h->subject.n == 0 && t->body_fingerprint == 0)
        return 0;
    return never_0(hash_add(hash_add(hash_add(hash_add(SALT_FINGERPRINT, h->from_hash), subject), date), t->body_fingerprint));
}

/* What may join the id with another one: see above. */
static void key_joins(struct key *k, const struct transaction *t)
{
    const struct header *h = &t->header;
    uint64_t sum = hash_add(hash_add(hash_add(h->from_hash, (uint64_t)h->date), t->body_fingerprint), k->root);
    sum = hash_add(sum, audience_sum(h));
    if (h->hop_count)
        k->join = never_0(hash_add(hash_add(SALT_JOIN, sum), h->hops[0].hash));
    sum = hash_add(sum, k->subject);
    if (h->audience_count >= KEY_WIDE)
        k->join_wide = never_0(hash_add(SALT_WIDE, sum));
    const struct address *sender = h->hop_count ? &h->hops[0].from_address : &t->client.address;
    if (address_known(*sender))
        k->join_origin = never_0(hash_add(hash_add(SALT_ORIGIN, sum), h->hop_count ? hash_bytes(sender->b, sizeof sender->b) : k->client));
}

struct key key_of(const struct transaction *t)
{
    const struct header *h = &t->header;
    struct key k = {
        .id = key_id(h->message_id),
        .root = key_id(h->references_root),
        .subject = never_0(hash_bytes(h->subject.p, h->subject.n)),
        .chain = key_chain(h->hops, h->hop_count),
        .client = hash_bytes(t->client.address.b, sizeof t->client.address.b),
        .server = hash_bytes(t->server.address.b, sizeof t->server.address.b),
    };
    k.thread = k.root ? k.root : k.id;
    k.answers = span_equal(h->in_reply_to, h->references_root) ? k.root : key_id(h->in_reply_to);
    k.fingerprint = fingerprint_of(t, k.subject);
    if (h->date != TIME_UNKNOWN && h->from_hash && t->body_fingerprint)
        key_joins(&k, t);
    k.by_id = k.id && !key_is_constant(h->message_id);
    k.nameless = k.fingerprint ? k.fingerprint : never_0(hash_add(hash_add(SALT_ALONE, t->connection), t->ordinal));
    return k;
}
