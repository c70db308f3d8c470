#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules of a real x86-64 host: a file of another build, a damaged list, one that is unloaded meanwhile.

The witnesses: /sys/kernel/btf and /proc/kallsyms read in the machine, and the build-ids in the files.
"""

import hashlib
import pathlib
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import Failure, expect, expect_equal, number  # noqa: E402

NOWHERE = "0x4141414141414142"
SECONDS_MAX = 1


class Host:
    def __init__(self, args):
        self.args = args
        self.machine = machines.boot(arch="x86_64", kernel=args.kernel, qemu=args.qemu, append="nested.vms=1 nested.vcpus=1")
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.debug = self.machine.kernel / "debug"
        self.sums = {}
        for name in ("kvm", "kvm_amd", "vmlinux"):
            self.sums[name] = self.machine.output(f"md5sum /sys/kernel/btf/{name}").split()[0]
        self.attach()

    def attach(self, folder=None):
        done = self.kvmdbg.run("--json", "attach", self.machine.gdb, "--qmp", self.machine.qmp, "--vmlinux",
                               self.machine.vmlinux, "--debug-dir", folder or self.debug, "--name", "test")
        expect(done.status == 0, str(done))

    def struct(self, name):
        module, = self.kvmdbg.call("modules", name)
        return f"((struct module *){module['module']})"

    def value(self, expression):
        return number(self.kvmdbg.call("print", expression)["value"])

    def btf_of(self, module):
        """Where the kernel keeps the BTF of MODULE, and how much: by its own list, an element at a time."""
        node = self.value("((struct list_head *)&btf_modules)->next")
        for _ in range(100):
            at = f"container_of((struct list_head *){node:#x}, struct btf_module, list)"
            if self.value(f"{at}->module") == module:
                return self.value(f"{at}->btf->data"), self.value(f"{at}->btf->data_size")
            node = self.value(f"((struct list_head *){node:#x})->next")
        raise Failure(f"no BTF of {module:#x}")

    def close(self):
        self.kvmdbg.close()
        self.machine.close()


def btf(host):
    """The bytes kvmdbg takes for a module's BTF are those that the kernel shows of it."""
    for name in ("kvm", "kvm_amd"):
        start, size = host.btf_of(number(host.kvmdbg.call("modules", name)[0]["module"]))
        memory = host.kvmdbg.call("mem", start, size)
        expect(not memory["holes"], f"holes {memory['holes']}")
        expect_equal(hashlib.md5(bytes.fromhex(memory["bytes"])).hexdigest(), host.sums[name], f"{name}: {size} bytes")


def wrong_file(host):
    """A file of another build is refused for that module alone, and both build-ids are told."""
    other = machines.assets.kernel("x86_64", "6.12" if host.args.kernel == "6.1" else "6.1") / "debug" / "kvm.ko"
    right = host.debug / "kvm-amd.ko"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(other, folder)
        shutil.copy(right, folder)
        host.kvmdbg.text("detach", "--stopped")
        host.attach(folder)
        kvm, = host.kvmdbg.call("modules", "kvm")
        expect_equal((kvm["file"], kvm["lines_from"], kvm["symbols_from"], kvm["types_from"]),
                     (None, None, "kallsyms", "btf"), "kvm")
        for file in (other, host.debug / "kvm.ko"):
            expect(harness.elf_build_id(file) in kvm["why"], f"{kvm['why']} lacks {harness.elf_build_id(file)}")
        text = host.kvmdbg.text("modules", "kvm")
        expect(harness.elf_build_id(other) in text, text)
        amd, = host.kvmdbg.call("modules", "kvm_amd")
        expect_equal((amd["file"], amd["lines_from"]), (str(pathlib.Path(folder) / "kvm-amd.ko"), "dwarf"), "kvm_amd")
        lines = {name: host.kvmdbg.call("sym", name)["symbols"][0].get("line", 0) for name in ("kvm_vcpu_ioctl", "svm_set_cr0")}
        expect(not lines["kvm_vcpu_ioctl"], f"lines of a file of another build: {lines}")
        expect(host.kvmdbg.call("vms"), "vms")
        host.kvmdbg.text("detach", "--stopped")
    host.attach()


def answers(host):
    """What must be the same again; not what has been opened of modules meanwhile."""
    modules = [{**module, "debug": None} for module in host.kvmdbg.call("modules")]
    return [modules, *(host.kvmdbg.text(*words.split()) for words in ("vms", "bt -a"))]


