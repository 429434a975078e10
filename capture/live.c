/* In: a network interface.  Out: its frames, in place in the kernel's ring, to capture.c, and what was dropped on the way, to the counters.
 * tap.c reads it where it can; what it does not take, a link type of its own or another system's way, libpcap does, frame by frame, and it
 * says why when there is none.  (It takes TPACKET_V3 by itself, as long as no immediate mode is asked for; a timeout of 0 would deliver
 * nothing on a quiet link.) */
#include "capture/live.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/clock.h"
#include "capture/source.h"
#include "capture/tap.h"

#define FRAMES_A_READ 4096 /* so that a flooded interface cannot keep the others, and the clock, waiting */

struct live {
    struct tap *tap; /* NULL: by libpcap */
    atomic_bool stopped;
    pcap_t *pcap;
    char name[sizeof((struct interface_settings *)0)->name];
    uint32_t link;
    int64_t fraction; /* ns of a unit of the timestamps' second half */
    uint32_t kernel_drops, interface_drops; /* as last read: libpcap's counters have 32 bits */
    void (*take)(void *user, const struct frame *frames, size_t n);
    void *user;
};

static bool activation_failed(const struct live *l, int result, struct reason *why, int *status)
{
    const char *text = pcap_geterr(l->pcap);
    switch (result) {
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        *status = EX_NOPERM;
        return reason_say(why, "%s: cannot capture: CAP_NET_RAW is missing; start as root, or give the program that capability", l->name);
    case PCAP_ERROR_NO_SUCH_DEVICE:
        *status = EX_UNAVAILABLE;
        return reason_say(why, "%s: cannot capture: there is no such interface; `ip link` lists them", l->name);
    case PCAP_ERROR_IFACE_NOT_UP:
        *status = EX_UNAVAILABLE;
        return reason_say(why, "%s: cannot capture: the interface is down; `ip link set %s up`", l->name, l->name);
    default:
        *status = EX_UNAVAILABLE;
        return reason_say(why, "%s: cannot capture: %s; try a smaller buffer, or another interface", l->name,
                          text[0] ? text : pcap_statustostr(result));
    }
}

static int bounded(int64_t n)
{
    return n > INT_MAX ? INT_MAX : n < 1 ? 1 : (int)n;
}

static bool activate(struct live *l, const struct interface_settings *settings, struct reason *why, int *status)
{
    pcap_set_snaplen(l->pcap, bounded(settings->snaplen));
    pcap_set_promisc(l->pcap, settings->promiscuous);
    pcap_set_timeout(l->pcap, bounded(settings->poll / 1000000));
    pcap_set_buffer_size(l->pcap, bounded(settings->buffer));
    pcap_set_tstamp_precision(l->pcap, PCAP_TSTAMP_PRECISION_NANO); /* refused: microseconds */
    int result = pcap_activate(l->pcap);
    if (result < 0)
        return activation_failed(l, result, why, status);

    l->fraction = pcap_get_tstamp_precision(l->pcap) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
    l->link = (uint32_t)pcap_datalink(l->pcap);
    *status = EX_UNAVAILABLE;
    if (!link_known(l->link)) {
        const char *link = pcap_datalink_val_to_name((int)l->link);
        return reason_say(why, "%s: cannot capture: its link type %u (%s) is not one that Squall decodes; choose an Ethernet interface",
                          l->name, l->link, link ? link : "no name");
    }
    char error[PCAP_ERRBUF_SIZE];
    if (pcap_setnonblock(l->pcap, 1, error) < 0)
        return reason_say(why, "%s: cannot capture: %s; choose another interface", l->name, error);
    return true;
}

struct live *live_open(const struct interface_settings *settings, struct reason *why, int *status)
{
    char error[PCAP_ERRBUF_SIZE];
    struct live *l = calloc(1, sizeof *l);
    *status = EX_OSERR;
    if (!l) {
        reason_say(why, "%s: cannot capture: no memory; see to that and try again", settings->name);
        return NULL;
    }
    memcpy(l->name, settings->name, sizeof l->name);
    l->tap = tap_open(settings);
    if (l->tap)
        return l;
    l->pcap = pcap_create(l->name, error);
    if (!l->pcap)
        reason_say(why, "%s: cannot capture: %s; see to that and try again", l->name, error);
    else if (activate(l, settings, why, status))
        return l;
    live_close(l);
    return NULL;
}

void live_close(struct live *l)
{
    if (!l)
        return;
    tap_close(l->tap);
    if (l->pcap)
        pcap_close(l->pcap);
    free(l);
}

int live_descriptor(const struct live *l)
{
    return l->tap ? tap_descriptor(l->tap) : pcap_get_selectable_fd(l->pcap);
}

static void hand_over(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
    struct live *l = (void *)user;
    struct frame f = {
        .p = bytes,
        .captured = h->caplen < FRAME_MOST ? h->caplen : FRAME_MOST,
        .length = h->len < h->caplen ? h->caplen : h->len,
        .time = (int64_t)h->ts.tv_sec * NS_PER_SECOND + (int64_t)h->ts.tv_usec * l->fraction,
        .link = l->link,
    };
    l->take(l->user, &f, 1);
}

static int read_pcap(struct live *l, struct reason *why)
{
    int n = pcap_dispatch(l->pcap, FRAMES_A_READ, hand_over, (u_char *)l);
    if (n == PCAP_ERROR) {
        reason_say(why, "%s: capture ended: %s; bring the interface up again", l->name, pcap_geterr(l->pcap));
        return -1;
    }
    return n < 0 ? 0 : n;
}

static int read_tap(struct live *l, struct reason *why)
{
    struct frame frames[SOURCE_BATCH];
    int all = 0;
    for (size_t n; all < FRAMES_A_READ && !l->stopped && (n = tap_read(l->tap, frames, SOURCE_BATCH)) > 0; all += (int)n)
        l->take(l->user, frames, n);
    return all || tap_there(l->tap, why) ? all : -1;
}

int live_read(struct live *l, void (*take)(void *user, const struct frame *frames, size_t n), void *user, struct reason *why)
{
    l->take = take;
    l->user = user;
    return l->tap ? read_tap(l, why) : read_pcap(l, why);
}

void live_stop(struct live *l)
{
    l->stopped = true;
    if (l->pcap)
        pcap_breakloop(l->pcap);
}

/* What a 32-bit counter grew by.  It may fall to 0 when libpcap can no longer read it (chroot, sandbox): that is no growth. */
static uint32_t growth(uint32_t *last, uint32_t now)
{
    uint32_t n = now - *last;
    *last = now;
    return n > UINT32_MAX / 2 ? 0 : n;
}

void live_drops(struct live *l, struct capture_counters *counters)
{
    struct pcap_stat s;
    if (l->tap)
        tap_drops(l->tap, counters);
    else if (pcap_stats(l->pcap, &s) == 0) {
        counters->kernel_drops += growth(&l->kernel_drops, s.ps_drop);
        counters->interface_drops += growth(&l->interface_drops, s.ps_ifdrop);
    }
}

bool live_fanout(struct live *l, uint16_t group, struct reason *why)
{
    const uint32_t how = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG, argument = group | how << 16;
    if (setsockopt(l->tap ? tap_descriptor(l->tap) : pcap_fileno(l->pcap), SOL_PACKET, PACKET_FANOUT, &argument, sizeof argument) == 0)
        return true;
    return reason_say(why, "%s: cannot share the interface between workers: %s; run with one worker", l->name, strerror(errno));
}
