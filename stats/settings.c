/* Every threshold of stats/ by name: what the manual says of it, its default (from DETECTION's table of kinds) and its bounds. Out: the
 * table that base/config.c reads squall.conf with. */
#include "stats/settings.h"

#include <stddef.h>

#include "stats/stats.h"

#define AT(field) offsetof(struct stats_settings, field)
#define ENABLED(kind, doc) {#kind, "enabled", SETTING_BOOL, AT(kind.enabled), "true", 0, 0, doc}
#define COUNT(kind, field, fallback, doc) {#kind, #field, SETTING_COUNT, AT(kind.field), fallback, 1, 1e9, doc}
#define SECONDS(kind, field, fallback, least, most, doc) {#kind, #field, SETTING_SECONDS, AT(kind.field), fallback, least, most, doc}
#define RATIO(kind, field, fallback, least, most, doc) {#kind, #field, SETTING_RATIO, AT(kind.field), fallback, least, most, doc}

const struct setting stats_settings_list[] = {
    {"storms", "memory", SETTING_SIZE, AT(memory), "128 MiB", 1 << 20, 1e12,
     "Memory for what is known of each mail: 64 bytes for one seen once; the coldest are forgotten first, a storm's never; in bytes."},
    {"storms", "remember", SETTING_SECONDS, AT(remember), "7 d", 60, 31536000,
     "A mail of which no new copy comes is forgotten after this time even while there is room, a storm's excepted; in seconds."},
    {"storms", "quiet", SETTING_SECONDS, AT(quiet), "30 min", 1, 604800,
     "A storm is over after this time without fresh evidence; after two of its generations or pauses when that is longer; in seconds."},
    {"storms", "kept", SETTING_COUNT, AT(storms), "500", 1, 100000,
     "Storms kept in memory, those that are over among them; the history has all."},
    {"trace", "memory", SETTING_SIZE, AT(trace_bytes), "64 MiB", 0, 1 << 30,
     "Memory of `squall watch` for message traces: the latest mail transactions without their bodies, about 2 kB each; 0: none; in bytes."},

    ENABLED(reinjection, "Look for hosts that send a mail again to people who had it."),
    COUNT(reinjection, suspected_recipients, "10", "Recipients one host must have reached again, out of a mailbox, for a warning."),
    RATIO(reinjection, lone_audience_share, "0.9", 0.1, 1, "Share of the audience one host alone must have sent to for a major alarm ..."),
    RATIO(reinjection, lone_amplification, "10", 1, 1e6, "... having sent out this many times the recipients it took in."),
    COUNT(reinjection, critical_redeliveries, "100", "Redeliveries that make a storm critical."),

    ENABLED(reinjection_elsewhere, "Look for bounces of copies that this link never saw."),
    COUNT(reinjection_elsewhere, major_hosts, "2", "Hosts reporting such bounces that make the alarm major."),

    ENABLED(forwarding_loop, "Look for mail that comes back to a server it has passed."),
    COUNT(forwarding_loop, major_returns, "2", "Returns of one mail to one server that raise a major alarm."),
    COUNT(forwarding_loop, critical_returns, "10", "Returns that make it critical."),

    ENABLED(list_loop, "Look for mailing lists that get their own mail back and send it on."),
    COUNT(list_loop, major_returns, "2", "Returns of one mail to one list that raise a major alarm."),

    ENABLED(autoreply_loop, "Look for two addresses that answer each other by machine."),
    SECONDS(autoreply_loop, window, "10 min", 1, 86400, "Time in which the mails are counted; in seconds."),
    SECONDS(autoreply_loop, machine_pace, "8", 0.1, 3600, "Answers whose median delay is shorter are a machine's; in seconds."),
    COUNT(autoreply_loop, minor_mails, "6", "Mails in the window for a minor alarm."),
    COUNT(autoreply_loop, major_mails, "30", "Mails in the window for a major alarm."),

    ENABLED(bounce_storm, "Look for floods of bounces on one recipient or domain."),
    SECONDS(bounce_storm, window, "10 min", 1, 86400, "Time in which the bounces are counted; in seconds."),
    COUNT(bounce_storm, minor_bounces, "50", "Bounces in the window for a minor alarm."),
    COUNT(bounce_storm, major_bounces, "500", "Bounces in the window for a major alarm."),

    ENABLED(reply_all, "Look for many people answering all."),
    SECONDS(reply_all, window, "60 min", 1, 604800, "Time in which the repliers are counted; in seconds."),
    COUNT(reply_all, recipients, "50", "Recipients the thread must have."),
    COUNT(reply_all, minor_repliers, "8", "Repliers in the window for a minor alarm."),
    COUNT(reply_all, major_repliers, "20", "Repliers for a major alarm."),
    COUNT(reply_all, critical_repliers, "50", "Repliers for a critical alarm."),

    ENABLED(resend, "Look for clients that send the same copy to the same server again and again."),
    COUNT(resend, minor_copies, "3", "Equal copies for a minor alarm."),

    ENABLED(burst, "Look for clients far over what they send at this time of day."),
    RATIO(burst, factor, "10", 1.5, 1e6, "Times the client's own baseline of the hour."),
    COUNT(burst, least, "1000", "Deliveries in ten minutes below which nothing is a burst."),
    SECONDS(burst, history, "3 d", 3600, 31536000, "A client known for a shorter time has no baseline and is not judged; in seconds."),

    ENABLED(mailbomb, "Look for mailboxes that are flooded."),
    SECONDS(mailbomb, window, "10 min", 1, 86400, "Time in which the mails to one recipient are counted; in seconds."),
    COUNT(mailbomb, minor_mails, "100", "Mails to one recipient in the window for a minor alarm."),
    COUNT(mailbomb, major_mails, "1000", "Mails to one recipient in the window for a major alarm."),

    ENABLED(encrypted_burst, "Look for TLS sessions between the same hosts whose sizes rise in equal steps; what is found is inferred."),
    SECONDS(encrypted_burst, window, "10 min", 1, 86400, "Time in which the sessions are counted; in seconds."),
    COUNT(encrypted_burst, sessions, "50", "Such sessions in the window, of all hosts together."),

    ENABLED(exposure, "Note mails that show their many recipients to one another."),
    COUNT(exposure, audience, "100", "Addresses in To and Cc for a notice ..."),
    COUNT(exposure, domains, "20", "... in at least so many domains."),

    ENABLED(census, "Remember hosts that route by header, and note a mail whose audience holds such hosts."),
    COUNT(census, audience, "20", "Addresses in To and Cc for a notice ..."),
    COUNT(census, amplifiers, "1", "... that hold at least so many hosts known to route by header."),

    ENABLED(mirror, "Note a mirror port that does not show what it should."),
    RATIO(mirror, copies, "1.9", 1.1, 100, "How often a packet is seen, for a notice."),
    RATIO(mirror, one_sided, "0.5", 0.01, 1, "Share of connections with one direction only, for a notice."),
    RATIO(mirror, drops, "0.01", 0, 1, "Share of packets dropped, for a notice."),
};
const size_t stats_settings_count = sizeof stats_settings_list / sizeof stats_settings_list[0];
