/* In: the active alarms, the counters and the mail servers seen, from the desk.  Out: the same to snmpd over AgentX.  All tables are one
 * sorted list of leaves (name, type, value), made anew when something changed and asked for: GET is a search in it, GETNEXT the place
 * after. */
#include "alert/agentx.h"

#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <pthread.h>
#include <stdlib.h>

#include "alert/varbinds.h"
#include "base/late.h"

#define NAME_MOST 72 /* sub-identifiers: arc, table, column, and a name of 31 octets or a counter's */
#define TEXT_MOST 255

/* What is called of libnetsnmpagent: it brings Perl, and all that libwrap needs, to whoever links with it. */
#define CALLS(X)                                                                                                                           \
    X(init_agent) X(netsnmp_check_outstanding_agent_requests) X(netsnmp_create_handler_registration) X(netsnmp_register_handler)           \
    X(netsnmp_set_request_error)
static struct {
#define X(function) __typeof__(function) *function;
    CALLS(X)
#undef X
} agent;

struct leaf {
    oid name[NAME_MOST];
    uint16_t length;
    u_char type;
    bool inside; /* an octet string's octets stand in value.octets */
    uint16_t size;
    union {
        long number;
        struct counter64 count;
        const char *text; /* into the tables below */
        uint8_t octets[16];
    } value;
};

struct server { /* a mail server seen on the wire */
    struct host_row host;
    char address[ADDRESS_TEXT];
    uint32_t row;
};

struct row { /* of mtaGroupTable: row i + 1 is that address's, as long as we run and there are not too many */
    struct address address;
    uint32_t told; /* the last time it was there */
};

static struct {
    pthread_mutex_t lock; /* of what others write */
    struct notice *alarms;
    struct alert_counter *counters;
    struct server *servers;
    size_t alarm_count, counter_count, server_count;
    bool changed;
    struct row rows[ALERT_HOSTS];
    size_t row_count;
    uint32_t time; /* counts agentx_numbers() */
} told = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = true};

static struct { /* the engine's thread's own */
    struct leaf *list;
    size_t count, room;
    oid module[NAME_MOST];
    size_t module_length;
    struct notice *alarms; /* what the leaves' texts point into */
    struct alert_counter *counters;
    struct server *servers;
} tree;

static const oid mta_group[] = {1, 3, 6, 1, 2, 1, 28, 2};

/* ---- from the others ---- */

void agentx_alarms(const struct notice *alarms, size_t count)
{
    count = count < AGENTX_ALARMS ? count : AGENTX_ALARMS;
    struct notice *copy = malloc((count + 1) * sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, alarms, count * sizeof *copy);
    pthread_mutex_lock(&told.lock);
    free(told.alarms);
    told.alarms = copy;
    told.alarm_count = count;
    told.changed = true;
    pthread_mutex_unlock(&told.lock);
}

/* The row of a server; when all are used up, that of the one that was not there for the longest time is its row now. */
static uint32_t row_of(struct address a)
{
    size_t at = 0, oldest = 0;
    for (; at < told.row_count && !address_equal(told.rows[at].address, a); at++)
        if (told.rows[at].told < told.rows[oldest].told)
            oldest = at;
    if (at == ALERT_HOSTS)
        at = oldest;
    else if (at == told.row_count)
        told.row_count++;
    told.rows[at] = (struct row){a, told.time};
    return (uint32_t)at + 1;
}

void agentx_numbers(const struct alert_counter *counters, size_t counter_count, const struct host_row *hosts, size_t host_count)
{
    counter_count = counter_count < AGENTX_COUNTERS ? counter_count : AGENTX_COUNTERS;
    host_count = host_count < ALERT_HOSTS ? host_count : ALERT_HOSTS;
    struct alert_counter *c = malloc((counter_count + 1) * sizeof *c), *old_counters = c;
    struct server *servers = malloc((host_count + 1) * sizeof *servers), *old_servers = servers;
    pthread_mutex_lock(&told.lock);
    if (c && servers) {
        told.time++;
        memcpy(c, counters, counter_count * sizeof *c);
        for (size_t i = 0; i < host_count; i++) {
            servers[i].host = hosts[i];
            servers[i].row = row_of(hosts[i].address);
            address_text(hosts[i].address, servers[i].address);
        }
        old_counters = told.counters;
        old_servers = told.servers;
        told.counters = c;
        told.servers = servers;
        told.counter_count = counter_count;
        told.server_count = host_count;
        told.changed = true;
    }
    pthread_mutex_unlock(&told.lock);
    free(old_counters);
    free(old_servers);
}

/* ---- the leaves ---- */

struct entry { /* a table's row: entry arc and index; the column goes between */
    const oid *table;
    size_t table_length;
    oid index[NAME_MOST];
    size_t index_length;
};

