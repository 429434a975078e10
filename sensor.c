/* In: the records of the workers' rings, put in the order of their time.  Out: to stats/, and to whoever hooked in; the wishes for evidence
 * back to the workers.  One thread, the only one that touches stats. */
#include "sensor.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "proofs.h"
#include "smtpdissect/unread.h"

#define RING_FILES ((size_t)16 << 20)   /* so far the worker may be ahead, where a capture comes in phases */
#define RING_LIVE ((size_t)32 << 20)    /* seconds of mail, while stats is busy with something large */
#define MERGE_WAIT (NS_PER_SECOND / 10) /* monotonic: that long a record waits for earlier ones of other workers */
#define ATTEND (NS_PER_SECOND / 10)
#define WAITING 8  /* records, for another transaction to come: a connection that ends brings a session in between */
#define LOOKS 200  /* at empty rings before the thread naps, */
#define NAPS 10    /* and naps before it sleeps for good: to wake it costs the worker a system call */
#define NAP 100000 /* ns */

struct one { /* worker */
    struct worker *worker;
    struct ring *ring;
    struct sensor_view view;
    int64_t ticked; /* packet time; TIME_UNKNOWN: not yet */
    bool finished, ended;
};

struct sensor {
    struct sensor_hooks hooks;
    struct stats *stats;
    struct proofs *proofs; /* NULL: no evidence is kept */
    uint64_t passed_over;  /* wishes for evidence */
    struct reading {       /* of a transaction */
        struct transaction t;
        struct arena *arena;
    } reading[2];          /* in turn: the one to be judged, and the one behind it */
    uint32_t read, judged; /* running: how many */
    struct waiting {       /* a record that was passed in its ring, and is not released */
        struct one *from;
        const struct record *record;
    } waiting[WAITING];
    uint32_t waiting_first, waiting_count; /* running; how many */
    struct one workers[WORKERS_MOST];
    unsigned worker_count;
    struct sensor_view view;
    int64_t ticked;
    int64_t attended, blocked_since; /* monotonic; blocked_since 0: not blocked */
    bool whole;
    struct reason why;
    int status;
};

static void storm_changed(void *user, const struct storm *storm, enum storm_change change)
{
    struct sensor *s = user;
    if (s->proofs && storm->severity != SEVERITY_NOTICE)
        proofs_storm(s->proofs, storm);
    if (s->hooks.storm)
        s->hooks.storm(s->hooks.user, storm, change);
}

struct sensor *sensor_new(const struct sensor_settings *set, const struct sensor_hooks *hooks)
{
    struct sensor *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct sensor){.hooks = *hooks, .ticked = TIME_UNKNOWN, .whole = true, .view = {.first = TIME_UNKNOWN, .now = TIME_UNKNOWN}};
    assert(set->workers >= 1 && set->workers <= WORKERS_MOST && !(set->files && set->workers > 1));
    struct capture_settings capture = set->settings->capture;
    if (!set->evidence)
        capture.ring_bytes = 0;
    capture.ring_bytes /= set->workers;
    struct stats_sink storms = {.storm = storm_changed, .user = s};
    s->stats = stats_new(&set->settings->stats, &storms);
    s->proofs = capture.ring_bytes ? proofs_new(set->nameless) : NULL;
    for (int i = 0; i < 2; i++)
        s->reading[i].arena = arena_new(unread_arena(&set->settings->smtp));
    bool good = s->stats && s->reading[0].arena && s->reading[1].arena && (s->proofs || !capture.ring_bytes);
    for (unsigned i = 0; good && i < set->workers; i++) {
        struct worker_settings one = {
            .capture = &capture, .smtp = &set->settings->smtp, .index = i, .ring_bytes = set->files ? RING_FILES : RING_LIVE,
            .files = set->files, .lockstep = set->files && s->proofs, .nameless = set->nameless, .speed = set->speed,
        };
        struct worker *w = worker_new(&one);
        good = w != NULL;
        if (w)
            s->workers[s->worker_count++] = (struct one){.worker = w, .ring = worker_ring(w), .ticked = TIME_UNKNOWN};
    }
    if (good)
        return s;
    sensor_free(s);
    return NULL;
}

void sensor_free(struct sensor *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_free(s->workers[i].worker);
    proofs_free(s->proofs);
    for (int i = 0; i < 2; i++)
        arena_free(s->reading[i].arena);
    stats_free(s->stats);
    free(s);
}

bool sensor_files(struct sensor *s, const char *const paths[], size_t count, struct reason *why, int *status)
{
    return capture_open_files(worker_capture(s->workers[0].worker), paths, count, why, status);
}

bool sensor_interfaces(struct sensor *s, const struct interface_settings *interfaces, size_t count, struct reason *why, int *status)
{
    for (unsigned w = 0; w < s->worker_count; w++) {
        struct capture *c = worker_capture(s->workers[w].worker);
        for (size_t i = 0; i < count; i++) {
            struct interface_settings one = interfaces[i];
            one.buffer /= s->worker_count;
            if (!capture_interface(c, &one, why, status))
                return false;
        }
        *status = EX_UNAVAILABLE;
        if (s->worker_count > 1 && !capture_fanout(c, (uint16_t)getpid(), why))
            return false;
    }
    return true;
}

