/* Runs random mail worlds through stats/ and holds what it says against the truth: are the re-injectors named, all and only they; is the
 * origin left in peace; is the next round foretold.  Prints a table; the last line counts the rows that met their goal.
 *
 *     sim [--seeds N] [--row NAME] [--verbose]      NAME: the beginning of the rows' names */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "stats/settings.h"
#include "stats/stats.h"
#include "tests/sim/world.h"

struct row {
    const char *name;
    struct world_plan plan;          /* seed, recipients and connectors are drawn for each world when 0 */
    double recall_goal;
};

static const struct row rows[] = {
    {"plain", {0}, 1.0},
    {"two relays on the mirror", {.two_relays = true}, 1.0},
    {"origin's link not mirrored", {.origin_hidden = true}, 1.0},
    {"forged Received lines", {.forged = true}, 1.0},
    {"Message-IDs rewritten", {.new_ids = true}, 1.0},
    {"through a smarthost", {.smarthost = true}, 1.0},
    {"smarthost, way to it hidden", {.smarthost = true, .smarthost_hidden = true}, 1.0},
    {"1 % lost", {.loss = 0.01}, 0.95},
    {"5 % lost", {.loss = 0.05}, 0.95},
    {"10 % lost", {.loss = 0.10}, 0.95},
    {"10 % lost, forged, rewritten", {.loss = 0.10, .forged = true, .new_ids = true}, 0.95},
};
#define ROWS (sizeof rows / sizeof rows[0])

struct tally {
    unsigned worlds, no_storm, false_alarms, origin_accused;
    unsigned named, guilty, wrong;         /* re-injectors named rightly; there were; named wrongly */
    unsigned growing, foretold;            /* worlds with a second round; forecast there before it began */
    unsigned thirds, thirds_right;         /* worlds with a third round; forecast of it within 20 % */
    double seconds_sum;                    /* from the first re-injected copy to the alarm */
    unsigned alarms;
};

struct watcher { /* what the storms said while they ran */
    const struct world *world;
    bool before_second;
    uint64_t last_before_third;            /* deliveries foretold by the last word before round 3 began; 0: none */
    int64_t raised;
};

static void storm_changed(void *user, const struct storm *s, enum storm_change change)
{
    struct watcher *w = user;
    (void)change;
    if (s->kind != KIND_REINJECTION)
        return;
    if (w->raised == TIME_UNKNOWN)
        w->raised = s->raised;
    if (s->forecast_at == TIME_UNKNOWN)
        return;
    if (s->updated < w->world->round_first[2])
        w->before_second = true;
    if (s->updated >= w->world->round_last[2] && s->updated < w->world->round_first[3])
        w->last_before_third = s->forecast_deliveries;
}

static bool guilty(const struct world *w, struct address a)
{
    for (size_t i = 0; i < w->reinjector_count; i++)
        if (address_equal(w->reinjectors[i], a))
            return true;
    return false;
}

static void judge(const struct world *w, const struct storm *s, struct tally *t, bool verbose)
{
    char text[ADDRESS_TEXT];
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct storm_host *h = &s->hosts[i];
        if (h->role != ROLE_REINJECTOR && h->role != ROLE_LOOPER)
            continue;
        if (address_equal(h->address, w->origin))
            t->origin_accused++;
        if (guilty(w, h->address)) {
            t->named++;
            continue;
        }
        t->wrong++;
        if (verbose)
            printf("    wrongly named: %s %s: %s\n", address_text(h->address, text), h->name, h->evidence_count ? h->evidence[0].said : "");
    }
}

