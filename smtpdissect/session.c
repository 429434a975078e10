/* In: bytes of both sides, gaps, end. Out: lines to command.c and reply.c, content to content.c; the session record to the sink. Here
 * are the modes of the client's side, lines that are not whole, and what a gap does. */
#include "smtpdissect/session.h"

#include <stdlib.h>

#include "base/blocks.h"
#include "smtpdissect/unread.h"

/* ---- the dissector ----------------------------------------------------------------------------------------------------------- */

const struct setting smtp_settings_list[] = {
    {NULL, "header_bytes", SETTING_SIZE, offsetof(struct smtp_settings, header_bytes), "2 MiB", 65536, 67108864,
        "Bytes of one message header that are parsed; what is longer is cut and counted."},
    {NULL, "recipients", SETTING_COUNT, offsetof(struct smtp_settings, recipients), "50000", 100, 1000000,
        "Recipients of one transaction that are kept with their replies; more are counted only."},
    {NULL, "text_bytes", SETTING_SIZE, offsetof(struct smtp_settings, text_bytes), "512 MiB", 1 << 20, 1e12,
        "Memory for lines, envelopes and headers of the mails under way, all sessions together; beyond it headers are cut; in bytes."},
    {NULL, "sessions", SETTING_COUNT, offsetof(struct smtp_settings, sessions), "1000000", 100, 10000000,
        "Sessions followed at once; more are not looked into."},
};
const size_t smtp_settings_count = sizeof smtp_settings_list / sizeof smtp_settings_list[0];

struct dissector *dissector_new(const struct smtp_settings *settings, const struct smtp_sink *sink)
{
    struct dissector *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->settings = *settings;
    d->sink = *sink;
    d->blocks = blocks_new();
    d->slabs = slabs_new(d->blocks);
    d->stock = stock_new(d->slabs, (size_t)settings->text_bytes);
    d->arena = arena_new(unread_arena(settings));
    if (d->blocks && d->slabs && d->stock && d->arena)
        return d;
    dissector_free(d);
    return NULL;
}

void dissector_free(struct dissector *d)
{
    if (!d)
        return;
    stock_free(d->stock);
    slabs_free(d->slabs);
    blocks_free(d->blocks);
    arena_free(d->arena);
    free(d);
}

const struct smtp_counters *dissector_counters(const struct dissector *d)
{
    return &d->counters;
}

struct smtp *smtp_open(struct dissector *d, uint64_t connection, const struct endpoint side[2], bool client_certain, int64_t now)
{
    struct smtp *s = d->sessions < (size_t)d->settings.sessions ? slabs_get(d->slabs, sizeof *s) : NULL;
    if (!s)
        return NULL;
    d->sessions++;
    *s = (struct smtp){.d = d,
        .connection = connection,
        .side = {side[0], side[1]},
        .opened = now,
        .last = now,
        .certain = client_certain,
        .greeting_due = client_certain};
    d->counters.connections++;
    return s;
}

/* ---- modes ------------------------------------------------------------------------------------------------------------------- */

void session_tls_begin(struct smtp *s, enum tls tls)
{
    s->tls = (uint8_t)tls;
    s->mode = MODE_TLS;
    s->tls_reader = slabs_get(s->d->slabs, sizeof *s->tls_reader);
    if (s->tls_reader)
        *s->tls_reader = (struct tls_reader){0};
    if (tls == TLS_STARTTLS)
        s->d->counters.starttls_sessions++;
    else
        s->d->counters.tls_sessions++;
}

/* A TLS record of the handshake (RFC 8446, 5.1; also what SSL 3 looked like): type 22, version 3.x. */
static bool looks_like_tls(struct span bytes)
{
    return bytes.n >= 2 && bytes.p[0] == 0x16 && bytes.p[1] == 0x03;
}

/* ---- lines ------------------------------------------------------------------------------------------------------------------- */

static void line_done(struct smtp *s, enum side from, struct span line, int64_t now)
{
    if (from == CLIENT)
        command_line(s, line, now);
    else
        reply_line(s, line, now);
}

