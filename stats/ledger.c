/* In: accepted transactions with their keys, from stats.c; twins are out. Out: what each of them was to its mail (ledger_entry), for the
 * detectors.
 *
 * A mail to few with a small audience, seen once or passed on by relays as it came, lies in short form (glimpse.c), 64 bytes a delivery.
 * Every other has a full record (message.c), found by its names: its id, ids joined to it later, its join hashes (key.c); so has every
 * mail as long as records are few. Both forms together keep to a budget of bytes: what was touched longest ago goes first. Records of
 * storms are pinned: at most 3 MiB each, as many as there may be storms.
 *
 * A mail whose Date and From or Subject are others than those filed under its id is another one: the id says nothing, and it is filed by
 * its fingerprint. Where the first under that id is in short form, a few bits of the three decide. */
#include "stats/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "stats/memory.h"
#include "stats/message.h"

#define RICH_SHARE 16          /* while full records take less than this part of the budget, every mail has one, and is shown by name */
#define NAMES_SHARE 256        /* bytes of budget a name */
#define NAMES_FIRST 4096
#define CONSTANTS 1024         /* ids known to say nothing, to be counted once; past it all are forgotten */
#define ROSTER_TRIES 64        /* short forms given up to make room for one address */

struct name {
    uint64_t alias;
    struct record *record; /* NULL: empty */
};

struct list { /* of records, newest first */
    struct record *newest, *oldest;
};

struct ledger {
    struct memory *memory;
    size_t budget, full_bytes, full_count;
    int64_t remember;
    uint64_t *evicted;
    struct roster *roster;
    struct glimpses *glimpses;
    struct name *names;         /* open addressing, linear; doubled when half full: most that is looked for is not there */
    uint32_t names_size, names_count, names_most;
    struct list cold, pinned;
    uint64_t *constant;         /* a table of 2 * CONSTANTS; 0: empty */
    uint32_t constant_count;
    struct delivery *made;
    size_t made_room;
};

struct ledger *ledger_new(struct memory *memory, int64_t budget, int64_t remember, uint64_t *evicted)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->memory = memory;
    l->budget = (size_t)budget;
    l->remember = remember;
    l->evicted = evicted;
    size_t shorts = l->budget / GLIMPSE_COST, names = l->budget / NAMES_SHARE;
    l->names_most = (uint32_t)(names < NAMES_FIRST ? NAMES_FIRST : names < INT32_MAX ? names : INT32_MAX);
    l->names_size = NAMES_FIRST;
    l->roster = roster_new(memory);
    l->glimpses = glimpses_new((uint32_t)(shorts < INT32_MAX ? shorts : INT32_MAX));
    l->names = memory_zeroed(memory, l->names_size * sizeof *l->names);
    l->constant = calloc(2 * CONSTANTS, sizeof *l->constant);
    if (!l->roster || !l->glimpses || !l->names || !l->constant) {
        ledger_free(l);
        return NULL;
    }
    return l;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    roster_free(l->roster);
    glimpses_free(l->glimpses);
    memory_put(l->memory, l->names, l->names_size * sizeof *l->names);
    free(l->constant);
    free(l->made);
    free(l);
}

/* --- lists --- */

static void list_out(struct list *list, struct record *r)
{
    *(r->newer ? &r->newer->older : &list->newest) = r->older;
    *(r->older ? &r->older->newer : &list->oldest) = r->newer;
    r->newer = r->older = NULL;
}

static void list_in(struct list *list, struct record *r)
{
    r->older = list->newest;
    r->newer = NULL;
    *(list->newest ? &list->newest->newer : &list->oldest) = r;
    list->newest = r;
}

void ledger_pin(struct ledger *l, struct message *m, bool pinned)
{
    if (m->pinned == pinned)
        return;
    list_out(pinned ? &l->cold : &l->pinned, m->own);
    m->pinned = pinned;
    list_in(pinned ? &l->pinned : &l->cold, m->own);
}

struct message *ledger_each(const struct ledger *l, const struct message *after)
{
    struct record *next = after ? after->own->older : l->pinned.newest;
    if (!next && (!after || after->pinned))
        next = l->cold.newest;
    return next ? &next->m : NULL;
}

