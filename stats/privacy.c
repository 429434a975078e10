/* In: storms, rows and transactions in the clear, from the sensor.  Out: the same, masked by mask.c, to history, alerts, pages and the log;
 * and the clear storm, sealed by seal.c, to the history.  Keys come from keyring.c, a new one each period. */
#include "stats/privacy.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "stats/keyring.h"
#include "stats/mask.h"
#include "stats/seal.h"
#include "stats/storm_json.h"

#define DAY (24 * 3600 * NS_PER_SECOND)

struct privacy {
    struct privacy_settings settings;
    char *directory;
    struct mask mask;
    struct key key;
    int64_t used_at;  /* when the key was last looked for; TIME_UNKNOWN: there is none */
    int64_t swept;
    bool failed, told; /* to get a key */
    struct reason failure;
};

#define OFFSET(field) offsetof(struct privacy_settings, field)
const struct setting privacy_settings_list[] = {
    {NULL, "privacy", SETTING_TEXT, OFFSET(privacy), "domain", 0, 0,
        "What `watch` shows, keeps and sends of addresses and subjects: clear; domain (no local part, no subject); pseudonym (tokens)."},
    {NULL, "privacy_rotation", SETTING_SECONDS, OFFSET(rotation), "7 d", 3600, 31536000,
        "After this time the key of pseudonyms and seals is a new one; seconds."},
    {NULL, "privacy_reveal", SETTING_SECONDS, OFFSET(reveal), "30 d", 0, 1e9,
        "How long the clear text of an alarm is kept, sealed, for who reveals it; then its key is destroyed; 0: not at all; seconds."},
};
const size_t privacy_settings_count = sizeof privacy_settings_list / sizeof *privacy_settings_list;

static bool privacy_parse(const char *word, enum storm_privacy *privacy)
{
#define X(name, text, doc)                \
    if (strcmp(word, text) == 0) {        \
        *privacy = PRIVACY_##name;        \
        return true;                      \
    }
    STORM_PRIVACY(X)
#undef X
    return false;
}

bool privacy_settings_check(const struct privacy_settings *s, struct reason *why)
{
    enum storm_privacy privacy;
    return privacy_parse(s->privacy ? s->privacy : "", &privacy) ||
           config_wrong(why, "", "", "privacy", "\"%s\" is none of clear, domain, pseudonym", s->privacy ? s->privacy : "");
}

enum storm_privacy privacy_wanted(const struct privacy_settings *s)
{
    enum storm_privacy privacy = PRIVACY_DOMAIN;
    privacy_parse(s->privacy ? s->privacy : "", &privacy);
    return privacy;
}

struct privacy *privacy_new(const struct privacy_settings *settings, const char *state_directory)
{
    struct privacy *p = calloc(1, sizeof *p);
    if (!p || !(p->directory = strdup(state_directory))) {
        free(p);
        return NULL;
    }
    p->settings = *settings;
    p->mask.privacy = privacy_wanted(settings);
    p->used_at = p->swept = TIME_UNKNOWN;
    return p;
}

void privacy_free(struct privacy *p)
{
    if (!p)
        return;
    free(p->directory);
    OPENSSL_cleanse(p, sizeof *p);
    free(p);
}

/* ---- keys ---- */

/* Sees to it that p->key is the one of now.  False: it cannot be had; the last one, or none (then one that nobody knows), is used on. */
static bool take_key(struct privacy *p, int64_t now)
{
    bool due = p->used_at == TIME_UNKNOWN || now / NS_PER_SECOND < p->key.made ||
               now / NS_PER_SECOND - p->key.made >= p->settings.rotation / NS_PER_SECOND;
    if (!due)
        return true;
    if (p->failed && p->used_at != TIME_UNKNOWN && now - p->used_at < NS_PER_SECOND)
        return false; /* asked a moment ago */
    bool first = p->used_at == TIME_UNKNOWN;
    struct key key;
    p->failed = !keyring_current(p->directory, now, p->settings.rotation, &key, &p->failure);
    p->used_at = now;
    if (!p->failed)
        p->key = key;
    else if (first && RAND_bytes(p->key.bytes, KEY_BYTES) != 1)
        return false;
    if (!p->failed || first)
        key_derive(&p->key, "pseudonyms", p->mask.key);
    OPENSSL_cleanse(&key, sizeof key);
    return !p->failed;
}

