/* In: mails with an empty reverse-path (MAIL FROM:<>), from stats.c.  Out: a bounce storm on the domain they pour in on.
 *
 * Only the empty reverse-path is common to all bounces: the form, the report and the quoted mail are not.  What pours in on one
 * recipient pours in on its domain, so domains are counted; the storm names the recipient when it is but one.  Normal bounces of a
 * bulk mailing do not count: each quotes a mail that was sent from where it goes to, and goes to an address that gets no other (VERP).
 * Bounces of a mail that is a storm itself, and its own copies, are that storm's. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/ledger.h"
#include "stats/message.h"
#include "stats/victims.h"
#include "stats/window.h"

#define RECIPIENTS    65536 /* told apart in the window: 5 MiB */
#define V4_NEIGHBOURS 15    /* bytes of an address: a /24 */
#define V6_NEIGHBOURS 8     /* a /64 */

struct bounces {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct ledger *ledger;
    struct victims *domains;
    struct window *recipients, *passed_over; /* bounces to each; of them, those that looked normal */
};

static void drop(void *self)
{
    struct bounces *b = self;
    victims_free(b->domains);
    window_free(b->recipients);
    window_free(b->passed_over);
    free(b);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    struct bounces *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    *b = (struct bounces){.settings = settings, .incidents = incidents, .ledger = ledger};
    b->domains = victims_new(memory, incidents, KIND_BOUNCE_STORM, settings->bounce_storm.window, settings->bounce_storm.minor_bounces,
        settings->bounce_storm.major_bounces);
    b->recipients = window_new(memory, settings->bounce_storm.window, RECIPIENTS);
    b->passed_over = window_new(memory, settings->bounce_storm.window, RECIPIENTS);
    if (b->domains && b->recipients && b->passed_over)
        return b;
    drop(b);
    return NULL;
}

/* The mail is in an open storm of its own. */
static bool is_of_a_storm(const struct bounces *b, uint64_t mail)
{
    const struct storm *s = mail ? incident_find(b->incidents, mail) : NULL;
    return s && incident_raised(s) && s->state != STATE_CLEARED;
}

/* It goes to where the mail it quotes came from: the same host, or one beside it.  Who reports may be another than took the mail:
 * large houses have hosts for that, and some people forward. */
static bool is_of_ours(const struct bounces *b, const struct transaction *t, uint64_t quoted)
{
    struct address any = {{0}}, sender;
    return quoted && ledger_took(b->ledger, quoted, any, &sender) &&
           memcmp(sender.b, t->server.address.b, address_is_v4(sender) ? V4_NEIGHBOURS : V6_NEIGHBOURS) == 0;
}

static void raise_storm(struct bounces *b, struct storm *s, const struct transaction *t, struct span recipient, uint32_t hits, bool of_ours)
{
    bool one = s->recipients <= 1;
    if (one) {
        log_clean(recipient, s->victim, sizeof s->victim);
    } else {
        s->victim[0] = '@';
        log_clean(detect_domain(recipient), s->victim + 1, sizeof s->victim - 1);
    }
    enum storm_severity severity = hits >= b->settings->bounce_storm.major_bounces ? SEVERITY_MAJOR : SEVERITY_MINOR;
    if (!incident_wants_words(s, severity, t->end)) {
        incident_touch(b->incidents, s, t->end);
        return;
    }
    struct storm_host *h = incident_host(s, t->client.address, "", true);
    detect_evidence(h, t, "MAIL FROM:<>, RCPT TO:<%.*s>, quotes %s", (int)(recipient.n < 100 ? recipient.n : 100),
        (const char *)recipient.p,
        of_ours                         ? "a mail that came from there"
        : t->report.quoted.message_id.n ? "a mail that was not seen coming from there"
                                        : "no mail id");
    incident_raise(b->incidents, s, severity, t->end, "%u bounces (MAIL FROM:<>) came in on %s within %lld minutes; the latest quotes %s.",
        hits, s->victim, (long long)(b->settings->bounce_storm.window / NS_PER_SECOND / 60),
        of_ours ? "a mail that came from there" : "no mail that was seen coming from there");
}

static void observe(void *self, const struct observation *o)
{
    struct bounces *b = self;
    const struct transaction *t = o->t;
    if (!b->settings->bounce_storm.enabled || !t->message || !t->null_reverse_path)
        return;
    uint64_t quoted = key_id(t->report.quoted.message_id);
    if (is_of_a_storm(b, quoted) || is_of_a_storm(b, o->key)) /* some connectors send what they fetched with an empty reverse-path */
        return;
    bool of_ours = is_of_ours(b, t, quoted);
    for (size_t i = 0; i < t->recipient_count; i++) {
        const struct recipient *r = &t->recipients[i];
        if (!recipient_accepted(t, r))
            continue;
        uint32_t own = window_add(b->recipients, r->hash, 1, o->now);
        bool first = own == 1;
        if (first && of_ours) {
            window_add(b->passed_over, r->hash, 1, o->now);
            continue;
        }
        uint64_t domain = hash_nocase(detect_domain(r->address));
        if (own == 2 && window_count(b->passed_over, r->hash, o->now) > 0)
            victims_hit(b->domains, domain, o); /* its first one was no bounce to an address of its own after all */
        uint32_t hits = victims_hit(b->domains, domain, o);
        struct storm *s = victims_storm(b->domains, domain, hits, o, first);
        if (s && hits >= b->settings->bounce_storm.minor_bounces)
            raise_storm(b, s, t, r->address, hits, of_ours);
    }
}

const struct detector bounce_detector = {.make = make, .drop = drop, .traits = TRAIT_BOUNCE, .observe = observe};
