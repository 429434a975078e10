/* The system's clocks, RFC 3339 text, and the dates of mail headers. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

char *clock_text(int64_t t, char to[TIME_TEXT])
{
    to[0] = '\0';
    if (t == TIME_UNKNOWN)
        return to;
    int64_t ns = t % NS_PER_SECOND;
    if (ns < 0)
        ns += NS_PER_SECOND;
    time_t seconds = (time_t)((t - ns) / NS_PER_SECOND);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(to, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(to + n, TIME_TEXT - n, ".%09uZ", (unsigned)ns);
    return to;
}

/* A cursor over text that is being read as a date. */
struct cursor {
    struct span rest;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->rest.n == 0 || c->rest.p[0] != (uint8_t)wanted)
        return false;
    c->rest = span_from(c->rest, 1);
    return true;
}

/* Between `least` and `most` digits; -1: they are not there. */
static int take_number(struct cursor *c, size_t least, size_t most)
{
    int value = 0;
    size_t n = 0;
    for (; n < most && n < c->rest.n && c->rest.p[n] >= '0' && c->rest.p[n] <= '9'; n++)
        value = value * 10 + (c->rest.p[n] - '0');
    if (n < least)
        return -1;
    c->rest = span_from(c->rest, n);
    return value;
}

static bool in_range(int v, int least, int most)
{
    return v >= least && v <= most;
}

static int64_t to_time(int year, int month, int day, int hour, int minute, int second)
{
    if (!in_range(year, 1900, 2260) || !in_range(month, 1, 12) || !in_range(day, 1, 31) || !in_range(hour, 0, 23) ||
        !in_range(minute, 0, 59) || !in_range(second, 0, 60))
        return TIME_UNKNOWN;
    return (days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) * NS_PER_SECOND;
}

bool clock_parse(struct span text, int64_t *t)
{
    struct cursor c = {text};
    int year = take_number(&c, 4, 4), month = take(&c, '-') ? take_number(&c, 2, 2) : -1, day = take(&c, '-') ? take_number(&c, 2, 2) : -1;
    int hour = take(&c, 'T') ? take_number(&c, 2, 2) : -1, minute = take(&c, ':') ? take_number(&c, 2, 2) : -1;
    int second = take(&c, ':') ? take_number(&c, 2, 2) : -1;
    int64_t whole = to_time(year, month, day, hour, minute, second), ns = 0;
    if (whole == TIME_UNKNOWN)
        return false;
    if (take(&c, '.')) {
        int64_t unit = NS_PER_SECOND / 10;
        while (c.rest.n && c.rest.p[0] >= '0' && c.rest.p[0] <= '9') {
            ns += (c.rest.p[0] - '0') * unit;
            unit /= 10;
            c.rest = span_from(c.rest, 1);
        }
    }
    if (!take(&c, 'Z') || c.rest.n)
        return false;
    *t = whole + ns;
    return true;
}

/* Blanks and comments (RFC 5322, 3.2.2). */
static void skip_blank(struct cursor *c)
{
    int depth = 0;
    for (; c->rest.n; c->rest = span_from(c->rest, 1)) {
        uint8_t b = c->rest.p[0];
        if (b == '(')
            depth++;
        else if (b == ')' && depth)
            depth--;
        else if (depth == 0 && b != ' ' && b != '\t' && b != '\r' && b != '\n')
            return;
    }
}

static struct span take_word(struct cursor *c)
{
    size_t n = 0;
    while (n < c->rest.n && ((c->rest.p[n] | 0x20) >= 'a' && (c->rest.p[n] | 0x20) <= 'z'))
        n++;
    struct span word = span_head(c->rest, n);
    c->rest = span_from(c->rest, n);
    return word;
}

static int month_number(struct span word)
{
#define MONTH(a, b, c) ((a) | (b) << 8 | (c) << 16)
    if (word.n < 3)
        return -1;
    switch (MONTH(word.p[0] | 0x20, word.p[1] | 0x20, word.p[2] | 0x20)) {
    case MONTH('j', 'a', 'n'): return 1;
    case MONTH('f', 'e', 'b'): return 2;
    case MONTH('m', 'a', 'r'): return 3;
    case MONTH('a', 'p', 'r'): return 4;
    case MONTH('m', 'a', 'y'): return 5;
    case MONTH('j', 'u', 'n'): return 6;
    case MONTH('j', 'u', 'l'): return 7;
    case MONTH('a', 'u', 'g'): return 8;
    case MONTH('s', 'e', 'p'): return 9;
    case MONTH('o', 'c', 't'): return 10;
    case MONTH('n', 'o', 'v'): return 11;
    case MONTH('d', 'e', 'c'): return 12;
    default: return -1;
    }
#undef MONTH
}

