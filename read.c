/* `squall read FILE...`: runs the sensor over capture files and prints what happened: counts, messages, storms; or the same as JSON. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counts_json.h"
#include "evidence.h"
#include "squall.h"
#include "stats/storm_json.h"
#include "storm_text.h"
#include "transaction_json.h"

#define TOP_MESSAGES 20
#define TOP_SHOWN 5 /* in the text */

struct reading {
    const char *config, *transactions_path, *evidence_directory;
    bool json, fail_wanted;
    enum storm_severity fail_on;
    const char *const *files;
    size_t file_count;

    struct sensor *sensor;
    FILE *transactions;
    bool write_failed;
    struct evidence *evidence; /* NULL: not wanted */
    bool evidence_failed;      /* evidence_why says how */
    struct reason evidence_why;
    uint64_t total_bytes;   /* of the files, 0: not known; for the progress line */
    int64_t progress_shown; /* monotonic ns */
};

static const char help[] =
    "Usage: squall read [options] FILE...\n\n"
    "Reads captures (pcap, pcapng, also gzip or zstd; \"-\": standard input; several files as one, in time order)\n"
    "and prints what happened: counts, messages, and each storm with its verdict.\n\n"
    "  -c FILE               configuration (default: built-in defaults)\n"
    "      --json            one JSON object instead of text\n"
    "      --transactions OUT  also write each mail transaction as a line of JSON to OUT (\"-\": standard output)\n"
    "      --evidence DIR    also write the packets that prove each storm to DIR/ALARM.pcapng, bodies blanked\n"
    "      --fail-on SEVERITY  exit status 1 when an alarm reached SEVERITY: notice, warning, minor, major, critical\n\n"
    "Exit status: 0 done; 1 --fail-on met; 64 usage; 65 not a readable capture; 66 no such file; 78 configuration.\n";

/* ---- while it reads ---------------------------------------------------------------------------------------------------------- */

static void transaction_seen(void *user, const struct transaction *t, bool twin)
{
    struct reading *r = user;
    if (!r->transactions)
        return;
    json_t *object = transaction_json(t, twin);
    if (!object || json_dumpf(object, r->transactions, JSON_COMPACT) != 0 || putc('\n', r->transactions) == EOF)
        r->write_failed = true;
    json_decref(object);
}

static void evidence_cut(void *user, const char *alarm, struct span section)
{
    struct reading *r = user;
    if (!r->evidence_failed)
        r->evidence_failed = !evidence_add(r->evidence, alarm, section, &r->evidence_why);
}

static void second_passed(void *user, int64_t now)
{
    (void)now;
    struct reading *r = user;
    if (!r->total_bytes)
        return;
    int64_t t = clock_monotonic();
    if (t - r->progress_shown < NS_PER_SECOND / 5)
        return;
    r->progress_shown = t;
    const struct capture_counters *c = &sensor_view(r->sensor)->capture;
    double share = (double)(c->bytes + 16 * c->packets) * 100 / (double)r->total_bytes;
    fprintf(stderr, "\rsquall: %3.0f %%  %'llu packets  %zu alarms ", share < 100 ? share : 100, (unsigned long long)c->packets,
            stats_storm_count(sensor_stats(r->sensor)));
}

/* The progress line's 100 %: only on a terminal, and only when every file is a plain one. */
static uint64_t size_of_files(const struct reading *r)
{
    uint64_t total = 0;
    if (!isatty(STDERR_FILENO))
        return 0;
    for (size_t i = 0; i < r->file_count; i++) {
        struct stat st;
        if (stat(r->files[i], &st) != 0 || !S_ISREG(st.st_mode))
            return 0;
        total += (uint64_t)st.st_size;
    }
    return total;
}

/* ---- what it prints ---------------------------------------------------------------------------------------------------------- */

static bool print_json(const struct reading *r)
{
    struct message_row rows[TOP_MESSAGES];
    json_t *alarms = json_array();
    for (size_t i = 0; i < stats_storm_count(sensor_stats(r->sensor)); i++)
        json_array_append_new(alarms, storm_json(stats_storm(sensor_stats(r->sensor), i)));
    json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o}", "squall", SQUALL_VERSION, "capture",
        counts_capture(sensor_view(r->sensor), r->files, r->file_count), "smtp",
        counts_smtp(sensor_view(r->sensor), stats_counters(sensor_stats(r->sensor))), "messages",
        counts_messages(rows, stats_top(sensor_stats(r->sensor), rows, TOP_MESSAGES)), "alarms", alarms);
    bool good = object && json_dumpf(object, stdout, JSON_INDENT(2) | STORM_JSON_FLAGS) == 0 && putchar('\n') != EOF;
    json_decref(object);
    return good;
}

