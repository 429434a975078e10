/* In: captures.  What capture/ makes of them is recorded, then told to the dissector again in other cuts.  Out: whether the same
 * transactions came out.  The law: a stream fed whole, byte by byte, at every two-cut, at random cuts and with neighbours joined gives the
 * identical event log; with a hole put in, a subset of its messages, never a delivery more. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "capture/capture.h"
#include "smtpdissect/smtp.h"

enum {
    RANDOM_CUTS = 8,
    EVERY_CUT_MOST = 6000, /* bytes: up to here each position is tried, above a sample of them */
    SAMPLE = 200,
    BYTEWISE_MOST = 4 << 20,
};

struct event {
    enum { BYTES, GAP, END } what;
    enum side from;
    uint8_t *bytes;
    uint64_t n;
    int64_t now;
};

struct stream { /* one connection as it was told */
    struct connection connection;
    struct event *event;
    size_t events, room;
    uint64_t size; /* bytes of both sides */
};

struct text {
    char *p;
    size_t n, room;
    bool timed; /* with the times of packets */
    bool messages_only;
};

static struct stream **streams;
static size_t stream_count;
static struct smtp_settings smtp_settings;
static struct dissector *dissector;
static struct text *logged; /* where the sink writes */
static const char *path;
static unsigned passed, failed;
static uint64_t random_state;

static uint64_t random_next(void) /* xorshift64: the same numbers each time */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void *memory(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p) {
        fprintf(stderr, "split: out of memory\n");
        exit(70);
    }
    return p;
}

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
    va_list list;
    for (;;) {
        va_start(list, format);
        int n = vsnprintf(t->p + t->n, t->room - t->n, format, list);
        va_end(list);
        if (n >= 0 && (size_t)n < t->room - t->n) {
            t->n += (size_t)n;
            return;
        }
        t->room = t->room * 2 + 4096;
        t->p = memory(t->p, t->room);
    }
}

#define SPAN(s) (int)(s).n, (const char *)(s).p

static void add_header(struct text *log, const struct header *h)
{
    add(log,
        " id=%.*s subject=%.*s from=%.*s/%.*s/%" PRIx64 " sender=%.*s reply=%.*s root=%.*s date=%" PRId64
        " auto=%.*s/%.*s list=%.*s/%.*s/%.*s"
        " mailer=%.*s type=%.*s marks=%u complete=%d header=%" PRIu64,
        SPAN(h->message_id), SPAN(h->subject), SPAN(h->from), SPAN(h->from_address), h->from_hash, SPAN(h->sender), SPAN(h->in_reply_to),
        SPAN(h->references_root), h->date, SPAN(h->auto_submitted), SPAN(h->precedence), SPAN(h->list_id), SPAN(h->x_been_there),
        SPAN(h->x_loop), SPAN(h->mailer), SPAN(h->content_type), h->marks, h->complete, h->bytes);
    for (size_t i = 0; i < h->audience_count; i++)
        add(log, " a=%" PRIx64 "/%" PRIx64, h->audience[i].address, h->audience[i].domain);
    for (size_t i = 0; i < h->hop_count; i++) {
        char address[ADDRESS_TEXT];
        const struct hop *p = &h->hops[i];
        add(log, " hop=%.*s[%s]/%.*s/%.*s/%.*s/%.*s/%" PRId64 "/%" PRIx64, SPAN(p->from), address_text(p->from_address, address),
            SPAN(p->by), SPAN(p->with), SPAN(p->id), SPAN(p->with_note), p->date, p->hash);
    }
    for (size_t i = 0; i < h->delivered_to_count; i++)
        add(log, " to=%" PRIx64, h->delivered_to[i]);
}

