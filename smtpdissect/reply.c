/* In: one line of the server.  Out: the oldest waiting command gets its answer, and the envelope changes as the server says. */
#include "smtpdissect/session.h"

/* ---- the queue of waiting commands ------------------------------------------------------------------------------------------- */

bool pending_first(const struct smtp *s, struct command *c, struct span *argument)
{
    if (s->pending_at >= s->pending.n)
        return false;
    memcpy(c, s->pending.p + s->pending_at, sizeof *c);
    *argument = span_of(s->pending.p + s->pending_at + sizeof *c, c->length);
    return true;
}

void pending_pop(struct smtp *s)
{
    struct command c;
    memcpy(&c, s->pending.p + s->pending_at, sizeof c);
    s->pending_at += (uint32_t)sizeof c + c.length;
    if (s->pending_at == s->pending.n) {
        text_clear(s->d->stock, &s->pending);
        s->pending_at = 0;
    } else if (s->pending_at > s->pending.n / 2 && s->pending_at > 4096) {
        text_drop_head(&s->pending, s->pending_at);
        s->pending_at = 0;
    }
}

/* Gives `code` to the waiting command `c`; 0: its reply is not known. */
static void answer(struct smtp *s, const struct command *c, struct span argument, uint16_t code, int64_t now)
{
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
    case VERB_MAIL: envelope_mail(s, argument, code, c->touched, c->time, now); break;
    case VERB_RCPT: envelope_rcpt(s, argument, code, now); break;
    case VERB_RSET:
        if (good)
            envelope_close(s, NULL, 0, now);
        break;
    case VERB_BDAT:
        if (c->last || (code && !good))
            envelope_close(s, c->content, code, now);
        break;
    case VERB_FINAL: envelope_close(s, c->content, code, now); break;
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
        content_release(s, c->content);
}

void pending_give_up(struct smtp *s, int64_t now)
{
    struct command c;
    struct span argument;
    while (pending_first(s, &c, &argument)) {
        c.touched = true;
        answer(s, &c, argument, 0, now);
        pending_pop(s);
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
    struct command c;
    struct span argument;
    bool paired = false;
    while (!paired && pending_first(s, &c, &argument)) {
        paired = c.verb == VERB_DATA;
        if (!paired) { /* replies before it were lost or never sent */
            c.touched = true;
            answer(s, &c, argument, 0, now);
        }
        if (paired && c.touched)
            envelope_doubt(s);
        pending_pop(s);
    }
    if (!paired)
        envelope_doubt(s);
    if (s->mode == MODE_DATA_WAIT || (s->mode == MODE_LINES && !paired))
        session_content_begin(s, now);
}

static void data_refused(struct smtp *s, uint16_t code, int64_t now)
{
    if (s->envelope)
        s->envelope->code = code;
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
    if (!s->lmtp || !s->envelope || s->envelope->accepted == 0)
        return false;
    struct envelope *e = s->envelope;
    struct kept_recipient r = {0};
    for (bool given = false; !given && e->answered_at < e->text.n; e->answered_at += (uint32_t)sizeof r + r.length) {
        memcpy(&r, e->text.p + e->answered_at, sizeof r);
        given = r.code >= 200 && r.code <= 299;
        if (given)
            r.final_code = code;
        memcpy(e->text.p + e->answered_at, &r, sizeof r);
    }
    return ++e->answered < e->accepted;
}

/* A reply that is whole, to whatever waits. */
static void reply_done(struct smtp *s, uint16_t code, int64_t now)
{
    struct command c;
    struct span argument;
    if (s->smuggled && s->pending_at >= s->pending.n && code != 421)
        session_smuggled(s, now);
    if (code == 354) {
        go_ahead(s, now);
        return;
    }
    if (s->mode == MODE_DATA_WAIT && s->pending_at >= s->pending.n) { /* the answer to DATA was lost */
        if (carry_span(s, CARRIED_HELD).n)
            session_content_begin(s, now);
        else if (code >= 400)
            session_lines_begin(s);
    }
    if (s->mode == MODE_CONTENT && s->pending_at >= s->pending.n && code != 421)
        content_ended_unseen(s, now); /* only its end can be answered now */
    if (!pending_first(s, &c, &argument)) {
        s->d->counters.replies_unpaired++;
        return;
    }
    if (c.verb == VERB_DATA) { /* never 2xx: then the queue is out of step */
        pending_pop(s);
        if (code < 300)
            envelope_doubt(s);
        data_refused(s, code, now);
        return;
    }
    if ((c.verb == VERB_AUTH || c.verb == VERB_SASL) && code == 334) {
        pending_pop(s);
        s->sasl = true;
        return;
    }
    if ((c.verb == VERB_FINAL || (c.verb == VERB_BDAT && c.last)) && lmtp_answer(s, code))
        return;
    if (code == 421 && c.verb != VERB_FINAL && c.verb != VERB_BDAT)
        envelope_doubt(s);
    answer(s, &c, argument, code, now);
    pending_pop(s);
}

void reply_unfinished(struct smtp *s, int64_t now)
{
    uint16_t code = s->multi_code;
    s->multi_code = 0;
    if (code && code != GREETING_UNDER_WAY)
        reply_done(s, code, now);
}

void reply_line(struct smtp *s, struct span line, int64_t now)
{
    bool digits = line.n >= 3 && line.p[0] >= '2' && line.p[0] <= '5';
    for (size_t i = 1; digits && i < 3; i++)
        digits = line.p[i] >= '0' && line.p[i] <= '9';
    if (!digits || (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
        return; /* text inside a multi-line reply, or no SMTP at all */
    uint16_t code = (uint16_t)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
    bool more = line.n > 3 && line.p[3] == '-', began = s->multi_code == 0;
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
