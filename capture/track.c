/* In: TCP segments, from capture.c.  Out: connections with their bytes, gaps and ends, to the sink.  Decides which packets are of one
 * connection, who opened it, whom it is handed to, and when it is over. */
#include "capture/track.h"

#include <stdlib.h>

#include "base/clock.h"
#include "capture/detect.h"
#include "capture/flow.h"
#include "capture/keep.h"
#include "capture/onset.h"
#include "capture/stream.h"
#include "capture/twin.h"

#define UNDECIDED_MOST 2048                /* connections on other ports whose first bytes are kept; 9 KB each */
#define LINGER (60 * NS_PER_SECOND)        /* an ended connection is remembered so long after its last packet, as TCP does (TIME-WAIT) */
#define UNANSWERED (75 * NS_PER_SECOND)    /* a lone SYN; its retransmissions come 1, 2, 4 ... 64 s apart */
#define SET_BACK (60 * NS_PER_SECOND)      /* packets may be so much out of order; more, and the clock was set back */
#define EVICT_LOOKS 1024                   /* flows looked at to find the coldest */
#define TICKS_MOST 604800                  /* seconds of silence told one by one: a week */
#define CLEAR_MOST 512                     /* pieces of one delivery that may be kept as evidence: two for each address of a header */
#define FETCH_SESSION 8                    /* packets ahead of its turn, a session is fetched */

struct tracker {
    const struct capture_settings *settings;
    const struct capture_sink *sink;
    struct capture_counters *counters;
    struct flow_table *table;
    const struct flow_index *index;
    struct streams *streams;
    struct detector *detector;
    struct twins *twins;
    struct keep *keep;                /* NULL: no evidence is kept */
    int64_t first, now, next_second; /* ns */
    uint64_t connections;
    struct stream_receiver receiver;
    uint64_t mail_port[65536 / 64]; /* bits */
};

static void receive_bytes(void *user, struct flow *f, enum side from, struct span bytes, int64_t now);
static void receive_gap(void *user, struct flow *f, enum side from, uint64_t n, int64_t now);
static void receive_over(void *user, struct flow *f, enum end how, int64_t now);

struct tracker *track_new(const struct capture_settings *settings, const struct capture_sink *sink, struct capture_counters *counters)
{
    struct tracker *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->settings = settings;
    t->sink = sink;
    t->counters = counters;
    t->first = t->now = t->next_second = TIME_UNKNOWN;
    t->receiver = (struct stream_receiver){receive_bytes, receive_gap, receive_over, t};
    t->table = flow_table_new((size_t)settings->flows);
    t->streams = stream_new((size_t)settings->reassembly_bytes, settings->reorder, &t->receiver, counters);
    t->detector = detect_new(UNDECIDED_MOST);
    t->twins = twin_new();
    t->keep = settings->ring_bytes && sink->clear ? keep_new((size_t)settings->ring_bytes) : NULL;
    if (!t->table || !t->streams || !t->detector || !t->twins || (settings->ring_bytes && sink->clear && !t->keep)) {
        track_free(t);
        return NULL;
    }
    t->index = flow_table_index(t->table);
    for (size_t i = 0; i < settings->mail_ports.count; i++)
        t->mail_port[settings->mail_ports.port[i] / 64] |= UINT64_C(1) << settings->mail_ports.port[i] % 64;
    return t;
}

void track_free(struct tracker *t)
{
    if (!t)
        return;
    keep_free(t->keep);
    twin_free(t->twins);
    detect_free(t->detector);
    stream_free(t->streams);
    flow_table_free(t->table);
    free(t);
}

int64_t track_first(const struct tracker *t)
{
    return t->first;
}

int64_t track_now(const struct tracker *t)
{
    return t->now;
}

double track_copies(const struct tracker *t)
{
    return twin_copies(t->twins);
}

const struct keep *track_keep(const struct tracker *t)
{
    return t->keep;
}

static bool mail_port(const struct tracker *t, uint16_t port)
{
    return t->mail_port[port / 64] >> port % 64 & 1;
}

/* ---- whom a connection is handed to */

static void hand_over(struct tracker *t, struct flow *f)
{
    struct connection c = {.number = f->number, .side = {f->side[CLIENT], f->side[SERVER]}, .client_certain = f->flags & FLOW_CERTAIN,
                           .tunnel = f->tunnel, .opened = f->opened};
    f->session = t->sink->open(t->sink->user, &c);
    f->mode = f->session ? FLOW_HANDED : FLOW_IGNORED;
}

static inline size_t sink_bytes_clear(
    struct tracker *t, struct flow *f, enum side from, struct span bytes, int64_t now, struct span clear[CLEAR_MOST])
{
    uint32_t before = t->sink->content_mark(f->session);
    t->sink->bytes(f->session, from, bytes, now);
    return t->sink->clear(&f->clear, from, bytes, before, t->sink->content_mark(f->session), clear, CLEAR_MOST);
}

