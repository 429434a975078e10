/* In: one line of the client.  Out: a command in the queue, waiting for its reply; for DATA and BDAT also the mode of what follows. */
#include "smtpdissect/session.h"

#define ENVELOPE_USUAL 80 /* bytes of the commands that follow MAIL without waiting: a recipient, DATA */

struct known {
    const char *word;
    enum verb verb;
};

/* The four letters that decide, folded; STARTTLS, XCLIENT and XFORWARD must then match whole. */
static enum verb verb_of(struct span word)
{
    static const struct known whole[] = {{"STARTTLS", VERB_STARTTLS}, {"XCLIENT", VERB_XCLIENT}, {"XFORWARD", VERB_XFORWARD}};
    if (word.n != 4) {
        for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
            if (span_equal_nocase(word, span_text(whole[i].word)))
                return whole[i].verb;
        return VERB_OTHER;
    }
    switch (WORD(word.p[0] & 0xdf, word.p[1] & 0xdf, word.p[2] & 0xdf, word.p[3] & 0xdf)) {
    case WORD('H', 'E', 'L', 'O'): return VERB_HELO;
    case WORD('E', 'H', 'L', 'O'): return VERB_EHLO;
    case WORD('L', 'H', 'L', 'O'): return VERB_LHLO;
    case WORD('M', 'A', 'I', 'L'): return VERB_MAIL;
    case WORD('R', 'C', 'P', 'T'): return VERB_RCPT;
    case WORD('D', 'A', 'T', 'A'): return VERB_DATA;
    case WORD('B', 'D', 'A', 'T'): return VERB_BDAT;
    case WORD('R', 'S', 'E', 'T'): return VERB_RSET;
    case WORD('A', 'U', 'T', 'H'): return VERB_AUTH;
    case WORD('Q', 'U', 'I', 'T'): return VERB_QUIT;
    default: return VERB_OTHER;
    }
}

enum verb command_verb(struct span line)
{
    return verb_of(text_word(line));
}

/* `ahead`: bytes that are likely to be waiting soon after. */
static bool wait_for_reply(struct smtp *s, struct command c, struct span argument, size_t ahead, int64_t now)
{
    if (s->pending.n + sizeof c + argument.n > PENDING_MOST)
        pending_give_up(s, now); /* nobody answers */
    c.touched = s->unsure;
    uint8_t *p = text_more(s->d->stock, &s->pending, sizeof c + argument.n, ahead, PENDING_MOST);
    if (!p) { /* no memory: from here on replies are one ahead of what waits for them */
        s->unsure = true;
        return false;
    }
    memcpy(p, &c, sizeof c);
    if (argument.n)
        memcpy(p + sizeof c, argument.p, argument.n);
    return true;
}

void command_wait(struct smtp *s, enum verb verb, struct span argument, int64_t now)
{
    struct command c = {.time = now, .length = (uint32_t)argument.n, .verb = (uint8_t)verb};
    wait_for_reply(s, c, argument, verb == VERB_MAIL ? ENVELOPE_USUAL : 0, now);
}

void command_wait_content(struct smtp *s, enum verb verb, struct content *content, bool last, int64_t now)
{
    struct command c = {.content = content, .verb = (uint8_t)verb, .last = last};
    if (!wait_for_reply(s, c, span_of(NULL, 0), 0, now))
        content_release(s, content);
}

/* "FROM:<path> SIZE=1", "TO: <path> NOTIFY=NEVER": the path, without <> and source route. */
static struct span path_of(struct span argument, const char *word)
{
    return address_of_path(span_starts_nocase(argument, word) ? span_from(argument, strlen(word)) : argument);
}

/* "NAME=mail.example ADDR=192.0.2.1 HELO=mail" of XCLIENT and XFORWARD: the name that the client's client gave, else the one it has. */
static struct span given_name(struct span attributes)
{
    struct span name = {NULL, 0}, helo = {NULL, 0};
    for (struct span word; attributes.n; attributes = span_trim(span_from(attributes, word.n + 1))) {
        word = text_word(attributes);
        struct span value = span_from(word, 5);
        if (value.n && value.p[0] == '[') /* [UNAVAILABLE], or an address */
            continue;
        if (span_starts_nocase(word, "NAME="))
            name = value;
        else if (span_starts_nocase(word, "HELO="))
            helo = value;
    }
    return helo.n ? helo : name;
}

