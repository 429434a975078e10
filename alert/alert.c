/* In: storm changes, and the second's tick.  Out: notices, each to those channels that are to be told, by way of the store; the channels'
 * threads do the rest. What is built here is built once for all channels, and only when one of them is told. */
#include "alert/alert.h"

#include <pthread.h>
#include <stdlib.h>

#include "alert/agentx.h"
#include "alert/maintenance.h"
#include "alert/told.h"

#define TROUBLE_PAUSE (300 * NS_PER_SECOND) /* a part that comes and goes is told of once in five minutes */
#define HEARD_WITHIN  (60 * NS_PER_SECOND) /* a part in trouble that nobody speaks of after our start is gone */
#define PARTS         (ALERT_CHANNELS + 16)
#define HELD_AGAIN    (60 * NS_PER_SECOND)  /* how old a raise held back may be */

struct part { /* of the sensor, a channel or another: has it ever failed */
    char name[NOTICE_PART_SIZE];
    bool failing, told;
    bool heard;   /* since our start: it may be in trouble from before, and not be there any more */
    int64_t last; /* when it was told, monotonic; 0: never */
    char why[STORM_TEXT_SIZE];
};

struct alert {
    const struct alert_settings *settings;
    struct courier_spec specs[ALERT_CHANNELS];
    struct courier *channels[ALERT_CHANNELS];
    size_t count;
    struct courier_env env;
    struct store *store;
    struct alert_sink sink;
    char sensor[64], report_base[NOTICE_URL_SIZE];
    struct maintenance windows[32];
    size_t window_count;
    pthread_mutex_t lock; /* of what follows */
    struct told_table incidents;
    struct part parts[PARTS];
    size_t part_count;
    int64_t next_heartbeat, began; /* our clock; monotonic */
    struct notice *active; /* flat, for the subagent */
    size_t active_count;
    bool active_changed;
};

/* ---- to the channels ---- */

/* Queues one notice for the channels of the list and frees it. */
static void fan_out(struct alert *a, struct notice *n, const size_t *to, const struct told *told, size_t count)
{
    struct store_entry entries[ALERT_CHANNELS] = {{NULL, NULL}};
    uint64_t dropped[ALERT_CHANNELS];
    if (!n)
        return; /* out of memory: counted as little as it can be helped */
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct store_entry){a->specs[to[i]].route->name, told ? &told[to[i]] : NULL};
    store_add(a->store, n, entries, count, dropped);
    notice_free(n);
    for (size_t i = 0; i < count; i++)
        if (a->channels[to[i]]) {
            courier_count(a->channels[to[i]], 0, dropped[i]);
            courier_wake(a->channels[to[i]]);
        }
}

static bool in_maintenance(const struct alert *a, int64_t now)
{
    for (size_t i = 0; i < a->window_count; i++)
        if (maintenance_open(&a->windows[i], now))
            return true;
    return false;
}

static int64_t change_time(const struct storm *s)
{
    return s->cleared != TIME_UNKNOWN ? s->cleared : s->updated;
}

/* Keeps the raise for the end of the window, not older than a minute. */
static void hold(struct alert *a, struct told_incident *i, const struct storm *s)
{
    if (i->held && i->held->severity == s->severity && change_time(s) - i->held->time < HELD_AGAIN)
        return;
    notice_free(i->held);
    i->held = notice_new_storm(NOTICE_RAISED, store_number(a->store), s, a->sensor, a->report_base);
}

/* One kind of verdict: its notice, to all channels that got it. */
static void tell(struct alert *a, struct told_incident *i, const struct storm *s, enum verdict v, const enum verdict verdicts[])
{
    static const enum notice_type types[] = {
        [VERDICT_RAISED] = NOTICE_RAISED, [VERDICT_UPDATED] = NOTICE_UPDATED, [VERDICT_CLEARED] = NOTICE_CLEARED};
    size_t to[ALERT_CHANNELS], count = 0;
    for (size_t c = 0; c < a->count; c++)
        if (verdicts[c] == v) {
            told_note(&i->told[c], v, s->severity, change_time(s));
            to[count++] = c;
        }
    if (count)
        fan_out(a, notice_new_storm(types[v], store_number(a->store), s, a->sensor, a->report_base), to, i->told, count);
}

