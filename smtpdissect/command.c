/* In: lines of the client.  Out: of each a command in the queue, waiting for its reply; for DATA and BDAT also the mode of what follows. */
#include "smtpdissect/line.h"
#include "smtpdissect/session.h"

#define ENVELOPE_USUAL 40 /* bytes of the commands that follow MAIL without waiting: a recipient, DATA */

struct known {
    const char *word;
    enum verb verb;
};

#define LETTER_BITS 0xdfdfdfdfu /* of four letters, case aside */

static inline uint32_t folded(const uint8_t p[4])
{
    return WORD(p[0], p[1], p[2], p[3]) & LETTER_BITS;
}

/* The four letters that decide. */
static enum verb verb_of_four(const uint8_t p[4])
{
    switch (folded(p)) {
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

/* STARTTLS, XCLIENT and XFORWARD must match whole. */
enum verb command_verb(struct span line)
{
    static const struct known whole[] = {{"STARTTLS", VERB_STARTTLS}, {"XCLIENT", VERB_XCLIENT}, {"XFORWARD", VERB_XFORWARD}};
    if (line.n >= 4 && (line.n == 4 || line.p[4] <= ' '))
        return verb_of_four(line.p);
    struct span word = text_word(line);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (span_equal_nocase(word, span_text(whole[i].word)))
            return whole[i].verb;
    return VERB_OTHER;
}

/* Makes room for n bytes more in the queue; `ahead`: bytes that are likely to wait soon after. */
static bool make_room(struct smtp *s, size_t n, size_t ahead, int64_t now)
{
    if (s->pending.n + n > PENDING_MOST)
        pending_give_up(s, now); /* nobody answers */
    if (n <= s->pending.size - s->pending.n || text_grow(s->d->stock, &s->pending, n, ahead, PENDING_MOST))
        return true;
    s->unsure = true; /* no memory: from here on replies are one ahead of what waits for them */
    return false;
}

/* A command at the end of the queue, with its argument; before that come `head` bytes for the caller to fill.  NULL: no memory. */
static inline struct command *wait_for_reply(struct smtp *s, enum verb verb, size_t head, struct span argument, size_t ahead, int64_t now)
{
    size_t length = head + argument.n, n = sizeof(struct command) + length;
    assert(argument.n <= LINE_MOST);
    if (n > s->pending.size - s->pending.n && !make_room(s, n, ahead, now))
        return NULL;
    struct command *c = (struct command *)(s->pending.p + s->pending.n);
    *c = (struct command){.length = (uint16_t)length, .verb = (uint8_t)verb, .touched = s->unsure};
    if (argument.n)
        memcpy((uint8_t *)(c + 1) + head, argument.p, argument.n);
    s->pending.n += (uint32_t)n;
    return c;
}

static inline void command_wait(struct smtp *s, enum verb verb, struct span argument, int64_t now)
{
    wait_for_reply(s, verb, 0, argument, 0, now);
}

static inline void command_wait_mail(struct smtp *s, struct span path, int64_t now)
{
    struct command *c = wait_for_reply(s, VERB_MAIL, sizeof now, path, ENVELOPE_USUAL, now);
    s->bounce = path.n == 0;
    if (c)
        memcpy(c + 1, &now, sizeof now);
}

void command_wait_content(struct smtp *s, enum verb verb, struct content *content, bool last, int64_t now)
{
    struct command *c = wait_for_reply(s, verb, sizeof(struct content *), span_of(NULL, 0), 0, now);
    if (c) {
        memcpy(c + 1, &content, sizeof content);
        c->last = last;
    } else
        content_release(s, content);
}

/* "FROM:<path> SIZE=1", "TO: <path> NOTIFY=NEVER": the path, without <> and source route. */
static struct span path_of(struct span argument, const char *word)
{
    return address_of_path(span_starts_nocase(argument, word) ? span_from(argument, strlen(word)) : argument);
}

/* The same in short, of a line "MAIL FROM:<path>" or "RCPT TO:<path>" whose colon stands at `colon`; false: something in it is unusual. */
static inline __attribute__((always_inline)) bool plain_path(struct span line, const char word[4], size_t colon, struct span *path)
{
    size_t begin = colon + 2;
    if (line.n <= begin || line.p[4] != ' ' || folded(line.p + 5) != (WORD(word[0], word[1], word[2], word[3]) & LETTER_BITS) ||
        line.p[colon] != ':' || line.p[colon + 1] != '<' || line.p[begin] == '@')
        return false;
    *path = span_of(line.p + begin, line_find(span_of(line.p + begin, line.n - begin), line.n, '>', '"'));
    const uint8_t *end = path->p + path->n;
    return end < line.p + line.n && *end == '>' && (path->n == 0 || (*path->p > ' ' && end[-1] > ' '));
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

static struct span argument_of(struct span line)
{
    return span_trim(span_from(line, text_word(line).n));
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
    return 1u << v & (1u << VERB_MAIL | 1u << VERB_RSET | 1u << VERB_EHLO | 1u << VERB_HELO | 1u << VERB_LHLO);
}

void command_line(struct smtp *s, struct span line, int64_t now)
{
    enum verb verb = command_verb(line);
    struct span argument = span_of(NULL, 0);
    if (s->sasl || (verb == VERB_OTHER && s->auth_step)) {
        s->sasl = false;
        auth_line(s, line);
        command_wait(s, VERB_SASL, argument, now);
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
    case VERB_DATA: s->mode = MODE_DATA_WAIT; break;
    case VERB_BDAT: begin_chunk(s, argument_of(line), now); return;
    case VERB_AUTH: auth_begin(s, argument_of(line)); break;
    case VERB_MAIL: command_wait_mail(s, path_of(argument_of(line), "FROM:"), now); return;
    case VERB_RCPT: argument = path_of(argument_of(line), "TO:"); break;
    case VERB_XCLIENT:
    case VERB_XFORWARD: argument = given_name(argument_of(line)); break;
    case VERB_HELO:
    case VERB_EHLO:
    case VERB_LHLO: argument = argument_of(line); break;
    default: break; /* nothing of it is needed, and it may be a secret */
    }
    command_wait(s, verb, argument, now);
}

/* The same in short for a mail's commands, in a session that has lost nothing; false: it is another, or has something unusual. */
static inline bool plain_command(struct smtp *s, struct span line, int64_t now)
{
    struct span path = {NULL, 0};
    if (line.n < 4 || s->unsure || s->sasl)
        return false;
    switch (folded(line.p)) {
    case WORD('R', 'C', 'P', 'T'):
        if (!plain_path(line, "TO:<", 7, &path))
            return false;
        command_wait(s, VERB_RCPT, path, now);
        break;
    case WORD('M', 'A', 'I', 'L'):
        if (s->content || !plain_path(line, "FROM", 9, &path))
            return false;
        command_wait_mail(s, path, now);
        break;
    case WORD('D', 'A', 'T', 'A'):
        if (line.n > 4 && line.p[4] > ' ')
            return false;
        command_wait(s, VERB_DATA, path, now);
        s->mode = MODE_DATA_WAIT;
        break;
    default: return false;
    }
    session_recognised(s);
    s->fresh = false;
    return true;
}

struct span command_lines(struct smtp *s, struct span bytes, int64_t now)
{
    size_t whole = bytes.n;
    bool begun = s->carry || s->overlong[CLIENT]; /* the first line, perhaps, in what came before */
    while (bytes.n && s->mode == MODE_LINES) {
        size_t n = line_find(bytes, whole, '\n', '\n');
        if (begun || n == bytes.n || n > LINE_MOST) {
            bytes = session_part(s, CLIENT, bytes, n, now);
            begun = false;
        } else {
            if (!plain_command(s, span_of(bytes.p, n), now))
                command_line(s, span_of(bytes.p, n), now);
            bytes = span_of(bytes.p + n + 1, bytes.n - n - 1);
        }
    }
    return bytes;
}