static void print_counts(const struct reading *r)
{
    const struct sensor_view *view = sensor_view(r->sensor);
    const struct capture_counters *c = &view->capture;
    const struct smtp_counters *d = &view->smtp;
    const struct stats_counters *s = stats_counters(sensor_stats(r->sensor));
    char first[TIME_TEXT] = "", last[TIME_TEXT] = "";
    if (view->first != TIME_UNKNOWN) {
        clock_text(view->first, first);
        clock_text(view->now, last);
    }
    printf("Capture   %llu packets, %llu bytes, %llu TCP connections", (unsigned long long)c->packets, (unsigned long long)c->bytes,
        (unsigned long long)c->flows);
    if (first[0])
        printf("\n          %.19s to %.19s UTC, %.1f s", first, last,
            (double)(view->now - view->first) / (double)NS_PER_SECOND);
    double copies = view->mirror_copies;
    if (copies > 1.05)
        printf("\n          the mirror shows each packet %.2f times; counted once", copies);
    if (c->gaps)
        printf("\n          %llu gaps, %llu bytes never seen", (unsigned long long)c->gaps, (unsigned long long)c->gap_bytes);
    if (c->one_sided_flows)
        printf("\n          %llu connections show one direction only", (unsigned long long)c->one_sided_flows);
    if (c->undecodable)
        printf("\n          %llu packets could not be decoded", (unsigned long long)c->undecodable);
    printf("\nSMTP      %llu sessions (%llu STARTTLS, %llu TLS), %llu transactions\n", (unsigned long long)d->sessions,
        (unsigned long long)d->starttls_sessions, (unsigned long long)d->tls_sessions, (unsigned long long)s->transactions);
    printf("Mail      %llu messages to %llu recipients, %llu Message-IDs; %llu recipients refused", (unsigned long long)s->messages,
           (unsigned long long)s->recipients, (unsigned long long)s->message_ids, (unsigned long long)s->rejected_recipients);
    if (s->uncertain)
        printf("; %llu transactions uncertain", (unsigned long long)s->uncertain);
    if (s->twins)
        printf("; %llu twins left out", (unsigned long long)s->twins);
    putchar('\n');
}

static void print_messages(const struct reading *r)
{
    struct message_row rows[TOP_SHOWN];
    size_t n = stats_top(sensor_stats(r->sensor), rows, TOP_SHOWN);
    if (n == 0)
        return;
    printf("\n%9s %10s %12s %9s  %s\n", "copies", "deliveries", "redeliveries", "audience", "message");
    for (size_t i = 0; i < n; i++)
        printf("%9llu %10llu %12llu %9llu  %s%s%s%s\n", (unsigned long long)rows[i].copies, (unsigned long long)rows[i].deliveries,
            (unsigned long long)rows[i].redeliveries, (unsigned long long)rows[i].audience, rows[i].message_id[0] ? "<" : "(no Message-ID)",
            rows[i].message_id, rows[i].message_id[0] ? "> " : " ", rows[i].subject);
}

static bool print_text(const struct reading *r)
{
    size_t n = stats_storm_count(sensor_stats(r->sensor)), storms = 0;
    print_counts(r);
    print_messages(r);
    for (size_t i = 0; i < n; i++)
        if (!storm_text_write(stats_storm(sensor_stats(r->sensor), i), stdout))
            return false;
    putchar('\n');
    for (size_t i = 0; i < n; i++) { /* the last lines name the storms */
        const struct storm *s = stats_storm(sensor_stats(r->sensor), i);
        if (s->peak_severity == SEVERITY_NOTICE)
            continue;
        storms++;
        printf("%s %s %s: %s\n", s->id, storm_severity_text(s->peak_severity), storm_kind_text(s->kind), s->why);
    }
    if (!storms)
        puts("No storm.");
    return !ferror(stdout);
}

/* ---- the command ------------------------------------------------------------------------------------------------------------- */

static bool fail_met(const struct reading *r)
{
    for (size_t i = 0; i < stats_storm_count(sensor_stats(r->sensor)); i++)
        if (stats_storm(sensor_stats(r->sensor), i)->peak_severity >= r->fail_on)
            return true;
    return false;
}

