/* In: records of sessions whose content TLS hid, from stats.c.  Out: a warning, marked as inferred, when their sizes climb the stairs
 * that a re-injected mail climbs.
 *
 * Every pass through a mailbox adds the same few Received lines, so from one host to another the same mail comes in sizes that rise by
 * one step: 4.4, 5.1, 5.8 kB.  A pair of hosts has stairs when nearly all its sessions of the window stand on three or more of them,
 * the smaller ones first.  Stairs with one step between at least two clients and three servers each, and enough sessions in all, are a
 * suspicion and nothing more.  A newsletter (one size), a busy server (any size) and a mail now and then have none. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/cells.h"
#include "stats/detect.h"

#define PAIRS          16384 /* client and server, at once: 8 MiB */
#define CLIENTS        2048
#define SIZES          16  /* told apart a pair */
#define TOLERANCE      64  /* bytes by which sizes are equal: ids and dates differ, TLS records are padded */
#define STEP_LEAST     256 /* bytes: what one pass adds */
#define STEP_MOST      8192
#define STAIRS_LEAST   3
#define SESSIONS_LEAST 6   /* a pair */
#define STAIRS_SHARE   0.8 /* of a pair's sessions */
#define SERVERS_LEAST  3   /* a client */
#define CLIENTS_LEAST  2
#define SERVERS_KEPT   16 /* a client */
#define SUSPECTS       64

struct pair {
    int64_t last;
    uint32_t sessions, count;
    struct {
        int64_t size, first;
        uint32_t sessions;
    } size[SIZES];
};

struct client { /* with stairs to some server */
    struct address address;
    char name[STORM_TEXT_SIZE];
    uint32_t count;
    struct {
        uint64_t server;
        int64_t step, last, first;
        uint32_t sessions;
    } server[SERVERS_KEPT];
};

struct encrypted {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct cells *pairs, *clients;
    uint64_t suspect[SUSPECTS]; /* clients with stairs to enough servers, by time; a ring */
    uint32_t suspects;
};

static void drop(void *self)
{
    struct encrypted *e = self;
    cells_free(e->pairs);
    cells_free(e->clients);
    free(e);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    struct encrypted *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    *e = (struct encrypted){.settings = settings, .incidents = incidents};
    e->pairs = cells_new(memory, sizeof(struct pair), PAIRS);
    e->clients = cells_new(memory, sizeof(struct client), CLIENTS);
    if (e->pairs && e->clients)
        return e;
    drop(e);
    return NULL;
}

static bool near(int64_t a, int64_t b)
{
    return a - b <= TOLERANCE && b - a <= TOLERANCE;
}

static void add_size(struct pair *p, int64_t size, int64_t now)
{
    p->sessions++;
    p->last = now;
    uint32_t i = 0;
    while (i < p->count && !near(p->size[i].size, size))
        i++;
    if (i == SIZES)
        return; /* sizes of all kinds: the share of any stairs falls */
    if (i == p->count) {
        p->count++;
        p->size[i].size = size;
        p->size[i].first = now;
        p->size[i].sessions = 0;
    }
    p->size[i].sessions++;
}

/* The sessions on the stairs that begin with sizes a and b; 0: these are none. */
static uint32_t stairs(const struct pair *p, uint32_t a, uint32_t b)
{
    int64_t step = p->size[b].size - p->size[a].size;
    if (step < STEP_LEAST || step > STEP_MOST || p->size[b].first < p->size[a].first)
        return 0;
    uint32_t sessions = p->size[a].sessions + p->size[b].sessions, last = b;
    uint32_t on = 2;
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < p->count && !more; i++)
            if (near(p->size[i].size, p->size[last].size + step) && p->size[i].first >= p->size[last].first) {
                sessions += p->size[i].sessions;
                last = i;
                on++;
                more = true;
            }
    }
    return on >= STAIRS_LEAST ? sessions : 0;
}

/* The height of a stair; 0: the pair has none. */
static int64_t step_of(const struct pair *p)
{
    uint32_t best = 0;
    int64_t step = 0;
    for (uint32_t a = 0; a < p->count; a++)
        for (uint32_t b = 0; b < p->count; b++) {
            uint32_t n = a == b ? 0 : stairs(p, a, b);
            if (n > best) {
                best = n;
                step = p->size[b].size - p->size[a].size;
            }
        }
    return best >= SESSIONS_LEAST && best >= STAIRS_SHARE * p->sessions ? step : 0;
}

/* Notes the client's stairs to a server. */
static void note(struct client *c, uint64_t server, const struct pair *p, int64_t step)
{
    uint32_t i = 0;
    while (i < c->count && c->server[i].server != server)
        i++;
    if (i == SERVERS_KEPT)
        return;
    if (i == c->count)
        c->count++;
    c->server[i].server = server;
    c->server[i].step = step;
    c->server[i].last = p->last;
    c->server[i].first = p->size[0].first;
    c->server[i].sessions = p->sessions;
}

