/* In: notices from the store.  Out: attempts to deliver them, through the channel's kind; what became of them to the store, to
 * alert_health(), and when a channel begins to fail or works again, to env->trouble. */
#include "alert/courier.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define FIRST_PAUSE   NS_PER_SECOND
#define FAILING_AFTER 2 /* attempts in a row: one lost datagram is no trouble */
#define PARTING       (2 * NS_PER_SECOND)

struct courier {
    const struct courier_kind *kind;
    const struct route *route;
    const void *section;
    const struct courier_env *env;
    void *receiver; /* NULL: could not be opened yet */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool awake, stopping, ended;
    int64_t part_by;   /* monotonic: stopping and nothing is begun after it */
    atomic_bool stop;  /* an attempt under way is to end */
    uint32_t failures; /* in a row */
    struct alert_health health;
};

static void told_trouble(struct courier *c, bool failing, const char *why)
{
    if (c->env->trouble)
        c->env->trouble(c->env->user, c->route->name, failing, why);
}

/* What an attempt gave, into the health; tells when that changes how the channel stands. */
static void note_delivery(struct courier *c, enum delivery d, const struct reason *why, bool counts)
{
    bool good = d == DELIVERY_CONFIRMED || d == DELIVERY_HOPED, began = false, ended = false;
    pthread_mutex_lock(&c->lock);
    if (good) {
        c->health.sent += counts;
        c->health.delivered += counts && d == DELIVERY_CONFIRMED;
        c->health.last_ok = clock_now();
        ended = c->health.failing;
        c->failures = 0;
        c->health.failing = false;
    } else {
        c->health.failed++;
        c->failures++;
        began = !c->health.failing && (c->failures >= FAILING_AFTER || d == DELIVERY_REFUSED);
        c->health.failing = c->health.failing || began;
        log_clean(span_text(why->text), c->health.error, sizeof c->health.error);
    }
    pthread_mutex_unlock(&c->lock);
    if (began || ended)
        told_trouble(c, began, began ? why->text : "works again");
}

static struct timespec real_in(int64_t ns)
{
    int64_t at = clock_monotonic() + ns;
    return (struct timespec){(time_t)(at / NS_PER_SECOND), (long)(at % NS_PER_SECOND)};
}

/* Waits until woken, stopped or `ns` are over; false: the thread is to end. */
static bool rest(struct courier *c, int64_t ns, bool wakes)
{
    struct timespec until = real_in(ns);
    pthread_mutex_lock(&c->lock);
    int timed_out = 0;
    while (!timed_out && !c->stopping && !(wakes && c->awake))
        timed_out = pthread_cond_timedwait(&c->changed, &c->lock, &until);
    if (wakes)
        c->awake = false;
    bool on = !c->stopping;
    pthread_mutex_unlock(&c->lock);
    return on;
}

/* Full jitter on the upper fifth, so that several sensors do not come at once. */
static int64_t pause_after(const struct courier *c, uint32_t failures)
{
    int64_t pause = FIRST_PAUSE;
    for (uint32_t i = 1; i < failures && pause < c->env->retry; i++)
        pause *= 2;
    if (pause > c->env->retry)
        pause = c->env->retry;
    return pause - clock_monotonic() % (pause / 5 + 1);
}

static bool is_stopping(struct courier *c)
{
    pthread_mutex_lock(&c->lock);
    bool yes = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return yes;
}

static bool parting(struct courier *c)
{
    pthread_mutex_lock(&c->lock);
    bool yes = c->stopping && clock_monotonic() >= c->part_by;
    pthread_mutex_unlock(&c->lock);
    return yes;
}

static void know_one(void *user, const struct notice *n)
{
    struct courier *c = user;
    c->kind->know(c->receiver, n);
}

/* A missing certificate or command may come later: it fails this channel, not the others. */
static bool opened(struct courier *c, struct reason *why)
{
    if (c->receiver)
        return true;
    c->receiver = c->kind->open(c->section, why);
    if (c->receiver && c->kind->know)
        store_open_incidents(c->env->store, c->route->name, know_one, c);
    return c->receiver != NULL;
}