struct span session_part(struct smtp *s, enum side from, struct span bytes, size_t n, int64_t now)
{
    struct span part = span_head(bytes, n);
    bool lf = part.n < bytes.n;
    enum carried line_of = from == CLIENT ? CARRIED_CLIENT_LINE : CARRIED_SERVER_LINE;
    if (lf && !s->overlong[from] && carry_span(s, line_of).n == 0) {
        struct span line = span_head(part, LINE_MOST);
        if (part.n > LINE_MOST)
            s->d->counters.lines_too_long++;
        line_done(s, from, line, now);
        return span_from(bytes, part.n + 1);
    }
    if (carry_add(s, line_of, part, LINE_MOST) < part.n && !s->overlong[from]) {
        s->overlong[from] = true;
        s->d->counters.lines_too_long++;
    }
    if (!lf)
        return span_of(NULL, 0);
    struct text whole = carry_take(s, line_of);
    s->overlong[from] = false;
    line_done(s, from, text_span(&whole), now);
    text_wipe(s->d->stock, &whole); /* it may have been a password */
    return span_from(bytes, part.n + 1);
}

/* ---- the client's side ------------------------------------------------------------------------------------------------------- */

void session_content_begin(struct smtp *s, int64_t now)
{
    s->mode = MODE_CONTENT;
    s->scan = SCAN_LINE_START;
    s->candidate = false;
    if (!s->content)
        s->content = content_new(s, s->envelope.p ? envelope_of(s)->null_reverse_path : s->bounce);
    if (!s->carry)
        return;
    struct text held = carry_take(s, CARRIED_HELD);
    if (held.n)
        session_push_client(s, text_span(&held), now);
    text_wipe(s->d->stock, &held);
}

void session_content_drop(struct smtp *s)
{
    if (s->content)
        content_release(s, s->content);
    s->content = NULL;
}

/* The whole content is in: its final reply is awaited. */
static void content_done(struct smtp *s, int64_t now)
{
    struct content *c = s->content;
    s->content = NULL;
    struct span held = carry_span(s, CARRIED_HELD);
    s->smuggled = s->candidate && held.n && command_verb(held) != VERB_OTHER;
    s->candidate = false;
    if (held.n && !s->smuggled)
        carry_drop(s, CARRIED_HELD);
    session_lines_begin(s);
    if (c)
        content_end(s, c, now);
    command_wait_content(s, VERB_FINAL, c, true, now);
}

/* The client goes on, or something was lost, before the server answered more than one mail: one it was. */
static inline void forget_smuggled(struct smtp *s)
{
    if (!s->smuggled)
        return;
    carry_drop(s, CARRIED_HELD);
    s->smuggled = false;
}

void session_smuggled(struct smtp *s, int64_t now)
{
    struct text held = carry_take(s, CARRIED_HELD);
    s->smuggled = false;
    session_push_client(s, text_span(&held), now);
    text_wipe(s->d->stock, &held);
}

void content_ended_unseen(struct smtp *s, int64_t now)
{
    int64_t end = s->content ? s->content->end : TIME_UNKNOWN;
    bool lost = s->content && s->content->gap_bytes && !s->candidate;
    if (!s->candidate && !lost)
        return; /* an answer before its question: the server gave up on the content; what is to come of it is still content */
    struct text held = carry_take(s, CARRIED_HELD);
    if (s->content && s->candidate)
        s->content->bytes -= held.n < s->content->bytes ? held.n : s->content->bytes;
    content_done(s, lost ? now : end);
    if (lost) {
        s->unsure = true; /* commands may have gone with it */
        s->overlong[CLIENT] = true;
    }
    if (held.n)
        session_push_client(s, text_span(&held), now);
    text_wipe(s->d->stock, &held);
}

