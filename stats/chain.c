/* In: the Received lines of one copy (RFC 5321, 4.4).  Out: the hosts it has been at, and how it came to each, to route.c.
 *
 * Lines that one host wrote one after the other are one visit: the way in by SMTP, a content filter on 127.0.0.1, the way out.  A visit's
 * first line says how the mail came: from the host before, by SMTP; or from nowhere ("from localhost", "from userid 0", a pickup folder)
 * although the host before was another one, or with POP3: then it lay in a mailbox in between.  The lines are their writers' words: what
 * this file finds is evidence only together with what the wire shows (route.c), and a line that cannot be read leaves ARRIVAL_ODD, which
 * accuses nobody. */
#include "stats/chain.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/log.h"

#define EXIM_HOP_LIMIT 30 /* received_headers_max */

static bool is_loopback(struct address a)
{
    static const struct address v6 = {{[15] = 1}};
    return address_equal(a, v6) || (address_is_v4(a) && a.b[12] == 127);
}

static bool is_local(struct span name)
{
    return name.n == 0 || span_starts_nocase(name, "localhost") || span_starts_nocase(name, "127.") || span_starts_nocase(name, "[127.");
}

/* Behind "by": a name that says nothing of the host. */
static bool is_nameless(struct span name)
{
    struct address a;
    if (is_local(name))
        return true;
    uint8_t last = name.p[name.n - 1];
    bool may_be_address = (last >= '0' && last <= '9') || last == ']' || memchr(name.p, ':', name.n);
    return may_be_address && address_parse(name, &a);
}

static bool has_dot(struct span name)
{
    return name.n && memchr(name.p, '.', name.n);
}

/* The line's host had the mail from itself: a pickup folder, sendmail(1), a filter, a connector on the same machine. */
static bool from_itself(const struct hop *h)
{
    if (address_known(h->from_address))
        return is_loopback(h->from_address);
    if (is_local(h->from) || span_equal_nocase(h->from, h->by) || span_equal_nocase(h->with, span_text("local")))
        return true;
    /* "from root by", "from mail pickup service by": a user or a service; only a host is greeted with SMTP */
    return !has_dot(h->from) && h->from.p[0] != '[' && !span_starts_nocase(h->with, "ESMTP") && !span_starts_nocase(h->with, "SMTP") &&
           !span_equal_nocase(h->from, span_text("unknown"));
}

/* "SMTP", "ESMTPS" and the like: what nearly all lines say. */
static bool says_smtp(struct span with)
{
    size_t at = with.n && (with.p[0] | 0x20) == 'e';
    uint32_t word, smtp;
    if (with.n < at + sizeof word)
        return false;
    memcpy(&word, with.p + at, sizeof word);
    memcpy(&smtp, "smtp", sizeof smtp);
    return (word | 0x20202020) == smtp; /* letters in either case, and nothing else */
}

bool chain_fetched(const struct hop *h)
{
    static const char *const programs[] = {"pop3", "fetchmail", "getmail", "mpop", "popcon", "domainpop", "multipop", "retchmail"};
    if (says_smtp(h->with))
        return false;
    if (span_starts_nocase(h->with, "POP") || span_starts_nocase(h->with, "IMAP"))
        return true;
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (span_contains_nocase(h->with, programs[i]) || span_contains_nocase(h->with_note, programs[i]))
            return true;
    return false;
}

static bool is_final_delivery(const struct hop *h)
{
    return span_starts_nocase(h->with, "LMTP") && !is_nameless(h->by);
}

/* The registered domain: two labels, three under the likes of co.uk. */
static struct span registered_domain(struct span name)
{
    while (name.n && name.p[name.n - 1] == '.')
        name.n--;
    size_t labels = 0, end = name.n, second = 0;
    for (size_t i = name.n; i > 0; i--) {
        if (name.p[i - 1] != '.')
            continue;
        labels++;
        if (labels == 1)
            second = i;
        if (labels == 2 && (end - second > 2 || second - 1 - i > 3))
            return span_from(name, i);
        if (labels == 3)
            return span_from(name, i);
    }
    return name;
}