/* "+0100", or an obsolete name; unknown names mean UTC (RFC 5322, 4.3).  Seconds east. */
static int zone_seconds(struct cursor *c)
{
    bool west = take(c, '-');
    if (west || take(c, '+')) {
        int hhmm = take_number(c, 4, 4);
        if (hhmm < 0 || hhmm % 100 > 59)
            return 0;
        int seconds = (hhmm / 100 * 60 + hhmm % 100) * 60;
        return west ? -seconds : seconds;
    }
    static const struct {
        const char *name;
        int hours;
    } zones[] = {{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6}, {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}};
    struct span word = take_word(c);
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
        if (span_equal_nocase(word, span_text(zones[i].name)))
            return zones[i].hours * 3600;
    return 0;
}

/* The number that stands in two digits; *wrong is set when they are none. */
static inline int two_digits(const uint8_t p[2], bool *wrong)
{
    unsigned tens = p[0] - (unsigned)'0', ones = p[1] - (unsigned)'0';
    *wrong |= (tens > 9) | (ones > 9);
    return (int)(tens * 10 + ones);
}

/* "Tue, 24 Nov 2026 03:27:00 +0100", as nearly all are: read by place. False: it is written in another way, or wrong. */
static bool usual_date(struct span text, int64_t *t)
{
    enum { DAY = 5, AFTER_DAY = 24 }; /* where the day begins; how many bytes come after it */
    text = span_trim(text);
    const uint8_t *p = text.p;
    if (text.n < DAY + 1 + AFTER_DAY || p[3] != ',' || p[4] != ' ')
        return false;
    for (int i = 0; i < 3; i++)
        if ((p[i] | 0x20) < 'a' || (p[i] | 0x20) > 'z')
            return false;
    bool wrong = false, one_digit = p[DAY + 1] == ' ';
    int day = one_digit ? two_digits((const uint8_t[2]){'0', p[DAY]}, &wrong) : two_digits(p + DAY, &wrong);
    p += one_digit ? DAY + 1 : DAY + 2;
    if (text.n < (size_t)(p - text.p) + AFTER_DAY || p[0] != ' ' || p[4] != ' ' || p[9] != ' ' || p[12] != ':' || p[15] != ':' ||
        p[18] != ' ' || (p[19] != '+' && p[19] != '-'))
        return false;
    int year = two_digits(p + 5, &wrong) * 100 + two_digits(p + 7, &wrong), hour = two_digits(p + 10, &wrong),
        minute = two_digits(p + 13, &wrong), second = two_digits(p + 16, &wrong), zone_hours = two_digits(p + 20, &wrong),
        zone_minutes = two_digits(p + 22, &wrong);
    if (wrong || year < 1000 || zone_minutes > 59)
        return false;
    *t = to_time(year, month_number(span_of(p + 1, 3)), day, hour, minute, second);
    if (*t == TIME_UNKNOWN)
        return false;
    int64_t east = (zone_hours * 60 + zone_minutes) * 60 * NS_PER_SECOND;
    *t += p[19] == '-' ? east : -east;
    return true;
}

int64_t clock_parse_mail_date(struct span text)
{
    int64_t usual;
    if (usual_date(text, &usual))
        return usual;
    struct cursor c = {text};
    skip_blank(&c);
    if (take_word(&c).n) { /* day of the week: says nothing new */
        take(&c, ',');
        skip_blank(&c);
    }
    int day = take_number(&c, 1, 2);
    skip_blank(&c);
    take(&c, '-'); /* "24-Nov-2026", seen in the wild */
    int month = month_number(take_word(&c));
    skip_blank(&c);
    take(&c, '-');
    int year = take_number(&c, 2, 4);
    if (year >= 0 && year < 50) /* RFC 5322, 4.3 */
        year += 2000;
    else if (year >= 50 && year < 1000)
        year += 1900;
    skip_blank(&c);
    int hour = take_number(&c, 1, 2);
    skip_blank(&c);
    int minute = take(&c, ':') ? (skip_blank(&c), take_number(&c, 2, 2)) : -1;
    skip_blank(&c);
    int second = take(&c, ':') ? (skip_blank(&c), take_number(&c, 2, 2)) : 0;
    skip_blank(&c);
    int64_t t = to_time(year, month, day, hour, minute, second);
    return t == TIME_UNKNOWN ? t : t - zone_seconds(&c) * NS_PER_SECOND;
}
