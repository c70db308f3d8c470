#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stepping a real host: into guests and out of them, over and out of functions, to a line or a condition.

Witnesses are the registers of each stop, kvmdbg's own stack before a function returns, and gdb's view of the code.
"""

import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal, number  # noqa: E402

STEP_REGS = {
    "arm64": ("VBAR_EL1", "VBAR_EL2", "HCR_EL2", "SP_EL0", "TTBR0_EL1", "TTBR1_EL1", "VTTBR_EL2"),
    "x86_64": ("cr0", "cr3", "cr4", "efer", "cs", "ss"),
}
# Interrupts masked or not, and where a stub has that.
MASKED = {"arm64": ("daif", "cpsr", 0x3c0), "x86_64": ("rflags.if", "eflags", 0x200)}
ENTER = {"arm64": "eret", "x86_64": "vmrun"}
ROUNDS = 5
TRIES = 5


class Host:
    def __init__(self, args):
        self.args = args
        self.machine = machines.boot(arch=args.arch, kernel=args.kernel, qemu=args.qemu, mode=args.mode or None, cpu=args.cpu or None)
        self.kvmdbg = harness.Kvmdbg(args.build)
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))
        vcpus = [vcpu["cpu"] for vcpu in self.kvmdbg.call("vcpus") if vcpu["cpu"] >= 0]
        self.cpu = vcpus[0] if vcpus else 0

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def run(self, *args):
        return self.kvmdbg.call(*args, "--cpu", self.cpu)

    def regs(self, *names):
        found = self.kvmdbg.call("regs", "--cpu", self.cpu, *names)[0]["regs"]
        return {name.lower(): number(value) for name, value in found.items()}

    def in_guest(self):
        return any(vcpu["in_guest"] and vcpu["cpu"] == self.cpu for vcpu in self.kvmdbg.call("vcpus"))


def round_trip(host):
    """Into the guest by its last host instruction, out of it by the first one behind."""
    arch = host.args.arch
    for n in range(ROUNDS):
        entered = host.run("until", "--guest", "--last", 3)
        expect(host.in_guest(), f"round {n}: no vCPU in a guest: {entered}")
        expect(entered["steps"][-2]["insn"].startswith(ENTER[arch]), f"round {n}: {entered}")
        expect_equal(number(entered["steps"][-1]["pc"]), host.regs("pc" if arch == "arm64" else "rip").popitem()[1],
                     "pc")
        left = host.run("until", "--exit")["steps"][-1]
        expect(not host.in_guest(), f"round {n}: still in the guest")
        if arch == "arm64":
            vbar = host.regs("VBAR_EL2")["vbar_el2"]
            expect(0x400 <= number(left["pc"]) - vbar < 0x800 and "lower EL" in left["vector"], f"round {n}: {left}")
            expect_equal(left["el"], 2, "EL")
        else:
            expect_equal(left["symbol"].split("+")[0], entered["steps"][-2]["symbol"].split("+")[0], "function")


def changes(host):
    """What a step says it changed is what the registers say; what it does not say has not changed."""
    names = (*STEP_REGS[host.args.arch], MASKED[host.args.arch][1])
    host.run("until", "--exit")
    seen = set()
    for _ in range(250):
        before = host.regs(*names)
        step = host.run("step")["steps"][0]
        after = host.regs(*names)
        said = {change["name"].lower(): (number(change["from"]), number(change["to"])) for change in step["changes"]}
        really = {name: (before[name], after[name]) for name in before
                  if before[name] != after[name] and name != MASKED[host.args.arch][1]}
        expect_equal({name: said[name] for name in said if name in before}, really, f"{step}")
        seen |= set(really)
        name, reg, mask = MASKED[host.args.arch]
        masked = (before[reg] & mask, after[reg] & mask)
        expect_equal(said.get(name, masked), masked, f"{step}")
        expect_equal(name in said, masked[0] != masked[1], f"{step}")
        seen |= {name} & set(said)
    print(f"# {sorted(seen)}")
    # The way out of a guest puts back the host's own.
    wanted = {"arm64": {"vbar_el2", "hcr_el2", "daif"}, "x86_64": {"rflags.if"}}[host.args.arch]
    if host.args.mode != "nvhe":
        expect(wanted <= seen, f"{seen}")


def fills(host):
    """Over calls that never return: the code behind each exit fills the CPU's stack of return addresses."""
    left = host.run("until", "--exit")["steps"][-1]
    function, calls = left["symbol"].split("+")[0], 0
    for _ in range(200):
        stack = host.regs("rsp")["rsp"]
        step = host.run("step", "--over", "--timeout-ms", 5000)["steps"][0]
        expect(step["insn"], f"{step}")
        if calls and "call" in last["insn"]:
            expect_equal(host.regs("rsp")["rsp"], stack, f"stack pointer behind {last}, at {step}")
        calls += "call" in step["insn"] and step["symbol"].split("+")[0] == function
        last = step
        if step["symbol"].split("+")[0] != function:
            break
    expect(calls and step["symbol"].split("+")[0] != function, f"{calls} calls, {step}")


