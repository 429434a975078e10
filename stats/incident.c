/* In: what the detectors conclude: an incident opened, raised, lifted, joined, fresh evidence for it; and the time.  Out: storms with
 * their lists, to the sink (raised, updated, cleared) and to whoever asks.
 *
 * A slot an incident, as many as the setting `storms` allows; when all are taken the cleared one that was quiet longest makes room, then
 * the watched one; an open storm never does.  An incident falls by quiet: after quiet_of() without evidence it is cleared; evidence
 * within as long again opens it anew under its id, and from then on it waits longer; later evidence starts another incident.  Keys are
 * found in an open-addressing table whose entries name slot and generation: an entry of a slot that has changed hands is dead, and goes
 * when the table is built anew. */
#include "stats/incident_own.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"

#define KEYS_A_SLOT     16 /* table entries a slot, a power of two */
#define WORDS_A_SECOND  1000
#define GENERATION_MOST (7 * 86400.0) /* s: a longer one is a mistake of the measure, not a reason to keep an alarm for weeks */

struct incidents *incidents_new(const struct stats_settings *settings, const struct stats_sink *sink, struct stats_counters *counters)
{
    struct incidents *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->settings = settings;
    all->sink = sink;
    all->counters = counters;
    all->latest = TIME_UNKNOWN;
    all->slot_count = settings->storms < 1 ? 1 : settings->storms > 1 << 20 ? 1 << 20 : (uint32_t)settings->storms;
    all->table_size = KEYS_A_SLOT;
    while (all->table_size < all->slot_count * KEYS_A_SLOT)
        all->table_size *= 2;
    all->slots = calloc(all->slot_count, sizeof *all->slots);
    all->table = calloc(all->table_size, sizeof *all->table);
    all->by_raising = calloc(all->slot_count, sizeof(struct slot *));
    if (all->slots && all->table && all->by_raising)
        return all;
    incidents_free(all);
    return NULL;
}

void incidents_free(struct incidents *all)
{
    if (!all)
        return;
    for (uint32_t i = 0; i < all->slot_high; i++)
        lists_free(&all->slots[i]);
    free(all->slots);
    free(all->table);
    free(all->by_raising);
    free(all);
}

/* ---- keys ---- */

static bool entry_lives(const struct incidents *all, const struct entry *e)
{
    const struct slot *s = &all->slots[e->slot];
    return s->used && !s->forgotten && s->generation == e->generation;
}

/* The entry of `key`, dead or alive, else the empty one where it would stand.  Keys are hashes. */
static struct entry *entry_at(struct entry *table, uint32_t size, uint64_t key)
{
    uint32_t i = (uint32_t)(key ^ key >> 32) & (size - 1);
    while (table[i].generation != 0 && table[i].key != key)
        i = (i + 1) & (size - 1);
    return &table[i];
}

/* Builds the table anew without its dead entries; false: out of memory, the old one stays. */
static bool table_renew(struct incidents *all)
{
    struct entry *fresh = calloc(all->table_size, sizeof *fresh);
    if (!fresh)
        return false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->table_size; i++)
        if (all->table[i].generation != 0 && entry_lives(all, &all->table[i])) {
            *entry_at(fresh, all->table_size, all->table[i].key) = all->table[i];
            kept++;
        }
    free(all->table);
    all->table = fresh;
    all->table_used = kept;
    return true;
}

/* False: the table is full of living keys. */
static bool key_set(struct incidents *all, uint64_t key, const struct slot *s)
{
    struct entry *e = entry_at(all->table, all->table_size, key ? key : 1);
    if (e->generation == 0) {
        if (all->table_used >= all->table_size / 4 * 3) {
            if (!table_renew(all) || all->table_used >= all->table_size / 4 * 3)
                return false;
            e = entry_at(all->table, all->table_size, key ? key : 1);
        }
        all->table_used++;
    }
    *e = (struct entry){.key = key ? key : 1, .slot = (uint32_t)(s - all->slots), .generation = s->generation};
    return true;
}

