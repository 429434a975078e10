/* In: a dialogue as text (tests/pcaps/src/NAME.dialogue): what client and server say, and what the mirror makes of it.  Out: a capture with
 * these packets, the same bytes each time.  The first line of a dialogue is a comment: why it is there.  The language:
 *
 *   session NAME CLIENT:PORT SERVER:PORT [nosyn] [seq N] [hide C|S]
 *                     opens a TCP connection (handshake unless nosyn; N: first sequence numbers; hide: this side is never on the mirror)
 *   use NAME          the next lines belong to this session
 *   C: TEXT   S: TEXT a line of the client, of the server; CRLF is added.  C| and S| add nothing.  Lines of one side in a row are one
 *                     write, cut into segments of `mss`.  \r \n \t \\ \xHH; \{N:TEXT} is TEXT N times
 *   cut               the next line begins a segment of its own
 *   mss N, wait SECONDS, time RFC3339, acks on|off (one pure ACK after each write)
 *   link ethernet|sll2|null|raw (before the first session), vlan [ID...], pad BYTES, frag BYTES (0: whole)
 *   lose N            the next N segments reach their receiver but not the mirror;   twice N: the mirror shows them twice
 *   late N            the next segment comes after the N packets behind it;          again C|S: that side's last segment is sent again
 *   hide C|S          from now on the mirror does not show what this side sends;     close, reset C|S: ends the session
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "tests/tools/wire.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { SESSIONS_MOST = 64, WRITE_MOST = 8 << 20, FRAME_MOST = 66000, TAGS_MOST = 8, LATE_MOST = 16 };

struct session {
    char name[32];
    struct endpoint at[2];
    uint32_t next[2];     /* sequence number of each side's next byte */
    uint32_t last_at[2];  /* the last segment of each side, for `again` */
    uint8_t *last[2];
    size_t last_size[2];
    bool hidden[2];
    bool open;
};

struct late { /* a packet on a detour */
    uint8_t *frame;
    size_t size;
    unsigned packets; /* still to pass it */
};

static struct {
    const char *path;
    unsigned line;
    pcap_t *pcap;
    pcap_dumper_t *out;
    int link;
    int64_t now;
    struct session session[SESSIONS_MOST];
    size_t sessions;
    struct session *current;
    enum side writer;
    uint8_t *write;
    size_t write_size;
    size_t mss, pad, fragment;
    unsigned tag[TAGS_MOST], tags;
    unsigned lose, twice, late_next;
    struct late late[LATE_MOST];
    size_t lates;
    bool acks;
    uint16_t ip_id;
} d = {.link = DLT_EN10MB, .mss = 1448, .acks = true, .now = INT64_C(1795491000) * NS_PER_SECOND};

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "dialogue: %s:%u: ", d.path, d.line);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(65);
}

static void record(const uint8_t *frame, size_t n)
{
    if (!d.out) {
        d.pcap = pcap_open_dead_with_tstamp_precision(d.link, 262144, PCAP_TSTAMP_PRECISION_NANO);
        d.out = d.pcap ? pcap_dump_fopen(d.pcap, stdout) : NULL;
        if (!d.out)
            die("cannot write the capture");
    }
    struct pcap_pkthdr h = {.ts = {d.now / NS_PER_SECOND, d.now % NS_PER_SECOND}, .caplen = (bpf_u_int32)n, .len = (bpf_u_int32)n};
    pcap_dump((u_char *)d.out, &h, frame);
    d.now += NS_PER_SECOND / 1000;
}

/* A frame leaves the mirror; those on a detour that it has passed follow. */
static void show(const uint8_t *frame, size_t n)
{
    record(frame, n);
    for (size_t i = 0; i < d.lates;) {
        struct late late = d.late[i];
        if (--d.late[i].packets) {
            i++;
            continue;
        }
        memmove(d.late + i, d.late + i + 1, (--d.lates - i) * sizeof *d.late);
        record(late.frame, late.size);
        free(late.frame);
    }
}