/* "BDAT SP size [SP LAST]" (RFC 3030, 2); false: the server will refuse it, and no chunk follows. */
static bool parse_chunk(struct span argument, uint64_t *size, bool *last)
{
    uint64_t n = 0;
    size_t digits = 0;
    argument = span_trim(argument);
    for (; digits < argument.n && argument.p[digits] >= '0' && argument.p[digits] <= '9'; digits++) {
        if (n > (UINT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (argument.p[digits] - '0');
    }
    struct span rest = span_trim(span_from(argument, digits));
    if (digits == 0 || (rest.n && (!span_equal_nocase(rest, span_text("LAST")) || argument.p[digits] > ' ')))
        return false;
    *size = n;
    *last = rest.n > 0;
    return n <= INT64_MAX;
}

static void begin_chunk(struct smtp *s, struct span argument, int64_t now)
{
    uint64_t size;
    bool last = false;
    if (!parse_chunk(argument, &size, &last)) {
        command_wait(s, VERB_OTHER, span_of(NULL, 0), now);
        return;
    }
    s->chunk_last = last;
    if (!s->content)
        s->content = content_new(s, s->bounce);
    s->chunk_left = size;
    if (size)
        s->mode = MODE_CHUNK;
    else
        command_chunk_done(s, now);
}

void command_chunk_done(struct smtp *s, int64_t now)
{
    struct content *c = s->content;
    session_lines_begin(s);
    if (s->chunk_last) {
        s->content = NULL;
        if (c)
            content_end(s, c, now);
    } else if (c)
        c->references++; /* both the queue's and the client's side's */
    command_wait_content(s, VERB_BDAT, c, s->chunk_last, now);
}

/* A flight that begins with one of these after the server spoke: all that was asked before has been answered. */
static bool is_anchor(enum verb v)
{
    return v == VERB_MAIL || v == VERB_RSET || v == VERB_EHLO || v == VERB_HELO || v == VERB_LHLO;
}

void command_line(struct smtp *s, struct span line, int64_t now)
{
    struct span word = text_word(line), argument = span_trim(span_from(line, word.n));
    enum verb verb = verb_of(word);
    if (s->sasl || (verb == VERB_OTHER && s->auth_step)) {
        s->sasl = false;
        auth_line(s, line);
        command_wait(s, VERB_SASL, span_of(NULL, 0), now);
        return;
    }
    if (verb != VERB_OTHER)
        session_recognised(s);
    bool first = s->fresh;
    s->fresh = false;
    if (is_anchor(verb))
        session_content_drop(s);
    if (s->unsure && first && is_anchor(verb)) {
        pending_give_up(s, now);
        s->unsure = false;
        if (verb == VERB_MAIL)
            envelope_close(s, NULL, 0, now); /* what was left open is as uncertain as it was */
    }
    switch (verb) {
    case VERB_DATA:
        command_wait(s, verb, span_of(NULL, 0), now);
        s->mode = MODE_DATA_WAIT;
        break;
    case VERB_BDAT: begin_chunk(s, argument, now); break;
    case VERB_AUTH:
        auth_begin(s, argument);
        command_wait(s, verb, span_of(NULL, 0), now);
        break;
    case VERB_MAIL:
        argument = path_of(argument, "FROM:");
        s->bounce = argument.n == 0;
        command_wait(s, verb, argument, now);
        break;
    case VERB_RCPT: command_wait(s, verb, path_of(argument, "TO:"), now); break;
    case VERB_XCLIENT:
    case VERB_XFORWARD: command_wait(s, verb, given_name(argument), now); break;
    case VERB_HELO:
    case VERB_EHLO:
    case VERB_LHLO: command_wait(s, verb, argument, now); break;
    default: command_wait(s, verb, span_of(NULL, 0), now); /* nothing of it is needed, and it may be a secret */
    }
}
