/* In: what the detectors conclude: an incident opened, raised, lifted, joined, fresh evidence for it; and the time.  Out: storms with
 * their lists, to the sink (raised, updated, cleared) and to whoever asks.
 * A slot an incident, as many as the setting `storms` allows; when all are taken the cleared one that was quiet longest makes room,
 * then the watched one; an open storm never does.  An incident falls by quiet: after quiet_of() without evidence it is cleared;
 * evidence within as long again opens it anew under its id, later evidence starts another incident.  Keys are found in an
 * open-addressing table whose entries name slot and generation: an entry of a slot that has changed hands is dead, and goes when the
 * table is built anew. */
#include "stats/incident.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"

#define KEYS_A_SLOT     16            /* table entries a slot, a power of two */
#define MORE_HOSTS      4096          /* distinct hosts past STORM_HOSTS that are told apart, a power of two */
#define GENERATION_MOST (7 * 86400.0) /* s: a longer one is a mistake of the measure, not a reason to keep an alarm for weeks */

struct slot {
    struct storm storm;           /* first: a slot is found from its storm */
    bool used, raised, forgotten; /* forgotten: cleared so long ago that its keys are free again */
    uint32_t generation;
    int64_t touched; /* latest evidence */
    struct {         /* what the sink heard last */
        enum storm_severity severity;
        enum storm_kind kind;
        uint32_t at_fault;
    } told;
    uint32_t host_room, edge_room, event_room;
    uint64_t *more; /* set of hashes of hosts that found no room; NULL until there is one */
};

struct entry { /* of the key table; key 0 is stored as 1 */
    uint64_t key;
    uint32_t slot, generation; /* generation 0: empty */
};

struct incidents {
    const struct stats_settings *settings;
    const struct stats_sink *sink;
    struct stats_counters *counters;
    struct slot *slots;
    uint32_t slot_count, slot_high; /* of the setting; used so far */
    struct entry *table;
    uint32_t table_size, table_used; /* a power of two; entries not empty, dead ones too */
    struct slot **by_raising;
    size_t raised_count;
    uint32_t number; /* of the last id */
    int64_t latest;  /* evidence for a raised one, notices apart */
};

static struct slot *slot_of(struct storm *s)
{
    return (struct slot *)s;
}

struct incidents *incidents_new(const struct stats_settings *settings, const struct stats_sink *sink, struct stats_counters *counters)
{
    struct incidents *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->settings = settings;
    all->sink = sink;
    all->counters = counters;
    all->latest = TIME_UNKNOWN;
    all->slot_count = settings->storms < 1 ? 1 : settings->storms > 1 << 20 ? 1 << 20 : (uint32_t)settings->storms;
    all->table_size = KEYS_A_SLOT;
    while (all->table_size < all->slot_count * KEYS_A_SLOT)
        all->table_size *= 2;
    all->slots = calloc(all->slot_count, sizeof *all->slots);
    all->table = calloc(all->table_size, sizeof *all->table);
    all->by_raising = calloc(all->slot_count, sizeof(struct slot *));
    if (all->slots && all->table && all->by_raising)
        return all;
    incidents_free(all);
    return NULL;
}

static void free_lists(struct slot *s)
{
    free(s->storm.hosts);
    free(s->storm.edges);
    free(s->storm.events);
    free(s->more);
}

void incidents_free(struct incidents *all)
{
    if (!all)
        return;
    for (uint32_t i = 0; i < all->slot_high; i++)
        free_lists(&all->slots[i]);
    free(all->slots);
    free(all->table);
    free(all->by_raising);
    free(all);
}

/* ---- keys ---- */

static bool entry_lives(const struct incidents *all, const struct entry *e)
{
    const struct slot *s = &all->slots[e->slot];
    return s->used && !s->forgotten && s->generation == e->generation;
}

/* The entry of `key`, dead or alive, else the empty one where it would stand. */
static struct entry *entry_at(struct entry *table, uint32_t size, uint64_t key)
{
    uint32_t i = (uint32_t)hash_pair(key, size) & (size - 1);
    while (table[i].generation != 0 && table[i].key != key)
        i = (i + 1) & (size - 1);
    return &table[i];
}

