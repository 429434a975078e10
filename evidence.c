/* In: storms as they change, with the connections that prove something about them; the capture engine's ring.  Out: a pcapng file a storm.
 * A connection's packets go into the file once, soon after it became evidence, before the ring forgets them. */
#include "evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define STORMS      4096 /* that have a capsule; later ones have none */
#define CONNECTIONS 1024 /* in one capsule: with some 100 packets each, 10 MB and more */
#define PATH_SIZE   4096
#define AFTER       NS_PER_SECOND /* packets that follow the evidence belong to it: the reply's acknowledgement, the end */

struct proof {
    uint64_t connection;
    int64_t time;
    char said[STORM_TEXT_SIZE];
};

struct capsule {
    char id[STORM_ID_SIZE];
    struct proof *proofs;
    size_t count, room, written;
};

struct evidence {
    char directory[PATH_SIZE];
    struct capsule *capsules;
    size_t count, room;
};

struct evidence *evidence_new(const char *directory, struct reason *why)
{
    struct evidence *e = calloc(1, sizeof *e);
    if (!e) {
        reason_say(why, "%s: out of memory", directory);
        return NULL;
    }
    if (strlen(directory) > sizeof e->directory - STORM_ID_SIZE - 16)
        reason_say(why, "%.100s...: the path is too long", directory);
    else if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        reason_say(why, "%s: cannot make the directory for evidence: %s", directory, strerror(errno));
    else
        return snprintf(e->directory, sizeof e->directory, "%s", directory), e;
    free(e);
    return NULL;
}

void evidence_free(struct evidence *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->count; i++)
        free(e->capsules[i].proofs);
    free(e->capsules);
    free(e);
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

/* The id becomes a file's name: letters, digits and '-' only. */
static bool id_is_plain(const char *id)
{
    return id[0] && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == strlen(id);
}

static struct capsule *capsule_of(struct evidence *e, const char *id)
{
    for (size_t i = e->count; i-- > 0;)
        if (strcmp(e->capsules[i].id, id) == 0)
            return &e->capsules[i];
    void *list = e->capsules;
    if (!id_is_plain(id) || !make_room(&list, sizeof *e->capsules, e->count, &e->room, STORMS))
        return NULL;
    e->capsules = list;
    struct capsule *c = &e->capsules[e->count++];
    *c = (struct capsule){0};
    snprintf(c->id, sizeof c->id, "%s", id);
    return c;
}

static void add_proof(struct capsule *c, const struct storm_evidence *piece)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->proofs[i].connection == piece->connection)
            return;
    void *list = c->proofs;
    if (!make_room(&list, sizeof *c->proofs, c->count, &c->room, CONNECTIONS))
        return;
    c->proofs = list;
    struct proof *p = &c->proofs[c->count++];
    *p = (struct proof){.connection = piece->connection, .time = piece->time};
    snprintf(p->said, sizeof p->said, "%s", piece->said);
}

void evidence_storm(struct evidence *e, const struct storm *s)
{
    struct capsule *c = capsule_of(e, s->id);
    for (uint32_t i = 0; c && i < s->host_count; i++)
        for (uint32_t k = 0; k < s->hosts[i].evidence_count; k++)
            if (s->hosts[i].evidence[k].connection)
                add_proof(c, &s->hosts[i].evidence[k]);
}

static bool write_capsule(const struct evidence *e, struct capsule *c, const struct capture *capture, struct reason *why)
{
    char path[PATH_SIZE + STORM_ID_SIZE + 16], comment[STORM_ID_SIZE + 64];
    size_t n = c->count - c->written;
    struct evidence_wish *wishes = calloc(n, sizeof *wishes);
    if (!wishes)
        return reason_say(why, "%s: no evidence of alarm %s: out of memory", e->directory, c->id);
    for (size_t i = 0; i < n; i++) {
        const struct proof *p = &c->proofs[c->written + i];
        int64_t until = p->time == TIME_UNKNOWN || p->time > INT64_MAX - AFTER ? INT64_MAX : p->time + AFTER;
        wishes[i] = (struct evidence_wish){p->connection, until, span_text(p->said)};
    }
    snprintf(path, sizeof path, "%s/%s.pcapng", e->directory, c->id);
    snprintf(comment, sizeof comment, "alarm %s; mail text and passwords overwritten", c->id);
    FILE *to = fopen(path, c->written ? "ae" : "we");
    c->written = c->count;
    if (to)
        capture_evidence(capture, wishes, n, span_text(comment), to);
    bool good = to && !ferror(to);
    good = to && fclose(to) == 0 && good;
    free(wishes);
    return good || reason_say(why, "%s: cannot write the evidence: %s; check the directory and the disk", path, strerror(errno));
}

bool evidence_write(struct evidence *e, const struct capture *capture, struct reason *why)
{
    bool good = true;
    for (size_t i = 0; i < e->count; i++)
        if (e->capsules[i].written < e->capsules[i].count)
            good = write_capsule(e, &e->capsules[i], capture, why) && good;
    return good;
}
