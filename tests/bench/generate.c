/* In: a kind and a size.  Out: a capture of SMTP traffic for `make bench`, the same bytes each time, and its truth on standard output.
 *
 *   generate mixed|small|background|state BYTES OUT.pcap
 *   mixed        mails of about 20 kB on 1,000 interleaved connections, one segment of a hundred out of order
 *   small        the same with mails of about 2 kB
 *   background   four fifths of the bytes are TLS and DNS
 *   state        200,000 connections, all open to the end; small mails, each with an id of its own
 */
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/tools/wire.h"

enum { MSS = 1448, HEAD = 14 + 20 + 20, LINES = 1 << 16, RECIPIENTS_MOST = 5 };
enum { SYN = 2, PSH = 8, ACK = 16, FIN = 1 };
enum step { /* of a connection, in order */
    OPEN, OPEN_REPLY, OPEN_ACK, GREETING, EHLO, EHLO_REPLY,
    ENVELOPE, ENVELOPE_REPLY, HEADER, CONTENT, LAST, FINAL_REPLY,
    QUIT, QUIT_REPLY, CLOSE, IDLE
};

struct connection {
    enum step step;
    uint32_t number;
    uint32_t next[2];
    uint32_t content;  /* bytes still to come */
    uint32_t mails;    /* still to come */
    uint32_t id;
    uint8_t recipients;
    uint8_t unacked;
    uint8_t held_for;  /* packets until the held segment goes; 0: none held */
    uint8_t *held;
    uint32_t held_size;
};

static pcap_dumper_t *out;
static uint64_t written, limit, now_us = UINT64_C(1795491000000000), random_state = 1;
static uint8_t filler[LINES], frame[HEAD + MSS];
static struct {
    unsigned long packets, sessions, messages, recipients, ids, reordered;
} truth;
static struct {
    uint32_t connections, content, mails, reordered_percent, background_percent;
    bool stay_open;
} kind;

static uint32_t random_below(uint32_t n) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) * n >> 32);
}

static void record(const uint8_t *packet, size_t n)
{
    now_us += 1 + random_below(10);
    struct pcap_pkthdr h = {
        .ts = {(time_t)(now_us / 1000000), (suseconds_t)(now_us % 1000000)}, .caplen = (bpf_u_int32)n, .len = (bpf_u_int32)n};
    pcap_dump((u_char *)out, &h, packet);
    written += n + 16;
    truth.packets++;
}

/* Ethernet, IPv4 and TCP around `n` bytes that stand at frame + HEAD already. */
static size_t wrap(const struct connection *c, unsigned from, unsigned server_port, unsigned flags, size_t n)
{
    static uint16_t ip_id;
    uint8_t client[4] = {10, (uint8_t)(c->number >> 16), (uint8_t)(c->number >> 8), (uint8_t)c->number},
            server[4] = {172, 16, (uint8_t)(c->number % 7), 25};
    memset(frame, 0, HEAD);
    memcpy(frame, from ? "\2\0\0\0\0\1\2\0\0\0\0\2\10\0" : "\2\0\0\0\0\2\2\0\0\0\0\1\10\0", 14);
    uint8_t *ip = frame + 14, *tcp = ip + 20;
    ip[0] = 0x45;
    wire_put16(ip + 2, (unsigned)(40 + n));
    wire_put16(ip + 4, ++ip_id);
    wire_put16(ip + 6, 0x4000);
    ip[8] = from ? 61 : 64;
    ip[9] = 6;
    memcpy(ip + 12, from ? server : client, 4);
    memcpy(ip + 16, from ? client : server, 4);
    wire_ip_sum(ip);
    wire_put16(from ? tcp + 2 : tcp, 1024 + c->number * 7 % 60000);
    wire_put16(from ? tcp : tcp + 2, server_port);
    wire_put32(tcp + 4, c->next[from]);
    wire_put32(tcp + 8, flags & ACK ? c->next[!from] : 0);
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)flags;
    wire_put16(tcp + 14, 64240);
    wire_tcp_sum(tcp, 20 + n, ip + 12, ip + 16, 4);
    return HEAD + n;
}

static void bare(struct connection *c, unsigned from, unsigned flags)
{
    record(frame, wrap(c, from, 25, flags, 0));
    c->next[from] += (flags & (SYN | FIN)) != 0;
}

