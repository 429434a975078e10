/* Everything capture/ counts, declared once: the struct, /metrics, the status page and squall(1) follow from this table. */
#ifndef SQUALL_CAPTURE_COUNTERS_H
#define SQUALL_CAPTURE_COUNTERS_H

#include <stdint.h>

#define CAPTURE_COUNTERS(X)                                                                              \
    X(packets, "packets read")                                                                           \
    X(bytes, "bytes of these packets as captured")                                                       \
    X(kernel_drops, "packets the kernel dropped for want of ring space")                                 \
    X(ring_full, "times the kernel found its ring full and waited for room")                             \
    X(interface_drops, "packets the network card dropped")                                               \
    X(undecodable, "packets with a broken or unknown header on the way to TCP")                          \
    X(bad_link, "undecodable: broken or unknown link layer")                                             \
    X(bad_ip, "undecodable: broken IP header, or a fragment that fits nowhere")                          \
    X(bad_tcp, "undecodable: TCP header broken or cut off")                                              \
    X(bad_tunnel, "undecodable: broken tunnel header")                                                   \
    X(too_deep, "undecodable: more headers inside one another than are followed")                        \
    X(not_ip, "packets that carry no IP: ARP, spanning tree and the like")                               \
    X(cut, "packets cut short by the snap length")                                                       \
    X(vlan, "packets with at least one VLAN tag")                                                        \
    X(tunnelled, "packets taken out of a tunnel")                                                        \
    X(not_tcp, "decoded packets that are not TCP")                                                       \
    X(fragments, "IP fragments")                                                                         \
    X(fragments_lost, "IP datagrams never completed")                                                    \
    X(fragments_overlapping, "IP fragments over others: IPv4 keeps the first, IPv6 drops the datagram")  \
    X(datagrams, "IP datagrams put together from fragments")                                             \
    X(unsized, "IP packets whose length was left to the sending card (TSO)")                             \
    X(flows, "TCP connections seen")                                                                     \
    X(flows_evicted, "TCP connections given up for want of room")                                        \
    X(one_sided_flows, "TCP connections with payload of which only one direction is mirrored")           \
    X(detected_flows, "connections found to be SMTP on other ports")                                     \
    X(duplicates, "packets that the mirror showed again")                                                \
    X(retransmissions, "segments sent again")                                                            \
    X(reordered, "segments that came early and were held")                                               \
    X(overlap_differs, "early segments whose bytes differ from those still held; the first copy stands")               \
    X(gaps, "holes in a direction of a connection")                                                      \
    X(gap_bytes, "bytes in these holes")                                                                 \
    X(reassembly_full, "early segments there was no room to hold; their connection's holes were given up")

struct capture_counters {
#define X(name, doc) uint64_t name;
    CAPTURE_COUNTERS(X)
#undef X
};

#endif