static struct slot *slot_find(struct incidents *all, uint64_t key)
{
    if (all->table_used == 0) /* a quiet day: every mail asks */
        return NULL;
    const struct entry *e = entry_at(all->table, all->table_size, key ? key : 1);
    return e->generation != 0 && entry_lives(all, e) ? &all->slots[e->slot] : NULL;
}

struct storm *incident_find(struct incidents *all, uint64_t key)
{
    struct slot *s = slot_find(all, key);
    return s ? &s->storm : NULL;
}

/* ---- slots ---- */

size_t slot_rank(const struct incidents *all, const struct slot *s)
{
    size_t i = 0;
    while (all->by_raising[i] != s)
        i++;
    return i;
}

void slot_free(struct incidents *all, struct slot *s)
{
    if (s->raised) {
        size_t i = slot_rank(all, s);
        all->raised_count--;
        memmove(&all->by_raising[i], &all->by_raising[i + 1], (all->raised_count - i) * sizeof(struct slot *));
    }
    lists_free(s);
    uint32_t generation = s->generation;
    memset(s, 0, sizeof *s);
    s->generation = generation;
}

static struct slot *slot_empty(struct incidents *all)
{
    if (all->slot_high < all->slot_count)
        return &all->slots[all->slot_high++];
    struct slot *coldest = NULL;
    for (uint32_t i = 0; i < all->slot_count; i++) {
        struct slot *s = &all->slots[i];
        if (!s->used)
            return s;
        if (slot_is_open(s))
            continue;
        if (!coldest || (s->raised && !coldest->raised) || (s->raised == coldest->raised && s->touched < coldest->touched))
            coldest = s;
    }
    if (coldest)
        slot_free(all, coldest);
    return coldest;
}

struct slot *slot_take(struct incidents *all)
{
    struct slot *s = slot_empty(all);
    if (!s)
        return NULL;
    s->used = true;
    if (++s->generation == 0)
        s->generation = 1;
    return s;
}

struct storm *incident_open(struct incidents *all, uint64_t key, enum storm_kind kind, int64_t first_seen)
{
    struct slot *s = slot_find(all, key);
    if (s)
        return &s->storm;
    s = slot_take(all);
    if (!s)
        return NULL;
    s->touched = first_seen;
    s->storm.kind = kind;
    s->storm.first_seen = first_seen;
    s->storm.raised = s->storm.updated = s->storm.cleared = s->storm.forecast_at = TIME_UNKNOWN;
    s->storm.reproduction = s->storm.generation = NAN;
    s->storm.generations_left = -1;
    if (key_set(all, key, s))
        return &s->storm;
    slot_free(all, s);
    return NULL;
}

void incident_drop(struct incidents *all, struct storm *s)
{
    assert(!slot_of(s)->raised);
    slot_free(all, slot_of(s));
}

bool incident_raised(const struct storm *s)
{
    return ((const struct slot *)s)->raised;
}

/* ---- the life ---- */

static uint32_t count_at_fault(const struct storm *s)
{
    uint32_t n = s->hosts_more;
    for (uint32_t i = 0; i < s->host_count; i++)
        n += s->hosts[i].role == ROLE_REINJECTOR || s->hosts[i].role == ROLE_LOOPER;
    return n;
}

void slot_tell(struct incidents *all, struct slot *s, enum storm_change change, int64_t now)
{
    s->storm.updated = now;
    s->told.severity = s->storm.severity;
    s->told.kind = s->storm.kind;
    s->told.at_fault = count_at_fault(&s->storm);
    if (all->sink && all->sink->storm)
        all->sink->storm(all->sink->user, &s->storm, change);
}

static void give_id(struct incidents *all, struct storm *s, int64_t now)
{
    time_t second = (time_t)(now / NS_PER_SECOND);
    struct tm tm;
    char stamp[24] = "";
    if (gmtime_r(&second, &tm))
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    snprintf(s->id, sizeof s->id, "%.*s-%u", 20, stamp, ++all->number);
}

