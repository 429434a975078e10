/* base/channel and base/ring: nothing lost, nothing twice, nothing past a bound, across processes' and threads' borders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/ring.h"

struct inbox {
    size_t frames, bytes;
    uint32_t last_type;
    int descriptor;
};

static void got(void *user, uint32_t type, struct span body, int fd)
{
    struct inbox *in = user;
    in->frames++;
    in->bytes += body.n;
    in->last_type = type;
    for (size_t i = 0; i < body.n; i++)
        assert_int_equal(body.p[i], (uint8_t)(type + i));
    if (fd >= 0)
        in->descriptor = fd;
}

static struct span body_of(uint32_t type, size_t n)
{
    static uint8_t bytes[100000];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(type + i);
    return span_of(bytes, n);
}

static void frames_of_all_sizes(void **state)
{
    (void)state;
    int fd[2];
    assert_true(channel_pair(fd));
    struct channel *a = channel_new(fd[0], 100000, 1 << 20), *b = channel_new(fd[1], 100000, 1 << 20);
    struct inbox in = {.descriptor = -1};
    size_t sent = 0, bytes = 0;
    for (uint32_t n = 0; n <= 100000; n = n * 2 + 1) {
        while (!channel_send(a, n, body_of(n, n), -1))
            assert_true(channel_receive(b, got, &in));
        sent++;
        bytes += n;
    }
    while (in.frames < sent) {
        assert_true(channel_flush(a));
        assert_true(channel_receive(b, got, &in));
    }
    assert_int_equal(in.bytes, bytes);
    assert_false(channel_wants_write(a));
    assert_false(channel_send(a, 1, body_of(1, 100000).p ? span_of(body_of(1, 1).p, 100001) : span_of(NULL, 0), -1)); /* over the bound */
    channel_free(a);
    assert_false(channel_receive(b, got, &in)); /* the other end is gone */
    assert_false(channel_send(b, 1, body_of(1, 1), -1) && channel_flush(b));
    channel_free(b);
}

static void descriptor_travels(void **state)
{
    (void)state;
    int fd[2], pipe_fd[2];
    assert_true(channel_pair(fd));
    assert_int_equal(pipe(pipe_fd), 0);
    struct channel *a = channel_new(fd[0], 1000, 4000), *b = channel_new(fd[1], 1000, 4000);
    struct inbox in = {.descriptor = -1};
    assert_true(channel_send(a, 3, body_of(3, 10), -1));
    assert_true(channel_send(a, 7, body_of(7, 10), pipe_fd[1]));
    close(pipe_fd[1]);
    assert_true(channel_receive(b, got, &in));
    assert_int_equal(in.frames, 2);
    assert_true(in.descriptor >= 0);
    assert_int_equal(write(in.descriptor, "x", 1), 1);
    close(in.descriptor);
    char c[2];
    assert_int_equal(read(pipe_fd[0], c, 2), 1);
    assert_int_equal(read(pipe_fd[0], c, 2), 0); /* nobody else holds it */
    close(pipe_fd[0]);
    channel_free(a);
    channel_free(b);
}

static void full_queue_refuses(void **state)
{
    (void)state;
    int fd[2];
    assert_true(channel_pair(fd));
    struct channel *a = channel_new(fd[0], 100000, 300000), *b = channel_new(fd[1], 100000, 300000);
    struct inbox in = {.descriptor = -1};
    size_t sent = 0;
    while (channel_send(a, 5, body_of(5, 90000), -1))
        assert_true(++sent < 100);
    while (in.frames < sent) {
        assert_true(channel_receive(b, got, &in));
        assert_true(channel_flush(a));
    }
    assert_true(channel_send(a, 5, body_of(5, 90000), -1)); /* room again */
    channel_free(a);
    channel_free(b);
}

