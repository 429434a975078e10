/* In: what route.c saw each host of a mail do.  Out: who is at fault, by the conservation law.
 *
 * A correct server emits a mail only to recipients it accepted it for, or to what its aliases and lists make of them.  Whoever sends it to
 * people of the audience who had it is a re-injector when it got the mail out of a mailbox, for a mailbox is where a mail's way ends.  When
 * the mail came by SMTP it may be an alias whose members stand in To: as well, or a forwarder: then only proportions (a few in, many out)
 * together with a third copy for the same people or its own second pass prove it.  The origin is never a re-injector. */
#include "stats/roles.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"

/* ---- sets of addresses ---- */

static uint64_t *member_slot(uint64_t *slot, uint32_t room, uint64_t address)
{
    uint32_t i = (uint32_t)address & (room - 1);
    while (slot[i] != 0 && slot[i] != address)
        i = (i + 1) & (room - 1);
    return &slot[i];
}

bool members_add(struct members *m, uint64_t address)
{
    if (address == 0)
        address = 1;
    if (m->count >= m->room / 2) {
        if (m->count >= ROLES_MEMBERS)
            return false;
        uint32_t room = m->room ? m->room * 2 : 32;
        uint64_t *wider = calloc(room, sizeof *wider);
        if (!wider)
            return false;
        for (uint32_t i = 0; i < m->room; i++)
            if (m->slot[i])
                *member_slot(wider, room, m->slot[i]) = m->slot[i];
        free(m->slot);
        m->slot = wider;
        m->room = room;
    }
    uint64_t *at = member_slot(m->slot, m->room, address);
    if (*at)
        return false;
    *at = address;
    m->count++;
    return true;
}

bool members_have(const struct members *m, uint64_t address)
{
    return m->room && *member_slot(m->slot, m->room, address ? address : 1);
}

/* ---- parties ---- */

void roles_free(struct roles *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        free(r->party[i]->sent.slot);
        free(r->party[i]->again.slot);
        free(r->party[i]->domains.slot);
        free(r->party[i]->own.slot);
        free(r->party[i]->evidence);
        free(r->party[i]);
    }
    free(r->party);
    free(r->hit.slot);
    *r = (struct roles){0};
}

struct party *roles_find(const struct roles *r, struct address address)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (address_equal(r->party[i]->address, address) || (address_known(address) && address_equal(r->party[i]->other, address)))
            return r->party[i];
    return NULL;
}

static struct party *find_name(const struct roles *r, uint64_t name_hash)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->party[i]->name_hash == name_hash)
            return r->party[i];
    return NULL;
}

/* Networks that a router stands between: private ones, each by itself, and the world, by version. */
static unsigned network_of(struct address a)
{
    const uint8_t *v4 = a.b + 12;
    if (!address_is_v4(a))
        return (a.b[0] & 0xfe) == 0xfc ? 1 : 2;
    return v4[0] == 10                           ? 3
           : v4[0] == 172 && (v4[1] & 0xf0) == 16  ? 4
           : v4[0] == 192 && v4[1] == 168          ? 5
           : v4[0] == 100 && (v4[1] & 0xc0) == 64  ? 6
                                                   : 7;
}

/* The same host by its other address: the wire shows the one where it sends and another where it takes mail in, or a chain names another,
 * for a NAT stands in between, or they met by the other version of IP.  Hosts of one name in one network are different ones. */
static struct party *find_translated(const struct roles *r, struct address address, struct span name, bool on_wire, bool sends)
{
    if (name.n == 0 || !memchr(name.p, '.', name.n))
        return NULL;
    uint64_t name_hash = hash_nocase(name);
    for (uint32_t i = 0; i < r->count; i++) {
        struct party *p = r->party[i];
        bool another_side = p->on_wire != on_wire || (on_wire && p->sends != sends);
        if (p->name_hash == name_hash && another_side && address_known(p->address) && network_of(p->address) != network_of(address))
            return p;
    }
    return NULL;
}

static void name_party(struct party *p, struct span name)
{
    if (p->name_hash || name.n == 0)
        return;
    log_clean(name, p->name, sizeof p->name);
    p->name_hash = hash_nocase(name);
}

