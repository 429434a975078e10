/* In: a maintenance window as squall.conf writes it.  Out: is it open.  Times are UTC: no hour is double in a clock change's night. */
#include "alert/maintenance.h"

#include <strings.h>

#define DAY (86400 * NS_PER_SECOND)

static bool parse_once(const char *text, struct maintenance *w)
{
    const char *slash = strchr(text, '/');
    return slash && clock_parse(span_of(text, (size_t)(slash - text)), &w->from) && clock_parse(span_text(slash + 1), &w->until) &&
           w->from < w->until;
}

/* "02:30" at *text, which goes on behind it; -1: no time of the day. */
static int64_t take_time(const char **text)
{
    int64_t part[2];
    for (int i = 0; i < 2; i++) {
        const char *p = *text;
        if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9' || (i == 0 && p[2] != ':'))
            return -1;
        part[i] = (p[0] - '0') * 10 + p[1] - '0';
        *text += i == 0 ? 3 : 2;
    }
    return part[0] > 24 || part[1] > 59 ? -1 : (part[0] * 60 + part[1]) * 60 * NS_PER_SECOND;
}

bool maintenance_parse(const char *text, struct maintenance *w)
{
    static const char *const names[] = {"Sun ", "Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat "};
    w->days = 0;
    if (strchr(text, '/'))
        return parse_once(text, w);
    for (unsigned i = 0; i < 7; i++)
        if (strncasecmp(text, names[i], 4) == 0)
            w->days = 1U << i;
    if (strncasecmp(text, "daily ", 6) == 0)
        w->days = 0x7f;
    if (!w->days)
        return false;
    text = strchr(text, ' ') + 1;
    w->from = take_time(&text);
    if (w->from < 0 || *text++ != '-')
        return false;
    w->until = take_time(&text);
    return w->until >= 0 && !*text && w->from < DAY && w->until <= DAY && w->from != w->until;
}

bool maintenance_open(const struct maintenance *w, int64_t now)
{
    if (w->days == 0)
        return now >= w->from && now < w->until;
    int64_t day = now / DAY, at = now % DAY; /* 1970-01-01 was a Thursday */
    bool today = w->days >> (day + 4) % 7 & 1, yesterday = w->days >> (day + 3) % 7 & 1;
    if (w->from < w->until)
        return today && at >= w->from && at < w->until;
    return (today && at >= w->from) || (yesterday && at < w->until);
}
