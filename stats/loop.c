/* In: each copy of a mail on its trail.  Out: the hosts to which it has come back, how often, and who stands on the way round, to route.c
 * and roles.c.
 *
 * A mail has come back when a server takes it in that stands in its chain, or a client sends it that stands there more than once.  How
 * often is counted in the chain, where each turn leaves its lines, not in copies: sixty copies of one pass are one pass.  Hosts may share a
 * name, and a hub is passed again on the tidiest way; so a return counts only when a recipient who had the mail gets it again, or when the
 * chain has gone round for long. */
#include "stats/loop.h"

#include <stdio.h>

#include "base/hash.h"

#define LONG_RETURN  2   /* so many turns past the threshold a chain alone proves the loop */
#define ADDRESS_MOST 255 /* bytes; RFC 5321 allows 254 */
#define DOTS_MOST    8   /* of a List-Id taken for its @ */
#define MARKS_MOST   (16 * (1 + DOTS_MOST)) /* of so many lists */

/* ---- lists ---- */

/* The addresses that a copy's marks may stand for, hashed once: one mail can go to tens of thousands. */
struct marks {
    uint64_t address[MARKS_MOST];
    uint32_t count;
};

static void mark_add(struct marks *marks, struct span text)
{
    if (marks->count + 1 + DOTS_MOST > MARKS_MOST)
        return;
    const uint8_t *open = text.n ? memchr(text.p, '<', text.n) : NULL;
    if (open) {
        text = span_from(text, (size_t)(open + 1 - text.p));
        const uint8_t *close = text.n ? memchr(text.p, '>', text.n) : NULL;
        if (close)
            text.n = (size_t)(close - text.p);
    }
    text = span_trim(text);
    char at[ADDRESS_MOST];
    if (text.n == 0 || text.n > sizeof at)
        return;
    marks->address[marks->count++] = hash_nocase(text);
    memcpy(at, text.p, text.n);
    /* a List-Id is the list's address with a dot for the @ (RFC 2919) */
    for (size_t i = 1, dots = 0; i + 1 < text.n && dots < DOTS_MOST; i++)
        if (at[i] == '.') {
            at[i] = '@';
            marks->address[marks->count++] = hash_nocase(span_of(at, text.n));
            at[i] = '.';
            dots++;
        }
}

static void marks_add(struct marks *marks, struct span lines)
{
    for (struct span one; lines.n; lines = span_from(lines, one.n + 1)) {
        const uint8_t *end = memchr(lines.p, '\n', lines.n);
        one = span_head(lines, end ? (size_t)(end - lines.p) : lines.n);
        mark_add(marks, one);
    }
}

static void marks_read(struct marks *marks, const struct header *h)
{
    marks->count = 0;
    if (!h)
        return;
    marks_add(marks, h->x_been_there);
    marks_add(marks, h->x_loop);
    mark_add(marks, h->list_id);
}

static bool marks_name(const struct marks *marks, uint64_t recipient)
{
    for (uint32_t i = 0; i < marks->count; i++)
        if (marks->address[i] == recipient)
            return true;
    return false;
}

/* The list whose marks the copy bears is one of the client's: it took the mail in for that address, or the list's domain is its own. */
static bool runs_list(const struct message *m, const struct passage *p, const struct marks *marks)
{
    for (uint32_t i = 0; i < marks->count; i++)
        if (message_copies_at(m, marks->address[i], p->client))
            return true;
    if (marks->count == 0)
        return false;
    struct span id = p->header->list_id;
    const uint8_t *open = id.n ? memrchr(id.p, '<', id.n) : NULL;
    if (open)
        id = span_from(id, (size_t)(open + 1 - id.p));
    while (id.n && (id.p[id.n - 1] == '>' || id.p[id.n - 1] == ' '))
        id.n--;
    return chain_same_organisation(id, p->helo);
}

/* ---- turns ---- */

static void on_cycle(struct party *p, const struct passage *at, const char *said, const struct hop *line)
{
    if (!p)
        return;
    if (!p->on_cycle)
        trail_evidence(p, at, line, said);
    p->on_cycle = true;
}

struct pass { /* the mail is at a host where it has been */
    struct party *host;
    bool out;      /* the host sends it; else it takes it in */
    bool by_chain; /* else by Delivered-To */
    bool again;    /* a recipient of this copy had the mail */
    uint32_t returns;
    uint32_t latest; /* visit before this one */
};

