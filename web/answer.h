/* What goes out: every response passes here and gets the same protective header fields.  Private to web/. */
#ifndef SQUALL_WEB_ANSWER_H
#define SQUALL_WEB_ANSWER_H

#include <jansson.h>
#include <stdio.h>

#include "web/server.h"
#include "web/static.h"

#define JSON_TYPE "application/json"
enum MHD_Result answer_error(struct request *r, unsigned status, const char *format, ...) __attribute__((format(printf, 3, 4)));
enum MHD_Result answer_json(struct request *r, unsigned status, json_t *object); /* takes the reference; NULL: out of memory */
/* Takes `text` (malloc).  `policy` NULL: the usual Content-Security-Policy. */
enum MHD_Result answer_text(struct request *r, unsigned status, const char *type, char *text, size_t n, const char *policy);
enum MHD_Result answer_file(struct request *r, const struct static_file *f);
enum MHD_Result answer_descriptor(struct request *r, int fd, const char *type, const char *file_name); /* takes fd; a download */
/* Queues and releases the response. */
enum MHD_Result answer_send(struct request *r, unsigned status, struct MHD_Response *response, const char *type, const char *policy);
struct span answer_field(struct request *r, const char *name);    /* a field of the request's header; empty: none */
struct span answer_argument(struct request *r, const char *name); /* a value of the query; empty: none */

#endif
