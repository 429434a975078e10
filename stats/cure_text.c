/* In: a plan whose texts are safe everywhere (cure.c).  Out: one file for a mail server or a firewall.  Each begins with where it goes
 * and how it is switched on, and ends the storm without harm to other mail: copies are dropped silently (a refusal would bounce to the
 * innocent sender), hosts are put off with a temporary reply (their mail waits, nothing is lost). */
#include <string.h>

#include "stats/cure_plan.h"

/* The hosts aimed at that are IPv4 (or IPv6), between separators; returns how many. */
static size_t hosts_write(const struct cure_plan *p, bool v4, bool v6, const char *form, const char *between, FILE *to)
{
    size_t n = 0;
    for (uint32_t i = 0; i < p->storm->host_count; i++) {
        const struct storm_host *h = &p->storm->hosts[i];
        char text[ADDRESS_TEXT];
        if (!cure_aims_at(p->storm, h) || !(address_is_v4(h->address) ? v4 : v6))
            continue;
        if (to) {
            fputs(n ? between : "", to);
            fprintf(to, form, address_text(h->address, text), p->name);
        }
        n++;
    }
    return n;
}

static const char *id_end(const struct cure_plan *p)
{
    return p->id_whole ? ">?\\s*$" : "";
}

/* ---- Postfix ---- */

static bool postfix(const struct cure_plan *p, FILE *to)
{
    switch (p->way) {
    case CURE_BY_MESSAGE:
        fprintf(to,
            "# /etc/postfix/header_checks: drops every further copy of this mail, without a bounce.  Switch it on with\n"
            "#   postconf -e header_checks=pcre:/etc/postfix/header_checks && postfix reload\n"
            "# or add the line to the table you have; take it out when the storm is over.\n"
            "/^Message-ID:\\s*<?%s%s/ DISCARD mail storm %s\n",
            p->id, id_end(p), p->name);
        return true;
    case CURE_BY_THREAD:
        fprintf(to,
            "# /etc/postfix/header_checks: refuses answers to this thread; the one who answers reads why.  Switch it on with\n"
            "#   postconf -e header_checks=pcre:/etc/postfix/header_checks && postfix reload\n"
            "# or add the line to the table you have; take it out when the storm is over.\n"
            "/^(In-Reply-To|References):.*<?%s/ REJECT 5.7.1 Too many people have answered all on this thread. It is closed (%s).\n",
            p->id, p->name);
        return true;
    case CURE_BY_PAIR:
        fprintf(to,
            "# /etc/postfix/storm_senders: drops what one of the two addresses sends to the other, and nothing else.  Switch it on with\n"
            "#   postconf -e smtpd_restriction_classes=storm_pair \\\n"
            "#     'storm_pair=check_recipient_access inline:{{%s=DISCARD mail storm %s}}'\n"
            "#   postconf -e 'smtpd_recipient_restrictions=check_sender_access pcre:/etc/postfix/storm_senders, '\"$(postconf -h "
            "smtpd_recipient_restrictions)\"\n"
            "#   postfix reload\n"
            "/%s/ storm_pair\n",
            p->victim + (p->victim[0] == '@'), p->name, p->sender_pattern);
        return true;
    case CURE_NULL_SENDER:
        fprintf(to,
            "# /etc/postfix/storm_recipients: refuses bounces to the victim, and nothing else.  Switch it on with\n"
            "#   postconf -e smtpd_restriction_classes=storm_bounces \\\n"
            "#     'storm_bounces=check_sender_access inline:{{<>=550 5.7.1 This address did not send the mail you return (%s)}}'\n"
            "#   postconf -e 'smtpd_recipient_restrictions=check_recipient_access pcre:/etc/postfix/storm_recipients, '\"$(postconf -h "
            "smtpd_recipient_restrictions)\"\n"
            "#   postfix reload\n"
            "/%s/ storm_bounces\n",
            p->name, p->victim_pattern);
        return true;
    case CURE_SLOW_VICTIM:
        fprintf(to,
            "# /etc/postfix/storm_recipients: puts off mail to the victim; it waits at its senders.  Switch it on with\n"
            "#   postconf -e 'smtpd_recipient_restrictions=check_recipient_access pcre:/etc/postfix/storm_recipients, '\"$(postconf -h "
            "smtpd_recipient_restrictions)\"\n"
            "#   postfix reload\n"
            "/%s/ 450 4.2.1 This mailbox is flooded, try again later (%s)\n",
            p->victim_pattern, p->name);
        return true;
    case CURE_NOTHING:
    case CURE_SLOW_HOST: break;
    }
    return false;
}

