"""The receivers of alarms, as the tests of tests/alert/run start them: real programs where there are such, small servers where the receiver is to misbehave.
Everything listens on loopback, on ports that were free a moment ago, and lives in one scratch directory of its own."""
import errno, base64, hashlib, hmac, http.server, json, os, random, re, shutil, socket, socketserver, ssl, subprocess, threading, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Skip(Exception):
    """A program that the test needs is not there."""


class Mibs:
    """Where Net-SNMP's programs and smilint find modules: the IETF's, written by mibs.py, ours, and Net-SNMP's own."""
    path = None

    @classmethod
    def write(cls, directory):
        os.makedirs(directory)
        cls.said = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "mibs.py"), directory], capture_output=True, text=True).stderr
        cls.path = ":".join([directory, os.path.join(ROOT, "mibs"), "/usr/share/snmp/mibs"])

    @classmethod
    def there(cls):
        if cls.said:
            raise Skip("the IETF's modules: " + cls.said.strip().splitlines()[-1])


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip(name + " is not installed")
    return path


reserved = {}


def free_port(kind=socket.SOCK_STREAM, host="127.0.0.1"):
    """A port that nobody has now, below those that outgoing connections take; and nobody else who asks here gets it later, so that a receiver that was away
    finds it free again.  An abstract Unix socket by its name, held until we end, says so to a second run of these tests beside this one."""
    while True:
        port = random.randint(20000, 29999)
        reservation = socket.socket(socket.AF_UNIX)
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as s:
            try:
                s.bind((host, port))
                reservation.bind("\0squall-test-port-%d" % port)
            except OSError as error:
                reservation.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
        reserved[port] = reservation
        return port


def bracketed(host):
    return "[%s]" % host if ":" in host else host


BUSY = 12  # how much slower a machine may be that does other work too


def until(seconds, what, condition, busy=BUSY):
    """Waits for the condition; an AssertionError that says what did not come about."""
    seconds *= busy
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.05)


