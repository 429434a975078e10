/* In: the clear text of an alarm and the key of the period.  Out: bytes that say nothing without that key, to the history; and back.
 * Layout: version (1 byte), key (8, its second), length of the text (4), nonce (12), ciphertext, tag (16). */
#include "stats/seal.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <zlib.h>

#define VERSION 1
#define NONCE   12
#define TAG     16
#define HEAD    (1 + 8 + 4 + NONCE)
#define MOST    (64u << 20) /* bytes of a text; no storm is so large */

void key_derive(const struct key *key, const char *use, uint8_t to[KEY_BYTES])
{
    unsigned n = 0;
    const uint8_t *made = HMAC(EVP_sha256(), key->bytes, KEY_BYTES, (const uint8_t *)use, strlen(use), to, &n);
    assert(made && n == KEY_BYTES); /* fails only where there is no SHA-256 */
}

static void put_number(uint8_t *to, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
}

static uint64_t get_number(const uint8_t *p, int bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < bytes; i++)
        n = n << 8 | p[i];
    return n;
}

/* Turns n bytes at `p` into the same number at `to`; what is authenticated beside them is the head, and whose they are. */
static bool cipher(const struct key *key, const char *alarm, const uint8_t *head, bool sealing, const uint8_t *p, size_t n, uint8_t *to,
    uint8_t tag[TAG])
{
    uint8_t own[KEY_BYTES];
    int done;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    key_derive(key, "seals", own);
    bool good = c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, own, head + HEAD - NONCE, sealing) == 1 &&
                EVP_CipherUpdate(c, NULL, &done, head, HEAD - NONCE) == 1 &&
                EVP_CipherUpdate(c, NULL, &done, (const uint8_t *)alarm, (int)strlen(alarm)) == 1 &&
                EVP_CipherUpdate(c, to, &done, p, (int)n) == 1;
    if (good && !sealing)
        good = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1;
    good = good && EVP_CipherFinal_ex(c, to + done, &done) == 1;
    if (good && sealing)
        good = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1;
    EVP_CIPHER_CTX_free(c);
    OPENSSL_cleanse(own, sizeof own);
    return good;
}

bool seal_make(const struct key *key, const char *alarm, struct span text, uint8_t **sealed, size_t *n)
{
    uLongf packed_size = compressBound(text.n);
    uint8_t *packed = text.n && text.n <= MOST ? malloc(packed_size) : NULL, *out = NULL;
    bool good = packed && compress2(packed, &packed_size, text.p, text.n, Z_BEST_SPEED) == Z_OK;
    if (good && (out = malloc(HEAD + packed_size + TAG))) {
        out[0] = VERSION;
        put_number(out + 1, (uint64_t)key->made, 8);
        put_number(out + 9, text.n, 4);
        good = RAND_bytes(out + HEAD - NONCE, NONCE) == 1 &&
               cipher(key, alarm, out, true, packed, packed_size, out + HEAD, out + HEAD + packed_size);
    }
    if (packed)
        OPENSSL_cleanse(packed, packed_size);
    free(packed);
    if (good && out) {
        *sealed = out;
        *n = HEAD + packed_size + TAG;
        return true;
    }
    free(out);
    return false;
}

char *seal_open(const char *state_directory, const char *alarm, struct span sealed, struct reason *why)
{
    struct key key;
    if (sealed.n < HEAD + TAG || sealed.p[0] != VERSION || get_number(sealed.p + 9, 4) > MOST) {
        reason_say(why, "alarm %s: its clear text was not sealed by this version", alarm);
        return NULL;
    }
    if (!keyring_find(state_directory, (int64_t)get_number(sealed.p + 1, 8), &key)) {
        reason_say(why, "alarm %s: its clear text is gone: the key that sealed it was destroyed when privacy_reveal was over", alarm);
        return NULL;
    }
    size_t n = sealed.n - HEAD - TAG;
    uLongf size = (uLongf)get_number(sealed.p + 9, 4);
    uint8_t tag[TAG], *packed = malloc(n + 1);
    char *text = malloc(size + 1);
    memcpy(tag, sealed.p + sealed.n - TAG, TAG);
    bool good = packed && text && cipher(&key, alarm, sealed.p, false, sealed.p + HEAD, n, packed, tag) &&
                uncompress((uint8_t *)text, &size, packed, n) == Z_OK;
    OPENSSL_cleanse(&key, sizeof key);
    if (packed)
        OPENSSL_cleanse(packed, n);
    free(packed);
    if (good) {
        text[size] = '\0';
        return text;
    }
    free(text);
    reason_say(why, "alarm %s: its sealed text was changed, or is another alarm's", alarm);
    return NULL;
}