/* Those of the period in which `now` falls.  Without a key they still hide, but do not outlive this run. */
static void take_pseudonyms(struct privacy *p, int64_t now)
{
    if (p->mask.privacy == PRIVACY_PSEUDONYM)
        take_key(p, now);
}

static int64_t moment_of(const struct storm *s)
{
    return s->updated != TIME_UNKNOWN ? s->updated : s->raised != TIME_UNKNOWN ? s->raised : 0;
}

bool privacy_tick(struct privacy *p, int64_t now, struct reason *why)
{
    if (p->swept != TIME_UNKNOWN && now - p->swept < DAY && now >= p->swept)
        return true;
    p->swept = now;
    int64_t kept = p->settings.reveal + p->settings.rotation;
    return now < kept || keyring_destroy(p->directory, now - kept, why);
}

/* ---- masking ---- */

static struct storm *storm_copy(const struct storm *s)
{
    struct storm *c = malloc(sizeof *c);
    if (!c)
        return NULL;
    *c = *s;
    c->hosts = calloc((size_t)s->host_count + 1, sizeof *s->hosts);
    c->edges = calloc((size_t)s->edge_count + 1, sizeof *s->edges);
    c->events = calloc((size_t)s->event_count + 1, sizeof *s->events);
    if (!c->hosts || !c->edges || !c->events) {
        storm_json_free(c);
        return NULL;
    }
    if (s->host_count)
        memcpy(c->hosts, s->hosts, s->host_count * sizeof *s->hosts);
    if (s->edge_count)
        memcpy(c->edges, s->edges, s->edge_count * sizeof *s->edges);
    if (s->event_count)
        memcpy(c->events, s->events, s->event_count * sizeof *s->events);
    return c;
}

/* Masks a text in its own place, of `size` bytes. */
static void mask_in_place(const struct mask *m, char *text, size_t size)
{
    char clear[2 * STORM_TEXT_SIZE];
    size_t n = strlen(text);
    memcpy(clear, text, n);
    mask_text(m, span_of(clear, n), n + 4 >= size, text, size); /* 4: where half a character was left out */
}

static void mask_host(const struct mask *m, struct storm_host *h)
{
    if (strchr(h->name, '@')) /* a host's name is nobody's, unless somebody says his address for one */
        mask_in_place(m, h->name, sizeof h->name);
    mask_in_place(m, h->software, sizeof h->software);
    for (uint32_t i = 0; i < h->evidence_count; i++) {
        mask_in_place(m, h->evidence[i].said, sizeof h->evidence[i].said);
        mask_in_place(m, h->evidence[i].received, sizeof h->evidence[i].received);
    }
}

static struct span unless_person(const char *id, const struct storm *s)
{
    return strcmp(id, s->from) == 0 || strcmp(id, s->victim) == 0 ? (struct span){NULL, 0} : span_text(id);
}

static void mask_storm(const struct mask *base, const struct storm *s, struct storm *c)
{
    struct mask m = *base;
    m.keep[0] = unless_person(s->message_id, s);
    m.keep[1] = unless_person(s->thread, s);
    m.hide = strchr(s->victim, '@') ? (struct span){NULL, 0} : span_text(s->victim);
    c->privacy = m.privacy;
    mask_address(&m, span_text(s->from), c->from, sizeof c->from);
    mask_address(&m, span_text(s->victim), c->victim, sizeof c->victim);
    mask_subject(&m, span_text(s->subject), c->subject, sizeof c->subject);
    mask_in_place(&m, c->why, sizeof c->why);
    mask_in_place(&m, c->acquittal, sizeof c->acquittal);
    for (uint32_t i = 0; i < c->host_count; i++)
        mask_host(&m, &c->hosts[i]);
    for (uint32_t i = 0; i < c->event_count; i++)
        mask_in_place(&m, c->events[i].what, sizeof c->events[i].what);
    OPENSSL_cleanse(&m, sizeof m);
}

