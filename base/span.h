/* A piece of somebody else's memory: text or bytes as they stood on the wire.  Passed by value, never NUL-terminated, borrowed:
 * valid until the call that received it returns, unless the struct that holds it says otherwise. */
#ifndef SQUALL_BASE_SPAN_H
#define SQUALL_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct span {
    const uint8_t *p; /* may be NULL only when n is 0 */
    size_t n;         /* bytes */
};

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span){p, n};
}

/* A NUL-terminated string's text; NULL gives the empty span. */
static inline struct span span_text(const char *s)
{
    return (struct span){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline struct span span_from(struct span s, size_t at) /* what remains from byte `at` on; empty past the end */
{
    return at < s.n ? (struct span){s.p + at, s.n - at} : (struct span){NULL, 0};
}

static inline struct span span_head(struct span s, size_t n) /* the first n bytes, or all there are */
{
    return (struct span){s.p, n < s.n ? n : s.n};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline uint8_t span_lower(uint8_t c) /* an ASCII letter lowered, any other byte as it is */
{
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

/* Text is compared, hashed and looked through sixteen bytes at a time. */
struct span_words {
    uint64_t a, b;
};

static inline struct span_words span_words_at(const uint8_t *p)
{
    struct span_words w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* A whole text of at most sixteen bytes; its bytes may stand in both words. */
static inline struct span_words span_words_short(const uint8_t *p, size_t n)
{
    struct span_words w = {0, 0};
    if (n >= 8) {
        memcpy(&w.a, p, 8);
        memcpy(&w.b, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&w.a, p, 4);
        memcpy(&w.b, p + n - 4, 4);
    } else if (n) {
        w.a = (uint64_t)p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    }
    return w;
}

/* Those between 'A' and 'Z' get bit 5 (Warren, "Hacker's Delight", 2nd edition, 6-1: no carry leaves its byte). */
static inline uint64_t span_lower_word(uint64_t x)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low = x & each * 0x7f, past_a = low + each * (0x80 - 'A'), past_z = low + each * (0x7f - 'Z');
    return x | (past_a & ~past_z & ~x & each * 0x80) >> 2;
}

static inline struct span_words span_words_lower(struct span_words w)
{
#ifdef __SSE2__
    __m128i x = _mm_set_epi64x((long long)w.b, (long long)w.a);
    __m128i capital = _mm_cmplt_epi8(_mm_add_epi8(x, _mm_set1_epi8((char)(0x80 - 'A'))), _mm_set1_epi8((char)(0x80 + 26)));
    x = _mm_or_si128(x, _mm_and_si128(capital, _mm_set1_epi8(0x20)));
    return (struct span_words){(uint64_t)_mm_cvtsi128_si64(x), (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(x, x))};
#else
    return (struct span_words){span_lower_word(w.a), span_lower_word(w.b)};
#endif
}

void span_lower_all(struct span s, uint8_t *to);                     /* to[] has room for s.n bytes */
bool span_same_nocase(const uint8_t *a, const uint8_t *b, size_t n); /* n bytes, ASCII case folded, as in all that follow */

static inline bool span_equal_nocase(struct span a, struct span b)
{
    return a.n == b.n && span_same_nocase(a.p, b.p, a.n);
}

static inline bool span_starts_nocase(struct span s, const char *prefix)
{
    if (s.n == 0 || span_lower(s.p[0]) != span_lower((uint8_t)prefix[0])) /* most often this decides */
        return prefix[0] == '\0';
    size_t n = strlen(prefix);
    return s.n >= n && span_same_nocase(s.p, (const uint8_t *)prefix, n);
}

bool span_contains_nocase(struct span s, const char *needle); /* the empty needle is in every span */

static inline bool span_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline struct span span_trim(struct span s) /* without blanks at either end */
{
    while (s.n && span_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && span_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Copies at most size-1 bytes and a NUL into `to`; returns `to`.  For text that people read, never for comparing. */
char *span_copy(struct span s, char *to, size_t size);

#endif
