/* In: each copy of one mail that shows a sign of a storm: who gave it to whom, its chain, what the ledger made of its recipients.  Out:
 * hosts with what they did (roles.c judges), the rounds (reproduction.c), who gave how much to whom (sketch.c draws it).
 *
 * The work of a copy is laid to the host that put it back on its way, be it the client on the wire or a host before it that only the chain
 * names: a smarthost passes on what it is given.  A redelivery is charged to the copy with the longer chain (the ledger says whose that
 * is). */
#include "stats/trail.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/detect.h"
#include "stats/loop.h"
#include "stats/software.h"

#define SECOND NS_PER_SECOND

/* ---- opening ---- */

static void replay(struct trail *l, const struct message *m, const struct copy *copy, const struct stats_settings *settings)
{
    struct hop hops[CHAIN_LINES];
    uint32_t n = 0, node = copy->tail;
    while (node != 0 && m->nodes[node].depth > CHAIN_LINES)
        node = m->nodes[node].parent;
    for (n = node ? m->nodes[node].depth : 0; node != 0; node = m->nodes[node].parent) {
        const struct chain_node *x = &m->nodes[node];
        hops[x->depth - 1] = (struct hop){
            .from = span_text(message_text(m, x->from)),
            .by = span_text(message_text(m, x->by)),
            .with = span_text(message_text(m, x->with)),
            .with_note = span_text(message_text(m, x->note)),
            .from_address = x->from_address,
            .date = x->date,
            .hash = x->hash,
        };
    }
    struct chain c;
    chain_read(&c, hops, n);
    struct delivery made[64];
    for (uint32_t i = 0; i < copy->recipients_kept || i == 0; i += 64) {
        struct passage p = {
            .client = copy->client,
            .server = copy->server,
            .helo = span_text(message_text(m, copy->helo)),
            .greeting = span_text(message_text(m, copy->greeting)),
            .connection = copy->connection,
            .mail_time = copy->mail_time,
            .end = copy->end,
            .deliveries = i == 0 ? copy->deliveries : 0,
            .delivered_to = copy->delivered_to,
            .made = made,
        };
        for (; p.made_count < 64 && i + p.made_count < copy->recipients_kept; p.made_count++) {
            uint64_t recipient = m->recipients[copy->recipients_at + i + p.made_count];
            made[p.made_count] = (struct delivery){.recipient = recipient,
                .in_audience = message_in_audience(m, recipient),
                .had_it = i + p.made_count < copy->redeliveries,
                .charged = copy->client};
        }
        trail_follow(l, m, &p, &c, settings);
    }
}

struct trail *trail_new(const struct message *m, uint32_t but, const struct stats_settings *settings)
{
    struct trail *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->key = m->key;
    for (uint32_t i = 0; i + but < m->copy_count; i++)
        replay(l, m, &m->copy_list[i], settings);
    return l;
}

void trail_free(struct trail *l)
{
    if (!l)
        return;
    roles_free(&l->roles);
    reproduction_free(l->injections);
    reproduction_free(l->turns);
    free(l->lane);
    free(l);
}

void trail_share(struct trail *l, struct address host, const struct share *more)
{
    uint32_t i = 0;
    while (i < l->share_count && !address_equal(l->share[i].address, host))
        i++;
    if (i == TRAIL_SHARES)
        return;
    if (i == l->share_count)
        l->share[l->share_count++].address = host;
    l->share[i].copies += more->copies;
    l->share[i].deliveries += more->deliveries;
    l->share[i].redeliveries += more->redeliveries;
    l->share[i].in += more->in;
}

uint64_t trail_circle(const struct trail *l, const struct message *m)
{
    uint64_t circle = 0; /* whatever the order */
    for (uint32_t i = 0; i < l->roles.count; i++) {
        const struct party *p = l->roles.party[i];
        if (roles_loops(&l->roles, p, m))
            circle += address_known(p->address) ? hash_bytes(p->address.b, sizeof p->address.b) : p->name_hash;
    }
    return circle;
}

void trail_audience(struct trail *l, const struct header *h)
{
    struct members domains = {0};
    for (size_t i = 0; i < h->audience_count; i++)
        members_add(&domains, h->audience[i].domain);
    l->domains = domains.count;
    free(domains.slot);
}

/* ---- what all copies share ---- */

