/* In: mails to one recipient, from stats.c.  Out: an autoreply loop when two addresses answer each other the way only programs do.
 *
 * A dialogue is kept for each pair of addresses and, for programs that change their address or answer from another one, for each
 * address with a domain, and for each ring of answers in which more than two take part.  It counts mails that come from the two sides
 * in strict alternation, each with an id of its own.  Enough of them in the window are a loop when
 * - both sides answer at machine pace: the median delay of either is short, or
 * - subjects nest: a mail's Subject is the last one's with more than a reply prefix before it (ticket tags set aside), or
 * - both sides are machines by their mails: Auto-Submitted, or the same body again; or one is, and the other answers its very mails.
 *
 * So two people at their desks are no loop, nor is a person who writes to a program that confirms each mail.  Where a side is a domain
 * with several addresses, such as many customers of one help desk, nearly every mail must also answer the one before it by id or
 * Subject. */
#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hash.h"
#include "base/log.h"
#include "stats/cells.h"
#include "stats/detect.h"
#include "stats/key.h"
#include "stats/message.h"

#define DIALOGUES    32768 /* at once: 5 MiB */
#define COURSES      8192  /* of them, with more than one mail: 5 MiB */
#define RINGS        16384 /* mails that answer one, remembered */
#define KEPT         64    /* mails kept of each: thresholds stand at most so high */
#define RECENT_KEYS  4     /* the same mail on its next hop is not the next mail */
#define PATIENCE     8     /* one mail missed on the wire is forgiven in so many that alternate */
#define TAG_MOST     64    /* bytes of a ticket tag */
#define SUBJECT_MOST 1024  /* bytes compared */
#define BLOCK        16    /* of them looked at in one step */
#define NESTED_SHARE 2     /* of the mails, one in so many must nest */

enum sign { SIGN_SIDE = 1, SIGN_AUTO = 2, SIGN_SAME_BODY = 4, SIGN_NESTS = 8, SIGN_ANSWERS = 16 };

struct dialogue { /* most have one mail: its place in the course stands here, and there is no course */
    uint32_t run, missed; /* mails in alternation; mails missing in it */
    uint32_t subject_length;
    uint8_t last_side, last_signs, recent_at;
    bool alone;  /* one address answers what comes back to it by a list */
    bool varied; /* a side kept as a domain spoke from, or was written to at, more than one address; a ring has more than two */
    uint64_t last_from, last_to; /* of a ring */
    uint64_t domain_address;
    uint64_t recent[RECENT_KEYS];
    uint64_t last_id, last_body[2];
    uint64_t subject; /* hash of the last one, tags set aside */
    struct address last_client;
    int64_t first, last;
};

struct course { /* of a dialogue, by the same key */
    struct address client[2]; /* who sent a side's mails: the client of the first hop seen */
    uint8_t signs[KEPT];      /* rings by run */
    int64_t time[KEPT];
};

struct autoreplies {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct cells *dialogues, *courses;
    struct cells *rings; /* by id of a mail: the ring of answers it is part of */
};

struct mail { /* what a dialogue needs of a transaction */
    const struct observation *o;
    const struct recipient *to;
    uint64_t from;
    struct span subject; /* tags set aside: the mail's own, most often, else in `room` */
    uint64_t subject_hash;
    bool automatic;
    uint8_t room[SUBJECT_MOST];
};

static void drop(void *self)
{
    struct autoreplies *a = self;
    cells_free(a->dialogues);
    cells_free(a->courses);
    cells_free(a->rings);
    free(a);
}

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    struct autoreplies *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    *a = (struct autoreplies){.settings = settings, .incidents = incidents};
    a->dialogues = cells_new(memory, sizeof(struct dialogue), DIALOGUES);
    a->courses = cells_new(memory, sizeof(struct course), COURSES);
    a->rings = cells_new(memory, sizeof(uint64_t), RINGS);
    if (a->dialogues && a->courses && a->rings)
        return a;
    drop(a);
    return NULL;
}

/* ---- what one mail says ---- */

/* A byte of a Subject that may begin a tag, or is white space. */
static bool is_odd(uint8_t c)
{
    static const uint8_t odd[256] = {
        [0] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        ['['] = 1, ['('] = 1, ['#'] = 1,
    };
    return odd[c];
}

