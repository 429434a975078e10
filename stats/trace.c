/* In: each finished transaction.  Out: those that carry a Message-ID or an address, to the page of message traces.
 *
 * Records stand one behind the other in a ring, each a flat copy behind its head; the oldest give way to the new.  A place is the number
 * of bytes written before it, so that one older than the tail is known to be gone: nothing is ever taken out of an index.  By id and by
 * the ledger's key each record names the one before it in its chain; by address the heads are walked, and most are passed over by 64 bits
 * that stand for all addresses of the record. */
#include "stats/trace.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/pages.h"
#include "smtpdissect/flat.h"
#include "stats/key.h"
#include "stats/memory.h"

#define LEAST      (64 * 1024)
#define RECORDS_OF 1024 /* bytes of ring for each chain of the index */
#define PART_MOST  4    /* a record takes at most a fourth of the ring */
#define MARKED     64   /* addresses of one kind; with more of them the marks would tell nothing */
#define KEYS       8    /* mails that share one id and are told apart */

enum chain { BY_ID, BY_KEY, CHAINS };

struct record {
    uint64_t next, previous;   /* places */
    uint64_t hash[CHAINS];     /* 0: none */
    uint64_t before[CHAINS];   /* place + 1 of the one before in the chain, which may be gone; 0: none */
    uint64_t reverse_path, user; /* hashes; 0: none */
    uint64_t marks;            /* of the addresses; all ones: too many */
    struct noted noted;
};

struct trace {
    uint8_t *ring;
    size_t size, spill; /* bytes; a record that begins before `size` may reach beyond it */
    uint64_t head, tail, latest; /* places: of the next record, of the oldest, of the newest */
    uint64_t kept, left_out;
    uint32_t chains;
    uint64_t *newest[CHAINS]; /* place + 1 of the newest record of the chain */
};

struct trace *trace_new(int64_t bytes)
{
    struct trace *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->size = (size_t)(bytes < LEAST ? LEAST : bytes) & ~(size_t)7;
    r->spill = r->size / PART_MOST;
    r->chains = (uint32_t)(r->size / RECORDS_OF < UINT32_MAX ? r->size / RECORDS_OF : UINT32_MAX);
    r->ring = pages_map(r->size + r->spill);
    bool good = r->ring != NULL;
    for (int i = 0; i < CHAINS; i++) {
        r->newest[i] = calloc(r->chains, sizeof *r->newest[i]);
        good = good && r->newest[i];
    }
    if (!good) {
        trace_free(r);
        return NULL;
    }
    madvise(r->ring, r->size + r->spill, MADV_DONTDUMP); /* people's addresses */
    return r;
}

void trace_free(struct trace *r)
{
    if (!r)
        return;
    pages_unmap(r->ring, r->size + r->spill);
    for (int i = 0; i < CHAINS; i++)
        free(r->newest[i]);
    free(r);
}

static struct record *record_at(const struct trace *r, uint64_t place)
{
    return (struct record *)(void *)(r->ring + place % r->size);
}

static const struct transaction *transaction_of(const struct record *record)
{
    return (const struct transaction *)(const void *)(record + 1);
}

/* ---- keeping ---- */

static uint64_t mark(uint64_t hash)
{
    return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63);
}

static uint64_t hash_of(struct span address)
{
    return address.n ? hash_nocase(address) : 0;
}

static uint64_t marks_of(const struct transaction *t, const struct record *record)
{
    const struct header *h = &t->header;
    if (t->recipient_count > MARKED || h->audience_count > MARKED || t->report.final_recipient_count > MARKED)
        return UINT64_MAX;
    uint64_t marks = mark(record->reverse_path) | mark(record->user) | mark(h->from_hash);
    for (size_t i = 0; i < t->recipient_count; i++)
        marks |= mark(t->recipients[i].hash);
    for (size_t i = 0; i < h->audience_count; i++)
        marks |= mark(h->audience[i].address);
    for (size_t i = 0; i < t->report.final_recipient_count; i++)
        marks |= mark(t->report.final_recipient_hash[i]);
    return marks;
}

void trace_keep(struct trace *r, const struct transaction *t, struct noted noted)
{
    if (!r)
        return;
    size_t need = sizeof(struct record) + transaction_flat_size(t);
    if (need > r->spill) {
        r->left_out++;
        return;
    }
    uint64_t place = r->head, end = place + need;
    for (; r->tail < place && r->tail + r->size < end; r->kept--)
        r->tail = record_at(r, r->tail)->next;
    if (end % r->size < need) /* it reaches the end or beyond: the next begins a new round */
        end += r->size - 1 - (end + r->size - 1) % r->size;
    struct record *record = record_at(r, place);
    *record = (struct record){
        .next = end, .previous = r->latest, .hash = {key_id(t->header.message_id), noted.key}, .reverse_path = hash_of(t->reverse_path),
        .user = hash_of(t->user), .noted = noted,
    };
    record->marks = marks_of(t, record);
    for (int i = 0; i < CHAINS; i++) {
        if (record->hash[i] == 0)
            continue;
        uint64_t *newest = &r->newest[i][memory_place(record->hash[i], r->chains)];
        record->before[i] = *newest;
        *newest = place + 1;
    }
    transaction_flatten(t, record + 1);
    r->latest = place;
    r->head = end;
    r->kept++;
}