struct span chain_organisation(struct span name)
{
    struct span domain = registered_domain(name);
    return has_dot(domain) ? domain : (struct span){NULL, 0};
}

bool chain_same_organisation(struct span a, struct span b)
{
    struct span domain = chain_organisation(a);
    return domain.n && span_equal_nocase(domain, registered_domain(b));
}

static enum arrival arrival_of(const struct visit *before, const struct hop *h, bool fetched)
{
    if (fetched)
        return ARRIVAL_MAILBOX;
    if (!from_itself(h))
        return !before->delivered || chain_same_organisation(before->name, h->from) ? ARRIVAL_SMTP : ARRIVAL_MAILBOX;
    if (before->delivered)
        return ARRIVAL_MAILBOX;
    /* one organisation may hand on what no line shows: mapi, a shared queue, a second name of the same machine */
    return before->name_hash && has_dot(h->by) && !chain_same_organisation(before->name, h->by) ? ARRIVAL_MAILBOX : ARRIVAL_ODD;
}

static struct visit *visit_open(struct chain *c, uint32_t line, uint64_t path, bool fetched)
{
    const struct hop *h = &c->hops[line];
    struct visit *v = &c->visit[c->count];
    *v = (struct visit){.first = line, .path = path, .entry = hash_pair(path, h->hash)};
    if (c->count == 0) {
        v->arrival = ARRIVAL_START;
    } else {
        v->arrival = arrival_of(&c->visit[c->count - 1], h, fetched);
        v->missing = v->arrival == ARRIVAL_MAILBOX && !fetched && !from_itself(h);
        if (!is_loopback(h->from_address) && !v->missing)
            c->visit[c->count - 1].address = h->from_address;
    }
    c->count++;
    return v;
}

/* The line, by a host of a proper name or not, is of the host that wrote the one before. */
static bool continues(const struct visit *v, const struct hop *h, bool named)
{
    if (!named)
        return true;
    /* what it fetched, or gave to a mailbox, has been elsewhere when it comes in again */
    if (span_equal_nocase(v->name, h->by))
        return !(v->fetched || v->delivered) || from_itself(h) || !has_dot(h->from) || chain_same_organisation(h->from, v->name);
    /* a program that fetches may call its host by another name than the server beside it does: "vm", "localhost" */
    return !has_dot(v->name) && !v->delivered && from_itself(h);
}

void chain_read(struct chain *c, const struct hop *hops, size_t count)
{
    if (count > CHAIN_LINES) {
        hops += count - CHAIN_LINES;
        count = CHAIN_LINES;
    }
    c->hops = hops;
    c->hop_count = (uint32_t)count;
    c->count = 0;
    uint64_t path = 0;
    struct visit *v = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct hop *h = &hops[i];
        bool fetched = chain_fetched(h), named = !is_nameless(h->by);
        if (!v || fetched || !continues(v, h, named))
            v = visit_open(c, i, path, fetched);
        if (!has_dot(v->name) && named) {
            v->name = h->by;
            v->name_hash = hash_nocase(h->by);
        }
        v->last = i;
        v->fetched |= fetched;
        v->delivered = is_final_delivery(h);
        path = hash_pair(path, h->hash);
    }
}

uint64_t chain_end(const struct chain *c, uint32_t k)
{
    if (k + 1 < c->count)
        return c->visit[k + 1].path;
    uint64_t path = c->visit[k].path;
    for (uint32_t i = c->visit[k].first; i <= c->visit[k].last; i++)
        path = hash_pair(path, c->hops[i].hash);
    return path;
}

void trunk_join(struct trunk *t, const struct chain *c)
{
    if (c->count == 0)
        return;
    if (!t->known) {
        t->known = true;
        for (t->count = 0; t->count < c->count && t->count < CHAIN_TRUNK; t->count++) {
            t->visit[t->count].name = c->visit[t->count].name_hash;
            t->visit[t->count].end = chain_end(c, t->count);
        }
        return;
    }
    uint32_t k = 0;
    while (k < t->count && k < c->count && t->visit[k].end == chain_end(c, k))
        k++;
    /* one mail in several queue files of its first server has several first lines */
    if (k == 0 && t->count && t->visit[0].name && t->visit[0].name == c->visit[0].name_hash)
        k = 1;
    t->count = k;
}

