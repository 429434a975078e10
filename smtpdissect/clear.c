/* In: bytes of a connection, and whether the dissector was inside message content before and after them.  Out: the parts that may be
 * kept, to the evidence ring.  Where the mark changed within the bytes, the line that changed it is found here: the empty line after a
 * header, the dot after the data.  When what is found does not agree with the mark, nothing is clear. */
#include "smtpdissect/clear.h"

enum state {
    UNFINISHED = 1 << 0, /* the client's last line has not ended; also within content */
    SECRET = 1 << 1,     /* and what is to come of it is not clear */
    CHUNKED = 1 << 2,    /* BDAT was used: a lone dot ends nothing */
    FOUND = 1 << 3,      /* a command was seen since the start or the last gap: lines that are not content are commands and header */
};
#define LASTING (CHUNKED | FOUND)

#define SHORT 10 /* bytes of a line that tell what it is; a shorter beginning might be of AUTH */

struct pieces {
    struct span *list;
    size_t count, most;
};

static void add(struct pieces *c, struct span s)
{
    if (s.n == 0)
        return;
    struct span *last = c->count ? &c->list[c->count - 1] : NULL;
    if (last && last->p + last->n == s.p)
        last->n += s.n;
    else if (c->count < c->most)
        c->list[c->count++] = s;
}

static bool base64(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/' || c == '=';
}

/* Commands of one word; any other word alone may be the answer to an AUTH challenge. */
static bool lone_command(struct span line)
{
    static const char *const words[] = {"DATA", "QUIT", "RSET", "NOOP", "HELP", "STARTTLS", "TURN"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_equal_nocase(line, span_text(words[i])))
            return true;
    return false;
}

/* A line that no mail's text is likely to hold, and with which a dialogue can be followed again. */
static bool anchor(struct span line)
{
    return span_starts_nocase(line, "EHLO ") || span_starts_nocase(line, "HELO ") || span_starts_nocase(line, "LHLO ") ||
           span_starts_nocase(line, "MAIL FROM:");
}

/* A BDAT command, or what may become one. */
static bool begins_chunk(struct span line, bool ended)
{
    struct span word = span_text("BDAT ");
    return span_equal_nocase(span_head(line, word.n), ended ? word : span_head(word, line.n));
}

/* How much of the beginning of a line (its end apart) is clear. */
static size_t clear_length(struct span line, bool ended)
{
    if (span_starts_nocase(line, "AUTH ")) {
        size_t i = 5;
        while (i < line.n && line.p[i] == ' ')
            i++;
        while (i < line.n && line.p[i] != ' ') /* the mechanism */
            i++;
        return i + (i < line.n);
    }
    if (!ended && line.n < SHORT)
        return 0;
    size_t n = 0;
    while (n < line.n && base64(line.p[n]))
        n++;
    return n < line.n || lone_command(line) ? line.n : 0;
}

/* One line of commands or header, its end included when it `ended`. */
static void take_line(struct pieces *c, uint8_t *state, struct span line, bool ended)
{
    struct span text = line;
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    bool fresh = !(*state & UNFINISHED), secret = *state & SECRET;
    if (fresh && anchor(text))
        *state |= FOUND;
    if (fresh && begins_chunk(text, ended))
        *state |= CHUNKED;
    if (!(*state & FOUND)) {
        secret = true;
    } else if (fresh) {
        size_t n = clear_length(text, ended);
        secret = n < text.n || span_starts_nocase(text, "AUTH ");
        add(c, span_head(text, n));
        if (ended && span_equal_nocase(text, span_text("STARTTLS")))
            *state &= (uint8_t)~FOUND; /* what follows is not for reading */
    } else if (!secret) {
        add(c, text);
    }
    add(c, span_from(line, text.n));
    *state = (uint8_t)((*state & LASTING) | (ended ? 0 : secret ? UNFINISHED | SECRET : UNFINISHED));
}

static size_t line_length(struct span s)
{
    const uint8_t *end = memchr(s.p, '\n', s.n);
    return end ? (size_t)(end - s.p) + 1 : s.n;
}

static bool is_line(struct span line, const char *text)
{
    size_t n = strlen(text);
    return line.n > n && line.p[line.n - 1] == '\n' && memcmp(line.p, text, n) == 0 &&
           (line.n == n + 1 || (line.n == n + 2 && line.p[n] == '\r'));
}

static void note_end(uint8_t *state, bool ended)
{
    *state = (uint8_t)((*state & LASTING) | (ended ? 0 : UNFINISHED));
}

/* Skips content up to the dot that ends it, which is clear; false: its end is not here, or not to be known. */
static bool skip_content(struct pieces *c, uint8_t *state, struct span *rest)
{
    while (!(*state & CHUNKED) && rest->n) {
        bool fresh = !(*state & UNFINISHED);
        struct span line = span_head(*rest, line_length(*rest));
        *rest = span_from(*rest, line.n);
        note_end(state, line.p[line.n - 1] == '\n');
        if (fresh && is_line(line, ".")) {
            add(c, line);
            return true;
        }
    }
    return false;
}

size_t smtp_clear(uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after, struct span clear[], size_t most)
{
    struct pieces c = {clear, 0, most};
    if (from == SERVER) {
        if (bytes.p)
            add(&c, bytes);
        return c.count;
    }
    if (!bytes.p) { /* a gap: what comes next may be the rest of anything */
        *state = (*state & CHUNKED) | UNFINISHED | SECRET;
        return 0;
    }
    uint32_t passages = after - before;
    bool content = before & 1;
    if (content && passages == 0) {
        note_end(state, bytes.n == 0 || bytes.p[bytes.n - 1] == '\n');
        return 0;
    }
    struct span rest = bytes;
    while (rest.n && !(content && passages == 0)) {
        if (content) {
            if (!skip_content(&c, state, &rest))
                break;
            content = false;
            passages--;
            continue;
        }
        size_t n = line_length(rest);
        struct span line = span_head(rest, n);
        rest = span_from(rest, n);
        bool empty = !(*state & UNFINISHED) && is_line(line, "");
        take_line(&c, state, line, line.p[n - 1] == '\n');
        if (empty && passages > 0) {
            content = true;
            passages--;
        }
    }
    bool agrees = passages == 0 && content == (after & 1), ended = bytes.n == 0 || bytes.p[bytes.n - 1] == '\n';
    if (content || !agrees)
        note_end(state, ended);
    if (!agrees && !ended)
        *state |= SECRET;
    return agrees ? c.count : 0;
}
