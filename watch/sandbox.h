/* What a process may still do once it has opened what it needs. */
#ifndef SQUALL_WATCH_SANDBOX_H
#define SQUALL_WATCH_SANDBOX_H

#include <stdbool.h>

#include "base/log.h"

/* Gives up every capability for good; as root also becomes `user` (NULL or "": nobody when `nobody`, else stays).  Memory is not dumped. */
bool sandbox_drop_privileges(const char *user, bool nobody, struct reason *why);
/* No new files, sockets, programs or threads, for every thread of the process (seccomp(2)).  What is forbidden fails; what only an attacker
 * would try kills. */
bool sandbox_enter(struct reason *why);

#endif
