#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writing to a real host, and what is said of a kernel whose lists and pointers were damaged.

The witnesses of what was written: QEMU's monitor on the same stop, and /proc in the machine afterwards.
"""

import pathlib
import re
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal  # noqa: E402

NOWHERE = "0x4141414141414142"
SECONDS_MAX = 1


class Host:
    def __init__(self, args):
        self.machine = machines.boot(kernel=args.kernel, qemu=args.qemu, mode=args.mode)
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.attach()

    def attach(self):
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def monitor(self, line):
        return self.machine.monitor("human-monitor-command", **{"command-line": line})

    def physical(self, address, size):
        """Bytes at a physical address, by QEMU's monitor."""
        text = self.monitor(f"xp /{size}xb {address:#x}")
        return bytes(int(byte, 16) for byte in re.findall(r"\b0x([0-9a-f]{2})\b", text))

    def register(self, cpu, name):
        part = self.monitor("info registers -a").split("CPU#")[cpu + 1]
        return int(re.search(rf"\b{name}=([0-9a-f]+)", part)[1], 16)


# --- a dump ---

def in_core(path, place, size):
    """Bytes of a physical address, by the core file's headers."""
    with open(path, "rb") as core:
        head = core.read(64)
        offset, step, count = struct.unpack("<Q", head[32:40])[0], *struct.unpack("<HH", head[54:58])
        for n in range(count):
            core.seek(offset + n * step)
            kind, _, start, _, physical, length = struct.unpack("<IIQQQQ", core.read(40))
            if kind == 1 and physical <= place < physical + length:
                core.seek(start + place - physical)
                return core.read(size)
    return None


def dump(host):
    """The machine in a file, at any stop; what stands in the way is told, and leaves no file."""
    path = host.kvmdbg.dir / "vmcore"
    place = int(host.kvmdbg.call("translate", "linux_banner")["pa"], 0)
    moved = []
    for _ in range(6):
        result = host.kvmdbg.call("dump", path)
        expect_equal((result["file"], result["format"], result["size"]), (str(path), "elf", path.stat().st_size), "result")
        moved.append(result["moved"])
        # Also where QEMU's own headers are wrong, with CPUs whose vectors are not of one length.
        expect_equal(in_core(path, place, 64), host.physical(place, 64), f"the banner, moved {moved}")
        host.kvmdbg.refused(1, "is there already", "dump", path)
        path.unlink()
        host.kvmdbg.run("cont", "--timeout-ms", 50)
        host.kvmdbg.text("stop")
    print(f"# headers were wrong by {moved}")
    host.kvmdbg.refused(2, "no format", "dump", "--format", "zip", path)
    host.kvmdbg.refused(1, "No such file", "dump", host.kvmdbg.dir / "nowhere" / "vmcore")
    host.kvmdbg.text("cont")
    host.kvmdbg.refused(1, "running", "dump", path)
    host.kvmdbg.text("stop")
    expect(not path.exists(), "a file of a refused dump")


# --- writing ---

def kernel_memory(host):
    shell = host.machine.output
    result = host.kvmdbg.call("write", "--size", 4, "console_printk", 3)
    expect_equal((result["space"], result["size"], result["new"]), ("kernel", 4, "03000000"), "write")
    place = int(host.kvmdbg.call("translate", "console_printk")["pa"], 0)
    expect_equal(host.physical(place, 4), bytes([3, 0, 0, 0]), "as the monitor has it")
    old = int.from_bytes(bytes.fromhex(result["old"]), "little")
    text = host.kvmdbg.text("write", "--size", 4, "console_printk", 5)
    expect("0x00000003 → 0x00000005" in text, text)
    host.kvmdbg.text("detach")
    expect_equal(shell("cat /proc/sys/kernel/printk").split()[0], "5", "as the kernel has it")
    host.attach()
    host.kvmdbg.text("write", "--size", 4, "console_printk", old)


