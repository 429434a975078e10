/* The cures are tried on the programs they are for: Postfix's maps, Exim's ACLs, rspamd's Lua, nft.  A program that is not installed is
 * skipped aloud. The texts of the storm are hostile; each cure must stop its own mail, no other, and let nothing break out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stats/cure.h"
#include "tests/unit/sample_storm.h"

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/squall_cure_XXXXXX");
    return mkdtemp(directory) && chmod(directory, 0755) == 0 ? 0 : -1; /* Exim gives root up and must still reach its spool */
}

static int teardown(void **state)
{
    (void)state;
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* Runs a shell command in the directory; its output, errors too, into `out`.  Returns its exit status. */
static int run(char *out, size_t size, const char *command)
{
    char line[2048];
    snprintf(line, sizeof line, "cd %s && { %s ; } 2>&1", directory, command);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    while (fread(line, 1, sizeof line, f) > 0) {
    }
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool have(const char *command, const char *what)
{
    char out[512];
    if (run(out, sizeof out, command) == 0)
        return true;
    print_message("SKIPPED: %s is not usable here; its cure was not tried\n", what);
    return false;
}

/* The cure, to be freed; NULL: none. */
static char *cure(const struct storm *s, enum cure_target target)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    bool some = cure_write(s, target, f);
    fclose(f);
    assert_true(some == (n > 0));
    if (some)
        return text;
    free(text);
    return NULL;
}

static void lines_of(const char *text, char *to, size_t size)
{
    size_t at = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != '\0'))
        if (*line != '#' && *line != '\n')
            at += (size_t)snprintf(to + at, size - at, "%.*s\n", (int)strcspn(line, "\n"), line);
    to[at] = '\0';
}

static void set_id(struct sample_storm *x, const char *id)
{
    SAMPLE_TEXT(x->storm.message_id, "%s", id);
}

static const char *const IDS[] = {
    "1795492158195.3d3e@bank.test",
    "a.b+c(d)[e]{f}|g^h$i*j\\k/l\"m'n`o#p%q&r;s:t=u,v~w!x${run{/bin/id}}\\N\\E$(id)@evil.test",
    "/ DISCARD all ]] }} \\N end@evil.test",
    "caf\xc3\xa9.\xe2\x82\xac-mail-0001@evil.test",
    "//////////aaaaaaaa$@evil.test",
};

/* ---- Postfix ---- */

static bool postfix_usable(void)
{
    write_file("main.cf", "compatibility_level = 3.6\n");
    write_file("probe", "/a/ OK\n");
    return have("postmap -c . -q a pcre:probe", "Postfix (postmap with pcre)");
}

static void postfix_drops_this_mail_only(void **state)
{
    (void)state;
    if (!postfix_usable())
        skip();
    for (size_t i = 0; i < sizeof IDS / sizeof *IDS; i++) {
        struct sample_storm *x = sample_hostile();
        char message[2048], out[4096];
        set_id(x, IDS[i]);
        char *text = cure(&x->storm, CURE_POSTFIX);
        assert_non_null(text);
        write_file("header_checks", text);
        lines_of(text, message, sizeof message);
        assert_ptr_equal(strchr(message, '\n'), message + strlen(message) - 1); /* one rule */
        snprintf(message, sizeof message, "Message-ID:\n <%s>\n\n", IDS[i]);
        write_file("copy", message);
        assert_int_equal(run(out, sizeof out, "postmap -c . -h -q - pcre:header_checks < copy"), 0);
        assert_non_null(strstr(out, "DISCARD mail storm 20261124T034918Z-2"));
        assert_null(strstr(out, "warning"));
        snprintf(message, sizeof message, "Message-ID: <x%s>\nSubject: %s\nMessage-Id: <%.8s@evil.test>\nReferences: <%s>\n\n", IDS[i],
            IDS[i], IDS[i], IDS[i]);
        write_file("other", message);
        assert_int_not_equal(run(out, sizeof out, "postmap -c . -h -q - pcre:header_checks < other"), 0);
        assert_string_equal(out, "");
        free(text);
        free(x);
    }
}

