/* In: lines of a dialogue or a header, as clear.c walks over them.  Out: the parts of them that name nobody. */
#include "smtpdissect/personal.h"

#include "smtpdissect/find.h"
#include "smtpdissect/session.h"

#define ROOM_FOR_ENDS 32 /* parts that a header leaves for what comes behind it: ends of lines, the end of the data, commands */

/* What bytes there are. */
#define BLANK     1u
#define LETTER    2u  /* or a digit */
#define DOMAIN    4u  /* may stand in a domain */
#define SEPARATES 8u  /* ends a word */
#define LISTED    16u /* matters in a list of addresses */
#define BOUND     32u /* matters in a path */
#define NO_NAME   64u /* cannot stand in the name of a field */

#define FOUR(c, kind)    [c] = kind, [(c) + 1] = kind, [(c) + 2] = kind, [(c) + 3] = kind
#define SIXTEEN(c, kind) FOUR(c, kind), FOUR((c) + 4, kind), FOUR((c) + 8, kind), FOUR((c) + 12, kind)
#define ALPHABET(a)                                                                                                                        \
    SIXTEEN(a, LETTER | DOMAIN), FOUR((a) + 16, LETTER | DOMAIN), FOUR((a) + 20, LETTER | DOMAIN), [(a) + 24] = LETTER | DOMAIN,           \
                                                                                                   [(a) + 25] = LETTER | DOMAIN
static const uint8_t BYTES[256] = {
    FOUR(0x00, NO_NAME), FOUR(0x04, NO_NAME), [0x08] = NO_NAME, ['\t'] = BLANK | SEPARATES | NO_NAME, [0x0a] = NO_NAME, [0x0b] = NO_NAME,
    FOUR(0x0c, NO_NAME), SIXTEEN(0x10, NO_NAME), [' '] = BLANK | SEPARATES | NO_NAME, ['"'] = LISTED | BOUND, ['('] = SEPARATES | LISTED,
    [')'] = SEPARATES, [','] = SEPARATES | LISTED, ['-'] = DOMAIN, ['.'] = DOMAIN, FOUR('0', LETTER | DOMAIN), FOUR('4', LETTER | DOMAIN),
    ['8'] = LETTER | DOMAIN, ['9'] = LETTER | DOMAIN, [':'] = SEPARATES | NO_NAME, [';'] = SEPARATES | LISTED, ['<'] = SEPARATES | LISTED,
    ['='] = SEPARATES, ['>'] = SEPARATES | LISTED | BOUND, ['@'] = LISTED | BOUND | NO_NAME, ALPHABET('A'), ['['] = SEPARATES,
    ['\\'] = LISTED, [']'] = SEPARATES, ['_'] = DOMAIN, ALPHABET('a'), [0x7f] = NO_NAME, SIXTEEN(0x80, DOMAIN | NO_NAME),
    SIXTEEN(0x90, DOMAIN | NO_NAME), SIXTEEN(0xa0, DOMAIN | NO_NAME), SIXTEEN(0xb0, DOMAIN | NO_NAME), SIXTEEN(0xc0, DOMAIN | NO_NAME),
    SIXTEEN(0xd0, DOMAIN | NO_NAME), SIXTEEN(0xe0, DOMAIN | NO_NAME), SIXTEEN(0xf0, DOMAIN | NO_NAME)};
#undef ALPHABET
#undef SIXTEEN
#undef FOUR

static inline bool is(uint8_t c, unsigned kind)
{
    return BYTES[c] & kind;
}

/* Index of the first byte from `at` on that is of the kind, or of the first that is not; s.n: there is none. */
static inline size_t until(struct span s, size_t at, unsigned kind)
{
    while (at < s.n && !is(s.p[at], kind))
        at++;
    return at;
}

static inline size_t past(struct span s, size_t at, unsigned kind)
{
    while (at < s.n && is(s.p[at], kind))
        at++;
    return at;
}

