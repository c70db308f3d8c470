#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach to a real host again and again, at moments nobody chose: while it boots and while its guests run.

Each attach finds the kernel anew. The witnesses: what the machine's own /proc says of where its kernel
is, and QEMU's monitor for what the CPUs were doing.
"""

import collections
import pathlib
import random
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal, number  # noqa: E402

# Busy guests on each CPU, one that waits and wakes, so that stops fall on every side of the switches.
GUESTS = "nested.vms=2 nested.vcpus=2 nested.idle=1"
# What is true before there is a kernel that has tables of its own.
TOO_EARLY = r"no Linux in this machine's memory \(yet\)|no tables map it \(too early in boot\?\)"


class Machine:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.machine = machines.Machine(kernel=args.kernel, qemu=args.qemu, mode=args.mode, smp=args.smp,
                                        append=GUESTS)
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.machine.start()

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def registers(self):
        """[(level, pc, sp)] of each CPU, by QEMU's monitor."""
        text = self.machine.monitor("human-monitor-command", **{"command-line": "info registers -a"})
        return [(int(re.search(r"\bEL(\d)", part)[1]), int(re.search(r"PC=([0-9a-f]+)", part)[1], 16),
                 int(re.search(r"SP=([0-9a-f]+)", part)[1], 16)) for part in text.split("CPU#")[1:]]


def running(host):
    return host.machine.monitor("query-status")["running"]


def parked(host):
    """A CPU that the kernel has not switched on yet makes no step: told at once, and nothing runs."""
    while True:
        done = host.kvmdbg.run("--json", "attach", host.machine.gdb, "--qmp", host.machine.qmp, "--name", "test")
        if "nothing listens" not in done.err:
            break
        time.sleep(0.01)
    expect(done.status == 0, str(done))
    off = [cpu for cpu, (_, pc, _) in enumerate(host.registers()) if cpu and pc == 0]
    if not off:
        print("# too late: all CPUs are on")
        host.kvmdbg.text("detach")
        return
    host.kvmdbg.refused(1, f"CPU {off[0]} executes nothing", "step", "--cpu", off[0])
    expect(not running(host), "left running")
    expect_equal(len(host.kvmdbg.call("step", "--cpu", 0, 3)["steps"]), 3, "steps of another CPU")
    host.kvmdbg.text("detach")


def booting(host):
    """From the first instruction on: the kernel, or one line that says there is none yet."""
    release = host.machine.info["release"]
    seen = collections.Counter()
    known = False
    deadline = time.monotonic() + machines.BOOT_TIMEOUT_S
    while not host.machine.console.exists() or machines.READY not in host.machine.console.read_bytes():
        expect(time.monotonic() < deadline, "does not boot")
        if not pathlib.Path(host.machine.gdb.removeprefix("unix:")).exists():
            continue
        done = host.kvmdbg.attach(host.machine)
        if done.status == 0:
            got = host.kvmdbg.call("status")["kernel"]
            expect_equal((got["release"], got["build_id"]),
                         (release, harness.elf_build_id(host.machine.vmlinux)), "kernel")
            known = True
            seen["found"] += 1
            # None may fail with anything but a line, however little of the kernel is there yet.
            for command in (["ps"], ["log"], ["vms"], ["bt", "-a"], ["percpu", "irq_stack_ptr"]):
                done = host.kvmdbg.run(*command)
                expect(done.status in (0, 1) and len(done.err.splitlines()) == done.status, str(done))
                if done.status:
                    seen[done.err.strip()[:100]] += 1
            host.kvmdbg.text("detach")
        else:
            expect_equal(done.status, 1, str(done))
            expect(re.search(TOO_EARLY, done.err), str(done))
            expect(not known, f"found before, and then: {done}")
            seen["too early"] += 1
        time.sleep(host.random.random() * 0.2)
    expect(seen["found"], "never found while it booted")
    print(f"# {dict(seen)}")


