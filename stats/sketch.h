/* Who gave the mail to whom: a trail drawn as the hosts and edges of a storm, with the numbers of the ledger.  Private to stats/. */
#ifndef SQUALL_STATS_SKETCH_H
#define SQUALL_STATS_SKETCH_H

#include "stats/incident.h"
#include "stats/trail.h"

struct sketch;                   /* room to draw in, one for all storms */
struct sketch *sketch_new(void); /* NULL: out of memory */
void sketch_free(struct sketch *t);
/* Fills hosts, edges, totals and texts of *s, all but `why`; s->kind decides who is at fault. */
void sketch_draw(struct sketch *t, struct storm *s, const struct trail *l, const struct message *m, const struct stats_settings *settings);
/* How a host is called in a sentence: "mail.bank.test (10.1.0.10)"; returns `to`. */
char *sketch_host_text(struct address address, const char *name, char *to, size_t size);

#endif