static struct party *find_or_add(struct roles *r, struct address address, struct span name, bool on_wire, bool sends)
{
    bool known = address_known(address);
    if (!known && name.n == 0)
        return NULL;
    struct party *p = known ? roles_find(r, address) : find_name(r, hash_nocase(name));
    if (!p && known && (p = find_translated(r, address, name, on_wire, sends))) {
        bool better = on_wire && !p->sends && !r->storm; /* of the wire, and nobody has been told the other one */
        p->other = better ? p->address : address;
        p->address = better ? address : p->address;
    }
    if (p) {
        p->on_wire |= on_wire;
        p->sends |= sends;
        name_party(p, name);
        return p;
    }
    if (r->count == r->room) {
        uint32_t room = r->room ? r->room * 2 : 8;
        struct party **more = room <= (r->storm ? ROLES_PARTIES : ROLES_WATCHED) ? realloc(r->party, room * sizeof *more) : NULL;
        if (!more)
            return NULL;
        r->party = more;
        r->room = room;
    }
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->address = address;
    p->on_wire = on_wire;
    p->sends = sends;
    p->acts_for = p;
    p->first = p->last = TIME_UNKNOWN;
    name_party(p, name);
    r->party[r->count++] = p;
    return p;
}

struct party *roles_party(struct roles *r, struct address address, struct span name, bool on_wire)
{
    return find_or_add(r, address, name, on_wire, false);
}

struct party *roles_sender(struct roles *r, struct address address, struct span name)
{
    return find_or_add(r, address, name, true, true);
}

void party_feeder(struct party *p, struct address address, struct span name)
{
    struct feeder f = {.address = address};
    log_clean(name, f.name, sizeof f.name);
    for (uint32_t i = 0; i < p->feeder_count; i++)
        if (address_equal(p->feeder[i].address, address) && strcmp(p->feeder[i].name, f.name) == 0)
            return;
    if (p->feeder_count < ROLES_FEEDERS && (f.name[0] || address_known(address)))
        p->feeder[p->feeder_count++] = f;
}

/* ---- the law ---- */

static uint64_t taken_in(const struct message *m, const struct party *p)
{
    const struct message_host *h = p->on_wire ? message_host(m, p->address) : NULL;
    return h && h->in ? h->in : 1;
}

/* Seen from its own link nobody had the mail; but a connector in order sends what it fetched to its own people alone. */
static bool fetched_for_many(const struct party *p, const struct stats_settings *s)
{
    return p->fetched && p->sent.count >= s->reinjection.suspected_recipients && p->domains.count >= ROLES_DOMAINS;
}

bool roles_reinjects(const struct roles *r, const struct party *p, const struct message *m, const struct party *origin,
    const struct stats_settings *s)
{
    if (p == origin)
        return false;
    int64_t least = s->reinjection.suspected_recipients;
    if (p->arrival == ARRIVAL_MAILBOX)
        return p->again.count > 0 || fetched_for_many(p, s);
    if (p->arrival == ARRIVAL_ANEW) { /* sent again by another server, it would be of the sender's house, and a second copy at most */
        bool as_addressed = p->again.count >= least && 2 * (uint64_t)p->sent.count >= m->audience;
        bool all = p->own_people && p->sent.count >= s->reinjection.lone_audience_share * (double)m->audience;
        return as_addressed && (all || r->thirds_anew >= 2);
    }
    uint64_t in = taken_in(m, p);
    /* what comes back to it comes in again, and goes out again: by deliveries then, as by people at first */
    const struct message_host *h = p->on_wire ? message_host(m, p->address) : NULL;
    uint64_t out = h && h->out > p->sent.count ? h->out : p->sent.count;
    bool far_more = p->again.count >= least && (double)out >= s->reinjection.lone_amplification * (double)in;
    /* lists and aliases whose members stand in To: give each of them one copy more, and two or three of them third and fourth ones */
    if (p->twice < 2)
        return false;
    if (p->arrival == ARRIVAL_ODD)
        return p->thirds >= 2 && p->again.count >= 2 && (far_more || in == 1);
    /* nor need a hub be at fault that is passed on the way to a forwarder and on the way from him: what it took in may not be shown */
    return p->arrival == ARRIVAL_SMTP && far_more && p->thirds >= 2 && p->twice >= (h && h->in ? 2 : 3);
}

