/* In: addresses of the ends of transactions.  Out: small numbers for them, to the short forms of the ledger (stats/glimpse.c). */
#include "stats/roster.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/pages.h"
#include "stats/memory.h"

#define INDEX_LEAST 4096 /* places, a power of two; doubled when half full */

struct entry {
    struct address address;
    uint32_t holders;
    uint32_t next_free; /* while nobody holds it */
};

struct roster {
    struct memory *memory;
    struct entry *entry;  /* [0] stands for "unknown" */
    uint32_t *index;      /* open addressing, linear; 0: empty */
    uint32_t size;        /* of it */
    uint32_t used, count; /* entries ever used; held now */
    uint32_t free;        /* first of the list of free ones */
};

struct roster *roster_new(struct memory *memory)
{
    struct roster *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->entry = pages_map((ROSTER_HOSTS + 1) * sizeof *r->entry);
    r->memory = memory;
    r->size = INDEX_LEAST;
    r->index = memory_zeroed(memory, r->size * sizeof *r->index);
    if (!r->entry || !r->index) {
        roster_free(r);
        return NULL;
    }
    return r;
}

void roster_free(struct roster *r)
{
    if (!r)
        return;
    pages_unmap(r->entry, (ROSTER_HOSTS + 1) * sizeof *r->entry);
    memory_put(r->memory, r->index, r->size * sizeof *r->index);
    free(r);
}

static uint64_t host_hash(const struct address *a) /* what roster_hold() is given */
{
    return hash_bytes(a->b, sizeof a->b);
}

static uint32_t home(const struct roster *r, uint64_t hash)
{
    return memory_place(hash, r->size);
}

static uint32_t after(const struct roster *r, uint32_t at)
{
    return (at + 1) & (r->size - 1);
}

/* Where `a` stands in the index, or the empty place where it would. */
static uint32_t place(const struct roster *r, struct address a, uint64_t hash)
{
    uint32_t at = home(r, hash);
    while (r->index[at] && !address_equal(r->entry[r->index[at]].address, a))
        at = after(r, at);
    return at;
}

static __attribute__((noinline)) bool widen(struct roster *r) /* false: out of memory */
{
    uint32_t *index = memory_zeroed(r->memory, 2 * r->size * sizeof *index);
    if (!index)
        return false;
    memory_put(r->memory, r->index, r->size * sizeof *r->index);
    r->index = index;
    r->size *= 2;
    for (uint32_t number = 1; number <= r->used; number++) {
        const struct entry *e = &r->entry[number];
        if (e->holders)
            r->index[place(r, e->address, host_hash(&e->address))] = number;
    }
    return true;
}

void roster_expect(const struct roster *r, uint64_t hash)
{
    __builtin_prefetch(&r->index[home(r, hash)]);
}

void roster_near(const struct roster *r, uint64_t hash)
{
    __builtin_prefetch(&r->entry[r->index[home(r, hash)]], 1);
}

uint32_t roster_hold(struct roster *r, struct address a, uint64_t hash, uint32_t holders)
{
    uint32_t at = place(r, a, hash), number = r->index[at];
    if (number == 0) {
        if (r->count == ROSTER_HOSTS)
            return 0;
        if (r->count >= r->size / 2) {
            if (!widen(r) && r->count + 1 >= r->size) /* one place stays empty, or searches would not end */
                return 0;
            at = place(r, a, hash);
        }
        if (r->free) {
            number = r->free;
            r->free = r->entry[number].next_free;
        } else {
            number = ++r->used;
        }
        r->entry[number] = (struct entry){.address = a};
        r->index[at] = number;
        r->count++;
    }
    assert(r->entry[number].holders <= UINT32_MAX - holders);
    r->entry[number].holders += holders;
    return number;
}

void roster_release(struct roster *r, uint32_t number)
{
    if (number == 0)
        return;
    struct entry *e = &r->entry[number];
    assert(e->holders > 0);
    if (--e->holders)
        return;
    /* Deletion by moving back what stands too far from its home (Knuth, 6.4, algorithm R): no tombstones, ever. */
    uint32_t gap = place(r, e->address, host_hash(&e->address));
    for (uint32_t at = after(r, gap); r->index[at]; at = after(r, at)) {
        const struct address *other = &r->entry[r->index[at]].address;
        uint32_t from_home = (at - home(r, host_hash(other))) & (r->size - 1);
        if (from_home >= ((at - gap) & (r->size - 1))) {
            r->index[gap] = r->index[at];
            gap = at;
        }
    }
    r->index[gap] = 0;
    e->next_free = r->free;
    r->free = number;
    r->count--;
}

struct address roster_address(const struct roster *r, uint32_t number)
{
    return r->entry[number].address;
}

uint32_t roster_count(const struct roster *r)
{
    return r->count;
}