/* ---- finding ---- */

static bool is_kept(const struct trace *r, uint64_t place)
{
    return place >= r->tail && place < r->head;
}

struct found { /* the earliest or the latest `most` places, as they come from the newest back to the oldest */
    uint64_t *place;
    size_t most, count;
    bool earliest;
};

static void found_add(struct found *f, uint64_t place)
{
    if (f->most && (f->earliest || f->count < f->most))
        f->place[f->count % f->most] = place;
    f->count++;
}

static void found_visit(const struct trace *r, const struct found *f, trace_visitor *visit, void *user)
{
    size_t n = f->count < f->most ? f->count : f->most, end = f->earliest ? f->count : n;
    for (size_t i = 0; i < n; i++) {
        const struct record *record = record_at(r, f->place[(end - 1 - i) % f->most]);
        if (!visit(user, transaction_of(record), record->noted))
            return;
    }
}

struct cursor { /* on the records of one hash, from the newest back; at 0: no more, else place + 1 */
    enum chain by;
    uint64_t hash, at;
};

static void cursor_settle(const struct trace *r, struct cursor *c)
{
    while (c->at && (!is_kept(r, c->at - 1) || record_at(r, c->at - 1)->hash[c->by] != c->hash))
        c->at = is_kept(r, c->at - 1) ? record_at(r, c->at - 1)->before[c->by] : 0;
}

static struct cursor cursor_on(const struct trace *r, enum chain by, uint64_t hash)
{
    struct cursor c = {by, hash, r->newest[by][memory_place(hash, r->chains)]};
    cursor_settle(r, &c);
    return c;
}

static void cursor_back(const struct trace *r, struct cursor *c)
{
    c->at = record_at(r, c->at - 1)->before[c->by];
    cursor_settle(r, c);
}

/* The mails that the transactions with the id carry: a cursor on each. */
static size_t mails_of(const struct trace *r, uint64_t id, struct cursor mail[KEYS])
{
    size_t n = 0;
    for (struct cursor c = cursor_on(r, BY_ID, id); c.at && n < KEYS; cursor_back(r, &c)) {
        uint64_t key = record_at(r, c.at - 1)->hash[BY_KEY];
        bool fresh = key != 0;
        for (size_t i = 0; i < n; i++)
            fresh = fresh && mail[i].hash != key;
        if (fresh)
            mail[n++] = cursor_on(r, BY_KEY, key);
    }
    return n;
}

size_t trace_by_message_id(const struct trace *r, struct span message_id, trace_visitor *visit, void *user, size_t most)
{
    uint64_t id = key_id(message_id);
    struct found f = {.most = most, .earliest = true};
    if (!r || id == 0 || !(f.place = calloc(most + 1, sizeof *f.place)))
        return 0;
    struct cursor cursor[KEYS + 1];
    size_t n = mails_of(r, id, cursor);
    cursor[n++] = cursor_on(r, BY_ID, id);
    for (;;) {
        uint64_t at = 0;
        for (size_t i = 0; i < n; i++)
            at = cursor[i].at > at ? cursor[i].at : at;
        if (at == 0)
            break;
        found_add(&f, at - 1);
        for (size_t i = 0; i < n; i++)
            if (cursor[i].at == at)
                cursor_back(r, &cursor[i]);
    }
    found_visit(r, &f, visit, user);
    free(f.place);
    return f.count;
}

static bool holds(const struct record *record, uint64_t address)
{
    const struct transaction *t = transaction_of(record);
    const struct header *h = &t->header;
    if (record->reverse_path == address || record->user == address || h->from_hash == address)
        return true;
    for (size_t i = 0; i < t->recipient_count; i++)
        if (t->recipients[i].hash == address)
            return true;
    for (size_t i = 0; i < h->audience_count; i++)
        if (h->audience[i].address == address)
            return true;
    for (size_t i = 0; i < t->report.final_recipient_count; i++)
        if (t->report.final_recipient_hash[i] == address)
            return true;
    return false;
}

size_t trace_by_address(const struct trace *r, struct span address, trace_visitor *visit, void *user, size_t most)
{
    uint64_t hash = hash_of(address), marks = mark(hash);
    struct found f = {.most = most};
    if (!r || r->kept == 0 || hash == 0 || !(f.place = calloc(most + 1, sizeof *f.place)))
        return 0;
    for (uint64_t place = r->latest, n = r->kept; n > 0; n--) {
        const struct record *record = record_at(r, place);
        if ((record->marks & marks) == marks && holds(record, hash))
            found_add(&f, place);
        place = record->previous;
    }
    found_visit(r, &f, visit, user);
    free(f.place);
    return f.count;
}

struct trace_state trace_state(const struct trace *r)
{
    struct trace_state state = {.since = TIME_UNKNOWN};
    if (!r)
        return state;
    state.kept = r->kept;
    state.left_out = r->left_out;
    if (r->kept)
        state.since = transaction_of(record_at(r, r->tail))->end;
    return state;
}
