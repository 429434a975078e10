/* In: packets, by way of capture/.  Out: what smtpdissect/ makes of them, flat in the ring to the stats thread; each second of packet time
 * the counters; evidence when it was asked for. */
#include "worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "smtpdissect/clear.h"
#include "smtpdissect/flat.h"
#include "smtpdissect/unread.h"

#define CAPSULE_CONNECTIONS 32                 /* in one section of evidence */
#define POLL (NS_PER_SECOND / 4)
#define QUIET (NS_PER_SECOND / 2)              /* a link without packets: time goes on this far behind the clock */
#define NAP 50000                              /* ns: the ring is full, or the tick not dealt with */

struct wish {
    char alarm[sizeof((struct capsule_record *)0)->alarm];
    char why[256];
    uint64_t connection;
    int64_t until;
};

struct worker {
    struct worker_settings settings;
    struct capture *capture;
    struct dissector *dissector;
    struct ring *ring;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    uint64_t records_lost;
    void *elsewhere;                    /* of the record being written */
    int64_t pace_began, pace_first;     /* monotonic ns; packet time */
    sem_t tick_handled, finish_handled;
    pthread_mutex_t lock; /* of the wishes */
    struct wish wishes[WORKER_WISHES];
    size_t wish_count;
};

static void nap(int64_t ns)
{
    nanosleep(&(struct timespec){.tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND}, NULL);
}

/* ---- records -------------------------------------------------------------------------------------------------------------------- */

/* Room for a body of n bytes; record_end() publishes it.  NULL: there is none, and the record is lost; never of one that `must`. */
static void *record_begin(struct worker *w, enum record_kind kind, size_t n, bool must)
{
    bool elsewhere = sizeof(struct record) + n > w->settings.ring_bytes / 4;
    w->elsewhere = elsewhere ? malloc(n + 1) : NULL;
    struct record *r = NULL;
    while (!elsewhere || w->elsewhere) {
        r = ring_reserve(w->ring, sizeof *r + (elsewhere ? sizeof w->elsewhere : n));
        if (r || !(w->settings.files || must))
            break;
        nap(NAP);
    }
    if (!r) {
        w->records_lost++;
        free(w->elsewhere);
        return NULL;
    }
    *r = (struct record){.time = capture_now(w->capture), .kind = kind, .elsewhere = elsewhere};
    if (!elsewhere)
        return r + 1;
    memcpy(r + 1, &w->elsewhere, sizeof w->elsewhere);
    return w->elsewhere;
}

/* The body has n bytes, or fewer than there is room for. */
static void record_end(struct worker *w, size_t n)
{
    ring_commit(w->ring, sizeof(struct record) + (w->elsewhere ? sizeof w->elsewhere : n));
}

static struct sensor_view view_now(const struct worker *w)
{
    return (struct sensor_view){
        .first = capture_first_time(w->capture), .now = capture_now(w->capture), .mirror_copies = capture_mirror_copies(w->capture),
        .capture = *capture_counters(w->capture), .smtp = *dissector_counters(w->dissector), .records_lost = w->records_lost,
    };
}

static void transaction_done(void *user, const struct unread *u)
{
    struct worker *w = user;
    void *to = record_begin(w, RECORD_TRANSACTION, unread_flat_most(u), false);
    if (to)
        record_end(w, unread_flatten(u, to));
}

static void session_done(void *user, const struct session_record *s)
{
    struct worker *w = user;
    size_t n = session_flat_size(s);
    void *to = record_begin(w, RECORD_SESSION, n, false);
    if (!to)
        return;
    session_flatten(s, to);
    record_end(w, n);
}

/* ---- evidence ------------------------------------------------------------------------------------------------------------------- */

bool worker_wish(struct worker *w, const char *alarm, uint64_t connection, int64_t until, const char *why)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->wish_count < WORKER_WISHES;
    if (room) {
        struct wish *wish = &w->wishes[w->wish_count++];
        *wish = (struct wish){.connection = connection & UINT64_MAX >> 8, .until = until};
        span_copy(span_text(alarm), wish->alarm, sizeof wish->alarm);
        span_copy(span_text(why), wish->why, sizeof wish->why);
    }
    pthread_mutex_unlock(&w->lock);
    return room;
}

/* Takes the wishes of one alarm, as many as one section holds, off the list. */
static size_t take_wishes(struct worker *w, struct wish *taken)
{
    size_t n = 0, left = 0;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->wish_count; i++)
        if (n < CAPSULE_CONNECTIONS && (n == 0 || strcmp(w->wishes[i].alarm, taken[0].alarm) == 0))
            taken[n++] = w->wishes[i];
        else
            w->wishes[left++] = w->wishes[i];
    w->wish_count = left;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static void cut_evidence(struct worker *w)
{
    struct wish taken[CAPSULE_CONNECTIONS];
    struct evidence_wish wishes[CAPSULE_CONNECTIONS];
    for (size_t n; (n = take_wishes(w, taken)) > 0;) {
        for (size_t i = 0; i < n; i++)
            wishes[i] = (struct evidence_wish){taken[i].connection, taken[i].until, span_text(taken[i].why)};
        char comment[128];
        snprintf(comment, sizeof comment, "alarm %s; mail text%s and passwords overwritten", taken[0].alarm,
            w->settings.nameless ? ", names, subjects" : "");
        struct capsule_record section = {.bytes = NULL};
        memcpy(section.alarm, taken[0].alarm, sizeof section.alarm);
        FILE *to = open_memstream(&section.bytes, &section.size);
        if (to) {
            section.packets = capture_evidence(w->capture, wishes, n, span_text(comment), to);
            bool good = !ferror(to);
            if (fclose(to) != 0 || !good || section.packets == 0) {
                free(section.bytes);
                section.bytes = NULL;
            }
        }
        void *at = section.bytes ? record_begin(w, RECORD_CAPSULE, sizeof section, false) : NULL;
        if (!at) {
            free(section.bytes);
            continue;
        }
        memcpy(at, &section, sizeof section);
        record_end(w, sizeof section);
    }
}