static size_t link_header(uint8_t *f, const struct session *s, enum side from, bool v4)
{
    unsigned type = v4 ? 0x0800 : 0x86dd;
    switch (d.link) {
    case DLT_RAW: return 0;
    case DLT_NULL: {
        uint32_t family = v4 ? 2 : 30; /* host order of the machine that captured; 30: IPv6 of Darwin */
        memcpy(f, &family, 4);
        return 4;
    }
    case DLT_LINUX_SLL2:
        memset(f, 0, 20);
        wire_put16(f, type);
        wire_put32(f + 4, 2);
        wire_put16(f + 8, 1);
        f[10] = from == CLIENT ? 0 : 4;
        f[11] = 6;
        f[17] = (uint8_t)(1 + from);
        return 20;
    default: {
        uint8_t macs[12] = {
            2, 0, 0, 0, (uint8_t)(s - d.session), (uint8_t)(2 - from), 2, 0, 0, 0, (uint8_t)(s - d.session), (uint8_t)(1 + from)};
        memcpy(f, macs, 12);
        size_t n = 12;
        for (unsigned i = 0; i < d.tags; i++, n += 4) {
            wire_put16(f + n, i + 1 < d.tags ? 0x88a8 : 0x8100);
            wire_put16(f + n + 2, d.tag[i]);
        }
        wire_put16(f + n, type);
        return n + 2;
    }
    }
}

/* Gives `ip` (header and what it carries) its link header and padding, and shows it. */
static void frame_out(const struct session *s, enum side from, const uint8_t *ip, size_t n, unsigned late)
{
    uint8_t *f = calloc(1, FRAME_MOST);
    if (!f)
        die("out of memory");
    size_t head = link_header(f, s, from, (ip[0] >> 4) == 4);
    if (head + n > FRAME_MOST)
        die("packet of %zu bytes", n);
    memcpy(f + head, ip, n);
    size_t size = head + n;
    if (size < d.pad)
        size = d.pad;
    if (late && d.lates < LATE_MOST) {
        d.late[d.lates++] = (struct late){f, size, late};
        return;
    }
    show(f, size);
    free(f);
}

/* An IP packet, in fragments when the dialogue asks for them. */
static void packet_out(const struct session *s, enum side from, const uint8_t *segment, size_t n, unsigned late)
{
    static uint8_t ip[FRAME_MOST];
    bool v4 = address_is_v4(s->at[CLIENT].address);
    const uint8_t *source = s->at[from].address.b, *destination = s->at[side_other(from)].address.b;
    size_t piece = d.fragment && n > d.fragment ? d.fragment & ~(size_t)7 : n;
    d.ip_id++;
    for (size_t at = 0; at < n; at += piece) {
        size_t size = n - at < piece ? n - at : piece, head = v4 ? 20 : piece < n ? 48 : 40;
        bool more = at + size < n;
        memset(ip, 0, head);
        if (v4) {
            ip[0] = 0x45;
            wire_put16(ip + 2, (unsigned)(head + size));
            wire_put16(ip + 4, d.ip_id);
            wire_put16(ip + 6, piece < n ? (more ? 0x2000u : 0) | (unsigned)(at / 8) : 0x4000);
            ip[8] = 64;
            ip[9] = 6;
            memcpy(ip + 12, source + 12, 4);
            memcpy(ip + 16, destination + 12, 4);
            wire_ip_sum(ip);
        } else {
            ip[0] = 0x60;
            wire_put16(ip + 4, (unsigned)(head - 40 + size));
            ip[6] = piece < n ? 44 : 6;
            ip[7] = 64;
            memcpy(ip + 8, source, 16);
            memcpy(ip + 24, destination, 16);
            if (piece < n) {
                ip[40] = 6;
                wire_put16(ip + 42, (unsigned)at | more);
                wire_put32(ip + 44, d.ip_id);
            }
        }
        memcpy(ip + head, segment + at, size);
        frame_out(s, from, ip, head + size, late);
    }
}

