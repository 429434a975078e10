/* In: sections of pcapng, cut by the workers.  Out: a file a storm; a restarted sensor's sections follow those of the earlier one. */
#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define NAME_ROOM 48 /* of an alarm's id, with ".pcapng" */

struct evidence {
    char directory[PATH_SIZE];
    bool replace;
    char (*begun)[NAME_ROOM]; /* replace: alarms whose files are of this run */
    size_t begun_count;
};

struct evidence *evidence_new(const char *directory, bool replace, struct reason *why)
{
    struct evidence *e = calloc(1, sizeof *e);
    if (!e) {
        reason_say(why, "%s: out of memory", directory);
        return NULL;
    }
    if (strlen(directory) > sizeof e->directory - NAME_ROOM)
        reason_say(why, "%.100s...: the path is too long", directory);
    else if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        reason_say(why, "%s: cannot make the directory for evidence: %s", directory, strerror(errno));
    else
        return e->replace = replace, snprintf(e->directory, sizeof e->directory, "%s", directory), e;
    free(e);
    return NULL;
}

void evidence_free(struct evidence *e)
{
    if (e)
        free(e->begun);
    free(e);
}

/* The id becomes a file's name: letters, digits and '-' only. */
static bool id_is_plain(const char *id)
{
    size_t n = strlen(id);
    return n > 0 && n < NAME_ROOM - 8 && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* True once an alarm, in replace. */
static bool begins(struct evidence *e, const char *alarm)
{
    if (!e->replace)
        return false;
    for (size_t i = e->begun_count; i-- > 0;)
        if (strcmp(e->begun[i], alarm) == 0)
            return false;
    void *more = realloc(e->begun, (e->begun_count + 1) * sizeof *e->begun);
    if (!more)
        return false;
    e->begun = more;
    snprintf(e->begun[e->begun_count++], NAME_ROOM, "%s", alarm);
    return true;
}

static bool write_all(int fd, struct span s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = span_of(s.p + n, s.n - (size_t)n);
    }
    return true;
}

bool evidence_add(struct evidence *e, const char *alarm, struct span section, struct reason *why)
{
    char path[PATH_SIZE + NAME_ROOM];
    if (!id_is_plain(alarm))
        return reason_say(why, "%s: evidence for an alarm without a proper id", e->directory);
    snprintf(path, sizeof path, "%s/%s.pcapng", e->directory, alarm);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (begins(e, alarm) ? O_TRUNC : 0), 0600);
    off_t before = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    bool good = before >= 0 && write_all(fd, section);
    int reason = errno;
    if (before >= 0 && !good && ftruncate(fd, before) != 0) /* half a section would hide those after it */
        reason = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        reason = errno;
    }
    return good || reason_say(why, "%s: cannot write the evidence: %s; check the directory and the disk", path, strerror(reason));
}
