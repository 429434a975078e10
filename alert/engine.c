/* In: notices, from the snmp channels' threads.  Out: traps and informs, the answers' verdicts back to who waits, and the subagent's work.
 * Sessions are single ones (snmp_sess_*), names numeric, no MIB is read and no file of Net-SNMP's own written. */
#include "alert/varbinds.h"

#include <assert.h>
#include <net-snmp/library/large_fd_set.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "alert/agentx.h"

enum stage { STAGE_IDLE, STAGE_DISCOVERING, STAGE_SENT, STAGE_OVER };

struct engine_receiver {
    const struct snmp_settings *settings;
    char peer[128], opened[128]; /* numeric, as Net-SNMP writes it: where the name points to, and where the session goes */
    void *session;               /* snmp_sess_open(); NULL: closed */
    enum stage stage;
    const struct notice *notice;
    const atomic_bool *stop;
    enum delivery result;
    struct reason *why;
    bool waiting; /* a channel's thread waits for the verdict */
    int64_t deadline;
};

static struct {
    struct engine_spec spec;
    pthread_t thread;
    pthread_mutex_t lock; /* of receivers' `waiting`, and of what follows */
    pthread_cond_t done;
    struct engine_receiver *list[SNMP_MOST];
    struct engine_receiver *parting;         /* its session is to be closed, and it leaves the list */
    struct engine_receiver *here[SNMP_MOST]; /* the list, as the engine's thread goes through it without the lock */
    int wake;
    bool running, stopping, library;
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER, .wake = -1};

const struct engine_spec *engine_spec(void)
{
    return &engine.spec;
}

static void wake(void)
{
    uint64_t one = 1;
    ssize_t n = write(engine.wake, &one, sizeof one);
    (void)n; /* a full counter wakes as well */
}

/* ---- in the engine's thread ---- */

static void close_session(struct engine_receiver *r)
{
    if (r->session)
        snmp_sess_close(r->session);
    r->session = NULL;
}

static void finish(struct engine_receiver *r, enum delivery result, const char *text)
{
    r->stage = STAGE_OVER;
    r->result = result;
    if (result == DELIVERY_CONFIRMED || result == DELIVERY_HOPED)
        reason_say(r->why, "%s", text);
    else
        reason_say(r->why, "%s: %s", r->settings->address, text);
}

static const char *report_text(int type)
{
    switch (type) {
    case SNMPERR_UNKNOWN_USER_NAME: return "the receiver knows no such user; compare user with its createUser";
    case SNMPERR_AUTHENTICATION_FAILURE: return "the receiver finds the signature wrong; compare auth and auth_password";
    case SNMPERR_UNSUPPORTED_SEC_LEVEL: return "the receiver does not take this level for the user; compare auth and priv";
    case SNMPERR_NOT_IN_TIME_WINDOW: return "the receiver says that our clock of its engine is wrong";
    case SNMPERR_DECRYPTION_ERR: return "the receiver cannot decrypt it; compare priv and priv_password";
    default: return "the receiver reports an error";
    }
}

static int on_answer(int operation, netsnmp_session *session, int request, netsnmp_pdu *pdu, void *magic)
{
    struct engine_receiver *r = magic;
    (void)session;
    (void)request;
    if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && r->stage == STAGE_SENT) {
        if (pdu->command == SNMP_MSG_RESPONSE) {
            if (pdu->errstat == SNMP_ERR_NOERROR)
                finish(r, DELIVERY_CONFIRMED, "the receiver answered the inform");
            else
                finish(r, DELIVERY_FAILED, snmp_errstring((int)pdu->errstat));
        } else if (pdu->command == SNMP_MSG_REPORT && snmpv3_get_report_type(pdu) != SNMPERR_NOT_IN_TIME_WINDOW)
            finish(
                r, DELIVERY_FAILED, report_text(snmpv3_get_report_type(pdu))); /* out of the window: the library asks once more by itself */
    } else if (operation == NETSNMP_CALLBACK_OP_SEC_ERROR && r->stage == STAGE_SENT)
        finish(r, DELIVERY_FAILED, pdu ? report_text(snmpv3_get_report_type(pdu)) : "security error");
    else if (operation == NETSNMP_CALLBACK_OP_TIMED_OUT && (r->stage == STAGE_SENT || r->stage == STAGE_DISCOVERING))
        finish(r, DELIVERY_FAILED, r->stage == STAGE_SENT ? "no answer to the inform" : "no answer to the discovery of its engine");
    else if (operation == NETSNMP_CALLBACK_OP_SEND_FAILED && r->stage != STAGE_OVER)
        finish(r, DELIVERY_FAILED, "cannot be sent");
    return 1;
}

