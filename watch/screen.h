/* `squall watch --tty`: how things stand, on a terminal, for those without a browser; drawn anew each second. */
#ifndef SQUALL_WATCH_SCREEN_H
#define SQUALL_WATCH_SCREEN_H

#include "stats/rates.h"
#include "stats/storm.h"
#include "watch/posts.h"

struct screen;
struct screen *screen_new(void); /* NULL: out of memory */
void screen_free(struct screen *s); /* NULL does nothing, here and below */
void screen_storm(struct screen *s, const struct storm *storm); /* copies what it shows; masked (privacy.h) */
void screen_report(struct screen *s, const struct sensor_report *r, const struct rates *second);
void screen_sensor(struct screen *s, const char *trouble); /* "": it runs */
void screen_draw(struct screen *s);

#endif
