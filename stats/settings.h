/* Thresholds of stats/: a section of squall.conf a kind.  Times are ns.  Defaults, units and the reason for each stand in settings.c. */
#ifndef SQUALL_STATS_SETTINGS_H
#define SQUALL_STATS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct stats_settings {
    int64_t memory;       /* bytes for message records; coldest go first, a storm's never */
    int64_t remember;     /* a message without a new copy is forgotten after this long, even while there is room; a storm's is not */
    int64_t quiet;        /* a storm clears after this long without evidence; after two generations or pauses when that is longer */
    int64_t storms;       /* incidents kept in memory */
    int64_t trace_bytes;  /* of the latest transactions, kept to be asked for; 0: none */
    struct {
        bool enabled;
        int64_t suspected_recipients;  /* one host, out of a mailbox: warning */
        double lone_audience_share;    /* one host that alone reached this share of the audience ... */
        double lone_amplification;     /* ... and sent this many times what it took in: major */
        int64_t critical_redeliveries;
    } reinjection;
    struct {
        bool enabled;
        int64_t major_hosts;
    } reinjection_elsewhere;
    struct {
        bool enabled;
        int64_t major_returns, critical_returns;
    } forwarding_loop;
    struct {
        bool enabled;
        int64_t major_returns;
    } list_loop;
    struct {
        bool enabled;
        int64_t window, machine_pace; /* ns; median gap under it is a machine's */
        int64_t minor_mails, major_mails;
    } autoreply_loop;
    struct {
        bool enabled;
        int64_t window, minor_bounces, major_bounces;
    } bounce_storm;
    struct {
        bool enabled;
        int64_t window, recipients, minor_repliers, major_repliers, critical_repliers;
    } reply_all;
    struct {
        bool enabled;
        int64_t minor_copies;
    } resend;
    struct {
        bool enabled;
        double factor;        /* times the baseline of the hour */
        int64_t least;        /* deliveries in ten minutes below which nothing is a burst */
        int64_t history;      /* a client known for less is not judged */
    } burst;
    struct {
        bool enabled;
        int64_t window, minor_mails, major_mails;
    } mailbomb;
    struct {
        bool enabled;
        int64_t window, sessions; /* on stairs of equal steps in size, of all hosts that climb them */
    } encrypted_burst;
    struct {
        bool enabled;
        int64_t audience, domains;
    } exposure;
    struct {
        bool enabled;
        int64_t audience, amplifiers;
    } census;
    struct {
        bool enabled;
        double copies;          /* packets seen so many times */
        double one_sided;       /* share of flows with one direction only */
        double drops;           /* share of packets dropped */
    } mirror;
};

#endif