def learn(host):
    """What the machine says of itself; nothing of kvmdbg."""
    host.machine.wait_ready()
    shell = host.machine.output
    linked = harness.elf_symbols(host.machine.vmlinux, ["_stext"])["_stext"]
    stext = int(shell("grep -w _stext /proc/kallsyms").split()[0], 16)
    host.offset = stext - linked
    host.release = shell("uname -r").strip()
    host.log = [re.sub(r"^\[ *[\d.]+\] ", "", line) for line in shell("dmesg").splitlines() if line]
    host.pids = {vm["pid"] for vm in host.machine.witness["vms"]} | {1, 2}
    expect(host.offset, "KASLR is off")


def check_current(host, tasks, registers):
    """The task whose stack a CPU is on is the one that runs on it."""
    running = {task["cpu"]: task for task in tasks if task["on_cpu"]}
    for cpu, (level, _, sp) in enumerate(registers):
        if level == 0 or not sp >> 55:
            continue
        owner = [task for task in tasks
                 if number(task["stack"]) <= sp < number(task["stack"]) + task["stack_size"]]
        expect(len(owner) <= 1, f"sp {sp:#x} on two stacks: {owner}")
        if not owner or running.get(cpu, {}).get("task") == owner[0]["task"]:
            continue
        # The run queue is ahead of the stack while the scheduler switches.
        trace, = host.kvmdbg.call("bt", "--cpu", cpu)
        names = [frame["symbol"] for frame in trace["frames"]]
        expect("__schedule" in names or "schedule_tail" in names or "cpu_switch_to" in names,
               f"cpu {cpu}: on the stack of {owner[0]['pid']}, runs {running.get(cpu)}: {names}")


def stops(host):
    kinds = collections.Counter()
    seconds = []
    for _ in range(host.args.stops):
        # Before kvmdbg comes: QEMU's monitor serves one at a time.
        host.machine.monitor("stop")
        registers = host.registers()
        done = host.kvmdbg.attach(host.machine)
        expect(done.status == 0, str(done))
        seconds.append(done.seconds)
        where = sorted(f"EL{level}{'' if pc >> 55 else ' low'}" for level, pc, _ in registers)
        kinds[" + ".join(where)] += 1
        status = host.kvmdbg.call("status")
        expect_equal(number(status["kernel"]["kaslr_offset"]), host.offset, f"kaslr_offset, {where}")
        expect_equal(status["kernel"]["release"], host.release, f"release, {where}")
        tasks = host.kvmdbg.call("ps", "--threads")
        expect(not [task for task in tasks if "partial" in task], f"ps, {where}: {tasks[-1]}")
        expect(host.pids <= {task["pid"] for task in tasks}, f"ps lacks some of {host.pids}, {where}")
        expect_equal(len({task["task"] for task in tasks}), len(tasks), "tasks told once")
        check_current(host, tasks, registers)
        text = [line for record in host.kvmdbg.call("log") for line in record.get("text", "?").split("\n")]
        expect_equal(text[:len(host.log)], host.log, f"log, {where}")
        host.kvmdbg.text("detach")
        host.machine.monitor("cont")
        time.sleep(host.random.random() * 0.05)
    print(f"# stops: {dict(kinds)}")
    seconds.sort()
    print(f"# attach: {seconds[len(seconds) // 2] * 1000:.0f} ms, at most {seconds[-1] * 1000:.0f} ms")


