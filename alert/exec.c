/* In: notices of one exec section.  Out: the command run for each, no shell, the notice as JSON on its standard input.  Status 0 confirms.
 * The command is a process group of its own, killed when its time is over; nothing of ours is open in it,
 * and little of our environment in its own. */
#include "alert/courier.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void *exec_open(const void *section, struct reason *why)
{
    const struct exec_settings *o = section;
    if (access(o->command.text[0], X_OK) == 0 || !strchr(o->command.text[0], '/'))
        return (void *)(uintptr_t)section; /* the settings outlive us, and there is no other state */
    reason_say(why, "%s: %s: %s", o->route.name, o->command.text[0], strerror(errno));
    return NULL;
}

static void exec_close(void *receiver)
{
    (void)receiver;
}

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))
/* Of our environment: the rest is between us and who started us (sockets of systemd, places of credentials). */
static const char *const passed_on[] = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ"};

static const int unheard[] = {SIGPIPE, SIGINT, SIGHUP}; /* those the desk ignores */

/* "NAME=value" as it stands in our environment; NULL: it does not. */
static char *variable(const char *name)
{
    extern char **environ;
    size_t n = strlen(name);
    for (char **e = environ; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return *e;
    return NULL;
}

/* The write end of the command's standard input and its pid; false: *why. */
static bool start(const struct exec_settings *o, int *input, pid_t *pid, struct reason *why)
{
    char *argv[33] = {NULL}, *environment[COUNT_OF(passed_on) + 1] = {NULL}, path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    int pipe_ends[2];
    for (size_t i = 0; i < o->command.count; i++)
        argv[i] = o->command.text[i];
    size_t variables = 0;
    for (size_t i = 0; i < COUNT_OF(passed_on); i++)
        if ((environment[variables] = variable(passed_on[i])))
            variables++;
    if (!getenv("PATH"))
        environment[variables] = path;
    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        return reason_say(why, "no pipe: %s", strerror(errno));
    assert(argv[0]); /* alert_settings_check() */
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t ignored, none; /* by us */
    sigemptyset(&none);
    sigemptyset(&ignored);
    for (size_t i = 0; i < COUNT_OF(unheard); i++)
        sigaddset(&ignored, unheard[i]);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, pipe_ends[0], 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    posix_spawnattr_setsigmask(&attributes, &none);
    int failed = posix_spawnp(pid, argv[0], &files, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(pipe_ends[0]);
    if (failed) {
        close(pipe_ends[1]);
        return reason_say(why, "%s: cannot be run: %s", argv[0], strerror(failed));
    }
    fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK);
    *input = pipe_ends[1];
    return true;
}

/* Writes the body and waits for the end, until the deadline; false: it is still running. */
static bool feed(int *input, int process, const struct notice *n, int64_t deadline, const atomic_bool *stop)
{
    for (size_t at = 0; !atomic_load(stop);) {
        int64_t left = (deadline - clock_monotonic()) / 1000000;
        struct pollfd fds[2] = {{.fd = process, .events = POLLIN}, {.fd = *input, .events = POLLOUT}};
        if (left <= 0)
            return false;
        if (poll(fds, 2, left < 100 ? (int)left : 100) <= 0)
            continue;
        if (fds[0].revents)
            return true;
        if (!fds[1].revents)
            continue;
        ssize_t wrote = at < n->body_size ? write(*input, n->body + at, n->body_size - at) : -1;
        if (wrote > 0)
            at += (size_t)wrote;
        if (at == n->body_size || (wrote < 0 && errno != EAGAIN)) { /* all told, or it does not read: its status decides */
            close(*input);
            *input = -1;
        }
    }
    return false;
}

static enum delivery exec_send(void *receiver, const struct notice *n, const atomic_bool *stop, struct reason *why)
{
    const struct exec_settings *o = receiver;
    int input = -1, status = 0;
    pid_t pid = -1;
    if (!start(o, &input, &pid, why))
        return DELIVERY_FAILED;
    int process = pidfd_open(pid, 0);
    bool ended = process >= 0 && feed(&input, process, n, clock_monotonic() + o->timeout, stop);
    if (!ended)
        kill(-pid, SIGKILL);
    if (input >= 0)
        close(input);
    if (process >= 0)
        close(process);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        reason_say(why, "%s: exit status 0", o->command.text[0]);
        return DELIVERY_CONFIRMED;
    }
    if (!ended)
        reason_say(why, "%s: took longer than its timeout and was killed", o->command.text[0]);
    else if (WIFEXITED(status))
        reason_say(why, "%s: exit status %d", o->command.text[0], WEXITSTATUS(status));
    else
        reason_say(why, "%s: killed by signal %d", o->command.text[0], WTERMSIG(status));
    return DELIVERY_FAILED;
}

static bool exec_confirms(const void *section)
{
    (void)section;
    return true;
}

const struct courier_kind exec_kind = {"exec", exec_open, exec_close, exec_send, exec_confirms, NULL, NULL};