static bool key_of(const oid *protocol, size_t protocol_length, const char *password, u_char *key, size_t *length)
{
    *length = USM_AUTH_KU_LEN;
    return generate_Ku(protocol, (u_int)protocol_length, (const u_char *)password, strlen(password), key, length) == SNMPERR_SUCCESS;
}

/* The library keeps pointers to none of this: it copies at snmp_sess_open(). */
static bool set_version3(netsnmp_session *s, const struct snmp_settings *o)
{
    s->version = SNMP_VERSION_3;
    s->securityModel = SNMP_SEC_MODEL_USM;
    s->securityName = o->user;
    s->securityNameLen = strlen(o->user);
    s->flags |= SNMP_FLAGS_DONT_PROBE; /* the library's own discovery blocks */
    bool auth = strcmp(o->auth, "none") != 0, priv = strcmp(o->priv, "none") != 0;
    s->securityLevel = priv ? SNMP_SEC_LEVEL_AUTHPRIV : auth ? SNMP_SEC_LEVEL_AUTHNOPRIV : SNMP_SEC_LEVEL_NOAUTH;
    if (!auth)
        return true;
    s->securityAuthProto = sc_get_auth_oid(usm_lookup_auth_type(o->auth), &s->securityAuthProtoLen);
    if (!s->securityAuthProto ||
        !key_of(s->securityAuthProto, s->securityAuthProtoLen, o->auth_password, s->securityAuthKey, &s->securityAuthKeyLen))
        return false;
    if (!priv)
        return true;
    s->securityPrivProto = sc_get_priv_oid(usm_lookup_priv_type(o->priv), &s->securityPrivProtoLen);
    return s->securityPrivProto &&
           key_of(s->securityAuthProto, s->securityAuthProtoLen, o->priv_password, s->securityPrivKey, &s->securityPrivKeyLen);
}

static bool open_session(struct engine_receiver *r)
{
    const struct snmp_settings *o = r->settings;
    netsnmp_session s;
    snmp_sess_init(&s);
    memcpy(r->opened, r->peer, sizeof r->opened);
    s.peername = r->opened;
    s.timeout = (long)(o->timeout / 1000);
    s.retries = 0; /* again and again is the channel's work: it knows when the receiver has it */
    s.callback = on_answer;
    s.callback_magic = r;
    bool good = true;
    if (strcmp(o->version, "2c") == 0) {
        s.version = SNMP_VERSION_2c;
        s.community = (u_char *)o->community;
        s.community_len = strlen(o->community);
    } else {
        good = set_version3(&s, o);
        if (!o->inform) { /* of a trap we are the authority */
            s.securityEngineID = s.contextEngineID = engine.spec.id;
            s.securityEngineIDLen = s.contextEngineIDLen = engine.spec.id_length;
            set_enginetime(engine.spec.id, (u_int)engine.spec.id_length, engine.spec.boots,
                (u_int)(clock_now() / NS_PER_SECOND - engine.spec.began), TRUE);
        }
    }
    if (good)
        r->session = snmp_sess_open(&s);
    explicit_bzero(s.securityAuthKey, sizeof s.securityAuthKey);
    explicit_bzero(s.securityPrivKey, sizeof s.securityPrivKey);
    if (r->session) {
        snmp_sess_session(r->session)->flags |= SNMP_FLAGS_DONT_PROBE; /* opening cleared it */
        return true;
    }
    finish(r, DELIVERY_FAILED, good ? "cannot be reached; is the address right?" : "no key can be made of the password");
    return false;
}

/* The empty user that asks who the receiver is (RFC 3414, 4). */
static bool empty_user(void)
{
    static char none[] = "";
    if (usm_get_user(NULL, 0, none))
        return true;
    struct usmUser *u = usm_create_user();
    if (!u)
        return false;
    u->name = strdup("");
    u->secName = strdup("");
    u->authProtocol = snmp_duplicate_objid(usmNoAuthProtocol, OID_LENGTH(usmNoAuthProtocol));
    u->authProtocolLen = OID_LENGTH(usmNoAuthProtocol);
    u->privProtocol = snmp_duplicate_objid(usmNoPrivProtocol, OID_LENGTH(usmNoPrivProtocol));
    u->privProtocolLen = OID_LENGTH(usmNoPrivProtocol);
    usm_add_user(u);
    return true;
}

