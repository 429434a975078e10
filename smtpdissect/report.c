/* In: the body of a mail with an empty reverse-path. Out: is it a bounce, who reports, which recipients failed, and the header of the
 * mail it quotes: multipart/report (RFC 3464) and the plain texts of Exim, qmail, sendmail and others.
 *
 * Read line by line, without a MIME tree: a line that opens a part of type message/delivery-status, message/rfc822 or
 * text/rfc822-headers says what comes; plain forms have a line of their own before the quoted copy. The quoted header ends with its
 * empty line. */
#include "smtpdissect/session.h"

#define FAILED_MOST 256
#define SAID_WITHIN 4096 /* bytes: a bounce's own text stands first */

struct reading {
    struct span rest; /* of the body */
    struct span failed[FAILED_MOST];
    size_t failed_count;
    struct span candidate; /* Final-Recipient of the group at hand; the group's Action says whether it failed */
    bool harmless;         /* Action: delayed, delivered, relayed, expanded */
    struct report *report;
};

static struct span next_line(struct span *rest)
{
    const uint8_t *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
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

/* ---- message/delivery-status (RFC 3464, 2) ----------------------------------------------------------------------------------- */

/* The value of the line when it is the field `name`, with its colon; else NULL. */
static bool field_is(struct span line, const char *name, struct span *value)
{
    if (!span_starts_nocase(line, name))
        return false;
    *value = span_trim(span_from(line, strlen(name)));
    return true;
}

/* "rfc822; user@host" (2.1.2): what stands after the type. */
static struct span typed_value(struct span value)
{
    const uint8_t *semicolon = value.n ? memchr(value.p, ';', value.n) : NULL;
    return span_trim(semicolon ? span_from(value, (size_t)(semicolon - value.p) + 1) : value);
}

/* The group of one recipient is over. */
static void group_done(struct reading *r)
{
    if (r->candidate.n && !r->harmless)
        fail(r, r->candidate);
    r->candidate = span_of(NULL, 0);
    r->harmless = false;
}

/* True: the line is of a delivery status. */
static bool status_line(struct reading *r, struct span line)
{
    struct span value;
    if (field_is(line, "Reporting-MTA:", &value)) {
        if (r->report->reporting_host.n == 0)
            r->report->reporting_host = typed_value(value);
    } else if (field_is(line, "Final-Recipient:", &value)) {
        if (r->candidate.n)
            group_done(r);
        r->candidate = typed_value(value);
    } else if (field_is(line, "Action:", &value)) {
        r->harmless = value.n && !span_starts_nocase(value, "failed");
    } else {
        return false;
    }
    return true;
}

/* ---- plain forms ------------------------------------------------------------------------------------------------------------- */

/* What comes after this line is the mail that is quoted. */
static bool quote_begins(struct span line)
{
    static const char *const phrases[] = {"This is a copy of", /* Exim: "the message", "your message" */
        "Below this line is a copy of",                        /* qmail */
        "Original message follows",                            /* sendmail of old, and others */
        "Unsent message follows", "Message header follows", "Returned message follows", "The body of the message",
        "Undelivered message follows", "Message text follows"};
    if (line.n < 4 || (line.p[0] != '-' && line.p[0] != '|'))
        return false;
    while (line.n && (line.p[0] == '-' || line.p[0] == '|' || line.p[0] == ' '))
        line = span_from(line, 1);
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (span_starts_nocase(line, phrases[i]))
            return true;
    return false;
}

/* Something that only a bounce's text says; a delay warning says other things. */
static bool says_bounce(struct span text)
{
    static const char *const phrases[] = {"The following address(es) failed", "Hi. This is the qmail-send program",
        "could not be delivered to one or more", "The following addresses had permanent fatal errors", "Failed addresses follow",
        "undelivered message"};
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (span_contains_nocase(text, phrases[i]))
            return true;
    return false;
}

/* "This is the mail system at host mx.example.", "Hi. This is the qmail-send program at mx.example." */
static void host_said(struct reading *r, struct span line)
{
    static const char *const phrases[] = {"This is the mail system at host ", "Hi. This is the qmail-send program at "};
    struct span host;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (r->report->reporting_host.n == 0 && field_is(line, phrases[i], &host)) {
            while (host.n && host.p[host.n - 1] == '.')
                host.n--;
            r->report->reporting_host = host;
        }
}

/* A failed recipient stands alone in its line: "  user@host", "<user@host>:", "  user@host (generated from ...)". */
static void plain_recipient(struct reading *r, struct span line)
{
    const uint8_t *blank = line.n ? memchr(line.p, ' ', line.n) : NULL;
    if (blank && blank[1] == '(')
        line = span_head(line, (size_t)(blank - line.p));
    else if (blank)
        return;
    if (line.n > 1 && line.p[line.n - 1] == ':')
        line.n--;
    fail(r, line);
}

/* ---- the quoted mail --------------------------------------------------------------------------------------------------------- */

/* "Content-Type: message/rfc822" and the like, of a part's header. */
static bool opens_message(struct span line)
{
    static const char *const types[] = {
        "message/rfc822", "text/rfc822-headers", "text/rfc822-header", "message/global", "message/global-headers"};
    struct span value;
    if (!field_is(line, "Content-Type:", &value))
        return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t n = strlen(types[i]);
        if (span_starts_nocase(value, types[i]) && (value.n == n || value.p[n] == ';' || value.p[n] <= ' '))
            return true;
    }
    return false;
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
    while (end.n && next_line(&end).n)
        ;
    header_parse(a, span_head(at, at.n - end.n), end.n != 0, &r->report->quoted);
    r->rest = end;
}

