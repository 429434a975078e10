/* In: squall.conf and the rooms' tables of settings.  Out: the rooms' structs, filled and checked, or one line that says what is wrong
 * where.  libconfuse reads the grammar; every value reaches us as text, so that units, bounds and messages are ours, no locale matters. */
#include "base/config.h"

#include <assert.h>
#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/place.h"
#include "base/setting.h"

#define MOST_OPTIONS 160 /* top level: settings, sections, and the end mark */
#define FILE_MOST ((size_t)1 << 20)

static void group_defaults(const struct setting_group *g, void *values)
{
    for (size_t i = 0; i < g->count; i++)
        setting_default(&g->list[i], values);
}

void config_defaults(const struct setting_group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!groups[i].titled)
            group_defaults(&groups[i], groups[i].values);
}

/* ---- the file --------------------------------------------------------------------------------------------------------------- */

static struct reason *first_error; /* libconfuse gives its error function no place of ours to write to; reading is single-threaded */

static void keep_error(cfg_t *cfg, const char *format, va_list args)
{
    if (first_error->text[0])
        return; /* what follows a first mistake is often its echo */
    char what[REASON_SIZE / 2];
    vsnprintf(what, sizeof what, format, args);
    reason_say(first_error, "%s:%d: %s", cfg->filename, cfg->line, what);
}

static const struct setting_group *all_groups;
static size_t all_count;

/* The setting that a value of the file belongs to: `section` is the name of the section it stands in, NULL at top level. */
static const struct setting *setting_find(const char *section, const char *name, const struct setting_group **group)
{
    for (size_t g = 0; g < all_count; g++)
        for (size_t i = 0; i < all_groups[g].count; i++) {
            const struct setting *s = &all_groups[g].list[i];
            const char *in = all_groups[g].titled ? all_groups[g].titled : s->section;
            if (strcmp(s->name, name) == 0 && (in && section ? strcmp(in, section) == 0 : !in && !section)) {
                *group = &all_groups[g];
                return s;
            }
        }
    return NULL;
}

/* Called for each value as it is read, so that a mistake is reported with the line it stands in. */
static int check_value(cfg_t *cfg, cfg_opt_t *opt)
{
    const struct setting_group *g = NULL;
    const char *section = strcmp(cfg_name(cfg), "root") == 0 ? NULL : cfg_name(cfg);
    const struct setting *s = setting_find(section, opt->name, &g);
    struct reason why = {""};
    union { /* a field of any type but text, to try the value on */
        bool yes;
        int64_t whole;
        double ratio;
        struct port_set ports;
    } trial = {.ports = {.count = 0}};
    struct setting alone = *s;
    alone.offset = 0;
    const char *last = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1), *title = cfg_title(cfg);
    place_note(section ? section : "", title ? title : "", s->name, cfg->line);
    if (!last || s->type == SETTING_TEXT || s->type == SETTING_TEXTS)
        return 0;
    bool good = setting_is_list(s) ? setting_add(&alone, &trial, last, &why) : setting_put(&alone, &trial, last, &why);
    if (!good)
        cfg_error(cfg, "%s", why.text);
    return good ? 0 : -1;
}

static bool take_values(cfg_t *cfg, const struct setting_group *g, const char *section, void *values, struct reason *why)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct setting *s = &g->list[i];
        if (!g->titled && (s->section && section ? strcmp(s->section, section) != 0 : s->section != section))
            continue;
        cfg_opt_t *opt = cfg_getopt(cfg, s->name);
        unsigned n = cfg_opt_size(opt);
        if (n == 0 || (!setting_is_list(s) && !cfg_opt_getnstr(opt, 0)))
            continue; /* not in the file */
        if (setting_is_list(s)) {
            setting_empty(s, values);
            for (unsigned v = 0; v < n; v++)
                if (!setting_add(s, values, cfg_opt_getnstr(opt, v), why))
                    return false;
        } else if (!setting_put(s, values, cfg_opt_getnstr(opt, 0), why))
            return false;
    }
    return true;
}

static char *blank_comment(char *p, const char *end_mark)
{
    char *end = strstr(p, end_mark);
    size_t n = end ? (size_t)(end - p) + (*end_mark == '\n' ? 0 : strlen(end_mark)) : strlen(p);
    for (size_t i = 0; i < n; i++)
        if (p[i] != '\n')
            p[i] = ' ';
    return p + n;
}

static char *skip_quoted(char *p, int *line)
{
    char quote = *p++;
    for (; *p && *p != quote; p++) {
        if (*p == '\\' && p[1])
            p++;
        *line += *p == '\n';
    }
    return *p ? p + 1 : p;
}

