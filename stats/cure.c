/* In: a storm.  Out: how to stop it (struct cure_plan), and what to do first; to cure_text.c, which writes it for each server.
 * Everything that came from the wire is hostile.  A Message-ID leaves here as a pattern of letters, digits and escapes; an address only
 * when all its characters are tame; a host only when it was seen on the wire, for a header's word must block nobody. */
#include "stats/cure.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "stats/cure_plan.h"

#define MOST_WILD 6 /* "any characters" in a pattern */

static const struct {
    const char *word, *title;
} TARGETS[] = {
#define X(name, word, title) {word, title},
    CURE_TARGETS(X)
#undef X
};

static const struct {
    enum cure_way way;
    const char *advice;
} KINDS[KIND_COUNT] = {
    [KIND_REINJECTION] = {CURE_BY_MESSAGE,
        "Stop the POP3 connector on each host named as re-injector, and drop further copies of this Message-ID until it is done."},
    [KIND_REINJECTION_ELSEWHERE] = {CURE_BY_MESSAGE,
        "Write to the postmasters of the hosts that the bounces name: the copies do not pass here, only their servers can stop them."},
    [KIND_FORWARDING_LOOP] = {CURE_BY_MESSAGE,
        "Take out the forwarding on one of the hosts that pass the mail round, and drop this Message-ID until it is done."},
    [KIND_AUTOREPLY_LOOP] = {CURE_BY_PAIR, "Switch off the automatic answer of one of the two addresses."},
    [KIND_BOUNCE_STORM] = {CURE_NULL_SENDER,
        "Refuse bounces to this address for the time being: its owner did not send the mail they answer, and real mail still comes in."},
    [KIND_REPLY_ALL] = {CURE_BY_THREAD,
        "Refuse answers to this thread with a friendly word; answering it with \"please do not answer all\" feeds it."},
    [KIND_LIST_LOOP] = {CURE_BY_MESSAGE,
        "Unsubscribe the address that sends the list its own mail, and drop this Message-ID until it is done."},
    [KIND_RESEND] = {CURE_BY_MESSAGE, "Find out why the server's last reply comes late (a slow content filter, a firewall that inspects "
                                      "SMTP), and let the client wait ten minutes for it."},
    [KIND_BURST] = {CURE_SLOW_HOST, "Ask who runs this client whether the mail is meant; put it off until you know."},
    [KIND_MAILBOMB] = {CURE_SLOW_VICTIM, "Put off mail to this mailbox until the flood is over; senders who are real will try again."},
    [KIND_ENCRYPTED_BURST] = {CURE_SLOW_HOST,
        "Look into the log of one of the two hosts: the mails are encrypted here, the storm is inferred from their sizes."},
    [KIND_EXPOSURE] = {CURE_NOTHING, "Tell the sender to use Bcc or a mailing tool: every recipient sees all the others, and one bad "
                                     "connector among them makes a storm of it."},
    [KIND_MIRROR] = {CURE_NOTHING, "Check the mirror port of the switch: what it does not show, nobody can count."},
};

const char *cure_word(enum cure_target target)
{
    return TARGETS[target].word;
}

const char *cure_title(enum cure_target target)
{
    return TARGETS[target].title;
}

/* The rule would name an address that is hidden: one aimed at whole hosts instead would harm, one with a pseudonym would do nothing. */
static bool hidden(const struct storm *s)
{
    enum cure_way way = KINDS[s->kind].way;
    bool by_victim = way == CURE_BY_PAIR || way == CURE_NULL_SENDER || way == CURE_SLOW_VICTIM;
    return by_victim && s->privacy != PRIVACY_CLEAR && (s->victim[0] != '@' || way == CURE_BY_PAIR);
}

const char *cure_advice(const struct storm *s)
{
    static const char *const without_rule[KIND_COUNT] = {
        [KIND_AUTOREPLY_LOOP] =
            "Switch off the automatic answer of one of the two addresses.  Who they are, and the rule that parts them, is shown when the "
            "alarm is revealed.",
        [KIND_BOUNCE_STORM] = "Refuse bounces to this address for the time being: its owner did not send the mail they answer.  The rule "
                              "names the address: it is shown when the alarm is revealed.",
        [KIND_MAILBOMB] = "Put off mail to this mailbox until the flood is over; senders who are real will try again.  The rule names the "
                          "mailbox: it is shown when the alarm is revealed.",
    };
    return hidden(s) && without_rule[s->kind] ? without_rule[s->kind] : KINDS[s->kind].advice;
}

static bool alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80; /* the rest of a character whose first byte stands for all of it */
}

/* Text as a PCRE that means just it, of characters that no configuration language takes for its own.  Everything past ASCII, and '?',
 * which stands for what was no text, becomes "any character": servers disagree on how many characters such bytes are.  Only a few of
 * those, or a sender could make a pattern that takes hours to fail.  Returns how many bytes of the text the pattern covers. */
static size_t pattern_of(const char *text, char *to, size_t size)
{
    size_t at = 0, i = 0;
    int wild = 0;
    to[0] = '\0';
    for (; text[i] && at + 8 < size; i++) {
        char c = text[i];
        if (continues(c))
            continue;
        bool any = c == '?' || (unsigned char)c >= 0x80;
        if (any && ++wild > MOST_WILD)
            break;
        const char *form = any ? ".{1,4}" : alphanumeric(c) || one_of(c, "@_=-") ? "%c" : one_of(c, ".+") ? "\\%c" : "\\x%02x";
        at += (size_t)snprintf(to + at, size - at, form, (unsigned char)c);
    }
    return i;
}

