/* In: the accepted transactions of one mail, from the ledger. Out: the mail's record, which the detectors read: who had it from whom by
 * which chain, which delivery is one too many and whose copy is to blame.
 *
 * A delivery to recipient r at server s beside another one there is a redelivery, charged to the copy with the longer chain, whichever
 * came first. So each pair (r, s) has a holder, the delivery with the shortest chain so far; a later one with as long or a longer chain
 * is charged to its own client; one with a shorter chain takes the hold, and the former holder is charged.
 *
 * A record is one piece of memory with room for what its first copy needs.  Most mails are never seen again, so that what serves to compare
 * copies with each other, the tables of pairs, lines, texts and hosts, is made when the second one comes (tables_make()).  Arrays grow by
 * doubling, up to the bounds in ledger.h. */
#include "stats/message.h"

#include <assert.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/memory.h"

#define IN_AUDIENCE UINT64_C(1)
#define REACHED UINT64_C(2)
#define WHAT (IN_AUDIENCE | REACHED)
#define NO_COPY UINT16_MAX
#define NO_HOST UINT16_MAX
#define TABLE_LEAST 4  /* places */
#define TEXTS_AHEAD 16 /* that a second copy brings */
#define LINES_AHEAD 4
#define FIRST_MOST 1024 /* recipients of a first copy that waits for the second */
#define CUT_CHAIN 0x8000u /* marks the identity of a chain that is not in the tree */

_Static_assert(LEDGER_COPIES < NO_COPY && LEDGER_HOSTS < NO_HOST && LEDGER_NODES < CUT_CHAIN, "they fit 16 bits of a pair");

static bool is_own(const struct record *r, const void *array) /* it came with the record, and goes with it */
{
    uintptr_t at = (uintptr_t)array, begin = (uintptr_t)r;
    return at >= begin && at < begin + r->own_bytes;
}

static void release(const struct record *r, void *array, size_t bytes)
{
    if (!is_own(r, array))
        memory_put(r->memory, array, bytes);
}

/* What room_for() does when there is none: it doubles, up to `most`; new room is zeroed. */
static __attribute__((noinline)) bool grow(struct record *r, void *array, uint32_t *room, uint32_t need, uint32_t most, size_t size)
{
    if (need > most)
        return false;
    uint32_t wish = *room * 2;
    while (wish < need)
        wish *= 2;
    if (wish > most)
        wish = most;
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = memory_get(r->memory, wish * size);
    if (!p)
        return false;
    memcpy(p, old, *room * size);
    memset((char *)p + *room * size, 0, (wish - *room) * size);
    memcpy(array, &p, sizeof p);
    r->bytes += (uint32_t)((is_own(r, old) ? wish : wish - *room) * size);
    release(r, old, *room * size);
    *room = wish;
    return true;
}

/* Room for at least `need` of `size` bytes in *array, at most `most`. */
static inline bool room_for(struct record *r, void *array, uint32_t *room, uint32_t need, uint32_t most, size_t size)
{
    return need <= *room || grow(r, array, room, need, most, size);
}

/* --- texts --- */

/* Into a table, if it is made; false: out of memory. */
static bool place_keep(struct record *r, struct places *p, uint32_t tag, uint32_t value)
{
    if (p->room == 0)
        return true;
    size_t before = places_bytes(p);
    bool kept = places_put(p, r->memory, tag, value);
    r->bytes += (uint32_t)(places_bytes(p) - before);
    return kept;
}

static bool text_is(const struct record *r, uint32_t text, struct span s)
{
    return strlen(r->texts + text) == s.n && memcmp(r->texts + text, s.p, s.n) == 0;
}

/* A text of fewer than LEDGER_TEXT_SIZE bytes, all of them clean. */
static uint32_t text_put(struct record *r, struct span text)
{
    uint32_t n = (uint32_t)text.n, tag = 0;
    if (r->words.room) {
        uint32_t at = tag = places_tag(hash_bytes(text.p, n)), found;
        while ((found = places_next(&r->words, tag, &at)))
            if (text_is(r, found, text))
                return found;
    }
    uint32_t start = r->texts_used ? r->texts_used : 1; /* text 0 is the empty one */
    if (!room_for(r, &r->texts, &r->texts_room, start + n + 1, LEDGER_TEXTS, 1) || !place_keep(r, &r->words, tag, start))
        return 0;
    memcpy(r->texts + start, text.p, n);
    r->texts[start + n] = '\0';
    r->texts_used = start + n + 1;
    return start;
}

