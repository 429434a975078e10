/* In: a change of a storm, and what a channel knows of it.  Out: whether that channel is told, and as a raise, an update or the clear.  The
 * rules: one raise and one clear, whatever happens between; at most `budget` notices in all, but a rise in severity is always told; updates
 * further and further apart. */
#include "alert/told.h"

#include <stdlib.h>

bool told_table_init(struct told_table *t)
{
    t->list = calloc(TOLD_MOST, sizeof *t->list);
    t->count = 0;
    return t->list != NULL;
}

void told_table_free(struct told_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        notice_free(t->list[i].held);
    free(t->list);
}

struct told_incident *told_find(struct told_table *t, const char *id)
{
    for (size_t i = t->count; i-- > 0;) /* the youngest are asked for most */
        if (strcmp(t->list[i].id, id) == 0)
            return &t->list[i];
    return NULL;
}

struct told_incident *told_add(struct told_table *t, const char *id, int64_t now, char forgotten[STORM_ID_SIZE])
{
    forgotten[0] = '\0';
    if (t->count == TOLD_MOST) {
        struct told_incident *oldest = t->list;
        for (size_t i = 1; i < t->count; i++)
            if (t->list[i].seen < oldest->seen)
                oldest = &t->list[i];
        memcpy(forgotten, oldest->id, STORM_ID_SIZE);
        told_remove(t, oldest);
    }
    struct told_incident *i = &t->list[t->count++];
    *i = (struct told_incident){.seen = now};
    span_copy(span_text(id), i->id, sizeof i->id);
    for (size_t c = 0; c < ALERT_CHANNELS; c++)
        i->told[c].last = TIME_UNKNOWN;
    return i;
}

void told_remove(struct told_table *t, struct told_incident *i)
{
    notice_free(i->held);
    size_t at = (size_t)(i - t->list);
    memmove(i, i + 1, (--t->count - at) * sizeof *i);
}

bool told_over(const struct told_incident *i)
{
    for (size_t c = 0; c < ALERT_CHANNELS; c++)
        if (i->told[c].open)
            return false;
    return i->held == NULL;
}

bool told_wanted(const struct route *route, enum storm_kind kind, enum storm_severity severity)
{
    enum storm_severity least = SEVERITY_NOTICE;
    storm_severity_parse(span_text(route->severity), &least);
    bool listed = route->kinds.count == 0;
    for (size_t i = 0; i < route->kinds.count; i++)
        listed = listed || strcmp(route->kinds.text[i], storm_kind_text(kind)) == 0;
    return listed && severity >= least;
}

/* Of an incident that the channel knows as open. */
static enum verdict update_verdict(const struct told *t, const struct told_rules *rules, const struct storm *s, bool maintenance)
{
    if (s->severity > t->severity)
        return maintenance ? VERDICT_SUPPRESSED : VERDICT_UPDATED;
    int64_t pause = rules->interval;
    for (uint32_t i = 1; i < t->count && pause < 86400 * NS_PER_SECOND; i++)
        pause *= 5;
    bool spent = t->count + 1 >= (uint64_t)rules->budget; /* one is for the clear */
    bool early = t->last != TIME_UNKNOWN && s->updated - t->last < pause;
    return spent || early || maintenance || s->state == STATE_ACKNOWLEDGED ? VERDICT_SUPPRESSED : VERDICT_UPDATED;
}

enum verdict told_verdict(const struct told *t, const struct told_rules *rules, const struct route *route, const struct storm *s,
    enum notice_type change, bool maintenance)
{
    if (change == NOTICE_CLEARED)
        return t->open ? VERDICT_CLEARED : VERDICT_NOTHING;
    if (t->open)
        return update_verdict(t, rules, s, maintenance);
    bool over = t->count > 0; /* told and cleared: only a new raise begins it again */
    if ((over && change != NOTICE_RAISED) || !told_wanted(route, s->kind, s->severity))
        return VERDICT_NOTHING;
    return maintenance ? VERDICT_HELD : VERDICT_RAISED;
}

void told_note(struct told *t, enum verdict v, enum storm_severity severity, int64_t time)
{
    if (v == VERDICT_RAISED)
        *t = (struct told){.open = true, .count = 0, .severity = severity, .last = time};
    t->count++;
    t->last = time;
    t->open = v != VERDICT_CLEARED;
    if (severity > t->severity)
        t->severity = severity;
}