static void say(struct connection *c, unsigned from, size_t n)
{
    size_t size = wrap(c, from, 25, ACK | PSH, n);
    c->next[from] += (uint32_t)n;
    if (!from && !c->held && c->step == CONTENT && random_below(100) < kind.reordered_percent) {
        c->held = malloc(size);
        if (c->held) {
            memcpy(c->held, frame, size);
            c->held_size = (uint32_t)size;
            c->held_for = (uint8_t)(1 + random_below(2));
            truth.reordered++;
            return;
        }
    }
    record(frame, size);
    if (c->held && --c->held_for == 0) {
        record(c->held, c->held_size);
        free(c->held);
        c->held = NULL;
    }
}

static size_t text(const char *s)
{
    size_t n = strlen(s);
    memcpy(frame + HEAD, s, n);
    return n;
}

static size_t envelope(struct connection *c)
{
    char *p = (char *)frame + HEAD;
    size_t n = (size_t)snprintf(p, MSS, "MAIL FROM:<sender%u@client%u.example> SIZE=%u\r\n", c->id % 1000, c->number % 500, c->content);
    for (unsigned i = 0; i < c->recipients; i++)
        n += (size_t)snprintf(p + n, MSS - n, "RCPT TO:<user%u@mx%u.example>\r\n", (c->id * 31 + i * 7) % 100000, c->number % 7);
    return n + (size_t)snprintf(p + n, MSS - n, "DATA\r\n");
}

static size_t envelope_reply(const struct connection *c)
{
    char *p = (char *)frame + HEAD;
    size_t n = (size_t)snprintf(p, MSS, "250 2.1.0 Ok\r\n");
    for (unsigned i = 0; i < c->recipients; i++)
        n += (size_t)snprintf(p + n, MSS - n, "250 2.1.5 Ok\r\n");
    return n + (size_t)snprintf(p + n, MSS - n, "354 End data with <CR><LF>.<CR><LF>\r\n");
}

static size_t header(const struct connection *c)
{
    return (size_t)snprintf((char *)frame + HEAD, MSS,
        "Received: from client%u.example (client%u.example [10.0.0.1])\r\n"
        "\tby mx.example (Postfix) with ESMTPS id %08x;\r\n\tTue, 24 Nov 2026 03:27:00 +0000 (UTC)\r\n"
        "From: Sender <sender%u@client%u.example>\r\nTo: user@mx%u.example\r\nSubject: message %u of the bench\r\n"
        "Date: Tue, 24 Nov 2026 03:27:00 +0000\r\nMessage-ID: <%u.bench@client%u.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
        c->number % 500, c->number % 500, c->id, c->id % 1000, c->number % 500, c->number % 7, c->id, c->id, c->number % 500);
}

static void mail_begin(struct connection *c)
{
    c->id = (uint32_t)truth.ids++;
    c->recipients = (uint8_t)(1 + random_below(RECIPIENTS_MOST) * random_below(2));
    c->content = kind.content / 2 + random_below(kind.content);
    c->step = ENVELOPE;
}

static void open_again(struct connection *c)
{
    static uint32_t numbers;
    *c = (struct connection){.step = OPEN, .number = numbers++, .mails = kind.mails ? kind.mails : 1 + random_below(8)};
    c->next[0] = random_below(UINT32_MAX);
    c->next[1] = random_below(UINT32_MAX);
    truth.sessions++;
}

/* One packet of this connection (with its ACK, sometimes two). */
static void advance(struct connection *c)
{
    switch (c->step) {
    case OPEN: bare(c, 0, SYN); break;
    case OPEN_REPLY: bare(c, 1, SYN | ACK); break;
    case OPEN_ACK: bare(c, 0, ACK); break;
    case GREETING: say(c, 1, text("220 mx.example ESMTP Postfix\r\n")); break;
    case EHLO: say(c, 0, text("EHLO client.example\r\n")); break;
    case EHLO_REPLY:
        say(c, 1,
            text("250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 CHUNKING\r\n"));
        mail_begin(c);
        return;
    case ENVELOPE: say(c, 0, envelope(c)); break;
    case ENVELOPE_REPLY: say(c, 1, envelope_reply(c)); break;
    case HEADER: say(c, 0, header(c)); break;
    case CONTENT: {
        uint32_t n = c->content < MSS ? c->content : MSS;
        memcpy(frame + HEAD, filler + (c->content * 13) % (LINES - MSS), n);
        say(c, 0, n);
        c->content -= n;
        if (++c->unacked == 2) {
            c->unacked = 0;
            bare(c, 1, ACK);
        }
        if (c->content)
            return;
        break;
    }
    case LAST: say(c, 0, text("\r\n.\r\n")); break;
    case FINAL_REPLY:
        if (c->held) { /* its receiver had it long ago */
            record(c->held, c->held_size);
            free(c->held);
            c->held = NULL;
        }
        say(c, 1, text("250 2.0.0 Ok: queued as 4F2A11C0D\r\n"));
        truth.messages++;
        truth.recipients += c->recipients;
        if (--c->mails) {
            mail_begin(c);
            return;
        }
        if (kind.stay_open) {
            c->step = IDLE;
            return;
        }
        break;
    case QUIT: say(c, 0, text("QUIT\r\n")); break;
    case QUIT_REPLY: say(c, 1, text("221 2.0.0 Bye\r\n")); break;
    case CLOSE:
        bare(c, 0, FIN | ACK);
        bare(c, 1, FIN | ACK);
        bare(c, 0, ACK);
        open_again(c);
        return;
    case IDLE: return;
    }
    c->step++;
}