static void postfix_puts_off_the_hosts(void **state)
{
    (void)state;
    if (!postfix_usable())
        skip();
    struct sample_storm *x = sample_hostile();
    char out[4096];
    assert_true(address_parse(span_text("2001:db8::25"), &x->hosts[4].address));
    char *text = cure(&x->storm, CURE_POSTFIX_CLIENTS);
    write_file("clients", text);
    assert_int_equal(run(out, sizeof out, "postmap -c . -q 10.3.3.10 cidr:clients && postmap -c . -q 2001:db8::25 cidr:clients"), 0);
    assert_non_null(strstr(out, "450 4.7.1"));
    assert_null(strstr(out, "warning"));
    assert_int_not_equal(run(out, sizeof out, "postmap -c . -q 10.3.0.10 cidr:clients"), 0); /* the origin */
    assert_int_not_equal(run(out, sizeof out, "postmap -c . -q 10.3.2.10 cidr:clients"), 0); /* a mailbox host */
    free(text);
    free(x);
}

static void postfix_refuses_answers_bounces_and_pairs(void **state)
{
    (void)state;
    if (!postfix_usable())
        skip();
    char out[4096];
    struct sample_storm *x = sample_reinjection();
    x->storm.kind = KIND_REPLY_ALL;
    SAMPLE_TEXT(x->storm.thread, "root.0001@corp.test");
    char *text = cure(&x->storm, CURE_POSTFIX);
    write_file("checks", text);
    write_file("answer", "References: <a@b.test>\n <root.0001@corp.test> <c@d.test>\n\n");
    assert_int_equal(run(out, sizeof out, "postmap -c . -h -q - pcre:checks < answer"), 0);
    assert_non_null(strstr(out, "REJECT 5.7.1"));
    write_file("root", "Message-ID: <root.0001@corp.test>\n\n");
    assert_int_not_equal(run(out, sizeof out, "postmap -c . -h -q - pcre:checks < root"), 0);
    free(text);

    x->storm.kind = KIND_BOUNCE_STORM;
    SAMPLE_TEXT(x->storm.victim, "Victim.One@corp.test");
    text = cure(&x->storm, CURE_POSTFIX);
    write_file("recipients", text);
    assert_int_equal(run(out, sizeof out,
                         "postmap -c . -q victim.one@corp.test pcre:recipients && ! postmap -c . -q victimXone@corp.test pcre:recipients"),
        0);
    assert_non_null(strstr(out, "storm_bounces"));
    const char *map = strstr(text, "inline:");
    assert_non_null(map);
    char command[512];
    snprintf(command, sizeof command, "postmap -c . -q '<>' '%.*s'", (int)(strstr(map, "}}") + 2 - map), map);
    assert_int_equal(run(out, sizeof out, command), 0);
    assert_non_null(strstr(out, "550 5.7.1"));
    free(text);

    SAMPLE_TEXT(x->storm.victim, "corp.test"); /* a whole domain */
    text = cure(&x->storm, CURE_POSTFIX);
    write_file("recipients", text);
    assert_int_equal(
        run(out, sizeof out, "postmap -c . -q anyone@corp.test pcre:recipients && ! postmap -c . -q a@notcorp.test.evil pcre:recipients"),
        0);
    free(text);

    x->storm.kind = KIND_AUTOREPLY_LOOP;
    SAMPLE_TEXT(x->storm.victim, "robot@corp.test");
    text = cure(&x->storm, CURE_POSTFIX);
    write_file("senders", text);
    assert_int_equal(run(out, sizeof out, "postmap -c . -q els.peeters@bank.test pcre:senders"), 0);
    assert_string_equal(out, "storm_pair\n");
    map = strstr(text, "inline:");
    snprintf(command, sizeof command, "postmap -c . -q robot@corp.test '%.*s'", (int)(strstr(map, "}}") + 2 - map), map);
    assert_int_equal(run(out, sizeof out, command), 0);
    assert_non_null(strstr(out, "DISCARD"));
    free(text);

    x->storm.kind = KIND_MAILBOMB;
    text = cure(&x->storm, CURE_POSTFIX);
    write_file("recipients", text);
    assert_int_equal(run(out, sizeof out, "postmap -c . -q robot@corp.test pcre:recipients"), 0);
    assert_non_null(strstr(out, "450 4.2.1"));
    free(text);
    free(x);
}

/* ---- Exim ---- */