static void note_active(struct alert *a, const struct storm *s, bool over)
{
    size_t at = 0;
    while (at < a->active_count && strcmp(a->active[at].id, s->id) != 0)
        at++;
    a->active_changed = true;
    if (over) {
        if (at < a->active_count)
            a->active[at] = a->active[--a->active_count];
        return;
    }
    if (at == a->active_count && at < AGENTX_ALARMS)
        a->active_count++;
    if (at < AGENTX_ALARMS) {
        a->active[at] = (struct notice){.type = NOTICE_UPDATED};
        notice_flat(&a->active[at], s, NULL);
    }
}

static void storm_changed(struct alert *a, const struct storm *s, enum notice_type change)
{
    char forgotten[STORM_ID_SIZE] = "";
    struct told_incident *i = told_find(&a->incidents, s->id);
    if (!i && change == NOTICE_CLEARED)
        return; /* nobody was told of it */
    if (!i)
        i = told_add(&a->incidents, s->id, clock_now(), forgotten);
    if (forgotten[0])
        store_forget(a->store, forgotten);
    i->seen = clock_now();
    const struct told_rules rules = {a->settings->budget, a->settings->interval};
    bool maintenance = in_maintenance(a, change_time(s)), held = false;
    enum verdict verdicts[ALERT_CHANNELS] = {VERDICT_NOTHING};
    for (size_t c = 0; c < a->count; c++) {
        verdicts[c] = told_verdict(&i->told[c], &rules, a->specs[c].route, s, change, maintenance);
        held = held || verdicts[c] == VERDICT_HELD;
        if (verdicts[c] == VERDICT_SUPPRESSED || verdicts[c] == VERDICT_HELD)
            courier_count(a->channels[c], 1, 0);
    }
    if (held)
        hold(a, i, s);
    else {
        notice_free(i->held);
        i->held = NULL;
    }
    for (enum verdict v = VERDICT_RAISED; v <= VERDICT_CLEARED; v++)
        tell(a, i, s, v, verdicts);
}

void alert_storm(struct alert *a, const struct storm *s, const char *change)
{
    enum notice_type type = strcmp(change, "raised") == 0    ? NOTICE_RAISED
                            : strcmp(change, "cleared") == 0 ? NOTICE_CLEARED
                                                             : NOTICE_UPDATED;
    pthread_mutex_lock(&a->lock);
    storm_changed(a, s, type);
    if (a->active)
        note_active(a, s, type == NOTICE_CLEARED);
    pthread_mutex_unlock(&a->lock);
}

static void tell_own(struct alert *a, enum notice_type type, enum storm_severity severity, const char *part, bool failing, const char *why)
{
    size_t to[ALERT_CHANNELS], count = 0;
    for (size_t c = 0; c < a->count; c++)
        if ((type != NOTICE_HEARTBEAT || a->specs[c].route->heartbeat) && strcmp(a->specs[c].route->name, part) != 0)
            to[count++] = c;
    if (count)
        fan_out(a, notice_new_own(type, store_number(a->store), clock_now(), a->sensor, severity, part, failing, why), to, NULL, count);
}

/* NULL: never heard of, and no room for one more. */
static struct part *part_find(struct alert *a, const char *name, bool add)
{
    for (size_t i = 0; i < a->part_count; i++)
        if (strcmp(a->parts[i].name, name) == 0)
            return &a->parts[i];
    if (!add || a->part_count == PARTS)
        return NULL;
    struct part *p = &a->parts[a->part_count++];
    span_copy(span_text(name), p->name, sizeof p->name);
    return p;
}

/* Tells what has changed and was not told yet; what failed again too soon waits here for its time. */
static void part_tell(struct alert *a, struct part *p)
{
    int64_t now = clock_monotonic();
    if (p->failing == p->told || (p->failing && p->last && now - p->last < TROUBLE_PAUSE))
        return;
    p->told = p->failing;
    p->last = now;
    store_trouble(a->store, p->name, p->told);
    tell_own(a, NOTICE_TROUBLE, SEVERITY_MAJOR, p->name, p->failing, p->failing ? p->why : "works again");
}

