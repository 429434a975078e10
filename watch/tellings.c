/* In: storms as the sensor tells them, perhaps again.  Out: what of it is news to people. */
#include "watch/tellings.h"

#include <stdlib.h>

#include "base/hash.h"
#include "stats/storm_json.h"

#define TELLINGS_MOST 8192 /* then the oldest cleared one is forgotten: the history still knows it */

struct telling {
    char id[STORM_ID_SIZE];
    uint64_t hash; /* of the JSON; 0: known from the history */
    enum storm_state state;
    enum storm_severity severity;
    int64_t updated;
    uint64_t copies, redeliveries;
};

struct tellings {
    struct telling *list;
    size_t count, room;
};

const char *news_text(enum news n)
{
    static const char *const words[] = {
        [NEWS_NONE] = "", [NEWS_RAISED] = "raised", [NEWS_UPDATED] = "updated", [NEWS_CLEARED] = "cleared"};
    return words[n];
}

struct tellings *tellings_new(void)
{
    return calloc(1, sizeof(struct tellings));
}

void tellings_free(struct tellings *t)
{
    if (t)
        free(t->list);
    free(t);
}

static struct telling *find(const struct tellings *t, const char *id)
{
    for (size_t i = t->count; i-- > 0;)
        if (strcmp(t->list[i].id, id) == 0)
            return &t->list[i];
    return NULL;
}

static void forget_one(struct tellings *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].state == STATE_CLEARED) {
            memmove(t->list + i, t->list + i + 1, (--t->count - i) * sizeof *t->list);
            return;
        }
}

static struct telling *add(struct tellings *t, const char *id)
{
    if (t->count >= TELLINGS_MOST)
        forget_one(t);
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct telling *more = realloc(t->list, room * sizeof *more);
        if (!more)
            return NULL;
        t->list = more;
        t->room = room;
    }
    struct telling *one = &t->list[t->count++];
    *one = (struct telling){.hash = 0};
    memcpy(one->id, id, sizeof one->id);
    return one;
}

static void note(struct telling *one, const struct storm *s, uint64_t hash)
{
    one->hash = hash;
    one->state = s->state;
    one->severity = s->severity;
    one->updated = s->updated;
    one->copies = s->copies;
    one->redeliveries = s->redeliveries;
}

void tellings_known(struct tellings *t, const struct storm *s)
{
    struct telling *one = find(t, s->id) ? NULL : add(t, s->id);
    if (one)
        note(one, s, 0);
}

static bool same(const struct telling *one, const struct storm *s, uint64_t hash)
{
    return one->hash == hash || (one->hash == 0 && one->state == s->state && one->severity == s->severity && one->updated == s->updated &&
                                    one->copies == s->copies && one->redeliveries == s->redeliveries);
}

enum news tellings_news(struct tellings *t, const struct storm *s, struct span text, struct history *history)
{
    uint64_t hash = hash_bytes(text.p, text.n) | 1;
    struct telling *one = find(t, s->id);
    if (!one && history) { /* of an earlier desk's time, when it is not new */
        struct reason why;
        struct storm *earlier = history_load(history, s->id, &why);
        if (earlier)
            tellings_known(t, earlier);
        storm_json_free(earlier);
        one = find(t, s->id);
    }
    if (!one) {
        one = add(t, s->id);
        if (one)
            note(one, s, hash);
        if (one && s->state == STATE_CLEARED) { /* both at once: the raising first */
            one->state = STATE_RAISED;
            one->hash = 0;
            one->updated = TIME_UNKNOWN;
        }
        return NEWS_RAISED;
    }
    if (same(one, s, hash))
        return NEWS_NONE;
    bool was_over = one->state == STATE_CLEARED, is_over = s->state == STATE_CLEARED;
    note(one, s, hash);
    return was_over && !is_over ? NEWS_RAISED : is_over && !was_over ? NEWS_CLEARED : NEWS_UPDATED;
}

void tellings_open(const struct tellings *t, uint32_t open[SEVERITY_CRITICAL + 1])
{
    memset(open, 0, (SEVERITY_CRITICAL + 1) * sizeof *open);
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].state != STATE_CLEARED)
            open[t->list[i].severity]++;
}