struct storm *privacy_storm(struct privacy *p, const struct storm *s)
{
    struct storm *c = storm_copy(s);
    if (!c || p->mask.privacy == PRIVACY_CLEAR || s->privacy != PRIVACY_CLEAR)
        return c;
    take_pseudonyms(p, moment_of(s));
    mask_storm(&p->mask, s, c);
    return c;
}

static struct span string_of(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    return span_of(json_string_value(v), json_string_length(v));
}

enum field { FIELD_ADDRESS, FIELD_SUBJECT, FIELD_TEXT };

static json_t *masked_string(const struct mask *m, struct span clear, enum field kind)
{
    char to[2 * STORM_TEXT_SIZE];
    if (kind == FIELD_ADDRESS)
        mask_address(m, clear, to, sizeof to);
    else if (kind == FIELD_SUBJECT)
        mask_subject(m, clear, to, sizeof to);
    else
        mask_text(m, clear, false, to, sizeof to);
    return to[0] ? json_string(to) : json_null();
}

static void mask_member(const struct mask *m, json_t *o, const char *name, enum field kind)
{
    if (!json_is_string(json_object_get(o, name)))
        return;
    json_t *masked = masked_string(m, string_of(o, name), kind);
    if (json_object_set_new(o, name, masked) != 0) /* no memory, or no text: better none */
        json_object_del(o, name);
}

/* Whatever else is text and holds an address, save ids and what is masked already. */
static void mask_others(const struct mask *m, json_t *o)
{
    static const char *const known[] = {"from", "header_from", "subject", "user", "message_id", "quoted_message_id", "in_reply_to",
        "references_root"};
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(o, next, name, value)
    {
        bool other = json_is_string(value) && memchr(json_string_value(value), '@', json_string_length(value));
        for (size_t i = 0; other && i < sizeof known / sizeof *known; i++)
            other = strcmp(name, known[i]) != 0;
        if (other)
            mask_member(m, o, name, FIELD_TEXT);
    }
}

static int64_t time_of(const json_t *o, const char *name)
{
    int64_t time;
    return clock_parse(string_of(o, name), &time) ? time : 0;
}

void privacy_rows(struct privacy *p, json_t *rows)
{
    json_t *row;
    size_t i;
    if (p->mask.privacy == PRIVACY_CLEAR)
        return;
    json_array_foreach(rows, i, row)
    {
        take_pseudonyms(p, time_of(row, "last"));
        mask_member(&p->mask, row, "from", FIELD_ADDRESS);
        mask_member(&p->mask, row, "subject", FIELD_SUBJECT);
        mask_others(&p->mask, row);
    }
}

static void mask_received(const struct mask *m, json_t *list)
{
    json_t *hop;
    size_t i;
    json_array_foreach(list, i, hop)
    {
        struct span from = string_of(hop, "from"); /* a host, unless somebody says his address for one */
        if (from.n && memchr(from.p, '@', from.n))
            mask_member(m, hop, "from", FIELD_TEXT);
        mask_others(m, hop);
    }
}

static void mask_addresses(const struct mask *m, json_t *list)
{
    json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        mask_member(m, one, "address", FIELD_ADDRESS);
        if (json_is_string(one))
            json_array_set_new(list, i, masked_string(m, span_of(json_string_value(one), json_string_length(one)), FIELD_ADDRESS));
    }
}

void privacy_transaction(struct privacy *p, json_t *transaction)
{
    if (p->mask.privacy == PRIVACY_CLEAR)
        return;
    const struct mask *m = &p->mask;
    json_t *report = json_object_get(transaction, "report"), *client = json_object_get(transaction, "client");
    take_pseudonyms(p, time_of(transaction, "time"));
    mask_member(m, transaction, "from", FIELD_ADDRESS);
    mask_member(m, transaction, "header_from", FIELD_ADDRESS);
    mask_member(m, transaction, "subject", FIELD_SUBJECT);
    mask_member(m, client, "user", FIELD_ADDRESS);
    mask_addresses(m, json_object_get(transaction, "recipients"));
    mask_addresses(m, json_object_get(report, "final_recipients"));
    mask_received(m, json_object_get(transaction, "received"));
    mask_received(m, json_object_get(report, "quoted_received"));
    mask_others(m, transaction);
    mask_others(m, client);
    mask_others(m, json_object_get(transaction, "server"));
    mask_others(m, report);
}

