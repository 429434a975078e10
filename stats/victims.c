/* In: deliveries that bounce.c or mailbomb.c hold for part of a flood, by victim.  Out: how many hit the victim in the window; once
 * they are enough, the storm with its counts and the hosts that sent, those before the alarm too. */
#include "stats/victims.h"

#include <stdlib.h>

#include "base/hash.h"
#include "stats/cells.h"
#include "stats/window.h"

#define KEYS        65536 /* victims counted at once: 5 MiB */
#define CROWDS      4096  /* of them, with so many hits that their senders are kept */
#define CROWD_SHARE 8     /* from an eighth of the minor threshold on */
#define SENDERS     16    /* kept a victim before the alarm */
#define OPENED      1024

struct crowd { /* of the senders to one victim, before there is a storm to hold them */
    int64_t first;
    uint64_t mails, recipients;
    uint32_t count;
    struct {
        struct address address;
        uint32_t mails;
        int64_t first, last;
    } sender[SENDERS];
};

struct victims {
    struct incidents *incidents;
    enum storm_kind kind;
    int64_t minor, major;
    struct window *hits;
    struct cells *crowds;
    uint64_t opened[OPENED / 64]; /* a bit for some of the key of each storm: most victims have none, and are not looked up */
};

struct victims *victims_new(
    struct memory *memory, struct incidents *incidents, enum storm_kind kind, int64_t window, int64_t minor, int64_t major)
{
    struct victims *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    *v = (struct victims){.incidents = incidents, .kind = kind, .minor = minor, .major = major};
    v->hits = window_new(memory, window, KEYS);
    v->crowds = cells_new(memory, sizeof(struct crowd), CROWDS);
    if (v->hits && v->crowds)
        return v;
    victims_free(v);
    return NULL;
}

void victims_free(struct victims *v)
{
    if (!v)
        return;
    window_free(v->hits);
    cells_free(v->crowds);
    free(v);
}

void victims_expect(const struct victims *v, uint64_t key)
{
    window_expect(v->hits, key);
}

uint32_t victims_hit(struct victims *v, uint64_t key, const struct observation *o)
{
    return window_add(v->hits, key, 1, o->now);
}

static void crowd_add(struct crowd *c, uint32_t hits, const struct observation *o, bool first)
{
    if (c->mails == 0) {
        c->first = o->now;
        c->mails = hits - 1; /* those before the crowd was kept */
    }
    c->mails++;
    c->recipients += first;
    uint32_t i = 0;
    while (i < c->count && !address_equal(c->sender[i].address, o->t->client.address))
        i++;
    if (i == SENDERS)
        return;
    if (i == c->count) {
        c->count++;
        c->sender[i].address = o->t->client.address;
        c->sender[i].first = o->now;
    }
    c->sender[i].mails++;
    c->sender[i].last = o->now;
}

static void crowd_to_storm(struct storm *s, const struct crowd *c)
{
    s->copies = s->deliveries = c->mails;
    s->recipients = c->recipients ? c->recipients : 1;
    for (uint32_t i = 0; i < c->count; i++) {
        struct storm_host *h = incident_host(s, c->sender[i].address, "", true);
        if (!h)
            return;
        h->copies = h->deliveries = c->sender[i].mails;
        h->first = c->sender[i].first;
        h->last = c->sender[i].last;
    }
}

static __attribute__((noinline)) struct storm *storm_of(
    struct victims *v, uint64_t key, uint32_t hits, const struct observation *o, bool first)
{
    uint64_t incident = hash_pair(v->kind, key);
    struct storm *s = incident_find(v->incidents, incident);
    if (s) {
        s->copies++;
        s->deliveries++;
        incident_rate(s, 1, o->now);
        s->bytes += o->t->bytes;
        s->recipients += first;
        struct storm_host *h = detect_client(s, o);
        if (h)
            h->deliveries += 1 - (uint64_t)o->deliveries; /* this victim's alone */
    } else {
        if (hits < (uint64_t)v->minor / CROWD_SHARE)
            return NULL;
        bool fresh;
        struct crowd *c = cells_take(v->crowds, key, o->now, &fresh);
        crowd_add(c, hits, o, first);
        if (hits < v->minor)
            return NULL;
        s = incident_open(v->incidents, incident, v->kind, c->first);
        if (!s)
            return NULL;
        v->opened[key % OPENED / 64] |= UINT64_C(1) << key % 64;
        crowd_to_storm(s, c);
        *c = (struct crowd){0};
        incident_host(s, o->t->client.address, "", true);
    }
    return hits >= v->minor || incident_raised(s) ? s : NULL;
}

struct storm *victims_storm(struct victims *v, uint64_t key, uint32_t hits, const struct observation *o, bool first)
{
    bool opened = v->opened[key % OPENED / 64] >> key % 64 & 1;
    return opened || hits >= (uint64_t)v->minor / CROWD_SHARE ? storm_of(v, key, hits, o, first) : NULL;
}