static void nonsense_closes(void **state)
{
    (void)state;
    static const uint32_t bad[][3] = {{1, UINT32_MAX, 0}, {1, 1001, 0}, {1, 0, 1}};
    for (size_t i = 0; i < 3; i++) {
        int fd[2];
        assert_true(channel_pair(fd));
        struct channel *b = channel_new(fd[1], 1000, 1000);
        struct inbox in = {.descriptor = -1};
        assert_int_equal(write(fd[0], bad[i], sizeof bad[i]), sizeof bad[i]);
        assert_false(channel_receive(b, got, &in));
        assert_int_equal(in.frames, 0);
        channel_free(b);
        close(fd[0]);
    }
}

#define RECORDS 300000

static void *ring_writer(void *arg)
{
    struct ring *r = arg;
    for (uint64_t i = 0; i < RECORDS;) {
        size_t n = 8 + i * 7 % 900;
        uint8_t *p = ring_reserve(r, n);
        if (!p)
            continue;
        memcpy(p, &i, 8);
        memset(p + 8, (int)(i & 0xff), n - 8);
        ring_commit(r, n);
        i++;
    }
    return NULL;
}

static void check_record(struct span s, uint64_t i)
{
    uint64_t said;
    memcpy(&said, s.p, 8);
    assert_int_equal(said, i);
    assert_int_equal(s.n, 8 + i * 7 % 900);
    for (size_t k = 8; k < s.n; k += 97)
        assert_int_equal(s.p[k], (uint8_t)i);
}

#define AHEAD 5

/* The reader reads up to `ahead` records before it releases the first of them. */
static void keeps_order(size_t bytes, uint64_t ahead)
{
    struct ring *r = ring_new(bytes);
    struct span held[AHEAD];
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, ring_writer, r), 0);
    for (uint64_t i = 0, released = 0; released < RECORDS;) {
        struct span s = ring_peek(r);
        if (s.p) {
            check_record(s, i);
            held[i++ % AHEAD] = s;
            ring_pass(r);
        } else if (i == released && ring_arm(r)) {
            poll(&(struct pollfd){.fd = ring_descriptor(r), .events = POLLIN}, 1, 1000);
        }
        if (i - released > (s.p ? ahead : 0)) {
            check_record(held[released % AHEAD], released);
            released++;
            ring_release(r);
        }
    }
    pthread_join(t, NULL);
    assert_null(ring_peek(r).p);
    assert_null(ring_reserve(r, bytes / 2)); /* with its length over half of it */
    ring_free(r);
}

static void ring_keeps_order(void **state)
{
    (void)state;
    keeps_order(65536, 0);
    keeps_order(65536, AHEAD - 1);
    keeps_order((size_t)8 << 20, 1);
    ring_free(NULL);
}

/* A reader that keeps up is always handed the same two megabytes; one that does not gets all there is, and then the first ones again. */
static void ring_uses_what_it_needs(void **state)
{
    (void)state;
    const size_t size = (size_t)8 << 20, n = 1000;
    struct ring *r = ring_new(size);
    const uint8_t *first = ring_reserve(r, n), *p;
    for (size_t written = 0; written < 5 * size; written += n) {
        p = ring_reserve(r, n);
        assert_non_null(p);
        assert_true(p >= first && p + n <= first + size / 4);
        ring_commit(r, n);
        assert_ptr_equal(ring_peek(r).p, p);
        ring_pass(r);
        ring_release(r);
    }
    size_t records = 0;
    for (; (p = ring_reserve(r, n)) != NULL; records++)
        ring_commit(r, n);
    assert_true(records * n > size * 3 / 4);
    for (; ring_peek(r).p; records--) {
        ring_pass(r);
        ring_release(r);
    }
    assert_int_equal(records, 0);
    for (size_t written = 0; written < size; written += n, ring_release(r)) {
        p = ring_reserve(r, n);
        assert_non_null(p);
        ring_commit(r, n);
        assert_ptr_equal(ring_peek(r).p, p);
        ring_pass(r);
    }
    assert_true(p + n <= first + size / 4);
    ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(frames_of_all_sizes), cmocka_unit_test(descriptor_travels),
        cmocka_unit_test(full_queue_refuses), cmocka_unit_test(nonsense_closes), cmocka_unit_test(ring_keeps_order),
        cmocka_unit_test(ring_uses_what_it_needs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