/* Of sixteen bytes none is odd but for single spaces. */
static inline bool is_plain_block(const uint8_t *p)
{
#ifdef __SSE2__
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p), control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(' ' - 1)), x);
    __m128i bracket = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('[')), _mm_cmpeq_epi8(x, _mm_set1_epi8('(')));
    __m128i odd = _mm_or_si128(_mm_or_si128(control, bracket), _mm_cmpeq_epi8(x, _mm_set1_epi8('#')));
    unsigned spaces = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(' ')));
    return (spaces & spaces >> 1) == 0 && _mm_movemask_epi8(odd) == 0;
#else
    for (int i = 0; i < BLOCK; i++)
        if (is_odd(p[i]) && (p[i] != ' ' || (i > 0 && p[i - 1] == ' ')))
            return false;
    return true;
#endif
}

/* plain_subject() would leave it as it is, or it is short and not worth the look. */
static bool is_plain(struct span s)
{
    if (s.n < BLOCK || s.n > SUBJECT_MOST || s.p[0] == ' ' || s.p[s.n - 1] == ' ')
        return s.n == 0;
    for (size_t i = 0; i + BLOCK < s.n; i += BLOCK - 1) /* a pair of spaces may stand anywhere */
        if (!is_plain_block(s.p + i))
            return false;
    return is_plain_block(s.p + s.n - BLOCK);
}

/* The Subject without ticket tags, which are brackets with a digit or # inside, words with # before a digit; and without double spaces. */
static uint32_t plain_subject(struct span s, uint8_t to[SUBJECT_MOST])
{
    uint32_t n = 0;
    for (size_t i = 0; i < s.n && n < SUBJECT_MOST;) {
        if (!is_odd(s.p[i])) {
            to[n++] = s.p[i++];
            continue;
        }
        size_t end = i + 1;
        bool tag = false;
        if (s.p[i] == '[' || s.p[i] == '(') {
            uint8_t close = s.p[i] == '[' ? ']' : ')';
            while (end < s.n && end - i < TAG_MOST && s.p[end] != close) {
                tag |= s.p[end] == '#' || (s.p[end] >= '0' && s.p[end] <= '9');
                end++;
            }
            tag &= end < s.n && s.p[end] == close;
            end = tag ? end + 1 : i + 1;
        } else if (s.p[i] == '#' && i + 1 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '9') {
            tag = true;
            while (end < s.n && s.p[end] > ' ')
                end++;
        }
        uint8_t c = s.p[i] <= ' ' ? ' ' : s.p[i];
        if (!tag && (c != ' ' || (n > 0 && to[n - 1] != ' ')))
            to[n++] = c;
        i = end;
    }
    while (n > 0 && to[n - 1] == ' ')
        n--;
    return n;
}

static void take_subject(struct mail *m, struct span subject)
{
    bool plain = is_plain(subject);
    m->subject = plain ? subject : span_of(m->room, plain_subject(subject, m->room));
    m->subject_hash = plain ? m->o->k->subject : hash_bytes(m->subject.p, m->subject.n);
}

/* The prefix that a mail reader puts before the Subject it answers or forwards. */
static bool is_reply_prefix(struct span s)
{
    static const char *const known[] = {"re:", "aw:", "sv:", "vs:", "antw:", "ant:", "odp:", "res:", "rif:", "r:", "ynt:", "fw:", "fwd:",
        "wg:", "tr:", "rv:", "enc:", "doorst:", "vl:", "vb:"};
    s = span_trim(s);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_equal_nocase(s, span_text(known[i])))
            return true;
    return false;
}

/* The mail's Subject is the last one's with more before it than one reply prefix that does not stand there yet. */
static bool nests(const struct dialogue *d, const struct mail *m)
{
    if (d->subject_length == 0 || m->subject.n <= d->subject_length)
        return false;
    struct span before = span_head(m->subject, m->subject.n - d->subject_length), last = span_from(m->subject, before.n);
    if (hash_bytes(last.p, last.n) != d->subject)
        return false;
    struct span prefix = span_trim(before);
    return !is_reply_prefix(prefix) || span_equal_nocase(span_head(last, prefix.n), prefix);
}

