/* Comparing and copying of wire text; ASCII only, as SMTP and mail headers are. */
#include "base/span.h"

/* Eight bytes at once: those between 'A' and 'Z' get bit 5 (Warren, "Hacker's Delight", 2nd edition, 6-1: no carry leaves its byte). */
static uint64_t lower_word(uint64_t x)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low = x & each * 0x7f, past_a = low + each * (0x80 - 'A'), past_z = low + each * (0x7f - 'Z');
    return x | (past_a & ~past_z & ~x & each * 0x80) >> 2;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

void span_lower_all(struct span s, uint8_t *to)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t x = lower_word(word_at(s.p + i));
        memcpy(to + i, &x, sizeof x);
    }
    for (; i < s.n; i++)
        to[i] = span_lower(s.p[i]);
}

static bool same_word(uint64_t x, uint64_t y)
{
    return x == y || lower_word(x) == lower_word(y);
}

bool span_same_nocase(const uint8_t *a, const uint8_t *b, size_t n)
{
    if (n >= 8) { /* the last eight bytes may overlap those before them */
        for (size_t i = 0; i + 8 < n; i += 8)
            if (!same_word(word_at(a + i), word_at(b + i)))
                return false;
        return same_word(word_at(a + n - 8), word_at(b + n - 8));
    }
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && span_lower(a[i]) != span_lower(b[i]))
            return false;
    return true;
}

bool span_contains_nocase(struct span s, const char *needle)
{
    size_t n = strlen(needle);
    uint8_t first = span_lower((uint8_t)needle[0]);
    for (size_t i = 0; i + n <= s.n; i++)
        if (n == 0 || (span_lower(s.p[i]) == first && span_same_nocase(s.p + i, (const uint8_t *)needle, n)))
            return true;
    return n == 0;
}

char *span_copy(struct span s, char *to, size_t size)
{
    size_t n = s.n < size ? s.n : size - 1;
    if (n)
        memcpy(to, s.p, n);
    to[n] = '\0';
    return to;
}
