/* Who draws: a process of its own, because librrd loses some hundred bytes a picture; after so many pictures another takes its place, and
 * one that crashes or hangs costs one picture.  Owned by trend.c's thread.  Private to web/. */
#ifndef SQUALL_WEB_PAINTER_H
#define SQUALL_WEB_PAINTER_H

#include <sys/types.h>

#include "web/robin.h"

struct painter {
    pid_t pid; /* 0: none at the moment */
    int fd;
    unsigned drawn;
    int64_t used; /* monotonic ns */
};
/* As robin_draw(). */
bool painter_draw(
    struct painter *p, const char *path, char *const *arguments, int count, char **image, size_t *size, struct reason *why);
void painter_rest(struct painter *p, int64_t now); /* ends it when nobody has asked for a while */
void painter_end(struct painter *p);

#endif
