/* The three processes of `squall watch`: the monitor starts sensor and desk and starts them again; the sensor reads packets and judges; the
 * desk tells people.  Each child has a channel to the monitor (`control`), and one to the other (`peer`, -1: comes later). */
#ifndef SQUALL_WATCH_PROCESSES_H
#define SQUALL_WATCH_PROCESSES_H

#include "watch/plan.h"

/* Runs until the end of a replay or SIGINT, SIGTERM; rereads the configuration on SIGHUP.  Returns the exit status. */
int monitor_run(struct plan *plan);
int sensor_process(const struct plan *plan, int control, int peer); /* exit status */
int desk_process(const struct plan *plan, int control, int peer);   /* exit status */

#endif