/* The domain of the From field, as the ledger keeps it; the copies of before the trail have no other. */
static struct span author_domain(const struct message *m)
{
    struct span domain = detect_domain(span_text(message_text(m, m->from)));
    const uint8_t *close = domain.n ? memchr(domain.p, '>', domain.n) : NULL;
    if (close)
        domain.n = (size_t)(close - domain.p);
    return domain;
}

static void compare(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c)
{
    bool first = !address_known(l->starter);
    if (first) {
        l->starter = p->client;
        log_clean(p->helo, l->starter_name, sizeof l->starter_name);
        l->starter_delivered_to = p->delivered_to;
    }
    if (c->count == 0) {
        l->trunk.known |= first; /* the first sender writes no line: what others have in common came after it */
        l->trunk.bare |= first;
        return;
    }
    if (!l->trunk.known) {
        log_clean(c->visit[0].name, l->first_name, sizeof l->first_name);
        l->first_address = c->visit[0].address;
        l->first_giver = c->hops[0].from_address;
    }
    bool of_first = l->first_name[0] && span_equal_nocase(c->visit[0].name, span_text(l->first_name));
    if (of_first && !address_known(l->first_address))
        l->first_address = c->visit[0].address;
    const struct hop *before = of_first && !l->before.name[0] ? chain_before(c, author_domain(m)) : NULL;
    if (before) {
        l->before.address = before->from_address;
        log_clean(before->from, l->before.name, sizeof l->before.name);
    }
    trunk_join(&l->trunk, c);
    for (uint32_t i = 0; i < c->hop_count && !l->branched; i++) {
        if (i == l->spine_count)
            l->spine[l->spine_count++] = c->hops[i].hash;
        l->branched = l->spine[i] != c->hops[i].hash;
    }
}

static struct lane *lane_of(struct trail *l, struct address client, struct address server)
{
    if (l->lane_count >= l->lane_room / 2 && l->lane_room < TRAIL_LANES * 2) {
        uint32_t room = l->lane_room ? l->lane_room * 2 : 32;
        struct lane *wider = calloc(room, sizeof *wider), *old = l->lane;
        if (!wider)
            return NULL;
        uint32_t old_room = l->lane_room;
        l->lane = wider;
        l->lane_room = room;
        l->lane_count = 0;
        for (uint32_t i = 0; i < old_room; i++)
            if (address_known(old[i].client))
                *lane_of(l, old[i].client, old[i].server) = old[i];
        free(old);
    }
    uint8_t both[32];
    memcpy(both, client.b, 16);
    memcpy(both + 16, server.b, 16);
    uint32_t i = (uint32_t)hash_bytes(both, sizeof both) & (l->lane_room - 1);
    while (address_known(l->lane[i].client) && !(address_equal(l->lane[i].client, client) && address_equal(l->lane[i].server, server)))
        i = (i + 1) & (l->lane_room - 1);
    if (!address_known(l->lane[i].client)) {
        if (l->lane_count >= TRAIL_LANES)
            return NULL;
        l->lane_count++;
        l->lane[i] = (struct lane){.client = client, .server = server, .first = TIME_UNKNOWN};
    }
    return &l->lane[i];
}

static void count(struct trail *l, const struct passage *p)
{
    struct lane *lane = address_known(p->client) && p->deliveries ? lane_of(l, p->client, p->server) : NULL;
    if (lane) {
        lane->copies++;
        lane->deliveries += p->deliveries;
        for (uint32_t i = 0; i < p->made_count; i++)
            lane->redeliveries += p->made[i].had_it && address_equal(p->made[i].charged, p->client);
        if (lane->first == TIME_UNKNOWN)
            lane->first = p->end;
    }
    int64_t second = p->end / SECOND;
    if (second > l->second) {
        for (int64_t s = second - l->second > TRAIL_PEAK ? second - TRAIL_PEAK + 1 : l->second + 1; s <= second; s++)
            l->in_second[s % TRAIL_PEAK] = 0;
        l->second = second;
    }
    l->in_second[l->second % TRAIL_PEAK] += p->deliveries;
    uint64_t sum = 0;
    for (size_t i = 0; i < TRAIL_PEAK; i++)
        sum += l->in_second[i];
    if ((double)sum / TRAIL_PEAK > l->peak)
        l->peak = (double)sum / TRAIL_PEAK;
}

/* ---- whose work a copy is ---- */

