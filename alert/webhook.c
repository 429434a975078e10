/* In: notices of one webhook section.  Out: each POSTed as JSON, signed when there is a secret: X-Squall-Signature: sha256=HEX, the HMAC of
 * the body. */
#include "alert/webpost.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

struct webhook {
    const struct webhook_settings *settings;
    CURL *curl;
};

static void *webhook_open(const void *section, struct reason *why)
{
    struct webhook *w = calloc(1, sizeof *w);
    if (!w || !(w->curl = webpost_open(why))) {
        free(w);
        return NULL;
    }
    w->settings = section;
    return w;
}

static void webhook_close(void *receiver)
{
    struct webhook *w = receiver;
    webpost_lib.easy_cleanup(w->curl);
    free(w);
}

static void signature(const char *secret, const struct notice *n, char *to, size_t size)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)n->body, n->body_size, mac, &length);
    int at = snprintf(to, size, "X-Squall-Signature: sha256=");
    for (unsigned i = 0; i < length; i++)
        at += snprintf(to + at, size - (size_t)at, "%02x", mac[i]);
}

static enum delivery webhook_send(void *receiver, const struct notice *n, const atomic_bool *stop, struct reason *why)
{
    struct webhook *w = receiver;
    const struct webhook_settings *o = w->settings;
    char line[160];
    struct curl_slist *headers = NULL;
    snprintf(line, sizeof line, "X-Squall-Notice: %llu", (unsigned long long)n->number);
    headers = webpost_lib.slist_append(headers, line);
    if (o->secret) {
        signature(o->secret, n, line, sizeof line);
        headers = webpost_lib.slist_append(headers, line);
    }
    enum delivery d = webpost_send(w->curl, o->url, o->ca, o->timeout, headers, n->body, n->body_size, stop, why);
    webpost_lib.slist_free_all(headers);
    return d;
}

static bool webhook_confirms(const void *section)
{
    (void)section;
    return true;
}

const struct courier_kind webhook_kind = {"webhook", webhook_open, webhook_close, webhook_send, webhook_confirms, NULL, NULL};
