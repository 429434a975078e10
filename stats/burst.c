/* In: accepted mails, from stats.c.  Out: a warning when a client sends far more in ten minutes than it ever did about this hour on
 * the days before.
 *
 * The baseline of a client is the most it sent in ten minutes, for each hour of the day (UTC), fading from day to day; an hour is
 * judged by itself and its neighbours, so the nightly batch that runs a little late is known.  Nothing is said about a client known
 * for less than the setting `history`: a sensor's first days are silent. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "stats/cells.h"
#include "stats/detect.h"
#include "stats/window.h"

#define CLIENTS 8192 /* with a baseline: 2.5 MiB */
#define WINDOW  (600 * NS_PER_SECOND)
#define HOUR    (3600 * NS_PER_SECOND)
#define FADE    0.8 /* a day: what a weekly mailing sent is still a fifth of it a week later */

struct hour {
    int32_t day;         /* since the epoch, of `today` */
    float before, today; /* most in one window */
};

struct sender {
    int64_t first;
    struct hour hour[24];
};

struct bursts {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct window *counts;
    struct cells *senders;
    int64_t hour_begin; /* of the hour last asked for, so that most times need no division */
    int64_t day;        /* it is in, since the epoch */
    uint32_t hour;      /* of the day */
};

static void drop(void *self)
{
    struct bursts *b = self;
    window_free(b->counts);
    cells_free(b->senders);
    free(b);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    struct bursts *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    *b = (struct bursts){.settings = settings, .incidents = incidents, .hour_begin = -HOUR};
    b->counts = window_new(memory, WINDOW, CLIENTS);
    b->senders = cells_new(memory, sizeof(struct sender), CLIENTS);
    if (b->counts && b->senders)
        return b;
    drop(b);
    return NULL;
}

static __attribute__((noinline)) void hour_fade(struct hour *h, int64_t day)
{
    if (h->before > 0 || h->today > 0) {
        float faded = h->before * (float)pow(FADE, (double)(day - h->day)),
              yesterday = h->today * (float)pow(FADE, (double)(day - h->day - 1));
        h->before = fmaxf(faded, yesterday);
        h->today = 0;
    }
    h->day = (int32_t)day;
}

/* What the days before this one say of the hour. */
static float baseline_of_hour(struct hour *h, int64_t day)
{
    if (day > h->day)
        hour_fade(h, day);
    return h->before;
}

/* And of its neighbours. */
static float baseline(struct sender *s, int64_t now)
{
    float most = 0;
    for (int64_t hour = now / HOUR - 1; hour <= now / HOUR + 1; hour++)
        most = fmaxf(most, baseline_of_hour(&s->hour[hour % 24], hour / 24));
    return most;
}

static void raise_storm(struct bursts *b, uint64_t key, const struct observation *o, uint32_t count, float usual)
{
    struct storm *s = incident_open(b->incidents, hash_pair(KIND_BURST, key), KIND_BURST, o->now);
    if (!s)
        return;
    struct storm_host *h = detect_client(s, o);
    if (!incident_raised(s)) {
        s->deliveries = count - o->deliveries;
        if (h) {
            h->deliveries = count;
            h->role = ROLE_ORIGIN;
        }
    }
    s->copies++;
    s->deliveries += o->deliveries;
    incident_rate(s, o->deliveries, o->now);
    s->bytes += o->t->bytes;
    if (!incident_wants_words(s, SEVERITY_WARNING, o->now)) {
        incident_touch(b->incidents, s, o->now);
        return;
    }
    detect_evidence(h, o->t, "%u deliveries within ten minutes, at most %.0f about this hour on the days before", count, (double)usual);
    char address[ADDRESS_TEXT];
    incident_raise(b->incidents, s, SEVERITY_WARNING, o->now, "%s sent %u mails within ten minutes; about this hour it sends at most %.0f.",
        address_text(o->t->client.address, address), count, (double)usual);
}

static __attribute__((noinline)) void turn(struct bursts *b, int64_t now) /* to the hour of now */
{
    int64_t number = now / HOUR;
    b->hour_begin = number * HOUR;
    b->day = number / 24;
    b->hour = (uint32_t)(number % 24);
}

static void expect(void *self, const struct observation *o)
{
    const struct bursts *b = self;
    if (!b->settings->burst.enabled)
        return;
    window_expect(b->counts, o->k->client);
    cells_expect(b->senders, o->k->client);
}

static void near(void *self, const struct observation *o)
{
    const struct bursts *b = self;
    const struct sender *s = b->settings->burst.enabled ? cells_find(b->senders, o->k->client) : NULL;
    if (!s)
        return;
    __builtin_prefetch(s);
    __builtin_prefetch(&s->hour[b->hour], 1);
}

static void observe(void *self, const struct observation *o)
{
    struct bursts *b = self;
    if (!b->settings->burst.enabled || !o->t->message || o->now < HOUR)
        return;
    uint64_t key = o->k->client;
    uint32_t count = window_add(b->counts, key, o->deliveries, o->now);
    bool fresh;
    struct sender *s = cells_take(b->senders, key, o->now, &fresh);
    if (fresh)
        s->first = o->now;
    if (o->now < b->hour_begin || o->now - b->hour_begin >= HOUR)
        turn(b, o->now);
    struct hour *hour = &s->hour[b->hour];
    float usual = baseline_of_hour(hour, b->day);
    bool over = count >= b->settings->burst.least && o->now - s->first >= b->settings->burst.history;
    if (over) {
        usual = baseline(s, o->now);
        over = count > b->settings->burst.factor * (double)usual;
    }
    if (!over) { /* what is a burst makes no habit */
        if ((float)count > hour->today)
            hour->today = (float)count;
        return;
    }
    if (incident_latest(b->incidents) != o->now && !detect_blamed(b->incidents, o->t->client.address))
        raise_storm(b, key, o, count, usual);
}

const struct detector burst_detector = {.make = make, .drop = drop, .traits = TRAIT_MESSAGE,
    .expect = expect, .near = near, .observe = observe};
