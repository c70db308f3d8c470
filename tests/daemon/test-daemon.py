#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's process, its socket and its clients, without any machine."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "guest"))

import harness  # noqa: E402
from harness import expect, expect_equal  # noqa: E402

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602


# A sanitizer keeps what is freed, and takes its time: what is measured would be its own.
SANITIZED = "ASAN_OPTIONS" in os.environ

class Client:
    """A bare client of the control socket."""

    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(daemon.path)  # blocks while the daemon's backlog is full
        self.socket.settimeout(20)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line as JSON; None at the end."""
        while b"\n" not in self.rest:
            data = self.socket.recv(1 << 20)
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def call(self, method, number=1, **params):
        self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
        # Events go to all, and may come before an answer.
        while (reply := self.line()) is not None and reply.get("id") != number:
            pass
        return reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Daemon:
    """kvmdbgd in a runtime folder of its own."""

    def __init__(self, build, *args, descriptors=None):
        self.tool = harness.Kvmdbg(build)
        self.path = str(self.tool.dir / "run" / "kvmdbg" / "kvmdbgd.sock")
        limit = ["prlimit", f"--nofile={descriptors}"] if descriptors else []
        self.process = subprocess.Popen([*limit, pathlib.Path(build) / "kvmdbgd", "--background", *args],
                                        env=self.tool.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        expect_equal(self.process.stdout.readline(), b"ready\n", "readiness")
        self.process.stdout.close()

    def client(self):
        return Client(self)

    def memory(self):
        """Bytes it has in RAM."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) << 10

    def seconds(self):
        """Of the CPU, so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @contextlib.contextmanager
    def busy(self, *args):
        """A session whose worker waits in an attach until the end: what is asked of it is queued."""
        with socket.create_server(("127.0.0.1", 0)) as peer, self.client() as client:
            client.send(json.dumps({"jsonrpc": "2.0", "id": 5, "method": "attach",
                                    "params": {"argv": [f":{peer.getsockname()[1]}", *args]}}) + "\n")
            client.call("sessions", number=6)
            yield client
            client.send('{"jsonrpc":"2.0","method":"cancel","params":{"id":5}}\n')
            while (reply := client.line()).get("id") != 5:
                pass
            expect_equal(reply["error"]["data"]["class"], "cancelled", "the attach")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.tool.close()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f":{probe.getsockname()[1]}"


def free_port():
    return int(closed_port()[1:])


def is_alive(daemon):
    with daemon.client() as client:
        expect_equal(client.call("sessions")["result"], [], "sessions")


# --- the wire ---

def requests(build):
    """What is asked in one way or another is answered under its id."""
    with Daemon(build) as daemon, daemon.client() as client:
        request = '{"jsonrpc":"2.0","id":%s,"method":"sessions"}\n'
        for number in ("7", '"seven"', "null"):
            client.send(request % number)
            expect_equal(client.line(), {"jsonrpc": "2.0", "id": json.loads(number), "result": []}, number)
        for byte in (request % 8).encode():
            client.send(bytes([byte]))
        expect_equal(client.line()["id"], 8, "a byte at a time")
        client.send((request % 1) + (request % 2) + (request % 3))
        expect_equal([client.line()["id"] for _ in range(3)], [1, 2, 3], "three in one write")
        client.send('{"jsonrpc":"2.0","method":"sessions"}\n' + request % 9)
        expect_equal(client.line()["id"], 9, "a notification is not answered")
        expect_equal(client.call("sessions", render="text")["result"]["value"], [], "value")
        expect("no sessions" in client.call("sessions", render="text")["result"]["text"], "text")


def errors(build):
    rows = [
        ("hello\n", PARSE_ERROR, None),
        ("{]\n", PARSE_ERROR, None),
        ("[" * 100000 + "\n", PARSE_ERROR, None),
        ('{"jsonrpc":"2.0","id":1,"method":"sessions","params":' + '{"a":' * 500 + "1" + "}" * 501 + "\n",
         PARSE_ERROR, None),
        ('{"jsonrpc":"2.0","id":1}\n', INVALID_REQUEST, None),
        ('{"jsonrpc":"2.0","id":1,"method":"sessions","params":[1]}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"nonsense"}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"status"}\n', 3, "no-session"),
        ('{"jsonrpc":"2.0","id":1,"method":"status","params":{"session":5}}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"status","params":{"argv":[1]}}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"status","params":{"argv":"x"}}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"status","params":{"nonsense":1}}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"sessions","params":{"render":"html"}}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"attach","params":{}}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"attach","params":{"address":":1","name":"a b"}}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"shell"}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"complete"}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"cancel"}\n', INVALID_PARAMS, "usage"),
        ('{"jsonrpc":"2.0","id":1,"method":"help","params":{"render":"text","command":"statsu"}}\n',
         INVALID_PARAMS, "usage"),
    ]
    with Daemon(build) as daemon, daemon.client() as client:
        for text, code, kind in rows:
            client.send(text)
            reply = client.line()
            what = text[:70].strip()
            expect("error" in reply, f"{what}: {reply}")
            expect_equal(reply["error"]["code"], code, what)
            expect_equal(reply["error"].get("data", {}).get("class"), kind, what)
            expect("\n" not in reply["error"]["message"], what)
            # A nested or damaged line may be told of once; the next request is served all the same.
            while client.call("sessions", number=99).get("id") != 99:
                pass
        is_alive(daemon)


def huge_line(build):
    with Daemon(build) as daemon, daemon.client() as client:
        client.send('{"jsonrpc":"2.0","id":1,"method":"' + "x" * (3 << 20) + '"}\n')
        expect_equal(client.line()["error"]["code"], PARSE_ERROR, "code")
        while client.call("sessions", number=2).get("id") != 2:
            pass


def slow_reader(build):
    """Answers wait for a client that does not read, and others are served meanwhile."""
    count = 3000
    with Daemon(build) as daemon, daemon.client() as slow:
        request = b'{"jsonrpc":"2.0","id":1,"method":"help"}\n'
        sender = threading.Thread(target=lambda: slow.send(request * count))
        sender.start()
        time.sleep(0.2)
        is_alive(daemon)
        for _ in range(count):
            expect("result" in slow.line(), "answer")
        sender.join()


def clients_that_go(build):
    with Daemon(build) as daemon:
        for text in ("", '{"jsonrpc":"2.0","id":1,', '{"jsonrpc":"2.0","id":1,"method":"help"}\n' * 500):
            with daemon.client() as client:
                client.send(text)
        is_alive(daemon)
        with daemon.client() as client:
            client.send('{"jsonrpc":"2.0","id":1,"method":"sessions"}\n')
            client.socket.shutdown(socket.SHUT_WR)
            expect_equal(client.line()["result"], [], "answer after the sending half was closed")
            expect_equal(client.line(), None, "end")
        is_alive(daemon)


def many_clients(build):
    with Daemon(build) as daemon, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.client()) for _ in range(50)]
        for number, client in enumerate(clients):
            client.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "sessions"}) + "\n")
        expect_equal([client.line()["id"] for client in clients], list(range(50)), "ids")


def waiting_attach(build):
    """An attach that waits for its peer: seen by others, its name taken, cancelled by its client."""
    with Daemon(build) as daemon, socket.create_server(("127.0.0.1", 0)) as peer, daemon.client() as client:
        address = f":{peer.getsockname()[1]}"
        client.send(json.dumps({"jsonrpc": "2.0", "id": 5, "method": "attach",
                                "params": {"argv": [address, "--name", "one"]}}) + "\n")
        with daemon.client() as other:
            session, = other.call("sessions")["result"]
            expect_equal((session["name"], session["state"], session["running"]), ("one", "attaching", "attach"), "session")
            reply = other.call("attach", address=address, name="one")
            expect("taken" in reply["error"]["message"] and "--name" in reply["error"]["message"], str(reply))
            expect_equal(other.call("cancel", id=5)["result"], {"cancelled": False}, "cancel by another")
            expect_equal(other.call("complete", line="sta")["result"]["candidates"], ["status"], "completion meanwhile")
        client.send('{"jsonrpc":"2.0","method":"cancel","params":{"id":5}}\n')
        started = time.monotonic()
        while (reply := client.line()).get("id") != 5:
            pass
        expect_equal(reply["error"]["data"]["class"], "cancelled", "class")
        expect(time.monotonic() - started < 5, "cancelling took too long")
        is_alive(daemon)


# --- limits ---

def too_many_clients(build):
    """Who is one too many is told so; there is room again when somebody has gone."""
    with Daemon(build) as daemon, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.client()) for _ in range(64)]
        for client in clients:
            client.call("sessions")
        with daemon.client() as client:
            expect_equal(client.line()["error"]["message"], "kvmdbgd has 64 clients, which are the most", "error")
            expect_equal(client.line(), None, "end")
        # A refusal is read although the request could not be sent any more.
        daemon.tool.refused(3, "has 64 clients", "status")
        clients[7].socket.close()
        deadline = time.monotonic() + 5
        while daemon.tool.run("sessions").status != 0:
            expect(time.monotonic() < deadline, "no room though one has gone")
        expect_equal(clients[8].call("sessions")["result"], [], "one of the others")


def few_descriptors(build):
    """Without a descriptor for more clients those there are are served, and the machine can be let go."""
    with Daemon(build, descriptors=32) as daemon:
        with daemon.busy() as first, contextlib.ExitStack() as stack:
            for _ in range(80):
                stack.enter_context(daemon.client())
            # As many debuggers, which hold descriptors as well.
            for _ in range(80):
                with contextlib.suppress(BlockingIOError):
                    gdb = stack.enter_context(socket.socket(socket.AF_UNIX))
                    gdb.setblocking(False)
                    gdb.connect(str(pathlib.Path(daemon.path).with_name("gdb-default.sock")))
            before = daemon.seconds()
            time.sleep(1)
            expect(daemon.seconds() - before < 0.3, f"{daemon.seconds() - before:.2f} s of CPU in an idle second")
            expect_equal(len(first.call("sessions")["result"]), 1, "sessions")
            expect("descriptor" in daemon.client().line()["error"]["message"], "the error of one more client")
            expect(len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= 28, "none is left for the session")
        is_alive(daemon)
        daemon.process.terminate()
        expect_equal(daemon.process.wait(5), 0, "status on SIGTERM")
    with Daemon(build, descriptors="32:4096") as daemon:
        limits = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text()
        expect(re.search(r"Max open files\s+4096\s+4096", limits), "the soft limit is raised to the hard one")


def notifications(build):
    """Requests without an id are bounded as those with one are."""
    flood = json.dumps({"jsonrpc": "2.0", "method": "regs", "params": {"argv": ["-a"]}}) + "\n"
    with Daemon(build) as daemon:
        with daemon.busy():
            with daemon.client() as client:
                before = daemon.memory()
                for _ in range(10 if SANITIZED else 100):
                    client.send(flood * 500)
                reply = client.call("regs")
                expect_equal(reply["error"]["message"].split(" of ")[0], "64 requests", "error")
                expect(SANITIZED or daemon.memory() - before < 8 << 20, f"{daemon.memory() - before} bytes more")
            with daemon.client() as client:
                # A few large ones count as well.
                large = {"argv": ["x" * 600000]}
                client.send(json.dumps({"jsonrpc": "2.0", "method": "print", "params": large}) + "\n")
                expect_equal(client.call("print", **large)["error"]["message"].split(" of ")[0], "1 requests", "error")
                expect_equal(client.call("cancel", id=1)["result"], {"cancelled": False}, "a cancel is always heard")
        is_alive(daemon)


def unread_answers(build):
    """Answers to a client that reads none are kept up to a limit, and it is heard again when it reads."""
    count = 20000
    with Daemon(build) as daemon, daemon.client() as slow:
        request = b'{"jsonrpc":"2.0","id":1,"method":"help"}\n'
        slow.send(request)
        slow.line()
        before = daemon.memory()
        slow.socket.settimeout(4)
        with contextlib.suppress(TimeoutError):
            for _ in range(count // 500):
                slow.send(request * 500)
        expect(SANITIZED or daemon.memory() - before < 16 << 20, f"{daemon.memory() - before} bytes more")
        is_alive(daemon)
        slow.socket.settimeout(20)
        for _ in range(200):
            expect("result" in slow.line(), "answer")


# --- debuggers' sockets ---

def packet(payload):
    return b"$%s#%02x" % (payload, sum(payload) & 255)


HELLO = b"+" + packet(b"qSupported:swbreak+;hwbreak+")


def answer_to(address, data):
    """What first comes back from a port or a socket; b"" when it is closed without a word."""
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as peer:
        peer.connect(address)
        peer.settimeout(10)
        try:
            peer.sendall(data)
            return peer.recv(4096)
        except ConnectionError:
            return b""


def answer_as(uid, address, data):
    """The same for a process of another user."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setuid(uid)
        os.write(theirs, answer_to(address, data))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        answer = pipe.read()
    expect_equal(os.waitpid(pid, 0)[1], 0, f"user {uid}'s process")
    return answer


