/* In: the wish to serve HTTP.  Out: libmicrohttpd's functions, to all of web/. */
#include "web/http.h"

#include "base/late.h"

struct http http;

bool http_load(struct reason *why)
{
#define X(name) {"MHD_" #name, &http.name},
    static const struct late_call calls[] = {HTTP_CALLS(X)};
#undef X
    return late_load("libmicrohttpd.so.12", calls, sizeof calls / sizeof *calls, why);
}
