/* Addresses as text and back. */
#include "base/endpoint.h"

#include <arpa/inet.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool address_is_v4(struct address a)
{
    return memcmp(a.b, MAPPED, sizeof MAPPED) == 0;
}

bool address_known(struct address a)
{
    return !address_equal(a, (struct address){{0}});
}

char *address_text(struct address a, char to[ADDRESS_TEXT])
{
    const char *done = address_is_v4(a) ? inet_ntop(AF_INET, a.b + 12, to, ADDRESS_TEXT) : inet_ntop(AF_INET6, a.b, to, ADDRESS_TEXT);
    if (!done)
        to[0] = '\0';
    return to;
}

/* "192.0.2.1", as inet_pton(3) takes it: four numbers, no zero before another digit. */
static bool parse_v4(struct span text, uint8_t b[4])
{
    unsigned value = 0, digits = 0, count = 0;
    for (size_t i = 0; i <= text.n; i++) {
        unsigned digit = i < text.n ? text.p[i] - (unsigned)'0' : 10;
        if (digit < 10) {
            if ((digits && value == 0) || (value = value * 10 + digit) > 255)
                return false;
            digits++;
            continue;
        }
        if (!digits || count == 4 || (i < text.n && text.p[i] != '.'))
            return false;
        b[count++] = (uint8_t)value;
        value = digits = 0;
    }
    return count == 4;
}

bool address_parse(struct span text, struct address *a)
{
    char s[ADDRESS_TEXT];
    uint8_t b[16];
    text = span_trim(text);
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = span_of(text.p + 1, text.n - 2);
    if (span_starts_nocase(text, "IPv6:"))
        text = span_from(text, 5);
    if (parse_v4(text, b)) {
        *a = address_v4(b);
        return true;
    }
    if (text.n == 0 || text.n >= sizeof s || !memchr(text.p, ':', text.n) || memchr(text.p, '\0', text.n))
        return false;
    if (inet_pton(AF_INET6, span_copy(text, s, sizeof s), b) != 1)
        return false;
    *a = address_v6(b);
    return true;
}