static __attribute__((noinline)) uint32_t text_clean(struct record *r, struct span text)
{
    char clean[LEDGER_TEXT_SIZE];
    return text_put(r, span_text(log_clean(text, clean, sizeof clean)));
}

static uint32_t text_keep(struct record *r, struct span text)
{
    if (text.n == 0)
        return 0;
    return text.n < LEDGER_TEXT_SIZE && log_is_clean(text) ? text_put(r, text) : text_clean(r, text);
}

/* --- people: who stands in the audience, who was reached --- */

static uint64_t person_key(uint64_t hash)
{
    return hash & ~WHAT ? hash & ~WHAT : WHAT + 1;
}

static uint64_t *person_place(const struct record *r, uint64_t hash)
{
    uint64_t key = person_key(hash);
    uint32_t at = (uint32_t)(key >> 32);
    for (;; at++) {
        uint64_t *p = &r->people[at & (r->people_room - 1)];
        if (*p == 0 || (*p & ~WHAT) == key)
            return p;
    }
}

static __attribute__((noinline)) bool people_widen(struct record *r)
{
    uint64_t *old = r->people;
    uint32_t old_room = r->people_room, room = old_room * 2;
    uint64_t *wider = memory_zeroed(r->memory, room * sizeof *wider);
    if (!wider)
        return false;
    r->people = wider;
    r->people_room = room;
    r->bytes += (uint32_t)((room - (is_own(r, old) ? 0 : old_room)) * sizeof *wider);
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i])
            *person_place(r, old[i]) = old[i];
    release(r, old, old_room * sizeof *old);
    return true;
}

/* What was known of the address before; adds `what`.  *kept false: over the bound. */
static uint64_t person_mark(struct record *r, uint64_t hash, uint64_t what, bool *kept)
{
    *kept = r->people_count < r->people_room / 4 * 3 || r->people_count == LEDGER_PEOPLE || people_widen(r);
    uint64_t *p = person_place(r, hash);
    if (*p == 0) {
        *kept = *kept && r->people_count < LEDGER_PEOPLE;
        if (!*kept)
            return 0;
        r->people_count++;
        *p = person_key(hash) | what;
        return 0;
    }
    *kept = true;
    uint64_t before = *p & WHAT;
    *p |= what;
    return before;
}

static uint64_t person_is(const struct record *r, uint64_t hash)
{
    return *person_place(r, hash) & WHAT;
}

bool message_in_audience(const struct message *m, uint64_t recipient)
{
    return person_is(m->own, recipient) & IN_AUDIENCE;
}

/* Counts one more in *beyond, which is made for the first. */
static void count_beyond(struct record *r, struct hll **beyond, uint64_t hash)
{
    if (!*beyond) {
        *beyond = memory_zeroed(r->memory, sizeof **beyond);
        if (!*beyond)
            return;
        r->bytes += (uint32_t)sizeof **beyond;
    }
    hll_add(*beyond, hash);
}

static uint64_t person_reached(struct record *r, uint64_t recipient) /* what was known of it before */
{
    bool kept;
    uint64_t before = person_mark(r, recipient, REACHED, &kept);
    if (kept)
        r->recipients_known += !(before & REACHED);
    else
        count_beyond(r, &r->beyond, recipient);
    return before;
}

/* --- pairs: a recipient at a server --- */

static uint64_t host_hash(struct address host) /* what struct key has of the two ends */
{
    return hash_bytes(host.b, sizeof host.b);
}

static uint64_t pair_key(uint64_t recipient, uint64_t host)
{
    uint64_t key = hash_add(recipient, host);
    return key ? key : 1;
}

