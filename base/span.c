/* Comparing and copying of wire text; ASCII only, as SMTP and mail headers are. */
#include "base/span.h"

static uint64_t word_at(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

void span_lower_all(struct span s, uint8_t *to)
{
    struct span_words w;
    size_t i = 0;
    for (; i + sizeof w <= s.n; i += sizeof w) {
        w = span_words_lower(span_words_at(s.p + i));
        memcpy(to + i, &w, sizeof w);
    }
    if (i < s.n && s.n >= sizeof w) { /* the rest together with bytes that were taken before */
        i = s.n - sizeof w;
        w = span_words_lower(span_words_at(s.p + i));
        memcpy(to + i, &w, sizeof w);
    } else if (s.n - i >= 8) {
        uint64_t a = span_lower_word(word_at(s.p)), b = span_lower_word(word_at(s.p + s.n - 8));
        memcpy(to, &a, sizeof a);
        memcpy(to + s.n - 8, &b, sizeof b);
    } else {
        for (; i < s.n; i++)
            to[i] = span_lower(s.p[i]);
    }
}

static bool same_word(uint64_t x, uint64_t y)
{
    return x == y || span_lower_word(x) == span_lower_word(y);
}

bool span_same_nocase(const uint8_t *a, const uint8_t *b, size_t n)
{
    if (n >= 8) { /* the last eight bytes may overlap those before them */
        for (size_t i = 0; i + 8 < n; i += 8)
            if (!same_word(word_at(a + i), word_at(b + i)))
                return false;
        return same_word(word_at(a + n - 8), word_at(b + n - 8));
    }
    struct span_words x = span_words_short(a, n), y = span_words_short(b, n);
    return same_word(x.a, y.a) && same_word(x.b, y.b);
}

#ifdef __SSE2__
static uint8_t capital(uint8_t c)
{
    return (uint8_t)(span_lower(c) - 'a') < 26 ? (uint8_t)(c & ~0x20) : c;
}

/* Of the sixteen bytes from p on, those that are one of the two. */
static __m128i sixteen_either(const uint8_t *p, const uint8_t c[2])
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8((char)c[0])), _mm_cmpeq_epi8(x, _mm_set1_epi8((char)c[1])));
}
#endif

bool span_contains_nocase(struct span s, const char *needle)
{
    size_t n = strlen(needle);
    if (n == 0 || n > s.n)
        return n == 0;
    uint8_t first = span_lower((uint8_t)needle[0]);
    const size_t last = s.n - n; /* where it may begin at the latest */
    size_t i = 0;
#ifdef __SSE2__
    const size_t second = n > 1; /* two bytes of it are looked for: one alone stands everywhere in a text */
    const uint8_t either[2][2] = {{first, capital(first)}, {span_lower((uint8_t)needle[second]), capital((uint8_t)needle[second])}};
    for (; i <= last && s.n - i >= 16 + second; i += 16) {
        __m128i hit = _mm_and_si128(sixteen_either(s.p + i, either[0]), sixteen_either(s.p + i + second, either[1]));
        for (unsigned hits = (unsigned)_mm_movemask_epi8(hit); hits; hits &= hits - 1) {
            size_t at = i + (size_t)__builtin_ctz(hits);
            if (at <= last && span_same_nocase(s.p + at, (const uint8_t *)needle, n))
                return true;
        }
    }
#endif
    for (; i <= last; i++)
        if (span_lower(s.p[i]) == first && span_same_nocase(s.p + i, (const uint8_t *)needle, n))
            return true;
    return false;
}

char *span_copy(struct span s, char *to, size_t size)
{
    size_t n = s.n < size ? s.n : size - 1;
    if (n)
        memcpy(to, s.p, n);
    to[n] = '\0';
    return to;
}
