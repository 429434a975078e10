/* In: accepted copies of mails, from stats.c.  Out: a resend when one client gives one server the very same copy again and again.
 *
 * The client never heard the final 250 (it came too late, or not at all) and tries anew; RFC 1047 tells the story.  Its copies have
 * the same chain and the same recipients and follow one another: the next begins when the one before had its end of data.  So twins
 * (which overlap), greylisting (a 4xx is no delivery), a connector's rounds (chains that differ) and a mail bomb of one mail are none. */
#include <stdlib.h>

#include "base/hash.h"
#include "stats/cells.h"
#include "stats/detect.h"
#include "stats/message.h"

#define COPIES 65536 /* remembered at once: 3 MiB */
#define FLOOD                                                                                                                              \
    NS_PER_SECOND /* a server has a line of its own on what it sends, and waits before it tries anew; a tool that floods does neither */

struct again {
    int64_t first, data_end;
    uint32_t copies;
};

struct resends {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct cells *copies;
};

static void drop(void *self)
{
    struct resends *r = self;
    cells_free(r->copies);
    free(r);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    struct resends *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct resends){.settings = settings, .incidents = incidents, .copies = cells_new(memory, sizeof(struct again), COPIES)};
    if (r->copies)
        return r;
    free(r);
    return NULL;
}

/* Equal for copies of one mail with the same client, server, chain and recipients, in whatever order. */
static uint64_t sameness(const struct observation *o)
{
    const struct transaction *t = o->t;
    uint64_t recipients = 0;
    for (size_t i = 0; i < t->recipient_count; i++)
        if (recipient_accepted(t, &t->recipients[i]))
            recipients += t->recipients[i].hash;
    return hash_add(hash_add(hash_add(hash_add(o->key, o->k->client), o->k->server), o->k->chain), recipients);
}

/* The copy before this one was kept in short form and is not remembered here. */
static bool was_in_short_form(const struct observation *o)
{
    const struct message *m = o->message;
    for (uint32_t i = 0; i < m->short_first && i < m->copy_count && o->redeliveries == o->deliveries; i++) {
        const struct copy *c = &m->copy_list[i];
        if (address_equal(c->client, o->t->client.address) && address_equal(c->server, o->t->server.address) &&
            c->hops == o->t->header.hop_count && o->t->mail_time >= c->data_end)
            return true;
    }
    return false;
}

/* The mail's own incident holds the client at fault: its repeats are part of that. */
static bool is_told(const struct resends *r, const struct observation *o)
{
    const struct storm *s = incident_find(r->incidents, o->message->key);
    for (uint32_t i = 0; s && incident_raised(s) && i < s->host_count; i++)
        if (s->hosts[i].role >= ROLE_REINJECTOR && address_equal(s->hosts[i].address, o->t->client.address))
            return true;
    return false;
}

static void raise_storm(struct resends *r, const struct again *a, const struct observation *o)
{
    struct address client = o->t->client.address;
    uint64_t key = hash_pair(hash_pair(KIND_RESEND, o->key), hash_bytes(client.b, sizeof client.b));
    struct storm *s = incident_open(r->incidents, key, KIND_RESEND, a->first);
    if (!s)
        return;
    if (!incident_raised(s))
        detect_describe(s, o->t);
    struct storm_host *h = detect_client(s, o);
    uint64_t earlier = a->copies == r->settings->resend.minor_copies ? (uint64_t)a->copies - 1 : 0; /* to this server, not counted yet */
    uint64_t again = earlier ? earlier : 1;
    s->copies += earlier + 1;
    s->deliveries += (earlier + 1) * o->deliveries;
    incident_rate(s, o->deliveries, o->now);
    s->redeliveries += again * o->deliveries;
    if (h) {
        h->role = ROLE_ORIGIN;
        h->first = a->first < h->first ? a->first : h->first;
        h->copies += earlier;
        h->deliveries += earlier * o->deliveries;
        h->redeliveries += again * o->deliveries;
    }
    detect_evidence(h, o->t, "copy %u of the same mail, to the same server and recipients, with the same Received lines", a->copies);
    detect_server(s, o);
    s->bytes += o->t->bytes;
    if (o->deliveries > s->recipients)
        s->recipients = o->deliveries;
    if (a->copies > s->most_copies_a_recipient)
        s->most_copies_a_recipient = a->copies;
    char from[ADDRESS_TEXT], to[ADDRESS_TEXT];
    incident_raise(r->incidents, s, SEVERITY_MINOR, o->now,
        "%s sent the same copy to %s %u times, one after another: it does not hear that the mail was accepted (RFC 1047).",
        address_text(client, from), address_text(o->t->server.address, to), a->copies);
}

static void observe(void *self, const struct observation *o)
{
    struct resends *r = self;
    const struct transaction *t = o->t;
    if (!r->settings->resend.enabled || !o->message || o->deliveries == 0)
        return;
    bool fresh;
    struct again *a = cells_take(r->copies, sameness(o), o->now, &fresh);
    bool after = fresh || t->mail_time >= a->data_end;
    bool flood = !fresh && t->header.hop_count == 0 && t->mail_time - a->data_end < FLOOD;
    if (fresh) {
        bool second = was_in_short_form(o);
        a->first = second ? o->message->first : o->now;
        a->copies = second ? 2 : 1;
    } else if (after && !flood) {
        a->copies++;
    }
    if (fresh || t->data_end > a->data_end)
        a->data_end = t->data_end;
    if (a->copies >= r->settings->resend.minor_copies && after && !flood && o->redeliveries == o->deliveries && !is_told(r, o))
        raise_storm(r, a, o);
}

const struct detector resend_detector = {.make = make, .drop = drop, .traits = TRAIT_RECORD, .observe = observe};
