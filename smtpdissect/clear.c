/* In: bytes of a connection, and where the dissector stood before and after them. Out: the parts that may be kept, to the evidence
 * ring. The bytes are walked through as the dissector did, with less to remember: lines, header, body, lines again. When this walk does
 * not end where the dissector is, something was not understood, and nothing of these bytes is clear. */
#include "smtpdissect/clear.h"

#include "smtpdissect/find.h"
#include "smtpdissect/personal.h"
#include "smtpdissect/session.h"

enum place { PLACE_LINES, PLACE_HEADER, PLACE_BODY, PLACE_WAIT, PLACE_TLS };

/* What smtp_place() packs into a word. */
#define PLACE_MASK 7u
#define CHUNK      (1u << 3) /* the place is within a BDAT chunk */
#define NEXT_BODY  (1u << 4) /* the next chunk goes on with a body */
#define ANSWER     (1u << 5) /* the client's next line answers an AUTH challenge */
#define SWAPPED    (1u << 6) /* the dissector has swapped the sides */
#define CHUNK_LAST (1u << 7) /* the chunk is its message's last */
#define CANDIDATE  (1u << 8) /* what may be the data's end was seen */
#define LEFT_SHIFT 9
#define LEFT_MOST  (UINT32_MAX >> LEFT_SHIFT) /* bytes left of the chunk; so many or more */

enum state {
    UNFINISHED = 1 << 0, /* the client's last line has not ended */
    SECRET = 1 << 1,     /* and what is to come of it is not clear */
    BLANK = 1 << 2,      /* it is of the header, and holds nothing but perhaps a CR */
    DARK = 1 << 3,       /* it may have been BDAT or DATA: what follows it in the same bytes is not to be followed */
    FOUND = 1 << 4,      /* a command was seen since the start or the last gap: lines can be trusted */
    MIDDLE = 1 << 5,     /* the server's last line has not ended, or something of it was lost */
    FIELD = 3 << 6,      /* enum personal_field of the header field under way */
};
#define FIELD_SHIFT 6

#define SHORT 5 /* bytes of a line that tell which command it is */

struct walk {
    struct span rest;
    enum place place;
    bool chunk, next_body, answer, last; /* last: the chunk is the message's last */
    bool endless;                        /* the chunk is larger than can be told */
    uint64_t left;                       /* of the chunk */
    uint8_t state;                       /* enum state */
    bool nameless;                       /* what names people is not clear */
    struct parts clear;
};

uint32_t smtp_place(const struct smtp *s)
{
    bool past = s->content && (s->content->header_end || s->content->header_cut);
    enum place place = PLACE_LINES;
    switch ((enum mode)s->mode) {
    case MODE_LINES: break;
    case MODE_DATA_WAIT: place = PLACE_WAIT; break;
    case MODE_CONTENT:
    case MODE_CHUNK: place = past || !s->content ? PLACE_BODY : PLACE_HEADER; break;
    case MODE_TLS: place = PLACE_TLS; break;
    }
    uint32_t left = s->mode != MODE_CHUNK ? 0 : s->chunk_left < LEFT_MOST ? (uint32_t)s->chunk_left : LEFT_MOST;
    return place | (s->mode == MODE_CHUNK ? CHUNK | (s->chunk_last ? CHUNK_LAST : 0) : 0) | (past ? NEXT_BODY : 0) |
           (s->sasl ? ANSWER : 0) | (s->swapped ? SWAPPED : 0) | (s->candidate ? CANDIDATE : 0) | left << LEFT_SHIFT;
}

static inline void add(struct walk *w, struct span s)
{
    parts_add(&w->clear, s);
}

static inline uint8_t at_end(uint8_t state, bool ended, bool secret)
{
    return (uint8_t)((state & (FOUND | MIDDLE | FIELD)) | (ended ? 0 : secret ? UNFINISHED | SECRET : UNFINISHED));
}