static void discover(struct engine_receiver *r)
{
    netsnmp_pdu *pdu = empty_user() ? snmp_pdu_create(SNMP_MSG_GET) : NULL;
    if (pdu) {
        pdu->version = SNMP_VERSION_3;
        pdu->securityName = strdup("");
        pdu->securityNameLen = 0;
        pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
        pdu->securityModel = SNMP_SEC_MODEL_USM;
        r->stage = STAGE_DISCOVERING;
        if (snmp_sess_async_send(r->session, pdu, on_answer, r))
            return;
        snmp_free_pdu(pdu);
    }
    finish(r, DELIVERY_FAILED, "the discovery of its engine cannot be sent");
}

static void send_notice(struct engine_receiver *r)
{
    bool inform = r->settings->inform;
    netsnmp_session *s = snmp_sess_session(r->session);
    netsnmp_pdu *pdu = snmp_pdu_create(inform ? SNMP_MSG_INFORM : SNMP_MSG_TRAP2);
    if (!pdu || !varbinds_add(pdu, &engine.spec, r->notice)) {
        snmp_free_pdu(pdu);
        finish(r, DELIVERY_FAILED, "out of memory");
        return;
    }
    r->stage = STAGE_SENT;
    if (inform ? snmp_sess_async_send(r->session, pdu, on_answer, r) : snmp_sess_send(r->session, pdu)) {
        if (!inform)
            finish(r, DELIVERY_HOPED, "a trap; nothing tells whether it arrived");
        return;
    }
    snmp_free_pdu(pdu);
    finish(r, DELIVERY_FAILED, snmp_api_errstring(s->s_snmp_errno));
}

static void begin(struct engine_receiver *r)
{
    if (r->session && strcmp(r->peer, r->opened) != 0)
        close_session(r);
    if (!r->session && !open_session(r))
        return;
    netsnmp_session *s = snmp_sess_session(r->session);
    if (s->version == SNMP_VERSION_3 && s->securityEngineIDLen == 0)
        discover(r);
    else
        send_notice(r);
}

/* The library learns the engine id after it has called us back: so it is looked at here. */
static void go_on(struct engine_receiver *r)
{
    if (r->stage == STAGE_DISCOVERING) {
        netsnmp_session *s = snmp_sess_session(r->session);
        if (s->securityEngineIDLen == 0)
            return;
        if (usm_create_user_from_session(s) == SNMPERR_SUCCESS)
            send_notice(r);
        else
            finish(r, DELIVERY_FAILED, "no user can be made for its engine");
    }
}

/* Gives the verdict to the thread that waits.  After a failure the session is made anew: the receiver may be another engine now. */
static void settle(struct engine_receiver *r)
{
    if (r->stage != STAGE_OVER && r->stage != STAGE_IDLE && (atomic_load(r->stop) || clock_monotonic() > r->deadline))
        finish(r, DELIVERY_FAILED, "no answer");
    if (r->stage != STAGE_OVER)
        return;
    if (r->result == DELIVERY_FAILED)
        close_session(r);
    r->stage = STAGE_IDLE;
    r->waiting = false;
    pthread_cond_broadcast(&engine.done);
}

/* Waits for the sockets of the sessions, of the subagent and for a wake, and reads what is there. */
static void turn(int64_t most)
{
    netsnmp_large_fd_set fds;
    netsnmp_large_fd_set_init(&fds, FD_SETSIZE);
    int top = engine.wake + 1, block = 0;
    struct timeval wait = {(time_t)(most / NS_PER_SECOND), (suseconds_t)(most % NS_PER_SECOND / 1000)};
    NETSNMP_LARGE_FD_ZERO(&fds);
    NETSNMP_LARGE_FD_SET(engine.wake, &fds);
    for (size_t i = 0; i < SNMP_MOST; i++)
        if (engine.here[i] && engine.here[i]->session)
            snmp_sess_select_info2(engine.here[i]->session, &top, &fds, &wait, &block);
    if (engine.spec.agentx_socket)
        snmp_select_info2(&top, &fds, &wait, &block);
    int ready = netsnmp_large_fd_set_select(top, &fds, NULL, NULL, &wait);
    uint64_t count;
    if (ready > 0 && NETSNMP_LARGE_FD_ISSET(engine.wake, &fds) && read(engine.wake, &count, sizeof count) < 0)
        ready = 0;
    for (size_t i = 0; i < SNMP_MOST; i++) {
        struct engine_receiver *r = engine.here[i];
        if (!r || !r->session)
            continue;
        if (ready > 0)
            snmp_sess_read2(r->session, &fds);
        snmp_sess_timeout(r->session);
    }
    if (engine.spec.agentx_socket)
        agentx_turn(ready > 0 ? &fds : NULL);
    netsnmp_large_fd_set_cleanup(&fds);
}