static struct pair *pair_place(const struct record *r, uint64_t key)
{
    uint32_t at = (uint32_t)key;
    for (;; at++) {
        struct pair *p = &r->pairs[at & (r->pair_room - 1)];
        if (p->recipient_at == 0 || p->recipient_at == key)
            return p;
    }
}

static const struct pair *pair_find(const struct record *r, uint64_t recipient, uint64_t host)
{
    const struct pair *p = r->pair_room ? pair_place(r, pair_key(recipient, host)) : NULL;
    return p && p->recipient_at ? p : NULL;
}

static __attribute__((noinline)) bool pairs_widen(struct record *r)
{
    struct pair *old = r->pairs;
    uint32_t old_room = r->pair_room, room = old_room ? old_room * 2 : TABLE_LEAST;
    struct pair *wider = memory_zeroed(r->memory, room * sizeof *wider);
    if (!wider)
        return r->pair_count + 1 < old_room; /* one place stays empty, or searches would not end */
    r->pairs = wider;
    r->pair_room = room;
    r->bytes += (uint32_t)((room - old_room) * sizeof *wider);
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].recipient_at)
            *pair_place(r, old[i].recipient_at) = old[i];
    memory_put(r->memory, old, old_room * sizeof *old);
    return true;
}

/* Finds or adds; NULL: over the bound. */
static struct pair *pair_open(struct record *r, uint64_t key)
{
    if ((r->pair_count + 1) * 4 > r->pair_room * 3 && r->pair_count < LEDGER_PAIRS && !pairs_widen(r))
        return NULL;
    struct pair *p = pair_place(r, key);
    if (p->recipient_at == 0) {
        if (r->pair_count >= LEDGER_PAIRS)
            return NULL;
        *p = (struct pair){.recipient_at = key};
        r->pair_count++;
    }
    return p;
}

/* The only copy went to the recipient. */
static bool first_went_to(const struct message *m, uint64_t recipient, struct address server)
{
    if (m->copy_count == 0 || !address_equal(m->copy_list[0].server, server))
        return false;
    for (uint32_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i] == recipient)
            return true;
    return false;
}

uint32_t message_copies_at(const struct message *m, uint64_t recipient, struct address server)
{
    if (!m->own->pair_room)
        return first_went_to(m, recipient, server);
    const struct pair *p = pair_find(m->own, recipient, host_hash(server));
    return p ? p->count : 0;
}

/* --- hosts --- */

static uint32_t host_index(const struct record *r, struct address a, uint64_t hash) /* 0: not there, else index + 1 */
{
    uint32_t tag = places_tag(hash), at = tag, found;
    for (uint32_t i = 0; i < r->m.host_count && r->addresses.room == 0; i++)
        if (address_equal(r->m.hosts[i].address, a))
            return i + 1;
    while ((found = places_next(&r->addresses, tag, &at)))
        if (address_equal(r->m.hosts[found - 1].address, a))
            return found;
    return 0;
}

struct message_host *message_host(const struct message *m, struct address host)
{
    uint32_t found = host_index(m->own, host, host_hash(host));
    return found ? &m->hosts[found - 1] : NULL;
}

/* Index + 1 of the host; 0: over the bound. */
static uint32_t host_open(struct record *r, struct address a, uint64_t hash, struct span name, bool as_client)
{
    struct message *m = &r->m;
    uint32_t found = host_index(r, a, hash);
    if (found == 0) {
        if (!room_for(r, &m->hosts, &r->host_room, m->host_count + 1, LEDGER_HOSTS, sizeof *m->hosts) ||
            !place_keep(r, &r->addresses, places_tag(hash), m->host_count + 1))
            return 0;
        found = ++m->host_count;
        m->hosts[found - 1] = (struct message_host){
            .address = a, .first_in = TIME_UNKNOWN, .first_out = TIME_UNKNOWN, .last_out = TIME_UNKNOWN, .least_hops_out = UINT32_MAX,
        };
    }
    struct message_host *h = &m->hosts[found - 1];
    if (name.n && (h->helo == 0 || (as_client && h->copies_out == 0))) /* what it calls itself is worth more than its greeting */
        h->helo = text_keep(r, name);
    return found;
}

