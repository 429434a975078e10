/* The bytes of a capture file, unpacked, seen through a window that moves forward.  What lies between `at` and `end` may be read in place;
 * input_fill() moves it, so pointers into it hold until then. */
#ifndef SQUALL_CAPTURE_INPUT_H
#define SQUALL_CAPTURE_INPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "capture/inflate.h"

/* The window: large enough for any block that must be seen whole; only its first part is used by files of smaller ones. */
#define INPUT_WINDOW ((size_t)1 << 19)

struct input {
    uint8_t *window;
    size_t at, end;      /* in the window: the next byte to be used, the end of what has been read */
    bool ended;          /* nothing more will come */
    const char *failure; /* why it ended early, or NULL */
    int fd;
    bool regular;        /* can be opened again from its start */
    struct inflate *inflate; /* NULL: the file is plain */
    uint8_t *packed;
    struct span rest;    /* of what was read from a packed file */
    const atomic_bool *stop; /* a read that a signal broke off is not taken up again when it is set; may be NULL */
};

/* False: *why ("FILE: ...") and *status (66, 77, 71). */
bool input_open(struct input *in, const char *path, const atomic_bool *stop, struct reason *why, int *status);
void input_close(struct input *in);

bool input_fill(struct input *in, size_t n);       /* the slow half of input_need() */
bool input_skip(struct input *in, uint64_t n);     /* false: the file ends before */

/* Sees to it that n bytes, n <= INPUT_WINDOW, stand in the window.  False: the file ends before; what there is stands there. */
static inline bool input_need(struct input *in, size_t n)
{
    return in->end - in->at >= n || input_fill(in, n);
}

static inline size_t input_ready(const struct input *in) /* bytes in the window, to be had without input_fill() */
{
    return in->end - in->at;
}

static inline const uint8_t *input_bytes(const struct input *in)
{
    return in->window + in->at;
}

#endif
