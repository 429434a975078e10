/* In: the body of a mail with an empty reverse-path.  Out: is it a bounce, who reports, which recipients failed, and the header of the mail it quotes:
 * multipart/report (RFC 3464) and the plain texts of Exim, qmail, sendmail and others.
 *
 * Read line by line, without a MIME tree: a line that opens a part of type message/delivery-status, message/rfc822 or text/rfc822-headers says what comes;
 * plain forms have a line of their own before the quoted copy.  The quoted header ends with its empty line. */
#include "smtpdissect/session.h"

#define FAILED_MOST 256

struct reading {
    struct span rest;      /* of the body */
    struct span failed[FAILED_MOST];
    size_t failed_count;
    struct report *report;
};

static struct span next_line(struct span *rest)
{
    const uint8_t *lf = memchr(rest->p, '\n', rest->n);
    struct span line = span_head(*rest, lf ? (size_t)(lf - rest->p) : rest->n);
    *rest = span_from(*rest, line.n + 1);
    return span_trim(line);
}

static void fail(struct reading *r, struct span address)
{
    address = address_of_path(address);
    for (size_t i = 0; i < r->failed_count; i++)
        if (span_equal_nocase(r->failed[i], address))
            return;
    if (r->failed_count < FAILED_MOST && address.n && memchr(address.p, '@', address.n))
        r->failed[r->failed_count++] = address;
}

/* "rfc822; user@host" (RFC 3464, 2.1.2): what stands after the type. */
static struct span typed_value(struct span value)
{
    const uint8_t *semicolon = value.n ? memchr(value.p, ';', value.n) : NULL;
    return span_trim(semicolon ? span_from(value, (size_t)(semicolon - value.p) + 1) : value);
}

/* A line of message/delivery-status; false: it is none. */
static bool status_line(struct reading *r, struct span line)
{
    static const char reporting[] = "Reporting-MTA:", final[] = "Final-Recipient:";
    if (span_starts_nocase(line, reporting)) {
        if (r->report->reporting_host.n == 0)
            r->report->reporting_host = typed_value(span_from(line, sizeof reporting - 1));
        return true;
    }
    if (span_starts_nocase(line, final)) {
        fail(r, typed_value(span_from(line, sizeof final - 1)));
        return true;
    }
    return false;
}

/* What comes after this line is the mail that is quoted. */
static bool quote_begins(struct span line)
{
    static const char *const lines[] = {"------ This is a copy of",            /* Exim */
                                        "--- Below this line is a copy of",    /* qmail */
                                        "----- Original message follows",      /* sendmail of old, and others */
                                        "----- Unsent message follows", "----- Message header follows", "------ The body of the message", "--- Undelivered message follows"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (span_starts_nocase(line, lines[i]))
            return true;
    return false;
}

/* A line that only a bounce's text has. */
static bool says_bounce(struct span line)
{
    static const char *const phrases[] = {"This message was created automatically by mail delivery software", "Hi. This is the qmail-send program",
                                          "could not be delivered to one or more", "The following addresses had permanent fatal errors", "undelivered message"};
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (span_contains_nocase(line, phrases[i]))
            return true;
    return false;
}

/* In the plain forms a failed recipient stands alone in its line: "  user@host", "<user@host>:". */
static void plain_recipient(struct reading *r, struct span line)
{
    if (line.n > 1 && line.p[line.n - 1] == ':')
        line.n--;
    if (line.n < 3 || !memchr(line.p, '@', line.n) || memchr(line.p, ' ', line.n))
        return;
    fail(r, line);
}

/* The header that is quoted from here on: past the empty lines and the part's own header before it. */
static void read_quoted(struct arena *a, struct reading *r, bool part)
{
    struct span at = r->rest, line;
    if (part) { /* to the end of the part's header */
        do
            line = next_line(&at);
        while (at.n && line.n);
    }
    for (struct span ahead = at; ahead.n; at = ahead) {
        line = next_line(&ahead);
        if (line.n)
            break;
    }
    struct span end = at;
    while (end.n && (line = next_line(&end)).n)
        ;
    header_parse(a, span_head(at, at.n - end.n), end.n != 0, &r->report->quoted);
    r->rest = end;
}

void report_parse(struct arena *a, struct span body, const struct header *top, struct report *report)
{
    struct reading r = {.rest = body, .report = report};
    bool typed = span_contains_nocase(span_head(top->content_type, 64), "multipart/report"), bounce = typed, quoted = false;
    *report = (struct report){.quoted = {.date = TIME_UNKNOWN}};
    while (r.rest.n && !quoted) {
        struct span line = next_line(&r.rest);
        bool opens_message = span_starts_nocase(line, "Content-Type: message/rfc822") || span_starts_nocase(line, "Content-Type: text/rfc822-headers") ||
                             span_starts_nocase(line, "Content-Type: message/global");
        if (status_line(&r, line))
            bounce = true;
        else if (says_bounce(line))
            bounce = true;
        else if (opens_message || quote_begins(line)) {
            read_quoted(a, &r, opens_message);
            quoted = report->quoted.message_id.n || report->quoted.hop_count;
            bounce |= quoted && !opens_message;
        } else if (!typed && bounce)
            plain_recipient(&r, line);
    }
    report->present = bounce;
    if (!bounce)
        return;
    while (r.rest.n && !typed) { /* delivery-status may come after the quote; nothing else does */
        struct span line = next_line(&r.rest);
        status_line(&r, line);
    }
    if (report->reporting_host.n == 0 && top->hop_count)
        report->reporting_host = top->hops[0].by;
    struct span *list = arena_get(a, r.failed_count * sizeof *list);
    uint64_t *hashes = arena_get(a, r.failed_count * sizeof *hashes);
    if (!r.failed_count || !list || !hashes)
        return;
    memcpy(list, r.failed, r.failed_count * sizeof *list);
    for (size_t i = 0; i < r.failed_count; i++)
        hashes[i] = address_hash(list[i]);
    report->final_recipient = list;
    report->final_recipient_hash = hashes;
    report->final_recipient_count = r.failed_count;
}