def port_first_byte(build):
    """Nothing but RSP is heard on a port: what a browser sends is not, whatever its body."""
    rows = [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n" + HELLO,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01" + HELLO,
        b"\r\n" + HELLO,
        b"-" + HELLO,
        b"\x03POST / HTTP/1.1\r\n\r\n" + HELLO,
        b"{" + HELLO,
    ]
    port = free_port()
    with Daemon(build) as daemon, daemon.busy("--listen", f":{port}"):
        for address in (("127.0.0.1", port), str(pathlib.Path(daemon.path).with_name("gdb-default.sock"))):
            for row in rows:
                expect_equal(answer_to(address, row), b"", row)
            expect_equal(answer_to(address, HELLO), b"+", "a debugger waits for the session")
            expect_equal(answer_to(address, b"\x03" + HELLO), b"+", "a debugger that interrupts first")


def port_users(build):
    """A port is for this user and root, unless it was said to be everybody's."""
    nobody = 65534
    for words, answer in (((), b""), (("--listen-any-user",), b"+")):
        port = free_port()
        with Daemon(build) as daemon, daemon.busy("--listen", f"127.0.0.1:{port}", *words):
            expect_equal(answer_to(("127.0.0.1", port), HELLO), b"+", "this user")
            expect_equal(answer_as(nobody, ("127.0.0.1", port), HELLO), answer, f"nobody, {words}")


