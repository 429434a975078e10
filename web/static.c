/* In: a name out of a request.  Out: the file of that name, if there is one; nothing is ever opened, so no path leads anywhere else. */
#include "web/static.h"

#include <string.h>

const struct static_file *static_find(const char *name)
{
    for (const struct static_file *f = static_files; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}