/* What a host called itself in a copy: most often what it is known by already, and then it is not kept twice. */
static uint32_t name_keep(struct record *r, struct span name, uint32_t host)
{
    uint32_t known = host ? r->m.hosts[host - 1].helo : 0;
    return known && text_is(r, known, name) ? known : text_keep(r, name);
}

/* --- chains: a tree of Received lines --- */

static uint32_t node_child(const struct record *r, uint32_t parent, uint64_t line)
{
    uint32_t tag = places_tag(line) + parent, at = tag, found;
    for (uint32_t i = parent + 1; i < r->m.node_count && r->children.room == 0; i++)
        if (r->m.nodes[i].hash == line && r->m.nodes[i].parent == parent)
            return i;
    while ((found = places_next(&r->children, tag, &at)))
        if (r->m.nodes[found].hash == line && r->m.nodes[found].parent == parent)
            return found;
    return 0;
}

/* A new node under `parent`; `hop` NULL: only known to exist.  0: over the bound. */
static uint32_t node_add(struct record *r, uint32_t parent, const struct hop *hop)
{
    struct message *m = &r->m;
    uint32_t at = m->node_count;
    if (!room_for(r, &m->nodes, &r->node_room, at + 1, LEDGER_NODES, sizeof *m->nodes))
        return 0;
    struct chain_node *n = &m->nodes[at];
    *n = (struct chain_node){.parent = parent, .depth = m->nodes[parent].depth + 1, .date = TIME_UNKNOWN};
    if (hop) {
        if (!place_keep(r, &r->children, places_tag(hop->hash) + parent, at))
            return 0;
        n->hash = hop->hash;
        n->from = text_keep(r, hop->from);
        n->by = text_keep(r, hop->by);
        n->with = text_keep(r, hop->with);
        n->note = text_keep(r, hop->with_note);
        n->from_address = hop->from_address;
        n->date = hop->date;
    }
    m->nodes[parent].children++;
    m->node_count++;
    return at;
}

/* Follows the chain from the root, adding what is missing when `add`; the last node reached.  *whole: it is the chain's last line. */
static uint32_t chain_walk(struct record *r, const struct hop *hops, size_t count, bool add, bool *whole)
{
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t next = node_child(r, at, hops[i].hash);
        if (next == 0 && add)
            next = node_add(r, at, &hops[i]);
        if (next == 0) {
            *whole = false;
            return at;
        }
        at = next;
    }
    *whole = true;
    return at;
}

/* --- copies --- */

struct arrival { /* a copy while its recipients are being entered */
    struct address client, server;
    uint64_t client_hash, server_hash;
    uint32_t number;            /* of the message's copies, from 1 */
    uint32_t client_host, server_host; /* index + 1; 0: over the bound */
    uint32_t copy;              /* index + 1; 0: over the bound */
    uint32_t hops;
    uint16_t chain;
    bool never_took;            /* the client has not accepted the message for anybody */
    uint32_t made;              /* its deliveries so far; of these: */
    uint32_t taken, audience;   /* to those for whom the client had accepted it; of the rest: to the audience */
};

/* Has the host accepted the message for the recipient?  Past the bound of pairs whoever took it at all is believed to have. */
static bool took(const struct record *r, uint64_t recipient, const struct arrival *a)
{
    if (a->never_took)
        return false;
    if (pair_find(r, recipient, a->client_hash))
        return true;
    const struct message_host *h = r->pair_count == LEDGER_PAIRS && a->client_host ? &r->m.hosts[a->client_host - 1] : NULL;
    return h && h->copies_in > 0;
}