static int cannot_write(const char *what)
{
    if (errno == EPIPE)
        return EX_IOERR; /* the reader has seen enough, as `| head` does: nothing to tell */
    fprintf(stderr, "squall: %s: cannot write: %s; is the disk full?\n", what, strerror(errno ? errno : EIO));
    return EX_IOERR;
}

/* Reads all files, prints, and says how it went. */
static int run(struct reading *r, const struct settings *settings)
{
    struct sensor_hooks hooks = {
        .transaction = transaction_seen, .capsule = evidence_cut, .tick = second_passed, .descriptor = -1, .user = r};
    struct sensor_settings how = {.settings = settings, .files = true, .workers = 1, .evidence = r->evidence != NULL};
    struct reason why = {""};
    int status = 0;
    r->sensor = sensor_new(&how, &hooks);
    if (!r->sensor) {
        fputs("squall: out of memory at the start; lower the bounds in squall.conf\n", stderr);
        return EX_OSERR;
    }
    r->total_bytes = size_of_files(r);
    bool whole = sensor_files(r->sensor, r->files, r->file_count, &why, &status);
    if (whole) {
        bool started = sensor_start(r->sensor, &why);
        whole = started && sensor_run(r->sensor, &why, &status);
        if (!started)
            status = EX_OSERR;
    }
    if (r->progress_shown)
        fputs("\r\033[K", stderr);
    errno = 0;
    bool nothing_read = !whole && status != EX_DATAERR;
    if (!nothing_read && !(r->json ? print_json(r) : print_text(r)))
        status = cannot_write("standard output");
    if (!whole)
        fprintf(stderr, "squall: %s\n", why.text);
    if (r->evidence_failed) {
        fprintf(stderr, "squall: %s\n", r->evidence_why.text);
        status = EX_IOERR;
    }
    if (r->transactions && (fflush(r->transactions) != 0 || r->write_failed))
        status = cannot_write(r->transactions_path);
    if (fflush(stdout) != 0)
        status = cannot_write("standard output");
    if (status == 0 && r->fail_wanted && fail_met(r))
        status = EXIT_STORM;
    evidence_free(r->evidence);
    sensor_free(r->sensor);
    return status;
}

static int parse_arguments(struct reading *r, int argc, char **argv)
{
    enum { OPT_JSON = 256, OPT_TRANSACTIONS, OPT_EVIDENCE, OPT_FAIL, OPT_HELP };
    static const struct option options[] = {{"json", no_argument, NULL, OPT_JSON},
                                            {"transactions", required_argument, NULL, OPT_TRANSACTIONS},
                                            {"evidence", required_argument, NULL, OPT_EVIDENCE},
                                            {"fail-on", required_argument, NULL, OPT_FAIL},
                                            {"help", no_argument, NULL, OPT_HELP},
                                            {NULL, 0, NULL, 0}};
    opterr = 0;
    for (int o; (o = getopt_long(argc, argv, ":c:h", options, NULL)) != -1;)
        switch (o) {
        case 'c':
            r->config = optarg;
            break;
        case OPT_JSON:
            r->json = true;
            break;
        case OPT_TRANSACTIONS:
            r->transactions_path = optarg;
            break;
        case OPT_EVIDENCE:
            r->evidence_directory = optarg;
            break;
        case OPT_FAIL:
            r->fail_wanted = true;
            if (!storm_severity_parse(span_text(optarg), &r->fail_on))
                return usage_error("read", "--fail-on: \"%s\" is not notice, warning, minor, major or critical", optarg);
            break;
        case 'h':
        case OPT_HELP:
            fputs(help, stdout);
            return -1;
        default:
            return option_error("read", o, argv);
        }
    if (optind == argc)
        return usage_error("read", "no capture file given");
    r->files = (const char *const *)argv + optind;
    r->file_count = (size_t)(argc - optind);
    return 0;
}

int command_read(int argc, char **argv)
{
    static struct reading r;
    static struct settings settings;
    int status = parse_arguments(&r, argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    status = settings_load(&settings, r.config);
    if (status)
        return status;
    if (r.evidence_directory && !(r.evidence = evidence_new(r.evidence_directory, true, &r.evidence_why))) {
        fprintf(stderr, "squall: %s\n", r.evidence_why.text);
        return EX_CANTCREAT;
    }
    if (r.transactions_path) {
        r.transactions = strcmp(r.transactions_path, "-") == 0 ? stdout : fopen(r.transactions_path, "we");
        if (!r.transactions) {
            fprintf(stderr, "squall: %s: cannot write: %s\n", r.transactions_path, strerror(errno));
            return EX_CANTCREAT;
        }
    }
    return run(&r, &settings);
}
