/* The door of the room, and its settings.  Frames come from source.c (files) or live.c (interfaces), go through decode.c, and what is TCP
 * goes to track.c. */
#include "capture/capture.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/decode.h"
#include "capture/keep.h"
#include "capture/live.h"
#include "capture/source.h"
#include "capture/track.h"

#define INTERFACES 16 /* of one engine */

const struct setting capture_settings_list[] = {
    {NULL, "mail_ports", SETTING_PORTS, offsetof(struct capture_settings, mail_ports), "25, 465, 587, 2525, 10025, 10026, 24", 0, 0,
     "Ports of mail servers: connections to them are read as SMTP or LMTP from the first byte."},
    {"capture", "detect_other_ports", SETTING_BOOL, offsetof(struct capture_settings, detect_other_ports), "true", 0, 0,
     "Whether connections to other ports are looked at for SMTP, by their first lines and by nDPI."},
    {"capture", "flows", SETTING_COUNT, offsetof(struct capture_settings, flows), "524288", 16, 16777216,
     "TCP connections remembered at once; past it, the one silent longest is given up. Each in use takes 128 bytes, and the table 16."},
    {"capture", "reassembly", SETTING_SIZE, offsetof(struct capture_settings, reassembly_bytes), "64 MiB", 1 << 16, (double)(1ull << 40),
     "Memory for segments that came early, of all connections, in bytes."},
    {"capture", "idle", SETTING_SECONDS, offsetof(struct capture_settings, idle), "900", 1, 86400,
     "Silence after which a connection counts as ended; RFC 5321 lets a mail server think for ten minutes; in seconds."},
    {"capture", "reorder", SETTING_SECONDS, offsetof(struct capture_settings, reorder), "200 ms", 0, 60,
     "How late a packet may be captured, once the other side has acknowledged it, before its bytes count as lost, in seconds."},
    {"capture", "fragments", SETTING_COUNT, offsetof(struct capture_settings, fragments), "1024", 1, 1048576,
     "Fragmented IP datagrams being put together at once."},
    {"capture", "evidence_ring", SETTING_SIZE, offsetof(struct capture_settings, ring_bytes), "64 MiB", 0, (double)(1ull << 40),
     "Memory for the most recent packets of mail connections, from which evidence is cut; 0 keeps none; in bytes."},
};
const size_t capture_settings_count = sizeof capture_settings_list / sizeof *capture_settings_list;

const struct setting interface_settings_list[] = {
    {"interface", "buffer", SETTING_SIZE, offsetof(struct interface_settings, buffer), "128 MiB", 1 << 20, (double)(4ull << 30),
     "The kernel's ring for captured packets, in bytes."},
    {"interface", "snaplen", SETTING_SIZE, offsetof(struct interface_settings, snaplen), "262144", 64, 262144,
     "Bytes captured of each packet; less than the packet's size makes gaps."},
    {"interface", "poll", SETTING_SECONDS, offsetof(struct interface_settings, poll), "20 ms", 0.001, 1,
     "How long the kernel may keep packets back to hand over many at once, in seconds."},
    {"interface", "promiscuous", SETTING_BOOL, offsetof(struct interface_settings, promiscuous), "true", 0, 0,
     "Whether the card takes packets that are not for it; a mirror port needs it."},
};
const size_t interface_settings_count = sizeof interface_settings_list / sizeof *interface_settings_list;

struct capture {
    struct capture_settings settings;
    struct capture_sink sink;
    struct capture_counters counters;
    struct decoder *decoder;
    struct tracker *tracker;
    struct source *source; /* files being read; NULL: none */
    struct live *live[INTERFACES];
    size_t interfaces;
    int64_t drops_read; /* ns of packet time */
    int wake;           /* eventfd: capture_stop() ends a poll */
    atomic_bool stopped;
};

struct capture *capture_new(const struct capture_settings *settings, const struct capture_sink *sink)
{
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->settings = *settings;
    c->sink = *sink;
    c->drops_read = TIME_UNKNOWN;
    c->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->decoder = decode_new((size_t)settings->fragments, &c->counters);
    c->tracker = track_new(&c->settings, &c->sink, &c->counters);
    if (c->wake < 0 || !c->decoder || !c->tracker) {
        capture_free(c);
        return NULL;
    }
    return c;
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->interfaces; i++)
        live_close(c->live[i]);
    source_close(c->source);
    track_free(c->tracker);
    decode_free(c->decoder);
    if (c->wake >= 0)
        close(c->wake);
    free(c);
}