/* Enters one delivery: who had it, and whose copy is one too many. */
static void deliver(struct record *r, struct arrival *a, uint64_t recipient, struct delivery *d)
{
    struct message *m = &r->m;
    *d = (struct delivery){.recipient = recipient, .chains = 1, .copies = 1};
    d->taken = took(r, recipient, a);
    d->in_audience = person_reached(r, recipient) & IN_AUDIENCE;
    a->made++;
    a->taken += d->taken;
    a->audience += !d->taken && d->in_audience;
    if (a->copy && room_for(r, &m->recipients, &r->recipient_room, m->recipient_count + 1, LEDGER_RECIPIENTS, sizeof *m->recipients))
        m->recipients[m->recipient_count++] = recipient;
    uint64_t key = pair_key(recipient, a->server_hash);
    struct pair *p = pair_open(r, key);
    if (!p) {
        count_beyond(r, &r->pairs_beyond, key);
        r->deliveries_beyond += r->pairs_beyond != NULL;
        return;
    }
    struct pair now = *p;
    bool twice = now.count && now.last == a->number; /* the same address twice in one envelope gets one copy */
    uint8_t hops = (uint8_t)(a->hops < UINT8_MAX ? a->hops : UINT8_MAX);
    now.last = a->number;
    if (!twice && now.count < UINT16_MAX)
        now.count++;
    if (!twice && (now.chains == 0 || (now.chains < 3 && a->chain != now.chain[0] && (now.chains == 1 || a->chain != now.chain[1])))) {
        if (now.chains < 2)
            now.chain[now.chains] = a->chain;
        now.chains++;
    }
    d->copies = now.count;
    d->chains = now.chains;
    d->had_it = !twice && now.count > 1;
    uint16_t copy = a->copy ? (uint16_t)(a->copy - 1) : NO_COPY, host = a->client_host ? (uint16_t)(a->client_host - 1) : NO_HOST;
    uint16_t guilty_copy = copy, guilty_host = host;
    bool takes_hold = now.count == 1 || hops < now.holder_hops;
    if (takes_hold) {
        guilty_copy = now.holder_copy;
        guilty_host = now.holder_host;
        now.holder_copy = copy;
        now.holder_host = host;
        now.holder_hops = hops;
    }
    if (d->had_it) {
        m->redeliveries++;
        if (guilty_copy != NO_COPY)
            m->copy_list[guilty_copy].redeliveries++;
        if (guilty_host != NO_HOST) {
            m->hosts[guilty_host].redeliveries++;
            d->charged = m->hosts[guilty_host].address;
        } else if (!takes_hold) {
            d->charged = a->client;
        }
    }
    if (m->most_copies < now.count)
        m->most_copies = now.count;
    *p = now;
}

/* The same for the first copy of all, while there is nothing to compare it with. */
static void deliver_first(struct record *r, struct arrival *a, uint64_t recipient, struct delivery *d)
{
    struct message *m = &r->m;
    *d = (struct delivery){.recipient = recipient, .chains = 1, .copies = 1};
    d->in_audience = person_reached(r, recipient) & IN_AUDIENCE;
    a->made++;
    a->audience += d->in_audience;
    if (room_for(r, &m->recipients, &r->recipient_room, m->recipient_count + 1, LEDGER_RECIPIENTS, sizeof *m->recipients))
        m->recipients[m->recipient_count++] = recipient;
    m->most_copies = 1;
}

/* Its deliveries have all been entered: the totals. */
static void copy_close(struct record *r, const struct arrival *a)
{
    struct message *m = &r->m;
    m->deliveries += a->made;
    if (a->copy) {
        struct copy *c = &m->copy_list[a->copy - 1];
        c->deliveries = a->made;
        c->recipients_kept = m->recipient_count - c->recipients_at;
    }
    if (a->server_host)
        m->hosts[a->server_host - 1].in += a->made;
    if (a->client_host) {
        struct message_host *h = &m->hosts[a->client_host - 1];
        h->out += a->made;
        h->out_taken += a->taken;
        h->out_audience += a->audience;
        h->out_others += a->made - a->taken - a->audience;
    }
}