def damage(host, place, value, check):
    before = answers(host)
    names = {name: host.struct(name) for name in ("kvm", "kvm_amd")}
    written = host.kvmdbg.call("write", "--size", 8, "&" + place.format(**names), value.format(**names))
    try:
        for words in ("modules", "modules kvm", "vms", "vcpus", "bt -a", "ps", "sym schedule", "type 'struct kvm'"):
            done = host.kvmdbg.run(*words.replace("'", "").split(maxsplit=1))
            expect(done.seconds < SECONDS_MAX, f"{words}: {done.seconds:.1f} s")
            lines = done.err.strip().splitlines()
            expect(done.status == 0 or (len(lines) == 1 and lines[0].startswith("kvmdbg: ")), str(done))
        check(host)
    finally:
        host.kvmdbg.text("write", written["addr"], "--bytes", written["old"])
    expect_equal(answers(host), before, "after all was put back")


def cut(pattern):
    """The list ends early: that is said with the list, and with names that one of the others may have."""
    def check(host):
        done = host.kvmdbg.run("modules")
        expect(pattern in done.out + done.err and (done.status == 1 or "not all: " in done.out), f"{done}: {done.out}")
        done = host.kvmdbg.refused(1, "the list of modules", "sym", "kvm_arch_vcpu_ioctl_rum")
        expect(pattern in done.err, str(done))
        host.kvmdbg.refused(1, "the list of modules", "type", "struct vcpu_swm")
    return check


def going(host):
    module, = host.kvmdbg.call("modules", "kvm")
    expect_equal((module["state"], module["symbols_from"]), ("going", "kallsyms"), "kvm")


def no_symbols(host):
    module, = host.kvmdbg.call("modules", "kvm")
    expect_equal(module["symbols_from"], None, "symbols_from")
    expect("symtab" in module["symbols_why"] or "0x41414141" in module["symbols_why"], module["symbols_why"])
    expect(module["symbols_why"] in host.kvmdbg.text("modules", "kvm"), "why in text")
    # Its neighbour still has them.
    host.kvmdbg.text("sym", "svm_set_cr0")


DAMAGES = [
    ("head-to-nowhere", "modules.next", NOWHERE, cut("0x4141")),
    ("list-to-nowhere", "{kvm_amd}->list.next", NOWHERE, cut("0x4141")),
    ("list-loops", "{kvm_amd}->list.next", "&{kvm_amd}->list", cut("loop")),
    ("list-back", "{kvm}->list.next", "&{kvm_amd}->list", cut("loop")),
    ("half-unloaded", "{kvm}->state", "(*(unsigned long *)&{kvm}->state & ~0xffffffffUL) | 2", going),
    ("no-symbol-table", "{kvm}->kallsyms", NOWHERE, no_symbols),
]


def unloaded(host):
    """Unloaded while the session goes on: nothing of it is left, until it is loaded again, elsewhere or not."""
    before, = host.kvmdbg.call("modules", "kvm_amd")
    symbol = host.kvmdbg.call("sym", "svm_set_cr0")["symbols"][0]["addr"]
    host.kvmdbg.text("cont")
    shell = host.machine.output
    shell("kill -9 $(pidof nested); sleep 1; true")
    shell("rmmod kvm_amd")
    host.kvmdbg.text("stop")
    expect("kvm_amd" not in [module["name"] for module in host.kvmdbg.call("modules")], "kvm_amd is still there")
    host.kvmdbg.refused(1, "no module", "modules", "kvm_amd")
    host.kvmdbg.refused(1, "no symbol", "sym", "svm_set_cr0")
    expect("svm_" not in host.kvmdbg.run("sym", symbol).out, f"sym {symbol}")
    expect_equal(host.kvmdbg.call("vms"), [], "vms")
    host.kvmdbg.text("cont")
    shell("insmod $(find / -name kvm-amd.ko | head -1)")
    wanted = int(shell("grep -w svm_set_cr0 /proc/kallsyms").split()[0], 16)
    host.kvmdbg.text("stop")
    after, = host.kvmdbg.call("modules", "kvm_amd")
    expect_equal((after["build_id"], after["file"]), (before["build_id"], before["file"]), "kvm_amd")
    expect_equal(number(host.kvmdbg.call("sym", "svm_set_cr0")["symbols"][0]["addr"]), wanted, "svm_set_cr0")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2").parse_args()
    tap = harness.Tap(args.only)
    prefix = f"/modules/{args.kernel}/qemu-{args.qemu}/"
    with harness.on_machine(Host, args) as host:
        tap.cases(prefix, (btf, wrong_file), host)
        for name, *row in DAMAGES:
            tap.case(prefix + "damage/" + name, damage, host, *row)
        tap.cases(prefix, (unloaded,), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
