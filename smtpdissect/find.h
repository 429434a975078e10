/* Where in a text the first byte of a kind stands: sixteen bytes a step where the machine can, one by one at the end.  Private to
 * smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_FIND_H
#define SQUALL_SMTPDISSECT_FIND_H

#include "base/span.h"

#ifdef __SSE2__
#include <emmintrin.h>

static inline __m128i find_load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}
#endif

#ifdef __SSE2__
/* A bit for each byte of x that find_first() looks for. */
static inline __attribute__((always_inline)) unsigned find_bits(__m128i x, bool blank, char a, char b, char c, char from, char to)
{
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(a)), _mm_cmpeq_epi8(x, _mm_set1_epi8(b)));
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8(c)));
    if (from < to)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_max_epu8(_mm_min_epu8(x, _mm_set1_epi8(to)), _mm_set1_epi8(from))));
    if (blank)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_min_epu8(x, _mm_set1_epi8(' '))));
    return (unsigned)_mm_movemask_epi8(hit);
}
#endif

/* The index of the first byte that is one of a, b, c, or within from..to, or, if asked for, a blank or control byte; s.n: there is none.
 * All but s are constants where it is called, so that nothing is left of what is not asked for. */
static inline __attribute__((always_inline)) size_t find_first(struct span s, bool blank, char a, char b, char c, char from, char to)
{
    size_t at = 0;
#ifdef __SSE2__
    unsigned bits;
    for (; s.n - at >= 16; at += 16) {
        bits = find_bits(find_load(s.p + at), blank, a, b, c, from, to);
        if (bits)
            return at + (size_t)__builtin_ctz(bits);
    }
    size_t rest = s.n - at;
    if (rest == 0)
        return s.n;
    if (at) { /* the rest together with bytes that were looked at */
        bits = find_bits(find_load(s.p + s.n - 16), blank, a, b, c, from, to) >> (16 - rest);
        return bits ? at + (size_t)__builtin_ctz(bits) : s.n;
    }
    if (rest >= 8) { /* a short text as two halves, which overlap */
        struct span_words w = span_words_short(s.p, rest);
        bits = find_bits(_mm_set_epi64x((long long)w.b, (long long)w.a), blank, a, b, c, from, to);
        bits = (bits & 0xff) | bits >> 8 << (rest - 8);
        return bits ? (size_t)__builtin_ctz(bits) : s.n;
    }
#endif
    for (; at < s.n; at++) {
        uint8_t x = s.p[at];
        if ((blank && x <= ' ') || x == a || x == b || x == c || (x >= from && x <= to))
            break;
    }
    return at;
}

/* Where `first` stands with a or b right behind it; s.n: nowhere.  A pair at a time is looked for at once: line feeds are common, what is
 * looked for after them is not, so this is four times as fast as a memchr a line. */
static inline __attribute__((always_inline)) size_t find_pair(struct span s, char first, char a, char b)
{
    size_t at = 0;
#ifdef __SSE2__
#define PAIRS(from)                                                                                                                        \
    _mm_and_si128(_mm_cmpeq_epi8(find_load(s.p + (from)), _mm_set1_epi8(first)),                                                           \
        a == b ? _mm_cmpeq_epi8(find_load(s.p + (from) + 1), _mm_set1_epi8(a))                                                             \
               : _mm_or_si128(_mm_cmpeq_epi8(find_load(s.p + (from) + 1), _mm_set1_epi8(a)),                                               \
                     _mm_cmpeq_epi8(find_load(s.p + (from) + 1), _mm_set1_epi8(b))))
    for (; s.n - at > 64; at += 64) {
        __m128i any = _mm_or_si128(_mm_or_si128(PAIRS(at), PAIRS(at + 16)), _mm_or_si128(PAIRS(at + 32), PAIRS(at + 48)));
        if (_mm_movemask_epi8(any))
            break;
    }
    for (; s.n - at > 16; at += 16) {
        int bits = _mm_movemask_epi8(PAIRS(at));
        if (bits)
            return at + (size_t)__builtin_ctz((unsigned)bits);
    }
#undef PAIRS
#endif
    for (; at + 1 < s.n; at++)
        if (s.p[at] == first && (s.p[at + 1] == a || s.p[at + 1] == b))
            return at;
    return s.n;
}

static inline size_t find_byte(struct span s, char c)
{
    return find_first(s, false, c, c, c, c, c);
}

/* Where c stands last; s.n: nowhere. */
static inline size_t find_last(struct span s, char c)
{
    size_t end = s.n;
#ifdef __SSE2__
    for (; end >= 16; end -= 16) {
        unsigned bits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(find_load(s.p + end - 16), _mm_set1_epi8(c)));
        if (bits)
            return end - 16 + 31 - (unsigned)__builtin_clz(bits);
    }
#endif
    for (; end; end--)
        if (s.p[end - 1] == (uint8_t)c)
            return end - 1;
    return s.n;
}

static inline size_t find_blank(struct span s)
{
    return find_first(s, true, ' ', ' ', ' ', ' ', ' ');
}

#endif
