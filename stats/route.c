/* In: each accepted transaction with what the ledger made of it.  Out: the incidents `reinjection`, `forwarding-loop` and `list-loop`, one
 * a message, or one for all that go round the same circle: one rule book, because the same copies satisfy several of its rows.
 *
 * A mail that shows no sign costs a few comparisons.  The first sign (a redelivery, a server that the mail has come back to, a mailbox
 * fetched and then mailed to many) opens its trail (trail.c), which is filled from the ledger's record and from then on by every copy.
 * Whenever something changed that a verdict rests on, the trail is judged (roles.c): what the law proves is raised at once, what stays open
 * is watched.  A stronger kind takes the incident over: list-loop, then reinjection, then forwarding-loop. */
#include "stats/chain.h"
#include "stats/detect.h"
#include "stats/figure.h"
#include "stats/ledger.h"
#include "stats/sketch.h"
#include "stats/trail.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

#define TRAILS  1024                /* at once; the coldest that is no storm goes first */
#define BUCKETS (TRAILS * 2)        /* a power of two */
#define NEWS    0.05                /* share by which a forecast differs that is worth telling within a round */
#define SETTLED (2 * NS_PER_SECOND) /* without an event, or a twentieth of a generation when that is longer: the round is over */

struct route {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct ledger *ledger;
    struct sketch *sketch;
    struct chain chain; /* of the copy at hand */
    struct trail *bucket[BUCKETS];
    struct trail *newest, *oldest;
    uint32_t count;
};

static void *route_make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)memory;
    struct route *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->settings = settings;
    r->incidents = incidents;
    r->ledger = ledger;
    r->sketch = sketch_new();
    if (r->sketch)
        return r;
    free(r);
    return NULL;
}

/* The mail's incident, raised and about its route; bounces may have raised it first (elsewhere.c), under the same key. */
static struct storm *raised_storm(const struct route *r, uint64_t key)
{
    struct storm *s = incident_find(r->incidents, key);
    return s && incident_raised(s) && s->kind != KIND_REINJECTION_ELSEWHERE ? s : NULL;
}

/* ---- trails ---- */

