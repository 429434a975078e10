/* In: transactions and session records from smtpdissect/, the mirror's health from capture/, and the time. Out: counts, and storms to the
 * sink. The path of a transaction: key -> twin (left out here, everywhere) -> ledger -> each detector, in the order below. Storms change
 * inside the detectors, by way of incident.c, which also holds them. */
#include "stats/stats.h"

#include <assert.h>
#include <stdlib.h>

#include "stats/census.h"
#include "stats/detect.h"
#include "stats/hosts.h"
#include "stats/ledger.h"
#include "stats/memory.h"
#include "stats/twin.h"

/* The rule book on routes first: what it calls a storm, the others need not explain. */
static const struct detector *const detectors[] = {
    &route_detector, &elsewhere_detector, &autoreply_detector, &bounce_detector, &replyall_detector, &resend_detector,
    &burst_detector, &mailbomb_detector, &encrypted_detector, &exposure_detector, &census_detector, &mirror_detector,
};
#define DETECTORS (sizeof detectors / sizeof detectors[0])

struct steps { /* of the way of a transaction */
    struct step {
        void (*take)(void *self, const struct observation *o);
        void *self;
    } step[DETECTORS];
    uint32_t count;
};

struct expected {
    const struct transaction *t; /* NULL: none */
    struct key key;
    struct observation o;
};

struct stats {
    struct stats_settings settings;
    struct stats_sink sink;
    struct stats_counters counters;
    struct memory *memory; /* of all that follow */
    struct twins *twins;
    struct ledger *ledger;
    struct hosts *hosts;
    struct incidents *incidents;
    void *self[DETECTORS];
    struct steps expect, near, observe;
    uint16_t observers[TRAITS_ALL + 1]; /* by the traits of a transaction: a bit for each step of `observe` to be taken with it */
    struct expected expected[2]; /* the transaction that comes next, and the one behind it */
    unsigned turn; /* whose it is */
    struct noted last;
};

static void sink_nothing(void *user, const struct storm *s, enum storm_change change)
{
    (void)user;
    (void)s;
    (void)change;
}

static void step_add(struct steps *way, void (*take)(void *self, const struct observation *o), void *self)
{
    if (take)
        way->step[way->count++] = (struct step){take, self};
}

static void observer_add(struct stats *s, const struct detector *d, void *self)
{
    for (uint32_t traits = 0; d->observe && traits <= TRAITS_ALL; traits++)
        if ((traits & d->traits) == d->traits)
            s->observers[traits] |= (uint16_t)(1u << s->observe.count);
    step_add(&s->observe, d->observe, self);
}

struct stats *stats_new(const struct stats_settings *settings, const struct stats_sink *sink)
{
    struct stats *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->settings = *settings;
    s->sink = sink && sink->storm ? *sink : (struct stats_sink){.storm = sink_nothing};
    s->memory = memory_new();
    if (!s->memory)
        goto fail;
    s->twins = twins_new();
    s->ledger = ledger_new(s->memory, s->settings.memory, s->settings.remember, &s->counters.keys_evicted);
    s->hosts = hosts_new(s->memory);
    s->incidents = incidents_new(&s->settings, &s->sink, &s->counters);
    if (!s->twins || !s->ledger || !s->hosts || !s->incidents)
        goto fail;
    for (size_t i = 0; i < DETECTORS; i++) {
        s->self[i] = detectors[i]->make(&s->settings, s->incidents, s->ledger, s->memory);
        if (!s->self[i])
            goto fail;
        step_add(&s->expect, detectors[i]->expect, s->self[i]);
        step_add(&s->near, detectors[i]->near, s->self[i]);
        observer_add(s, detectors[i], s->self[i]);
    }
    return s;
fail:
    stats_free(s);
    return NULL;
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < DETECTORS; i++)
        if (s->self[i])
            detectors[i]->drop(s->self[i]);
    incidents_free(s->incidents);
    hosts_free(s->hosts);
    ledger_free(s->ledger);
    twins_free(s->twins);
    memory_free(s->memory);
    free(s);
}

void stats_configure(struct stats *s, const struct stats_settings *settings)
{
    struct stats_settings was = s->settings;
    s->settings = *settings;
    s->settings.memory = was.memory;
    s->settings.storms = was.storms;
    s->settings.autoreply_loop.window = was.autoreply_loop.window;
    s->settings.bounce_storm.window = was.bounce_storm.window;
    s->settings.reply_all.window = was.reply_all.window;
    s->settings.mailbomb.window = was.mailbomb.window;
    s->settings.encrypted_burst.window = was.encrypted_burst.window;
}

