/* Who may see the pages: those who know the password.  Used by web's one thread alone.  Private to web/. */
#ifndef SQUALL_WEB_AUTH_H
#define SQUALL_WEB_AUTH_H

#include <stdbool.h>
#include <stdint.h>

enum auth_verdict { AUTH_YES, AUTH_NO, AUTH_LATER }; /* LATER: too many wrong ones; this one was not looked at */
struct auth {
    const char *hash; /* crypt(5); NULL: everybody may */
    uint8_t salt[32], known[32]; /* of the last right password: saves hashing it slowly each time */
    bool any_known;
    double tries;     /* left */
    int64_t filled;   /* monotonic ns */
};
bool auth_init(struct auth *a, const char *hash); /* false: no random bytes */
enum auth_verdict auth_check(struct auth *a, const char *password, int64_t now); /* NULL: none given */

#endif