def port_options(build):
    with harness.Kvmdbg(build) as tool, socket.create_server(("127.0.0.1", 0)) as peer:
        stub = f":{peer.getsockname()[1]}"
        for option in ("--listen-any-user", "--listen-files"):
            for words in ((), ("--listen", str(tool.dir / "gdb.sock"))):
                tool.refused(2, f"{option} is for the port", "attach", stub, option, *words)
        tool.refused(2, "not an address of loopback", "attach", stub, "--listen", "0.0.0.0:1")


def too_many_debuggers(build):
    """The 17th is told so in a way that gdb shows, and the others are served on."""
    with Daemon(build) as daemon, daemon.busy(), contextlib.ExitStack() as stack:
        path = str(pathlib.Path(daemon.path).with_name("gdb-default.sock"))

        def connect():
            gdb = stack.enter_context(socket.socket(socket.AF_UNIX))
            gdb.connect(path)
            gdb.settimeout(10)
            return gdb

        first = [connect() for _ in range(16)]
        expect(b"$E.kvmdbg: 16 debuggers are connected, the most#" in answer_to(path, HELLO), "refusal")
        done = subprocess.run(["gdb", "-nx", "-batch", "-ex", f"target remote {path}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
        expect(b"16 debuggers are connected" in done.stdout, done.stdout.decode())
        # Those who say nothing are not kept either.
        silent = [connect() for _ in range(60)]
        time.sleep(0.5)
        expect(len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < 60, "descriptors")
        for gdb in silent:
            gdb.close()
        first[3].sendall(HELLO[1:])
        expect_equal(first[3].recv(10), b"+", "one of the 16")
        first[4].close()
        deadline = time.monotonic() + 5
        while answer_to(path, HELLO) != b"+":
            expect(time.monotonic() < deadline, "no room though one has gone")


def interrupts(build):
    """However many Ctrl-C a debugger sends, one is on its way."""
    with Daemon(build) as daemon, daemon.busy(), socket.socket(socket.AF_UNIX) as gdb:
        gdb.connect(str(pathlib.Path(daemon.path).with_name("gdb-default.sock")))
        gdb.settimeout(10)
        gdb.sendall(b"+")
        before = daemon.memory()
        for _ in range(16):
            gdb.sendall(b"\x03" * 65536)
        gdb.sendall(HELLO)
        expect_equal(gdb.recv(10), b"+", "heard behind them")
        expect(SANITIZED or daemon.memory() - before < 1 << 20, f"{daemon.memory() - before} bytes more")
def send_attach(client, number, peer, **params):
    argv = [f":{peer.getsockname()[1]}", "--name", "one"]
    client.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "attach",
                            "params": {"argv": argv, **params}}) + "\n")


