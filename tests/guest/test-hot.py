#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Breakpoints with conditions on code that is called all the time, where a load stands for the instruction.

The witnesses: how often the machine's own commands read, QEMU's monitor for what is in memory, and the kernel's log.
"""

import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal, number  # noqa: E402

FUNCTION = "vfs_read"
LOAD = 0x1800001f  # ldr wzr, .
# A system call that nobody makes here, and its number.
CALL, CALL_NUMBER = "__arm64_sys_sched_get_priority_max", 125
# bti c; ldr x1, [x0] (the argument); mov x2, #-1; mov x2, x1; mov x0, x2; ret
RETURNS_ARGUMENT = bytes.fromhex("5f2403d5 010040f9 02008092 e20301aa e00302aa c0035fd6")
PLACE = CALL + "+0xc"
TRACER = "/sys/kernel/tracing/current_tracer"


class Host:
    def __init__(self, args):
        self.args = args
        self.machine = machines.boot(kernel=args.kernel, qemu=args.qemu, mode=args.mode)
        self.machine.output(f"[ -e {TRACER} ] || mount -t tracefs nodev {TRACER.rpartition('/')[0]}")
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.attach()

    def attach(self):
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))
        return done

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def word(self, place):
        """What is at a kernel address, by the monitor: (as of now, its physical address)."""
        line = f"xp /1xw {place:#x}"
        text = self.machine.monitor("human-monitor-command", **{"command-line": line})
        return int(text.split()[-1], 0)

    def reads(self, size, count):
        """Calls of vfs_read() with that size: `count` by one process, and one more than that by another."""
        self.machine.output(f"dd if=/dev/zero bs={size} count={count} | dd of=/dev/null bs={size}")
        return 2 * count + 1

    def break_at(self, place, *rule):
        """The row of a new breakpoint, the physical address of its code and the word there."""
        row = self.kvmdbg.call("break", place, *rule)
        expect("watched load" in (row.get("why") or ""), f"{row}")
        physical = number(self.kvmdbg.call("translate", place)["pa"])
        return row, physical, self.word(physical)

    def row(self):
        self.kvmdbg.text("stop")
        row, = self.kvmdbg.call("breaks")
        return row


def counts(host):
    """Each call is judged, whatever CPU makes it, and nobody sees what stands there."""
    for place in (FUNCTION, FUNCTION + "+4"):
        row, physical, word = host.break_at(place, "--if", "$x2 == 7", "--count", 1000000)
        shown = host.kvmdbg.call("dis", place, "-n", 1)["insns"]
        host.kvmdbg.text("cont")
        wanted = host.reads(7, 1000)
        expect_equal(host.word(physical), LOAD, "in memory, while it runs")
        expect_equal(host.kvmdbg.call("mem", row["addr"], 4)["bytes"], struct.pack("<I", word).hex(), "shown")
        expect_equal(host.kvmdbg.call("dis", place, "-n", 1)["insns"], shown, "dis")
        row = host.row()
        expect_equal((row["passed"], row["errors"]), (wanted, 0), f"{row}")
        expect(row["hits"] >= wanted and "watched load" in row["why"], f"{row}")
        expect_equal(host.word(physical), word, "in memory, when it is stopped")
        host.kvmdbg.text("delete", "--all")


def several(host):
    """One load serves all that are at its place; one without a rule there, and it is an ordinary one."""
    for cpu in (0, 1):
        _, physical, word = host.break_at(FUNCTION, "--if", "$x2 == 7", "--cpu", cpu, "--count", 1000000)
    host.kvmdbg.text("cont")
    wanted = host.reads(7, 300)
    expect_equal(host.word(physical), LOAD, "in memory, while it runs")
    host.kvmdbg.text("stop")
    rows = host.kvmdbg.call("breaks")
    expect_equal(sum(row["passed"] for row in rows), wanted, f"{rows}")
    host.kvmdbg.text("delete", rows[0]["number"])
    host.kvmdbg.text("cont")
    host.reads(7, 10)
    expect_equal(host.word(physical), LOAD, "in memory, with one")
    host.kvmdbg.text("stop")
    expect(host.kvmdbg.call("breaks")[0]["hits"] > rows[1]["hits"], "hits of the other")
    host.kvmdbg.text("break", FUNCTION)
    reader = threading.Thread(target=host.reads, args=(7, 10))
    reader.start()
    expect_equal(host.kvmdbg.call("cont", "--wait", "--timeout-ms", 60000)["stop"]["reason"], "breakpoint", "stop")
    expect_equal(host.word(physical), word, "in memory")
    host.kvmdbg.text("delete", "--all")
    host.kvmdbg.text("cont")
    reader.join()
    host.kvmdbg.text("stop")


def told(host):
    """The one that is meant is told where it is, with the code as it was, and steps on."""
    for place in (FUNCTION, FUNCTION + "+4"):
        row, physical, word = host.break_at(place, "--if", "$x2 == 9", "--count", 20)
        reader = threading.Thread(target=host.reads, args=(9, 30))
        reader.start()
        stop = host.kvmdbg.call("cont", "--wait", "--timeout-ms", 60000)["stop"]
        expect_equal((stop["reason"], stop["breakpoint"], stop["pc"]), ("breakpoint", row["number"], row["addr"]), "stop")
        expect_equal(host.word(physical), word, "in memory")
        expect_equal(host.kvmdbg.call("breaks")[0]["passed"], 20, "passed")
        regs = host.kvmdbg.call("regs", "--cpu", stop["cpu"])[0]["regs"]
        expect_equal(number(regs["x2"]), 9, "x2")
        expect(FUNCTION in host.kvmdbg.call("bt")[0]["frames"][0]["symbol"], "bt")
        step = host.kvmdbg.call("step", 3)["steps"]
        expect_equal([number(one["pc"]) - number(row["addr"]) for one in step], [4, 8, 12], f"{step}")
        host.kvmdbg.text("delete", "--all")
        host.kvmdbg.text("cont")
        reader.join()
        host.kvmdbg.text("stop")


def traced(host):
    """The kernel patches the place, or beside it, while it runs: it finds its own code, and no call is missed."""
    for place, stays in ((FUNCTION, True), (FUNCTION + "+4", False)):
        host.break_at(place, "--if", "$x2 == 7", "--count", 1000000)
        host.kvmdbg.text("cont")
        wanted = host.reads(7, 50)
        host.machine.output(f"echo function > {TRACER}")
        wanted += host.reads(7, 50)
        row = host.row()
        expect_equal((row["passed"], "watched load" in (row.get("why") or "")), (wanted, stays), f"{row}")
        shown = host.kvmdbg.text("dis", FUNCTION, "-n", 2)
        expect("ftrace_caller" in shown, shown)
        expect(host.kvmdbg.call("text", FUNCTION)["ok"], "text")
        host.kvmdbg.text("cont")
        host.machine.output(f"echo nop > {TRACER}")
        wanted += host.reads(7, 50)
        row = host.row()
        expect_equal(row["passed"], wanted, f"{row}")
        host.kvmdbg.text("delete", "--all")
    host.kvmdbg.text("cont")
    said = host.machine.output("dmesg")
    expect("ftrace bug" not in said and "WARNING" not in said, said[-2000:])
    host.kvmdbg.text("stop")


def killed(host):
    """A daemon dies while the load is there: the next one puts the code back."""
    row, physical, word = host.break_at(FUNCTION, "--if", "$x2 == 7")
    host.kvmdbg.text("cont")
    for pid in host.kvmdbg.processes():
        os.kill(pid, signal.SIGKILL)
    expect_equal(host.word(physical), LOAD, "in memory")
    deadline = time.monotonic() + 10
    while host.kvmdbg.run("sessions").status != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    host.attach()
    expect_equal(host.word(physical), word, "in memory")
    expect_equal(host.kvmdbg.call("breaks"), [], "breaks")


def alive(host):
    """Detached in the middle of it, the machine goes on with its own code."""
    row, physical, word = host.break_at(FUNCTION, "--if", "0")
    host.kvmdbg.text("cont")
    host.reads(7, 10)
    host.kvmdbg.text("detach")
    expect_equal(host.word(physical), word, "in memory")
    host.reads(7, 10)
    expect("Oops" not in host.machine.output("dmesg"), "the kernel's log")


class Calls:
    """Threads, one on each CPU, that make a system call of ours, in which a lost instruction changes the result; and one
    that has the kernel read that instruction."""

    def __init__(self, host):
        self.host = host
        host.kvmdbg.text("write", CALL, "--bytes", RETURNS_ARGUMENT.hex())
        place = host.kvmdbg.call("sym", PLACE)["symbols"][0]["addr"]
        host.kvmdbg.text("cont")
        said = host.machine.output(f"nested --vms 0 --call {CALL_NUMBER} --read {place} >/tmp/calls & sleep 1; cat /tmp/calls")
        words = dict(word.split("=") for word in re.search("witness (calls=.*)", said)[1].split())
        self.start, self.pid = int(words["calls"], 0), int(words["pid"])
        self.threads, self.size = int(words["threads"]), int(words["size"])
        host.kvmdbg.text("stop")

    def counts(self):
        """(calls that have returned, those with a wrong result, readings, wrong ones), of a stopped machine."""
        count = self.threads + 1
        text = self.host.kvmdbg.call("mem", f"user:{self.pid}:{self.start:#x}", count * self.size)["bytes"]
        words = struct.unpack(f"<{count * self.size // 8}Q", bytes.fromhex(text))
        done, wrong = words[0::self.size // 8], words[1::self.size // 8]
        return sum(done[:-1]), sum(wrong[:-1]), done[-1], wrong[-1]


def end_session(host, how, dice):
    """Ends a session whose machine runs, in one of the ways there are."""
    if how == "cancel":
        waits = subprocess.Popen([host.kvmdbg.program, "--session", host.kvmdbg.session, "cont", "--wait"], env=host.kvmdbg.env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0, 0.3))
        waits.send_signal(signal.SIGINT)
        waits.wait(20)
    elif how == "kill":
        for pid in host.kvmdbg.processes():
            os.kill(pid, signal.SIGKILL)
            while pathlib.Path(f"/proc/{pid}").exists():
                time.sleep(0.01)
        host.attach()


def nothing_lost(host):
    """Session after session, ended in all ways: no instruction is lost, each hit is counted, no false stop."""
    calls, dice, total, physical = Calls(host), random.Random(4), 0, None
    for number_ in range(host.args.sessions):
        if number_:
            host.attach()
        before = calls.counts()[0]
        row, physical, word = host.break_at(PLACE, "--if", "$x1 == 0x7fffffff")
        how = dice.choice(("stop", "stop", "cancel", "detach", "kill"))
        what = f"session {number_}, {how}"
        if how != "cancel":
            host.kvmdbg.text("cont")
            deadline, wanted = time.monotonic() + 10, dice.randrange(400)
            while host.kvmdbg.call("breaks")[0]["hits"] < wanted and time.monotonic() < deadline:
                time.sleep(0.02)
        if how != "detach":
            end_session(host, how, dice)
            if how != "kill":
                stopped = host.kvmdbg.text("stop")
                expect("request" in stopped or "already" in stopped or how == "cancel", f"{what}: {stopped}")
                row, = host.kvmdbg.call("breaks")
                done = calls.counts()[0] - before
                expect(abs(row["hits"] - done) <= calls.threads, f"{what}: {row['hits']} hits, {done} calls")
                total += row["hits"]
        host.kvmdbg.text("detach")
        expect_equal(host.word(physical), word, f"{what}: in memory")
        expect(host.machine.monitor("query-status")["running"], f"{what}: runs")
    host.attach()
    done, wrong, read, read_wrong = calls.counts()
    expect_equal(wrong, 0, f"wrong results of {done} calls, {total} hits")
    expect(read and not read_wrong, f"{read_wrong} of {read} readings are wrong")
    expect(total > 20 * host.args.sessions, f"{total} hits")
    print(f"# {host.args.sessions} sessions, {total} hits, {done} calls, {read} readings", flush=True)
    host.kvmdbg.text("cont")
    host.machine.output(f"kill {calls.pid}")
    expect("Oops" not in host.machine.output("dmesg"), "the kernel's log")
    host.kvmdbg.text("stop")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2", mode="vhe", sessions=20).parse_args()
    tap = harness.Tap(args.only)
    with harness.on_machine(Host, args) as host:
        tap.cases(f"/hot/{args.kernel}/qemu-{args.qemu}/{args.mode}/", (counts, several, told, traced, killed, nothing_lost, alive),
                  host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