def functions(host):
    """Over calls, out of functions, by lines."""
    # Of the timer's tick: what it calls comes back soon.
    host.kvmdbg.text("until", "update_process_times", "--cpu", host.cpu)
    over = calls = 0
    sp = "sp" if host.args.arch == "arm64" else "rsp"
    for _ in range(60):
        done = host.run("step", "--over")
        host.cpu, step = done["cpu"], done["steps"][0]
        if re.match(r"(bl|call)\b", step["insn"] or ""):
            calls += 1
            here, stack = number(step["pc"]), host.regs(sp)[sp]
            done = host.run("step", "--over")
            # The task may have moved meanwhile.
            host.cpu, behind = done["cpu"], done["steps"][0]
            expect(0 < number(behind["pc"]) - here <= 7, f"{step} then {behind}")
            expect_equal(host.regs(sp)[sp], stack, "stack pointer behind a call")
            over += 1
        if over == 3:
            break
    expect(over > 0, "no call")
    trace = host.kvmdbg.call("bt", "--cpu", host.cpu)[0]["frames"]
    caller = next(frame for frame, inner in zip(trace[1:], trace) if not inner["inlined"])
    done = host.run("step", "--out")
    host.cpu, out = done["cpu"], done["steps"][0]
    expect_equal(out["pc"], caller["pc"], "pc after --out")
    lines = host.run("step", "--line", "--over", 5)["steps"]
    places = [(step["file"], step["line"]) for step in lines]
    expect(all(one != two for one, two in zip(places, places[1:])), f"{places}")
    print(f"# {calls} calls; lines {[f'{file}:{line}' for file, line in places]}")


def conditions(host):
    """An exception level, a vector, a return from an exception, an expression."""
    arm = host.args.arch == "arm64"
    host.kvmdbg.text("until", "kvm_vcpu_ioctl", "--cpu", host.cpu)
    pc = number(host.run("step", 3)["steps"][-1]["pc"])
    reg = "$x9" if arm else "$rax"
    done = host.run("until", "--max", 200, f"$pc != {pc:#x} && $pc != 0")
    expect_equal(done["count"], 1, "count")
    expect(number(done["steps"][-1]["pc"]) != pc, f"{done}")
    for _ in range(3):
        vector = host.run("until", "--vector", "--irq", *(["--others"] if arm else []), "--max", 200000)["steps"][-1]
        expect(vector["vector"] and re.search(r"vec" if arm else r"^asm_", vector["symbol"] or ""), f"{vector}")
        done = host.kvmdbg.run("--json", "until", "--eret", "--irq", "--last", 2, "--max", 100000, "--cpu", host.cpu)
        if done.status == 0:
            break
        # A CPU that is held in the middle of an update of the clock is waited for without end.
        expect("--others lets them run" in done.err, str(done))
        host.kvmdbg.text("until", "kvm_vcpu_ioctl", "--cpu", host.cpu)
    expect(done.status == 0, str(done))
    back = json.loads(done.out)
    expect(re.match(r"eret|iret|sysret", back["steps"][0]["insn"]), f"{back}")
    expect(host.kvmdbg.text("print", reg), "a register")


