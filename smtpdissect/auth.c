/* In: AUTH and the lines that follow it (RFC 4954). Out: who the client says it is, for PLAIN and LOGIN; never what it knows. Lines are
 * decoded on the stack and overwritten; session.c overwrites the line itself. */
#include "smtpdissect/session.h"

#define DECODED_MOST 1024

enum mechanism { MECHANISM_OTHER, MECHANISM_PLAIN, MECHANISM_LOGIN };
enum step { STEP_NONE, STEP_USER, STEP_SECRET };

static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t decode_base64(struct span text, uint8_t to[DECODED_MOST])
{
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < DECODED_MOST; i++) {
        int v = sextet(text.p[i]);
        if (v < 0)
            break;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[n++] = (uint8_t)(bits >> have);
        }
    }
    return n;
}

void auth_line(struct smtp *s, struct span line)
{
    uint8_t plain[DECODED_MOST];
    struct span decoded = span_of(plain, decode_base64(span_trim(line), plain));
    if (s->auth_step == STEP_USER && s->auth_mechanism == MECHANISM_LOGIN)
        names_set(s, NAME_USER, decoded);
    else if (s->auth_step == STEP_USER && s->auth_mechanism == MECHANISM_PLAIN) { /* authzid NUL authcid NUL passwd (RFC 4616) */
        const uint8_t *nul = decoded.n ? memchr(decoded.p, '\0', decoded.n) : NULL;
        struct span rest = nul ? span_from(decoded, (size_t)(nul - decoded.p) + 1) : span_of(NULL, 0);
        const uint8_t *end = rest.n ? memchr(rest.p, '\0', rest.n) : NULL;
        names_set(s, NAME_USER, span_head(rest, end ? (size_t)(end - rest.p) : 0));
    }
    explicit_bzero(plain, sizeof plain);
    s->auth_step = STEP_SECRET;
}

void auth_line_lost(struct smtp *s)
{
    if (s->sasl || s->auth_step) {
        s->sasl = false;
        s->auth_step = STEP_SECRET;
    }
}

void auth_begin(struct smtp *s, struct span argument)
{
    size_t n = 0;
    while (n < argument.n && argument.p[n] > ' ')
        n++;
    struct span mechanism = span_head(argument, n), initial = span_trim(span_from(argument, n));
    s->auth_mechanism = span_equal_nocase(mechanism, span_text("PLAIN"))   ? MECHANISM_PLAIN
                        : span_equal_nocase(mechanism, span_text("LOGIN")) ? MECHANISM_LOGIN
                                                                           : MECHANISM_OTHER;
    s->auth_step = STEP_USER;
    if (initial.n)
        auth_line(s, initial);
}