def other_spaces(host):
    """The bytes of the guest's second slot, as VM, user and physical memory."""
    slot = next(slot for slot in host.kvmdbg.call("memslots") if slot["size"] >= 0x2000
                and "READONLY" not in slot["flag_names"])
    where = slot["gpa"]
    place = host.kvmdbg.call("gpa", 0, where)
    physical = int(place["hva_pa"], 0)
    before = host.physical(physical, 4)
    result = host.kvmdbg.call("write", f"vm:0:{where}", "--bytes", "00112233")
    expect_equal((result["old"], result["space"]), (before.hex(), "vm:0"), "write vm:0")
    expect_equal(host.physical(physical, 4), bytes.fromhex("00112233"), "vm:0")
    result = host.kvmdbg.call("write", f"user:{place['pid']}:{place['hva']}", "--size", 1, -1, 0x7f)
    expect_equal((result["old"], result["new"]), ("0011", "ff7f"), "write user")
    expect_equal(host.physical(physical, 4), bytes.fromhex("ff7f2233"), "user")
    host.kvmdbg.text("write", f"phys:{physical:#x}", "--bytes", before.hex())
    expect_equal(host.physical(physical, 4), before, "phys")


def register(host):
    cpu = 1
    old = host.register(cpu, "X20")
    result = host.kvmdbg.call("write", "--cpu", cpu, "--reg", "x20", 0x1122334455667788)
    expect_equal(result, {"cpu": cpu, "reg": "x20", "old": f"{old:#x}", "new": "0x1122334455667788"}, "write")
    expect_equal(host.register(cpu, "X20"), 0x1122334455667788, "x20")
    host.kvmdbg.text("write", "--cpu", cpu, "--reg", "x20", old)
    expect_equal(host.register(cpu, "X20"), old, "x20 put back")


def refused(host):
    refuse = host.kvmdbg.refused
    refuse(1, "dropped the write: VBAR_EL2 still is 0x", "write", "--reg", "VBAR_EL2", 0)
    # The UART: physical, but no RAM. Then behind the end of RAM.
    refuse(1, "0x9000000 is not RAM", "write", "phys:0x9000000", "--size", 4, 1)
    end = 0x40000000 + (1 << 30)
    before = host.physical(end - 8, 8)
    refuse(1, "is not RAM", "write", f"phys:{end - 8:#x}", "--size", 8, 1, 2)
    expect_equal(host.physical(end - 8, 8), before, "nothing is written of a range that is not all there")
    refuse(1, "not mapped", "write", "0x0", "--size", 4, 1)
    refuse(1, "no VM 7", "write", "vm:7:0", "--size", 4, 1)
    refuse(1, "devices|cannot read", "write", "cpu:0:init_task", "--size", 4, 1)
    refuse(1, "no register", "write", "--reg", "x99", 1)
    refuse(1, "cpsr has 32 bits", "write", "--reg", "cpsr", "0x100000000")
    refuse(2, "does not fit", "write", "console_printk", "--size", 1, 256)
    refuse(2, "--size", "write", "console_printk", 1)
    refuse(2, "hex", "write", "console_printk", "--bytes", "0g")
    host.kvmdbg.text("cont")
    refuse(1, "running", "write", "console_printk", "--size", 4, 1)
    host.kvmdbg.text("stop")


# --- damage ---

FIRST_TASK = ("((struct task_struct *)((long)init_task.tasks.next - "
              "offsetof(struct task_struct, tasks)))")
SLOTS = "{kvm}->memslots[0]->gfn_tree.rb_node"
NODE = "((struct xa_node *)((long){kvm}->vcpu_array.xa_head & ~3))"
ALL = ("vms", "vcpus", "memslots", "ps", "bt -a", "status", "vcpu 0:0", "exits")

# Name, what is written where, and the commands whose answer is no whole one: "partial" has something and says
# that it is not all, "fails" has nothing. All others answer as ever.
DAMAGES = [
    ("vm-list-loops", "{kvm}->vm_list.next", "&{kvm}->vm_list.next", {"partial": "vms vcpus memslots exits"}),
    ("vm-list-to-nowhere", "vm_list.next", NOWHERE, {"fails": "vms vcpus memslots exits vcpu"}),
    ("vm-list-null", "vm_list.next", "0", {"fails": "vms vcpus memslots exits vcpu"}),
    ("task-list-loops", FIRST_TASK + "->tasks.next", "init_task.tasks.next",
     {"partial": "ps vms vcpus memslots exits"}),
    ("task-list-cut", "init_task.tasks.next", "&init_task.tasks", {"partial": "ps vms vcpus memslots exits"}),
    ("task-list-to-nowhere", "init_task.tasks.next", NOWHERE, {"partial": "ps vms vcpus memslots exits"}),
    ("thread-list-loops", "{vmm}->signal->thread_head.next->next", "{vmm}->signal->thread_head.next",
     {"partial": "ps vcpus exits"}),
    ("vcpu-to-nowhere", NODE + "->slots[1]", "0xffff800000000128", {"partial": "vcpus exits"}),
    ("vcpu-array-to-nowhere", "{kvm}->vcpu_array.xa_head", NOWHERE,
     {"partial": "vms memslots exits", "fails": "vcpus vcpu"}),
    ("vcpu-pid-to-nowhere", "{vcpu}->pid", NOWHERE, {"partial": "vcpus exits"}),
    ("memslots-to-nowhere", SLOTS, NOWHERE, {"partial": "vms vcpus exits", "fails": "memslots"}),
    ("memslots-loop-left", SLOTS + "->rb_left", SLOTS, {"partial": "vms vcpus exits", "fails": "memslots"}),
    ("memslots-loop-right", SLOTS + "->rb_right", SLOTS, {"partial": "vms vcpus exits memslots"}),
    ("memslots-null", "{kvm}->memslots[0]", "8", {"partial": "vms vcpus exits", "fails": "memslots"}),
]


