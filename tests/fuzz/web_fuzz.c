/* Hostile requests: any bytes as each part of a request that the web room reads itself.  What is accepted must be what its reader says. */
#include <assert.h>
#include <stdlib.h>

#include "web/graph.h"
#include "web/route.h"
#include "web/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "squall.example";
    static const struct text_list names = {.text = {name}, .count = 1};
    struct span text = span_of(data, size), host;
    char who[32], part[ROUTE_PART];
    uint16_t port;
    int64_t n;
    if (text_endpoint(text, &host, &port))
        assert(port > 0 && host.n < size);
    if (text_host_allowed(text, &names, NULL))
        assert(size > 0);
    text_origin_same(span_head(text, size / 2), span_from(text, size / 2));
    text_moment(text, &n);
    if (text_count(text, 5, 70, &n))
        assert(n >= 5 && n <= 70);
    if (text_alarm_id(text))
        assert(!memchr(data, '/', size) && !memchr(data, '.', size));
    if (text_acknowledge(text, who, sizeof who, NULL))
        assert(strlen(who) < sizeof who);
    text_etag_matches(text, "\"0123456789abcdef\"");
    text_accepts_gzip(text);
    if (text_moment_or_ago(text, 1795492800, &n) && text.p[0] == '-')
        assert(n <= 1795492800);
    assert(words_language(text, span_from(text, size / 2)) < LANGUAGE_COUNT);
    struct graph_request g = {0};
    if (graph_range(&g, span_head(text, size / 2), span_from(text, size / 2), 1795492800, 1795406400, 1795492800, NULL))
        assert(g.from > 0 && g.from < g.to && g.to <= 1795492800);
    if (graph_look(&g, span_head(text, size / 2), span_from(text, size / 2), NULL))
        assert(g.width >= 240 && g.width <= 2000);
    char *path = strndup((const char *)data, size);
    if (path && route_matches("/alarms/*/report", path, part))
        assert(part[0] && !strchr(part, '/'));
    if (path && graph_name(path, &g))
        assert(!strpbrk(g.alarm, "/.:") && g.name);
    free(path);
    return 0;
}