def refusals(host):
    """Each says what is wrong, and leaves a stopped machine that goes on."""
    cpu = ("--cpu", host.cpu)
    host.kvmdbg.text("until", "kvm_vcpu_ioctl", *cpu)
    host.kvmdbg.refused(1, "not there after 50 steps.*--others", "until", "$sp == 0", "--max", 50, *cpu)
    host.kvmdbg.refused(1, "no_such_symbol", "until", "no_such_symbol == 1", *cpu)
    host.kvmdbg.refused(1, "by zero", "until", "1 / ($sp - $sp)", *cpu)
    host.kvmdbg.refused(1, "address|memory|mapped", "until", "*(int *)8 == 1", *cpu)
    host.kvmdbg.refused(2, "say until what", "until", *cpu)
    host.kvmdbg.refused(2, "no other condition", "until", "--guest", "--eret", *cpu)
    host.kvmdbg.refused(2, "--max is", "until", "--eret", "--max", 0, *cpu)
    host.kvmdbg.refused(2, "--out goes", "step", "--out", "--over", *cpu)
    host.kvmdbg.refused(1, "no CPU 99", "step", "--cpu", 99)
    host.kvmdbg.refused(1, "not there after 300 ms", "until", "panic", "--timeout-ms", 300, *cpu)
    # A breakpoint of the user's comes first, and stays.
    brk = host.kvmdbg.call("break", "kvm_arch_vcpu_ioctl_run")
    host.kvmdbg.refused(1, f"breakpoint {brk['number']} stopped", "until", "panic", "--timeout-ms", 20000)
    expect_equal([(b["number"], b["hits"] > 0) for b in host.kvmdbg.call("breaks")], [(brk["number"], True)], "breaks")
    host.kvmdbg.text("delete", brk["number"])
    expect_equal(host.kvmdbg.call("breaks"), [], "breaks")


def at_rest(host):
    """Off a breakpoint that was put under the pc, which is no hit; and over the instruction that waits."""
    cpu = ("--cpu", host.cpu)
    host.kvmdbg.text("until", "kvm_vcpu_ioctl", *cpu)
    brk = host.kvmdbg.call("break", "kvm_vcpu_ioctl")
    place = number(brk["addr"])
    expect(place != number(host.run("step")["steps"][0]["pc"]), "not moved")
    expect_equal([row["hits"] for row in host.kvmdbg.call("breaks")], [0], "hits of the breakpoint under the pc")
    host.kvmdbg.text("delete", brk["number"])
    if host.args.arch != "arm64":
        return
    host.kvmdbg.text("until", "cpu_do_idle", *cpu)
    for _ in range(20):
        step = host.run("step")["steps"][0]
        if step["insn"].startswith("wfi"):
            break
    expect_equal(step["insn"], "wfi", "idle")
    # What it waits for is there, or the CPU is woken; then QEMU's step ends behind the next instruction.
    behind = [number(row["pc"]) for row in host.run("step", 2)["steps"]]
    expect(number(step["pc"]) not in behind and behind[0] != behind[1], f"{behind}")


# ldxr x0, [x1]; add x0, x0, #1; stxr w2, x0, [x1]; cbnz w2, the first; nop
EXCLUSIVE = bytes.fromhex("207c5fc8 00040091 207c02c8 a2ffff35 1f2003d5")


def exclusive(host):
    """A load whose store must follow undisturbed is one step with all up to that, and the store is done."""
    if host.args.arch != "arm64":
        return
    cpu = ("--cpu", host.cpu)
    host.kvmdbg.text("until", "kvm_vcpu_ioctl", *cpu)
    pc, names = host.regs("pc")["pc"], ("x0", "x1", "x2", "pc")
    # Nobody needs it any more; where it is is the witness.
    place = number(host.kvmdbg.call("sym", "loops_per_jiffy")["symbols"][0]["addr"])
    before, regs = host.kvmdbg.call("mem", f"{place:#x}", 8)["bytes"], host.regs(*names)
    code = host.kvmdbg.call("mem", f"{pc:#x}", len(EXCLUSIVE))["bytes"]
    host.kvmdbg.text("write", f"{pc:#x}", "--bytes", EXCLUSIVE.hex())
    host.kvmdbg.text("write", *cpu, "--reg", "x1", f"{place:#x}")
    try:
        value = int.from_bytes(bytes.fromhex(before), "little")
        for count in (1, 2):
            for _ in range(TRIES):
                steps = host.run("step")["steps"]
                expect_equal([(number(step["pc"]), step["insn"].split()[0]) for step in steps], [(pc + 12, "cbnz")], "step")
                # An interrupt came in between, as it may on any CPU: once more round.
                if host.regs("x2")["x2"] & 0xffffffff == 0:
                    break
                expect_equal(number(host.run("step")["steps"][0]["pc"]), pc, "back to the load")
            after = host.kvmdbg.call("mem", f"{place:#x}", 8)["bytes"]
            expect_equal(int.from_bytes(bytes.fromhex(after), "little"), value + count, "what was stored")
            expect_equal(host.regs("x2")["x2"] & 0xffffffff, 0, "the store failed")
            expect_equal(number(host.run("step")["steps"][0]["pc"]), pc + 16, "behind the loop")
            host.kvmdbg.text("write", *cpu, "--reg", "pc", f"{pc:#x}")
        # A breakpoint inside ends it, as it ends any step.
        brk = host.kvmdbg.call("break", f"{pc + 4:#x}")
        done = host.run("step", 3)
        expect_equal([number(step["pc"]) for step in done["steps"]], [pc + 4], "up to the breakpoint")
        host.kvmdbg.text("delete", brk["number"])
        expect_equal(host.kvmdbg.call("breaks"), [], "breaks")
    finally:
        host.kvmdbg.text("write", f"{pc:#x}", "--bytes", code)
        host.kvmdbg.text("write", f"{place:#x}", "--bytes", before)
        for name in names:
            host.kvmdbg.text("write", *cpu, "--reg", name, f"{regs[name]:#x}")


