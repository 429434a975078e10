/* In: a capture file of Ethernet frames and an interface.  Out: the frames on it, as fast as it takes them or RATE a second; how fast that
 * was, on standard output.  Several senders share the connections among them, so that each keeps its order.
 *
 *   blast FILE.pcap INTERFACE [SENDERS [RATE]]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SENDERS_MOST = 8, FILE_HEADER = 24, RECORD = 16 };

static struct {
    const uint8_t *bytes;
    size_t size;
    unsigned interface, senders;
    double rate; /* of one sender; 0: no bound */
} plan;

struct sender {
    pthread_t thread;
    unsigned number;
    uint64_t sent, refused;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned share_of(const uint8_t *frame, uint32_t n) /* the same for both directions */
{
    uint32_t a, b;
    if (n < 38)
        return 0;
    memcpy(&a, frame + 26, sizeof a);
    memcpy(&b, frame + 30, sizeof b);
    return ((a ^ b) * 2654435761u >> 16 ^ (uint32_t)(frame[35] ^ frame[37])) % plan.senders;
}

static int open_socket(void)
{
    int s = socket(AF_PACKET, SOCK_RAW, 0), one = 1;
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)plan.interface};
    if (s < 0 || bind(s, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("blast: packet socket");
        exit(71);
    }
    setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    return s;
}

static void flush(struct sender *me, int s, struct mmsghdr *messages, unsigned count, double began)
{
    for (unsigned done = 0; done < count;) {
        int n = sendmmsg(s, messages + done, count - done, 0);
        if (n <= 0) { /* the interface is busy: again; a frame it never takes: the next */
            me->refused++;
            n = n < 0 && me->refused % 1000 == 0;
        }
        done += (unsigned)n;
    }
    me->sent += count;
    while (plan.rate > 0 && (double)me->sent > plan.rate * (seconds() - began))
        ;
}

static void *blast(void *user)
{
    struct sender *me = user;
    struct mmsghdr messages[BATCH] = {0};
    struct iovec frames[BATCH];
    for (unsigned i = 0; i < BATCH; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &frames[i], .msg_iovlen = 1};
    int s = open_socket();
    unsigned count = 0;
    double began = seconds();
    for (size_t at = FILE_HEADER; at + RECORD <= plan.size;) {
        uint32_t n;
        memcpy(&n, plan.bytes + at + 8, sizeof n);
        const uint8_t *frame = plan.bytes + at + RECORD;
        if (n > plan.size - at - RECORD)
            break;
        at += RECORD + n;
        if (share_of(frame, n) != me->number)
            continue;
        frames[count++] = (struct iovec){(void *)(uintptr_t)frame, n};
        if (count < BATCH)
            continue;
        flush(me, s, messages, count, began);
        count = 0;
    }
    flush(me, s, messages, count, began);
    close(s);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct sender senders[SENDERS_MOST];
    struct stat st;
    int fd = argc > 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    plan.interface = argc > 2 ? if_nametoindex(argv[2]) : 0;
    plan.senders = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
    if (fd < 0 || fstat(fd, &st) < 0 || !plan.interface || plan.senders < 1 || plan.senders > SENDERS_MOST) {
        fputs("usage: blast FILE.pcap INTERFACE [SENDERS [RATE]]\n", stderr);
        return 64;
    }
    plan.rate = argc > 4 ? strtod(argv[4], NULL) / plan.senders : 0;
    plan.size = (size_t)st.st_size;
    plan.bytes = mmap(NULL, plan.size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (plan.bytes == MAP_FAILED) {
        perror("blast: file");
        return 71;
    }
    double began = seconds();
    for (unsigned i = 0; i < plan.senders; i++) {
        senders[i].number = i;
        pthread_create(&senders[i].thread, NULL, blast, &senders[i]);
    }
    uint64_t sent = 0;
    for (unsigned i = 0; i < plan.senders; i++) {
        pthread_join(senders[i].thread, NULL);
        sent += senders[i].sent;
    }
    double took = seconds() - began;
    printf("%llu packets in %.2f s: %.0f a second\n", (unsigned long long)sent, took, (double)sent / took);
    return 0;
}