/* All frames of a batch are decoded before the first is worked on, so that what each needs can be fetched ahead. */
static void take_frames(void *user, const struct frame *frames, size_t n)
{
    struct capture *c = user;
    struct tracked tracked[SOURCE_BATCH];
    const struct flow_index index = *track_index(c->tracker); /* at the start of the batch: good enough to look ahead */
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        struct tracked *p = &tracked[i];
        p->captured = frames[i].captured;
        p->tcp = decode_frame(c->decoder, &frames[i], &p->packet);
        if (!p->tcp)
            continue;
        track_look(&index, p);
        const uint8_t *tcp = p->packet.tcp.p;
        if (tcp < frames[i].p || tcp >= frames[i].p + frames[i].captured) { /* put together from fragments: gone with the next frame */
            track_packets(c->tracker, tracked + done, i + 1 - done);
            done = i + 1;
        }
    }
    track_packets(c->tracker, tracked + done, n - done);
}

bool capture_open_files(struct capture *c, const char *const paths[], size_t count, struct reason *why, int *status)
{
    assert(!c->source);
    c->source = source_open(paths, count, &c->stopped, why, status);
    return c->source != NULL;
}

bool capture_read(struct capture *c, struct reason *why, int *status)
{
    struct frame frames[SOURCE_BATCH];
    for (size_t n; (n = source_read(c->source, frames, SOURCE_BATCH)) > 0;)
        take_frames(c, frames, n);
    bool whole = source_result(c->source, why, status);
    source_close(c->source);
    c->source = NULL;
    return whole;
}

bool capture_files(struct capture *c, const char *const paths[], size_t count, struct reason *why, int *status)
{
    return capture_open_files(c, paths, count, why, status) && capture_read(c, why, status);
}

bool capture_interface(struct capture *c, const struct interface_settings *i, struct reason *why, int *status)
{
    if (c->interfaces == INTERFACES) {
        *status = 78;
        return reason_say(why, "%s: at most %d interfaces can be watched", i->name, INTERFACES);
    }
    struct live *l = live_open(i, why, status);
    if (!l)
        return false;
    c->live[c->interfaces++] = l;
    return true;
}

static void read_drops(struct capture *c)
{
    int64_t now = track_now(c->tracker);
    if (c->drops_read != TIME_UNKNOWN && now >= c->drops_read && now - c->drops_read < NS_PER_SECOND)
        return;
    c->drops_read = now;
    for (size_t i = 0; i < c->interfaces; i++)
        live_drops(c->live[i], &c->counters);
}

bool capture_poll(struct capture *c, int64_t timeout, struct reason *why)
{
    struct pollfd wait[INTERFACES + 1];
    for (size_t i = 0; i < c->interfaces; i++)
        wait[i] = (struct pollfd){.fd = live_descriptor(c->live[i]), .events = POLLIN};
    wait[c->interfaces] = (struct pollfd){.fd = c->wake, .events = POLLIN};
    struct timespec most = {.tv_sec = timeout / NS_PER_SECOND, .tv_nsec = timeout % NS_PER_SECOND};
    if (ppoll(wait, c->interfaces + 1, &most, NULL) < 0 && errno != EINTR)
        return reason_say(why, "waiting for packets failed: %s", strerror(errno));
    for (size_t i = 0; i < c->interfaces && !c->stopped; i++)
        if (live_read(c->live[i], take_frames, c, why) < 0)
            return false;
    read_drops(c);
    return true;
}

void capture_quiet(struct capture *c, int64_t now)
{
    if (track_now(c->tracker) == TIME_UNKNOWN || now > track_now(c->tracker))
        track_time(c->tracker, now);
}

bool capture_fanout(struct capture *c, uint16_t group, struct reason *why)
{
    for (size_t i = 0; i < c->interfaces; i++)
        if (!live_fanout(c->live[i], (uint16_t)(group + i), why))
            return false;
    return true;
}

void capture_stop(struct capture *c)
{
    c->stopped = true;
    for (size_t i = 0; i < c->interfaces; i++)
        live_stop(c->live[i]);
    uint64_t one = 1;
    ssize_t written = write(c->wake, &one, sizeof one); /* fails only when it has been written already */
    (void)written;
}

void capture_finish(struct capture *c, int64_t now)
{
    decode_finish(c->decoder);
    for (size_t i = 0; i < c->interfaces; i++)
        live_drops(c->live[i], &c->counters);
    track_finish(c->tracker, now == INT64_MIN ? track_now(c->tracker) : now);
}

size_t capture_evidence(const struct capture *c, const struct evidence_wish *wishes, size_t count, struct span comment, FILE *to)
{
    const struct keep *k = track_keep(c->tracker);
    return k ? keep_write(k, wishes, count, comment, to) : 0;
}

const struct capture_counters *capture_counters(const struct capture *c)
{
    return &c->counters;
}

int64_t capture_first_time(const struct capture *c)
{
    return track_first(c->tracker);
}

int64_t capture_now(const struct capture *c)
{
    return track_now(c->tracker);
}

double capture_mirror_copies(const struct capture *c)
{
    return track_copies(c->tracker);
}