static bool is_automatic(const struct header *h)
{
    if (h->auto_submitted.n == 0 && h->precedence.n == 0)
        return false;
    struct span value = span_trim(h->auto_submitted);
    return (value.n && !(span_starts_nocase(value, "no") && (value.n == 2 || value.p[2] == ';' || value.p[2] == ' '))) ||
           span_equal_nocase(span_trim(h->precedence), span_text("auto_reply"));
}

/* ---- a dialogue and its next mail ---- */

static void start(struct dialogue *d, const struct mail *m, uint8_t side)
{
    d->run = d->missed = 0;
    d->varied = d->alone = false;
    d->domain_address = 0;
    d->last_body[0] = d->last_body[1] = d->last_id = 0;
    d->subject_length = 0;
    d->first = m->o->now;
    d->last_side = !side;
}

static bool seen_before(struct dialogue *d, uint64_t key)
{
    for (int i = 0; i < RECENT_KEYS; i++)
        if (d->recent[i] == key)
            return true;
    d->recent[d->recent_at++ % RECENT_KEYS] = key;
    return false;
}

/* Where the dialogue's mails so far stand; NULL: there are none, or their places were needed for others. */
static struct course *course_of(struct autoreplies *a, const struct dialogue *d, uint64_t key, int64_t now)
{
    bool fresh = false;
    struct course *c = d->run ? cells_take(a->courses, key, now, &fresh) : NULL;
    if (d->run == 1) {
        c->signs[0] = d->last_signs;
        c->time[0] = d->last;
        c->client[d->last_side] = d->last_client;
    }
    return d->run > 1 && fresh ? NULL : c;
}

/* Adds the mail to the dialogue, and to its course when it is not the first one (else NULL); false: it is no new one. */
static bool add(struct autoreplies *a, struct dialogue *d, uint64_t key, const struct mail *m, uint8_t side, struct course **course)
{
    const struct transaction *t = m->o->t;
    const struct key *k = m->o->k;
    if (seen_before(d, m->o->key))
        return false;
    if (d->run == 0 || m->o->now - d->last > a->settings->autoreply_loop.window) {
        start(d, m, side);
    } else if (side == d->last_side) {
        d->missed++;
        if (d->missed * PATIENCE > d->run)
            start(d, m, side);
    }
    *course = course_of(a, d, key, m->o->now);
    if (!*course && d->run)
        start(d, m, side);
    uint8_t signs = side ? SIGN_SIDE : 0;
    if (m->automatic)
        signs |= SIGN_AUTO;
    if (t->body_fingerprint && d->last_body[side] == t->body_fingerprint)
        signs |= SIGN_SAME_BODY;
    if (nests(d, m))
        signs |= SIGN_NESTS;
    if (k->answers && k->answers == d->last_id)
        signs |= SIGN_ANSWERS;
    if (*course) {
        (*course)->signs[d->run % KEPT] = signs;
        (*course)->time[d->run % KEPT] = m->o->now;
        (*course)->client[side] = t->client.address;
    }
    d->run++;
    d->last = m->o->now;
    d->last_side = side;
    d->last_signs = signs;
    d->last_client = t->client.address;
    d->last_body[side] = t->body_fingerprint;
    d->last_id = k->id;
    d->subject = m->subject_hash;
    d->subject_length = (uint32_t)m->subject.n;
    return true;
}

static uint32_t mails_in_window(const struct dialogue *d, const struct course *c, int64_t now, int64_t window)
{
    uint32_t n = 0, kept = d->run < KEPT ? d->run : KEPT;
    while (n < kept && now - c->time[(d->run - 1 - n) % KEPT] <= window)
        n++;
    return n;
}

