/* In: events, from the sensor's thread.  Out: to each page that follows, through a buffer of its own, from web's thread.  A connection with
 * nothing to say is suspended; whoever has something to say resumes it.  Both happen under one mutex, so none is suspended twice or resumed
 * for nothing.  A page that does not read falls behind, is cut off, and comes back for the whole picture. */
#include "web/events.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUFFER     (256 << 10) /* some alarms of the largest kind */
#define PULSE      15          /* seconds: a page that is gone is only noticed at a write */

struct client {
    struct events *events;
    struct MHD_Connection *connection;
    struct client *next;
    char *buffer;
    size_t begin, end;
    bool suspended, behind;
};

struct events {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    pthread_t pulse;
    struct client *clients;
    size_t count, most;
    bool stopping;
};

static void wake(struct client *c) /* under the lock */
{
    if (c->suspended)
        http.resume_connection(c->connection);
    c->suspended = false;
}

static void append(struct client *c, const char *text, size_t n) /* under the lock */
{
    if (c->begin && c->end + n > BUFFER) {
        memmove(c->buffer, c->buffer + c->begin, c->end - c->begin);
        c->end -= c->begin;
        c->begin = 0;
    }
    if (c->end + n > BUFFER) {
        c->behind = true;
    } else {
        memcpy(c->buffer + c->end, text, n);
        c->end += n;
    }
    wake(c);
}

static void tell_all(struct events *e, const char *text, size_t n)
{
    for (struct client *c = e->clients; c; c = c->next)
        append(c, text, n);
}

static void *beat(void *user)
{
    static const char ping[] = ": ping\n\n";
    struct events *e = user;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&e->lock);
    while (!e->stopping) {
        next.tv_sec += PULSE;
        while (!e->stopping && pthread_cond_timedwait(&e->ended, &e->lock, &next) == 0)
            continue;
        if (!e->stopping)
            tell_all(e, ping, sizeof ping - 1);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

struct events *events_new(size_t most)
{
    struct events *e = calloc(1, sizeof *e);
    pthread_condattr_t monotonic;
    if (!e)
        return NULL;
    e->most = most;
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&e->pulse, NULL, beat, e) == 0)
        return e;
    pthread_cond_destroy(&e->ended);
    pthread_mutex_destroy(&e->lock);
    free(e);
    return NULL;
}

static ssize_t read_some(void *user, uint64_t position, char *to, size_t most)
{
    (void)position;
    struct client *c = user;
    struct events *e = c->events;
    pthread_mutex_lock(&e->lock);
    size_t n = c->end - c->begin < most ? c->end - c->begin : most;
    ssize_t result = (ssize_t)n;
    if (e->stopping || c->behind) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (n) {
        memcpy(to, c->buffer + c->begin, n);
        c->begin += n;
        if (c->begin == c->end)
            c->begin = c->end = 0;
    } else if (!c->suspended) {
        http.suspend_connection(c->connection);
        c->suspended = true;
    }
    pthread_mutex_unlock(&e->lock);
    return result;
}

static void leave(void *user)
{
    struct client *c = user;
    struct events *e = c->events;
    pthread_mutex_lock(&e->lock);
    for (struct client **at = &e->clients; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            e->count--;
            break;
        }
    pthread_mutex_unlock(&e->lock);
    free(c->buffer);
    free(c);
}

struct MHD_Response *events_open(struct events *e, struct MHD_Connection *connection)
{
    static const char hello[] = "retry: 3000\n\n";
    struct client *c = calloc(1, sizeof *c);
    struct MHD_Response *response = NULL;
    if (!c)
        return NULL;
    *c = (struct client){.events = e, .connection = connection, .buffer = malloc(BUFFER)};
    pthread_mutex_lock(&e->lock);
    if (c->buffer && !e->stopping && e->count < e->most)
        response = http.create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_some, c, leave);
    if (response) {
        append(c, hello, sizeof hello - 1);
        c->next = e->clients;
        e->clients = c;
        e->count++;
    }
    pthread_mutex_unlock(&e->lock);
    if (!response) {
        free(c->buffer);
        free(c);
    }
    return response;
}

void events_tell(struct events *e, const char *name, const char *json)
{
    char *text;
    int n = asprintf(&text, "event: %s\ndata: %s\n\n", name, json);
    if (n < 0)
        return;
    pthread_mutex_lock(&e->lock);
    tell_all(e, text, (size_t)n);
    pthread_mutex_unlock(&e->lock);
    free(text);
}

void events_stop(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    pthread_cond_signal(&e->ended);
    for (struct client *c = e->clients; c; c = c->next)
        wake(c);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->pulse, NULL);
}

void events_free(struct events *e)
{
    if (!e)
        return;
    pthread_cond_destroy(&e->ended);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
