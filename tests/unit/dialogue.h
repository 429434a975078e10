/* A dialogue as text, told to the dissector in any cuts, and what came of it as text.
 *
 *     C: line        from the client, CR LF added             C| raw        as it stands, with \r \n \xHH escapes
 *     S: line        from the server                          S| raw
 *     lose C 12      a gap of 12 bytes on that side
 *
 * Neighbouring lines of one side are one run of bytes; runs are cut, their order never changes, as it does not on the wire. */
#ifndef SQUALL_TESTS_DIALOGUE_H
#define SQUALL_TESTS_DIALOGUE_H

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "smtpdissect/smtp.h"

#define DIALOGUE_STEPS 400
#define DIALOGUE_BYTES (256u << 10)
#define DIALOGUE_START (1800000000 * NS_PER_SECOND)

struct step {
    enum side from;
    uint32_t at, n; /* in bytes[]; a gap of n when `gap` */
    bool gap;
};

struct dialogue {
    uint8_t bytes[DIALOGUE_BYTES];
    size_t used;
    struct step step[DIALOGUE_STEPS];
    size_t steps;
};

static void dialogue_run(struct dialogue *d, enum side from)
{
    struct step *last = d->steps ? &d->step[d->steps - 1] : NULL;
    if (last && !last->gap && last->from == from)
        return;
    assert(d->steps < DIALOGUE_STEPS);
    d->step[d->steps++] = (struct step){from, (uint32_t)d->used, 0, false};
}

static void dialogue_byte(struct dialogue *d, uint8_t c)
{
    assert(d->used < DIALOGUE_BYTES);
    d->bytes[d->used++] = c;
    d->step[d->steps - 1].n++;
}

static void dialogue_read(struct dialogue *d, const char *text)
{
    d->used = d->steps = 0;
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (strncmp(text, "lose ", 5) == 0) {
            assert(d->steps < DIALOGUE_STEPS);
            d->step[d->steps++] = (struct step){text[5] == 'C' ? CLIENT : SERVER, 0, (uint32_t)strtoul(text + 7, NULL, 10), true};
        } else if (n >= 2) {
            assert((text[0] == 'C' || text[0] == 'S') && (text[1] == ':' || text[1] == '|'));
            dialogue_run(d, text[0] == 'C' ? CLIENT : SERVER);
            bool raw = text[1] == '|';
            for (size_t i = 2 + (n > 2); i < n; i++) {
                if (!raw || text[i] != '\\') {
                    dialogue_byte(d, (uint8_t)text[i]);
                    continue;
                }
                char c = text[++i], hex[3] = {0};
                if (c == 'x') {
                    memcpy(hex, text + i + 1, 2);
                    i += 2;
                }
                dialogue_byte(d, c == 'r' ? '\r' : c == 'n' ? '\n' : c == 'x' ? (uint8_t)strtoul(hex, NULL, 16) : (uint8_t)c);
            }
            if (!raw) {
                dialogue_byte(d, '\r');
                dialogue_byte(d, '\n');
            }
        }
        text += n + (text[n] != '\0');
    }
}

/* ---- what came of it ---- */

struct outcome {
    char text[64 << 10];
    size_t n;
    bool messages_only;
};

static void __attribute__((format(printf, 2, 3))) outcome_add(struct outcome *o, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(o->text + o->n, sizeof o->text - o->n, format, list);
    va_end(list);
    assert(n >= 0 && (size_t)n < sizeof o->text - o->n);
    o->n += (size_t)n;
}

#define DIALOGUE_SPAN(s) (int)(s).n, (s).n ? (const char *)(s).p : ""

static void outcome_transaction(void *user, const struct transaction *t)
{
    struct outcome *o = user;
    if (o->messages_only && !t->message)
        return;
    outcome_add(o, "<%.*s> %s", DIALOGUE_SPAN(t->reverse_path), t->message ? "message" : t->uncertain ? "uncertain" : "none");
    if (!o->messages_only)
        outcome_add(o, " %u", t->code);
    if (t->header.message_id.n)
        outcome_add(o, " id=%.*s", DIALOGUE_SPAN(t->header.message_id));
    for (size_t i = 0; i < t->recipient_count; i++) {
        const struct recipient *r = &t->recipients[i];
        if (o->messages_only && r->final_code / 100 != 2)
            continue;
        outcome_add(o, " %.*s", DIALOGUE_SPAN(r->address));
        if (!o->messages_only)
            outcome_add(o, t->lmtp && r->final_code ? ":%u/%u" : ":%u", r->code, r->final_code);
    }
    if (t->user.n && !o->messages_only)
        outcome_add(o, " user=%.*s", DIALOGUE_SPAN(t->user));
    if (t->lmtp && !o->messages_only)
        outcome_add(o, " lmtp");
    if (t->gap_bytes && !o->messages_only)
        outcome_add(o, " gap=%llu", (unsigned long long)t->gap_bytes);
    outcome_add(o, "\n");
}