/* Opens a copy: hosts, the list, the totals.  Times and texts are the caller's to fill in. */
static struct copy *copy_open(struct record *r, struct arrival *a, struct span helo, struct span greeting, int64_t data_end)
{
    struct message *m = &r->m;
    a->number = (uint32_t)++m->copies;
    a->client_host = host_open(r, a->client, a->client_hash, helo, true);
    a->server_host = host_open(r, a->server, a->server_hash, greeting, false);
    if (a->client_host) {
        struct message_host *h = &m->hosts[a->client_host - 1];
        m->sources += h->copies_out == 0;
        h->copies_out++;
        h->first_out = h->first_out == TIME_UNKNOWN || data_end < h->first_out ? data_end : h->first_out;
        h->last_out = data_end > h->last_out ? data_end : h->last_out;
        h->least_hops_out = a->hops < h->least_hops_out ? a->hops : h->least_hops_out;
    }
    if (a->server_host) {
        struct message_host *h = &m->hosts[a->server_host - 1];
        h->copies_in++;
        h->first_in = h->first_in == TIME_UNKNOWN || data_end < h->first_in ? data_end : h->first_in;
    }
    a->never_took = a->client_host && m->hosts[a->client_host - 1].copies_in == 0;
    if (!room_for(r, &m->copy_list, &r->copy_room, m->copy_count + 1, LEDGER_COPIES, sizeof *m->copy_list))
        return NULL;
    a->copy = ++m->copy_count;
    struct copy *c = &m->copy_list[a->copy - 1];
    *c = (struct copy){.client = a->client, .server = a->server, .hops = a->hops, .recipients_at = m->recipient_count};
    return c;
}

/* What the copies are compared by from now on, of a record that has one at most; what there is no memory for is looked for one by one. */
static void tables_make(struct record *r)
{
    struct message *m = &r->m;
    uint32_t texts = 0;
    for (uint32_t at = 1; at < r->texts_used; at += (uint32_t)strlen(r->texts + at) + 1)
        texts++;
    if (places_make(&r->words, r->memory, texts + TEXTS_AHEAD))
        for (uint32_t at = 1, n; at < r->texts_used; at += n + 1) {
            n = (uint32_t)strlen(r->texts + at);
            places_put(&r->words, r->memory, places_tag(hash_bytes(r->texts + at, n)), at);
        }
    if (places_make(&r->children, r->memory, m->node_count + LINES_AHEAD))
        for (uint32_t i = 1; i < m->node_count; i++)
            places_put(&r->children, r->memory, places_tag(m->nodes[i].hash) + m->nodes[i].parent, i);
    if (places_make(&r->addresses, r->memory, m->host_count))
        for (uint32_t i = 0; i < m->host_count; i++)
            places_put(&r->addresses, r->memory, places_tag(host_hash(m->hosts[i].address)), i + 1);
    r->bytes += (uint32_t)(places_bytes(&r->words) + places_bytes(&r->children) + places_bytes(&r->addresses));
    pairs_widen(r);
    for (uint32_t i = 0; i < m->recipient_count && r->pair_room; i++) {
        const struct copy *first = &m->copy_list[0];
        struct pair *p = pair_open(r, pair_key(m->recipients[i], host_hash(first->server)));
        if (p)
            *p = (struct pair){
                .recipient_at = p->recipient_at, .last = 1, .count = 1, .chain = {(uint16_t)first->tail}, .chains = 1,
                .holder_host = (uint16_t)(host_index(r, first->client, host_hash(first->client)) - 1),
                .holder_hops = (uint8_t)(first->hops < UINT8_MAX ? first->hops : UINT8_MAX),
            };
    }
}

