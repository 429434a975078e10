/* A storm: one incident, from the first sign to the all-clear.  Owned by stats/; who reads it copies what it keeps.  The words are those of
 * `squall read --json`. */
#ifndef SQUALL_STATS_STORM_H
#define SQUALL_STATS_STORM_H

#include "base/clock.h"
#include "base/endpoint.h"

#define STORM_KINDS(X)                                                                                                       \
    X(REINJECTION, "reinjection", "hosts send a mail again to people of its To: and Cc: who had it")                         \
    X(REINJECTION_ELSEWHERE, "reinjection-elsewhere", "bounces show that a mail is re-injected where this mirror sees nothing") \
    X(FORWARDING_LOOP, "forwarding-loop", "a mail comes back to a server it has passed")                                     \
    X(AUTOREPLY_LOOP, "autoreply-loop", "two programs answer each other")                                                    \
    X(BOUNCE_STORM, "bounce-storm", "bounces pour in on one recipient or domain")                                            \
    X(REPLY_ALL, "reply-all", "many people answer all")                                                                      \
    X(LIST_LOOP, "list-loop", "a mailing list gets its own mail back")                                                       \
    X(RESEND, "resend", "one client sends the same copy again and again")                                                    \
    X(BURST, "burst", "a client sends far more than it does at this time of day")                                            \
    X(MAILBOMB, "mailbomb", "one mailbox is flooded")                                                                        \
    X(ENCRYPTED_BURST, "encrypted-burst", "inside TLS, many sessions of one size: a storm is inferred")                      \
    X(EXPOSURE, "exposure", "a mail shows its many recipients to one another")                                               \
    X(MIRROR, "mirror", "the mirror port does not show what it should")
enum storm_kind {
#define X(name, text, doc) KIND_##name,
    STORM_KINDS(X)
#undef X
        KIND_COUNT
};

#define STORM_SEVERITIES(X)                                                                                                                \
    X(NOTICE, "notice") X(WARNING, "warning") X(MINOR, "minor") X(MAJOR, "major") X(CRITICAL, "critical") /* X.733, rising */
enum storm_severity {
#define X(name, text) SEVERITY_##name,
    STORM_SEVERITIES(X)
#undef X
};

#define STORM_STATES(X) X(RAISED, "raised") X(ACKNOWLEDGED, "acknowledged") X(CLEARED, "cleared")
enum storm_state {
#define X(name, text) STATE_##name,
    STORM_STATES(X)
#undef X
};

#define STORM_ROLES(X) X(ORIGIN, "origin") X(RELAY, "relay") X(EXPANDER, "expander") X(REINJECTOR, "reinjector") X(LOOPER, "looper")
enum storm_role {
#define X(name, text) ROLE_##name,
    STORM_ROLES(X)
#undef X
};

#define STORM_PRIVACY(X)                                                                 \
    X(CLEAR, "clear", "addresses and subjects are shown and kept as they are")             \
    X(DOMAIN, "domain", "of an address only its domain, of a subject nothing")             \
    X(PSEUDONYM, "pseudonym", "a token for each address and subject, another one in each period")
enum storm_privacy { /* what was done to the texts of a storm (privacy.h) */
#define X(name, text, doc) PRIVACY_##name,
    STORM_PRIVACY(X)
#undef X
};

const char *storm_kind_text(enum storm_kind k);
const char *storm_kind_doc(enum storm_kind k);
const char *storm_severity_text(enum storm_severity s);
const char *storm_state_text(enum storm_state s);
const char *storm_role_text(enum storm_role r);
const char *storm_privacy_text(enum storm_privacy p);
bool storm_severity_parse(struct span text, enum storm_severity *s);

#define STORM_ID_SIZE 32       /* "20261124T032647Z-1": second of raising, and a number */
#define STORM_TEXT_SIZE 256    /* texts are cut to it; controls and broken UTF-8 replaced */
#define STORM_EVIDENCE 8       /* pieces kept a host: the first ones */
#define STORM_HOSTS 256        /* a storm, most redeliveries first; the rest is counted in hosts_more */
#define STORM_EDGES 1024
#define STORM_EVENTS 64        /* of the timeline: the first ones, then the last replaced */

struct storm_evidence {        /* what proves one thing about one host */
    int64_t time;              /* the transaction's final reply */
    uint64_t connection;       /* to find its packets; 0: a header's word */
    struct address client, server;
    char said[STORM_TEXT_SIZE]; /* one sentence with the fields that prove it */
    char received[STORM_TEXT_SIZE]; /* the Received line that matters, short form; "": none */
};

struct storm_host {
    struct address address;    /* all zero: only a name is known */
    char name[STORM_TEXT_SIZE]; /* HELO or "by" name; "": unknown */
    enum storm_role role;
    bool on_wire;              /* false: only Received lines name it */
    uint64_t copies, deliveries, redeliveries; /* that it sent */
    uint64_t recipients_in;    /* it accepted the mail for */
    int64_t first, last;       /* ns */
    char software[STORM_TEXT_SIZE]; /* what its own marks show it runs, and the setting to change; "": nothing known */
    struct storm_evidence evidence[STORM_EVIDENCE];
    uint32_t evidence_count;
};

struct storm_edge { /* of the propagation tree: who gave the mail to whom; indexes into hosts, -1: mailboxes that are no host of it */
    int32_t from, to;
    uint64_t copies, deliveries, redeliveries;
    bool on_wire;
    int64_t first;
};

struct storm_event {
    int64_t time;
    char what[STORM_TEXT_SIZE];
};

struct storm {
    char id[STORM_ID_SIZE];
    enum storm_kind kind;
    enum storm_severity severity, peak_severity;
    enum storm_state state;
    enum storm_privacy privacy;
    char message_id[STORM_TEXT_SIZE], thread[STORM_TEXT_SIZE], subject[STORM_TEXT_SIZE], from[STORM_TEXT_SIZE]; /* "": not applicable */
    char victim[STORM_TEXT_SIZE]; /* bounce-storm, mailbomb, autoreply-loop: the address or domain that suffers; else "" */
    int64_t first_seen, raised, updated, cleared; /* cleared: TIME_UNKNOWN while it lasts */
    uint64_t copies, deliveries, redeliveries, recipients, bytes;
    uint64_t audience, audience_domains;
    uint64_t most_copies_a_recipient;
    double peak_rate;          /* deliveries a second, over the busiest 10 s */
    double reproduction;       /* copies that reach a re-injector per copy re-injected; NAN: not known yet */
    bool reproduction_reckoned; /* at least so many: by whom the first round reaches, before any of its copies has come out again */
    double generation;         /* seconds; NAN */
    int64_t forecast_at;       /* TIME_UNKNOWN: none */
    uint64_t forecast_deliveries;
    int32_t generations_left;  /* until a hop limit ends it; -1: not known or never */
    char why[2 * STORM_TEXT_SIZE];       /* one sentence */
    char acquittal[2 * STORM_TEXT_SIZE]; /* one sentence about the origin; "": nobody to acquit */
    struct storm_host *hosts;
    uint32_t host_count, hosts_more;
    struct storm_edge *edges;
    uint32_t edge_count;
    struct storm_event *events;
    uint32_t event_count;
};

#endif
