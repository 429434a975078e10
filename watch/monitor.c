/* In: a plan; signals; the ends of children, and their silence.  Out: a sensor and a desk that run, and find each other again when one of
 * them was restarted; at the end both stopped in order, the sensor first, so that what it tells last still reaches people.  The monitor
 * holds what needs rights (the listening socket, CAP_NET_RAW) and touches no byte from outside. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alert/alert.h"
#include "base/channel.h"
#include "squall.h"
#include "watch/posts.h"
#include "watch/processes.h"

#define PING_EVERY (2 * NS_PER_SECOND)
#define HUNG (20 * NS_PER_SECOND)         /* without an answer: killed, and started again */
#define SLOW_START (90 * NS_PER_SECOND)   /* the same before it is ready: a large history is being read */
#define STEADY (60 * NS_PER_SECOND)       /* a child that lived so long is started again at once */
#define PAUSE_MOST (30 * NS_PER_SECOND)
#define ENDING (10 * NS_PER_SECOND)       /* for a child to end by itself */

enum who { DESK, SENSOR, CHILDREN };

struct child {
    const char *name;
    int (*run)(const struct plan *plan, int control, int peer);
    pid_t pid; /* 0: not running */
    struct channel *control;
    bool ready, was_ready, over; /* was_ready: once, in any of its lives; over: not started again */
    int64_t started, heard, pinged; /* monotonic */
    int64_t due;                    /* when it is started again */
    int64_t pause;
    int64_t told_to_end; /* 0: not yet */
};

struct monitor {
    struct plan *plan;
    struct child child[CHILDREN];
    sigset_t usual; /* signals in the children, and while the monitor waits */
    bool stopping;
    int status;
};

static volatile sig_atomic_t stop_asked, reload_asked;

static void note_signal(int number)
{
    if (number == SIGHUP)
        reload_asked = 1;
    else if (number != SIGCHLD)
        stop_asked = 1;
}

/* ---- children ------------------------------------------------------------------------------------------------------------------- */

static void post(struct child *c, enum post what, struct span body, int fd)
{
    if (c->control)
        channel_send(c->control, what, body, fd);
}

static void become_child(struct monitor *m, enum who who, int control, int peer)
{
    const int unheard[] = {SIGINT, SIGHUP, SIGPIPE}; /* ctrl-C reaches the whole group: the monitor ends the children, in order */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < sizeof unheard / sizeof unheard[0]; i++)
        sigaction(unheard[i], &ignore, NULL);
    sigaction(SIGTERM, &usual, NULL);
    sigaction(SIGCHLD, &usual, NULL);
    sigprocmask(SIG_SETMASK, &m->usual, NULL);
    for (size_t i = 0; i < CHILDREN; i++)
        channel_free(m->child[i].control);
    if (who == SENSOR && m->plan->listener >= 0)
        close(m->plan->listener);
    int status = m->child[who].run(m->plan, control, peer);
    fflush(NULL);
    _exit(status);
}

static bool start(struct monitor *m, enum who who)
{
    struct child *c = &m->child[who], *other = &m->child[!who];
    int control[2], peer[2] = {-1, -1};
    bool good = channel_pair(control);
    bool meet = good && other->pid && channel_pair(peer);
    pid_t pid = good ? fork() : -1;
    if (pid == 0) {
        close(control[0]);
        if (meet)
            close(peer[1]);
        become_child(m, who, control[1], peer[0]);
    }
    if (good)
        close(control[1]);
    if (meet) {
        close(peer[0]);
        if (pid > 0)
            post(other, POST_PEER, span_of(NULL, 0), peer[1]);
        close(peer[1]);
    }
    if (pid < 0) {
        if (good)
            close(control[0]);
        log_line(LOG_LEVEL_ERROR, "the %s cannot be started: %s", c->name, strerror(errno));
        return false;
    }
    int64_t now = clock_monotonic();
    c->pid = pid;
    c->control = channel_new(control[0], POST_MOST, CONTROL_QUEUED);
    c->ready = false;
    c->started = c->heard = now;
    c->pinged = 0;
    c->due = c->told_to_end = 0;
    return c->control != NULL;
}

static void got_post(void *user, uint32_t type, struct span body, int fd)
{
    struct child *c = user;
    (void)body;
    if (fd >= 0)
        close(fd);
    if (type == POST_READY)
        c->ready = c->was_ready = true;
    c->heard = clock_monotonic();
}

static void end_child(struct child *c, int64_t now)
{
    if (!c->pid || c->told_to_end)
        return;
    c->told_to_end = now;
    kill(c->pid, SIGTERM);
}

static void how_it_ended(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "with status %d", WEXITSTATUS(status));
}

static void stop_all(struct monitor *m, int status)
{
    if (!m->stopping)
        m->status = status;
    m->stopping = true;
}

static void child_ended(struct monitor *m, struct child *c, int status)
{
    char how[64];
    int64_t now = clock_monotonic();
    bool exited = WIFEXITED(status), asked = c->told_to_end != 0;
    how_it_ended(status, how, sizeof how);
    channel_free(c->control);
    c->control = NULL;
    c->pid = 0;
    if (m->stopping || c->over)
        return;
    if (!c->was_ready) { /* it has said why */
        stop_all(m, exited ? WEXITSTATUS(status) : EX_SOFTWARE);
        return;
    }
    if (c == &m->child[SENSOR] && m->plan->replay && exited) {
        c->over = true;
        if (m->plan->stay)
            log_line(LOG_LEVEL_NOTICE, "the replay has ended; stop with ctrl-C");
        else
            stop_all(m, WEXITSTATUS(status));
        return;
    }
    if (asked || now - c->started > STEADY)
        c->pause = 0;
    else
        c->pause = c->pause ? 2 * c->pause : NS_PER_SECOND / 4;
    if (c->pause > PAUSE_MOST)
        c->pause = PAUSE_MOST;
    c->due = now + c->pause + 1;
    if (!asked)
        log_line(LOG_LEVEL_ERROR, "the %s ended %s; it is started again in %.1f s", c->name, how, (double)c->pause / (double)NS_PER_SECOND);
}