/* One attempt, and the pause after a failed one; false: the thread is to end. */
static bool deliver(struct courier *c, const struct notice *n)
{
    struct reason why = {""};
    enum delivery d = opened(c, &why) ? c->kind->send(c->receiver, n, &c->stop, &why) : DELIVERY_FAILED;
    if (d == DELIVERY_FAILED && atomic_load(&c->stop))
        return false;
    if (d != DELIVERY_FAILED)
        store_done(c->env->store, c->route->name, n->number);
    note_delivery(c, d, &why, true);
    if (d == DELIVERY_REFUSED)
        courier_count(c, 0, 1);
    return d != DELIVERY_FAILED || rest(c, pause_after(c, c->failures), false);
}

static void refresh(struct courier *c)
{
    struct reason why = {""};
    if (!c->kind->refresh)
        return;
    enum delivery d = opened(c, &why) ? c->kind->refresh(c->receiver, clock_now(), &c->stop, &why) : DELIVERY_FAILED;
    if (d != DELIVERY_HOPED) /* HOPED: there was nothing to do */
        note_delivery(c, d, &why, false);
}

static void *courier_run(void *arg)
{
    struct courier *c = arg;
    bool on = true;
    while (on && !parting(c)) {
        uint64_t dropped = 0;
        struct notice *n = store_next(c->env->store, c->route->name, clock_now() - c->env->keep, &dropped);
        courier_count(c, 0, dropped);
        if (n)
            on = deliver(c, n);
        else if (is_stopping(c))
            on = false;
        else {
            refresh(c);
            rest(c, NS_PER_SECOND, true);
        }
        notice_free(n);
    }
    pthread_mutex_lock(&c->lock);
    c->ended = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct courier *courier_start(const struct courier_spec *spec, const struct courier_env *env, bool failing, struct reason *why)
{
    struct courier *c = calloc(1, sizeof *c);
    if (!c) {
        reason_say(why, "%s: out of memory", spec->route->name);
        return NULL;
    }
    c->kind = spec->kind;
    c->route = spec->route;
    c->section = spec->section;
    c->env = env;
    c->health.confirmed = spec->kind->confirms(spec->section);
    c->health.last_ok = TIME_UNKNOWN;
    c->health.failing = failing;
    span_copy(span_text(spec->route->name), c->health.name, sizeof c->health.name);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&c->thread, NULL, courier_run, c) == 0)
        return c;
    reason_say(why, "%s: no thread to be had", spec->route->name);
    free(c);
    return NULL;
}

void courier_wake(struct courier *c)
{
    pthread_mutex_lock(&c->lock);
    c->awake = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void courier_count(struct courier *c, uint64_t suppressed, uint64_t dropped)
{
    pthread_mutex_lock(&c->lock);
    c->health.suppressed += suppressed;
    c->health.dropped += dropped;
    pthread_mutex_unlock(&c->lock);
}

void courier_stop(struct courier *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->stopping)
        c->part_by = clock_monotonic() + PARTING;
    c->stopping = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void courier_free(struct courier *c)
{
    if (!c)
        return;
    courier_stop(c);
    struct timespec until = real_in(c->part_by - clock_monotonic());
    pthread_mutex_lock(&c->lock);
    for (int timed_out = 0; !c->ended && !timed_out;)
        timed_out = pthread_cond_timedwait(&c->changed, &c->lock, &until);
    pthread_mutex_unlock(&c->lock);
    atomic_store(&c->stop, true);
    pthread_join(c->thread, NULL);
    if (c->receiver)
        c->kind->close(c->receiver);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void courier_health(struct courier *c, struct alert_health *h)
{
    size_t queued = store_waiting(c->env->store, c->route->name);
    pthread_mutex_lock(&c->lock);
    *h = c->health;
    pthread_mutex_unlock(&c->lock);
    h->queued = (uint32_t)queued;
}

size_t courier_specs(const struct alert_settings *s, struct courier_spec specs[ALERT_CHANNELS])
{
    size_t n = 0;
#define SPECS(of)                                                                                                                          \
    for (size_t i = 0; i < s->of##_count; i++)                                                                                             \
        if (s->of[i].route.enabled)                                                                                                        \
            specs[n++] = (struct courier_spec){&of##_kind, &s->of[i].route, &s->of[i]};
    SPECS(snmp)
    SPECS(syslog)
    SPECS(webhook)
    SPECS(alertmanager)
    SPECS(exec)
    SPECS(mail)
#undef SPECS
    _Static_assert(SNMP_MOST + SYSLOG_MOST + WEBHOOK_MOST + ALERTMANAGER_MOST + EXEC_MOST + MAIL_MOST <= ALERT_CHANNELS,
        "more sections than channels");
    return n;
}
