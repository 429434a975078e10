/* In: the parts of a request as the browser, or an attacker, wrote them.  Out: what they mean, or that they mean nothing, to server.c and
 * api.c.  No state, nothing kept. */
#include "web/text.h"

#include <jansson.h>

#include "base/endpoint.h"
#include "stats/storm.h"

bool text_count(struct span text, int64_t least, int64_t most, int64_t *n)
{
    int64_t v = 0;
    if (text.n == 0 || text.n > 18)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = 10 * v + (text.p[i] - '0');
    }
    *n = v;
    return v >= least && v <= most;
}

/* Host and what follows its colon; in brackets a colon belongs to the address. */
static bool split_port(struct span text, struct span *host, struct span *port)
{
    size_t at = 0;
    if (text.n && text.p[0] == '[') {
        const uint8_t *end = memchr(text.p, ']', text.n);
        if (!end)
            return false;
        at = (size_t)(end - text.p) + 1;
    } else {
        while (at < text.n && text.p[at] != ':')
            at++;
    }
    *host = span_head(text, at);
    *port = span_from(text, at + 1);
    return at > 0 && (at == text.n || text.p[at] == ':');
}

bool text_endpoint(struct span text, struct span *host, uint16_t *port)
{
    struct span digits;
    struct address a;
    int64_t n;
    if (!split_port(text, host, &digits) || !text_count(digits, 1, 65535, &n) || !address_parse(*host, &a))
        return false;
    *port = (uint16_t)n;
    return true;
}

bool text_host_allowed(struct span host, const struct text_list *names, const char *own_name)
{
    struct span name, port;
    struct address a;
    if (!split_port(host, &name, &port))
        return false;
    if (address_parse(name, &a) || span_equal_nocase(name, span_text("localhost")))
        return true;
    if (own_name && own_name[0] && span_equal_nocase(name, span_text(own_name)))
        return true;
    for (size_t i = 0; i < names->count; i++)
        if (span_equal_nocase(name, span_text(names->text[i])))
            return true;
    return false;
}

bool text_origin_same(struct span origin, struct span host)
{
    size_t skip = span_starts_nocase(origin, "http://") ? 7 : span_starts_nocase(origin, "https://") ? 8 : 0;
    return skip && span_equal_nocase(span_from(origin, skip), host);
}

bool text_moment(struct span text, int64_t *t)
{
    int64_t seconds;
    if (!text_count(text, 0, INT64_MAX / NS_PER_SECOND, &seconds))
        return clock_parse(text, t);
    *t = seconds * NS_PER_SECOND;
    return true;
}

bool text_moment_or_ago(struct span text, int64_t now, int64_t *second)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}, {"y", 365 * 86400}};
    int64_t t, n;
    if (text.n == 0 || text.p[0] != '-') {
        if (!text_moment(text, &t))
            return false;
        *second = t / NS_PER_SECOND;
        return true;
    }
    size_t digits = 1;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (span_equal(span_from(text, digits), span_text(units[i].name)) &&
            text_count(span_of(text.p + 1, digits - 1), 0, INT64_C(100) * 366 * 86400, &n)) {
            *second = now - n * units[i].seconds;
            return true;
        }
    return false;
}

bool text_alarm_id(struct span text)
{
    if (text.n == 0 || text.n >= STORM_ID_SIZE)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = span_lower(text.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

bool text_acknowledge(struct span body, char *who, size_t size, struct reason *why)
{
    if (body.n > TEXT_BODY_MOST)
        return reason_say(why, "the body is longer than %d bytes", TEXT_BODY_MOST);
    span_copy(span_text("the dashboard"), who, size);
    if (span_trim(body).n == 0)
        return true;
    json_t *object = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    json_t *name = json_object_get(object, "who");
    bool good = json_is_object(object) && (!name || json_is_string(name));
    if (good && name && json_string_length(name))
        log_clean(span_of(json_string_value(name), json_string_length(name)), who, size);
    json_decref(object);
    return good || reason_say(why, "the body is not {\"who\": \"NAME\"}");
}

bool text_etag_matches(struct span header, const char *tag)
{
    size_t n = strlen(tag);
    if (span_equal(span_trim(header), span_text("*")))
        return true;
    for (size_t at = 0; at + n <= header.n; at++)
        if (memcmp(header.p + at, tag, n) == 0)
            return true;
    return false;
}

bool text_accepts_gzip(struct span header)
{
    while (header.n) {
        const uint8_t *comma = memchr(header.p, ',', header.n);
        size_t n = comma ? (size_t)(comma - header.p) : header.n;
        struct span one = span_trim(span_head(header, n));
        if (span_starts_nocase(one, "gzip"))
            return !span_contains_nocase(one, "q=0") || span_contains_nocase(one, "q=0.");
        header = span_from(header, n + 1);
    }
    return false;
}
