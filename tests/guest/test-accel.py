#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kvmdbg on a QEMU that uses KVM: one that runs inside one of our machines, and is attached to from outside.

QEMU's own SVM gives a guest neither breakpoint registers nor a debugger's int3: what is hit is shown on arm64.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import sys
import time
import types

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import Failure, expect, expect_equal, number  # noqa: E402

# In the machine; each is a port on 127.0.0.1 outside.
GDB, QMP, CONSOLE = 1001, 1002, 1003
START_TIMEOUT_S = 240
STOP_TIMEOUT_S = 30
WHY = "KVM: another would be an instruction in the kernel's text, which the kernel patches"
WHY_MEMORY = "KVM, no breakpoint register is left"
# Comes to uptime_proc_show(), and nobody else does.
SHOW = "uptime_proc_show"
CAT = "cat /proc/uptime"


class Inner:
    """The machine that runs under KVM inside one of ours."""

    def __init__(self, args):
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:0-:{port}" for port in (GDB, QMP, CONSOLE))
        self.outer = machines.boot(
            arch=args.arch, kernel=args.kernel, qemu=args.outer, memory="1500M", append="nested.vms=0",
            # Under QEMU's own SVM, interrupts of guests come when they may not where the host has several CPUs.
            smp=1 if args.arch == "x86_64" else 2,
            initrd=machines.assets.inner_initrd(args.arch, args.kernel, args.qemu), nic=f"user,model=vmxnet3{forwards}")
        self.kvmdbg = self.shell = None
        try:
            self._start(args)
        except BaseException:
            self.close()
            raise

    def _start(self, args):
        text = self.outer.monitor("human-monitor-command", **{"command-line": "info usernet"})
        ports = {int(inside): int(outside) for outside, inside in
                 re.findall(r"HOST_FORWARD\S* +\d+ +127\.0\.0\.1 +(\d+) +\S+ +(\d+)", text)}
        self.qmp_address = ("127.0.0.1", ports[QMP])
        started = time.monotonic()
        self.outer.output("/inner/start nested.vms=0", START_TIMEOUT_S)
        print(f"# up in {time.monotonic() - started:.1f} s", flush=True)
        self.shell = machines.Shell(("127.0.0.1", ports[CONSOLE]))
        # What harness wants of a machine.
        self.machine = types.SimpleNamespace(
            gdb=f"127.0.0.1:{ports[GDB]}", qmp=f"127.0.0.1:{ports[QMP]}", vmlinux=self.outer.vmlinux,
            info=self.outer.info, kernel=self.outer.kernel)
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.call, self.text = self.kvmdbg.call, self.kvmdbg.text

    def close(self):
        if self.kvmdbg:
            self.kvmdbg.close()
        if self.shell:
            self.shell.close()
        self.outer.close()

    def is_running(self):
        with machines.Qmp(self.qmp_address) as qmp:
            return qmp.call("query-status")["running"]

    def output(self, command):
        text, status = self.shell.run(command, 60)
        expect(status == 0, f"in the inner machine: {command}: {text[-200:]}")
        return text

    @contextlib.contextmanager
    def meanwhile(self, command):
        """COMMAND is on its way in the inner shell, which must have run it at the end."""
        self.shell.count += 1
        self.shell.socket.sendall(f"{command}; printf '\\nmeanwhile''-{self.shell.count}\\n'\n".encode())
        yield
        self.shell._until(f"\nmeanwhile-{self.shell.count}\n".encode(), 60)

    def wait_stopped(self):
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            status = self.call("status")
            if status["state"] == "stopped":
                return status["stop"]
            time.sleep(0.1)
        raise Failure(f"not stopped within {STOP_TIMEOUT_S} s")

    def row(self, num):
        return next(row for row in self.call("breaks") if row["number"] == num)

    def hit(self, num, symbol):
        """Let the machine run until it comes to breakpoint NUM."""
        hits = self.row(num)["hits"]
        self.text("cont")
        stop = self.wait_stopped()
        expect_equal((stop["reason"], stop["symbol"]), ("breakpoint", symbol), "stop")
        expect_equal(self.row(num)["hits"], hits + 1, f"hits of {num}")
        return stop["cpu"]

    def attach(self, *args):
        done = self.kvmdbg.attach(self.machine, *args)
        expect(done.status == 0, str(done))
        status = self.call("status")
        expect_equal((status["state"], status["qemu"]["accel"], status["memory"]["path"]), ("stopped", "kvm", "rsp"), "status")
        return status


