/* In: lines of a dialogue or a header, as clear.c walks over them.  Out: the parts of them that name nobody. */
#include "smtpdissect/personal.h"

#include "smtpdissect/find.h"

#define ROOM_FOR_ENDS 32 /* parts that a header leaves for what comes behind it: ends of lines, the end of the data, commands */

void parts_add(struct parts *p, struct span s)
{
    if (s.n == 0 || !p->list)
        return;
    struct span *last = p->count ? &p->list[p->count - 1] : NULL;
    if (last && last->p + last->n == s.p)
        last->n += s.n;
    else if (p->count < p->most)
        p->list[p->count++] = s;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_letter(uint8_t c) /* or a digit */
{
    return (c >= '0' && c <= '9') || (span_lower(c) >= 'a' && span_lower(c) <= 'z');
}

static size_t blanks(struct span s)
{
    size_t n = 0;
    while (n < s.n && is_blank(s.p[n]))
        n++;
    return n;
}

/* A domain, or an address literal. */
static size_t domain_length(struct span s)
{
    size_t n = 0;
    bool literal = s.n && s.p[0] == '[';
    if (literal)
        n++;
    while (n < s.n && (is_letter(s.p[n]) || s.p[n] == '.' || s.p[n] == '-' || (literal ? s.p[n] == ':' : s.p[n] >= 0x80 || s.p[n] == '_')))
        n++;
    return !literal ? n : n < s.n && s.p[n] == ']' ? n + 1 : 0;
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

static bool verb_is(struct span line, const char *verb)
{
    if (!span_starts_nocase(line, verb))
        return false;
    size_t n = strlen(verb);
    return line.n == n || is_blank(line.p[n]) || line.p[n] == ':';
}

/* "<local@domain>" or "local@domain" at the start of s; its length, 0 when it is not here to its end. */
static size_t path(struct span s, bool whole, struct parts *to)
{
    size_t n = 0, at = SIZE_MAX;
    bool bracket = s.n && s.p[0] == '<';
    while (n < s.n && !(bracket ? s.p[n] == '>' : is_blank(s.p[n]))) {
        if (s.p[n] == '@')
            at = n;
        n += s.p[n] == '"' ? enclosed(span_from(s, n)) : 1;
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

void personal_command(struct span line, bool whole, struct parts *to)
{
    static const struct {
        const char *verb;
        bool plain; /* its argument is a host or a number */
    } known[] = {{"EHLO", true}, {"HELO", true}, {"LHLO", true}, {"DATA", true}, {"BDAT", true}, {"RSET", true}, {"QUIT", true},
        {"STARTTLS", true}, {"ETRN", true}, {"*", true}, {"MAIL", false}, {"RCPT", false}, {"NOOP", false}, {"VRFY", false},
        {"EXPN", false}, {"HELP", false}, {"XCLIENT", false}, {"XFORWARD", false}};
    if (verb_is(line, "MAIL FROM") || verb_is(line, "RCPT TO")) {
        envelope(line, whole, to);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (verb_is(line, known[i].verb)) {
            parts_add(to, known[i].plain && whole && !holds(line, '@') ? line : span_head(line, strlen(known[i].verb)));
            return;
        }
}

/* ---- replies */

/* "250 ", "250-", "250 2.1.5 ": length; 0: this is no reply. */
static size_t code_length(struct span line)
{
    size_t n = 0;
    while (n < line.n && n < 3 && line.p[n] >= '0' && line.p[n] <= '9')
        n++;
    if (n < 3 || (n < line.n && line.p[n] != ' ' && line.p[n] != '-'))
        return 0;
    n += n < line.n;
    size_t end = n, dots = 0;
    for (; end < line.n && ((line.p[end] >= '0' && line.p[end] <= '9') || line.p[end] == '.'); end++)
        dots += line.p[end] == '.';
    return dots == 2 && (end == line.n || line.p[end] == ' ') ? end + (end < line.n) : n;
}

/* What refuses quotes what it refuses, and some servers repeat whom they accept. */
static bool names_somebody(struct span line)
{
    static const char *const codes[] = {"251", "252", "253", "334"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (span_starts_nocase(line, codes[i]))
            return true;
    bool go_ahead = span_starts_nocase(line, "354"); /* "end with <CR><LF>.<CR><LF>" */
    return line.p[0] >= '4' || holds(line, '@') || (!go_ahead && (holds(line, '<') || span_contains_nocase(line, "...")));
}

void personal_reply(struct span line, bool whole, struct parts *to)
{
    size_t n = code_length(line);
    parts_add(to, span_head(line, n && whole && !names_somebody(line) ? line.n : n));
}

/* ---- the header */

static enum personal_field field_of(struct span name)
{
#define FIELD(name, field) {name, sizeof name - 1, field}
    static const struct {
        const char *name;
        size_t n;
        enum personal_field field;
    } known[] = {
        FIELD("Message-ID", PERSONAL_ID), FIELD("In-Reply-To", PERSONAL_ID), FIELD("References", PERSONAL_ID),
        FIELD("Resent-Message-ID", PERSONAL_ID), FIELD("Received", PERSONAL_TEXT), FIELD("Date", PERSONAL_TEXT),
        FIELD("Resent-Date", PERSONAL_TEXT), FIELD("MIME-Version", PERSONAL_TEXT), FIELD("Content-Type", PERSONAL_TEXT),
        FIELD("Content-Transfer-Encoding", PERSONAL_TEXT), FIELD("Auto-Submitted", PERSONAL_TEXT), FIELD("Precedence", PERSONAL_TEXT),
        FIELD("List-Id", PERSONAL_TEXT), FIELD("X-Mailer", PERSONAL_TEXT), FIELD("User-Agent", PERSONAL_TEXT),
        FIELD("X-MimeOLE", PERSONAL_TEXT), FIELD("X-Auto-Response-Suppress", PERSONAL_TEXT), FIELD("Importance", PERSONAL_TEXT),
        FIELD("X-Priority", PERSONAL_TEXT), FIELD("From", PERSONAL_LIST), FIELD("To", PERSONAL_LIST), FIELD("Cc", PERSONAL_LIST),
        FIELD("Bcc", PERSONAL_LIST), FIELD("Sender", PERSONAL_LIST), FIELD("Reply-To", PERSONAL_LIST),
        FIELD("Return-Path", PERSONAL_LIST), FIELD("Delivered-To", PERSONAL_LIST), FIELD("X-Original-To", PERSONAL_LIST),
        FIELD("Envelope-To", PERSONAL_LIST), FIELD("X-Envelope-To", PERSONAL_LIST), FIELD("Errors-To", PERSONAL_LIST),
        FIELD("X-BeenThere", PERSONAL_LIST), FIELD("X-Loop", PERSONAL_LIST), FIELD("Resent-From", PERSONAL_LIST),
        FIELD("Resent-To", PERSONAL_LIST), FIELD("Resent-Cc", PERSONAL_LIST), FIELD("Resent-Sender", PERSONAL_LIST),
        FIELD("X-Forwarded-To", PERSONAL_LIST),
    };
#undef FIELD
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (name.n == known[i].n && span_same_nocase(name.p, (const uint8_t *)known[i].name, name.n))
            return known[i].field;
    return PERSONAL_DARK;
}

static bool separates(uint8_t c)
{
    return is_blank(c) || (c && strchr("<>(),;:[]=", c));
}

static void value_list(struct span line, struct parts *to)
{
    static const bool matters[256] = {
        ['"'] = true, ['('] = true, ['\\'] = true, ['@'] = true, ['<'] = true, ['>'] = true, [','] = true, [';'] = true};
    size_t kept = 0; /* up to here it was looked at, and parts were told */
    for (size_t i = 0; i < line.n;) {
        uint8_t c = line.p[i];
        if (!matters[c]) {
            i++;
            continue;
        }
        size_t n = 1, from = i;
        if (c == '"' || c == '(' || c == '\\') {
            n = c == '\\' ? 2 : enclosed(span_from(line, i));
        } else if (c == '@') {
            size_t end = i; /* the domain follows the word's last one */
            while (end < line.n && !separates(line.p[end]))
                end++;
            from = (size_t)((const uint8_t *)memrchr(line.p + i, '@', end - i) - line.p);
            n = from + 1 - i + domain_length(span_from(line, from + 1));
        } else if (c == '<' || c == '>' || c == ',' || c == ';') {
            n += blanks(span_from(line, i + 1));
            while (from > kept && is_blank(line.p[from - 1]))
                from--;
        }
        if (c == '@' || c == '<' || c == '>' || c == ',' || c == ';') {
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
    while (i > from && !separates(line.p[i - 1]))
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

/* Does one of them stand in the line, not in the middle of another word?  Where words begin with the first letter of one is found for
 * sixteen bytes at once. */
static bool tells(struct span line)
{
    size_t i = 0;
#ifdef __SSE2__
#define IS(c) _mm_cmpeq_epi8(lower, _mm_set1_epi8(c))
#define WITHIN(x, from, to) _mm_cmpeq_epi8(x, _mm_max_epu8(_mm_min_epu8(x, _mm_set1_epi8(to)), _mm_set1_epi8(from)))
    for (unsigned letters = 0; line.n - i >= 16; i += 16) {
        __m128i x = find_load(line.p + i), lower = _mm_or_si128(x, _mm_set1_epi8(0x20));
        __m128i first = _mm_or_si128(_mm_or_si128(IS('s'), IS('a')), _mm_or_si128(_mm_or_si128(IS('u'), IS('n')), IS('i')));
        letters = letters >> 16 | (unsigned)_mm_movemask_epi8(_mm_or_si128(WITHIN(lower, 'a', 'z'), WITHIN(x, '0', '9'))) << 1;
        for (unsigned words = (unsigned)_mm_movemask_epi8(first) & ~letters; words; words &= words - 1) {
            size_t at = i + (size_t)__builtin_ctz(words);
            if (begins_telling(span_of(line.p + at, line.n - at)))
                return true;
        }
    }
#undef IS
#undef WITHIN
#endif
    for (; i < line.n; i++)
        if (!(i && is_letter(line.p[i - 1])) && begins_telling(span_of(line.p + i, line.n - i)))
            return true;
    return false;
}

/* A line of prose: what stands before an '@', and in brackets without one, goes.  Of one that may go on it is not known what it tells. */
static void value_text(struct span line, bool whole, struct parts *to)
{
    if (!whole || tells(line))
        return;
    size_t kept = 0;
    for (size_t i = 0; (i += find_first(span_from(line, i), false, '@', '<', '<', '<', '<')) < line.n; i++) {
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
    const uint8_t *colon = memchr(line.p, ':', line.n);
    size_t n = colon ? (size_t)(colon - line.p) : 0;
    struct span name = span_head(line, n);
    while (name.n && is_blank(name.p[name.n - 1]))
        name.n--;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == '@')
            return PERSONAL_DARK;
    if (name.n == 0)
        return PERSONAL_DARK;
    enum personal_field field = field_of(name);
    if (to->most - to->count >= ROOM_FOR_ENDS)
        parts_add(to, span_head(line, n + 1));
    personal_value(field, span_from(line, n + 1), whole, to);
    return field;
}
