/* What a mail costs in smtpdissect/ alone: what capture/ makes of a file is written down once, then played back to a dissector that hands
 * its records to nobody.  `dissect_bench FILE.pcap [ROUNDS]`: nanoseconds of this core a mail, minimum of the rounds, and bytes of memory
 * a connection open at once.  Instructions: valgrind --tool=callgrind --toggle-collect=replay. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "capture/capture.h"
#include "smtpdissect/unread.h"

#define GROWTH (1u << 20) /* events, and bytes times 64, that the script grows by */
#define LOOKS  256        /* at the memory in use, in one round */

enum act { ACT_OPEN, ACT_BYTES, ACT_GAP, ACT_END };

struct event {
    int64_t now;
    uint64_t n, at; /* bytes; where they begin */
    uint32_t connection;
    uint8_t act, from;
};

static struct {
    struct event *events;
    size_t count, room;
    uint8_t *bytes;
    size_t used, bytes_room;
    struct connection *connections;
    size_t connection_count, connection_room;
} script;

static uint64_t messages, open_most;
static size_t resident_most;

static void *grown(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p)
        exit(70);
    return p;
}

static struct event *note(enum act act, uint32_t connection, int64_t now)
{
    if (script.count == script.room)
        script.events = grown(script.events, (script.room += GROWTH) * sizeof *script.events);
    struct event *e = &script.events[script.count++];
    *e = (struct event){.act = (uint8_t)act, .connection = connection, .now = now, .at = script.used};
    return e;
}

static void *note_open(void *user, const struct connection *c)
{
    (void)user;
    if (script.connection_count == script.connection_room)
        script.connections = grown(script.connections, (script.connection_room += GROWTH) * sizeof *c);
    script.connections[script.connection_count++] = *c;
    note(ACT_OPEN, (uint32_t)script.connection_count, c->opened);
    return (void *)script.connection_count; /* a number is session enough */
}

static void note_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    struct event *e = note(ACT_BYTES, (uint32_t)(size_t)session, now);
    e->from = (uint8_t)from;
    e->n = bytes.n;
    if (script.used + bytes.n > script.bytes_room)
        script.bytes = grown(script.bytes, script.bytes_room += GROWTH * (size_t)64);
    memcpy(script.bytes + script.used, bytes.p, bytes.n);
    script.used += bytes.n;
}

static void note_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    struct event *e = note(ACT_GAP, (uint32_t)(size_t)session, now);
    e->from = (uint8_t)from;
    e->n = n;
}

static void note_end(void *session, enum end how, int64_t now)
{
    (void)how;
    note(ACT_END, (uint32_t)(size_t)session, now);
}

static uint32_t no_mark(const void *session)
{
    (void)session;
    return 0;
}

static void no_tick(void *user, int64_t now)
{
    (void)user;
    (void)now;
}

static void defaults(const struct setting *list, size_t count, void *to)
{
    const struct setting_group one = {"", list, count, to, NULL, NULL};
    config_defaults(&one, 1);
}

static void read_script(const char *path)
{
    struct capture_settings settings = {.flows = 0};
    struct capture_sink sink = {
        .open = note_open, .bytes = note_bytes, .gap = note_gap, .end = note_end, .content_mark = no_mark, .tick = no_tick};
    struct reason why;
    int status;
    defaults(capture_settings_list, capture_settings_count, &settings);
    settings.ring_bytes = 0;
    struct capture *c = capture_new(&settings, &sink);
    if (!c || !capture_files(c, &path, 1, &why, &status)) {
        fprintf(stderr, "dissect_bench: %s\n", c ? why.text : "out of memory");
        exit(65);
    }
    capture_finish(c, INT64_MIN);
    capture_free(c);
}

static void take_transaction(void *user, const struct unread *u)
{
    (void)user;
    messages += u->message;
}

static void take_session(void *user, const struct session_record *r)
{
    (void)user;
    (void)r;
}

static void play(struct dissector *d, struct smtp **session, const struct event *e)
{
    struct smtp **s = &session[e->connection - 1];
    const struct connection *c = &script.connections[e->connection - 1];
    switch ((enum act)e->act) {
    case ACT_OPEN: *s = smtp_open(d, c->number, c->side, c->client_certain, e->now); break;
    case ACT_BYTES: smtp_push(*s, (enum side)e->from, span_of(script.bytes + e->at, e->n), e->now); break;
    case ACT_GAP: smtp_gap(*s, (enum side)e->from, e->n, e->now); break;
    case ACT_END: smtp_end(*s, e->now); break;
    }
}

static size_t resident(void) /* bytes of this process */
{
    unsigned long all, here = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu", &all, &here) != 2)
        here = 0;
    if (f)
        fclose(f);
    return here * (size_t)sysconf(_SC_PAGESIZE);
}

__attribute__((noinline)) static void replay(struct dissector *d, struct smtp **session)
{
    size_t step = script.count / LOOKS + 1;
    for (size_t i = 0; i < script.count; i++) {
        play(d, session, &script.events[i]);
        if (i % step == 0 && resident() > resident_most)
            resident_most = resident();
    }
}

static void count_open(void)
{
    uint64_t now = 0;
    for (size_t i = 0; i < script.count; i++) {
        now += script.events[i].act == ACT_OPEN;
        now -= script.events[i].act == ACT_END;
        open_most = now > open_most ? now : open_most;
    }
}

static double core_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: dissect_bench FILE.pcap [ROUNDS]\n");
        return 64;
    }
    hash_seed(1);
    read_script(argv[1]);
    count_open();
    struct smtp **session = grown(NULL, script.connection_count * sizeof(struct smtp *) + 1);
    struct smtp_settings settings = {.sessions = 0};
    struct smtp_sink sink = {.unread = take_transaction, .session = take_session};
    defaults(smtp_settings_list, smtp_settings_count, &settings);
    double best = 0;
    size_t before = resident();
    for (long rounds = argc == 3 ? atol(argv[2]) : 5; rounds > 0; rounds--) {
        struct dissector *d = dissector_new(&settings, &sink);
        if (!d) {
            free(session);
            return 70;
        }
        messages = 0;
        double begin = core_ns();
        replay(d, session);
        double took = core_ns() - begin;
        best = best == 0 || took < best ? took : best;
        dissector_free(d);
    }
    double mails = messages ? (double)messages : 1, open = open_most ? (double)open_most : 1;
    printf("%zu events, %llu mails: %.0f ns a mail; %llu connections open at once: %.0f bytes each\n", script.count,
        (unsigned long long)messages, best / mails, (unsigned long long)open_most,
        resident_most > before ? (double)(resident_most - before) / open : 0);
    free(session);
    return 0;
}