static void part_changed(struct alert *a, const char *name, bool failing, const char *why)
{
    struct part *p = part_find(a, name, failing);
    if (!p)
        return;
    p->failing = failing;
    p->heard = true;
    if (failing)
        log_clean(span_text(why), p->why, sizeof p->why);
    part_tell(a, p);
}

void alert_trouble(struct alert *a, const char *part, bool failing, const char *why)
{
    pthread_mutex_lock(&a->lock);
    part_changed(a, part, failing, why);
    pthread_mutex_unlock(&a->lock);
}

/* From a channel's thread: it begins to fail, or works again. */
static void on_trouble(void *user, const char *channel, bool failing, const char *why)
{
    struct alert *a = user;
    alert_trouble(a, channel, failing, why);
    if (a->sink.trouble)
        a->sink.trouble(a->sink.user, channel, failing, why);
}

/* ---- the second's work ---- */

static void release_held(struct alert *a)
{
    for (size_t i = 0; i < a->incidents.count; i++) {
        struct told_incident *x = &a->incidents.list[i];
        size_t to[ALERT_CHANNELS], count = 0;
        if (!x->held)
            continue;
        for (size_t c = 0; c < a->count; c++)
            if (!x->told[c].open && told_wanted(a->specs[c].route, x->held->kind, x->held->severity)) {
                told_note(&x->told[c], VERDICT_RAISED, x->held->severity, x->held->time);
                to[count++] = c;
            }
        struct notice *n = x->held;
        x->held = NULL;
        if (count)
            fan_out(a, n, to, x->told, count);
        else
            notice_free(n);
    }
}

static void forget_old(struct alert *a, int64_t now)
{
    for (size_t i = a->incidents.count; i-- > 0;) {
        struct told_incident *x = &a->incidents.list[i];
        if (now - x->seen < (told_over(x) ? TOLD_REMEMBERED : 30 * TOLD_REMEMBERED))
            continue;
        store_forget(a->store, x->id);
        told_remove(&a->incidents, x);
    }
}

static void watch_parts(struct alert *a)
{
    struct reason why;
    bool good = store_on_disk(a->store, &why);
    part_changed(a, "notice store", !good, why.text);
    for (size_t i = 0; i < a->part_count; i++) {
        a->parts[i].failing = a->parts[i].failing && (a->parts[i].heard || clock_monotonic() - a->began < HEARD_WITHIN);
        part_tell(a, &a->parts[i]);
    }
}

void alert_tick(struct alert *a, int64_t now)
{
    pthread_mutex_lock(&a->lock);
    if (!in_maintenance(a, now))
        release_held(a);
    if (a->settings->heartbeat && now >= a->next_heartbeat) {
        a->next_heartbeat = now + a->settings->heartbeat;
        tell_own(a, NOTICE_HEARTBEAT, SEVERITY_NOTICE, "", false, "the sensor is watching");
    }
    forget_old(a, now);
    watch_parts(a);
    if (a->active && a->active_changed) {
        agentx_alarms(a->active, a->active_count);
        a->active_changed = false;
    }
    pthread_mutex_unlock(&a->lock);
}

void alert_agent_update(
    struct alert *a, const struct alert_counter *counters, size_t counter_count, const struct host_row *hosts, size_t host_count)
{
    if (a->settings->agentx)
        agentx_numbers(counters, counter_count, hosts, host_count);
}

/* ---- start and end ---- */

static void take_told(void *user, const char *id, const char *channel, const struct told *t)
{
    struct alert *a = user;
    char forgotten[STORM_ID_SIZE];
    struct told_incident *i = told_find(&a->incidents, id);
    if (!i)
        i = told_add(&a->incidents, id, clock_now(), forgotten);
    for (size_t c = 0; c < a->count; c++)
        if (strcmp(a->specs[c].route->name, channel) == 0)
            i->told[c] = *t;
}

/* In trouble when we stopped. */
static void take_trouble(void *user, const char *name)
{
    struct alert *a = user;
    struct part *p = part_find(a, name, true);
    if (p)
        p->failing = p->told = true;
}

