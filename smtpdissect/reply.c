/* In: lines of the server.  Out: the oldest waiting command gets its answer, and the envelope changes as the server says. */
#include "smtpdissect/line.h"
#include "smtpdissect/session.h"

/* ---- the queue of waiting commands ------------------------------------------------------------------------------------------- */

#define KEPT_MOST  256u  /* bytes of an emptied queue that are kept for the next command of the same mail */
#define AHEAD_MOST 1024u /* bytes that an envelope has room for from the start */

static inline void pending_pop(struct smtp *s, const struct command *first)
{
    s->pending_at += (uint32_t)sizeof *first + first->length;
    if (s->pending_at == s->pending.n) {
        s->pending_at = s->pending.n = 0;
        if (!s->envelope.p || s->pending.size > KEPT_MOST)
            text_clear(s->d->stock, &s->pending);
    } else if (s->pending_at > s->pending.n / 2 && s->pending_at > 4096) {
        text_drop_head(&s->pending, s->pending_at);
        s->pending_at = 0;
    }
}

static inline struct span argument_of(const struct command *c)
{
    return span_of(c + 1, c->length);
}

static inline void answer_mail(struct smtp *s, const struct command *c, uint16_t code, int64_t now)
{
    int64_t time;
    memcpy(&time, c + 1, sizeof time);
    uint32_t waiting = s->pending.n - s->pending_at - (uint32_t)sizeof *c - c->length;
    struct span path = span_of((const uint8_t *)(c + 1) + sizeof time, c->length - sizeof time);
    envelope_mail(s, path, code, c->touched, time, waiting < AHEAD_MOST ? waiting : AHEAD_MOST, now);
}

static inline struct content *content_of(const struct command *c) /* of VERB_BDAT, VERB_FINAL */
{
    struct content *content;
    memcpy(&content, c + 1, sizeof content);
    return content;
}

/* Gives `code` to the waiting command `c`; 0: its reply is not known. */
static void answer(struct smtp *s, const struct command *c, uint16_t code, int64_t now)
{
    struct span argument = argument_of(c);
    bool good = code >= 200 && code < 300;
    if (c->touched && c->verb != VERB_MAIL)
        envelope_doubt(s);
    switch ((enum verb)c->verb) {
    case VERB_HELO:
    case VERB_EHLO:
    case VERB_LHLO:
        s->lmtp |= c->verb == VERB_LHLO && code == 0; /* whatever was answered: who says LHLO speaks LMTP */
        if (!good)
            break;
        envelope_close(s, NULL, 0, now); /* RFC 5321, 4.1.4: as RSET */
        s->lmtp = c->verb == VERB_LHLO;
        s->dialect_lost = false;
        names_set(s, NAME_HELO, text_word(argument));
        break;
    case VERB_MAIL: answer_mail(s, c, code, now); break;
    case VERB_RCPT: envelope_rcpt(s, argument, code, now); break;
    case VERB_RSET:
        if (good)
            envelope_close(s, NULL, 0, now);
        break;
    case VERB_BDAT:
        if (c->last || (code && !good))
            envelope_close(s, content_of(c), code, now);
        break;
    case VERB_FINAL: envelope_close(s, content_of(c), code, now); break;
    case VERB_AUTH:
    case VERB_SASL:
        s->auth_step = 0;
        if (code != 235)
            names_set(s, NAME_USER, span_of(NULL, 0));
        break;
    case VERB_XCLIENT: /* Postfix: as a new connection, whose client has this name */
        if (code != 220)
            break;
        envelope_close(s, NULL, 0, now);
        names_set(s, NAME_GIVEN, argument);
        break;
    case VERB_XFORWARD:
        if (good)
            names_set(s, NAME_GIVEN, argument);
        break;
    case VERB_STARTTLS: s->starttls = code == 220; break;
    default: break;
    }
    if (c->verb == VERB_BDAT || c->verb == VERB_FINAL)
        content_release(s, content_of(c));
}

