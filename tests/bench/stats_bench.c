/* In: captures.  Out: what stats/ alone costs a mail, in ns of this core: the transactions of the files are flattened into memory first, as
 * they cross to the thread of stats/ in `squall read`, then played to a fresh stats/ again and again; with all detectors, with none, and
 * without each.  `stats_bench [-r RUNS] [-w] FILE...`: the least of RUNS (default 5) counts; -w: only with all detectors, for a
 * profiler. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/pages.h"
#include "capture/capture.h"
#include "smtpdissect/clear.h"
#include "smtpdissect/flat.h"
#include "stats/settings.h"
#include "stats/stats.h"

#define TAPE_MOST ((size_t)16 << 30) /* address space: pages come as they are written */

enum piece { PIECE_END, PIECE_TRANSACTION, PIECE_SESSION, PIECE_TICK };
struct entry {
    uint64_t piece, size; /* of the record behind it, bytes */
    int64_t now;          /* of a tick */
};

static struct {
    uint8_t *start;
    size_t used;
    uint64_t mails, recipients;
    int64_t last;
} tape;

static void *entry_add(enum piece piece, size_t size, int64_t now)
{
    struct entry *e = (struct entry *)(void *)(tape.start + tape.used);
    *e = (struct entry){piece, size, now};
    tape.used += sizeof *e + size;
    return e + 1;
}

static void transaction_done(void *user, const struct transaction *t)
{
    (void)user;
    transaction_flatten(t, entry_add(PIECE_TRANSACTION, transaction_flat_size(t), 0));
    tape.mails++;
    tape.recipients += t->recipient_count;
}

static void session_done(void *user, const struct session_record *s)
{
    (void)user;
    session_flatten(s, entry_add(PIECE_SESSION, session_flat_size(s), 0));
}

static void second_passed(void *user, int64_t now)
{
    (void)user;
    entry_add(PIECE_TICK, 0, now);
    tape.last = now;
}

static void *connection_open(void *user, const struct connection *c)
{
    return smtp_open(user, c->number, c->side, c->client_certain, c->opened);
}

static void connection_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    smtp_push(session, from, bytes, now);
}

static void connection_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    smtp_gap(session, from, n, now);
}

static void connection_end(void *session, enum end how, int64_t now)
{
    (void)how;
    smtp_end(session, now);
}

static bool record(const char *const files[], size_t count)
{
    static struct capture_settings capturing;
    static struct smtp_settings reading;
    const struct setting_group groups[] = {{"", capture_settings_list, capture_settings_count, &capturing, NULL, NULL},
        {"", smtp_settings_list, smtp_settings_count, &reading, NULL, NULL}};
    config_defaults(groups, 2);
    const struct smtp_sink records = {.transaction = transaction_done, .session = session_done};
    struct dissector *d = dissector_new(&reading, &records);
    const struct capture_sink connections = {
        .open = connection_open,
        .bytes = connection_bytes,
        .gap = connection_gap,
        .end = connection_end,
        .tick = second_passed,
        .user = d,
    };
    struct capture *c = capture_new(&capturing, &connections);
    struct reason why = {""};
    int status;
    tape.start = pages_map(TAPE_MOST);
    bool good = d && c && tape.start && capture_files(c, files, count, &why, &status);
    if (!good)
        fprintf(stderr, "stats_bench: %s\n", why.text);
    else
        capture_finish(c, INT64_MIN);
    capture_free(c);
    dissector_free(d);
    if (good)
        entry_add(PIECE_END, 0, 0);
    return good;
}

static int64_t spent(void) /* ns of this thread, whoever else is on the machine */
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static int64_t play(const struct stats_settings *settings) /* ns; -1: out of memory */
{
    struct stats *s = stats_new(settings, NULL);
    if (!s)
        return -1;
    int64_t begin = spent();
    for (const struct entry *e = (const void *)tape.start; e->piece != PIECE_END; e = (const void *)((const uint8_t *)(e + 1) + e->size)) {
        if (e->piece == PIECE_TRANSACTION)
            stats_transaction(s, (const void *)(e + 1));
        else if (e->piece == PIECE_SESSION)
            stats_session(s, (const void *)(e + 1));
        else
            stats_tick(s, e->now);
    }
    int64_t end = spent();
    stats_finish(s, tape.last);
    stats_free(s);
    return end - begin;
}

struct rounds { /* of one choice of detectors */
    const char *without;
    struct stats_settings settings;
    int64_t least; /* ns */
};

int main(int argc, char **argv)
{
    int runs = 5, option;
    bool whole_only = false;
    while ((option = getopt(argc, argv, "r:w")) == 'r' || option == 'w')
        if (option == 'r')
            runs = atoi(optarg);
        else
            whole_only = true;
    if (option != -1 || optind == argc || runs < 1) {
        fprintf(stderr, "usage: stats_bench [-r RUNS] [-w] FILE...\n");
        return 64;
    }
    if (!record((const char *const *)argv + optind, (size_t)(argc - optind)) || tape.mails == 0)
        return 65;

    static struct rounds all[64];
    struct stats_settings defaults;
    const struct setting_group group = {"", stats_settings_list, stats_settings_count, &defaults, NULL, NULL};
    config_defaults(&group, 1);
    size_t count = 2; /* [0] all, [1] none */
    for (size_t i = 0; i < 64; i++)
        all[i] = (struct rounds){.settings = defaults, .least = INT64_MAX};
    for (size_t i = 0; i < stats_settings_count && count < 64; i++) {
        if (strcmp(stats_settings_list[i].name, "enabled") != 0)
            continue;
        *(bool *)((char *)&all[1].settings + stats_settings_list[i].offset) = false;
        *(bool *)((char *)&all[count].settings + stats_settings_list[i].offset) = false;
        all[count++].without = stats_settings_list[i].section;
    }
    if (whole_only)
        count = 1;
    for (int r = 0; r < runs; r++)
        for (size_t i = 0; i < count; i++) {
            int64_t ns = play(&all[i].settings);
            if (ns < 0)
                return 70;
            all[i].least = ns < all[i].least ? ns : all[i].least;
        }

    double mails = (double)tape.mails, whole = (double)all[0].least / mails;
    printf("%llu transactions, %llu recipients, %.0f bytes each\n", (unsigned long long)tape.mails, (unsigned long long)tape.recipients,
        (double)tape.used / mails);
    printf("%-22s %7.1f ns a mail\n", "all", whole);
    if (count > 1)
        printf("%-22s %7.1f\n", "keys, twins, ledger", (double)all[1].least / mails);
    for (size_t i = 2; i < count; i++)
        printf("%-22s %7.1f\n", all[i].without, whole - (double)all[i].least / mails);
    return 0;
}