static void outcome_session(void *user, const struct session_record *s)
{
    struct outcome *o = user;
    static const char *const tls[] = {"", " starttls", " implicit"};
    if (!o->messages_only)
        outcome_add(o, "%s %.*s %.*s%s%s\n", s->smtp ? "session" : "connection", DIALOGUE_SPAN(s->helo), DIALOGUE_SPAN(s->greeting),
            tls[s->tls], s->one_sided ? " one-sided" : "");
}

/* ---- telling it ---- */

enum cutting { CUT_NOT, CUT_BYTES, CUT_ONCE, CUT_RANDOM };

struct telling {
    enum cutting cutting;
    uint64_t at;           /* CUT_ONCE: the byte before which; CUT_RANDOM: a seed */
    uint64_t hole, hole_n; /* these bytes are lost; hole_n 0: none */
    bool uncertain_sides;  /* no SYN was seen */
    bool swapped;          /* and the sides were guessed wrong */
};

static inline struct dissector *dialogue_dissector(struct outcome *o, int64_t text_bytes) /* 0: the default */
{
    static struct smtp_settings settings;
    const struct setting_group group = {.list = smtp_settings_list, .count = smtp_settings_count, .values = &settings};
    const struct smtp_sink sink = {.transaction = outcome_transaction, .session = outcome_session, .user = o};
    config_defaults(&group, 1);
    if (text_bytes)
        settings.text_bytes = text_bytes;
    return dissector_new(&settings, &sink);
}

/* A run in the pieces the telling wants, each in memory of its own so that a span kept too long or read too far is seen. */
static void dialogue_push(
    struct smtp *s, const struct telling *t, enum side from, const uint8_t *p, uint64_t n, uint64_t at, uint64_t *random)
{
    for (uint64_t done = 0; done < n;) {
        uint64_t piece = n - done, here = at + done;
        if (t->hole_n && here >= t->hole && here < t->hole + t->hole_n) {
            uint64_t rest = t->hole + t->hole_n - here;
            piece = piece < rest ? piece : rest;
            smtp_gap(s, from, piece, DIALOGUE_START);
            done += piece;
            continue;
        }
        if (t->hole_n && here < t->hole && here + piece > t->hole)
            piece = t->hole - here;
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        if (t->cutting == CUT_BYTES)
            piece = 1;
        else if (t->cutting == CUT_ONCE && here < t->at && here + piece > t->at)
            piece = t->at - here;
        else if (t->cutting == CUT_RANDOM)
            piece = 1 + (*random >> 33) % (piece < 30 ? piece : 30);
        uint8_t *copy = malloc(piece);
        assert(copy);
        memcpy(copy, p + done, piece);
        smtp_push(s, from, span_of(copy, piece), DIALOGUE_START);
        memset(copy, '#', piece);
        free(copy);
        done += piece;
    }
}

static void dialogue_tell(const struct dialogue *d, struct dissector *dissector, const struct telling *t, struct outcome *o)
{
    const struct endpoint side[2] = {{.address = address_v4((const uint8_t[]){192, 0, 2, 1}), .port = 40000},
        {.address = address_v4((const uint8_t[]){192, 0, 2, 2}), .port = 25}};
    const struct endpoint wrong[2] = {side[SERVER], side[CLIENT]};
    uint64_t at = 0, random = t->at;
    o->n = 0;
    o->text[0] = '\0';
    struct smtp *s = smtp_open(dissector, 1, t->swapped ? wrong : side, !t->uncertain_sides && !t->swapped, DIALOGUE_START);
    assert(s);
    for (size_t i = 0; i < d->steps; i++) {
        const struct step *step = &d->step[i];
        enum side from = t->swapped ? side_other(step->from) : step->from;
        if (step->gap) {
            smtp_gap(s, from, step->n, DIALOGUE_START);
            continue;
        }
        dialogue_push(s, t, from, d->bytes + step->at, step->n, at, &random);
        at += step->n;
    }
    smtp_end(s, DIALOGUE_START);
}

#endif
