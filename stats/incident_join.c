/* In: two incidents that turn out to be one storm: two keys of one mail, or a storm of before a restart and the evidence that shows it
 * again.  Out: one incident with the earlier id and the numbers of both.
 *
 * A storm taken over from the history has no key: keys are seeded hashes, new with every start.  It waits in a slot of its own, and
 * falls by quiet like any other, until an incident that is about to be raised says that it is about the same thing. */
#include <stdio.h>
#include <string.h>

#include "stats/incident_own.h"

static void join_counts(struct storm *into, const struct storm *from)
{
    into->copies += from->copies;
    into->deliveries += from->deliveries;
    into->redeliveries += from->redeliveries;
    into->bytes += from->bytes;
    if (from->recipients > into->recipients) /* the same people: a sum would count them twice */
        into->recipients = from->recipients;
    if (from->most_copies_a_recipient > into->most_copies_a_recipient)
        into->most_copies_a_recipient = from->most_copies_a_recipient;
    if (from->peak_rate > into->peak_rate)
        into->peak_rate = from->peak_rate;
    if (from->first_seen < into->first_seen)
        into->first_seen = from->first_seen;
}

static void keys_to(struct incidents *all, const struct slot *from, const struct slot *into)
{
    for (uint32_t i = 0; i < all->table_size; i++) {
        struct entry *e = &all->table[i];
        if (e->generation != 0 && e->slot == (uint32_t)(from - all->slots) && e->generation == from->generation) {
            e->slot = (uint32_t)(into - all->slots);
            e->generation = into->generation;
        }
    }
}

/* `into` takes the place of `from` in the order of raising, with its id and timeline. */
static void take_identity(struct incidents *all, struct slot *into, struct slot *from, int64_t now)
{
    all->by_raising[slot_rank(all, from)] = into;
    from->raised = false;
    into->raised = true;
    into->told = from->told;
    memcpy(into->storm.id, from->storm.id, sizeof into->storm.id);
    into->storm.raised = from->storm.raised;
    into->storm.updated = from->storm.updated;
    into->storm.cleared = from->storm.cleared;
    into->storm.state = from->storm.state;
    into->storm.severity = from->storm.severity;
    into->storm.peak_severity = from->storm.peak_severity;
    memcpy(into->storm.why, from->storm.why, sizeof into->storm.why);
    struct storm_event *events = into->storm.events;
    uint32_t count = into->storm.event_count, room = into->event_room;
    into->storm.events = from->storm.events;
    into->storm.event_count = from->storm.event_count;
    into->event_room = from->event_room;
    from->storm.events = events;
    from->storm.event_count = count;
    from->event_room = room;
    if (from->resumed)
        incident_event(&into->storm, now, "seen again after a restart");
}

/* Both were told of: the later id ends, saying which storm it is part of. */
static void end_later(struct incidents *all, struct slot *into, struct slot *from, int64_t now)
{
    struct storm *a = &into->storm, *b = &from->storm;
    if (b->raised < a->raised) {
        size_t i = slot_rank(all, into), j = slot_rank(all, from);
        all->by_raising[i] = from;
        all->by_raising[j] = into;
        char id[STORM_ID_SIZE];
        memcpy(id, a->id, sizeof id);
        memcpy(a->id, b->id, sizeof id);
        memcpy(b->id, id, sizeof id);
        int64_t raised = a->raised;
        a->raised = b->raised;
        b->raised = raised;
    }
    if (b->severity > a->severity)
        a->severity = b->severity;
    if (b->peak_severity > a->peak_severity)
        a->peak_severity = b->peak_severity;
    bool was_open = b->state != STATE_CLEARED;
    b->state = STATE_CLEARED;
    b->cleared = now;
    from->forgotten = true;
    incident_event(b, now, "one storm with %s", a->id);
    snprintf(b->why, sizeof b->why, "One storm with %s, which has its numbers.", a->id);
    if (was_open)
        slot_tell(all, from, STORM_CLEARED, now);
}

