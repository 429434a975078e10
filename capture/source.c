/* In: capture files by name.  Out: their frames as one stream in time order, to capture.c.  A file is opened once at the start, to see that
 * it is there, what it is and when it begins, and again when its turn comes: a thousand files of an hour each are never open together. */
#include "capture/source.h"

#include <assert.h>
#include <stdlib.h>
#include <sysexits.h>

#include "capture/reader.h"

struct file {
    const char *path;
    size_t order; /* on the command line: of packets of one time, the first file's comes first */
    struct reader reader;
    bool open;
    int64_t first;                     /* time of the first packet */
    struct frame batch[SOURCE_BATCH];  /* read from it, in its window */
    size_t at, count;                  /* in the batch: the next to be handed out, the end */
};

struct source {
    struct file *files;
    size_t file_count;
    struct file **open; /* a binary heap, the file with the earliest packet first */
    size_t open_count;
    struct file **waiting; /* the others that hold packets, the earliest to begin last */
    size_t waiting_count;
    const atomic_bool *stop; /* or NULL */
    struct reason why; /* of the first file that broke */
    bool broken;
};

/* Keeps the first reason.  `among`: the file header was sound, what is wrong is among the packets. */
static void note_broken(struct source *s, const struct file *f, bool among)
{
    const struct reader *r = &f->reader;
    if (s->broken || !r->wrong[0])
        return;
    s->broken = true;
    if (!among)
        reason_say(&s->why, "%s: cannot be read: %s; %s", f->path, r->wrong,
                   r->advice ? r->advice : r->in.failure ? "get the file again" : "give a pcap or pcapng file");
    else
        reason_say(&s->why, "%s: broken at packet %llu: %s; %s", f->path, (unsigned long long)r->packets + 1, r->wrong,
                   r->advice ? r->advice : "what came before was read, for the rest get the file again");
}

static void shut(struct file *f)
{
    if (!f->open)
        return;
    reader_stop(&f->reader);
    input_close(&f->reader.in);
    f->open = false;
}

/* 0: there are no more, and the file is closed. */
static size_t read_frames(struct source *s, struct file *f, struct frame *frames, size_t most)
{
    size_t n = reader_read(&f->reader, frames, most);
    if (n == 0) {
        note_broken(s, f, true);
        shut(f);
    }
    return n;
}

/* The next batch of a file whose last one is used up.  False: there is none, and the file is closed. */
static bool refill(struct source *s, struct file *f, size_t most)
{
    f->at = 0;
    f->count = read_frames(s, f, f->batch, most);
    return f->count > 0;
}

/* Opens a file and reads what comes first in it; one without packets is closed again.  False: it cannot be opened, *why and *status. */
static bool start(struct source *s, struct file *f, size_t most, struct reason *why, int *status)
{
    f->reader = (struct reader){0};
    if (!input_open(&f->reader.in, f->path, s->stop, why, status))
        return false;
    f->open = true;
    if (reader_start(&f->reader)) {
        if (refill(s, f, most))
            f->first = f->batch[0].time;
    } else {
        note_broken(s, f, false);
        shut(f);
    }
    return true;
}

static bool earlier(const struct file *a, const struct file *b)
{
    int64_t ta = a->batch[a->at].time, tb = b->batch[b->at].time;
    return ta != tb ? ta < tb : a->order < b->order;
}

static void sift_down(struct source *s, size_t i)
{
    struct file *f = s->open[i];
    for (size_t child; (child = 2 * i + 1) < s->open_count; i = child) {
        if (child + 1 < s->open_count && earlier(s->open[child + 1], s->open[child]))
            child++;
        if (!earlier(s->open[child], f))
            break;
        s->open[i] = s->open[child];
    }
    s->open[i] = f;
}

static void add_open(struct source *s, struct file *f)
{
    size_t i = s->open_count++;
    for (; i > 0 && earlier(f, s->open[(i - 1) / 2]); i = (i - 1) / 2)
        s->open[i] = s->open[(i - 1) / 2];
    s->open[i] = f;
}

