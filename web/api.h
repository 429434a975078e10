/* What each path answers.  Private to web/. */
#ifndef SQUALL_WEB_API_H
#define SQUALL_WEB_API_H

#include "web/server.h"

/* `part`: what stood for the * of the path in route.c's table, never NULL. */
typedef enum MHD_Result handler(struct request *r, const char *part);
handler api_status, api_alarms, api_alarm, api_acknowledge, api_messages, api_message, api_watched, api_events, api_healthz;
handler report_page, report_evidence; /* report.c */
handler reveal_alarm, reveal_list;    /* reveal.c */
handler metrics_page;                 /* metrics.c */
handler api_trace;                    /* trace.c */

/* The alarm on the board, or else in the history: a new reference; NULL: none. */
json_t *api_find_alarm(struct request *r, const char *id);
/* What the desk says, of the id or else of the address: {"hops": [...], ...}, a new reference; NULL: *why. */
json_t *trace_ask(struct request *r, const char *message_id, const char *address, struct reason *why);

#endif