static void keep_failed(struct arena *a, const struct reading *r)
{
    struct span *list = arena_get(a, r->failed_count * sizeof *list);
    uint64_t *hashes = arena_get(a, r->failed_count * sizeof *hashes);
    if (!r->failed_count || !list || !hashes)
        return;
    memcpy(list, r->failed, r->failed_count * sizeof *list);
    for (size_t i = 0; i < r->failed_count; i++)
        hashes[i] = address_hash(list[i]);
    r->report->final_recipient = list;
    r->report->final_recipient_hash = hashes;
    r->report->final_recipient_count = r->failed_count;
}

/* By its first byte: the line may be a field of a delivery status, a part's type, a line before a quoted mail, or one that names the host.
 * Of an attachment's lines few are. */
static bool may_matter(struct span line)
{
    switch (line.n ? line.p[0] | 0x20 : 0) {
    case 'a': case 'c': case 'f': case 'h': case 'r': case 't': case '-': case '|': return true;
    default: return false;
    }
}

void report_parse(struct arena *a, struct span body, const struct header *top, struct report *report)
{
    struct reading r = {.rest = body, .report = report};
    bool typed = span_contains_nocase(span_head(top->content_type, 64), "multipart/report"), said = false, quoted = false;
    bool says = says_bounce(span_head(body, SAID_WITHIN)); /* still to come, in which line? */
    *report = (struct report){.quoted = {.date = TIME_UNKNOWN}};
    while (r.rest.n) {
        struct span line = next_line(&r.rest);
        if (line.n == 0 || line.p[0] == '-')
            group_done(&r);
        says = says && body.n - r.rest.n <= SAID_WITHIN;
        if ((!says && !said && !may_matter(line)) || status_line(&r, line))
            continue;
        bool part = opens_message(line);
        if (!quoted && (part || quote_begins(line))) {
            read_quoted(a, &r, part);
            quoted = report->quoted.message_id.n || report->quoted.hop_count;
            if (quoted && !typed)
                break; /* the rest is the other mail's text */
            continue;
        }
        said = said || (says && says_bounce(line));
        host_said(&r, line);
        if (said && !typed)
            plain_recipient(&r, line);
    }
    group_done(&r);
    report->present = r.failed_count > 0 || said;
    if (!report->present) {
        *report = (struct report){.quoted = {.date = TIME_UNKNOWN}};
        return;
    }
    if (report->reporting_host.n == 0 && top->hop_count)
        report->reporting_host = top->hops[0].by;
    keep_failed(a, &r);
}
