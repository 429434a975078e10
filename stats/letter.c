/* In: a storm and one of its hosts.  Out: the letter to that host's postmaster; to the report, `squall read` and whoever sends it. All
 * words stand in one table, with {names} where the storm's own words go, so that a translator needs to read no C.  The storm's words
 * came from the wire: they are cleaned, and a {name} inside them is never looked at. */
#include "stats/letter.h"

#include <string.h>

#include "base/log.h"
#include "stats/cure.h"
#include "stats/figure.h"

#define WIDTH   72
#define LONGEST 4096 /* bytes of a paragraph */
#define ASKS    4

struct kind_text {
    const char *subject, *opening, *saw, *ask[ASKS];
};

struct letter_text {
    const char *to, *title, *greeting, *the_mail, *message_id, *thread, *from, *subject, *first_seen;
    const char *we_saw, *header_only, *evidence, *received, *runs, *no_mark, *we_ask, *closing, *made_by;
    struct kind_text reinjection, loop, list_loop, autoreply, resend, burst, other;
};

static const struct letter_text ENGLISH = {
    .to = "To: the postmaster of {host}",
    .title = "Subject: {subject_line}",
    .greeting = "Dear postmaster,",
    .the_mail = "The mail",
    .message_id = "Message-ID  ",
    .thread = "Thread      ",
    .from = "From        ",
    .subject = "Subject     ",
    .first_seen = "First seen  ",
    .we_saw = "What we saw",
    .header_only = "We know of your server from the Received lines of these copies only, and have not seen its connections. Please look "
                   "whether they tell the truth.",
    .evidence = "The evidence (times are UTC)",
    .received = "Received: ",
    .runs = "What it seems to run, and what to change",
    .no_mark = "The copies carry no mark of the program that made them. Programs that collect a mailbox by POP3 or IMAP and hand what they "
               "find to the mail server "
               "must not take the recipients from To: and Cc: unless they drop every address outside your own domains; that is the setting "
               "to look for.",
    .we_ask = "What we ask of you",
    .closing = "We would be grateful for a short answer when it is done, or when you find that we are wrong. We gladly send the packets "
               "that show it.",
    .made_by = "This letter was written by Squall from the mail traffic it saw (alarm {id}). Its numbers are counted, not estimated. It "
               "holds no text of the mail.",
    .reinjection = {"Your mail server re-sends a mail to people who have it",
        "your mail server {host} ({address}) sends a mail that it received once more to everyone in its To: and Cc: lines. These people "
        "have had it already, and "
        "each new copy that reaches a server set up like yours makes further ones. We believe that nobody means it to; only the place "
        "where it happens can stop it.",
        "Between {first} and {last} your server sent {copies} copies of this mail, which makes {deliveries} deliveries; {redeliveries} of "
        "them went to people "
        "who already had it. {acquittal}",
        {"Stop the program that collects the mailbox for your domain (the \"POP3 connector\") until its setting is changed.",
            "Delete what your server still has queued with this Message-ID, and the mail itself from the mailbox that is collected.",
            "Let the program deliver to your own addresses only, and take the recipients from the envelope, never from To: and Cc:."}},
    .loop = {"Your mail server passes a mail round in a loop",
        "a mail comes back to your mail server {host} ({address}) again and again, because two or more servers forward it to one another.",
        "Between {first} and {last} your server sent the mail on {copies} times; {redeliveries} deliveries went to an address that had it "
        "already. {acquittal}",
        {"Take out the forwarding that sends this mail to the next server in the circle.",
            "Delete what your server still has queued with this Message-ID.",
            "Let your server refuse a mail that carries its own Received line or the recipient's Delivered-To."}},
    .list_loop = {"A mailing list of yours gets its own mail back",
        "a mailing list that passes your mail server {host} ({address}) is sent its own mail again, and sends it out once more.",
        "Between {first} and {last} your server sent {copies} copies, {redeliveries} deliveries of them to people who had the mail. "
        "{acquittal}",
        {"Unsubscribe the address that forwards the list's mail to the list.",
            "Let the list refuse a mail that carries its own List-Id, X-BeenThere or X-Loop."}},
    .autoreply = {"An automatic answer of yours answers another one",
        "two addresses answer each other automatically, and your mail server {host} ({address}) sends one side of it.",
        "Between {first} and {last} it sent {copies} such answers.",
        {"Switch the automatic answer off until it is set right.",
            "Let it answer each sender once in some days, never a mail with Auto-Submitted, Precedence: bulk or an empty envelope sender "
            "(RFC 3834)."}},
    .resend = {"Your mail server sends the same mail again and again",
        "your mail server {host} ({address}) sends one and the same mail again although it was accepted, probably because the last reply "
        "came too late (RFC 1047).",
        "Between {first} and {last} it sent {copies} copies, {redeliveries} deliveries more than were needed.",
        {"Let your server wait ten minutes for the reply to the end of the data (RFC 5321, 4.5.3.2.6).",
            "Look for a firewall on the way that inspects SMTP or ends idle connections."}},
    .burst = {"Your mail server sends far more mail than it does at other times",
        "your mail server {host} ({address}) sends us far more mail than it does at this time of day.",
        "Between {first} and {last} it sent {copies} mails, which makes {deliveries} deliveries.",
        {"Please tell us whether this is meant.", "If not, look for a program that repeats itself, or an account in the wrong hands."}},
    .other = {"Mail from your server", "your mail server {host} ({address}) has part in a mail storm: {why}.",
        "Between {first} and {last} it sent {copies} copies, which makes {deliveries} deliveries, {redeliveries} of them to people who had "
        "the mail. {acquittal}",
        {"Please look into your server's log for this time, and stop what repeats itself."}},
};

