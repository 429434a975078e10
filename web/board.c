/* In: what web_* was given by the sensor.  Out: copies of it, to api.c and metrics.c.  Seconds are kept for an hour and tens of seconds for
 * a day. */
#include "web/board.h"

#include <pthread.h>
#include <stdlib.h>

#include "stats/storm_json.h"

#define SECONDS 3600
#define TENS    8640

struct notch { /* ten seconds, summed */
    int64_t time;
    struct rates sum;
    int64_t seconds;
};

struct alarm {
    char id[STORM_ID_SIZE];
    enum storm_state state;
    enum storm_severity severity;
    int64_t raised;
    char *text; /* JSON */
};

struct board {
    pthread_mutex_t lock;
    char *status, *messages; /* JSON; NULL: nothing said yet */
    bool alive;
    char why[STORM_TEXT_SIZE];
    struct alarm alarms[BOARD_ALARMS];
    size_t alarm_count;
    struct web_counter counters[WEB_COUNTERS];
    size_t counter_count;
    int64_t latest; /* second */
    struct rates second[SECONDS];
    struct notch ten[TENS];
};

struct board *board_new(void)
{
    struct board *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->alive = true;
    pthread_mutex_init(&b->lock, NULL);
    return b;
}

void board_free(struct board *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->alarm_count; i++)
        free(b->alarms[i].text);
    free(b->status);
    free(b->messages);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* ---- the sensor's side: text is made before the lock is taken ------------------------------------------------------------------ */

static void put_text(struct board *b, char **place, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | STORM_JSON_FLAGS);
    json_decref(object);
    if (!text)
        return; /* out of memory: what was known stands */
    pthread_mutex_lock(&b->lock);
    char *old = *place;
    *place = text;
    pthread_mutex_unlock(&b->lock);
    free(old);
}

void board_put_status(struct board *b, json_t *status)
{
    put_text(b, &b->status, status);
}

void board_put_messages(struct board *b, json_t *messages)
{
    put_text(b, &b->messages, messages);
}

void board_put_sensor(struct board *b, bool alive, const char *why)
{
    pthread_mutex_lock(&b->lock);
    b->alive = alive;
    span_copy(span_text(why), b->why, sizeof b->why);
    pthread_mutex_unlock(&b->lock);
}

void board_put_counters(struct board *b, const struct web_counter *counters, size_t count)
{
    pthread_mutex_lock(&b->lock);
    b->counter_count = count < WEB_COUNTERS ? count : WEB_COUNTERS;
    memcpy(b->counters, counters, b->counter_count * sizeof *counters);
    pthread_mutex_unlock(&b->lock);
}

void board_put_rates(struct board *b, const struct rates *r)
{
    int64_t second = r->time / NS_PER_SECOND, ten = second / 10;
    if (second < 0)
        return;
    pthread_mutex_lock(&b->lock);
    b->latest = second;
    b->second[second % SECONDS] = *r;
    struct notch *n = &b->ten[ten % TENS];
    if (n->time != ten)
        *n = (struct notch){.time = ten};
    n->seconds++;
#define X(name, doc) n->sum.name += r->name;
    RATES(X)
#undef X
    pthread_mutex_unlock(&b->lock);
}

/* The alarm's place: its own, a new one, or that of the oldest cleared one; NULL: the board is full of open alarms. */
static struct alarm *place_for(struct board *b, const char *id)
{
    struct alarm *oldest = NULL;
    for (size_t i = 0; i < b->alarm_count; i++) {
        struct alarm *a = &b->alarms[i];
        if (strcmp(a->id, id) == 0)
            return a;
        if (a->state == STATE_CLEARED && (!oldest || a->raised < oldest->raised))
            oldest = a;
    }
    return b->alarm_count < BOARD_ALARMS ? &b->alarms[b->alarm_count++] : oldest;
}

void board_put_alarm(struct board *b, const struct storm *s, json_t *storm)
{
    char *text = json_dumps(storm, JSON_COMPACT | STORM_JSON_FLAGS), *old = text;
    if (!text)
        return;
    pthread_mutex_lock(&b->lock);
    struct alarm *a = place_for(b, s->id);
    if (a) {
        old = a->text;
        *a = (struct alarm){.state = s->state, .severity = s->severity, .raised = s->raised, .text = text};
        span_copy(span_text(s->id), a->id, sizeof a->id);
    }
    pthread_mutex_unlock(&b->lock);
    free(old);
}

/* ---- the pages' side: JSON is read outside the lock ----------------------------------------------------------------------------- */

static json_t *take_text(struct board *b, char *const *place)
{
    pthread_mutex_lock(&b->lock);
    char *copy = *place ? strdup(*place) : NULL;
    pthread_mutex_unlock(&b->lock);
    json_t *object = copy ? json_loads(copy, 0, NULL) : json_object();
    free(copy);
    return object;
}

