/* In: the settings.  Out: a listening socket for server.c, opened while the process still may; or the reason why there must be none. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "web/text.h"
#include "web/web.h"

static bool is_loopback(struct address a)
{
    static const uint8_t one[16] = {[15] = 1};
    return address_is_v4(a) ? a.b[12] == 127 : memcmp(a.b, one, sizeof one) == 0;
}

/* What must not be served, must not be opened. */
static bool permitted(const struct web_settings *s, struct address a, struct reason *why)
{
    if (!s->certificate != !s->key)
        return reason_say(why, "web: certificate and key go together; set both or neither");
    if (s->password && s->password[0] != '$')
        return reason_say(why, "web: password is no crypt(5) hash; make one with `mkpasswd -m yescrypt`");
    if (!is_loopback(a) && (!s->certificate || !s->password))
        return reason_say(why,
            "listen: %s is outside this machine; set certificate, key and password in section web, or listen on 127.0.0.1", s->listen);
    return true;
}

static int open_socket(struct address a, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v4 = address_is_v4(a);
    int one = 1, fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    memcpy(&v4.sin_addr, a.b + 12, 4);
    memcpy(&v6.sin6_addr, a.b, 16);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!is_v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    const struct sockaddr *to = is_v4 ? (const struct sockaddr *)(const void *)&v4 : (const struct sockaddr *)(const void *)&v6;
    if (bind(fd, to, is_v4 ? sizeof v4 : sizeof v6) == 0 && listen(fd, 64) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int web_listen(const struct web_settings *s, struct reason *why, int *status)
{
    struct span host;
    uint16_t port;
    struct address a;
    *status = EX_CONFIG;
    if (!s->listen || !text_endpoint(span_text(s->listen), &host, &port) || !address_parse(host, &a)) {
        reason_say(why, "listen: \"%s\" is no ADDRESS:PORT, as 127.0.0.1:8025 or [::1]:8025", s->listen ? s->listen : "");
        return -1;
    }
    if (!permitted(s, a, why))
        return -1;
    int fd = open_socket(a, port);
    if (fd < 0) {
        int reason = errno;
        *status = reason == EACCES ? EX_NOPERM : EX_UNAVAILABLE;
        reason_say(why, "listen: %s: cannot serve the dashboard: %s; choose another port, or \"\" for none", s->listen, strerror(reason));
    }
    return fd;
}
