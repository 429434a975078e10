/* The pages without scripts, from the room itself: a storm whose every text is hostile, in each language; the form that acknowledges. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sample_storm.h"
#include "web/sentence.h"
#include "web/web.h"

static struct web *web;
static uint16_t port;
static char directory[] = "/tmp/squall-plain-XXXXXX", acknowledged[STORM_ID_SIZE];

static bool acknowledge(void *user, const char *id, const char *who, struct reason *why)
{
    (void)user;
    (void)who;
    if (strcmp(id, "20261124T034918Z-2") != 0)
        return reason_say(why, "no such <open> alarm");
    span_copy(span_text(id), acknowledged, sizeof acknowledged);
    return true;
}

static int start(void **state)
{
    static struct web_settings settings = {.connections = 16, .connections_per_address = 16, .event_clients = 2};
    static char address[32];
    static const struct web_desk desk = {.acknowledge = acknowledge};
    struct reason why;
    int status, listener = -1;
    (void)state;
    settings.listen = address;
    for (port = (uint16_t)(20000 + getpid() % 9000); listener < 0 && port < 30000; port++) {
        snprintf(address, sizeof address, "127.0.0.1:%u", port);
        listener = web_listen(&settings, &why, &status);
    }
    port--;
    web = listener >= 0 && mkdtemp(directory) ? web_start(&settings, listener, directory, &desk, &why) : NULL;
    if (!web)
        return -1;
    struct sample_storm *hostile = sample_hostile(), *usual = sample_reinjection();
    web_storm(web, &usual->storm, "raised");
    web_storm(web, &hostile->storm, "raised");
    web_messages(web, json_pack("{s:[{s:s, s:s, s:s, s:i}]}", "messages", "message_id", HOSTILE_NAME, "from", HOSTILE_SUBJECT, "subject",
                          HOSTILE_SUBJECT, "copies", 3));
    free(hostile);
    free(usual);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    web_stop(web);
    return rmdir(directory);
}

/* What the server says to this line and these fields. */
static char *ask(const char *line, const char *fields)
{
    static char answer[1 << 20];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[512];
    size_t n = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&to, sizeof to), 0);
    int length = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s\r\n", line, fields);
    assert_int_equal(write(fd, request, (size_t)length), length);
    for (ssize_t some; n + 1 < sizeof answer && (some = read(fd, answer + n, sizeof answer - 1 - n)) > 0;)
        n += (size_t)some;
    answer[n] = '\0';
    close(fd);
    return answer;
}