def reply_to(client, number):
    while (reply := client.line()).get("id") != number:
        pass
    return reply


def others_attach(build):
    """While an attach hangs, nobody else waits behind it, and whoever wants can end it."""
    with Daemon(build) as daemon, socket.create_server(("127.0.0.1", 0)) as peer, daemon.client() as client:
        send_attach(client, 5, peer)
        with daemon.client() as other:
            started = time.monotonic()
            status = other.call("status")["result"]
            expect_equal((status["session"], status["state"]), ("one", "attaching"), "status")
            expect(status["address"].endswith(str(peer.getsockname()[1])), str(status))
            expect("detach" in other.call("status", render="text")["result"]["text"], "text of status")
            expect("still attaching" in other.call("stop")["error"]["message"], "stop")
            expect_equal(other.call("detach", number=9)["result"]["machine"], "not attached to", "detach")
            expect(time.monotonic() - started < 3, "somebody waited")
            expect_equal(reply_to(client, 5)["error"]["data"]["class"], "cancelled", "the attach")
            expect_equal(other.call("sessions", number=3)["result"], [], "sessions")
            reply = other.call("attach", number=4, address=closed_port(), name="one")
            expect("nothing listens" in reply["error"]["message"], str(reply))


def vanished_attach(build):
    """The attach of a client that is gone ends, and its name is free."""
    with Daemon(build) as daemon, socket.create_server(("127.0.0.1", 0)) as peer:
        program = pathlib.Path(build) / "kvmdbg"
        for how in ("closed", "killed"):
            if how == "closed":
                with daemon.client() as client:
                    send_attach(client, 5, peer)
                    accepted, _ = peer.accept()
            else:
                with subprocess.Popen([program, "attach", f":{peer.getsockname()[1]}"], env=daemon.tool.env) as child:
                    accepted, _ = peer.accept()
                    child.kill()
            started = time.monotonic()
            with accepted, daemon.client() as other:
                while other.call("sessions")["result"]:
                    expect(time.monotonic() - started < 3, f"{how}: the session stays")
                    time.sleep(0.01)


