/* In: who wants to see which alarm in clear, and why.  Out: the clear storm of the history, and a line of JSON in reveals.log, on disk
 * before the storm is handed out.  A lock on the directory "keys" keeps writers apart. */
#include "stats/reveal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "stats/privacy.h"
#include "stats/storm_json.h"

#define PATH_SIZE 4200
#define LINE_SIZE 8192 /* all fields, every byte of them escaped */

static bool path_of(const char *state_directory, const char *name, char to[PATH_SIZE], struct reason *why)
{
    return (size_t)snprintf(to, PATH_SIZE, "%s/%s", state_directory, name) < PATH_SIZE ||
           reason_say(why, "%.100s...: the path is too long", state_directory);
}

/* Held while the log is written; -1: cannot be had. */
static int lock(const char *state_directory)
{
    char path[PATH_SIZE];
    int fd = path_of(state_directory, "keys", path, NULL) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The log is its directory's owner's, also when root reveals: else the sensor could not write to it any more. */
static void give_to_owner(int fd, int directory)
{
    struct stat st;
    if (geteuid() == 0 && fstat(directory, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
        log_line(LOG_LEVEL_WARNING, "reveals.log: cannot give it to the owner of its directory: %s", strerror(errno));
}

static char *line_of(const struct reveal *r)
{
    char when[TIME_TEXT];
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "time", clock_text(r->time, when), "alarm", r->alarm, "who", r->who, "from", r->from,
        "reason", r->reason);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static bool append(const char *state_directory, const struct reveal *r, struct reason *why)
{
    char path[PATH_SIZE], line[LINE_SIZE];
    char *text = line_of(r);
    int n = text ? snprintf(line, sizeof line, "%s\n", text) : -1;
    free(text);
    if (n < 0 || n >= LINE_SIZE || !path_of(state_directory, "reveals.log", path, why))
        return reason_say(why, "reveals.log: out of memory");
    int held = lock(state_directory), fd = held < 0 ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        give_to_owner(fd, held);
    bool good = fd >= 0 && write(fd, line, (size_t)n) == n && fsync(fd) == 0;
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (held >= 0)
        close(held);
    return good || reason_say(why, "%s: cannot write who reveals: %s; without that nothing is revealed", path, strerror(reason));
}

struct storm *reveal_storm(const char *state_directory, const struct reveal *asked, struct reason *why)
{
    int status;
    struct reveal r = *asked;
    log_clean(span_text(asked->who), r.who, sizeof r.who);
    log_clean(span_trim(span_text(asked->reason)), r.reason, sizeof r.reason);
    if (!r.reason[0]) {
        reason_say(why, "a reason is needed: it stands in the log of reveals");
        return NULL;
    }
    struct history *h = history_open_reading(state_directory, why, &status);
    struct storm *s = h ? history_load(h, r.alarm, why) : NULL;
    bool sealed = s && s->privacy != PRIVACY_CLEAR;
    if (sealed) {
        storm_json_free(s);
        s = privacy_unseal(state_directory, h, r.alarm, why);
    }
    history_close(h);
    if (!sealed)
        return s; /* it is in clear for everybody */
    if (s && !append(state_directory, &r, why)) {
        storm_json_free(s);
        return NULL;
    }
    if (s)
        log_line(LOG_LEVEL_NOTICE, "alarm %s was revealed to %s (%s): %s", r.alarm, r.who, r.from, r.reason);
    return s;
}

/* ---- reading ---- */

static void take_text(const json_t *o, const char *name, char *to, size_t size)
{
    const json_t *v = json_object_get(o, name);
    log_clean(span_of(json_string_value(v), json_string_length(v)), to, size);
}

static bool parse(const char *line, struct reveal *r)
{
    json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    const char *time = json_string_value(json_object_get(o, "time"));
    bool good = time && clock_parse(span_text(time), &r->time);
    take_text(o, "alarm", r->alarm, sizeof r->alarm);
    take_text(o, "who", r->who, sizeof r->who);
    take_text(o, "from", r->from, sizeof r->from);
    take_text(o, "reason", r->reason, sizeof r->reason);
    json_decref(o);
    return good;
}

bool reveal_all(const char *state_directory, const char *alarm, reveal_visitor *visit, void *user, struct reason *why)
{
    char path[PATH_SIZE], line[LINE_SIZE];
    if (!path_of(state_directory, "reveals.log", path, why))
        return false;
    FILE *log = fopen(path, "re");
    if (!log)
        return errno == ENOENT || reason_say(why, "%s: cannot read it: %s", path, strerror(errno));
    bool on = true;
    struct reveal r;
    while (on && fgets(line, sizeof line, log))
        if (parse(line, &r) && (!alarm || strcmp(r.alarm, alarm) == 0))
            on = visit(user, &r);
    bool good = !ferror(log);
    fclose(log);
    return good || reason_say(why, "%s: cannot read it: %s", path, strerror(EIO));
}

struct keeping {
    FILE *to;
    int64_t before;
    bool good, dropped;
};

static bool keep(void *user, const struct reveal *r)
{
    struct keeping *k = user;
    if (r->time < k->before)
        return k->dropped = true;
    char *line = line_of(r);
    k->good = line && fprintf(k->to, "%s\n", line) > 0 && k->good;
    free(line);
    return k->good;
}

/* Written anew beside the log, then put in its place. */
bool reveal_forget(const char *state_directory, int64_t before, struct reason *why)
{
    char path[PATH_SIZE], fresh[PATH_SIZE];
    if (!path_of(state_directory, "reveals.log", path, why) || !path_of(state_directory, "reveals.new", fresh, why))
        return false;
    if (access(path, F_OK) != 0)
        return true;
    int held = lock(state_directory), fd = held < 0 ? -1 : open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct keeping k = {.to = fd < 0 ? NULL : fdopen(fd, "w"), .before = before, .good = fd >= 0};
    k.good = k.to && reveal_all(state_directory, NULL, keep, &k, why) && k.good;
    if (k.to) {
        give_to_owner(fd, held);
        k.good = fflush(k.to) == 0 && fsync(fd) == 0 && k.good;
        k.good = fclose(k.to) == 0 && k.good;
    }
    bool good = k.good && (k.dropped ? rename(fresh, path) : unlink(fresh)) == 0;
    if (!good)
        reason_say(why, "%s: cannot forget what is old: %s", path, strerror(errno));
    if (held >= 0)
        close(held);
    return good;
}
