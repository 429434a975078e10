/* In: an interface.  Out: its frames in batches, in place in the ring that the kernel writes them to, to live.c.
 *
 * The ring is made of blocks; the kernel fills one after the other, and gives each over when it is full or has waited for as long as the
 * setting allows.  A block is given back when the frames of it have been dealt with, not before, so that frames can be looked at ahead; a
 * batch may lie in several. */
#include "capture/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/block.h"

#define BLOCK ((size_t)FRAME_MOST) /* so that every frame has room in one */
#define BLOCKS_LEAST 4             /* the kernel fills one while others are read */
#define NOT_TAKEN 2                /* /sys/class/net/NAME/statistics/...: what the card did not hand to the kernel */

struct tap {
    int fd;
    char name[sizeof((struct interface_settings *)0)->name];
    uint32_t link;
    uint8_t *ring;
    size_t blocks;
    size_t first, held;   /* the oldest block not given back; how many from it on have been read to their end */
    struct block block;   /* being read: the one behind those */
    bool reading;         /* there is one */
    bool down;            /* the interface was, when last heard of */
    uint64_t lost;        /* frames in blocks that make no sense */
    int not_taken[NOT_TAKEN];
    uint64_t not_taken_seen[NOT_TAKEN];
};

/* ---- opening */

static bool set(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0;
}

/* What frames on it begin with; false: a kind that libpcap knows better. */
static bool known_kind(struct tap *t, bool *loopback)
{
    struct ifreq r = {0};
    memcpy(r.ifr_name, t->name, sizeof r.ifr_name - 1);
    if (ioctl(t->fd, SIOCGIFHWADDR, &r) != 0)
        return false;
    char switched[128];
    snprintf(switched, sizeof switched, "/sys/class/net/%s/dsa/tagging", t->name);
    if (access(switched, F_OK) == 0) /* tags of a switch chip before the type */
        return false;
    *loopback = r.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
    t->link = r.ifr_hwaddr.sa_family == ARPHRD_NONE ? LINK_RAW : LINK_ETHERNET;
    return *loopback || r.ifr_hwaddr.sa_family == ARPHRD_ETHER || r.ifr_hwaddr.sa_family == ARPHRD_NONE;
}

static bool make_ring(struct tap *t, const struct interface_settings *settings)
{
    t->blocks = (size_t)settings->buffer / BLOCK;
    if (t->blocks < BLOCKS_LEAST)
        t->blocks = BLOCKS_LEAST;
    int64_t wait = settings->poll / 1000000;
    struct tpacket_req3 r = {
        .tp_block_size = BLOCK,
        .tp_block_nr = (unsigned)t->blocks,
        .tp_frame_size = BLOCK,
        .tp_frame_nr = (unsigned)t->blocks,
        .tp_retire_blk_tov = wait < 1 ? 1 : (unsigned)wait, /* 0 would be for the kernel to choose */
    };
    if (!set(t->fd, PACKET_VERSION, TPACKET_V3) || setsockopt(t->fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r) != 0)
        return false;
    void *ring = mmap(NULL, t->blocks * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
    t->ring = ring == MAP_FAILED ? NULL : ring;
    return t->ring != NULL;
}

/* What is not to be captured is not copied either. */
static bool cut(int fd, uint32_t snaplen)
{
    struct sock_filter take = {.code = BPF_RET | BPF_K, .k = snaplen};
    struct sock_fprog program = {.len = 1, .filter = &take};
    return snaplen >= FRAME_MOST || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

static bool attach(int fd, unsigned interface, bool promiscuous)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)interface};
    struct packet_mreq all = {.mr_ifindex = (int)interface, .mr_type = PACKET_MR_PROMISC};
    int failed = 0;
    socklen_t n = sizeof failed;
    return bind(fd, (struct sockaddr *)&to, sizeof to) == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) == 0 && failed == 0 &&
           (!promiscuous || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) == 0);
}

static uint64_t number_in(int fd)
{
    char text[32];
    ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = 0;
    return strtoull(text, NULL, 10);
}

/* Kept open: later no file can be. */
static void open_not_taken(struct tap *t)
{
    static const char *const names[NOT_TAKEN] = {"rx_missed_errors", "rx_fifo_errors"};
    for (size_t i = 0; i < NOT_TAKEN; i++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/class/net/%s/statistics/%s", t->name, names[i]);
        t->not_taken[i] = open(path, O_RDONLY | O_CLOEXEC);
        t->not_taken_seen[i] = number_in(t->not_taken[i]);
    }
}