static struct leaf *leaf_add(const struct entry *e, unsigned column)
{
    size_t length = e->table_length + 2 + e->index_length;
    if (length > NAME_MOST)
        return NULL;
    if (tree.count == tree.room) {
        size_t room = tree.room ? 2 * tree.room : 256;
        struct leaf *list = realloc(tree.list, room * sizeof *list);
        if (!list)
            return NULL;
        tree.list = list;
        tree.room = room;
    }
    struct leaf *l = &tree.list[tree.count++];
    memcpy(l->name, e->table, e->table_length * sizeof(oid));
    l->name[e->table_length] = 1;
    l->name[e->table_length + 1] = column;
    memcpy(l->name + e->table_length + 2, e->index, e->index_length * sizeof(oid));
    l->length = (uint16_t)length;
    l->inside = false;
    return l;
}

static void leaf_number(const struct entry *e, unsigned column, u_char type, uint64_t value)
{
    struct leaf *l = leaf_add(e, column);
    if (!l)
        return;
    l->type = type;
    l->size = sizeof l->value.number;
    l->value.number = (long)value;
    if (type == ASN_COUNTER64) {
        l->value.count = (struct counter64){value >> 32, value & 0xffffffff};
        l->size = sizeof l->value.count;
    }
}

static void leaf_text(const struct entry *e, unsigned column, const char *text)
{
    struct leaf *l = leaf_add(e, column);
    if (!l)
        return;
    l->type = ASN_OCTET_STR;
    l->size = (uint16_t)varbind_cut(text, TEXT_MOST);
    l->value.text = text;
}

/* Type and address: two columns. */
static void leaf_address(const struct entry *e, unsigned column, struct address a)
{
    uint8_t octets[16];
    size_t size;
    leaf_number(e, column, ASN_INTEGER, (uint64_t)varbind_address(a, octets, &size));
    struct leaf *l = leaf_add(e, column + 1);
    if (!l)
        return;
    l->type = ASN_OCTET_STR;
    l->inside = true;
    l->size = (uint16_t)size;
    memcpy(l->value.octets, octets, size);
}

/* SQUALL-MIB's tables stand at module.objects.N; index by a text: its length, then its octets. */
static void text_index(struct entry *e, const char *text)
{
    size_t n = strlen(text);
    e->index_length = 0;
    if (n > NAME_MOST - 2)
        n = NAME_MOST - 2;
    e->index[e->index_length++] = n;
    for (size_t i = 0; i < n; i++)
        e->index[e->index_length++] = (unsigned char)text[i];
}

static void add_alarm(struct entry *e, struct notice *n)
{
    if (!n->reinjector_name[0] && address_known(n->reinjector))
        address_text(n->reinjector, n->reinjector_name);
    text_index(e, n->id);
    leaf_number(e, 2, ASN_INTEGER, (uint64_t)n->kind + 1);
    leaf_number(e, 3, ASN_INTEGER, (uint64_t)varbind_severity(n));
    leaf_text(e, 4, n->message_id);
    leaf_text(e, 5, n->subject);
    leaf_number(e, 6, ASN_COUNTER64, n->copies);
    leaf_number(e, 7, ASN_COUNTER64, n->deliveries);
    leaf_number(e, 8, ASN_COUNTER64, n->redeliveries);
    leaf_address(e, 9, n->reinjector);
    leaf_text(e, 11, n->reinjector_name);
    leaf_text(e, 12, n->why);
}

/* mtaGroupName, and beside it the address: what a host calls itself need not be true. */
static void add_server(struct entry *e, const struct server *s)
{
    const struct host_row *h = &s->host;
    e->index[0] = 1; /* applIndex: this sensor */
    e->index[1] = s->row;
    e->index_length = 2;
    leaf_number(e, 2, ASN_COUNTER, h->messages_in & 0xffffffff);
    leaf_number(e, 5, ASN_COUNTER, h->messages_out & 0xffffffff);
    leaf_number(e, 9, ASN_COUNTER, h->recipients_in & 0xffffffff);
    leaf_number(e, 11, ASN_COUNTER, h->recipients_out & 0xffffffff);
    leaf_text(e, 25, h->name[0] ? h->name : s->address);
    leaf_text(e, 28, s->address);
    leaf_number(e, 33, ASN_COUNTER, h->redeliveries & 0xffffffff);
}

static int leaf_compare(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;
    return snmp_oid_compare(x->name, x->length, y->name, y->length);
}

static void *copy_of(const void *list, size_t size)
{
    void *copy = calloc(1, size ? size : 1);
    if (copy && size)
        memcpy(copy, list, size);
    return copy;
}