static struct span push_content(struct smtp *s, struct span bytes, int64_t now)
{
    enum content_end end;
    size_t n = content_scan(&s->scan, bytes, &end);
    if (s->content)
        content_take(s, s->content, span_head(bytes, n), end == CONTENT_END);
    if (s->candidate && carry_add(s, CARRIED_HELD, span_head(bytes, n), HELD_MOST) < n) {
        s->candidate = false; /* so much more content: it was no end */
        carry_drop(s, CARRIED_HELD);
    }
    if (end == CONTENT_END)
        content_done(s, now);
    else if (end == CONTENT_CANDIDATE && !s->candidate) {
        s->candidate = true;
        if (s->content)
            s->content->end = now;
    }
    return span_from(bytes, n);
}

static struct span push_chunk(struct smtp *s, struct span bytes, int64_t now)
{
    size_t n = bytes.n < s->chunk_left ? bytes.n : (size_t)s->chunk_left;
    if (s->content)
        content_take(s, s->content, span_head(bytes, n), s->chunk_last && n == s->chunk_left);
    s->chunk_left -= n;
    if (s->chunk_left == 0)
        command_chunk_done(s, now);
    return span_from(bytes, n);
}

void session_push_client(struct smtp *s, struct span bytes, int64_t now)
{
    while (bytes.n)
        switch ((enum mode)s->mode) {
        case MODE_LINES: bytes = command_lines(s, bytes, now); break;
        case MODE_DATA_WAIT:
            bytes = span_from(bytes, carry_add(s, CARRIED_HELD, bytes, HELD_MOST));
            if (bytes.n == 0)
                return;
            session_content_begin(s, now); /* so much can only be content; the reply is late or lost */
            break;
        case MODE_CONTENT: bytes = push_content(s, bytes, now); break;
        case MODE_CHUNK: bytes = push_chunk(s, bytes, now); break;
        case MODE_TLS: tls_push(s->tls_reader, CLIENT, bytes); return;
        }
}

/* ---- what comes in ----------------------------------------------------------------------------------------------------------- */

/* First bytes tell who is who when no SYN did: a server speaks in reply codes, a client in verbs. */
static bool swapped_sides(enum side from, struct span bytes)
{
    bool reply = bytes.n >= 4 && bytes.p[0] >= '2' && bytes.p[0] <= '5' && bytes.p[1] >= '0' && bytes.p[1] <= '5' && bytes.p[2] >= '0' &&
                 bytes.p[2] <= '9' && (bytes.p[3] == ' ' || bytes.p[3] == '-');
    return from == CLIENT ? reply : command_verb(span_head(bytes, PROBE_BYTES)) != VERB_OTHER;
}

static bool sides_open(const struct smtp *s)
{
    return !s->certain && !s->spoke[CLIENT] && !s->spoke[SERVER];
}

/* Is this where TLS may begin? */
static bool tls_open(const struct smtp *s, enum side from)
{
    return from == CLIENT && (s->starttls || (!s->spoke[CLIENT] && !s->recognised));
}

/* The first bytes do not say yet who speaks, or what. */
static bool undecided(const struct smtp *s, enum side from, struct span bytes)
{
    if (sides_open(s))
        return bytes.n < PROBE_BYTES && !memchr(bytes.p, '\n', bytes.n);
    return tls_open(s, from) && bytes.n == 1 && bytes.p[0] == 0x16;
}

static void swap_sides(struct smtp *s)
{
    struct endpoint client = s->side[SERVER];
    s->side[SERVER] = s->side[CLIENT];
    s->side[CLIENT] = client;
    s->swapped = true;
}

/* The client goes on in lock-step, with one command at most unanswered, after the server said something without finishing it (a line
 * without its end, a "250-" that no "250 " follows): to the client it was an answer, so it is one. */
static void take_unfinished_reply(struct smtp *s, int64_t now)
{
    const struct command *c = pending_first(s);
    if (!s->server_since || s->mode != MODE_LINES || s->unsure)
        return;
    if (c && s->pending_at + sizeof *c + c->length < s->pending.n)
        return; /* more than one: pipelining, and the rest of the reply is under way */
    if (carry_span(s, CARRIED_SERVER_LINE).n) {
        struct text whole = carry_take(s, CARRIED_SERVER_LINE);
        s->overlong[SERVER] = false;
        line_done(s, SERVER, text_span(&whole), now);
        text_wipe(s->d->stock, &whole);
    }
    reply_unfinished(s, now);
}