static bool accepted(const struct message *m, struct address a, int64_t before)
{
    const struct message_host *h = address_known(a) ? message_host(m, a) : NULL;
    return h && h->first_in != TIME_UNKNOWN && h->first_in <= before;
}

/* In one network of a provider's: what takes mail in and what sends it out may be two hosts, by names of two customers'. */
static bool are_neighbours(struct address a, struct address b)
{
    return memcmp(a.b, b.b, address_is_v4(a) ? 15 : 8) == 0;
}

bool trail_refutes(const struct message *m, const struct visit *v)
{
    const struct message_host *there = address_known(v->address) && v->name.n ? message_host(m, v->address) : NULL;
    if (!there || span_equal_nocase(span_text(message_text(m, there->helo)), v->name) ||
        chain_same_organisation(span_text(message_text(m, there->helo)), v->name))
        return false;
    for (uint32_t i = 0; i < m->host_count; i++) {
        const struct message_host *h = &m->hosts[i];
        if (h->copies_in && h != there && !are_neighbours(h->address, v->address) &&
            span_equal_nocase(span_text(message_text(m, h->helo)), v->name))
            return true;
    }
    return false;
}

struct work {         /* of one copy */
    struct party *by; /* who put it on its way; NULL: no room to remember */
    enum arrival arrival;
    int visit; /* the lines of `by`, -1: it wrote none that we know */
    bool anew; /* its chain begins there: however short it is, it is the copy too many */
};

/* The host, not of the client's house, that wrote the visit and took the mail in on this wire; NULL: none. */
static const struct message_host *keeper(const struct message *m, const struct passage *p, const struct visit *v)
{
    if (v->name.n == 0 || span_equal_nocase(v->name, p->helo) || chain_same_organisation(v->name, p->helo))
        return NULL;
    for (uint32_t i = 0; i < m->host_count; i++) {
        const struct message_host *h = &m->hosts[i];
        if (h->copies_in && !are_neighbours(h->address, p->client) && span_equal_nocase(span_text(message_text(m, h->helo)), v->name))
            return h;
    }
    return NULL;
}

/* A client that wrote no line: the newest one is of the mailbox it took the mail from. */
static bool wrote_nothing(const struct message *m, const struct chain *c, const struct passage *p)
{
    const struct visit *v = &c->visit[c->count - 1];
    if (v->delivered)
        return !span_equal_nocase(v->name, p->helo) && !chain_same_organisation(v->name, p->helo);
    return keeper(m, p, v) != NULL;
}

/* The client's own line names somebody else than the host that had the mail before, and that one gave it to nobody. */
static bool handed_in(const struct message *m, const struct chain *c, const struct passage *p)
{
    const struct visit *own = &c->visit[c->count - 1];
    const struct hop *line = &c->hops[own->first];
    const struct message_host *h = c->count > 1 && own->arrival == ARRIVAL_SMTP ? keeper(m, p, own - 1) : NULL;
    return h && h->copies_out == 0 && !address_equal(line->from_address, h->address) && !span_equal_nocase(line->from, own[-1].name) &&
           !chain_same_organisation(line->from, own[-1].name);
}

/* The copy shows no way from the first sender to this client, who never had it by SMTP: the lines are gone, or were never there. */
static bool begins_here(const struct trail *l, const struct passage *p, const struct chain *c, const struct party *sender)
{
    if (c->count == 1 && c->visit[0].fetched) /* the one host there is says that it fetched the mail */
        return true;
    if (address_equal(p->client, l->starter)) /* seen from its own link it is the first sender */
        return c->count <= 1 &&
               (p->delivered_to > l->starter_delivered_to || (l->branched && roles_doubts(&l->roles, sender)));
    bool another = c->count && !span_equal_nocase(c->visit[0].name, span_text(l->first_name));
    return c->count == 0 || (another && (c->count == 1 || (l->first_name[0] && !l->trunk.bare)));
}

/* Neither of the first sender's house nor of the author's. */
static bool is_stranger(const struct trail *l, const struct passage *p)
{
    return chain_organisation(p->helo).n && !chain_same_organisation(p->helo, span_text(l->starter_name)) &&
           !chain_same_organisation(p->helo, detect_domain(p->header->from_address));
}

