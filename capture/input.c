/* In: a file, a pipe or standard input, plain or packed.  Out: its unpacked bytes in a window, to pcapfile.c and pcapng.c.
 * read(2) into a window that stays in the cache beats mmap(2), which faults on every page and makes the file count as memory. */
#include "capture/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define PACKED_BYTES ((size_t)1 << 19)
#define READ_MOST ((size_t)1 << 18) /* bytes at once: most of them are still in the core's own cache when they are looked at */

static_assert(READ_MOST + INFLATE_MAGIC <= PACKED_BYTES, "what look_packed() moves there");

static bool open_failed(const char *path, int error, struct reason *why, int *status)
{
    const char *advice;
    switch (error) {
    case EACCES:
    case EPERM:
        *status = EX_NOPERM;
        advice = "run as a user who may read it, or change its permissions";
        break;
    case EISDIR:
        *status = EX_NOINPUT;
        advice = "name the capture files in it";
        break;
    case ENOENT:
    case ENOTDIR:
        *status = EX_NOINPUT;
        advice = "check the name";
        break;
    default:
        *status = EX_OSERR;
        advice = "see to that and try again";
        break;
    }
    return reason_say(why, "%s: cannot be opened: %s; %s", path, strerror(error), advice);
}

/* Some bytes of the file itself; 0: the end, or a failure. */
static size_t read_some(struct input *in, uint8_t *to, size_t room)
{
    while (in->fd >= 0) {
        ssize_t n = read(in->fd, to, room);
        if (n > 0)
            return (size_t)n;
        if (n == 0 || (errno == EINTR && in->stop && *in->stop))
            break;
        if (errno != EINTR) {
            in->failure = strerror(errno);
            break;
        }
    }
    return 0;
}

/* Some unpacked bytes; 0: the end, or a failure. */
static size_t unpack_some(struct input *in, uint8_t *to, size_t room)
{
    for (;;) {
        size_t made = 0;
        in->failure = inflate_step(in->inflate, &in->rest, to, room, &made);
        if (made || in->failure)
            return made;
        if (in->rest.n)
            continue;
        in->rest = span_of(in->packed, read_some(in, in->packed, PACKED_BYTES));
        if (in->rest.n == 0) {
            if (!in->failure && !inflate_whole(in->inflate))
                in->failure = "the compressed data ends too early";
            return 0;
        }
    }
}

bool input_fill(struct input *in, size_t n)
{
    assert(n <= INPUT_WINDOW);
    memmove(in->window, in->window + in->at, in->end - in->at);
    in->end -= in->at;
    in->at = 0;
    while (in->end < n && !in->ended) {
        uint8_t *to = in->window + in->end;
        size_t room = INPUT_WINDOW - in->end, most = room < READ_MOST ? room : READ_MOST;
        size_t got = in->inflate ? unpack_some(in, to, most) : read_some(in, to, most);
        in->end += got;
        in->ended = got == 0 || in->failure;
    }
    return in->end >= n;
}

bool input_skip(struct input *in, uint64_t n)
{
    while (n > in->end - in->at) {
        n -= in->end - in->at;
        in->at = in->end;
        if (!input_fill(in, 1))
            return false;
    }
    in->at += (size_t)n;
    return true;
}

/* Moves what stands in the window to the packed side, when it is the start of a packed stream. */
static bool look_packed(struct input *in)
{
    input_fill(in, INFLATE_MAGIC);
    enum inflate_form form = inflate_form(span_of(in->window, in->end));
    if (form == INFLATE_NONE)
        return true;
    in->inflate = inflate_new(form);
    in->packed = malloc(PACKED_BYTES);
    if (!in->inflate || !in->packed)
        return false;
    memcpy(in->packed, in->window, in->end);
    in->rest = span_of(in->packed, in->end);
    in->end = 0;
    in->ended = false;
    return true;
}

bool input_open(struct input *in, const char *path, const atomic_bool *stop, struct reason *why, int *status)
{
    *in = (struct input){.fd = -1, .stop = stop};
    bool standard = strcmp(path, "-") == 0;
    in->fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (in->fd < 0)
        return open_failed(path, errno, why, status);
    struct stat st;
    if (fstat(in->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            input_close(in);
            return open_failed(path, EISDIR, why, status);
        }
        if (S_ISREG(st.st_mode)) {
            in->regular = !standard;
            posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only a hint */
        }
    }
    in->window = malloc(INPUT_WINDOW);
    if (!in->window || !look_packed(in)) {
        input_close(in);
        return open_failed(path, ENOMEM, why, status);
    }
    return true;
}

void input_close(struct input *in)
{
    if (in->fd >= 0)
        close(in->fd);
    in->fd = -1;
    free(in->window);
    free(in->packed);
    inflate_free(in->inflate);
    in->window = in->packed = NULL;
    in->inflate = NULL;
    in->at = in->end = 0;
    in->ended = true;
}
