/* Addresses as text and back. */
#include "base/endpoint.h"

#include <arpa/inet.h>

char *address_text(struct address a, char to[ADDRESS_TEXT])
{
    const char *done = address_is_v4(a) ? inet_ntop(AF_INET, a.b + 12, to, ADDRESS_TEXT) : inet_ntop(AF_INET6, a.b, to, ADDRESS_TEXT);
    if (!done)
        to[0] = '\0';
    return to;
}

/* "192.0.2.1", as inet_pton(3) takes it: four numbers, no zero before another digit. */
static inline bool parse_v4(struct span text, struct address *a)
{
    uint8_t b[4];
    if (text.n < sizeof "0.0.0.0" - 1)
        return false;
    const uint8_t *p = text.p, *end = p + text.n;
    for (int i = 0; i < 4; i++) {
        unsigned value, digit;
        if (p == end || (value = *p++ - (unsigned)'0') > 9)
            return false;
        if (value && p < end && (digit = *p - (unsigned)'0') < 10) {
            value = value * 10 + digit;
            if (++p < end && (digit = *p - (unsigned)'0') < 10) {
                value = value * 10 + digit;
                p++;
            }
        }
        b[i] = (uint8_t)value;
        if (value > 255 || (i < 3 && (p == end || *p++ != '.'))) /* another digit, too */
            return false;
    }
    if (p != end)
        return false;
    *a = address_v4(b);
    return true;
}

static __attribute__((noinline)) bool parse_v6(struct span text, struct address *a)
{
    char s[ADDRESS_TEXT];
    uint8_t b[16];
    if (text.n == 0 || text.n >= sizeof s || !memchr(text.p, ':', text.n) || memchr(text.p, '\0', text.n))
        return false;
    if (inet_pton(AF_INET6, span_copy(text, s, sizeof s), b) != 1)
        return false;
    *a = address_v6(b);
    return true;
}

bool address_parse(struct span text, struct address *a)
{
    text = span_trim(text);
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = span_of(text.p + 1, text.n - 2);
    if (span_starts_nocase(text, "IPv6:"))
        text = span_from(text, 5);
    return parse_v4(text, a) || parse_v6(text, a);
}