static void segment_out(struct session *s, enum side from, uint32_t sequence, unsigned flags, const uint8_t *payload, size_t n)
{
    static uint8_t tcp[FRAME_MOST];
    size_t head = flags & SYN ? 24 : 20;
    if (n > sizeof tcp - head)
        die("segment of %zu bytes", n);
    memset(tcp, 0, head);
    wire_put16(tcp, s->at[from].port);
    wire_put16(tcp + 2, s->at[side_other(from)].port);
    wire_put32(tcp + 4, sequence);
    wire_put32(tcp + 8, flags & ACK ? s->next[side_other(from)] : 0);
    tcp[12] = (uint8_t)(head / 4 << 4);
    tcp[13] = (uint8_t)flags;
    wire_put16(tcp + 14, 64240);
    if (flags & SYN) {
        tcp[20] = 2;
        tcp[21] = 4;
        wire_put16(tcp + 22, 1460);
    }
    if (n)
        memcpy(tcp + head, payload, n);
    bool v4 = address_is_v4(s->at[CLIENT].address);
    size_t skip = v4 ? 12 : 0;
    wire_tcp_sum(tcp, head + n, s->at[from].address.b + skip, s->at[side_other(from)].address.b + skip, 16 - skip);
    unsigned late = n ? d.late_next : 0;
    bool lost = n && d.lose;
    unsigned times = n && d.twice ? 2 : 1;
    if (n) {
        d.late_next = 0;
        d.lose -= d.lose > 0;
        d.twice -= d.twice > 0;
    }
    for (; times && !lost && !s->hidden[from]; times--)
        packet_out(s, from, tcp, head + n, late);
}

static void handshake(struct session *s)
{
    segment_out(s, CLIENT, s->next[CLIENT]++, SYN, NULL, 0);
    segment_out(s, SERVER, s->next[SERVER]++, SYN | ACK, NULL, 0);
    segment_out(s, CLIENT, s->next[CLIENT], ACK, NULL, 0);
}

static void remember(struct session *s, enum side from, const uint8_t *payload, size_t n)
{
    free(s->last[from]);
    s->last[from] = malloc(n);
    if (!s->last[from])
        die("out of memory");
    memcpy(s->last[from], payload, n);
    s->last_size[from] = n;
    s->last_at[from] = s->next[from];
}

/* What was said goes out. */
static void flush(void)
{
    struct session *s = d.current;
    for (size_t at = 0; at < d.write_size;) {
        size_t n = d.write_size - at < d.mss ? d.write_size - at : d.mss;
        remember(s, d.writer, d.write + at, n);
        segment_out(s, d.writer, s->next[d.writer], at + n == d.write_size ? PSH | ACK : ACK, d.write + at, n);
        s->next[d.writer] += (uint32_t)n;
        at += n;
    }
    if (d.write_size && d.acks)
        segment_out(s, side_other(d.writer), s->next[side_other(d.writer)], ACK, NULL, 0);
    d.write_size = 0;
}

static void close_session(struct session *s)
{
    if (!s->open)
        return;
    segment_out(s, CLIENT, s->next[CLIENT]++, FIN | ACK, NULL, 0);
    segment_out(s, SERVER, s->next[SERVER]++, FIN | ACK, NULL, 0);
    segment_out(s, CLIENT, s->next[CLIENT], ACK, NULL, 0);
    s->open = false;
}

static void say_byte(uint8_t b)
{
    if (d.write_size == WRITE_MOST)
        die("more than %d bytes in one write", WRITE_MOST);
    d.write[d.write_size++] = b;
}

