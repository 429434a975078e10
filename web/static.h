/* The files of web/static/, as they were when the program was built (web/embed).  Private to web/. */
#ifndef SQUALL_WEB_STATIC_H
#define SQUALL_WEB_STATIC_H

#include <stddef.h>
#include <stdint.h>

struct static_file {
    const char *name, *type, *etag; /* "now.html"; the tag with its quotes */
    const uint8_t *plain, *gzip;
    size_t plain_size, gzip_size;
};
extern const struct static_file static_files[]; /* ends with a nameless one */
const struct static_file *static_find(const char *name); /* NULL: no such file */

#endif
