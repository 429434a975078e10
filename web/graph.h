/* Pictures of the past: /graph/NAME.svg and .png.  Private to web/. */
#ifndef SQUALL_WEB_GRAPH_H
#define SQUALL_WEB_GRAPH_H

#include "web/board.h"
#include "web/text.h"
#include "web/words.h"

#define GRAPH_MARKS 16
struct graph_request { /* understood and within bounds */
    const char *name;          /* of the table in graph.c */
    char alarm[STORM_ID_SIZE]; /* "": of all traffic */
    bool png, dark;
    int64_t width;
    int64_t from, to;          /* seconds, rounded so that the same picture serves for a while */
    enum language language;
    struct board_mark marks[GRAPH_MARKS]; /* alarms raised */
    size_t mark_count;
};
/* "deliveries.svg", "alarm/ID.png"; false: there is no such picture. */
bool graph_name(const char *part, struct graph_request *g);
/* The options of the query; empty ones have defaults.  `now` and the default range in seconds.  False: *why. */
bool graph_range(struct graph_request *g, struct span from, struct span to, int64_t now, int64_t first, int64_t last, struct reason *why);
bool graph_look(struct graph_request *g, struct span width, struct span theme, struct reason *why);
#define GRAPH_ARGUMENTS 80
struct graph_command { /* what robin_draw() takes */
    char *argument[GRAPH_ARGUMENTS];
    int count;
};
bool graph_command(const struct graph_request *g, const struct words *w, struct graph_command *c); /* false: out of memory */
void graph_command_free(struct graph_command *c);

struct graph_cache;
struct graph_cache *graph_cache_new(void); /* NULL: out of memory */
void graph_cache_free(struct graph_cache *c);
/* A copy (malloc) of the picture that this very command made; NULL: not kept. */
char *graph_cache_find(struct graph_cache *c, const struct graph_command *by, size_t *size);
void graph_cache_keep(struct graph_cache *c, const struct graph_command *by, const char *image, size_t size);

#endif