def run_for(host, seconds):
    """Runs and is stopped: what breakpoints judge in that time."""
    host.kvmdbg.run("cont", "--timeout-ms", int(seconds * 1000))
    host.kvmdbg.text("stop")
    return {row["number"]: row for row in host.kvmdbg.call("breaks")}


def rules(host):
    """Conditions are judged without a client; what they let by goes on, what they do not stops."""
    enter, arg = "kvm_arch_vcpu_ioctl_run", "x0" if host.args.arch == "arm64" else "rdi"
    pc = "pc" if host.args.arch == "arm64" else "rip"
    vcpus = {vcpu["pid"]: vcpu for vcpu in host.kvmdbg.call("vcpus")}
    one = next(iter(vcpus.values()))
    never = host.kvmdbg.call("break", enter, "--if", "0")["number"]
    fails = host.kvmdbg.call("break", enter, "--if", "1 / (0 * $sp)")["number"]
    faults = host.kvmdbg.call("break", enter, "--if", "*(int *)8 == 1")["number"]
    logs = host.kvmdbg.call("break", enter, "--log", "vcpu {$%s} {*(int *)8}" % arg, "--cpu", 0)["number"]
    does = host.kvmdbg.call("break", enter, "--do", f"regs --cpu 1 {pc}", "--cpu", 1)["number"]
    rows = run_for(host, 3)
    for brk, errors in ((never, 0), (fails, None), (faults, None)):
        expect(rows[brk]["hits"] > 0 and rows[brk]["passed"] == 0, f"{rows[brk]}")
        expect_equal(rows[brk]["errors"], errors if errors is not None else rows[brk]["hits"], f"{rows[brk]}")
    expect("by zero" in rows[fails]["last_error"], f"{rows[fails]}")
    text = host.kvmdbg.text("breaks")
    expect("division by zero" in text and "go on" in text, text)
    log = host.kvmdbg.call("breaks", "--log")
    expect_equal(host.kvmdbg.call("breaks", "--log"), [], "the log after it was taken")
    pointers = {number(vcpu["kvm_vcpu"]) for vcpu in vcpus.values()}
    for row in log:
        if row["number"] == logs:
            expect_equal(row["cpu"], 0, "CPU of a log")
            expect(number(row["text"].split()[1]) in pointers and "{" in row["text"].split()[2], f"{row}")
        else:
            expect(row["number"] == does and row["cpu"] == 1 and enter in host.kvmdbg.text(
                "sym", re.search(rf"{pc} +(0x\w+)", row["text"])[1]), f"{row}")
    expect({row["number"] for row in log} <= {logs, does} and log, f"{len(log)} logged")
    for row in rows.values():
        if row["number"] in (logs, does):
            expect_equal(row["passed"], len([entry for entry in log if entry["number"] == row["number"]]), f"{row}")
    host.kvmdbg.text("delete", "--all")
    # One that stops: in that task, the third time.
    brk = host.kvmdbg.call("break", enter, "--task", one["pid"], "--if", f"${arg} == {one['kvm_vcpu']}", "--count", 3)
    stop = host.kvmdbg.call("cont", "--timeout-ms", 60000)["stop"]
    expect_equal((stop["reason"], stop["breakpoint"]), ("breakpoint", brk["number"]), "stop")
    expect_equal(number(host.kvmdbg.call("regs", "--cpu", stop["cpu"], arg)[0]["regs"][arg]), number(one["kvm_vcpu"]),
                 "the vCPU")
    expect_equal(host.kvmdbg.call("breaks")[0]["passed"], 3, "passed")
    host.kvmdbg.text("delete", "--all")
    host.kvmdbg.refused(1, "no_such", "break", enter, "--if", "no_such == 1")
    host.kvmdbg.refused(1, "column", "break", enter, "--if", "1 +")
    host.kvmdbg.refused(2, "cannot be done", "break", enter, "--do", "cont")
    host.kvmdbg.refused(2, "unknown command", "break", enter, "--do", "no-such-command")
    host.kvmdbg.refused(2, "--cpu", "break", enter, "--cpu", 99)
    expect_equal(host.kvmdbg.call("breaks"), [], "breaks")