static void sink_bytes_kept(struct tracker *t, struct flow *f, enum side from, struct span bytes, int64_t now)
{
    struct span clear[CLEAR_MOST];
    size_t n = sink_bytes_clear(t, f, from, bytes, now, clear);
    keep_bytes(t->keep, f->number, from, f->next[from] - (uint32_t)bytes.n, bytes, clear, n);
}

static inline void sink_bytes(struct tracker *t, struct flow *f, enum side from, struct span bytes, int64_t now)
{
    if (t->keep)
        sink_bytes_kept(t, f, from, bytes, now);
    else
        t->sink->bytes(f->session, from, bytes, now);
}

static void sink_gap(struct tracker *t, struct flow *f, enum side from, uint64_t n, int64_t now)
{
    t->counters->gaps++;
    t->counters->gap_bytes += n;
    t->sink->gap(f->session, from, n, now);
    if (t->keep)
        t->sink->clear(&f->clear, from, (struct span){NULL, 0}, 0, 0, NULL, 0);
}

struct replay {
    struct tracker *tracker;
    struct flow *flow;
};

static void replay_piece(void *user, enum side from, struct span bytes, int64_t time)
{
    const struct replay *r = user;
    if (bytes.p)
        sink_bytes(r->tracker, r->flow, from, bytes, time);
    else
        sink_gap(r->tracker, r->flow, from, bytes.n, time);
}

static void decide(struct tracker *t, struct flow *f, enum detect_verdict v)
{
    if (v == DETECT_UNDECIDED)
        return;
    struct detection *x = f->session;
    f->session = NULL;
    f->mode = FLOW_IGNORED;
    if (v == DETECT_SMTP) {
        t->counters->detected_flows++;
        hand_over(t, f);
        if (f->mode == FLOW_HANDED)
            detect_replay(x, replay_piece, &(struct replay){t, f});
    }
    detect_end(t->detector, x);
}

/* First payload: to the sink, to detection, or to nobody. */
static void admit(struct tracker *t, struct flow *f)
{
    if (mail_port(t, f->side[SERVER].port) || (!(f->flags & FLOW_CERTAIN) && mail_port(t, f->side[CLIENT].port))) {
        hand_over(t, f);
        return;
    }
    f->mode = FLOW_IGNORED;
    if (!t->settings->detect_other_ports)
        return;
    bool whole = f->flags & FLOW_CERTAIN;
    f->session = detect_begin(t->detector, whole, f);
    if (!f->session) { /* who had longest to show what it is has not */
        decide(t, detect_oldest(t->detector), DETECT_OTHER);
        f->session = detect_begin(t->detector, whole, f);
    }
    f->mode = FLOW_UNDECIDED;
}

static void receive_bytes(void *user, struct flow *f, enum side from, struct span bytes, int64_t now)
{
    struct tracker *t = user;
    if (f->mode == FLOW_NEW)
        admit(t, f);
    if (f->mode == FLOW_UNDECIDED) {
        enum detect_verdict v = detect_bytes(f->session, from, bytes, now);
        if (v == DETECT_UNDECIDED)
            return;
        decide(t, f, v);
    }
    if (f->mode == FLOW_HANDED)
        sink_bytes(t, f, from, bytes, now);
}

static void receive_gap(void *user, struct flow *f, enum side from, uint64_t n, int64_t now)
{
    struct tracker *t = user;
    if (f->mode == FLOW_NEW)
        admit(t, f);
    if (f->mode == FLOW_UNDECIDED)
        decide(t, f, detect_gap(f->session, from, n, now));
    else if (f->mode == FLOW_HANDED)
        sink_gap(t, f, from, n, now);
}

/* ---- its end */

static void close_session(struct tracker *t, struct flow *f, enum end how, int64_t now)
{
    for (enum side s = CLIENT; s <= SERVER; s++)
        if (f->flags & FLOW_PAYLOAD << s && !(f->flags & FLOW_BASE << side_other(s)))
            t->counters->one_sided_flows++;
    if (f->mode == FLOW_UNDECIDED)
        decide(t, f, DETECT_OTHER);
    if (f->mode == FLOW_HANDED)
        t->sink->end(f->session, how, now);
    f->session = NULL;
    f->mode = FLOW_DONE;
}

static void receive_over(void *user, struct flow *f, enum end how, int64_t now)
{
    struct tracker *t = user;
    close_session(t, f, how, now);
    flow_due(t->table, f, now + LINGER);
}

static void end_flow(struct tracker *t, struct flow *f, enum end how, int64_t now)
{
    if (f->mode == FLOW_DONE)
        return;
    if (f->mode == FLOW_IGNORED)
        stream_drop(t->streams, f);
    else
        stream_flush(t->streams, f, now);
    close_session(t, f, how, now);
}

