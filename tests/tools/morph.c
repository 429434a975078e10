/* In: a capture.  Out: the same traffic as a worse mirror would show it; the SMTP in it is the same, so the answer must be.
 *
 *   morph HOW IN.pcap OUT.pcap
 *   dup           every packet twice (a mirror of both directions of a port)
 *   vlan          a copy of every packet with a VLAN tag, one hop further on (a mirror of two segments)
 *   reorder:SEED  packets change places with others within a millisecond, four at most; times stay in order
 *   nat:ADDRESS   packets of this IPv4 address once more as 198.51.100.7 and with other ports: both sides of a translation
 *   loss:N:SEED   N of 100 packets are missing
 *   deal:0 deal:1 every other packet, beginning with the first, with the second
 *   cut:SECONDS   the first SECONDS are missing: a sensor started late
 *   view:ADDRESS  only packets of this IPv4 address: a mirror of its link alone
 *
 * Ethernet, IPv4 and TCP only; whatever else there is goes through unchanged.  Pseudo-random by the seed alone, the same each time. */
#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "tests/tools/wire.h"

enum { WINDOW = 4, ETHERNET = 14, TAG = 4 };

static pcap_dumper_t *out;
static uint64_t random_state;
static struct address chosen; /* nat's, view's */

/* splitmix64 (Vigna): the same numbers on every machine. */
static uint64_t random_next(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void write_at(int64_t time, const uint8_t *frame, size_t n)
{
    struct pcap_pkthdr h = {.ts = {time / NS_PER_SECOND, time % NS_PER_SECOND}, .caplen = (bpf_u_int32)n, .len = (bpf_u_int32)n};
    pcap_dump((u_char *)out, &h, frame);
}

/* The IPv4 header of a TCP packet in an Ethernet frame, or NULL. */
static uint8_t *tcp_over_ipv4(uint8_t *frame, size_t n)
{
    if (n < ETHERNET + 40 || wire_get16(frame + 12) != 0x0800)
        return NULL;
    uint8_t *ip = frame + ETHERNET;
    size_t head = (size_t)(ip[0] & 15) * 4;
    return ip[9] == 6 && head >= 20 && n >= ETHERNET + head + 20 && !(wire_get16(ip + 6) & 0x3fff) ? ip : NULL;
}

/* One router further on: TTL and MAC addresses. */
static void hop(uint8_t *frame, uint8_t *ip)
{
    frame[5] ^= 0x40;
    frame[11] ^= 0x40;
    ip[8]--;
    wire_ip_sum(ip);
}

static void twin(int64_t time, const uint8_t *frame, size_t n)
{
    write_at(time, frame, n);
    write_at(time + 1000, frame, n);
}

static void tagged(int64_t time, const uint8_t *frame, size_t n)
{
    write_at(time, frame, n);
    uint8_t *copy = malloc(n + TAG);
    if (!copy || n < ETHERNET) {
        free(copy);
        return;
    }
    memcpy(copy, frame, n);
    uint8_t *ip = tcp_over_ipv4(copy, n);
    if (ip)
        hop(copy, ip);
    memmove(copy + 12 + TAG, copy + 12, n - 12);
    wire_put16(copy + 12, 0x8100);
    wire_put16(copy + 14, 77);
    write_at(time + 2000, copy, n + TAG);
    free(copy);
}

static void both_sides(int64_t time, const uint8_t *frame, size_t n)
{
    static const uint8_t outside[4] = {198, 51, 100, 7};
    write_at(time, frame, n);
    uint8_t *copy = malloc(n);
    if (!copy)
        return;
    memcpy(copy, frame, n);
    uint8_t *ip = tcp_over_ipv4(copy, n);
    bool from = ip && memcmp(ip + 12, chosen.b + 12, 4) == 0, to = ip && memcmp(ip + 16, chosen.b + 12, 4) == 0;
    if (from || to) {
        size_t head = (size_t)(ip[0] & 15) * 4, whole = wire_get16(ip + 2);
        uint8_t *tcp = ip + head, *port = from ? tcp : tcp + 2;
        memcpy(from ? ip + 12 : ip + 16, outside, 4);
        if (wire_get16(port) >= 1024) /* a client's port is translated, a server's stays */
            wire_put16(port, 1024 + (wire_get16(port) + 4711) % 60000);
        hop(copy, ip);
        if (whole >= head + 20 && ETHERNET + whole <= n)
            wire_tcp_sum(tcp, whole - head, ip + 12, ip + 16, 4);
        write_at(time + 3000, copy, n);
    }
    free(copy);
}

/* Packets held back, in order of coming; a random one of them goes first. */
static struct {
    struct held {
        uint8_t *frame;
        size_t size;
        int64_t time;
    } held[WINDOW];
    size_t count;
    int64_t written; /* time of the last one that went */
} window;

static void window_release(int64_t now)
{
    size_t i = (size_t)(random_next() % window.count);
    struct held h = window.held[i];
    window.count--;
    memmove(window.held + i, window.held + i + 1, (window.count - i) * sizeof h);
    int64_t time = h.time > window.written ? h.time : window.written;
    window.written = time < now ? time : now;
    write_at(window.written, h.frame, h.size);
    free(h.frame);
}

static void shuffled(int64_t time, const uint8_t *frame, size_t n)
{
    while (window.count && (window.count == WINDOW || time - window.held[0].time > NS_PER_SECOND / 1000))
        window_release(time);
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        return;
    memcpy(copy, frame, n);
    window.held[window.count++] = (struct held){copy, n, time};
}

static void only_chosen(int64_t time, const uint8_t *frame, size_t n)
{
    if (n < ETHERNET + 40 || wire_get16(frame + 12) != 0x0800)
        return;
    const uint8_t *ip = frame + ETHERNET;
    if (memcmp(ip + 12, chosen.b + 12, 4) == 0 || memcmp(ip + 16, chosen.b + 12, 4) == 0)
        write_at(time, frame, n);
}

int main(int argc, char **argv)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    pcap_t *in = argc == 4 ? pcap_open_offline_with_tstamp_precision(argv[2], PCAP_TSTAMP_PRECISION_NANO, why) : NULL;
    pcap_t *form = in ? pcap_open_dead_with_tstamp_precision(pcap_datalink(in), 262144, PCAP_TSTAMP_PRECISION_NANO) : NULL;
    out = form ? pcap_dump_open(form, argv[3]) : NULL;
    if (!out) {
        fprintf(stderr,
            "usage: morph dup|vlan|reorder:SEED|nat:ADDRESS|loss:N:SEED|cut:SECONDS|view:ADDRESS|deal:0|deal:1 IN.pcap OUT.pcap %s\n", why);
        return 64;
    }
    char *how = argv[1], *first = strchr(how, ':'), *second = first ? strchr(first + 1, ':') : NULL;
    unsigned long n = first ? strtoul(first + 1, NULL, 10) : 0;
    random_state = second ? strtoul(second + 1, NULL, 10) : n;
    if ((*how == 'n' || strncmp(how, "view", 4) == 0) && (!first || !address_parse(span_text(first + 1), &chosen))) {
        fprintf(stderr, "morph: '%s' names no address\n", how);
        return 64;
    }
    struct pcap_pkthdr *h;
    const u_char *frame;
    int64_t begin = TIME_UNKNOWN, time = 0;
    unsigned long index = ULONG_MAX; /* the first packet is 0 */
    while (pcap_next_ex(in, &h, &frame) == 1) {
        time = (int64_t)h->ts.tv_sec * NS_PER_SECOND + h->ts.tv_usec;
        if (begin == TIME_UNKNOWN)
            begin = time;
        index++;
        if (strncmp(how, "deal", 4) == 0) {
            if (index % 2 == n)
                write_at(time, frame, h->caplen);
            continue;
        }
        if (strncmp(how, "view", 4) == 0) {
            only_chosen(time, frame, h->caplen);
            continue;
        }
        switch (*how) {
        case 'd': twin(time, frame, h->caplen); break;
        case 'v': tagged(time, frame, h->caplen); break;
        case 'n': both_sides(time, frame, h->caplen); break;
        case 'r': shuffled(time, frame, h->caplen); break;
        case 'l':
            if (random_next() % 100 >= n)
                write_at(time, frame, h->caplen);
            break;
        case 'c':
            if (time - begin >= (int64_t)n * NS_PER_SECOND)
                write_at(time, frame, h->caplen);
            break;
        default: fprintf(stderr, "morph: '%s'?\n", how); return 64;
        }
    }
    while (window.count)
        window_release(time);
    pcap_dump_close(out);
    pcap_close(form);
    pcap_close(in);
    return 0;
}
