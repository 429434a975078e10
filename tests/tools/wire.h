/* Packets written by hand, for the tools that make captures: checksums and the headers of Ethernet, IP and TCP.  Big-endian on the wire. */
#ifndef SQUALL_TESTS_TOOLS_WIRE_H
#define SQUALL_TESTS_TOOLS_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void wire_put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void wire_put32(uint8_t *p, uint32_t v)
{
    wire_put16(p, v >> 16);
    wire_put16(p + 2, v & 0xffff);
}

static inline unsigned wire_get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t wire_get32(const uint8_t *p)
{
    return (uint32_t)wire_get16(p) << 16 | wire_get16(p + 2);
}

/* RFC 1071: the sum goes through several pieces (all but the last of even length), then is closed. */
static inline uint32_t wire_sum(uint32_t sum, const uint8_t *p, size_t n)
{
    for (; n > 1; p += 2, n -= 2)
        sum += wire_get16(p);
    if (n)
        sum += (unsigned)*p << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static inline unsigned wire_close_sum(uint32_t sum)
{
    return ~sum & 0xffff;
}

/* Writes the checksum of the TCP segment at `tcp`; addresses as they stand in the IP header, `address_bytes` 4 or 16. */
static inline void wire_tcp_sum(uint8_t *tcp, size_t n, const uint8_t *source, const uint8_t *destination, size_t address_bytes)
{
    uint8_t rest[4] = {0, 6};
    wire_put16(rest + 2, (unsigned)n);
    wire_put16(tcp + 16, 0);
    uint32_t sum = wire_sum(wire_sum(wire_sum(0, source, address_bytes), destination, address_bytes), rest, sizeof rest);
    wire_put16(tcp + 16, wire_close_sum(wire_sum(sum, tcp, n)));
}

/* Writes the checksum of an IPv4 header. */
static inline void wire_ip_sum(uint8_t *ip)
{
    size_t n = (size_t)(ip[0] & 15) * 4;
    wire_put16(ip + 10, 0);
    wire_put16(ip + 10, wire_close_sum(wire_sum(0, ip, n)));
}

#endif
