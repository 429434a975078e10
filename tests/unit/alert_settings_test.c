/* The alert sections of squall.conf: what is taken, and what each mistake is answered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/settings.h"

/* Reads and checks a configuration; the reason, "" when it is good. */
static struct alert_settings *read_text(const char *text, struct reason *why)
{
    char path[] = "/tmp/squall-conf-XXXXXX";
    struct setting_group groups[ALERT_GROUPS];
    struct alert_settings *s = alert_settings_new();
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    why->text[0] = '\0';
    size_t count = alert_setting_groups(s, groups);
    assert_true(count <= ALERT_GROUPS);
    if (config_read(path, groups, count, why))
        alert_settings_check(s, why);
    unlink(path);
    return s;
}

static void everything(void **state)
{
    struct reason why;
    (void)state;
    struct alert_settings *s =
        read_text("alerts { budget = 3  heartbeat = \"10 min\"  maintenance = {\"Sun 02:00-04:00\"}  enterprise = \"1.3.6.1.4.1.99999\" }\n"
                  "snmp \"noc\" { address = \"127.0.0.1:162\"  version = \"2c\"  community = \"public\"  inform = true }\n"
                  "snmp \"noc3\" { address = \"[::1]\"  version = \"3\"  user = \"squall\"  auth_password = \"12345678\"  priv_password = "
                  "\"12345678\" }\n"
                  "syslog \"central\" { address = \"tls:loghost:6514\"  kinds = {\"reinjection\", \"bounce-storm\"} }\n"
                  "webhook \"ops\" { url = \"https://ops.test/x\"  secret = \"k\"  timeout = 5  severity = \"minor\" }\n"
                  "alertmanager \"am\" { url = \"http://127.0.0.1:9093\" }\n"
                  "exec \"page\" { command = {\"/bin/true\", \"--storm\"} }\n"
                  "mail \"postmaster\" { smarthost = \"192.0.2.25:25\"  from = \"squall@example.org\"  to = {\"noc@example.org\"} }\n"
                  "agentx { enabled = true }\n",
            &why);
    assert_string_equal(why.text, "");
    assert_int_equal(s->budget, 3);
    assert_int_equal(s->snmp_count, 2);
    assert_string_equal(s->snmp[1].route.name, "snmp noc3");
    assert_string_equal(s->snmp[1].auth, "SHA-256");
    assert_int_equal(s->syslog[0].route.kinds.count, 2);
    assert_string_equal(s->exec[0].command.text[1], "--storm");
    assert_true(s->agentx);
    assert_string_equal(s->mail[0].route.severity, "major");
    alert_settings_free(s);
}

static void mistakes(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"snmp \"x\" { }", "snmp \"x\": address"},
        {"snmp \"x\" { address = \"h:99999\" }", "snmp \"x\": address"},
        {"snmp \"x\" { address = \"::1\" }", "snmp \"x\": address"},
        {"snmp \"x\" { address = \"h\"  version = \"1\" }", "version"},
        {"snmp \"x\" { address = \"h\"  version = \"3\" }", "user: is empty"},
        {"snmp \"x\" { address = \"h\"  version = \"3\"  user = \"u\"  auth_password = \"short\" }", "auth_password: less than 8"},
        {"snmp \"x\" { address = \"h\"  version = \"3\"  user = \"u\"  auth = \"MD5\" }", "no such algorithm"},
        {"snmp \"x\" { address = \"h\"  version = \"3\"  user = \"u\"  auth = \"none\"  priv_password = \"12345678\" }",
            "priv without auth"},
        {"snmp \"x\" { address = \"h\"  version = \"3\"  user = \"u\"  auth_password = \"12345678\"  priv = \"none\" }\n"
         "snmp \"y\" { address = \"i\"  version = \"3\"  user = \"u\"  auth_password = \"12345679\"  priv = \"none\" }",
            "snmp \"y\": user: the user has other passwords"},
        {"syslog \"x\" { address = \"loghost:514\" }", "syslog \"x\": address"},
        {"syslog \"x\" { address = \"tls:loghost\"  key = \"/k\" }", "certificate"},
        {"webhook \"x\" { url = \"ftp://h/\" }", "webhook \"x\": url"},
        {"alertmanager \"x\" { }", "alertmanager \"x\": url"},
        {"exec \"x\" { }", "exec \"x\": command"},
        {"mail \"x\" { smarthost = \"h\"  from = \"a@b\" }", "to: is empty"},
        {"mail \"x\" { smarthost = \"h\"  from = \"a@b\"  to = {\"a@b>\\r\\nRCPT TO:<c@d\"} }", "no address"},
        {"webhook \"x\" { url = \"http://h/\"  severity = \"loud\" }", "severity: \"loud\""},
        {"webhook \"x\" { url = \"http://h/\"  kinds = {\"tempest\"} }", "kinds: \"tempest\""},
        {"alerts { enterprise = \"1.3.6.x\" }", "enterprise"},
        {"alerts { engine_id = \"0x80\" }", "engine_id"},
        {"alerts { maintenance = {\"sometimes\"} }", "maintenance"},
        {"alerts { dashboard = \"squall.example.org\" }", "dashboard"},
        {"webhook \"x\" { timeout = -1 }", "timeout"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reason why;
        alert_settings_free(read_text(cases[i].text, &why));
        if (!strstr(why.text, cases[i].word))
            fail_msg("%s: got \"%s\", expected \"...%s...\"", cases[i].text, why.text, cases[i].word);
        if (strchr(why.text, '\n'))
            fail_msg("%s: more than one line", cases[i].text);
    }
}