static inline void note_end(struct walk *w, bool ended, bool secret)
{
    w->state = at_end(w->state, ended, secret);
}

/* The next line, or the piece of it that is here; not beyond the chunk. */
static inline struct span take_line(struct walk *w)
{
    struct span all = w->chunk ? span_head(w->rest, w->left < w->rest.n ? (size_t)w->left : w->rest.n) : w->rest;
    const uint8_t *end = memchr(all.p, '\n', all.n);
    struct span line = span_head(all, end ? (size_t)(end - all.p) + 1 : all.n);
    w->rest = span_from(w->rest, line.n);
    w->left -= w->chunk ? line.n : 0;
    return line;
}

static inline bool ended(struct span line)
{
    return line.n && line.p[line.n - 1] == '\n';
}

static inline struct span text_of(struct span line)
{
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    return line;
}

/* ---- commands */

/* Which command a line is; KIND_UNKNOWN: none. */
static enum personal_kind kind_of(struct span text)
{
    size_t n;
    enum personal_kind kind = personal_kind(text, &n);
    return text.n <= n || text.p[n] == ' ' || text.p[n] == '\t' ? kind : KIND_UNKNOWN;
}

/* How much of the beginning of a line is clear. */
static size_t clear_length(struct span text, enum personal_kind kind)
{
    if (kind != KIND_AUTH)
        return kind == KIND_UNKNOWN ? 0 : text.n;
    size_t i = 4;
    while (i < text.n && text.p[i] == ' ')
        i++;
    while (i < text.n && text.p[i] != ' ') /* the mechanism */
        i++;
    return i + (i < text.n);
}

static bool chunk_size(struct span text, uint64_t *size, bool *last)
{
    struct span rest = span_trim(span_from(text, 4));
    size_t i = 0;
    *size = 0;
    for (; i < rest.n && rest.p[i] >= '0' && rest.p[i] <= '9'; i++) {
        if (*size > UINT64_MAX / 10 - 1)
            return false;
        *size = *size * 10 + (rest.p[i] - '0');
    }
    struct span word = span_trim(span_from(rest, i));
    *last = span_equal_nocase(word, span_text("LAST"));
    return i > 0 && (*last || word.n == 0);
}

/* Where a whole command leads. */
static void follow_command(struct walk *w, struct span text, enum personal_kind kind)
{
    switch (kind) {
    case KIND_DATA: w->place = PLACE_WAIT; break;
    case KIND_STARTTLS: w->state &= (uint8_t)~FOUND; break; /* what follows is not for reading */
    case KIND_BDAT:
        if (!chunk_size(text, &w->left, &w->last))
            break;
        w->chunk = w->left > 0;
        if (w->chunk)
            w->place = w->next_body ? PLACE_BODY : PLACE_HEADER;
        else if (w->last)
            w->next_body = false;
        break;
    case KIND_MAIL:
    case KIND_RSET: w->next_body = false; break;
    default: break;
    }
}

static void walk_lines(struct walk *w)
{
    struct span line = take_line(w), text = text_of(line);
    bool fresh = !(w->state & UNFINISHED), secret = w->state & SECRET;
    enum personal_kind kind = fresh ? kind_of(text) : KIND_UNKNOWN;
    if (kind == KIND_HELLO || (kind == KIND_MAIL && span_starts_nocase(text, "MAIL FROM:")))
        w->state |= FOUND;
    if (fresh) {
        bool told = (ended(line) || text.n > SHORT) && w->state & FOUND && !w->answer;
        size_t n = told ? clear_length(text, kind) : 0;
        secret = n < text.n || !told || kind == KIND_AUTH || w->nameless;
        if (w->nameless && n == text.n && kind != KIND_AUTH)
            personal_command(text, ended(line), &w->clear);
        else
            add(w, span_head(text, n));
        if (ended(line) && !w->answer)
            follow_command(w, text, kind);
    } else if (!secret) {
        add(w, text);
    }
    add(w, span_from(line, text.n));
    w->answer = w->answer && !ended(line);
    note_end(w, ended(line), secret);
    if (fresh && !ended(line) && (text.n <= SHORT || kind == KIND_BDAT))
        w->state |= DARK;
}