static void tree_make(void)
{
    pthread_mutex_lock(&told.lock);
    if (!told.changed) {
        pthread_mutex_unlock(&told.lock);
        return;
    }
    size_t alarms = told.alarm_count, counters = told.counter_count, servers = told.server_count;
    free(tree.alarms);
    free(tree.counters);
    free(tree.servers);
    tree.alarms = copy_of(told.alarms, alarms * sizeof *told.alarms);
    tree.counters = copy_of(told.counters, counters * sizeof *told.counters);
    tree.servers = copy_of(told.servers, servers * sizeof *told.servers);
    told.changed = !tree.alarms || !tree.counters || !tree.servers; /* once more when memory is there */
    pthread_mutex_unlock(&told.lock);
    tree.count = 0;
    oid table[NAME_MOST];
    struct entry e = {.table = table, .table_length = tree.module_length + 2};
    memcpy(table, tree.module, tree.module_length * sizeof *table);
    table[tree.module_length] = MIB_OBJECTS;
    table[tree.module_length + 1] = MIB_ALARMS;
    for (size_t i = 0; tree.alarms && i < alarms; i++)
        add_alarm(&e, &tree.alarms[i]);
    table[tree.module_length + 1] = MIB_COUNTERS;
    for (size_t i = 0; tree.counters && i < counters; i++) {
        text_index(&e, tree.counters[i].name);
        leaf_number(&e, 2, ASN_COUNTER64, tree.counters[i].value);
    }
    struct entry m = {.table = mta_group, .table_length = OID_LENGTH(mta_group)};
    for (size_t i = 0; tree.servers && i < servers; i++)
        add_server(&m, &tree.servers[i]);
    /* the scalar: module.objects.4.0, its name has the shape "table.1.column" only by accident of the three last numbers */
    struct leaf *l = leaf_add(&e, 0);
    if (l) {
        l->name[tree.module_length + 1] = MIB_ACTIVE;
        l->name[tree.module_length + 2] = 0;
        l->length = (uint16_t)(tree.module_length + 3);
        l->type = ASN_GAUGE;
        l->size = sizeof l->value.number;
        l->value.number = (long)alarms;
    }
    if (tree.list)
        qsort(tree.list, tree.count, sizeof *tree.list, leaf_compare);
}

/* The first leaf at or after a name. */
static size_t leaf_from(const oid *name, size_t length, bool after)
{
    size_t low = 0, high = tree.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = snmp_oid_compare(tree.list[middle].name, tree.list[middle].length, name, length);
        if (order < 0 || (after && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void answer(netsnmp_variable_list *var, const struct leaf *l)
{
    const void *value = &l->value; /* all members of a union begin there */
    if (l->type == ASN_OCTET_STR && !l->inside)
        value = l->value.text;
    snmp_set_var_typed_value(var, l->type, value, l->size);
}

static int on_request(
    netsnmp_mib_handler *handler, netsnmp_handler_registration *where, netsnmp_agent_request_info *asked, netsnmp_request_info *requests)
{
    (void)handler;
    tree_make();
    for (netsnmp_request_info *r = requests; r; r = r->next) {
        netsnmp_variable_list *var = r->requestvb;
        if (r->processed)
            continue;
        bool next = asked->mode == MODE_GETNEXT;
        size_t at = leaf_from(var->name, var->name_length, next && !r->inclusive);
        const struct leaf *l = at < tree.count ? &tree.list[at] : NULL;
        bool within =
            l && l->length >= where->rootoid_len && snmp_oid_compare(l->name, where->rootoid_len, where->rootoid, where->rootoid_len) == 0;
        if (next && within) {
            snmp_set_var_objid(var, l->name, l->length);
            answer(var, l);
        } else if (asked->mode == MODE_GET) {
            if (within && snmp_oid_compare(l->name, l->length, var->name, var->name_length) == 0)
                answer(var, l);
            else
                agent.netsnmp_set_request_error(asked, r, SNMP_NOSUCHINSTANCE);
        }
    }
    return SNMP_ERR_NOERROR;
}

/* ---- in the engine's thread ---- */

static void serve(const char *name, const oid *root, size_t length)
{
    agent.netsnmp_register_handler(agent.netsnmp_create_handler_registration(name, on_request, root, length, HANDLER_CAN_RONLY));
}

bool agentx_load(struct reason *why)
{
#define X(function) {#function, &agent.function},
    static const struct late_call calls[] = {CALLS(X)};
#undef X
    static bool done;
    return done || (done = late_load("libnetsnmpagent.so.40", calls, sizeof calls / sizeof *calls, why));
}

void agentx_start(const struct engine_spec *spec)
{
    for (size_t i = 0; i < spec->arc_length; i++)
        tree.module[tree.module_length++] = spec->arc[i];
    tree.module[tree.module_length++] = MIB_MODULE;
    netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_ROOT_ACCESS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS, 1);
    netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, spec->agentx_socket);
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL, 15);
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_TIMEOUT, ONE_SEC);
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_RETRIES, 0);
    agent.init_agent("squall");
    oid objects[NAME_MOST];
    memcpy(objects, tree.module, tree.module_length * sizeof *objects);
    objects[tree.module_length] = MIB_OBJECTS;
    serve("squallObjects", objects, tree.module_length + 1);
    serve("mtaGroupTable", mta_group, OID_LENGTH(mta_group));
    init_snmp("squall");
}

void agentx_turn(netsnmp_large_fd_set *ready)
{
    if (ready)
        snmp_read2(ready);
    snmp_timeout();
    run_alarms();
    agent.netsnmp_check_outstanding_agent_requests();
}
