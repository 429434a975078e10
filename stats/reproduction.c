/* In: each event of a storm, a copy put back on its way, with the event it came from.  Out: R, generation time and forecast, to route.c.
 *
 * R is counted, not fitted: of the events old enough to have had their children (one generation and a half), how many children each had on average.
 * Where k re-injectors feed one another that is k-1; where a connector keeps its mail, 1, as each poll puts the same copy back again.  Before any
 * event is old enough the forecast takes k-1, or 1 when a kept copy was seen.  Rounds of hosts that poll at different times mix; so the
 * next round is counted from the start of the latest one, and its size from all that this one has brought or, while it is young, should bring. */
#include "stats/reproduction.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"

#define SECONDS ((double)NS_PER_SECOND)
#define MATURE 1.5           /* generations */
#define YOUNG 0.5
#define OVERDUE 1.0          /* generations after its time a round is no longer expected */
#define ONE_POLL NS_PER_SECOND /* nobody polls more often */
#define HOP_LIMIT 50         /* Postfix's; Exim's 30 and sendmail's 25 end it earlier where they are */
#define HOP_LIMIT_NEXT 100

struct known {
    struct event e;
    uint32_t children;
};

struct reproduction {
    int64_t origin_time;
    uint32_t origin_hops;
    struct known *event;     /* in order of time */
    uint32_t count, room;
    uint32_t *place;         /* event's index + 1, by id and by copy; 0: empty */
    uint32_t places;         /* a power of two */
    uint32_t mature;         /* events before it are old enough */
    uint64_t mature_children, mature_deliveries;
    double generations, growth; /* sums over events with a known parent */
    uint32_t pairs;
    double first_waits;      /* sum, from the origin's copy to an event of round 1 */
    uint32_t firsts;
    uint32_t in_round[REPRODUCTION_ROUNDS];
    int64_t round_start[REPRODUCTION_ROUNDS];
    uint32_t round;          /* the latest */
    uint32_t most_hops;
    uint32_t most_deliveries;
    bool kept;
};

struct reproduction *reproduction_new(int64_t origin_time, uint32_t origin_hops)
{
    struct reproduction *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->origin_time = origin_time;
    r->origin_hops = origin_hops;
    return r;
}

void reproduction_free(struct reproduction *r)
{
    if (!r)
        return;
    free(r->event);
    free(r->place);
    free(r);
}

static uint64_t copy_key(uint64_t copy)
{
    return hash_pair(copy, 1);
}

/* Where `key` stands or would stand. */
static uint32_t *place_of(const struct reproduction *r, uint64_t key, bool as_copy)
{
    uint32_t i = (uint32_t)(as_copy ? copy_key(key) : key) & (r->places - 1);
    while (r->place[i]) {
        const struct event *e = &r->event[(r->place[i] & INT32_MAX) - 1].e;
        bool is_copy = r->place[i] >> 31;
        if (is_copy == as_copy && (as_copy ? e->copy : e->id) == key)
            break;
        i = (i + 1) & (r->places - 1);
    }
    return &r->place[i];
}

static struct known *find(const struct reproduction *r, uint64_t key, bool as_copy)
{
    if (key == 0 || r->places == 0)
        return NULL;
    uint32_t at = *place_of(r, key, as_copy);
    return at ? &r->event[(at & INT32_MAX) - 1] : NULL;
}

static void enter(struct reproduction *r, uint32_t index)
{
    *place_of(r, r->event[index].e.id, false) = index + 1;
    if (r->event[index].e.copy)
        *place_of(r, r->event[index].e.copy, true) = (index + 1) | 1u << 31;
}

static bool make_room(struct reproduction *r)
{
    if (r->count < r->room)
        return true;
    uint32_t room = r->room ? r->room * 2 : 16;
    if (room > REPRODUCTION_EVENTS)
        return false;
    struct known *more = realloc(r->event, room * sizeof *more);
    if (!more)
        return false;
    r->event = more;
    uint32_t *place = calloc(room * 4, sizeof *place);
    if (!place)
        return false;
    free(r->place);
    r->place = place;
    r->places = room * 4;
    r->room = room;
    for (uint32_t i = 0; i < r->count; i++)
        enter(r, i);
    return true;
}

static void add_deliveries(struct reproduction *r, struct known *k, uint32_t deliveries)
{
    k->e.deliveries += deliveries;
    if (k->e.deliveries > r->most_deliveries)
        r->most_deliveries = k->e.deliveries;
    if (k < r->event + r->mature)
        r->mature_deliveries += deliveries;
}

