/* How a storm is to be stopped, worked out once, and the texts from the wire already made safe for every target.  Private to cure.c and
 * cure_text.c. */
#ifndef SQUALL_STATS_CURE_PLAN_H
#define SQUALL_STATS_CURE_PLAN_H

#include "stats/cure.h"

enum cure_way {
    CURE_NOTHING,
    CURE_BY_MESSAGE,  /* drop further copies of one Message-ID, silently: a refusal would bounce to the innocent */
    CURE_BY_THREAD,   /* refuse answers to one mail, aloud: the person who answered learns why */
    CURE_BY_PAIR,     /* drop what one address sends to the other */
    CURE_NULL_SENDER, /* refuse bounces to one victim */
    CURE_SLOW_VICTIM, /* put off mail to one victim */
    CURE_SLOW_HOST,   /* put off mail from the hosts at fault */
};

#define CURE_PATTERN_SIZE (6 * STORM_TEXT_SIZE) /* a byte becomes at most "\xhh" or ".{1,4}" */

struct cure_plan {
    enum cure_way way;
    const struct storm *storm;
    char name[STORM_ID_SIZE];        /* of the storm: [A-Za-z0-9-] */
    char id[CURE_PATTERN_SIZE];      /* of the message or thread root, as a PCRE without anchors; "": none that is safe to aim at */
    char simple_id[STORM_TEXT_SIZE]; /* the same where only [A-Za-z0-9@_=-], "." and "\." are understood */
    bool id_whole;                   /* false: the id was cut, what follows is not known */
    char sender[STORM_TEXT_SIZE], victim[STORM_TEXT_SIZE]; /* addresses of tame characters, or ""; victim may be "@domain" */
    char sender_pattern[CURE_PATTERN_SIZE], victim_pattern[CURE_PATTERN_SIZE]; /* the same as PCRE with anchors */
    size_t hosts;                                                              /* aimed at */
};

bool cure_write_text(const struct cure_plan *p, enum cure_target target, FILE *to);

#endif
