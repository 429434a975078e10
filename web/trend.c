/* In: a second of counts, a change of an alarm, from the caller of web_rates() and web_storm(); questions, from the pages' thread.  Out: to
 * the files, through traffic.c and course.c; answers.  A disk that is slow or full holds up this thread alone: the queue is bounded, and
 * when it is full the newest second takes the next one's counts along, so that nothing is lost but detail. */
#include "web/trend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "web/course.h"
#include "web/painter.h"

#define POSTS     1024 /* a quarter of an hour of a disk that does not answer */
#define QUESTIONS 64
#define RETRY     5    /* seconds */
#define FORGET    (24 * 3600 * NS_PER_SECOND)

struct post {
    bool is_alarm;
    union {
        struct rates second;
        struct course_mark alarm;
    };
};

struct trend {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stopping;
    struct post posts[POSTS]; /* a ring */
    size_t begin, count;
    struct trend_question *first, **last;
    size_t questions;
    struct trend_health health;
    struct course_mark open[COURSE_LIVE]; /* alarms as they were last told */
    size_t open_count;
    /* the thread's own */
    char state_directory[4096], directory[4096 + 8];
    struct traffic traffic;
    struct courses courses;
    struct painter painter;
    int64_t retry_at, forget_at; /* monotonic */
};

/* ---- what comes in, from any thread ------------------------------------------------------------------------------------------------ */

static struct post *at(struct trend *t, size_t i)
{
    return &t->posts[(t->begin + i) % POSTS];
}

static void add_up(struct rates *sum, const struct rates *r)
{
    sum->time = r->time;
#define X(name, doc) sum->name += r->name;
    RATES(X)
#undef X
    memcpy(sum->alarms, r->alarms, sizeof sum->alarms);
}

void trend_rates(struct trend *t, const struct rates *r)
{
    pthread_mutex_lock(&t->lock);
    if (t->count < POSTS) {
        *at(t, t->count++) = (struct post){.second = *r};
    } else {
        size_t i = POSTS;
        while (i > POSTS / 2 && at(t, i - 1)->is_alarm)
            i--;
        struct post *newest = at(t, i - 1); /* what the thread has in hand stands in the first half */
        if (newest->is_alarm)
            *newest = (struct post){.second = *r};
        else
            add_up(&newest->second, r);
    }
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
}

static void post_alarm(struct trend *t, const struct course_mark *m)
{
    if (t->count < POSTS) {
        *at(t, t->count++) = (struct post){.is_alarm = true, .alarm = *m};
        return;
    }
    for (size_t i = POSTS; i > POSTS / 2; i--) {
        struct post *p = at(t, i - 1);
        if (p->is_alarm && strcmp(p->alarm.id, m->id) == 0) {
            p->alarm = *m;
            return;
        }
    }
    t->health.lost++;
}

void trend_storm(struct trend *t, const struct storm *s)
{
    struct course_mark m;
    if (s->peak_severity == SEVERITY_NOTICE)
        return;
    course_mark_from(s, &m);
    pthread_mutex_lock(&t->lock);
    size_t i = 0;
    while (i < t->open_count && strcmp(t->open[i].id, m.id) != 0)
        i++;
    if (i == t->open_count && m.open && i < COURSE_LIVE)
        t->open_count++;
    if (i < t->open_count)
        t->open[i] = m.open ? m : t->open[--t->open_count];
    post_alarm(t, &m);
    pthread_mutex_unlock(&t->lock);
}

void trend_message(struct trend *t, const char *message_id, uint64_t deliveries, uint64_t redeliveries, uint64_t recipients)
{
    uint64_t message = course_message(message_id);
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->open_count; i++) {
        struct course_mark *m = &t->open[i];
        if (!message || m->message != message)
            continue;
        if (deliveries >= m->deliveries && redeliveries >= m->redeliveries && recipients >= m->recipients) {
            m->deliveries = deliveries;
            m->redeliveries = redeliveries;
            m->recipients = recipients;
        }
        post_alarm(t, m);
    }
    pthread_mutex_unlock(&t->lock);
}

bool trend_has_room(struct trend *t)
{
    pthread_mutex_lock(&t->lock);
    bool room = !t->stopping && t->questions < QUESTIONS;
    pthread_mutex_unlock(&t->lock);
    return room;
}

void trend_ask(struct trend *t, struct trend_question *q)
{
    pthread_mutex_lock(&t->lock);
    q->next = NULL;
    *t->last = q;
    t->last = &q->next;
    t->questions++;
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
}

void trend_health(struct trend *t, struct trend_health *h)
{
    pthread_mutex_lock(&t->lock);
    *h = t->health;
    pthread_mutex_unlock(&t->lock);
}

/* ---- the thread --------------------------------------------------------------------------------------------------------------------- */

static void tell_trouble(struct trend *t, const char *trouble)
{
    pthread_mutex_lock(&t->lock);
    bool was = t->health.trouble[0], is = trouble[0];
    span_copy(span_text(trouble), t->health.trouble, sizeof t->health.trouble);
    t->health.skipped = t->traffic.skipped;
    pthread_mutex_unlock(&t->lock);
    if (is && !was)
        log_line(LOG_LEVEL_WARNING, "graphs: %s; everything else goes on; mend it, or set enabled = false in section rrd", trouble);
    else if (was && !is)
        log_line(LOG_LEVEL_NOTICE, "graphs: they are kept again");
}

