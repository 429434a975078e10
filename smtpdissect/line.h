/* Where a line, or what stands in it, ends: sixteen bytes a step where the machine can.  The last step looks at bytes before it, too, for
 * most lines are short but stand in a longer segment.  Private to smtpdissect/. */
#ifndef SQUALL_SMTPDISSECT_LINE_H
#define SQUALL_SMTPDISSECT_LINE_H

#include "smtpdissect/find.h"

#ifdef __SSE2__
/* Of sixteen bytes, a bit for each that is a or b. */
static inline __attribute__((always_inline)) unsigned line_hits(const uint8_t *p, char a, char b)
{
    __m128i x = find_load(p);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(a)), _mm_cmpeq_epi8(x, _mm_set1_epi8(b))));
}
#endif

/* The index of the first a or b in s, which is the end of what has `whole` bytes; s.n: there is none. */
static inline __attribute__((always_inline)) size_t line_find(struct span s, size_t whole, char a, char b)
{
    size_t at = 0;
#ifdef __SSE2__
    for (; s.n - at >= 16; at += 16) {
        unsigned hits = line_hits(s.p + at, a, b);
        if (hits)
            return at + (unsigned)__builtin_ctz(hits);
    }
    if (whole >= 16) {
        unsigned hits = line_hits(s.p + s.n - 16, a, b) >> (16 - (s.n - at));
        return hits ? at + (unsigned)__builtin_ctz(hits) : s.n;
    }
#endif
    if (a == b && at < s.n) {
        const uint8_t *found = memchr(s.p + at, a, s.n - at);
        return found ? (size_t)(found - s.p) : s.n;
    }
    while (at < s.n && s.p[at] != a && s.p[at] != b)
        at++;
    return at;
}

#endif
