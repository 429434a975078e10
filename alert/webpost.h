/* One HTTP request by libcurl, as webhook and Alertmanager need it. */
#ifndef SQUALL_ALERT_WEBPOST_H
#define SQUALL_ALERT_WEBPOST_H

#include "alert/courier.h"

#include <curl/curl.h>

CURL *webpost_open(struct reason *why); /* NULL: *why */
/* POSTs JSON and reads no more of the answer than its status.  `headers` may be NULL.  2xx: confirmed; 400, 413, 415, 422: refused, for the
 * body would be the same again; all else: failed. */
enum delivery webpost_send(CURL *curl, const char *url, const char *ca, int64_t timeout, const struct curl_slist *headers, const char *body,
    size_t size, const atomic_bool *stop, struct reason *why);
/* For any transfer: ends it soon after *stop, and never by a signal. */
void webpost_bounds(CURL *curl, int64_t timeout, const char *ca, const atomic_bool *stop);

#endif
