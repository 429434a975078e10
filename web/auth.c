/* In: a password as the browser sent it, over TLS.  Out: whether it is the right one.  A wrong one costs a try; there are ten, and another
 * each second. */
#include "web/auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define TRIES 10

bool auth_init(struct auth *a, const char *hash)
{
    *a = (struct auth){.hash = hash, .tries = TRIES};
    return getrandom(a->salt, sizeof a->salt, 0) == (ssize_t)sizeof a->salt;
}

static void digest(const struct auth *a, const char *password, size_t n, uint8_t to[32])
{
    uint8_t text[sizeof a->salt + CRYPT_MAX_PASSPHRASE_SIZE];
    memcpy(text, a->salt, sizeof a->salt);
    memcpy(text + sizeof a->salt, password, n);
    SHA256(text, sizeof a->salt + n, to);
    OPENSSL_cleanse(text, sizeof text);
}

static bool is_right(const char *hash, const char *password)
{
    struct crypt_data *room = calloc(1, sizeof *room);
    const char *answer = room ? crypt_r(password, hash, room) : NULL;
    size_t n = strlen(hash);
    bool right = answer && answer[0] != '*' && strlen(answer) == n && CRYPTO_memcmp(answer, hash, n) == 0;
    if (room)
        OPENSSL_cleanse(room, sizeof *room);
    free(room);
    return right;
}

enum auth_verdict auth_check(struct auth *a, const char *password, int64_t now)
{
    uint8_t seen[32];
    if (!a->hash)
        return AUTH_YES;
    if (!password)
        return AUTH_NO;
    size_t n = strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE);
    if (n == CRYPT_MAX_PASSPHRASE_SIZE)
        return AUTH_NO;
    digest(a, password, n, seen);
    if (a->any_known && CRYPTO_memcmp(seen, a->known, sizeof seen) == 0)
        return AUTH_YES;
    a->tries += (double)(now - a->filled) / (double)NS_PER_SECOND;
    a->filled = now;
    if (a->tries > TRIES)
        a->tries = TRIES;
    if (a->tries < 1)
        return AUTH_LATER;
    if (!is_right(a->hash, password)) {
        a->tries--;
        return AUTH_NO;
    }
    memcpy(a->known, seen, sizeof seen);
    a->any_known = true;
    return AUTH_YES;
}