/* The section that opens at a brace: NAME, or NAME "TITLE"; what else stands before one is a list's "=". */
static void note_section(struct span name, struct span title, int line)
{
    char word[64], words[64];
    place_note(span_copy(name, word, sizeof word), span_copy(title, words, sizeof words), "", line);
}

/* Two mends of what libconfuse 3.3 gets wrong.  It counts the line of a comment twice: comments are blanked here, in place.  It takes the
 * end of the file inside a section for the section's end: the line of a brace left open is returned, 0 when all are closed.  Sections are
 * noted on the way. */
static int tidy(char *text)
{
    int line = 1, open[32], depth = 0;
    struct span name = {NULL, 0}, title = {NULL, 0};
    for (char *p = text; *p;) {
        if (*p == '"' || *p == '\'') {
            const char *from = p + 1;
            p = skip_quoted(p, &line);
            title = span_of(from, (size_t)(p - from) - (p > from));
        } else if (isalpha((unsigned char)*p)) {
            const char *from = p;
            while (isalnum((unsigned char)*p) || *p == '_' || *p == '-')
                p++;
            name = span_of(from, (size_t)(p - from));
            title = (struct span){NULL, 0};
        } else if (*p == '#' || (*p == '/' && p[1] == '/'))
            p = blank_comment(p, "\n");
        else if (*p == '/' && p[1] == '*') {
            for (char *end = blank_comment(p, "*/"); p < end; p++)
                line += *p == '\n';
        } else {
            line += *p == '\n';
            if (*p == '=')
                name = (struct span){NULL, 0};
            if (*p == '{' && name.n)
                note_section(name, title, line);
            if (*p == '{' && depth++ < 32)
                open[depth - 1] = line;
            else if (*p == '}' && depth)
                depth--;
            p++;
        }
    }
    return depth == 0 ? 0 : open[depth <= 32 ? depth - 1 : 31];
}

static char *read_text(const char *path, struct reason *why)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        reason_say(why, "%s: cannot read the configuration: %s; check the name and who may read it", path, strerror(errno));
        return NULL;
    }
    char *text = malloc(FILE_MOST + 1);
    size_t n = text ? fread(text, 1, FILE_MOST + 1, f) : 0;
    const char *large = n > FILE_MOST ? "larger than 1 MiB; is it the right file?" : NULL;
    const char *wrong = !text ? "out of memory" : ferror(f) ? strerror(errno) : large;
    if (!wrong && memchr(text, '\0', n))
        wrong = "holds a NUL byte; is it the right file?";
    fclose(f);
    if (wrong) {
        reason_say(why, "%s: cannot read the configuration: %s", path, wrong);
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

/* The options libconfuse is to know: `section` NULL lists the top level with all sections in it. */
struct options {
    cfg_opt_t list[MOST_OPTIONS];
    size_t count;
};

static void option_add(struct options *o, cfg_opt_t option)
{
    assert(o->count + 1 < MOST_OPTIONS);
    o->list[o->count++] = option;
    o->list[o->count] = (cfg_opt_t)CFG_END();
}

static void options_of(struct options *o, const struct setting_group *g, const char *section)
{
    for (size_t i = 0; i < g->count; i++) {
        const struct setting *s = &g->list[i];
        if (!g->titled && (s->section && section ? strcmp(s->section, section) != 0 : s->section != section))
            continue;
        if (setting_is_list(s))
            option_add(o, (cfg_opt_t)CFG_STR_LIST(s->name, NULL, CFGF_NODEFAULT));
        else
            option_add(o, (cfg_opt_t)CFG_STR(s->name, NULL, CFGF_NODEFAULT));
    }
}

static bool section_known(const struct options *o, const char *name)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->list[i].type == CFGT_SEC && strcmp(o->list[i].name, name) == 0)
            return true;
    return false;
}

/* libconfuse copies the option arrays it is given, sections' too: one scratch array serves them all. */
static cfg_t *parser_new(void)
{
    struct options *top = calloc(1, sizeof *top), *inner = calloc(MOST_OPTIONS, sizeof *inner);
    cfg_t *cfg = NULL;
    size_t used = 0;
    for (size_t g = 0; top && inner && g < all_count; g++) {
        const struct setting_group *group = &all_groups[g];
        if (group->titled) {
            options_of(&inner[used], group, NULL);
            option_add(top, (cfg_opt_t)CFG_SEC(group->titled, inner[used].list, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES));
            used++;
            continue;
        }
        options_of(top, group, NULL);
        for (size_t i = 0; i < group->count; i++) {
            const char *section = group->list[i].section;
            if (!section || section_known(top, section))
                continue;
            options_of(&inner[used], group, section);
            option_add(top, (cfg_opt_t)CFG_SEC(section, inner[used].list, CFGF_NODEFAULT));
            used++;
        }
    }
    if (top && inner)
        cfg = cfg_init(top->list, CFGF_NONE);
    free(top);
    free(inner);
    return cfg;
}