struct claim { /* what one client's stairs come to */
    uint32_t servers, sessions;
    int64_t first, last;
};

/* The client's servers reached by stairs of about this step within the window. */
static struct claim claim_of(const struct client *c, int64_t step, int64_t since)
{
    struct claim claim = {.first = INT64_MAX};
    for (uint32_t i = 0; i < c->count; i++) {
        if (!near(c->server[i].step, step) || c->server[i].last < since)
            continue;
        claim.servers++;
        claim.sessions += c->server[i].sessions;
        claim.first = c->server[i].first < claim.first ? c->server[i].first : claim.first;
        claim.last = c->server[i].last > claim.last ? c->server[i].last : claim.last;
    }
    return claim;
}

static void remember_suspect(struct encrypted *e, uint64_t client)
{
    uint32_t kept = e->suspects < SUSPECTS ? e->suspects : SUSPECTS;
    for (uint32_t i = 0; i < kept; i++)
        if (e->suspect[i] == client)
            return;
    e->suspect[e->suspects++ % SUSPECTS] = client;
}

static void raise_storm(
    struct encrypted *e, const struct session_record *r, int64_t step, int64_t since, uint32_t clients, uint32_t sessions, int64_t first)
{
    struct storm *s = incident_open(e->incidents, hash_pair(KIND_ENCRYPTED_BURST, 0), KIND_ENCRYPTED_BURST, first);
    if (!s)
        return;
    s->copies = sessions;
    uint32_t kept = e->suspects < SUSPECTS ? e->suspects : SUSPECTS;
    for (uint32_t i = 0; i < kept; i++) {
        const struct client *c = cells_find(e->clients, e->suspect[i]);
        struct claim claim = c ? claim_of(c, step, since) : (struct claim){0};
        struct storm_host *h = claim.servers >= SERVERS_LEAST ? incident_host(s, c->address, c->name, true) : NULL;
        if (!h)
            continue;
        h->role = ROLE_REINJECTOR;
        h->copies = claim.sessions;
        h->first = claim.first;
        h->last = claim.last;
        if (h->evidence_count > 0)
            continue;
        struct storm_evidence proof = {.time = claim.last, .connection = r->connection, .client = c->address};
        snprintf(proof.said, sizeof proof.said, "inferred: to %u servers, sessions under TLS whose sizes rise in steps of about %lld bytes",
            claim.servers, (long long)step);
        incident_evidence(h, &proof);
    }
    incident_raise(e->incidents, s, SEVERITY_WARNING, r->end,
        "Inferred from sizes alone, for TLS hides the mails: %u hosts sent %u sessions whose sizes rise in steps of about %lld bytes, as a "
        "mail's do that is re-injected.",
        clients, sessions, (long long)step);
}

static void session(void *self, const struct session_record *r)
{
    struct encrypted *e = self;
    if (!e->settings->encrypted_burst.enabled || !r->smtp || r->tls == TLS_NONE || r->one_sided || r->tls_bytes[CLIENT] == 0 ||
        r->tls_bytes[CLIENT] > INT32_MAX)
        return;
    int64_t window = e->settings->encrypted_burst.window, since = r->end - window;
    struct address ends[2] = {r->client.address, r->server.address};
    bool fresh;
    struct pair *p = cells_take(e->pairs, hash_bytes(ends, sizeof ends), r->end, &fresh);
    if (!fresh && p->last < since)
        *p = (struct pair){0};
    add_size(p, (int64_t)r->tls_bytes[CLIENT], r->end);
    int64_t step = p->sessions >= SESSIONS_LEAST ? step_of(p) : 0;
    if (step == 0)
        return;
    uint64_t key = hash_bytes(ends[0].b, sizeof ends[0].b);
    struct client *c = cells_take(e->clients, key, r->end, &fresh);
    if (fresh) {
        c->address = ends[0];
        log_clean(r->helo, c->name, sizeof c->name);
    }
    note(c, hash_bytes(ends[1].b, sizeof ends[1].b), p, step);
    if (claim_of(c, step, since).servers < SERVERS_LEAST)
        return;
    remember_suspect(e, key);
    uint32_t clients = 0, sessions = 0, kept = e->suspects < SUSPECTS ? e->suspects : SUSPECTS;
    int64_t first = INT64_MAX;
    for (uint32_t i = 0; i < kept; i++) {
        const struct client *other = cells_find(e->clients, e->suspect[i]);
        struct claim claim = other ? claim_of(other, step, since) : (struct claim){0};
        if (claim.servers < SERVERS_LEAST)
            continue;
        clients++;
        sessions += claim.sessions;
        first = claim.first < first ? claim.first : first;
    }
    if (clients >= CLIENTS_LEAST && sessions >= e->settings->encrypted_burst.sessions)
        raise_storm(e, r, step, since, clients, sessions, first);
}

const struct detector encrypted_detector = {.make = make, .drop = drop, .session = session};
