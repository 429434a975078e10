/* Comparing and trimming of wire text; ASCII only, as SMTP and mail headers are. */
#include "base/span.h"

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same_folded(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fold(a[i]) != fold(b[i]))
            return false;
    return true;
}

bool span_equal_nocase(struct span a, struct span b)
{
    return a.n == b.n && same_folded(a.p, b.p, a.n);
}

bool span_starts_nocase(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && same_folded(s.p, (const uint8_t *)prefix, n);
}

bool span_contains_nocase(struct span s, const char *needle)
{
    size_t n = strlen(needle);
    for (size_t i = 0; i + n <= s.n; i++)
        if (same_folded(s.p + i, (const uint8_t *)needle, n))
            return true;
    return n == 0;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.n && blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

char *span_copy(struct span s, char *to, size_t size)
{
    size_t n = s.n < size ? s.n : size - 1;
    if (n)
        memcpy(to, s.p, n);
    to[n] = '\0';
    return to;
}