static void steps_take(const struct steps *way, const struct observation *o)
{
    for (const struct step *step = way->step, *end = step + way->count; step < end; step++)
        step->take(step->self, o);
}

static uint32_t traits_of(const struct observation *o)
{
    const struct transaction *t = o->t;
    uint32_t traits = TRAIT_MESSAGE | (t->null_reverse_path ? TRAIT_BOUNCE : TRAIT_PLAIN);
    traits |= o->k->root ? TRAIT_ANSWER : 0;
    traits |= t->header.audience_count > 1 ? TRAIT_PEOPLE : 0;
    traits |= o->deliveries == 1 ? TRAIT_SINGLE : 0;
    return traits | (o->message ? TRAIT_RECORD : 0);
}

static void count_rejected(struct stats_counters *c, const struct transaction *t)
{
    for (const struct recipient *r = t->recipients, *end = r + t->recipient_count; r < end; r++)
        c->rejected_recipients += (r->code < 200 || r->code > 299) && r->code;
}

/* What a message adds to the counts, to the ledger and to the hosts'. */
static void count(struct stats *s, struct observation *o)
{
    struct stats_counters *c = &s->counters;
    struct ledger_entry e = ledger_deliver(s->ledger, o->t, o->k);
    c->messages++;
    c->recipients += e.deliveries;
    c->message_ids += e.new_id;
    c->redeliveries += e.redeliveries;
    o->key = e.key;
    o->deliveries = e.deliveries;
    o->redeliveries = e.redeliveries;
    o->message = e.message;
    o->copy = e.copy;
    o->made = e.made;
    o->made_count = e.made_count;
    o->first = e.first;
    hosts_count(s->hosts, o);
}

void stats_expect(struct stats *s, const struct transaction *t)
{
    bool next = s->expected[s->turn].t == NULL;
    struct expected *e = &s->expected[next ? s->turn : s->turn ^ 1];
    assert(!e->t);
    e->t = t;
    key_make(&e->key, t);
    e->o = (struct observation){.t = t, .k = &e->key, .thread = e->key.thread, .now = t->end};
    if (next)
        twin_expect(s->twins, t, &e->key);
    if (!t->message)
        return;
    steps_take(&s->expect, &e->o);
    ledger_expect(s->ledger, &e->key);
    hosts_expect(s->hosts, &e->key);
}

/* What was expected has come into the cache meanwhile: one step further. */
static void near(struct stats *s, const struct expected *e)
{
    twin_near(s->twins);
    if (!e->t->message)
        return;
    steps_take(&s->near, &e->o);
    ledger_near(s->ledger, &e->key);
    hosts_near(s->hosts, &e->key);
}

/* Of what no twin has told before. */
static void judge(struct stats *s, struct observation *o)
{
    if (o->t->uncertain) {
        s->counters.uncertain++;
        return;
    }
    count_rejected(&s->counters, o->t);
    if (!o->t->message)
        return;
    count(s, o);
    s->last.key = o->key;
    s->last.redeliveries = o->redeliveries;
    for (uint32_t left = s->observers[traits_of(o)]; left; left &= left - 1) {
        const struct step *step = &s->observe.step[__builtin_ctz(left)];
        step->take(step->self, o);
    }
}

void stats_transaction(struct stats *s, const struct transaction *t)
{
    struct expected *e = &s->expected[s->turn], *next = &s->expected[s->turn ^ 1];
    if (!e->t)
        stats_expect(s, t);
    assert(e->t == t);
    enum twin twin = twin_check(s->twins, t, &e->key);
    if (next->t)
        twin_expect(s->twins, next->t, &next->key);
    s->last = (struct noted){.twin = twin == TWIN_COUNTED};
    s->counters.twins += twin != TWIN_NONE;
    if (twin == TWIN_BETTER)
        s->counters.uncertain--; /* it stood for this one; `transactions` has it already */
    else if (twin == TWIN_NONE)
        s->counters.transactions++;
    if (twin != TWIN_COUNTED)
        judge(s, &e->o);
    e->t = NULL;
    s->turn ^= 1;
    if (next->t)
        near(s, next);
}