bool sensor_start(struct sensor *s, struct reason *why)
{
    for (unsigned i = 0; i < s->worker_count; i++)
        if (!worker_start(s->workers[i].worker))
            return reason_say(why, "no thread for capture worker %u of %u; run with fewer", i + 1, s->worker_count);
    return true;
}

void sensor_stop(struct sensor *s)
{
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_stop(s->workers[i].worker);
}

/* ---- time ----------------------------------------------------------------------------------------------------------------------- */

static void add_view(struct sensor_view *sum, const struct sensor_view *v)
{
    if (v->first != TIME_UNKNOWN && (sum->first == TIME_UNKNOWN || v->first < sum->first))
        sum->first = v->first;
    if (v->now > sum->now)
        sum->now = v->now;
    uint64_t packets = sum->capture.packets + v->capture.packets;
    if (packets)
        sum->mirror_copies += (v->mirror_copies - sum->mirror_copies) * (double)v->capture.packets / (double)packets;
    sum->records_lost += v->records_lost;
#define X(name, doc) sum->capture.name += v->capture.name;
    CAPTURE_COUNTERS(X)
#undef X
#define X(name, doc) sum->smtp.name += v->smtp.name;
    SMTP_COUNTERS(X)
#undef X
}

static void add_views(struct sensor *s)
{
    s->view = (struct sensor_view){.first = TIME_UNKNOWN, .now = TIME_UNKNOWN, .mirror_copies = 1.0};
    for (unsigned i = 0; i < s->worker_count; i++)
        add_view(&s->view, &s->workers[i].view);
    s->view.evidence_passed_over = s->passed_over;
}

/* A second has passed when it has passed for every worker. */
static void second_passed(struct sensor *s)
{
    int64_t now = INT64_MAX;
    for (unsigned i = 0; i < s->worker_count; i++)
        if (!s->workers[i].finished && s->workers[i].ticked < now)
            now = s->workers[i].ticked;
    if (now == INT64_MAX || now == TIME_UNKNOWN || now == s->ticked)
        return;
    s->ticked = now;
    add_views(s);
    const struct capture_counters *c = &s->view.capture;
    struct mirror_view mirror = {
        .copies = s->view.mirror_copies,
        .packets = c->packets,
        .kernel_drops = c->kernel_drops + c->interface_drops,
        .flows = c->flows,
        .one_sided_flows = c->one_sided_flows,
        .gaps = c->gaps,
    };
    stats_mirror(s->stats, &mirror, now);
    stats_tick(s->stats, now);
    if (s->hooks.tick)
        s->hooks.tick(s->hooks.user, now);
}

/* ---- records -------------------------------------------------------------------------------------------------------------------- */

static void wish(void *user, const char *alarm, uint64_t connection, int64_t until, const char *why)
{
    struct sensor *s = user;
    unsigned i = connection_worker(connection);
    if (i < s->worker_count && !worker_wish(s->workers[i].worker, alarm, connection, until, why))
        s->passed_over++;
}

static void read_transaction(struct sensor *s, const void *flat)
{
    struct reading *r = &s->reading[s->read++ % 2];
    unread_read(flat, r->arena, &r->t);
    stats_expect(s->stats, &r->t);
}

static void judge_transaction(struct sensor *s)
{
    struct reading *r = &s->reading[s->judged++ % 2];
    stats_transaction(s->stats, &r->t);
    if (s->hooks.transaction)
        s->hooks.transaction(s->hooks.user, &r->t, stats_last(s->stats).twin);
    arena_reset(r->arena);
}

static void capsule_done(struct sensor *s, const struct capsule_record *c)
{
    if (s->hooks.capsule)
        s->hooks.capsule(s->hooks.user, c->alarm, span_of(c->bytes, c->size));
    free(c->bytes);
}

/* When it is the last, what the storms came to is told, and the workers cut the last evidence. */
static void worker_finished(struct sensor *s, struct one *w, const struct end_record *e)
{
    w->view = e->view;
    w->finished = true;
    if (!e->whole && s->whole) {
        s->whole = false;
        s->why = e->why;
        s->status = e->status;
        sensor_stop(s); /* the others, too: whoever started us decides what to do without this interface */
    }
    for (unsigned i = 0; i < s->worker_count; i++)
        if (!s->workers[i].finished)
            return;
    add_views(s);
    stats_finish(s->stats, s->view.now);
    if (s->proofs)
        proofs_wish(s->proofs, wish, s);
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_handled(s->workers[i].worker, RECORD_FINISH);
}

static void *elsewhere_of(const struct record *r)
{
    void *elsewhere = NULL;
    if (r->elsewhere)
        memcpy(&elsewhere, r + 1, sizeof elsewhere);
    return elsewhere;
}

