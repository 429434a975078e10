/* In: a frame that is not of the plainest kind, from decode_frame().  Out: the TCP segment in it, found layer by layer by link.c, ip.c,
 * tunnel.c and fragment.c, to the flow table. */
#include "capture/decode.h"

#include <stdlib.h>

#include "capture/layer.h"

struct decoder *decode_new(size_t fragments, struct capture_counters *counters)
{
    struct decoder *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->counters = counters;
    d->fragments = fragments_new(fragments, counters);
    if (!d->fragments) {
        free(d);
        return NULL;
    }
    return d;
}

void decode_free(struct decoder *d)
{
    if (!d)
        return;
    fragments_free(d->fragments);
    free(d);
}

void decode_finish(struct decoder *d)
{
    fragments_finish(d->fragments);
}

bool decode_any(struct decoder *d, const struct frame *f, struct packet *out)
{
    d->out = out;
    d->depth = 0;
    d->tagged = d->tunnelled = d->cut = false;
    out->time = f->time;
    out->frame = f;
    out->tunnel = 0;
    bool tcp = link_layer(d, (struct layer){f->p, f->captured, f->length}, f->link);
    d->counters->vlan += d->tagged;
    d->counters->tunnelled += d->tunnelled;
    d->counters->cut += d->cut;
    return tcp;
}