static void transaction_line(void *user, const struct transaction *t)
{
    (void)user;
    struct text *log = logged;
    if (log->messages_only) { /* what a hole may take away but never change */
        if (!t->message)
            return;
        add(log, "<%.*s> %.*s", SPAN(t->reverse_path), SPAN(t->header.message_id));
        for (size_t i = 0; i < t->recipient_count; i++)
            if (t->recipients[i].code / 100 == 2 && (!t->lmtp || t->recipients[i].final_code / 100 == 2))
                add(log, " %.*s", SPAN(t->recipients[i].address));
        add(log, "\n");
        return;
    }
    add(log,
        "%u %.*s %.*s user=%.*s lmtp=%d tls=%d <%.*s>%d code=%u bytes=%" PRIu64 " gap=%" PRIu64 " uncertain=%d message=%d print=%" PRIx64,
        t->ordinal, SPAN(t->helo), SPAN(t->greeting), SPAN(t->user), t->lmtp, (int)t->tls, SPAN(t->reverse_path), t->null_reverse_path,
        t->code, t->bytes, t->gap_bytes, t->uncertain, t->message, t->body_fingerprint);
    if (log->timed)
        add(log, " %" PRId64 "/%" PRId64 "/%" PRId64, t->mail_time, t->data_end, t->end);
    for (size_t i = 0; i < t->recipient_count; i++)
        add(log, " <%.*s>%u/%u/%" PRIx64, SPAN(t->recipients[i].address), t->recipients[i].code, t->recipients[i].final_code,
            t->recipients[i].hash);
    add_header(log, &t->header);
    if (t->report.present) {
        add(log, " report=%.*s", SPAN(t->report.reporting_host));
        for (size_t i = 0; i < t->report.final_recipient_count; i++)
            add(log, " failed=%.*s", SPAN(t->report.final_recipient[i]));
        add_header(log, &t->report.quoted);
    }
    add(log, "\n");
}

static void session_line(void *user, const struct session_record *s)
{
    (void)user;
    if (!logged->messages_only)
        add(logged, "session %.*s %.*s smtp=%d tls=%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " n=%u one=%d\n", SPAN(s->helo),
            SPAN(s->greeting), s->smtp, (int)s->tls, s->bytes[0], s->bytes[1], s->tls_bytes[0], s->tls_bytes[1], s->transactions,
            s->one_sided);
}

/* What capture/ tells, kept. */
static void keep(struct stream *s, struct event e)
{
    if (s->events == s->room) {
        s->room = s->room * 2 + 16;
        s->event = memory(s->event, s->room * sizeof e);
    }
    s->event[s->events++] = e;
}

static void *kept_open(void *user, const struct connection *c)
{
    (void)user;
    struct stream *s = memory(NULL, sizeof *s);
    *s = (struct stream){.connection = *c};
    streams = memory(streams, (stream_count + 1) * sizeof *streams);
    return streams[stream_count++] = s;
}

static void kept_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    struct stream *s = session;
    struct event e = {BYTES, from, memory(NULL, bytes.n + 1), bytes.n, now};
    memcpy(e.bytes, bytes.p, bytes.n);
    s->size += bytes.n;
    keep(s, e);
}

static void kept_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    keep(session, (struct event){GAP, from, NULL, n, now});
}

static void kept_end(void *session, enum end how, int64_t now)
{
    (void)how;
    keep(session, (struct event){END, CLIENT, NULL, 0, now});
}

static void kept_tick(void *user, int64_t now)
{
    (void)user;
    (void)now;
}

static uint32_t kept_mark(const void *session)
{
    (void)session;
    return 0;
}

/* How a stream is told again. */
struct cuts {
    uint64_t at;        /* one cut, at this byte of the whole; UINT64_MAX: none */
    uint64_t seed;      /* random cuts; 0: none */
    bool bytewise, joined;
    uint64_t hole, hole_size; /* these bytes are a gap; size 0: none */
};

static void push(struct smtp *s, enum side from, const uint8_t *p, uint64_t n, int64_t now)
{
    /* a copy of its own, so that a read past its end is seen and a span kept past the call is wrong */
    uint8_t *copy = memory(NULL, n ? n : 1);
    memcpy(copy, p, n);
    smtp_push(s, from, span_of(copy, n), now);
    memset(copy, '#', n);
    free(copy);
}