/* One mail through Exim's own dialogue with this ACL; what it said and logged. */
static void exim_mail(const char *rcpt_acl, const char *data_acl, const char *client, const char *sender, const char *recipient,
    const char *header, char *out, size_t size)
{
    char conf[16384], mail[4096], command[256];
    snprintf(conf, sizeof conf,
        "primary_hostname = squall.test\nspool_directory = %s/spool\nlog_file_path = %s/spool/log-%%s\nkeep_environment =\nacl_smtp_rcpt = "
        "r\nacl_smtp_data = d\nbegin acl\nr:\n%s"
        "  accept\nd:\n%s  accept\n",
        directory, directory, rcpt_acl, data_acl);
    snprintf(mail, sizeof mail, "EHLO a.test\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n%s\r\n\r\nx\r\n.\r\nQUIT\r\n", sender, recipient,
        header);
    write_file("exim.conf", conf);
    write_file("mail", mail);
    snprintf(command, sizeof command, "exim4 -C %s/exim.conf -bV && { exim4 -C %s/exim.conf -bh %s < mail; true; }", directory, directory,
        client);
    if (run(out, size, command) != 0)
        fail_msg("%s", out);
}

/* Installed, and able to take a mail as this user? */
static bool exim_usable(void)
{
    char out[65536];
    write_file("exim.conf", "primary_hostname = squall.test\nkeep_environment =\n");
    if (!have("exim4 -C $PWD/exim.conf -bV", "Exim"))
        return false;
    exim_mail("", "", "10.9.9.9", "a@b.test", "c@d.test", "Subject: x", out, sizeof out);
    if (strstr(out, "250 OK id="))
        return true;
    print_message("SKIPPED: Exim takes no mail here (it wants root); its cure was not tried\n");
    return false;
}

static void exim_drops_this_mail_only(void **state)
{
    (void)state;
    if (!exim_usable())
        skip();
    char out[65536], header[1024];
    for (size_t i = 0; i < sizeof IDS / sizeof *IDS; i++) {
        struct sample_storm *x = sample_hostile();
        set_id(x, IDS[i]);
        char *text = cure(&x->storm, CURE_EXIM);
        assert_non_null(text);
        snprintf(header, sizeof header, "Message-ID: <%s>", IDS[i]);
        exim_mail("", text, "10.3.3.10", "a@b.test", "c@d.test", header, out, sizeof out);
        assert_non_null(strstr(out, "DATA ACL discarded recipients): mail storm 20261124T034918Z-2"));
        exim_mail("", text, "10.3.0.10", "a@b.test", "c@d.test", header, out, sizeof out); /* the origin */
        assert_null(strstr(out, "discarded recipients"));
        snprintf(header, sizeof header, "Message-ID: <x%s>\r\nSubject: %s", IDS[i], IDS[i]);
        exim_mail("", text, "10.3.3.10", "a@b.test", "c@d.test", header, out, sizeof out);
        assert_null(strstr(out, "discarded recipients"));
        assert_null(strstr(out, "uid=")); /* ${run{/bin/id}} */
        free(text);
        free(x);
    }
}