static const struct kind_text *kind_text(const struct letter_text *words, enum storm_kind kind)
{
    switch (kind) {
    case KIND_REINJECTION:
    case KIND_REINJECTION_ELSEWHERE: return &words->reinjection;
    case KIND_FORWARDING_LOOP: return &words->loop;
    case KIND_LIST_LOOP: return &words->list_loop;
    case KIND_AUTOREPLY_LOOP: return &words->autoreply;
    case KIND_RESEND: return &words->resend;
    case KIND_BURST:
    case KIND_ENCRYPTED_BURST: return &words->burst;
    default: return &words->other;
    }
}

/* ---- paragraphs ---- */

struct values { /* what stands for the {names} */
    char host[STORM_TEXT_SIZE], address[ADDRESS_TEXT], acquittal[2 * STORM_TEXT_SIZE], why[2 * STORM_TEXT_SIZE], id[STORM_ID_SIZE];
    char first[FIGURE_TEXT], last[FIGURE_TEXT], copies[FIGURE_TEXT], deliveries[FIGURE_TEXT], redeliveries[FIGURE_TEXT];
    const char *subject_line;
};

static const char *value_of(const struct values *v, struct span name)
{
    const struct {
        const char *name, *value;
    } all[] = {{"host", v->host}, {"address", v->address}, {"acquittal", v->acquittal}, {"why", v->why}, {"id", v->id}, {"first", v->first},
        {"last", v->last}, {"copies", v->copies}, {"deliveries", v->deliveries}, {"redeliveries", v->redeliveries},
        {"subject_line", v->subject_line}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (span_equal(name, span_text(all[i].name)))
            return all[i].value;
    return "";
}

/* The text with its {names} filled in, once and from left to right. */
static void fill(const char *text, const struct values *v, char *to, size_t size)
{
    size_t at = 0;
    while (*text && at + 1 < size) {
        size_t plain = strcspn(text, "{"), name = text[plain] ? strcspn(text + plain, "}") : 0;
        at += (size_t)snprintf(to + at, size - at, "%.*s", (int)plain, text);
        text += plain;
        if (name && at + 1 < size)
            at += (size_t)snprintf(to + at, size - at, "%s", value_of(v, span_of(text + 1, name - 1)));
        text += name ? name + 1 : 0;
        if (at >= size)
            at = size - 1;
    }
    to[at] = '\0';
}

static size_t characters(const char *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xc0) != 0x80;
    return count;
}

/* Words wrapped to WIDTH; `first` before the first line, as many blanks before the others. */
static void paragraph(const char *first, const char *text, FILE *to)
{
    size_t indent = characters(first, strlen(first)), column = indent;
    fputs(first, to);
    for (bool begun = false; *text;) {
        text += strspn(text, " ");
        size_t n = strcspn(text, " "), wide = characters(text, n);
        if (n == 0)
            break;
        if (begun && column + 1 + wide > WIDTH) {
            fprintf(to, "\n%*s", (int)indent, "");
            column = indent;
            begun = false;
        }
        fprintf(to, "%s%.*s", begun ? " " : "", (int)n, text);
        column += wide + begun;
        begun = true;
        text += n;
    }
    fputc('\n', to);
}

static void filled(const char *first, const char *text, const struct values *v, FILE *to)
{
    char out[LONGEST];
    fill(text, v, out, sizeof out);
    paragraph(first, out, to);
}

