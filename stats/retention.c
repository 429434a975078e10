/* In: the time, and the history after it has forgotten what is too old.  Out: files of the state directory removed: evidence/ALARM.pcapng
 * of alarms it has forgotten, old lines of reveals.log. */
#include "stats/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "stats/reveal.h"

#define SUFFIX   ".pcapng"
#define UNSTORED (24 * 3600 * NS_PER_SECOND) /* evidence may come before its alarm is stored, when the disk was full meanwhile */

/* "20261124T032647Z-1.pcapng": the alarm, and when it was raised.  False: another file. */
static bool alarm_of(const char *name, char id[STORM_ID_SIZE], int64_t *raised)
{
    char when[sizeof "2026-11-24T03:26:47Z"];
    size_t n = strlen(name), suffix = sizeof SUFFIX - 1;
    if (n <= suffix || n - suffix >= STORM_ID_SIZE || strcmp(name + n - suffix, SUFFIX) != 0)
        return false;
    span_copy(span_of(name, n - suffix), id, STORM_ID_SIZE);
    if (strlen(id) < 17 || id[8] != 'T' || id[15] != 'Z' || id[16] != '-')
        return false;
    snprintf(when, sizeof when, "%.4s-%.2s-%.5s:%.2s:%.3s", id, id + 4, id + 6, id + 11, id + 13);
    return clock_parse(span_text(when), raised);
}

bool retention_sweep(struct history *h, const char *state_directory, int64_t keep, int64_t now, struct reason *why)
{
    char path[4200], id[STORM_ID_SIZE];
    int64_t raised;
    bool good = true;
    snprintf(path, sizeof path, "%s/evidence", state_directory);
    DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));)
        if (alarm_of(e->d_name, id, &raised) && now - raised > UNSTORED && !history_has(h, id) &&
            unlinkat(dirfd(d), e->d_name, 0) != 0)
            good = reason_say(why, "%s/%s: cannot remove old evidence: %s", path, e->d_name, strerror(errno));
    if (d)
        closedir(d);
    return (now < keep || reveal_forget(state_directory, now - keep, why)) && good;
}