void message_add(struct record *r, const struct transaction *t, const struct key *k, struct delivery *made, struct ledger_entry *e)
{
    struct message *m = &r->m;
    const struct header *h = &t->header;
    struct arrival a = {
        .client = t->client.address, .server = t->server.address, .client_hash = k->client, .server_hash = k->server,
        .hops = (uint32_t)h->hop_count,
    };
    int64_t data_end = t->data_end == TIME_UNKNOWN ? t->end : t->data_end;
    if (m->copies == 1 && !r->pair_room && !r->words.room)
        tables_make(r);
    struct copy *c = copy_open(r, &a, t->helo, t->greeting, data_end);
    bool whole;
    uint32_t tail = chain_walk(r, h->hops, h->hop_count, c != NULL, &whole);
    bool plain = a.number == 1 && c && whole && t->recipient_count <= FIRST_MOST && !address_equal(a.client, a.server);
    if (a.number == 1 && !plain)
        tables_make(r);
    a.chain = (uint16_t)(whole ? tail : CUT_CHAIN | (k->chain & (CUT_CHAIN - 1)));
    if (c) {
        c->connection = t->connection;
        c->mail_time = t->mail_time;
        c->data_end = data_end;
        c->end = t->end;
        c->tail = tail;
        c->helo = name_keep(r, t->helo, a.client_host);
        c->greeting = name_keep(r, t->greeting, a.server_host);
        c->marks = h->marks;
        c->delivered_to = (uint32_t)h->delivered_to_count;
        c->bytes = t->bytes;
        m->nodes[tail].copies += whole;
    }
    uint64_t redeliveries = m->redeliveries;
    for (size_t i = 0; i < t->recipient_count; i++)
        if (recipient_accepted(t, &t->recipients[i]))
            (plain ? deliver_first : deliver)(r, &a, t->recipients[i].hash, &made[a.made]);
    copy_close(r, &a);
    m->bytes += t->bytes;
    m->first = m->first == TIME_UNKNOWN || t->end < m->first ? t->end : m->first;
    m->last = t->end > m->last ? t->end : m->last;
    e->message = m;
    e->copy = c;
    e->made = made;
    e->made_count = e->deliveries = a.made;
    e->redeliveries = (uint32_t)(m->redeliveries - redeliveries);
}

void message_recall(struct record *r, const struct glimpse *const deliveries[], size_t count, struct address client,
                    struct address server, const struct transaction *next)
{
    struct message *m = &r->m;
    const struct glimpse *g = deliveries[0];
    const struct header *h = &next->header;
    struct arrival a = {
        .client = client, .server = server, .client_hash = host_hash(client), .server_hash = host_hash(server), .hops = g->hops,
    };
    struct copy *c = copy_open(r, &a, (struct span){NULL, 0}, (struct span){NULL, 0}, g->data_end);
    bool begins = g->hops <= h->hop_count && (uint16_t)key_chain(h->hops, g->hops) == g->chain, whole = true;
    uint32_t tail = 0;
    if (begins)
        tail = chain_walk(r, h->hops, g->hops, true, &whole);
    for (uint32_t i = 0; !begins && i < g->hops && whole; i++) {
        uint32_t node = node_add(r, tail, NULL);
        whole = node != 0;
        tail = whole ? node : tail;
    }
    a.chain = (uint16_t)(whole ? tail : CUT_CHAIN);
    int64_t end = g->data_end + (int64_t)g->end_after * 1000;
    if (c) {
        c->connection = g->connection;
        c->mail_time = g->data_end - (int64_t)g->mail_before * 1000000;
        c->data_end = g->data_end;
        c->end = end;
        c->tail = tail;
        c->bytes = g->bytes;
        m->nodes[tail].copies += whole;
    }
    for (size_t i = 0; i < count; i++) {
        struct delivery made;
        deliver(r, &a, deliveries[i]->recipient, &made);
    }
    copy_close(r, &a);
    m->bytes += g->bytes;
    m->first = m->first == TIME_UNKNOWN || end < m->first ? end : m->first;
    m->last = end > m->last ? end : m->last;
    m->short_first++;
}

/* --- life --- */

/* A table of so many entries is at most three quarters full. */
static uint32_t table_room(size_t entries, uint32_t most)
{
    uint32_t room = TABLE_LEAST;
    for (uint32_t n = entries < most ? (uint32_t)entries : most; n * 4 > room * 3;)
        room *= 2;
    return room;
}

static uint32_t list_room(size_t entries, uint32_t least, uint32_t most)
{
    return entries < least ? least : entries < most ? (uint32_t)entries : most;
}

static size_t text_room(struct span text)
{
    return text.n == 0 ? 0 : text.n < LEDGER_TEXT_SIZE ? text.n + 1 : LEDGER_TEXT_SIZE;
}