void reproduction_event(struct reproduction *r, const struct event *e)
{
    struct known *known = find(r, e->id, false);
    if (known) {
        add_deliveries(r, known, e->deliveries);
        return;
    }
    struct known *parent = find(r, e->copy, true);
    if (parent && e->time - parent->e.time < ONE_POLL) { /* one poll, handed on in several queue files */
        add_deliveries(r, parent, e->deliveries);
        return;
    }
    if (!make_room(r))
        return;
    parent = find(r, e->copy, true);
    if (parent)
        r->kept = true;
    else
        parent = find(r, e->parent, false);
    uint32_t round = parent ? parent->e.round + 1 : e->round;
    if (round >= REPRODUCTION_ROUNDS)
        round = REPRODUCTION_ROUNDS - 1;
    if (parent) {
        parent->children++;
        r->mature_children += parent < r->event + r->mature;
        r->generations += (double)(e->time - parent->e.time) / SECONDS;
        r->growth += (double)e->hops - (double)parent->e.hops;
        r->pairs++;
    } else if (e->round == 1) {
        r->first_waits += (double)(e->time - r->origin_time) / SECONDS;
        r->firsts++;
    }
    r->event[r->count] = (struct known){.e = *e};
    r->event[r->count].e.round = round;
    enter(r, r->count++);
    if (r->in_round[round]++ == 0)
        r->round_start[round] = e->time;
    if (round > r->round)
        r->round = round;
    if (e->hops > r->most_hops)
        r->most_hops = e->hops;
    if (e->deliveries > r->most_deliveries)
        r->most_deliveries = e->deliveries;
}

void reproduction_more(struct reproduction *r, uint32_t deliveries)
{
    if (r->count)
        add_deliveries(r, &r->event[r->count - 1], deliveries);
}

static int32_t hops_left(const struct reproduction *r)
{
    double growth = r->pairs ? r->growth / r->pairs : (double)r->most_hops - (double)r->origin_hops;
    if (growth < 0.5 || r->most_hops > HOP_LIMIT_NEXT)
        return -1;
    uint32_t limit = r->most_hops <= HOP_LIMIT ? HOP_LIMIT : HOP_LIMIT_NEXT;
    return (int32_t)((limit - r->most_hops) / growth);
}

struct outlook reproduction_outlook(struct reproduction *r, uint32_t hosts, int64_t now)
{
    struct outlook o = {.reproduction = NAN, .generation = NAN, .at = TIME_UNKNOWN, .generations_left = -1};
    if (r->count == 0)
        return o;
    double generation = r->pairs ? r->generations / r->pairs : r->firsts ? r->first_waits / r->firsts : 0;
    if (generation <= 0)
        return o;
    o.generation = generation;
    int64_t generation_ns = generation < 1e9 ? (int64_t)(generation * SECONDS) : INT64_MAX / 8;
    /* the latest event is the clock while there are any: a storm that somebody has stopped bred as it did */
    int64_t latest = r->event[r->count - 1].e.time;
    int64_t clock = r->mature == 0 && now - latest > 2 * (int64_t)(MATURE * (double)generation_ns) ? now : latest;
    while (r->mature < r->count && r->event[r->mature].e.time + (int64_t)(MATURE * (double)generation_ns) < clock) {
        r->mature_children += r->event[r->mature].children;
        r->mature_deliveries += r->event[r->mature].e.deliveries;
        r->mature++;
    }
    double expected = r->kept ? 1 : hosts > 1 ? hosts - 1 : 0;
    if (r->mature) {
        o.reproduction = (double)r->mature_children / r->mature;
        expected = o.reproduction;
    }
    o.generations_left = hops_left(r);
    double size = r->in_round[r->round];
    bool young = now - r->round_start[r->round] < (int64_t)(YOUNG * (double)generation_ns);
    if (young && r->round > 1 && expected * r->in_round[r->round - 1] > size)
        size = expected * r->in_round[r->round - 1];
    double each = r->mature ? (double)r->mature_deliveries / r->mature : r->most_deliveries;
    double next = expected * size * each;
    int64_t at = r->round_start[r->round] + generation_ns;
    if (next >= 0.5 && o.generations_left != 0 && now < at + (int64_t)(OVERDUE * (double)generation_ns)) {
        o.at = at;
        o.deliveries = (uint64_t)(next + 0.5);
    }
    return o;
}
