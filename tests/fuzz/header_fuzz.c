/* Hostile message content: the header, the list of addresses, Received lines, the body's fingerprint, the report of a bounce.  Read from
 * memory of exactly its size; what is found must lie in it or in the arena, which the sanitizers see to. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "smtpdissect/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t touched; /* what was read, so that reading it is not left out */

static void touch(struct span s)
{
    if (s.n)
        touched += hash_bytes(s.p, s.n);
}

static void touch_header(const struct header *h)
{
    touch(h->message_id);
    touch(h->from);
    touch(h->from_address);
    touch(h->subject);
    touch(h->in_reply_to);
    touch(h->references_root);
    touch(h->list_id);
    for (size_t i = 0; i < h->audience_count; i++)
        touched += h->audience[i].address;
    for (size_t i = 0; i < h->hop_count; i++) {
        touch(h->hops[i].from);
        touch(h->hops[i].by);
        touch(h->hops[i].with);
        touch(h->hops[i].with_note);
        touch(h->hops[i].id);
    }
    for (size_t i = 0; i < h->delivered_to_count; i++)
        touched += h->delivered_to[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    if (!arena)
        arena = arena_new(8 << 20);
    assert(arena);
    uint8_t *text = malloc(size ? size : 1);
    assert(text);
    memcpy(text, data, size);
    struct span whole = span_of(text, size);
    struct header h;
    struct report r;
    header_parse(arena, whole, true, &h);
    touch_header(&h);
    const uint8_t *empty = size ? memmem(text, size, "\n\n", 2) : NULL;
    struct span body = empty ? span_from(whole, (size_t)(empty - text) + 2) : whole;
    report_parse(arena, body, &h, &r);
    assert(r.present || r.final_recipient_count == 0);
    touch(r.reporting_host);
    for (size_t i = 0; i < r.final_recipient_count; i++)
        touch(r.final_recipient[i]);
    touch_header(&r.quoted);
    touched += fingerprint_of(body);
    touch(address_of_path(whole));
    arena_reset(arena);
    free(text);
    return 0;
}
