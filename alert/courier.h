/* A courier serves one channel: a thread that takes its notices from the store in order, hands them to the channel's kind, and tries again
 * with growing pauses until the receiver has them.  A kind is the small table of functions below; one file each. */
#ifndef SQUALL_ALERT_COURIER_H
#define SQUALL_ALERT_COURIER_H

#include <stdatomic.h>

#include "alert/alert.h"
#include "alert/settings.h"
#include "alert/store.h"

enum delivery {
    DELIVERY_CONFIRMED, /* the receiver said that it has it */
    DELIVERY_HOPED,     /* sent; nobody will ever say whether it arrived */
    DELIVERY_FAILED,    /* to be tried again */
    DELIVERY_REFUSED    /* would fail for ever: given up */
};

struct courier_kind {
    const char *name;
    /* The receiver's state from its section; NULL: *why.  No traffic yet. */
    void *(*open)(const void *section, struct reason *why);
    void (*close)(void *receiver);
    /* One attempt, in the channel's thread; bounded by the section's timeout, or soon after *stop.  *why when it failed, else how it was
     * confirmed. */
    enum delivery (*send)(void *receiver, const struct notice *n, const atomic_bool *stop, struct reason *why);
    bool (*confirms)(const void *section); /* false: its notices can only be hoped for */
    /* May be NULL.  `know`: an incident that is open, told before our restart.  `refresh`: about once a second while nothing waits. */
    void (*know)(void *receiver, const struct notice *n);
    enum delivery (*refresh)(void *receiver, int64_t now, const atomic_bool *stop, struct reason *why);
};
extern const struct courier_kind snmp_kind, syslog_kind, webhook_kind, alertmanager_kind, exec_kind, mail_kind;

struct courier_spec { /* one enabled section */
    const struct courier_kind *kind;
    const struct route *route;
    const void *section;
};
/* The enabled sections, at most ALERT_CHANNELS. */
size_t courier_specs(const struct alert_settings *settings, struct courier_spec specs[ALERT_CHANNELS]);

struct courier_env { /* shared by the channels; outlives them */
    struct store *store;
    int64_t keep, retry;                                                             /* ns */
    void (*trouble)(void *user, const char *channel, bool failing, const char *why); /* from the channel's thread */
    void *user;
};
struct courier;
/* `failing`: it did when we stopped, and that it works again is to be told. */
struct courier *courier_start(const struct courier_spec *spec, const struct courier_env *env, bool failing, struct reason *why);
void courier_wake(struct courier *c); /* something waits in the store */
void courier_count(struct courier *c, uint64_t suppressed, uint64_t dropped);
void courier_stop(struct courier *c); /* no new attempt after two seconds; does not wait */
void courier_free(struct courier *c); /* stops it and waits for the thread */
void courier_health(struct courier *c, struct alert_health *h);

#endif
