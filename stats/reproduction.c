/* In: each event of a storm, a copy put back on its way, with the event it came from.  Out: R, generation time and forecast, to route.c.
 *
 * R is counted, not fitted: of the events old enough to have had their children (one generation and a half), how many children each had on
 * average. Where k re-injectors feed one another that is k-1; where a connector keeps its mail, 1, as each poll puts the same copy back
 * again.
 *
 * The next round is what waits in mailboxes.  Each event of one re-injector puts a copy into the mailbox of every other; each poll takes
 * out all that is there.  So the coming polls are gone through in their order: what waits for a host, and what the hosts that poll before
 * it will add in time, by the share of it that was in time in the round before.  Generations mix in a round when polls differ, and this
 * takes them as they come.  In a loop the one copy comes round again.
 *
 * A round is as large as its copies times the people whom each host reaches: those it was seen to send to over all its events, so that a
 * mirror that loses a tenth of the copies does not make the forecast a tenth too small.  A host none of whose events is old enough is
 * still at its first: it is believed to reach as many as the others do, for they all read the same To:.  Where the servers cannot send
 * a round in the time between two, the next one brings what they were seen to send in such a time; the rest waits. */
#include "stats/reproduction.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SECONDS        ((double)NS_PER_SECOND)
#define CLOCKS_AGREE   (86400 * NS_PER_SECOND) /* a header's date further off than this is not taken */
#define MATURE         1.5                     /* generations */
#define OVERDUE        1.0                     /* generations after its time a round is no longer expected */
#define ONE_POLL       NS_PER_SECOND           /* nobody polls more often */
#define BURST          0.25                    /* of the time between polls: a pause that long parts two of them */
#define HOP_LIMIT      50                      /* Postfix's; sendmail's 25 ends it earlier where it is */
#define HOP_LIMIT_NEXT 100

struct known {
    struct event e;
    uint32_t children;
    uint32_t parent; /* index + 1; 0: not seen */
    uint32_t poller; /* index */
};

struct poller { /* a host that puts copies back on their way */
    const void *host;
    uint64_t events, firsts; /* all; of the origin's copies */
    uint32_t reach;          /* people whom it sent the mail to */
    bool old;                /* one of its events is old enough to have sent all */
    uint64_t held;           /* copies that it put back more than once, or will: it keeps them */
    bool keeps;
    int64_t poll, latest; /* start of its latest round; its latest event */
    int64_t interval;     /* from the round before; 0: not known */
    uint32_t place;       /* among all by `poll`: for coming() */
    double put, in_time;  /* events of its latest poll; those of them made from copies that came in the same round */
};

struct reproduction {
    enum breeding kind;
    int64_t origin_time;
    uint32_t origin_hops;
    struct known *event; /* in order of time */
    uint32_t count, room;
    uint32_t *place; /* event's index + 1, by id and by copy; 0: empty */
    uint32_t places; /* a power of two */
    uint32_t mature; /* events before it are old enough */
    uint64_t mature_children, mature_deliveries;
    double generations, growth; /* sums over events with a known parent */
    uint32_t pairs;
    double first_waits; /* sum, from the origin's copy to an event it led to */
    uint32_t firsts;
    uint32_t most_hops, hop_limit;
    uint64_t deliveries; /* of all events */
    int64_t last;        /* of these */
    struct poller *poller;
    uint32_t pollers, poller_room;
};

