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

bool address_parse(struct span text, struct address *a)
{
    char s[ADDRESS_TEXT];
    uint8_t b[16];
    text = span_trim(text);
    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = span_of(text.p + 1, text.n - 2);
    if (span_starts_nocase(text, "IPv6:"))
        text = span_from(text, 5);
    if (text.n == 0 || text.n >= sizeof s || memchr(text.p, '\0', text.n))
        return false;
    span_copy(text, s, sizeof s);
    if (inet_pton(AF_INET, s, b) == 1)
        *a = address_v4(b);
    else if (inet_pton(AF_INET6, s, b) == 1)
        *a = address_v6(b);
    else
        return false;
    return true;
}