/* ---- content */

static void end_content(struct walk *w)
{
    w->next_body = w->chunk && !w->last && w->place == PLACE_BODY;
    w->chunk = false;
    w->place = PLACE_LINES;
    note_end(w, true, false);
}

/* A line of a field, or a piece of one.  What goes on in the middle of a line could be the middle of an address. */
static void walk_field(struct walk *w, struct span text, bool fresh, bool whole)
{
    enum personal_field field = (enum personal_field)(w->state >> FIELD_SHIFT);
    bool dot = fresh && whole && text.n == 1 && text.p[0] == '.'; /* may end the data */
    if (dot)
        add(w, text);
    else if (fresh && text.n && text.p[0] != ' ' && text.p[0] != '\t')
        field = personal_field(text, whole, &w->clear);
    else if (fresh || field == PERSONAL_ID)
        personal_value(field, text, whole, &w->clear);
    w->state = (uint8_t)((w->state & ~(unsigned)FIELD) | (unsigned)field << FIELD_SHIFT);
}

static void walk_header(struct walk *w)
{
    struct span line = take_line(w), text = text_of(line);
    bool fresh = !(w->state & UNFINISHED), whole = ended(line), blank = text.n == 0 && (fresh || w->state & BLANK);
    if (w->nameless)
        walk_field(w, text, fresh, whole);
    else
        add(w, text);
    add(w, span_from(line, text.n));
    note_end(w, whole, false);
    if (blank && !whole)
        w->state |= BLANK;
    if (blank && whole)
        w->place = PLACE_BODY;
    else if (fresh && whole && !w->chunk && text.n == 1 && text.p[0] == '.')
        end_content(w);
    if (w->chunk && w->left == 0)
        end_content(w);
}

static bool is_dot(struct span line, bool fresh)
{
    return fresh && line.n == 3 && memcmp(line.p, ".\r\n", 3) == 0;
}

/* Over lines to the one before a line with a dot in front; over all when there is no such line. */
static void pass_text(struct walk *w)
{
    size_t dot = find_pair(w->rest, '\n', '.', '.');
    const uint8_t *end = dot == w->rest.n ? w->rest.p + dot - 1 : memrchr(w->rest.p, '\n', dot);
    if (!end)
        return;
    note_end(w, *end == '\n', false);
    w->rest = span_from(w->rest, (size_t)(end - w->rest.p) + 1);
}

/* Up to the content's end, if it is here.  The end of the line before the dot is clear too: without it the dot would end nothing. */
static void walk_body(struct walk *w)
{
    if (w->chunk) {
        struct span all = span_head(w->rest, w->left < w->rest.n ? (size_t)w->left : w->rest.n);
        note_end(w, ended(all), false);
        w->rest = span_from(w->rest, all.n);
        w->left -= all.n;
        if (w->left == 0)
            end_content(w);
        return;
    }
    for (struct span line = {NULL, 0}, before = line; w->rest.n; before = line) {
        if (w->rest.p[0] != '.')
            pass_text(w); /* most bytes of most mails */
        if (!w->rest.n)
            return;
        bool fresh = !(w->state & UNFINISHED);
        line = take_line(w);
        note_end(w, ended(line), false);
        if (!is_dot(line, fresh))
            continue;
        add(w, span_from(before, text_of(before).n));
        add(w, line);
        end_content(w);
        return;
    }
}

/* ---- */

static bool agrees(const struct walk *w, uint32_t after)
{
    if ((after & PLACE_MASK) != w->place || !!(after & CHUNK) != w->chunk)
        return false;
    return !w->chunk || w->endless || (w->left < LEFT_MOST ? w->left : LEFT_MOST) == after >> LEFT_SHIFT;
}