static void watch_values(cfg_t *cfg)
{
    for (size_t g = 0; g < all_count; g++)
        for (size_t i = 0; i < all_groups[g].count; i++) {
            const struct setting *s = &all_groups[g].list[i];
            const char *section = all_groups[g].titled ? all_groups[g].titled : s->section;
            char name[128];
            snprintf(name, sizeof name, "%s%s%s", section ? section : "", section ? "|" : "", s->name);
            cfg_set_validate_func(cfg, name, check_value);
        }
}

static bool take_all(cfg_t *cfg, const char *path, struct reason *why)
{
    for (size_t g = 0; g < all_count; g++) {
        const struct setting_group *group = &all_groups[g];
        if (group->titled) {
            for (unsigned i = 0; i < cfg_size(cfg, group->titled); i++) {
                cfg_t *section = cfg_getnsec(cfg, group->titled, i);
                void *values = group->add(group->values, cfg_title(section));
                if (!values)
                    return reason_say(why, "%s: one %s section too many: \"%s\"", path, group->titled, cfg_title(section));
                group_defaults(group, values);
                if (!take_values(section, group, NULL, values, why))
                    return false;
            }
            continue;
        }
        if (!take_values(cfg, group, NULL, group->values, why))
            return false;
        const char *before = NULL;
        for (size_t i = 0; i < group->count; i++) {
            const char *section = group->list[i].section;
            if (!section || (before && strcmp(before, section) == 0) || cfg_size(cfg, section) == 0)
                continue;
            before = section;
            if (!take_values(cfg_getsec(cfg, section), group, section, group->values, why))
                return false;
        }
    }
    return true;
}

bool config_read(const char *path, const struct setting_group *groups, size_t count, struct reason *why)
{
    config_defaults(groups, count);
    why->text[0] = '\0';
    char *text = read_text(path, why);
    if (!text)
        return false;
    bool good = false;
    first_error = why;
    all_groups = groups;
    all_count = count;
    cfg_t *cfg = parser_new();
    if (!cfg) {
        reason_say(why, "%s: out of memory", path);
        goto done;
    }
    place_begin(path);
    int open_line = tidy(text);
    cfg_set_error_function(cfg, keep_error);
    watch_values(cfg);
    FILE *f = fmemopen(text, strlen(text) ? strlen(text) : 1, "r"); /* cfg_parse_buf would call the file "[buf]" */
    if (f) {
        free(cfg->filename);
        cfg->filename = strdup(path);
        good = strlen(text) == 0 || cfg_parse_fp(cfg, f) == CFG_SUCCESS;
        fclose(f);
    }
    if (good && open_line)
        good = reason_say(why, "%s:%d: the section opened here is never closed; add \"}\"", path, open_line);
    if (good)
        good = take_all(cfg, path, why);
    else if (!why->text[0])
        reason_say(why, "%s: cannot be parsed; see squall.conf(5)", path);
    cfg_free(cfg);
done:
    free(text);
    return good;
}

/* ---- the sample ------------------------------------------------------------------------------------------------------------- */

static void sample_line(const struct setting *s, const char *indent, FILE *to)
{
    fprintf(to, "%s# %s\n", indent, s->doc);
    if (setting_is_list(s))
        fprintf(to, "%s#%s = {%s}\n", indent, s->name, s->fallback);
    else if (setting_is_bare(s))
        fprintf(to, "%s#%s = %s\n", indent, s->name, s->fallback);
    else
        fprintf(to, "%s#%s = \"%s\"\n", indent, s->name, s->fallback);
}

void config_sample(const struct setting_group *groups, size_t count, FILE *to)
{
    fputs("# squall.conf: every setting with its default.  Remove the # before what you change; `squall check-config FILE` checks it.\n",
        to);
    for (size_t g = 0; g < count; g++) {
        const struct setting_group *group = &groups[g];
        fprintf(to, "\n# %s\n", group->about);
        const char *open = NULL;
        for (size_t i = 0; i < group->count; i++) {
            const struct setting *s = &group->list[i];
            const char *section = group->titled ? group->titled : s->section;
            if (open && (!section || strcmp(open, section) != 0)) {
                fputs("#}\n", to);
                open = NULL;
            }
            if (section && !open)
                fprintf(to, group->titled ? "#%s \"NAME\" {\n" : "#%s {\n", section);
            open = section;
            sample_line(s, section ? "    " : "", to);
        }
        if (open)
            fputs("#}\n", to);
    }
}
