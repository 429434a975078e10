/* In: an alarm as JSON.  Out: who does what, who does not, how much, what comes: to plain.c and plain_alarm.c. */
#include "web/sentence.h"

#include <stdlib.h>

#include "stats/figure.h"
#include "stats/storm.h"

static const char *member(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static int64_t count(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

bool sentence_active(const json_t *alarm)
{
    const char *state = member(alarm, "state");
    return !state || strcmp(state, storm_state_text(STATE_CLEARED)) != 0;
}

int sentence_rank(const json_t *alarm)
{
    enum storm_severity s = SEVERITY_NOTICE;
    storm_severity_parse(span_text(member(alarm, "severity")), &s);
    return (int)s;
}

const char *sentence_weather(int worst)
{
    return worst >= SEVERITY_MAJOR ? "storm" : worst > SEVERITY_NOTICE ? "squall" : "calm";
}

const char *sentence_host(const json_t *host)
{
    const char *name = member(host, "name");
    return name && name[0] ? name : member(host, "address");
}

static bool has_role(const json_t *host, enum storm_role role)
{
    return span_equal(span_text(member(host, "role")), span_text(storm_role_text(role)));
}

const json_t *sentence_origin(const json_t *alarm)
{
    const json_t *host;
    size_t i;
    json_array_foreach(json_object_get(alarm, "hosts"), i, host)
        if (has_role(host, ROLE_ORIGIN))
            return host;
    return NULL;
}

char *sentence_headline(const struct words *w, enum language l, const json_t *alarm)
{
    const json_t *hosts = json_object_get(alarm, "hosts"), *host, *first = NULL, *audience;
    char key[64], number[WORDS_NUMBER];
    const char *kind = member(alarm, "kind"), *subject = member(alarm, "subject"), *victim = member(alarm, "victim");
    int64_t n = 0;
    size_t i;
    snprintf(key, sizeof key, "headline.%s", kind ? kind : "");
    if (!words_known(w, key))
        return member(alarm, "why") ? strdup(member(alarm, "why")) : NULL;
    json_array_foreach(hosts, i, host)
        if (has_role(host, ROLE_REINJECTOR) || has_role(host, ROLE_LOOPER)) {
            first = first ? first : host;
            n++;
        }
    n = (n ? n : (int64_t)json_array_size(hosts)) + count(alarm, "hosts_more");
    first = first ? first : json_array_get(hosts, 0);
    audience = json_object_get(json_object_get(alarm, "blast_radius"), "audience");
    const struct word titled[] = {{"subject", subject}, {NULL, NULL}};
    char *mail = words_say(w, l, subject && subject[0] ? "mail.titled" : "mail.untitled", WORDS_NO_NUMBER, titled);
    char *unknown = words_say(w, l, "host.unknown", WORDS_NO_NUMBER, NULL);
    char *somebody = words_say(w, l, "mail.somebody", WORDS_NO_NUMBER, NULL);
    const char *name = sentence_host(first);
    const struct word values[] = {{"host", name ? name : unknown}, {"mail", mail}, {"victim", victim ? victim : somebody},
        {"audience", words_number(l, (double)(audience ? json_integer_value(audience) : count(alarm, "recipients")), 0, number)},
        {NULL, NULL}};
    char *said = words_say(w, l, key, n, values);
    free(mail);
    free(unknown);
    free(somebody);
    return said;
}

/* The two halves become one text. */
static char *joined(char *first, char *second)
{
    char *both = NULL;
    if (first && second && asprintf(&both, "%s %s", first, second) < 0)
        both = NULL;
    free(first);
    free(second);
    return both;
}

char *sentence_acquittal(const struct words *w, enum language l, const json_t *alarm)
{
    const json_t *first = sentence_origin(alarm);
    const char *said = member(alarm, "acquittal");
    if (!said)
        return NULL;
    if (!first || count(first, "redeliveries") || !count(first, "deliveries"))
        return strdup(said);
    const struct word values[] = {{"host", sentence_host(first)}, {NULL, NULL}};
    return joined(words_say(w, l, "acquit.who", WORDS_NO_NUMBER, values), words_say(w, l, "acquit.what", count(first, "deliveries"), NULL));
}

char *sentence_figures(const struct words *w, enum language l, const json_t *alarm)
{
    char number[WORDS_NUMBER];
    int64_t n = count(alarm, "deliveries"), sent = count(sentence_origin(alarm), "deliveries");
    const struct word values[] = {{"sent", words_number(l, (double)sent, 0, number)}, {NULL, NULL}};
    if (n == 0)
        return NULL;
    return words_say(w, l, count(alarm, "redeliveries") && sent ? "facts.against_sent" : "facts.deliveries", n, values);
}

char *sentence_forecast(const struct words *w, enum language l, const json_t *alarm)
{
    const json_t *forecast = json_object_get(alarm, "forecast");
    char number[WORDS_NUMBER], when[FIGURE_TEXT];
    int64_t at;
    if (!json_is_object(forecast) || !sentence_active(alarm) || !clock_parse(span_text(member(forecast, "at")), &at))
        return NULL;
    const struct word values[] = {{"at", figure_time(at, when)},
        {"deliveries", words_number(l, (double)count(forecast, "deliveries"), 0, number)}, {NULL, NULL}};
    return words_say(w, l, "facts.next", WORDS_NO_NUMBER, values);
}