/* --- names --- */

static uint32_t name_after(const struct ledger *l, uint32_t at)
{
    return at + 1 < l->names_size ? at + 1 : 0;
}

static uint32_t name_distance(const struct ledger *l, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + l->names_size - from;
}

static uint32_t name_place(const struct ledger *l, uint64_t alias)
{
    uint32_t at = memory_place(alias, l->names_size);
    while (l->names[at].record && l->names[at].alias != alias)
        at = name_after(l, at);
    return at;
}

static struct record *name_find(const struct ledger *l, uint64_t alias)
{
    return alias ? l->names[name_place(l, alias)].record : NULL;
}

static void name_drop(struct ledger *l, uint64_t alias, const struct record *of)
{
    uint32_t gap = name_place(l, alias);
    if (l->names[gap].record != of)
        return;
    for (uint32_t at = name_after(l, gap); l->names[at].record; at = name_after(l, at)) { /* Knuth, 6.4, algorithm R */
        uint32_t from_home = name_distance(l, memory_place(l->names[at].alias, l->names_size), at);
        if (from_home >= name_distance(l, gap, at)) {
            l->names[gap] = l->names[at];
            gap = at;
        }
    }
    l->names[gap].record = NULL;
    l->names_count--;
}

static bool names_widen(struct ledger *l)
{
    uint32_t old_size = l->names_size, size = old_size <= l->names_most / 2 ? old_size * 2 : l->names_most;
    struct name *old = l->names, *wider = size > old_size ? memory_zeroed(l->memory, size * sizeof *wider) : NULL;
    if (!wider)
        return false;
    l->names = wider;
    l->names_size = size;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i].record)
            l->names[name_place(l, old[i].alias)] = old[i];
    memory_put(l->memory, old, old_size * sizeof *old);
    return true;
}

/* The first to have a name keeps it. */
static void name_add(struct ledger *l, uint64_t alias, struct record *r)
{
    if (alias == 0 || (l->names_count >= l->names_size / 2 && !names_widen(l) && l->names_count >= l->names_size / 4 * 3))
        return;
    uint32_t at = name_place(l, alias);
    size_t before = r->bytes;
    if (l->names[at].record || !message_alias(r, alias))
        return;
    l->full_bytes += r->bytes - before;
    l->names[at] = (struct name){alias, r};
    l->names_count++;
}

struct message *ledger_find(const struct ledger *l, uint64_t key)
{
    struct record *r = name_find(l, key);
    return r ? &r->m : NULL;
}

bool ledger_took(const struct ledger *l, uint64_t key, struct address server, struct address *client)
{
    const struct message *m = ledger_find(l, key);
    bool any = !address_known(server);
    for (uint32_t i = 0; m && i < m->copy_count; i++)
        if (any || address_equal(m->copy_list[i].server, server)) {
            *client = m->copy_list[i].client;
            return true;
        }
    const struct glimpse *g[GLIMPSE_MOST];
    size_t count = m ? 0 : glimpse_all(l->glimpses, key, g);
    for (size_t i = 0; i < count; i++)
        if (any || address_equal(roster_address(l->roster, g[i]->server), server)) {
            *client = roster_address(l->roster, g[i]->client);
            return true;
        }
    return false;
}

/* --- forgetting --- */

static void forget_record(struct ledger *l, struct record *r)
{
    list_out(r->m.pinned ? &l->pinned : &l->cold, r);
    for (uint32_t i = 0; i < r->alias_count; i++)
        name_drop(l, r->aliases[i], r);
    l->full_bytes -= r->bytes;
    l->full_count--;
    message_free(r);
}

static void forget_glimpse(struct ledger *l, const struct glimpse *g)
{
    uint32_t client = g->client, server = g->server;
    glimpse_drop(l->glimpses, g);
    roster_release(l->roster, client);
    roster_release(l->roster, server);
}

size_t ledger_bytes(const struct ledger *l)
{
    return l->full_bytes + (size_t)glimpses_count(l->glimpses) * GLIMPSE_COST;
}

