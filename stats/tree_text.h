/* The propagation tree for the terminal: re-injectors in capitals, hops that only a header names dashed. */
#ifndef SQUALL_STATS_TREE_TEXT_H
#define SQUALL_STATS_TREE_TEXT_H

#include <stdio.h>

#include "stats/storm.h"

/* `indent` blanks before each line; `utf8`: lines are drawn with box characters, else with ASCII.  Nothing when the storm has no hosts. */
void tree_text_write(const struct storm *s, int indent, bool utf8, FILE *to);

#endif
