/* What a request says, as a browser would write it and as somebody else would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/route.h"
#include "web/text.h"

static bool host(const char *text)
{
    static char name[] = "squall.example";
    static const struct text_list names = {.text = {name}, .count = 1};
    return text_host_allowed(span_text(text), &names, "sensor7");
}

static void hosts(void **state)
{
    (void)state;
    assert_true(host("127.0.0.1:8025"));
    assert_true(host("[::1]:8025"));
    assert_true(host("localhost"));
    assert_true(host("SQUALL.example:443"));
    assert_true(host("sensor7:8025"));
    assert_false(host(""));
    assert_false(host(":8025"));
    assert_false(host("evil.example"));
    assert_false(host("127.0.0.1.evil.example"));
    assert_false(host("localhost.evil.example:8025"));
    assert_false(host("[::1"));
    assert_false(host("[::1].evil.example"));
}

static void origins(void **state)
{
    (void)state;
    assert_true(text_origin_same(span_text("http://127.0.0.1:8025"), span_text("127.0.0.1:8025")));
    assert_false(text_origin_same(span_text("http://127.0.0.1:8026"), span_text("127.0.0.1:8025")));
    assert_false(text_origin_same(span_text("null"), span_text("127.0.0.1:8025")));
    assert_false(text_origin_same(span_text("http://127.0.0.1:8025.evil.example"), span_text("127.0.0.1:8025")));
}

static void endpoints(void **state)
{
    struct span at;
    uint16_t port;
    (void)state;
    assert_true(text_endpoint(span_text("[::1]:8025"), &at, &port));
    assert_int_equal(port, 8025);
    assert_true(span_equal(at, span_text("[::1]")));
    assert_false(text_endpoint(span_text("127.0.0.1"), &at, &port));
    assert_false(text_endpoint(span_text("127.0.0.1:0"), &at, &port));
    assert_false(text_endpoint(span_text("127.0.0.1:65536"), &at, &port));
    assert_false(text_endpoint(span_text("localhost:80"), &at, &port));
}

static void moments(void **state)
{
    int64_t t;
    (void)state;
    assert_true(text_moment(span_text("1795492158"), &t));
    assert_true(t == INT64_C(1795492158) * NS_PER_SECOND);
    assert_true(text_moment(span_text("2026-11-24T03:49:18Z"), &t));
    assert_true(t == INT64_C(1795492158) * NS_PER_SECOND);
    assert_false(text_moment(span_text("99999999999999999999"), &t));
    assert_false(text_moment(span_text("-1"), &t));
    assert_false(text_moment(span_text(""), &t));
}

static void acknowledgements(void **state)
{
    char who[16];
    struct reason why;
    (void)state;
    assert_true(text_acknowledge(span_text(""), who, sizeof who, &why));
    assert_string_equal(who, "the dashboard");
    assert_true(text_acknowledge(span_text("{\"who\": \"Ann\\u0007\"}"), who, sizeof who, &why));
    assert_string_equal(who, "Ann?");
    assert_false(text_acknowledge(span_text("[]"), who, sizeof who, &why));
    assert_false(text_acknowledge(span_text("{\"who\": 7}"), who, sizeof who, &why));
    assert_false(text_acknowledge(span_text("{\"who\": \"a\"} x"), who, sizeof who, &why));
}

static void fields(void **state)
{
    (void)state;
    assert_true(text_etag_matches(span_text("\"a\", W/\"b\""), "\"b\""));
    assert_false(text_etag_matches(span_text("\"abc\""), "\"b\""));
    assert_true(text_accepts_gzip(span_text("br, gzip;q=0.5")));
    assert_false(text_accepts_gzip(span_text("br, gzip;q=0")));
    assert_false(text_accepts_gzip(span_text("identity")));
    assert_true(text_alarm_id(span_text("20261124T032647Z-1")));
    assert_false(text_alarm_id(span_text("../../etc/passwd")));
    assert_false(text_alarm_id(span_text("20261124T032647Z-1.20261124T032647Z-1")));
}

static void routes(void **state)
{
    char part[ROUTE_PART];
    (void)state;
    assert_true(route_matches("/alarms/*/report", "/alarms/x-1/report", part));
    assert_string_equal(part, "x-1");
    assert_false(route_matches("/alarms/*/report", "/alarms//report", part));
    assert_false(route_matches("/alarms/*/report", "/alarms/a/b/report", part));
    assert_true(route_matches("/api/v1/messages/*", "/api/v1/messages/a/b@c", part)); /* a Message-ID may have a slash */
    assert_string_equal(part, "a/b@c");
    assert_false(route_matches("/api/v1/messages/*", "/api/v1/messages/", part));
    assert_false(route_matches("/", "", part));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(origins),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(moments),
        cmocka_unit_test(acknowledgements),
        cmocka_unit_test(fields),
        cmocka_unit_test(routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
