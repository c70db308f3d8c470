#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`print` on a real KVM host, beside gdb on the same stop.

Whole structures are compared leaf by leaf: each number, pointer, enumerator and string that kvmdbg
shows is asked of gdb by the same path. kvmdbg goes first and is killed, not detached, so that the
machine stays at the stop that gdb then sees.
"""

import pathlib
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import Failure, expect, expect_equal, number  # noqa: E402

GUESTS = "nested.vms=1 nested.vcpus=2 nested.idle=1"
MASK = (1 << 64) - 1
# Of an array: gdb takes milliseconds for each value.
FEW = ("--limit", "5")

# The same text to both.
EXPRESSIONS = [
    "sizeof(struct kvm)", "sizeof(struct task_struct)", "&((struct kvm_vcpu *)0)->arch", "init_task.pid",
    "init_task.tasks.next", "&init_task.comm[3]", "&init_task.tasks", "vm_list.next", "jiffies_64 / 7 % 1000", "jiffies / 7 % 1000",
    "nr_cpu_ids << 3 | 1", "__per_cpu_offset[1] - __per_cpu_offset[0]", "__per_cpu_offset[1] >> 5",
    "(char)init_task.comm[0]", "(unsigned char)-1", "(short)0x18000", "-7 / 2", "~0UL ^ 0xff",
    "init_task.pid == 0 && nr_cpu_ids > 1", "init_task.mm ? 1 : 2", "&init_task + 2", "(unsigned long)&init_task + 2",
    "*(unsigned long *)&init_task.tasks", "(struct list_head *)vm_list.next == &vm_list", "!init_task.mm",
    "init_task.thread_info.cpu", "PIDTYPE_PGID + 1", "linux_banner[2]", "'K' + 1",
]


def leaves(value, path):
    """(path, value) of every scalar in a tree that print --json made."""
    if isinstance(value, dict):
        if set(value) & {"omitted", "unreadable"}:
            return
        for name, inner in value.items():
            # BTF has arrays of arrays in one dimension, and gdb reads DWARF.
            if name != "__memslots":
                yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    # Numbers of 128 bits are none to gdb's Python.
    elif value not in (None, "{...}") and "vregs[" not in path:
        yield path, value


def is_number(value):
    return not isinstance(value, str) or re.fullmatch(r"-?\d+|0x[0-9a-f]+", value)


def is_enumerator(value):
    """Also of text that looks like one: see Stop.see()."""
    return isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*( \| [A-Z][A-Z0-9_]*)*", value)


class Stop:
    """One stop, seen by kvmdbg first and by gdb then."""

    def __init__(self, args):
        self.machine = machines.boot(kernel=args.kernel, qemu=args.qemu, mode=args.mode, append=GUESTS)
        self.mode = args.mode
        linked = harness.elf_symbols(self.machine.vmlinux, ["_stext"])["_stext"]
        line = self.machine.output("grep -w _stext /proc/kallsyms")
        self.offset = int(line.split()[0], 16) - linked
        self.thread = self.stop_in_kernel()
        self.kvmdbg = harness.Kvmdbg(args.build)

    def stop_in_kernel(self, timeout=300):
        """Stop when a CPU runs the host kernel, whose memory gdb reads through it; its number for gdb."""
        level = {"vhe": "2", "nvhe": "1"}[self.mode]
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.machine.monitor("stop")
            text = self.machine.monitor("human-monitor-command", **{"command-line": "info registers -a"})
            for cpu, part in enumerate(text.split("CPU#")[1:]):
                pc = int(re.search(r"PC=([0-9a-f]+)", part)[1], 16)
                if pc >> 48 == 0xffff and re.search(r"\bEL(\d)", part)[1] == level:
                    return cpu + 1
            self.machine.monitor("cont")
            time.sleep(0.02)
        raise Failure(f"no CPU in the kernel in {timeout} s")

    def see(self):
        """Everything of kvmdbg, then everything of gdb: it reads the vmlinux only once."""
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))
        call = self.kvmdbg.call
        self.numbers = {text: call("print", text) for text in EXPRESSIONS}
        self.bad = {text: self.kvmdbg.run("print", text) for text in BAD}
        kvm = "container_of(vm_list.next, struct kvm, vm_list)"
        self.kvm = number(call("print", kvm)["value"])
        self.trees = {
            "init_task": call("print", "init_task", *FEW),
            f"(*(struct kvm *){self.kvm:#x})": call("print", f"*(struct kvm *){self.kvm:#x}", *FEW),
        }
        for text in ("per_cpu(runqueues, 1)", f"*((struct kvm *){self.kvm:#x})->memslots[0]",
                     f"*per_cpu(runqueues, {self.thread - 1}).curr"):
            tree = call("print", text, *FEW)
            self.trees[f"(*({tree['type']} *){tree['address']})"] = tree
        self.runqueue = call("print", "per_cpu(runqueues, 1)")
        self.comm = call("print", "per_cpu(runqueues, 1).curr->comm")
        self.banner = call("print", "(char *)linux_banner", "--limit", "1000")
        self.formats = {letter: self.kvmdbg.text("print", f"/{letter}", "init_task.flags").strip() for letter in "xdot"}
        self.kvmdbg.close()
        rq = "((struct rq *)((unsigned long)&runqueues + __per_cpu_offset[1]))"
        values = [("int", text) for text in EXPRESSIONS]
        values += [("int", rq), ("string", f"{rq}->curr->comm"), ("string", "(char *)linux_banner"), ("int", "init_task.flags")]
        for base, tree in self.trees.items():
            for path, value in leaves(tree["value"], base):
                if is_enumerator(value):
                    values += [("int", name) for name in value.split(" | ")]
                values.append(("int" if is_number(value) or is_enumerator(value) else "string", path))
        print(f"# {len(values)} values")
        self.gdb = harness.gdb_ask(self.machine, self.offset, self.thread, list(dict.fromkeys(values)),
                                   timeout=900)["values"]
        self.rq = rq

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def differs(self, path, value):
        """What gdb says of PATH when it is not VALUE; None when both agree."""
        theirs = self.gdb[path]
        if is_number(value):
            return None if number(value) & MASK == theirs else theirs
        if is_enumerator(value):
            names = [self.gdb[name] for name in value.split(" | ")]
            return None if all(isinstance(n, int) for n in names) and sum(names) & MASK == theirs else theirs
        # Of a text, no more than --limit is shown.
        return None if isinstance(theirs, str) and theirs.startswith(value.replace('\\"', '"')) else theirs


def expressions(stop):
    wrong = []
    for text, got in stop.numbers.items():
        wanted, value = stop.gdb[text], got["value"]
        if not is_number(value):
            value = got["number"]
        if isinstance(wanted, dict) or number(value) & MASK != wanted:
            wrong.append(f"{text}: {got['value']!r}, gdb {wanted!r}")
    expect(not wrong, "\n".join(wrong))


def structure(stop, base):
    tree = stop.trees[base]
    count, wrong = 0, []
    for path, value in leaves(tree["value"], base):
        count += 1
        theirs = stop.differs(path, value)
        if theirs is not None:
            wrong.append(f"{path}: {value!r}, gdb {theirs!r}")
    expect(not wrong, f"{len(wrong)} of {count} differ\n" + "\n".join(wrong[:20]))
    expect(count > 8, f"only {count} values in {base}")
    print(f"# {count} values of {tree['type']}")


def per_cpu(stop):
    expect_equal(number(stop.runqueue["address"]), stop.gdb[stop.rq], "address of per_cpu(runqueues, 1)")
    expect_equal(stop.comm["value"], stop.gdb[f"{stop.rq}->curr->comm"], "per_cpu(runqueues, 1).curr->comm")


def text(stop):
    wanted = stop.gdb["(char *)linux_banner"]
    expect_equal(stop.banner["string"].replace("\\n", "\n"), wanted, "string of linux_banner")
    flags = stop.gdb["init_task.flags"]
    expect_equal(stop.formats, {"x": f"{flags:#x}", "d": str(flags), "o": f"0{flags:o}", "t": f"0b{flags:b}"}, "formats")


# Expression -> what its one line must say.
BAD = {
    "init_task.comn": r"column 11: .*comn.*did you mean .*comm.*init_task\.\^comn",
    "init_taks": r"column 1: .*init_taks.*init_task",
    "(struct task_strct *)0": r"column 2: .*task_struct",
    "1 +": r"column 4: .*1 \+\^",
    "1 / (nr_cpu_ids - nr_cpu_ids)": r"column 3: division by zero",
    "init_task.comm[99]": r"column 16: .*99",
    "init_task.pid = 1": r"column 15: .*never writes",
    "runqueues": r"per_cpu\(runqueues, CPU\)",
    "per_cpu(runqueues, 99)": r"99",
    "((struct kvm *)8)->users_count": r"0x[0-9a-f]+.*not mapped",
    "$x77": r"column 1: .*x77",
    "do_exit(1)": r"column 1: .*cannot be called",
}


def bad_words(stop):
    for text_, done in stop.bad.items():
        lines = done.err.strip().splitlines()
        expect_equal(done.status, 1, str(done))
        expect(len(lines) == 1 and lines[0].startswith("kvmdbg: print: "), f"not one line: {done}")
        expect(re.search(BAD[text_], lines[0]), f"print {text_}: {lines[0]}")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2", mode="vhe").parse_args()
    tap = harness.Tap(args.only and f"{args.only}|/see$")
    prefix = f"/print/{args.kernel}/qemu-{args.qemu}/{args.mode}/"
    with harness.on_machine(Stop, args) as stop:
        if tap.case(prefix + "see", stop.see):
            tap.cases(prefix, (expressions, per_cpu, text, bad_words), stop)
            for base, tree in stop.trees.items():
                tap.case(prefix + "structure/" + tree["type"].replace(" ", "-"), structure, stop, base)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
