/* squall.conf: defaults, units, bounds, and each mistake answered with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/config.h"

struct port_like {
    bool loud;
    int64_t count, size, time;
    double ratio;
    char *text;
    struct port_set ports;
    int64_t inner;
    struct text_list words;
};
static const struct setting list[] = {
    {NULL, "loud", SETTING_BOOL, offsetof(struct port_like, loud), "true", 0, 0, "Says more."},
    {NULL, "count", SETTING_COUNT, offsetof(struct port_like, count), "7", 1, 100, "Things."},
    {NULL, "size", SETTING_SIZE, offsetof(struct port_like, size), "2 MiB", 0, 0, "Room, bytes."},
    {NULL, "time", SETTING_SECONDS, offsetof(struct port_like, time), "250 ms", 0, 3600, "Wait, seconds."},
    {NULL, "ratio", SETTING_RATIO, offsetof(struct port_like, ratio), "0.9", 0, 1, "Share."},
    {NULL, "text", SETTING_TEXT, offsetof(struct port_like, text), "", 0, 0, "Name."},
    {NULL, "ports", SETTING_PORTS, offsetof(struct port_like, ports), "25, 587", 0, 0, "Ports."},
    {"deep", "inner", SETTING_COUNT, offsetof(struct port_like, inner), "3", 0, 9, "Inside."},
    {"deep", "words", SETTING_TEXTS, offsetof(struct port_like, words), "", 0, 0, "Words."},
};

struct card {
    char title[16];
    int64_t size;
};
struct cards {
    struct card card[2];
    size_t count;
};
static const struct setting card_list[] = {{NULL, "buffer", SETTING_SIZE, offsetof(struct card, size), "1 KiB", 0, 0, "Bytes."}};

static void *card_add(void *values, const char *title)
{
    struct cards *c = values;
    if (c->count == 2)
        return NULL;
    span_copy(span_text(title), c->card[c->count].title, sizeof c->card[0].title);
    return &c->card[c->count++];
}

static struct port_like v;
static struct cards cards;
static const struct setting_group groups[] = {
    {"First", list, sizeof list / sizeof list[0], &v, NULL, NULL},
    {"Cards", card_list, 1, &cards, "card", card_add},
};

/* Reads `text` as a file; returns the reason after the file's name, "" when it was good. */
static const char *try(const char *text)
{
    static struct reason why;
    char path[] = "/tmp/squall-config-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    cards = (struct cards){.count = 0};
    bool good = config_read(path, groups, 2, &why);
    unlink(path);
    assert_int_equal(good, why.text[0] == '\0');
    if (good)
        return "";
    assert_memory_equal(why.text, path, strlen(path));
    return why.text + strlen(path);
}

static void defaults(void **state)
{
    (void)state;
    assert_string_equal(try(""), "");
    assert_true(v.loud);
    assert_int_equal(v.count, 7);
    assert_int_equal(v.size, 2 << 20);
    assert_int_equal(v.time, NS_PER_SECOND / 4);
    assert_true(v.ratio > 0.89 && v.ratio < 0.91);
    assert_null(v.text);
    assert_int_equal(v.ports.count, 2);
    assert_int_equal(v.ports.port[1], 587);
    assert_int_equal(v.inner, 3);
}

static void values(void **state)
{
    (void)state;
    assert_string_equal(
        try("loud = off\ncount=100\nsize = \"1 GiB\"\ntime = 90\nratio = 1\ntext = \"caf\xc3\xa9\" # why not\nports = {1, 65535}\n"
            "deep { inner = 9 words = {\"a b\", c} }\ncard \"a\" { buffer = 5 }\ncard \"b\" { }\n"),
        "");
    assert_false(v.loud);
    assert_int_equal(v.count, 100);
    assert_int_equal(v.size, 1 << 30);
    assert_int_equal(v.time, 90 * NS_PER_SECOND);
    assert_string_equal(v.text, "caf\xc3\xa9");
    assert_int_equal(v.ports.count, 2);
    assert_int_equal(v.ports.port[1], 65535);
    assert_int_equal(v.inner, 9);
    assert_int_equal(v.words.count, 2);
    assert_string_equal(v.words.text[0], "a b");
    assert_int_equal(cards.count, 2);
    assert_string_equal(cards.card[0].title, "a");
    assert_int_equal(cards.card[0].size, 5);
    assert_int_equal(cards.card[1].size, 1024);
    try(""); /* frees the text */
}

static void mistakes(void **state)
{
    (void)state;
    assert_string_equal(try("\ncount = 101\n"), ":2: count: 101 is out of range; choose between 1 and 100");
    assert_string_equal(try("count = 1.5\n"), ":1: count: \"1.5\" is not a whole number");
    assert_string_equal(try("size = \"12 MB\"\n"), ":1: size: \"12 MB\" is not a size such as \"128 MiB\" (B, KiB, MiB, GiB)");
    assert_string_equal(try("loud = maybe\n"), ":1: loud: \"maybe\" is not true or false");
    assert_string_equal(try("ports = {25, 0}\n"), ":1: ports: \"0\" is no port; expected ports from 1 to 65535, such as {25, 587}");
    assert_string_equal(try("\n\nlout = yes\n"), ":3: no such option 'lout'");
    assert_string_equal(try("count = 5\ndeep {\n inner = 2\n"), ":2: the section opened here is never closed; add \"}\"");
    assert_string_equal(try("deep { inner = 2\n# }\n\"}\"\n"), ":3: no such option '}'");
    assert_non_null(strstr(try("card \"a\" { }\ncard \"a\" { }\n"), "a"));
    assert_non_null(strstr(try("card \"a\" { }\ncard \"b\" { }\ncard \"c\" { }\n"), "one card section too many"));
    assert_string_equal(try("deep { inner = 99 }\n"), ":1: inner: 99 is out of range; choose between 0 and 9");
}

static void missing_file(void **state)
{
    (void)state;
    struct reason why;
    assert_false(config_read("/nonexistent/squall.conf", groups, 2, &why));
    assert_string_equal(why.text,
        "/nonexistent/squall.conf: cannot read the configuration: No such file or directory; check the name and who may read it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(values), cmocka_unit_test(mistakes), cmocka_unit_test(missing_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