/* A piece of other traffic: a TLS record's segment of one of a thousand long connections, or a DNS answer. */
static void background(void)
{
    static struct connection tls[1000];
    if (random_below(4) == 0) {
        struct connection dns = {.number = random_below(1 << 20)};
        memset(frame + HEAD, (int)random_below(256), 100);
        size_t n = wrap(&dns, random_below(2), 53, 0, 100);
        frame[14 + 9] = 17;
        wire_ip_sum(frame + 14);
        record(frame, n);
        return;
    }
    uint32_t i = random_below(1000);
    unsigned from = random_below(4) != 0;
    tls[i].number = 1u << 20 | i;
    memset(frame + HEAD, (int)random_below(256), MSS);
    memcpy(frame + HEAD, "\x17\x03\x03\x05\xa3", 5);
    record(frame, wrap(&tls[i], from, 443, ACK, MSS));
    tls[i].next[from] += MSS;
}

static bool kind_named(const char *name)
{
    kind.connections = 1000;
    kind.content = 20000;
    kind.reordered_percent = 1;
    if (strcmp(name, "small") == 0) {
        kind.content = 2000;
    } else if (strcmp(name, "background") == 0) {
        kind.background_percent = 80;
    } else if (strcmp(name, "state") == 0) {
        kind.connections = 200000;
        kind.content = 300;
        kind.mails = 5;
        kind.stay_open = true;
    } else {
        return strcmp(name, "mixed") == 0;
    }
    return true;
}

int main(int argc, char **argv)
{
    pcap_t *form = pcap_open_dead(DLT_EN10MB, 262144);
    if (argc != 4 || !form || !kind_named(argv[1]) || (limit = strtoull(argv[2], NULL, 10)) == 0 ||
        !(out = pcap_dump_open(form, argv[3]))) {
        fprintf(stderr, "usage: generate mixed|small|background|state BYTES OUT.pcap\n");
        return 64;
    }
    for (size_t i = 0; i < LINES; i++) /* without dots: a piece of it may begin a line */
        filler[i] = i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : (uint8_t)("etaoin shrdlu, "[random_below(15)]);
    struct connection *c = malloc(kind.connections * sizeof *c);
    if (!c)
        return 70;
    for (uint32_t i = 0; i < kind.connections; i++)
        open_again(&c[i]);
    uint64_t mail_bytes = 0, turns = 0, most = kind.stay_open ? UINT64_C(60) * kind.connections : UINT64_MAX;
    while (written < limit && turns++ < most) {
        if (kind.background_percent && mail_bytes * 100 > written * (100 - kind.background_percent)) {
            background();
            continue;
        }
        uint64_t before = written;
        advance(&c[kind.stay_open ? turns % kind.connections : random_below(kind.connections)]);
        mail_bytes += written - before;
    }
    /* a session counts from its greeting on */
    for (uint32_t i = 0; i < kind.connections; i++) {
        truth.sessions -= c[i].step <= GREETING;
        free(c[i].held);
    }
    free(c);
    pcap_dump_close(out);
    pcap_close(form);
    printf("{\"kind\":\"%s\",\"bytes\":%lu,\"packets\":%lu,\"sessions\":%lu,\"messages\":%lu,\"recipients\":%lu,\"message_ids\":%lu,"
           "\"reordered\":%lu}\n",
        argv[1], (unsigned long)written, truth.packets, truth.sessions, truth.messages, truth.recipients, truth.messages, truth.reordered);
    return 0;
}
