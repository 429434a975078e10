/* In: accepted mails, from stats.c.  Out: a notice when one shows very many people's addresses, of many domains, to all of them in To
 * and Cc: the fuel of the next storm, and a leak.  Once a mail. */
#include <stdlib.h>

#include "base/hash.h"
#include "stats/detect.h"

#define DOMAINS_MOST 4096 /* told apart */

struct exposures {
    const struct stats_settings *settings;
    struct incidents *incidents;
    uint64_t domain[2 * DOMAINS_MOST]; /* a set, emptied for each mail */
};

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    (void)memory;
    struct exposures *e = calloc(1, sizeof *e);
    if (e)
        *e = (struct exposures){.settings = settings, .incidents = incidents};
    return e;
}

static uint64_t count_domains(struct exposures *e, const struct header *h)
{
    uint64_t n = 0;
    memset(e->domain, 0, sizeof e->domain);
    for (size_t i = 0; i < h->audience_count && n < DOMAINS_MOST; i++) {
        uint64_t d = h->audience[i].domain ? h->audience[i].domain : 1;
        size_t at = d % (2 * DOMAINS_MOST);
        while (e->domain[at] != 0 && e->domain[at] != d)
            at = (at + 1) % (2 * DOMAINS_MOST);
        n += e->domain[at] == 0;
        e->domain[at] = d;
    }
    return n;
}

static void observe(void *self, const struct observation *o)
{
    struct exposures *e = self;
    const struct header *h = &o->t->header;
    if (!e->settings->exposure.enabled || !o->t->message || h->audience_count < (uint64_t)e->settings->exposure.audience)
        return;
    uint64_t key = hash_pair(KIND_EXPOSURE, o->key);
    struct storm *s = incident_find(e->incidents, key);
    if (s) {
        s->copies++;
        s->deliveries += o->deliveries;
        return;
    }
    uint64_t domains = count_domains(e, h);
    if (domains < (uint64_t)e->settings->exposure.domains)
        return;
    s = incident_open(e->incidents, key, KIND_EXPOSURE, o->now);
    if (!s)
        return;
    detect_describe(s, o->t);
    s->audience_domains = domains;
    s->copies = 1;
    s->deliveries = o->deliveries;
    struct storm_host *sender = detect_client(s, o);
    if (sender)
        sender->role = ROLE_ORIGIN;
    detect_evidence(
        sender, o->t, "To and Cc hold %llu addresses of %llu domains", (unsigned long long)s->audience, (unsigned long long)domains);
    incident_raise(e->incidents, s, SEVERITY_NOTICE, o->now,
        "Each of %llu people of %llu domains sees the addresses of all others in To and Cc; Bcc, or a mail each, would hide them.",
        (unsigned long long)s->audience, (unsigned long long)domains);
}

const struct detector exposure_detector = {.make = make, .drop = free, .traits = TRAIT_MESSAGE, .observe = observe};
