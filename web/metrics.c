/* In: the counters, the alarms, the health of the channels.  Out: Prometheus' text format 0.0.4.  No address and no id is a label: how many
 * series there are does not depend on what mail passes. */
#include <stdlib.h>

#include "web/answer.h"
#include "web/api.h"

static void write_label(FILE *to, const char *text)
{
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            fprintf(to, "\\%c", *text);
        else
            putc(*text == '\n' ? ' ' : *text, to);
}

static void write_counters(struct web *w, FILE *to)
{
    struct web_counter counters[WEB_COUNTERS];
    size_t n = board_counters(w->board, counters);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "# HELP squall_%s_total %s\n# TYPE squall_%s_total counter\nsquall_%s_total %llu\n", counters[i].name, counters[i].doc,
            counters[i].name, counters[i].name, (unsigned long long)counters[i].value);
}

static void write_gauge(FILE *to, const char *name, const char *doc, const json_t *value)
{
    if (json_is_number(value))
        fprintf(to, "# HELP squall_%s %s\n# TYPE squall_%s gauge\nsquall_%s %.6g\n", name, doc, name, name, json_number_value(value));
}

static void write_alarms(struct web *w, FILE *to)
{
    uint32_t active[SEVERITY_CRITICAL + 1];
    board_active(w->board, active);
    fputs("# HELP squall_alarms_active Alarms that are not cleared.\n# TYPE squall_alarms_active gauge\n", to);
    for (int s = 0; s <= SEVERITY_CRITICAL; s++)
        fprintf(to, "squall_alarms_active{severity=\"%s\"} %u\n", storm_severity_text((enum storm_severity)s), active[s]);
}

static void write_channels(struct web *w, FILE *to)
{
    json_t *channels = w->desk.channels ? w->desk.channels(w->desk.user) : NULL, *one;
    size_t i;
    fputs("# HELP squall_alert_channel_failing Whether alarms do not get through there.\n# TYPE squall_alert_channel_failing gauge\n", to);
    json_array_foreach(channels, i, one) {
        fputs("squall_alert_channel_failing{channel=\"", to);
        write_label(to, json_string_value(json_object_get(one, "name")));
        fprintf(to, "\"} %d\n", json_is_true(json_object_get(one, "failing")));
    }
    json_decref(channels);
}

static void write_graphs(struct web *w, FILE *to)
{
    struct trend_health h;
    if (!w->trend)
        return;
    trend_health(w->trend, &h);
    fprintf(to,
        "# HELP squall_graphs_failing Whether the past cannot be kept.\n"
        "# TYPE squall_graphs_failing gauge\nsquall_graphs_failing %d\n",
        h.trouble[0] != '\0');
    fprintf(to,
        "# HELP squall_graph_seconds_skipped_total Seconds not kept, because time went back.\n"
        "# TYPE squall_graph_seconds_skipped_total counter\nsquall_graph_seconds_skipped_total %llu\n",
        (unsigned long long)h.skipped);
}

enum MHD_Result metrics_page(struct request *r, const char *part)
{
    (void)part;
    char *text = NULL;
    size_t n = 0;
    struct web *w = r->web;
    FILE *to = open_memstream(&text, &n);
    if (!to)
        return MHD_NO;
    json_t *status = board_status(w->board);
    write_counters(w, to);
    write_alarms(w, to);
    const json_t *copies = json_object_get(json_object_get(status, "capture"), "mirror_copies");
    write_gauge(to, "mirror_copies", "How often the mirror shows a packet.", copies);
    write_gauge(to, "capture_lag_seconds", "How far the sensor is behind the packets.", json_object_get(status, "lag_seconds"));
    write_channels(w, to);
    write_graphs(w, to);
    json_decref(status);
    if (fclose(to) != 0) {
        free(text);
        return MHD_NO;
    }
    return answer_text(r, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, n, NULL);
}
