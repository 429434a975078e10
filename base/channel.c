/* In: messages of this process.  Out: the same messages in the process at the other end of the socket.  A frame is struct frame_head, then
 * the body; a descriptor travels with the first byte of its frame's head. */
#include "base/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)

struct frame_head {
    uint32_t type, length; /* of the body, bytes */
    uint32_t has_descriptor;
};

struct queued {
    struct queued *next;
    size_t size, sent;
    int descriptor; /* ours, to be sent with the first byte; -1 none */
    uint8_t bytes[];
};

struct channel {
    int fd;
    bool broken;
    size_t most_frame, most_queued, queued_bytes;
    struct queued *first, **last;
    uint8_t *in; /* what has arrived of frames not yet whole */
    size_t in_size, in_used;
    int descriptors[8]; /* arrived, not yet claimed by their frames, in order */
    size_t descriptor_count;
};

bool channel_pair(int fd[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0;
}

struct channel *channel_new(int fd, size_t most_frame, size_t most_queued)
{
    struct channel *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct channel){.fd = fd, .most_frame = most_frame, .most_queued = most_queued, .in_size = READ_BYTES};
    c->last = &c->first;
    c->in = malloc(c->in_size);
    if (c->in)
        return c;
    free(c);
    return NULL;
}

static void queue_drop_first(struct channel *c)
{
    struct queued *q = c->first;
    c->first = q->next;
    if (!c->first)
        c->last = &c->first;
    c->queued_bytes -= q->size;
    if (q->descriptor >= 0)
        close(q->descriptor);
    free(q);
}

void channel_free(struct channel *c)
{
    if (!c)
        return;
    while (c->first)
        queue_drop_first(c);
    for (size_t i = 0; i < c->descriptor_count; i++)
        close(c->descriptors[i]);
    close(c->fd);
    free(c->in);
    free(c);
}

int channel_descriptor(const struct channel *c)
{
    return c->fd;
}

bool channel_wants_write(const struct channel *c)
{
    return c->first != NULL;
}

bool channel_send(struct channel *c, uint32_t type, struct span body, int fd)
{
    struct frame_head head = {type, (uint32_t)body.n, fd >= 0};
    if (c->broken || body.n > c->most_frame || c->queued_bytes + sizeof head + body.n > c->most_queued)
        return false;
    struct queued *q = malloc(sizeof *q + sizeof head + body.n);
    int descriptor = fd >= 0 ? dup(fd) : -1;
    if (!q || (fd >= 0 && descriptor < 0)) {
        free(q);
        if (descriptor >= 0)
            close(descriptor);
        return false;
    }
    *q = (struct queued){.size = sizeof head + body.n, .descriptor = descriptor};
    memcpy(q->bytes, &head, sizeof head);
    if (body.n)
        memcpy(q->bytes + sizeof head, body.p, body.n);
    *c->last = q;
    c->last = &q->next;
    c->queued_bytes += q->size;
    return channel_flush(c);
}

static ssize_t send_some(int fd, const struct queued *q)
{
    struct iovec io = {.iov_base = (void *)(uintptr_t)(q->bytes + q->sent), .iov_len = q->size - q->sent};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    if (q->sent == 0 && q->descriptor >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof control.room;
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &q->descriptor, sizeof(int));
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool channel_flush(struct channel *c)
{
    while (c->first && !c->broken) {
        struct queued *q = c->first;
        ssize_t n = send_some(c->fd, q);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n < 0) {
            c->broken = true;
            break;
        }
        q->sent += (size_t)n;
        if (q->sent == q->size)
            queue_drop_first(c);
    }
    return !c->broken;
}

/* Keeps the descriptors that came with the bytes; more than a frame each, or more than we hold, is not our protocol. */
static bool take_descriptors(struct channel *c, struct msghdr *m)
{
    bool good = (m->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (c->descriptor_count < sizeof c->descriptors / sizeof c->descriptors[0])
                c->descriptors[c->descriptor_count++] = fd;
            else {
                close(fd);
                good = false;
            }
        }
    }
    return good;
}

static bool read_some(struct channel *c, bool *more)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec io = {.iov_base = c->in + c->in_used, .iov_len = c->in_size - c->in_used};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *more = n > 0;
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    c->in_used += (size_t)n;
    return take_descriptors(c, &m) && n > 0;
}

/* The buffer grows to hold the frame that has begun, never over the bound. */
static bool make_room(struct channel *c, size_t whole)
{
    if (whole <= c->in_size)
        return true;
    uint8_t *more = realloc(c->in, whole);
    if (!more)
        return false;
    c->in = more;
    c->in_size = whole;
    return true;
}

static bool hand_out(struct channel *c, void (*got)(void *, uint32_t, struct span, int), void *user)
{
    size_t at = 0;
    bool good = true;
    struct frame_head head;
    while (good && c->in_used - at >= sizeof head) {
        memcpy(&head, c->in + at, sizeof head);
        if (head.length > c->most_frame || (head.has_descriptor && c->descriptor_count == 0))
            good = false;
        else if (c->in_used - at - sizeof head < head.length) {
            good = make_room(c, sizeof head + head.length + READ_BYTES);
            break;
        } else {
            int fd = -1;
            if (head.has_descriptor) {
                fd = c->descriptors[0];
                memmove(c->descriptors, c->descriptors + 1, --c->descriptor_count * sizeof c->descriptors[0]);
            }
            got(user, head.type, span_of(c->in + at + sizeof head, head.length), fd);
            at += sizeof head + head.length;
        }
    }
    memmove(c->in, c->in + at, c->in_used - at);
    c->in_used -= at;
    return good;
}

bool channel_receive(struct channel *c, void (*got)(void *user, uint32_t type, struct span body, int fd), void *user)
{
    bool more = true;
    while (more && !c->broken) {
        bool alive = read_some(c, &more);
        if (!hand_out(c, got, user) || !alive)
            c->broken = true;
    }
    return !c->broken;
}
