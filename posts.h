/* What sensor and desk tell each other, over a channel (base/channel.h).  The sensor never waits for the desk: what does not fit is
 * dropped, except storms, of which the latest state of each is kept until it could be sent. */
#ifndef SQUALL_POSTS_H
#define SQUALL_POSTS_H

enum post {
    /* sensor to desk */
    POST_STORM = 1, /* {"change": "raised|updated|cleared", "storm": storm_json()} */
    POST_RATES,     /* struct rates, each second of packet time */
    POST_STATUS,    /* JSON, each second: "capture" and "smtp" as in `read --json`, "stats" counters, "workers", "lag_seconds", "memory" */
    POST_MESSAGES,  /* JSON, every two seconds: "messages": rows as in `read --json`, by redeliveries; "by_rate": the same by deliveries in
                       the last minute;  "hosts": [{"address","name","messages","deliveries","redeliveries","recipients_in","last"}] */
    POST_TRACE,     /* JSON answer to POST_ASK_TRACE: {"asked": ..., "hops": [transaction objects as of --transactions, at most 1000]} */
    POST_CAPSULE, /* JSON: {"alarm": ID, "packets": N, "error": text or null}: the evidence is written to the descriptor that came with the
                     question */
    /* desk to sensor */
    POST_ACKNOWLEDGE, /* JSON: {"id": ALARM, "who": name} */
    POST_ASK_TRACE,   /* JSON: {"ask": N, "message_id": text} or {"ask": N, "address": text} */
    POST_ASK_CAPSULE, /* JSON: {"alarm": ID}, and a descriptor to write pcapng to */
    POST_SETTINGS,    /* struct stats_settings, after SIGHUP */
    POST_RESTORE,     /* storm_json() of one open storm of the history, at the start */
    POST_START        /* empty: everything restored, begin */
};

#endif