def at_level(host, pc, cpu):
    """Of a place in the guest: only that VM's, only at that level."""
    vmid = host.kvmdbg.call("sysregs", "--cpu", cpu, "VTTBR_EL2")[0]["regs"][0]["fields"]["VMID"]
    never = {host.kvmdbg.call("break", pc, *words)["number"] for words in (("--vmid", vmid + 1), ("--el", 2))}
    rows = run_for(host, 1)
    for number_of in never:
        expect(rows[number_of]["hits"] > 0 and rows[number_of]["passed"] == 0, f"{rows[number_of]}")
    brk = host.kvmdbg.call("break", pc, "--vmid", vmid, "--el", 1)
    stop = host.kvmdbg.call("cont", "--timeout-ms", 60000)["stop"]
    expect_equal((stop["pc"], stop["reason"]), (pc, "breakpoint"), "stop in that VM")
    expect_equal({row["number"]: row["passed"] for row in host.kvmdbg.call("breaks")}[brk["number"]], 1, "passed")
    host.kvmdbg.text("delete", "--all")


def guests_address(host):
    """A breakpoint at an address of the guest's own is one; at the kernel's it is the kernel's alone."""
    pc = host.run("until", "--guest")["steps"][-1]["pc"]
    brk = host.kvmdbg.call("break", pc)
    stop = host.kvmdbg.call("cont", "--timeout-ms", 60000)["stop"]
    expect_equal((stop["pc"], stop["breakpoint"]), (pc, brk["number"]), "stop in the guest")
    host.kvmdbg.text("delete", brk["number"])
    if host.args.arch == "arm64":
        at_level(host, pc, stop["cpu"])


def indirect(host):
    """An indirect call at the pc is shown with where the next step goes."""
    arm = host.args.arch == "arm64"
    seen = []
    # A vCPU's ioctl comes by here; the file's operations, or the table of system calls, have where it goes.
    for name in ("invoke_syscall", "__arm64_sys_ioctl") if arm else ("__x64_sys_ioctl", "security_file_ioctl"):
        for insn in host.kvmdbg.call("dis", name)["insns"]:
            if not re.match("blr x" if arm else "call (r|qword)", insn["insn"] or "") and \
               "_thunk_" not in (insn.get("target_symbol") or ""):
                continue
            if host.kvmdbg.run("until", insn["addr"], "--cpu", host.cpu, "--timeout-ms", 3000).status:
                continue
            shown = next(row for row in host.kvmdbg.call("dis")["insns"] if row["pc"])
            expect_equal(shown["addr"], insn["addr"], "pc")
            steps = [host.run("step")["steps"][0]]
            expect_equal(shown.get("target"), steps[0]["pc"], f"{shown}")
            if "leads_to" in shown:
                steps = host.run("step", 8)["steps"]
                expect(shown["leads_to"] in [step["pc"] for step in steps], f"{shown}: {steps}")
            seen.append(shown.get("leads_to_symbol") or shown["target_symbol"])
    expect(seen, "no indirect call on the way")
    print(f"# indirect calls of {seen}")


