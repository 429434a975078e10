/* In: the trail of a mail and its record in the ledger.  Out: the storm's hosts with their roles, evidence and numbers, and the edges
 * between them, to whoever shows the storm.  Drawn anew whenever it is told: the numbers are the ledger's, never sums of sums.
 *
 * Hosts at fault come first, then by redeliveries.  An edge on the wire is what one client gave one server; all servers that are no hosts
 * of the storm are one edge, "mailboxes".  An edge that only header lines tell of (the mailbox a re-injector drained, the smarthost it
 * uses) has on_wire false. */
#include "stats/sketch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"

struct sketch {
    uint16_t at[STORM_HOSTS][STORM_HOSTS + 1]; /* the storm's edge + 1 from host to host; last column: to mailboxes */
    struct address address[STORM_HOSTS];
};

struct sketch *sketch_new(void)
{
    return calloc(1, sizeof(struct sketch));
}

void sketch_free(struct sketch *t)
{
    free(t);
}

char *sketch_host_text(struct address address, const char *name, char *to, size_t size)
{
    char text[ADDRESS_TEXT];
    if (!address_known(address))
        snprintf(to, size, "%s", name);
    else if (name[0])
        snprintf(to, size, "%s (%s)", name, address_text(address, text));
    else
        snprintf(to, size, "%s", address_text(address, text));
    return to;
}

/* ---- hosts ---- */

static bool at_fault(const struct storm *s, const struct trail *l, const struct party *p, const struct message *m,
    const struct party *origin, const struct stats_settings *settings)
{
    return s->kind == KIND_REINJECTION ? roles_reinjects(&l->roles, p, m, origin, settings) : roles_loops(&l->roles, p, m);
}

static void put_numbers(
    const struct storm *s, struct storm_host *h, const struct trail *l, const struct message *m, const struct party *p)
{
    const struct message_host *w = address_known(h->address) ? message_host(m, h->address) : NULL;
    if (w) {
        h->on_wire = true;
        h->copies = w->copies_out;
        h->deliveries = w->out;
        h->recipients_in = w->in;
        h->redeliveries = w->redeliveries;
        h->last = w->copies_out ? w->last_out : w->first_in;
        h->first = w->copies_out ? w->first_out : w->first_in;
    }
    if (p)
        h->redeliveries = p->redeliveries;
    if (p && !w) {
        h->copies = p->copies;
        h->first = p->first;
        h->last = p->last;
    }
    for (uint32_t i = 1; i < l->share_count; i++)
        if (address_equal(l->share[i].address, h->address)) {
            h->copies += l->share[i].copies;
            h->deliveries += l->share[i].deliveries;
            h->redeliveries += l->share[i].redeliveries;
            h->recipients_in += l->share[i].in;
        }
    if (w || p)
        incident_add_earlier(s, h);
}

static void put_party(struct storm *s, const struct trail *l, const struct message *m, const struct party *p, enum storm_role role)
{
    struct storm_host *h = incident_host(s, p->address, p->name, p->on_wire);
    if (!h)
        return;
    h->role = role;
    put_numbers(s, h, l, m, p);
    snprintf(h->software, sizeof h->software, "%s", role >= ROLE_REINJECTOR ? p->software : "");
    h->evidence_count = p->evidence_count;
    if (p->evidence_count)
        memcpy(h->evidence, p->evidence, p->evidence_count * sizeof p->evidence[0]);
}

static bool is_guilty(const struct storm *s, const char *name)
{
    for (uint32_t i = 0; i < s->host_count; i++)
        if (s->hosts[i].role >= ROLE_REINJECTOR && span_equal_nocase(span_text(s->hosts[i].name), span_text(name)))
            return true;
    return false;
}

/* What the oldest lines name is the host that sent first on this wire, and whether the mail began there is doubtful. */
static bool is_doubted(const struct trail *l, const struct feeder *first)
{
    const struct party *starter = roles_find(&l->roles, l->starter);
    return starter && roles_doubts(&l->roles, starter) &&
           (address_equal(first->address, l->starter) || span_equal_nocase(span_text(first->name), span_text(starter->name)) ||
               chain_same_organisation(span_text(first->name), span_text(starter->name)));
}

/* Where the wire shows no origin, or one that only relays for it, the chains name it. */
static void put_origin(struct storm *s, const struct trail *l, const struct message *m, const struct party *origin)
{
    struct feeder first = {.address = l->first_address};
    snprintf(first.name, sizeof first.name, "%s", l->first_name);
    if (origin && origin->behind.name[0]) {
        first = origin->behind;
    } else if (origin) {
        put_party(s, l, m, origin, ROLE_ORIGIN);
        return;
    } else if (l->before.name[0]) {
        first = l->before;
    }
    if ((!address_known(first.address) && first.name[0] == '\0') || is_guilty(s, first.name) || (!origin && is_doubted(l, &first)))
        return;
    struct storm_host *h = incident_host(s, first.address, first.name, false);
    if (!h || h->role >= ROLE_REINJECTOR)
        return;
    h->role = ROLE_ORIGIN;
    put_numbers(s, h, l, m, NULL);
}