/* Gives up the coldest until the budget is kept; never `kept`, which is in use. */
static void forget_coldest(struct ledger *l, const struct record *kept)
{
    while (ledger_bytes(l) > l->budget || l->names_count >= l->names_most / 4 * 3) {
        const struct glimpse *g = glimpse_oldest(l->glimpses);
        struct record *r = l->cold.oldest;
        if (r == kept)
            r = NULL;
        bool names_scarce = ledger_bytes(l) <= l->budget;
        if (g && !names_scarce && (!r || g->data_end <= r->m.last))
            forget_glimpse(l, g);
        else if (r)
            forget_record(l, r);
        else
            return;
        ++*l->evicted;
    }
}

void ledger_tick(struct ledger *l, int64_t now)
{
    const struct glimpse *g;
    while ((g = glimpse_oldest(l->glimpses)) && now - g->data_end > l->remember)
        forget_glimpse(l, g);
    while (l->cold.oldest && now - l->cold.oldest->m.last > l->remember)
        forget_record(l, l->cold.oldest);
}

/* --- ids that say nothing --- */

static bool constant_add(struct ledger *l, uint64_t id) /* false: it was there */
{
    uint32_t at = (uint32_t)id;
    for (; l->constant[at % (2 * CONSTANTS)]; at++)
        if (l->constant[at % (2 * CONSTANTS)] == id)
            return false;
    if (l->constant_count == CONSTANTS) {
        memset(l->constant, 0, 2 * CONSTANTS * sizeof *l->constant);
        l->constant_count = 0;
        at = (uint32_t)id;
    }
    l->constant[at % (2 * CONSTANTS)] = id;
    l->constant_count++;
    return true;
}

/* Six bits of Date (0: none), five of From, five of Subject. */
static uint16_t stamps_of(const struct header *h, const struct key *k)
{
    uint64_t date = h->date == TIME_UNKNOWN ? 0 : hash_pair((uint64_t)h->date, 0) % 63 + 1;
    return (uint16_t)(date << 10 | (h->from_hash & 31) << 5 | (k->subject & 31));
}

/* Does an id mean another mail here than there?  A list may change From and Subject, never Date; an id without "@" is believed less. */
static bool another(bool date, bool from_or_subject, struct span id)
{
    return date && (from_or_subject || memchr(id.p, '@', id.n) == NULL);
}

static bool record_is_another(const struct record *r, const struct header *h, const struct key *k)
{
    bool date = r->m.date != TIME_UNKNOWN && h->date != TIME_UNKNOWN && r->m.date != h->date;
    return another(date, r->m.from_hash != h->from_hash || r->subject_hash != k->subject, h->message_id);
}

static bool glimpse_is_another(const struct glimpse *g, const struct header *h, const struct key *k)
{
    uint16_t a = g->stamps, b = stamps_of(h, k);
    bool date = a >> 10 && b >> 10 && a >> 10 != b >> 10;
    return another(date, (a & 1023) != (b & 1023), h->message_id);
}

/* --- short forms --- */

struct few { /* accepted recipients of a transaction */
    uint64_t hash[LEDGER_SHORT];
    uint32_t count;   /* of all of them */
    bool twice;       /* one of them stands there twice */
};

static struct few few_of(const struct transaction *t)
{
    struct few f = {.count = 0};
    for (size_t i = 0; i < t->recipient_count; i++) {
        if (!recipient_accepted(t, &t->recipients[i]))
            continue;
        uint32_t n = f.count++;
        if (n >= LEDGER_SHORT)
            continue;
        f.hash[n] = t->recipients[i].hash;
        for (uint32_t k = 0; k < n; k++)
            f.twice = f.twice || f.hash[k] == f.hash[n];
    }
    return f;
}

static bool worth_a_record(const struct ledger *l, const struct transaction *t, const struct few *f)
{
    const struct header *h = &t->header;
    return f->count == 0 || f->count > LEDGER_SHORT || f->twice || h->audience_count >= LEDGER_AUDIENCE_FULL ||
           h->hop_count >= LEDGER_HOPS_FULL || h->marks || l->full_bytes < l->budget / RICH_SHARE;
}

