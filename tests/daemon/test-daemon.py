#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's process, its socket and its clients, without any machine."""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "guest"))

import harness  # noqa: E402
from harness import expect, expect_equal  # noqa: E402

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602


class Client:
    """A bare client of the control socket."""

    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(daemon.path)
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

    def __init__(self, build, *args):
        self.tool = harness.Kvmdbg(build)
        self.path = str(self.tool.dir / "run" / "kvmdbg" / "kvmdbgd.sock")
        self.process = subprocess.Popen([pathlib.Path(build) / "kvmdbgd", "--background", *args], env=self.tool.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        expect_equal(self.process.stdout.readline(), b"ready\n", "readiness")
        self.process.stdout.close()

    def client(self):
        return Client(self)

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
        daemon.tool.refused(1, "no answer for 1 s", "--timeout", "1", "attach", f":{peer.getsockname()[1]}")


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
        tool.refused(3, "mode 755", "attach", ":1")
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
         vanished_attach, cancelled_in_queue, timeouts, starts_and_ends, one_at_a_time, stale_socket, started_at_once,
         runtime_folder, missing_daemon, statuses, help_texts, man_page, bash_completion]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with kvmdbg and kvmdbgd")
    parser.add_argument("--only", help="only cases whose name matches")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    for case in CASES:
        tap.case("/daemon/" + case.__name__.replace("_", "-"), case, args.build)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
