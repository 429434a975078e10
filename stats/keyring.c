/* In: the time, and which key is asked for.  Out: keys, to privacy.c and reveal.c; files of the state directory, made and destroyed. */
#include "stats/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE 40
#define PATH_SIZE 4200

static char *name_of(int64_t made, char to[NAME_SIZE])
{
    snprintf(to, NAME_SIZE, "%lld.key", (long long)made);
    return to;
}

static bool name_parse(const char *name, int64_t *made)
{
    char again[NAME_SIZE];
    *made = strtoll(name, NULL, 10);
    return strcmp(name_of(*made, again), name) == 0;
}

/* -1: there is none, or it cannot be used. */
static int directory_open(const char *state_directory, bool make)
{
    char path[PATH_SIZE];
    if ((size_t)snprintf(path, sizeof path, "%s/keys", state_directory) >= sizeof path)
        return errno = ENAMETOOLONG, -1;
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool read_key(int directory, int64_t made, struct key *key)
{
    char name[NAME_SIZE];
    int fd = openat(directory, name_of(made, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    key->made = made;
    bool whole = read(fd, key->bytes, sizeof key->bytes) == (ssize_t)sizeof key->bytes;
    close(fd);
    return whole;
}

/* Under a name of its own first: no half a key after a crash. */
static bool make_key(int directory, int64_t made, struct key *key)
{
    char name[NAME_SIZE];
    key->made = made;
    if (getrandom(key->bytes, sizeof key->bytes, 0) != (ssize_t)sizeof key->bytes)
        return false;
    int fd = openat(directory, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = write(fd, key->bytes, sizeof key->bytes) == (ssize_t)sizeof key->bytes && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good && renameat(directory, "new", directory, name_of(made, name)) == 0 && fsync(directory) == 0;
}

/* The newest key made from `from` on, not after `to` (seconds); -1: none. */
static int64_t newest(int directory, int64_t from, int64_t to)
{
    int copy = dup(directory);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    int64_t best = -1, made;
    if (!d) {
        if (copy >= 0)
            close(copy);
        return -1;
    }
    rewinddir(d);
    for (const struct dirent *e; (e = readdir(d));)
        if (name_parse(e->d_name, &made) && made >= from && made <= to && made > best)
            best = made;
    closedir(d);
    return best;
}

bool keyring_current(const char *state_directory, int64_t now, int64_t rotation, struct key *key, struct reason *why)
{
    int directory = directory_open(state_directory, true);
    int64_t second = now / NS_PER_SECOND, made = directory < 0 ? -1 : newest(directory, second - rotation / NS_PER_SECOND + 1, second);
    bool good = directory >= 0 && ((made >= 0 && read_key(directory, made, key)) || make_key(directory, second < 0 ? 0 : second, key));
    if (!good)
        reason_say(why, "%s/keys: cannot make a key: %s; check the disk and who may write there", state_directory, strerror(errno));
    if (directory >= 0)
        close(directory);
    return good;
}

bool keyring_find(const char *state_directory, int64_t made, struct key *key)
{
    int directory = directory_open(state_directory, false);
    bool good = directory >= 0 && read_key(directory, made, key);
    if (directory >= 0)
        close(directory);
    return good;
}

/* Overwritten first: where the file system writes in place, nothing of it stays on the disk. */
static bool destroy(int directory, int64_t made)
{
    static const uint8_t zeros[KEY_BYTES];
    char name[NAME_SIZE];
    int fd = openat(directory, name_of(made, name), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool good = fd >= 0 && write(fd, zeros, sizeof zeros) == (ssize_t)sizeof zeros && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return unlinkat(directory, name, 0) == 0 && good;
}

bool keyring_destroy(const char *state_directory, int64_t before, struct reason *why)
{
    int directory = directory_open(state_directory, false);
    bool good = true;
    if (directory < 0)
        return true; /* there never was a key */
    for (int64_t made; good && (made = newest(directory, 0, before / NS_PER_SECOND - 1)) >= 0;)
        good = destroy(directory, made);
    if (!good)
        reason_say(why, "%s/keys: cannot destroy a key: %s; check who may write there", state_directory, strerror(errno));
    close(directory);
    return good;
}