/* One run of bytes, in the pieces that the cuts make of it; `at`: its place in the whole. */
static void tell_bytes(struct smtp *s, const struct cuts *cuts, enum side from, const uint8_t *p, uint64_t n, int64_t now, uint64_t at)
{
    for (uint64_t done = 0; done < n;) {
        uint64_t piece = n - done, here = at + done;
        if (cuts->hole_size && here >= cuts->hole && here < cuts->hole + cuts->hole_size) {
            uint64_t rest = cuts->hole + cuts->hole_size - here;
            piece = piece < rest ? piece : rest;
            smtp_gap(s, from, piece, now);
            done += piece;
            continue;
        }
        if (cuts->hole_size && here < cuts->hole && here + piece > cuts->hole)
            piece = cuts->hole - here;
        if (cuts->bytewise)
            piece = 1;
        else if (cuts->seed && piece > 1)
            piece = 1 + random_next() % (random_next() % 4 ? (piece < 40 ? piece : 40) : piece);
        else if (here < cuts->at && here + piece > cuts->at)
            piece = cuts->at - here;
        push(s, from, p + done, piece, now);
        done += piece;
    }
}

static void tell(const struct stream *stream, const struct cuts *cuts, struct text *log)
{
    const struct connection *c = &stream->connection;
    log->n = 0;
    add(log, "%s", "");
    logged = log;
    struct smtp *s = smtp_open(dissector, c->number, c->side, c->client_certain, c->opened);
    if (!s)
        return;
    random_state = cuts->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    uint64_t at = 0;
    uint8_t *run = NULL;
    for (size_t i = 0; i < stream->events; i++) {
        const struct event *e = &stream->event[i];
        if (e->what == GAP) {
            smtp_gap(s, e->from, e->n, e->now);
        } else if (e->what == END) {
            smtp_end(s, e->now);
            s = NULL;
            break;
        } else if (cuts->joined) {
            uint64_t n = 0;
            for (; i < stream->events && stream->event[i].what == BYTES && stream->event[i].from == e->from; i++) {
                run = memory(run, n + stream->event[i].n + 1);
                memcpy(run + n, stream->event[i].bytes, stream->event[i].n);
                n += stream->event[i].n;
            }
            i--;
            tell_bytes(s, cuts, e->from, run, n, e->now, at);
            at += n;
        } else {
            tell_bytes(s, cuts, e->from, e->bytes, e->n, e->now, at);
            at += e->n;
        }
    }
    if (s)
        smtp_end(s, c->opened);
    free(run);
}

static void complain(const struct stream *s, const char *how, uint64_t n, const struct text *expected, const struct text *got)
{
    size_t at = 0;
    while (at < expected->n && at < got->n && expected->p[at] == got->p[at])
        at++;
    size_t from = at > 60 ? at - 60 : 0;
    printf("FAILED: %s, connection %" PRIu64 ", %s %" PRIu64 ":\n  expected ...%.160s\n  got      ...%.160s\n", path, s->connection.number,
        how, n, expected->p + from, got->p + from);
}

static bool same(
    const struct stream *s, const struct cuts *cuts, const struct text *expected, struct text *got, const char *how, uint64_t n)
{
    tell(s, cuts, got);
    if (expected->n == got->n && memcmp(expected->p, got->p, got->n) == 0)
        return true;
    complain(s, how, n, expected, got);
    return false;
}

/* Each line of `got` is a line of `all`, and not more often. */
static bool subset(const struct text *all, const struct text *got)
{
    char *left = memory(NULL, all->n + 1);
    memcpy(left, all->p, all->n + 1);
    bool good = true;
    for (const char *line = got->p; good && line < got->p + got->n;) {
        const char *end = strchr(line, '\n');
        size_t n = (size_t)(end - line) + 1;
        good = false;
        for (char *l = left; *l; l = strchr(l, '\n') + 1)
            if (strncmp(l, line, n) == 0) {
                *l = '\001'; /* taken */
                good = true;
                break;
            }
        line = end + 1;
    }
    free(left);
    return good;
}