/* Where TLS may begin. */
static __attribute__((noinline)) void look_for_tls(struct smtp *s, struct span bytes, int64_t now)
{
    bool after_starttls = s->starttls;
    s->starttls = false;
    if (!looks_like_tls(bytes))
        return;
    if (after_starttls)
        envelope_close(s, NULL, 0, now); /* RFC 3207, 4.2: the client starts anew */
    session_tls_begin(s, after_starttls ? TLS_STARTTLS : TLS_IMPLICIT);
}

static void client_bytes(struct smtp *s, struct span bytes, int64_t now)
{
    if (tls_open(s, CLIENT))
        look_for_tls(s, bytes, now);
    forget_smuggled(s);
    s->bytes[CLIENT] += bytes.n;
    s->spoke[CLIENT] = true;
    if (s->server_since)
        s->fresh = true;
    s->server_since = false;
    session_push_client(s, bytes, now);
}

static void server_bytes(struct smtp *s, struct span bytes, int64_t now)
{
    s->bytes[SERVER] += bytes.n;
    s->spoke[SERVER] = true;
    s->server_since = true;
    if (s->mode == MODE_TLS)
        tls_push(s->tls_reader, SERVER, bytes);
    else
        reply_lines(s, bytes, now);
}

static inline void push_as(struct smtp *s, enum side from, struct span bytes, int64_t now)
{
    if (s->swapped)
        from = side_other(from);
    if (from == CLIENT)
        client_bytes(s, bytes, now);
    else
        server_bytes(s, bytes, now);
}

static void push_decided(struct smtp *s, enum side from, struct span bytes, int64_t now)
{
    if (sides_open(s) && swapped_sides(s->swapped ? side_other(from) : from, bytes))
        swap_sides(s);
    push_as(s, from, bytes, now);
}

static void push_probe(struct smtp *s, int64_t now)
{
    uint8_t n = s->probe_count;
    s->probe_count = 0;
    if (n)
        push_decided(s, (enum side)s->probe_from, span_of(s->probe, n), now);
}

/* As long as it is not known who speaks, and what. */
static __attribute__((noinline)) void push_undecided(struct smtp *s, enum side from, struct span bytes, int64_t now)
{
    if (s->probe_count && s->probe_from != from)
        push_probe(s, now);
    if (from == (s->swapped ? SERVER : CLIENT))
        take_unfinished_reply(s, now);
    while (bytes.n && (s->probe_count || undecided(s, s->swapped ? side_other(from) : from, bytes))) {
        s->probe_from = (uint8_t)from;
        s->probe[s->probe_count++] = bytes.p[0];
        bytes = span_from(bytes, 1);
        if (!undecided(s, s->swapped ? side_other(from) : from, span_of(s->probe, s->probe_count)))
            push_probe(s, now);
    }
    if (bytes.n)
        push_decided(s, from, bytes, now);
}

void smtp_push(struct smtp *s, enum side from, struct span bytes, int64_t now)
{
    if (bytes.n == 0)
        return;
    s->last = now;
    bool decided = s->spoke[CLIENT] && !s->probe_count && !s->starttls;
    if (decided && (from != (s->swapped ? SERVER : CLIENT) || (!s->carry && !s->multi_code)))
        push_as(s, from, bytes, now);
    else
        push_undecided(s, from, bytes, now);
}

/* Commands of the client were lost, or parts of them. */
static void lose_pairing(struct smtp *s, int64_t now)
{
    auth_line_lost(s);
    uint8_t auth_step = s->auth_step;
    pending_give_up(s, now);
    s->auth_step = auth_step; /* an unknown answer to AUTH does not end it */
    envelope_doubt(s);
    session_content_drop(s);
    s->unsure = true;
    s->dialect_lost |= names_get(s, NAME_HELO).n == 0;
}

