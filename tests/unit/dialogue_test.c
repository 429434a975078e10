/* Dialogues, legal and otherwise, and what they amount to; each told whole, byte by byte, in every two parts and in random parts, with
 * the same result; and with holes, where what is left of the messages is a subset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dialogue.h"

#define GREET       "S: 220 mx.example ESMTP\nC: EHLO c.example\nS: 250-mx.example\nS: 250 CHUNKING\n"
#define ENVELOPE    "C: MAIL FROM:<a@c.example>\nS: 250 ok\nC: RCPT TO:<b@mx.example>\nS: 250 ok\n"
#define CONTENT(id) "C: Message-ID: <" id "@c.example>\nC: To: b@mx.example\nC:\nC: Hello.\nC: .\n"
#define MAIL(id)    ENVELOPE "C: DATA\nS: 354 go on\n" CONTENT(id) "S: 250 queued\n"
#define SESSION     "session c.example mx.example\n"
#define SENT(id)    "<a@c.example> message 250 id=" id "@c.example b@mx.example:250\n"

static const struct {
    const char *name, *dialogue, *expected;
} cases[] = {
    {"one mail", GREET MAIL("1") "C: QUIT\nS: 221 bye\n", SENT("1") SESSION},
    {"two mails", GREET MAIL("1") MAIL("2"), SENT("1") SENT("2") SESSION},
    {"RSET clears the envelope", GREET ENVELOPE "C: RSET\nS: 250 ok\n" MAIL("1"),
        "<a@c.example> none 0 b@mx.example:250\n" SENT("1") SESSION},
    {"EHLO accepted clears the envelope",
        GREET ENVELOPE "C: EHLO c.example\nS: 250 again\nC: RCPT TO:<x@mx.example>\nS: 503 MAIL first\n" MAIL("1"),
        "<a@c.example> none 0 b@mx.example:250\n" SENT("1") SESSION},
    {"EHLO refused keeps it", GREET ENVELOPE "C: EHLO c.example\nS: 503 no\nC: DATA\nS: 354 go on\n" CONTENT("1") "S: 250 queued\n",
        SENT("1") SESSION},
    {"MAIL within refused keeps it",
        GREET ENVELOPE "C: MAIL FROM:<z@c.example>\nS: 503 nested\nC: DATA\nS: 354 go on\n" CONTENT("1") "S: 250 queued\n",
        SENT("1") SESSION},
    {"MAIL within accepted: a new one", GREET "C: MAIL FROM:<z@c.example>\nS: 250 ok\n" MAIL("1"),
        "<z@c.example> none 0\n" SENT("1") SESSION},
    {"MAIL refused begins nothing", GREET "C: MAIL FROM:<z@c.example>\nS: 550 no\n" MAIL("1"), SENT("1") SESSION},
    {"a recipient refused",
        GREET "C: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@mx.example>\nC: RCPT TO:<n@mx.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 550 "
              "no\nS: 354 go on\n" CONTENT("1") "S: 250 queued\n",
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 n@mx.example:550\n" SESSION},
    {"content refused", GREET ENVELOPE "C: DATA\nS: 354 go on\n" CONTENT("1") "S: 554 spam\n",
        "<a@c.example> none 554 id=1@c.example b@mx.example:250\n" SESSION},
    {"DATA refused", GREET ENVELOPE "C: DATA\nS: 451 later\nC: RSET\nS: 250 ok\n" MAIL("2"),
        "<a@c.example> none 451 b@mx.example:250\n" SENT("2") SESSION},
    {"DATA refused, what follows are commands",
        GREET ENVELOPE
        "C: DATA\nC: RSET\nC: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@mx.example>\nS: 451 later\nS: 250 ok\nS: 250 ok\nS: 250 ok\n"
        "C: DATA\nS: 354 go on\n" CONTENT("2") "S: 250 queued\n",
        "<a@c.example> none 451 b@mx.example:250\n" SENT("2") SESSION},
    {"content without waiting for 354",
        "S: 220 mx.example\nC: EHLO c.example\nC: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@mx.example>\nC: DATA\n" CONTENT(
            "1") "C: QUIT\n"
                 "S: 250 mx\nS: 250 ok\nS: 250 ok\nS: 354 go on\nS: 250 queued\nS: 221 bye\n",
        SENT("1") SESSION},
    {"all before the greeting",
        "C: EHLO c.example\nC: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@mx.example>\nC: DATA\n" CONTENT(
            "1") "S: 220 mx.example\nS: 250 mx\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
                 "S: 250 queued\n",
        SENT("1") SESSION},
    {"end of data and the next envelope in one write",
        GREET ENVELOPE
        "C: DATA\nS: 354 go on\n" CONTENT("1") "C: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@mx.example>\nC: DATA\n"
                                               "S: 250 queued\nS: 250 ok\nS: 250 ok\nS: 354 go on\n" CONTENT("2") "S: 250 queued\n",
        SENT("1") SENT("2") SESSION},
    {"BDAT in chunks",
        GREET ENVELOPE
        "C: BDAT 22\nC| Message-ID: <1@c.examp\nS: 250 ok\nC: BDAT 13 LAST\nC| le>\\r\\n\\r\\nbody\\r\\n\nS: 250 queued\n" MAIL("2"),
        SENT("1") SENT("2") SESSION},
    {"BDAT 0 LAST", GREET ENVELOPE "C: BDAT 30\nC| Message-ID: <1@c.example>\\r\\n\\r\\nx\nS: 250 ok\nC: BDAT 0 LAST\nS: 250 queued\n",
        SENT("1") SESSION},
    {"BDAT of a bad size has no chunk",
        GREET ENVELOPE "C: BDAT 5 X\nC: BDAT -1 LAST\nC: BDAT 99999999999999999999 LAST\nS: 501 no\nS: 501 no\nS: 501 no\n"
                       "C: RSET\nS: 250 ok\n" MAIL("2"),
        "<a@c.example> none 0 b@mx.example:250\n" SENT("2") SESSION},
    {"BDAT refused, its chunk is no command",
        GREET "C: MAIL FROM:<a@c.example>\nC: RCPT TO:<n@mx.example>\nC: BDAT 6 LAST\nC: QUIT\n"
              "S: 250 ok\nS: 550 no\nS: 554 no valid recipients\nC: RSET\nS: 250 ok\n" MAIL("2"),
        "<a@c.example> none 554 n@mx.example:550\n" SENT("2") SESSION},
    {"end of data by bare line feeds, which the server takes",
        "S| 220 mx.example\\n\nC| EHLO c.example\\n\nS| 250 mx\\n\nC| MAIL FROM:<a@c.example>\\n\nS| 250 ok\\n\nC| RCPT "
        "TO:<b@mx.example>\\n\nS| 250 ok\\n\nC| DATA\\n\n"
        "S| 354 go\\n\nC| Message-ID: <1@c.example>\\n\\nHello.\\n.\\n\nS| 250 queued\\n\nC| QUIT\\n\nS| 221 bye\\n\n",
        SENT("1") SESSION},
    {"end of data by a bare line feed, which the server does not take",
        GREET ENVELOPE "C: DATA\nS: 354 go\nC| Message-ID: <1@c.example>\\r\\n\\r\\nHello.\\n.\\nMAIL FROM:<s@c.example>\\r\\nRCPT "
                       "TO:<s@mx.example>\\r\\nmore\\r\\n.\\r\\n\nS: 250 queued\n",
        SENT("1") SESSION},
    {"dots doubled",
        GREET ENVELOPE
        "C: DATA\nS: 354 go\nC: Message-ID: <1@c.example>\nC:\nC: ..\nC: ..x\nC: .x\nC: . \nC| \\r.\\r\\r\\n\nC: .\nS: 250 queued\n",
        SENT("1") SESSION},
    {"an empty mail", GREET ENVELOPE "C: DATA\nS: 354 go\nC: .\nS: 250 queued\n", "<a@c.example> message 250 b@mx.example:250\n" SESSION},
    {"LMTP: a reply a recipient",
        "S: 220 mda.example\nC: LHLO c.example\nS: 250 mda\nC: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@x>\nC: RCPT TO:<n@x>\nC: RCPT "
        "TO:<f@x>\nC: DATA\n"
        "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 250 ok\nS: 354 go\n" CONTENT("1") "S: 250 delivered\nS: 452 full\nC: QUIT\nS: 221 bye\n",
        "<a@c.example> message 250 id=1@c.example b@x:250/250 n@x:550 f@x:250/452 lmtp\nsession c.example mda.example\n"},
    {"LMTP: nobody took it",
        "S: 220 mda.example\nC: LHLO c.example\nS: 250 mda\nC: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@x>\nC: DATA\nS: 250 ok\nS: 250 "
        "ok\nS: 354 go\n" CONTENT("1") "S: 452 full\n",
        "<a@c.example> none 452 id=1@c.example b@x:250/452 lmtp\nsession c.example mda.example\n"},
    {"421 in the envelope", GREET "C: MAIL FROM:<a@c.example>\nS: 250 ok\nC: RCPT TO:<b@mx.example>\nS: 421 shutting down\n", NULL},
    {"421 for want of anything to do", GREET MAIL("1") "S: 421 timeout\n", SENT("1") SESSION},
    {"a final reply of many lines", GREET ENVELOPE "C: DATA\nS: 354-go\nS: 354 on\n" CONTENT("1") "S: 250-queued\nS: 250 as 1\n" MAIL("2"),
        SENT("1") SENT("2") SESSION},
    {"the final reply never comes", GREET ENVELOPE "C: DATA\nS: 354 go on\n" CONTENT("1"), NULL},
    {"VRFY, NOOP, HELP, EXPN, ETRN between",
        GREET "C: NOOP\nS: 250 ok\nC: HELP\nS: 214-help\nS: 214 yourself\nC: VRFY a\nS: 252 perhaps\nC: EXPN l\nS: 550 no\nC: ETRN x\nS: "
              "250 ok\nC: FOO\nS: 500 what\n" MAIL("1"),
        SENT("1") SESSION},
    {"lower case, blanks, parameters",
        "S: 220 mx.example\nC: ehlo c.example\nS: 250 mx\nC: mail from: <a@c.example> size=100 body=8bitmime smtputf8 ret=hdrs envid=x\nS: "
        "250 ok\n"
        "C: rcpt to: <b@mx.example> notify=never orcpt=rfc822;b@mx.example\nS: 250 ok\nC: data\nS: 354 go\n" CONTENT("1") "S: 250 queued\n",
        SENT("1") SESSION},
    {"AUTH PLAIN at once", GREET "C: AUTH PLAIN AGFsaWNlAHMzY3JldA==\nS: 235 ok\n" MAIL("1"),
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 user=alice\n" SESSION},
    {"AUTH PLAIN in two steps", GREET "C: AUTH PLAIN\nS: 334\nC: AGFsaWNlAHMzY3JldA==\nS: 235 ok\n" MAIL("1"),
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 user=alice\n" SESSION},
    {"AUTH LOGIN", GREET "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: czNjcmV0\nS: 235 ok\n" MAIL("1"),
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 user=alice\n" SESSION},
    {"AUTH LOGIN with the user at once", GREET "C: AUTH LOGIN YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: czNjcmV0\nS: 235 ok\n" MAIL("1"),
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 user=alice\n" SESSION},
    {"AUTH refused", GREET "C: AUTH LOGIN YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: czNjcmV0\nS: 535 no\n" MAIL("1"), SENT("1") SESSION},
    {"AUTH given up", GREET "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 ok\n" MAIL("1"), SENT("1") SESSION},
    {"AUTH LOGIN, the user's line lost: the password is no user",
        GREET "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nlose C 10\nS: 334 UGFzc3dvcmQ6\nC: czNjcmV0\nS: 235 ok\n" MAIL("1"), SENT("1") SESSION},
    {"AUTH LOGIN, the user's line and the challenge lost",
        GREET "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nlose C 10\nlose S 18\nC: czNjcmV0\nS: 235 ok\n" MAIL("1"), SENT("1") SESSION},
    {"AUTH CRAM-MD5", GREET "C: AUTH CRAM-MD5\nS: 334 PDE+\nC: YWxpY2UgZGlnZXN0\nS: 235 ok\n" MAIL("1"), SENT("1") SESSION},
    {"STARTTLS, TLS follows",
        GREET "C: STARTTLS\nS: 220 go\nC| \\x16\\x03\\x01\\x00\\x03\\x01\\x00\\x00\nS| \\x16\\x03\\x03\\x00\\x03\\x02\\x00\\x00\nC| "
              "\\x17\\x03\\x03\\x00\\x06QUIT\\r\\n\n",
        "session c.example mx.example starttls\n"},
    {"XCLIENT: a new client's name",
        GREET "C: XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.9 HELO=far.example\nS: 220 mx.example\nC: EHLO c.example\nS: 250 mx\n" MAIL("1"),
        SENT("1") SESSION},
    {"STARTTLS refused", GREET "C: STARTTLS\nS: 454 no\n" MAIL("1"), SENT("1") SESSION},
    {"STARTTLS, but the rest is in clear", GREET "C: STARTTLS\nS: 220 go\nC: EHLO c.example\nS: 250 mx\n" MAIL("1"), SENT("1") SESSION},
    {"TLS from the first byte", "C| \\x16\\x03\\x01\\x00\\x03\\x01\\x00\\x00\nS| \\x16\\x03\\x03\\x00\\x03\\x02\\x00\\x00\n",
        "connection   implicit\n"},
    {"commands and replies as few write them",
        GREET
        "C| mail fROM:<a@c.example> SIZE=9\\r\\r\\n\nS| 250\\r\\n\nC: RcPt  to: <b@mx.example> NOTIFY=NEVER\nS| 250 \\n\nC: RCPT TO:< "
        "i@mx.example "
        ">\nS: 250 ok\nC| RCPT TO:x@mx.example\\r\\n\nS: 250 ok\nC: RCPT\tTO:<y@mx.example>\nS: 250 ok\nC| dAtA \\n\nS: 354\n" CONTENT(
            "1") "S| 250\\n\n",
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 i@mx.example:250 x@mx.example:250 y@mx.example:250\n" SESSION},
    {"no commands of a mail, and no replies",
        GREET ENVELOPE
        "C: RCPTS TO:<x@mx.example>\nS: 500 what\nC: DATAX\nS: 500 what\nS: 25x\nS: 250ok\nS: 25\nS: 650 ok\nS: 2\nC: RCPT TO:<y@mx."
        "example>\nS: 250 ok\nC: DATA\nS: 354 go on\n" CONTENT("1") "S: 250 queued\n",
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 y@mx.example:250\n" SESSION},
    {"source routes and quoted local parts",
        GREET "C: MAIL FROM:<@r.example,@s.example:\"a <b>\"@c.example>\nS: 250 ok\nC: RCPT TO:<\"x y\"@mx.example>\nS: 250 ok\nC: "
              "DATA\nS: 354 go\n" CONTENT("1") "S: 250 queued\n",
        "<\"a <b>\"@c.example> message 250 id=1@c.example \"x y\"@mx.example:250\n" SESSION},
    {"an empty reverse-path",
        GREET "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<b@mx.example>\nS: 250 ok\nC: DATA\nS: 354 go\n" CONTENT("1") "S: 250 queued\n",
        "<> message 250 id=1@c.example b@mx.example:250\n" SESSION},
    {"the first Message-ID of the top header counts",
        GREET ENVELOPE "C: DATA\nS: 354 go\nC: Resent-Message-ID: <r@x>\nC: Message-ID:\nC:  <1@c.example>\nC: Message-ID: "
                       "<2@c.example>\nC:\nC: Message-ID: <3@c.example>\nC: .\nS: 250 ok\n",
        SENT("1") SESSION},
    {"a hole in the body",
        GREET ENVELOPE
        "C: DATA\nS: 354 go\nC: Message-ID: <1@c.example>\nC:\nC: text\nlose C 500\nC: text\nC: .\nS: 250 queued\n" MAIL("2"),
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 gap=500\n" SENT("2") SESSION},
    {"a hole where the id was", GREET ENVELOPE "C: DATA\nS: 354 go\nC: Subject: x\nlose C 40\nC: text\nC: .\nS: 250 queued\n" MAIL("2"),
        NULL},
    {"a hole over the end of the data",
        GREET ENVELOPE "C: DATA\nS: 354 go\nC: Message-ID: <1@c.example>\nC:\nC: text\nlose C 500\nS: 250 queued\n" MAIL("2"),
        "<a@c.example> message 250 id=1@c.example b@mx.example:250 gap=500\n" SENT("2") SESSION},
    {"a RCPT is lost",
        GREET "C: MAIL FROM:<a@c.example>\nS: 250 ok\nlose C 24\nS: 250 ok\nC: DATA\nS: 354 go\n" CONTENT("1") "S: 250 queued\n" MAIL("2"),
        "<a@c.example> uncertain 250 id=1@c.example\n" SENT("2") SESSION},
    {"the final reply is lost", GREET ENVELOPE "C: DATA\nS: 354 go\n" CONTENT("1") "lose S 12\n" MAIL("2"),
        "<a@c.example> uncertain 0 id=1@c.example b@mx.example:250\n" SENT("2") SESSION},
};
#define CASES (sizeof cases / sizeof cases[0])

static struct dialogue dialogue;
static struct outcome whole, other;
static struct dissector *to_whole, *to_other;

static int set_up(void **state)
{
    (void)state;
    hash_seed(1);
    to_whole = dialogue_dissector(&whole, 0);
    to_other = dialogue_dissector(&other, 0);
    return !to_whole || !to_other;
}

static int tear_down(void **state)
{
    (void)state;
    dissector_free(to_whole);
    dissector_free(to_other);
    return 0;
}

static void test_outcomes(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        if (!cases[i].expected)
            continue;
        dialogue_read(&dialogue, cases[i].dialogue);
        dialogue_tell(&dialogue, to_whole, &(struct telling){0}, &whole);
        if (strcmp(whole.text, cases[i].expected) != 0)
            fail_msg("%s: expected\n%sgot\n%s", cases[i].name, cases[i].expected, whole.text);
    }
}

/* What is no message in any reading: the verdict beside it may be "none" or "uncertain". */
static void test_no_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        if (cases[i].expected)
            continue;
        bool next = strstr(cases[i].dialogue, "<2@") != NULL;
        dialogue_read(&dialogue, cases[i].dialogue);
        dialogue_tell(&dialogue, to_whole, &(struct telling){0}, &whole);
        const char *first = strstr(whole.text, " message ");
        if ((first != NULL) != next || (first && strstr(first + 1, " message ")))
            fail_msg("%s: got\n%s", cases[i].name, whole.text);
    }
}