/* The next leg of a plain way: a server that took the mail passes it on, to recipients it took it for, and to a host that has not been on
 * the way yet. */
static bool passed_on(const struct ledger *l, const struct transaction *t, const struct few *f, const struct glimpse *const g[],
                      size_t count)
{
    bool taken[LEDGER_SHORT] = {false};
    for (size_t i = 0; i < count; i++) {
        struct address client = roster_address(l->roster, g[i]->client), server = roster_address(l->roster, g[i]->server);
        if (address_equal(client, t->server.address) || address_equal(server, t->server.address) || t->header.hop_count < g[i]->hops)
            return false;
        for (uint32_t k = 0; k < f->count; k++)
            taken[k] = taken[k] || (f->hash[k] == g[i]->recipient && address_equal(server, t->client.address));
    }
    for (uint32_t k = 0; k < f->count; k++)
        if (!taken[k])
            return false;
    return true;
}

/* For so many deliveries of a mail and its two hosts; for how many there is. */
static uint32_t make_room_for_glimpses(struct ledger *l, uint32_t count)
{
    uint32_t room = glimpses_room(l->glimpses);
    for (int i = 0; i < ROSTER_TRIES && (room < count || roster_count(l->roster) + 2 > ROSTER_HOSTS); i++) {
        const struct glimpse *g = glimpse_oldest(l->glimpses);
        if (!g)
            break;
        forget_glimpse(l, g);
        ++*l->evicted;
        room = glimpses_room(l->glimpses);
    }
    return room;
}

static void glimpses_make(struct ledger *l, const struct transaction *t, const struct key *k, uint64_t key, const struct few *f)
{
    const struct header *h = &t->header;
    int64_t data_end = t->data_end == TIME_UNKNOWN ? t->end : t->data_end;
    int64_t before = (data_end - t->mail_time) / 1000000, after = (t->end - data_end) / 1000;
    struct glimpse g = {
        .key = key, .connection = t->connection, .data_end = data_end,
        .bytes = (uint32_t)(t->bytes < UINT32_MAX ? t->bytes : UINT32_MAX),
        .end_after = (uint32_t)(after < 0 ? 0 : after < UINT32_MAX ? after : UINT32_MAX),
        .mail_before = (uint16_t)(before < 0 ? 0 : before < UINT16_MAX ? before : UINT16_MAX),
        .stamps = stamps_of(h, k), .chain = (uint16_t)k->chain,
        .hops = (uint8_t)h->hop_count, .audience = (uint8_t)h->audience_count,
    };
    uint32_t room = make_room_for_glimpses(l, f->count);
    g.client = roster_hold(l->roster, t->client.address, k->client, f->count);
    g.server = roster_hold(l->roster, t->server.address, k->server, f->count);
    for (uint32_t i = 0; i < f->count; i++) {
        if (i >= room) {
            roster_release(l->roster, g.client);
            roster_release(l->roster, g.server);
            continue;
        }
        g.recipient = f->hash[i];
        glimpse_add(l->glimpses, &g);
    }
}

/* --- full records --- */

/* A new record, not yet in the books, with room for t and so many deliveries before it. */
static struct record *record_make(struct ledger *l, const struct transaction *t, const struct key *k, uint64_t key, size_t earlier)
{
    struct record *r = message_new(l->memory, key, t, k, earlier);
    if (!r)
        return NULL;
    l->full_count++;
    l->full_bytes += r->bytes;
    list_in(&l->cold, r);
    return r;
}

static struct record *record_from_glimpses(struct ledger *l, const struct transaction *t, const struct key *k,
                                           const struct glimpse *const g[], size_t count)
{
    struct record *r = record_make(l, t, k, g[0]->key, count);
    if (!r)
        return NULL;
    size_t before = r->bytes;
    for (size_t i = 0, n; i < count; i += n) { /* the deliveries of one copy came one after the other */
        for (n = 1; i + n < count && g[i + n]->connection == g[i]->connection && g[i + n]->data_end == g[i]->data_end;)
            n++;
        message_recall(r, g + i, n, roster_address(l->roster, g[i]->client), roster_address(l->roster, g[i]->server), t);
    }
    l->full_bytes += r->bytes - before;
    for (size_t i = 0; i < count; i++)
        forget_glimpse(l, g[i]);
    return r;
}

