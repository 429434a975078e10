/* Addresses and ports of the two ends of a connection, and the two sides of it. */
#ifndef SQUALL_BASE_ENDPOINT_H
#define SQUALL_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

/* Which side of a connection sent something.  The client is the side that opened the connection. */
enum side { CLIENT = 0, SERVER = 1 };

static inline enum side side_other(enum side s)
{
    return s == CLIENT ? SERVER : CLIENT;
}

/* IPv6 in network order; IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).  All zero: unknown. */
struct address {
    uint8_t b[16];
};

struct endpoint {
    struct address address;
    uint16_t port; /* host order */
};

#define ADDRESS_TEXT 46 /* bytes, with the NUL: longest IPv6 text */

/* Written as the two words it is compared and hashed by: reading back a word that was stored in parts stalls the processor. */
static inline struct address address_v4(const uint8_t b[4])
{
    uint32_t host;
    memcpy(&host, b, sizeof host);
    const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    uint64_t words[2] = {0, little ? (uint64_t)host << 32 | 0xffff0000u : UINT64_C(0xffff) << 32 | host};
    struct address a;
    memcpy(a.b, words, sizeof a.b);
    return a;
}

static inline struct address address_v6(const uint8_t b[16])
{
    struct address a;
    memcpy(a.b, b, sizeof a.b);
    return a;
}

/* "10.1.0.10" or RFC 5952 text into `to`; returns `to`. */
char *address_text(struct address a, char to[ADDRESS_TEXT]);
/* Dotted quad, IPv6 text, with or without brackets and "IPv6:" (RFC 5321 4.1.3); false: none of these. */
bool address_parse(struct span text, struct address *a);

static inline bool address_equal(struct address a, struct address b) /* compared in registers: it is asked many times a mail */
{
    uint64_t x[2], y[2];
    memcpy(x, a.b, sizeof x);
    memcpy(y, b.b, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static inline bool address_is_v4(struct address a)
{
    const uint8_t mapped[4] = {0, 0, 0xff, 0xff};
    uint64_t high;
    memcpy(&high, a.b, sizeof high);
    return high == 0 && memcmp(a.b + 8, mapped, sizeof mapped) == 0;
}

static inline bool address_known(struct address a) /* false: all zero */
{
    uint64_t x[2];
    memcpy(x, a.b, sizeof x);
    return (x[0] | x[1]) != 0;
}

static inline bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && address_equal(a->address, b->address);
}

#endif