static void holes(const struct stream *s, uint64_t step)
{
    struct text all = {.messages_only = true}, got = {.messages_only = true};
    tell(s, &(struct cuts){.at = UINT64_MAX}, &all);
    static const uint64_t sizes[] = {1, 7, 100, 1448};
    unsigned bad = 0;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (uint64_t at = 0; at < s->size; at += step) {
            tell(s, &(struct cuts){.at = UINT64_MAX, .hole = at, .hole_size = sizes[k]}, &got);
            if (!subset(&all, &got) && ++bad <= 3) {
                printf("FAILED: %s, connection %" PRIu64 ", hole of %" PRIu64 " bytes at %" PRIu64 ": expected a subset of\n%sgot\n%s",
                    path, s->connection.number, sizes[k], at, all.p, got.p);
            }
        }
    bad ? failed++ : passed++;
    free(all.p);
    free(got.p);
}

static void test_stream(const struct stream *s)
{
    struct text whole = {.timed = true}, got = {.timed = true}, untimed = {0}, joined = {0};
    uint64_t step = s->size > EVERY_CUT_MOST ? s->size / SAMPLE + 1 : 1;
    tell(s, &(struct cuts){.at = UINT64_MAX}, &whole);
    bool good =
        s->size > BYTEWISE_MOST || same(s, &(struct cuts){.at = UINT64_MAX, .bytewise = true}, &whole, &got, "byte by byte", s->size);
    for (uint64_t seed = 1; good && seed <= RANDOM_CUTS; seed++)
        good = same(s, &(struct cuts){.at = UINT64_MAX, .seed = seed}, &whole, &got, "random cuts, seed", seed);
    for (uint64_t at = 1; good && at < s->size; at += step)
        good = same(s, &(struct cuts){.at = at}, &whole, &got, "cut at", at);
    tell(s, &(struct cuts){.at = UINT64_MAX}, &untimed);
    good = good && same(s, &(struct cuts){.at = UINT64_MAX, .joined = true}, &untimed, &joined, "neighbours joined", 0);
    for (uint64_t at = 1; good && at < s->size; at += step)
        good = same(s, &(struct cuts){.at = at, .joined = true}, &untimed, &joined, "neighbours joined, cut at", at);
    good ? passed++ : failed++;
    holes(s, step);
    free(whole.p);
    free(got.p);
    free(untimed.p);
    free(joined.p);
}

static void forget_streams(void)
{
    for (size_t i = 0; i < stream_count; i++) {
        for (size_t k = 0; k < streams[i]->events; k++)
            free(streams[i]->event[k].bytes);
        free(streams[i]->event);
        free(streams[i]);
    }
    free(streams);
    streams = NULL;
    stream_count = 0;
}

int main(int argc, char **argv)
{
    struct capture_settings capture_settings;
    const struct setting_group groups[] = {
        {.about = "", .list = capture_settings_list, .count = capture_settings_count, .values = &capture_settings},
        {.about = "", .list = smtp_settings_list, .count = smtp_settings_count, .values = &smtp_settings},
    };
    hash_seed(1);
    config_defaults(groups, 2);
    const struct smtp_sink lines = {.transaction = transaction_line, .session = session_line};
    dissector = dissector_new(&smtp_settings, &lines);
    const struct capture_sink sink = {
        .open = kept_open, .bytes = kept_bytes, .gap = kept_gap, .end = kept_end, .content_mark = kept_mark, .tick = kept_tick};
    unsigned most = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0; /* connections a capture */
    if (!dissector || most == 0) {
        fprintf(stderr, "usage: split CONNECTIONS CAPTURE...\n");
        return 64;
    }
    size_t connections = 0;
    for (int i = 2; i < argc; i++) {
        path = argv[i];
        struct reason why;
        int status;
        struct capture *capture = capture_new(&capture_settings, &sink);
        if (!capture)
            return 70;
        (void)capture_files(capture, (const char *const *)&argv[i], 1, &why, &status); /* a broken one: what came before counts */
        capture_finish(capture, TIME_UNKNOWN);
        capture_free(capture);
        for (size_t k = 0; k < stream_count && k < most; k++, connections++)
            test_stream(streams[k]);
        forget_streams();
    }
    dissector_free(dissector);
    printf("split: %zu connections of %d captures, each whole, cut, joined and with holes\n%u passed, %u failed\n", connections, argc - 2,
        passed, failed);
    return failed != 0;
}
