/* In: every accepted mail, after the other detectors have had it.  Out: a mail bomb on the mailbox that is flooded with many mails or
 * many copies.
 *
 * Not counted: bounces (bounce.c), what has just been evidence for another storm, and the onward leg of a mail that a relay took for
 * the same recipient.  A role mailbox is busy all day: what it gets at other times of the last days is its habit, and a bomb is three
 * times that. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/cells.h"
#include "stats/ledger.h"
#include "stats/message.h"
#include "stats/victims.h"

#define HABITS      16384 /* mailboxes with so much mail that their habit is kept */
#define HABIT_SHARE 4     /* from a quarter of the minor threshold on */
#define OVER_HABIT  3
#define EXPECTED    8 /* recipients whose counts are fetched ahead */
#define HALF_LIFE   86400.0 /* s, of a habit */

struct habit {      /* the most that a mailbox got in one window, fading */
    int64_t window; /* number since the epoch */
    uint32_t hits;  /* most in this window so far */
    double usual;   /* of the windows before it */
};

struct mailbombs {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct ledger *ledger;
    struct victims *mailboxes;
    struct cells *habits;
};

static void drop(void *self)
{
    struct mailbombs *b = self;
    victims_free(b->mailboxes);
    cells_free(b->habits);
    free(b);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    struct mailbombs *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    *b = (struct mailbombs){.settings = settings, .incidents = incidents, .ledger = ledger};
    b->mailboxes = victims_new(memory, incidents, KIND_MAILBOMB, settings->mailbomb.window, settings->mailbomb.minor_mails,
        settings->mailbomb.major_mails);
    b->habits = cells_new(memory, sizeof(struct habit), HABITS);
    if (b->mailboxes && b->habits)
        return b;
    drop(b);
    return NULL;
}

/* What the mailbox usually gets in a window; takes note of `hits` unless they are a bomb already: s is the mailbox's storm, or NULL. */
static double habit_of(struct mailbombs *b, uint64_t recipient, uint32_t hits, const struct storm *s, int64_t now)
{
    int64_t window = now / b->settings->mailbomb.window;
    bool fresh;
    struct habit *h = cells_take(b->habits, recipient, now, &fresh);
    if (fresh)
        h->window = window;
    if (window > h->window) {
        double days = (double)(window - h->window) * (double)b->settings->mailbomb.window / (double)NS_PER_SECOND / HALF_LIFE;
        h->usual = fmax(h->usual, h->hits) * exp2(-days);
        h->window = window;
        h->hits = 0;
    }
    if ((!s || !incident_raised(s)) && hits > h->hits)
        h->hits = hits;
    return h->usual;
}

static bool is_text(const char text[STORM_TEXT_SIZE], struct span s)
{
    return s.n < STORM_TEXT_SIZE && text[s.n] == '\0' && (s.n == 0 || memcmp(text, s.p, s.n) == 0);
}

static void raise_storm(struct mailbombs *b, struct storm *s, const struct observation *o, struct span recipient, uint32_t hits)
{
    if (!is_text(s->victim, recipient)) /* it may be written otherwise */
        log_clean(recipient, s->victim, sizeof s->victim);
    s->recipients = 1;
    enum storm_severity severity = hits >= b->settings->mailbomb.major_mails ? SEVERITY_MAJOR : SEVERITY_MINOR;
    if (!incident_wants_words(s, severity, o->now)) {
        incident_touch(b->incidents, s, o->now);
        return;
    }
    detect_evidence(incident_host(s, o->t->client.address, "", true), o->t, "one of %u mails to the same mailbox, Subject: %.*s", hits,
        (int)(o->t->header.subject.n < 100 ? o->t->header.subject.n : 100), (const char *)o->t->header.subject.p);
    incident_raise(b->incidents, s, severity, o->now, "%s got %u mails within %lld minutes, from %u hosts.", s->victim, hits,
        (long long)(b->settings->mailbomb.window / NS_PER_SECOND / 60), s->host_count + s->hosts_more);
}

static void expect(void *self, const struct observation *o)
{
    const struct mailbombs *b = self;
    for (size_t i = 0; b->settings->mailbomb.enabled && i < o->t->recipient_count && i < EXPECTED; i++)
        victims_expect(b->mailboxes, o->t->recipients[i].hash);
}

static void observe(void *self, const struct observation *o)
{
    struct mailbombs *b = self;
    const struct transaction *t = o->t;
    struct address giver;
    if (!b->settings->mailbomb.enabled || !t->message || t->null_reverse_path || incident_latest(b->incidents) == o->now)
        return;
    if (!o->message && !o->first && t->header.hop_count && ledger_took(b->ledger, o->key, t->client.address, &giver))
        return; /* the onward leg of one kept in short form */
    int64_t habitual = b->settings->mailbomb.minor_mails / HABIT_SHARE;
    for (size_t i = 0, made = 0; i < t->recipient_count; i++) {
        const struct recipient *r = &t->recipients[i];
        if (!recipient_accepted(t, r))
            continue;
        const struct delivery *d = made < o->made_count ? &o->made[made++] : NULL;
        if (d && d->taken)
            continue;
        uint32_t hits = victims_hit(b->mailboxes, r->hash, o);
        struct storm *s = victims_storm(b->mailboxes, r->hash, hits, o, false);
        double usual = hits >= habitual ? habit_of(b, r->hash, hits, s, o->now) : 0;
        if (s && hits >= b->settings->mailbomb.minor_mails && hits > OVER_HABIT * usual)
            raise_storm(b, s, o, r->address, hits);
    }
}

const struct detector mailbomb_detector = {.make = make, .drop = drop, .traits = TRAIT_PLAIN, .expect = expect, .observe = observe};