def certificates(directory):
    """server.pem and server.key for loopback, by ca.pem; other.pem is an authority that signed nothing."""
    openssl = program("openssl")
    run = lambda *a: subprocess.run([openssl, *a], check=True, capture_output=True, cwd=directory)
    for ca in ("ca", "other"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + ca, "-keyout", ca + ".key", "-out", ca + ".pem")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=loghost", "-keyout", "server.key", "-out", "server.csr")
    with open(os.path.join(directory, "san"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1,IP:::1,DNS:loghost.test\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", "server.pem")


class Daemon:
    """A real program, started and stopped at will; what it says goes to a file."""

    def __init__(self, scratch, name):
        self.dir = os.path.join(scratch, name)
        os.makedirs(self.dir, exist_ok=True)
        self.output = os.path.join(self.dir, "output")
        self.process = None

    def launch(self, argv, env=None):
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})}, cwd=self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def said(self):
        try:
            with open(self.output, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stop(self, hard=False):
        if self.process and self.process.poll() is None:
            self.process.kill() if hard else self.process.terminate()
            try:
                self.process.wait(5 * BUSY)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    host = "127.0.0.1"

    def bound(self, port):
        """Somebody has this UDP port."""
        with open("/proc/net/udp6" if ":" in self.host else "/proc/net/udp") as f:
            return any(line.split()[1].endswith(":%04X" % port) for line in f.readlines()[1:])

    def connectable(self, port):
        try:
            socket.create_connection((self.host, port), 5).close()
            return True
        except OSError:
            return False


class Trapd(Daemon):
    """snmptrapd; notices() are the varbinds of each notification it took, by the MIB's names."""

    def __init__(self, scratch, users="", name="snmptrapd", host="127.0.0.1", conf=None, modules="SNMPv2-MIB:SQUALL-MIB", env=None):
        super().__init__(scratch, name)
        self.binary = program("snmptrapd")
        self.host = host
        self.port = free_port(socket.SOCK_DGRAM, host)
        self.log = os.path.join(self.dir, "log")
        # the persistent directory is another than the configuration's: snmptrapd would write its own snmptrapd.conf over this one
        self.persistent = os.path.join(self.dir, "persistent")
        os.makedirs(self.persistent, exist_ok=True)
        self.modules, self.env = modules, env or {}
        self.conf = self.write("trapd.conf", conf or "authCommunity log public\ndoNotLogTraps no\ndoNotRetainNotificationLogs yes\n%s" % users)

    def start(self):
        before = self.said().count("NET-SNMP version")
        self.launch([self.binary, "-f", "-C", "-c", self.conf, "-M", Mibs.path, "-m", self.modules, *([] if self.env else ["-OQUs"]), "-Lo", "-F", "NOTICE %V~|~%v\n",
                     "udp6:[%s]:%d" % (self.host, self.port) if ":" in self.host else "udp:%s:%d" % (self.host, self.port)],
                    {"SNMP_PERSISTENT_DIR": self.persistent, **self.env})
        until(5, self.said, lambda: self.said().count("NET-SNMP version") > before and self.bound(self.port))
        return self

    def notices(self):
        result = []
        for line in self.said().splitlines():
            if not line.startswith("NOTICE "):
                continue
            fields = {}
            for pair in line[7:].split("~|~"):
                name, _, value = pair.partition(" = ")
                fields[re.sub(r"\.0$", "", name.strip())] = value.strip()
            fields["type"] = fields.get("snmpTrapOID", "?")
            result.append(fields)
        return result

    def types(self, alarm=None):
        return [n["type"] for n in self.notices() if alarm is None or n.get("squallNoticeAlarmId") in (alarm, '"%s"' % alarm)]


class Snmpd(Daemon):
    def __init__(self, scratch):
        super().__init__(scratch, "snmpd")
        self.binary = program("snmpd")
        program("snmpwalk")
        self.port = free_port(socket.SOCK_DGRAM)
        self.socket = os.path.join(self.dir, "agentx")
        self.conf = self.write("agent.conf", "view squall included .1.3.6.1.4.1.32473\nview squall included .1.3.6.1.2.1.28\nrocommunity public default -V squall\nmaster agentx\nagentXSocket %s\nagentXPerms 0770 0770\n" % self.socket)
        os.makedirs(os.path.join(self.dir, "persistent"), exist_ok=True)

    def start(self):
        self.launch([self.binary, "-f", "-C", "-c", self.conf, "-Lo", "-I", "system_mib,vacm_conf,usm_conf", "-m", "", "udp:127.0.0.1:%d" % self.port],
                    {"SNMP_PERSISTENT_DIR": os.path.join(self.dir, "persistent")})
        until(5, self.said, lambda: "NET-SNMP version" in self.said() and os.path.exists(self.socket) and self.bound(self.port))
        return self

    def ask(self, tool, *arguments):
        return subprocess.run([program(tool), "-v2c", "-c", "public", "-M", Mibs.path, "-m", "SQUALL-MIB:MTA-MIB", "-t", "10", *arguments[:-1], "127.0.0.1:%d" % self.port,
                               arguments[-1]], capture_output=True, text=True, timeout=120).stdout


class Rsyslogd(Daemon):
    """rsyslogd with one input; messages() are what it wrote, one JSON a line."""

    def __init__(self, scratch, kind, name="rsyslogd", host="127.0.0.1"):
        super().__init__(scratch, name + "-" + kind)
        self.host = host
        self.binary = program("rsyslogd")
        self.kind = kind
        self.port = free_port(socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM, host)
        self.file = os.path.join(self.dir, "messages")
        tls = ""
        if kind == "tls":
            if not any(os.path.exists(os.path.join(d, "lmnsd_gtls.so")) for d in ("/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib/rsyslog")):
                raise Skip("rsyslog-gnutls is not installed")
            certificates(self.dir)
            tls = 'global(DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="%s/ca.pem" DefaultNetstreamDriverCertFile="%s/server.pem" ' \
                  'DefaultNetstreamDriverKeyFile="%s/server.key")\n' % (self.dir, self.dir, self.dir)
        module = "imudp" if kind == "udp" else "imtcp"
        self.socket = os.path.join(self.dir, "socket")
        options = ' StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"' if kind == "tls" else ""
        listens = '%smodule(load="%s"%s)\ninput(type="%s" port="%d" address="%s")\n' % (tls, module, options, module, self.port, host)
        if kind == "unix":
            listens = 'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="%s")\n' % self.socket
        self.conf = self.write("rsyslog.conf", listens +
            'template(name="all" type="list" option.jsonf="on") { property(outname="sd" name="structured-data" format="jsonf") '
            'property(outname="msg" name="msg" format="jsonf") property(outname="pri" name="pri" format="jsonf") property(outname="app" name="app-name" format="jsonf") '
            'property(outname="msgid" name="msgid" format="jsonf") property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf") '
            'property(outname="version" name="protocol-version" format="jsonf") }\n'
            '*.* action(type="omfile" file="%s" template="all" asyncWriting="off")\n' % self.file)

    def start(self):
        self.launch([self.binary, "-n", "-f", self.conf, "-i", os.path.join(self.dir, "pid")])
        if self.kind == "udp":
            until(5, self.said, lambda: self.bound(self.port))
        elif self.kind == "unix":
            until(5, self.said, lambda: os.path.exists(self.socket))
        else:
            until(5, self.said, lambda: self.connectable(self.port))
        assert self.process.poll() is None, "rsyslogd ended: " + self.said()
        return self

    def messages(self, app="squall"):
        try:
            with open(self.file, errors="replace") as f:
                return [m for m in map(json.loads, f) if m["app"] == app]
        except FileNotFoundError:
            return []


class Alertmanager(Daemon):
    """prometheus-alertmanager; what it tells people in its turn goes to `told`, a Webhook."""

    def __init__(self, scratch, told=None, host="127.0.0.1"):
        super().__init__(scratch, "alertmanager")
        self.binary = program("prometheus-alertmanager")
        self.host = host
        self.port = free_port(host=host)
        people = "    webhook_configs: [{url: \"http://127.0.0.1:%d/\", send_resolved: true}]\n" % told.port if told else ""
        self.conf = self.write("am.yml", "route:\n  receiver: people\n  group_by: [alarm, part]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n"
                               "receivers:\n  - name: people\n" + people)

    def start(self):
        self.launch([self.binary, "--config.file=" + self.conf, "--storage.path=" + os.path.join(self.dir, "data"), "--cluster.listen-address=",
                     "--web.listen-address=%s:%d" % (bracketed(self.host), self.port)])
        until(10, self.said, lambda: self.connectable(self.port))
        return self

    def alerts(self, alarm=None):
        with urllib.request.urlopen("http://%s:%d/api/v2/alerts?active=true&silenced=true" % (bracketed(self.host), self.port), timeout=30) as answer:
            every = json.load(answer)
        return [a for a in every if alarm is None or a["labels"].get("alarm") == alarm]


class Prometheus(Daemon):
    """prometheus with the rules of packaging/: scrapes one sensor each second and tells one Alertmanager."""

    def __init__(self, scratch, sensor, alertmanager):
        super().__init__(scratch, "prometheus")
        self.binary = program("prometheus")
        self.port = free_port()
        self.conf = self.write("prometheus.yml", "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\n"
            "scrape_configs: [{job_name: squall, static_configs: [{targets: ['127.0.0.1:%d']}]}]\n"
            "alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:%d']}]}]}\n"
            % (os.path.join(ROOT, "packaging", "prometheus", "squall.rules.yml"), sensor, alertmanager))

    def start(self):
        self.launch([self.binary, "--config.file=" + self.conf, "--storage.tsdb.path=" + os.path.join(self.dir, "data"), "--web.listen-address=127.0.0.1:%d" % self.port])
        until(10, self.said, lambda: self.connectable(self.port))
        return self


class Webhook:
    """A web server whose answer is mode(): 200, 500, "slow", "hang", "close".  taken: bodies it answered with 2xx; seen: all that came."""

    def __init__(self, mode=200, secret=None, host="127.0.0.1"):
        outer = self
        self.host, self.port = host, free_port(host=host)
        self.mode, self.secret, self.taken, self.seen, self.bad, self.paths = mode, secret, [], [], [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append(body)
                outer.paths.append(self.path)
                mode = outer.mode
                if mode == "slow":
                    time.sleep(1.5)
                if mode == "hang":
                    time.sleep(300)
                if mode in ("close", "hang"):
                    self.close_connection = True
                    return
                if mode in ("flood", "drip"):
                    self.close_connection = True
                    self.send_response(200)
                    if mode == "flood":
                        self.end_headers()
                    try:
                        for _ in range(20 if mode == "drip" else 100000):
                            time.sleep(1 if mode == "drip" else 0)
                            self.wfile.write(b"X" if mode == "drip" else b"x" * 65536)
                    except OSError:
                        pass
                    return
                if outer.secret:
                    want = "sha256=" + hmac.new(outer.secret.encode(), body, hashlib.sha256).hexdigest()
                    if self.headers.get("X-Squall-Signature") != want:
                        outer.bad.append(self.headers.get("X-Squall-Signature"))
                status = mode if isinstance(mode, int) else 200
                if 200 <= status < 300:
                    outer.taken.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, request, address):
                pass

        self.make, self.server = (lambda: Server((host, self.port), Handler)), None
        self.start()

    def start(self):
        self.server = self.make()
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def changes(self, alarm=None):
        return [b["change"] for b in self.taken if alarm is None or b.get("id") == alarm]

    def parts(self):
        return [(b["part"], b["failing"]) for b in self.taken if b["change"] == "sensor-trouble"]

    def stop(self, hard=False):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None


class Postfix(Daemon):
    """Postfix, an instance of its own in the scratch directory; mails() are the files of the mailboxes it delivered to.  tls: it takes nothing in clear."""

    def __init__(self, scratch, tls=False):
        super().__init__(scratch, "postfix")
        self.binary = program("postfix")
        if os.getuid() != 0:
            raise Skip("Postfix must be started by root")
        self.port = free_port()
        os.chmod(os.path.dirname(scratch), 0o755)
        for name in ("queue", "data", "box"):
            os.makedirs(os.path.join(self.dir, name))
        shutil.chown(os.path.join(self.dir, "data"), "postfix")
        shutil.chown(os.path.join(self.dir, "box"), "nobody")
        certificates(self.dir)
        self.write("main.cf", """compatibility_level = 3.6
queue_directory = {0}/queue
data_directory = {0}/data
myhostname = smarthost.test
inet_protocols = all
mydestination =
mynetworks = 127.0.0.0/8 [::1]/128
alias_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {0}/box
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_security_level = {1}
smtpd_tls_cert_file = {0}/server.pem
smtpd_tls_key_file = {0}/server.key
maillog_file = {0}/log
maillog_file_prefixes = {0}
""".format(self.dir, "encrypt" if tls else "may"))
        inner = "cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n" \
                "bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\nproxymap unix - - n - - proxymap\nerror unix - - n - - error\n" \
                "retry unix - - n - - error\nvirtual unix - n n - - virtual\nanvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n"
        self.write("master.cf", "127.0.0.1:{0} inet n - n - - smtpd\n".format(self.port) + inner)

    def start(self):
        self.launch([self.binary, "-c", self.dir, "start-fg"])
        until(10, self.said, lambda: self.connectable(self.port))
        return self

    def stop(self, hard=False):
        """Its master is a session of its own, which the end of what was launched does not reach."""
        subprocess.run([self.binary, "-c", self.dir, "abort"], capture_output=True)
        super().stop()

    def log(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()

    def mails(self):
        new = os.path.join(self.dir, "box", "all", "new")
        return [open(os.path.join(new, name)).read() for name in sorted(os.listdir(new))] if os.path.isdir(new) else []


class Smarthost:
    """A mail server for one mail at a time; mails: (from, recipients, text).  With a directory of certificates it speaks TLS, begun by STARTTLS; with a login
    it takes nothing before."""

    def __init__(self, host="127.0.0.1", certificates=None, login=None):
        outer = self
        self.mails = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificates else None
        if context:
            context.load_cert_chain(os.path.join(certificates, "server.pem"), os.path.join(certificates, "server.key"))

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line):
                self.wfile.write(line.encode() + b"\r\n")

            def handle(self):
                sender, to, secure, known = None, [], False, not login
                self.say("220 smarthost.test ESMTP")
                for raw in iter(lambda: self.rfile.readline(), b""):
                    line = raw.decode(errors="replace").strip()
                    verb = line[:4].upper()
                    if verb == "EHLO":
                        self.say("250-smarthost.test")
                        if context and not secure:
                            self.say("250-STARTTLS")
                        if login and secure:
                            self.say("250-AUTH PLAIN")
                        self.say("250 8BITMIME")
                    elif verb == "STAR" and context:
                        self.say("220 go ahead")
                        self.connection = context.wrap_socket(self.connection, server_side=True)
                        self.rfile, self.wfile, secure = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0), True
                    elif verb == "AUTH":
                        first = line.split()[2:]
                        if not first:
                            self.say("334 ")
                            first = [self.rfile.readline().decode().strip()]
                        known = secure and base64.b64decode(first[0]).split(b"\0")[1:] == [part.encode() for part in login]
                        self.say("235 welcome" if known else "535 5.7.8 wrong name or password")
                    elif verb in ("MAIL", "RCPT", "DATA") and not known:
                        self.say("530 5.7.0 log in first")
                    elif verb == "MAIL":
                        sender, to = line, []
                        self.say("250 ok")
                    elif verb == "RCPT":
                        to.append(line)
                        self.say("250 ok")
                    elif verb == "DATA":
                        self.say("354 go on")
                        text = b""
                        while not text.endswith(b"\r\n.\r\n"):
                            text += self.rfile.readline()
                        outer.mails.append((sender, to, text.decode()))
                        self.say("250 taken")
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, request, address):
                pass

        self.server = Server((host, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self, hard=False):
        self.server.shutdown()
        self.server.server_close()


class Watch(Daemon):
    """`squall watch -r`: the program itself, with a storm that real servers made, twenty times as fast as it was.  After it the counts stand as they are."""

    def __init__(self, program, scratch, config):
        super().__init__(scratch, "watch")
        self.program = program
        self.port = free_port()
        self.capture = os.path.join(self.dir, "storm.pcap")
        subprocess.run([os.path.join(ROOT, "tests", "stretch"), os.path.join(ROOT, "tests", "pcaps", "storms", "a60.pcap.zst"), self.capture], check=True)
        self.state = os.path.join(self.dir, "state")
        self.conf = self.write("squall.conf", 'listen = "127.0.0.1:%d"\nstate_directory = "%s"\n%s' % (self.port, self.state, config))

    def start(self):
        self.launch([self.program, "watch", "-c", self.conf, "-r", self.capture, "--speed", "20"])
        until(10, self.said, lambda: self.connectable(self.port))
        return self

    def children(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            return [int(pid) for pid in f.read().split()]

    def get(self, path):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port, path), timeout=30) as answer:
            return answer.read().decode()

    def read(self, *options):
        return subprocess.run([self.program, "read", *options, self.capture], check=True, capture_output=True, text=True).stdout


