#!/usr/bin/env python3
"""storm.py: a dialogue (tests/tools/dialogue.c) with two storms and planted words.  Each word begins with zq and says where it stands; all but
`zqdomain` name somebody, tell what the mail is about, or are secret."""
import base64

def b64(text):
    return base64.b64encode(text.encode()).decode()

SERVER = ["220 mx.zqdomain.example ESMTP", "250-mx.zqdomain.example", "250-AUTH PLAIN LOGIN", "250 8BITMIME"]
print("# Planted words for tests/privacy/run.")
print("time 2026-11-24T12:00:00Z")

def hello(name, client, port):
    print(f"session {name} {client}:{port} 192.0.2.25:25")
    print(f"S: {SERVER[0]}\nC: EHLO client.example")
    for line in SERVER[1:]:
        print("S: " + line)

def mail(n, sender, recipient, subject, header=()):
    print(f"C: MAIL FROM:<{sender}> SIZE=300 AUTH={sender}\nS: 250 2.1.0 <{sender}>... Sender ok")
    print(f"C: RCPT TO:<{recipient}> ORCPT=rfc822;{recipient}\nS: 250 2.1.5 <{recipient}>... Recipient ok")
    print("C: DATA\nS: 354 Go on")
    print("C: Received: from pc.example (pc.example [198.51.100.7])\nC: \\t(Authenticated sender: zquser)\nC: \\tby mx.zqdomain.example with ESMTPSA id 4Q7")
    print(f"C: \\tfor <{recipient}>; Tue, 24 Nov 2026 12:00:00 +0000")
    print(f"C: From: \"Zqname, Ann\" <{sender}>\nC: To: Zqname Other <{recipient}>\nC: Subject: {subject}")
    print(f"C: Message-ID: <{n}.20261124@mail.zqdomain.example>\nC: Date: Tue, 24 Nov 2026 12:00:00 +0000")
    for line in header:
        print("C: " + line)
    print("C: X-Contact: zqsender@zqdomain.example\nC:\nC: zqbody: the text of the mail\nC: .\nS: 250 2.0.0 Ok: queued as 4Q7")

# who sends the flood logs in, twice, and asks for people
hello("flood", "198.51.100.7", 40001)
print(f"C: AUTH PLAIN {b64(chr(0) + 'zquser' + chr(0) + 'zqpassword-one')}\nS: 235 2.7.0 Authentication successful")
print("C: VRFY zqvictim\nS: 252 2.1.5 Zqname <zqvictim@zqdomain.example>")
hello("login", "198.51.100.8", 40002)
print(f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64('zquser')}\nS: 334 UGFzc3dvcmQ6\nC: {b64('zqpassword-two')}\nS: 235 2.7.0 Authentication successful")
print("C: RCPT TO:<zqvictim>\nS: 503 5.5.1 zqvictim: need MAIL command")
print("use flood")
for i in range(40):
    subject = "Zqsubject of the merger" if i % 2 else f"=?utf-8?B?{b64('Zqsubject of the merger')}?="
    mail(1000 + i, f"zqsender{i % 3}@zqdomain.example", "zqvictim@zqdomain.example", subject)
    print("wait 0.2")
# two programs answer each other; one address is quoted, one has no domain
hello("one", "198.51.100.9", 40003)
hello("two", "198.51.100.10", 40004)
for i in range(12):
    print("use " + ("two" if i % 2 else "one"))
    pair = ("zqleft.person@left.zqdomain.example", "zqright.person@right.zqdomain.example")
    mail(2000 + i, pair[i % 2], pair[1 - i % 2], "Re: " * i + "Zqsubject away", ["Auto-Submitted: auto-replied"])
    print("wait 0.5")
# other mail, more than the program reads ahead: what it still has of a password then, it keeps
hello("other", "198.51.100.12", 40006)
print("C: MAIL FROM:<>\nS: 250 Ok\nC: RCPT TO:<a@other.example>\nS: 250 Ok\nC: DATA\nS: 354 Go on\nC: Message-ID: <1@other.example>\nC:")
for i in range(6000):
    print("C: \\{100:0123456789}")
print("C: .\nS: 250 Ok")
# quiet, so that the program can be asked while it runs
hello("late", "198.51.100.11", 40005)
for i in range(300):
    print("C: NOOP\nS: 250 2.0.0 Ok\nwait 5")