static inline bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static inline size_t blanks(struct span s)
{
    return past(s, 0, BLANK);
}

/* A domain, or an address literal. */
static inline size_t domain_length(struct span s)
{
    if (!s.n || s.p[0] != '[')
        return past(s, 0, DOMAIN);
    size_t n = 1;
    while (n < s.n && (is(s.p[n], LETTER) || s.p[n] == '.' || s.p[n] == '-' || s.p[n] == ':'))
        n++;
    return n < s.n && s.p[n] == ']' ? n + 1 : 0;
}

/* Length of what begins with '"' or '(' and must be read as one; all of s when it does not end. */
static size_t enclosed(struct span s)
{
    unsigned depth = 0;
    bool quote = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '\\')
            i++;
        else if (c == '"')
            quote = !quote;
        else if (!quote && c == '(')
            depth++;
        else if (!quote && c == ')' && depth)
            depth--;
        if (!quote && !depth)
            return i + 1;
    }
    return s.n;
}

static bool holds(struct span s, uint8_t c)
{
    return s.n && memchr(s.p, c, s.n);
}

/* ---- commands */

enum personal_kind personal_kind(struct span line, size_t *length)
{
    *length = 4;
    switch (line.n < 4 ? 0 : WORD(line.p[0], line.p[1], line.p[2], line.p[3]) | WORD(' ', ' ', ' ', ' ')) {
    case WORD('m', 'a', 'i', 'l'): return KIND_MAIL;
    case WORD('r', 'c', 'p', 't'): return KIND_RCPT;
    case WORD('e', 'h', 'l', 'o'):
    case WORD('h', 'e', 'l', 'o'):
    case WORD('l', 'h', 'l', 'o'): return KIND_HELLO;
    case WORD('d', 'a', 't', 'a'): return KIND_DATA;
    case WORD('b', 'd', 'a', 't'): return KIND_BDAT;
    case WORD('r', 's', 'e', 't'): return KIND_RSET;
    case WORD('a', 'u', 't', 'h'): return KIND_AUTH;
    case WORD('q', 'u', 'i', 't'):
    case WORD('e', 't', 'r', 'n'): return KIND_PLAIN;
    case WORD('n', 'o', 'o', 'p'):
    case WORD('v', 'r', 'f', 'y'):
    case WORD('e', 'x', 'p', 'n'):
    case WORD('h', 'e', 'l', 'p'): return KIND_TALK;
    }
    *length = 8;
    if (span_starts_nocase(line, "STARTTLS"))
        return KIND_STARTTLS;
    if (span_starts_nocase(line, "XFORWARD"))
        return KIND_TALK;
    *length = 7;
    if (span_starts_nocase(line, "XCLIENT"))
        return KIND_TALK;
    *length = 1;
    return line.n && line.p[0] == '*' ? KIND_PLAIN : KIND_UNKNOWN;
}

/* "<local@domain>" or "local@domain" at the start of s; its length, 0 when it is not here to its end. */
static size_t path(struct span s, bool whole, struct parts *to)
{
    size_t n = 0, at = SIZE_MAX;
    bool bracket = s.n && s.p[0] == '<';
    unsigned bound = bracket ? BOUND : BOUND | BLANK;
    for (; (n = until(s, n, bound)) < s.n; n += s.p[n] == '"' ? enclosed(span_from(s, n)) : 1) {
        if (s.p[n] == '@')
            at = n;
        else if (bracket ? s.p[n] == '>' : is_blank(s.p[n]))
            break;
    }
    if (n == s.n && !whole)
        return 0;
    if (bracket)
        parts_add(to, span_head(s, 1));
    if (at != SIZE_MAX)
        parts_add(to, span_of(s.p + at, 1 + domain_length(span_from(s, at + 1))));
    if (bracket && n < s.n)
        parts_add(to, span_of(s.p + n++, 1));
    return n;
}

