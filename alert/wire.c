/* In: syslog messages.  Out: on the wire, and whether the receiver's TCP has acknowledged them.  A connection that the receiver has closed
 * is noticed before the next message is given to it, so none is written into the void. */
#include "alert/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLICE 100 /* ms between two looks at *stop */

struct wire {
    const struct syslog_settings *settings;
    char host[256], port[8];
    bool datagram, tls;
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

/* The library's oldest complaint, which is the cause. */
static const char *tls_error(char text[256])
{
    unsigned long code = ERR_get_error();
    if (code == 0)
        return "the connection broke";
    ERR_error_string_n(code, text, 256);
    const char *last = strrchr(text, ':');
    ERR_clear_error();
    return last ? last + 1 : text;
}

static bool context_new(struct wire *s, struct reason *why)
{
    const struct syslog_settings *o = s->settings;
    char text[256];
    s->context = SSL_CTX_new(TLS_client_method());
    if (!s->context)
        return reason_say(why, "%s: no TLS to be had", o->route.name);
    SSL_CTX_set_min_proto_version(s->context, TLS1_2_VERSION);
    SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(s->context, SSL_MODE_AUTO_RETRY);
    if (o->ca ? SSL_CTX_load_verify_file(s->context, o->ca) != 1 : SSL_CTX_set_default_verify_paths(s->context) != 1)
        return reason_say(why, "%s: ca: %s: %s", o->route.name, o->ca ? o->ca : "the system's", tls_error(text));
    if (o->certificate && (SSL_CTX_use_certificate_chain_file(s->context, o->certificate) != 1 ||
                              SSL_CTX_use_PrivateKey_file(s->context, o->key, SSL_FILETYPE_PEM) != 1))
        return reason_say(why, "%s: certificate or key: %s", o->route.name, tls_error(text));
    return true;
}

struct wire *wire_new(const struct syslog_settings *o, struct reason *why)
{
    struct wire *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->settings = o;
    s->fd = -1;
    s->datagram = strncmp(o->address, "udp:", 4) == 0;
    s->tls = strncmp(o->address, "tls:", 4) == 0;
    alert_address_split(o->address + 4, s->datagram ? "514" : s->tls ? "6514" : "601", s->host, s->port);
    if (!s->tls || context_new(s, why))
        return s;
    wire_free(s);
    return NULL;
}

static void disconnect(struct wire *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void wire_free(struct wire *s)
{
    if (!s)
        return;
    if (s->ssl)
        SSL_shutdown(s->ssl);
    disconnect(s);
    SSL_CTX_free(s->context);
    free(s);
}

/* Waits until the socket is ready for `events`; false: too late, or we are to stop. */
static bool ready(const struct wire *s, short events, int64_t deadline, const atomic_bool *stop)
{
    while (!atomic_load(stop) && clock_monotonic() < deadline) {
        struct pollfd p = {.fd = s->fd, .events = events};
        if (poll(&p, 1, SLICE) > 0)
            return true;
    }
    errno = ETIMEDOUT;
    return false;
}

static bool connect_one(struct wire *s, const struct addrinfo *a, int64_t deadline, const atomic_bool *stop)
{
    int error = 0;
    socklen_t size = sizeof error;
    s->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (s->fd < 0)
        return false;
    if (connect(s->fd, a->ai_addr, a->ai_addrlen) == 0)
        return true;
    if (errno == EINPROGRESS && ready(s, POLLOUT, deadline, stop) && getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0) {
        if (error == 0)
            return true;
        errno = error;
    }
    error = errno;
    disconnect(s);
    errno = error;
    return false;
}

/* What an OpenSSL call wants before it goes on; false: it failed, or too late. */
static bool tls_wait(struct wire *s, int result, int64_t deadline, const atomic_bool *stop)
{
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ: return ready(s, POLLIN, deadline, stop);
    case SSL_ERROR_WANT_WRITE: return ready(s, POLLOUT, deadline, stop);
    default: return false;
    }
}

static bool handshake(struct wire *s, int64_t deadline, const atomic_bool *stop, struct reason *why)
{
    struct address literal;
    char text[256], name[256];
    span_copy(span_text(s->settings->name ? s->settings->name : s->host), name, sizeof name);
    ERR_clear_error();
    s->ssl = SSL_new(s->context);
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
        return reason_say(why, "%s: %s", s->settings->address, tls_error(text));
    if (address_parse(span_text(name), &literal))
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), name);
    else {
        SSL_set1_host(s->ssl, name);
        SSL_set_tlsext_host_name(s->ssl, name);
    }
    for (int result; (result = SSL_connect(s->ssl)) != 1;)
        if (!tls_wait(s, result, deadline, stop)) {
            long verdict = SSL_get_verify_result(s->ssl);
            return reason_say(
                why, "%s: TLS: %s", s->settings->address, verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_error(text));
        }
    return true;
}