def kind(done, command):
    """How a command answered: whole, partial or fails."""
    expect(done.seconds < SECONDS_MAX, f"{command}: {done.seconds:.1f} s")
    expect(done.status in (0, 1), str(done))
    if done.status == 1:
        lines = done.err.strip().splitlines()
        expect(len(lines) == 1 and lines[0].startswith("kvmdbg: "), str(done))
        return "fails"
    return "partial" if "not all: " in done.out else "whole"


def damage(host, place, value, wanted):
    before = {command: host.kvmdbg.text(*command.split()) for command in ALL}
    vm, = host.kvmdbg.call("vms")
    vmm = next(task for task in host.kvmdbg.call("ps") if task["pid"] == vm["pid"])
    names = {"kvm": f"((struct kvm *){vm['kvm']})", "vmm": f"((struct task_struct *){vmm['task']})",
             "vcpu": f"((struct kvm_vcpu *){host.kvmdbg.call('vcpus')[0]['kvm_vcpu']})"}
    written = host.kvmdbg.call("write", "--size", 8, "&" + place.format(**names), value.format(**names))
    try:
        for command in ALL:
            done = host.kvmdbg.run(*command.split())
            name = command.split()[0]
            answer = kind(done, command)
            rows = done.out.splitlines()
            expect(len(rows) == len(set(rows)) or name != "ps", f"{command}: a line twice:\n{done.out}")
            expect_equal(answer, next((answer for answer, those in wanted.items() if name in those.split()), "whole"),
                         f"{command}: {done.err}{done.out}")
    finally:
        host.kvmdbg.text("write", written["addr"], "--bytes", written["old"])
    for command in ALL:
        expect_equal(host.kvmdbg.text(*command.split()), before[command], f"{command} after all was put back")


def damaged_stack(host):
    """A frame record that leads to itself, or to nowhere."""
    pid = host.machine.witness["sleeper"]["pid"]
    trace, = host.kvmdbg.call("bt", pid)
    record = int(next(frame["fp"] for frame in trace["frames"][4:] if not frame["inlined"]), 0)
    for address, value, ends in ((record, record, ("user",)), (record + 8, NOWHERE, ("broken", "user")),
                                 (record + 8, 0, ("broken", "user"))):
        written = host.kvmdbg.call("write", f"{address:#x}", "--size", 8, value)
        try:
            done = host.kvmdbg.run("--json", "bt", pid)
            expect_equal(kind(done, "bt"), "whole", str(done))
            broken = host.kvmdbg.call("bt", pid)[0]
            expect(broken["end"] in ends and len(broken["frames"]) <= len(trace["frames"]), f"{broken}")
        finally:
            host.kvmdbg.text("write", written["addr"], "--bytes", written["old"])
    expect_equal(host.kvmdbg.call("bt", pid), [trace], "bt after all was put back")


def alive(host):
    host.kvmdbg.text("detach")
    expect_equal(host.machine.output("echo here").strip(), "here", "the machine's shell")
    expect("Oops" not in host.machine.output("dmesg"), "the kernel met the damage")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2", mode="vhe").parse_args()
    tap = harness.Tap(args.only)
    prefix = f"/write/{args.kernel}/qemu-{args.qemu}/{args.mode}/"
    with harness.on_machine(Host, args) as host:
        tap.cases(prefix, (dump, kernel_memory, other_spaces, register, refused), host)
        for name, *row in DAMAGES:
            tap.case(prefix + "damage/" + name, damage, host, *row)
        tap.case(prefix + "damage/stack", damaged_stack, host)
        tap.cases(prefix, (alive,), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
