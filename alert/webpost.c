/* In: a URL and a body.  Out: POSTed, and whether the receiver confirmed it. */
#include "alert/webpost.h"

#include <pthread.h>

#include "base/late.h"

#define ANSWER_MOST ((curl_off_t)65536) /* bytes: who sends more is no receiver of ours */

struct webpost_lib webpost_lib;
static struct reason not_loaded;

static void library_start(void)
{
#define X(name, function) {#function, &webpost_lib.name},
    static const struct late_call calls[] = {WEBPOST_CALLS(X)};
#undef X
    if (late_load("libcurl.so.4", calls, sizeof calls / sizeof *calls, &not_loaded))
        webpost_lib.global_init(CURL_GLOBAL_DEFAULT);
}

CURL *webpost_open(struct reason *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_start);
    if (not_loaded.text[0]) {
        *why = not_loaded;
        return NULL;
    }
    CURL *curl = webpost_lib.easy_init();
    if (!curl)
        reason_say(why, "libcurl: out of memory");
    return curl;
}

/* Scheme, host and port: the rest of a URL may be a secret, and what is said here goes to the log, the dashboard and the other channels. */
static void place_of(const char *url, char place[256])
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *u = webpost_lib.url();
    if (u && webpost_lib.url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        webpost_lib.url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        webpost_lib.url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        webpost_lib.url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        snprintf(place, 256, "%s://%.200s:%s", scheme, host, port);
    else
        snprintf(place, 256, "the URL");
    webpost_lib.free(scheme);
    webpost_lib.free(host);
    webpost_lib.free(port);
    webpost_lib.url_cleanup(u);
}

static size_t pass_over(char *p, size_t size, size_t n, void *user)
{
    curl_off_t *seen = user;
    (void)p;
    *seen += (curl_off_t)(size * n);
    return *seen > ANSWER_MOST ? 0 : size * n;
}

static int on_progress(void *user, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    (void)down_all, (void)down, (void)up_all, (void)up;
    return atomic_load((const atomic_bool *)user);
}

void webpost_bounds(CURL *curl, int64_t timeout, const char *ca, const atomic_bool *stop)
{
    webpost_lib.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    webpost_lib.easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout / 1000000));
    webpost_lib.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    webpost_lib.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    webpost_lib.easy_setopt(curl, CURLOPT_XFERINFODATA, stop);
    webpost_lib.easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (ca)
        webpost_lib.easy_setopt(curl, CURLOPT_CAINFO, ca);
}

enum delivery webpost_send(CURL *curl, const char *url, const char *ca, int64_t timeout, const struct curl_slist *headers, const char *body,
    size_t size, const atomic_bool *stop, struct reason *why)
{
    curl_off_t seen = 0;
    long status = 0;
    char error[CURL_ERROR_SIZE] = "", place[256];
    place_of(url, place);
    struct curl_slist *all = webpost_lib.slist_append(NULL, "Content-Type: application/json");
    all = webpost_lib.slist_append(all, "Expect:"); /* some receivers never say 100 */
    for (; headers; headers = headers->next)
        all = webpost_lib.slist_append(all, headers->data);
    webpost_lib.easy_reset(curl); /* keeps the connection */
    webpost_bounds(curl, timeout, ca, stop);
    webpost_lib.easy_setopt(curl, CURLOPT_URL, url);
    webpost_lib.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    webpost_lib.easy_setopt(curl, CURLOPT_USERAGENT, "squall/" SQUALL_VERSION);
    webpost_lib.easy_setopt(curl, CURLOPT_HTTPHEADER, all);
    webpost_lib.easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    webpost_lib.easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    webpost_lib.easy_setopt(curl, CURLOPT_WRITEFUNCTION, pass_over);
    webpost_lib.easy_setopt(curl, CURLOPT_WRITEDATA, &seen);
    webpost_lib.easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    CURLcode result = webpost_lib.easy_perform(curl);
    webpost_lib.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    webpost_lib.easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    webpost_lib.slist_free_all(all);
    if (result != CURLE_OK && !(result == CURLE_WRITE_ERROR && status >= 200 && status < 300)) {
        reason_say(why, "%s: %s", place, error[0] ? error : webpost_lib.easy_strerror(result));
        return DELIVERY_FAILED;
    }
    reason_say(why, "%s: HTTP status %ld", place, status);
    if (status >= 200 && status < 300)
        return DELIVERY_CONFIRMED;
    return status == 400 || status == 413 || status == 415 || status == 422 ? DELIVERY_REFUSED : DELIVERY_FAILED;
}