static void raise_first(struct incidents *all, struct slot *s, int64_t now)
{
    give_id(all, &s->storm, now);
    s->raised = true;
    s->storm.state = STATE_RAISED;
    s->storm.raised = now;
    all->by_raising[all->raised_count++] = s;
    if (s->storm.severity != SEVERITY_NOTICE)
        all->counters->storms_raised++;
    incident_event(&s->storm, now, "raised, %s: %s", storm_severity_text(s->storm.severity), s->storm.why);
    slot_tell(all, s, STORM_RAISED, now);
}

static void had_evidence(struct incidents *all, struct slot *s, int64_t now)
{
    if (now > s->touched)
        s->touched = now;
    if (s->raised && s->storm.severity != SEVERITY_NOTICE && now > all->latest)
        all->latest = now;
}

int64_t incident_latest(const struct incidents *all)
{
    return all->latest;
}

void slot_reopen(struct incidents *all, struct slot *s, int64_t now)
{
    if (now - s->touched > s->pause)
        s->pause = now - s->touched;
    s->storm.state = STATE_RAISED;
    s->storm.cleared = TIME_UNKNOWN;
    incident_event(&s->storm, now, "it goes on, %s", storm_severity_text(s->storm.severity));
    slot_tell(all, s, STORM_RAISED, now);
}

void incident_raise(struct incidents *all, struct storm *s, enum storm_severity severity, int64_t now, const char *why, ...)
{
    struct slot *slot = slot_of(s), *earlier = slot->raised ? NULL : slot_resumed(all, slot);
    if (earlier)
        incident_join(all, s, &earlier->storm, now);
    if (!slot->raised || s->state == STATE_CLEARED || severity >= s->severity) {
        char text[sizeof s->why];
        va_list args;
        va_start(args, why);
        vsnprintf(text, sizeof text, why, args);
        va_end(args);
        log_clean(span_text(text), s->why, sizeof s->why);
        s->severity = severity;
    }
    if (s->severity > s->peak_severity || !slot->raised)
        s->peak_severity = s->severity;
    if (!slot->raised) {
        raise_first(all, slot, now);
    } else if (s->state == STATE_CLEARED) {
        slot_reopen(all, slot, now);
    } else if (s->severity != slot->told.severity) {
        incident_event(s, now, "now %s: %s", storm_severity_text(s->severity), s->why);
        slot_tell(all, slot, STORM_UPDATED, now);
    } else if (s->kind != slot->told.kind || count_at_fault(s) != slot->told.at_fault) {
        slot_tell(all, slot, STORM_UPDATED, now);
    }
    had_evidence(all, slot, now);
}

bool incident_wants_words(struct storm *s, enum storm_severity severity, int64_t now)
{
    struct slot *slot = slot_of(s);
    if (!slot->raised || s->state == STATE_CLEARED || severity > s->severity)
        return true;
    if (now < slot->words_begin || now - slot->words_begin >= NS_PER_SECOND) {
        slot->words_begin = now / NS_PER_SECOND * NS_PER_SECOND;
        slot->words = 0;
    }
    return slot->words++ < WORDS_A_SECOND;
}

void incident_touch(struct incidents *all, struct storm *s, int64_t now)
{
    struct slot *slot = slot_of(s);
    if (slot->raised && s->state == STATE_CLEARED)
        slot_reopen(all, slot, now);
    had_evidence(all, slot, now);
}

/* The ring of seconds goes on to the one of `now`; a time before the newest one (packets out of order) is counted there. */
static __attribute__((noinline)) void rate_turn(struct slot *slot, int64_t now)
{
    int64_t second = now / NS_PER_SECOND;
    if (second - slot->rate_second >= PEAK_SECONDS)
        memset(slot->rate, 0, sizeof slot->rate);
    else
        for (int64_t t = slot->rate_second + 1; t <= second; t++)
            slot->rate[t % PEAK_SECONDS] = 0;
    if (second > slot->rate_second) {
        slot->rate_second = second;
        slot->rate_newest = (uint32_t)(second % PEAK_SECONDS);
        slot->rate_begin = second * NS_PER_SECOND;
    }
    slot->rate_sum = 0;
    for (int i = 0; i < PEAK_SECONDS; i++)
        slot->rate_sum += slot->rate[i];
}

