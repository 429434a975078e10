/* In: what the detectors find out about a storm: hosts, who fed whom, events, evidence.  Out: its bounded lists.  They grow as they
 * are needed; past their bounds hosts are counted, edges and evidence left out, and the last event replaced. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/incident_own.h"

#define MORE_HOSTS  4096 /* distinct hosts past STORM_HOSTS that are told apart, a power of two */
#define HINTS_TRIED 4

void lists_free(struct slot *s)
{
    free(s->storm.hosts);
    free(s->storm.edges);
    free(s->storm.events);
    free(s->more);
    free(s->before.hosts);
    free(s->before.edges);
}

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

/* A text too long for its field ends at a word, with an ellipsis. */
static void cut_at_word(char *text, size_t size)
{
    static const char ellipsis[] = "\u2026";
    if (strlen(text) < size)
        return;
    size_t at = size - sizeof ellipsis, least = at - at / 4; /* a word so long is cut where it is */
    while (at > least && text[at] != ' ')
        at--;
    if (text[at] != ' ')
        for (at = size - sizeof ellipsis; ((unsigned char)text[at] & 0xc0) == 0x80;)
            at--;
    memcpy(text + at, ellipsis, sizeof ellipsis);
}

void incident_event(struct storm *s, int64_t now, const char *what, ...)
{
    char text[3 * STORM_TEXT_SIZE], clean[sizeof text];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    log_clean(span_text(text), clean, sizeof clean);
    cut_at_word(clean, STORM_TEXT_SIZE);
    add_event(s, now, clean);
}

/* The place of a host's hash in the set of those that found no room; NULL: no set, and no memory for one. */
static uint64_t *more_at(struct slot *s, uint64_t hash)
{
    if (!s->more && s->storm.host_count == STORM_HOSTS)
        s->more = calloc(MORE_HOSTS, sizeof *s->more);
    if (!s->more)
        return NULL;
    size_t i = hash & (MORE_HOSTS - 1);
    while (s->more[i] != 0 && s->more[i] != hash)
        i = (i + 1) & (MORE_HOSTS - 1);
    return &s->more[i];
}

static bool is_host(const struct storm_host *h, struct address address, const char *name)
{
    return address_equal(h->address, address) && (address_known(address) || span_equal_nocase(span_text(h->name), span_text(name)));
}

/* The host's number, or host_count.  Hints may be old (the list is sorted now and then), so they are checked, and renewed. */
static uint32_t find_host(struct slot *s, struct address address, const char *name, uint64_t hash)
{
    const struct storm *of = &s->storm;
    uint64_t free = hash % HOST_HINTS;
    bool found = false;
    uint16_t tag = (uint16_t)(hash >> 48);
    for (uint64_t i = 0; i < HINTS_TRIED; i++) {
        uint64_t at = (hash + i) % HOST_HINTS;
        uint16_t place = s->hint[at].place;
        if (place < of->host_count && s->hint[at].tag == tag && is_host(&of->hosts[place], address, name))
            return place;
        if (!found && (place == 0 || place >= of->host_count)) {
            free = at;
            found = true;
        }
    }
    const uint64_t *more = of->host_count == STORM_HOSTS ? more_at(s, hash) : NULL;
    uint32_t i = more && *more ? of->host_count : 0;
    while (i < of->host_count && !is_host(&of->hosts[i], address, name))
        i++;
    s->hint[free].place = (uint16_t)i; /* its place now, or when it is added */
    s->hint[free].tag = tag;
    return i;
}