/* A parameter of MAIL or RCPT that is known: its name; its value when that is of numbers and key words. */
static void parameter(struct span word, bool whole, struct parts *to)
{
    static const struct {
        const char *name;
        bool plain;
    } known[] = {{"SIZE=", true}, {"BODY=", true}, {"RET=", true}, {"NOTIFY=", true}, {"BY=", true}, {"HOLDFOR=", true},
        {"HOLDUNTIL=", true}, {"MT-PRIORITY=", true}, {"AUTH=", false}, {"ORCPT=", false}, {"ENVID=", false}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_starts_nocase(word, known[i].name)) {
            parts_add(to, known[i].plain && whole && !holds(word, '@') ? word : span_head(word, strlen(known[i].name)));
            return;
        }
    if (whole && span_equal_nocase(word, span_text("SMTPUTF8")))
        parts_add(to, word);
}

static void envelope(struct span line, bool whole, struct parts *to)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return;
    size_t n = (size_t)(colon - line.p) + 1;
    n += blanks(span_from(line, n));
    parts_add(to, span_head(line, n));
    size_t length = path(span_from(line, n), whole, to);
    if (length == 0)
        return;
    for (n += length; n < line.n;) {
        size_t gap = blanks(span_from(line, n)), end = n + gap;
        while (end < line.n && !is_blank(line.p[end]))
            end++;
        parts_add(to, span_of(line.p + n, gap));
        if (end > n + gap)
            parameter(span_of(line.p + n + gap, end - n - gap), whole || end < line.n, to);
        n = end;
    }
}

/* Behind MAIL or RCPT stands the word that a path follows. */
static bool leads_to_path(struct span line, const char *word)
{
    size_t n = strlen(word);
    return span_starts_nocase(line, word) && (line.n == n || is_blank(line.p[n]) || line.p[n] == ':');
}

void personal_command(struct span line, bool whole, struct parts *to)
{
    size_t n;
    enum personal_kind kind = personal_kind(line, &n);
    bool plain = true; /* its argument is a host or a number */
    if (kind == KIND_UNKNOWN || kind == KIND_AUTH || (n < line.n && !is_blank(line.p[n]) && line.p[n] != ':'))
        return;
    if (kind == KIND_MAIL || kind == KIND_RCPT || kind == KIND_TALK) {
        plain = false;
        if (kind != KIND_TALK && leads_to_path(span_from(line, n), kind == KIND_MAIL ? " FROM" : " TO")) {
            envelope(line, whole, to);
            return;
        }
    }
    parts_add(to, plain && whole && !holds(line, '@') ? line : span_head(line, n));
}

/* ---- replies */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool has_code(struct span line)
{
    return line.n >= 3 && is_digit(line.p[0]) && is_digit(line.p[1]) && is_digit(line.p[2]) &&
           (line.n == 3 || line.p[3] == ' ' || line.p[3] == '-');
}

/* "250 ", "250-", "250 2.1.5 ": length. */
static size_t code_length(struct span line)
{
    size_t n = line.n < 4 ? line.n : 4, end = n, dots = 0;
    for (; end < line.n && (is_digit(line.p[end]) || line.p[end] == '.'); end++)
        dots += line.p[end] == '.';
    return dots == 2 && (end == line.n || line.p[end] == ' ') ? end + (end < line.n) : n;
}

#ifdef __SSE2__
/* The next sixteen bytes, when each is looked at with the one behind it; the last of them overlap those before, and one byte is left. */
static inline size_t step(size_t at, size_t n)
{
    return at + 17 == n ? n - 1 : n - at > 32 ? at + 16 : n - 17;
}
#endif

