/* In: drawing commands, from trend.c.  Out: pictures.  Between the two processes goes a length and so many bytes, each way. */
#include "web/painter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define PICTURES 500                /* of one process */
#define PATIENCE 10000              /* ms */
#define IDLE     (60 * NS_PER_SECOND)
#define COMMAND_MOST (64 << 10)     /* bytes */
#define IMAGE_MOST   (8 << 20)
#define ARGUMENTS 96

/* ---- the bytes, either way ---------------------------------------------------------------------------------------------------------- */

#define FOREVER (-1)

/* Sends or fetches all `n` bytes, each lot of them within `patience` ms; false: the other end is gone, or too slow. */
static bool transfer(int fd, void *bytes, size_t n, bool out, int patience)
{
    for (size_t at = 0; at < n;) {
        struct pollfd p = {.fd = fd, .events = out ? POLLOUT : POLLIN};
        if (poll(&p, 1, patience) <= 0)
            return false;
        ssize_t some = out ? send(fd, (const char *)bytes + at, n - at, MSG_NOSIGNAL) : recv(fd, (char *)bytes + at, n - at, 0);
        if (some <= 0)
            return false;
        at += (size_t)some;
    }
    return true;
}

struct head {
    uint32_t bytes;
    uint32_t good; /* of an answer: an image, else the reason why not */
};

/* ---- the process that draws ---------------------------------------------------------------------------------------------------------- */

static bool serve(int fd)
{
    static char text[COMMAND_MOST];
    char *argument[ARGUMENTS], *image = NULL;
    struct reason why = {""};
    struct head head;
    size_t size = 0;
    int count = 0;
    if (!transfer(fd, &head, sizeof head, false, FOREVER) || head.bytes > sizeof text ||
        !transfer(fd, text, head.bytes, false, FOREVER))
        return false;
    /* each ends in a NUL: it is our own */
    for (size_t at = 0; at < head.bytes && count < ARGUMENTS; at += strlen(text + at) + 1)
        argument[count++] = text + at;
    if (count == 0)
        return false;
    bool good = robin_draw(argument[0], argument + 1, count - 1, &image, &size, &why) && size <= IMAGE_MOST;
    head = (struct head){.good = good, .bytes = (uint32_t)(good ? size : strlen(why.text))};
    good = transfer(fd, &head, sizeof head, true, FOREVER) && transfer(fd, good ? image : why.text, head.bytes, true, FOREVER);
    free(image);
    return good;
}

static void __attribute__((noreturn)) paint(int fd)
{
    int kept = STDERR_FILENO + 1;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_IGN); /* of a terminal: the other end closes soon */
    prctl(PR_SET_NAME, "squall-graphs");
    if (dup2(fd, kept) == kept && close_range((unsigned)kept + 1, ~0U, 0) == 0)
        while (serve(kept))
            continue;
    _exit(0);
}

/* ---- this process ------------------------------------------------------------------------------------------------------------------ */

void painter_end(struct painter *p)
{
    if (!p->pid)
        return;
    close(p->fd);
    kill(p->pid, SIGKILL); /* it holds nothing that could be lost */
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    p->pid = 0;
}

void painter_rest(struct painter *p, int64_t now)
{
    if (p->pid && now - p->used > IDLE)
        painter_end(p);
}

/* Other threads may hold locks of the C library as it forks; glibc takes care of those of malloc and of streams, PATIENCE of the rest. */
static bool begin(struct painter *p, struct reason *why)
{
    int fd[2];
    if (p->pid && p->drawn < PICTURES)
        return true;
    painter_end(p);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        return reason_say(why, "no socket: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        paint(fd[1]);
    close(fd[1]);
    if (pid < 0) {
        close(fd[0]);
        return reason_say(why, "no process to draw: %s", strerror(errno));
    }
    *p = (struct painter){.pid = pid, .fd = fd[0]};
    return true;
}

static char *joined(const char *path, char *const *arguments, int count, size_t *size)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, size);
    if (!to)
        return NULL;
    fwrite(path, 1, strlen(path) + 1, to);
    for (int i = 0; i < count; i++)
        fwrite(arguments[i], 1, strlen(arguments[i]) + 1, to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

/* False with *image NULL: the process is of no use any more. */
static bool ask(struct painter *p, char *command, size_t n, char **image, size_t *size, bool *good)
{
    struct head head = {.bytes = (uint32_t)n};
    *image = NULL;
    if (!transfer(p->fd, &head, sizeof head, true, PATIENCE) || !transfer(p->fd, command, n, true, PATIENCE) ||
        !transfer(p->fd, &head, sizeof head, false, PATIENCE) || head.bytes > IMAGE_MOST)
        return false;
    *image = calloc(1, head.bytes + 1);
    if (!*image || !transfer(p->fd, *image, head.bytes, false, PATIENCE)) {
        free(*image);
        *image = NULL;
        return false;
    }
    *size = head.bytes;
    *good = head.good;
    return true;
}

bool painter_draw(
    struct painter *p, const char *path, char *const *arguments, int count, char **image, size_t *size, struct reason *why)
{
    size_t n = 0;
    char *command = joined(path, arguments, count, &n);
    bool good = false, answered = false;
    if (!command || n > COMMAND_MOST)
        reason_say(why, command ? "the command is too long" : "out of memory");
    for (int tries = 0; command && n <= COMMAND_MOST && tries < 2 && !answered; tries++) {
        if (!begin(p, why))
            break;
        answered = ask(p, command, n, image, size, &good);
        if (!answered) {
            painter_end(p);
            reason_say(why, "the process that draws has ended or does not answer");
        }
    }
    free(command);
    p->drawn++;
    p->used = clock_monotonic();
    if (answered && !good) {
        reason_say(why, "%s", *image);
        free(*image);
        *image = NULL;
    }
    return good;
}