void pending_give_up(struct smtp *s, int64_t now)
{
    for (struct command *c; (c = pending_first(s)); pending_pop(s, c)) {
        c->touched = true;
        answer(s, c, 0, now);
    }
}

/* ---- replies ----------------------------------------------------------------------------------------------------------------- */

static void greeting(struct smtp *s, uint16_t code, struct span text)
{
    s->greeting_due = false;
    if (code != 220)
        return;
    session_recognised(s);
    names_set(s, NAME_GREETING, text_word(text));
}

/* 354: the client may send.  True: it was DATA's, or could be nothing else. */
static void go_ahead(struct smtp *s, int64_t now)
{
    bool paired = false;
    for (struct command *c; !paired && (c = pending_first(s)); pending_pop(s, c)) {
        paired = c->verb == VERB_DATA;
        if (!paired) { /* replies before it were lost or never sent */
            c->touched = true;
            answer(s, c, 0, now);
        } else if (c->touched)
            envelope_doubt(s);
    }
    if (!paired)
        envelope_doubt(s);
    if (s->mode == MODE_DATA_WAIT || (s->mode == MODE_LINES && !paired))
        session_content_begin(s, now);
}

static void data_refused(struct smtp *s, uint16_t code, int64_t now)
{
    if (s->envelope.p)
        envelope_of(s)->code = code;
    if (s->mode != MODE_DATA_WAIT)
        return;
    struct text held = carry_take(s, CARRIED_HELD); /* what the client sent without waiting was commands, to the server */
    session_lines_begin(s);
    if (held.n)
        session_push_client(s, text_span(&held), now);
    text_wipe(s->d->stock, &held);
}

/* LMTP answers once a recipient (RFC 2033, 4.2): true when more answers to this content are to come. */
static bool lmtp_answer(struct smtp *s, uint16_t code)
{
    struct envelope *e = envelope_of(s);
    if (!s->lmtp || !e || e->accepted == 0)
        return false;
    struct kept_recipient r = {0};
    for (bool given = false; !given && e->answered_at < s->envelope.n; e->answered_at += (uint32_t)sizeof r + r.length) {
        memcpy(&r, s->envelope.p + e->answered_at, sizeof r);
        given = r.code >= 200 && r.code <= 299;
        if (given)
            r.final_code = code;
        memcpy(s->envelope.p + e->answered_at, &r, sizeof r);
    }
    return ++e->answered < e->accepted;
}

/* Nothing waits for this reply: perhaps the mode tells what it answers, and then that waits. */
static void find_question(struct smtp *s, uint16_t code, int64_t now)
{
    if (s->smuggled && code != 421)
        session_smuggled(s, now);
    if (code == 354)
        return;
    if (s->mode == MODE_DATA_WAIT && pending_none(s)) { /* the answer to DATA was lost */
        if (carry_span(s, CARRIED_HELD).n)
            session_content_begin(s, now);
        else if (code >= 400)
            session_lines_begin(s);
    }
    if (s->mode == MODE_CONTENT && pending_none(s) && code != 421)
        content_ended_unseen(s, now); /* only its end can be answered now */
}

/* A reply that is whole, to whatever waits. */
static void reply_done(struct smtp *s, uint16_t code, int64_t now)
{
    if (pending_none(s))
        find_question(s, code, now);
    if (code == 354) {
        go_ahead(s, now);
        return;
    }
    const struct command *c = pending_first(s);
    if (!c) {
        s->d->counters.replies_unpaired++;
        return;
    }
    if (c->verb == VERB_DATA) { /* never 2xx: then the queue is out of step */
        pending_pop(s, c);
        if (code < 300)
            envelope_doubt(s);
        data_refused(s, code, now);
        return;
    }
    if ((c->verb == VERB_AUTH || c->verb == VERB_SASL) && code == 334) {
        pending_pop(s, c);
        s->sasl = true;
        return;
    }
    if ((c->verb == VERB_FINAL || (c->verb == VERB_BDAT && c->last)) && lmtp_answer(s, code))
        return;
    if (code == 421 && c->verb != VERB_FINAL && c->verb != VERB_BDAT)
        envelope_doubt(s);
    answer(s, c, code, now);
    pending_pop(s, c);
}

