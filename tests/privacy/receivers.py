#!/usr/bin/env python3
"""receivers.py FILE: a webhook and a syslog receiver that write all they get to FILE, opened anew each time: it may be taken away; prints their two ports."""
import http.server, socketserver, sys, threading

lock = threading.Lock()

def said(what):
    with lock, open(sys.argv[1], "ab") as f:
        f.write(what)

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        said(b"webhook: " + bytes(str(self.headers), "latin-1") + self.rfile.read(int(self.headers["Content-Length"])) + b"\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

class Line(socketserver.BaseRequestHandler):
    def handle(self):
        said(b"syslog: " + self.request[0] + b"\n")

hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
line = socketserver.UDPServer(("127.0.0.1", 0), Line)
threading.Thread(target=line.serve_forever, daemon=True).start()
print(hook.server_port, line.server_address[1], flush=True)
hook.serve_forever()
