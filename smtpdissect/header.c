/* In: the header of a message, as it stood on the wire (RFC 5322, 2.2). Out: struct header: the first of each field that matters, the
 * audience, the Received chain. Text that stands on one line is borrowed from the wire; what is folded is copied into the arena. */
#include "base/hash.h"
#include "smtpdissect/fields.h"
#include "smtpdissect/find.h"
#include "smtpdissect/session.h"

#define HOPS_MOST         512 /* no server lets a mail come so far */
#define DELIVERED_TO_MOST 512
#define VALUE_MOST        8192 /* bytes of one unfolded value */
#define LINES_MOST        1024 /* of the values of a field that stands once for each list on the way */

struct list { /* grows in the arena */
    void *p;
    size_t count, room;
};

/* Room for one more element; NULL: the arena's bound. */
static void *list_add(struct arena *a, struct list *l, size_t element, size_t most)
{
    if (l->count == most)
        return NULL;
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 8;
        void *p = arena_get(a, room * element);
        if (!p)
            return NULL;
        if (l->count)
            memcpy(p, l->p, l->count * element);
        l->p = p;
        l->room = room;
    }
    return (uint8_t *)l->p + l->count++ * element;
}

/* A value without its line ends (RFC 5322, 2.2.3). */
static struct span unfold(struct arena *a, struct span value)
{
    value = span_head(span_trim(value), VALUE_MOST);
    if (find_byte(value, '\n') == value.n)
        return value;
    uint8_t *to = arena_get(a, value.n);
    size_t n = 0;
    while (to && value.n) {
        size_t run = find_first(value, false, '\n', '\r', '\r', '\r', '\r');
        memcpy(to + n, value.p, run);
        n += run;
        while (run < value.n && (value.p[run] == '\r' || value.p[run] == '\n'))
            run++;
        value = span_from(value, run);
    }
    return span_of(to, n);
}

/* "<id>" without the brackets; an id without any as it stands, up to a blank. */
static struct span first_id(struct span value)
{
    value = span_trim(value);
    size_t open = value.n && value.p[0] == '<' ? 0 : find_byte(value, '<');
    if (open < value.n) {
        struct span rest = span_from(value, open + 1);
        return span_trim(span_head(rest, find_byte(rest, '>')));
    }
    size_t n = 0;
    while (n < value.n && value.p[n] > ' ')
        n++;
    return span_head(value, n);
}

/* ---- addresses --------------------------------------------------------------------------------------------------------------- */

struct audience {
    struct arena *arena;
    struct list list;
    uint32_t marks;
};

static void audience_found(void *user, struct span address, struct span display)
{
    struct audience *a = user;
    struct audience_address *one = list_add(a->arena, &a->list, sizeof *one, SIZE_MAX);
    if (one)
        *one = (struct audience_address){address_hash(address), address_domain_hash(address)};
    if (span_starts_nocase(address, "mspop3connector."))
        a->marks |= MARK_MSPOP3CONNECTOR;
    if (display.n && span_contains_nocase(display, "IMB Recipient "))
        a->marks |= MARK_IMB_RECIPIENT;
}

static void first_address(void *user, struct span address, struct span display)
{
    struct span *first = user;
    (void)display;
    if (first->n == 0)
        *first = address;
}

/* ---- fields ------------------------------------------------------------------------------------------------------------------ */

struct parsing {
    struct arena *arena;
    struct header *header;
    struct audience audience;
    struct list hops, delivered_to;
    struct span references;
};

static void keep_first(struct parsing *p, struct span *to, struct span value)
{
    if (to->n == 0)
        *to = unfold(p->arena, value);
}

/* One line more, while there is room. */
static void keep_line(struct parsing *p, struct span *to, struct span value)
{
    struct span line = unfold(p->arena, value);
    if (to->n == 0) {
        *to = line;
        return;
    }
    size_t n = to->n + 1 + line.n;
    uint8_t *all = line.n && n <= LINES_MOST ? arena_get(p->arena, n) : NULL;
    if (!all)
        return;
    memcpy(all, to->p, to->n);
    all[to->n] = '\n';
    memcpy(all + to->n + 1, line.p, line.n);
    *to = span_of(all, n);
}

static inline bool is_unlisted(struct span beginning)
{
    return find_byte(beginning, ':') < beginning.n && span_contains_nocase(beginning, "unlisted-recipients:");
}

