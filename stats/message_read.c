/* In: the full record of a mail.  Out: what the detectors ask of it that no table has to be searched for. */
#include "stats/message.h"

const char *message_text(const struct message *m, uint32_t text)
{
    return text ? m->own->texts + text : "";
}

uint64_t message_recipients(const struct message *m)
{
    return m->own->recipients_known + (m->own->beyond ? hll_count(m->own->beyond) : 0);
}

bool message_recipients_exact(const struct message *m)
{
    return m->own->beyond == NULL;
}

uint64_t message_redeliveries(const struct message *m)
{
    const struct record *r = m->own;
    uint64_t distinct = r->pairs_beyond ? (uint64_t)((double)hll_count(r->pairs_beyond) * (1 + 3 * HLL_ERROR)) : 0;
    return m->redeliveries + (r->deliveries_beyond > distinct ? r->deliveries_beyond - distinct : 0);
}

uint32_t message_hop(const struct message *m, const struct copy *copy, uint32_t depth)
{
    uint32_t at = copy->tail;
    if (depth == 0 || depth > m->nodes[at].depth)
        return 0;
    while (m->nodes[at].depth > depth)
        at = m->nodes[at].parent;
    return at;
}

uint32_t message_common(const struct message *m, const struct copy *a, const struct copy *b)
{
    uint32_t x = a->tail, y = b->tail;
    while (x != y) {
        if (m->nodes[x].depth >= m->nodes[y].depth)
            x = m->nodes[x].parent;
        else
            y = m->nodes[y].parent;
    }
    return m->nodes[x].depth;
}