struct storm_host *incident_host(struct storm *s, struct address address, const char *name, bool on_wire)
{
    char clean[STORM_TEXT_SIZE];
    struct slot *slot = slot_of(s);
    log_clean(span_text(name), clean, sizeof clean);
    uint64_t hash = address_known(address) ? hash_bytes(address.b, sizeof address.b) : hash_nocase(span_text(clean));
    hash |= hash == 0;
    uint32_t i = find_host(slot, address, clean, hash);
    if (i < s->host_count) {
        struct storm_host *h = &s->hosts[i];
        if (h->name[0] == 0)
            memcpy(h->name, clean, sizeof h->name);
        h->on_wire |= on_wire;
        return h;
    }
    void *list = s->hosts;
    if (!make_room(&list, sizeof *s->hosts, s->host_count, &slot->host_room, STORM_HOSTS)) {
        uint64_t *more = s->hosts_more < MORE_HOSTS / 4 * 3 ? more_at(slot, hash) : NULL;
        if (more && *more == 0) {
            *more = hash;
            s->hosts_more++;
        }
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

struct storm_host *incident_named_host(struct storm *s, struct address address, uint64_t hash)
{
    const struct slot *slot = slot_of(s);
    hash |= hash == 0;
    for (uint64_t i = 0; i < HINTS_TRIED; i++) {
        uint64_t at = (hash + i) % HOST_HINTS;
        uint32_t place = slot->hint[at].place;
        if (place >= s->host_count || slot->hint[at].tag != (uint16_t)(hash >> 48) || !address_equal(s->hosts[place].address, address))
            continue;
        struct storm_host *h = &s->hosts[place];
        bool named = h->name[0] && address_known(address);
        h->on_wire |= named;
        return named ? h : NULL;
    }
    return NULL;
}

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

void lists_join(struct storm *into, const struct storm *from)
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

/* A copy of a list of n, with room for just these; NULL with n: out of memory. */
static void *list_copy(const void *list, size_t size, uint32_t n)
{
    void *copy = n ? malloc(n * size) : NULL;
    return copy ? memcpy(copy, list, n * size) : NULL;
}

bool lists_copy(struct slot *to, const struct storm *from)
{
    struct storm *s = &to->storm;
    s->hosts = list_copy(from->hosts, sizeof *from->hosts, from->host_count);
    s->edges = list_copy(from->edges, sizeof *from->edges, from->edge_count);
    s->events = list_copy(from->events, sizeof *from->events, from->event_count);
    s->host_count = to->host_room = s->hosts ? from->host_count : 0;
    s->edge_count = to->edge_room = s->edges ? from->edge_count : 0;
    s->event_count = to->event_room = s->events ? from->event_count : 0;
    return s->host_count == from->host_count && s->edge_count == from->edge_count && s->event_count == from->event_count;
}

/* ---- of before a restart ---- */

void lists_earlier(struct slot *to, const struct storm *from)
{
    struct incident_before *b = &to->before;
    free(b->hosts);
    free(b->edges);
    b->host_count = b->edge_count = 0;
    b->edges = list_copy(from->edges, sizeof *from->edges, from->edge_count);
    b->hosts = from->host_count ? malloc(from->host_count * sizeof *b->hosts) : NULL;
    if (!b->hosts)
        return;
    for (; b->host_count < from->host_count; b->host_count++) {
        const struct storm_host *h = &from->hosts[b->host_count];
        b->hosts[b->host_count] = (struct earlier_host){.address = h->address,
            .name = hash_nocase(span_text(h->name)),
            .copies = h->copies,
            .deliveries = h->deliveries,
            .redeliveries = h->redeliveries,
            .recipients_in = h->recipients_in,
            .first = h->first};
    }
    b->edge_count = b->edges ? from->edge_count : 0;
}

static bool is_earlier(const struct storm_host *h, const struct earlier_host *e)
{
    return address_equal(h->address, e->address) && (address_known(h->address) || hash_nocase(span_text(h->name)) == e->name);
}

void incident_add_earlier(const struct storm *s, struct storm_host *h)
{
    const struct incident_before *b = incident_before(s);
    uint32_t i = 0;
    while (i < b->host_count && !is_earlier(h, &b->hosts[i]))
        i++;
    if (i == b->host_count)
        return;
    h->copies += b->hosts[i].copies;
    h->deliveries += b->hosts[i].deliveries;
    h->redeliveries += b->hosts[i].redeliveries;
    h->recipients_in += b->hosts[i].recipients_in;
    if (b->hosts[i].first != TIME_UNKNOWN)
        h->first = b->hosts[i].first;
}

int32_t incident_earlier_place(const struct storm *s, const struct earlier_host *e)
{
    for (uint32_t i = 0; i < s->host_count; i++)
        if (is_earlier(&s->hosts[i], e))
            return (int32_t)i;
    return -1;
}