/* An address, or "...", with which some servers repeat whom they accept. */
static bool repeats(struct span line)
{
    size_t i = 3; /* behind the code */
#ifdef __SSE2__
#define IS(x, c) _mm_cmpeq_epi8(x, _mm_set1_epi8(c))
    while (line.n - i > 16) {
        __m128i x = find_load(line.p + i), next = find_load(line.p + i + 1);
        __m128i hit = _mm_or_si128(_mm_or_si128(IS(x, '@'), IS(x, '<')), _mm_and_si128(IS(x, '.'), IS(next, '.')));
        if (_mm_movemask_epi8(hit))
            break;
        i = step(i, line.n);
    }
#undef IS
#endif
    for (; i < line.n; i++)
        if (line.p[i] == '@' || line.p[i] == '<' || (line.p[i] == '.' && span_starts_nocase(span_from(line, i), "...")))
            return true;
    return false;
}

/* What refuses quotes what it refuses. */
static bool names_somebody(struct span line)
{
    uint8_t second = line.p[1], third = line.p[2];
    switch (line.p[0]) {
    case '2':
        if (second == '5' && third >= '1' && third <= '3')
            return true;
        break;
    case '3':
        if (second == '3' && third == '4')
            return true;
        if (second == '5' && third == '4')
            return holds(line, '@'); /* "end with <CR><LF>.<CR><LF>" */
        break;
    }
    return line.p[0] >= '4' || repeats(line);
}

void personal_reply(struct span line, bool whole, struct parts *to)
{
    if (has_code(line))
        parts_add(to, whole && !names_somebody(line) ? line : span_head(line, code_length(line)));
}

/* ---- the header */

/* By the length of their names: a line of the table has those of one length. */
#define SAME_LENGTH 7
static const struct known_field {
    const char *name;
    enum personal_field field;
} KNOWN[][SAME_LENGTH] = {
    [2] = {{"To", PERSONAL_LIST}, {"Cc", PERSONAL_LIST}},
    [3] = {{"Bcc", PERSONAL_LIST}},
    [4] = {{"Date", PERSONAL_TEXT}, {"From", PERSONAL_LIST}},
    [6] = {{"Sender", PERSONAL_LIST}, {"X-Loop", PERSONAL_LIST}},
    [7] = {{"List-Id", PERSONAL_TEXT}},
    [8] = {{"Received", PERSONAL_TEXT}, {"X-Mailer", PERSONAL_TEXT}, {"Reply-To", PERSONAL_LIST}},
    [9] = {{"X-MimeOLE", PERSONAL_TEXT}, {"Errors-To", PERSONAL_LIST}, {"Resent-To", PERSONAL_LIST}, {"Resent-Cc", PERSONAL_LIST}},
    [10] = {{"Message-ID", PERSONAL_ID}, {"References", PERSONAL_ID}, {"Precedence", PERSONAL_TEXT}, {"User-Agent", PERSONAL_TEXT},
        {"Importance", PERSONAL_TEXT}, {"X-Priority", PERSONAL_TEXT}},
    [11] = {{"In-Reply-To", PERSONAL_ID}, {"Resent-Date", PERSONAL_TEXT}, {"Return-Path", PERSONAL_LIST}, {"Envelope-To", PERSONAL_LIST},
        {"X-BeenThere", PERSONAL_LIST}, {"Resent-From", PERSONAL_LIST}},
    [12] = {{"MIME-Version", PERSONAL_TEXT}, {"Content-Type", PERSONAL_TEXT}, {"Delivered-To", PERSONAL_LIST}},
    [13] = {{"X-Original-To", PERSONAL_LIST}, {"X-Envelope-To", PERSONAL_LIST}, {"Resent-Sender", PERSONAL_LIST}},
    [14] = {{"Auto-Submitted", PERSONAL_TEXT}, {"X-Forwarded-To", PERSONAL_LIST}},
    [17] = {{"Resent-Message-ID", PERSONAL_ID}},
    [24] = {{"X-Auto-Response-Suppress", PERSONAL_TEXT}},
    [25] = {{"Content-Transfer-Encoding", PERSONAL_TEXT}},
};