static int by_length(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median(int64_t *gaps, uint32_t n)
{
    if (n == 0)
        return INT64_MAX;
    qsort(gaps, n, sizeof *gaps, by_length);
    return n % 2 ? gaps[n / 2] : gaps[n / 2 - 1] / 2 + gaps[n / 2] / 2;
}

struct verdict {
    bool loop;
    int64_t pace;     /* ns, of the slower side */
    const char *sign; /* what gives it away */
};

/* The last n mails of the dialogue. */
static struct verdict judge(const struct dialogue *d, const struct course *c, uint32_t n, int64_t machine_pace)
{
    int64_t gaps[2][KEPT];
    uint32_t count[2] = {0}, mails[2] = {0}, machine[2] = {0}, answers[2] = {0}, nested = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (d->run - n + i) % KEPT;
        uint8_t signs = c->signs[at];
        int side = (signs & SIGN_SIDE) != 0;
        mails[side]++;
        machine[side] += (signs & (SIGN_AUTO | SIGN_SAME_BODY)) != 0;
        answers[side] += (signs & SIGN_ANSWERS) != 0;
        nested += (signs & SIGN_NESTS) != 0;
        if (i > 0) {
            int64_t gap = c->time[at] - c->time[(at + KEPT - 1) % KEPT];
            gaps[side][count[side]++] = gap;
        }
    }
    int64_t pace[2] = {median(gaps[0], count[0]), median(gaps[1], count[1])};
    struct verdict v = {.loop = true, .pace = pace[0] > pace[1] ? pace[0] : pace[1]};
    bool is_machine[2]; /* the first mail of a side may be a person's, who set it going */
    for (int i = 0; i < 2; i++)
        is_machine[i] = mails[i] > 1 && machine[i] + 1 >= mails[i];
    bool answered = (is_machine[0] && answers[1] + 1 >= mails[1]) || (is_machine[1] && answers[0] + 1 >= mails[0]);
    if (v.pace < machine_pace)
        v.sign = "at a machine's pace";
    else if (nested * NESTED_SHARE >= n)
        v.sign = "each with the last Subject inside its own";
    else if (is_machine[0] && is_machine[1])
        v.sign = "both marked as automatic or with the same text again";
    else if (answered)
        v.sign = "one of them a machine, the other answering its mails";
    else
        v.loop = false;
    if (d->alone) /* a person may send a series, each part in answer to the last */
        v.loop &= is_machine[0] && is_machine[1];
    if (d->varied)
        v.loop &= (answers[0] + answers[1] >= nested ? answers[0] + answers[1] : nested) * 4 >= n * 3;
    return v;
}

static void raise_storm(struct autoreplies *a, const struct dialogue *d, const struct course *c, uint64_t key, const struct mail *m,
    uint32_t n, const struct verdict *v)
{
    const struct transaction *t = m->o->t;
    struct storm *s = incident_open(a->incidents, hash_pair(KIND_AUTOREPLY_LOOP, key), KIND_AUTOREPLY_LOOP, d->first);
    if (!s)
        return;
    if (!incident_raised(s)) {
        log_clean(t->header.from_address.n ? t->header.from_address : t->reverse_path, s->from, sizeof s->from);
        log_clean(m->to->address, s->victim, sizeof s->victim);
        log_clean(t->header.subject, s->subject, sizeof s->subject);
        s->recipients = 2;
        s->copies = s->deliveries = d->run - 1;
        for (int i = 0; i < 2; i++) {
            struct storm_host *h = incident_host(s, c->client[i], "", true);
            if (!h)
                continue;
            h->role = ROLE_LOOPER;
            h->copies = h->deliveries = (d->run - 1 + (i != d->last_side)) / 2;
            h->first = d->first;
            h->last = m->o->now;
        }
    }
    s->copies++;
    s->deliveries++;
    incident_rate(s, 1, m->o->now);
    s->bytes += t->bytes;
    struct storm_host *h = detect_client(s, m->o);
    if (h)
        h->role = ROLE_LOOPER;
    struct span from = t->header.from_address.n ? t->header.from_address : t->reverse_path;
    detect_evidence(h, t, "From: %.*s to %.*s, mail %u of the dialogue%s", (int)(from.n < 80 ? from.n : 80), (const char *)from.p,
        (int)(m->to->address.n < 80 ? m->to->address.n : 80), (const char *)m->to->address.p, d->run,
        m->automatic ? ", Auto-Submitted" : "");
    incident_raise(a->incidents, s, n >= a->settings->autoreply_loop.major_mails ? SEVERITY_MAJOR : SEVERITY_MINOR, m->o->now,
        d->alone ? "%s answers its own mails, which %s brings back to it, %u times so far, %s; an answer takes %.1f s."
                 : "%s and %s have answered each other %u times in turn, %s; the slower one takes %.1f s.",
        s->from, s->victim, d->run, v->sign, (double)v->pace / (double)NS_PER_SECOND);
}