static void same(const char *name, const struct telling *t)
{
    dialogue_tell(&dialogue, to_other, t, &other);
    if (strcmp(whole.text, other.text) != 0)
        fail_msg("%s, cut %d at %llu: expected\n%sgot\n%s", name, (int)t->cutting, (unsigned long long)t->at, whole.text, other.text);
}

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++)
        for (int uncertain = 0; uncertain < 2; uncertain++) {
            dialogue_read(&dialogue, cases[i].dialogue);
            dialogue_tell(&dialogue, to_whole, &(struct telling){.uncertain_sides = uncertain}, &whole);
            same(cases[i].name, &(struct telling){.cutting = CUT_BYTES, .uncertain_sides = uncertain});
            for (uint64_t at = 1; at < dialogue.used; at++)
                same(cases[i].name, &(struct telling){.cutting = CUT_ONCE, .at = at, .uncertain_sides = uncertain});
            for (uint64_t seed = 1; seed <= 40; seed++)
                same(cases[i].name, &(struct telling){.cutting = CUT_RANDOM, .at = seed, .uncertain_sides = uncertain});
        }
}

/* Without a SYN the sides are a guess; the first words put it right. */
static void test_sides(void **state)
{
    (void)state;
    dialogue_read(&dialogue, cases[0].dialogue);
    dialogue_tell(&dialogue, to_whole, &(struct telling){0}, &whole);
    same("swapped", &(struct telling){.swapped = true});
    same("swapped", &(struct telling){.swapped = true, .cutting = CUT_BYTES});
}