static bool postfix_clients(const struct cure_plan *p, FILE *to)
{
    if (p->hosts == 0)
        return false;
    fputs("# /etc/postfix/storm_clients: puts off all mail of these hosts; it waits in their queues.  Switch it on with\n"
          "#   postconf -e 'smtpd_client_restrictions=check_client_access cidr:/etc/postfix/storm_clients, '\"$(postconf -h "
          "smtpd_client_restrictions)\"\n"
          "#   postfix reload\n",
        to);
    hosts_write(p, true, true, "%s 450 4.7.1 Your server re-sends mail, its postmaster has been told (%s)\n", "", to);
    return true;
}

/* ---- Exim ---- */

static void exim_hosts(const struct cure_plan *p, FILE *to)
{
    if (p->hosts == 0)
        return;
    fputs("    hosts       = <; ", to);
    hosts_write(p, true, true, "%s", " ; ", to);
    fputc('\n', to);
}

/* "recipients" takes the address, "domains" the domain. */
static void exim_victim(const struct cure_plan *p, FILE *to)
{
    if (p->victim[0] == '@')
        fprintf(to, "    domains     = %s\n", p->victim + 1);
    else
        fprintf(to, "    recipients  = %s\n", p->victim);
}

static bool exim(const struct cure_plan *p, FILE *to)
{
    switch (p->way) {
    case CURE_BY_MESSAGE:
        fprintf(to,
            "# Into the ACL that acl_smtp_data names (Debian: acl_check_data), before its first accept; then reload Exim.  Drops, without "
            "a bounce,\n"
            "# every further copy of this mail%s.\n",
            p->hosts ? " that these hosts send (without the line \"hosts\": whoever sends it)" : "");
        fprintf(to, "  discard\n    condition   = ${if match{$rh_Message-ID:}{\\N(?i)^\\s*<?%s%s\\N}}\n", p->id, id_end(p));
        exim_hosts(p, to);
        fprintf(to, "    log_message = mail storm %s\n", p->name);
        return true;
    case CURE_BY_THREAD:
        fprintf(to,
            "# Into the ACL that acl_smtp_data names (Debian: acl_check_data), before its first accept; then reload Exim.  Refuses answers "
            "to this thread.\n"
            "  deny\n    condition   = ${if match{$rh_In-Reply-To: $rh_References:}{\\N(?i)%s\\N}}\n"
            "    message     = Too many people have answered all on this thread. It is closed (%s).\n",
            p->id, p->name);
        return true;
    case CURE_BY_PAIR:
        fprintf(to,
            "# Into the ACL that acl_smtp_rcpt names (Debian: acl_check_rcpt), before its first accept; then reload Exim.  Drops what one "
            "of the two\n"
            "# addresses sends to the other, and nothing else.\n"
            "  discard\n    senders     = %s%s\n",
            p->sender[0] == '@' ? "*" : "", p->sender);
        exim_victim(p, to);
        fprintf(to, "    log_message = mail storm %s\n", p->name);
        return true;
    case CURE_NULL_SENDER:
        fputs("# Into the ACL that acl_smtp_rcpt names (Debian: acl_check_rcpt), before its first accept; then reload Exim.  Refuses "
              "bounces to the victim.\n"
              "  deny\n    senders     = :\n",
            to);
        exim_victim(p, to);
        fprintf(to, "    message     = This address did not send the mail you return (%s)\n", p->name);
        return true;
    case CURE_SLOW_VICTIM:
        fputs("# Into the ACL that acl_smtp_rcpt names (Debian: acl_check_rcpt), before its first accept; then reload Exim.  Lets the "
              "victim have 20 mails\n"
              "# in 10 minutes and puts off the rest.\n"
              "  defer\n",
            to);
        exim_victim(p, to);
        fprintf(to,
            "    ratelimit   = 20 / 10m / per_rcpt / strict / $local_part@$domain\n    message     = This mailbox is flooded, try again "
            "later (%s)\n",
            p->name);
        return true;
    case CURE_SLOW_HOST:
        fputs("# Into the ACL that acl_smtp_rcpt names (Debian: acl_check_rcpt), before its first accept; then reload Exim.  Puts off all "
              "mail of these\n"
              "# hosts; it waits in their queues.\n"
              "  defer\n",
            to);
        exim_hosts(p, to);
        fprintf(to, "    message     = Too much mail from your server, its postmaster has been told (%s)\n", p->name);
        return true;
    case CURE_NOTHING: break;
    }
    return false;
}