static void exim_refuses_answers_bounces_and_pairs(void **state)
{
    (void)state;
    if (!exim_usable())
        skip();
    char out[65536];
    struct sample_storm *x = sample_reinjection();
    x->storm.kind = KIND_REPLY_ALL;
    SAMPLE_TEXT(x->storm.thread, "root.0001@corp.test");
    char *text = cure(&x->storm, CURE_EXIM);
    exim_mail(
        "", text, "10.9.9.9", "a@b.test", "c@d.test", "Message-ID: <1@b>\r\nReferences: <q@r>\r\n <root.0001@corp.test>", out, sizeof out);
    assert_non_null(strstr(out, "rejected after DATA: Too many people have answered all"));
    exim_mail("", text, "10.9.9.9", "a@b.test", "c@d.test", "Message-ID: <root.0001@corp.test>", out, sizeof out);
    assert_non_null(strstr(out, "250 OK id="));
    free(text);
    x->storm.kind = KIND_BOUNCE_STORM;
    SAMPLE_TEXT(x->storm.victim, "victim@corp.test");
    text = cure(&x->storm, CURE_EXIM);
    exim_mail(text, "", "10.9.9.9", "", "victim@corp.test", "Subject: x", out, sizeof out);
    assert_non_null(strstr(out, "550 This address did not send"));
    exim_mail(text, "", "10.9.9.9", "friend@b.test", "victim@corp.test", "Subject: x", out, sizeof out);
    assert_non_null(strstr(out, "250 OK id="));
    free(text);
    SAMPLE_TEXT(x->storm.victim, "@corp.test");
    text = cure(&x->storm, CURE_EXIM);
    exim_mail(text, "", "10.9.9.9", "", "any@corp.test", "Subject: x", out, sizeof out);
    assert_non_null(strstr(out, "550 This address did not send"));
    free(text);
    x->storm.kind = KIND_AUTOREPLY_LOOP;
    SAMPLE_TEXT(x->storm.victim, "robot@corp.test");
    text = cure(&x->storm, CURE_EXIM);
    exim_mail(text, "", "10.9.9.9", "els.peeters@bank.test", "robot@corp.test", "Subject: x", out, sizeof out);
    assert_non_null(strstr(out, "discarded"));
    exim_mail(text, "", "10.9.9.9", "els.peeters@bank.test", "other@corp.test", "Subject: x", out, sizeof out);
    assert_null(strstr(out, "discarded"));
    free(text);
    x->storm.kind = KIND_BURST;
    x->hosts[0].role = ROLE_ORIGIN;
    text = cure(&x->storm, CURE_EXIM);
    exim_mail(text, "", "10.3.0.10", "a@b.test", "c@d.test", "Subject: x", out, sizeof out);
    assert_non_null(strstr(out, "temporarily rejected RCPT <c@d.test>: Too much mail"));
    free(text);
    x->storm.kind = KIND_MAILBOMB;
    text = cure(&x->storm, CURE_EXIM);
    exim_mail(text, "", "10.9.9.9", "a@b.test", "robot@corp.test", "Subject: x", out, sizeof out);
    assert_non_null(strstr(out, "ratelimit"));
    free(text);
    free(x);
}

/* ---- rspamd ---- */

static const char LUA_BEFORE[] = "rspamd_config = {register_symbol = function(_, t) the = t end}\n";
static const char LUA_AFTER[] =
    "\nlocal rspamd_ip = require 'rspamd_ip'\n"
    "function try(id, ip, from, to, refs)\n"
    "  local said = 'nothing'\n"
    "  the.callback({get_message_id = function() return id end, get_from_ip = function() return rspamd_ip.from_string(ip) end,\n"
    "    get_from = function() return {{addr = from}} end, get_recipients = function() return {{addr = 'x@y.test'}, {addr = to}} end,\n"
    "    get_header = function(_, name) return name == 'References' and refs or nil end, set_pre_result = function(_, t) said = t.action "
    "end})\n"
    "  print('said ' .. said)\nend\n";

/* One made-up task through the cure's own callback. */
static void rspamd_try(const char *text, const char *call, const char *expected)
{
    char script[16384], out[4096];
    snprintf(script, sizeof script, "%s%s%s%s\n", LUA_BEFORE, text, LUA_AFTER, call);
    write_file("storm.lua", script);
    assert_int_equal(run(out, sizeof out, "rspamadm lua storm.lua </dev/null"), 0);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "said %s", expected);
    if (!strstr(out, wanted))
        fail_msg("expected %s: %s", wanted, out);
}

