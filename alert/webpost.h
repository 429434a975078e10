/* One HTTP request by libcurl, as webhook and Alertmanager need it. */
#ifndef SQUALL_ALERT_WEBPOST_H
#define SQUALL_ALERT_WEBPOST_H

#include "alert/courier.h"

#include <curl/curl.h>

/* What is called of libcurl.  It is loaded when the first transfer is opened: with the thirty libraries that it needs itself it takes a
 * third of the time to load all, also where a file is read or packets are looked at and nothing is sent. */
#define WEBPOST_CALLS(X)                                                                                                                   \
    X(global_init, curl_global_init) X(easy_init, curl_easy_init) X(easy_reset, curl_easy_reset) X(easy_setopt, curl_easy_setopt)          \
    X(easy_perform, curl_easy_perform) X(easy_getinfo, curl_easy_getinfo) X(easy_strerror, curl_easy_strerror)                             \
    X(easy_cleanup, curl_easy_cleanup) X(slist_append, curl_slist_append) X(slist_free_all, curl_slist_free_all)                           \
    X(url, curl_url) X(url_set, curl_url_set) X(url_get, curl_url_get) X(url_cleanup, curl_url_cleanup) X(free, curl_free)
#define X(name, function) __typeof__(function) *name;
extern struct webpost_lib {
    WEBPOST_CALLS(X)
} webpost_lib; /* stands from the first webpost_open() that succeeds */
#undef X

CURL *webpost_open(struct reason *why); /* NULL: *why */
/* POSTs JSON and reads no more of the answer than its status.  `headers` may be NULL.  2xx: confirmed; 400, 413, 415, 422: refused, for the
 * body would be the same again; all else: failed. */
enum delivery webpost_send(CURL *curl, const char *url, const char *ca, int64_t timeout, const struct curl_slist *headers, const char *body,
    size_t size, const atomic_bool *stop, struct reason *why);
/* For any transfer: ends it soon after *stop, and never by a signal. */
void webpost_bounds(CURL *curl, int64_t timeout, const char *ca, const atomic_bool *stop);

#endif
