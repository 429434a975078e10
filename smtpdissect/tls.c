/* In: bytes of a connection under TLS.  Out: how many of them were application data, by side: all that can be known. */
#include "smtpdissect/session.h"

#define APPLICATION_DATA 23 /* RFC 8446, 5.1 */

static void count(struct tls_reader *t, enum side from, uint64_t n)
{
    if (t->record[from].head[0] == APPLICATION_DATA)
        t->bytes[from] += n;
}

void tls_push(struct tls_reader *t, enum side from, struct span bytes)
{
    if (!t)
        return;
    struct record_reader *r = &t->record[from];
    while (bytes.n) {
        if (r->left) {
            size_t n = bytes.n < r->left ? bytes.n : r->left;
            count(t, from, n);
            r->left -= (uint32_t)n;
            bytes = span_from(bytes, n);
            continue;
        }
        r->head[r->have++] = bytes.p[0];
        bytes = span_from(bytes, 1);
        if (r->have == sizeof r->head) {
            r->left = (uint32_t)r->head[3] << 8 | r->head[4];
            r->have = 0;
        }
    }
}

void tls_gap(struct tls_reader *t, enum side from, uint64_t n)
{
    if (!t)
        return;
    struct record_reader *r = &t->record[from];
    if (n <= r->left) {
        count(t, from, n);
        r->left -= (uint32_t)n;
        return;
    }
    /* records cannot be found again: all that comes is taken for data */
    *r = (struct record_reader){.head = {APPLICATION_DATA}, .left = UINT32_MAX};
    t->bytes[from] += n;
}