static struct record *joined(const struct ledger *l, const struct transaction *t, const struct key *k)
{
    struct record *r = name_find(l, k->join);
    if (!r)
        r = name_find(l, k->join_wide);
    if (!r && t->header.hop_count)
        r = name_find(l, k->join_origin);
    return r;
}

void ledger_expect(const struct ledger *l, const struct key *k)
{
    uint64_t key = k->by_id ? k->id : k->nameless;
    __builtin_prefetch(&l->names[memory_place(key, l->names_size)]);
    __builtin_prefetch(&l->names[memory_place(k->join, l->names_size)]);
    __builtin_prefetch(&l->names[memory_place(k->join_wide, l->names_size)]);
    __builtin_prefetch(&l->names[memory_place(k->join_origin, l->names_size)]);
    roster_expect(l->roster, k->client);
    roster_expect(l->roster, k->server);
    glimpse_expect(l->glimpses, key);
}

void ledger_near(const struct ledger *l, const struct key *k)
{
    roster_near(l->roster, k->client);
    roster_near(l->roster, k->server);
}

static bool made_widen(struct ledger *l, size_t need)
{
    if (need <= l->made_room)
        return true;
    struct delivery *p = realloc(l->made, need * sizeof *p);
    if (!p)
        return false;
    l->made = p;
    l->made_room = need;
    return true;
}

struct ledger_entry ledger_deliver(struct ledger *l, const struct transaction *t, const struct key *k)
{
    assert(t->message);
    struct few f = few_of(t);
    struct ledger_entry e = {.deliveries = f.count};
    bool by_id = k->by_id;
    if (k->id && !k->by_id)
        e.new_id = constant_add(l, k->id);
    struct record *r = NULL;
    const struct glimpse *g[GLIMPSE_MOST];
    size_t count = 0;
    if (by_id) {
        r = name_find(l, k->id);
        count = r ? 0 : glimpse_all(l->glimpses, k->id, g);
        if (r ? record_is_another(r, &t->header, k) : count && glimpse_is_another(g[0], &t->header, k)) {
            by_id = false;
        } else {
            e.new_id = !r && !count;
        }
    }
    e.key = by_id ? k->id : k->nameless;
    if (!by_id) {
        r = name_find(l, e.key);
        count = r ? 0 : glimpse_all(l->glimpses, e.key, g);
    }
    e.first = !r && count == 0;
    if (count) {
        if (worth_a_record(l, t, &f) || count + f.count > GLIMPSE_MOST || !passed_on(l, t, &f, g, count))
            r = record_from_glimpses(l, t, k, g, count);
        else
            glimpses_make(l, t, k, e.key, &f);
    } else if (!r && (r = joined(l, t, k))) {
        e.first = false;
        name_add(l, e.key, r);
        r->m.ids += by_id;
    } else if (!r) {
        if (worth_a_record(l, t, &f))
            r = record_make(l, t, k, e.key, 0);
        else
            glimpses_make(l, t, k, e.key, &f);
    }
    if (r && made_widen(l, t->recipient_count)) {
        if (r->alias_count == 0) {
            name_add(l, e.key, r);
            r->m.ids += by_id;
        }
        name_add(l, k->join, r);
        name_add(l, k->join_wide, r);
        if (t->header.hop_count == 0)
            name_add(l, k->join_origin, r);
        size_t before = r->bytes;
        message_add(r, t, k, l->made, &e);
        e.key = r->m.key;
        l->full_bytes += r->bytes - before;
        if (!r->m.pinned && l->cold.newest != r) {
            list_out(&l->cold, r);
            list_in(&l->cold, r);
        }
    }
    forget_coldest(l, r);
    return e;
}

size_t ledger_full(const struct ledger *l)
{
    return l->full_count;
}

size_t ledger_short(const struct ledger *l)
{
    return glimpses_count(l->glimpses);
}