/* How much a record needs at first: what this mail brings, and what came of it earlier. */
static struct record rooms_of(const struct transaction *t, size_t earlier)
{
    const struct header *h = &t->header;
    size_t deliveries = t->recipient_count + earlier;
    size_t texts = 1 + text_room(h->message_id) + text_room(h->from) + text_room(h->subject) + text_room(t->helo) + text_room(t->greeting);
    for (size_t i = 0; i < h->hop_count; i++) {
        const struct hop *hop = &h->hops[i];
        texts += text_room(hop->from) + text_room(hop->by) + text_room(hop->with) + text_room(hop->with_note);
    }
    size_t people = (h->audience_count > deliveries ? h->audience_count : deliveries) + 1; /* mostly they are the same */
    return (struct record){
        .people_room = table_room(people, LEDGER_PEOPLE),
        .copy_room = earlier ? 2 : 1,
        .host_room = earlier ? 4 : 2, /* what is seen again came another way */
        .node_room = list_room(h->hop_count + 1, 2, LEDGER_NODES),
        .recipient_room = list_room(deliveries, 1, LEDGER_RECIPIENTS),
        .alias_room = 4,
        .texts_room = list_room(texts, 1, LEDGER_TEXTS),
    };
}

/* The lists that stand behind a new record in its piece of memory; before them the table of people, zero at first. */
#define LISTS(X)                                                                                                          \
    X(m.copy_list, copy_room) X(m.nodes, node_room) X(m.hosts, host_room) X(m.recipients, recipient_room)                 \
    X(aliases, alias_room) X(texts, texts_room)

/* A record with these rooms, all of them empty, in one piece of memory; NULL: there is none. */
static struct record *record_new(struct memory *memory, const struct record *rooms)
{
    size_t people = sizeof *rooms->people * rooms->people_room, bytes = sizeof *rooms + people;
#define X(array, room) bytes += sizeof *rooms->array * rooms->room;
    LISTS(X)
#undef X
    struct record *r = memory_get(memory, bytes);
    if (!r)
        return NULL;
    *r = *rooms;
    r->memory = memory;
    r->bytes = r->own_bytes = (uint32_t)bytes;
    r->people = memset(r + 1, 0, people);
    char *at = (char *)(r + 1) + people;
#define X(array, room) r->array = (void *)at, at += sizeof *r->array * r->room;
    LISTS(X)
#undef X
    return r;
}

struct record *message_new(struct memory *memory, uint64_t key, const struct transaction *t, const struct key *k, size_t earlier)
{
    const struct header *h = &t->header;
    struct record rooms = rooms_of(t, earlier), *r = record_new(memory, &rooms);
    if (!r)
        return NULL;
    struct message *m = &r->m;
    m->own = r;
    m->key = key;
    m->from_hash = h->from_hash;
    m->date = h->date;
    m->thread = k->thread;
    m->fingerprint = k->fingerprint;
    r->subject_hash = k->subject;
    m->audience = h->audience_count;
    m->first = m->last = TIME_UNKNOWN;
    m->nodes[0] = (struct chain_node){.date = TIME_UNKNOWN};
    m->node_count = 1;
    m->id = text_keep(r, h->message_id);
    m->from = text_keep(r, h->from);
    m->subject = text_keep(r, h->subject);
    bool kept = h->audience != NULL;
    for (size_t i = 0; i < h->audience_count && kept; i++)
        person_mark(r, h->audience[i].address, IN_AUDIENCE, &kept);
    if (earlier)
        tables_make(r);
    return r;
}

void message_free(struct record *r)
{
    if (!r)
        return;
#define X(array, room) release(r, r->array, sizeof *r->array * r->room);
    LISTS(X)
#undef X
    release(r, r->people, sizeof *r->people * r->people_room);
    places_free(&r->children, r->memory);
    places_free(&r->words, r->memory);
    places_free(&r->addresses, r->memory);
    memory_put(r->memory, r->pairs, sizeof *r->pairs * r->pair_room);
    memory_put(r->memory, r->beyond, sizeof *r->beyond);
    memory_put(r->memory, r->pairs_beyond, sizeof *r->pairs_beyond);
    memory_put(r->memory, r, r->own_bytes);
}

bool message_alias(struct record *r, uint64_t alias)
{
    if (!room_for(r, &r->aliases, &r->alias_room, r->alias_count + 1, LEDGER_COPIES, sizeof *r->aliases))
        return false;
    r->aliases[r->alias_count++] = alias;
    return true;
}