/* ---- Exchange ---- */

static bool exchange(const struct cure_plan *p, FILE *to)
{
    static const char head[] = "# In the Exchange Management Shell or Exchange Online PowerShell.  When the storm is over: "
                               "Get-TransportRule 'Squall %s*' | Remove-TransportRule\n";
    switch (p->way) {
    case CURE_BY_MESSAGE:
        fprintf(to, head, p->name);
        fprintf(to,
            "New-TransportRule -Name 'Squall %s' -Priority 0 -HeaderMatchesMessageHeader 'Message-ID' -HeaderMatchesPatterns '%s' "
            "-DeleteMessage $true\n",
            p->name, p->simple_id);
        return true;
    case CURE_BY_THREAD:
        fprintf(to, head, p->name);
        for (int i = 0; i < 2; i++)
            fprintf(to,
                "New-TransportRule -Name 'Squall %s %d' -Priority 0 -HeaderMatchesMessageHeader '%s' -HeaderMatchesPatterns '%s' "
                "-RejectMessageReasonText 'Too many people have answered all on this thread. It is closed.'\n",
                p->name, i + 1, i ? "References" : "In-Reply-To", p->simple_id);
        return true;
    case CURE_BY_PAIR:
        if (p->sender[0] == '@' || p->victim[0] == '@')
            return false;
        fprintf(to, head, p->name);
        fprintf(to, "New-TransportRule -Name 'Squall %s' -Priority 0 -From '%s' -SentTo '%s' -DeleteMessage $true\n", p->name, p->sender,
            p->victim);
        return true;
    case CURE_NULL_SENDER:
        fprintf(to, head, p->name);
        fprintf(to,
            "New-TransportRule -Name 'Squall %s' -Priority 0 %s '%s' -HeaderMatchesMessageHeader 'Content-Type' -HeaderMatchesPatterns "
            "'multipart/report' "
            "-DeleteMessage $true\n",
            p->name, p->victim[0] == '@' ? "-RecipientDomainIs" : "-SentTo", p->victim + (p->victim[0] == '@'));
        return true;
    case CURE_NOTHING:
    case CURE_SLOW_VICTIM:
    case CURE_SLOW_HOST: break; /* a transport rule sees neither rate nor time */
    }
    return false;
}

/* ---- rspamd ---- */

static void rspamd_hosts(const struct cure_plan *p, FILE *to)
{
    fputs("local hosts = {", to);
    hosts_write(p, true, true, "['%s'] = true", ", ", to);
    fputs("}\n", to);
}

/* Writes the locals that a plan's condition needs; returns the condition, in Lua. */
static const char *rspamd_condition(const struct cure_plan *p, FILE *to)
{
    static const char to_victim[] = "local function to_victim(task)\n  for _, r in ipairs(task:get_recipients('smtp') or {}) do\n"
                                    "    if victim:match(r.addr) then return true end\n  end\nend\n";
    bool by_id = p->way == CURE_BY_MESSAGE || p->way == CURE_BY_THREAD;
    if (by_id)
        fprintf(to, "local id = rspamd_regexp.create([[/%s%s%s/i]])\n", p->way == CURE_BY_MESSAGE ? "^<?" : "", p->id,
            p->way == CURE_BY_MESSAGE ? id_end(p) : "");
    if (p->way == CURE_BY_PAIR)
        fprintf(to, "local sender = rspamd_regexp.create([[/%s/i]])\n", p->sender_pattern);
    if (p->way == CURE_BY_PAIR || p->way == CURE_NULL_SENDER || p->way == CURE_SLOW_VICTIM)
        fprintf(to, "local victim = rspamd_regexp.create([[/%s/i]])\n%s", p->victim_pattern, to_victim);
    bool by_host = p->way == CURE_SLOW_HOST || (p->way == CURE_BY_MESSAGE && p->hosts);
    if (by_host) {
        rspamd_hosts(p, to);
        fputs("local function from_host(task)\n  local ip = task:get_from_ip()\n  return ip and ip:is_valid() and "
              "hosts[ip:to_string()]\nend\n",
            to);
    }
    switch (p->way) {
    case CURE_BY_MESSAGE:
        return by_host ? "from_host(task) and id:match(task:get_message_id() or '')" : "id:match(task:get_message_id() or '')";
    case CURE_BY_THREAD: return "id:match((task:get_header('In-Reply-To') or '') .. ' ' .. (task:get_header('References') or ''))";
    case CURE_BY_PAIR: return "sender:match(((task:get_from('smtp') or {})[1] or {}).addr or '') and to_victim(task)";
    case CURE_NULL_SENDER: return "(((task:get_from('smtp') or {})[1] or {}).addr or '') == '' and to_victim(task)";
    case CURE_SLOW_VICTIM: return "to_victim(task)";
    case CURE_SLOW_HOST: return "from_host(task)";
    case CURE_NOTHING: break;
    }
    return "false";
}