def early_interrupt(build):
    """Ctrl-C counts from the first moment on, also before the call is there to be cancelled."""
    with Daemon(build) as daemon, contextlib.ExitStack() as stack:
        program = pathlib.Path(build) / "kvmdbg"
        for tries in range(30):
            peer = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            with subprocess.Popen([program, "attach", f":{peer.getsockname()[1]}"], env=daemon.tool.env,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
                time.sleep(tries / 1000)
                child.send_signal(signal.SIGINT)
                started = time.monotonic()
                child.wait(20)
                expect(time.monotonic() - started < 3, f"after {tries} ms: {time.monotonic() - started:.1f} s")


def cancelled_in_queue(build):
    """What waits for its turn and is cancelled does not wait on."""
    with Daemon(build) as daemon, socket.create_server(("127.0.0.1", 0)) as peer, daemon.client() as client:
        send_attach(client, 5, peer)
        client.send('{"jsonrpc":"2.0","id":6,"method":"regs"}\n')
        client.send('{"jsonrpc":"2.0","method":"cancel","params":{"id":6}}\n')
        expect_equal(client.line()["id"], 6, "the first answer")
        client.send('{"jsonrpc":"2.0","method":"cancel","params":{"id":5}}\n')
        expect_equal(reply_to(client, 5)["error"]["data"]["class"], "cancelled", "the attach")
        is_alive(daemon)


def timeouts(build):
    with Daemon(build) as daemon, socket.create_server(("127.0.0.1", 0)) as peer, daemon.client() as client:
        started = time.monotonic()
        send_attach(client, 5, peer, timeout=1)
        expect("no answer for 1 s" in reply_to(client, 5)["error"]["message"], "message")
        expect(1 <= time.monotonic() - started < 4, "time")
        for value in ("1", -1, 1.5, 86401):
            reply = client.call("status", number=6, timeout=value)
            expect_equal(reply["error"]["data"]["class"], "usage", str(value))
        # What was given up still waits at the first.
        with socket.create_server(("127.0.0.1", 0)) as second:
            daemon.tool.refused(1, "no answer for 1 s", "--timeout", "1", "attach", f":{second.getsockname()[1]}")


# --- the process ---

def starts_and_ends(build):
    with Daemon(build, "--idle-timeout", "1") as daemon:
        mode = stat.S_IMODE(os.stat(daemon.path).st_mode)
        expect_equal(mode, 0o600, "socket's mode")
        with daemon.client() as client:
            time.sleep(1.5)
            expect_equal(client.call("sessions")["result"], [], "stays while somebody is connected")
            # A session that came and went must not keep it.
            expect("error" in client.call("attach", address=closed_port()), "attach")
        expect_equal(daemon.process.wait(5), 0, "status when idle")
        expect(not os.path.exists(daemon.path), "the socket is removed")
    with Daemon(build) as daemon, daemon.client():
        daemon.process.terminate()
        expect_equal(daemon.process.wait(5), 0, "status on SIGTERM")


def one_at_a_time(build):
    with Daemon(build) as daemon:
        second = subprocess.run([pathlib.Path(build) / "kvmdbgd"], env=daemon.tool.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10, check=False)
        expect_equal(second.returncode, 1, "status of a second daemon")
        expect(b"already serves" in second.stderr, second.stderr)


def stale_socket(build):
    with harness.Kvmdbg(build) as tool:
        tool.refused(1, "refused", "attach", closed_port())
        before = tool.processes()
        expect_equal(len(before), 1, "daemons")
        os.kill(before[0], signal.SIGKILL)
        while tool.processes():
            time.sleep(0.01)
        expect((tool.dir / "run" / "kvmdbg" / "kvmdbgd.sock").exists(), "a stale socket is left")
        tool.refused(3, "attach", "status")
        tool.refused(1, "refused", "attach", closed_port())
        expect_equal(len(tool.processes()), 1, "daemons")


def dies_at_work(build):
    """Who waits for an answer is told that none will come, and nobody is asked in the dead daemon's stead."""
    with harness.Kvmdbg(build) as tool, socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tool.dir / "gdb.sock"))
        hung.listen(4)
        done = []
        waiting = threading.Thread(target=lambda: done.append(tool.run("attach", f"unix:{tool.dir}/gdb.sock")))
        waiting.start()
        hung.settimeout(10)
        with hung.accept()[0] as peer:
            peer.settimeout(10)
            expect(peer.recv(1), "the daemon asked nothing")
            daemon, = struct.unpack("i8x", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            os.kill(daemon, signal.SIGKILL)
            waiting.join()
        expect_equal(done[0].status, 3, str(done[0]))
        expect("the daemon went away" in done[0].err, str(done[0]))
        while tool.processes():
            time.sleep(0.01)
        tool.refused(3, "nothing is attached|attach", "status")


def started_at_once(build):
    with harness.Kvmdbg(build) as tool:
        port = closed_port()
        done = []
        threads = [threading.Thread(target=lambda n=n: done.append(tool.run("attach", port, "--name", f"s{n}")))
                   for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in done:
            expect_equal(each.status, 1, str(each))
            expect("refused" in each.err, str(each))
        expect_equal(len(tool.processes()), 1, "daemons")


def runtime_folder(build):
    """A folder that somebody else may enter, or that is not one, is refused."""
    with harness.Kvmdbg(build) as tool:
        folder = tool.dir / "run" / "kvmdbg"
        folder.mkdir(mode=0o755)
        for argv in (["attach", ":1"], ["sessions"], ["status"]):
            tool.refused(3, "mode 755", *argv)
        folder.rmdir()
        elsewhere = tool.dir / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        folder.symlink_to(elsewhere)
        tool.refused(3, "not a folder of its own", "attach", ":1")
        expect_equal(list(elsewhere.iterdir()), [], "nothing was written behind the link")
        folder.unlink()
        tool.env["XDG_RUNTIME_DIR"] = str(tool.dir / ("long" * 30))
        os.mkdir(tool.env["XDG_RUNTIME_DIR"], 0o700)
        tool.refused(3, "too long", "attach", ":1")
        tool.env["XDG_RUNTIME_DIR"] = "relative"
        tool.refused(3, "absolute", "attach", ":1")


def missing_daemon(build):
    with harness.Kvmdbg(build) as tool:
        tool.env["KVMDBG_DAEMON"] = "/nonexistent/kvmdbgd"
        tool.refused(3, "nonexistent", "attach", ":1")
        tool.env["KVMDBG_DAEMON"] = "/bin/false"
        tool.refused(3, "does not start", "attach", ":1")


# --- the command line ---

def statuses(build):
    rows = [
        (2, "did you mean status", ["statsu"]),
        (2, "unknown option --foo", ["status", "--foo"]),
        (2, "unknown option --foo", ["--foo", "status"]),
        (2, "unexpected argument", ["status", "x"]),
        (2, "--color", ["--color", "blue", "status"]),
        (2, "--timeout", ["--timeout", "soon", "status"]),
        (2, "--timeout", ["--timeout=0", "status"]),
        (2, "did you mean attach", ["atach", "--help"]),
        (3, "attach", ["status"]),
        (3, "attach", ["detach", "--stopped"]),
        (2, "ADDR is missing", ["attach"]),
        (1, "refused", ["attach", closed_port()]),
        (1, "nonexistent", ["attach", "/nonexistent/gdb.sock"]),
    ]
    with harness.Kvmdbg(build) as tool:
        for when in ("without a daemon", "with one"):
            for status, pattern, argv in rows:
                tool.refused(status, pattern, *argv)
                if when == "without a daemon" and argv[0] != "attach":
                    expect_equal(tool.processes(), [], f"daemons after {argv}")
                if "--help" in argv or argv[0].startswith("--"):
                    continue
                error = json.loads(tool.run("--json", *argv).out)
                expect(isinstance(error["code"], int) and error["message"], f"{argv}: {error}")
            expect_equal(tool.call("sessions"), [], "sessions")


def help_texts(build):
    with harness.Kvmdbg(build) as tool:
        overview = tool.text("--help")
        names = [line.split()[0] for line in overview.splitlines() if line.startswith("  ") and not line.startswith("  -")]
        expect({"attach", "status", "shell"} <= set(names), overview)
        for name in names:
            if name == "kvmdbg":
                continue
            expect(f"usage: kvmdbg {name}" in tool.text(name, "--help"), name)
            expect_equal(tool.text("help", name), tool.text(name, "--help"), name)
        expect_equal(tool.text("--version").split()[0], "kvmdbg", "version")
        expect_equal(tool.processes(), [], "daemons")


def man_page(build):
    page = pathlib.Path(build) / "kvmdbg.1"
    done = subprocess.run(["man", "--warnings", "-l", str(page)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}, check=False)
    expect_equal((done.returncode, done.stderr), (0, b""), "man --warnings")
    expect(b"EXIT STATUS" in done.stdout and b"attach" in done.stdout, "the page's text")


def bash_completion(build):
    script = pathlib.Path(__file__).resolve().parent.parent.parent / "src" / "cli" / "kvmdbg.bash"
    rows = [
        ("kvmdbg sta", ["status"]),
        ("kvmdbg --json --session x sta", ["status"]),
        ("kvmdbg --timeout 60 --json sta", ["status"]),
        ("kvmdbg --js", ["--json"]),
        ("kvmdbg attach :1 --vm", ["--vmlinux"]),
        ("kvmdbg help det", ["detach"]),
        ("kvmdbg attach ", []),
    ]
    with harness.Kvmdbg(build) as tool:
        for line, wanted in rows:
            words = line.split(" ")
            quoted = " ".join(f"'{word}'" for word in [tool.program, *words[1:]])
            code = (f"source '{script}'; COMP_LINE='{line}'; COMP_POINT={len(line)}; COMP_WORDS=({quoted}); "
                    f"COMP_CWORD={len(words) - 1}; _kvmdbg; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
            done = subprocess.run(["bash", "-c", code], env=tool.env, stdout=subprocess.PIPE, check=True)
            expect_equal(done.stdout.decode().split(), wanted, line)


CASES = [requests, errors, huge_line, slow_reader, clients_that_go, many_clients, waiting_attach, others_attach,
         vanished_attach, early_interrupt, cancelled_in_queue, timeouts, too_many_clients, few_descriptors, notifications, unread_answers,
         port_first_byte, port_options, too_many_debuggers, interrupts, starts_and_ends, one_at_a_time, stale_socket, dies_at_work,
         started_at_once, runtime_folder, missing_daemon, statuses, help_texts, man_page, bash_completion]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with kvmdbg and kvmdbgd")
    parser.add_argument("--only", help="only cases whose name matches")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    for case in CASES:
        tap.case("/daemon/" + case.__name__.replace("_", "-"), case, args.build)
    if os.geteuid() == 0:
        tap.case("/daemon/port-users", port_users, args.build)
    else:
        tap.skip("/daemon/port-users", "only root can be somebody else")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