def attach(inner):
    """Whose memory is read: not that of the QEMU which serves the sockets."""
    where = {machine: int(shell("grep ' vfs_read$' /proc/kallsyms").split()[0], 16)
             for machine, shell in (("inner", inner.output), ("outer", inner.outer.output))}
    expect(where["inner"] != where["outer"], "both kernels lie at the same place")
    status = inner.attach()
    expect_equal((status["ncpus"], status["qemu"]["pid"]), (2, 0), "CPUs, process")
    expect("QEMU runs elsewhere" in status["memory"]["why"], status["memory"]["why"])
    expect_equal(number(inner.call("sym", "vfs_read")["symbols"][0]["addr"]), where["inner"], "vfs_read")
    tasks = {(task["pid"], task["comm"]) for task in inner.call("ps")}
    expect((1, "init") in tasks, f"{tasks}")
    for stack in inner.call("bt", "-a"):
        frames = [frame for frame in stack["frames"] if not frame["inlined"]]
        guesses = [frame for frame in frames if frame["how"] == "guess"]
        expect(frames and not guesses, f"CPU {stack['cpu']}: guessed {guesses}")
    inner.text("detach")
    expect(inner.is_running(), "does not run after detach")


def monitor_of_another(inner):
    """The one that the sockets' own QEMU has is not taken, and refused where it is named."""
    args = inner.machine.gdb, "--vmlinux", inner.machine.vmlinux, "--name", "test"
    inner.kvmdbg.refused(1, "is the monitor of another QEMU than the stub's", "attach", *args, "--qmp", inner.outer.qmp)
    expect(inner.is_running(), "does not run after a refused attach")
    inner.call("attach", *args)
    status = inner.call("status")
    expect_equal((status["qemu"]["accel"], status["qemu"]["qmp"], status["qemu"]["pid"]), ("kvm", None, 0), "QEMU")
    expect("is of another machine" in status["qemu"]["qmp_why"], status["qemu"]["qmp_why"])
    inner.text("detach")
    expect(inner.is_running(), "does not run after detach")


def registers(inner):
    """Those of the present stop: QEMU's stub alone would tell of the one before."""
    inner.attach()
    for _ in range(3):
        # A CPU that waits for an interrupt does not step, but its registers were asked for.
        for cpu in range(2):
            inner.kvmdbg.run("step", "--cpu", str(cpu), "2")
        inner.text("cont")
        time.sleep(0.3)
        inner.text("stop")
        ours = [{name: number(value) for name, value in row["regs"].items()} for row in inner.call("regs")]
        with machines.Qmp(inner.qmp_address) as qmp:
            text = qmp.call("human-monitor-command", **{"command-line": "info registers -a"})
        theirs = [int(value, 16) for value in re.findall(r"\b(?:RIP|PC)=([0-9a-f]+)", text)]
        expect_equal([regs.get("pc", regs.get("rip")) for regs in ours], theirs, "where the CPUs are")
    inner.text("detach")


def chosen(inner):
    """A register of the CPU as long as there is one, then an instruction; nothing is lost by what is refused."""
    inner.attach()
    before = inner.call("mem", "vfs_read", "16")["bytes"]
    row = inner.call("break", "vfs_read")
    expect_equal((row["kind"], row["why"]), ("hardware breakpoint", WHY), "first breakpoint")
    expect(WHY in inner.text("breaks"), "breaks says nothing of KVM")
    expect_equal(inner.call("mem", "vfs_read", "16")["bytes"], before, "text under a hardware breakpoint")
    taken = 1
    for name in ("vfs_fsync", "vfs_mkdir", "vfs_rename", "vfs_rmdir", "vfs_link", "vfs_unlink", "vfs_symlink"):
        done = inner.kvmdbg.run("break", "-H", name)
        if done.status:
            break
        taken += 1
    expect(4 <= taken <= 6, f"{taken} hardware breakpoints")
    inner.kvmdbg.refused(1, "KVM has no register left", "break", "-H", "vfs_symlink")
    expect_equal(len(inner.call("breaks")), taken, "breakpoints after the refused one")
    row = inner.call("break", "vfs_write")
    expect(row["kind"] == "breakpoint" and row["why"].startswith(WHY_MEMORY), f"{row}")
    for row in inner.call("breaks"):
        inner.text("delete", str(row["number"]))
    expect_equal(inner.call("mem", "vfs_read", "16")["bytes"], before, "text after all")
    inner.text("detach")
    expect(inner.output(CAT), "output")