/* FILE:LINE of the value; of the section, when the value is missing. */
static void where_a_mistake_stands(void **state)
{
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"snmp \"x\" { }", 1},
        {"# one\n/* two\n three */\nsnmp \"x\"\n{\n}\n", 5},
        {"alerts { maintenance = {\"daily 01:00-02:00\",\n \"daily 03:00-04:00\"} }\nsnmp \"a\" { address = \"h\" }\n"
         "snmp \"b\" {\n timeout = 3\n address = \"::1\"\n}\n",
            6},
        {"webhook \"a\" {\n url = \"http://h/\"\n}\nwebhook \"b\" {\n url = \"http://h/\"\n\n kinds = {\"mirror\",\n \"tempest\"}\n}\n",
            7},
        {"alerts {\n\n enterprise = \"x\"\n}\n", 3},
        {"exec \"a { b\" {\n severity = \"major\" }\nexec \"c\" { command = {\"/bin/true\"} }", 1},
        {"mail \"x\" {\n smarthost = \"h\"\n from = \"a@b\" }", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reason why;
        char want[16];
        alert_settings_free(read_text(cases[i].text, &why));
        snprintf(want, sizeof want, ":%d: ", cases[i].line);
        if (strncmp(why.text, "/tmp/squall-conf-", 17) != 0 || !strstr(why.text, want))
            fail_msg("%s: got \"%s\", expected line %d", cases[i].text, why.text, cases[i].line);
    }
}

static void a_section_that_is_off_may_be_wrong(void **state)
{
    struct reason why;
    (void)state;
    alert_settings_free(read_text("webhook \"x\" { enabled = false }", &why));
    assert_string_equal(why.text, "");
}

static void too_many(void **state)
{
    char text[2048] = "";
    struct reason why;
    (void)state;
    for (int i = 0; i <= SNMP_MOST; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "snmp \"x%d\" { address = \"h\" }\n", i);
    struct alert_settings *s = read_text(text, &why);
    assert_non_null(strstr(why.text, "one snmp section too many"));
    assert_int_equal(s->snmp_count, SNMP_MOST);
    alert_settings_free(s);
}

static void addresses(void **state)
{
    char host[256], port[8], longest[300];
    (void)state;
    assert_true(alert_address_split("loghost", "514", host, port));
    assert_string_equal(port, "514");
    assert_true(alert_address_split("[fe80::1]:99", "514", host, port));
    assert_string_equal(host, "fe80::1");
    assert_string_equal(port, "99");
    static const char *const wrong[] = {"", ":1", "h:", "h:0", "h:65536", "h:1x", "[::1", "[::1]1", "h:-1", "[]:1", "h: 1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (alert_address_split(wrong[i], "1", host, port))
            fail_msg("\"%s\" was taken for an address", wrong[i]);
    memset(longest, 'h', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(alert_address_split(longest, "1", host, port));
}

static void numbers(void **state)
{
    unsigned long arc[ARC_MOST];
    uint8_t id[32];
    (void)state;
    assert_int_equal(alert_arc_parse(".1.3.6.1.4.1.32473", arc), 7);
    assert_int_equal(arc[6], 32473);
    assert_int_equal(alert_arc_parse("1.3.6.1.4.1.4294967296", arc), 0);
    assert_int_equal(alert_arc_parse("1.3.6.1.4.1.", arc), 0);
    assert_int_equal(alert_arc_parse("1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1", arc), 0);
    assert_int_equal(alert_engine_id_parse("0x8000000001020304", id), 8);
    assert_int_equal(alert_engine_id_parse("80:00:00:00:01", id), 5);
    assert_int_equal(alert_engine_id_parse("8000000001zz", id), 0);
    assert_int_equal(alert_engine_id_parse("80000000010", id), 0);
    assert_int_equal(alert_engine_id_parse("8000000001020304050607080910111213141516171819202122232425262728293031323334", id), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything), cmocka_unit_test(mistakes),
        cmocka_unit_test(where_a_mistake_stands), cmocka_unit_test(a_section_that_is_off_may_be_wrong), cmocka_unit_test(too_many),
        cmocka_unit_test(addresses),
        cmocka_unit_test(numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
