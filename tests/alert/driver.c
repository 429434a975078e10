/* driver CONFIG STATE_DIRECTORY: feeds storms into the alert room as a script on standard input says, one command a line, and answers
 * "done" (or what was asked) after each.  The receivers are the tests' own; this program asserts nothing.
 *   raise|update|clear ID SEVERITY [REDELIVERIES]: a storm's change; its time is the clock's, plus what `pass` added
 *   copies ID SEVERITY N: N updates of one storm, ten milliseconds of its time apart
 *   host ADDRESS NAME: from now on the storms' re-injector
 *   text HEX: from now on every text of the storms and the re-injector's name, as bytes
 *   pass SECONDS: storm time goes on
 *   sleep SECONDS: wall time goes on, ticking
 *   drain SECONDS: until nothing waits, at most so long; answers "drained" or "waiting N"
 *   agent NAME VALUE: a counter for the subagent, and the host as a mail server that sent VALUE again
 *   health: a line for each channel, then "done"
 *   restart: ends the room and starts it again, as the desk does
 *   crash: dies without a word */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/alert.h"
#include "base/hash.h"

static struct {
    struct alert_settings *settings;
    struct alert *alert;
    const char *directory;
    struct storm_host host;
    char text[STORM_TEXT_SIZE]; /* "": the storms' usual ones */
    int64_t passed;
} driver;

static void on_trouble(void *user, const char *channel, bool failing, const char *why)
{
    (void)user;
    fprintf(stderr, "trouble: %s: %s: %s\n", channel, failing ? "failing" : "well", why);
}

static void start(void)
{
    struct reason why = {""};
    driver.alert = alert_new(driver.settings, driver.directory, "https://squall.example", &(struct alert_sink){on_trouble, NULL}, &why);
    if (driver.alert)
        return;
    fprintf(stderr, "driver: %s\n", why.text);
    exit(1);
}

static struct storm storm_of(const char *id, const char *severity, uint64_t redeliveries)
{
    struct storm s = {.kind = KIND_REINJECTION,
        .state = STATE_RAISED,
        .cleared = TIME_UNKNOWN,
        .reproduction = 1.5,
        .generation = (double)NAN,
        .peak_rate = (double)NAN,
        .forecast_at = TIME_UNKNOWN,
        .generations_left = -1};
    int64_t now = clock_now() + driver.passed;
    snprintf(s.id, sizeof s.id, "%s", id);
    storm_severity_parse(span_text(severity), &s.severity);
    s.peak_severity = s.severity;
    snprintf(s.message_id, sizeof s.message_id, "1795492158195.3d3e@bank.test");
    snprintf(s.subject, sizeof s.subject, "Nieuwe \"openingsuren\" [\xc3\xa9t\xc3\xa9] \\ 2026");
    snprintf(s.from, sizeof s.from, "els@bank.test");
    snprintf(s.why, sizeof s.why, "server.company3.test sent the mail again to 58 people who had it");
    char *const texts[] = {s.message_id, s.subject, s.from, s.victim, s.why};
    for (size_t i = 0; driver.text[0] && i < sizeof texts / sizeof texts[0]; i++)
        memcpy(texts[i], driver.text, sizeof driver.text);
    s.first_seen = s.raised = s.updated = now;
    s.redeliveries = redeliveries;
    s.deliveries = redeliveries + 58;
    s.copies = redeliveries / 3 + 1;
    s.hosts = &driver.host;
    s.host_count = 1;
    return s;
}

static void change(const char *what, const char *id, const char *severity, uint64_t redeliveries)
{
    struct storm s = storm_of(id, severity, redeliveries);
    if (strcmp(what, "cleared") == 0) {
        s.cleared = s.updated;
        s.state = STATE_CLEARED;
    }
    alert_storm(driver.alert, &s, what);
}

static void copies(const char *id, const char *severity, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        change("updated", id, severity, i);
        driver.passed += NS_PER_SECOND / 100;
    }
}

static size_t waiting(void)
{
    struct alert_health h[ALERT_CHANNELS];
    size_t count = alert_health(driver.alert, h, ALERT_CHANNELS), n = 0;
    for (size_t i = 0; i < count; i++)
        n += h[i].queued;
    return n;
}