/* People of the client's own domain stand in To: or Cc:.  They have their mailbox elsewhere: the client took the mail in for nobody. */
static bool has_people_in(const struct header *h, struct span helo)
{
    uint64_t own = hash_nocase(chain_organisation(helo));
    for (size_t i = 0; i < h->audience_count; i++)
        if (h->audience[i].domain == own)
            return true;
    return false;
}

/* Its one line says that the first sender gave the mail, or who gave it to the others: the way of a forwarder, whatever the wire has seen
 * of it.  Or of one who says so. */
static bool says_from_first(const struct trail *l, const struct chain *c)
{
    struct address giver = c->count == 1 ? c->hops[0].from_address : (struct address){{0}};
    return address_known(giver) && (address_equal(giver, l->starter) || address_equal(giver, l->first_giver));
}

/* What a copy that begins at its client tells of how it came there. */
static enum arrival arrival_anew(
    const struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, struct party *sender)
{
    if (c->count && c->visit[0].fetched)
        return ARRIVAL_MAILBOX;
    if (c->count && !sender->foreign && wrote_nothing(m, c, p)) /* the one line there is tells of the mailbox's host */
        return ARRIVAL_MAILBOX;
    if (p->delivered_to > l->starter_delivered_to && !says_from_first(l, c)) /* it has been delivered since it was sent */
        return ARRIVAL_MAILBOX;
    if (sender->arrival >= ARRIVAL_ANEW) /* as before */
        return sender->arrival;
    if (sender->foreign)
        return ARRIVAL_ANEW;
    if (!p->header || p->header->from_hash != m->from_hash || !is_stranger(l, p))
        return ARRIVAL_START;
    sender->own_people = has_people_in(p->header, p->helo);
    return ARRIVAL_ANEW;
}

/* Once, with the first copy whose To: and Cc: can be read. */
static void weigh_starter(struct trail *l, const struct message *m, const struct header *h)
{
    struct party *starter = h && !l->weighed ? roles_find(&l->roles, l->starter) : NULL;
    struct span name = span_text(l->starter_name);
    if (!starter)
        return;
    l->weighed = true;
    starter->foreign = chain_organisation(name).n && !chain_same_organisation(name, author_domain(m)) &&
                       !accepted(m, l->starter, starter->first) && has_people_in(h, name);
    starter->own_people |= starter->foreign;
}

static struct work work_of(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, struct party *sender)
{
    bool took_it = accepted(m, p->client, p->mail_time);
    struct work w = {.by = sender, .arrival = took_it ? ARRIVAL_SMTP : ARRIVAL_START, .visit = (int)c->count - 1};
    if (!took_it && begins_here(l, p, c, sender))
        w.arrival = arrival_anew(l, m, p, c, sender);
    w.anew = w.arrival >= ARRIVAL_ANEW;
    if (c->count == 0 || w.anew)
        return w;
    const struct visit *newest = &c->visit[c->count - 1];
    int k = chain_injection(c, &l->trunk);
    bool its_line = span_equal_nocase(newest->name, p->helo) || chain_same_organisation(newest->name, p->helo);
    if (!took_it && wrote_nothing(m, c, p)) {
        w.arrival = ARRIVAL_MAILBOX;
        w.visit = -1;
    } else if (!took_it && k + 1 < (int)c->count && handed_in(m, c, p)) {
        w.arrival = ARRIVAL_MAILBOX;
    } else if (k >= 0) {
        const struct visit *v = &c->visit[k];
        bool last = (uint32_t)k + 1 == c->count, said = v->fetched || c->visit[k - 1].delivered;
        bool there = address_known(v->address) && message_host(m, v->address);
        struct address giver = v->missing ? c->hops[v->first].from_address : (struct address){{0}};
        struct party *silent = address_known(giver) && message_host(m, giver) ? roles_find(&l->roles, giver) : NULL;
        if (!last && silent && silent->arrival == ARRIVAL_MAILBOX) { /* the line names it, and its own copies have shown that it does so */
            w.by = silent;
            w.arrival = ARRIVAL_MAILBOX;
            w.visit = -1;
            return w;
        }
        if (!last && !took_it && (trail_refutes(m, v) || (v->missing && !its_line && !there))) {
            w.arrival = v->missing ? ARRIVAL_MAILBOX : ARRIVAL_ODD; /* nobody but the client is certain */
            w.visit = -1;
            return w;
        }
        /* who had it by SMTP and then sends it from nowhere runs a list or a filter, unless a mailbox stands in between */
        if (said || !accepted(m, last ? p->client : v->address, p->mail_time)) {
            w.arrival = ARRIVAL_MAILBOX;
            w.visit = k;
            if (!last)
                w.by = roles_party(&l->roles, v->address, v->name, there);
        } else {
            w.arrival = ARRIVAL_SMTP;
        }
    } else if (!took_it && c->count > 1) {
        w.arrival = its_line ? newest->arrival : ARRIVAL_ODD;
        if (w.arrival == ARRIVAL_MAILBOX)
            w.arrival = ARRIVAL_ODD; /* all copies share this visit: the origin's own way */
    }
    return w;
}

