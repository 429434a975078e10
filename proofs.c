/* In: storms as they change.  Out: the connections that prove something about them, once each, to be asked of the workers before their
 * rings of packets forget them. */
#include "proofs.h"

#include <stdlib.h>

#include "stats/mask.h"

#define STORMS      4096 /* that have a capsule; later ones have none */
#define CONNECTIONS 1024 /* in one capsule: with some 100 packets each, 10 MB and more */
#define AFTER       NS_PER_SECOND /* packets that follow the evidence belong to it: the reply's acknowledgement, the end */

struct proof {
    uint64_t connection;
    int64_t time;
    char said[STORM_TEXT_SIZE]; /* until it was told */
};

struct capsule {
    char id[STORM_ID_SIZE];
    struct proof *proofs;
    size_t count, room, told;
};

struct proofs {
    struct capsule *capsules;
    size_t count, room;
    bool news, nameless;
};

struct proofs *proofs_new(bool nameless)
{
    struct proofs *p = calloc(1, sizeof *p);
    if (p)
        p->nameless = nameless;
    return p;
}

void proofs_free(struct proofs *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        free(p->capsules[i].proofs);
    free(p->capsules);
    free(p);
}

/* Room for one more of `count`; false: the bound is reached, or no memory. */
static bool make_room(void **list, size_t size, size_t count, size_t *room, size_t most)
{
    if (count < *room)
        return true;
    size_t wanted = *room ? *room * 2 : 16;
    void *longer = *room < most ? realloc(*list, wanted * size) : NULL;
    if (!longer)
        return false;
    *list = longer;
    *room = wanted;
    return true;
}

static struct capsule *capsule_of(struct proofs *p, const char *id)
{
    for (size_t i = p->count; i-- > 0;)
        if (strcmp(p->capsules[i].id, id) == 0)
            return &p->capsules[i];
    void *list = p->capsules;
    if (!make_room(&list, sizeof *p->capsules, p->count, &p->room, STORMS))
        return NULL;
    p->capsules = list;
    struct capsule *c = &p->capsules[p->count++];
    *c = (struct capsule){0};
    memcpy(c->id, id, sizeof c->id);
    return c;
}

static bool add_proof(struct capsule *c, const struct storm_evidence *piece, bool nameless)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->proofs[i].connection == piece->connection)
            return false;
    void *list = c->proofs;
    if (!make_room(&list, sizeof *c->proofs, c->count, &c->room, CONNECTIONS))
        return false;
    c->proofs = list;
    struct proof *p = &c->proofs[c->count++];
    *p = (struct proof){.connection = piece->connection, .time = piece->time};
    const struct mask mask = {.privacy = nameless ? PRIVACY_DOMAIN : PRIVACY_CLEAR};
    mask_text(&mask, span_text(piece->said), strlen(piece->said) + 4 >= sizeof piece->said, p->said, sizeof p->said);
    return true;
}

void proofs_storm(struct proofs *p, const struct storm *s)
{
    struct capsule *c = capsule_of(p, s->id);
    for (uint32_t i = 0; c && i < s->host_count; i++)
        for (uint32_t k = 0; k < s->hosts[i].evidence_count; k++)
            if (s->hosts[i].evidence[k].connection)
                p->news = add_proof(c, &s->hosts[i].evidence[k], p->nameless) || p->news;
}

void proofs_wish(struct proofs *p, proofs_wanted *wanted, void *user)
{
    if (!p->news)
        return;
    p->news = false;
    for (size_t i = 0; i < p->count; i++) {
        struct capsule *c = &p->capsules[i];
        for (; c->told < c->count; c->told++) {
            struct proof *one = &c->proofs[c->told];
            int64_t until = one->time == TIME_UNKNOWN || one->time > INT64_MAX - AFTER ? INT64_MAX : one->time + AFTER;
            wanted(user, c->id, one->connection, until, one->said);
        }
    }
}
