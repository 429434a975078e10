/* Runs detector scenarios: text that scripts hours of mail, and what Squall must say of it (after unbound's .rpl).  No packet, no clock.
 * Run: `make script`, or B/tests/script/script tests/script/NAME.storm...  Prints a line for each broken expectation and each scenario
 * that has one, and at the end "N passed, N failed"; exit status 1 when any failed.  V=1 in the environment prints whatever is expected
 * and told.  The language is in README.md beside this file. */
#include <stdarg.h>

#include "stats/settings.h"
#include "stats/stats.h"
#include "tests/script/world.h"

#define START (INT64_C(1795489200) * NS_PER_SECOND) /* 2026-11-24T03:00:00Z */

static struct {
    struct stats_settings settings;
    struct stats *stats;
    int64_t now;
    uint64_t connection, serial;
    unsigned told;
    bool failed;
} run;
static unsigned passed, failed;

static void check(bool kept, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void check(bool kept, const char *format, ...)
{
    va_list args;
    if (kept) {
        passed++;
        if (!getenv("V"))
            return;
    } else {
        failed++;
        run.failed = true;
    }
    printf("%s %s:%u: ", kept ? "ok" : "not ok", script_file, script_line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* ---- settings ---- */

static void set(struct words *w)
{
    const char *name = next(w), *value = next(w), *dot = strchr(name, '.');
    for (size_t i = 0; dot && i < stats_settings_count; i++) {
        const struct setting *s = &stats_settings_list[i];
        if (strlen(s->section) != (size_t)(dot - name) || strncmp(s->section, name, (size_t)(dot - name)) != 0 ||
            strcmp(s->name, dot + 1) != 0)
            continue;
        void *field = (char *)&run.settings + s->offset;
        switch (s->type) {
        case SETTING_BOOL: *(bool *)field = strcmp(value, "true") == 0; return;
        case SETTING_RATIO: *(double *)field = strtod(value, NULL); return;
        case SETTING_SECONDS: *(int64_t *)field = duration(value); return;
        default: *(int64_t *)field = (int64_t)number(value); return;
        }
    }
    stop("no setting \"%s\"", name);
}

/* ---- transactions ---- */

static void advance(int64_t to)
{
    if (to < run.now)
        stop("time runs backwards");
    for (; run.now / NS_PER_SECOND < to / NS_PER_SECOND; run.now = (run.now / NS_PER_SECOND + 1) * NS_PER_SECOND)
        if (run.now > START)
            stats_tick(run.stats, run.now);
    if (to % NS_PER_SECOND == 0 && to > START)
        stats_tick(run.stats, to);
    run.now = to;
}

struct way { /* Received lines and the room for their text */
    struct hop hop[128];
    char name[128][96];
    size_t count;
};

/* HOP words up to the next keyword. */
static void read_way(struct way *way, struct words *w, const char *of)
{
    uint64_t path = hash_nocase(span_text(of));
    const struct host *before = NULL;
    for (; w->at < w->count; w->at++) {
        const char *word = w->word[w->at], *colon = strchr(word, ':');
        char name[64];
        text(name, sizeof name, colon ? colon + 1 : word);
        name[strcspn(name, "#")] = 0;
        bool is_host = false;
        for (size_t i = 0; i < world.hosts; i++)
            is_host |= strcmp(world.host[i].name, name) == 0;
        if (!is_host)
            return;
        const struct host *h = host(name);
        if (way->count == 128)
            stop("the chain is too long");
        struct hop *hop = &way->hop[way->count];
        path = hash_pair(path, hash_nocase(span_text(word)));
        snprintf(way->name[way->count], sizeof way->name[0], "Q%llx", (unsigned long long)(path & 0xffffff));
        bool pop = strncmp(word, "pop:", 4) == 0, lmtp = strncmp(word, "lmtp:", 5) == 0, lan = strncmp(word, "lan:", 4) == 0;
        *hop = (struct hop){.by = span_text(h->helo),
            .with = span_text(pop    ? "POP3"
                              : lmtp ? "LMTP"
                                     : "ESMTP"),
            .id = span_text(way->name[way->count]),
            .hash = path,
            .date = run.now};
        if (pop)
            hop->with_note = span_text("fetchmail-6.4.37");
        if (lmtp)
            hop->from = span_text(h->helo);
        else if (lan) {
            hop->from = span_text("pc12");
            hop->from_address = address_v4((const uint8_t[]){192, 168, 1, 12});
        } else if (before) {
            hop->from = span_text(before->helo);
            hop->from_address = before->address;
        } else {
            hop->from = span_text("pc17");
        }
        before = h;
        way->count++;
    }
}

struct delivery_words { /* what `deliver` says, before it is done once or many times */
    const char *mail, *sender, *about, *list, *been;
    const struct host *from, *to;
    const char *rcpt[WORDS], *failed[WORDS];
    size_t rcpts, faileds;
    struct way chain, quoting;
    uint64_t delivered[32], mailbox[32];
    size_t delivereds, mailboxes;
    int64_t took;
    uint16_t refuse, reply;
    bool null, uncertain;
};

static bool is_address(const struct words *w)
{
    return w->at < w->count &&
           (strchr(w->word[w->at], '@') || (strchr(w->word[w->at], ':') && isdigit((unsigned char)strchr(w->word[w->at], ':')[1])));
}

static void read_delivery(struct delivery_words *d, struct words *w)
{
    memset(d, 0, sizeof *d);
    d->took = NS_PER_SECOND / 5;
    d->reply = 250;
    d->mail = next(w);
    while (w->at < w->count) {
        if (take(w, "from")) {
            d->from = host(next(w));
        } else if (take(w, "to")) {
            d->to = host(next(w));
        } else if (take(w, "rcpt")) {
            while (is_address(w))
                d->rcpt[d->rcpts++] = next(w);
        } else if (take(w, "chain")) {
            read_way(&d->chain, w, d->mail);
        } else if (take(w, "delivered")) {
            while (is_address(w) && d->delivereds < 32)
                d->delivered[d->delivereds++] = hash_nocase(span_text(next(w)));
        } else if (take(w, "sender")) {
            d->sender = next(w);
            d->null = strcmp(d->sender, "null") == 0;
        } else if (take(w, "took")) {
            d->took = duration(next(w));
        } else if (take(w, "refuse")) {
            d->refuse = (uint16_t)number(next(w));
        } else if (take(w, "reply")) {
            d->reply = (uint16_t)number(next(w));
        } else if (take(w, "uncertain")) {
            d->uncertain = true;
        } else if (take(w, "list")) {
            d->list = next(w);
        } else if (take(w, "been")) {
            d->been = next(w);
        } else if (take(w, "about")) {
            d->about = next(w);
        } else if (take(w, "failed")) {
            while (is_address(w))
                d->failed[d->faileds++] = next(w);
        } else if (take(w, "quoting")) {
            if (!d->about)
                stop("quoting before about");
            read_way(&d->quoting, w, d->about);
        } else if (take(w, "mailbox")) {
            while (is_address(w) && d->mailboxes < 32)
                d->mailbox[d->mailboxes++] = hash_nocase(span_text(next(w)));
        } else {
            stop("\"%s\" says nothing of a delivery", next(w));
        }
    }
    if (!d->from || !d->to || d->rcpts == 0)
        stop("a delivery needs from, to and rcpt");
}

/* MAIL:1-14 or an address: appends recipients. */
static size_t add_recipients(struct recipient *list, size_t count, const char *word, char (*room)[96], uint64_t n)
{
    const char *colon = strchr(word, ':');
    if (!colon) {
        numbered(room[count], sizeof room[0], word, n);
        list[count].address = span_text(room[count]);
        return count + 1;
    }
    char name[64];
    text(name, sizeof name, word);
    name[colon - word] = 0;
    const struct mail *m = mail(name);
    char *end;
    unsigned long first = strtoul(colon + 1, &end, 10), last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;
    if (first == 0 || last > m->count)
        stop("%s has %zu people", name, m->count);
    for (; first <= last && count < MOST; first++)
        list[count++].address = span_text(m->people[first - 1]);
    return count;
}

static void fill_header(struct header *h, const struct mail *m, const char *id, const char *from, const char *subject)
{
    h->message_id = span_text(strcmp(id, "none") == 0 ? "" : id);
    h->from = h->from_address = span_text(from);
    h->from_hash = from[0] ? hash_nocase(span_text(from)) : 0;
    h->subject = span_text(subject);
    h->in_reply_to = span_text(m->answers);
    h->references_root = span_text(m->root[0] ? m->root : m->answers);
    h->date = START;
    h->auto_submitted = span_text(m->automatic ? "auto-replied" : "");
    h->list_id = span_text(m->list);
    h->x_been_there = span_text(m->been);
    h->audience = m->audience;
    h->audience_count = m->count;
    h->complete = true;
    h->bytes = 1000;
}

static void deliver(const struct delivery_words *d, uint64_t n, int64_t at)
{
    static struct recipient recipients[MOST];
    static char rooms[WORDS][96];
    const struct mail *m = mail(d->mail);
    bool fresh = strchr(d->mail, '*') != NULL;
    char id[160], subject[300], sender[128], from[128];
    if (fresh)
        snprintf(id, sizeof id, "%llu.%s", (unsigned long long)++run.serial, m->id);
    else
        text(id, sizeof id, m->id);
    numbered(subject, sizeof subject, m->subject, n);
    numbered(sender, sizeof sender, d->null ? "" : d->sender ? d->sender : m->from, n);
    numbered(from, sizeof from, m->from, n);
    if (!d->null && !d->sender)
        text(sender, sizeof sender, from);
    memset(recipients, 0, sizeof recipients);
    size_t count = 0;
    for (size_t i = 0; i < d->rcpts; i++)
        count = add_recipients(recipients, count, d->rcpt[i], rooms, n);
    struct transaction t = {.connection = ++run.connection,
        .ordinal = 1,
        .client = {d->from->address, 40000},
        .server = {d->to->address, 25},
        .helo = span_text(d->from->helo),
        .greeting = span_text(d->to->helo),
        .mail_time = at - d->took,
        .data_end = at - d->took / 4,
        .end = at,
        .reverse_path = span_text(sender),
        .null_reverse_path = d->null,
        .recipients = recipients,
        .recipient_count = count,
        .code = d->refuse ? 0 : d->reply,
        .bytes = 3000 + 700 * d->chain.count,
        .uncertain = d->uncertain};
    t.message = !d->uncertain && !d->refuse && d->reply / 100 == 2;
    for (size_t i = 0; i < count; i++) {
        recipients[i].hash = hash_nocase(recipients[i].address);
        recipients[i].code = d->refuse ? d->refuse : 250;
        recipients[i].final_code = t.code;
    }
    fill_header(&t.header, m, id, from, subject);
    if (d->list)
        t.header.list_id = span_text(d->list);
    if (d->been)
        t.header.x_been_there = span_text(d->been);
    t.header.hops = d->chain.hop;
    t.header.hop_count = d->chain.count;
    struct way own; /* a mail of its own has lines of its own */
    if (fresh) {
        own = d->chain;
        for (size_t i = 0; i < own.count; i++)
            own.hop[i].hash = hash_pair(own.hop[i].hash, run.serial);
        t.header.hops = own.hop;
    }
    t.header.delivered_to = d->delivered;
    t.header.delivered_to_count = d->delivereds;
    t.body_fingerprint = strcmp(m->body, "none") == 0 ? 0 : hash_nocase(span_text(fresh && strcmp(m->body, m->name) == 0 ? id : m->body));
    struct span failed_text[WORDS];
    uint64_t failed_hash[WORDS];
    char about[160];
    if (d->about) {
        const struct mail *q = mail(d->about);
        if (strchr(d->about, '*')) /* what was sent as number n */
            snprintf(about, sizeof about, "%llu.%s", (unsigned long long)n, q->id);
        else
            text(about, sizeof about, q->id);
        for (size_t i = 0; i < d->faileds; i++) {
            failed_text[i] = span_text(d->failed[i]);
            failed_hash[i] = hash_nocase(failed_text[i]);
        }
        t.report = (struct report){.present = true,
            .reporting_host = span_text(d->from->helo),
            .final_recipient = failed_text,
            .final_recipient_hash = failed_hash,
            .final_recipient_count = d->faileds};
        fill_header(&t.report.quoted, q, about, q->from, q->subject);
        t.report.quoted.hops = d->quoting.hop;
        t.report.quoted.hop_count = d->quoting.count;
        t.report.quoted.delivered_to = d->mailbox;
        t.report.quoted.delivered_to_count = d->mailboxes;
    }
    advance(at);
    stats_transaction(run.stats, &t);
}

struct talk_words {
    const char *address[2], *alias;
    const struct host *host[2];
    bool automatic[2], same[2], nest, answer, tags;
    char subject[1024], id[64];
};

static void talk(struct talk_words *k, uint64_t n, int64_t at)
{
    int side = n % 2 == 0; /* the first mail is number 1 */
    const char *from = side && k->alias && n % 4 == 0 ? k->alias : k->address[side];
    char before[64], subject[1100];
    text(before, sizeof before, k->id);
    snprintf(k->id, sizeof k->id, "%llu.talk@script.test", (unsigned long long)++run.serial);
    if (k->nest && n > 1 && strlen(k->subject) < 900) {
        memmove(k->subject + 4, k->subject, strlen(k->subject) + 1);
        memcpy(k->subject, "Re: ", 4);
    }
    snprintf(subject, sizeof subject, "%s", k->subject);
    if (k->tags)
        snprintf(subject, sizeof subject, "[Ticket#%llu] Re: [#%llu] help", (unsigned long long)n, (unsigned long long)n * 7);
    struct recipient r = {
        .address = span_text(k->address[!side]), .hash = hash_nocase(span_text(k->address[!side])), .code = 250, .final_code = 250};
    struct transaction t = {.connection = ++run.connection,
        .ordinal = 1,
        .client = {k->host[side]->address, 40000},
        .server = {k->host[!side]->address, 25},
        .helo = span_text(k->host[side]->helo),
        .greeting = span_text(k->host[!side]->helo),
        .mail_time = at - NS_PER_SECOND / 20,
        .data_end = at - NS_PER_SECOND / 50,
        .end = at,
        .reverse_path = span_text(from),
        .recipients = &r,
        .recipient_count = 1,
        .code = 250,
        .bytes = 900,
        .message = true};
    t.header.message_id = span_text(k->id);
    t.header.from = t.header.from_address = span_text(from);
    t.header.from_hash = hash_nocase(span_text(from));
    t.header.subject = span_text(subject);
    if (k->answer)
        t.header.in_reply_to = t.header.references_root = span_text(before);
    t.header.auto_submitted = span_text(k->automatic[side] ? "auto-replied" : "");
    t.header.date = at;
    t.header.complete = true;
    struct audience_address to = {r.hash, 1};
    t.header.audience = &to;
    t.header.audience_count = 1;
    t.body_fingerprint = k->same[side] ? hash_nocase(span_text(from)) : hash_nocase(span_text(k->id));
    advance(at);
    stats_transaction(run.stats, &t);
}

static void read_talk(struct talk_words *k, struct words *w)
{
    memset(k, 0, sizeof *k);
    text(k->subject, sizeof k->subject, "a question");
    for (int i = 0; i < 2; i++) {
        k->address[i] = next(w);
        k->host[i] = host(next(w));
    }
    while (w->at < w->count) {
        if (take(w, "auto1"))
            k->automatic[0] = true;
        else if (take(w, "auto2"))
            k->automatic[1] = true;
        else if (take(w, "same1"))
            k->same[0] = true;
        else if (take(w, "same2"))
            k->same[1] = true;
        else if (take(w, "nest"))
            k->nest = true;
        else if (take(w, "answer"))
            k->answer = true;
        else if (take(w, "tags"))
            k->tags = true;
        else if (take(w, "alias"))
            k->alias = next(w);
        else
            stop("\"%s\" says nothing of a talk", next(w));
    }
}

static void tls_session(struct words *w, int64_t at)
{
    struct session_record r = {.connection = ++run.connection, .smtp = true, .tls = TLS_STARTTLS, .begin = at - NS_PER_SECOND, .end = at};
    while (w->at < w->count) {
        if (take(w, "from")) {
            const struct host *h = host(next(w));
            r.client = (struct endpoint){h->address, 40000};
            r.helo = span_text(h->helo);
        } else if (take(w, "to")) {
            const struct host *h = host(next(w));
            r.server = (struct endpoint){h->address, 25};
            r.greeting = span_text(h->helo);
        } else if (take(w, "bytes")) {
            r.tls_bytes[CLIENT] = number(next(w));
            r.tls_bytes[SERVER] = 3000;
        } else {
            stop("\"%s\" says nothing of a session", next(w));
        }
    }
    advance(at);
    stats_session(run.stats, &r);
}

static void mirror(struct words *w, int64_t at)
{
    struct mirror_view m = {.copies = 1};
    while (w->at < w->count) {
        if (take(w, "copies"))
            m.copies = strtod(next(w), NULL);
        else if (take(w, "packets"))
            m.packets = number(next(w));
        else if (take(w, "drops"))
            m.kernel_drops = number(next(w));
        else if (take(w, "flows"))
            m.flows = number(next(w));
        else if (take(w, "onesided"))
            m.one_sided_flows = number(next(w));
        else
            stop("\"%s\" says nothing of a mirror", next(w));
    }
    advance(at);
    stats_mirror(run.stats, &m, at);
}

/* ---- what must be so ---- */

static enum storm_kind kind(const char *word)
{
    for (int k = 0; k < KIND_COUNT; k++)
        if (strcmp(word, storm_kind_text((enum storm_kind)k)) == 0)
            return (enum storm_kind)k;
    stop("no kind \"%s\"", word);
}

static void acknowledge(struct words *w, int64_t at)
{
    enum storm_kind k = kind(next(w));
    advance(at);
    for (size_t i = 0; i < stats_storm_count(run.stats); i++) {
        const struct storm *s = stats_storm(run.stats, i);
        if (s->kind == k && s->state != STATE_CLEARED)
            check(stats_acknowledge(run.stats, s->id, "script", at), "acknowledge %s", s->id);
    }
}

static void sink(void *user, const struct storm *s, enum storm_change change)
{
    (void)user;
    run.told++;
    if (getenv("V"))
        printf("   %8.3f %s %s %s %s: %s\n", (double)(run.now - START) / (double)NS_PER_SECOND,
            change == STORM_RAISED    ? "raised"
            : change == STORM_UPDATED ? "updated"
                                      : "cleared",
            s->id, storm_kind_text(s->kind), storm_severity_text(s->severity), s->why);
}

static const char *at_fault(const struct storm *s)
{
    static char list[4096];
    size_t used = 0;
    list[0] = 0;
    for (uint32_t i = 0; i < s->host_count && used < sizeof list - 100; i++) {
        char address[ADDRESS_TEXT];
        if (s->hosts[i].role == ROLE_REINJECTOR || s->hosts[i].role == ROLE_LOOPER || (s->kind == KIND_RESEND && s->hosts[i].redeliveries))
            used += (size_t)snprintf(list + used, sizeof list - used, " %s",
                address_known(s->hosts[i].address) ? address_text(s->hosts[i].address, address) : s->hosts[i].name);
    }
    return list;
}

static bool holds(const char *list, const struct host *h)
{
    char address[ADDRESS_TEXT], word[ADDRESS_TEXT + 2];
    address_text(h->address, address);
    snprintf(word, sizeof word, " %s", address);
    for (const char *at = list; (at = strstr(at, word)); at++)
        if (at[strlen(word)] == ' ' || at[strlen(word)] == 0)
            return true;
    snprintf(word, sizeof word, " %.40s", h->helo);
    return strstr(list, word) != NULL;
}

static void begin_stats(void)
{
    static const struct stats_sink told = {.storm = sink};
    if (!run.stats && !(run.stats = stats_new(&run.settings, &told)))
        stop("out of memory");
}

static void expect_raised(struct words *w)
{
    enum storm_kind k = kind(next(w));
    const struct storm *s = NULL;
    uint64_t count = 0;
    for (size_t i = 0; i < stats_storm_count(run.stats); i++) {
        const struct storm *one = stats_storm(run.stats, i);
        if (one->kind != k)
            continue;
        count++;
        if (one->state != STATE_CLEARED && !s)
            s = one;
    }
    check(s != NULL, "expected an open %s, got %s", storm_kind_text(k), count ? "one that is cleared" : "none");
    while (w->at < w->count) {
        if (take(w, "severity")) {
            const char *severity = next(w);
            check(s && strcmp(storm_severity_text(s->severity), severity) == 0, "expected severity %s, got %s", severity,
                s ? storm_severity_text(s->severity) : "none");
        } else if (take(w, "by")) {
            const char *list = s ? at_fault(s) : "";
            size_t named = 0, words = 0;
            while (w->at < w->count && strcmp(w->word[w->at], "origin") != 0 && strcmp(w->word[w->at], "since") != 0 &&
                   strcmp(w->word[w->at], "severity") != 0 && strcmp(w->word[w->at], "storms") != 0 &&
                   strcmp(w->word[w->at], "victim") != 0) {
                const struct host *h = host(next(w));
                check(holds(list, h), "expected %s at fault, got%s", h->name, list);
                named++;
            }
            for (const char *c = list; *c; c++)
                words += *c == ' ';
            check(named == words, "expected %zu hosts at fault, got%s", named, list);
        } else if (take(w, "origin")) {
            const struct host *h = host(next(w));
            bool is = false, other = false;
            for (uint32_t i = 0; s && i < s->host_count; i++)
                if (s->hosts[i].role == ROLE_ORIGIN) {
                    is |= address_equal(s->hosts[i].address, h->address);
                    other |= !address_equal(s->hosts[i].address, h->address);
                }
            check(is && !other, "expected %s as the origin%s", h->name, other ? ", got another" : "");
        } else if (take(w, "since")) {
            int64_t t = START + duration(next(w));
            check(s && s->raised - t < NS_PER_SECOND / 100 && t - s->raised < NS_PER_SECOND / 100, "expected raised at %.3f, got %.3f",
                (double)(t - START) / 1e9, s ? (double)(s->raised - START) / 1e9 : 0);
        } else if (take(w, "storms")) {
            uint64_t n = number(next(w));
            check(count == n, "expected %llu storms of the kind, got %llu", (unsigned long long)n, (unsigned long long)count);
        } else if (take(w, "victim")) {
            const char *victim = next(w);
            check(s && strcmp(s->victim, victim) == 0, "expected victim %s, got %s", victim, s ? s->victim : "none");
        } else {
            stop("\"%s\" says nothing of a storm", next(w));
        }
    }
}

static void expect(struct words *w)
{
    begin_stats();
    if (take(w, "raised")) {
        expect_raised(w);
    } else if (take(w, "none")) {
        const struct storm *s = NULL;
        for (size_t i = 0; i < stats_storm_count(run.stats) && !s; i++)
            s = stats_storm(run.stats, i)->peak_severity == SEVERITY_NOTICE ? NULL : stats_storm(run.stats, i);
        check(!s, "expected no alarm, got %s: %s", s ? storm_kind_text(s->kind) : "", s ? s->why : "");
    } else if (take(w, "no")) {
        enum storm_kind k = kind(next(w));
        bool found = false;
        for (size_t i = 0; i < stats_storm_count(run.stats); i++)
            found |= stats_storm(run.stats, i)->kind == k;
        check(!found, "expected no %s", storm_kind_text(k));
    } else if (take(w, "cleared")) {
        enum storm_kind k = kind(next(w));
        unsigned open = 0, all = 0;
        for (size_t i = 0; i < stats_storm_count(run.stats); i++) {
            const struct storm *s = stats_storm(run.stats, i);
            all += s->kind == k;
            open += s->kind == k && s->state != STATE_CLEARED;
        }
        check(all > 0 && open == 0, "expected %s cleared: %u open of %u", storm_kind_text(k), open, all);
    } else if (take(w, "told")) {
        uint64_t n = number(next(w));
        check(run.told == n, "expected %llu changes told, got %u", (unsigned long long)n, run.told);
        run.told = 0;
    } else {
        stop("nothing to expect by \"%s\"", next(w));
    }
}

/* ---- a scenario ---- */

static void happen(struct words *w)
{
    static struct delivery_words d;
    static struct talk_words k;
    begin_stats();
    int64_t at = START + duration(next(w)), every = 0;
    uint64_t times = 1;
    if (take(w, "every")) {
        every = duration(next(w));
        if (!take(w, "times"))
            stop("\"times\" is missing");
        times = number(next(w));
    }
    run.now = run.now > START ? run.now : START;
    size_t rest = w->at + 1;
    const char *what = next(w);
    bool delivers = strcmp(what, "deliver") == 0, talks = strcmp(what, "talk") == 0;
    if (delivers)
        read_delivery(&d, w);
    else if (talks)
        read_talk(&k, w);
    for (uint64_t i = 0; i < times; i++, at += every) {
        w->at = rest;
        if (delivers)
            deliver(&d, i + 1, at);
        else if (talks)
            talk(&k, i + 1, at);
        else if (strcmp(what, "session") == 0)
            tls_session(w, at);
        else if (strcmp(what, "mirror") == 0)
            mirror(w, at);
        else if (strcmp(what, "wait") == 0)
            advance(at);
        else if (strcmp(what, "acknowledge") == 0)
            acknowledge(w, at);
        else
            stop("nothing happens by \"%s\"", what);
    }
}

static void statement(char *line)
{
    struct words w = {0};
    split(&w, line);
    if (w.count == 0)
        return;
    if (take(&w, "set"))
        set(&w);
    else if (take(&w, "host"))
        add_host(&w);
    else if (take(&w, "mail"))
        add_mail(&w);
    else if (take(&w, "at"))
        happen(&w);
    else if (take(&w, "expect"))
        expect(&w);
    else
        stop("no statement \"%s\"", next(&w));
}

static void scenario(const char *file)
{
    FILE *f = fopen(file, "r");
    memset(&run, 0, sizeof run);
    memset(&world, 0, sizeof world);
    script_file = file;
    script_line = 0;
    if (!f)
        stop("cannot be read");
    struct setting_group group = {"", stats_settings_list, stats_settings_count, &run.settings, NULL, NULL};
    config_defaults(&group, 1);
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, f) >= 0) {
        script_line++;
        statement(line);
    }
    free(line);
    fclose(f);
    stats_free(run.stats);
    for (size_t i = 0; i < world.mails; i++) {
        free(world.mail[i].audience);
        free(world.mail[i].people);
    }
    if (run.failed || getenv("V"))
        printf("%s %s\n", run.failed ? "FAILED:" : "ok:", file);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        scenario(argv[i]);
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0;
}
