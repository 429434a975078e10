/* In: a notice.  Out: the variables of its trap or inform, at most about 1,300 bytes in all: one datagram on any path. */
#include "alert/varbinds.h"

#include <math.h>
#include <time.h>

#define LONG_TEXT  255
#define SHORT_TEXT 128

int varbind_severity(const struct notice *n)
{
    static const int itu[] = {
        [SEVERITY_NOTICE] = 2, [SEVERITY_WARNING] = 6, [SEVERITY_MINOR] = 5, [SEVERITY_MAJOR] = 4, [SEVERITY_CRITICAL] = 3};
    bool cleared = n->type == NOTICE_CLEARED || (n->type == NOTICE_TROUBLE && !n->failing);
    return cleared ? 1 : itu[n->severity];
}

size_t varbind_cut(const char *text, size_t most)
{
    size_t n = strlen(text);
    if (n <= most)
        return n;
    while (most && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

int varbind_address(struct address a, uint8_t octets[16], size_t *size)
{
    bool v4 = address_is_v4(a), known = address_known(a);
    *size = !known ? 0 : v4 ? 4 : 16;
    memcpy(octets, v4 ? a.b + 12 : a.b, *size);
    return !known ? 0 : v4 ? 1 : 2;
}

struct writer {
    netsnmp_pdu *pdu;
    oid name[ARC_MOST + 8];
    size_t length; /* of the arc of squallNotice */
    bool good;
};

static void add(struct writer *w, unsigned field, u_char type, const void *value, size_t size)
{
    oid name[ARC_MOST + 10];
    memcpy(name, w->name, w->length * sizeof *name);
    name[w->length] = field;
    name[w->length + 1] = 0;
    w->good = w->good && snmp_pdu_add_variable(w->pdu, name, w->length + 2, type, value, size);
}

static void add_text(struct writer *w, unsigned field, const char *text, size_t most)
{
    add(w, field, ASN_OCTET_STR, text, varbind_cut(text, most));
}

static void add_number(struct writer *w, unsigned field, u_char type, long value)
{
    add(w, field, type, &value, sizeof value);
}

static void add_count(struct writer *w, unsigned field, uint64_t value)
{
    struct counter64 c = {value >> 32, value & 0xffffffff};
    add(w, field, ASN_COUNTER64, &c, sizeof c);
}

/* DateAndTime of SNMPv2-TC, in UTC. */
static void add_time(struct writer *w, unsigned field, int64_t time)
{
    time_t seconds = (time_t)(time / NS_PER_SECOND);
    struct tm t;
    gmtime_r(&seconds, &t);
    unsigned year = (unsigned)t.tm_year + 1900;
    uint8_t octets[11] = {(uint8_t)(year >> 8), (uint8_t)year, (uint8_t)(t.tm_mon + 1), (uint8_t)t.tm_mday, (uint8_t)t.tm_hour,
        (uint8_t)t.tm_min, (uint8_t)t.tm_sec, (uint8_t)(time % NS_PER_SECOND / 100000000), '+', 0, 0};
    add(w, field, ASN_OCTET_STR, octets, sizeof octets);
}

static void add_storm(struct writer *w, const struct notice *n)
{
    add_text(w, 5, n->id, STORM_ID_SIZE);
    add_number(w, 6, ASN_INTEGER, (long)n->kind + 1);
    add_text(w, 7, n->message_id, LONG_TEXT);
    add_text(w, 8, n->subject, SHORT_TEXT);
    add_count(w, 9, n->copies);
    add_count(w, 10, n->deliveries);
    add_count(w, 11, n->redeliveries);
    char address[ADDRESS_TEXT] = "";
    uint8_t octets[16];
    size_t size;
    add_number(w, 12, ASN_INTEGER, varbind_address(n->reinjector, octets, &size));
    add(w, 13, ASN_OCTET_STR, octets, size);
    if (size)
        address_text(n->reinjector, address);
    add_text(w, 14, n->reinjector_name[0] ? n->reinjector_name : address, SHORT_TEXT);
    double r = n->reproduction * 1000;
    add_number(w, 15, ASN_INTEGER, !isfinite(r) || r < 0 ? -1 : r > INT32_MAX ? INT32_MAX : lround(r));
    add_text(w, 17, n->url, SHORT_TEXT);
}

bool varbinds_add(netsnmp_pdu *pdu, const struct engine_spec *spec, const struct notice *n)
{
    static const oid uptime_name[] = {1, 3, 6, 1, 2, 1, 1, 3, 0}, trap_name[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
    struct writer w = {.pdu = pdu, .length = spec->arc_length, .good = true};
    for (size_t i = 0; i < spec->arc_length; i++)
        w.name[i] = spec->arc[i];
    w.name[w.length++] = MIB_MODULE;
    oid trap[ARC_MOST + 8];
    memcpy(trap, w.name, w.length * sizeof *trap);
    trap[w.length] = MIB_NOTIFICATIONS;
    trap[w.length + 1] = (oid)n->type + 1;
    unsigned long uptime = (unsigned long)(clock_monotonic() / (NS_PER_SECOND / 100)) & 0xffffffff;
    w.good = snmp_pdu_add_variable(pdu, uptime_name, OID_LENGTH(uptime_name), ASN_TIMETICKS, &uptime, sizeof uptime) &&
             snmp_pdu_add_variable(pdu, trap_name, OID_LENGTH(trap_name), ASN_OBJECT_ID, trap, (w.length + 2) * sizeof(oid));
    w.name[w.length++] = MIB_OBJECTS;
    w.name[w.length++] = MIB_NOTICE;
    add_number(&w, 1, ASN_UNSIGNED, (long)(n->number & 0xffffffff));
    add_time(&w, 2, n->time);
    add_text(&w, 3, n->sensor, SHORT_TEXT);
    add_number(&w, 4, ASN_INTEGER, varbind_severity(n));
    if (notice_of_storm(n->type))
        add_storm(&w, n);
    if (n->type == NOTICE_TROUBLE)
        add_text(&w, 18, n->part, SHORT_TEXT);
    add_text(&w, 16, n->why, LONG_TEXT);
    return w.good;
}