/* For Exchange, whose patterns know few escapes and are at most 128 characters long: what is odd matches any character. */
static void simple_pattern_of(const char *text, size_t n, char *to)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at < 120; i++) {
        char c = text[i];
        if (continues(c))
            continue;
        if (c == '.')
            to[at++] = '\\';
        to[at++] = alphanumeric(c) || one_of(c, "@_=-.") ? c : '.';
    }
    to[at] = '\0';
}

/* An id that is one mail's own: a constant that many mails share ("systemmessage") has no domain. */
static bool own_id(const char *id)
{
    const char *at = strrchr(id, '@');
    size_t plain = 0;
    for (const char *c = id; *c; c++)
        plain += alphanumeric(*c);
    return at && at != id && plain >= 8;
}

/* Sets the plan's id, when it is safe to aim at: what remains of it must still tell this mail from others. */
static void aim_at_id(struct cure_plan *p, const char *id)
{
    char clean[STORM_TEXT_SIZE];
    log_clean(span_text(id), clean, sizeof clean);
    size_t covered = pattern_of(clean, p->id, sizeof p->id);
    p->id_whole = covered == strlen(clean) && strlen(id) < STORM_TEXT_SIZE - 1;
    clean[covered] = '\0';
    if (own_id(clean))
        simple_pattern_of(clean, covered, p->simple_id);
    else
        p->id[0] = '\0';
}

/* The address in "Name <address>" or alone, if every character of it is tame; else "". "@domain" and a bare domain come out as
 * "@domain". */
static void tame_address(const char *text, char to[STORM_TEXT_SIZE])
{
    const char *open = strrchr(text, '<'), *from = open ? open + 1 : text;
    size_t n = open ? strcspn(from, ">") : strlen(from);
    to[0] = '\0';
    if (n == 0 || n >= STORM_TEXT_SIZE - 1)
        return;
    const char *at = memchr(from, '@', n);
    if (!at && !memchr(from, '.', n))
        return;
    for (size_t i = 0; i < n; i++)
        if (!alphanumeric(from[i]) && !one_of(from[i], at && from + i < at ? "._+=-" : ".-") && from + i != at)
            return;
    snprintf(to, STORM_TEXT_SIZE, at ? "%.*s" : "@%.*s", (int)n, from);
    for (char *c = to; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 0x20); /* the keys of Postfix's tables are in small letters */
}

static void anchored(const char *address, char to[CURE_PATTERN_SIZE])
{
    char pattern[CURE_PATTERN_SIZE];
    pattern_of(address, pattern, sizeof pattern);
    snprintf(to, CURE_PATTERN_SIZE, "%s%.*s$", address[0] == '@' ? "" : "^", CURE_PATTERN_SIZE - 3, pattern);
}

bool cure_aims_at(const struct storm *s, const struct storm_host *h)
{
    if (!h->on_wire || !address_known(h->address))
        return false;
    switch (s->kind) {
    case KIND_RESEND:
    case KIND_BURST:
    case KIND_ENCRYPTED_BURST: /* who sends is at fault, whatever its part in one mail */ return h->copies > 0 && h->role != ROLE_RELAY;
    default: return h->role == ROLE_REINJECTOR || h->role == ROLE_LOOPER;
    }
}

static void plan(struct cure_plan *p, const struct storm *s)
{
    memset(p, 0, sizeof *p);
    p->storm = s;
    p->way = KINDS[s->kind].way;
    for (size_t i = 0; i + 1 < sizeof p->name && s->id[i]; i++)
        p->name[i] = alphanumeric(s->id[i]) ? s->id[i] : '-';
    aim_at_id(p, p->way == CURE_BY_THREAD && s->thread[0] ? s->thread : s->message_id);
    tame_address(s->from, p->sender);
    tame_address(s->victim, p->victim);
    anchored(p->sender, p->sender_pattern);
    anchored(p->victim, p->victim_pattern);
    for (uint32_t i = 0; i < s->host_count; i++)
        p->hosts += cure_aims_at(s, &s->hosts[i]);
    bool aimed = true;
    switch (p->way) {
    case CURE_NOTHING: break;
    case CURE_BY_MESSAGE:
    case CURE_BY_THREAD: aimed = p->id[0]; break;
    case CURE_BY_PAIR: aimed = p->sender[0] && p->victim[0]; break;
    case CURE_NULL_SENDER:
    case CURE_SLOW_VICTIM: aimed = p->victim[0]; break;
    case CURE_SLOW_HOST: aimed = p->hosts > 0; break;
    }
    if (hidden(s))
        p->way = CURE_NOTHING;
    else if (!aimed)
        p->way = p->hosts > 0 ? CURE_SLOW_HOST : CURE_NOTHING;
}

bool cure_write(const struct storm *s, enum cure_target target, FILE *to)
{
    struct cure_plan p;
    plan(&p, s);
    return p.way != CURE_NOTHING && cure_write_text(&p, target, to);
}
