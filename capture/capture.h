/* The capture room's door.  In: an interface or capture files.  Out, per TCP connection: its bytes in order, gaps where bytes are missing,
 * its end; each with packet time.  Knows link layers, tunnels, IP, TCP; knows no SMTP.  See DESIGN.md for the path inside. */
#ifndef SQUALL_CAPTURE_H
#define SQUALL_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/config.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "base/span.h"
#include "capture/counters.h"

struct connection {
    uint64_t number;              /* counts from 1 in one capture engine */
    struct endpoint side[2];      /* [CLIENT] opened the connection */
    bool client_certain;          /* a SYN was seen; else CLIENT is a guess by port and first bytes */
    uint32_t tunnel;              /* innermost VNI or GRE key; 0: none */
    int64_t opened;               /* ns, first packet */
};

/* Who receives.  open() returns the connection's session, or NULL: no interest, nothing more comes of this connection.  Spans are borrowed
 * for the call.  Bytes of one side come in sequence; across sides, no reply comes before the bytes its ACK says the replier had (unless
 * lost: then their gap comes first).  After end() the session is not used again. */
enum end { END_CLOSED, END_RESET, END_IDLE, END_EVICTED, END_OF_CAPTURE };
struct capture_sink {
    void *(*open)(void *user, const struct connection *c);
    void (*bytes)(void *session, enum side from, struct span bytes, int64_t now);
    void (*gap)(void *session, enum side from, uint64_t n, int64_t now);
    void (*end)(void *session, enum end how, int64_t now);
    /* Where the session stands, in words that only clear() reads (smtpdissect/clear.h). */
    uint32_t (*content_mark)(const void *session);
    /* Which parts of the bytes just given may be kept as evidence; *state is the connection's, 0 at first.  NULL: no evidence is kept. */
    size_t (*clear)(uint8_t *state, enum side from, struct span bytes, uint32_t mark_before, uint32_t mark_after,
        struct span clear[], size_t most);
    void (*tick)(void *user, int64_t now); /* each full second of packet time that has passed, before the packet that showed it */
    void *user;
};

struct capture_settings {
    struct port_set mail_ports; /* flows to these go to the sink at once; others when nDPI says SMTP */
    bool detect_other_ports;    /* nDPI on the other ports */
    int64_t flows;              /* connections remembered at once */
    int64_t reassembly_bytes;   /* out-of-order bytes held, all flows */
    int64_t idle;               /* ns of silence that end a flow */
    int64_t reorder;            /* ns within which a late packet may still come before a hole is called a gap */
    int64_t fragments;          /* IP datagrams being put together */
    int64_t ring_bytes;         /* recent frames kept for evidence; 0: none */
};
extern const struct setting capture_settings_list[];
extern const size_t capture_settings_count;

struct interface_settings { /* one mirror port: section interface "eth1" { ... } */
    char name[64];
    int64_t buffer;             /* kernel ring, bytes */
    int64_t snaplen;            /* bytes */
    int64_t poll;               /* ns a kernel block may wait before it is handed over */
    bool promiscuous;
};
extern const struct setting interface_settings_list[];
extern const size_t interface_settings_count;

struct capture;
struct capture *capture_new(const struct capture_settings *settings, const struct capture_sink *sink); /* NULL: out of memory */
void capture_free(struct capture *c);

/* Files ("-": standard input) as one capture in time order.  False: *why, and *status, 66 or 77 as INTERFACES.md has them. */
bool capture_open_files(struct capture *c, const char *const paths[], size_t count, struct reason *why, int *status);
/* Reads them to their end; nothing is opened any more.  False: *why says which file broke, at which packet, and why; what came before was
 * delivered; *status is 65. */
bool capture_read(struct capture *c, struct reason *why, int *status);
/* Both. */
bool capture_files(struct capture *c, const char *const paths[], size_t count, struct reason *why, int *status);
/* Opens interfaces; then capture_poll() handles what came within `timeout` ns (false: an interface is gone, *why). */
bool capture_interface(struct capture *c, const struct interface_settings *i, struct reason *why, int *status);
bool capture_poll(struct capture *c, int64_t timeout, struct reason *why);
/* Spreads the connections of the interfaces over this engine and others of the same group (unique in the network namespace, and as many
 * numbers after it as there are interfaces): both directions of a connection come to the same engine. */
bool capture_fanout(struct capture *c, uint16_t group, struct reason *why);
/* Nothing was heard until `now`: time passes without packets. */
void capture_quiet(struct capture *c, int64_t now);
void capture_stop(struct capture *c);                /* async-signal-safe: capture_files and capture_poll return soon */
void capture_finish(struct capture *c, int64_t now); /* ends every flow; INT64_MIN: at the last packet's time */

#define EVIDENCE_PACKETS 512    /* of one connection, the latest */
struct evidence_wish { /* a connection whose packets are wanted; at most one wish a connection */
    uint64_t connection;
    int64_t until;              /* ns; later packets are not wanted */
    struct span why;            /* comment on its first packet; may be empty */
};
/* Appends a pcapng section to `to`: the packets of these connections that are still in the ring, oldest first, bodies and passwords
 * overwritten with a filler.  Returns how many packets; what went wrong with `to` is in ferror(to).  The packet whose bytes are just being
 * handled is not in the ring yet: better from tick() than from bytes(). */
size_t capture_evidence(const struct capture *c, const struct evidence_wish *wishes, size_t count, struct span comment, FILE *to);

const struct capture_counters *capture_counters(const struct capture *c);
int64_t capture_first_time(const struct capture *c); /* ns; TIME_UNKNOWN before the first packet */
int64_t capture_now(const struct capture *c);        /* ns of the last packet */
double capture_mirror_copies(const struct capture *c); /* how often the mirror shows a packet: 1.0, or about 2.0 when it shows all twice */

#endif