static bool line_of(const char *text, const char *line, size_t n)
{
    for (const char *l = text; *l; l = strchr(l, '\n') + 1)
        if (strncmp(l, line, n) == 0)
            return true;
    return false;
}

/* The law: with loss, a subset of the messages and never one more. */
static void test_holes(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 5, 12, 26, 60, 200};
    whole.messages_only = other.messages_only = true;
    for (size_t i = 0; i < CASES; i++) {
        dialogue_read(&dialogue, cases[i].dialogue);
        dialogue_tell(&dialogue, to_whole, &(struct telling){0}, &whole);
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
            for (uint64_t at = 0; at < dialogue.used; at++) {
                dialogue_tell(&dialogue, to_other, &(struct telling){.hole = at, .hole_n = sizes[k]}, &other);
                for (const char *l = other.text; *l; l = strchr(l, '\n') + 1)
                    if (!line_of(whole.text, l, (size_t)(strchr(l, '\n') + 1 - l)))
                        fail_msg("%s, hole of %llu at %llu: expected a subset of\n%sgot\n%s", cases[i].name, (unsigned long long)sizes[k],
                            (unsigned long long)at, whole.text, other.text);
            }
    }
    whole.messages_only = other.messages_only = false;
}

/* One side only: what is there, no message. */
static void test_one_side(void **state)
{
    (void)state;
    for (enum side side = CLIENT; side <= SERVER; side++)
        for (size_t i = 0; i < CASES; i++) {
            dialogue_read(&dialogue, cases[i].dialogue);
            size_t kept = 0;
            for (size_t k = 0; k < dialogue.steps; k++)
                if (dialogue.step[k].from == side)
                    dialogue.step[kept++] = dialogue.step[k];
            dialogue.steps = kept;
            dialogue_tell(&dialogue, to_whole, &(struct telling){0}, &whole);
            if (strstr(whole.text, "> message "))
                fail_msg("%s, side %d alone: got\n%s", cases[i].name, (int)side, whole.text);
        }
}