/* A client who never took the mail in on this wire may be the provider that the author's server sends by.  Its own line says who gave it
 * the mail: when that one is of another house than the client, and of the author's, it is where the mail began. */
static void look_behind(struct party *sender, const struct message *m, const struct passage *p, const struct chain *c)
{
    if (sender->behind.name[0] || c->count < 2)
        return;
    const struct visit *own = &c->visit[c->count - 1], *before = own - 1;
    bool its_word = span_equal_nocase(own->name, p->helo) || chain_same_organisation(own->name, p->helo);
    if (!its_word || own->arrival != ARRIVAL_SMTP || !address_known(before->address) || chain_same_organisation(before->name, own->name) ||
        !chain_same_organisation(before->name, author_domain(m)))
        return;
    sender->behind.address = before->address;
    log_clean(before->name, sender->behind.name, sizeof sender->behind.name);
}

void trail_evidence(struct party *by, const struct passage *p, const struct hop *line, const char *said)
{
    if (!by->evidence)
        by->evidence = calloc(ROLES_EVIDENCE, sizeof *by->evidence);
    if (!by->evidence || by->evidence_count == ROLES_EVIDENCE)
        return;
    struct storm_evidence *e = &by->evidence[by->evidence_count++];
    *e = (struct storm_evidence){.time = p->end, .connection = p->connection, .client = p->client, .server = p->server};
    snprintf(e->said, sizeof e->said, "%s", said);
    if (line)
        chain_line(line, e->received, sizeof e->received);
}

static void say_how(struct party *by, const struct work *w, const struct passage *p, const struct chain *c)
{
    char said[STORM_TEXT_SIZE];
    const struct hop *line = w->visit >= 0 ? &c->hops[c->visit[w->visit].first] : c->hop_count ? &c->hops[c->hop_count - 1] : NULL;
    bool began = c->count <= 1, fetched = w->visit >= 0 && c->visit[w->visit].fetched;
    const char *how = w->arrival == ARRIVAL_ANEW       ? "which begins at it anew, though another had sent it and nobody gave it by SMTP"
                      : w->arrival != ARRIVAL_MAILBOX  ? "which came to it by SMTP or in a way its chain does not tell"
                      : fetched                        ? "which it fetched from a mailbox, as its line says"
                      : began                          ? "which had been delivered (Delivered-To) before; the lines of its way are gone"
                      : w->visit >= 0                  ? "which lay in a mailbox: no host gave it by SMTP"
                                                       : "which lay in a mailbox: the newest line is of its delivery there";
    snprintf(said, sizeof said, "sent this mail, %s, to people of its To: and Cc: who had it; %u Received lines", how, c->hop_count);
    trail_evidence(by, p, line, said);
}

/* How often the visit's host stands in the chain; out of a mailbox each time, when this time it was. */
static uint32_t stands(const struct chain *c, int visit, enum arrival arrival)
{
    uint32_t n = 0;
    for (uint32_t k = 0; visit >= 0 && k < c->count; k++)
        n += c->visit[k].name_hash && c->visit[k].name_hash == c->visit[visit].name_hash &&
             (arrival != ARRIVAL_MAILBOX || c->visit[k].arrival == ARRIVAL_MAILBOX);
    return n;
}

