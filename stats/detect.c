/* In: a storm and the transaction that is part of it.  Out: the storm's texts, hosts and evidence, filled the same way by every
 * detector. */
#include "stats/detect.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

void detect_describe(struct storm *s, const struct transaction *t)
{
    log_clean(t->header.message_id, s->message_id, sizeof s->message_id);
    log_clean(t->header.subject, s->subject, sizeof s->subject);
    log_clean(t->header.from_address.n ? t->header.from_address : t->reverse_path, s->from, sizeof s->from);
    s->audience = t->header.audience_count;
}

static __attribute__((noinline)) struct storm_host *seen_first(struct storm *s, struct address address, struct span name)
{
    char text[STORM_TEXT_SIZE];
    return incident_host(s, address, log_clean(name, text, sizeof text), true);
}

static struct storm_host *seen(struct storm *s, struct address address, uint64_t hash, struct span name, int64_t now)
{
    struct storm_host *h = incident_named_host(s, address, hash);
    if (!h)
        h = seen_first(s, address, name);
    if (!h)
        return NULL;
    if (h->first == TIME_UNKNOWN)
        h->first = now;
    h->last = now;
    return h;
}

struct storm_host *detect_client(struct storm *s, const struct observation *o)
{
    struct storm_host *h = seen(s, o->t->client.address, o->k->client, o->t->helo, o->now);
    if (h) {
        h->copies++;
        h->deliveries += o->deliveries;
    }
    return h;
}

struct storm_host *detect_server(struct storm *s, const struct observation *o)
{
    struct storm_host *h = seen(s, o->t->server.address, o->k->server, o->t->greeting, o->now);
    if (h)
        h->recipients_in += o->deliveries;
    return h;
}

void detect_evidence(struct storm_host *h, const struct transaction *t, const char *said, ...)
{
    struct storm_evidence e = {.time = t->end, .connection = t->connection, .client = t->client.address, .server = t->server.address};
    if (!h || h->evidence_count == STORM_EVIDENCE)
        return;
    char text[STORM_TEXT_SIZE];
    va_list args;
    va_start(args, said);
    vsnprintf(text, sizeof text, said, args);
    va_end(args);
    log_clean(span_text(text), e.said, sizeof e.said);
    incident_evidence(h, &e);
}

bool detect_blamed(const struct incidents *all, struct address host)
{
    for (size_t i = 0; i < incident_count(all); i++) {
        const struct storm *s = incident_at(all, i);
        for (uint32_t j = 0; s->state != STATE_CLEARED && j < s->host_count; j++)
            if (s->hosts[j].role >= ROLE_REINJECTOR && address_equal(s->hosts[j].address, host))
                return true;
    }
    return false;
}

struct span detect_domain(struct span address)
{
    const uint8_t *at = address.n ? memrchr(address.p, '@', address.n) : NULL;
    return at ? span_from(address, (size_t)(at + 1 - address.p)) : (struct span){NULL, 0};
}