static bool tick_until(double seconds, bool drained)
{
    for (int64_t end = clock_monotonic() + (int64_t)(seconds * 1e9); clock_monotonic() < end; usleep(20000)) {
        alert_tick(driver.alert, clock_now());
        if (drained && waiting() == 0)
            return true;
    }
    return false;
}

static void agent(const char *name, uint64_t value)
{
    struct alert_counter c = {.value = value};
    struct host_row h[2] = {{.address = driver.host.address,
                                .messages_in = 7,
                                .messages_out = 8,
                                .recipients_in = 9,
                                .recipients_out = 10,
                                .redeliveries = value},
        {.address = address_v4((const uint8_t[]){10, 9, 9, 9}), .messages_in = 1}};
    span_copy(span_text(name), c.name, sizeof c.name);
    snprintf(h[0].name, sizeof h[0].name, "%s", driver.host.name);
    alert_agent_update(driver.alert, &c, 1, h, 2);
}

static void text(const char *hex)
{
    memset(driver.text, 0, sizeof driver.text);
    for (size_t i = 0; i < sizeof driver.text - 1 && hex[2 * i] > ' ' && hex[2 * i + 1] > ' '; i++)
        driver.text[i] = (char)strtoul((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
    memcpy(driver.host.name, driver.text, sizeof driver.text);
}

static void health(void)
{
    struct alert_health h[ALERT_CHANNELS];
    size_t count = alert_health(driver.alert, h, ALERT_CHANNELS);
    for (size_t i = 0; i < count; i++)
        printf("%s\tconfirmed=%d failing=%d sent=%llu delivered=%llu failed=%llu suppressed=%llu dropped=%llu queued=%u\t%s\n", h[i].name,
            h[i].confirmed, h[i].failing, (unsigned long long)h[i].sent, (unsigned long long)h[i].delivered,
            (unsigned long long)h[i].failed, (unsigned long long)h[i].suppressed, (unsigned long long)h[i].dropped, h[i].queued,
            h[i].error);
}

static void obey(char *line)
{
    char word[16] = "", a[64] = "", b[256] = "";
    char number[24] = "";
    sscanf(line, "%15s %63s %255s %23s", word, a, b, number);
    uint64_t n = strtoull(number, NULL, 10);
    if (strcmp(word, "raise") == 0 || strcmp(word, "update") == 0 || strcmp(word, "clear") == 0)
        change(*word == 'r' ? "raised" : *word == 'u' ? "updated" : "cleared", a, b, n);
    else if (strcmp(word, "copies") == 0)
        copies(a, b, n);
    else if (strcmp(word, "host") == 0) {
        address_parse(span_text(a), &driver.host.address);
        snprintf(driver.host.name, sizeof driver.host.name, "%s", b);
    } else if (strcmp(word, "text") == 0)
        text(line + 5);
    else if (strcmp(word, "pass") == 0)
        driver.passed += (int64_t)(strtod(a, NULL) * 1e9);
    else if (strcmp(word, "sleep") == 0)
        tick_until(strtod(a, NULL), false);
    else if (strcmp(word, "drain") == 0) {
        if (tick_until(strtod(a, NULL), true))
            puts("drained");
        else
            printf("waiting %zu\n", waiting());
        return;
    } else if (strcmp(word, "agent") == 0)
        agent(a, strtoull(b, NULL, 10));
    else if (strcmp(word, "health") == 0)
        health();
    else if (strcmp(word, "restart") == 0) {
        alert_free(driver.alert);
        start();
    } else if (strcmp(word, "crash") == 0)
        _exit(9);
    puts("done");
}

int main(int argc, char **argv)
{
    struct setting_group groups[ALERT_GROUPS];
    struct reason why;
    if (argc != 3)
        return 64;
    signal(SIGPIPE, SIG_IGN);
    hash_seed(1);
    driver.settings = alert_settings_new();
    driver.directory = argv[2];
    size_t count = alert_setting_groups(driver.settings, groups);
    if (!config_read(argv[1], groups, count, &why)) {
        fprintf(stderr, "driver: %s\n", why.text);
        return 78;
    }
    address_parse(span_text("10.3.3.10"), &driver.host.address);
    snprintf(driver.host.name, sizeof driver.host.name, "server.company3.test");
    driver.host.role = ROLE_REINJECTOR;
    driver.host.first = driver.host.last = clock_now();
    start();
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        obey(line);
        fflush(stdout);
    }
    alert_free(driver.alert);
    alert_settings_free(driver.settings);
    return 0;
}