/* Builds the table anew without its dead entries; false: out of memory, the old one stays. */
static bool table_renew(struct incidents *all)
{
    struct entry *fresh = calloc(all->table_size, sizeof *fresh);
    if (!fresh)
        return false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->table_size; i++)
        if (all->table[i].generation != 0 && entry_lives(all, &all->table[i])) {
            *entry_at(fresh, all->table_size, all->table[i].key) = all->table[i];
            kept++;
        }
    free(all->table);
    all->table = fresh;
    all->table_used = kept;
    return true;
}

/* False: the table is full of living keys. */
static bool key_set(struct incidents *all, uint64_t key, const struct slot *s)
{
    struct entry *e = entry_at(all->table, all->table_size, key ? key : 1);
    if (e->generation == 0) {
        if (all->table_used >= all->table_size / 4 * 3) {
            if (!table_renew(all) || all->table_used >= all->table_size / 4 * 3)
                return false;
            e = entry_at(all->table, all->table_size, key ? key : 1);
        }
        all->table_used++;
    }
    *e = (struct entry){.key = key ? key : 1, .slot = (uint32_t)(s - all->slots), .generation = s->generation};
    return true;
}

static struct slot *slot_find(struct incidents *all, uint64_t key)
{
    const struct entry *e = entry_at(all->table, all->table_size, key ? key : 1);
    return e->generation != 0 && entry_lives(all, e) ? &all->slots[e->slot] : NULL;
}

struct storm *incident_find(struct incidents *all, uint64_t key)
{
    struct slot *s = slot_find(all, key);
    return s ? &s->storm : NULL;
}

/* ---- slots ---- */

static bool is_open(const struct slot *s)
{
    return s->raised && s->storm.state != STATE_CLEARED;
}

static void slot_free(struct incidents *all, struct slot *s)
{
    if (s->raised) {
        size_t i = 0;
        while (all->by_raising[i] != s)
            i++;
        all->raised_count--;
        memmove(&all->by_raising[i], &all->by_raising[i + 1], (all->raised_count - i) * sizeof(struct slot *));
    }
    free_lists(s);
    uint32_t generation = s->generation;
    memset(s, 0, sizeof *s);
    s->generation = generation;
}

static struct slot *slot_take(struct incidents *all)
{
    if (all->slot_high < all->slot_count)
        return &all->slots[all->slot_high++];
    struct slot *coldest = NULL;
    for (uint32_t i = 0; i < all->slot_count; i++) {
        struct slot *s = &all->slots[i];
        if (!s->used)
            return s;
        if (is_open(s))
            continue;
        if (!coldest || (s->raised && !coldest->raised) || (s->raised == coldest->raised && s->touched < coldest->touched))
            coldest = s;
    }
    if (coldest)
        slot_free(all, coldest);
    return coldest;
}

struct storm *incident_open(struct incidents *all, uint64_t key, enum storm_kind kind, int64_t first_seen)
{
    struct slot *s = slot_find(all, key);
    if (s)
        return &s->storm;
    s = slot_take(all);
    if (!s)
        return NULL;
    s->used = true;
    if (++s->generation == 0)
        s->generation = 1;
    s->touched = first_seen;
    s->storm.kind = kind;
    s->storm.first_seen = first_seen;
    s->storm.raised = s->storm.updated = s->storm.cleared = s->storm.forecast_at = TIME_UNKNOWN;
    s->storm.reproduction = s->storm.generation = NAN;
    s->storm.generations_left = -1;
    if (key_set(all, key, s))
        return &s->storm;
    slot_free(all, s);
    return NULL;
}

void incident_drop(struct incidents *all, struct storm *s)
{
    assert(!slot_of(s)->raised);
    slot_free(all, slot_of(s));
}

bool incident_raised(const struct storm *s)
{
    return ((const struct slot *)s)->raised;
}

/* ---- lists ---- */