static void line(const char *text, const struct values *v, FILE *to)
{
    char out[LONGEST];
    fill(text, v, out, sizeof out);
    fprintf(to, "%s\n", out);
}

/* "name  value", unless there is no value; a Message-ID in its brackets. */
static void field(const char *name, const char *value, bool id, FILE *to)
{
    char clean[STORM_TEXT_SIZE];
    figure_header(span_text(value), clean, sizeof clean);
    if (clean[0])
        fprintf(to, id ? "  %s<%s>\n" : "  %s%s\n", name, clean);
}

/* ---- the letter ---- */

static void write_evidence(const struct letter_text *words, const struct storm_host *h, FILE *to)
{
    char clean[STORM_TEXT_SIZE], number[16], when[FIGURE_TEXT], client[ADDRESS_TEXT], server[ADDRESS_TEXT];
    if (h->evidence_count == 0)
        return;
    fprintf(to, "\n%s\n", words->evidence);
    for (uint32_t i = 0; i < h->evidence_count; i++) {
        const struct storm_evidence *e = &h->evidence[i];
        snprintf(number, sizeof number, "  %u. ", i + 1);
        fprintf(to, "%s%s", number, figure_time(e->time, when));
        if (address_known(e->client) && address_known(e->server))
            fprintf(to, ", %s to %s", address_text(e->client, client), address_text(e->server, server));
        fputc('\n', to);
        paragraph("     ", log_clean(span_text(e->said), clean, sizeof clean), to);
        if (e->received[0])
            fprintf(to, "     %s%s\n", words->received, log_clean(span_text(e->received), clean, sizeof clean));
    }
}

static void write_mail(const struct letter_text *words, const struct storm *s, FILE *to)
{
    char when[FIGURE_TEXT];
    fprintf(to, "\n%s\n", words->the_mail);
    field(words->message_id, s->message_id, true, to);
    if (strcmp(s->thread, s->message_id) != 0)
        field(words->thread, s->thread, true, to);
    field(words->from, s->from, false, to);
    field(words->subject, s->subject, false, to);
    field(words->first_seen, figure_time(s->first_seen, when), false, to);
}

bool letter_wanted(const struct storm *s, const struct storm_host *h)
{
    return h->role == ROLE_REINJECTOR || h->role == ROLE_LOOPER || cure_aims_at(s, h);
}

void letter_write(const struct storm *s, const struct storm_host *h, FILE *to)
{
    const struct letter_text *words = &ENGLISH;
    const struct kind_text *kind = kind_text(words, s->kind);
    struct values v = {.subject_line = kind->subject};
    char clean[STORM_TEXT_SIZE], number[16];
    if (address_known(h->address))
        address_text(h->address, v.address);
    log_clean(span_text(h->name[0] ? h->name : v.address), v.host, sizeof v.host);
    if (!v.address[0])
        snprintf(v.address, sizeof v.address, "?");
    log_clean(span_text(s->acquittal), v.acquittal, sizeof v.acquittal - 1);
    if (v.acquittal[0] && v.acquittal[strlen(v.acquittal) - 1] != '.')
        v.acquittal[strlen(v.acquittal)] = '.'; /* the struct was zeroed: the NUL is there */
    log_clean(span_text(s->why), v.why, sizeof v.why);
    log_clean(span_text(s->id), v.id, sizeof v.id);
    figure_time(h->first, v.first);
    figure_time(h->last, v.last);
    figure_count(h->copies, v.copies);
    figure_count(h->deliveries, v.deliveries);
    figure_count(h->redeliveries, v.redeliveries);

    line(words->to, &v, to);
    line(words->title, &v, to);
    fprintf(to, "\n%s\n\n", words->greeting);
    filled("", kind->opening, &v, to);
    write_mail(words, s, to);
    fprintf(to, "\n%s\n", words->we_saw);
    filled("  ", kind->saw, &v, to);
    if (!h->on_wire)
        filled("  ", words->header_only, &v, to);
    write_evidence(words, h, to);
    if (h->software[0] || kind == &words->reinjection) {
        fprintf(to, "\n%s\n", words->runs);
        paragraph("  ", h->software[0] ? log_clean(span_text(h->software), clean, sizeof clean) : words->no_mark, to);
    }
    fprintf(to, "\n%s\n", words->we_ask);
    for (int i = 0; i < ASKS && kind->ask[i]; i++) {
        snprintf(number, sizeof number, "  %d. ", i + 1);
        paragraph(number, kind->ask[i], to);
    }
    fputc('\n', to);
    filled("", words->closing, &v, to);
    fputs("\n-- \n", to);
    filled("", words->made_by, &v, to);
}