static int later_first(const void *a, const void *b)
{
    const struct file *fa = *(struct file *const *)a, *fb = *(struct file *const *)b;
    if (fa->first != fb->first)
        return fa->first < fb->first ? 1 : -1;
    return fa->order < fb->order ? 1 : -1;
}

struct source *source_open(const char *const paths[], size_t count, const atomic_bool *stop, struct reason *why, int *status)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s)
        goto no_memory;
    s->files = calloc(count + 1, sizeof *s->files);
    s->open = calloc(count + 1, sizeof(struct file *));
    s->waiting = calloc(count + 1, sizeof(struct file *));
    if (!s->files || !s->open || !s->waiting)
        goto no_memory;
    s->file_count = count;
    s->stop = stop;
    for (size_t i = 0; i < count; i++) {
        struct file *f = &s->files[i];
        f->path = paths[i];
        f->order = i;
        if (!start(s, f, count == 1 ? SOURCE_BATCH : 1, why, status)) {
            source_close(s);
            return NULL;
        }
        if (!f->open)
            continue;
        if (count > 1 && f->reader.in.regular) {
            shut(f);
            s->waiting[s->waiting_count++] = f;
        } else {
            add_open(s, f);
        }
    }
    qsort(s->waiting, s->waiting_count, sizeof(struct file *), later_first);
    return s;
no_memory:
    source_close(s);
    *status = EX_OSERR;
    reason_say(why, "%zu files cannot be opened: no memory; give fewer at once", count);
    return NULL;
}

/* Opens those whose time has come.  One that went away since the start is a broken one. */
static void open_due(struct source *s)
{
    while (s->waiting_count) {
        struct file *f = s->waiting[s->waiting_count - 1];
        if (s->open_count && s->open[0]->batch[s->open[0]->at].time < f->first)
            return;
        s->waiting_count--;
        struct reason why;
        int status;
        if (!start(s, f, SOURCE_BATCH, &why, &status) && !s->broken) {
            s->broken = true;
            s->why = why;
        }
        if (f->open)
            add_open(s, f);
    }
}

/* Frames in the order of time, until one file's batch is used up: its next one moves its window, so it has to wait for the next call. */
static size_t merge(struct source *s, struct frame *frames, size_t most)
{
    size_t n = 0;
    while (n < most) {
        struct file *f = s->open[0];
        if (s->waiting_count && s->waiting[s->waiting_count - 1]->first <= f->batch[f->at].time)
            break;
        frames[n++] = f->batch[f->at++];
        if (f->at == f->count)
            break;
        sift_down(s, 0);
    }
    return n;
}

size_t source_read(struct source *s, struct frame *frames, size_t most)
{
    for (;;) {
        if (s->stop && *s->stop)
            return 0;
        struct file *last = s->open_count == 1 && s->waiting_count == 0 ? s->open[0] : NULL;
        if (last && last->at == last->count) { /* nothing to be merged with */
            size_t n = read_frames(s, last, frames, most);
            s->open_count = n > 0;
            return n;
        }
        if (s->open_count) {
            struct file *f = s->open[0];
            assert(f);
            if (f->at == f->count && !refill(s, f, SOURCE_BATCH))
                s->open[0] = s->open[--s->open_count];
            if (s->open_count)
                sift_down(s, 0);
        }
        open_due(s);
        if (s->open_count == 0)
            return 0;
        size_t n = merge(s, frames, most);
        if (n)
            return n;
    }
}

bool source_result(const struct source *s, struct reason *why, int *status)
{
    if (!s->broken)
        return true;
    *status = EX_DATAERR;
    if (why)
        *why = s->why;
    return false;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->file_count; i++)
        shut(&s->files[i]);
    free(s->files);
    free(s->open);
    free(s->waiting);
    free(s);
}