/* A mailbox stands in the chain before visit k, by plain word: what comes after it is not the origin's own way. */
static bool after_mailbox(const struct chain *c, uint32_t k)
{
    while (k-- > 0)
        if (c->visit[k].delivered || c->visit[k].fetched)
            return true;
    return false;
}

int chain_injection(const struct chain *c, const struct trunk *t)
{
    for (uint32_t k = c->count; k-- > 1;) {
        const struct visit *v = &c->visit[k];
        if (v->arrival != ARRIVAL_MAILBOX)
            continue;
        if (k >= t->count && (t->count || t->bare || v->fetched || after_mailbox(c, k)))
            return (int)k;
        /* of one re-injector alone all copies share everything: its own word that it fetched the mail is enough */
        if (v->fetched && k + 1 == c->count)
            return (int)k;
    }
    return -1;
}

uint32_t chain_passes(const struct chain *c, struct span name, struct address address, bool same_name_is_same, uint32_t *latest)
{
    uint32_t n = 0;
    bool here = false; /* a host may stand there twice in a row, by two names */
    for (uint32_t k = 0; k < c->count; k++) {
        const struct visit *v = &c->visit[k];
        bool elsewhere = address_known(v->address) && address_known(address) && !address_equal(v->address, address);
        bool named = v->name_hash && name.n && span_equal_nocase(v->name, name);
        bool was_here = here;
        here = (address_known(address) && address_equal(v->address, address)) || (named && (same_name_is_same || !elsewhere));
        n += here && !was_here;
        if (here)
            *latest = k;
    }
    return n;
}

/* With a password (RFC 3848: ESMTPA, ESMTPSA): a person's program gave it, no server. */
static bool is_submission(const struct hop *h)
{
    return span_starts_nocase(h->with, "ESMTP") && (h->with.p[h->with.n - 1] | 0x20) == 'a';
}

const struct hop *chain_before(const struct chain *c, struct span author_domain)
{
    const struct hop *h = c->count ? &c->hops[c->visit[0].first] : NULL;
    if (!h || c->visit[0].fetched || from_itself(h) || is_submission(h) || !has_dot(h->from) ||
        chain_same_organisation(h->by, author_domain))
        return NULL;
    bool boxed = c->visit[0].delivered || (c->count > 1 && c->visit[1].arrival == ARRIVAL_MAILBOX);
    return boxed || chain_same_organisation(h->from, author_domain) ? h : NULL;
}

/* Postfix and others of the common limit leave no mark in what is kept of a line. */
uint32_t chain_hop_limit(const struct chain *c)
{
    for (uint32_t i = 0; i < c->hop_count; i++)
        if (span_starts_nocase(c->hops[i].with_note, "Exim "))
            return EXIM_HOP_LIMIT;
    return 0;
}

char *chain_line(const struct hop *h, char *to, size_t size)
{
    char from[128], by[128], with[64], note[64], address[ADDRESS_TEXT] = "";
    log_clean(h->from, from, sizeof from);
    log_clean(h->by, by, sizeof by);
    log_clean(h->with, with, sizeof with);
    log_clean(h->with_note, note, sizeof note);
    if (address_known(h->from_address))
        address_text(h->from_address, address);
    snprintf(to, size, "%s%s%s%s%s%sby %s%s%s%s%s%s", from[0] || address[0] ? "from " : "", from, from[0] && address[0] ? " " : "",
        address[0] ? "[" : "", address,
        address[0] ? "] "
        : from[0]  ? " "
                   : "",
        by[0] ? by : "(not said)", with[0] ? " with " : "", with, note[0] ? " (" : "", note, note[0] ? ")" : "");
    return to;
}
