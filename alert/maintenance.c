/* In: a maintenance window as squall.conf writes it.  Out: is it open now.  Times are UTC: a night with a clock change has no double hour. */
#include "alert/maintenance.h"

#include <stdio.h>
#include <strings.h>

#define DAY (86400 * NS_PER_SECOND)

static bool parse_once(const char *text, struct maintenance *w)
{
    const char *slash = strchr(text, '/');
    return slash && clock_parse(span_of(text, (size_t)(slash - text)), &w->from) && clock_parse(span_text(slash + 1), &w->until) &&
        w->from < w->until;
}

bool maintenance_parse(const char *text, struct maintenance *w)
{
    static const char names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    char day[8];
    unsigned hour[2], minute[2];
    int used = 0;
    w->days = 0;
    if (strchr(text, '/'))
        return parse_once(text, w);
    if (sscanf(text, "%7s %2u:%2u-%2u:%2u%n", day, &hour[0], &minute[0], &hour[1], &minute[1], &used) != 5 || text[used])
        return false;
    if (strcasecmp(day, "daily") == 0)
        w->days = 0x7f;
    for (unsigned i = 0; i < 7; i++)
        if (strcasecmp(day, names[i]) == 0)
            w->days = 1U << i;
    if (hour[0] > 24 || hour[1] > 24 || minute[0] > 59 || minute[1] > 59)
        return false;
    w->from = (hour[0] * INT64_C(60) + minute[0]) * 60 * NS_PER_SECOND;
    w->until = (hour[1] * INT64_C(60) + minute[1]) * 60 * NS_PER_SECOND;
    return w->days && w->from < DAY && w->until <= DAY && w->from != w->until;
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