static int worst_first(const void *a, const void *b)
{
    const struct storm_host *x = a, *y = b;
    bool guilty_x = x->role >= ROLE_REINJECTOR, guilty_y = y->role >= ROLE_REINJECTOR;
    if (guilty_x != guilty_y)
        return guilty_x ? -1 : 1;
    if (x->redeliveries != y->redeliveries)
        return x->redeliveries > y->redeliveries ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    int c = memcmp(x->address.b, y->address.b, sizeof x->address.b);
    return c ? c : strcmp(x->name, y->name);
}

static bool is_list(const struct trail *l, const struct storm_host *h)
{
    const struct party *p = address_known(h->address) ? roles_find(&l->roles, h->address) : NULL;
    return p && p->list;
}

/* Lists that ignore their own marks before forwarders on the way. */
static void lists_first(struct storm *s, const struct trail *l)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < s->host_count && s->hosts[i].role == ROLE_LOOPER; i++) {
        if (!is_list(l, &s->hosts[i]))
            continue;
        struct storm_host h = s->hosts[i];
        memmove(&s->hosts[to + 1], &s->hosts[to], (i - to) * sizeof h);
        s->hosts[to++] = h;
    }
}

static bool known_to(const struct trail *l, const struct storm_host *h)
{
    for (uint32_t i = 0; i < l->roles.count; i++) {
        const struct party *p = l->roles.party[i];
        if (address_known(h->address) ? address_equal(p->address, h->address) : strcmp(p->name, h->name) == 0)
            return true;
    }
    return false;
}

static void draw_hosts(
    struct storm *s, const struct trail *l, const struct message *m, const struct party *origin, const struct stats_settings *settings)
{
    for (uint32_t i = 0; i < s->host_count; i++) {
        struct storm_host *h = &s->hosts[i];
        bool by_bounces = h->role == ROLE_REINJECTOR && s->kind == KIND_REINJECTION && !known_to(l, h); /* elsewhere.c's, and stays */
        if (!by_bounces)
            h->role = ROLE_RELAY;
    }
    enum storm_role guilt = s->kind == KIND_REINJECTION ? ROLE_REINJECTOR : ROLE_LOOPER;
    for (uint32_t i = 0; i < l->roles.count; i++)
        if (at_fault(s, l, l->roles.party[i], m, origin, settings))
            put_party(s, l, m, l->roles.party[i], guilt);
    if (!origin || !at_fault(s, l, origin, m, origin, settings))
        put_origin(s, l, m, origin);
    for (uint32_t i = 0; i < l->roles.count; i++) {
        const struct party *p = l->roles.party[i];
        if ((origin && p == origin && !origin->behind.name[0]) || at_fault(s, l, p, m, origin, settings))
            continue;
        if (p->copies)
            put_party(s, l, m, p, roles_bystander(m, p));
    }
    for (uint32_t i = 0; s->kind == KIND_REINJECTION && i < l->roles.count; i++) {
        const struct party *p = l->roles.party[i];
        for (uint32_t j = 0; j < p->feeder_count && roles_reinjects(&l->roles, p, m, origin, settings); j++) {
            struct storm_host *h = incident_host(s, p->feeder[j].address, p->feeder[j].name, false);
            if (h && h->role == ROLE_RELAY)
                put_numbers(s, h, l, m, NULL);
        }
    }
    for (uint32_t i = 1; i < s->host_count; i++)
        if (worst_first(&s->hosts[i - 1], &s->hosts[i]) > 0) {
            qsort(s->hosts, s->host_count, sizeof s->hosts[0], worst_first);
            break;
        }
    if (s->kind == KIND_LIST_LOOP)
        lists_first(s, l);
}

/* ---- edges ---- */

static int32_t place(const struct sketch *t, const struct storm *s, struct address a, const char *name)
{
    for (uint32_t i = 0; i < s->host_count && i < STORM_HOSTS; i++)
        if (address_equal(t->address[i], a) && (address_known(a) || strcmp(s->hosts[i].name, name) == 0))
            return (int32_t)i;
    return -1;
}

static struct storm_edge *edge(struct sketch *t, struct storm *s, int32_t from, int32_t to)
{
    uint16_t *at = &t->at[from][to < 0 ? STORM_HOSTS : to];
    if (*at)
        return &s->edges[*at - 1];
    struct storm_edge *e = incident_edge(s, from, to);
    if (e) {
        *e = (struct storm_edge){.from = from, .to = to, .first = TIME_UNKNOWN};
        *at = (uint16_t)(e - s->edges + 1);
    }
    return e;
}

static void hearsay(struct sketch *t, struct storm *s, int32_t from, int32_t to, const struct party *p)
{
    struct storm_edge *e = from >= 0 && to >= 0 && from != to && t->at[from][to] == 0 ? edge(t, s, from, to) : NULL;
    if (!e)
        return;
    e->copies = p->copies;
    e->first = p->first;
}