static void reap(struct monitor *m)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < CHILDREN; i++)
            if (m->child[i].pid == pid)
                child_ended(m, &m->child[i], status);
}

/* ---- what is due ---------------------------------------------------------------------------------------------------------------- */

static void watch_over(struct child *c, int64_t now)
{
    if (!c->pid)
        return;
    if (c->told_to_end) {
        if (now - c->told_to_end > ENDING)
            kill(c->pid, SIGKILL);
        return;
    }
    if (now - c->pinged >= PING_EVERY) {
        c->pinged = now;
        post(c, POST_PING, span_of(NULL, 0), -1);
    }
    int64_t patience = c->ready ? HUNG : SLOW_START;
    if (now - c->heard > patience) {
        log_line(LOG_LEVEL_ERROR, "the %s has not answered for %lld s: it is killed", c->name, (long long)(patience / NS_PER_SECOND));
        kill(c->pid, SIGKILL);
        c->heard = now;
    }
}

static void settings_drop(struct settings *s)
{
    if (s)
        alert_settings_free(s->alert);
    free(s); /* the texts of the other rooms are lost: some hundred bytes a reload, as those of the settings that are replaced */
}

/* The desk is replaced by one with the new settings; the sensor takes the thresholds as it runs. */
static void reload(struct monitor *m)
{
    struct settings *fresh = calloc(1, sizeof *fresh);
    if (!fresh || settings_load(fresh, m->plan->config) != 0) {
        log_line(LOG_LEVEL_ERROR, "the configuration stays as it was");
        settings_drop(fresh);
        return;
    }
    const struct web_settings *was = &m->plan->settings->web, *is = &fresh->web;
    if ((was->listen == NULL) != (is->listen == NULL) || (is->listen && strcmp(was->listen, is->listen) != 0)) {
        struct reason why;
        int status, listener = is->listen ? web_listen(is, &why, &status) : -1;
        if (is->listen && listener < 0) {
            log_line(LOG_LEVEL_ERROR, "%s; the configuration stays as it was", why.text);
            settings_drop(fresh);
            return;
        }
        if (m->plan->listener >= 0)
            close(m->plan->listener);
        m->plan->listener = listener;
    }
    m->plan->settings = fresh;
    post(&m->child[SENSOR], POST_SETTINGS, span_of(&fresh->stats, sizeof fresh->stats), -1);
    end_child(&m->child[DESK], clock_monotonic());
    log_line(LOG_LEVEL_NOTICE,
        "configuration read again; interfaces, workers, and bounds of what is captured and kept wait for the next start");
}

static void go_on(struct monitor *m)
{
    struct child *desk = &m->child[DESK], *sensor = &m->child[SENSOR];
    int64_t now = clock_monotonic();
    if (stop_asked)
        stop_all(m, 0);
    if (reload_asked && !m->stopping) {
        reload_asked = 0;
        reload(m);
    }
    if (m->stopping) {
        end_child(sensor, now);
        if (!sensor->pid)
            end_child(desk, now);
    } else {
        if (!desk->pid && now >= desk->due && !start(m, DESK))
            stop_all(m, EX_OSERR);
        if (!sensor->pid && !sensor->over && desk->was_ready && now >= sensor->due && !start(m, SENSOR))
            stop_all(m, EX_OSERR);
    }
    for (size_t i = 0; i < CHILDREN; i++)
        watch_over(&m->child[i], now);
}

static void wait_for_news(struct monitor *m)
{
    struct pollfd wait[CHILDREN];
    nfds_t n = 0;
    struct child *of[CHILDREN] = {NULL};
    for (size_t i = 0; i < CHILDREN; i++)
        if (m->child[i].control && m->child[i].pid) {
            of[n] = &m->child[i];
            wait[n] = (struct pollfd){.fd = channel_descriptor(of[n]->control), .events = POLLIN};
            n++;
        }
    struct timespec most = {.tv_nsec = NS_PER_SECOND / 4};
    if (ppoll(wait, n, &most, &m->usual) <= 0)
        return;
    for (nfds_t i = 0; i < n; i++)
        if (wait[i].revents && !channel_receive(of[i]->control, got_post, of[i])) { /* it is ending: its status says the rest */
            channel_free(of[i]->control);
            of[i]->control = NULL;
        }
}

int monitor_run(struct plan *plan)
{
    struct monitor m = {.plan = plan, .child = {[DESK] = {.name = "desk", .run = desk_process},
                                                [SENSOR] = {.name = "sensor", .run = sensor_process}}};
    const int heard[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    struct sigaction note = {.sa_handler = note_signal};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++) {
        sigaddset(&blocked, heard[i]);
        sigaction(heard[i], &note, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, &m.usual);
    while (!m.stopping || m.child[DESK].pid || m.child[SENSOR].pid) {
        reap(&m);
        go_on(&m);
        wait_for_news(&m);
    }
    return m.status;
}