/* The oldest of the waiting. */
static void deal(struct sensor *s)
{
    struct waiting *oldest = &s->waiting[s->waiting_first++ % WAITING];
    struct one *w = oldest->from;
    void *elsewhere = elsewhere_of(oldest->record);
    const void *body = elsewhere ? elsewhere : oldest->record + 1;
    s->waiting_count--;
    switch ((enum record_kind)oldest->record->kind) {
    case RECORD_TRANSACTION:
        judge_transaction(s);
        break;
    case RECORD_SESSION:
        stats_session(s->stats, body);
        break;
    case RECORD_TICK:
        w->view = *(const struct sensor_view *)body;
        w->ticked = w->view.now;
        second_passed(s);
        if (s->proofs)
            proofs_wish(s->proofs, wish, s);
        worker_handled(w->worker, RECORD_TICK);
        break;
    case RECORD_CAPSULE:
        capsule_done(s, body);
        break;
    case RECORD_FINISH:
        worker_finished(s, w, body);
        break;
    case RECORD_END:
        w->ended = true;
        break;
    }
    free(elsewhere);
    ring_release(w->ring);
}

/* Records are dealt with one after another, but a transaction waits until the next one has been read, so that what stats/ will look at for
 * that comes into the cache meanwhile; and sessions wait behind it. */
static void take(struct sensor *s, struct one *w, struct span in)
{
    const struct record *r = (const void *)in.p;
    uint32_t left = r->kind == RECORD_TRANSACTION ? 1 : r->kind == RECORD_SESSION ? WAITING - 1 : 0;
    ring_pass(w->ring);
    s->waiting[(s->waiting_first + s->waiting_count++) % WAITING] = (struct waiting){w, r};
    if (r->kind == RECORD_TRANSACTION) {
        void *elsewhere = elsewhere_of(r);
        read_transaction(s, elsewhere ? elsewhere : r + 1);
    }
    while (s->waiting_count > left)
        deal(s);
}

/* The earliest record of all rings.  While a worker's ring is empty its next record may be earlier than what the others have: they wait for
 * it, but not for long. */
static struct one *next(struct sensor *s, struct span *in)
{
    struct one *best = NULL;
    int64_t best_time = 0;
    bool all = true;
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct one *w = &s->workers[i];
        struct span r = w->ended ? span_of(NULL, 0) : ring_peek(w->ring);
        all = all && (r.p || w->finished);
        int64_t time = r.p ? ((const struct record *)(const void *)r.p)->time : INT64_MAX;
        if (r.p && (!best || time < best_time)) {
            best = w;
            best_time = time;
            *in = r;
        }
    }
    if (all || !best) {
        s->blocked_since = 0;
        return best;
    }
    int64_t now = clock_monotonic();
    if (!s->blocked_since)
        s->blocked_since = now;
    return now - s->blocked_since > MERGE_WAIT ? best : NULL;
}

static bool running(const struct sensor *s)
{
    for (unsigned i = 0; i < s->worker_count; i++)
        if (!s->workers[i].ended)
            return true;
    return false;
}

static void attend(struct sensor *s)
{
    s->attended = clock_monotonic();
    if (s->hooks.attend)
        s->hooks.attend(s->hooks.user);
}

static void sleep_for_records(struct sensor *s)
{
    struct pollfd wait[WORKERS_MOST + 1];
    nfds_t n = 0;
    bool empty = true;
    for (unsigned i = 0; i < s->worker_count; i++)
        if (!s->workers[i].ended) {
            empty = ring_arm(s->workers[i].ring) && empty;
            wait[n++] = (struct pollfd){.fd = ring_descriptor(s->workers[i].ring), .events = POLLIN};
        }
    wait[n++] = (struct pollfd){.fd = s->hooks.descriptor, .events = POLLIN};
    struct timespec most = {.tv_nsec = s->blocked_since ? MERGE_WAIT / 10 : ATTEND};
    if (empty || s->blocked_since)
        ppoll(wait, n, &most, NULL);
    if (wait[n - 1].revents)
        attend(s);
}

bool sensor_run(struct sensor *s, struct reason *why, int *status)
{
    unsigned looks = 0, taken = 0;
    while (running(s)) {
        struct span in = span_of(NULL, 0);
        struct one *w = next(s, &in);
        if (w) {
            take(s, w, in);
            looks = 0;
            if (++taken % 64 != 0)
                continue;
        } else if (s->waiting_count) {
            deal(s);
        } else if (++looks > LOOKS + NAPS) {
            sleep_for_records(s);
        } else if (looks > LOOKS) {
            nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
        }
        if ((taken % 64 == 0 || looks > LOOKS) && clock_monotonic() - s->attended >= ATTEND)
            attend(s);
    }
    for (unsigned i = 0; i < s->worker_count; i++)
        worker_join(s->workers[i].worker);
    if (!s->whole) {
        *why = s->why;
        *status = s->status;
    }
    return s->whole;
}

struct stats *sensor_stats(struct sensor *s)
{
    return s->stats;
}

const struct sensor_view *sensor_view(const struct sensor *s)
{
    return &s->view;
}

unsigned sensor_workers(const struct sensor *s)
{
    return s->worker_count;
}