def steps(host):
    """Each instruction once, in order, on that CPU alone. The witness: what QEMU's log says it executed."""
    count = 2000
    hmp = lambda line: host.machine.monitor("human-monitor-command", **{"command-line": line})  # noqa: E731
    expect(host.kvmdbg.attach(host.machine).status == 0, "attach")
    for cpu in range(host.args.smp):
        before = host.registers()
        log = host.machine.dir / f"executed-{cpu}.log"
        hmp(f"logfile {log}")
        hmp("log exec,nochain")
        done = host.kvmdbg.call("step", "--cpu", cpu, count)
        hmp("log none")
        # "Trace CPU: TB [CS/PC/FLAGS…": a block is one instruction while stepping.
        executed = [(int(number), int(pc, 16)) for number, pc in
                    re.findall(r"^Trace (\d+): \S+ \[[0-9a-f]+/([0-9a-f]+)/", log.read_text(), re.M)]
        after = host.registers()
        pcs = [before[cpu][1]] + [number(step["pc"]) for step in done["steps"]]
        expect(not running(host), "left running")
        # One that waits for an interrupt ends it.
        if not done["ended"]:
            expect_equal(len(pcs), count + 1, f"cpu {cpu}: steps")
            expect_equal(pcs[-1], after[cpu][1], f"cpu {cpu}: last pc")
        expect(len(executed) >= len(pcs) - 1, f"cpu {cpu}: QEMU ran {len(executed)} of {len(pcs) - 1}")
        for nr, (pc, ran) in enumerate(zip(pcs[:-1], executed)):
            expect(ran == (cpu, pc), f"cpu {cpu}: step {nr} at {pc:#x}, QEMU ran {ran[1]:#x} on {ran[0]}")
        for other in range(host.args.smp):
            expect(other == cpu or before[other] == after[other], f"cpu {other} moved with {cpu}")
    host.kvmdbg.text("cont")
    start = time.monotonic()
    host.kvmdbg.refused(1, "cont: the machine still runs after 300 ms", "cont", "--timeout-ms", 300)
    expect(0.3 <= time.monotonic() - start < 5, "another time than was said")
    expect(running(host), "stopped by the timeout")
    host.kvmdbg.text("stop")
    expect(not running(host), "not stopped")
    host.kvmdbg.text("detach")


def by_build_id(host):
    """No file named: the build-id in memory leads to it, or memory stands for it."""
    folder = host.kvmdbg.dir / "debug"
    build_id = harness.elf_build_id(host.machine.vmlinux)
    place = folder / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
    place.parent.mkdir(parents=True)
    place.symlink_to(host.machine.vmlinux)
    for debug_dir in (folder, host.kvmdbg.dir / "none"):
        done = host.kvmdbg.run("--json", "attach", host.machine.gdb, "--qmp", host.machine.qmp,
                               "--debug-dir", debug_dir, "--name", "test")
        expect(done.status == 0, str(done))
        status = host.kvmdbg.call("status")
        if debug_dir == folder:
            expect_equal(number(status["kernel"]["kaslr_offset"]), host.offset, "kaslr_offset")
        else:
            # Not by what was made of its memory while it booted either.
            expect(status["kernel"], str(status))
            expect_equal(status["kernel"]["image"], None, "image")
            expect_equal(number(status["kernel"]["kaslr_offset"]), host.offset, "kaslr_offset without a file")
            expect(build_id in status["kernel"]["image_why"], f"{status['kernel']}")
        host.kvmdbg.text("detach")


def slow_memory(host):
    """The same without QEMU's memory: all through the stub."""
    done = host.kvmdbg.attach(host.machine, "--no-direct")
    expect(done.status == 0, str(done))
    status = host.kvmdbg.call("status")
    expect(status["memory"]["path"] != "direct", f"memory {status['memory']}")
    expect_equal(number(status["kernel"]["kaslr_offset"]), host.offset, "kaslr_offset")
    expect(host.pids <= {task["pid"] for task in host.kvmdbg.call("ps")}, "ps")
    host.kvmdbg.text("detach")
    print(f"# attach: {done.seconds * 1000:.0f} ms")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2", mode="vhe", smp=2, stops=30, seed=int(time.time())).parse_args()
    # What comes behind it needs that.
    tap = harness.Tap(args.only and f"{args.only}|/learn$")
    prefix = f"/stops/{args.kernel}/qemu-{args.qemu}/{args.mode}/"
    print(f"# --seed {args.seed}")
    with harness.on_machine(Machine, args) as host:
        for case in (parked, booting, learn, stops, steps, by_build_id, slow_memory):
            # Each needs what the ones before it left.
            if not tap.case(prefix + case.__name__.replace("_", "-"), case, host):
                break
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
