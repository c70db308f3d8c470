#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb on a real host through kvmdbg's server: a user's own gdb beside kvmdbg's commands and beside other clients.

Witnesses: kvmdbg's commands on the same stop, and QEMU's monitor for whether the machine runs.
"""

import argparse
import os
import pathlib
import re
import select
import signal
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
                raise Failure(f"gdb ended: {out[-500:]!r}")
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


class Host:
    def __init__(self, args):
        self.args = args
        self.machine = machines.boot(arch=args.arch, kernel=args.kernel, qemu=args.qemu, mode=args.mode or None)
        self.kvmdbg = harness.Kvmdbg(args.build)
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))
        self.socket = self.kvmdbg.dir / "run" / "kvmdbg" / "gdb-test.sock"

    def gdb(self):
        """A gdb on our server."""
        gdb = Gdb(["gdb-multiarch", "-nx", "-q", str(self.machine.vmlinux)])
        text = gdb.run(f"target remote {self.socket}", 600)
        expect("Remote debugging using" in text, text)
        return gdb

    def pc(self, cpu):
        name = "pc" if self.args.arch == "arm64" else "rip"
        return number(self.kvmdbg.call("regs", "--cpu", cpu, name)[0]["regs"][name])

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with kvmdbg and kvmdbgd")
    parser.add_argument("--arch", default="arm64")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("--qemu", default="7.2")
    parser.add_argument("--mode", default=None)
    parser.add_argument("--only", help="only cases whose name matches")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    try:
        host = Host(args)
    except (machines.MachineError, machines.assets.AssetError, Failure) as error:
        print(f"Bail out! {error}")
        return 1
    try:
        for case in (attach, breakpoint, detach):
            tap.case(f"/gdb/{args.arch}/{args.kernel}/{case.__name__.replace('_', '-')}", case, host)
    finally:
        host.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
