/* In: capture files.  Out: what capture/ alone costs on them, with a receiver that only counts: nanoseconds a packet, to be held against
 * tests/bench/bare on the same file.  `capture_bench FILE...`; `make capture-bench FILES=...`. */
#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv)
{
    static struct capture_settings settings;
    const struct setting_group group = {.list = capture_settings_list, .count = capture_settings_count, .values = &settings};
    struct reason why = {""};
    struct seen seen = {0};
    int status = 0;
    if (argc < 2) {
        fputs("usage: capture_bench FILE...\n", stderr);
        return 64;
    }
    config_defaults(&group, 1);
    settings.ring_bytes = 0;
    hash_seed(1);
    struct capture_sink sink = {.open = seen_open, .bytes = seen_bytes, .gap = seen_gap, .end = seen_end, .tick = seen_tick, .user = &seen};
    int64_t began = clock_monotonic();
    struct capture *c = capture_new(&settings, &sink);
    if (!c || !capture_files(c, (const char *const *)argv + 1, (size_t)argc - 1, &why, &status)) {
        fprintf(stderr, "capture_bench: %s\n", why.text);
        return status ? status : 71;
    }
    capture_finish(c, INT64_MIN);
    int64_t took = clock_monotonic() - began;
    uint64_t packets = capture_counters(c)->packets;
    printf("%llu packets, %.1f ns each; %llu connections, %llu pieces of %llu bytes, %llu gaps of %llu bytes, %llu ends\n",
        (unsigned long long)packets, packets ? (double)took / (double)packets : 0, (unsigned long long)seen.connections,
        (unsigned long long)seen.pieces, (unsigned long long)seen.bytes, (unsigned long long)seen.gaps, (unsigned long long)seen.gap_bytes,
        (unsigned long long)seen.ends);
    capture_free(c);
    return 0;
}
