/* In: accepted mails with what the ledger made of them, from stats.c.  Out: what each host sent and took, to the table of top hosts and to
 * MTA-MIB.  Two looks into a table a mail, and one more for each host that a redelivery is charged to. */
#include "stats/hosts.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/cells.h"
#include "stats/ledger.h"

#define HOSTS 16384 /* kept; of those in one place the one that was silent longest goes first */

struct hosts {
    struct cells *table; /* of struct host_row */
};

struct hosts *hosts_new(struct memory *memory)
{
    struct hosts *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->table = cells_new(memory, sizeof(struct host_row), HOSTS);
    if (h->table)
        return h;
    free(h);
    return NULL;
}

void hosts_free(struct hosts *h)
{
    if (!h)
        return;
    cells_free(h->table);
    free(h);
}

static inline struct host_row *row_of(struct hosts *h, const struct address *address, uint64_t hash, int64_t now)
{
    bool fresh;
    struct host_row *row = cells_take(h->table, hash, now, &fresh);
    if (fresh) {
        row->address = *address;
        row->first = now;
    }
    row->last = now;
    return row;
}

void hosts_expect(const struct hosts *h, const struct key *k)
{
    cells_expect(h->table, k->client);
    cells_expect(h->table, k->server);
}

void hosts_near(const struct hosts *h, const struct key *k)
{
    cells_near(h->table, k->client, sizeof(struct host_row) - STORM_TEXT_SIZE + 1);
    cells_near(h->table, k->server, sizeof(struct host_row) - STORM_TEXT_SIZE + 1);
}

void hosts_count(struct hosts *h, const struct observation *o)
{
    const struct transaction *t = o->t;
    struct host_row *client = row_of(h, &t->client.address, o->k->client, o->now);
    client->messages_out++;
    client->recipients_out += o->deliveries;
    if (client->name[0] == '\0' && t->helo.n)
        log_clean(t->helo, client->name, sizeof client->name);
    struct host_row *server = row_of(h, &t->server.address, o->k->server, o->now);
    server->messages_in++;
    server->recipients_in += o->deliveries;
    if (server->name[0] == '\0' && t->greeting.n)
        log_clean(t->greeting, server->name, sizeof server->name);
    for (uint32_t i = 0; o->redeliveries && i < o->made_count; i++)
        if (address_known(o->made[i].charged)) {
            const struct address *by = &o->made[i].charged;
            row_of(h, by, hash_bytes(by->b, sizeof by->b), o->now)->redeliveries++;
        }
}

/* Most redeliveries, then most recipients either way; the address decides what is still equal, for the order of the table is none. */
static bool ranks_before(const struct host_row *a, const struct host_row *b)
{
    uint64_t work_a = a->recipients_out + a->recipients_in, work_b = b->recipients_out + b->recipients_in;
    if (a->redeliveries != b->redeliveries)
        return a->redeliveries > b->redeliveries;
    if (work_a != work_b)
        return work_a > work_b;
    return memcmp(&a->address, &b->address, sizeof a->address) < 0;
}

size_t hosts_rows(const struct hosts *h, struct host_row *rows, size_t most)
{
    size_t n = 0;
    const struct host_row *row;
    for (uint32_t i = 0; most > 0 && (row = cells_at(h->table, i)); i++) {
        if (n == most && !ranks_before(row, &rows[n - 1]))
            continue;
        size_t at = n < most ? n++ : most - 1;
        for (; at > 0 && ranks_before(row, &rows[at - 1]); at--)
            rows[at] = rows[at - 1];
        rows[at] = *row;
    }
    return n;
}