static void rspamd_stops_what_it_should(void **state)
{
    (void)state;
    write_file("probe.lua", "print(require('rspamd_regexp').create('/a/'))\n");
    if (!have("rspamadm lua probe.lua </dev/null", "rspamd"))
        skip();
    struct sample_storm *x = sample_hostile();
    char *text, call[1024];
    for (size_t i = 0; i < sizeof IDS / sizeof *IDS; i++) {
        set_id(x, IDS[i]);
        text = cure(&x->storm, CURE_RSPAMD);
        assert_non_null(text);
        snprintf(call, sizeof call, "try([==[%s]==], '10.3.3.10', 'a@b.test', 'c@d.test')", IDS[i]);
        rspamd_try(text, call, "discard");
        snprintf(call, sizeof call, "try([==[%s]==], '10.3.0.10', 'a@b.test', 'c@d.test')", IDS[i]);
        rspamd_try(text, call, "nothing");
        snprintf(call, sizeof call, "try([==[x%s]==], '10.3.3.10', 'a@b.test', 'c@d.test')", IDS[i]);
        rspamd_try(text, call, "nothing");
        free(text);
    }
    x->storm.kind = KIND_REPLY_ALL;
    SAMPLE_TEXT(x->storm.thread, "root.0001@corp.test");
    text = cure(&x->storm, CURE_RSPAMD);
    rspamd_try(text, "try('1@x', '10.3.3.10', 'a@b.test', 'c@d.test', '<z@z> <root.0001@corp.test>')", "reject");
    rspamd_try(text, "try('root.0001@corp.test', '10.3.3.10', 'a@b.test', 'c@d.test')", "nothing");
    free(text);
    x->storm.kind = KIND_BOUNCE_STORM;
    SAMPLE_TEXT(x->storm.victim, "victim@corp.test");
    text = cure(&x->storm, CURE_RSPAMD);
    rspamd_try(text, "try('1@x', '10.9.9.9', '', 'victim@corp.test')", "reject");
    rspamd_try(text, "try('1@x', '10.9.9.9', 'a@b.test', 'victim@corp.test')", "nothing");
    free(text);
    x->storm.kind = KIND_MAILBOMB;
    text = cure(&x->storm, CURE_RSPAMD);
    rspamd_try(text, "try('1@x', '10.9.9.9', 'a@b.test', 'victim@corp.test')", "soft reject");
    rspamd_try(text, "try('1@x', '10.9.9.9', 'a@b.test', 'other@corp.test')", "nothing");
    free(text);
    x->storm.kind = KIND_AUTOREPLY_LOOP;
    SAMPLE_TEXT(x->storm.from, "robot@b.test");
    text = cure(&x->storm, CURE_RSPAMD);
    rspamd_try(text, "try('1@x', '10.9.9.9', 'robot@b.test', 'victim@corp.test')", "discard");
    rspamd_try(text, "try('1@x', '10.9.9.9', 'robot@b.test', 'other@corp.test')", "nothing");
    free(text);
    x->storm.kind = KIND_ENCRYPTED_BURST;
    text = cure(&x->storm, CURE_RSPAMD);
    rspamd_try(text, "try('1@x', '10.3.3.10', 'a@b.test', 'other@corp.test')", "soft reject");
    free(text);
    free(x);
}

/* ---- nftables ---- */

static void nft_takes_it(void **state)
{
    (void)state;
    write_file("probe.nft", "table inet squall_probe {\n}\n");
    if (!have("nft -c -f probe.nft", "nft"))
        skip();
    struct sample_storm *x = sample_hostile();
    char out[8192];
    SAMPLE_TEXT(x->storm.id, "x; flush ruleset #\n");
    char *text = cure(&x->storm, CURE_NFT);
    write_file("storm.nft", text);
    if (run(out, sizeof out, "nft -c -f storm.nft") != 0)
        fail_msg("%s", out);
    assert_null(strstr(text, "flush ruleset"));
    assert_non_null(strstr(text, "10.3.3.10, 10.3.4.10"));
    assert_null(strstr(text, "10.3.0.10"));
    free(text);
    assert_true(address_parse(span_text("2001:db8::25"), &x->hosts[4].address));
    text = cure(&x->storm, CURE_NFT);
    write_file("storm.nft", text);
    if (run(out, sizeof out, "nft -c -f storm.nft") != 0)
        fail_msg("%s", out);
    assert_non_null(strstr(text, "ip6 saddr { 2001:db8::25 }"));
    free(text);
    free(x);
}

/* ---- whatever the target ---- */

