#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The panic that kvmdbg was made for, and `explain` on it.

A VHE kernel whose own fault was put back (scripts/kernel vhe-ftrace): with a tracer on, host code runs with the
guest's SP_EL0 as `current`. At the first access that faults, and on the machine that has hung since, `explain`
names it. The same on the kernel as it is, and any other stop of a sane machine, has nothing to explain.
"""

import argparse
import pathlib
import random
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import Failure, expect, expect_equal, number  # noqa: E402

TRACER = "/sys/kernel/tracing/current_tracer"
# What a machine does all day.
PASSING = {"csd-wait", "spinlock"}
TRIES = 4
# A branch to itself, and commands that run into it while others want the same lock.
LOOP = {"arm64": "00000014", "x86_64": "ebfe"}
MOUNT = ("mkdir -p /tmp/t; taskset 1 sh -c 'sleep 1; mount -t tmpfs none /tmp/t; umount /tmp/t' & "
         "taskset 2 sh -c 'sleep 3; sync' &")
KILL = ("sleep 10000 & p=$!; for c in 1 2; do taskset $c sh -c \"while :; do kill -CONT $p; done\" & done; sleep 0.2")
# 64-bit kernels of both architectures, without KASAN.
THREAD_SIZE = 16384


class Host:
    def __init__(self, build, **kwargs):
        self.machine = machines.boot(**kwargs)
        self.kvmdbg = harness.Kvmdbg(build)
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kvmdbg.close()
        self.machine.close()

    def shell(self, command, timeout):
        """Runs it in the machine; whether that answered in that time."""
        shell = machines.Shell(self.machine.serial)
        try:
            shell.run(command, timeout)
            return True
        except machines.MachineError:
            return False
        finally:
            shell.close()

    def trace(self, tracer, timeout):
        return self.shell(f"echo {tracer} > {TRACER}", timeout)

    def findings(self):
        return self.kvmdbg.call("explain")["findings"]


def texts(finding):
    return "\n".join(piece["text"] for piece in finding["evidence"])


def expect_commands(host, finding):
    """Each piece of evidence has a command, which shows it."""
    for piece in finding["evidence"]:
        expect(piece["command"], f"{piece}")
        host.kvmdbg.text(*piece["command"].split())


def first_access(args, tracer):
    """Stopped at the fault: CPU, instruction, traced function, the value the guest set, the window."""
    with Host(args.build, kernel="vhe-ftrace", qemu=args.qemu) as host:
        guests = {vcpu["sp_el0"] for vm in host.machine.witness["vms"] for vcpu in vm["vcpus"]}
        # That kernel has the guest's SP_EL0 in C code for a moment at each exit; nothing reads it there yet.
        expect_equal([found for found in host.findings() if (found["id"], found["severity"]) != ("host-current", "error")],
                     [], "before the tracer is on")
        host.kvmdbg.text("break", "__kvm_hyp_vector+0x200")
        host.kvmdbg.text("cont")
        # It may answer still, when the first exit behind that comes late.
        host.trace(tracer, 5)
        deadline = time.monotonic() + 20
        while (status := host.kvmdbg.call("status"))["state"] != "stopped" and time.monotonic() < deadline:
            time.sleep(0.2)
        expect_equal((status["state"], status["stop"]["reason"]), ("stopped", "breakpoint"), "state")
        cpu = status["stop"]["cpu"]
        regs = {name: number(value) for name, value in host.kvmdbg.call(
            "regs", "--cpu", cpu, "SP_EL0", "ELR_EL2", "FAR_EL2")[0]["regs"].items()}
        found = [finding for finding in host.findings() if finding["cpu"] == cpu]
        expect_equal([(finding["id"], finding["severity"]) for finding in found], [("host-current", "fatal")],
                     "findings")
        said = texts(found[0])
        expect(regs["SP_EL0"] in guests and f"{regs['SP_EL0']:#x} is what the guest" in said, said)
        at = host.kvmdbg.call("sym", f"{regs['ELR_EL2']:#x}")["symbols"][0]
        expect(at["name"] in found[0]["title"], f"{found[0]['title']}: {at}")
        member = re.search(r"current->([\w.]+)", said)
        expect(member, said)
        offset = host.kvmdbg.text("print", f"offsetof(struct task_struct, {member[1]})")
        expect_equal(regs["FAR_EL2"] - regs["SP_EL0"], int(re.search(r"\d+", offset)[0]), f"offset of {member[1]}")
        traced = re.search(r"the tracer runs for ([\w.]+)", said)
        expect(traced, said)
        traced = traced[1]
        stack = [frame["symbol"] for frame in host.kvmdbg.call("bt", "--cpu", cpu)[0]["frames"]]
        expect(traced in stack and "__kvm_vcpu_run" in " ".join(filter(None, stack)), f"{traced}: {stack}")
        code = host.kvmdbg.text("mem", traced, 12)
        expect("TGE is clear" in said and re.search("has been left|not been entered", said), said)
        print(f"# {traced}; {code.strip()}")
        curr = host.kvmdbg.text("print", f"per_cpu(runqueues, {cpu}).curr")
        expect(re.search(r"0x\w+", curr)[0] in said, f"{curr}: {said}")
        expect_commands(host, found[0])
        expect("host-current" in host.kvmdbg.text("explain"), "text")
        # The machine goes on into its panic, and hangs: the reason is still told.
        host.kvmdbg.text("delete", "--all")
        host.kvmdbg.run("cont", "--timeout-ms", 3000)
        host.kvmdbg.text("stop")
        found = host.findings()
        expect(found and found[0]["severity"] == "fatal", f"{found}: {host.kvmdbg.text('bt', '-a')}")
        expect(any(re.search("current->|SP_EL0 is 0xdead000", texts(finding)) for finding in found), f"{found}")
        print(f"# hung: {[(finding['cpu'], finding['id']) for finding in found]}")


def into_the_window(args):
    for _ in range(TRIES):
        if step_into_the_window(args):
            return
    raise Failure(f"the patched prologue was not caught at an exit, {TRIES} times")


def step_into_the_window(args):
    """By hand: out of the guest, and by single steps through the patched prologue into the tracer, to the fault."""
    # One CPU: another's panic would stop it on the way.
    with Host(args.build, kernel="vhe-ftrace", qemu=args.qemu, smp=1, append="nested.vms=1 nested.vcpus=1") as host:
        patched = "sysreg_save_guest_state_vhe"
        old = host.kvmdbg.call("mem", patched, 16)
        addr, words = number(old["addr"]), bytes.fromhex(old["bytes"])
        # A guest's exit, by a trap or an interrupt, once that function's prologue is another.
        differs = " || ".join(f"*(unsigned long *){addr + at:#x} != {int.from_bytes(words[at:at + 8], 'little'):#x}"
                              for at in (0, 8))
        for offset in (0x400, 0x480):
            host.kvmdbg.text("break", f"__kvm_hyp_vector+{offset:#x}", "--if", differs)
        host.kvmdbg.text("cont")
        # On the way in nothing is traced.
        expect(host.shell(f"echo {patched} > /sys/kernel/tracing/set_ftrace_filter", 60), "no answer")
        host.trace("function", 10)
        status = host.kvmdbg.call("status")
        if status["state"] != "stopped":
            host.kvmdbg.text("stop")
            print("# running still: " + "; ".join(f["id"] for f in host.findings()))
            print("# " + host.kvmdbg.text("bt", "-a").replace("\n", "\n# "))
            print("# " + host.kvmdbg.text("breaks").replace("\n", "\n# "))
            return False
        cpu = status["stop"]["cpu"]
        expect_equal([f for f in host.findings() if f["cpu"] == cpu], [], "in the exit's assembly")
        done = host.kvmdbg.call("until", "--vector", "--cpu", cpu, "--max", 2000, "--last", 2000)
        names = [(step["symbol"] or "").split("+")[0] for step in done["steps"]]
        if "__guest_enter" not in names:
            print(f"# another exception came first: {done['steps'][-1]}")
            return False
        for name in ("__guest_enter", patched, "ftrace_caller", "ftrace_common"):
            expect(name in names, f"{name} was not stepped through: {sorted(set(names))}")
        expect(any(step["insn"] and "sp_el0" in step["insn"] for step in done["steps"]), "no read of SP_EL0")
        expect_equal(done["steps"][-1]["vector"], "synchronous, current EL", "the fault")
        found = [finding for finding in host.findings() if finding["cpu"] == cpu]
        expect_equal([finding["id"] for finding in found], ["host-current"], "findings")
        expect("has been left" in texts(found[0]), texts(found[0]))
        expect(f"runs for {patched}" in texts(found[0]), texts(found[0]))
        print(f"# {len(names)} steps")
        return True


def good_kernel(args, tracer):
    """The same on the kernel as it is: it works, and there is nothing to explain."""
    with Host(args.build, kernel="vhe-good", qemu=args.qemu) as host:
        host.kvmdbg.text("cont")
        expect(host.trace(tracer, 60), "no answer from the shell")
        for _ in range(20):
            time.sleep(random.uniform(0.01, 0.2))
            host.kvmdbg.text("stop")
            expect_equal([f for f in host.findings() if f["id"] not in PASSING], [], "findings")
            host.kvmdbg.text("cont")


def spinning(args, **kwargs):
    """A CPU that spins for a lock which somebody holds: which lock, and who has its address."""
    with Host(args.build, **kwargs) as host:
        lock = number(host.kvmdbg.call("sym", "sb_lock")["symbols"][0]["addr"])
        host.kvmdbg.text("write", "--size", 4, "sb_lock", 1)
        host.kvmdbg.text("cont")
        host.machine.output("sync &", 60)
        for n in range(TRIES * 5):
            if n:
                host.kvmdbg.text("cont")
            time.sleep(0.2)
            host.kvmdbg.text("stop")
            found = [f for f in host.findings() if f["id"] == "spinlock" and "(sb_lock)" in texts(f)]
            if found:
                break
        expect(found, f"{host.findings()}: {host.kvmdbg.text('bt', '-a')}")
        # The one that waits may have put itself into it.
        expect(re.search(rf"{lock:#x} \(sb_lock\), whose word is 0x1(01)?$", texts(found[0]), re.M), texts(found[0]))
        expect("without its address" in texts(found[0]), texts(found[0]))
        expect("nobody is shown to hold it" in texts(found[0]) and "holder" not in found[0], f"{found[0]}")
        expect_equal(number(found[0]["lock"]), lock, "the lock")
        expect_commands(host, found[0])
        other = 1 - found[0]["cpu"]
        # The last word of a stack is in it, however little of that is in use.
        stack = host.kvmdbg.text("print", f"(unsigned long)per_cpu(runqueues, {other}).curr->stack")
        place = int(re.search(r"0x[0-9a-f]+", stack)[0], 16) + THREAD_SIZE - 8
        old = host.kvmdbg.call("write", f"{place:#x}", "--bytes", lock.to_bytes(8, "little").hex())["old"]
        said = "".join(texts(f) for f in host.findings() if f["cpu"] == found[0]["cpu"])
        host.kvmdbg.text("write", f"{place:#x}", "--bytes", old)
        expect(re.search(f"CPU {other}, in .* has that address on its stack", said), said)
        # As who holds it does: others may have queued behind.
        host.kvmdbg.text("write", "--size", 1, "sb_lock", 0)
        # Whoever waits for it takes it, gives it back, and ends.
        for _ in range(TRIES * 5):
            host.kvmdbg.run("cont", "--timeout-ms", 500)
            host.kvmdbg.text("stop")
            if not any(task["comm"] == "sync" for task in host.kvmdbg.call("ps")):
                break
        expect_equal(host.kvmdbg.call("mem", "sb_lock", 4)["bytes"], "00000000", "the lock")


def stopped_with(host, wanted):
    """Lets it run until, at a stop, explain has a finding of that kind; that finding."""
    for n in range(TRIES * 5):
        if n:
            host.kvmdbg.text("cont")
        time.sleep(0.3)
        host.kvmdbg.text("stop")
        found = [f for f in host.findings() if wanted(f)]
        if found:
            return found[0]
    raise Failure(f"{host.findings()}: {host.kvmdbg.text('bt', '-a')}")


def symbols(host, cpu):
    return [frame["symbol"] for frame in host.kvmdbg.call("bt", "--cpu", cpu)[0]["frames"]]


def expect_holder(host, finding, callee, caller):
    """A CPU is caught where `caller` (or what that is inlined into) called `callee`: that is who holds the lock, by
    all that is said."""
    holder, said = finding["holder"], texts(finding)
    expect_equal(holder["cpu"], 1 - finding["cpu"], "the CPU that holds it")
    frames = host.kvmdbg.call("bt", "--cpu", holder["cpu"])[0]["frames"]
    # Behind an interrupt, perhaps.
    below = frames[[frame["symbol"] for frame in frames].index(callee) + 1:]
    frame = next(frame for frame in below if not frame["inlined"])
    function = frame["symbol"]
    expect(caller in [one["symbol"] for one in below[:below.index(frame) + 1]], f"{below}")
    expect_equal((holder["function"], holder["frame"], holder["pc"]), (function, frame["n"], frame["pc"]), "who holds it")
    start = number(host.kvmdbg.call("sym", function)["symbols"][0]["addr"])
    expect_equal(holder["taken_at"], f"{function}+{number(holder['taken_pc']) - start:#x}", "the place")
    expect(f"CPU {holder['cpu']} holds it, in {function}" in finding["title"], finding["title"])
    expect(f"its frame {holder['frame']} is at {holder['at']}" in said and holder["taken_at"] in said, said)
    expect(f"CPU {holder['cpu']} holds it, in {function}" in host.kvmdbg.text("explain"), "text")
    expect_commands(host, finding)


def expect_free(host, lock, ends):
    """Going on, the lock is found free, with nobody who waits for it, and tasks of those names have ended."""
    for _ in range(TRIES * 5):
        host.kvmdbg.run("cont", "--timeout-ms", 500)
        host.kvmdbg.text("stop")
        left = [f for f in host.findings() if f.get("lock") == lock]
        word = host.kvmdbg.call("mem", lock, 4)["bytes"]
        if not left and word == "00000000" and not any(task["comm"] in ends for task in host.kvmdbg.call("ps")):
            return
    raise Failure(f"{lock} is {word}: {left}: {host.kvmdbg.text('bt', '-a')}")


def holding(args, callee, caller, commands, lock=None, **kwargs):
    """A CPU caught in `callee`, which `caller` calls with a lock held, and another that spins for that: explain
    shows who holds it. Let go, the machine works, and nobody has the lock."""
    arch = kwargs.get("arch", "arm64")
    with Host(args.build, append="nested.vms=1 nested.vcpus=1", **kwargs) as host:
        loop = LOOP[arch]
        host.kvmdbg.text("cont")
        host.machine.output(commands, 60)
        host.kvmdbg.text("stop")
        expect_equal([f for f in host.findings() if f["id"] not in PASSING], [], "before")
        old = host.kvmdbg.call("write", callee, "--bytes", loop)["old"]
        host.kvmdbg.text("cont")
        # Others may spin for an instant.
        found = stopped_with(host, lambda f: "holder" in f and callee in symbols(host, f["holder"]["cpu"]))
        expect_holder(host, found, callee, caller)
        if lock:
            expect_equal(number(found["lock"]), number(host.kvmdbg.call("sym", lock)["symbols"][0]["addr"]), "lock")
            expect(f"({lock}), a number in the code" in found["holder"]["argument"], f"{found['holder']}")
        else:
            expect(re.search(r", and \w+ of the frame is 0x", found["holder"]["argument"]), f"{found['holder']}")
            expect("interrupts off" in found["title"] and found["severity"] == "error", found["title"])
        print(f"# {found['title']}: taken at {found['holder']['taken_at']}: {found['holder']['argument']}")
        host.kvmdbg.text("write", callee, "--bytes", old)
        expect_free(host, found["lock"], {"mount", "sync"} if lock else set())


def jump(arch, at, to):
    if arch == "arm64":
        return (0x14000000 | ((to - at) // 4 & 0x3ffffff)).to_bytes(4, "little").hex()
    return "e9" + (to - at - 5 & 0xffffffff).to_bytes(4, "little").hex()


def holding_itself(args, **kwargs):
    """A CPU that spins for what it holds, further out."""
    with Host(args.build, append="nested.vms=1 nested.vcpus=1", **kwargs) as host:
        at, to = (number(host.kvmdbg.call("sym", name)["symbols"][0]["addr"])
                  for name in ("set_anon_super_fc", "iterate_supers"))
        host.kvmdbg.text("write", f"{at:#x}", "--bytes", jump(kwargs.get("arch", "arm64"), at, to))
        host.kvmdbg.text("cont")
        host.machine.output("mkdir -p /tmp/t; taskset 1 sh -c 'sleep 1; mount -t tmpfs none /tmp/t' &", 60)
        found = stopped_with(host, lambda f: "holder" in f and f["holder"]["cpu"] == f["cpu"])
        expect_equal((found["cpu"], found["holder"]["function"]), (0, "sget_fc"), "who")
        expect("it holds that itself, in sget_fc" in found["title"], found["title"])
        expect("CPU 0 itself holds the lock" in texts(found), texts(found))
        expect_commands(host, found)
        print(f"# {found['title']}")


def sane(args, **kwargs):
    """Random stops and steps of a machine that works."""
    with Host(args.build, **kwargs) as host:
        for n in range(args.stops):
            found = [f for f in host.findings() if f["id"] not in PASSING]
            expect_equal(found, [], f"stop {n}")
            if n % 4 == 0:
                for _ in range(10):
                    host.kvmdbg.run("step", 7)
                    expect_equal([f for f in host.findings() if f["id"] not in PASSING], [], f"after steps, {n}")
            host.kvmdbg.text("cont")
            time.sleep(random.uniform(0.005, 0.1))
            host.kvmdbg.text("stop")
        if kwargs.get("arch", "arm64") != "arm64" or kwargs.get("mode") == "nvhe":
            return
        # All the way out of a guest and back into it.
        cpu = next((vcpu["cpu"] for vcpu in host.kvmdbg.call("vcpus") if vcpu["cpu"] >= 0), 0)
        host.kvmdbg.text("until", "--exit", "--cpu", cpu)
        for n in range(300):
            host.kvmdbg.text("step", "--cpu", cpu)
            expect_equal([f for f in host.findings() if f["id"] not in PASSING], [], f"step {n} behind the exit")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with kvmdbg and kvmdbgd")
    parser.add_argument("--qemu", default="7.2")
    parser.add_argument("--stops", type=int, default=60)
    parser.add_argument("--only", help="only cases whose name matches")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    for tracer in ("function", "function_graph"):
        tap.case(f"/explain/vhe-ftrace/{tracer}", first_access, args, tracer)
    tap.case("/explain/vhe-ftrace/by-steps", into_the_window, args)
    tap.case("/explain/vhe-good", good_kernel, args, "function")
    tap.case("/explain/spinning/vhe", lambda: spinning(args, kernel="6.1", mode="vhe"))
    tap.case("/explain/spinning/x86-64", lambda: spinning(args, arch="x86_64", kernel="6.1"))
    for name, kwargs in (("vhe-6.1", {"kernel": "6.1", "mode": "vhe"}), ("vhe-6.12", {"kernel": "6.12", "mode": "vhe"}),
                         ("x86-64-6.1", {"arch": "x86_64", "kernel": "6.1"}),
                         ("x86-64-6.12", {"arch": "x86_64", "kernel": "6.12"})):
        tap.case(f"/explain/holding/{name}/global", lambda kwargs=kwargs: holding(
            args, "set_anon_super_fc", "sget_fc", MOUNT, lock="sb_lock", **kwargs))
        tap.case(f"/explain/holding/{name}/object", lambda kwargs=kwargs: holding(
            args, "send_signal_locked", "do_send_sig_info", KILL, **kwargs))
        tap.case(f"/explain/holding/{name}/itself", lambda kwargs=kwargs: holding_itself(args, **kwargs))
    tap.case("/explain/sane/vhe", lambda: sane(args, kernel="6.1", mode="vhe"))
    tap.case("/explain/sane/nvhe", lambda: sane(args, kernel="6.12", mode="nvhe"))
    tap.case("/explain/sane/x86-64", lambda: sane(args, arch="x86_64", kernel="6.1"))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
