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
static int64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
    year -= month <= 2;
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)(year * 365 + year / 4 - year / 100 + year / 400 + day_of_year) - 719468;
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

/* Fields that are not below 0, of any date that RFC 5322 can say. */
static inline int64_t to_time(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second)
{
    if (year - 1900 > 2260 - 1900 || month - 1 > 11 || day - 1 > 30 || hour > 23 || minute > 59 || second > 60)
        return TIME_UNKNOWN;
    return (days_from_civil(year, month, day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second)) * NS_PER_SECOND;
}

bool clock_parse(struct span text, int64_t *t)
{
    struct cursor c = {text};
    int year = take_number(&c, 4, 4), month = take(&c, '-') ? take_number(&c, 2, 2) : -1, day = take(&c, '-') ? take_number(&c, 2, 2) : -1;
    int hour = take(&c, 'T') ? take_number(&c, 2, 2) : -1, minute = take(&c, ':') ? take_number(&c, 2, 2) : -1;
    int second = take(&c, ':') ? take_number(&c, 2, 2) : -1;
    int64_t whole = to_time((unsigned)year, (unsigned)month, (unsigned)day, (unsigned)hour, (unsigned)minute, (unsigned)second), ns = 0;
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

/* The months, in a table by the sum of their second and third letter: no two are in one place. */
#define MONTHS 32u
#define THREE(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)
static const struct {
    uint32_t letters;
    unsigned number;
} months[MONTHS] = {
#define NAMED(a, b, c, number) [((b) + (c)) % MONTHS] = {THREE(a, b, c), number}
    NAMED('j', 'a', 'n', 1),
    NAMED('f', 'e', 'b', 2),
    NAMED('m', 'a', 'r', 3),
    NAMED('a', 'p', 'r', 4),
    NAMED('m', 'a', 'y', 5),
    NAMED('j', 'u', 'n', 6),
    NAMED('j', 'u', 'l', 7),
    NAMED('a', 'u', 'g', 8),
    NAMED('s', 'e', 'p', 9),
    NAMED('o', 'c', 't', 10),
    NAMED('n', 'o', 'v', 11),
    NAMED('d', 'e', 'c', 12),
#undef NAMED
};

/* Of the three letters at p; 0: none. */
static inline unsigned month_number(const uint8_t *p)
{
    uint32_t letters = THREE(p[0], p[1], p[2]) | THREE(0x20, 0x20, 0x20);
    unsigned place = ((letters >> 8) + (letters >> 16)) % MONTHS;
    return months[place].letters == letters ? months[place].number : 0;
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

/* Of eight bytes a word in the order of the text, the first in the lowest byte. */
#define EIGHT(x, of)                                                                                                                       \
    ((uint64_t)of((x)[0]) | (uint64_t)of((x)[1]) << 8 | (uint64_t)of((x)[2]) << 16 | (uint64_t)of((x)[3]) << 24 |                          \
        (uint64_t)of((x)[4]) << 32 | (uint64_t)of((x)[5]) << 40 | (uint64_t)of((x)[6]) << 48 | (uint64_t)of((x)[7]) << 56)
#define ITSELF(byte) (uint8_t)(byte)
#define OVER_MOST(c) ((c) == '0' ? 0x80 - 10 : 0x80 - 1) /* what makes bit 7 of a byte that is more than it may be */

/* Eight bytes as numbers of two digits: where a 0 stands in `form`, "00:00:00", there must be a digit, elsewhere the same byte.
 * The number that begins at byte i is pair(x, i) of what is returned; *wrong: it is something else. */
static inline __attribute__((always_inline)) uint64_t digits_of(uint64_t x, const char form[8], bool *wrong)
{
    x ^= EIGHT(form, ITSELF);
    *wrong |= ((x | (x + EIGHT(form, OVER_MOST))) & UINT64_C(0x8080808080808080)) != 0;
    return x * 10 + (x >> 8);
}

static inline unsigned pair(uint64_t x, unsigned i)
{
    return (unsigned)(x >> 8 * i) & 0x7f;
}

static inline bool all_letters(uint32_t three)
{
    const uint32_t each = THREE(1, 1, 1), x = three | each * 0x20, over_z = x + each * (0x7f - 'z'), below_a = x - each * 'a';
    return ((x | over_z | below_a) & each * 0x80) == 0;
}

/* "Tue, 24 Nov 2026 03:27:00 +0100", as nearly all are: read by place. False: it is written in another way, or wrong. */
static inline bool usual_date(struct span text, int64_t *t)
{
    enum { DAY = 5, AFTER_DAY = 24 }; /* where the day begins; how many bytes come after it */
    text = span_trim(text);
    const uint8_t *p = text.p;
    if (text.n < DAY + 1 + AFTER_DAY || p[3] != ',' || p[4] != ' ' || !all_letters(THREE(p[0], p[1], p[2])))
        return false;
    unsigned tens = p[DAY] - (unsigned)'0', ones = p[DAY + 1] - (unsigned)'0';
    bool one_digit = p[DAY + 1] == ' ';
    if (one_digit) {
        ones = tens;
        tens = 0;
    }
    p += one_digit ? DAY + 1 : DAY + 2;
    bool wrong = tens > 9 || ones > 9;
    if (text.n < (size_t)(p - text.p) + AFTER_DAY || p[0] != ' ')
        return false;
    uint64_t years = digits_of(EIGHT(p + 4, ITSELF), " 0000 00", &wrong);
    uint64_t clock = digits_of(EIGHT(p + 10, ITSELF), "00:00:00", &wrong);
    uint64_t zone = EIGHT(p + 16, ITSELF);
    bool west = (zone >> 24 & 0xff) == '-';
    zone = digits_of(west ? zone ^ (uint64_t)('-' ^ '+') << 24 : zone, "00 +0000", &wrong);
    unsigned year = pair(years, 1) * 100 + pair(years, 3);
    if (wrong || year < 1000 || pair(zone, 6) > 59)
        return false;
    *t = to_time(year, month_number(p + 1), tens * 10 + ones, pair(clock, 0), pair(clock, 3), pair(clock, 6));
    if (*t == TIME_UNKNOWN)
        return false;
    int64_t east = (int64_t)(pair(zone, 4) * 60 + pair(zone, 6)) * 60 * NS_PER_SECOND;
    *t += west ? east : -east;
    return true;
}

static __attribute__((noinline)) int64_t any_date(struct span text)
{
    struct cursor c = {text};
    skip_blank(&c);
    if (take_word(&c).n) { /* day of the week: says nothing new */
        take(&c, ',');
        skip_blank(&c);
    }
    int day = take_number(&c, 1, 2);
    skip_blank(&c);
    take(&c, '-'); /* "24-Nov-2026", seen in the wild */
    struct span name = take_word(&c);
    unsigned month = name.n < 3 ? 0 : month_number(name.p);
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
    int64_t t = to_time((unsigned)year, month, (unsigned)day, (unsigned)hour, (unsigned)minute, (unsigned)second);
    return t == TIME_UNKNOWN ? t : t - zone_seconds(&c) * NS_PER_SECOND;
}

int64_t clock_parse_mail_date(struct span text)
{
    int64_t usual;
    return usual_date(text, &usual) ? usual : any_date(text);
}
