/* In: a capture file.  Out: nothing but how many packets it holds: the bare pcap_next_ex loop that `squall read` is measured against. */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char why[PCAP_ERRBUF_SIZE] = "usage: bare FILE";
    pcap_t *in = argc == 2 ? pcap_open_offline(argv[1], why) : NULL;
    if (!in) {
        fprintf(stderr, "bare: %s\n", why);
        return 64;
    }
    struct pcap_pkthdr *h;
    const u_char *packet;
    unsigned long packets = 0, bytes = 0;
    while (pcap_next_ex(in, &h, &packet) == 1) {
        packets++;
        bytes += h->caplen;
    }
    printf("%lu packets, %lu bytes\n", packets, bytes);
    pcap_close(in);
    return 0;
}