def code(host):
    """What `dis` shows is what memory has; what the kernel or somebody else has patched is marked."""
    arm = host.args.arch == "arm64"
    names = ("kvm_vcpu_ioctl", "do_sys_open", "vfs_read", "schedule", "panic", "copy_process")
    patched = 0
    for name in names:
        insns = host.kvmdbg.call("dis", name)["insns"]
        memory = bytes.fromhex(host.kvmdbg.call("mem", name, sum(len(insn["bytes"]) for insn in insns) // 2)["bytes"])
        expect_equal("".join(insn["bytes"] for insn in insns), memory.hex(), name)
        lost = [insn for insn in insns if not insn["insn"]]
        # The disassembler at hand may lack extensions (atomics).
        expect(len(lost) <= (len(insns) // 20 if arm else 0), f"{name}: no instructions: {lost}")
        expect(insns[0]["symbol"] == name and insns[0].get("file"), f"{insns[0]}")
        calls = [insn for insn in insns if re.match(r"(bl|call) .*0x", insn["insn"] or "")]
        expect(all(insn["target_symbol"] for insn in calls), f"{[c for c in calls if not c['target_symbol']]}")
        patched += sum(1 for insn in insns if insn.get("was"))
        expect(not any(insn.get("orc_hole") for insn in insns), f"{name}: code without unwind rules")
        # Not KASLR's doing: most of a function is as it was.
        expect(sum(1 for insn in insns if insn.get("was")) <= len(insns) // 4 + 2, f"{name}")
    print(f"# {patched} patched in {len(names)} functions")
    host.run("until", "kvm_vcpu_ioctl")
    stop = host.kvmdbg.call("status")["stop"]
    marked = [insn["addr"] for insn in host.kvmdbg.call("dis")["insns"] if insn["pc"]]
    expect_equal(marked, [stop["pc"]], "pc")
    pc = host.run("until", "--guest")["steps"][-1]["pc"]
    # QEMU's stub does not know SVM's nested tables; that guest has no tables of its own.
    inside = host.kvmdbg.call("dis") if arm else host.kvmdbg.call("dis", f"vm:0:{pc}", "-n", 2)
    expect_equal((inside["space"], inside["insns"][0]["addr"]), (f"cpu:{host.cpu}" if arm else "vm:0", pc), "guest code")
    expect(all(insn["insn"] for insn in inside["insns"][:2]), f"{inside}")
    indirect(host)
    if not arm:
        # STACK_FRAME_NON_STANDARD: objtool leaves it out.
        holes = [insn for insn in host.kvmdbg.call("dis", "__crash_kexec", "-n", 6)["insns"] if insn.get("orc_hole")]
        expect(holes and "no ORC rule" in host.kvmdbg.text("dis", "__crash_kexec", "-n", 6), "__crash_kexec has rules")
    # A byte changed by somebody.
    insn = [insn for insn in host.kvmdbg.call("dis", "panic")["insns"] if insn["insn"] and not insn.get("was")][10]
    nop = {4: "1f2003d5"}.get(len(insn["bytes"]) // 2) if arm else "90" * (len(insn["bytes"]) // 2)
    old = host.kvmdbg.call("write", insn["addr"], "--bytes", nop)["old"]
    found = host.kvmdbg.call("dis", insn["addr"], "-n", 1)["insns"][0]
    expect_equal((found["insn"], found["was"]), ("nop", insn["insn"]), "a changed instruction")
    expect("patched" in host.kvmdbg.text("dis", insn["addr"], "-n", 1), "text")
    host.kvmdbg.text("write", insn["addr"], "--bytes", old)
    expect(not host.kvmdbg.call("dis", insn["addr"], "-n", 1)["insns"][0].get("was"), "put back")
    host.kvmdbg.refused(1, "no symbol", "dis", "no_such_function")
    host.kvmdbg.refused(1, "not mapped", "dis", "0x10")
    host.kvmdbg.refused(2, "instructions at once", "dis", "panic", "-n", 0)


def vectors(host):
    """The tables, who uses which, and where entries lead: in the host, and just out of a guest."""
    def used(in_force):
        found = host.kvmdbg.call("vectors", "--all")
        table = {(row["name"], row["slot"]): row for row in found["tables"]}
        uses = {use["reg"]: use for use in found["cpus"] if use["cpu"] == host.cpu and use["table"]}
        # One register is in force; --cpu leaves that CPU's.
        mine = host.kvmdbg.call("vectors", "--cpu", host.cpu)["cpus"]
        expect_equal(mine, [use for use in found["cpus"] if use["cpu"] == host.cpu], "--cpu")
        expect_equal([use["reg"] for use in mine if use["in_force"]], [in_force], "in force")
        return table, uses

    host.run("until", "kvm_vcpu_ioctl")
    reg = "idt_base" if host.args.arch == "x86_64" else "VBAR_EL1" if host.args.mode == "nvhe" else "VBAR_EL2"
    table, uses = used(reg)
    if host.args.arch == "x86_64":
        expect_equal(list(uses), ["idt_base"], "registers")
        gates = {entry["index"]: entry for entry in table["idt_table", 0]["entries"]}
        for index, name, symbol in ((0, "divide error", "asm_exc_divide_error"), (8, "double fault", "asm_exc_double_fault"),
                                    (14, "page fault", "asm_exc_page_fault")):
            expect_equal((gates[index]["name"], gates[index]["symbol"]), (name, symbol), f"gate {index}")
        expect("DPL 3" in gates[3]["gate"] and "IST" in gates[8]["gate"] and "DPL 0" in gates[14]["gate"], f"{gates[3]}")
        expect(len(gates) > 200 and all(entry["symbol"] for entry in gates.values()), f"{len(gates)} gates")
    else:
        expect_equal(uses[reg]["table"], "vectors", "table of the host")
        entries = table["vectors", 0]["entries"]
        expect_equal([len(row["entries"]) for row in table.values()], [16] * len(table), "entries")
        wanted = [f"el{level}_{bits}_{kind}" for level, bits in (("1t", 64), ("1h", 64), ("0t", 64), ("0t", 32))
                  for kind in ("sync", "irq", "fiq", "error")]
        expect_equal([entry["symbol"] for entry in entries], wanted, "where they lead")
        left = host.run("until", "--exit")["steps"][-1]
        table, uses = used("VBAR_EL2")
        use = uses["VBAR_EL2"]
        expect("hyp_vec" in use["table"], f"{use}")
        entry = next(entry for entry in table[use["table"], use["slot"]]["entries"] if entry["name"] == left["vector"])
        expect_equal(entry["addr"][-3:], left["pc"][-3:], "the entry it came in by")
        expect(entry["symbol"].startswith(("el1_", "__kvm_nvhe_el1_")), f"{entry}")
    expect("VBAR" in host.kvmdbg.text("vectors") or "idt" in host.kvmdbg.text("vectors"), "text")
    host.kvmdbg.refused(1, "no table nothing", "vectors", "nothing")
    host.kvmdbg.refused(1, "no CPU 99", "vectors", "--cpu", 99)
    if host.args.arch == "arm64":
        host.run("until", "--guest")
        rows = {use["reg"]: use for use in host.kvmdbg.call("vectors", "--cpu", host.cpu)["cpus"]}
        own = rows["VBAR_EL1"]
        expect_equal((own["in_force"], own["table"], own["regime"]), (True, None, "EL1&0 (guest)"), "the guest's own")
        expect_equal(own["alias"], None if host.args.mode == "nvhe" else "VBAR_EL12", "its name under E2H")


def info_registers(host):
    """What QEMU's monitor says of our CPU: {NAME: number}."""
    text = host.machine.monitor("human-monitor-command", **{"command-line": "info registers -a"})
    text = re.split(r"CPU#(\d+)", text)
    mine = text[text.index(str(host.cpu)) + 1]
    return {name: int(value, 16) for name, value in re.findall(r"\b([A-Z]+[0-9]*)\s*=\s*([0-9a-f]+)\b", mine)}


def system_registers(host):
    """Each value is what the stub has and, where it says so, QEMU's monitor; whose it is follows the CPU."""
    arm = host.args.arch == "arm64"
    names = ("HCR_EL2", "SCTLR_EL1", "SCTLR_EL2", "TCR_EL1", "VTTBR_EL2", "VBAR_EL1", "VBAR_EL2", "TTBR1_EL2",
             "ESR_EL2", "ELR_EL2") if arm else ("CR0", "CR3", "CR4", "CR8", "EFER", "CS", "GS_BASE", "K_GS_BASE")
    monitors = {"PSTATE": "PSTATE"} if arm else {"CR0": "CR0", "CR3": "CR3", "CR4": "CR4", "EFER": "EFER",
                                                 "RFLAGS": "RFL", "DR6": "DR6", "DR7": "DR7"}

    def check(where):
        found = host.kvmdbg.call("sysregs", "--cpu", host.cpu)
        expect_equal([row["cpu"] for row in found], [host.cpu], "CPU")
        regs = {row["name"]: row for row in found[0]["regs"]}
        stub = host.regs(*names)
        for name in names:
            expect_equal(number(regs[name]["value"]), stub[name.lower()], f"{where}: {name}")
        said = info_registers(host)
        for name, monitor in monitors.items():
            expect_equal(number(regs[name]["value"]), said[monitor], f"{where}: {name} in the monitor")
        # A field is what its name says.
        if arm:
            expect_equal(regs["PSTATE"]["fields"]["M"], number(regs["PSTATE"]["value"]) & 15, "PSTATE.M")
            expect(regs["PSTATE"]["text"].startswith(f"EL{found[0]['el']}"), f"{where}: {regs['PSTATE']}")
            expect_equal(number(regs[f"SP_EL{found[0]['el']}"]["value"]), host.regs("sp")["sp"], f"{where}: SP")
        else:
            expect_equal("PAE" in regs["CR4"]["fields"], bool(number(regs["CR4"]["value"]) & 1 << 5), "CR4.PAE")
            expect("SVME" in regs["EFER"]["text"], f"{regs['EFER']}")
        return {name: row["regime"] for name, row in regs.items()}

    host.run("until", "kvm_vcpu_ioctl")
    outside = check("host")
    host.run("until", "--guest")
    inside = check("guest")
    if arm:
        vhe = host.args.mode != "nvhe"
        mine = "EL2&0 (host)" if vhe else "EL1&0 (host)"
        expect_equal([outside["PSTATE"], outside["SCTLR_EL2"]], [mine, mine if vhe else "EL2 (hyp)"], "host")
        expect_equal(outside["SCTLR_EL1"], "EL1&0 (guest, not in force)" if vhe else mine, "EL1 outside")
        expect_equal(outside["VTTBR_EL2"], "EL1&0 stage 2 (not in force)", "stage 2 outside")
        expect_equal({inside[name] for name in ("PSTATE", "SCTLR_EL1", "TCR_EL1", "VBAR_EL1")}, {"EL1&0 (guest)"}, "EL1")
        expect_equal(inside["VTTBR_EL2"], "EL1&0 stage 2 (guest)", "stage 2")
        vmid = host.kvmdbg.call("sysregs", "--cpu", host.cpu, "vttbr_el2")[0]["regs"][0]
        expect_equal(vmid["fields"]["VMID"], number(vmid["value"]) >> 48, "VMID")
        host.run("until", "--exit")
        expect_equal(check("just out of the guest")["SCTLR_EL1"], "EL1&0 (guest)", "EL1 of an exit")
        rows = host.kvmdbg.call("sysregs", "-a", "sctlr")
        expect_equal([[row["name"] for row in cpu["regs"]][:2] for cpu in rows], [["SCTLR_EL2", "SCTLR_EL1"]] * len(rows),
                     "a name without a level")
        only = host.kvmdbg.call("sysregs", "--el", 1)[0]["regs"]
        expect_equal({row["el"] for row in only}, {1}, "--el")
        host.kvmdbg.refused(1, "did you mean SCTLR_EL", "sysregs", "SCTRL_EL2")
        host.kvmdbg.refused(1, "no register of EL1", "sysregs", "--el", 1, "HCR_EL2")
        expect("over EL1&0 (guest)" in host.kvmdbg.text("sysregs", "--cpu", host.cpu, "HCR_EL2"), "text")
    else:
        expect_equal((outside["CR3"], inside["CR3"]), ("host", "guest"), "whose CR3")
        host.kvmdbg.refused(1, "did you mean RFLAGS", "sysregs", "EFLAGS")
        host.kvmdbg.refused(2, "no exception levels", "sysregs", "--el", 1)


def goes_on(host):
    """Nothing is left behind: the machine works."""
    host.kvmdbg.text("detach")
    expect("alive" in host.machine.output("echo alive"), "the machine's shell")


def main():
    args = harness.parser(__doc__, cpu="", arch="arm64", kernel="6.1", qemu="7.2", mode=None).parse_args()
    tap = harness.Tap(args.only)
    with harness.on_machine(Host, args) as host:
        tap.cases(f"/step/{args.arch}/{args.kernel}/", (
            round_trip, changes, *([fills] if args.arch == "x86_64" else []), functions, conditions, refusals, at_rest, exclusive, rules, guests_address, code, vectors,
            system_registers, goes_on), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
