/* How connections begin: who opened one, and whether a packet begins a new one between endpoints that have had one.  For track.c alone. */
#ifndef SQUALL_CAPTURE_ONSET_H
#define SQUALL_CAPTURE_ONSET_H

#include "capture/flow.h"

enum onset {
    ONSET_NONE,    /* the packet belongs to the connection that is known */
    ONSET_SYN,     /* it opens a new one */
    ONSET_CLAIMED, /* it goes on with what an earlier SYN opened */
    ONSET_UNSEEN,  /* it is of one whose SYN was not captured */
    ONSET_REVIVED, /* it goes on with one that had been silent too long */
};

/* Of a packet of a new flow: who sent it?  from_mail, to_mail: whether its ports are mail ports. */
enum side onset_sender(const struct packet *p, bool from_mail, bool to_mail);
enum onset onset_of(struct flow *f, enum side from, const struct packet *p);
/* Makes f the record of the new connection; it keeps its place in the table and on the wheel. */
void onset_renew(struct flow *f, enum side *from, const struct packet *p, enum onset how, enum side sender);
/* What a SYN of either side tells of f: who the client is (*from may change), and its first sequence number. */
void onset_learn(struct flow *f, enum side *from, const struct packet *p);

#endif
