/* In: markup and texts, from plain.c and plain_alarm.c.  Out: a page of the same sheet as those with scripts. */
#include "web/page.h"

#include <stdlib.h>

#include "stats/figure.h"
#include "web/answer.h"
#include "web/words.h"

void page_text(struct page *p, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++)
        switch (*c) {
        case '&':
            fputs("&amp;", p->to);
            break;
        case '<':
            fputs("&lt;", p->to);
            break;
        case '>':
            fputs("&gt;", p->to);
            break;
        case '"':
            fputs("&quot;", p->to);
            break;
        case '\'':
            fputs("&#39;", p->to);
            break;
        default:
            fputc(*c, p->to);
        }
}

void page_tell(struct page *p, char *said)
{
    page_text(p, said);
    free(said);
}

void page_say(struct page *p, const char *key, int64_t n, const struct word *values)
{
    page_tell(p, words_say(p->words, p->language, key, n, values));
}

void page_number(struct page *p, double value, int digits)
{
    char number[WORDS_NUMBER];
    page_text(p, words_number(p->language, value, digits, number));
}

void page_time(struct page *p, const json_t *moment)
{
    int64_t t;
    char text[FIGURE_TEXT];
    bool known = clock_parse(span_text(json_string_value(moment)), &t);
    page_text(p, known ? figure_time(t, text) : "–");
}

void page_language(struct page *p)
{
    fprintf(p->to, "lang=%s", words_code(p->language));
}

void page_fact(struct page *p, const char *key, const char *text, bool good)
{
    if (!text || !text[0])
        return;
    fputs("<dt>", p->to);
    page_say(p, key, WORDS_NO_NUMBER, NULL);
    fprintf(p->to, "</dt><dd%s>", good ? "" : " class=\"bad\"");
    page_text(p, text);
    fputs("</dd>\n", p->to);
}

static void picture_address(struct page *p, const char *name, const char *from, const char *look)
{
    fputs("/graph/", p->to);
    page_text(p, name);
    fprintf(p->to, ".svg?%s%s%s&amp;", from ? "from=" : "", from ? from : "", look);
    page_language(p);
}

void page_picture(struct page *p, const char *name, const char *from, const char *title)
{
    static const struct {
        const char *media, *look;
    } sources[] = {{"(prefers-color-scheme: dark) and (max-width: 560px)", "&amp;theme=dark&amp;width=400"},
        {"(max-width: 560px)", "&amp;width=400"}, {"(prefers-color-scheme: dark)", "&amp;theme=dark&amp;width=1180"}};
    fputs("<picture>", p->to);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        fprintf(p->to, "<source media=\"%s\" srcset=\"", sources[i].media);
        picture_address(p, name, from, sources[i].look);
        fputs("\">", p->to);
    }
    fputs("<img class=\"graph\" src=\"", p->to);
    picture_address(p, name, from, "&amp;width=1180");
    fputs("\" alt=\"", p->to);
    page_say(p, title, WORDS_NO_NUMBER, NULL);
    fputs("\"></picture>\n", p->to);
}

static void write_bar(struct page *p, const char *path)
{
    static const struct {
        const char *key, *path;
    } pages[] = {{"nav.now", ""}, {"nav.alarms", "#alarms"}, {"nav.messages", "#messages"}, {"nav.sensor", "#sensor"}};
    fputs("<header class=\"bar\"><a class=\"word\" href=\"/plain?", p->to);
    page_language(p);
    fputs("\">Squall</a><nav>", p->to);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        fputs("<a href=\"/plain?", p->to);
        page_language(p);
        fprintf(p->to, "%s\">", pages[i].path);
        page_say(p, pages[i].key, WORDS_NO_NUMBER, NULL);
        fputs("</a>", p->to);
    }
    fputs("</nav><div class=\"health\"><span class=\"languages\">", p->to);
    for (int l = 0; l < LANGUAGE_COUNT; l++) {
        const char *code = words_code((enum language)l);
        fputs("<a href=\"", p->to);
        page_text(p, path);
        fprintf(p->to, "?lang=%s\" lang=\"%s\" title=\"%s\"%s>%c%c</a>", code, code, words_title((enum language)l),
            l == (int)p->language ? " aria-current=\"true\"" : "", code[0] - 'a' + 'A', code[1] - 'a' + 'A');
    }
    fputs("</span></div></header>\n<main>\n", p->to);
}

bool page_begin(struct page *p, struct request *r, const char *title, int refresh, const char *path)
{
    *p = (struct page){.request = r, .words = r->web->words};
    p->language = words_language(answer_argument(r, "lang"), answer_field(r, "Accept-Language"));
    p->to = open_memstream(&p->text, &p->size);
    if (!p->to)
        return false;
    fprintf(p->to, "<!doctype html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"referrer\" content=\"same-origin\">" /* or the browser hides where a form comes from */
        "<meta http-equiv=\"refresh\" content=\"%d\"><title>", words_code(p->language), refresh);
    page_text(p, title);
    fputs("</title><link rel=\"icon\" type=\"image/svg+xml\" href=\"/static/icon.svg\">"
        "<link rel=\"stylesheet\" href=\"/static/squall.css\"></head>\n<body class=\"plain\">\n", p->to);
    write_bar(p, path);
    return true;
}

enum MHD_Result page_send(struct page *p, unsigned status)
{
    fputs("</main></body></html>\n", p->to);
    if (fclose(p->to) == 0)
        return answer_text(p->request, status, "text/html; charset=utf-8", p->text, p->size, NULL);
    free(p->text);
    return MHD_NO;
}
