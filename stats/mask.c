/* In: a text that may name people.  Out: the same text with each address's local part, and each subject, replaced; to privacy.c.
 *
 * A word is a run of what an address may be made of (RFC 5321, 5322, 6531), quoted strings among it; when it holds an '@', all before its
 * last one goes.  What only looks like the beginning of an address, because the text was cut or its quotes do not match, goes too. */
#include "stats/mask.h"

#include <openssl/hmac.h>
#include <stdio.h>

#define LONG_WORD 72 /* no word of ours is so long, and writers cut addresses at 80: its '@' may be lost */
#define TOKEN     24

struct out { /* bytes written; what finds no room is dropped */
    char *p;
    size_t n, size;
};

static void put(struct out *o, struct span s)
{
    size_t room = o->size - 1 - o->n, n = s.n < room ? s.n : room;
    while (n < s.n && n && (s.p[n] & 0xc0) == 0x80) /* no half a character */
        n--;
    if (n)
        memcpy(o->p + o->n, s.p, n);
    o->n += n;
    if (n < s.n)
        o->size = o->n + 1; /* full: nothing shorter may follow what was dropped */
}

static void put_text(struct out *o, const char *s)
{
    put(o, span_text(s));
}

/* ---- pseudonyms ---- */

/* prefix and a token of the text, the same as long as the key is; letters as in RFC 4648's base32. */
static void put_token(const struct mask *m, const char *prefix, struct span text, struct out *o)
{
    uint8_t lower[512], mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char token[TOKEN];
    text = span_head(text, sizeof lower);
    span_lower_all(text, lower);
    if (!HMAC(EVP_sha256(), m->key, sizeof m->key, lower, text.n, mac, &n)) {
        put_text(o, "*");
        return;
    }
    size_t at = (size_t)snprintf(token, sizeof token, "%s", prefix);
    uint64_t bits = 0;
    for (int i = 0; i < 5; i++)
        bits = bits << 8 | mac[i];
    for (int i = 0; i < 8; i++)
        token[at++] = "abcdefghijklmnopqrstuvwxyz234567"[bits >> (35 - 5 * i) & 31];
    put(o, span_of(token, at));
}

/* What stands for the local part; `whole` is what the token is made of. */
static void put_masked(const struct mask *m, struct span whole, struct out *o)
{
    if (m->privacy == PRIVACY_PSEUDONYM)
        put_token(m, "p-", whole, o);
    else
        put_text(o, "*");
}

char *mask_subject(const struct mask *m, struct span subject, char *to, size_t size)
{
    struct out o = {to, 0, size};
    subject = span_trim(subject);
    if (m->privacy == PRIVACY_CLEAR)
        put(&o, subject);
    else if (m->privacy == PRIVACY_PSEUDONYM && subject.n)
        put_token(m, "subject-", subject, &o);
    to[o.n] = '\0';
    return to;
}

/* ---- words ---- */

static bool is_letter(uint8_t c) /* or a digit */
{
    return (c >= '0' && c <= '9') || (span_lower(c) >= 'a' && span_lower(c) <= 'z') || c >= 0x80;
}

static bool is_domain(uint8_t c)
{
    return is_letter(c) || c == '.' || c == '-' || c == '_';
}

static bool is_word(uint8_t c)
{
    return is_letter(c) || (c > ' ' && strchr("!#$%&'*+-/=?^_`{|}~.@\\", c));
}

/* Length of the quoted string at the start of s, with its quotes; 0: it does not end. */
static size_t quoted(struct span s)
{
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    return 0;
}

/* Length of the word at the start of s; *at: where its last '@' outside quotes stands, or SIZE_MAX.  A quoted string is part of it when an
 * '@' follows, or could where a text was cut; other quotes are those of a sentence. */
