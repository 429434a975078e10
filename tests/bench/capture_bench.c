/* In: capture files, or an interface.  Out: what capture/ alone costs on them, with a receiver that only counts: nanoseconds of processor
 * time a packet; of a file, to be held against tests/bench/bare on it.  `make capture-bench FILES=...`.
 *
 *   capture_bench FILE...
 *   capture_bench -i INTERFACE      from its first packet until a second passes without any
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/hash.h"
#include "capture/capture.h"

struct seen {
    uint64_t connections, pieces, bytes, gaps, gap_bytes, ends;
};

static void *seen_open(void *user, const struct connection *c)
{
    (void)c;
    struct seen *s = user;
    s->connections++;
    return s;
}

static void seen_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    (void)from;
    (void)now;
    struct seen *s = session;
    s->pieces++;
    s->bytes += bytes.n;
}

static void seen_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    (void)from;
    (void)now;
    struct seen *s = session;
    s->gaps++;
    s->gap_bytes += n;
}

static void seen_end(void *session, enum end how, int64_t now)
{
    (void)how;
    (void)now;
    ((struct seen *)session)->ends++;
}

static void seen_tick(void *user, int64_t now)
{
    (void)user;
    (void)now;
}

static int64_t used(void) /* ns of processor time */
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static bool watch(struct capture *c, const char *name, int64_t *began, struct reason *why, int *status)
{
    struct interface_settings one;
    const struct setting_group group = {.list = interface_settings_list, .count = interface_settings_count, .values = &one};
    config_defaults(&group, 1);
    snprintf(one.name, sizeof one.name, "%s", name);
    if (!capture_interface(c, &one, why, status))
        return false;
    *began = used(); /* the kernel has cleared its ring */
    uint64_t before = 0;
    for (int64_t heard = clock_monotonic(); before == 0 || clock_monotonic() - heard < NS_PER_SECOND;) {
        if (!capture_poll(c, NS_PER_SECOND / 4, why))
            return false;
        if (capture_counters(c)->packets != before)
            heard = clock_monotonic();
        before = capture_counters(c)->packets;
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct capture_settings settings;
    const struct setting_group group = {.list = capture_settings_list, .count = capture_settings_count, .values = &settings};
    struct reason why = {""};
    struct seen seen = {0};
    int status = 0;
    if (argc < 2) {
        fputs("usage: capture_bench FILE... | -i INTERFACE\n", stderr);
        return 64;
    }
    config_defaults(&group, 1);
    settings.ring_bytes = 0;
    hash_seed(1);
    struct capture_sink sink = {.open = seen_open, .bytes = seen_bytes, .gap = seen_gap, .end = seen_end, .tick = seen_tick, .user = &seen};
    int64_t began = used();
    struct capture *c = capture_new(&settings, &sink);
    bool live = argc == 3 && strcmp(argv[1], "-i") == 0;
    const char *const *files = (const char *const *)argv + 1;
    if (!c || !(live ? watch(c, argv[2], &began, &why, &status) : capture_files(c, files, (size_t)argc - 1, &why, &status))) {
        fprintf(stderr, "capture_bench: %s\n", why.text);
        return status ? status : 71;
    }
    capture_finish(c, INT64_MIN);
    int64_t took = used() - began;
    const struct capture_counters *n = capture_counters(c);
    printf("%llu packets, %.1f ns each; %llu dropped, %llu connections, %llu pieces of %llu bytes, %llu gaps of %llu bytes, %llu ends\n",
        (unsigned long long)n->packets, n->packets ? (double)took / (double)n->packets : 0, (unsigned long long)n->kernel_drops,
        (unsigned long long)seen.connections, (unsigned long long)seen.pieces, (unsigned long long)seen.bytes,
        (unsigned long long)seen.gaps, (unsigned long long)seen.gap_bytes, (unsigned long long)seen.ends);
    capture_free(c);
    return 0;
}
