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

/* A family of the channels' health: one sample each, of the field that the API shows under `field`. */
static void write_channel_family(FILE *to, const json_t *channels, const char *field, const char *name, const char *type, const char *doc)
{
    const json_t *one, *value;
    size_t i;
    fprintf(to, "# HELP squall_alert_%s %s\n# TYPE squall_alert_%s %s\n", name, doc, name, type);
    json_array_foreach(channels, i, one) {
        int64_t last_ok;
        value = json_object_get(one, field);
        fprintf(to, "squall_alert_%s{channel=\"", name);
        write_label(to, json_string_value(json_object_get(one, "name")));
        if (json_is_integer(value))
            fprintf(to, "\"} %lld\n", (long long)json_integer_value(value));
        else if (json_is_string(value) && clock_parse(span_text(json_string_value(value)), &last_ok))
            fprintf(to, "\"} %.3f\n", (double)last_ok / (double)NS_PER_SECOND);
        else
            fprintf(to, "\"} %d\n", json_is_true(value));
    }
}

static void write_channels(struct web *w, FILE *to)
{
    static const struct {
        const char *field, *name, *type, *doc;
    } families[] = {
        {"failing", "channel_failing", "gauge", "Whether alarms do not get through there."},
        {"queued", "notices_waiting", "gauge", "Notices that wait for the receiver."},
        {"last_ok", "last_success_timestamp_seconds", "gauge", "When a notice last got through; 0: never."},
        {"sent", "notices_sent_total", "counter", "Notices that went out, confirmed or to be hoped for."},
        {"delivered", "notices_confirmed_total", "counter", "Notices that the receiver confirmed."},
        {"failed", "attempts_failed_total", "counter", "Attempts that failed; each is made again."},
        {"suppressed", "notices_suppressed_total", "counter", "Changes that were not told, to make no storm of notices."},
        {"dropped", "notices_dropped_total", "counter", "Notices given up: refused, too old, or the queue was full."},
    };
    json_t *channels = w->desk.channels ? w->desk.channels(w->desk.user) : NULL;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        write_channel_family(to, channels, families[i].field, families[i].name, families[i].type, families[i].doc);
    json_decref(channels);
}

static void write_sensor(const json_t *status, FILE *to)
{
    fputs("# HELP squall_build_info The program's version.\n# TYPE squall_build_info gauge\n"
          "squall_build_info{version=\"" SQUALL_VERSION "\"} 1\n",
        to);
    fprintf(to, "# HELP squall_sensor_up Whether the sensor runs.\n# TYPE squall_sensor_up gauge\nsquall_sensor_up %d\n",
        json_is_true(json_object_get(json_object_get(status, "sensor"), "alive")));
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
    write_sensor(status, to);
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