static enum personal_field field_of(struct span name)
{
    if (name.n >= sizeof KNOWN / sizeof *KNOWN)
        return PERSONAL_DARK;
    for (const struct known_field *f = KNOWN[name.n]; f->name; f++)
        if (span_lower((uint8_t)f->name[0]) == span_lower(name.p[0]) && span_same_nocase(name.p, (const uint8_t *)f->name, name.n))
            return f->field;
    return PERSONAL_DARK;
}

/* Where in a list of addresses something stands that matters, or may matter. */
static inline size_t list_mark(struct span line, size_t at)
{
#ifdef __SSE2__
#define IS(c) _mm_cmpeq_epi8(x, _mm_set1_epi8(c))
    for (; line.n - at >= 16; at += 16) {
        __m128i x = find_load(line.p + at);
        __m128i semicolon_to_greater = _mm_cmpeq_epi8(x, _mm_max_epu8(_mm_min_epu8(x, _mm_set1_epi8('>')), _mm_set1_epi8(';')));
        __m128i hit = _mm_or_si128(_mm_or_si128(IS('"'), IS('(')), _mm_or_si128(IS(','), IS('@')));
        int bits = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(hit, IS('\\')), semicolon_to_greater));
        if (bits)
            return at + (size_t)__builtin_ctz((unsigned)bits);
    }
#undef IS
#endif
    return until(line, at, LISTED);
}

static void value_list(struct span line, struct parts *to)
{
    size_t kept = 0; /* up to here it was looked at, and parts were told */
    for (size_t i = 0; i < line.n && (i = list_mark(line, i)) < line.n;) {
        size_t n = 1, from = i;
        bool told = false;
        switch (line.p[i]) {
        case '"':
        case '(': n = enclosed(span_from(line, i)); break;
        case '\\': n = 2; break;
        case '@': /* the domain follows the word's last one */
            from = (size_t)((const uint8_t *)memrchr(line.p + i, '@', until(line, i, SEPARATES) - i) - line.p);
            n = from + 1 - i + domain_length(span_from(line, from + 1));
            told = true;
            break;
        case '<':
        case '>':
        case ',':
        case ';':
            n += blanks(span_from(line, i + 1));
            while (from > kept && is_blank(line.p[from - 1]))
                from--;
            told = true;
            break;
        }
        if (told) {
            kept = i + n;
            parts_add(to, span_of(line.p + from, kept - from));
        }
        i += n;
    }
}

/* Where the word that ends at `at` begins; a quoted one with its quotes. */
static size_t word_begin(struct span line, size_t from, size_t at)
{
    size_t i = at;
    if (i > from && line.p[i - 1] == '"') {
        const uint8_t *open = i - 1 > from ? memrchr(line.p + from, '"', i - 1 - from) : NULL;
        return open ? (size_t)(open - line.p) : from;
    }
    while (i > from && !is(line.p[i - 1], SEPARATES))
        i--;
    return i;
}

/* "(Authenticated sender: alice)", "name=bill.pdf": one of them begins at s. */
static bool begins_telling(struct span s)
{
    switch (span_lower(s.p[0])) {
    case 'a': return span_starts_nocase(s, "auth") || span_starts_nocase(s, "account");
    case 'i': return span_starts_nocase(s, "ident");
    case 'n': return span_starts_nocase(s, "name=");
    case 's': return span_starts_nocase(s, "sender");
    case 'u':
        return span_starts_nocase(s, "username") || (span_starts_nocase(s, "user") && s.n > 4 && memchr(" =:", s.p[4], 3));
    default: return false;
    }
}

