/* A page made on the server, for browsers without scripts.  What came from mail goes through page_text() alone.  Private to web/. */
#ifndef SQUALL_WEB_PAGE_H
#define SQUALL_WEB_PAGE_H

#include "web/api.h"

struct page {
    FILE *to; /* markup goes here as it is */
    char *text;
    size_t size;
    struct request *request;
    const struct words *words;
    enum language language;
};
/* Head, bar and <main>; `title` is text, `refresh` seconds, `path` this page's own.  False: out of memory. */
bool page_begin(struct page *p, struct request *r, const char *title, int refresh, const char *path);
enum MHD_Result page_send(struct page *p, unsigned status);

void page_text(struct page *p, const char *text);                                                    /* escaped; NULL: nothing */
void page_say(struct page *p, const char *key, int64_t n, const struct word *values);                /* words, escaped */
void page_tell(struct page *p, char *said);                                                          /* text of malloc, taken, escaped */
void page_number(struct page *p, double value, int digits);
void page_time(struct page *p, const json_t *moment);                                                /* of an alarm: RFC 3339 */
/* The picture of a graph, for both themes and for narrow screens. */
void page_picture(struct page *p, const char *name, const char *from, const char *title);
void page_fact(struct page *p, const char *key, const char *text, bool good); /* a line of a list of facts; "" and NULL: none */
void page_language(struct page *p); /* "lang=fr", for links */

handler plain_now, plain_alarm, plain_acknowledge;

#endif