/* ---- time ----------------------------------------------------------------------------------------------------------------------- */

/* A replay waits until the clock has come as far as the packets. */
static void pace(struct worker *w, int64_t now)
{
    if (!w->settings.files || w->settings.speed <= 0)
        return;
    if (!w->pace_began) {
        w->pace_began = clock_monotonic();
        w->pace_first = now;
    }
    double wait = (double)(now - w->pace_first) / w->settings.speed;
    int64_t due = w->pace_began + (int64_t)(wait > 1e18 ? 1e18 : wait < 0 ? 0 : wait); /* a clock set back does not wait */
    for (int64_t left; !w->stopping && (left = due - clock_monotonic()) > 0;)
        nap(left < NS_PER_SECOND / 10 ? left : NS_PER_SECOND / 10);
}

static void wait_handled(sem_t *handled)
{
    while (sem_wait(handled) != 0) /* a signal */
        continue;
}

static void second_passed(void *user, int64_t now)
{
    struct worker *w = user;
    struct sensor_view *to = record_begin(w, RECORD_TICK, sizeof *to, false);
    if (to) {
        *to = view_now(w);
        to->now = now;
        record_end(w, sizeof *to);
        if (w->settings.lockstep && !w->stopping)
            wait_handled(&w->tick_handled);
    }
    cut_evidence(w);
    pace(w, now);
}

/* ---- capture's sink ------------------------------------------------------------------------------------------------------------- */

static void *connection_open(void *user, const struct connection *c)
{
    struct worker *w = user;
    return smtp_open(w->dissector, c->number | (uint64_t)w->settings.index << 56, c->side, c->client_certain, c->opened);
}

static void connection_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    smtp_push(session, from, bytes, now);
}

static void connection_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    smtp_gap(session, from, n, now);
}

static void connection_end(void *session, enum end how, int64_t now)
{
    (void)how;
    smtp_end(session, now);
}

static uint32_t connection_content_mark(const void *session)
{
    return smtp_place(session);
}

/* ---- the thread ----------------------------------------------------------------------------------------------------------------- */

static bool read_interfaces(struct worker *w, struct reason *why)
{
    while (!w->stopping) {
        uint64_t before = capture_counters(w->capture)->packets;
        if (!capture_poll(w->capture, POLL, why))
            return false;
        if (capture_counters(w->capture)->packets == before)
            capture_quiet(w->capture, clock_now() - QUIET);
    }
    return true;
}

static void *run(void *user)
{
    struct worker *w = user;
    struct end_record end = {.status = 0};
    end.whole = w->settings.files ? capture_read(w->capture, &end.why, &end.status) : read_interfaces(w, &end.why);
    if (!end.whole && !w->settings.files)
        end.status = EX_UNAVAILABLE;
    capture_finish(w->capture, INT64_MIN);
    end.view = view_now(w);
    struct end_record *to = record_begin(w, RECORD_FINISH, sizeof end, true);
    *to = end;
    record_end(w, sizeof end);
    wait_handled(&w->finish_handled);
    cut_evidence(w);
    record_begin(w, RECORD_END, 0, true);
    record_end(w, 0);
    return NULL;
}

struct worker *worker_new(const struct worker_settings *settings)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->settings = *settings;
    struct smtp_sink records = {.unread = transaction_done, .session = session_done, .user = w};
    struct capture_sink connections = {
        .open = connection_open,
        .bytes = connection_bytes,
        .gap = connection_gap,
        .end = connection_end,
        .content_mark = connection_content_mark,
        .clear = settings->nameless ? smtp_clear_nameless : smtp_clear,
        .tick = second_passed,
        .user = w,
    };
    pthread_mutex_init(&w->lock, NULL);
    sem_init(&w->tick_handled, 0, 0);
    sem_init(&w->finish_handled, 0, 0);
    w->ring = ring_new(settings->ring_bytes);
    w->dissector = dissector_new(settings->smtp, &records);
    w->capture = capture_new(settings->capture, &connections);
    if (w->ring && w->dissector && w->capture)
        return w;
    worker_free(w);
    return NULL;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    capture_free(w->capture); /* ends sessions, so first */
    dissector_free(w->dissector);
    ring_free(w->ring);
    sem_destroy(&w->tick_handled);
    sem_destroy(&w->finish_handled);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct capture *worker_capture(struct worker *w)
{
    return w->capture;
}

bool worker_start(struct worker *w)
{
    w->started = pthread_create(&w->thread, NULL, run, w) == 0;
    return w->started;
}

void worker_stop(struct worker *w)
{
    w->stopping = true;
    capture_stop(w->capture);
}

void worker_join(struct worker *w)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
}

struct ring *worker_ring(struct worker *w)
{
    return w->ring;
}

void worker_handled(struct worker *w, enum record_kind kind)
{
    if (kind == RECORD_FINISH)
        sem_post(&w->finish_handled);
    else if (w->settings.lockstep)
        sem_post(&w->tick_handled);
}