/* TEXT with its escapes undone; ends at `end` (for \{N:TEXT}) or at the end of the line.  Returns what follows. */
static const char *say(const char *p, char end)
{
    while (*p && *p != end) {
        if (*p != '\\') {
            say_byte((uint8_t)*p++);
            continue;
        }
        p++;
        char *after;
        switch (*p++) {
        case 'r': say_byte('\r'); break;
        case 'n': say_byte('\n'); break;
        case 't': say_byte('\t'); break;
        case '\\': say_byte('\\'); break;
        case 'x': {
            char hex[3] = {p[0], p[0] ? p[1] : 0, 0};
            say_byte((uint8_t)strtoul(hex, &after, 16));
            if (after != hex + 2)
                die("\\x wants two digits");
            p += 2;
            break;
        }
        case '{': {
            unsigned long times = strtoul(p, &after, 10);
            if (*after != ':')
                die("\\{N:TEXT} has no colon");
            const char *text = after + 1;
            for (p = text; *p && *p != '}'; p++) /* stands there, even for no times at all */
                ;
            for (unsigned long i = 0; i < times; i++)
                p = say(text, '}');
            if (*p != '}')
                die("\\{N:TEXT} has no end");
            p++;
            break;
        }
        default: die("unknown escape");
        }
    }
    return p;
}

static void line_said(enum side from, const char *text, bool with_crlf)
{
    if (!d.current)
        die("no session yet");
    if (d.write_size && d.writer != from)
        flush();
    d.writer = from;
    say(text, 0);
    if (with_crlf) {
        say_byte('\r');
        say_byte('\n');
    }
}

static struct endpoint endpoint_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    struct endpoint e = {0};
    if (!colon || !address_parse(span_of(text, (size_t)(colon - text)), &e.address))
        die("'%s' is not ADDRESS:PORT", text);
    e.port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return e;
}

static unsigned long number_of(const char *text)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text ? text : "", &end, 0);
    if (!text || end == text || *end || errno)
        die("'%s' is not a number", text ? text : "");
    return n;
}

static enum side side_of(const char *text)
{
    if (!text || (strcmp(text, "C") != 0 && strcmp(text, "S") != 0))
        die("expected C or S");
    return *text == 'C' ? CLIENT : SERVER;
}

static void session_command(char **word, size_t words)
{
    if (words < 4)
        die("session NAME CLIENT:PORT SERVER:PORT [nosyn] [seq N] [hide C|S]");
    if (d.sessions == SESSIONS_MOST)
        die("more than %d sessions", SESSIONS_MOST);
    struct session *s = &d.session[d.sessions++];
    snprintf(s->name, sizeof s->name, "%s", word[1]);
    s->at[CLIENT] = endpoint_of(word[2]);
    s->at[SERVER] = endpoint_of(word[3]);
    s->next[CLIENT] = 1000 * (uint32_t)d.sessions;
    s->next[SERVER] = 500000 * (uint32_t)d.sessions;
    s->open = true;
    d.current = s;
    bool syn = true;
    for (size_t i = 4; i < words; i++) {
        if (strcmp(word[i], "nosyn") == 0)
            syn = false;
        else if (strcmp(word[i], "seq") == 0 && i + 1 < words)
            s->next[CLIENT] = s->next[SERVER] = (uint32_t)number_of(word[++i]);
        else if (strcmp(word[i], "hide") == 0 && i + 1 < words)
            s->hidden[side_of(word[++i])] = true;
        else
            die("session: '%s'?", word[i]);
    }
    if (syn)
        handshake(s);
}

