/* What is called of libmicrohttpd, and its types.  It is loaded when the dashboard starts: with GnuTLS and the eight other libraries that
 * it brings it took a third of each start of the program, also where a file is read.  Private to web/. */
#ifndef SQUALL_WEB_HTTP_H
#define SQUALL_WEB_HTTP_H

#include <microhttpd.h>

#include "base/log.h"

#define HTTP_CALLS(X)                                                                                                                      \
    X(start_daemon) X(stop_daemon) X(suspend_connection) X(resume_connection) X(get_connection_info) X(lookup_connection_value)            \
    X(lookup_connection_value_n) X(basic_auth_get_username_password) X(free) X(create_response_from_buffer)                                \
    X(create_response_from_buffer_with_free_callback) X(create_response_from_callback) X(create_response_from_fd64)                        \
    X(add_response_header) X(get_response_header) X(queue_response) X(destroy_response)
extern struct http {
#define X(name) __typeof__(MHD_##name) *name;
    HTTP_CALLS(X)
#undef X
} http; /* stands from the first http_load() that succeeds */

bool http_load(struct reason *why);

#endif