/* Room for one more in a list of `count`, at most `most`; false: the bound is reached, or no memory. */
static bool make_room(void **list, size_t size, uint32_t count, uint32_t *room, uint32_t most)
{
    if (count < *room)
        return true;
    uint32_t wanted = *room ? *room * 4 : 4;
    if (wanted > most)
        wanted = most;
    if (wanted <= count)
        return false;
    void *longer = realloc(*list, wanted * size);
    if (!longer)
        return false;
    *list = longer;
    *room = wanted;
    return true;
}

static void add_event(struct storm *s, int64_t now, const char *what)
{
    void *list = s->events;
    if (make_room(&list, sizeof *s->events, s->event_count, &slot_of(s)->event_room, STORM_EVENTS)) {
        s->events = list;
        s->event_count++;
    }
    if (s->event_count == 0)
        return;
    struct storm_event *e = &s->events[s->event_count - 1];
    e->time = now;
    log_clean(span_text(what), e->what, sizeof e->what);
}

void incident_event(struct storm *s, int64_t now, const char *what, ...)
{
    char text[STORM_TEXT_SIZE];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    add_event(s, now, text);
}

/* Counts a host for which there is no room, once. */
static void count_more(struct slot *s, uint64_t hash)
{
    if (!s->more)
        s->more = calloc(MORE_HOSTS, sizeof *s->more);
    if (!s->more || s->storm.hosts_more >= MORE_HOSTS / 4 * 3)
        return;
    if (hash == 0)
        hash = 1;
    size_t i = hash & (MORE_HOSTS - 1);
    while (s->more[i] != 0 && s->more[i] != hash)
        i = (i + 1) & (MORE_HOSTS - 1);
    if (s->more[i] == 0) {
        s->more[i] = hash;
        s->storm.hosts_more++;
    }
}

struct storm_host *incident_host(struct storm *s, struct address address, const char *name, bool on_wire)
{
    char clean[STORM_TEXT_SIZE];
    log_clean(span_text(name), clean, sizeof clean);
    bool known = address_known(address);
    for (uint32_t i = 0; i < s->host_count; i++) {
        struct storm_host *h = &s->hosts[i];
        if (!address_equal(h->address, address) || (!known && !span_equal_nocase(span_text(h->name), span_text(clean))))
            continue;
        if (h->name[0] == 0)
            memcpy(h->name, clean, sizeof h->name);
        h->on_wire |= on_wire;
        return h;
    }
    void *list = s->hosts;
    if (!make_room(&list, sizeof *s->hosts, s->host_count, &slot_of(s)->host_room, STORM_HOSTS)) {
        count_more(slot_of(s), known ? hash_bytes(address.b, sizeof address.b) : hash_nocase(span_text(clean)));
        return NULL;
    }
    s->hosts = list;
    struct storm_host *h = &s->hosts[s->host_count++];
    memset(h, 0, sizeof *h);
    h->address = address;
    memcpy(h->name, clean, sizeof h->name);
    h->role = ROLE_RELAY;
    h->on_wire = on_wire;
    h->first = h->last = TIME_UNKNOWN;
    return h;
}

struct storm_edge *incident_edge(struct storm *s, int32_t from, int32_t to)
{
    for (uint32_t i = 0; i < s->edge_count; i++)
        if (s->edges[i].from == from && s->edges[i].to == to)
            return &s->edges[i];
    void *list = s->edges;
    if (!make_room(&list, sizeof *s->edges, s->edge_count, &slot_of(s)->edge_room, STORM_EDGES))
        return NULL;
    s->edges = list;
    struct storm_edge *e = &s->edges[s->edge_count++];
    *e = (struct storm_edge){.from = from, .to = to, .first = TIME_UNKNOWN};
    return e;
}

void incident_evidence(struct storm_host *h, const struct storm_evidence *e)
{
    if (h && h->evidence_count < STORM_EVIDENCE)
        h->evidence[h->evidence_count++] = *e;
}

/* ---- the life ---- */