static void charge(struct trail *l, struct party *guilty, const struct delivery *d, const struct passage *p, const struct chain *c,
    const struct work *w, const struct stats_settings *settings)
{
    guilty->redeliveries++;
    if (!d->in_audience)
        return;
    if (guilty == w->by && guilty->again.count == 0)
        say_how(guilty, w, p, c);
    if (members_add(&guilty->again, d->recipient) && (int64_t)guilty->again.count <= settings->reinjection.suspected_recipients)
        l->changed = true;
    /* from the origin's own link only the copies to its own people are seen, and bounces: reinjection-elsewhere's room */
    if (address_equal(p->server, l->first_address) || span_equal_nocase(p->greeting, span_text(l->first_name))) {
        guilty->thirds_home += d->chains >= 3 && l->branched;
        l->changed |= guilty->thirds_home == settings->reinjection.suspected_recipients;
        return;
    }
    if (members_add(&l->roles.hit, d->recipient) && l->roles.hit.count <= 2)
        l->changed = true;
    if (d->chains >= 3 && l->branched) {
        l->roles.thirds_anew += guilty->arrival == ARRIVAL_ANEW;
        if (guilty->thirds++ == 0)
            trail_evidence(
                guilty, p, NULL, "gave an audience member the third copy at this server, by a chain that neither of the others had");
        l->changed |= (int64_t)guilty->thirds <= settings->reinjection.suspected_recipients;
    }
}

/* The mailbox it came from: the host before, or, where that one has no proper name, the one that gave it the mail. */
static void fed_by(const struct message *m, struct party *by, const struct work *w, const struct chain *c)
{
    const struct visit *box = NULL;
    for (int k = w->visit >= 0 ? w->visit - 1 : (int)c->count - 1; k >= 0 && !box; k--)
        if (c->visit[k].name.n && memchr(c->visit[k].name.p, '.', c->visit[k].name.n))
            box = &c->visit[k];
    if (!box)
        return;
    struct address address = {{0}};
    if (w->visit >= 0 && c->visit[w->visit].fetched)
        address = c->hops[c->visit[w->visit].first].from_address;
    for (uint32_t i = 0; i < m->host_count && !address_known(address); i++)
        if (m->hosts[i].copies_in && span_equal_nocase(span_text(message_text(m, m->hosts[i].helo)), box->name))
            address = m->hosts[i].address;
    party_feeder(by, address, box->name);
}

/* Whose mail is its to take on: people of the domains that its feeders took the mail for, and of its own name. */
static void know_own_people(const struct message *m, struct party *by, const struct header *h)
{
    struct span own = chain_organisation(span_text(by->name));
    struct members domains = {0};
    if (by->own_known && by->own_feeders == by->feeder_count)
        return;
    by->own_known = true;
    if (own.n)
        members_add(&domains, hash_nocase(own));
    for (; by->own_feeders < by->feeder_count; by->own_feeders++)
        for (size_t i = 0; address_known(by->feeder[by->own_feeders].address) && i < h->audience_count; i++)
            if (message_copies_at(m, h->audience[i].address, by->feeder[by->own_feeders].address))
                members_add(&domains, h->audience[i].domain);
    for (size_t i = 0; domains.count && i < h->audience_count; i++)
        if (members_have(&domains, h->audience[i].domain))
            members_add(&by->own, h->audience[i].address);
    free(domains.slot);
}

/* Who takes the mail of the recipient's domain out of a mailbox there, and on to another host, is in order: it came in for those people,
 * and goes to them. */
static bool is_its_own(const struct party *by, const struct delivery *d, const struct passage *p)
{
    for (uint32_t i = 0; i < by->feeder_count; i++)
        if (address_equal(by->feeder[i].address, p->server))
            return false;
    return members_have(&by->own, d->recipient);
}

/* Of the audience members it sent to; one walk over the audience, however many a copy went to. */
static void count_domains(struct party *by, const struct passage *p)
{
    for (size_t i = 0; i < p->header->audience_count && by->domains.count < ROLES_DOMAINS; i++)
        if (members_have(&by->sent, p->header->audience[i].address))
            members_add(&by->domains, p->header->audience[i].domain);
}

