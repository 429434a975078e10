/* What must survive us: notices not yet delivered, what each channel has been told of each incident, and the SNMP engine's boots.  Called
 * from every thread of the room.  When the disk fails the store goes on in memory, and says so once. */
#ifndef SQUALL_ALERT_STORE_H
#define SQUALL_ALERT_STORE_H

#include "alert/notice.h"

#define STORE_QUEUE 512 /* notices that wait for one channel; then the oldest update goes, or the oldest of all */

struct told {                     /* what a channel knows of an incident */
    bool open;                    /* raised and not cleared */
    uint32_t count;               /* notices */
    enum storm_severity severity; /* the highest told */
    int64_t last;                 /* time of the last one; TIME_UNKNOWN: none yet */
};

struct store;
/* directory NULL: in memory only.  Never NULL but when memory is out; *why is "" or says why it is in memory only. */
struct store *store_open(const char *directory, struct reason *why);
void store_close(struct store *s);
bool store_on_disk(struct store *s, struct reason *why); /* false: *why, the disk's failure */

uint64_t store_number(struct store *s); /* of the next notice: rises, also over restarts */
/* The engine's boots and when they began (seconds since the epoch); `start`: one boot more, from `now`. */
void store_engine(struct store *s, bool start, int64_t now, uint32_t *boots, int64_t *began);
uint64_t store_engine_mark(struct store *s); /* random, made once: the end of our engine id */

/* Queues one notice for some channels and notes what they then know (told NULL: nothing to note), all or nothing; returns how many waiting
 * ones were dropped for it, by channel in dropped[]. */
struct store_entry {
    const char *channel;
    const struct told *told;
};
void store_add(struct store *s, const struct notice *n, const struct store_entry *entries, size_t count, uint64_t dropped[]);
/* The oldest notice that waits for the channel, the caller's to free; NULL: none.  Those from before `oldest` are dropped and counted. */
struct notice *store_next(struct store *s, const char *channel, int64_t oldest, uint64_t *dropped);
void store_done(struct store *s, const char *channel, uint64_t number); /* delivered, or given up */
size_t store_waiting(struct store *s, const char *channel);
/* The last notices about the incidents that the channel knows as open. */
void store_open_incidents(struct store *s, const char *channel, void (*take)(void *user, const struct notice *n), void *user);
/* Everything that channels were told, for the start. */
void store_told(struct store *s, void (*take)(void *user, const char *id, const char *channel, const struct told *t), void *user);
void store_forget(struct store *s, const char *id); /* an incident that is over and told */
/* Parts of the sensor in trouble, as they were told. */
void store_trouble(struct store *s, const char *part, bool failing);
void store_troubles(struct store *s, void (*take)(void *user, const char *part), void *user);

#endif
