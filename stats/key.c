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

static uint64_t salted(enum salt salt, uint64_t h)
{
    h = hash_pair((uint64_t)salt, h);
    return h ? h : 1;
}

static struct span without_brackets(struct span id)
{
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
    return salted(SALT_ID, hash_pair(hash_bytes(id.p, local), hash_nocase(span_from(id, local))));
}

bool key_is_constant(struct span message_id)
{
    static const char *const known[] = {"systemmessage", "message-id", "messageid", "none", "null", "unknown", "undefined", "0", "1"};
    struct span id = without_brackets(message_id);
    const uint8_t *at = last_at(id);
    if (at)
        id.n = (size_t)(at - id.p);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_equal_nocase(id, span_text(known[i])))
            return true;
    return id.n == 0;
}

/* The same whatever the order of To and Cc: servers sort addresses by domain. */
static uint64_t audience_sum(const struct header *h)
{
    uint64_t sum = h->audience_count;
    for (size_t i = 0; i < h->audience_count && h->audience; i++)
        sum += h->audience[i].address;
    return sum;
}

static uint64_t fingerprint_of(const struct transaction *t)
{
    const struct header *h = &t->header;
    uint64_t sum = hash_pair(h->from_hash, hash_bytes(h->subject.p, h->subject.n));
    if (h->date != TIME_UNKNOWN)
        sum = hash_pair(sum, (uint64_t)h->date);
    else if (h->hop_count)
        sum = hash_pair(sum, h->hops[0].hash); /* a mail without Date: its first hop tells it from the next one like it */
    else
        return 0;
    if (h->from_hash == 0 && h->subject.n == 0 && t->body_fingerprint == 0)
        return 0;
    return salted(SALT_FINGERPRINT, hash_pair(sum, t->body_fingerprint));
}

struct key key_of(const struct transaction *t)
{
    const struct header *h = &t->header;
    struct key k = {.id = key_id(h->message_id), .fingerprint = fingerprint_of(t)};
    uint64_t root = key_id(h->references_root);
    k.thread = root ? root : k.id;
    if (h->date != TIME_UNKNOWN && h->from_hash && t->body_fingerprint) {
        uint64_t sum = hash_pair(hash_pair(h->from_hash, (uint64_t)h->date), hash_pair(t->body_fingerprint, root));
        sum = hash_pair(sum, audience_sum(h));
        uint64_t subject = hash_bytes(h->subject.p, h->subject.n);
        struct address sender = t->client.address;
        if (h->hop_count) {
            k.join = salted(SALT_JOIN, hash_pair(sum, h->hops[0].hash));
            sender = h->hops[0].from_address;
        }
        if (h->audience_count >= KEY_WIDE)
            k.join_wide = salted(SALT_WIDE, hash_pair(sum, subject));
        if (address_known(sender))
            k.join_origin = salted(SALT_ORIGIN, hash_pair(hash_pair(sum, subject), hash_bytes(sender.b, sizeof sender.b)));
    }
    k.by_id = k.id && !key_is_constant(h->message_id);
    k.nameless = k.fingerprint ? k.fingerprint : salted(SALT_ALONE, hash_pair(t->connection, t->ordinal));
    return k;
}
