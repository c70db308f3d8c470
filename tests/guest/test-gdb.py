#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb on a real host through kvmdbg's server: a user's own gdb beside kvmdbg's commands and beside other clients.

Witnesses: kvmdbg's commands on the same stop, and QEMU's monitor for whether the machine runs.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import assets  # noqa: E402
import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import Failure, expect, expect_equal, number  # noqa: E402

# What our guests' own programs call for each run of a vCPU, in the kernel itself on both architectures.
HOT, CALLER = "security_file_ioctl", {"arm64": "__arm64_sys_ioctl", "x86_64": "__x64_sys_ioctl"}


class Gdb:
    """A gdb that takes its commands one after the other, as from a terminal."""

    def __init__(self, argv, env=None):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env={**(env or os.environ), "DEBUGINFOD_URLS": ""})
        self.count = 0
        for line in (f"set index-cache directory {assets.cache_dir() / 'gdb-index'}", "set index-cache enabled on",
                     "set confirm off", "set pagination off", "set width 0", "set print thread-events off"):
            self.send(line)

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, timeout=120):
        """All that it prints up to the end of what it was sent."""
        self.count += 1
        mark = f"<done {self.count}>".encode()
        self.send(f"echo <done {self.count}>\\n")
        out, deadline = b"", time.monotonic() + timeout
        while mark not in out:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failure(f"gdb: no end after {timeout} s: {out[-500:]!r}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failure(f"gdb ended: {out[:1500]!r}")
            out += data
        return out.split(mark)[0].decode(errors="replace")

    def run(self, line, timeout=120):
        self.send(line)
        return self.wait(timeout)

    def value(self, expression):
        text = self.run(f"printf \"%#lx\\n\", (unsigned long)({expression})")
        match = re.search(r"0x[0-9a-f]+|^0$", text, re.MULTILINE)
        expect(match, f"{expression}: {text!r}")
        return int(match[0], 0)

    def close(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Raw:
    """A client that sends what it likes, to a UNIX socket or a (host, port)."""

    def __init__(self, place):
        tcp = isinstance(place, tuple)
        self.socket = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self.socket.settimeout(30)
        self.data = b""
        self.socket.connect(place if tcp else str(place))

    def send(self, payload):
        self.socket.sendall(b"+$%s#%02x" % (payload, sum(payload) & 255))

    def answer(self):
        """The next packet's payload."""
        while not (packet := re.search(rb"\$([^#]*)#..", self.data)):
            self.data += self.socket.recv(65536) or b"$gone#00"
        self.data = self.data[packet.end():]
        return packet[1]

    def ask(self, payload):
        self.send(payload)
        return self.answer()

    def monitor(self, line):
        """What a command of kvmdbg's says."""
        answer, text = self.ask(b"qRcmd," + line.encode().hex().encode()), b""
        while answer.startswith(b"O") and answer != b"OK":
            text += bytes.fromhex(answer[1:].decode())
            answer = self.answer()
        return text.decode()

    def is_closed(self):
        with contextlib.suppress(ConnectionError):
            while self.socket.recv(65536):
                pass
        return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Host:
    def __init__(self, args):
        self.args = args
        self.machine = machines.boot(arch=args.arch, kernel=args.kernel, qemu=args.qemu, mode=args.mode or None)
        self.kvmdbg = harness.Kvmdbg(args.build)
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
            self.port = port.getsockname()[1]
        done = self.kvmdbg.attach(self.machine, "--listen", f":{self.port}")
        expect(done.status == 0, str(done))
        self.socket = self.kvmdbg.dir / "run" / "kvmdbg" / "gdb-test.sock"

    def gdb(self):
        """A gdb on our server."""
        gdb = Gdb(["gdb-multiarch", "-nx", "-q", str(self.machine.vmlinux)])
        text = gdb.run(f"target remote {self.socket}", 600)
        expect("Remote debugging using" in text and "Thread 1." in gdb.run("info threads"), text)
        return gdb

    def pc(self, cpu):
        name = "pc" if self.args.arch == "arm64" else "rip"
        return number(self.kvmdbg.call("regs", "--cpu", cpu, name)[0]["regs"][name])

    def task(self, cpu):
        return next(row["pid"] for row in self.kvmdbg.call("status")["cpus"] if row["cpu"] == cpu)

    def cpu_of(self, gdb):
        return gdb.value("$_thread") - 1

    def running(self):
        return self.machine.monitor("query-status")["running"]

    def close(self):
        self.kvmdbg.close()
        self.machine.close()


def attach(host):
    """gdb sees the CPUs, their registers and the kernel's symbols where they are."""
    with host.gdb() as gdb:
        threads = gdb.run("info threads")
        for cpu in range(2):
            expect(f'"CPU {cpu}"' in threads, threads)
            gdb.run(f"thread {cpu + 1}")
            pc = gdb.value("$pc")
            expect_equal(pc, host.pc(cpu), f"pc of CPU {cpu}")
        start = number(host.kvmdbg.call("sym", "init_task")["symbols"][0]["addr"])
        expect_equal(gdb.value("&init_task"), start, "init_task")
        banner = gdb.run("printf \"%s\", linux_banner")
        expect(host.machine.info["release"] in banner, banner)
        # QEMU 10 says it itself, as each CPU has it at the moment.
        if host.args.arch == "arm64" and host.args.qemu == "7.2":
            expect_equal(gdb.value("$pauth_cmask_high"), number(host.kvmdbg.call("status")["kernel"]["pac_mask"]), "PAC")


def breakpoint(host):
    """A hardware breakpoint in what every run of a vCPU calls."""
    with host.gdb() as gdb:
        gdb.run(f"hbreak {HOT}")
        for n in range(3):
            text = gdb.run("continue")
            expect(re.search(rf"hit Breakpoint 1\b.*{HOT}", text, re.DOTALL), f"{n}: {text}")
        stop = host.kvmdbg.call("status")["stop"]
        expect_equal(gdb.value("$pc"), host.pc(stop["cpu"]), "pc")
        expect(f"#0  {HOT}" in gdb.run("bt") or f" in {HOT}" in gdb.run("bt"), gdb.run("bt"))
        expect_equal(len(host.kvmdbg.call("breaks")), 0, "breakpoints while gdb is stopped")


def backtrace(host):
    """Up to the system call, and the functions that kvmdbg sees."""
    with host.gdb() as gdb:
        gdb.run(f"hbreak {HOT}")
        gdb.run("continue")
        cpu = host.kvmdbg.call("status")["stop"]["cpu"]
        text = gdb.run("bt")
        frames = host.kvmdbg.call("bt", "--cpu", cpu)[0]["frames"]
        names = [frame["symbol"] for frame in frames if frame["symbol"] and not frame["inlined"]]
        expect(CALLER[host.args.arch] in names, f"{names}")
        for name in names[:names.index(CALLER[host.args.arch]) + 1]:
            expect(re.search(rf"\b{name}\b", text), f"{name} is not in {text}")


def steps(host):
    """stepi and nexti, one CPU alone."""
    with host.gdb() as gdb:
        gdb.run(f"hbreak {HOT}")
        gdb.run("continue")
        stop = host.kvmdbg.call("status")["stop"]
        others = [host.pc(cpu) for cpu in range(2) if cpu != stop["cpu"]]
        seen = {gdb.value("$pc")}
        for _ in range(6):
            gdb.run("stepi")
            seen.add(gdb.value("$pc"))
            expect_equal(gdb.value("$pc"), host.pc(stop["cpu"]), "pc")
        expect(len(seen) > 4, f"{seen}")
        text = gdb.run("stepi 20")
        expect("SIG" not in text and "rror" not in text, text)
        expect_equal([host.pc(cpu) for cpu in range(2) if cpu != stop["cpu"]], others, "the other CPU")


def finish(host):
    """Out of a function, to the caller whose address may be signed."""
    with host.gdb() as gdb:
        gdb.run(f"hbreak {HOT}")
        gdb.run("continue")
        gdb.run("delete")
        text = gdb.run("finish")
        expect("Run till exit" in text, text)
        name = gdb.run("info symbol $pc")
        expect(re.search(rf"^(\(gdb\) )*({CALLER[host.args.arch]}|__se_sys_ioctl|__do_sys_ioctl) \+", name, re.MULTILINE), name)


def watchpoint(host):
    """What changes with each tick."""
    with host.gdb() as gdb:
        gdb.run("watch -l jiffies_64")
        values = []
        for _ in range(3):
            text = gdb.run("continue")
            match = re.search(r"Old value = (\d+)\s+New value = (\d+)", text)
            expect("Hardware watchpoint" in text and match, text)
            values += [int(match[1]), int(match[2])]
        expect(values == sorted(values) and values[0] < values[-1], f"{values}")
        expect_equal(number(host.kvmdbg.call("print", "jiffies_64")["value"]), values[-1], "jiffies_64")


def memory(host):
    """The kernel's memory while CPUs are in guests, the memory of the process a CPU serves, and its bytes."""
    with host.gdb() as gdb:
        gdb.run(f"hbreak {HOT}")
        gdb.run("continue")
        gdb.run("delete")
        stop = host.kvmdbg.call("status")["stop"]
        expect_equal(gdb.value("*(unsigned int *)linux_banner"), int.from_bytes(b"Linu", "little"), "linux_banner")
        # Where our guest's program makes its system call from, as the kernel has it saved.
        frames = host.kvmdbg.call("bt", "--cpu", stop["cpu"])[0]["frames"]
        user = number(frames[-1]["pc"])
        expect(user < 1 << 47, f"{frames[-1]}")
        wanted = host.kvmdbg.call("mem", f"user:{host.task(stop['cpu'])}:{user:#x}", "8")["bytes"]
        expect_equal(gdb.value(f"*(unsigned long *){user:#x}"), int.from_bytes(bytes.fromhex(wanted), "little"), "user code")
        text = gdb.run("x/4gx 8")
        expect("Cannot access memory" in text, text)
        host.kvmdbg.text("until", "--guest", "--cpu", stop["cpu"])
        gdb.run("maintenance flush register-cache")
        gdb.run(f"thread {stop['cpu'] + 1}")
        expect("in guest" in gdb.run("info threads"), "not in a guest")
        expect_equal(gdb.value("*(unsigned int *)linux_banner"), int.from_bytes(b"Linu", "little"), "from a guest")
        # All of the kernel's code, in few packets.
        folder = host.kvmdbg.dir
        start, end = gdb.value("&_stext"), gdb.value("&_etext")
        began = time.monotonic()
        text = gdb.run(f"dump binary memory {folder}/text {start:#x} {end:#x}", 300)
        expect((folder / "text").exists(), text)
        print(f"# {end - start} bytes in {time.monotonic() - began:.1f} s")
        some = (folder / "text").read_bytes()[:4096]
        expect_equal((folder / "text").stat().st_size, end - start, "bytes")
        expect_equal(some.hex(), host.kvmdbg.call("mem", f"{start:#x}", "4096")["bytes"], "bytes of the dump")


def interrupt(host):
    """Ctrl-C, and the machine goes on at the next continue."""
    with host.gdb() as gdb:
        for n in range(3):
            gdb.send("continue")
            deadline = time.monotonic() + 20
            while not host.running():
                expect(time.monotonic() < deadline, f"{n}: does not run")
                time.sleep(0.05)
            time.sleep(0.3)
            gdb.process.send_signal(signal.SIGINT)
            text = gdb.wait(30)
            expect("SIGINT" in text, f"{n}: {text}")
            expect(not host.running(), f"{n}: runs")


def monitor(host):
    """kvmdbg's commands by gdb's monitor, with and without the name in front."""
    with host.gdb() as gdb:
        release = host.machine.info["release"]
        expect(release in gdb.run("monitor kvmdbg status"), "monitor kvmdbg status")
        expect(release in gdb.run("monitor status"), "monitor status")
        text = gdb.run("monitor kvmdbg vms")
        expect("nested0" in text, text)
        text = gdb.run("monitor kvmdbg mem _stext 65536")
        expect(len(text) > 65536 and text.count("\n") >= host.kvmdbg.text("mem", "_stext", "65536").count("\n"), "cut off")
        expect("no command" in gdb.run("monitor kvmdbg nonsense") or "nonsense" in gdb.run("monitor nonsense"), "nonsense")
        expect("not from here" in gdb.run("monitor kvmdbg detach"), "detach")
        expect_equal(len(host.kvmdbg.call("vms")), 1, "VMs")


def started(host):
    """kvmdbg gdb: connected, with the vmlinux, and with gdb's own arguments behind."""
    text = host.kvmdbg.text("gdb", "-nx", "-iex", f"set index-cache directory {assets.cache_dir() / 'gdb-index'}",
                            "-iex", "set index-cache enabled on", "-batch", "-ex", f"hbreak {HOT}", "-ex", "continue",
                            "-ex", "bt 1", timeout=600)
    expect(f"Breakpoint 1" in text and f"{HOT} (" in text, text)
    expect_equal(host.kvmdbg.run("gdb", "-nx", "-batch", "-ex", "quit 7", timeout=600).status, 7, "gdb's status")
    host.kvmdbg.refused(3, "no session", "--session", "none", "gdb")


def listens(host):
    """On a port of loopback, or of a path; nowhere else."""
    expect_equal(host.kvmdbg.call("status")["gdb"], [str(host.socket), f"127.0.0.1:{host.port}"], "places")
    with Raw(("127.0.0.1", host.port)) as raw:
        expect(raw.ask(b"?").startswith(b"T"), "?")
    for place, status, why in (("0.0.0.0:1", 2, "loopback"), ("192.0.2.1:1234", 2, "loopback"),
                               (f":{host.port}", 1, "in use"), (str(host.socket), 1, "in use"),
                               (str(host.machine.vmlinux), 1, "in use|exists")):
        host.kvmdbg.refused(status, why, "attach", host.machine.gdb, "--name", "other", "--listen", place)
    expect_equal(len(host.kvmdbg.call("sessions")), 1, "sessions")
    expect(host.machine.vmlinux.exists(), "the file in the way")


def two_clients(host):
    """One stop for all, and each is told of its own breakpoints; one's Ctrl-C stops the other too."""
    with host.gdb() as one, host.gdb() as other:
        one.run(f"hbreak {HOT}")
        for n in range(3):
            one.send("continue")
            other.send("continue")
            text = one.wait(60)
            expect("hit Breakpoint 1" in text, f"{n}: {text}")
            text = other.wait(60)
            # It may have seen the step off the breakpoint instead.
            expect("SIGTRAP" in text, f"{n}: {text}")
        one.run("delete")
        for n in range(3):
            for gdb in (one, other):
                gdb.send("continue")
            time.sleep(0.5)
            (one, other)[n % 2].process.send_signal(signal.SIGINT)
            for gdb in (one, other):
                text = gdb.wait(60)
                expect("SIGINT" in text or "SIGTRAP" in text, f"{n}: {text}")
            expect(not host.running(), f"{n}: runs")
        for gdb in (one, other):
            expect_equal(gdb.value("&init_task"), number(host.kvmdbg.call("sym", "init_task")["symbols"][0]["addr"]), "alive")


def at_once(host):
    """Two clients continue and stop at once: one stop reply for each continue, and then the machine holds still."""
    with Raw(host.socket) as one, Raw(host.socket) as other:
        for raw in (one, other):
            expect(raw.ask(b"?").startswith(b"T"), "?")
        for n in range(30):
            for raw in (one, other):
                raw.send(b"vCont;c")
            time.sleep(0.02 * (n % 4))
            for raw in (one, other) if n % 2 else (other, one):
                raw.socket.sendall(b"\x03")
            waiting = {one, other}
            while waiting:
                raw = waiting.pop()
                try:
                    raw.socket.settimeout(3)
                    expect(raw.answer().startswith(b"T"), f"{n}: no stop")
                except TimeoutError:
                    # Its Ctrl-C came before the other's continue, which was the later word.
                    waiting.add(raw)
                    raw.socket.sendall(b"\x03")
            expect(not host.running(), f"{n}: runs")
            for raw in (one, other):
                expect_equal(raw.ask(b"Hg1"), b"OK", f"{n}: one reply for each continue")


def death(host):
    """What a client has set goes with it, while the machine runs; another's at the same place stays."""
    start = number(host.kvmdbg.call("sym", HOT)["symbols"][0]["addr"])
    with Raw(host.socket) as raw:
        expect(raw.ask(b"?").startswith(b"T"), "?")
        expect_equal(raw.ask(b"Z1,%x,4" % start), b"OK", "Z1")
        expect_equal(raw.ask(b"Z1,%x,4" % start), b"OK", "Z1 again")
        with host.gdb() as gdb:
            gdb.run(f"hbreak *{start:#x}")
            expect("hit Breakpoint" in gdb.run("continue"), "no stop")
            expect_equal([number(row["addr"]) for row in host.kvmdbg.call("breaks")], [start], "the other's")
            raw.close()
            # It had let the machine run neither, nor is it alone.
            time.sleep(0.5)
            expect(not host.running(), "runs")
            expect_equal(host.kvmdbg.call("breaks"), [], "after its death")
            for _ in range(3):
                expect("hit Breakpoint" in gdb.run("continue"), "no stop")
            gdb.run("delete")
            gdb.send("continue")
            deadline = time.monotonic() + 20
            while not host.running():
                expect(time.monotonic() < deadline, "does not run")
                time.sleep(0.05)
            watched = number(host.kvmdbg.call("sym", "init_task")["symbols"][0]["addr"])
            with Raw(host.socket) as late:
                # While it runs: the machine is held for this, and goes on.
                expect_equal(late.ask(b"Z1,%x,4" % watched), b"OK", "Z1 while it runs")
                expect_equal(len(host.kvmdbg.call("breaks")), 1, "breakpoints")
                expect(host.running(), "stopped")
            deadline = time.monotonic() + 20
            while host.kvmdbg.call("breaks"):
                expect(time.monotonic() < deadline, "breakpoint stays")
                time.sleep(0.1)
            expect(host.running(), "stopped")
            gdb.process.send_signal(signal.SIGINT)
            expect("SIGINT" in gdb.wait(30), "Ctrl-C")


def hung(host):
    """The breakpoints of a client that goes while QEMU hangs are gone when it no longer does, and the machine runs."""
    rare = number(host.kvmdbg.call("sym", "do_exit")["symbols"][0]["addr"])
    pid = host.machine.process.pid
    with Raw(host.socket) as raw:
        expect(raw.ask(b"?").startswith(b"T"), "?")
        expect_equal(raw.ask(b"Z1,%x,4" % rare), b"OK", "Z1")
        raw.send(b"vCont;c")
        deadline = time.monotonic() + 20
        while not host.running():
            expect(time.monotonic() < deadline, "does not run")
            time.sleep(0.05)
        os.kill(pid, signal.SIGSTOP)
    try:
        # Shorter than a stop is waited for.
        time.sleep(6)
    finally:
        os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + 20
    while host.kvmdbg.call("breaks") or not host.running():
        expect(time.monotonic() < deadline, f"{host.kvmdbg.call('breaks')}, running: {host.running()}")
        time.sleep(0.1)
    expect_equal(host.kvmdbg.call("status")["state"], "running", "state")
    host.kvmdbg.text("stop")


def lldb(host):
    """Another debugger, on the port."""
    start = number(host.kvmdbg.call("sym", HOT)["symbols"][0]["addr"])
    words = ["--no-lldbinit", "-b"]
    for line in (f"gdb-remote 127.0.0.1:{host.port}", f"breakpoint set -H -a {start:#x}", "continue", "thread list",
                 "thread step-inst", "register read pc", "breakpoint delete -f", "detach"):
        words += ["-o", line]
    done = subprocess.run(["lldb", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False, timeout=120)
    text = done.stdout.decode(errors="replace")
    expect("stop reason = breakpoint 1.1" in text and "thread #2" in text, text)
    expect(re.search(rf"(pc|rip) = {start + (4 if host.args.arch == 'arm64' else 5):#018x}", text), text)
    host.kvmdbg.text("stop")


def garbage(host):
    """What is no request ends that connection or is answered; nobody else notices."""
    rng = random.Random(1)
    with host.gdb() as gdb:
        for junk in (b"GET / HTTP/1.1\r\n\r\n" * 100, b"$" + b"m" * 300000, b"$m0,4#00" * 20, b"\x00" * 5000,
                     rng.randbytes(20000), b"+$vCont;" + b"s:1;" * 2000 + b"#00"):
            with Raw(host.socket) as raw:
                with contextlib.suppress(ConnectionError):
                    raw.socket.sendall(junk)
                    raw.socket.shutdown(socket.SHUT_WR)
                expect(raw.is_closed(), f"{junk[:20]!r}")
        with Raw(host.socket) as half:
            half.socket.sendall(b"$qSuppor")
            with Raw(host.socket) as raw:
                for payload, answer in ((b"mffff,zz", b"E16"), (b"Hg99", b"E16"), (b"p100000", b"E16"),
                                        (b"vNonsense", b""), (b"Z9,0,4", b"E16"), (b"Z1,zz,4", b"E16"),
                                        (b"qXfer:features:read:none.xml:0,100", b"E00"), (b"qRcmd,7", b"E16")):
                    expect_equal(raw.ask(payload), answer, payload)
            half.socket.sendall(b"ted#37")
            expect(half.socket.recv(4096).startswith(b"+"), "half a packet, then its rest")
        expect("Thread 1." in gdb.run("info threads"), "the other client")
        expect_equal(gdb.value("$pc"), host.pc(host.cpu_of(gdb)), "pc")


def port(host):
    """What comes from a browser is not heard on the port, and no file is opened for who comes there."""
    start = number(host.kvmdbg.call("sym", HOT)["symbols"][0]["addr"])
    file = host.kvmdbg.dir / "dump"
    with Raw(("127.0.0.1", host.port)) as page:
        page.socket.sendall(b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            page.send(b"qRcmd," + f"kvmdbg dump {file}".encode().hex().encode())
            expect_equal(page.socket.recv(4096), b"", "the answer to a browser")
    with Raw(("127.0.0.1", host.port)) as raw:
        for line in (f"dump {file}", "list /etc/passwd:1"):
            expect("not from a port" in raw.monitor(line), line)
        expect(f"{start:x}" in raw.monitor(f"kvmdbg mem {start:#x} 4"), "what opens no file")
    expect(not file.exists(), "dump wrote a file")
    file.touch()
    with Raw(host.socket) as raw:
        expect("is there already" in raw.monitor(f"dump {file}"), "kvmdbg's own socket has files")


def waits(host):
    """A command that waits for the machine is ended by Ctrl-C of its own client, and by that client's end."""
    with Raw(host.socket) as raw:
        expect(raw.ask(b"?").startswith(b"T"), "?")
        line = b"kvmdbg cont --wait"
        packet = b"qRcmd," + line.hex().encode()
        raw.send(packet)
        time.sleep(1)
        expect(host.running(), "does not run")
        raw.socket.sendall(b"\x03")
        text = bytes.fromhex(raw.answer()[1:].decode())
        expect(b"cancelled" in text, f"{text}")
        expect_equal(raw.answer(), b"OK", "behind the text")
        raw.send(packet)
        time.sleep(1)
    expect_equal(host.kvmdbg.run("status", timeout=20).status, 0, "the session after its client's end")
    host.kvmdbg.text("stop")


def gone(host):
    """What a client of the control socket has queued goes with it, and what runs for it ends."""
    path = str(host.kvmdbg.dir / "run" / "kvmdbg" / "kvmdbgd.sock")
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "%s", "params": {"session": "test", "argv": ["%s"]}}) + "\n"
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        first.connect(path)
        first.sendall(line.encode() % (b"step", b"1000000"))
        time.sleep(1)
        second.connect(path)
        second.sendall(line.encode() % (b"break", HOT.encode()) + 60 * (line.encode() % (b"bt", b"-a")))
        time.sleep(0.5)
        second.close()
        time.sleep(0.5)
        expect_equal(host.kvmdbg.call("sessions")[0]["running"], "step", "the other's command")
    started = time.monotonic()
    expect_equal(host.kvmdbg.call("breaks"), [], "breakpoints")
    expect(time.monotonic() - started < 10, "waited for what nobody hears")


def detach(host):
    """gdb's breakpoints go with it, and the machine runs."""
    with host.gdb() as gdb:
        gdb.run(f"hbreak {HOT}")
        gdb.run("continue")
        gdb.run("detach")
        expect(host.running(), "stopped")
    expect_equal(len(host.kvmdbg.call("breaks")), 0, "breakpoints")
    expect("alive" in host.machine.output("echo alive"), "the machine's shell")
    host.kvmdbg.text("stop")


def main():
    args = harness.parser(__doc__, arch="arm64", kernel="6.1", qemu="7.2", mode=None).parse_args()
    tap = harness.Tap(args.only)
    with harness.on_machine(Host, args) as host:
        tap.cases(f"/gdb/{args.arch}/{args.kernel}/", (
            attach, breakpoint, backtrace, steps, finish, watchpoint, memory, interrupt, monitor, started, listens, two_clients,
            at_once, death, hung, garbage, waits, gone, port, lldb, detach), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
