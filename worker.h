/* One capture worker: capture -> smtpdissect in a thread of its own, its records over a ring to the stats thread.  Nobody else touches its
 * engine while the thread runs. */
#ifndef SQUALL_WORKER_H
#define SQUALL_WORKER_H

#include "base/ring.h"
#include "capture/capture.h"
#include "smtpdissect/smtp.h"

#define WORKERS_MOST 64

struct sensor_view { /* how far the packets have come, and what was counted until then; running totals */
    int64_t first, now;  /* ns; first is TIME_UNKNOWN before the first packet */
    double mirror_copies;
    struct capture_counters capture;
    struct smtp_counters smtp;
    uint64_t records_lost; /* for which the ring to the stats thread had no room */
    uint64_t evidence_passed_over; /* connections wanted as evidence, too many at once */
};

enum record_kind {
    RECORD_TRANSACTION, /* unread_flatten()'s */
    RECORD_SESSION,     /* struct session_record, flat */
    RECORD_TICK,        /* struct sensor_view: a second of packet time has passed */
    RECORD_CAPSULE,     /* struct capsule_record */
    RECORD_FINISH,      /* struct end_record: every connection is ended; the worker waits for worker_handled() */
    RECORD_END,         /* nothing: the last one */
};
struct record { /* before each body in the ring */
    int64_t time;   /* of the packet in hand */
    uint32_t kind;  /* enum record_kind */
    bool elsewhere; /* the body is too large for the ring: in its place stands a pointer to it, the reader's to free */
};
struct capsule_record { /* evidence, a whole pcapng section */
    char alarm[32];
    char *bytes;     /* the reader's to free; NULL: none was left in the ring of packets */
    size_t size, packets;
};
struct end_record {
    struct sensor_view view;
    bool whole; /* false: why and status, as capture.h has them */
    int status;
    struct reason why;
};

struct worker_settings {
    const struct capture_settings *capture;
    const struct smtp_settings *smtp;
    unsigned index;    /* of this worker; part of its connections' numbers */
    size_t ring_bytes;
    bool files;        /* a full ring holds the worker up; on an interface the record is lost, and counted */
    bool lockstep;     /* files: each tick waits until stats has dealt with it, so that evidence is the same in every run */
    bool nameless;     /* evidence keeps nothing that names people (smtp_clear_nameless()) */
    double speed;      /* files: packet seconds a second; 0: as fast as it goes */
};

struct worker;
struct worker *worker_new(const struct worker_settings *settings); /* NULL: out of memory */
void worker_free(struct worker *w);                                /* after worker_join() */
struct capture *worker_capture(struct worker *w);                  /* to open files or interfaces, before worker_start() */
bool worker_start(struct worker *w);                               /* false: no thread to be had */
void worker_stop(struct worker *w);                                /* async-signal-safe: RECORD_END comes soon */
void worker_join(struct worker *w);

/* ---- of the stats thread ---- */
struct ring *worker_ring(struct worker *w);
void worker_handled(struct worker *w, enum record_kind kind); /* RECORD_FINISH, in lockstep RECORD_TICK too: has been dealt with */
#define WORKER_WISHES 1024 /* not yet met */
/* Packets of this connection are wanted as evidence for the alarm; they come as RECORD_CAPSULE after the next tick.  False: passed over,
 * for there are too many wishes. */
bool worker_wish(struct worker *w, const char *alarm, uint64_t connection, int64_t until, const char *why);

/* Whose connection it is. */
static inline unsigned connection_worker(uint64_t connection)
{
    return (unsigned)(connection >> 56);
}

#endif