void reply_unfinished(struct smtp *s, int64_t now)
{
    uint16_t code = s->multi_code;
    s->multi_code = 0;
    if (code && code != GREETING_UNDER_WAY)
        reply_done(s, code, now);
}

/* 0: these are no digits of a reply. */
static inline uint16_t code_of(const uint8_t digits[3])
{
    unsigned hundreds = digits[0] - (unsigned)'0', tens = digits[1] - (unsigned)'0', ones = digits[2] - (unsigned)'0';
    return hundreds - 2 > 5 - 2 || tens > 9 || ones > 9 ? 0 : (uint16_t)(hundreds * 100 + tens * 10 + ones);
}

void reply_line(struct smtp *s, struct span line, int64_t now)
{
    while (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    uint16_t code = line.n < 3 ? 0 : code_of(line.p);
    bool more = line.n > 3 && line.p[3] == '-', began = s->multi_code == 0;
    if (code == 0 || (line.n > 3 && line.p[3] != ' ' && !more))
        return; /* text inside a multi-line reply, or no SMTP at all */
    if (s->multi_code && s->multi_code != code && s->multi_code != GREETING_UNDER_WAY) { /* a multi-line reply that never ended */
        reply_unfinished(s, now);
        began = true;
    }
    if (began && (s->greeting_due || (!s->recognised && !s->spoke[CLIENT]))) {
        greeting(s, code, span_trim(span_from(line, 4)));
        s->multi_code = more ? GREETING_UNDER_WAY : 0;
        return;
    }
    if (s->multi_code == GREETING_UNDER_WAY) {
        s->multi_code = more ? GREETING_UNDER_WAY : 0;
        return;
    }
    s->multi_code = more ? code : 0;
    if (!more)
        reply_done(s, code, now);
}

/* The same in short of a line "250 ..." or "354 ...", when it is all of the reply and answers a command of a mail; false: it is something
 * else. */
static inline bool plain_reply(struct smtp *s, struct span line, int64_t now)
{
    const struct command *c = pending_first(s);
    if (line.n < 4 || !c || c->touched || s->multi_code || s->greeting_due || !s->recognised)
        return false;
    switch (WORD(line.p[0], line.p[1], line.p[2], line.p[3])) {
    case WORD('2', '5', '0', ' '):
        if (c->verb == VERB_RCPT)
            envelope_rcpt(s, argument_of(c), 250, now);
        else if (c->verb == VERB_MAIL)
            answer_mail(s, c, 250, now);
        else if (c->verb == VERB_FINAL && !s->lmtp) {
            struct content *content = content_of(c);
            envelope_close(s, content, 250, now);
            content_release(s, content);
        } else
            return false;
        pending_pop(s, c);
        return true;
    case WORD('3', '5', '4', ' '):
        if (c->verb != VERB_DATA || s->mode != MODE_DATA_WAIT)
            return false;
        pending_pop(s, c);
        session_content_begin(s, now);
        return true;
    default: return false;
    }
}

void reply_lines(struct smtp *s, struct span bytes, int64_t now)
{
    size_t whole = bytes.n;
    bool begun = s->carry || s->overlong[SERVER]; /* the first line, perhaps, in what came before */
    while (bytes.n) {
        size_t n = line_find(bytes, whole, '\n', '\n');
        if (begun || n == bytes.n || n > LINE_MOST) {
            bytes = session_part(s, SERVER, bytes, n, now);
            begun = false;
            continue;
        }
        bool goes_on = s->multi_code && n > 3 && bytes.p[3] == '-' && code_of(bytes.p) == s->multi_code; /* and says nothing new */
        if (!goes_on && !plain_reply(s, span_of(bytes.p, n), now))
            reply_line(s, span_of(bytes.p, n), now);
        bytes = span_of(bytes.p + n + 1, bytes.n - n - 1);
    }
}