static uint32_t count_at_fault(const struct storm *s)
{
    uint32_t n = s->hosts_more;
    for (uint32_t i = 0; i < s->host_count; i++)
        n += s->hosts[i].role == ROLE_REINJECTOR || s->hosts[i].role == ROLE_LOOPER;
    return n;
}

static void tell(struct incidents *all, struct slot *s, enum storm_change change, int64_t now)
{
    s->storm.updated = now;
    s->told.severity = s->storm.severity;
    s->told.kind = s->storm.kind;
    s->told.at_fault = count_at_fault(&s->storm);
    if (all->sink && all->sink->storm)
        all->sink->storm(all->sink->user, &s->storm, change);
}

static void give_id(struct incidents *all, struct storm *s, int64_t now)
{
    time_t second = (time_t)(now / NS_PER_SECOND);
    struct tm tm;
    char stamp[24] = "";
    if (gmtime_r(&second, &tm))
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    snprintf(s->id, sizeof s->id, "%.*s-%u", 20, stamp, ++all->number);
}

static void raise_first(struct incidents *all, struct slot *s, int64_t now)
{
    give_id(all, &s->storm, now);
    s->raised = true;
    s->storm.state = STATE_RAISED;
    s->storm.raised = now;
    all->by_raising[all->raised_count++] = s;
    if (s->storm.severity != SEVERITY_NOTICE)
        all->counters->storms_raised++;
    incident_event(&s->storm, now, "raised, %s: %s", storm_severity_text(s->storm.severity), s->storm.why);
    tell(all, s, STORM_RAISED, now);
}

static void had_evidence(struct incidents *all, struct slot *s, int64_t now)
{
    if (now > s->touched)
        s->touched = now;
    if (s->raised && s->storm.severity != SEVERITY_NOTICE && now > all->latest)
        all->latest = now;
}

int64_t incident_latest(const struct incidents *all)
{
    return all->latest;
}

static void reopen(struct incidents *all, struct slot *s, int64_t now)
{
    s->storm.state = STATE_RAISED;
    s->storm.cleared = TIME_UNKNOWN;
    incident_event(&s->storm, now, "it goes on, %s", storm_severity_text(s->storm.severity));
    tell(all, s, STORM_RAISED, now);
}

void incident_raise(struct incidents *all, struct storm *s, enum storm_severity severity, int64_t now, const char *why, ...)
{
    struct slot *slot = slot_of(s);
    if (!slot->raised || s->state == STATE_CLEARED || severity >= s->severity) {
        char text[sizeof s->why];
        va_list args;
        va_start(args, why);
        vsnprintf(text, sizeof text, why, args);
        va_end(args);
        log_clean(span_text(text), s->why, sizeof s->why);
        s->severity = severity;
    }
    if (s->severity > s->peak_severity || !slot->raised)
        s->peak_severity = s->severity;
    if (!slot->raised) {
        raise_first(all, slot, now);
    } else if (s->state == STATE_CLEARED) {
        reopen(all, slot, now);
    } else if (s->severity != slot->told.severity) {
        incident_event(s, now, "now %s: %s", storm_severity_text(s->severity), s->why);
        tell(all, slot, STORM_UPDATED, now);
    } else if (s->kind != slot->told.kind || count_at_fault(s) != slot->told.at_fault) {
        tell(all, slot, STORM_UPDATED, now);
    }
    had_evidence(all, slot, now);
}

void incident_touch(struct incidents *all, struct storm *s, int64_t now)
{
    struct slot *slot = slot_of(s);
    had_evidence(all, slot, now);
    if (slot->raised && s->state == STATE_CLEARED)
        reopen(all, slot, now);
}

void incident_tell(struct incidents *all, struct storm *s, int64_t now)
{
    if (is_open(slot_of(s)))
        tell(all, slot_of(s), STORM_UPDATED, now);
}

void incident_kind(struct incidents *all, struct storm *s, enum storm_kind kind, int64_t now)
{
    if (s->kind == kind)
        return;
    if (slot_of(s)->raised)
        incident_event(s, now, "%s after all, not %s", storm_kind_text(kind), storm_kind_text(s->kind));
    s->kind = kind;
    incident_tell(all, s, now);
}