static struct trail **trail_at(struct route *r, uint64_t key)
{
    struct trail **at = &r->bucket[key & (BUCKETS - 1)];
    while (*at && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static void trail_unlink(struct route *r, struct trail *l)
{
    *(l->newer ? &l->newer->older : &r->newest) = l->older;
    *(l->older ? &l->older->newer : &r->oldest) = l->newer;
}

static void trail_first(struct route *r, struct trail *l)
{
    l->newer = NULL;
    l->older = r->newest;
    *(r->newest ? &r->newest->newer : &r->oldest) = l;
    r->newest = l;
}

static void unpin(struct route *r, struct trail *l)
{
    struct message *m = l->pinned ? ledger_find(r->ledger, l->key) : NULL;
    if (m)
        ledger_pin(r->ledger, m, false);
    l->pinned = false;
}

static void trail_drop(struct route *r, struct trail *l)
{
    unpin(r, l);
    *trail_at(r, l->key) = l->next;
    trail_unlink(r, l);
    r->count--;
    trail_free(l);
}

static void route_drop(void *self)
{
    struct route *r = self;
    while (r->oldest)
        trail_drop(r, r->oldest);
    sketch_free(r->sketch);
    free(r);
}

static void make_room(struct route *r)
{
    struct trail *coldest = r->oldest;
    for (struct trail *l = r->oldest; l; l = l->newer) {
        const struct storm *s = raised_storm(r, l->key);
        if (!s || s->state == STATE_CLEARED) {
            coldest = l;
            break;
        }
    }
    assert(coldest);
    trail_drop(r, coldest);
}

static struct trail *trail_open(struct route *r, const struct observation *o)
{
    if (r->count == TRAILS)
        make_room(r);
    struct trail *l = trail_new(o->message, o->copy ? 1 : 0, r->settings);
    if (!l)
        return NULL;
    trail_audience(l, &o->t->header);
    l->next = NULL;
    *trail_at(r, l->key) = l;
    trail_first(r, l);
    r->count++;
    return l;
}

/* ---- the first sign ---- */

/* The server stands in the chain as often as makes a loop.  Less is no sign: behind a content filter every mail has been there once, and
 * the ledger's record keeps what a trail needs of these copies. */
static bool has_come_back(struct route *r, const struct transaction *t)
{
    uint32_t latest;
    chain_read(&r->chain, t->header.hops, t->header.hop_count);
    return chain_passes(&r->chain, t->greeting, t->server.address, false, &latest) >= (uint32_t)r->settings->forwarding_loop.major_returns;
}

static bool shows_sign(struct route *r, const struct observation *o)
{
    const struct header *h = &o->t->header;
    if (o->redeliveries)
        return true;
    bool server = false;
    bool many = h->audience_count >= (uint64_t)r->settings->reinjection.suspected_recipients;
    for (size_t i = 0; i < h->hop_count; i++) {
        const struct hop *hop = &h->hops[i];
        server = server || (hop->by.n && span_equal_nocase(hop->by, o->t->greeting)) ||
                 address_equal(hop->from_address, o->t->server.address);
        if (many && chain_fetched(hop))
            return true;
    }
    for (size_t i = 0; i < o->made_count && h->delivered_to_count; i++)
        for (size_t k = 0; k < h->delivered_to_count && k < CHAIN_LINES; k++)
            if (h->delivered_to[k] == o->made[i].recipient)
                return true;
    return server && has_come_back(r, o->t);
}

/* ---- verdicts ---- */

static int rank(enum storm_kind k)
{
    return k == KIND_LIST_LOOP ? 3 : k == KIND_REINJECTION ? 2 : k == KIND_FORWARDING_LOOP ? 1 : 0;
}

static struct outlook look_ahead(const struct storm *s, const struct trail *l, int64_t now)
{
    struct reproduction *of = s->kind == KIND_REINJECTION ? l->injections : l->turns;
    if (of)
        return reproduction_outlook(of, now);
    return (struct outlook){.reproduction = NAN,
        .reckoned = NAN,
        .generation = NAN,
        .at = TIME_UNKNOWN,
        .generations_left = -1,
        .latest = TIME_UNKNOWN};
}

static void put_totals(struct storm *s, const struct trail *l, const struct message *m)
{
    const struct share *led = &l->share[0];
    const struct incident_before *before = incident_before(s);
    s->copies = m->copies + led->copies + before->copies;
    s->deliveries = m->deliveries + led->deliveries + before->deliveries;
    s->redeliveries = message_redeliveries(m) + led->redeliveries + before->redeliveries;
    s->recipients = message_recipients(m);
    s->bytes = m->bytes + l->led_bytes + before->bytes;
    s->most_copies_a_recipient = m->most_copies;
}

static void say_reinjection(struct storm *s, const struct verdict *v)
{
    char host[144], others[48] = "";
    sketch_host_text(v->worst->address, v->worst->name, host, sizeof host);
    if (v->guilty > 1)
        snprintf(others, sizeof others, " and %u other host%s", v->guilty - 1, v->guilty == 2 ? "" : "s");
    const char *proof = v->second  ? "more than one host does it"
                        : v->twice ? "it stands twice in one chain"
                        : v->third ? "people of the audience got a third copy, by a third chain"
                        : v->lone  ? "it alone reached nearly the whole audience"
                        : v->home  ? "people at the origin's own server got more than two copies"
                                   : "suspected, until a second host, a third copy or a second pass confirms it";
    static const char *const does[][2] = {
        [ARRIVAL_MAILBOX] = {"takes this mail out of a mailbox and sends", "take this mail out of a mailbox and send"},
        [ARRIVAL_ANEW] = {"had this mail from nobody by SMTP, and sends", "had this mail from nobody by SMTP, and send"},
        [ARRIVAL_ODD] = {"took this mail in for a few and sends", "took this mail in for a few and send"},
    };
    enum arrival arrival = v->worst->arrival < ARRIVAL_ODD ? ARRIVAL_ODD : v->worst->arrival;
    const char *how = does[arrival][v->guilty > 1];
    char again[FIGURE_TEXT];
    snprintf(s->why, sizeof s->why,
        "%s%s %s it again to people in its To: and Cc: (one host to %u of %llu; %s deliveries to people who had it): %s.", host, others,
        how, v->reached, (unsigned long long)s->audience, figure_count(v->redeliveries, again), proof);
}

static void say_loop(struct storm *s, const struct trail *l)
{
    char server[128], first[112] = "", second[112] = "", more[48] = "";
    if (l->led)
        snprintf(more, sizeof more, ", and %llu other mail%s like it", (unsigned long long)l->led, l->led == 1 ? "" : "s");
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->host_count; i++)
        if (s->hosts[i].role == ROLE_LOOPER && n++ < 2)
            sketch_host_text(s->hosts[i].address, s->hosts[i].name, n == 1 ? first : second, sizeof first);
    const struct party *p = roles_find(&l->roles, l->turning_point);
    sketch_host_text(l->turning_point, p ? p->name : "", server, sizeof server);
    snprintf(s->why, sizeof s->why, "The mail has come back to %s %u times%s%s; it goes round through %s%s%s%s.", server,
        l->returns, s->kind == KIND_LIST_LOOP ? ", with the list's own marks" : "", more, first, n > 1 ? ", " : "", second,
        n > 2 ? " and others" : "");
}

/* Everything but the severity, as it is known now. */
static struct outlook write_storm(
    struct route *r, struct storm *s, struct trail *l, const struct message *m, const struct verdict *v, int64_t now)
{
    put_totals(s, l, m);
    sketch_draw(r->sketch, s, l, m, r->settings);
    s->peak_rate = l->peak;
    struct outlook o = look_ahead(s, l, now);
    s->reproduction_reckoned = isnan(o.reproduction) && !isnan(o.reckoned);
    s->reproduction = s->reproduction_reckoned ? o.reckoned : o.reproduction;
    s->generation = o.generation;
    s->forecast_at = o.at;
    s->forecast_deliveries = o.deliveries;
    s->generations_left = o.generations_left;
    if (s->kind == KIND_REINJECTION && v->worst)
        say_reinjection(s, v);
    else if (s->kind != KIND_REINJECTION)
        say_loop(s, l);
    l->fresh = false;
    return o;
}

static bool list_on_cycle(const struct trail *l)
{
    for (uint32_t i = 0; i < l->roles.count; i++)
        if (l->roles.party[i]->on_cycle && l->roles.party[i]->list)
            return true;
    return false;
}

/* ---- mails that go round the same circle: one incident for all ---- */

/* The trail of an open incident about the same circle; NULL: none. */
static struct trail *find_leader(const struct route *r, const struct trail *l, enum storm_kind kind)
{
    for (struct trail *t = r->newest; t && l->circle; t = t->older) {
        if (t == l || t->leader || t->circle != l->circle)
            continue;
        const struct storm *s = raised_storm(r, t->key);
        if (s && s->kind == kind && s->state != STATE_CLEARED)
            return t;
    }
    return NULL;
}

static void follow_up(struct route *r, struct trail *leader, const struct trail *l, int64_t now)
{
    if (l->returns > leader->returns) {
        leader->returns = l->returns;
        leader->changed = true;
    }
    leader->fresh = true;
    struct storm *s = raised_storm(r, leader->key);
    if (s)
        incident_touch(r->incidents, s, now);
}

/* From now on the leader's incident tells of `l` too. */
static void follow(struct route *r, struct trail *leader, struct trail *l, const struct message *m, int64_t now)
{
    static const struct address all;
    l->leader = leader->key;
    leader->led++;
    leader->led_bytes += m->bytes;
    trail_share(leader, all, &(struct share){.copies = m->copies, .deliveries = m->deliveries, .redeliveries = message_redeliveries(m)});
    for (uint32_t i = 0; i < m->host_count; i++) {
        const struct message_host *h = &m->hosts[i];
        trail_share(leader, h->address,
            &(struct share){.copies = h->copies_out, .deliveries = h->out, .redeliveries = h->redeliveries, .in = h->in});
    }
    follow_up(r, leader, l, now);
}

/* One more copy of a mail that has a leader; false: the leader is gone or its incident is over. */
static bool follows(struct route *r, struct trail *l, const struct observation *o)
{
    static const struct address all;
    struct trail *leader = *trail_at(r, l->leader);
    const struct storm *s = leader ? raised_storm(r, leader->key) : NULL;
    if (!s || s->state == STATE_CLEARED)
        return false;
    struct share more = {.copies = 1, .deliveries = o->deliveries, .redeliveries = o->redeliveries};
    trail_share(leader, all, &more);
    trail_share(leader, o->t->client.address, &more);
    trail_share(leader, o->t->server.address, &(struct share){.in = o->deliveries});
    leader->led_bytes += o->t->bytes;
    follow_up(r, leader, l, o->now);
    return true;
}

static void judge(struct route *r, struct trail *l, struct message *m, int64_t now)
{
    const struct stats_settings *set = r->settings;
    l->changed = false;
    struct verdict v = {0};
    if (set->reinjection.enabled)
        v = roles_judge(&l->roles, m, roles_origin(&l->roles, m), set);
    bool list = set->list_loop.enabled && l->returns >= (uint64_t)set->list_loop.major_returns && list_on_cycle(l);
    const struct storm *known = incident_find(r->incidents, l->key);
    bool by_bounces = known && incident_raised(known) && known->kind == KIND_REINJECTION_ELSEWHERE;
    bool reinjection = v.suspected || v.third || v.twice || (v.home && !by_bounces);
    /* where a mailbox stands in the circle and many are hit, it is a re-injection in the making */
    bool forwarding = set->forwarding_loop.enabled && l->returns >= (uint64_t)set->forwarding_loop.major_returns &&
                      !(v.guilty && l->roles.hit.count >= 2);
    if (!list && !reinjection && !forwarding && !v.guilty)
        return;
    enum storm_kind kind = list ? KIND_LIST_LOOP : reinjection || !forwarding ? KIND_REINJECTION : KIND_FORWARDING_LOOP;
    if (kind != KIND_REINJECTION) {
        l->circle = hash_pair((uint64_t)kind, trail_circle(l, m));
        struct trail *leader = l->leader || raised_storm(r, l->key) ? NULL : find_leader(r, l, kind);
        if (leader)
            follow(r, leader, l, m, now);
        if (l->leader)
            return;
    }
    struct storm *s = incident_open(r->incidents, l->key, kind, m->first);
    if (!s)
        return;
    l->leader = 0;
    if (!list && !reinjection && !forwarding) /* watched */
        return;
    if (incident_raised(s) && rank(kind) > rank(s->kind))
        incident_event(s, now, "%s after all, not %s", storm_kind_text(kind), storm_kind_text(s->kind));
    if (!incident_raised(s) || rank(kind) > rank(s->kind))
        s->kind = kind;
    kind = s->kind;
    struct outlook o = write_storm(r, s, l, m, &v, now);
    char why[sizeof s->why];
    memcpy(why, s->why, sizeof why);
    enum storm_severity severity = SEVERITY_MAJOR;
    if (kind == KIND_REINJECTION) {
        if (v.redeliveries >= (uint64_t)set->reinjection.critical_redeliveries || o.reproduction >= 1)
            severity = SEVERITY_CRITICAL;
        else if (!v.second && !v.third && !v.twice && !v.lone && !v.home)
            severity = SEVERITY_WARNING;
    } else if (kind == KIND_FORWARDING_LOOP && l->returns >= (uint64_t)set->forwarding_loop.critical_returns) {
        severity = SEVERITY_CRITICAL;
    }
    ledger_pin(r->ledger, m, l->pinned = true);
    l->roles.storm = true;
    incident_raise(r->incidents, s, severity, now, "%s", why);
    if (s->updated == now && o.at != TIME_UNKNOWN) { /* it was told */
        l->foretold = o.deliveries;
        l->foretold_at = o.at;
    }
}

static void route_observe(void *self, const struct observation *o)
{
    struct route *r = self;
    const struct transaction *t = o->t;
    struct message *m = o->message;
    if (!m)
        return;
    struct trail *l = r->count ? *trail_at(r, m->key) : NULL;
    if (!l && (!shows_sign(r, o) || !(l = trail_open(r, o))))
        return;
    struct passage p = {
        .client = t->client.address,
        .server = t->server.address,
        .helo = t->helo,
        .greeting = t->greeting,
        .connection = t->connection,
        .mail_time = t->mail_time,
        .end = t->end,
        .deliveries = o->deliveries,
        .delivered_to = (uint32_t)t->header.delivered_to_count,
        .made = o->made,
        .made_count = o->made_count,
        .header = &t->header,
    };
    chain_read(&r->chain, t->header.hops, t->header.hop_count);
    trail_follow(l, m, &p, &r->chain, r->settings);
    trail_unlink(r, l);
    trail_first(r, l);
    struct storm *s = raised_storm(r, l->key);
    if (s && s->severity < SEVERITY_CRITICAL && m->redeliveries >= (uint64_t)r->settings->reinjection.critical_redeliveries)
        l->changed = true;
    if (s)
        put_totals(s, l, m);
    if (l->leader && !follows(r, l, o)) {
        l->leader = 0;
        l->changed = true;
    }
    if (l->changed)
        judge(r, l, m, o->now);
    else if (s && o->redeliveries)
        incident_touch(r->incidents, s, o->now);
}

/* ---- time ---- */

static void forecast(struct route *r, struct storm *s, struct trail *l, const struct message *m, int64_t now)
{
    struct verdict v = roles_judge(&l->roles, m, roles_origin(&l->roles, m), r->settings);
    struct outlook o = write_storm(r, s, l, m, &v, now);
    if (s->kind == KIND_REINJECTION && o.reproduction >= 1 && s->severity < SEVERITY_CRITICAL) {
        l->changed = true;
        return;
    }
    if (o.at == TIME_UNKNOWN) {
        l->foretold = 0;
        return;
    }
    /* once as soon as there is one, once more when the round that it rests on is over */
    int64_t quiet = (int64_t)(o.generation / 20 * (double)NS_PER_SECOND);
    bool settled = now - o.latest >= (quiet > SETTLED ? quiet : SETTLED);
    bool another = l->settled == 0 || o.latest - l->settled > 5 * quiet;
    bool news = fabs((double)o.deliveries - (double)l->foretold) > NEWS * (double)o.deliveries || llabs(o.at - l->foretold_at) > quiet;
    if (l->foretold == 0 || (settled && (another || (news && o.latest != l->settled)))) {
        l->foretold = o.deliveries;
        l->foretold_at = o.at;
        if (settled)
            l->settled = o.latest;
        char at[TIME_TEXT];
        incident_event(s, now, "next round expected at %.19sZ: %llu deliveries", clock_text(o.at, at), (unsigned long long)o.deliveries);
        incident_tell(r->incidents, s, now);
    }
}

static void route_tick(void *self, int64_t now)
{
    struct route *r = self;
    while (r->oldest && now - r->oldest->touched > r->settings->remember)
        trail_drop(r, r->oldest);
    for (struct trail *l = r->newest, *older; l; l = older) {
        older = l->older;
        struct storm *s = raised_storm(r, l->key);
        struct message *m = ledger_find(r->ledger, l->key);
        if (!s || s->state == STATE_CLEARED)
            unpin(r, l);
        if (!m || !s || s->state == STATE_CLEARED)
            continue;
        if (l->fresh || s->forecast_at != TIME_UNKNOWN)
            forecast(r, s, l, m, now);
        if (l->changed)
            judge(r, l, m, now);
    }
}

const struct detector route_detector = {
    .make = route_make, .drop = route_drop, .traits = TRAIT_RECORD, .observe = route_observe, .tick = route_tick};
