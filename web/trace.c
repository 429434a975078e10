/* In: a Message-ID or an address.  Out: the transactions that carried it, from the sensor's ring of the latest. */
#include "web/answer.h"
#include "web/api.h"

#define TEXT_MOST 1000 /* bytes of an id or an address: what a line of SMTP holds */

static bool can_be_asked_for(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] == 0x7f)
            return false;
    json_t *utf8 = json_stringn((const char *)text.p, text.n); /* NULL: it is not */
    json_decref(utf8);
    return utf8 && text.n > 0 && text.n <= TEXT_MOST;
}

/* What was pasted from a header or a log: blanks and brackets off. */
static char *asked_for(struct request *r, const char *name, char to[TEXT_MOST + 1])
{
    struct span text = span_trim(span_text(http.lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name)));
    if (text.n > 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
        text = span_of(text.p + 1, text.n - 2);
    if (!can_be_asked_for(text))
        return NULL;
    span_copy(text, to, TEXT_MOST + 1);
    return to;
}

json_t *trace_ask(struct request *r, const char *message_id, const char *address, struct reason *why)
{
    const struct web_desk *desk = &r->web->desk;
    reason_say(why, "message traces are not to be had here");
    return desk->trace && can_be_asked_for(span_text(message_id ? message_id : address))
               ? desk->trace(desk->user, message_id, address, why) : NULL;
}

static bool has_hops(const json_t *said)
{
    return json_array_size(json_object_get(said, "hops")) > 0;
}

/* The answer, whatever it is; takes the reference, NULL: *why. */
static enum MHD_Result answer(struct request *r, json_t *said, const char *by, const struct reason *why)
{
    if (!said)
        return answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", why->text);
    json_object_set_new(said, "by", json_string(by));
    if (has_hops(said))
        return answer_json(r, MHD_HTTP_OK, said);
    const char *since = json_string_value(json_object_get(said, "since"));
    enum MHD_Result result = since ? answer_error(r, MHD_HTTP_NOT_FOUND, "none of the mails kept since %s", since)
                                   : answer_error(r, MHD_HTTP_NOT_FOUND, "no mail has been seen yet");
    json_decref(said);
    return result;
}

enum MHD_Result api_trace(struct request *r, const char *part)
{
    (void)part;
    char id[TEXT_MOST + 1], mailbox[TEXT_MOST + 1], either[TEXT_MOST + 1];
    const char *message_id = asked_for(r, "message_id", id), *address = asked_for(r, "address", mailbox), *any = asked_for(r, "q", either);
    if ((message_id != NULL) + (address != NULL) + (any != NULL) != 1)
        return answer_error(r, MHD_HTTP_BAD_REQUEST, "expected one of message_id, address and q, of at most %d bytes", TEXT_MOST);
    struct reason why;
    if (!address) {
        json_t *said = trace_ask(r, any ? any : message_id, NULL, &why);
        if (!said || !any || has_hops(said))
            return answer(r, said, "message_id", &why);
        json_decref(said); /* an id looks like an address: then it may be one */
        address = any;
    }
    if (r->web->desk.no_addresses)
        return answer_error(r, MHD_HTTP_FORBIDDEN, "%sthe setting privacy does not allow to look for an address, only for a Message-ID",
            any ? "no mail kept has this Message-ID, and " : "");
    return answer(r, trace_ask(r, NULL, address, &why), "address", &why);
}