/* ---- joining ---- */

static void join_host(struct storm_host *to, const struct storm_host *h)
{
    to->copies += h->copies;
    to->deliveries += h->deliveries;
    to->redeliveries += h->redeliveries;
    to->recipients_in += h->recipients_in;
    if (h->role > to->role) /* the roles rise in fault */
        to->role = h->role;
    if (h->first != TIME_UNKNOWN && (to->first == TIME_UNKNOWN || h->first < to->first))
        to->first = h->first;
    if (h->last > to->last)
        to->last = h->last;
    if (to->software[0] == 0)
        memcpy(to->software, h->software, sizeof to->software);
    for (uint32_t i = 0; i < h->evidence_count; i++)
        incident_evidence(to, &h->evidence[i]);
}

static void join_lists(struct storm *into, const struct storm *from)
{
    int32_t place[STORM_HOSTS]; /* of from's hosts in into */
    for (uint32_t i = 0; i < from->host_count; i++) {
        const struct storm_host *h = &from->hosts[i];
        uint32_t before = into->host_count;
        struct storm_host *to = incident_host(into, h->address, h->name, h->on_wire);
        place[i] = to ? (int32_t)(to - into->hosts) : -1;
        if (to && into->host_count > before)
            to->role = h->role;
        if (to)
            join_host(to, h);
    }
    into->hosts_more += from->hosts_more;
    for (uint32_t i = 0; i < from->edge_count; i++) {
        const struct storm_edge *e = &from->edges[i];
        struct storm_edge *to = incident_edge(into, e->from < 0 ? -1 : place[e->from], e->to < 0 ? -1 : place[e->to]);
        if (!to)
            continue;
        to->copies += e->copies;
        to->deliveries += e->deliveries;
        to->redeliveries += e->redeliveries;
        to->on_wire |= e->on_wire;
        if (to->first == TIME_UNKNOWN || e->first < to->first)
            to->first = e->first;
    }
}

static void join_counts(struct storm *into, const struct storm *from)
{
    into->copies += from->copies;
    into->deliveries += from->deliveries;
    into->redeliveries += from->redeliveries;
    into->bytes += from->bytes;
    if (from->recipients > into->recipients) /* the same people: a sum would count them twice */
        into->recipients = from->recipients;
    if (from->most_copies_a_recipient > into->most_copies_a_recipient)
        into->most_copies_a_recipient = from->most_copies_a_recipient;
    if (from->peak_rate > into->peak_rate)
        into->peak_rate = from->peak_rate;
    if (from->first_seen < into->first_seen)
        into->first_seen = from->first_seen;
}

static void keys_to(struct incidents *all, const struct slot *from, const struct slot *into)
{
    for (uint32_t i = 0; i < all->table_size; i++) {
        struct entry *e = &all->table[i];
        if (e->generation != 0 && e->slot == (uint32_t)(from - all->slots) && e->generation == from->generation) {
            e->slot = (uint32_t)(into - all->slots);
            e->generation = into->generation;
        }
    }
}

/* `into` takes the place of `from` in the order of raising, with its id. */
static void take_identity(struct incidents *all, struct slot *into, struct slot *from)
{
    size_t i = 0;
    while (all->by_raising[i] != from)
        i++;
    all->by_raising[i] = into;
    from->raised = false;
    into->raised = true;
    into->told = from->told;
    memcpy(into->storm.id, from->storm.id, sizeof into->storm.id);
    into->storm.raised = from->storm.raised;
    into->storm.updated = from->storm.updated;
    into->storm.cleared = from->storm.cleared;
    into->storm.state = from->storm.state;
    into->storm.severity = from->storm.severity;
    into->storm.peak_severity = from->storm.peak_severity;
    memcpy(into->storm.why, from->storm.why, sizeof into->storm.why);
}