static void earlier_edges(struct sketch *t, struct storm *s)
{
    const struct incident_before *b = incident_before(s);
    int32_t at[STORM_HOSTS] = {0}; /* the earlier hosts, in the list of now */
    for (uint32_t i = 0; i < b->host_count; i++)
        at[i] = incident_earlier_place(s, &b->hosts[i]);
    for (uint32_t i = 0; i < b->edge_count; i++) {
        const struct storm_edge *was = &b->edges[i];
        int32_t from = was->from < 0 ? -1 : at[was->from], to = was->to < 0 ? -1 : at[was->to];
        struct storm_edge *e = from >= 0 && (to >= 0 || was->to < 0) ? edge(t, s, from, to) : NULL;
        if (!e)
            continue;
        e->copies += was->copies;
        e->deliveries += was->deliveries;
        e->redeliveries += was->redeliveries;
        e->on_wire |= was->on_wire;
        if (e->first == TIME_UNKNOWN || (was->first != TIME_UNKNOWN && was->first < e->first))
            e->first = was->first;
    }
}

static void draw_edges(struct sketch *t, struct storm *s, const struct trail *l)
{
    s->edge_count = 0;
    for (uint32_t i = 0; i < s->host_count && i < STORM_HOSTS; i++) {
        t->address[i] = s->hosts[i].address;
        memset(t->at[i], 0, sizeof t->at[i]);
    }
    for (uint32_t i = 0; i < l->lane_room; i++) {
        const struct lane *lane = &l->lane[i];
        int32_t from = address_known(lane->client) ? place(t, s, lane->client, "") : -1;
        struct storm_edge *e = from >= 0 ? edge(t, s, from, place(t, s, lane->server, "")) : NULL;
        if (!e)
            continue;
        e->copies += lane->copies;
        e->deliveries += lane->deliveries;
        e->redeliveries += lane->redeliveries;
        e->on_wire = true;
        if (e->first == TIME_UNKNOWN || lane->first < e->first)
            e->first = lane->first;
    }
    for (uint32_t i = 0; i < l->roles.count; i++) {
        const struct party *p = l->roles.party[i];
        int32_t at = place(t, s, p->address, p->name);
        if (p->acts_for != p)
            hearsay(t, s, place(t, s, p->acts_for->address, p->acts_for->name), at, p);
        if (p->behind.name[0])
            hearsay(t, s, place(t, s, p->behind.address, p->behind.name), at, p);
        for (uint32_t j = 0; j < p->feeder_count; j++)
            hearsay(t, s, place(t, s, p->feeder[j].address, p->feeder[j].name), at, p);
    }
    earlier_edges(t, s);
}

static int earliest_first(const void *a, const void *b)
{
    const struct storm_edge *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->to > y->to) - (x->to < y->to);
}

/* ---- the rest ---- */

static void acquit(struct storm *s, const struct trail *l, const struct party *origin)
{
    char host[STORM_TEXT_SIZE];
    s->acquittal[0] = '\0';
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct storm_host *h = &s->hosts[i];
        if (h->role != ROLE_ORIGIN)
            continue;
        sketch_host_text(h->address, h->name, host, sizeof host);
        if (origin && h->deliveries && h->redeliveries == 0)
            snprintf(s->acquittal, sizeof s->acquittal, "The origin, %s, sent %llu deliver%s, each recipient once, and is not at fault.",
                host, (unsigned long long)h->deliveries, h->deliveries == 1 ? "y" : "ies");
        else if (origin && h->deliveries)
            snprintf(s->acquittal, sizeof s->acquittal,
                "The origin, %s, sent %llu deliveries, %llu of them repeats of its own by the same chain; the storm is not its doing.",
                host, (unsigned long long)h->deliveries, (unsigned long long)h->redeliveries);
        else
            snprintf(s->acquittal, sizeof s->acquittal,
                "The oldest Received lines name %s as the origin; on this wire it sent no copy of the storm.", host);
        return;
    }
    const struct party *starter = roles_find(&l->roles, l->starter);
    if (starter && roles_doubts(&l->roles, starter))
        snprintf(s->acquittal, sizeof s->acquittal,
            "The host where this mail began was not seen: the storm was on before its first copy here.");
}

void sketch_draw(struct sketch *t, struct storm *s, const struct trail *l, const struct message *m, const struct stats_settings *settings)
{
    const struct party *origin = roles_origin(&l->roles, m);
    draw_hosts(s, l, m, origin, settings);
    draw_edges(t, s, l);
    qsort(s->edges, s->edge_count, sizeof s->edges[0], earliest_first);
    acquit(s, l, origin);
    snprintf(s->message_id, sizeof s->message_id, "%s", message_text(m, m->id));
    snprintf(s->subject, sizeof s->subject, "%s", message_text(m, m->subject));
    snprintf(s->from, sizeof s->from, "%s", message_text(m, m->from));
    s->audience = m->audience;
    s->audience_domains = l->domains;
}