static void link_command(const char *name)
{
    static const struct {
        const char *name;
        int link;
    } links[] = {{"ethernet", DLT_EN10MB}, {"sll2", DLT_LINUX_SLL2}, {"null", DLT_NULL}, {"raw", DLT_RAW}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (strcmp(links[i].name, name) == 0) {
            d.link = links[i].link;
            return;
        }
    die("link '%s'?", name);
}

static void command(char **word, size_t words)
{
    const char *name = word[0], *first = words > 1 ? word[1] : NULL;
    flush();
    if (strcmp(name, "session") == 0) {
        session_command(word, words);
    } else if (strcmp(name, "cut") == 0) {
        return;
    } else if (strcmp(name, "link") == 0) {
        link_command(first ? first : "");
    } else if (strcmp(name, "vlan") == 0) {
        for (d.tags = 0; d.tags + 1 < words && d.tags < TAGS_MOST; d.tags++)
            d.tag[d.tags] = (unsigned)number_of(word[d.tags + 1]);
    } else if (strcmp(name, "mss") == 0) {
        d.mss = number_of(first);
        if (d.mss == 0)
            die("mss 0");
    } else if (strcmp(name, "pad") == 0) {
        d.pad = number_of(first);
    } else if (strcmp(name, "frag") == 0) {
        d.fragment = number_of(first);
    } else if (strcmp(name, "lose") == 0) {
        d.lose = (unsigned)number_of(first);
    } else if (strcmp(name, "twice") == 0) {
        d.twice = (unsigned)number_of(first);
    } else if (strcmp(name, "late") == 0) {
        d.late_next = (unsigned)number_of(first);
    } else if (strcmp(name, "acks") == 0) {
        d.acks = first && strcmp(first, "on") == 0;
    } else if (strcmp(name, "wait") == 0) {
        d.now += (int64_t)(strtod(first ? first : "", NULL) * (double)NS_PER_SECOND);
    } else if (strcmp(name, "time") == 0) {
        if (!first || !clock_parse(span_text(first), &d.now))
            die("time wants 2026-11-24T03:27:00Z");
    } else if (!d.current) {
        die("no session yet, or unknown: '%s'", name);
    } else if (strcmp(name, "use") == 0) {
        for (size_t i = 0; i < d.sessions; i++)
            if (first && strcmp(d.session[i].name, first) == 0) {
                d.current = &d.session[i];
                return;
            }
        die("no session '%s'", first ? first : "");
    } else if (strcmp(name, "again") == 0) {
        enum side from = side_of(first);
        segment_out(d.current, from, d.current->last_at[from], PSH | ACK, d.current->last[from], d.current->last_size[from]);
    } else if (strcmp(name, "hide") == 0) {
        d.current->hidden[side_of(first)] = true;
    } else if (strcmp(name, "close") == 0) {
        close_session(d.current);
    } else if (strcmp(name, "reset") == 0) {
        segment_out(d.current, side_of(first), d.current->next[side_of(first)], RST | ACK, NULL, 0);
        d.current->open = false;
    } else {
        die("unknown: '%s'", name);
    }
}

static void read_line(char *line)
{
    line[strcspn(line, "\r\n")] = 0;
    if (*line == '#' || *line == 0)
        return;
    if ((*line == 'C' || *line == 'S') && (line[1] == ':' || line[1] == '|')) {
        line_said(*line == 'C' ? CLIENT : SERVER, line[2] == ' ' ? line + 3 : line + 2, line[1] == ':');
        return;
    }
    char *word[16], *save = NULL;
    size_t words = 0;
    for (char *w = strtok_r(line, " \t", &save); w && words < sizeof word / sizeof *word; w = strtok_r(NULL, " \t", &save))
        word[words++] = w;
    if (words)
        command(word, words);
}

int main(int argc, char **argv)
{
    FILE *in = argc == 3 ? fopen(argv[1], "r") : NULL;
    if (!in || !freopen(argv[2], "wb", stdout)) {
        fprintf(stderr, "usage: dialogue IN.dialogue OUT.pcap\n");
        return 64;
    }
    d.path = argv[1];
    d.write = malloc(WRITE_MOST);
    if (!d.write)
        die("out of memory");
    char *line = NULL;
    for (size_t room = 0; getline(&line, &room, in) >= 0;) {
        d.line++;
        read_line(line);
    }
    flush();
    for (size_t i = 0; i < d.sessions; i++)
        close_session(&d.session[i]);
    while (d.lates) { /* nothing is left to pass them */
        record(d.late[0].frame, d.late[0].size);
        free(d.late[0].frame);
        memmove(d.late, d.late + 1, --d.lates * sizeof *d.late);
    }
    for (size_t i = 0; i < d.sessions; i++) {
        free(d.session[i].last[CLIENT]);
        free(d.session[i].last[SERVER]);
    }
    free(line);
    free(d.write);
    fclose(in);
    if (!d.out)
        die("says nothing");
    pcap_dump_close(d.out);
    pcap_close(d.pcap);
    return 0;
}