/* A client that sends 40,000 bytes without waiting for 354, more than is held back; then the replies come, or never do. */
static void test_impatient(void **state)
{
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        dialogue_read(&dialogue, "S: 220 mx.example\nC: EHLO c.example\nC: MAIL FROM:<a@c.example>\nC: RCPT TO:<b@mx.example>\nC: DATA\n"
                                 "C: Message-ID: <1@c.example>\nC:\n");
        for (int i = 0; i < 40000; i++)
            dialogue_byte(&dialogue, (uint8_t)(i % 78 == 77 ? '\n' : 'x'));
        static const uint8_t end[] = "\r\n.\r\n";
        for (size_t i = 0; i < sizeof end - 1; i++)
            dialogue_byte(&dialogue, end[i]);
        if (answered) {
            dialogue_run(&dialogue, SERVER);
            for (const char *p = "250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n"; *p; p++)
                dialogue_byte(&dialogue, (uint8_t)*p);
        }
        dialogue_tell(&dialogue, to_whole, &(struct telling){0}, &whole);
        if ((strstr(whole.text, SENT("1")) != NULL) != answered)
            fail_msg("answered %d: got\n%s", answered, whole.text);
        same("impatient", &(struct telling){.cutting = CUT_BYTES});
        for (uint64_t seed = 1; seed <= 10; seed++)
            same("impatient", &(struct telling){.cutting = CUT_RANDOM, .at = seed});
    }
}

