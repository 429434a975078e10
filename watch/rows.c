/* In: stats, every two seconds.  Out: the tables of messages, hosts and watched hosts as JSON, to the desk. */
#include "watch/rows.h"

#include <stdlib.h>

#include "base/hash.h"
#include "counts_json.h"

#define MESSAGES 100
#define HOSTS 20
#define WATCHED 100
#define EVERY (2 * NS_PER_SECOND) /* and never more than a hundredth of the time is spent on looking for them */

struct earlier { /* how many deliveries a message had when the minute began */
    uint64_t hash, deliveries;
};

struct rows {
    struct message_row messages[MESSAGES];
    struct host_row hosts[HOSTS];
    struct amplifier_row watched[WATCHED];
    struct earlier earlier[MESSAGES];
    size_t earlier_count;
    int64_t minute_began, due; /* monotonic ns */
};

struct rows *rows_new(void)
{
    struct rows *r = calloc(1, sizeof *r);
    if (r)
        r->minute_began = clock_monotonic();
    return r;
}

void rows_free(struct rows *r)
{
    free(r);
}

bool rows_due(const struct rows *r)
{
    return clock_monotonic() >= r->due;
}

static uint64_t row_hash(const struct message_row *m)
{
    return hash_pair(hash_bytes(m->message_id, strlen(m->message_id)), (uint64_t)m->first);
}

/* Orders the messages by their deliveries since the minute began; one not seen then had none. */
static void order_by_rate(const struct rows *r, size_t n, size_t order[MESSAGES])
{
    uint64_t recent[MESSAGES];
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = row_hash(&r->messages[i]);
        recent[i] = r->messages[i].deliveries;
        for (size_t e = 0; e < r->earlier_count; e++)
            if (r->earlier[e].hash == hash)
                recent[i] = r->messages[i].deliveries - r->earlier[e].deliveries;
        size_t at = i;
        for (; at > 0 && recent[order[at - 1]] < recent[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

json_t *rows_json(struct rows *r, struct stats *stats)
{
    int64_t begin = clock_monotonic();
    size_t n = stats_top(stats, r->messages, MESSAGES), order[MESSAGES];
    json_t *messages = counts_messages(r->messages, n), *by_rate = json_array();
    order_by_rate(r, n, order);
    for (size_t i = 0; i < n; i++)
        json_array_append(by_rate, json_array_get(messages, order[i]));
    json_t *all = json_pack("{s:o, s:o, s:o, s:o}", "messages", messages, "by_rate", by_rate, "hosts",
        counts_hosts(r->hosts, stats_hosts(stats, r->hosts, HOSTS)), "watched",
        counts_watched(r->watched, stats_census(stats, r->watched, WATCHED)));
    if (begin - r->minute_began >= 60 * NS_PER_SECOND) {
        r->minute_began = begin;
        r->earlier_count = n;
        for (size_t i = 0; i < n; i++)
            r->earlier[i] = (struct earlier){row_hash(&r->messages[i]), r->messages[i].deliveries};
    }
    int64_t rest = 100 * (clock_monotonic() - begin);
    r->due = begin + (rest > EVERY ? rest : EVERY);
    return all;
}