static void field_take(struct parsing *p, enum field field, struct span value)
{
    struct header *h = p->header;
    switch (field) {
    case FIELD_MESSAGE_ID:
        if (h->message_id.n == 0)
            h->message_id = first_id(value);
        break;
    case FIELD_FROM:
        if (h->from.n)
            break;
        h->from = unfold(p->arena, value);
        address_list(h->from, first_address, &h->from_address);
        h->from_hash = address_hash(h->from_address);
        break;
    case FIELD_SENDER: keep_first(p, &h->sender, value); break;
    case FIELD_SUBJECT: keep_first(p, &h->subject, value); break;
    case FIELD_DATE:
        if (h->date == TIME_UNKNOWN)
            h->date = clock_parse_mail_date(value);
        break;
    case FIELD_TO:
    case FIELD_CC:
        if (is_unlisted(span_head(value, 256)))
            p->audience.marks |= MARK_UNLISTED_RECIPIENTS;
        address_list(value, audience_found, &p->audience);
        break;
    case FIELD_IN_REPLY_TO:
        if (h->in_reply_to.n == 0)
            h->in_reply_to = first_id(value);
        if (h->in_reply_to.n && find_byte(h->in_reply_to, '@') == h->in_reply_to.n)
            h->in_reply_to = span_of(NULL, 0); /* "Your message of Monday" (RFC 822) */
        break;
    case FIELD_REFERENCES:
        if (p->references.n == 0)
            p->references = first_id(value);
        break;
    case FIELD_RECEIVED: {
        struct hop *hop = list_add(p->arena, &p->hops, sizeof *hop, HOPS_MOST);
        if (hop)
            received_parse(p->arena, value, hop);
        break;
    }
    case FIELD_DELIVERED_TO: {
        uint64_t *hash = list_add(p->arena, &p->delivered_to, sizeof *hash, DELIVERED_TO_MOST);
        if (hash)
            *hash = address_hash(address_of_path(unfold(p->arena, value)));
        break;
    }
    case FIELD_AUTO_SUBMITTED: keep_first(p, &h->auto_submitted, value); break;
    case FIELD_PRECEDENCE: keep_first(p, &h->precedence, value); break;
    case FIELD_LIST_ID: keep_first(p, &h->list_id, value); break;
    case FIELD_X_BEEN_THERE: keep_line(p, &h->x_been_there, value); break;
    case FIELD_X_LOOP: keep_line(p, &h->x_loop, value); break;
    case FIELD_X_MAILER:
        keep_first(p, &h->mailer, value);
        if (span_starts_nocase(h->mailer, "Microsoft CDO for Exchange 2000"))
            p->audience.marks |= MARK_CDO_EXCHANGE_2000;
        break;
    case FIELD_CONTENT_TYPE: keep_first(p, &h->content_type, value); break;
    case FIELD_OTHER: break;
    }
}

/* On the wire the newest comes first. */
static void reverse_hops(struct hop *hops, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct hop h = hops[i];
        hops[i] = hops[n - 1 - i];
        hops[n - 1 - i] = h;
    }
}

static void reverse_hashes(uint64_t *list, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        uint64_t h = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = h;
    }
}

static struct parsing parsing_begin(struct arena *a, struct header *h, bool complete, size_t bytes)
{
    *h = (struct header){.date = TIME_UNKNOWN, .complete = complete, .bytes = bytes};
    return (struct parsing){.arena = a, .header = h, .audience = {.arena = a}};
}

static void parsing_end(struct parsing *p)
{
    struct header *h = p->header;
    h->references_root = p->references.n ? p->references : h->in_reply_to;
    h->marks = p->audience.marks;
    h->audience = p->audience.list.p;
    h->audience_count = p->audience.list.count;
    h->hops = p->hops.p;
    h->hop_count = p->hops.count;
    reverse_hops(p->hops.p, p->hops.count);
    h->delivered_to = p->delivered_to.p;
    h->delivered_to_count = p->delivered_to.count;
    reverse_hashes(p->delivered_to.p, p->delivered_to.count);
}

void header_parse(struct arena *a, struct span text, bool complete, struct header *h)
{
    struct parsing p = parsing_begin(a, h, complete, text.n);
    struct fields f = {.text = text};
    struct span value;
    enum field field;
    while ((field = fields_next(&f, &value)) != FIELD_OTHER)
        field_take(&p, field, value);
    parsing_end(&p);
}

/* ---- a header while its mail is under way ------------------------------------------------------------------------------------- */

size_t header_pack(struct span text, uint8_t *to)
{
    size_t end;
    return fields_pack(text, to, &end);
}

void header_unpack(struct arena *a, struct span packed, size_t bytes, bool complete, struct header *h)
{
    struct parsing p = parsing_begin(a, h, complete, bytes);
    while (packed.n) {
        struct span value;
        enum field field = fields_unpack(&packed, &value);
        field_take(&p, field, value);
    }
    parsing_end(&p);
}
