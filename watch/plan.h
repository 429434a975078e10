/* What `squall watch` was asked to do: the command line and the configuration. */
#ifndef SQUALL_WATCH_PLAN_H
#define SQUALL_WATCH_PLAN_H

#include "sensor.h"

struct plan {
    const char *config; /* path; NULL: defaults */
    const char *interfaces[INTERFACES_MOST];
    size_t interface_count;
    const char *replay; /* a capture file; NULL: interfaces */
    double speed;       /* of the replay: packet seconds a second; 0: as fast as it goes */
    bool stay;          /* after the replay the desk stays until a signal */
    bool tty;           /* the state on the terminal */
    struct settings *settings;
    int listener;       /* the dashboard's socket; -1: no dashboard */
};

#endif
