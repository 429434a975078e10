/* Hostile texts around an address that must not be shown: whatever stands before and behind it, neither the masked sentence nor what is
 * kept of a line of evidence holds its local part.  What is masked fits, and what is kept lies in the line, in order. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "smtpdissect/personal.h"
#include "stats/mask.h"

#define SECRET "q7secret"
#define ADDRESS SECRET "@domain.example"
#define TEXT_MOST 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(enum storm_privacy privacy, struct span text, bool cut)
{
    const struct mask m = {.privacy = privacy};
    for (size_t room = 1; room <= TEXT_MOST * 4; room = room * 4 + 1) {
        char *to = malloc(room);
        assert(to);
        mask_text(&m, text, cut, to, room);
        assert(memchr(to, 0, room) && !strstr(to, SECRET));
        mask_address(&m, text, to, room);
        assert(memchr(to, 0, room) && !strstr(to, SECRET));
        free(to);
    }
}

/* The bytes of the line's copy that were not told are overwritten; then no secret may stand there. */
static void check_parts(struct span line, const struct parts *p)
{
    uint8_t kept[TEXT_MOST * 2];
    const uint8_t *before = line.p;
    memset(kept, 'x', sizeof kept);
    for (size_t i = 0; i < p->count; i++) {
        assert(p->list[i].p >= before && p->list[i].p + p->list[i].n <= line.p + line.n);
        memcpy(kept + (p->list[i].p - line.p), p->list[i].p, p->list[i].n);
        before = p->list[i].p + p->list[i].n;
    }
    assert(!memmem(kept, line.n, SECRET, strlen(SECRET)));
}

static void check_line(const char *start, struct span text, bool whole)
{
    uint8_t *line = malloc(strlen(start) + text.n + 1);
    assert(line);
    memcpy(line, start, strlen(start));
    memcpy(line + strlen(start), text.p, text.n);
    struct span all = span_of(line, strlen(start) + text.n), list[64];
    struct parts p = {list, 0, 64};
    personal_command(all, whole, &p);
    check_parts(all, &p);
    p.count = 0;
    personal_reply(all, whole, &p);
    check_parts(all, &p);
    p.count = 0;
    personal_field(all, whole, &p);
    check_parts(all, &p);
    for (int field = PERSONAL_TEXT; field <= PERSONAL_LIST; field++) {
        p.count = 0;
        personal_value((enum personal_field)field, all, whole, &p);
        check_parts(all, &p);
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const starts[] = {"", "MAIL FROM:", "RCPT TO:<", "250 ", "From: ", "Received: ", "Subject: "};
    uint8_t text[TEXT_MOST];
    size_t n = size < 2 ? 0 : size - 2, before = n ? data[0] % (n + 1) : 0;
    if (size < 2 || n + sizeof "<" ADDRESS ">" > sizeof text || memmem(data, size, "q7", 2))
        return 0;
    bool bracket = data[1] & 1, whole = data[1] & 2;
    size_t at = 0;
    memcpy(text, data + 2, before);
    at = before;
    memcpy(text + at, bracket ? "<" ADDRESS ">" : ADDRESS, strlen(ADDRESS) + (bracket ? 2 : 0));
    at += strlen(ADDRESS) + (bracket ? 2 : 0);
    memcpy(text + at, data + 2 + before, n - before);
    at += n - before;
    for (size_t i = 0; i < at; i++)
        if (text[i] == 0 || text[i] == '\r' || text[i] == '\n') /* texts and lines hold none */
            return 0;
    check_text(PRIVACY_DOMAIN, span_of(text, at), whole);
    check_text(PRIVACY_PSEUDONYM, span_of(text, at), whole);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        check_line(starts[i], span_of(text, at), whole);
    return 0;
}