struct reproduction *reproduction_new(enum breeding kind, int64_t origin_time, uint32_t origin_hops)
{
    struct reproduction *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->kind = kind;
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
    free(r->poller);
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
    memset(more + r->count, 0, (room - r->count) * sizeof *more);
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

static void add_deliveries(struct reproduction *r, struct known *k, uint32_t deliveries, uint32_t reach, int64_t time)
{
    k->e.deliveries += deliveries;
    if (k < r->event + r->mature)
        r->mature_deliveries += deliveries;
    struct poller *p = &r->poller[k->poller];
    p->reach = reach > p->reach ? reach : p->reach;
    p->reach = k->e.deliveries > p->reach ? k->e.deliveries : p->reach;
    r->deliveries += deliveries;
    r->last = time > r->last ? time : r->last;
}

static double generation_of(const struct reproduction *r)
{
    return r->pairs ? r->generations / r->pairs : r->firsts ? r->first_waits / r->firsts : 0;
}

static struct poller *poller_of(struct reproduction *r, const void *host)
{
    for (uint32_t i = r->pollers; i-- > 0;)
        if (r->poller[i].host == host)
            return &r->poller[i];
    if (r->pollers == r->poller_room) {
        uint32_t room = r->poller_room ? r->poller_room * 2 : 4;
        struct poller *more = room <= REPRODUCTION_HOSTS ? realloc(r->poller, room * sizeof *more) : NULL;
        if (!more)
            return NULL;
        r->poller = more;
        r->poller_room = room;
    }
    r->poller[r->pollers] = (struct poller){.host = host, .poll = TIME_UNKNOWN};
    return &r->poller[r->pollers++];
}

/* The host's event at `time` begins a new poll. */
static bool begins_poll(const struct reproduction *r, const struct poller *p, int64_t time)
{
    double between = p->interval ? (double)p->interval : fmin(generation_of(r), 1e6) * SECONDS;
    int64_t pause = (int64_t)(BURST * between);
    return p->poll == TIME_UNKNOWN || time - p->latest > (pause > ONE_POLL ? pause : ONE_POLL);
}

static void note_poll(struct reproduction *r, struct poller *p, const struct event *e, bool first, bool again)
{
    p->events++;
    p->firsts += first;
    p->held += !again;
    p->keeps |= again;
    if (begins_poll(r, p, e->time)) {
        p->interval = p->poll == TIME_UNKNOWN ? 0 : e->time - p->poll;
        p->poll = e->time;
    }
    p->latest = e->time;
}

void reproduction_event(struct reproduction *r, const struct event *e)
{
    struct known *known = find(r, e->id, false);
    if (known) {
        add_deliveries(r, known, e->deliveries, e->reach, e->time);
        return;
    }
    struct known *parent = find(r, e->copy, true);
    if (parent && e->time - parent->e.time < ONE_POLL) { /* one poll, handed on in several queue files */
        add_deliveries(r, parent, e->deliveries, e->reach, e->time);
        return;
    }
    struct poller *poller = make_room(r) ? poller_of(r, e->host) : NULL;
    if (!poller)
        return;
    assert(r->event);
    parent = find(r, e->copy, true);
    /* within one poll it is the copy of a second address in the same mailbox */
    bool again = parent && (begins_poll(r, poller, e->time) || parent->e.time < poller->poll);
    if (!again)
        parent = find(r, e->parent, false);
    if (parent) {
        parent->children++;
        r->mature_children += parent < r->event + r->mature;
        r->generations += (double)(e->time - parent->e.time) / SECONDS;
        r->growth += (double)e->hops - (double)parent->e.hops;
        r->pairs++;
    } else if (e->parent == 0) {
        int64_t wait = e->time - r->origin_time;
        if (wait < ONE_POLL && e->fed != TIME_UNKNOWN && e->time - e->fed < CLOCKS_AGREE) /* the origin's copies were not seen */
            wait = e->time - e->fed;
        r->first_waits += (double)wait / SECONDS;
        r->firsts++;
    }
    r->event[r->count] = (struct known){
        .e = *e, .parent = parent && !again ? (uint32_t)(parent - r->event) + 1 : 0, .poller = (uint32_t)(poller - r->poller)};
    r->event[r->count].e.deliveries = 0;
    enter(r, r->count);
    note_poll(r, poller, e, !again && e->parent == 0, again);
    add_deliveries(r, &r->event[r->count++], e->deliveries, e->reach, e->time);
    if (e->hops > r->most_hops)
        r->most_hops = e->hops;
    if (e->hop_limit && (r->hop_limit == 0 || e->hop_limit < r->hop_limit))
        r->hop_limit = e->hop_limit;
}

void reproduction_more(struct reproduction *r, uint32_t deliveries, int64_t time)
{
    if (r->count)
        add_deliveries(r, &r->event[r->count - 1], deliveries, 0, time);
}

bool reproduction_knows(const struct reproduction *r, uint64_t id)
{
    return find(r, id, false) != NULL;
}

static int32_t hops_left(const struct reproduction *r)
{
    double growth = r->pairs ? r->growth / r->pairs : (double)r->most_hops - (double)r->origin_hops;
    if (growth < 0.5 || r->most_hops > HOP_LIMIT_NEXT)
        return -1;
    uint32_t limit = r->most_hops <= r->hop_limit ? r->hop_limit : r->most_hops <= HOP_LIMIT ? HOP_LIMIT : HOP_LIMIT_NEXT;
    return (int32_t)((limit - r->most_hops) / growth);
}

/* Puts the pollers in order of their latest polls, and counts what these put back. */
static void line_up(struct reproduction *r, struct poller *in_order[])
{
    int64_t earliest = INT64_MAX;
    for (uint32_t i = 0; i < r->pollers; i++) {
        struct poller *p = &r->poller[i];
        p->put = p->in_time = 0;
        earliest = p->poll < earliest ? p->poll : earliest;
        uint32_t at = i;
        for (; at > 0 && in_order[at - 1]->poll > p->poll; at--)
            in_order[at] = in_order[at - 1];
        in_order[at] = p;
    }
    for (uint32_t i = 0; i < r->pollers; i++)
        in_order[i]->place = i;
    for (uint32_t i = r->count; i-- > 0 && r->event[i].e.time >= earliest;) {
        const struct known *k = &r->event[i];
        struct poller *p = &r->poller[k->poller];
        if (k->e.time < p->poll)
            continue;
        p->put++;
        const struct known *parent = k->parent ? &r->event[k->parent - 1] : NULL;
        const struct poller *from = parent ? &r->poller[parent->poller] : NULL;
        p->in_time += from && from->place < p->place && parent->e.time >= from->poll;
    }
}

/* Most people whom one host reaches. */
static uint32_t most_reach(const struct reproduction *r)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < r->pollers; i++)
        most = r->poller[i].reach > most ? r->poller[i].reach : most;
    return most;
}

