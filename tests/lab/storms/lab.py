#!/usr/bin/env python3
"""lab.py TOPOLOGY DIRECTORY: records a storm, or what looks like one, with real servers.

Every host of TOPOLOGY gets a network namespace on one bridge; Postfix or Exim serves its mail, Dovecot its POP boxes, fetchmail drains them.
tcpdump on the bridge writes DIRECTORY/NAME.pcap, the servers' logs go to DIRECTORY/NAME.log.  Run it by ./record, in a throw-away root."""
import os, re, shlex, shutil, signal, subprocess, sys, time

LAB = "/run/lab"
FETCHMAIL_USER = "nobody"


def run(command, **more):
    return subprocess.run(command, shell=isinstance(command, str), check=True, **more)


class Host:
    def __init__(self, name, address, options):
        self.name, self.address, self.options = name, address, options
        self.domains = options.get("domains", "").split(",") if options.get("domains") else []
        self.fqdn = options.get("helo", f"mail.{self.domains[0]}" if self.domains else f"{name}.test")
        self.home = f"{LAB}/{name}"
        self.children = []

    def inside(self, command, **more):
        return run(["ip", "netns", "exec", self.name, *command], **more)

    def spawn(self, command, log):
        with open(log, "a") as output:
            child = subprocess.Popen(["ip", "netns", "exec", self.name, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self.children.append(child)

    def pairs(self, key):
        """key=a>b+c;d>e"""
        for entry in filter(None, self.options.get(key, "").split(";")):
            left, right = entry.split(">")
            yield left, right.split("+")


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


LIST = r"""#!/usr/bin/python3
# list.py SUBMIT MARKS KEEP ADDRESS SENDER MEMBER...: a small mailing list, as the pipe of a real server; or one that routes by header, not by envelope
import re, subprocess, sys
submit, marks, keep, me, sender, members = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6:]
mail = sys.stdin.buffer.read()
head, body = re.split(rb"\r?\n\r?\n", mail, maxsplit=1)
if marks == "route": sys.exit(subprocess.run(["/run/lab/shape.py", submit, keep, me.split("@")[1], sender], input=mail).returncode)
if marks == "check" and (b"X-BeenThere: " + me.encode()) in head: sys.exit(0)
if marks != "none":
    head = b"List-Id: <%s>\nX-BeenThere: %s\nPrecedence: list\n" % (me.replace("@", ".").encode(), me.encode()) + head
if marks == "reply": head = b"Reply-To: %s\n" % me.encode() + head
if keep == "newid": head = re.sub(rb"(?im)^Message-ID:.*$", b"Message-ID: <%d.%s>" % (__import__("time").time_ns(), me.encode()), head)
sender = sender if keep == "keepfrom" else "owner-" + me
sys.exit(subprocess.run([*submit.split(), "-f", sender, *members], input=head + b"\n\n" + body).returncode)
"""

REPLY = r"""#!/usr/bin/python3
# reply.py SUBMIT MARK ME SENDER: answers each mail
import re, subprocess, sys, time
submit, mark, me, sender = sys.argv[1:5]
mail = sys.stdin.buffer.read().decode("latin-1")
head = re.split(r"\r?\n\r?\n", mail, maxsplit=1)[0]
def field(name):
    m = re.search(r"(?im)^%s:[ \t]*(.*)$" % name, head); return m.group(1).strip() if m else ""
if mark == "polite" and (field("Auto-Submitted") not in ("", "no") or field("Precedence") in ("bulk", "list") or not sender): sys.exit(0)
out = "From: %s\nTo: %s\nSubject: Re: %s\nMessage-ID: <%d@%s>\nIn-Reply-To: %s\n" % (me, field("Reply-To") or field("From"), field("Subject"), time.time_ns(), me.split("@")[1], field("Message-ID"))
if mark in ("auto", "polite"): out += "Auto-Submitted: auto-replied\n"
to = re.search(r"[\w.+-]+@[\w.-]+", field("Reply-To") or field("From")).group(0)
out += "\nI am away until Monday, and shall answer then. (%s)\n" % me
sys.exit(subprocess.run([*submit.split(), "-f", me, to], input=out.encode()).returncode)
"""


SHAPE = r"""#!/usr/bin/python3
# shape.py SUBMIT WORDS DOMAIN SENDER: what a connector does to a mail that it has fetched: sends it to everybody in To: and Cc:
# own: not to its own domain; strip: takes Received lines out; bare: and every other trace of a mailbox; noid, newid: no Message-ID, one of its own; tag: marks
# the subject; footer: a line under the text; exchange: the fields of another maker; null, box: reverse-path empty, or its mailbox
import email.utils, re, subprocess, sys, time
submit, words, domain, sender = sys.argv[1], sys.argv[2].split("+"), sys.argv[3], sys.argv[4]
head, body = re.split(r"\r?\n\r?\n", sys.stdin.buffer.read().decode("latin-1"), maxsplit=1)
fields = re.split(r"\r?\n(?![ \t])", head)
def values(*names): return [f.split(":", 1)[1] for f in fields if f.split(":", 1)[0].lower() in names]
def drop(*names): fields[:] = [f for f in fields if f.split(":", 1)[0].lower() not in names]
to = [a for _, a in email.utils.getaddresses(values("to", "cc"))]
if "own" in words: to = [a for a in to if not a.endswith("@" + domain)]
if "strip" in words or "bare" in words or "exchange" in words: drop("received")
if "bare" in words or "exchange" in words: drop("delivered-to", "return-path", "x-original-to", "envelope-to", "delivery-date")
if "noid" in words or "newid" in words: drop("message-id")
if "newid" in words: fields.append("Message-ID: <%d.%s>" % (time.time_ns(), "server@" + domain))
if "tag" in words: fields[:] = [re.sub("(?i)^Subject: ", "Subject: [EXTERN] ", f) for f in fields]
if "footer" in words: body += "\n-- \nThis mail and its attachments are confidential.\n"
if "exchange" in words:
    fields[:0] = ["Received: from pop.%s by SERVER.%s with Microsoft POP3 Connector; %s" % (domain, domain, email.utils.formatdate())]
    fields += ["MIME-Version: 1.0", 'Content-Type: text/plain; charset="us-ascii"', "Content-class: urn:content-classes:message",
               "X-Mailer: Microsoft CDO for Exchange 2000", "X-OriginalArrivalTime: 24 Nov 2026 03:00:00.0000 (UTC) FILETIME=[0A1B2C3D:01C0FFEE]"]
sender = "" if "null" in words else "box@" + domain if "box" in words else sender
sys.exit(subprocess.run([*submit.split(), "-f", sender, "--", *to], input=("\n".join(fields) + "\n\n" + body).encode("latin-1")).returncode if to else 0)
"""


class Postfix:
    def __init__(self, lab, host):
        self.lab, self.host, self.conf = lab, host, f"{host.home}/postfix"

    def submit(self):
        return f"/usr/sbin/sendmail -C {self.conf} -oi"

    def configure(self):
        h, o = self.host, self.host.options
        os.makedirs(f"{self.conf}", exist_ok=True)
        pipes = ""
        virtual, transport = "", self.lab.transport(h)
        for address, members in h.pairs("alias"):
            virtual += f"{address} {','.join(members)}\n"
        for domain, box in h.pairs("catchall"):
            virtual += f"@{domain} {box[0]}\n"
        for number, (address, words) in enumerate([*h.pairs("list"), *h.pairs("reply")]):
            kind = "list.py" if (address, words) in [*h.pairs("list")] else "reply.py"
            argv = f"{words[0]}+{words[1] if kind == 'list.py' else ''}"
            transport = f"{address} pipe{number}:\n" + transport
            if kind == "list.py":
                argv = f"/run/lab/list.py {{{self.submit()}}} {words[0]} {words[1]} {address} ${{sender}} {' '.join(words[2:])}"
            else:
                argv = f"/run/lab/reply.py {{{self.submit()}}} {words[0]} {address} ${{sender}}"
            pipes += f"pipe{number} unix - n n - 1 pipe\n  flags=Rq null_sender= user=nobody argv={argv}\n"
        write(f"{self.conf}/transport", transport)
        write(f"{self.conf}/virtual", virtual)
        write(f"{self.conf}/boxes", "".join(f"{box} {box.split('@')[1]}/\n" for _, (box, *_) in h.pairs("catchall")))
        write(f"{self.conf}/refused", "".join(f"{a} 550 5.1.1 no such user\n" for a in o.get("refuse", "").split(",") if a))
        write(f"{self.conf}/rewrite", o.get("rewrite", "/^X-Nothing:/ IGNORE").replace("_", " ").replace(";;", "\n") + "\n")
        write(f"{self.conf}/srs", f"/^(.*)@(.*)$/ SRS0=x1=$2=$1@{h.domains[0] if h.domains else h.fqdn}\n")
        local = [d for d in h.domains]
        lines = dict(
            compatibility_level="3.6", myhostname=h.fqdn, queue_directory=f"{h.home}/queue", data_directory=f"{h.home}/data",
            maillog_file=f"{h.home}/mail.log", maillog_file_prefixes="/run,/var,/dev", inet_interfaces=h.address if ":" in h.address else f"{h.address},127.0.0.1",
            inet_protocols="ipv6" if ":" in h.address else "ipv4", mydestination="", alias_maps="", alias_database="",
            mynetworks="0.0.0.0/0 [::]/0", smtpd_relay_restrictions="permit_mynetworks, reject", smtpd_recipient_restrictions=
            f"check_recipient_access texthash:{self.conf}/refused, " + o.get("rcpt", "").replace("_", " ") + " permit_mynetworks, reject",
            virtual_mailbox_domains=" ".join(local), virtual_mailbox_base=f"{h.home}/mail",
            virtual_mailbox_maps=f"texthash:{self.conf}/boxes static:sink/", virtual_uid_maps="static:65534", virtual_gid_maps="static:65534",
            virtual_transport="lmtp:inet:" + o["lmtp"] if "lmtp" in o else "virtual", virtual_alias_maps=f"texthash:{self.conf}/virtual",
            transport_maps=f"texthash:{self.conf}/transport", disable_dns_lookups="yes", smtp_host_lookup="native", smtpd_peername_lookup="no",
            smtpd_tls_security_level="none", smtp_tls_security_level="none", smtpd_client_connection_count_limit="0",
            smtpd_client_recipient_rate_limit="0", in_flow_delay="0", minimal_backoff_time="3s", maximal_backoff_time="6s", queue_run_delay="3s",
            hopcount_limit=o.get("hops", "50"), virtual_alias_recursion_limit="1000", header_checks=f"regexp:{self.conf}/rewrite",
            default_destination_recipient_limit=o.get("limit", "50"), smtp_connection_cache_on_demand=o.get("cache", "yes"),
            always_add_missing_headers="yes", virtual_alias_address_length_limit="200", authorized_submit_users="static:anyone", lmtp_host_lookup="native",
            smtp_data_done_timeout=o.get("patience", "600s"), default_process_limit="20", enable_original_recipient="no",
        )
        if "srs" in o:
            lines["sender_canonical_maps"], lines["sender_canonical_classes"] = f"regexp:{self.conf}/srs", "envelope_sender"
        if "smarthost" in o:
            lines["relayhost"] = f"[{self.lab.hosts[o['smarthost']].address}]"
            lines["transport_maps"] = ""
        write(f"{self.conf}/main.cf", "".join(f"{k} = {v}\n" for k, v in lines.items()))
        with open("/etc/postfix/master.cf") as file:
            master = re.sub(r"(?m)^(\S+\s+\S+\s+\S+\s+\S+\s+)y(\s)", r"\1n\2", file.read())
        write(f"{self.conf}/master.cf", master + "\n" + pipes)
        for name in "dynamicmaps.cf", "postfix-files":
            shutil.copy(f"/etc/postfix/{name}", self.conf)
        for directory, user in (("queue", "root"), ("data", "postfix"), ("mail", FETCHMAIL_USER)):
            os.makedirs(f"{h.home}/{directory}", exist_ok=True)
            shutil.chown(f"{h.home}/{directory}", user)

    def start(self):
        self.host.inside(["postfix", "-c", self.conf, "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        subprocess.run(["ip", "netns", "exec", self.host.name, "postfix", "-c", self.conf, "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Exim:
    def __init__(self, lab, host):
        self.lab, self.host, self.conf = lab, host, f"{host.home}/exim.conf"

    def submit(self):
        return f"/usr/sbin/exim4 -C {self.conf} -oi -odb"

    def configure(self):
        h, o = self.host, self.host.options
        for directory in "spool", "log", "mail":
            os.makedirs(f"{h.home}/{directory}", exist_ok=True)
            shutil.chown(f"{h.home}/{directory}", "nobody", "nogroup")
        write(f"{h.home}/alias", "".join(f"{a}: {', '.join(m)}\n" for a, m in h.pairs("alias")))
        write(f"{h.home}/refused", "".join(f"{a}\n" for a in o.get("refuse", "").split(",") if a))
        write(f"{h.home}/routes", "".join(re.sub(r"^(\S+) smtp:\[(.*)\]$", lambda m: f"{m[1]}: {m[2].replace(':', '::')}", line) + "\n"
                                          for line in self.lab.transport(h).splitlines()))
        catch = "".join(f"catch{n}:\n  driver = redirect\n  domains = {d}\n  condition = ${{if !eq{{$local_part@$domain}}{{{b[0]}}}}}\n  data = {b[0]}\n"
                        f"box{n}:\n  driver = accept\n  local_parts = {b[0].split('@')[0]}\n  domains = {d}\n  transport = box{n}\n"
                        for n, (d, b) in enumerate(h.pairs("catchall")))
        boxes = "".join(f"box{n}:\n  driver = appendfile\n  directory = {h.home}/mail/{b[0].split('@')[1]}\n  maildir_format\n  user = nobody\n"
                        f"  group = nogroup\n  delivery_date_add\n  envelope_to_add\n  return_path_add\n" for n, (d, b) in enumerate(h.pairs("catchall")))
        onward = (f"onward:\n  driver = manualroute\n  route_list = * {self.lab.hosts[o['smarthost']].address}\n  transport = smtp\n" if "smarthost" in o else
                  f"onward:\n  driver = manualroute\n  route_data = ${{lookup{{$domain}}lsearch{{{h.home}/routes}}}}\n  transport = smtp\n")
        write(self.conf, f"""primary_hostname = {h.fqdn}
exim_user = nobody
exim_group = nogroup
trusted_users = nobody : root
spool_directory = {h.home}/spool
log_file_path = {h.home}/log/%slog
log_selector = +received_recipients
pid_file_path = {h.home}/exim.pid
daemon_smtp_ports = 25
local_interfaces = <; 127.0.0.1 ; {h.address}
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
smtp_accept_queue_per_connection = 10000
received_headers_max = {o.get('hops', '30')}
domainlist local_domains = {' : '.join(h.domains)}
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
keep_environment =
{'chunking_advertise_hosts =' if o.get('chunking') == 'no' else ''}
begin acl
rcpt:
  deny condition = ${{lookup{{$local_part@$domain}}lsearch{{{h.home}/refused}}{{yes}}{{no}}}}
       message = no such user
  accept
begin routers
void:
  driver = redirect
  domains = void.test
  data = :fail: no such user
alias:
  driver = redirect
  data = ${{lookup{{$local_part@$domain}}lsearch{{{h.home}/alias}}}}
{catch}
sink:
  driver = accept
  domains = +local_domains
  transport = sink
{onward}
begin transports
smtp:
  driver = smtp
  allow_localhost
  hosts_try_auth =
{boxes}
sink:
  driver = appendfile
  file = /dev/null
  user = nobody
begin retry
* * F,2h,3s
""")

    def start(self):
        self.host.spawn(["/usr/sbin/exim4", "-C", self.conf, "-bdf", "-q3s"], f"{self.host.home}/exim.out")

    def stop(self):
        pass


class Lab:
    def __init__(self, path):
        self.hosts, self.steps, self.servers, self.polls = {}, [], {}, []
        for line in open(path):
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if words[0] in ("postfix", "exim"):
                options = dict(w.split("=", 1) for w in words[3:])
                host = self.hosts[words[1]] = Host(words[1], words[2], options)
                self.servers[words[1]] = (Postfix if words[0] == "postfix" else Exim)(self, host)
            elif words[0] == "poll":
                self.polls.append(words[1:])
            else:
                self.steps.append(words)

    def transport(self, me):
        text, routed = "", set()
        for host in self.hosts.values():
            for domain in host.domains:
                if domain in routed or domain in me.domains:
                    continue
                routed.add(domain)
                override = dict((d, v[0]) for d, v in me.pairs("via"))
                to = self.hosts[override[domain]] if domain in override else host
                text += f"{domain} smtp:[{to.address}]\n" if to is not me else ""
        return text + "void.test error:5.1.1 no such user\n"

    def network(self):
        run("ip netns add span; ip -n span link add br0 type bridge; ip -n span link set br0 up promisc on; ip -n span link set lo up")
        for n, h in enumerate(self.hosts.values()):
            prefix = 16 if ":" in h.address else 8
            more = f"; ip -n {h.name} address add 10.250.0.{n + 1}/8 dev eth0" if prefix == 16 else ""
            run(f"ip netns add {h.name}; ip -n {h.name} link set lo up; ip link add v{n} type veth peer name eth0 netns {h.name}; ip link set v{n} netns span; "
                f"ip -n span link set v{n} master br0 up; ip -n {h.name} link set eth0 up; ip -n {h.name} address add {h.address}/{prefix} dev eth0 "
                f"{'nodad' if prefix == 16 else ''} {more}; ip netns exec {h.name} sh -c 'command -v ethtool >/dev/null && ethtool -K eth0 tso off gso off gro off tx off >/dev/null 2>&1; true'")

    def dovecot(self, host):
        base = f"{host.home}/dovecot"
        domains = [b[0].split("@")[1] for _, b in host.pairs("catchall")]
        write(f"{base}/users", "".join(f"{d}:{{PLAIN}}secret:65534:65534::{host.home}/mail/{d}::\n" for d in domains))
        write(f"{base}/dovecot.conf", f"""base_dir = {base}/run
state_dir = {base}/state
protocols = pop3
listen = {host.address}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
log_path = {base}/log
first_valid_uid = 1
mail_location = maildir:{host.home}/mail/%u
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = passwd-file
  args = {base}/users
}}
userdb {{
  driver = passwd-file
  args = {base}/users
}}
service anvil {{
  chroot =
}}
service pop3-login {{
  chroot =
}}
""")
        host.spawn(["dovecot", "-F", "-c", f"{base}/dovecot.conf"], f"{base}.out")

    def fetchmail(self, words):
        """poll CONNECTOR PROVIDER DOMAIN SECONDS [keep] [invisible] [good=N] [to=ADDRESS] [shape=WORDS]: DOMAIN's mailbox at PROVIDER, sent to the To:, or to u1-uN@DOMAIN as is right, to one, or by SHAPE"""
        host, provider, domain, period, more = self.hosts[words[0]], self.hosts[words[1]], words[2], words[3], words[4:]
        submit = self.servers[words[0]].submit()
        base = f"{host.home}/fetchmail-{domain}"
        os.makedirs(base, exist_ok=True)
        keep = "keep" if "keep" in more else "nokeep"
        good = [int(word[5:]) for word in more if word.startswith("good=")]
        recipients = " ".join(f"u{n + 1}@{domain}" for n in range(good[0])) if good else "-t"
        if to := [word[3:] for word in more if word.startswith("to=")]:
            recipients = to[0]
        shape = [word[6:] for word in more if word.startswith("shape=")]
        mda = f"/run/lab/shape.py '{submit}' {shape[0]} {domain} %F" if shape else f"{submit} {recipients} -f %F"
        write(f"{base}/rc", f'poll "pop.{provider.fqdn}" via "{provider.address}" proto pop3 timeout 20:\n  user "{domain}" password "secret" is "nobody" here '
                            f'fetchall {keep} sslproto "" mda "{mda}"\n', 0o600)
        shutil.chown(base, "nobody"), shutil.chown(f"{base}/rc", "nobody")
        host.spawn(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", f"HOME={base}", f"FETCHMAILHOME={base}", "fetchmail", "-N", "-d", period,
                    "-f", f"{base}/rc", "--invisible" if "invisible" in more else "-v", "--nosyslog"], f"{base}/log")

    def send(self, words, number):
        """send HOST FROM to ADDR|N@DOMAIN... [cc ...] [bcc ADDR...] [id ID] [refs ID] [subject S] [times N]"""
        host, sender, fields, field = words[0], words[1], {"to": [], "cc": [], "bcc": []}, "to"
        one = {"id": f"{number}.{time.time_ns()}@{words[1].split('@')[1]}", "refs": "", "subject": "Invitation", "reply": "", "size": "600", "times": "1"}
        words = iter(words[2:])
        for word in words:
            if word in fields:
                field = word
            elif word in one:
                one[word] = next(words)
            elif re.match(r"^\d+-\d+@", word):
                low, high, domain = re.match(r"^(\d+)-(\d+)@(.*)$", word).groups()
                fields[field] += [f"u{n}@{domain}" for n in range(int(low), int(high) + 1)]
            else:
                fields[field].append(word)
        text = f"From: Els <{sender}>\n"
        for name in "to", "cc":
            if fields[name]:
                text += f"{name.title()}: " + ",\n ".join(fields[name]) + "\n"
        text += f"Subject: {one['subject'].replace('_', ' ')}\nDate: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\nMessage-ID: <{one['id']}>\n"
        if one["refs"]:
            text += f"References: <{one['refs']}>\n"
        if one["reply"]:
            text += f"In-Reply-To: <{one['reply']}>\n"
        text += "\n" + "You are all invited to our garden party.\n" * (int(one["size"]) // 41)
        everyone = fields["to"] + fields["cc"] + fields["bcc"]
        server = self.servers[host]
        for n in range(int(one["times"])):
            again = text if n == 0 else text.replace(f"<{one['id']}>", f"<{n}.{one['id']}>")
            self.hosts[host].inside([*server.submit().split(), "-f", sender, *everyone], input=again.encode(), stdout=subprocess.DEVNULL)

    def logs(self, path):
        with open(path, "w") as out:
            for h in self.hosts.values():
                for log in (f"{h.home}/mail.log", f"{h.home}/log/mainlog"):
                    if os.path.exists(log):
                        out.write(f"== {h.name} {h.address}\n" + open(log, errors="replace").read())

    def main(self, name, directory):
        shutil.rmtree(LAB, ignore_errors=True)
        os.makedirs(LAB)
        write(f"{LAB}/list.py", LIST, 0o755), write(f"{LAB}/reply.py", REPLY, 0o755), write(f"{LAB}/shape.py", SHAPE, 0o755)
        run(["postconf", "-e", "alternate_config_directories=" + " ".join(f"{h.home}/postfix" for h in self.hosts.values())])
        self.network()
        recorder = None
        try:
            for server in self.servers.values():
                server.configure()
                server.start()
            for host in self.hosts.values():
                if host.options.get("catchall"):
                    self.dovecot(host)
            time.sleep(2)
            recorder = subprocess.Popen(["ip", "netns", "exec", "span", "tcpdump", "-q", "-i", "br0", "-s", "0", "-B", "32768", "-U", "-Z", "root", "-w",
                                         f"{directory}/{name}.pcap", "tcp port 25 or tcp port 24 or tcp port 110"], stderr=subprocess.DEVNULL)
            time.sleep(1)
            for words in self.polls:
                self.fetchmail(words)
            for number, step in enumerate(self.steps):
                if step[0] == "send":
                    self.send(step[1:], number)
                elif step[0] == "wait":
                    time.sleep(float(step[1]))
                elif step[0] in ("stop", "start"):
                    getattr(self.servers[step[1]], step[0])()
        finally:
            for host in self.hosts.values(): # no more polls: what is under way ends before the recording does
                for child in [c for c in host.children if "fetchmail" in c.args]:
                    child.terminate()
            time.sleep(2)
            if recorder:
                recorder.send_signal(signal.SIGINT)
                recorder.wait()
            self.logs(f"{directory}/{name}.log")
            for host in self.hosts.values():
                self.servers[host.name].stop()
                for child in host.children:
                    child.terminate()
            time.sleep(0.3)
            for host in [*self.hosts, "span"]:
                pids = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True).stdout.split()
                subprocess.run(["kill", "-9", *pids], stderr=subprocess.DEVNULL)
                subprocess.run(["ip", "netns", "del", host])


if __name__ == "__main__":
    Lab(sys.argv[1]).main(os.path.basename(sys.argv[1]).rsplit(".", 1)[0], sys.argv[2])