static bool establish(struct wire *s, int64_t deadline, const atomic_bool *stop, struct reason *why)
{
    struct addrinfo hints = {.ai_socktype = s->datagram ? SOCK_DGRAM : SOCK_STREAM}, *list = NULL;
    int failed = getaddrinfo(s->host, s->port, &hints, &list);
    if (failed)
        return reason_say(why, "%s: %s", s->settings->address, gai_strerror(failed));
    for (const struct addrinfo *a = list; a && s->fd < 0; a = a->ai_next)
        connect_one(s, a, deadline, stop);
    int error = errno;
    freeaddrinfo(list);
    if (s->fd < 0)
        return reason_say(why, "%s: %s", s->settings->address, strerror(error));
    return !s->tls || handshake(s, deadline, stop, why);
}

/* A syslog receiver says nothing: what can be read is its farewell (or, under TLS, a session ticket). */
static bool still_there(struct wire *s)
{
    char byte[64];
    if (s->tls) {
        ERR_clear_error();
        int n = SSL_read(s->ssl, byte, sizeof byte);
        return n > 0 || SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_READ;
    }
    ssize_t n = recv(s->fd, byte, sizeof byte, MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

static bool write_all(struct wire *s, const char *p, size_t n, int64_t deadline, const atomic_bool *stop)
{
    while (n) {
        ssize_t wrote = s->tls ? SSL_write(s->ssl, p, (int)n) : send(s->fd, p, n, MSG_NOSIGNAL);
        if (wrote > 0) {
            p += wrote;
            n -= (size_t)wrote;
        } else if (s->tls ? !tls_wait(s, (int)wrote, deadline, stop) : errno != EAGAIN || !ready(s, POLLOUT, deadline, stop))
            return false;
    }
    return true;
}

/* Until the receiver's TCP has acknowledged everything. */
static bool taken(const struct wire *s, int64_t deadline, const atomic_bool *stop)
{
    for (int left = 0; ioctl(s->fd, SIOCOUTQ, &left) == 0 && left > 0; poll(NULL, 0, 5))
        if (atomic_load(stop) || clock_monotonic() >= deadline) {
            errno = ETIMEDOUT;
            return false;
        }
    return true;
}

static enum delivery send_datagram(struct wire *s, const char *text, size_t size, struct reason *why)
{
    if (send(s->fd, text, size, MSG_NOSIGNAL) == (ssize_t)size) {
        reason_say(why, "a datagram; nothing tells whether it arrived");
        return DELIVERY_HOPED;
    }
    reason_say(why, "%s: %s", s->settings->address, strerror(errno));
    disconnect(s);
    return DELIVERY_FAILED;
}

enum delivery wire_send(struct wire *s, const char *text, size_t size, const atomic_bool *stop, struct reason *why)
{
    int64_t deadline = clock_monotonic() + s->settings->timeout;
    if (s->fd >= 0 && !s->datagram && !still_there(s))
        disconnect(s);
    if (s->fd < 0 && !establish(s, deadline, stop, why)) {
        disconnect(s);
        return DELIVERY_FAILED;
    }
    if (s->datagram)
        return send_datagram(s, text, size, why);
    char head[24], problem[256] = "";
    size_t head_size = (size_t)snprintf(head, sizeof head, "%zu ", size);
    char *frame = malloc(head_size + size);
    bool good = frame != NULL;
    errno = frame ? 0 : ENOMEM;
    if (frame) {
        memcpy(frame, head, head_size);
        memcpy(frame + head_size, text, size);
        good = write_all(s, frame, head_size + size, deadline, stop) && taken(s, deadline, stop);
    }
    free(frame);
    int error = errno;
    if (good && still_there(s)) {
        reason_say(why, s->tls ? "the TLS connection took it" : "the TCP connection took it");
        return DELIVERY_CONFIRMED;
    }
    reason_say(why, "%s: %s", s->settings->address, error ? strerror(error) : tls_error(problem));
    disconnect(s);
    return DELIVERY_FAILED;
}