static size_t word_length(struct span s, bool cut, size_t *at)
{
    size_t i = 0, first_quote = SIZE_MAX;
    *at = SIZE_MAX;
    while (i < s.n) {
        size_t n = s.p[i] == '"' ? quoted(span_from(s, i)) : 0;
        if (n && i + n < s.n && (s.p[i + n] == '@' || s.p[i + n] == '.')) {
            first_quote = first_quote < i ? first_quote : i;
            i += n;
        } else if (s.p[i] == '\\' && i + 1 < s.n) {
            i += 2;
        } else if (is_word(s.p[i])) {
            if (s.p[i] == '@')
                *at = i;
            i++;
        } else {
            break;
        }
    }
    return *at == SIZE_MAX && first_quote < i && !(cut && i == s.n) ? first_quote : i;
}

/* "alice@example.org" and "Alice"@example.org are one: quotes around the whole local part mean nothing. */
static struct span unquoted(struct span local)
{
    return local.n >= 2 && local.p[0] == '"' && quoted(local) == local.n ? span_of(local.p + 1, local.n - 2) : local;
}

/* local@domain, masked; what follows the domain in the same word too. */
static void put_address(const struct mask *m, struct span local, struct span domain, struct out *o)
{
    size_t n = 0;
    while (n < domain.n && is_domain(domain.p[n]))
        n++;
    if (local.n) {
        char whole[512];
        struct out w = {whole, 0, sizeof whole};
        put(&w, unquoted(local));
        put_text(&w, "@");
        put(&w, span_head(domain, n));
        put_masked(m, span_of(whole, w.n), o);
    }
    put_text(o, "@");
    put(o, span_head(domain, n));
    for (size_t i = n; i < domain.n; i++)
        if (is_letter(domain.p[i])) {
            put_text(o, "*");
            return;
        }
    put(o, span_from(domain, n));
}

char *mask_address(const struct mask *m, struct span address, char *to, size_t size)
{
    struct out o = {to, 0, size};
    address = span_trim(address);
    const uint8_t *open = address.n ? memrchr(address.p, '<', address.n) : NULL, *close;
    if (open && m->privacy != PRIVACY_CLEAR) {
        address = span_from(address, (size_t)(open - address.p) + 1);
        close = address.n ? memchr(address.p, '>', address.n) : NULL;
        address = close ? span_head(address, (size_t)(close - address.p)) : address;
    }
    const uint8_t *at = address.n ? memrchr(address.p, '@', address.n) : NULL;
    size_t local = at ? (size_t)(at - address.p) : 0;
    if (m->privacy == PRIVACY_CLEAR)
        put(&o, address);
    else if (at && address.p[local + (local + 1 < address.n)] == '[') { /* an address literal is a domain */
        put_masked(m, address, &o);
        put(&o, span_from(address, local));
    } else if (at)
        put_address(m, span_head(address, local), span_from(address, local + 1), &o);
    else if (address.n)
        put_masked(m, address, &o);
    to[o.n] = '\0';
    return to;
}

/* ---- sentences ---- */

struct reader {
    const struct mask *mask;
    struct span rest;
    struct out out;
    size_t word; /* where in the output the word before the cursor begins, when only blanks and comments came after it; or SIZE_MAX */
    unsigned depth; /* of comments */
    const uint8_t *closing; /* the quote that closes one that is a sentence's, not an address's; NULL: none is open */
    bool cut;
};

static bool kept(const struct mask *m, struct span word)
{
    return (m->keep[0].n && span_equal(word, m->keep[0])) || (m->keep[1].n && span_equal(word, m->keep[1]));
}

/* All the rest is an address, or holds one, or part of one, that begins here. */
static void mask_rest(struct reader *r)
{
    const uint8_t *at = r->rest.n ? memrchr(r->rest.p, '@', r->rest.n) : NULL;
    if (at)
        put_address(r->mask, span_head(r->rest, (size_t)(at - r->rest.p)), span_from(r->rest, (size_t)(at - r->rest.p) + 1), &r->out);
    else if (r->rest.n)
        put_masked(r->mask, r->rest, &r->out);
    r->rest = (struct span){NULL, 0};
}

/* A word that begins with '@' after a blank or a comment: its local part stands before (RFC 5322, 4.4, allows that). */
static bool take_back(struct reader *r, struct span word)
{
    if (r->word == SIZE_MAX || r->out.n == r->word)
        return false;
    char local[512];
    size_t n = r->out.n - r->word;
    n = n < sizeof local ? n : sizeof local;
    memcpy(local, r->out.p + r->word, n);
    r->out.n = r->word;
    put_address(r->mask, span_trim(span_of(local, n)), span_from(word, 1), &r->out);
    return true;
}