def hit_hardware(inner):
    inner.attach()
    num = inner.call("break", SHOW)["number"]
    with inner.meanwhile(CAT):
        cpu = inner.hit(num, SHOW)
        stack = next(stack for stack in inner.call("bt", "-a") if stack["cpu"] == cpu)
        frames = [frame for frame in stack["frames"] if not frame["inlined"]]
        expect_equal([frame["symbol"] for frame in frames[:2]], [SHOW, "seq_read_iter"], "callers")
        expect("invoke_syscall" in [frame["symbol"] for frame in frames], "the callers do not end with a system call")
        expect_equal(frames[1]["proof"], "indirect", "caller")
        regs = next(row for row in inner.call("regs") if row["cpu"] == cpu)["regs"]
        expect_equal(number(regs["pc"]), number(inner.call("sym", SHOW)["symbols"][0]["addr"]), "pc")
        inner.text("delete", str(num))
        inner.text("detach")


def hit_patched(inner):
    """On the place that the function tracer patches, before, while and after it has its call there."""
    tracing = "/sys/kernel/tracing"
    inner.output(f"echo {SHOW} >{tracing}/set_ftrace_filter")
    inner.attach()
    plain = bytes.fromhex(inner.call("mem", SHOW, "16")["bytes"])
    inner.text("cont")
    inner.output(f"echo function >{tracing}/current_tracer")
    inner.text("stop")
    traced = bytes.fromhex(inner.call("mem", SHOW, "16")["bytes"])
    site = next(at for at in range(0, 16, 4) if plain[at:at + 4] != traced[at:at + 4])
    row = inner.call("break", f"{SHOW}+{site}")
    expect_equal((row["kind"], row["why"]), ("hardware breakpoint", WHY), "breakpoint")
    for tracer, text in (("function", traced), ("nop", plain), ("function", traced), ("nop", plain)):
        inner.text("cont")
        inner.output(f"echo {tracer} >{tracing}/current_tracer")
        with inner.meanwhile(CAT):
            stop = inner.wait_stopped()
            expect_equal((stop["reason"], stop["symbol"]), ("breakpoint", f"{SHOW}+{site:#x}"), f"with {tracer}")
            expect_equal(bytes.fromhex(inner.call("mem", SHOW, "16")["bytes"]), text, f"text with {tracer}")
            inner.text("cont")
        inner.text("stop")
    expect_equal(inner.row(row["number"])["hits"], 4, "hits")
    inner.text("delete", str(row["number"]))
    inner.text("detach")


def break_in_memory(inner):
    """What memory has before, and the row of a breakpoint for which no register is left."""
    before = inner.call("mem", SHOW, "16")["bytes"]
    for name in ("vfs_fsync", "vfs_mkdir", "vfs_rename", "vfs_rmdir", "vfs_link", "vfs_unlink"):
        inner.kvmdbg.run("break", "-H", name)
    row = inner.call("break", SHOW)
    expect_equal(row["kind"], "breakpoint", "kind")
    return before, row


def hit_in_memory(inner):
    """Without a register left: an instruction in memory, gone on from, and gone in the end."""
    inner.attach()
    before, row = break_in_memory(inner)
    with inner.meanwhile(CAT):
        inner.hit(row["number"], SHOW)
        inner.text("cont")
    with inner.meanwhile(CAT):
        inner.wait_stopped()
        expect_equal(inner.row(row["number"])["hits"], 2, "hits")
        for other in inner.call("breaks"):
            inner.text("delete", str(other["number"]))
        expect_equal(inner.call("mem", SHOW, "16")["bytes"], before, "text")
        inner.text("detach")