static bool run_world(const struct world_plan *plan, const struct stats_settings *settings, struct tally *t, bool verbose)
{
    struct world w;
    if (!world_make(&w, plan)) {
        world_free(&w);
        return false;
    }
    struct watcher watcher = {.world = &w, .raised = TIME_UNKNOWN};
    struct stats *stats = stats_new(settings, &(struct stats_sink){storm_changed, &watcher});
    if (!stats) {
        world_free(&w);
        return false;
    }
    int64_t second = 0;
    for (size_t i = 0; i < w.transaction_count; i++) {
        if (w.transactions[i].end - second >= NS_PER_SECOND) {
            second = w.transactions[i].end;
            stats_tick(stats, second);
        }
        stats_transaction(stats, &w.transactions[i]);
        /* silence is told second by second up to an hour, as packets of other traffic would */
        int64_t next = i + 1 < w.transaction_count ? w.transactions[i + 1].end : second;
        for (int64_t quiet = second + NS_PER_SECOND; quiet < next && quiet < second + 3600 * NS_PER_SECOND; quiet += NS_PER_SECOND)
            stats_tick(stats, quiet), second = quiet;
    }
    stats_finish(stats, second);
    t->worlds++;
    bool storm = false;
    unsigned named_before = t->named;
    for (size_t i = 0; i < stats_storm_count(stats); i++) {
        const struct storm *s = stats_storm(stats, i);
        if (s->peak_severity == SEVERITY_NOTICE)
            continue;
        if (s->kind == KIND_REINJECTION)
            storm = true;
        else {
            t->false_alarms++;
            if (verbose)
                printf("    not a re-injection: %s: %s\n", storm_kind_text(s->kind), s->why);
        }
        judge(&w, s, t, verbose);
    }
    if (verbose && t->named - named_before != w.reinjector_count)
        printf("    seed %llu: %u recipients, %u connectors: %u of %zu named\n", (unsigned long long)plan->seed, plan->recipients,
            plan->connectors, t->named - named_before, w.reinjector_count);
    t->guilty += (unsigned)w.reinjector_count;
    if (!storm && w.reinjector_count)
        t->no_storm++;
    if (w.round_deliveries[2]) {
        t->growing++;
        t->foretold += watcher.before_second;
    }
    if (w.round_deliveries[3] && !w.cut_short && watcher.raised != TIME_UNKNOWN) {
        t->thirds++;
        double error = fabs((double)watcher.last_before_third / (double)w.round_deliveries[3] - 1);
        t->thirds_right += error <= 0.2;
        if (verbose && error > 0.2)
            printf("    seed %llu: %u recipients, %u connectors: rounds %llu %llu %llu, foretold %llu\n", (unsigned long long)plan->seed,
                plan->recipients, plan->connectors, (unsigned long long)w.round_deliveries[1], (unsigned long long)w.round_deliveries[2],
                (unsigned long long)w.round_deliveries[3], (unsigned long long)watcher.last_before_third);
    }
    if (watcher.raised != TIME_UNKNOWN) {
        t->alarms++;
        t->seconds_sum += (double)(watcher.raised - w.round_first[1]) / (double)NS_PER_SECOND;
    }
    stats_free(stats);
    world_free(&w);
    return true;
}

/* Recipients and connectors such that three rounds stay within what a world simulates. */
static void draw(struct world_plan *p, uint64_t seed)
{
    static const uint32_t recipients[] = {40, 60, 100, 200, 350, 570, 1000, 2000, 5000};
    static const uint32_t connectors[] = {2, 3, 4, 5, 8, 12, 30};
    p->seed = seed;
    p->recipients = recipients[seed % (sizeof recipients / sizeof recipients[0])];
    p->connectors = connectors[seed / 9 % (sizeof connectors / sizeof connectors[0])];
    if (p->connectors > p->recipients / 4)
        p->connectors = p->recipients / 4;
}

static double share(unsigned part, unsigned whole)
{
    return whole ? (double)part / whole : 1;
}

int main(int argc, char **argv)
{
    unsigned seeds = 200, good = 0, ran = 0;
    bool verbose = false;
    const char *row = "";
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 's'},
        {"row", required_argument, NULL, 'r'},
        {"verbose", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    for (int o; (o = getopt_long(argc, argv, "s:r:v", options, NULL)) != -1;)
        if (o == 's')
            seeds = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 'r')
            row = optarg;
        else if (o == 'v')
            verbose = true;
        else
            return 64;
    static struct stats_settings settings;
    const struct setting_group group = {"", stats_settings_list, stats_settings_count, &settings, NULL, NULL};
    config_defaults(&group, 1);
    printf("%-30s %6s %7s %9s %7s %7s %7s %8s %9s %8s %7s\n", "world", "worlds", "missed", "precision", "recall", "origin", "other",
        "before", "round 3", "seconds", "");
    printf("%-30s %6s %7s %9s %7s %7s %7s %8s %9s %8s %7s\n", "", "", "storms", "", "", "accused", "alarms", "round 2", "in 20 %",
        "to alarm", "");
    for (size_t r = 0; r < ROWS; r++) {
        if (strncmp(rows[r].name, row, strlen(row)) != 0)
            continue;
        ran++;
        struct tally t = {0};
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            struct world_plan plan = rows[r].plan;
            draw(&plan, seed);
            if (!run_world(&plan, &settings, &t, verbose)) {
                fprintf(stderr, "sim: out of memory\n");
                return 71;
            }
        }
        double precision = share(t.named, t.named + t.wrong), recall = share(t.named, t.guilty), before = share(t.foretold, t.growing);
        double third = share(t.thirds_right, t.thirds);
        bool met =
            precision >= 1 && recall >= rows[r].recall_goal && !t.origin_accused && !t.false_alarms && before >= 0.95 && third >= 0.95;
        good += met;
        printf("%-30s %6u %7u %9.4f %7.4f %7u %7u %7.1f%% %8.1f%% %8.2f %s\n", rows[r].name, t.worlds, t.no_storm, precision, recall,
            t.origin_accused, t.false_alarms, 100 * before, 100 * third, t.alarms ? t.seconds_sum / t.alarms : 0, met ? "ok" : "NOT MET");
        fflush(stdout);
    }
    printf("%u passed, %u failed\n", good, ran - good);
    return ran && good == ran ? 0 : 1;
}