static void markup_is_text(void **state)
{
    static const char *const lines[] = {"GET /plain?lang=%s", "GET /plain/alarms/20261124T034918Z-2?lang=%s",
        "GET /alarms/20261124T034918Z-2?plain&lang=%s"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        for (int l = 0; l < LANGUAGE_COUNT; l++) {
            char line[96], html[32];
            snprintf(line, sizeof line, lines[i], words_code((enum language)l));
            const char *page = ask(line, "");
            assert_memory_equal(page, "HTTP/1.1 200", 12);
            snprintf(html, sizeof html, "<html lang=\"%s\">", words_code((enum language)l));
            assert_non_null(strstr(page, html));
            assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
            assert_null(strstr(page, "<script"));
            assert_null(strstr(page, "<svg"));
            assert_null(strstr(page, "<img")); /* no graphs here */
            assert_null(strstr(page, "\x1b"));
        }
}

/* While no copy of the first round has come out again R is a least value, and is called so. */
static void young_growth(void **state)
{
    (void)state;
    static const char *const least[] = {
        "reproduction number R, at least", "taux de reproduction R, au moins", "reproductiegetal R, minstens"};
    struct sample_storm *young = sample_reinjection();
    for (int reckoned = 1; reckoned >= 0; reckoned--) {
        young->storm.reproduction_reckoned = reckoned;
        web_storm(web, &young->storm, "updated");
        for (int l = 0; l < LANGUAGE_COUNT; l++) {
            char line[96];
            snprintf(line, sizeof line, "GET /plain/alarms/%s?lang=%s", young->storm.id, words_code((enum language)l));
            const char *page = ask(line, "");
            for (int k = 0; k < LANGUAGE_COUNT; k++)
                assert_int_equal(strstr(page, least[k]) != NULL, reckoned && k == l);
            assert_non_null(strstr(page, l == 0 ? "<b class=\"storm-ink\">3.0</b>" : "<b class=\"storm-ink\">3,0</b>"));
        }
    }
    free(young);
}

/* What was wanted as evidence and not kept is said, and nothing where nothing was passed over. */
static void evidence_passed_over(void **state)
{
    (void)state;
    static const char *const said[] = {
        "1,234 connections passed over", "connexions laissées de côté", "1.234 verbindingen overgeslagen"};
    for (int n = 0; n <= 1234; n += 1234) {
        web_status(web, json_pack("{s:i}", "evidence_passed_over", n));
        for (int l = 0; l < LANGUAGE_COUNT; l++) {
            char line[32];
            snprintf(line, sizeof line, "GET /plain?lang=%s", words_code((enum language)l));
            assert_int_equal(strstr(ask(line, ""), said[l]) != NULL, n > 0);
        }
    }
}

static void form(void **state)
{
    (void)state;
    const char *page = ask("GET /plain/alarms/20261124T034918Z-2?lang=nl", "");
    assert_non_null(strstr(page, "action=\"/plain/alarms/20261124T034918Z-2/acknowledge?lang=nl\""));
    static const char *const refused[] = {"", "Origin: null\r\n", "Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "Content-Length: 0\r\n%s", refused[i]);
        assert_memory_equal(ask("POST /plain/alarms/20261124T034918Z-2/acknowledge", fields), "HTTP/1.1 403", 12);
    }
    assert_string_equal(acknowledged, "");
    page = ask("POST /plain/alarms/20261124T034918Z-1/acknowledge", "Content-Length: 0\r\nOrigin: http://127.0.0.1\r\n");
    assert_memory_equal(page, "HTTP/1.1 409", 12);
    assert_non_null(strstr(page, "no such &lt;open&gt; alarm")); /* says why, on the page */
    page = ask("POST /plain/alarms/20261124T034918Z-2/acknowledge?lang=fr", "Content-Length: 0\r\nOrigin: http://127.0.0.1\r\n");
    assert_memory_equal(page, "HTTP/1.1 303", 12);
    assert_non_null(strstr(page, "Location: /plain/alarms/20261124T034918Z-2?lang=fr\r\n"));
    assert_string_equal(acknowledged, "20261124T034918Z-2");
}

static void sentences(void **state)
{
    struct words *w = words_new();
    json_t *a = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[{s:s, s:s}, {s:s, s:s, s:i, s:i}]}", "kind", "reinjection",
        "severity", "critical", "state", "raised", "subject", "Hours", "acquittal", "x", "deliveries", 1218, "redeliveries", 1160,
        "hosts_more", 2, "hosts", "address", "10.3.3.10", "role", "reinjector", "name", "mail.bank.test", "role", "origin",
        "deliveries", 58, "redeliveries", 0);
    (void)state;
    assert_true(sentence_active(a));
    assert_string_equal(sentence_weather(sentence_rank(a)), "storm");
    char *said = sentence_headline(w, LANGUAGE_EN, a);
    assert_string_equal(said, "3 machines re-send “Hours” to people in its To: line.");
    free(said);
    said = sentence_acquittal(w, LANGUAGE_EN, a);
    assert_string_equal(said, "mail.bank.test is not the cause: it delivered 58, each recipient once.");
    free(said);
    said = sentence_figures(w, LANGUAGE_EN, a);
    assert_string_equal(said, "1,218 deliveries where the sender made 58.");
    free(said);
    assert_null(sentence_forecast(w, LANGUAGE_EN, a));
    json_object_set_new(a, "kind", json_string("of tomorrow"));
    json_object_set_new(a, "why", json_string("it says so itself"));
    said = sentence_headline(w, LANGUAGE_NL, a);
    assert_string_equal(said, "it says so itself");
    free(said);
    json_decref(a);
    a = json_object(); /* of nothing, nothing; and no harm */
    assert_null(sentence_headline(w, LANGUAGE_FR, a));
    assert_null(sentence_acquittal(w, LANGUAGE_FR, a));
    assert_null(sentence_figures(w, LANGUAGE_FR, a));
    assert_null(sentence_forecast(w, LANGUAGE_FR, a));
    json_decref(a);
    words_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(markup_is_text), cmocka_unit_test(young_growth),
        cmocka_unit_test(evidence_passed_over), cmocka_unit_test(form), cmocka_unit_test(sentences)};
    return cmocka_run_group_tests(tests, start, stop);
}
