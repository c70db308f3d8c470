#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kvmdbg and its daemon are killed at moments nobody chose, and the next attach puts the machine right.

The witnesses: QEMU's monitor for whether the machine runs, what its kernel's text is and that its clock goes on; and
the stub itself, asked by a bare client which breakpoints it still has.
"""

import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal, number  # noqa: E402

FUNCTIONS = ["vfs_read", "kvm_vcpu_ioctl", "ktime_get"]
NOTES = pathlib.Path(f"/tmp/kvmdbg-{os.getuid()}")
# All that Z knows; the stub counts nothing, so that one that was never set is an error.
Z_TYPES = range(5)


class Stub:
    """A bare client of the gdb stub. To connect stops the machine; leaving lets it run."""

    def __init__(self, address):
        self.socket = machines.connect(address.removeprefix("unix:"))
        self.socket.settimeout(20)
        self.pending = b""

    def ask(self, text):
        data = text.encode()
        self.socket.sendall(b"+$" + data + b"#%02x" % (sum(data) & 255))
        while True:
            found = re.search(rb"\$([^#]*)#..", self.pending)
            # The stop that connecting makes may come in front of an answer.
            if found and not found[1].startswith(b"T"):
                break
            if found:
                self.pending = self.pending[found.end():]
                continue
            got = self.socket.recv(65536)
            expect(got, "the stub closed the connection")
            self.pending += got
        self.pending = self.pending[found.end():]
        return found[1].decode()

    def __enter__(self):
        self.ask("qSupported:multiprocess+;vContSupported+")
        return self

    def __exit__(self, *_):
        self.ask("D;1")
        self.socket.close()


class Host:
    def __init__(self, args):
        self.random = random.Random(args.seed)
        self.arch = args.arch
        self.machine = machines.boot(arch=args.arch, kernel=args.kernel, qemu=args.qemu, mode=args.mode or None)
        # The second is of the same user, in another environment.
        self.tools = [harness.Kvmdbg(args.build), harness.Kvmdbg(args.build)]
        self.kvmdbg = self.tools[0]
        self.dump = self.machine.dir / "vmcore"
        self.learn()

    def learn(self):
        text = self.machine.output("cat /proc/iomem")
        start, end = re.search(r"([0-9a-f]+)-([0-9a-f]+) : Kernel code", text).groups()
        self.text_range = int(start, 16), int(end, 16) + 1 - int(start, 16)
        symbols = self.machine.output(f"grep -E ' [Tt] ({'|'.join(FUNCTIONS)})([[:space:]]|$)' /proc/kallsyms")
        self.breaks = [int(line.split()[0], 16) for line in symbols.splitlines()]
        expect_equal(len(self.breaks), len(FUNCTIONS), "functions")
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))
        self.jiffies = number(self.kvmdbg.call("translate", "jiffies_64")["pa"])
        self.kvmdbg.text("detach")
        self.text = self.read(*self.text_range)
        self.judge()

    def read(self, address, size):
        """Physical memory, by QEMU's monitor."""
        with tempfile.NamedTemporaryFile(dir=self.machine.dir) as file:
            self.machine.monitor("pmemsave", val=address, size=size, filename=file.name)
            return pathlib.Path(file.name).read_bytes()

    def ticks(self):
        return struct.unpack("<Q", self.read(self.jiffies, 8))[0]

    def running(self):
        return self.machine.monitor("query-status")["running"]

    def end_dump(self):
        """QEMU goes on with it, whoever asked for it and is no more."""
        deadline = time.monotonic() + 60
        while self.machine.monitor("query-dump")["status"] == "active":
            expect(time.monotonic() < deadline, "QEMU dumps for ever")
            time.sleep(0.05)
        self.dump.unlink(missing_ok=True)

    def judge(self):
        """The machine runs as if nobody had been there."""
        expect(self.running(), "the machine is paused")
        before = self.ticks()
        deadline = time.monotonic() + 10
        while self.ticks() == before:
            expect(time.monotonic() < deadline, "the machine's clock stands")
            time.sleep(0.05)
        now = self.read(*self.text_range)
        changed = [hex(self.text_range[0] + at) for at in range(0, len(now), 4) if now[at:at + 4] != self.text[at:at + 4]] \
            if now != self.text else []
        expect(not changed, f"the kernel's text is another at {changed[:8]}")
        with Stub(self.machine.gdb) as stub:
            expect_equal(stub.ask("qqemu.PhyMemMode"), "0", "physical mode")
            size = 1 if self.arch == "x86_64" else 4
            left = [(kind, hex(address)) for address in self.breaks for kind in Z_TYPES
                    if stub.ask(f"z{kind},{address:x},{size}") == "OK"]
            expect(not left, f"breakpoints left: {left}")
        expect(self.running(), "the machine is paused after a bare client")
        expect_equal(list(NOTES.glob(f"qemu-{self.machine.process.pid}-*")), [], "notes")

    def start(self, tool, *args):
        return subprocess.Popen([tool.program, "--session", tool.session, *map(str, args)], env=tool.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def attach_words(self):
        """The stub's address in one of its spellings."""
        path = self.machine.gdb.removeprefix("unix:")
        folder, _, name = path.rpartition("/")
        spelled = self.random.choice([path, f"unix:{path}", f"{folder}/../{folder.rpartition('/')[2]}/{name}"])
        return ["attach", spelled, "--qmp", self.machine.qmp, "--vmlinux", self.machine.vmlinux]

    def attach(self, tool):
        done = tool.run(*self.attach_words(), "--name", tool.session)
        expect(done.status == 0, str(done))
        return done

    def daemon(self, tool):
        """Process id of the daemon in the tool's runtime folder; 0: none runs."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.connect(str(tool.dir / "run" / "kvmdbg" / "kvmdbgd.sock"))
            return struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        return 0

    def close(self):
        for tool in self.tools:
            tool.close()
        self.machine.close()


def wait_end(pid):
    deadline = time.monotonic() + 40
    while pid and pathlib.Path(f"/proc/{pid}").exists():
        expect(time.monotonic() < deadline, f"daemon {pid} does not end")
        time.sleep(0.02)


# --- what is killed: (the command, how long it may go on), after what it needs ---

def attach(host, tool, paused):
    return [*host.attach_words(), "--name", tool.session], 1.2


def plain(host, tool, paused):
    tool.text("break", host.random.choice(FUNCTIONS))
    return ["cont"], 0.5


def hot(host, tool, paused):
    tool.text("break", host.random.choice(FUNCTIONS), "--if", f"$pc == {host.random.randrange(1 << 20)}")
    return ["cont"], 0.8


def hardware(host, tool, paused):
    tool.text("break", host.random.choice(FUNCTIONS), "--hardware", "--if", "$pc == 1")
    return ["cont"], 0.8


def wait(host, tool, paused):
    tool.text("break", host.random.choice(FUNCTIONS), "--count", 1000000)
    return ["cont", "--wait"], 0.8


def step(host, tool, paused):
    return ["step", 2000], 0.8


def until(host, tool, paused):
    return ["until", host.random.choice(["--guest", "--exit", FUNCTIONS[0]])], 0.8


def detach(host, tool, paused):
    tool.text("break", FUNCTIONS[0], "--if", "$pc == 1")
    if not paused:
        tool.text("cont")
    return ["detach"], 0.15


def dump(host, tool, paused):
    return ["dump", host.dump], 0.8


KINDS = [attach, plain, hot, hardware, wait, step, until, detach, dump]
# After these the machine runs because somebody wanted it to, also one that was found paused.
RESUMING = {plain, hot, hardware, wait}


def kill(host, tool, kind, paused):
    """Start what is to be killed and kill it; who was."""
    if kind is not attach:
        host.attach(tool)
    words, longest = kind(host, tool, paused)
    daemon = host.daemon(tool)
    client = host.start(tool, *words)
    time.sleep(host.random.uniform(0, longest))
    victim = host.random.choice(["daemon", "daemon", "both", "term", "client"])
    # The client of an attach starts a daemon.
    daemon = daemon or host.daemon(tool)
    if daemon and victim != "client":
        os.kill(daemon, signal.SIGTERM if victim == "term" else signal.SIGKILL)
    if victim in ("both", "client"):
        client.kill()
    client.wait(60)
    if victim != "client":
        wait_end(daemon)
    return victim


def session(host, kind):
    tool = host.kvmdbg
    paused = host.random.random() < 0.3
    if paused:
        host.machine.monitor("stop")
    victim = kill(host, tool, kind, paused)
    after = host.random.choice(host.tools)
    if victim == "client":
        # The session is its daemon's still, but for an attach that was cancelled, or a detach that was done.
        tool.run("detach")
    elif kind is attach and tool.run("sessions").out.strip() and tool.run("status").status == 0:
        # The client found no daemon any more, started one and attached.
        tool.text("detach")
    else:
        host.attach(after)
        expect_equal(after.call("breaks"), [], "breakpoints")
        after.text("detach")
    if kind is dump:
        host.end_dump()
    if paused and (kind not in RESUMING or victim in ("daemon", "both")):
        expect(not host.running(), f"was paused before, and runs ({victim})")
    if paused:
        host.machine.monitor("cont")
    host.judge()
    return victim + ("+paused" if paused else "")


def sessions(host, kind, count):
    seen = []
    try:
        for _ in range(count):
            seen.append(session(host, kind))
    finally:
        print(f"# {' '.join(seen)}", flush=True)


def twice(host, count):
    """Of two that attach at once one does, and the other says why not."""
    for _ in range(count):
        clients = []
        for tool in host.tools:
            clients.append(subprocess.Popen(
                [tool.program, *map(str, host.attach_words()), "--name", tool.session], env=tool.env,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
            time.sleep(host.random.uniform(0, 0.15))
        ends = [(client.communicate(timeout=60)[1].strip(), client.returncode) for client in clients]
        expect_equal(sorted(status for _, status in ends), [0, 1], f"{ends}")
        expect(re.search("is attached to by session|is taken by", max(ends, key=lambda end: end[1])[0]), f"{ends}")
        for tool, (_, status) in zip(host.tools, ends, strict=True):
            if status == 0:
                tool.text("detach")
        host.judge()


def stopped_qemu(host):
    """A QEMU that is itself stopped is not connected to: it would pause the machine when it goes on."""
    pid = host.machine.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        done = host.kvmdbg.refused(1, "is itself stopped", *host.attach_words())
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(done.seconds < 10, f"{done.seconds} s")
    host.judge()


def hung_qemu(host):
    """One that stops while it is let go: detach says so, and the next attach puts right what could not be."""
    for words in (("panic",), (FUNCTIONS[0], "--if", "$pc == 1")):
        host.attach(host.kvmdbg)
        host.kvmdbg.text("break", *words)
        host.kvmdbg.text("cont")
        pid = host.machine.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            done = host.kvmdbg.run("--timeout", "3", "detach")
        finally:
            os.kill(pid, signal.SIGCONT)
        expect(done.status == 1 and "unknown" in done.out and "next attach" in done.out, f"{done}: {done.out}")
        expect(done.seconds < 10, f"{done.seconds} s")
        host.attach(host.kvmdbg)
        host.kvmdbg.text("detach")
        host.judge()


def quiet(host):
    """The kernel has noticed nothing."""
    log = host.machine.output("dmesg")
    bad = [line for line in log.splitlines() if re.search(r"Oops|BUG:|Unable to handle|general protection|Call trace", line)]
    expect_equal(bad, [], "the kernel's log")


def main():
    args = harness.parser(__doc__, arch="arm64", kernel="6.1", qemu="7.2", mode="", sessions=6, seed=1).parse_args()
    tap = harness.Tap(args.only)
    prefix = f"/kill/{args.arch}/{args.kernel}/qemu-{args.qemu}/"
    with harness.on_machine(Host, args) as host:
        for kind in KINDS:
            # QEMU ends each dump that it has begun, which takes seconds.
            count = args.sessions // 3 if kind is dump else args.sessions
            tap.case(prefix + kind.__name__, sessions, host, kind, count)
        tap.case(prefix + "twice", twice, host, args.sessions)
        tap.cases(prefix, [stopped_qemu, hung_qemu, quiet], host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