static size_t clear_client(struct walk *w, uint32_t after)
{
    bool whole = w->rest.n == 0 || ended(w->rest);
    bool dark = w->state & DARK && w->place == PLACE_LINES;
    bool unknown = w->state & SECRET && w->place == PLACE_HEADER; /* the line that goes on here may be the header's last */
    if (dark || unknown) {
        note_end(w, whole, true);
        if (dark && !memchr(w->rest.p, '\n', w->rest.n))
            w->state |= DARK;
        return 0;
    }
    while (w->rest.n && w->place <= PLACE_BODY) {
        if (w->place == PLACE_LINES)
            walk_lines(w);
        else if (w->place == PLACE_HEADER)
            walk_header(w);
        else
            walk_body(w);
    }
    if (!agrees(w, after)) { /* more may have been misread than these bytes */
        w->state = (uint8_t)((w->state & MIDDLE) | (whole ? 0 : UNFINISHED | SECRET));
        return 0;
    }
    if (w->rest.n)
        note_end(w, whole, true);
    return w->clear.count;
}

static size_t clear_server(struct walk *w)
{
    if (!w->nameless) {
        add(w, w->rest);
        return w->clear.count;
    }
    while (w->rest.n) {
        bool middle = w->state & MIDDLE;
        struct span line = take_line(w), text = text_of(line);
        if (!middle)
            personal_reply(text, ended(line), &w->clear);
        add(w, span_from(line, text.n));
        w->state = (uint8_t)(ended(line) ? w->state & ~(unsigned)MIDDLE : w->state | MIDDLE);
    }
    return w->clear.count;
}

/* Most packets of most mails are nothing but a message's text, as the dissector saw it: no end of it, no chunk, and too little to hold
 * another mail's beginning.  Nothing of them is clear. */
static inline bool all_text(uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after)
{
    const uint32_t matters = PLACE_MASK | CHUNK | CANDIDATE | SWAPPED;
    if (from != CLIENT || (before & matters) != PLACE_BODY || (after & matters) != PLACE_BODY || !bytes.n || bytes.n > HELD_MOST)
        return false;
    *state = at_end(*state, ended(bytes), false);
    return true;
}

static size_t walk(
    bool nameless, uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after, struct span clear[], size_t most)
{
    if (before & SWAPPED || after & SWAPPED)
        from = side_other(from);
    if (!bytes.p) { /* a gap: what comes next may be the rest of anything */
        *state = (uint8_t)(from == SERVER ? *state | MIDDLE : (*state & MIDDLE) | UNFINISHED | SECRET);
        return 0;
    }
    bool tls = (before & PLACE_MASK) == PLACE_TLS || (after & PLACE_MASK) == PLACE_TLS;
    if (tls)
        return 0;
    struct walk w = {.rest = bytes,
        .place = (enum place)(before & PLACE_MASK),
        .chunk = before & CHUNK,
        .last = before & CHUNK_LAST,
        .next_body = before & NEXT_BODY,
        .answer = before & ANSWER,
        .endless = before >> LEFT_SHIFT == LEFT_MOST,
        .left = before >> LEFT_SHIFT,
        .state = *state,
        .nameless = nameless,
        .clear = {clear, 0, most}};
    if (w.endless)
        w.left = UINT64_MAX;
    w.chunk = w.chunk && from == CLIENT; /* which is the client's */
    size_t n = from == CLIENT ? clear_client(&w, after) : clear_server(&w);
    *state = w.state;
    return n;
}

size_t smtp_clear(uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after, struct span clear[], size_t most)
{
    return all_text(state, from, bytes, before, after) ? 0 : walk(false, state, from, bytes, before, after, clear, most);
}

size_t smtp_clear_nameless(
    uint8_t *state, enum side from, struct span bytes, uint32_t before, uint32_t after, struct span clear[], size_t most)
{
    return all_text(state, from, bytes, before, after) ? 0 : walk(true, state, from, bytes, before, after, clear, most);
}
