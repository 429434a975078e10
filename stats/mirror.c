/* In: what capture/ says of the mirror port's health, once in a while.  Out: a notice for each thing that is wrong with it, in words
 * that say what to set. Never a storm: a mirror that shows every packet twice makes no mail. */
#include <stdlib.h>

#include "base/hash.h"
#include "stats/detect.h"

#define PACKETS_LEAST 1000 /* before anything is said, and between two looks */
#define FLOWS_LEAST   20

struct mirrors {
    const struct stats_settings *settings;
    struct incidents *incidents;
    struct mirror_view last;
};

static void *make(const struct stats_settings *settings, struct incidents *incidents, struct ledger *ledger, struct memory *memory)
{
    (void)ledger;
    (void)memory;
    struct mirrors *m = calloc(1, sizeof *m);
    if (m)
        *m = (struct mirrors){.settings = settings, .incidents = incidents};
    return m;
}

enum fault { FAULT_COPIES = 1, FAULT_ONE_SIDED, FAULT_DROPS };

static struct storm *fault_storm(struct mirrors *m, enum fault fault, int64_t now)
{
    struct storm *s = incident_find(m->incidents, hash_pair(KIND_MIRROR, fault));
    if (s && incident_raised(s) && s->state != STATE_CLEARED) {
        incident_touch(m->incidents, s, now); /* said already */
        return NULL;
    }
    return s ? s : incident_open(m->incidents, hash_pair(KIND_MIRROR, fault), KIND_MIRROR, now);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void look(void *self, const struct mirror_view *v, int64_t now)
{
    struct mirrors *m = self;
    uint64_t packets = v->packets - m->last.packets, drops = v->kernel_drops - m->last.kernel_drops;
    if (!m->settings->mirror.enabled || v->packets < m->last.packets || packets < PACKETS_LEAST)
        return;
    struct storm *s;
    if (v->copies >= m->settings->mirror.copies && (s = fault_storm(m, FAULT_COPIES, now)))
        incident_raise(m->incidents, s, SEVERITY_NOTICE, now,
            "The mirror shows each packet %.1f times; every mail is counted once all the same.  Mirror one direction (ingress) of each "
            "port, or one VLAN, to halve the load.",
            v->copies);
    double dropped = share(drops, packets + drops);
    if (drops > 0 && dropped >= m->settings->mirror.drops && (s = fault_storm(m, FAULT_DROPS, now)))
        incident_raise(m->incidents, s, SEVERITY_NOTICE, now,
            "%.1f %% of the packets are lost before Squall sees them: counts are too low.  Give the interface a larger buffer, mirror only "
            "mail ports, or add a core.",
            100 * dropped);
    uint64_t flows = v->flows - m->last.flows, one_sided = v->one_sided_flows - m->last.one_sided_flows;
    if (flows >= FLOWS_LEAST) {
        if (share(one_sided, flows) >= m->settings->mirror.one_sided && (s = fault_storm(m, FAULT_ONE_SIDED, now)))
            incident_raise(m->incidents, s, SEVERITY_NOTICE, now,
                "%.0f %% of the connections show one direction only: without the replies no delivery can be counted.  Mirror both "
                "directions of the port, and both ways of an "
                "asymmetric route.",
                100 * share(one_sided, flows));
        m->last.flows = v->flows;
        m->last.one_sided_flows = v->one_sided_flows;
    }
    m->last.packets = v->packets;
    m->last.kernel_drops = v->kernel_drops;
}

const struct detector mirror_detector = {.make = make, .drop = free, .mirror = look};