static void count_turn(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, const struct pass *x)
{
    if (!address_known(l->turning_point)) {
        l->turning_point = x->host->address;
        l->turns_seen_out = x->out;
    }
    if (!x->by_chain || l->turns_seen_out != x->out || !address_equal(l->turning_point, x->host->address))
        return;
    if (!l->turns && !(l->turns = reproduction_new(BREEDING_CIRCLE, m->first, 1)))
        return;
    struct event e = {.id = chain_end(c, c->count - 1),
        .hops = c->hop_count,
        .hop_limit = chain_hop_limit(c),
        .deliveries = p->deliveries,
        .time = p->end,
        .fed = TIME_UNKNOWN};
    if (x->returns > 1)
        e.parent = x->out ? chain_end(c, x->latest) : c->visit[x->latest].path;
    reproduction_event(l->turns, &e);
}

static void note_pass(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, const struct pass *x,
    const struct stats_settings *settings)
{
    if (x->returns > x->host->returns)
        x->host->returns = x->returns;
    count_turn(l, m, p, c, x);
    uint32_t least = (uint32_t)settings->forwarding_loop.major_returns;
    if (x->returns < least || !(x->again || (!x->out && x->returns >= least + LONG_RETURN)))
        return;
    if (x->returns > l->returns) {
        l->returns = x->returns;
        l->changed = true;
    }
    char said[STORM_TEXT_SIZE];
    snprintf(said, sizeof said, "%s this mail%s: it had been here %u times, as its %u Received lines say", x->out ? "sent" : "took",
        x->out ? "" : " in again", x->out ? x->returns + 1 : x->returns, c->hop_count);
    on_cycle(x->host, p, said, x->by_chain ? &c->hops[c->visit[x->latest].first] : NULL);
    for (uint32_t k = x->latest + 1; x->by_chain && k + 1 < c->count; k++) {
        const struct visit *v = &c->visit[k];
        /* the mailbox's host: it was the next one who sent the mail on */
        if (c->visit[k + 1].arrival == ARRIVAL_MAILBOX || trail_refutes(m, v))
            continue;
        on_cycle(roles_party(&l->roles, v->address, v->name, address_known(v->address) && message_host(m, v->address)), p,
            "stands between two visits of the mail at the same server", &c->hops[v->first]);
    }
}

/* The server stands in the chain, or the recipient in Delivered-To. */
static struct pass came_in(struct trail *l, const struct passage *p, const struct chain *c, bool again)
{
    struct pass x = {.again = again};
    x.returns = chain_passes(c, p->greeting, p->server, again, &x.latest);
    x.by_chain = x.returns > 0;
    for (uint32_t i = 0; p->header && i < p->made_count; i++) {
        uint32_t n = 0;
        for (size_t k = 0; k < p->header->delivered_to_count && k < CHAIN_LINES; k++)
            n += p->header->delivered_to[k] == p->made[i].recipient;
        x.returns = n > x.returns ? n : x.returns;
    }
    if (x.returns)
        x.host = roles_party(&l->roles, p->server, p->greeting, true);
    return x;
}

/* The client stands in the chain more than once: the newest lines are its own. */
static struct pass went_out(const struct chain *c, struct party *sender, bool again)
{
    struct pass x = {.host = sender, .out = true, .by_chain = true, .again = again};
    for (uint32_t k = 0; k + 1 < c->count; k++)
        if (c->visit[k].name_hash && c->visit[k].name_hash == c->visit[c->count - 1].name_hash) {
            x.returns++;
            x.latest = k;
        }
    return x;
}

void loop_follow(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, struct party *sender,
    const struct stats_settings *settings)
{
    struct marks marks;
    marks_read(&marks, p->header);
    sender->list |= !sender->list && runs_list(m, p, &marks);
    bool again = false;
    for (uint32_t i = 0; i < p->made_count; i++)
        again |= p->made[i].had_it;
    struct pass in = came_in(l, p, c, again), out = went_out(c, sender, again);
    if (in.returns && in.host) {
        for (uint32_t i = 0; i < p->made_count && !in.host->list; i++)
            in.host->list = marks_name(&marks, p->made[i].recipient);
        note_pass(l, m, p, c, &in, settings);
        if (in.host->on_cycle && in.by_chain)
            on_cycle(sender, p, "sent the mail to a server that it had passed", &c->hops[c->hop_count - 1]);
    }
    if (out.returns)
        note_pass(l, m, p, c, &out, settings);
}
