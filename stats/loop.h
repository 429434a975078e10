/* Loops in the trail of a mail: hosts to which it comes back.  Private to stats/. */
#ifndef SQUALL_STATS_LOOP_H
#define SQUALL_STATS_LOOP_H

#include "stats/trail.h"

/* One more copy, sent by `sender`: marks hosts that stand on a circle (on_cycle, returns), lists whose own marks came back, and the turns.
 */
void loop_follow(struct trail *l, const struct message *m, const struct passage *p, const struct chain *c, struct party *sender,
    const struct stats_settings *settings);

#endif