static unsigned messages_in(const char *text)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, "> message ")); p++)
        n++;
    return n;
}

/* At the bound of memory less is known, never more. */
static void test_bound(void **state)
{
    (void)state;
    static const int64_t bounds[] = {1, 32, 80, 150, 300, 600};
    for (size_t k = 0; k < sizeof bounds / sizeof bounds[0]; k++) {
        struct dissector *small = dialogue_dissector(&other, bounds[k]);
        assert_non_null(small);
        for (size_t i = 0; i < CASES; i++) {
            dialogue_read(&dialogue, cases[i].dialogue);
            dialogue_tell(&dialogue, to_whole, &(struct telling){0}, &whole);
            dialogue_tell(&dialogue, small, &(struct telling){.cutting = CUT_RANDOM, .at = 7}, &other);
            if (messages_in(other.text) > messages_in(whole.text))
                fail_msg("%s in %lld bytes: expected at most\n%sgot\n%s", cases[i].name, (long long)bounds[k], whole.text, other.text);
        }
        dissector_free(small);
    }
}

/* 10,000 mails on one connection. */
static void test_many_mails(void **state)
{
    (void)state;
    static struct dialogue start, mail;
    const struct endpoint side[2] = {{.port = 40000}, {.port = 25}};
    dialogue_read(&start, GREET);
    dialogue_read(&mail, MAIL("1"));
    uint64_t messages = dissector_counters(to_whole)->messages;
    struct smtp *s = smtp_open(to_whole, 1, side, true, 0);
    assert_non_null(s);
    for (size_t i = 0; i < start.steps; i++)
        smtp_push(s, start.step[i].from, span_of(start.bytes + start.step[i].at, start.step[i].n), 0);
    for (int n = 0; n < 10000; n++) {
        whole.n = 0;
        whole.messages_only = false;
        for (size_t i = 0; i < mail.steps; i++)
            smtp_push(s, mail.step[i].from, span_of(mail.bytes + mail.step[i].at, mail.step[i].n), 0);
        assert_string_equal(whole.text, SENT("1"));
    }
    smtp_end(s, 0);
    assert_int_equal(dissector_counters(to_whole)->messages - messages, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_no_message),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_one_side),
        cmocka_unit_test(test_impatient),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_many_mails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
