/* Where in a text the first byte of a kind stands: sixteen bytes a step where the machine can, one by one at the end.  Private to
 * smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_FIND_H
#define SQUALL_SMTPDISSECT_FIND_H

#include "base/span.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The index of the first byte that is one of a, b, c, or within from..to, or, if asked for, a blank or control byte; s.n: there is none.
 * All but s are constants where it is called, so that nothing is left of what is not asked for. */
static inline __attribute__((always_inline)) size_t find_first(struct span s, bool blank, char a, char b, char c, char from, char to)
{
    size_t at = 0;
#ifdef __SSE2__
    for (; s.n - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(s.p + at));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(a)), _mm_cmpeq_epi8(x, _mm_set1_epi8(b)));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_set1_epi8(c)));
        if (from < to)
            hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_max_epu8(_mm_min_epu8(x, _mm_set1_epi8(to)), _mm_set1_epi8(from))));
        if (blank)
            hit = _mm_or_si128(hit, _mm_cmpeq_epi8(x, _mm_min_epu8(x, _mm_set1_epi8(' '))));
        int bits = _mm_movemask_epi8(hit);
        if (bits)
            return at + (size_t)__builtin_ctz((unsigned)bits);
    }
#endif
    for (; at < s.n; at++) {
        uint8_t x = s.p[at];
        if ((blank && x <= ' ') || x == a || x == b || x == c || (x >= from && x <= to))
            break;
    }
    return at;
}

static inline size_t find_byte(struct span s, char c)
{
    return find_first(s, false, c, c, c, c, c);
}

static inline size_t find_blank(struct span s)
{
    return find_first(s, true, ' ', ' ', ' ', ' ', ' ');
}

#endif
