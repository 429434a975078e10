/* squall.conf.  Each room lists its settings in a table of its own (name, type, default, bounds, unit, doc) and owns the struct they are
 * read into; libconfuse does the reading, this file the checking.  One table feeds the parser, `check-config`, squall.conf(5) and the
 * sample. */
#ifndef SQUALL_BASE_CONFIG_H
#define SQUALL_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"

enum setting_type {
    SETTING_BOOL,    /* bool */
    SETTING_COUNT,   /* int64_t */
    SETTING_SIZE,    /* int64_t, bytes; written "128 MiB" */
    SETTING_SECONDS, /* int64_t, nanoseconds; written as seconds, or "10 min", "250 ms" */
    SETTING_RATIO,   /* double */
    SETTING_TEXT,    /* char *, NULL when empty */
    SETTING_PORTS,   /* struct port_set */
    SETTING_TEXTS,   /* struct text_list */
};

struct port_set {
    uint16_t port[32];
    size_t count;
};

struct text_list {
    char *text[32];
    size_t count;
};

struct setting {
    const char *section; /* NULL: top level */
    const char *name;
    enum setting_type type;
    size_t offset;        /* of the field in its room's struct */
    const char *fallback; /* the default, as it would be written in the file */
    double least, most;   /* bounds in the unit of the field's text (bytes, seconds, ...); equal: no bounds */
    const char *doc;      /* one sentence; ends in the unit when there is one */
};

struct setting_group { /* one room's settings */
    const char *about;   /* heading in the sample file */
    const struct setting *list;
    size_t count;
    void *values;        /* the room's struct */
    const char *titled;  /* NULL, or the name of a section that may stand several times, each with a title: interface "eth1" {}; every */
    void *(*add)(void *values, const char *title); /* such section fills the struct add() gives; NULL: one too many */
};

/* Writes every default.  Asserts that the tables are right. */
void config_defaults(const struct setting_group *groups, size_t count);
/* Reads FILE over the defaults.  False: *why holds "FILE:LINE: what is wrong; what to do". */
bool config_read(const char *path, const struct setting_group *groups, size_t count, struct reason *why);
/* About a value that reads well and is wrong all the same, of the file last read: false, and *why is "FILE:LINE: section "title": name: "
 * and the text.  title "": the section has none; a value that is not in the file is said of its section's line. */
bool config_wrong(struct reason *why, const char *section, const char *title, const char *name, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* A complete squall.conf with every setting commented out: its doc, unit and default. */
void config_sample(const struct setting_group *groups, size_t count, FILE *to);

#endif
