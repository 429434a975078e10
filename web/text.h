/* The text of a request, read.  All of it is hostile; each function takes any bytes.  Private to web/. */
#ifndef SQUALL_WEB_TEXT_H
#define SQUALL_WEB_TEXT_H

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"

#define TEXT_BODY_MOST 1024 /* bytes of a POST: a name is all that is ever sent */

/* "127.0.0.1:8025", "[::1]:8025": address literal and port; false: neither. */
bool text_endpoint(struct span text, struct span *host, uint16_t *port);
/* May a browser have been sent here by this Host header?  Address literals, localhost, own_name (may be NULL) and `names` only: another
 * name could be anybody's that was pointed at this machine (DNS rebinding). */
bool text_host_allowed(struct span host, const struct text_list *names, const char *own_name);
/* Does this Origin header name the very host of the Host header? */
bool text_origin_same(struct span origin, struct span host);
/* Seconds since the epoch, or RFC 3339; false: neither. */
bool text_moment(struct span text, int64_t *t);
/* The same in seconds, or so long before `now`: "-90s", "-15min", "-1h", "-7d", "-2w", "-1y". */
bool text_moment_or_ago(struct span text, int64_t now, int64_t *second);
bool text_count(struct span text, int64_t least, int64_t most, int64_t *n); /* decimal digits alone */
bool text_alarm_id(struct span text);                                       /* could be the id of an alarm: letters, digits, '-' */
/* {} or {"who": "name"}; `who` has room for `size` bytes.  False: *why. */
bool text_acknowledge(struct span body, char *who, size_t size, struct reason *why);
/* Does this If-None-Match header name the tag (with its quotes)? */
bool text_etag_matches(struct span header, const char *tag);
bool text_accepts_gzip(struct span header);

#endif