/* Puts the first `n` posts; returns how many are done with. */
static size_t put(struct trend *t, const struct post *posts, size_t n, struct reason *why)
{
    struct rates seconds[TRAFFIC_BATCH];
    size_t place[TRAFFIC_BATCH], count = 0, taken;
    struct reason of_alarms = {""};
    if (mkdir(t->directory, 0700) != 0 && errno != EEXIST) {
        reason_say(why, "%s: cannot make the directory: %s", t->directory, strerror(errno));
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (posts[i].is_alarm) {
            courses_take(&t->courses, &posts[i].alarm);
        } else {
            courses_second(&t->courses, posts[i].second.time / NS_PER_SECOND, &of_alarms);
            place[count] = i;
            seconds[count++] = posts[i].second;
        }
    }
    if (!traffic_put(&t->traffic, seconds, count, &taken, why))
        return taken < count ? place[taken] : n;
    *why = of_alarms; /* "": all went well */
    return n;
}

static void answer(struct trend *t, struct trend_question *q)
{
    char path[ROBIN_PATH];
    bool there = q->alarm[0] ? courses_path(&t->courses, q->alarm, path) : traffic_path(&t->traffic, q->from, q->to, path);
    q->answer = TREND_NOTHING;
    if (there && q->arguments) {
        robin_flush(t->traffic.cache, path);
        q->answer = painter_draw(&t->painter, path, q->arguments, q->count, &q->image, &q->size, &q->why) ? TREND_GOOD : TREND_FAILED;
    } else if (there && (q->rows = calloc(q->most, sizeof *q->rows))) {
        q->row_count = traffic_rows(&t->traffic, q->from, q->to, q->step, q->rows, q->most);
        q->answer = TREND_GOOD;
    }
    q->ready(q->user);
}

static void forget(struct trend *t)
{
    if (clock_monotonic() < t->forget_at)
        return;
    t->forget_at = clock_monotonic() + FORGET;
    courses_forget(&t->courses, t->state_directory);
}

/* Under the lock: waits until there is something to do; false: it is the end. */
static bool wait_for_work(struct trend *t)
{
    for (;;) {
        int64_t now = clock_monotonic(), wait = t->retry_at - now;
        bool held = t->count && wait > 0; /* it failed a moment ago */
        if (t->first || (t->count && !held) || t->stopping)
            return t->first || (t->count && !held);
        if (!held) {
            pthread_cond_wait(&t->work, &t->lock);
        } else {
            struct timespec until = {.tv_sec = (now + wait) / NS_PER_SECOND, .tv_nsec = (now + wait) % NS_PER_SECOND};
            pthread_cond_timedwait(&t->work, &t->lock, &until);
        }
    }
}

static void *run(void *user)
{
    struct trend *t = user;
    struct post batch[TRAFFIC_BATCH];
    pthread_mutex_lock(&t->lock);
    while (wait_for_work(t)) {
        struct trend_question *q = t->first;
        size_t n = t->count < TRAFFIC_BATCH ? t->count : TRAFFIC_BATCH;
        if (q) {
            t->first = q->next;
            t->last = t->first ? t->last : &t->first;
            t->questions--;
        }
        if (clock_monotonic() < t->retry_at)
            n = 0;
        for (size_t i = 0; i < n; i++)
            batch[i] = *at(t, i);
        pthread_mutex_unlock(&t->lock);
        struct reason why = {""};
        size_t done = n ? put(t, batch, n, &why) : 0;
        if (n)
            tell_trouble(t, why.text);
        if (done < n)
            t->retry_at = clock_monotonic() + RETRY * NS_PER_SECOND;
        if (q)
            answer(t, q);
        else
            forget(t);
        painter_rest(&t->painter, clock_monotonic());
        pthread_mutex_lock(&t->lock);
        t->begin = (t->begin + done) % POSTS;
        t->count -= done;
    }
    pthread_mutex_unlock(&t->lock);
    painter_end(&t->painter);
    if (t->traffic.current) { /* what changed after the last second */
        struct reason why;
        courses_second(&t->courses, t->traffic.previous + 1, &why);
    }
    return NULL;
}

struct trend *trend_start(const char *state_directory, const char *cache, size_t alarms)
{
    struct trend *t = calloc(1, sizeof *t);
    pthread_condattr_t monotonic;
    if (!t)
        return NULL;
    span_copy(span_text(state_directory), t->state_directory, sizeof t->state_directory);
    snprintf(t->directory, sizeof t->directory, "%s/rrd", state_directory);
    traffic_init(&t->traffic, t->directory, cache);
    courses_init(&t->courses, t->directory, cache, alarms);
    t->last = &t->first;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&t->thread, NULL, run, t) == 0)
        return t;
    trend_free(t);
    return NULL;
}

void trend_stop(struct trend *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
}

void trend_free(struct trend *t)
{
    if (!t)
        return;
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
