/* In: notices of one syslog section.  Out: RFC 5424 messages with the alarm's structured data (RFC 5674): octet-counted over TCP (RFC 6587)
 * and TLS (RFC 5425), one a datagram over UDP (RFC 5426).  Syslog has no answer; over a connection it is as good as confirmed when the
 * receiver's TCP has it all. */
#include "alert/wire.h"

#include <stdlib.h>
#include <unistd.h>

struct syslog {
    const struct syslog_settings *settings;
    struct wire *wire;
    char host[256];
};

static void *syslog_open(const void *section, struct reason *why)
{
    struct syslog *l = calloc(1, sizeof *l);
    if (!l) {
        reason_say(why, "syslog: out of memory");
        return NULL;
    }
    l->settings = section;
    if (gethostname(l->host, sizeof l->host - 1) != 0 || !l->host[0])
        strcpy(l->host, "-");
    l->wire = wire_new(l->settings, why);
    if (l->wire)
        return l;
    free(l);
    return NULL;
}

static void syslog_close(void *receiver)
{
    struct syslog *l = receiver;
    wire_free(l->wire);
    free(l);
}

/* A structured-data value: ", \ and ] escaped (RFC 5424, 6.3.3). */
static void put_value(FILE *to, const char *name, const char *value)
{
    if (!*value)
        return;
    fprintf(to, " %s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\' || *value == ']')
            fputc('\\', to);
        fputc(*value, to);
    }
    fputc('"', to);
}

static void put_count(FILE *to, const char *name, uint64_t n)
{
    fprintf(to, " %s=\"%llu\"", name, (unsigned long long)n);
}

/* RFC 5674, 3: syslog severity and perceivedSeverity. */
static int syslog_severity(const struct notice *n, const char **perceived)
{
    static const struct {
        int severity;
        const char *word;
    } table[] = {[SEVERITY_NOTICE] = {5, "indeterminate"},
        [SEVERITY_WARNING] = {4, "warning"},
        [SEVERITY_MINOR] = {3, "minor"},
        [SEVERITY_MAJOR] = {2, "major"},
        [SEVERITY_CRITICAL] = {1, "critical"}};
    bool cleared = n->type == NOTICE_CLEARED || (n->type == NOTICE_TROUBLE && !n->failing);
    *perceived = cleared ? "cleared" : table[n->severity].word;
    return cleared ? 5 : n->type == NOTICE_HEARTBEAT ? 6 : table[n->severity].severity;
}

static void put_alarm(FILE *to, const struct notice *n, const char *perceived)
{
    char address[ADDRESS_TEXT];
    const char *resource = n->reinjector_name;
    if (!*resource && address_known(n->reinjector))
        resource = address_text(n->reinjector, address);
    if (!*resource)
        resource = *n->victim ? n->victim : *n->part ? n->part : *n->sensor ? n->sensor : "squall";
    fputs("[alarm", to);
    put_value(to, "resource", resource);
    /* words of IANAItuProbableCause and IANAItuEventType (RFC 3877) */
    put_value(to, "probableCause", notice_of_storm(n->type) ? "retransmissionRateExcessive" : "communicationsSubsystemFailure");
    put_value(to, "perceivedSeverity", perceived);
    put_value(to, "eventType", notice_of_storm(n->type) ? "qualityOfServiceAlarm" : "communicationsAlarm");
    put_value(to, "resourceURI", n->url);
    fputc(']', to);
}

static void put_squall(FILE *to, const struct notice *n)
{
    char address[ADDRESS_TEXT];
    fputs("[squall@32473", to);
    put_count(to, "notice", n->number);
    put_value(to, "sensor", n->sensor);
    if (notice_of_storm(n->type)) {
        put_value(to, "id", n->id);
        put_value(to, "kind", storm_kind_text(n->kind));
        put_value(to, "severity", storm_severity_text(n->severity));
        put_value(to, "messageId", n->message_id);
        put_count(to, "copies", n->copies);
        put_count(to, "deliveries", n->deliveries);
        put_count(to, "redeliveries", n->redeliveries);
        put_value(to, "reinjector", address_known(n->reinjector) ? address_text(n->reinjector, address) : n->reinjector_name);
    }
    put_value(to, "part", n->part);
    fputc(']', to);
}

static char *message(const struct syslog *l, const struct notice *n, size_t *size)
{
    char *text = NULL, when[TIME_TEXT];
    const char *perceived;
    int severity = syslog_severity(n, &perceived);
    FILE *to = open_memstream(&text, size);
    if (!to)
        return NULL;
    clock_text(n->time, when);
    if (strlen(when) > 27) /* nanoseconds; RFC 5424 wants at most six digits */
        strcpy(when + 26, "Z");
    fprintf(to, "<%lld>1 %s %s squall %ld %s ", (long long)l->settings->facility * 8 + severity, when[0] ? when : "-", l->host,
        (long)getpid(), notice_type_mib(n->type));
    put_alarm(to, n, perceived);
    put_squall(to, n);
    fprintf(to, " \xef\xbb\xbf%s %s", notice_type_text(n->type), n->why);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

static enum delivery syslog_send(void *receiver, const struct notice *n, const atomic_bool *stop, struct reason *why)
{
    struct syslog *l = receiver;
    size_t size = 0;
    char *text = message(l, n, &size);
    if (!text) {
        reason_say(why, "out of memory");
        return DELIVERY_FAILED;
    }
    enum delivery d = wire_send(l->wire, text, size, stop, why);
    free(text);
    return d;
}

static bool syslog_confirms(const void *section)
{
    return strncmp(((const struct syslog_settings *)section)->address, "udp:", 4) != 0;
}

const struct courier_kind syslog_kind = {"syslog", syslog_open, syslog_close, syslog_send, syslog_confirms, NULL, NULL};