static void consider(struct autoreplies *a, const struct dialogue *d, const struct course *c, uint64_t key, const struct mail *m)
{
    const struct stats_settings *set = a->settings;
    uint32_t n = mails_in_window(d, c, m->o->now, set->autoreply_loop.window);
    if (n < set->autoreply_loop.minor_mails && n < KEPT)
        return;
    struct verdict v = judge(d, c, n, set->autoreply_loop.machine_pace);
    if (v.loop)
        raise_storm(a, d, c, key, m, n, &v);
}

/* A pair of addresses, or an address and a domain: then domain_address is who of that domain it is now. */
static void talk(struct autoreplies *a, const struct mail *m, uint64_t key, uint8_t side, uint64_t domain_address)
{
    bool fresh;
    struct dialogue *d = cells_take(a->dialogues, key, m->o->now, &fresh);
    struct course *c;
    if (!add(a, d, key, m, side, &c))
        return;
    if (domain_address) {
        d->varied |= d->domain_address && d->domain_address != domain_address;
        d->domain_address = domain_address;
    }
    if (c && (!domain_address || d->varied))
        consider(a, d, c, key, m);
}

/* Three and more programs in a ring: each mail answers the last one, and comes from where that went to.  Or one alone, whose answers to a
 * list come back to it, in its own name. */
static void pass_on(struct autoreplies *a, const struct mail *m)
{
    bool fresh;
    const struct key *k = m->o->k;
    const uint64_t *known = cells_find(a->rings, k->answers);
    uint64_t ring = known ? *known : k->answers;
    uint64_t *mine = cells_take(a->rings, k->id, m->o->now, &fresh);
    if (!fresh)
        return; /* the next hop of a mail that was here */
    *mine = ring;
    uint64_t key = hash_pair(ring, RINGS);
    struct dialogue *d = cells_take(a->dialogues, key, m->o->now, &fresh);
    bool own = !fresh && m->from == d->last_from && m->to->hash == d->last_to;
    if (!fresh && (k->answers != d->last_id || !(own || m->from == d->last_to)))
        return;
    bool third = !fresh && !own && m->to->hash != d->last_from;
    struct course *c;
    if (!add(a, d, key, m, fresh ? 0 : !d->last_side, &c))
        return;
    d->varied |= third;
    d->alone |= own;
    d->last_from = m->from;
    d->last_to = m->to->hash;
    if (c && (d->varied || d->alone))
        consider(a, d, c, key, m);
}

/* Of the two, whoever writes. */
static uint64_t dialogue_key(uint64_t from, uint64_t to)
{
    return from < to ? hash_add(from, to) : hash_add(to, from);
}

static void expect(void *self, const struct observation *o)
{
    const struct autoreplies *a = self;
    if (!a->settings->autoreply_loop.enabled || o->t->recipient_count != 1)
        return;
    cells_expect(a->dialogues, dialogue_key(o->k->sender, o->t->recipients[0].hash));
    if (o->k->answers == 0)
        return;
    cells_expect(a->rings, o->k->answers);
    cells_expect(a->rings, o->k->id);
}

static void observe(void *self, const struct observation *o)
{
    struct autoreplies *a = self;
    const struct transaction *t = o->t;
    if (!a->settings->autoreply_loop.enabled || o->deliveries != 1)
        return;
    struct mail m;
    m.o = o;
    m.to = t->recipients;
    while (!recipient_accepted(t, m.to))
        m.to++;
    struct span from = t->header.from_hash ? t->header.from_address : t->reverse_path;
    m.from = o->k->sender;
    if (from.n == 0 || m.from == m.to->hash)
        return;
    take_subject(&m, t->header.subject);
    m.automatic = is_automatic(&t->header);
    talk(a, &m, dialogue_key(m.from, m.to->hash), m.from > m.to->hash, 0);
    if (o->k->answers && o->k->id)
        pass_on(a, &m);
    if (!(o->k->answers || m.automatic || (m.subject.n && memchr(m.subject.p, ':', m.subject.n))))
        return; /* where a side has several addresses, mails must answer one another */
    uint64_t from_domain = hash_nocase(detect_domain(from)), to_domain = hash_nocase(detect_domain(m.to->address));
    if (from_domain == to_domain)
        return;
    talk(a, &m, hash_pair(m.from, to_domain), 0, m.to->hash);
    talk(a, &m, hash_pair(m.to->hash, from_domain), 1, m.from);
}

const struct detector autoreply_detector = {.make = make, .drop = drop, .traits = TRAIT_SINGLE, .expect = expect, .observe = observe};
