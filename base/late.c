/* In: a shared library's name and those of functions in it.  Out: pointers to them, to the rooms that call them. */
#include "base/late.h"

#include <dlfcn.h>
#include <string.h>

bool late_load(const char *library, const struct late_call *calls, size_t count, struct reason *why)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    bool good = handle;
    for (size_t i = 0; good && i < count; i++) {
        void *found = dlsym(handle, calls[i].name);
        memcpy(calls[i].to, &found, sizeof found);
        good = found;
    }
    if (good)
        return true;
    const char *said = dlerror();
    reason_say(why, "%s", said ? said : "a library cannot be loaded");
    if (handle)
        dlclose(handle);
    return false;
}