void incident_rate(struct storm *s, uint64_t deliveries, int64_t now)
{
    struct slot *slot = slot_of(s);
    if (now - slot->rate_begin >= NS_PER_SECOND)
        rate_turn(slot, now);
    slot->rate[slot->rate_newest] += deliveries;
    slot->rate_sum += deliveries;
    double rate = (double)slot->rate_sum / PEAK_SECONDS;
    if (!(rate <= s->peak_rate)) /* a resumed one may have none */
        s->peak_rate = rate;
}

void incident_tell(struct incidents *all, struct storm *s, int64_t now)
{
    if (slot_is_open(slot_of(s)))
        slot_tell(all, slot_of(s), STORM_UPDATED, now);
}

void incident_kind(struct incidents *all, struct storm *s, enum storm_kind kind, int64_t now)
{
    if (s->kind == kind)
        return;
    if (slot_of(s)->raised)
        incident_event(s, now, "%s after all, not %s", storm_kind_text(kind), storm_kind_text(s->kind));
    s->kind = kind;
    incident_tell(all, s, now);
}

/* ---- time and people ---- */

/* Two of its generations or, when it has come back after an all-clear, of these pauses; at least the setting.  So what comes in waves is
 * cleared too early once, and not after each of them. */
static int64_t quiet_of(const struct incidents *all, const struct slot *s)
{
    double generation = isfinite(s->storm.generation) ? s->storm.generation : 0, pause = (double)s->pause / (double)NS_PER_SECOND;
    int64_t two = (int64_t)(2 * fmin(fmax(generation, pause), GENERATION_MOST) * (double)NS_PER_SECOND);
    return two > all->settings->quiet ? two : all->settings->quiet;
}

void incident_tick(struct incidents *all, int64_t now)
{
    for (uint32_t i = 0; i < all->slot_high; i++) {
        struct slot *s = &all->slots[i];
        if (!s->used || s->forgotten)
            continue;
        int64_t quiet = quiet_of(all, s);
        if (s->raised && s->storm.state == STATE_CLEARED) {
            s->forgotten = now - s->storm.cleared >= quiet;
        } else if (now - s->touched >= quiet) {
            if (!s->raised) {
                slot_free(all, s);
                continue;
            }
            s->storm.state = STATE_CLEARED;
            s->storm.cleared = now;
            incident_event(&s->storm, now, "cleared: quiet for %lld s", (long long)((now - s->touched) / NS_PER_SECOND));
            slot_tell(all, s, STORM_CLEARED, now);
        }
    }
}

void incident_finish(struct incidents *all, int64_t now)
{
    for (size_t i = 0; i < all->raised_count; i++)
        if (slot_is_open(all->by_raising[i]))
            slot_tell(all, all->by_raising[i], STORM_UPDATED, now);
}

bool incident_acknowledge(struct incidents *all, const char *id, const char *who, int64_t now)
{
    for (size_t i = 0; i < all->raised_count; i++) {
        struct slot *s = all->by_raising[i];
        if (!slot_is_open(s) || strcmp(s->storm.id, id) != 0)
            continue;
        if (s->storm.state != STATE_ACKNOWLEDGED) {
            s->storm.state = STATE_ACKNOWLEDGED;
            incident_event(&s->storm, now, "acknowledged by %s", who);
            slot_tell(all, s, STORM_UPDATED, now);
        }
        return true;
    }
    return false;
}

size_t incident_count(const struct incidents *all)
{
    return all->raised_count;
}

const struct storm *incident_at(const struct incidents *all, size_t i)
{
    return i < all->raised_count ? &all->by_raising[i]->storm : NULL;
}