struct verdict roles_judge(const struct roles *r, const struct message *m, const struct party *origin, const struct stats_settings *s)
{
    struct verdict v = {0};
    const struct party *strong = NULL;
    uint32_t thirds_home = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct party *p = r->party[i];
        if (!roles_reinjects(r, p, m, origin, s))
            continue;
        v.guilty++;
        v.redeliveries += p->redeliveries;
        if (!v.worst || p->redeliveries > v.worst->redeliveries)
            v.worst = p;
        if (p->again.count > v.reached)
            v.reached = p->again.count;
        bool is_strong = p->again.count >= s->reinjection.suspected_recipients || fetched_for_many(p, s);
        if (is_strong && !strong)
            strong = p;
        v.third |= p->thirds > 0;
        v.twice |= p->twice >= 2 && r->hit.count >= 2; /* a loop of one recipient is a forwarding loop */
        thirds_home += p->thirds_home;
        if (is_strong && p->sent.count >= s->reinjection.lone_audience_share * (double)m->audience &&
            p->sent.count >= s->reinjection.lone_amplification * (double)taken_in(m, p))
            v.lone = true;
    }
    v.suspected = strong != NULL;
    for (uint32_t i = 0; i < r->count && strong && !v.second; i++) {
        const struct party *p = r->party[i];
        /* one host with two addresses is still one host */
        v.second = p != strong && !(p->name_hash && p->name_hash == strong->name_hash) && roles_reinjects(r, p, m, origin, s);
    }
    v.home = thirds_home >= s->reinjection.suspected_recipients;
    return v;
}

static bool only_relays(const struct message *m, const struct party *p)
{
    const struct message_host *h = p->on_wire ? message_host(m, p->address) : NULL;
    return h && h->out > 0 && h->out == h->out_taken;
}

/* It takes the mail in and sends it to nobody: another on the circle takes it out of a mailbox there, by the chain's word. */
static bool only_keeps(const struct roles *r, const struct message *m, const struct party *p)
{
    const struct message_host *h = p->on_wire ? message_host(m, p->address) : NULL;
    if (!h || h->copies_out)
        return false;
    for (uint32_t i = 0; i < r->count; i++)
        for (uint32_t k = 0; r->party[i]->on_cycle && k < r->party[i]->feeder_count; k++) {
            const struct feeder *f = &r->party[i]->feeder[k];
            if ((address_known(f->address) && address_equal(f->address, p->address)) ||
                (f->name[0] && span_equal_nocase(span_text(f->name), span_text(p->name))))
                return true;
        }
    return false;
}

bool roles_loops(const struct roles *r, const struct party *p, const struct message *m)
{
    if (!p->on_cycle || only_keeps(r, m, p))
        return false;
    if (!only_relays(m, p))
        return true;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->party[i]->on_cycle && !only_relays(m, r->party[i]))
            return false;
    return true;
}

bool roles_doubts(const struct roles *r, const struct party *p)
{
    for (uint32_t i = 0; p->foreign && i < r->count; i++)
        if (r->party[i] != p && r->party[i]->arrival >= ARRIVAL_ANEW)
            return true;
    return false;
}

const struct party *roles_origin(const struct roles *r, const struct message *m)
{
    const struct message_host *best = NULL;
    const struct party *origin = NULL;
    for (uint32_t i = 0; i < m->host_count; i++) {
        const struct message_host *h = &m->hosts[i];
        if (h->copies_out == 0 || (h->first_in != TIME_UNKNOWN && h->first_in <= h->first_out))
            continue;
        const struct party *p = roles_find(r, h->address);
        if (!p || p->acts_for != p || p->arrival >= ARRIVAL_ANEW || p->on_cycle || roles_doubts(r, p))
            continue;
        if (!best || h->least_hops_out < best->least_hops_out ||
            (h->least_hops_out == best->least_hops_out && h->first_out < best->first_out)) {
            best = h;
            origin = p;
        }
    }
    return origin;
}

enum storm_role roles_bystander(const struct message *m, const struct party *p)
{
    const struct message_host *h = p->on_wire ? message_host(m, p->address) : NULL;
    return !h || h->in == 0 || h->out == 0 || h->out == h->out_taken ? ROLE_RELAY : ROLE_EXPANDER;
}