static int64_t lifetime(const struct tracker *t, const struct flow *f)
{
    if (f->mode == FLOW_DONE)
        return LINGER;
    bool answered = (f->flags & 3u * FLOW_BASE) == 3u * FLOW_BASE || f->flags & 3u * FLOW_PAYLOAD;
    return answered || t->settings->idle < UNANSWERED ? t->settings->idle : UNANSWERED;
}

static void let_go_idle(struct tracker *t, int64_t now)
{
    for (struct flow *f; (f = flow_take_due(t->table, now));) {
        int64_t until = f->last + lifetime(t, f);
        if (until > now) {
            flow_due(t->table, f, until);
            continue;
        }
        if (f->mode != FLOW_DONE)
            f->flags |= FLOW_SILENT;
        end_flow(t, f, END_IDLE, now);
        if (!flow_retire(t->table, f))
            flow_remove(t->table, f);
    }
}

/* Makes room: ended ones go first, then whoever has been silent longest, as exactly as so many looks can tell. */
static void evict(struct tracker *t)
{
    int64_t due;
    struct flow *f = flow_take_first(t->table, &due);
    for (unsigned looked = 0; looked < EVICT_LOOKS && f->last + lifetime(t, f) > due; looked++) { /* it has spoken since */
        flow_due(t->table, f, f->last + lifetime(t, f));
        f = flow_take_first(t->table, &due);
    }
    if (f->mode != FLOW_DONE)
        t->counters->flows_evicted++;
    end_flow(t, f, END_EVICTED, t->now);
    flow_remove(t->table, f);
}

void track_finish(struct tracker *t, int64_t now)
{
    size_t count;
    struct flow **all = flow_all(t->table, &count);
    for (size_t i = 0; i < count; i++) {
        if (i + FETCH_SESSION < count)
            flow_prefetch_session(all[i + FETCH_SESSION]);
        end_flow(t, all[i], END_OF_CAPTURE, now);
    }
    if (all)
        flow_forget(t->table);
    free(all);
    int64_t due;
    for (struct flow *f; (f = flow_take_first(t->table, &due));) { /* there was no memory to sort them */
        end_flow(t, f, END_OF_CAPTURE, now);
        flow_remove(t->table, f);
    }
}

/* ---- time */

static void second_passes(struct tracker *t, int64_t second)
{
    let_go_idle(t, second);
    t->sink->tick(t->sink->user, second);
}

/* Time does not run back by what a mirror shuffles; it does when the clock was set back. */
static void time_jumps(struct tracker *t, int64_t time)
{
    if (t->now == TIME_UNKNOWN) {
        t->first = time;
    } else if (time <= t->now) {
        if (t->now - time < SET_BACK)
            return;
    } else {
        if (time - t->next_second > TICKS_MOST * NS_PER_SECOND)
            t->next_second = time - TICKS_MOST * NS_PER_SECOND;
        for (int64_t second = t->next_second - t->next_second % NS_PER_SECOND; second <= time; second += NS_PER_SECOND)
            second_passes(t, second);
    }
    t->now = time;
    t->next_second = time - time % NS_PER_SECOND + NS_PER_SECOND;
}

/* False: time_jumps() has to look at it. */
static inline bool time_goes_on(struct tracker *t, int64_t time)
{
    if (time >= t->next_second || t->now - time >= SET_BACK)
        return false;
    if (time > t->now)
        t->now = time;
    return true;
}

void track_time(struct tracker *t, int64_t time)
{
    if (!time_goes_on(t, time))
        time_jumps(t, time);
}

/* ---- packets */

static void begin(struct tracker *t, struct flow *f)
{
    f->number = ++t->connections;
    f->opened = f->last = t->now;
    t->counters->flows++;
    flow_due(t->table, f, t->now + lifetime(t, f));
}

static enum side sender(const struct tracker *t, const struct packet *p)
{
    return onset_sender(p, mail_port(t, p->from.port), mail_port(t, p->to.port));
}

static void begin_anew(struct tracker *t, struct flow *f, enum side *from, const struct packet *p, enum onset how)
{
    end_flow(t, f, f->flags & 3u * FLOW_SHUT ? END_CLOSED : END_RESET, t->now);
    onset_renew(f, from, p, how, sender(t, p));
    begin(t, f);
}

static struct flow *add(struct tracker *t, const struct packet *p, uint32_t hash, enum side *from)
{
    *from = sender(t, p);
    struct flow *f = flow_add(t->table, p, hash, *from);
    if (!f) {
        evict(t);
        f = flow_add(t->table, p, hash, *from);
    }
    onset_learn(f, from, p);
    begin(t, f);
    return f;
}