void stats_session(struct stats *s, const struct session_record *r)
{
    for (size_t i = 0; i < DETECTORS; i++)
        if (detectors[i]->session)
            detectors[i]->session(s->self[i], r);
}

void stats_mirror(struct stats *s, const struct mirror_view *m, int64_t now)
{
    for (size_t i = 0; i < DETECTORS; i++)
        if (detectors[i]->mirror)
            detectors[i]->mirror(s->self[i], m, now);
}

void stats_tick(struct stats *s, int64_t now)
{
    for (size_t i = 0; i < DETECTORS; i++)
        if (detectors[i]->tick)
            detectors[i]->tick(s->self[i], now);
    incident_tick(s->incidents, now);
    ledger_tick(s->ledger, now);
}

void stats_finish(struct stats *s, int64_t now)
{
    stats_tick(s, now);
    incident_finish(s->incidents, now);
}

const struct stats_counters *stats_counters(const struct stats *s)
{
    return &s->counters;
}

/* Most redeliveries, then most deliveries, then the earliest; the id decides what is still equal, for the order of the ledger is none. */
static bool ranks_before(const struct message *a, const struct message *b)
{
    uint64_t again_a = message_redeliveries(a), again_b = message_redeliveries(b);
    if (again_a != again_b)
        return again_a > again_b;
    if (a->deliveries != b->deliveries)
        return a->deliveries > b->deliveries;
    if (a->first != b->first)
        return a->first < b->first;
    return strcmp(message_text(a, a->id), message_text(b, b->id)) < 0;
}

size_t stats_top(const struct stats *s, struct message_row *rows, size_t most)
{
    const struct message **best = calloc(most + 1, sizeof *best);
    size_t n = 0;
    for (const struct message *m = best && most > 0 ? ledger_each(s->ledger, NULL) : NULL; m; m = ledger_each(s->ledger, m)) {
        if (n == most && !ranks_before(m, best[n - 1]))
            continue;
        size_t at = 0;
        for (size_t end = n; at < end;) { /* behind all that rank before it */
            size_t middle = (at + end) / 2;
            if (ranks_before(m, best[middle]))
                end = middle;
            else
                at = middle + 1;
        }
        memmove(&best[at + 1], &best[at], (n - at) * sizeof(const struct message *)); /* the last one of too many drops out */
        best[at] = m;
        n += n < most;
    }
    for (size_t i = 0; i < n; i++) {
        const struct message *m = best[i];
        rows[i] = (struct message_row){
            .audience = m->audience, .copies = m->copies, .deliveries = m->deliveries, .recipients = message_recipients(m),
            .redeliveries = message_redeliveries(m), .sources = m->sources, .first = m->first, .last = m->last,
        };
        span_copy(span_text(message_text(m, m->id)), rows[i].message_id, sizeof rows[i].message_id);
        span_copy(span_text(message_text(m, m->from)), rows[i].from, sizeof rows[i].from);
        span_copy(span_text(message_text(m, m->subject)), rows[i].subject, sizeof rows[i].subject);
    }
    free(best);
    return n;
}

size_t stats_census(const struct stats *s, struct amplifier_row *rows, size_t most)
{
    for (size_t i = 0; i < DETECTORS; i++)
        if (detectors[i] == &census_detector)
            return census_rows(s->self[i], rows, most);
    return 0;
}

void stats_know(struct stats *s, const struct amplifier_row *row)
{
    for (size_t i = 0; i < DETECTORS; i++)
        if (detectors[i] == &census_detector)
            census_know(s->self[i], row);
}

size_t stats_hosts(const struct stats *s, struct host_row *rows, size_t most)
{
    return hosts_rows(s->hosts, rows, most);
}

size_t stats_storm_count(const struct stats *s)
{
    return incident_count(s->incidents);
}

const struct storm *stats_storm(const struct stats *s, size_t i)
{
    return incident_at(s->incidents, i);
}

bool stats_resume(struct stats *s, const struct storm *earlier)
{
    return incident_resume(s->incidents, earlier);
}

bool stats_acknowledge(struct stats *s, const char *id, const char *who, int64_t now)
{
    return incident_acknowledge(s->incidents, id, who, now);
}

struct noted stats_last(const struct stats *s)
{
    return s->last;
}