json_t *board_status(struct board *b)
{
    json_t *status = take_text(b, &b->status);
    pthread_mutex_lock(&b->lock);
    json_t *sensor = json_pack("{s:b, s:o}", "alive", b->alive, "why", b->why[0] ? json_string(b->why) : json_null());
    pthread_mutex_unlock(&b->lock);
    json_object_set_new(status, "sensor", sensor);
    return status;
}

json_t *board_messages(struct board *b)
{
    return take_text(b, &b->messages);
}

static int by_raised(const void *x, const void *y)
{
    const struct alarm *a = x, *b = y;
    return (a->raised > b->raised) - (a->raised < b->raised);
}

json_t *board_alarms(struct board *b, int state)
{
    json_t *list = json_array();
    struct alarm *copy = calloc(BOARD_ALARMS, sizeof *copy);
    size_t n = 0;
    if (!copy)
        return list;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->alarm_count; i++)
        if (state < 0 || (int)b->alarms[i].state == state) {
            copy[n] = b->alarms[i];
            copy[n++].text = strdup(b->alarms[i].text);
        }
    pthread_mutex_unlock(&b->lock);
    qsort(copy, n, sizeof *copy, by_raised);
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, copy[i].text ? json_loads(copy[i].text, 0, NULL) : NULL);
        free(copy[i].text);
    }
    free(copy);
    return list;
}

json_t *board_alarm(struct board *b, const char *id)
{
    char *text = NULL;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->alarm_count && !text; i++)
        if (strcmp(b->alarms[i].id, id) == 0)
            text = strdup(b->alarms[i].text);
    pthread_mutex_unlock(&b->lock);
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return object;
}

void board_active(struct board *b, uint32_t active[SEVERITY_CRITICAL + 1])
{
    memset(active, 0, (SEVERITY_CRITICAL + 1) * sizeof *active);
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->alarm_count; i++)
        if (b->alarms[i].state != STATE_CLEARED)
            active[b->alarms[i].severity]++;
    pthread_mutex_unlock(&b->lock);
}

size_t board_counters(struct board *b, struct web_counter counters[WEB_COUNTERS])
{
    pthread_mutex_lock(&b->lock);
    size_t n = b->counter_count;
    memcpy(counters, b->counters, n * sizeof *counters);
    pthread_mutex_unlock(&b->lock);
    return n;
}

int64_t board_latest(struct board *b)
{
    pthread_mutex_lock(&b->lock);
    int64_t latest = b->latest;
    pthread_mutex_unlock(&b->lock);
    return latest;
}

size_t board_marks(struct board *b, int64_t from, int64_t to, struct board_mark *marks, size_t most)
{
    size_t n = 0;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->alarm_count && n < most; i++) {
        const struct alarm *a = &b->alarms[i];
        if (a->severity > SEVERITY_NOTICE && a->raised >= from && a->raised < to)
            marks[n++] = (struct board_mark){.raised = a->raised, .severity = a->severity};
    }
    pthread_mutex_unlock(&b->lock);
    return n;
}

/* Adds up what is known of [from, to), in seconds since the epoch; returns how many seconds that is. */
static int64_t add_up(const struct board *b, bool tens, int64_t from, int64_t to, struct rates *sum)
{
    int64_t known = 0;
    for (int64_t at = tens ? from / 10 : from; at < (tens ? to / 10 : to); at++) {
        const struct notch *n = &b->ten[at % TENS];
        const struct rates *r = tens ? &n->sum : &b->second[at % SECONDS];
        if (tens ? n->time != at || n->seconds == 0 : r->time / NS_PER_SECOND != at)
            continue;
        known += tens ? n->seconds : 1;
#define X(name, doc) sum->name += r->name;
        RATES(X)
#undef X
    }
    return known;
}

json_t *board_rates(struct board *b, int64_t from, int64_t to, int64_t step)
{
    json_t *list = json_array();
    bool tens = step >= 10 && step % 10 == 0;
    int64_t reach = tens ? TENS * 10 : SECONDS;
    from = from / NS_PER_SECOND / step * step;
    to = to / NS_PER_SECOND;
    pthread_mutex_lock(&b->lock);
    if (to > b->latest)
        to = b->latest + 1; /* the future brings no rows, and takes none */
    pthread_mutex_unlock(&b->lock);
    if (to - from > reach)
        from = (to - reach) / step * step;
    for (from = from < 0 ? 0 : from; list && from < to; from += step) {
        struct rates sum = {.time = from * NS_PER_SECOND};
        char when[TIME_TEXT];
        pthread_mutex_lock(&b->lock);
        int64_t known = add_up(b, tens, from, from + step, &sum);
        pthread_mutex_unlock(&b->lock);
        if (known == 0)
            continue;
        json_t *row = json_pack("{s:s}", "time", clock_text(sum.time, when));
#define X(name, doc) json_object_set_new(row, #name, json_real((double)sum.name / (double)known));
        RATES(X)
#undef X
        json_array_append_new(list, row);
    }
    return list;
}