/* Of a connection that is known: the packet may begin another one. */
static void may_begin(struct tracker *t, struct flow *f, enum side *from, const struct packet *p)
{
    enum onset how = onset_of(f, *from, p);
    if (how != ONSET_NONE)
        begin_anew(t, f, from, p, how);
    else if (f->mode != FLOW_DONE)
        onset_learn(f, from, p);
}

/* Not the next packet of a connection whose receiver is decided.  Never inlined: what it needs would slow down the others. */
static __attribute__((noinline)) void take_other(struct tracker *t, const struct tracked *this)
{
    const struct packet *p = &this->packet;
    struct flow *f = this->likely;
    enum side from;
    if (!f || !flow_has(f, p, &from))
        f = flow_find(t->table, p, this->hash, &from);
    if (!f)
        f = add(t, p, this->hash, &from);
    else if (p->flags & PACKET_SYN || f->mode == FLOW_DONE || f->flags & FLOW_CLAIMED)
        may_begin(t, f, &from, p);
    f->last = t->now;
    if (f->mode == FLOW_DONE)
        return;
    bool handed = f->mode == FLOW_HANDED;
    if (t->keep)
        keep_begin(t->keep, p);
    stream_segment(t->streams, f, from, p, t->now);
    if (f->mode == FLOW_UNDECIDED && p->length)
        decide(t, f, detect_packet(t->detector, f->session, p));
    if (t->keep)
        keep_end(t->keep, f->number, from, handed || f->mode == FLOW_HANDED || mail_port(t, f->side[SERVER].port));
}

/* The next packet of a connection that was handed over, of which evidence is kept. */
static __attribute__((noinline)) void take_kept(struct tracker *t, struct flow *f, enum side from, const struct packet *p)
{
    struct span clear[CLEAR_MOST];
    size_t n = p->length ? sink_bytes_clear(t, f, from, p->payload, t->now, clear) : 0;
    keep_whole(t->keep, p, f->number, from, clear, n);
}

/* Nobody wants it, but it stands on a mail port: it may be evidence all the same. */
static inline bool ignored_mail(const struct tracker *t, const struct flow *f)
{
    return t->keep && f->mode == FLOW_IGNORED && mail_port(t, f->side[SERVER].port);
}

/* Nearly every packet is what this side of the connection says next.  False: it is another.  Inlined for each side, which is a constant. */
static inline __attribute__((always_inline)) bool take_next(struct tracker *t, struct flow *f, enum side from, const struct packet *p)
{
    if (!flow_sent(f, p, from) || !stream_in_step(f, from, p) || (f->mode != FLOW_HANDED && f->mode != FLOW_IGNORED) ||
        ignored_mail(t, f))
        return false;
    f->last = t->now;
    stream_step(f, from, p);
    if (f->mode == FLOW_HANDED && t->keep)
        take_kept(t, f, from, p);
    else if (f->mode == FLOW_HANDED && p->length)
        t->sink->bytes(f->session, from, p->payload, t->now);
    return true;
}

static inline void take_packet(struct tracker *t, const struct tracked *this)
{
    const struct packet *p = &this->packet;
    struct flow *f = this->likely;
    stream_tick(t->streams, t->now);
    if (twin_seen(t->twins, p, this->twin, t->now))
        t->counters->duplicates++;
    else if (!f || !(take_next(t, f, CLIENT, p) || take_next(t, f, SERVER, p)))
        take_other(t, this);
}

const struct flow_index *track_index(const struct tracker *t)
{
    return t->index;
}

void track_packets(struct tracker *t, struct tracked *packets, size_t n)
{
    const struct flow_index index = *t->index;
    for (size_t i = 0; i < n; i++)
        if (packets[i].tcp) {
            packets[i].likely = flow_likely(&index, packets[i].hash);
            packets[i].twin = twin_sum(&packets[i].packet, packets[i].hash);
            twin_prefetch(t->twins, packets[i].twin);
        } else {
            packets[i].likely = NULL;
        }
    for (size_t i = 0; i < n && i < FETCH_SESSION; i++)
        if (packets[i].likely)
            flow_prefetch_session(packets[i].likely);
    uint64_t counted = 0, bytes = 0; /* of them in the counters; not yet there */
    for (size_t i = 0; i < n; i++) {
        const struct tracked *p = &packets[i];
        if (i + FETCH_SESSION < n && p[FETCH_SESSION].likely)
            flow_prefetch_session(p[FETCH_SESSION].likely);
        bytes += p->captured;
        if (!time_goes_on(t, p->packet.time)) {
            t->counters->packets += i + 1 - counted;
            t->counters->bytes += bytes;
            counted = i + 1;
            bytes = 0;
            time_jumps(t, p->packet.time);
        }
        if (p->tcp)
            take_packet(t, p);
    }
    t->counters->packets += n - counted;
    t->counters->bytes += bytes;
}