/* Both were told of: the later id ends, saying which storm it is part of. */
static void end_later(struct incidents *all, struct slot *into, struct slot *from, int64_t now)
{
    struct storm *a = &into->storm, *b = &from->storm;
    if (b->raised < a->raised) {
        size_t i = 0, j = 0;
        while (all->by_raising[i] != into)
            i++;
        while (all->by_raising[j] != from)
            j++;
        all->by_raising[i] = from;
        all->by_raising[j] = into;
        char id[STORM_ID_SIZE];
        memcpy(id, a->id, sizeof id);
        memcpy(a->id, b->id, sizeof id);
        memcpy(b->id, id, sizeof id);
        int64_t raised = a->raised;
        a->raised = b->raised;
        b->raised = raised;
    }
    if (b->severity > a->severity)
        a->severity = b->severity;
    if (b->peak_severity > a->peak_severity)
        a->peak_severity = b->peak_severity;
    bool was_open = b->state != STATE_CLEARED;
    b->state = STATE_CLEARED;
    b->cleared = now;
    from->forgotten = true;
    incident_event(b, now, "one storm with %s", a->id);
    snprintf(b->why, sizeof b->why, "One storm with %s, which has its numbers.", a->id);
    if (was_open)
        tell(all, from, STORM_CLEARED, now);
}

void incident_join(struct incidents *all, struct storm *into, struct storm *from, int64_t now)
{
    struct slot *a = slot_of(into), *b = slot_of(from);
    if (a == b)
        return;
    join_lists(into, from);
    join_counts(into, from);
    keys_to(all, b, a);
    if (b->touched > a->touched)
        a->touched = b->touched;
    if (a->raised && b->raised)
        end_later(all, a, b, now);
    else if (b->raised)
        take_identity(all, a, b);
    if (!b->raised)
        slot_free(all, b);
    if (a->raised) {
        if (into->state == STATE_CLEARED)
            reopen(all, a, now);
        else
            incident_tell(all, into, now);
    }
}

/* ---- time and people ---- */

static int64_t quiet_of(const struct incidents *all, const struct storm *s)
{
    double two = isfinite(s->generation) && s->generation > 0 ? 2 * fmin(s->generation, GENERATION_MOST) : 0;
    int64_t generations = (int64_t)(two * (double)NS_PER_SECOND);
    return generations > all->settings->quiet ? generations : all->settings->quiet;
}

void incident_tick(struct incidents *all, int64_t now)
{
    for (uint32_t i = 0; i < all->slot_high; i++) {
        struct slot *s = &all->slots[i];
        if (!s->used || s->forgotten)
            continue;
        int64_t quiet = quiet_of(all, &s->storm);
        if (s->raised && s->storm.state == STATE_CLEARED) {
            s->forgotten = now - s->storm.cleared >= quiet;
        } else if (now - s->touched >= quiet) {
            if (!s->raised) {
                slot_free(all, s);
                continue;
            }
            s->storm.state = STATE_CLEARED;
            s->storm.cleared = now;
            incident_event(&s->storm, now, "cleared: quiet for %lld s", (long long)((now - s->touched) / NS_PER_SECOND));
            tell(all, s, STORM_CLEARED, now);
        }
    }
}

void incident_finish(struct incidents *all, int64_t now)
{
    for (size_t i = 0; i < all->raised_count; i++)
        if (is_open(all->by_raising[i]))
            tell(all, all->by_raising[i], STORM_UPDATED, now);
}

bool incident_acknowledge(struct incidents *all, const char *id, const char *who, int64_t now)
{
    for (size_t i = 0; i < all->raised_count; i++) {
        struct slot *s = all->by_raising[i];
        if (!is_open(s) || strcmp(s->storm.id, id) != 0)
            continue;
        if (s->storm.state != STATE_ACKNOWLEDGED) {
            s->storm.state = STATE_ACKNOWLEDGED;
            incident_event(&s->storm, now, "acknowledged by %s", who);
            tell(all, s, STORM_UPDATED, now);
        }
        return true;
    }
    return false;
}

size_t incident_count(const struct incidents *all)
{
    return all->raised_count;
}

const struct storm *incident_at(const struct incidents *all, size_t i)
{
    return i < all->raised_count ? &all->by_raising[i]->storm : NULL;
}