static bool rspamd(const struct cure_plan *p, FILE *to)
{
    const char *action = p->way == CURE_BY_MESSAGE || p->way == CURE_BY_PAIR      ? "discard"
                         : p->way == CURE_BY_THREAD || p->way == CURE_NULL_SENDER ? "reject"
                                                                                  : "soft reject";
    fprintf(to,
        "-- /etc/rspamd/lua.local.d/storm.lua; then reload rspamd.  Take the file out when the storm is over.%s\n"
        "local rspamd_regexp = require 'rspamd_regexp'\n",
        p->way == CURE_BY_MESSAGE && p->hosts
            ? "\n-- Drops copies that these hosts send; without \"from_host(task) and\" below, whoever sends them."
            : "");
    const char *condition = rspamd_condition(p, to);
    fprintf(to,
        "rspamd_config:register_symbol({\n  name = 'SQUALL_STORM',\n  type = 'prefilter',\n  priority = 10,\n  callback = function(task)\n"
        "    if %s then\n      task:set_pre_result({action = '%s', message = 'mail storm %s', module = 'squall'})\n    end\n  end,\n})\n",
        condition, action, p->name);
    return true;
}

/* ---- nftables ---- */

static void nft_rule(const struct cure_plan *p, bool v4, FILE *to)
{
    if (hosts_write(p, v4, !v4, "%s", "", NULL) == 0)
        return;
    fprintf(to, "        %s saddr { ", v4 ? "ip" : "ip6");
    hosts_write(p, v4, !v4, "%s", ", ", to);
    fputs(" } tcp dport { 25, 465, 587 } counter reject with tcp reset\n", to);
}

static bool nft(const struct cure_plan *p, FILE *to)
{
    if (p->hosts == 0)
        return false;
    char table[STORM_ID_SIZE + 8];
    snprintf(table, sizeof table, "squall_%s", p->name);
    for (char *c = table; *c; c++)
        *c = *c == '-' ? '_' : *c;
    fprintf(to,
        "#!/usr/sbin/nft -f\n"
        "# On the router or the mail server: takes no mail from these hosts; it waits in their queues.  When the storm is over: nft delete "
        "table inet %s\n"
        "table inet %s\ndelete table inet %s\ntable inet %s {\n    chain at_fault {\n",
        table, table, table, table);
    nft_rule(p, true, to);
    nft_rule(p, false, to);
    fputs("    }\n"
          "    chain input {\n        type filter hook input priority -10; policy accept;\n        jump at_fault\n    }\n"
          "    chain forward {\n        type filter hook forward priority -10; policy accept;\n        jump at_fault\n    }\n"
          "}\n",
        to);
    return true;
}

bool cure_write_text(const struct cure_plan *p, enum cure_target target, FILE *to)
{
    static bool (*const write[])(const struct cure_plan *, FILE *) = {
        [CURE_POSTFIX] = postfix,
        [CURE_POSTFIX_CLIENTS] = postfix_clients,
        [CURE_EXIM] = exim,
        [CURE_EXCHANGE] = exchange,
        [CURE_RSPAMD] = rspamd,
        [CURE_NFT] = nft,
    };
    return write[target](p, to);
}
