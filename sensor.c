/* In: what capture/ reassembles.  Out: to smtpdissect/, from there to stats/ and to whoever hooked in.  Nothing but wiring. */
#include "sensor.h"

#include "smtpdissect/clear.h"

static void *connection_open(void *user, const struct connection *c)
{
    struct sensor *s = user;
    return smtp_open(s->dissector, c->number, c->side, c->client_certain, c->opened);
}

static void connection_bytes(void *session, enum side from, struct span bytes, int64_t now)
{
    smtp_push(session, from, bytes, now);
}

static void connection_gap(void *session, enum side from, uint64_t n, int64_t now)
{
    smtp_gap(session, from, n, now);
}

static void connection_end(void *session, enum end how, int64_t now)
{
    (void)how;
    smtp_end(session, now);
}

static uint32_t connection_content_mark(const void *session)
{
    return smtp_place(session);
}

static void second_passed(void *user, int64_t now)
{
    struct sensor *s = user;
    const struct capture_counters *c = capture_counters(s->capture);
    struct mirror_view mirror = {
        .copies = capture_mirror_copies(s->capture),
        .packets = c->packets,
        .kernel_drops = c->kernel_drops + c->interface_drops,
        .flows = c->flows,
        .one_sided_flows = c->one_sided_flows,
        .gaps = c->gaps,
    };
    stats_mirror(s->stats, &mirror, now);
    stats_tick(s->stats, now);
    if (s->hooks.tick)
        s->hooks.tick(s->hooks.user, now);
}

static void transaction_done(void *user, const struct transaction *t)
{
    struct sensor *s = user;
    stats_transaction(s->stats, t);
    if (s->hooks.transaction)
        s->hooks.transaction(s->hooks.user, t, stats_last_was_twin(s->stats));
}

static void session_done(void *user, const struct session_record *r)
{
    struct sensor *s = user;
    stats_session(s->stats, r);
}

bool sensor_open(struct sensor *s, const struct settings *settings, const struct sensor_hooks *hooks)
{
    *s = (struct sensor){.hooks = *hooks};
    struct stats_sink storms = {.storm = hooks->storm, .user = hooks->user};
    struct smtp_sink transactions = {.transaction = transaction_done, .session = session_done, .user = s};
    struct capture_sink connections = {
        .open = connection_open,
        .bytes = connection_bytes,
        .gap = connection_gap,
        .end = connection_end,
        .content_mark = connection_content_mark,
        .clear = smtp_clear,
        .tick = second_passed,
        .user = s,
    };
    s->stats = stats_new(&settings->stats, hooks->storm ? &storms : NULL);
    s->dissector = dissector_new(&settings->smtp, &transactions);
    s->capture = capture_new(&settings->capture, &connections);
    return s->stats && s->dissector && s->capture;
}

void sensor_finish(struct sensor *s)
{
    capture_finish(s->capture, INT64_MIN);
    stats_finish(s->stats, capture_now(s->capture));
}

void sensor_close(struct sensor *s)
{
    capture_free(s->capture); /* ends sessions, so first */
    dissector_free(s->dissector);
    stats_free(s->stats);
}
