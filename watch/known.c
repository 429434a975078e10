/* In: the table of watched hosts, as the sensor tells it to the desk (masked).  Out: a file of the state directory, and what stands in it
 * to a sensor that begins: a host that routes by header stays known.  A file that cannot be written costs no more than that. */
#include "watch/known.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define EVERY (60 * NS_PER_SECOND)
#define MOST  (1024 * 1024) /* bytes of the file; a hundred rows are a tenth of it */

struct known {
    char path[4096 + 16], fresh[4096 + 24];
    char *text;      /* as last told, or as the file had it */
    bool written;
    int64_t written_at; /* monotonic; 0: never */
};

static char *file_text(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *text = fd < 0 ? NULL : malloc(MOST + 1);
    ssize_t n = text ? read(fd, text, MOST) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

struct known *known_new(const char *state_directory)
{
    struct known *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    snprintf(k->path, sizeof k->path, "%s/watched.json", state_directory);
    snprintf(k->fresh, sizeof k->fresh, "%s.new", k->path);
    k->text = file_text(k->path);
    k->written = true;
    return k;
}

static void write_file(struct known *k)
{
    size_t n = strlen(k->text);
    int fd = open(k->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && write(fd, k->text, n) == (ssize_t)n && fsync(fd) == 0;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    k->written = good && rename(k->fresh, k->path) == 0;
    k->written_at = clock_monotonic();
}

void known_free(struct known *k)
{
    if (!k)
        return;
    if (!k->written)
        write_file(k);
    free(k->text);
    free(k);
}

void known_told(struct known *k, const json_t *watched)
{
    char *text = json_array_size(watched) ? json_dumps(watched, JSON_COMPACT) : NULL;
    if (!text || strlen(text) > MOST || (k->text && strcmp(text, k->text) == 0)) { /* one that knows none yet makes none forgotten */
        free(text);
    } else {
        free(k->text);
        k->text = text;
        k->written = false;
    }
    if (!k->written && (k->written_at == 0 || clock_monotonic() - k->written_at >= EVERY))
        write_file(k);
}

char *known_text(const struct known *k)
{
    return k->text ? strdup(k->text) : NULL;
}