/* Deliveries of the coming polls, in *at the first of these, and in *factor their events to each of the latest ones. */
static double coming(struct reproduction *r, int64_t generation, int64_t *at, double *factor)
{
    struct poller *in_order[REPRODUCTION_HOSTS];
    line_up(r, in_order);
    int64_t period = 0;
    uint64_t all = 0;
    uint32_t reach = most_reach(r);
    for (uint32_t i = 0; i < r->pollers; i++) {
        period = r->poller[i].interval > period ? r->poller[i].interval : period;
        all += r->poller[i].events;
    }
    if (period == 0)
        period = generation;
    double sum = 0, sum_before = 0, deliveries = 0; /* events of the coming round, of the one before */
    *at = INT64_MAX;
    for (uint32_t i = 0; i < r->pollers; i++) {
        const struct poller *p = in_order[i];
        double feeds = p->firsts > 1 ? (double)p->firsts : 1; /* mailboxes it drains */
        double in_time = sum_before > 0 ? fmin(p->in_time / sum_before, feeds) : 0;
        double waiting = feeds * (double)(all - p->events) - (double)(p->keeps ? p->held : p->events) + (double)p->firsts;
        double now = fmax(waiting, 0) + in_time * sum + (p->keeps ? (double)p->held : 0);
        if (now > 0.5 && p->poll + period < *at)
            *at = p->poll + period;
        sum += now;
        sum_before += p->put;
        deliveries += now * (p->old ? p->reach : reach);
    }
    *factor = r->pollers > 1 && sum_before > 0 ? sum / sum_before : NAN;
    return deliveries;
}

/* What the servers can send in the time of a generation, when copies half as old have not been sent to half of the people whom they are
 * for; INFINITY: they keep up. */
static double capacity(const struct reproduction *r, double generation)
{
    uint32_t reach = most_reach(r);
    double sent = 0, due = 0;
    for (uint32_t i = r->count; i-- > 0;) {
        const struct known *k = &r->event[i];
        double age = (double)(r->last - k->e.time) / SECONDS;
        if (age > 2 * generation)
            break;
        if (age < generation / 2)
            continue;
        sent += k->e.deliveries;
        due += r->poller[k->poller].old ? r->poller[k->poller].reach : reach;
    }
    double since = (double)(r->last - r->event[0].e.time) / SECONDS;
    return sent < due / 2 ? (double)r->deliveries / since * generation : INFINITY;
}

struct outlook reproduction_outlook(struct reproduction *r, int64_t now)
{
    struct outlook o = {.reproduction = NAN,
        .reckoned = NAN,
        .generation = NAN,
        .at = TIME_UNKNOWN,
        .generations_left = -1,
        .latest = TIME_UNKNOWN};
    if (r->count == 0)
        return o;
    o.latest = r->event[r->count - 1].e.time;
    double generation = generation_of(r);
    if (generation <= 0)
        return o;
    o.generation = generation;
    int64_t generation_ns = generation < 1e9 ? (int64_t)(generation * SECONDS) : INT64_MAX / 8;
    /* the latest event is the clock while there are any: a storm that somebody has stopped bred as it did */
    int64_t clock = r->mature == 0 && now - o.latest > 2 * (int64_t)(MATURE * (double)generation_ns) ? now : o.latest;
    while (r->mature < r->count && r->event[r->mature].e.time + (int64_t)(MATURE * (double)generation_ns) < clock) {
        r->mature_children += r->event[r->mature].children;
        r->mature_deliveries += r->event[r->mature].e.deliveries;
        r->poller[r->event[r->mature].poller].old = true;
        r->mature++;
    }
    if (r->mature)
        o.reproduction = (double)r->mature_children / r->mature;
    o.generations_left = hops_left(r);
    int64_t at = o.latest + generation_ns;
    double next = r->kind == BREEDING_MAILBOXES ? fmin(coming(r, generation_ns, &at, &o.reckoned), capacity(r, generation))
                  : r->mature                   ? (double)r->mature_deliveries / r->mature
                                                : most_reach(r);
    if (next >= 0.5 && o.generations_left != 0 && now < at + (int64_t)(OVERDUE * (double)generation_ns)) {
        o.at = at;
        o.deliveries = (uint64_t)(next + 0.5);
    }
    return o;
}