void incident_join(struct incidents *all, struct storm *into, struct storm *from, int64_t now)
{
    struct slot *a = slot_of(into), *b = slot_of(from);
    if (a == b)
        return;
    lists_join(into, from);
    join_counts(into, from);
    keys_to(all, b, a);
    if (b->touched > a->touched)
        a->touched = b->touched;
    if (b->resumed) {
        a->before.copies = from->copies;
        a->before.deliveries = from->deliveries;
        a->before.redeliveries = from->redeliveries;
        a->before.bytes = from->bytes;
        lists_earlier(a, from);
    }
    if (a->raised && b->raised)
        end_later(all, a, b, now);
    else if (b->raised)
        take_identity(all, a, b, now);
    if (!b->raised)
        slot_free(all, b);
    if (a->raised) {
        if (into->state == STATE_CLEARED)
            slot_reopen(all, a, now);
        else
            incident_tell(all, into, now);
    }
}

/* ---- restart ---- */

const struct incident_before *incident_before(const struct storm *s)
{
    return &((const struct slot *)s)->before;
}

bool incident_resume(struct incidents *all, const struct storm *earlier)
{
    if (earlier->state == STATE_CLEARED || earlier->kind == KIND_MIRROR || earlier->host_count > STORM_HOSTS ||
        earlier->edge_count > STORM_EDGES || earlier->event_count > STORM_EVENTS)
        return false;
    struct slot *s = slot_take(all);
    if (!s)
        return false;
    s->storm = *earlier;
    if (!lists_copy(s, earlier)) {
        slot_free(all, s);
        return false;
    }
    for (uint32_t i = 0; i < s->storm.host_count; i++)
        for (uint32_t k = 0; k < s->storm.hosts[i].evidence_count; k++)
            s->storm.hosts[i].evidence[k].connection = 0; /* connections are numbered anew: these packets are gone */
    incident_event(&s->storm, earlier->updated, "Squall stopped after this; what passed until it ran again was not seen");
    s->raised = s->resumed = true;
    s->touched = earlier->updated;
    s->told.severity = earlier->severity;
    s->told.kind = earlier->kind;
    all->by_raising[all->raised_count++] = s;
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Kinds that one incident can pass through on its way. */
static bool same_family(enum storm_kind a, enum storm_kind b)
{
    static const bool of_a_mail[KIND_COUNT] = {
        [KIND_REINJECTION] = true, [KIND_REINJECTION_ELSEWHERE] = true, [KIND_FORWARDING_LOOP] = true, [KIND_LIST_LOOP] = true};
    return a == b || (of_a_mail[a] && of_a_mail[b]);
}

/* About the same mail, thread, people; where none of these is named, with a host in common. */
static bool same_matter(const struct storm *a, const struct storm *b)
{
    bool people =
        (same_text(a->victim, b->victim) && (a->victim[0] == 0 || a->kind != KIND_AUTOREPLY_LOOP || same_text(a->from, b->from))) ||
        (a->kind == KIND_AUTOREPLY_LOOP && same_text(a->victim, b->from) && same_text(a->from, b->victim));
    if (!same_family(a->kind, b->kind) || !same_text(a->message_id, b->message_id) || !same_text(a->thread, b->thread) || !people)
        return false;
    if (a->message_id[0] || a->thread[0] || a->victim[0])
        return true;
    for (uint32_t i = 0; i < a->host_count; i++)
        for (uint32_t j = 0; j < b->host_count; j++)
            if (address_known(a->hosts[i].address) && address_equal(a->hosts[i].address, b->hosts[j].address))
                return true;
    return false;
}

struct slot *slot_resumed(struct incidents *all, const struct slot *s)
{
    for (size_t i = 0; i < all->raised_count; i++)
        if (all->by_raising[i]->resumed && slot_is_open(all->by_raising[i]) && same_matter(&all->by_raising[i]->storm, &s->storm))
            return all->by_raising[i];
    return NULL;
}
