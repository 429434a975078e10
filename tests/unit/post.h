/* Mail transactions for tests of stats/: a sealed one with sensible fields, to be changed before it is handed on. */
#ifndef SQUALL_TESTS_POST_H
#define SQUALL_TESTS_POST_H

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "smtpdissect/transaction.h"

#define POST_RECIPIENTS 600
#define POST_HOPS 64
#define POST_SECOND NS_PER_SECOND
#define POST_START (1800000000 * NS_PER_SECOND)

struct post {
    struct transaction t;
    struct recipient recipient[POST_RECIPIENTS];
    char address[POST_RECIPIENTS][40];
    struct hop hop[POST_HOPS];
    struct audience_address audience[POST_RECIPIENTS];
    char id[80], subject[80];
};

static inline struct address post_address(uint32_t host)
{
    uint8_t b[4] = {10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host};
    return address_v4(b);
}

static inline uint64_t post_person(uint32_t number)
{
    char text[40];
    int n = snprintf(text, sizeof text, "p%u@d%u.example", number, number % 37);
    return hash_nocase(span_of(text, (size_t)n));
}

/* An accepted mail `id` from host `client` to host `server`, `seconds` after the start, 100 ms long; no recipients yet. */
static inline void post_begin(struct post *p, const char *id, uint32_t client, uint32_t server, double seconds)
{
    static uint64_t connection;
    memset(&p->t, 0, sizeof p->t);
    struct transaction *t = &p->t;
    snprintf(p->id, sizeof p->id, "%s", id);
    snprintf(p->subject, sizeof p->subject, "Subject of it");
    t->connection = ++connection;
    t->ordinal = 1;
    t->client = (struct endpoint){post_address(client), (uint16_t)(1024 + connection % 60000)};
    t->server = (struct endpoint){post_address(server), 25};
    t->helo = span_text("helo.example");
    t->greeting = span_text("mx.example");
    t->reverse_path = span_text("sender@bank.example");
    t->end = POST_START + (int64_t)(seconds * 1e9);
    t->mail_time = t->end - POST_SECOND / 10;
    t->data_end = t->end - POST_SECOND / 100;
    t->code = 250;
    t->bytes = 3000;
    t->recipients = p->recipient;
    t->header.message_id = span_text(p->id);
    t->header.from = span_text("Sender <sender@bank.example>");
    t->header.from_hash = hash_nocase(span_text("sender@bank.example"));
    t->header.subject = span_text(p->subject);
    t->header.date = POST_START;
    t->header.hops = p->hop;
    t->header.audience = p->audience;
    t->header.complete = true;
    t->body_fingerprint = 0x1234567;
    t->message = true;
}

static inline void post_to(struct post *p, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct recipient *r = &p->recipient[p->t.recipient_count];
        char *text = p->address[p->t.recipient_count++];
        snprintf(text, sizeof p->address[0], "p%u@d%u.example", first + i, (first + i) % 37);
        *r = (struct recipient){.address = span_text(text), .hash = hash_nocase(span_text(text)), .code = 250, .final_code = 250};
    }
}

static inline void post_audience(struct post *p, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        p->audience[p->t.header.audience_count++] = (struct audience_address){post_person(first + i), (first + i) % 37};
}

/* A Received line; equal numbers are the very same line. */
static inline void post_hop(struct post *p, uint32_t number, uint32_t from)
{
    struct hop *h = &p->hop[p->t.header.hop_count++];
    *h = (struct hop){.from = span_text("from.example"), .by = span_text("by.example"), .with = span_text("ESMTP"), .date = POST_START};
    h->from_address = post_address(from);
    h->hash = hash_bytes(&number, sizeof number);
}

#endif