struct tap *tap_open(const struct interface_settings *settings)
{
    struct tap *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    memcpy(t->name, settings->name, sizeof t->name);
    for (size_t i = 0; i < NOT_TAKEN; i++)
        t->not_taken[i] = -1;
    bool loopback;
    unsigned interface = strlen(t->name) < IFNAMSIZ ? if_nametoindex(t->name) : 0;
    t->fd = interface ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) : -1; /* hears nothing before attach() */
    if (t->fd < 0 || !known_kind(t, &loopback) || !make_ring(t, settings) || !cut(t->fd, (uint32_t)settings->snaplen) ||
        (loopback && !set(t->fd, PACKET_IGNORE_OUTGOING, 1)) || /* there every packet goes out and comes in */
        !attach(t->fd, interface, settings->promiscuous)) {
        tap_close(t);
        return NULL;
    }
    open_not_taken(t);
    return t;
}

void tap_close(struct tap *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < NOT_TAKEN; i++)
        if (t->not_taken[i] >= 0)
            close(t->not_taken[i]);
    if (t->ring)
        munmap(t->ring, t->blocks * BLOCK);
    if (t->fd >= 0)
        close(t->fd);
    free(t);
}

int tap_descriptor(const struct tap *t)
{
    return t->fd;
}

/* ---- reading */

static uint8_t *block_at(const struct tap *t, size_t i)
{
    return t->ring + i % t->blocks * BLOCK;
}

/* The word by which the kernel and we give it to each other. */
static _Atomic uint32_t *owner(uint8_t *block)
{
    return (_Atomic uint32_t *)(void *)&((struct tpacket_block_desc *)(void *)block)->hdr.bh1.block_status;
}

static void give_back(struct tap *t)
{
    for (; t->held; t->held--) {
        atomic_store_explicit(owner(block_at(t, t->first)), TP_STATUS_KERNEL, memory_order_release);
        t->first = (t->first + 1) % t->blocks;
    }
}

/* The block at hand is over when all its frames have been handed out. */
static void end_block(struct tap *t)
{
    if (t->reading && t->block.left == 0) {
        t->reading = false;
        t->held++;
    }
}

static bool begin_block(struct tap *t)
{
    uint8_t *next = block_at(t, t->first + t->held);
    if (t->held == t->blocks || !(atomic_load_explicit(owner(next), memory_order_acquire) & TP_STATUS_USER))
        return false;
    block_begin(&t->block, next, BLOCK, t->link);
    t->reading = true;
    return true;
}

size_t tap_read(struct tap *t, struct frame *frames, size_t most)
{
    size_t n = 0;
    end_block(t);
    give_back(t);
    while (n < most) {
        end_block(t);
        if (!t->reading && !begin_block(t))
            break;
        n += block_read(&t->block, frames + n, most - n, &t->lost);
    }
    if (n)
        t->down = false;
    return n;
}

/* ---- what else there is to know of it */

bool tap_there(struct tap *t, struct reason *why)
{
    int failed = 0;
    socklen_t n = sizeof failed;
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &failed, &n) != 0)
        failed = errno;
    if (failed && failed != ENETDOWN)
        return reason_say(why, "%s: capture ended: %s; bring the interface up again", t->name, strerror(failed));
    t->down = t->down || failed;
    if (!t->down)
        return true;
    /* Down, or gone: the kernel says the same, and forgets the interface a moment later, without a word. */
    struct sockaddr_ll at = {0};
    n = sizeof at;
    if (getsockname(t->fd, (struct sockaddr *)&at, &n) == 0 && at.sll_ifindex < 0)
        return reason_say(why, "%s: capture ended: The interface disappeared; bring the interface up again", t->name);
    return true;
}

void tap_drops(struct tap *t, struct capture_counters *counters)
{
    struct tpacket_stats_v3 s = {0};
    socklen_t n = sizeof s;
    if (getsockopt(t->fd, SOL_PACKET, PACKET_STATISTICS, &s, &n) == 0) { /* and the kernel begins at 0 again */
        counters->kernel_drops += s.tp_drops;
        counters->ring_full += s.tp_freeze_q_cnt;
    }
    counters->kernel_drops += t->lost;
    t->lost = 0;
    for (size_t i = 0; i < NOT_TAKEN; i++) {
        uint64_t now = number_in(t->not_taken[i]);
        counters->interface_drops += now > t->not_taken_seen[i] ? now - t->not_taken_seen[i] : 0;
        t->not_taken_seen[i] = now;
    }
}