static void library_start(void)
{
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    static char nowhere[] = "/dev/null"; /* so that it looks for no configuration or certificate, and makes no directory */
    set_configuration_directory(nowhere);
    set_persistent_directory(nowhere);
    netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG); /* without any it would take stderr */
    if (engine.spec.agentx_socket)
        agentx_start(&engine.spec); /* says what the library is to be before it begins */
    else
        init_snmp("squall");
    engine.library = true;
}

static void let_part(void)
{
    if (!engine.parting)
        return;
    for (size_t i = 0; i < SNMP_MOST; i++)
        if (engine.list[i] == engine.parting)
            engine.list[i] = NULL;
    close_session(engine.parting);
    engine.parting = NULL;
    pthread_cond_broadcast(&engine.done);
}

static void *engine_run(void *arg)
{
    (void)arg;
    if (!engine.library)
        library_start();
    pthread_mutex_lock(&engine.lock);
    while (!engine.stopping) {
        pthread_mutex_unlock(&engine.lock);
        turn(NS_PER_SECOND / 5);
        pthread_mutex_lock(&engine.lock);
        let_part();
        memcpy(engine.here, engine.list, sizeof engine.here);
        for (size_t i = 0; i < SNMP_MOST; i++) {
            struct engine_receiver *r = engine.list[i];
            if (!r || !r->waiting)
                continue;
            if (r->stage == STAGE_IDLE)
                begin(r);
            go_on(r);
            settle(r);
        }
    }
    pthread_mutex_unlock(&engine.lock);
    return NULL;
}

/* ---- for the others ---- */

bool engine_start(const struct engine_spec *spec, struct reason *why)
{
    assert(!engine.running);
    if (spec->agentx_socket && !agentx_load(why))
        return false;
    engine.spec = *spec;
    engine.stopping = false;
    engine.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!engine.library)
        setenv("MIBS", "", 1); /* no MIB file is looked for; once, before there are threads that read the environment */
    if (engine.wake >= 0 && pthread_create(&engine.thread, NULL, engine_run, NULL) == 0) {
        engine.running = true;
        return true;
    }
    if (engine.wake >= 0)
        close(engine.wake);
    return reason_say(why, "snmp: no thread or descriptor to be had");
}

void engine_stop(void)
{
    if (!engine.running)
        return;
    pthread_mutex_lock(&engine.lock);
    engine.stopping = true;
    pthread_mutex_unlock(&engine.lock);
    wake();
    pthread_join(engine.thread, NULL);
    close(engine.wake);
    engine.running = false;
}

struct engine_receiver *engine_receiver_new(const struct snmp_settings *s)
{
    struct engine_receiver *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->settings = s;
    pthread_mutex_lock(&engine.lock);
    size_t i = 0;
    while (i < SNMP_MOST && engine.list[i])
        i++;
    assert(i < SNMP_MOST);
    engine.list[i] = r;
    pthread_mutex_unlock(&engine.lock);
    return r;
}

void engine_receiver_free(struct engine_receiver *r)
{
    pthread_mutex_lock(&engine.lock);
    while (engine.parting)
        pthread_cond_wait(&engine.done, &engine.lock);
    engine.parting = r;
    wake();
    while (engine.parting == r)
        pthread_cond_wait(&engine.done, &engine.lock);
    pthread_mutex_unlock(&engine.lock);
    free(r);
}

/* In the channel's thread: a name server that is slow holds up nobody else.  One that fails leaves the address of last time. */
static bool resolve(struct engine_receiver *r, struct reason *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;
    char host[256], port[8], address[64];
    alert_address_split(r->settings->address, "162", host, port);
    int failed = getaddrinfo(host, port, &hints, &list);
    if (!failed)
        failed = getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST);
    if (!failed)
        snprintf(r->peer, sizeof r->peer, list->ai_family == AF_INET6 ? "udp6:[%s]:%s" : "udp:%s:%s", address, port);
    if (list)
        freeaddrinfo(list);
    return r->peer[0] != '\0' || reason_say(why, "%s: %s", r->settings->address, gai_strerror(failed));
}

enum delivery engine_send(struct engine_receiver *r, const struct notice *n, const atomic_bool *stop, struct reason *why)
{
    if (!resolve(r, why)) /* the engine looks at nothing of a receiver that does not wait */
        return DELIVERY_FAILED;
    pthread_mutex_lock(&engine.lock);
    r->notice = n;
    r->stop = stop;
    r->why = why;
    r->stage = STAGE_IDLE;
    r->deadline = clock_monotonic() + 4 * r->settings->timeout; /* discovery, inform, and the inform again in the right window */
    r->waiting = true;
    wake();
    while (r->waiting)
        pthread_cond_wait(&engine.done, &engine.lock);
    enum delivery d = r->result;
    pthread_mutex_unlock(&engine.lock);
    return d;
}
