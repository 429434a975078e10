/* The words of a scenario's line, read one after the other.  What is wrong with a scenario ends the run: file, line and why. */
#ifndef SQUALL_TESTS_SCRIPT_WORDS_H
#define SQUALL_TESTS_SCRIPT_WORDS_H

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define WORDS 512

static const char *script_file;
static unsigned script_line;

static inline void stop(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static inline void stop(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%u: ", script_file, script_line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

struct words {
    char *word[WORDS];
    size_t count, at;
};

static inline const char *next(struct words *w)
{
    if (w->at == w->count)
        stop("a word is missing after \"%s\"", w->count ? w->word[w->count - 1] : "");
    return w->word[w->at++];
}

static inline bool take(struct words *w, const char *word)
{
    if (w->at == w->count || strcmp(w->word[w->at], word) != 0)
        return false;
    w->at++;
    return true;
}

static inline int64_t duration(const char *s)
{
    double sum = 0;
    do {
        char *end;
        double n = strtod(s, &end);
        if (end == s)
            stop("\"%s\" is no time", s);
        sum += n * (*end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 1);
        s = isalpha((unsigned char)*end) ? end + 1 : end;
    } while (*s);
    return (int64_t)(sum * (double)NS_PER_SECOND);
}

static inline uint64_t number(const char *s)
{
    char *end;
    unsigned long long n = strtoull(s, &end, 10);
    if (*end || end == s)
        stop("\"%s\" is no number", s);
    return n;
}

static inline void text(char *to, size_t size, const char *from)
{
    if ((size_t)snprintf(to, size, "%s", from) >= size)
        stop("\"%s\" is too long", from);
}

static inline void split(struct words *w, char *line)
{
    line[strcspn(line, "\n")] = 0;
    for (char *c = line; *c; c++)
        if (*c == '#' && (c == line || c[-1] == ' ')) {
            *c = 0;
            break;
        }
    for (char *word = strtok(line, " \t"); word; word = strtok(NULL, " \t")) {
        if (w->count == WORDS)
            stop("too many words");
        w->word[w->count++] = word;
    }
}

#endif