static void take_word(struct reader *r)
{
    const struct mask *m = r->mask;
    size_t at, n = word_length(r->rest, r->cut, &at);
    struct span word = span_head(r->rest, n);
    bool last = n == r->rest.n;
    r->rest = span_from(r->rest, n);
    if (at == 0 && take_back(r, word)) {
        r->word = SIZE_MAX;
        return;
    }
    if (r->depth == 0 && !r->closing)
        r->word = r->out.n;
    bool lonely = (m->hide.n && span_equal_nocase(word, m->hide)) || n >= LONG_WORD || (last && r->cut);
    if (at == SIZE_MAX && lonely)
        put_masked(m, word, &r->out);
    else if (at == SIZE_MAX || kept(m, word))
        put(&r->out, word);
    else
        put_address(m, span_head(word, at), span_from(word, at + 1), &r->out);
}

/* Where the bracket that opens s closes; 0: nowhere. */
static size_t bracket_end(struct span s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '>')
            return i;
        size_t n = s.p[i] == '"' ? quoted(span_from(s, i)) : 0;
        i += n ? n - 1 : 0;
    }
    return 0;
}

/* What stands in brackets is an address, an id or nothing, with or without '@'. */
static void take_bracket(struct reader *r)
{
    size_t end = bracket_end(r->rest);
    struct span inner = end ? span_of(r->rest.p + 1, end - 1) : span_from(r->rest, 1), after = span_from(r->rest, end ? end : r->rest.n);
    put_text(&r->out, "<");
    r->word = SIZE_MAX;
    r->rest = inner;
    if (kept(r->mask, inner))
        put(&r->out, inner);
    else
        mask_rest(r);
    r->rest = after;
}

/* A quote that begins no local part: of a sentence, or of an address whose rest is lost. */
static void take_quote(struct reader *r)
{
    size_t n = quoted(r->rest);
    bool closes = r->rest.p == r->closing;
    if (!closes && (n == 0 || (n == r->rest.n && r->cut))) {
        mask_rest(r);
        return;
    }
    if (!closes && r->depth == 0)
        r->word = r->out.n;
    r->closing = closes ? NULL : r->rest.p + n - 1;
    put_text(&r->out, "\"");
    r->rest = span_from(r->rest, 1);
}

static bool take_subject(struct reader *r)
{
    static const char name[] = "Subject: ";
    char token[TOKEN];
    if (!span_starts_nocase(r->rest, name))
        return false;
    put(&r->out, span_head(r->rest, sizeof name - 1));
    if (r->mask->privacy == PRIVACY_DOMAIN)
        put_text(&r->out, "(withheld)");
    else
        put_text(&r->out, mask_subject(r->mask, span_from(r->rest, sizeof name - 1), token, sizeof token));
    r->rest = (struct span){NULL, 0};
    return true;
}

char *mask_text(const struct mask *m, struct span text, bool cut, char *to, size_t size)
{
    struct reader r = {.mask = m, .rest = text, .out = {to, 0, size}, .word = SIZE_MAX, .cut = cut};
    if (m->privacy == PRIVACY_CLEAR) {
        put(&r.out, text);
        r.rest.n = 0;
    }
    while (r.rest.n) {
        uint8_t c = r.rest.p[0];
        size_t at;
        if (take_subject(&r))
            break;
        if (c == '<') {
            take_bracket(&r);
        } else if (word_length(r.rest, cut, &at)) {
            take_word(&r);
        } else if (c == '"') {
            take_quote(&r);
        } else {
            r.depth += c == '(' ? 1 : c == ')' && r.depth ? -1u : 0;
            put(&r.out, span_head(r.rest, 1));
            r.rest = span_from(r.rest, 1);
            r.word = r.depth || r.closing || c == ' ' || c == '\t' || c == ')' ? r.word : SIZE_MAX;
        }
    }
    to[r.out.n] = '\0';
    return to;
}