def rules(inner):
    """Hits that nobody hears of: gone on from over each of the function's first instructions."""
    inner.attach()
    nums = [inner.call("break", f"{SHOW}+{at}", "--log", "here")["number"] for at in range(0, 24, 8)]
    inner.text("cont")
    inner.output(f"for n in 1 2 3 4 5; do {CAT}; done")
    expect_equal(inner.call("status")["state"], "running", "state")
    inner.text("stop")
    expect_equal([inner.row(num)["hits"] for num in nums], [5, 5, 5], "hits")
    expect_equal(len(inner.call("breaks", "--log")), 15, "lines of the log")
    for num in nums:
        inner.text("delete", str(num))
    inner.text("detach")


def left_behind(inner):
    """A daemon that dies: what it had put into registers and into memory is gone with the next attach."""
    inner.attach()
    before, _ = break_in_memory(inner)
    for pid in inner.kvmdbg.processes():
        os.kill(pid, signal.SIGKILL)
    inner.attach()
    expect_equal(inner.call("breaks"), [], "breakpoints")
    expect_equal(inner.call("mem", SHOW, "16")["bytes"], before, "text")
    inner.text("cont")
    expect(inner.output(CAT), "output")
    inner.text("detach")


def watch(inner):
    inner.attach()
    num = inner.call("watch", "jiffies_64")["number"]
    old = number(inner.call("print", "jiffies_64")["value"])
    # Each stop is before the store, which is made when the machine goes on.
    for n in range(3):
        inner.text("cont")
        stop = inner.wait_stopped()
        expect_equal(stop["reason"], "watchpoint", "stop")
        expect("jiffies" in stop["symbol"], f"{stop}")
        now = number(inner.call("print", "jiffies_64")["value"])
        expect(now == old if n == 0 else now > old, f"jiffies at stop {n}: {now}, at the stop before {old}")
        old = now
    inner.text("step", "--cpu", str(stop["cpu"]))
    expect(number(inner.call("print", "jiffies_64")["value"]) > old, "a step does not make the store")
    expect_equal(inner.row(num)["hits"], 3, "hits")
    inner.text("delete", str(num))
    inner.text("detach")


def step(inner):
    """Steps, out of a function and to a place; with interrupts let in and without."""
    inner.attach()
    num = inner.call("break", SHOW)["number"]
    with inner.meanwhile(CAT):
        inner.hit(num, SHOW)
        start = number(inner.call("sym", SHOW)["symbols"][0]["addr"])
        # The first with the breakpoint there, which is not hit again.
        pcs = [number(row["pc"]) for row in inner.call("step", "3")["steps"]]
        expect_equal(pcs, [start + 4, start + 8, start + 12], "pcs")
        expect_equal(inner.row(num)["hits"], 1, "hits")
        inner.text("delete", str(num))
        inner.text("step", "--out")
        expect(inner.call("status")["stop"]["symbol"].startswith("seq_read_iter+"), f"{inner.call('status')['stop']}")
        inner.text("until", "do_exit")
        expect_equal(inner.call("status")["stop"]["symbol"], "do_exit", "until")
        # What lets interrupts in is taken back.
        inner.text("step", "--irq")
        inner.text("step", "3")
        inner.text("detach")


def alive(inner):
    expect(inner.is_running(), "the inner machine is stopped")
    for name, shell in (("inner", inner.output), ("outer", inner.outer.output)):
        found = shell("dmesg | grep -E 'Oops|BUG:|panic|\\[#1\\]' || :")
        expect(not found.strip(), f"the {name} kernel met something: {found}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with kvmdbg and kvmdbgd")
    parser.add_argument("--arch", default="arm64")
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("--qemu", default="7.2", help="the one inside")
    parser.add_argument("--outer", default="7.2", help="the one outside")
    parser.add_argument("--only", help="only cases whose name matches")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    try:
        inner = Inner(args)
    except (machines.MachineError, machines.assets.AssetError, Failure) as error:
        print(f"Bail out! {error}")
        return 1
    cases = [attach, monitor_of_another, registers, chosen]
    if args.arch == "arm64":
        cases += [hit_hardware, hit_patched, hit_in_memory, rules, left_behind, watch, step]
    try:
        for case in (*cases, alive):
            name = case.__name__.replace("_", "-")
            if not tap.case(f"/accel/{args.arch}/{args.kernel}/{name}", case, inner):
                inner.kvmdbg.run("detach")
    finally:
        inner.close()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