static void client_gap(struct smtp *s, uint64_t n, int64_t now)
{
    switch ((enum mode)s->mode) {
    case MODE_TLS: tls_gap(s->tls_reader, CLIENT, n); return;
    case MODE_DATA_WAIT: /* the client did not wait: what is lost can only be content */
        session_content_begin(s, now);
        if (s->mode != MODE_CONTENT) {
            lose_pairing(s, now);
            return;
        }
        break;
    case MODE_CONTENT: break;
    case MODE_CHUNK:
        if (n < s->chunk_left) {
            s->chunk_left -= n;
            if (s->content)
                content_gap(s->content, n);
            return;
        }
        n -= s->chunk_left;
        if (s->content && s->chunk_left)
            content_gap(s->content, s->chunk_left);
        s->chunk_left = 0;
        command_chunk_done(s, now);
        if (n == 0)
            return;
        lose_pairing(s, now);
        s->overlong[CLIENT] = true; /* the line that is left of a lost command is no command */
        return;
    case MODE_LINES:
        carry_drop(s, CARRIED_CLIENT_LINE);
        lose_pairing(s, now);
        s->overlong[CLIENT] = true;
        return;
    }
    if (s->content)
        content_gap(s->content, n);
    s->scan = SCAN_MID_LINE;
    s->candidate = false;
    carry_drop(s, CARRIED_HELD);
}

void smtp_gap(struct smtp *s, enum side from, uint64_t n, int64_t now)
{
    push_probe(s, now);
    if (s->swapped)
        from = side_other(from);
    s->last = now;
    s->bytes[from] += n;
    s->spoke[from] = true;
    forget_smuggled(s);
    if (from == CLIENT) {
        client_gap(s, n, now);
        return;
    }
    if (s->mode == MODE_TLS) {
        tls_gap(s->tls_reader, SERVER, n);
        return;
    }
    carry_drop(s, CARRIED_SERVER_LINE);
    s->overlong[SERVER] = true; /* what is left of a lost reply is no reply */
    s->multi_code = 0;
    s->greeting_due = false;
    pending_give_up(s, now);
    envelope_doubt(s);
}

void smtp_end(struct smtp *s, int64_t now)
{
    struct dissector *d = s->d;
    push_probe(s, now);
    while (s->mode == MODE_DATA_WAIT) /* replies never came; perhaps they are not mirrored */
        session_content_begin(s, now);
    if (s->mode == MODE_CONTENT && s->candidate)
        content_done(s, now);
    pending_give_up(s, now);
    if (s->content) {
        struct content *c = s->content;
        s->content = NULL;
        envelope_close(s, c, 0, now);
        content_release(s, c);
    }
    envelope_close(s, NULL, 0, now);
    struct session_record r = {.connection = s->connection,
        .client = s->side[CLIENT],
        .server = s->side[SERVER],
        .helo = names_get(s, NAME_HELO),
        .greeting = names_get(s, NAME_GREETING),
        .smtp = s->recognised,
        .tls = (enum tls)s->tls,
        .begin = s->opened,
        .end = s->last,
        .transactions = s->transactions,
        .bytes = {s->bytes[CLIENT], s->bytes[SERVER]},
        .one_sided = s->spoke[CLIENT] != s->spoke[SERVER]};
    if (s->tls_reader)
        memcpy(r.tls_bytes, s->tls_reader->bytes, sizeof r.tls_bytes);
    if (s->recognised || s->tls != TLS_NONE)
        d->sink.session(d->sink.user, &r);
    for (int i = 0; i < CARRIED && s->carry; i++)
        carry_drop(s, (enum carried)i);
    text_wipe(d->stock, &s->pending);
    text_wipe(d->stock, &s->names);
    slabs_put(d->slabs, s->tls_reader, sizeof *s->tls_reader);
    slabs_put(d->slabs, s, sizeof *s);
    d->sessions--;
}