class Driver:
    """tests/alert/driver.c: the alert room under a script."""

    def __init__(self, binary, scratch, config, state="state", env=None):
        self.binary, self.scratch, self.env = binary, scratch, {**os.environ, **(env or {})}
        self.state = os.path.join(scratch, state)
        self.conf = os.path.join(scratch, state + ".conf")
        with open(self.conf, "w") as f:
            f.write(config)
        self.errors = os.path.join(scratch, state + ".errors")
        self.process = None
        self.start()

    def start(self):
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen([self.binary, self.conf, self.state], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=self.env)
        return self

    def said(self):
        with open(self.errors) as f:
            return f.read()

    def do(self, *lines):
        for line in lines:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            if line == "crash":
                self.process.wait(5 * BUSY)
                return None
            last = self.process.stdout.readline().strip()
            assert last, "the driver ended at '%s': %s" % (line, self.said())
        return last

    def health(self):
        self.process.stdin.write("health\n")
        self.process.stdin.flush()
        result = {}
        for line in iter(self.process.stdout.readline, "done\n"):
            name, numbers, error = line.rstrip("\n").split("\t")
            result[name] = {k: int(v) for k, v in (pair.split("=") for pair in numbers.split())}
            result[name]["error"] = error
        return result

    def memory(self):
        """Resident bytes."""
        with open("/proc/%d/statm" % self.process.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def drained_but(self, channel, seconds):
        until(seconds, lambda: str(self.health()), lambda: self.do("sleep 0.1") and not any(h["queued"] for n, h in self.health().items() if n != channel))

    def drained(self, seconds):
        answer = self.do("drain %g" % (seconds * BUSY))
        assert answer == "drained", "%s after %g s: %s" % (answer, seconds, self.health())

    def stop(self, hard=False):
        if not self.process or self.process.poll() is not None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(5 * BUSY)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the driver did not end")
        assert self.process.returncode == 0, "the driver ended with %d: %s" % (self.process.returncode, self.said())