static void lay(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, const struct work *w,
    const struct stats_settings *settings)
{
    struct party *by = w->by;
    if (w->arrival > by->arrival) {
        by->arrival = w->arrival;
        l->changed = true;
    }
    by->fetched |= w->arrival == ARRIVAL_MAILBOX && w->visit >= 0 && c->visit[w->visit].fetched;
    if (w->arrival == ARRIVAL_MAILBOX) {
        fed_by(m, by, w, c);
        if (p->header)
            know_own_people(m, by, p->header);
        if (by->software[0] == '\0' && p->header)
            software_text(c, w->visit >= 0 ? &c->visit[w->visit] : NULL, p->header, by->software, sizeof by->software);
    }
    uint32_t twice = stands(c, w->visit, w->arrival);
    if (twice > by->twice) {
        by->twice = twice;
        l->changed = true;
        if (twice == 2 && w->arrival == ARRIVAL_MAILBOX)
            trail_evidence(
                by, p, &c->hops[c->visit[w->visit].first], "stands twice in one chain as the host that put the copy back on its way");
    }
    uint32_t sent = by->sent.count;
    for (uint32_t i = 0; i < p->made_count; i++) {
        const struct delivery *d = &p->made[i];
        if (d->in_audience)
            members_add(&by->sent, d->recipient);
        if (!d->had_it)
            continue;
        struct party *charged = w->anew || address_equal(d->charged, p->client) ? by : NULL;
        if (!charged && (charged = roles_find(&l->roles, d->charged)))
            charged = charged->acts_for;
        if (charged && !(w->arrival == ARRIVAL_MAILBOX && charged == by && is_its_own(by, d, p)))
            charge(l, charged, d, p, c, w, settings);
    }
    if (by->sent.count == sent)
        return;
    double share = settings->reinjection.lone_audience_share * (double)m->audience;
    uint32_t domains = by->domains.count;
    if (by->fetched && p->header && domains < ROLES_DOMAINS)
        count_domains(by, p);
    bool many = by->domains.count >= ROLES_DOMAINS && (domains < ROLES_DOMAINS || sent < settings->reinjection.suspected_recipients);
    if (many || (sent < share && by->sent.count >= share))
        l->changed = true;
}

static void breed(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, const struct work *w)
{
    if (w->arrival != ARRIVAL_MAILBOX || c->count == 0)
        return;
    if (!l->injections && !(l->injections = reproduction_new(BREEDING_MAILBOXES, m->first, l->trunk.count)))
        return;
    bool counted = w->by->sends && !address_equal(w->by->address, p->client); /* on its way to the smarthost */
    struct event e = {.host = w->by,
        .hops = c->hop_count,
        .hop_limit = chain_hop_limit(c),
        .deliveries = counted ? 0 : p->deliveries,
        .reach = w->by->sent.count,
        .time = p->end,
        .fed = TIME_UNKNOWN};
    uint32_t own = w->visit >= 0 ? (uint32_t)w->visit : c->count;
    if (w->visit >= 0) {
        e.id = c->visit[own].entry;
        e.copy = c->visit[own].path;
    } else {
        e.id = chain_end(c, c->count - 1);
    }
    if (own > 0)
        e.fed = c->hops[c->visit[own - 1].last].date;
    for (uint32_t k = 1; k < own; k++)
        if (c->visit[k].arrival == ARRIVAL_MAILBOX && (k >= l->trunk.count || reproduction_knows(l->injections, c->visit[k].entry)))
            e.parent = c->visit[k].entry;
    if (e.parent == 0 && l->trunk.count == 0 && !span_equal_nocase(c->visit[0].name, span_text(l->first_name)))
        e.parent = EVENT_UNKNOWN;
    reproduction_event(l->injections, &e);
}

void trail_follow(
    struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, const struct stats_settings *settings)
{
    compare(l, m, p, c);
    count(l, p);
    l->touched = p->end;
    l->fresh = true;
    uint32_t parties = l->roles.count;
    struct party *sender = roles_sender(&l->roles, p->client, p->helo);
    weigh_starter(l, m, p->header);
    if (sender) {
        struct work w = work_of(l, m, p, c, sender);
        sender->acts_for = w.by ? w.by : sender;
        if (w.by == sender && w.arrival == ARRIVAL_SMTP && !accepted(m, p->client, p->mail_time))
            look_behind(sender, m, p, c);
        struct party *both[] = {sender, w.by};
        for (size_t i = 0; i < (w.by && w.by != sender ? 2 : 1); i++) {
            both[i]->copies += p->deliveries > 0;
            both[i]->first = both[i]->first == TIME_UNKNOWN ? p->end : both[i]->first;
            both[i]->last = p->end;
        }
        if (w.by) {
            lay(l, m, p, c, &w, settings);
            breed(l, m, p, c, &w);
        }
        loop_follow(l, m, p, c, sender, settings);
    }
    if (l->turns && !address_equal(l->turning_point, p->server))
        reproduction_more(l->turns, p->deliveries, p->end);
    l->changed |= l->roles.count != parties;
}
