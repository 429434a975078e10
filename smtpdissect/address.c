/* Addresses as they stand in MAIL, RCPT and header fields (RFC 5321, 4.1.2; RFC 5322, 3.4): found, freed of what surrounds them, hashed. */
#include "base/hash.h"
#include "smtpdissect/find.h"
#include "smtpdissect/session.h"

#define ADDRESS_MOST 512 /* bytes; RFC 5321 allows 254 */

/* ---- the envelope's paths ---------------------------------------------------------------------------------------------------- */

/* The end of a quoted string that begins at s.p[at]: the index after its closing quote, or the end. */
static size_t quoted_end(struct span s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        if (s.p[at] == '\\')
            at++;
    return at < s.n ? at + 1 : s.n;
}

struct span address_of_path(struct span argument)
{
    argument = span_trim(argument);
    if (argument.n == 0)
        return argument;
    bool bracket = argument.p[0] == '<';
    size_t at = bracket ? 1 : 0, begin = at;
    if (bracket && at < argument.n && argument.p[at] == '@') { /* source route: "@one,@two:" (RFC 5321, appendix C) */
        size_t colon = at;
        while (colon < argument.n && argument.p[colon] != ':' && argument.p[colon] != '>')
            colon++;
        if (colon < argument.n && argument.p[colon] == ':')
            begin = at = colon + 1;
    }
    if (bracket) { /* as most are: no quotes */
        size_t close = at + find_first(span_from(argument, at), false, '>', '"', '"', '"', '"');
        if (close < argument.n && argument.p[close] == '>')
            return span_trim(span_of(argument.p + begin, close - begin));
    }
    while (at < argument.n) {
        uint8_t c = argument.p[at];
        if (c == '"')
            at = quoted_end(argument, at);
        else if (bracket ? c == '>' : c <= ' ')
            break;
        else
            at++;
    }
    return span_trim(span_of(argument.p + begin, at - begin));
}

/* ---- hashing ----------------------------------------------------------------------------------------------------------------- */

/* The address with quoting undone where it was needless or not: "a b"@x and a\ b@x are one; returns the length. */
static size_t unquote(struct span address, uint8_t to[ADDRESS_MOST])
{
    size_t n = 0;
    bool quoted = false;
    for (size_t i = 0; i < address.n && n < ADDRESS_MOST; i++) {
        uint8_t c = address.p[i];
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (c == '\\' && quoted && i + 1 < address.n)
            c = address.p[++i];
        to[n++] = c;
    }
    return n;
}

static __attribute__((noinline)) uint64_t unquoted_hash(struct span address)
{
    uint8_t plain[ADDRESS_MOST];
    return hash_nocase(span_of(plain, unquote(address, plain)));
}

uint64_t address_hash(struct span address)
{
    if (address.n == 0)
        return 0;
    return find_byte(address, '"') < address.n ? unquoted_hash(address) : hash_nocase(address);
}

uint64_t address_domain_hash(struct span address)
{
    size_t at = find_last(address, '@');
    return at < address.n ? hash_nocase(span_from(address, at + 1)) : 0;
}

/* ---- header fields ----------------------------------------------------------------------------------------------------------- */

static size_t comment_end(struct span s, size_t at)
{
    int depth = 0;
    for (; at < s.n; at++) {
        if (s.p[at] == '\\')
            at++;
        else if (s.p[at] == '(')
            depth++;
        else if (s.p[at] == ')' && --depth == 0)
            return at + 1;
    }
    return s.n;
}

/* One member of the list, between commas: "display <address>", or a bare address: the word that holds an "@". */
static void member(struct span s, void (*found)(void *user, struct span address, struct span display), void *user)
{
    size_t word = 0; /* where the word at hand begins */
    bool at_sign = false;
    for (size_t at = 0; at <= s.n;) {
        at += find_first(span_from(s, at), true, '"', '(', '(', '<', '@'); /* and what stands between '<' and '@' */
        uint8_t c = at < s.n ? s.p[at] : ' ';
        if (c == '<') {
            struct span inside = address_of_path(span_from(s, at));
            if (inside.n)
                found(user, inside, span_trim(span_head(s, at)));
            return;
        }
        if (c == '"')
            at = quoted_end(s, at);
        else if (c == '(' || c <= ' ') {
            if (at_sign) {
                found(user, span_of(s.p + word, at - word), span_of(NULL, 0));
                return;
            }
            at = c == '(' ? comment_end(s, at) : at + 1;
            word = at;
        } else {
            at_sign |= c == '@';
            at++;
        }
    }
}

/* The member that begins at `begin`, in whatever form; returns where the next one begins. */
static size_t any_member(struct span field, size_t begin, void (*found)(void *user, struct span address, struct span display), void *user)
{
    bool bracket = false, route = false;
    for (size_t at = begin; at <= field.n;) {
        at += find_first(span_from(field, at), false, '"', '(', ',', ':', '>'); /* and what stands between ':' and '>' */
        uint8_t c = at < field.n ? field.p[at] : ',';
        if (c == '"') {
            at = quoted_end(field, at);
            continue;
        }
        if (c == '(') {
            at = comment_end(field, at);
            continue;
        }
        if (c == '<') {
            bracket = true;
            route = at + 1 < field.n && field.p[at + 1] == '@'; /* "<@one,@two:user@host>" */
        } else if (c == '>')
            bracket = false;
        else if (c == ':' && !bracket) /* a group's name (RFC 5322, 3.4) */
            begin = at + 1;
        else if ((c == ',' || c == ';') && (!bracket || !route || at == field.n)) { /* a bracket left open ends here too */
            member(span_of(field.p + begin, at - begin), found, user);
            return at + 1;
        }
        at++;
    }
    return field.n + 1;
}

/* "Display <address>", "\"Display\" <address>" or "<address>", as most are; returns where the next one begins.  0: it has another form. */
static size_t plain_member(
    struct span field, size_t begin, void (*found)(void *user, struct span address, struct span display), void *user)
{
    size_t at = begin;
    while (at < field.n && span_blank(field.p[at]))
        at++;
    if (at < field.n && field.p[at] == '"') {
        at++;
        at += find_first(span_from(field, at), false, '"', '\\', '\\', '\\', '\\') + 1;
        if (at > field.n || field.p[at - 1] == '\\')
            return 0;
    }
    if (at < field.n && field.p[at] != '<')
        at += find_first(span_from(field, at), false, '"', '(', ',', ':', '<'); /* and ';' */
    if (at >= field.n || field.p[at] != '<')
        return 0;
    size_t open = at++;
    at += find_first(span_from(field, at), false, '"', '(', ',', ';', '>'); /* and what stands between ';' and '>' */
    if (at >= field.n || field.p[at] != '>' || field.p[open + 1] == '@')
        return 0;
    struct span display = span_trim(span_of(field.p + begin, open - begin));
    struct span address = span_trim(span_of(field.p + open + 1, at - open - 1));
    at++;
    while (at < field.n && span_blank(field.p[at]))
        at++;
    if (at < field.n && field.p[at] != ',' && field.p[at] != ';')
        return 0;
    if (display.n && find_byte(display, '@') < display.n) /* a bare address may stand before it */
        return 0;
    if (address.n)
        found(user, address, display);
    return at + 1;
}

void address_list(struct span field, void (*found)(void *user, struct span address, struct span display), void *user)
{
    for (size_t at = 0; field.n && at <= field.n;) {
        size_t next = plain_member(field, at, found, user);
        at = next ? next : any_member(field, at, found, user);
    }
}
