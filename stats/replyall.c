/* In: mails that answer another one, from stats.c.  Out: a reply-all storm when many people answer one thread before a large audience.
 *
 * A replier is a From address whose mail is in the thread and has reached, or shows in To and Cc, enough recipients.  A thread is
 * known by its root: the first id of References; where only In-Reply-To stands, the root of the mail it names, which is remembered. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "stats/cells.h"
#include "stats/detect.h"
#include "stats/ledger.h"

#define THREADS    1024   /* with such repliers, at once: 4 MiB */
#define REPLIERS   256    /* told apart in a thread */
#define ROOTS      131072 /* ids of answers whose root is not the one they name: 4 MiB */
#define DEPTH_MOST 8      /* answers of answers followed in one step; each was shortened when it came, so one is the rule */

struct thread {
    int64_t first;
    uint64_t copies, deliveries, bytes, recipients;
    uint32_t count;
    struct {
        uint64_t address;
        int64_t last;
    } replier[REPLIERS];
};

struct replyall {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct cells *threads, *roots;
};

static void drop(void *self)
{
    struct replyall *r = self;
    cells_free(r->threads);
    cells_free(r->roots);
    free(r);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    struct replyall *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct replyall){.settings = settings, .incidents = incidents};
    r->threads = cells_new(memory, sizeof(struct thread), THREADS);
    r->roots = cells_new(memory, sizeof(uint64_t), ROOTS);
    if (r->threads && r->roots)
        return r;
    drop(r);
    return NULL;
}

/* The root of the thread that the mail is in; 0: it answers nothing. */
static uint64_t root_of(struct replyall *r, const struct observation *o)
{
    uint64_t id = o->k->id, root = o->k->root;
    if (root == 0 || root == id)
        return 0;
    for (int i = 0; i < DEPTH_MOST; i++) {
        const uint64_t *known = cells_find(r->roots, root);
        if (!known || *known == root)
            break;
        root = *known;
    }
    if (id && id != root) {
        bool fresh;
        uint64_t *known = cells_take(r->roots, id, o->now, &fresh);
        if (fresh)
            *known = root;
    }
    return root;
}

/* Notes the replier; true: a new one in this window. */
static bool add_replier(struct thread *t, uint64_t address, int64_t now, int64_t window)
{
    uint32_t i = 0, stalest = 0;
    while (i < t->count && t->replier[i].address != address) {
        if (t->replier[i].last < t->replier[stalest].last)
            stalest = i;
        i++;
    }
    bool known = i < t->count && now - t->replier[i].last <= window;
    if (i == t->count) {
        if (t->count < REPLIERS)
            t->count++;
        else
            i = stalest;
        t->replier[i].address = address;
    }
    t->replier[i].last = now;
    return !known;
}

static uint32_t repliers_in_window(const struct thread *t, int64_t now, int64_t window)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->count; i++)
        n += now - t->replier[i].last <= window;
    return n;
}

static void bring_up_to_date(struct storm *s, const struct thread *t, const struct observation *o)
{
    s->copies = t->copies;
    s->deliveries = t->deliveries;
    s->bytes = t->bytes;
    s->recipients = t->recipients;
    incident_rate(s, o->deliveries, o->now);
    detect_client(s, o);
}

static void raise_storm(struct replyall *r, struct storm *s, const struct observation *o, uint32_t repliers)
{
    const struct header *h = &o->t->header;
    if (!incident_raised(s)) {
        log_clean(h->references_root, s->thread, sizeof s->thread);
        log_clean(h->subject, s->subject, sizeof s->subject);
    }
    enum storm_severity severity = repliers >= r->settings->reply_all.critical_repliers ? SEVERITY_CRITICAL
                                   : repliers >= r->settings->reply_all.major_repliers  ? SEVERITY_MAJOR
                                                                                        : SEVERITY_MINOR;
    if (!incident_wants_words(s, severity, o->now)) {
        incident_touch(r->incidents, s, o->now);
        return;
    }
    detect_evidence(incident_host(s, o->t->client.address, "", true), o->t, "an answer to all: From: %.*s, %llu addresses in To and Cc",
        (int)(h->from_address.n < 100 ? h->from_address.n : 100), (const char *)h->from_address.p, (unsigned long long)h->audience_count);
    incident_raise(r->incidents, s, severity, o->now,
        "%u people have answered to all in one thread within %lld minutes, each to up to %llu recipients.", repliers,
        (long long)(r->settings->reply_all.window / NS_PER_SECOND / 60), (unsigned long long)s->recipients);
}

static void expect(void *self, const struct observation *o)
{
    const struct replyall *r = self;
    if (!r->settings->reply_all.enabled || o->k->root == 0)
        return;
    cells_expect(r->roots, o->k->root);
    cells_expect(r->roots, o->k->id);
}

static void observe(void *self, const struct observation *o)
{
    struct replyall *r = self;
    const struct transaction *t = o->t;
    if (!r->settings->reply_all.enabled || !t->message || t->null_reverse_path)
        return;
    uint64_t root = root_of(r, o);
    if (root == 0)
        return;
    uint64_t reached = o->message ? message_recipients(o->message) : o->deliveries;
    if (reached < t->header.audience_count)
        reached = t->header.audience_count;
    if (reached < (uint64_t)r->settings->reply_all.recipients)
        return;
    bool fresh;
    struct thread *thread = cells_take(r->threads, root, o->now, &fresh);
    if (fresh)
        thread->first = o->now;
    thread->copies++;
    thread->deliveries += o->deliveries;
    thread->bytes += t->bytes;
    if (reached > thread->recipients)
        thread->recipients = reached;
    uint64_t from = t->header.from_hash ? t->header.from_hash : hash_nocase(t->reverse_path);
    bool is_new = add_replier(thread, from, o->now, r->settings->reply_all.window);
    uint64_t key = hash_pair(KIND_REPLY_ALL, root);
    struct storm *s = incident_find(r->incidents, key);
    uint32_t repliers = is_new || s ? repliers_in_window(thread, o->now, r->settings->reply_all.window) : 0;
    bool enough = repliers >= r->settings->reply_all.minor_repliers;
    if (!s && enough)
        s = incident_open(r->incidents, key, KIND_REPLY_ALL, thread->first);
    if (!s)
        return;
    s->audience = t->header.audience_count > s->audience ? t->header.audience_count : s->audience;
    bring_up_to_date(s, thread, o);
    if (enough)
        raise_storm(r, s, o, repliers);
}

const struct detector replyall_detector = {
    .make = make, .drop = drop, .traits = TRAIT_PLAIN | TRAIT_ANSWER, .expect = expect, .observe = observe};