bool alert_engine_start(const struct alert_settings *s, struct store *store, bool new_boots, bool agentx, struct reason *why)
{
    struct engine_spec spec = {.agentx_socket = agentx && s->agentx ? s->agentx_socket : NULL};
    bool needed = spec.agentx_socket != NULL;
    for (size_t i = 0; i < s->snmp_count; i++)
        needed = needed || s->snmp[i].route.enabled;
    if (!needed)
        return true;
    spec.arc_length = alert_arc_parse(s->enterprise, spec.arc);
    spec.id_length = alert_engine_id_parse(s->engine_id, spec.id);
    store_engine(store, new_boots, clock_now(), &spec.boots, &spec.began);
    if (!spec.id_length) { /* RFC 3411: the enterprise with the first bit set, 5: octets, the octets */
        static const uint8_t head[] = {0x80, 0x00, 0x7e, 0xd9, 5};
        uint64_t mark = store_engine_mark(store);
        memcpy(spec.id, head, sizeof head);
        memcpy(spec.id + sizeof head, &mark, sizeof mark);
        spec.id_length = sizeof head + sizeof mark;
    }
    return engine_start(&spec, why);
}

static bool start_channels(struct alert *a, struct reason *why)
{
    for (size_t c = 0; c < a->count; c++) {
        struct part *p = part_find(a, a->specs[c].route->name, false);
        if (p)
            p->heard = true;
        a->channels[c] = courier_start(&a->specs[c], &a->env, p != NULL, why);
        if (!a->channels[c])
            return false;
    }
    return true;
}

struct alert *alert_new(const struct alert_settings *settings, const char *state_directory, const char *report_base,
    const struct alert_sink *sink, struct reason *why)
{
    if (!alert_settings_check(settings, why))
        return NULL;
    struct alert *a = calloc(1, sizeof *a);
    if (!a)
        goto no_memory;
    a->settings = settings;
    a->began = clock_monotonic();
    pthread_mutex_init(&a->lock, NULL);
    if (sink)
        a->sink = *sink;
    span_copy(span_text(settings->dashboard ? settings->dashboard : report_base ? report_base : ""), a->report_base, sizeof a->report_base);
    for (size_t n = strlen(a->report_base); n && a->report_base[n - 1] == '/'; n--)
        a->report_base[n - 1] = '\0';
    alert_sensor_name(settings, a->sensor, sizeof a->sensor);
    for (size_t i = 0; i < settings->maintenance.count; i++)
        maintenance_parse(settings->maintenance.text[i], &a->windows[a->window_count++]);
    a->count = courier_specs(settings, a->specs);
    a->store = store_open(state_directory, NULL);
    if (!told_table_init(&a->incidents) || !a->store || (settings->agentx && !(a->active = calloc(AGENTX_ALARMS, sizeof *a->active))))
        goto no_memory;
    a->active_changed = true;
    a->env = (struct courier_env){a->store, settings->keep, settings->retry, on_trouble, a};
    store_told(a->store, take_told, a);
    store_troubles(a->store, take_trouble, a);
    if (!alert_engine_start(settings, a->store, true, true, why))
        goto failed;
    pthread_mutex_lock(&a->lock); /* a channel in trouble waits until all stand */
    bool good = start_channels(a, why);
    pthread_mutex_unlock(&a->lock);
    if (good)
        return a;
    goto failed;
no_memory:
    reason_say(why, "alerts: out of memory");
failed:
    alert_free(a);
    return NULL;
}

void alert_free(struct alert *a)
{
    if (!a)
        return;
    for (size_t c = 0; c < a->count; c++)
        if (a->channels[c])
            courier_stop(a->channels[c]);
    for (size_t c = 0; c < a->count; c++)
        courier_free(a->channels[c]);
    engine_stop();
    store_close(a->store);
    told_table_free(&a->incidents);
    free(a->active);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

size_t alert_health(struct alert *a, struct alert_health *health, size_t most)
{
    size_t n = a->count < most ? a->count : most;
    for (size_t c = 0; c < n; c++)
        courier_health(a->channels[c], &health[c]);
    return n;
}