static void exchange_text_is_tame(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof IDS / sizeof *IDS; i++) {
        struct sample_storm *x = sample_hostile();
        set_id(x, IDS[i]);
        char *text = cure(&x->storm, CURE_EXCHANGE), lines[4096];
        lines_of(text, lines, sizeof lines);
        assert_int_equal(strspn(lines, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -'.\\@_=$\n"), strlen(lines));
        size_t quotes = 0;
        for (const char *c = lines; *c; c++)
            quotes += *c == '\'';
        assert_int_equal(quotes, 6); /* the name, the field, the pattern */
        free(text);
        free(x);
    }
}

static void what_is_not_one_mails_own_is_not_aimed_at(void **state)
{
    (void)state;
    static const char *const unsafe[] = {
        "", "systemmessage", "@evil.test", "?????????????????????@evil.test", "a@b", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8@\xff"};
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) {
        struct sample_storm *x = sample_reinjection();
        set_id(x, unsafe[i]);
        for (int t = 0; t < CURE_TARGET_COUNT; t++) {
            char *text = cure(&x->storm, (enum cure_target)t);
            if (text && strstr(text, "Message-ID"))
                fail_msg("%s aims at \"%s\"", cure_word((enum cure_target)t), unsafe[i]);
            assert_true(text || t == CURE_POSTFIX || t == CURE_EXCHANGE); /* what remains: the hosts */
            free(text);
        }
        free(x);
    }
    struct sample_storm *x = sample_reinjection();
    x->storm.kind = KIND_BOUNCE_STORM;
    SAMPLE_TEXT(x->storm.victim, "a'; rm -rf /; '@evil.test");
    x->hosts[3].on_wire = x->hosts[4].on_wire = false; /* a header's word blocks nobody */
    for (int t = 0; t < CURE_TARGET_COUNT; t++)
        assert_null(cure(&x->storm, (enum cure_target)t));
    free(x);
}

static void a_cut_id_matches_by_its_beginning(void **state)
{
    (void)state;
    struct sample_storm *x = sample_reinjection();
    memset(x->storm.message_id, 'a', STORM_TEXT_SIZE - 1);
    memcpy(x->storm.message_id + 20, "@long.test.", 11);
    x->storm.message_id[STORM_TEXT_SIZE - 1] = '\0';
    char *text = cure(&x->storm, CURE_POSTFIX);
    assert_non_null(text);
    assert_null(strstr(text, "\\s*$"));
    free(text);
    free(x);
}

/* A rule with a pseudonym would do nothing, one for whole hosts instead would harm. */
static void a_hidden_address_makes_no_rule(void **state)
{
    (void)state;
    static const enum storm_kind kinds[] = {KIND_AUTOREPLY_LOOP, KIND_BOUNCE_STORM, KIND_MAILBOMB};
    struct sample_storm *x = sample_reinjection();
    SAMPLE_TEXT(x->storm.from, "p-abcdefgh@corp.test");
    SAMPLE_TEXT(x->storm.victim, "p-ijklmnop@corp.test");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        x->storm.kind = kinds[i];
        x->storm.privacy = PRIVACY_PSEUDONYM;
        for (int t = 0; t < CURE_TARGET_COUNT; t++)
            assert_null(cure(&x->storm, (enum cure_target)t));
        assert_non_null(strstr(cure_advice(&x->storm), "revealed"));
        x->storm.privacy = PRIVACY_CLEAR;
        char *text = cure(&x->storm, CURE_POSTFIX);
        assert_non_null(text);
        free(text);
        assert_null(strstr(cure_advice(&x->storm), "revealed"));
    }
    x->storm.privacy = PRIVACY_DOMAIN;
    x->storm.kind = KIND_BOUNCE_STORM;
    SAMPLE_TEXT(x->storm.victim, "@corp.test"); /* a domain is nobody's */
    char *text = cure(&x->storm, CURE_POSTFIX);
    assert_non_null(text);
    free(text);
    x->storm.kind = KIND_REINJECTION; /* the id and the hosts are known */
    text = cure(&x->storm, CURE_POSTFIX);
    assert_non_null(text);
    free(text);
    free(x);
}

static void every_kind_has_advice(void **state)
{
    (void)state;
    struct sample_storm *x = sample_hostile();
    for (int k = 0; k < KIND_COUNT; k++) {
        x->storm.kind = (enum storm_kind)k;
        assert_true(strlen(cure_advice(&x->storm)) > 20);
        for (int t = 0; t < CURE_TARGET_COUNT; t++) {
            char *text = cure(&x->storm, (enum cure_target)t);
            for (const char *c = text ? text : ""; *c; c++)
                assert_true((*c >= ' ' && *c < 0x7f) || *c == '\n');
            free(text);
        }
    }
    free(x);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(postfix_drops_this_mail_only),
        TEST(postfix_puts_off_the_hosts),
        TEST(postfix_refuses_answers_bounces_and_pairs),
        TEST(exim_drops_this_mail_only),
        TEST(exim_refuses_answers_bounces_and_pairs),
        TEST(rspamd_stops_what_it_should),
        TEST(nft_takes_it),
        TEST(exchange_text_is_tame),
        TEST(what_is_not_one_mails_own_is_not_aimed_at),
        TEST(a_cut_id_matches_by_its_beginning),
        TEST(a_hidden_address_makes_no_rule),
        TEST(every_kind_has_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