/* ---- the history ---- */

static bool seal_storm(const struct privacy *p, const struct storm *clear, uint8_t **sealed, size_t *n)
{
    json_t *object = storm_json_bare(clear);
    char *text = object ? json_dumps(object, JSON_COMPACT | STORM_JSON_FLAGS) : NULL;
    bool good = text && seal_make(&p->key, clear->id, span_text(text), sealed, n);
    json_decref(object);
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    return good;
}

bool privacy_store(
    struct privacy *p, struct history *h, const struct storm *clear, const struct storm *masked, int64_t now, struct reason *why)
{
    uint8_t *sealed = NULL;
    size_t n = 0;
    bool wanted = masked->privacy != PRIVACY_CLEAR && clear->privacy == PRIVACY_CLEAR && p->settings.reveal > 0;
    bool keyed = wanted && take_key(p, moment_of(clear));
    if (wanted && !keyed && !p->told)
        log_line(LOG_LEVEL_WARNING, "%s; alarms cannot be revealed until there is one", p->failure.text);
    p->told = wanted && !keyed;
    bool made = keyed && seal_storm(p, clear, &sealed, &n);
    /* a storm taken over from before a restart without its clear text keeps what was sealed then */
    bool stored = clear->privacy == PRIVACY_CLEAR ? history_store_sealed(h, masked, span_of(sealed, made ? n : 0), now, why)
                                                  : history_store(h, masked, now, why);
    free(sealed);
    return stored;
}

struct wanting { /* ids of alarms in clear */
    char (*id)[STORM_ID_SIZE];
    size_t count, room;
    bool good;
};

static bool note_clear(void *user, const struct storm *s)
{
    struct wanting *w = user;
    if (s->privacy != PRIVACY_CLEAR)
        return true;
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        void *more = realloc(w->id, room * sizeof *w->id);
        if (!more)
            return w->good = false;
        w->id = more;
        w->room = room;
    }
    snprintf(w->id[w->count++], STORM_ID_SIZE, "%s", s->id);
    return true;
}

static bool adopt_one(struct privacy *p, struct history *h, const char *id, struct reason *why)
{
    struct storm *clear = history_load(h, id, why), *masked = clear ? privacy_storm(p, clear) : NULL;
    bool good = masked && privacy_store(p, h, clear, masked, moment_of(clear), why);
    storm_json_free(masked);
    storm_json_free(clear);
    return good;
}

bool privacy_adopt(struct privacy *p, struct history *h, struct reason *why)
{
    struct wanting w = {.good = true};
    if (p->mask.privacy == PRIVACY_CLEAR)
        return true;
    bool good = history_all(h, note_clear, &w, why) && (w.good || reason_say(why, "the history: out of memory"));
    for (size_t i = 0; good && i < w.count; i++)
        good = adopt_one(p, h, w.id[i], why);
    if (w.count)
        good = history_settle(h, why) && good;
    free(w.id);
    return good;
}

struct storm *privacy_unseal(const char *state_directory, struct history *h, const char *id, struct reason *why)
{
    uint8_t *sealed;
    size_t n;
    struct storm *masked = history_load(h, id, why);
    if (!masked)
        return NULL;
    if (masked->privacy == PRIVACY_CLEAR)
        return masked;
    storm_json_free(masked);
    if (!history_sealed(h, id, &sealed, &n, why))
        return NULL;
    char *text = seal_open(state_directory, id, span_of(sealed, n), why);
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct storm *s = object ? storm_json_parse(object, why) : NULL;
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    free(sealed);
    json_decref(object);
    return s;
}