/* Does one of them stand in the line, not in the middle of another word?  *names: whether there is an '@' or a '<'. */
static bool tells(struct span line, bool *names)
{
    size_t i = 0;
    *names = false;
#ifdef __SSE2__
#define IS(x, c) _mm_cmpeq_epi8(x, _mm_set1_epi8(c))
#define BOTH(a, b) _mm_and_si128(IS(first, a), IS(second, b))
    __m128i lower = _mm_set1_epi8(0x20), any = _mm_setzero_si128();
    for (; line.n - i > 16; i = step(i, line.n)) { /* their first two letters, sixteen bytes at once */
        __m128i x = find_load(line.p + i), first = _mm_or_si128(x, lower), second = _mm_or_si128(find_load(line.p + i + 1), lower);
        __m128i a = _mm_and_si128(IS(first, 'a'), _mm_or_si128(IS(second, 'u'), IS(second, 'c')));
        __m128i s = _mm_or_si128(BOTH('s', 'e'), BOTH('u', 's')), n = _mm_or_si128(BOTH('n', 'a'), BOTH('i', 'd'));
        __m128i hit = _mm_or_si128(a, _mm_or_si128(s, n));
        any = _mm_or_si128(any, _mm_or_si128(IS(x, '@'), IS(x, '<')));
        for (unsigned words = (unsigned)_mm_movemask_epi8(hit); words; words &= words - 1) {
            size_t at = i + (size_t)__builtin_ctz(words);
            if (!(at && is(line.p[at - 1], LETTER)) && begins_telling(span_of(line.p + at, line.n - at)))
                return true;
        }
    }
    *names = _mm_movemask_epi8(any);
#undef BOTH
#undef IS
#endif
    for (; i < line.n; i++) {
        if (!(i && is(line.p[i - 1], LETTER)) && begins_telling(span_of(line.p + i, line.n - i)))
            return true;
        *names = *names || line.p[i] == '@' || line.p[i] == '<';
    }
    return false;
}

/* A line of prose: what stands before an '@', and in brackets without one, goes.  Of one that may go on it is not known what it tells. */
static void value_text(struct span line, bool whole, struct parts *to)
{
    bool names;
    if (!whole || tells(line, &names))
        return;
    size_t kept = 0;
    for (size_t i = 0; names && (i += find_first(span_from(line, i), false, '@', '<', '<', '<', '<')) < line.n; i++) {
        if (line.p[i] == '@') {
            size_t begin = word_begin(line, kept, i);
            parts_add(to, span_of(line.p + kept, begin - kept));
            kept = i;
        } else {
            const uint8_t *end = memchr(line.p + i, '>', line.n - i);
            size_t n = end ? (size_t)(end - line.p) - i : line.n - i;
            const uint8_t *at = memrchr(line.p + i, '@', n);
            parts_add(to, span_of(line.p + kept, i + 1 - kept));
            kept = at ? (size_t)(at - line.p) : i + n;
            i = at ? kept : kept - 1;
        }
    }
    parts_add(to, span_from(line, kept));
}

void personal_value(enum personal_field field, struct span line, bool whole, struct parts *to)
{
    size_t n = blanks(line);
    if (to->most - to->count < ROOM_FOR_ENDS)
        return;
    size_t most = to->most;
    to->most -= ROOM_FOR_ENDS / 2;
    parts_add(to, span_head(line, n)); /* a field goes on while its lines begin so */
    line = span_from(line, n);
    switch (field) {
    case PERSONAL_DARK: break;
    case PERSONAL_ID: parts_add(to, line); break;
    case PERSONAL_TEXT: value_text(line, whole, to); break;
    case PERSONAL_LIST: value_list(line, to); break;
    }
    to->most = most;
}

enum personal_field personal_field(struct span line, bool whole, struct parts *to)
{
    struct span name = span_head(line, until(line, 0, NO_NAME));
    size_t n = past(line, name.n, BLANK);
    if (name.n == 0 || n == line.n || line.p[n] != ':')
        return PERSONAL_DARK;
    enum personal_field field = field_of(name);
    if (to->most - to->count >= ROOM_FOR_ENDS)
        parts_add(to, span_head(line, n + 1));
    personal_value(field, span_from(line, n + 1), whole, to);
    return field;
}
