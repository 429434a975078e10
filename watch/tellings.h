/* Which storms people have been told of, and as what: so that a storm that the sensor tells again (after either was restarted) is news only
 * when it is. */
#ifndef SQUALL_WATCH_TELLINGS_H
#define SQUALL_WATCH_TELLINGS_H

#include "base/span.h"
#include "stats/history.h"

enum news { NEWS_NONE, NEWS_RAISED, NEWS_UPDATED, NEWS_CLEARED };
const char *news_text(enum news n); /* "raised", "updated", "cleared" */

struct tellings;
struct tellings *tellings_new(void); /* NULL: out of memory */
void tellings_free(struct tellings *t);
/* What of s (whose JSON is `text`) is news, as far as these tellings and the history know; a cleared one that nobody heard of is
 * NEWS_RAISED here, and NEWS_CLEARED when it is asked again.  Notes it as told. */
enum news tellings_news(struct tellings *t, const struct storm *s, struct span text, struct history *history);
void tellings_open(const struct tellings *t, uint32_t open[SEVERITY_CRITICAL + 1]); /* how many are not cleared, by severity */
void tellings_known(struct tellings *t, const struct storm *s); /* of the history, at the start: no news */

#endif
