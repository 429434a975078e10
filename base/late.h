/* A shared library that is loaded when it is first needed, and not at each start of the program: one that brings many others, for what most
 * runs of the program never do. */
#ifndef SQUALL_BASE_LATE_H
#define SQUALL_BASE_LATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

struct late_call { /* a function of it, and where the pointer to that goes */
    const char *name;
    void *to;
};

/* Loads the library and finds all of these in it; false: *why, and none may be called. */
bool late_load(const char *library, const struct late_call *calls, size_t count, struct reason *why);

#endif
