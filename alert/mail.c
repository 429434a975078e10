/* In: notices of one mail section.  Out: a mail of a few lines to its smarthost, by libcurl's SMTP.  A mail about a storm must not feed it:
 * when the smarthost, or the mail server of someone to be told, is itself part of the storm, the notice is refused and says why. */
#include "alert/webpost.h"
#include "stats/storm_json.h"

#include <netdb.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

struct mail {
    const struct mail_settings *settings;
    CURL *curl;
    char host[256], port[8];
};

struct letter { /* being read by libcurl */
    char *text;
    size_t size, at;
};

static void *mail_open(const void *section, struct reason *why)
{
    struct mail *m = calloc(1, sizeof *m);
    if (!m || !(m->curl = webpost_open(why))) {
        free(m);
        return NULL;
    }
    m->settings = section;
    alert_address_split(m->settings->smarthost, "25", m->host, m->port);
    return m;
}

static void mail_close(void *receiver)
{
    struct mail *m = receiver;
    webpost_lib.easy_cleanup(m->curl);
    free(m);
}

/* ---- is it part of the storm ---- */

static bool host_has_address(const struct storm *s, const struct addrinfo *list, char text[ADDRESS_TEXT])
{
    for (const struct addrinfo *i = list; i; i = i->ai_next) {
        struct address a = {{0}};
        if (i->ai_family == AF_INET)
            a = address_v4((const uint8_t *)&((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr);
        else if (i->ai_family == AF_INET6)
            a = address_v6((const uint8_t *)&((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr);
        for (uint32_t h = 0; h < s->host_count; h++)
            if (address_known(a) && address_equal(a, s->hosts[h].address)) {
                address_text(a, text);
                return true;
            }
    }
    return false;
}

static bool smarthost_within(const struct mail *m, const struct storm *s, struct reason *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char text[ADDRESS_TEXT] = "";
    for (uint32_t h = 0; h < s->host_count; h++)
        if (strcasecmp(s->hosts[h].name, m->host) == 0)
            return !reason_say(why, "the smarthost %s is part of this storm", m->host);
    if (getaddrinfo(m->host, m->port, &hints, &list) != 0)
        return false; /* the attempt will say so */
    bool within = host_has_address(s, list, text);
    freeaddrinfo(list);
    return within && !reason_say(why, "the smarthost %s (%s) is part of this storm", m->host, text);
}

/* The domain is the host's own or one above it: mail.example.org is a server of example.org. */
static bool host_of_domain(const char *host, const char *domain)
{
    size_t n = strlen(host), d = strlen(domain);
    return n >= d && strcasecmp(host + n - d, domain) == 0 && (n == d || host[n - d - 1] == '.');
}

/* Of a victim whose local part is hidden, the domain must do. */
static bool suffers(const struct storm *s, const char *to, const char *domain)
{
    const char *at = strrchr(s->victim, '@');
    return strcasecmp(s->victim, to) == 0 || strcasecmp(s->victim, domain) == 0 ||
           (s->privacy != PRIVACY_CLEAR && at && strcasecmp(at + 1, domain) == 0);
}

static bool recipient_within(const struct mail *m, const struct storm *s, struct reason *why)
{
    for (size_t i = 0; i < m->settings->to.count; i++) {
        const char *to = m->settings->to.text[i], *domain = strrchr(to, '@') + 1;
        if (suffers(s, to, domain))
            return !reason_say(why, "%s suffers from this storm itself", to);
        for (uint32_t h = 0; h < s->host_count; h++)
            if (s->hosts[h].role != ROLE_ORIGIN && host_of_domain(s->hosts[h].name, domain))
                return !reason_say(why, "%s is served by %s, which is part of this storm", to, s->hosts[h].name);
    }
    return false;
}

static bool part_of_storm(const struct mail *m, const struct notice *n, struct reason *why)
{
    if (!notice_of_storm(n->type))
        return false;
    json_t *o = json_loadb(n->body, n->body_size, 0, NULL);
    struct storm *s = o ? storm_json_parse(o, why) : NULL;
    json_decref(o);
    bool within = s && (smarthost_within(m, s, why) || recipient_within(m, s, why));
    storm_json_free(s);
    return within;
}

/* ---- the letter ---- */

/* RFC 2047 for what is not ASCII, folded to whole characters of at most 45 octets a word. */
static void put_subject(FILE *to, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    bool plain = true;
    for (const char *p = text; *p; p++)
        plain = plain && *p >= ' ' && *p < 127;
    if (plain) {
        fprintf(to, "Subject: %.200s\r\n", text);
        return;
    }
    fputs("Subject:", to);
    for (size_t at = 0, total = strlen(text); at < total && at < 200;) {
        size_t end = at;
        do
            end++;
        while (text[end] && (end - at < 15 || ((unsigned char)text[end] & 0xc0) == 0x80));
        fputs(at ? "\r\n =?UTF-8?Q?" : " =?UTF-8?Q?", to);
        for (; at < end; at++)
            fprintf(to, "=%c%c", digits[(unsigned char)text[at] >> 4], digits[(unsigned char)text[at] & 15]);
        fputs("?=", to);
    }
    fputs("\r\n", to);
}

static void put_date(FILE *to, int64_t time)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(time / NS_PER_SECOND);
    struct tm t;
    gmtime_r(&seconds, &t);
    fprintf(to, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[t.tm_wday], t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour,
        t.tm_min, t.tm_sec);
}

static void put_storm(FILE *to, const struct notice *n)
{
    char address[ADDRESS_TEXT];
    fprintf(to, "Alarm: %s\r\nKind: %s\r\nSeverity: %s\r\n", n->id, storm_kind_text(n->kind), storm_severity_text(n->severity));
    if (n->message_id[0])
        fprintf(to, "Message-ID: %s\r\n", n->message_id);
    if (n->subject[0])
        fprintf(to, "Subject: %s\r\n", n->subject);
    if (address_known(n->reinjector) || n->reinjector_name[0])
        fprintf(to, "Re-sent by: %s %s\r\n", n->reinjector_name, address_text(n->reinjector, address));
    fprintf(to, "Copies: %llu, deliveries: %llu, to people who had it: %llu\r\n", (unsigned long long)n->copies,
        (unsigned long long)n->deliveries, (unsigned long long)n->redeliveries);
    if (n->url[0])
        fprintf(to, "%s\r\n", n->url);
}

static bool write_letter(const struct mail *m, const struct notice *n, struct letter *l)
{
    FILE *to = open_memstream(&l->text, &l->size);
    char subject[800], host[256] = "localhost";
    if (!to)
        return false;
    gethostname(host, sizeof host - 1);
    const char *about = notice_of_storm(n->type) ? storm_kind_text(n->kind) : n->part;
    snprintf(subject, sizeof subject, "[squall] %s %s %s: %s", storm_severity_text(n->severity), about, notice_type_text(n->type), n->why);
    put_date(to, clock_now());
    fprintf(to, "From: Squall <%s>\r\nTo: undisclosed-recipients:;\r\nMessage-ID: <notice-%llu.%lld@%s>\r\n", m->settings->from,
        (unsigned long long)n->number, (long long)(n->time / NS_PER_SECOND), host);
    put_subject(to, subject);
    fputs("Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nPrecedence: bulk\r\nMIME-Version: 1.0\r\n"
          "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        to);
    fprintf(to, "%s\r\n\r\n", n->why);
    if (notice_of_storm(n->type))
        put_storm(to, n);
    fprintf(to, "\r\n-- \r\nSquall on %s, notice %llu\r\n", n->sensor[0] ? n->sensor : host, (unsigned long long)n->number);
    return fclose(to) == 0;
}

static size_t read_letter(char *to, size_t size, size_t n, void *user)
{
    struct letter *l = user;
    size_t left = l->size - l->at, some = size * n < left ? size * n : left;
    memcpy(to, l->text + l->at, some);
    l->at += some;
    return some;
}

static enum delivery transfer(struct mail *m, struct letter *l, const atomic_bool *stop, struct reason *why)
{
    const struct mail_settings *o = m->settings;
    char url[600], host[256] = "localhost", from[320], error[CURL_ERROR_SIZE] = "";
    struct curl_slist *to = NULL;
    gethostname(host, sizeof host - 1);
    const char *scheme = o->tls && strcmp(m->port, "465") == 0 ? "smtps" : "smtp"; /* RFC 8314 */
    snprintf(url, sizeof url, strchr(m->host, ':') ? "%s://[%s]:%s/%s" : "%s://%s:%s/%s", scheme, m->host, m->port, host);
    snprintf(from, sizeof from, "<%s>", o->from);
    for (size_t i = 0; i < o->to.count; i++) {
        char line[320];
        snprintf(line, sizeof line, "<%s>", o->to.text[i]);
        to = webpost_lib.slist_append(to, line);
    }
    webpost_lib.easy_reset(m->curl);
    webpost_bounds(m->curl, o->timeout, o->ca, stop);
    webpost_lib.easy_setopt(m->curl, CURLOPT_URL, url);
    webpost_lib.easy_setopt(m->curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    webpost_lib.easy_setopt(m->curl, CURLOPT_MAIL_FROM, from);
    webpost_lib.easy_setopt(m->curl, CURLOPT_MAIL_RCPT, to);
    webpost_lib.easy_setopt(m->curl, CURLOPT_USE_SSL, o->tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
    if (o->user) {
        webpost_lib.easy_setopt(m->curl, CURLOPT_USERNAME, o->user);
        webpost_lib.easy_setopt(m->curl, CURLOPT_PASSWORD, o->password);
    }
    webpost_lib.easy_setopt(m->curl, CURLOPT_UPLOAD, 1L);
    webpost_lib.easy_setopt(m->curl, CURLOPT_READFUNCTION, read_letter);
    webpost_lib.easy_setopt(m->curl, CURLOPT_READDATA, l);
    webpost_lib.easy_setopt(m->curl, CURLOPT_ERRORBUFFER, error);
    webpost_lib.easy_setopt(m->curl, CURLOPT_FORBID_REUSE, 1L);
    CURLcode result = webpost_lib.easy_perform(m->curl);
    webpost_lib.easy_setopt(m->curl, CURLOPT_ERRORBUFFER, NULL);
    webpost_lib.slist_free_all(to);
    if (result == CURLE_OK) {
        reason_say(why, "%s: the smarthost took it", o->smarthost);
        return DELIVERY_CONFIRMED;
    }
    reason_say(why, "%s: %s", o->smarthost, error[0] ? error : webpost_lib.easy_strerror(result));
    return DELIVERY_FAILED;
}

static enum delivery mail_send(void *receiver, const struct notice *n, const atomic_bool *stop, struct reason *why)
{
    struct mail *m = receiver;
    struct letter l = {NULL, 0, 0};
    if (part_of_storm(m, n, why))
        return DELIVERY_REFUSED;
    enum delivery d = DELIVERY_FAILED;
    if (write_letter(m, n, &l))
        d = transfer(m, &l, stop, why);
    else
        reason_say(why, "out of memory");
    free(l.text);
    return d;
}

static bool mail_confirms(const void *section)
{
    (void)section;
    return true;
}

const struct courier_kind mail_kind = {"mail", mail_open, mail_close, mail_send, mail_confirms, NULL, NULL};
