/* The hosts and mails of a scenario, by the names it gives them. */
#ifndef SQUALL_TESTS_SCRIPT_WORLD_H
#define SQUALL_TESTS_SCRIPT_WORLD_H

#include "base/hash.h"
#include "smtpdissect/transaction.h"
#include "tests/script/words.h"

#define MOST 16384 /* people of a mail */

struct host {
    char name[64], helo[96];
    struct address address;
};
struct mail {
    char name[64], id[128], from[128], subject[256], answers[128], root[128], body[64], list[96], been[96];
    bool automatic;
    struct audience_address *audience;
    char (*people)[64]; /* the audience's addresses */
    size_t count;
};

static struct {
    struct host host[256];
    size_t hosts;
    struct mail mail[256];
    size_t mails;
} world;

static inline struct host *host(const char *name)
{
    for (size_t i = 0; i < world.hosts; i++)
        if (strcmp(world.host[i].name, name) == 0)
            return &world.host[i];
    stop("no host \"%s\"", name);
}

static inline struct mail *mail(const char *name)
{
    size_t n = strcspn(name, "*");
    for (size_t i = 0; i < world.mails; i++)
        if (strlen(world.mail[i].name) == n && strncmp(world.mail[i].name, name, n) == 0)
            return &world.mail[i];
    stop("no mail \"%s\"", name);
}

/* What stands at `from`, with each * the number. */
static inline void numbered(char *to, size_t size, const char *from, uint64_t n)
{
    size_t used = 0;
    for (; *from && used + 24 < size; from++) {
        if (*from == '*')
            used += (size_t)snprintf(to + used, size - used, "%llu", (unsigned long long)n);
        else
            to[used++] = *from;
    }
    to[used] = 0;
}

static inline void add_host(struct words *w)
{
    struct host *h = &world.host[world.hosts++];
    if (world.hosts == sizeof world.host / sizeof world.host[0])
        stop("too many hosts");
    const char *name = next(w);
    text(h->name, sizeof h->name, name);
    if (!address_parse(span_text(next(w)), &h->address))
        stop("no address");
    if (w->at < w->count)
        text(h->helo, sizeof h->helo, next(w));
    else
        snprintf(h->helo, sizeof h->helo, "%.80s.test", name);
}

static inline void add_person(struct mail *m, const char *address)
{
    if (!m->audience) {
        m->audience = calloc(MOST, sizeof *m->audience);
        m->people = calloc(MOST, sizeof *m->people);
    }
    if (!m->audience || !m->people || m->count == MOST)
        stop("too many addresses");
    const char *at = strrchr(address, '@');
    text(m->people[m->count], sizeof m->people[0], address);
    m->audience[m->count++] = (struct audience_address){hash_nocase(span_text(address)), hash_nocase(span_text(at ? at + 1 : ""))};
}

static inline void spaced(char *to, size_t size, const char *from)
{
    text(to, size, from);
    for (; *to; to++)
        if (*to == '_')
            *to = ' ';
}

static inline void add_mail(struct words *w)
{
    struct mail *m = &world.mail[world.mails++];
    if (world.mails == sizeof world.mail / sizeof world.mail[0])
        stop("too many mails");
    const char *name = next(w);
    text(m->name, sizeof m->name, name);
    snprintf(m->id, sizeof m->id, "%s@script.test", name);
    snprintf(m->subject, sizeof m->subject, "about %s", name);
    text(m->body, sizeof m->body, name);
    while (w->at < w->count) {
        if (take(w, "from")) {
            text(m->from, sizeof m->from, next(w));
        } else if (take(w, "to")) {
            while (w->at < w->count && strchr(w->word[w->at], '@'))
                add_person(m, next(w));
        } else if (take(w, "audience")) {
            uint64_t n = number(next(w)), domains = take(w, "over") ? number(next(w)) : 8;
            for (uint64_t i = 0; i < n; i++) {
                char address[64];
                snprintf(address, sizeof address, "p%llu@d%llu.test", (unsigned long long)i + 1, (unsigned long long)(i % domains) + 1);
                add_person(m, address);
            }
        } else if (take(w, "subject")) {
            spaced(m->subject, sizeof m->subject, next(w));
        } else if (take(w, "answers")) {
            snprintf(m->answers, sizeof m->answers, "%s@script.test", next(w));
        } else if (take(w, "root")) {
            snprintf(m->root, sizeof m->root, "%s@script.test", next(w));
        } else if (take(w, "id")) {
            text(m->id, sizeof m->id, next(w));
        } else if (take(w, "body")) {
            text(m->body, sizeof m->body, next(w));
        } else if (take(w, "auto")) {
            m->automatic = true;
        } else if (take(w, "list")) {
            text(m->list, sizeof m->list, next(w));
        } else if (take(w, "been")) {
            text(m->been, sizeof m->been, next(w));
        } else {
            stop("\"%s\" says nothing of a mail", next(w));
        }
    }
}

#endif
