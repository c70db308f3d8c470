#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kvmdbg on a real KVM host with guests inside, beside witnesses that are not kvmdbg.

The witnesses: what the nested guests said on the console, /proc read in the machine while it ran, gdb
on the same stop, QEMU's monitor. The machine is stopped through QMP, so that gdb and kvmdbg, which
cannot share the stub, see one and the same stop one after the other.
"""

import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import Failure, expect, expect_equal, number  # noqa: E402

# Two VMs of two busy vCPUs and one that waits; more to run than there are CPUs.
GUESTS = "nested.vms=2 nested.vcpus=2 nested.idle=1"


# What differs by instruction set: registers, who marks the guest, which functions a vCPU thread goes through, and
# where kernel stacks end.
ARCHES = {
    "arm64": {
        "registers": harness.REGISTERS, "pc": "pc", "tag": "x19", "other_kernel": "arm64",
        "path": ("kvm_arch_vcpu_ioctl_run", "kvm_vcpu_ioctl", "el0t_64_sync"),
        "ends": ("el0t_64_sync", "el0t_64_irq", "ret_from_fork", "__secondary_switched", "__primary_switched",
                 "start_kernel", "primary_entry", "vectors", "ret_to_user"),
        "unwind": ("cfi", "frame pointers"),
    },
    "x86_64": {
        "registers": ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)), "rip",
                      "eflags"], "pc": "rip", "tag": "rbx",
        "path": ("kvm_arch_vcpu_ioctl_run", "kvm_vcpu_ioctl", "entry_SYSCALL_64"),
        "ends": ("entry_SYSCALL_64", "ret_from_fork", "ret_from_fork_asm", "common_startup_64", "secondary_startup_64",
                 "secondary_startup_64_no_verify", "entry_SYSRETQ_unsafe_stack", "common_interrupt_return",
                 "swapgs_restore_regs_and_return_to_usermode", "syscall_return_via_sysret"),
        "unwind": ("orc", "orc"),
    },
}


class Host:
    """One booted machine, what was read inside it, and one stop seen by QEMU and gdb."""

    def __init__(self, args):
        self.args = args
        self.files = True  # until attached to without
        self.machine = machines.boot(arch=args.arch, kernel=args.kernel, qemu=args.qemu, mode=args.mode, append=GUESTS)
        args.mode = self.machine.mode
        self.arch = ARCHES[args.arch]
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.witness = self.machine.witness
        self.vms = self.witness["vms"]
        self.vcpus = [vcpu for vm in self.vms for vcpu in vm["vcpus"]]
        self.inside = self._read_inside()
        self.cpus = self.stop_where(lambda kinds: "guest" in kinds and "kernel" in kinds)
        self.gdb = self._ask_gdb()

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def _read_inside(self):
        """What the machine's own /proc says, of things that stay."""
        shell = self.machine.output
        processes = {}
        for line in shell("for p in /proc/[0-9]*; do echo ${p#/proc/} $(cat $p/comm); done; true").splitlines():
            pid, _, comm = line.strip().partition(" ")
            if comm and not comm.startswith("kworker"):
                processes[int(pid)] = comm
        sleeping = [self.witness["sleeper"]["pid"], *(vm["pid"] for vm in self.vms),
                    *(vcpu["tid"] for vcpu in self.vcpus if vcpu["idle"])]
        kallsyms, labels = {}, {}
        stacks = {pid: shell(f"cat /proc/{pid}/stack") for pid in sleeping}
        names = sorted({name for text in stacks.values() for name in re.findall(r"\] (\S+?)\+0x", text)})
        # One pass: the machine has other things to do, and its table 150,000 lines.
        wanted = ("_stext", "schedule", "kvm_vcpu_ioctl", "do_sys_poll", "linux_banner")
        for line in shell("grep -F -w " + " ".join(f"-e {name}" for name in {*names, *wanted}) + " /proc/kallsyms").splitlines():
            words = line.split()
            labels.setdefault(words[2], int(words[0], 16))
            if words[2] in wanted and len(words) == 3:
                kallsyms[words[2]] = int(words[0], 16)
        modules = [line.split() for line in shell("cat /proc/modules").splitlines()]
        sections = {}
        for module in self.machine.info["modules"]:
            folder = f"/sys/module/{module.replace('-', '_')}/sections"
            sections[module] = [line.removeprefix(folder + "/").split(":") for line in
                                shell(f"grep -r . {folder}").splitlines()]
        return {
            "release": shell("uname -r").strip(),
            "processes": processes,
            "stacks": stacks,
            "labels": labels,
            "modules": {words[0]: (int(words[1]), int(words[5], 16)) for words in modules},
            "sections": sections,
            "kallsyms": kallsyms,
            "code": shell("grep -v '\\[' /proc/kallsyms | grep ' [tTwW] ' | cut -d' ' -f1,3 | md5sum").split()[0],
            "all": shell("grep -v '\\[' /proc/kallsyms | cut -d' ' -f1,3 | md5sum").split()[0],
            "log": [re.sub(r"^\[ *[\d.]+\] ", "", line) for line in shell("dmesg").splitlines() if line],
        }

    @property
    def has_data(self):
        """Whether the kernel's kallsyms has more than code (CONFIG_KALLSYMS_ALL)."""
        return "linux_banner" in self.inside["kallsyms"]

    @property
    def offset(self):
        """How far KASLR moved the kernel, by the machine's own kallsyms."""
        linked = harness.elf_symbols(self.machine.vmlinux, ["_stext"])["_stext"]
        return self.inside["kallsyms"]["_stext"] - linked

    def kinds(self):
        """Where each CPU is, by QEMU's monitor: [(kind, pc)]; kind is guest, kernel, hyp or user."""
        text = self.machine.monitor("human-monitor-command", **{"command-line": "info registers -a"})
        found = []
        for part in text.split("CPU#")[1:]:
            first = self.vms[0]
            if self.args.arch == "x86_64":
                pc = int(re.search(r"RIP=([0-9a-f]+)", part)[1], 16)
                inside = first["pc_lo"] <= pc < first["pc_hi"]
                found.append(("guest" if inside else "user" if "CPL=3" in part else "kernel", pc))
                continue
            pc = int(re.search(r"PC=([0-9a-f]+)", part)[1], 16)
            level = re.search(r"\bEL(\d)", part)[1]
            if first["pc_lo"] <= pc < first["pc_hi"] and level == "1":
                kind = "guest"
            elif level == "0":
                kind = "user"
            elif level == "2" and self.args.mode == "nvhe":
                kind = "hyp"
            else:
                kind = "kernel"
            found.append((kind, pc))
        return found

    def stop_where(self, wanted, timeout=300):
        """Stop the machine at a moment when wanted(kinds of all CPUs)."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.machine.monitor("stop")
            cpus = self.kinds()
            if wanted([kind for kind, _ in cpus]):
                return cpus
            self.machine.monitor("cont")
            time.sleep(0.02)
        raise Failure(f"no stop of the wanted kind in {timeout} s")

    def _ask_gdb(self):
        """Everything the cases want of gdb, in one go: reading the vmlinux takes it seconds."""
        kernel_cpu = [kind for kind, _ in self.cpus].index("kernel") + 1
        values = [("int", text) for text in (
            "&linux_banner", "&init_task", "&vm_list", "&__per_cpu_offset[0]",
            "__per_cpu_offset[0]", "__per_cpu_offset[1]", "&kvm_running_vcpu", "sizeof(struct kvm)",
            "sizeof(struct kvm_vcpu)", "sizeof(struct task_struct)", "&((struct kvm *)0)->vm_list",
            "&((struct kvm_vcpu *)0)->arch", "&((struct task_struct *)0)->comm", "init_task.pid",
            "init_task.tasks.next", "vm_list.next", "jiffies_64", "nr_cpu_ids")]
        if "kvm-amd" in self.machine.info["modules"]:
            values += [("int", text) for text in ("sizeof(struct vcpu_svm)", "&((struct vcpu_svm *)0)->vmcb")]
        values += [("string", "init_task.comm"),
                   ("bytes", ("(unsigned long)&linux_banner", 64))]
        values[-1] = ("text", "x/64xb &linux_banner")
        return harness.gdb_ask(self.machine, self.offset, kernel_cpu, values, self.arch["registers"],
                               setup=self._gdb_modules())

    def _gdb_modules(self):
        """Commands that tell gdb of KVM's modules, by what sysfs says of their sections."""
        for module, sections in self.inside["sections"].items():
            places = {name: address for name, address in sections}
            file = self.machine.kernel / "debug" / f"{module}.ko"
            yield f"add-symbol-file {file} {places.pop('.text')} " + " ".join(
                f"-s {name} {address}" for name, address in places.items() if not name.startswith((".init", ".note")))

    def value(self, text):
        value = self.gdb["values"][text]
        if isinstance(value, dict):
            raise Failure(f"gdb has no {text}: {value['error']}")
        return value

    def print_number(self, expression):
        """The number that `print` shows for EXPRESSION: the last one on its line."""
        text = self.kvmdbg.text("print", expression)
        numbers = re.findall(r"0x[0-9a-f]+|\b\d+\b", re.sub(r"<[^>]*>|\([^)]*\)", "", text))
        expect(numbers, f"print {expression}: no number in {text!r}")
        return int(numbers[-1], 0)


def attach(host):
    done = host.kvmdbg.attach(host.machine)
    expect(done.status == 0, str(done))


def attach_without_files(host):
    """The same stop, with nothing but the machine: what was said before must be said again."""
    host.agreed = {words: answer(host, words) for words in AGREE}
    host.kvmdbg.text("detach", "--stopped")
    host.files = False
    attach_bare(host)


def attach_bare(host):
    done = host.kvmdbg.attach_bare(host.machine)
    expect(done.status == 0, str(done))


def status(host):
    got = host.kvmdbg.call("status")
    expect_equal(got["session"], "test", "session")
    expect_equal(got["state"], "stopped", "state")
    expect_equal(got["arch"], host.args.arch, "arch")
    expect_equal(got["ncpus"], 2, "ncpus")
    expect_equal(got["qemu"]["pid"], host.machine.process.pid, "qemu.pid")
    expect_equal(got["qemu"]["accel"], "tcg", "qemu.accel")
    version = host.machine.monitor("query-version")["qemu"]
    expect(got["qemu"]["version"].startswith(f"{version['major']}.{version['minor']}"),
           f"qemu.version {got['qemu']['version']}")
    kernel = got["kernel"]
    expect_equal(kernel["release"], host.inside["release"], "kernel.release")
    expect_equal(kernel["build_id"], harness.elf_build_id(host.machine.vmlinux), "kernel.build_id")
    expect_equal(number(kernel["kaslr_offset"]), host.offset, "kernel.kaslr_offset")
    expect_equal([kernel[f"{what}_from"] for what in ("symbols", "types", "lines", "unwind")],
                 ["elf", "btf", "dwarf", host.arch["unwind"][0]] if host.files else
                 ["kallsyms", "btf", None, host.arch["unwind"][1]], "sources")
    expect_equal(kernel["image"], str(host.machine.vmlinux) if host.files else None, "kernel.image")
    expect_equal(got["memory"]["path"], "direct", f"memory.path ({got['memory'].get('why')})")


def registers(host):
    for cpu, wanted in zip(host.kvmdbg.call("regs"), host.gdb["threads"], strict=True):
        kind, pc = host.cpus[cpu["cpu"]]
        level = {"guest": 1, "user": 0, "hyp": 2, "kernel": 2 if host.args.mode == "vhe" else 1}[kind]
        if host.args.arch == "x86_64":
            level = 3 if kind == "user" else 0
        expect_equal(cpu["el"], level, f"cpu {cpu['cpu']} el")
        expect_equal(number(cpu["regs"][host.arch["pc"]]), pc, f"cpu {cpu['cpu']} pc")
        for name, value in wanted.items():
            expect_equal(number(cpu["regs"][name]), value, f"cpu {cpu['cpu']} {name}")


def vms(host):
    got = {vm["pid"]: vm for vm in host.kvmdbg.call("vms")}
    expect_equal(sorted(got), sorted(vm["pid"] for vm in host.vms), "pids of VMs")
    for wanted in host.vms:
        vm = got[wanted["pid"]]
        expect_equal((vm["comm"], vm["vcpus"], vm["memslots"]),
                     (wanted["comm"], len(wanted["vcpus"]), len(wanted["slots"])), f"vm {vm['id']}")
    expect(len({vm["id"] for vm in got.values()}) == len(got), "VMs share an id")
    # vm_list is the kernel's own list: its first entry is one of ours.
    first = host.value("vm_list.next") - host.value("&((struct kvm *)0)->vm_list")
    expect(first in [number(vm["kvm"]) for vm in got.values()], f"{first:#x} is no VM")


def vcpus(host):
    got = {vcpu["pid"]: vcpu for vcpu in host.kvmdbg.call("vcpus")}
    expect_equal(sorted(got), sorted(vcpu["tid"] for vcpu in host.vcpus), "tids of vCPUs")
    ids = {vm["pid"]: vm["id"] for vm in host.kvmdbg.call("vms")}
    for vm in host.vms:
        for wanted in vm["vcpus"]:
            vcpu = got[wanted["tid"]]
            expect_equal((vcpu["vm"], vcpu["id"], vcpu["comm"]),
                         (ids[vm["pid"]], wanted["vcpu"], wanted["comm"]), f"vCPU {wanted['tid']}")
            if wanted["idle"]:
                expect_equal((vcpu["loaded"], vcpu["cpu"], vcpu["in_guest"]), (False, -1, False),
                             f"waiting vCPU {wanted['tid']}")
    # Who is in the guest is told by registers that only our guest sets.
    for cpu, (kind, pc) in enumerate(host.cpus):
        inside = [vcpu for vcpu in got.values() if vcpu["cpu"] == cpu and vcpu["in_guest"]]
        expect_equal(len(inside), 1 if kind == "guest" else 0, f"vCPUs in the guest on cpu {cpu}")
        if kind != "guest":
            continue
        tag = host.gdb["threads"][cpu][host.arch["tag"]]
        wanted = next(vcpu for vcpu in host.vcpus if vcpu[host.arch["tag"]] == tag)
        expect_equal(inside[0]["pid"], wanted["tid"], f"vCPU on cpu {cpu}")
        expect_equal(number(inside[0]["pc"]), pc, f"pc on cpu {cpu}")
        expect(inside[0]["loaded"], f"cpu {cpu}: in the guest and not loaded")
    for vcpu in got.values():
        expect(host.vms[0]["pc_lo"] <= number(vcpu["pc"]) < host.vms[0]["pc_hi"],
               f"vCPU {vcpu['pid']}: pc {vcpu['pc']} is outside the guest's code")


def memslots(host):
    ids = {vm["id"]: vm["pid"] for vm in host.kvmdbg.call("vms")}
    got = sorted((ids[slot["vm"]], slot["id"], number(slot["gpa"]), slot["size"], number(slot["hva"]),
                  number(slot["flags"]) & 3) for slot in host.kvmdbg.call("memslots"))
    wanted = sorted((vm["pid"], slot["slot"], slot["gpa"], slot["size"], slot["hva"], slot["flags"])
                    for vm in host.vms for slot in vm["slots"])
    expect_equal(got, wanted, "memslots")


def read(host, address, size):
    got = host.kvmdbg.call("mem", address, size)
    expect(not got["holes"], f"{address}: holes {got['holes']}")
    return bytes.fromhex(got["bytes"])


def words(data):
    return [int.from_bytes(data[n:n + 8], "little") for n in range(0, len(data), 8)]


def guest_memory(host):
    """The pattern that the guests wrote and the words that their program wrote for them."""
    ids = {vm["pid"]: vm["id"] for vm in host.kvmdbg.call("vms")}
    for vm in host.vms:
        space = f"vm:{ids[vm['pid']]}"
        for vcpu in vm["vcpus"]:
            got = words(read(host, f"{space}:{vm['pattern'] + 64 * vcpu['vcpu']:#x}", 64))
            expect_equal(got, [0x5aa55aa500000000 + n for n in range(8)], f"{space} pattern")
        slot = next(slot for slot in vm["slots"] if slot["slot"] == 1)
        wanted = [0x0badf00d00000000 + n for n in range(slot["size"] // 8)]
        expect_equal(words(read(host, f"{space}:{slot['gpa']:#x}", slot["size"])), wanted, f"{space} slot 1")
        expect_equal(words(read(host, f"user:{vm['pid']}:{slot['hva']:#x}", slot["size"])), wanted,
                     f"user:{vm['pid']} slot 1")


def kernel_memory(host):
    address = host.value("&linux_banner")
    wanted = bytes(int(word, 16) for word in re.findall(r"\b0x[0-9a-f]{2}\b", host.value("x/64xb &linux_banner")))
    expect_equal(len(wanted), 64, "gdb's bytes")
    expect_equal(read(host, f"{address:#x}", 64), wanted, "linux_banner")


def translate(host):
    """The physical address holds, by QEMU's own physical read, what gdb sees at the virtual one."""
    address = host.value("&linux_banner")
    got = host.kvmdbg.call("translate", f"{address:#x}")
    expect_equal(number(got["va"]), address, "va")
    expect(got["levels"], "no levels")
    text = host.machine.monitor("human-monitor-command",
                                **{"command-line": f"xp/8xb {number(got['pa']):#x}"})
    seen = bytes(int(word, 16) for word in re.findall(r"\b0x[0-9a-f]{2}\b", text))
    expect_equal(seen, read(host, f"{address:#x}", 8), "what QEMU has at the physical address")
    cpu = [kind for kind, _ in host.cpus].index("kernel")
    text = host.machine.monitor("human-monitor-command",
                                **{"command-line": f"gva2gpa {address:#x}", "cpu-index": cpu})
    expect_equal(number(got["pa"]), int(re.search(r"0x([0-9a-f]+)", text)[1], 16), "QEMU's gva2gpa")


def symbols(host):
    # Data by gdb, code by the machine's kallsyms: to gdb a function starts behind its patchable entry.
    wanted = {name: host.value("&" + name) for name in ("linux_banner", "init_task", "vm_list")}
    if not host.files and not host.has_data:
        del wanted["linux_banner"]
    for name, address in {**wanted, **host.inside["kallsyms"]}.items():
        text = host.kvmdbg.text("sym", name)
        expect(f"{address:x}" in text, f"sym {name}: {text!r}, wanted {address:#x}")
    for name, address in host.inside["kallsyms"].items():
        text = host.kvmdbg.text("sym", f"{address + 4:#x}")
        # _stext has other names at the same address.
        expect(name == "_stext" or re.search(rf"\b{name}\+0x4\b", text), f"sym of {name} + 4: {text!r}")


def types(host):
    for expression in ("sizeof(struct kvm)", "sizeof(struct kvm_vcpu)", "sizeof(struct task_struct)",
                       "&((struct kvm *)0)->vm_list", "&((struct kvm_vcpu *)0)->arch",
                       "&((struct task_struct *)0)->comm", "init_task.pid", "nr_cpu_ids",
                       "__per_cpu_offset[1]"):
        expect_equal(host.print_number(expression), host.value(expression), f"print {expression}")
    expect(f'"{host.value("init_task.comm")}"' in host.kvmdbg.text("print", "init_task.comm"),
           "print init_task.comm")
    text = host.kvmdbg.text("type", "-o", "struct kvm")
    expect(re.search(r"\bvm_list\b", text), f"type struct kvm: {text[:300]!r}")


def processes(host):
    got = {task["pid"]: task["comm"] for task in host.kvmdbg.call("ps")}
    for pid, comm in host.inside["processes"].items():
        # The shell's own commands have ended since.
        if comm in ("cat", "sh") and pid not in got:
            continue
        expect_equal(got.get(pid), comm, f"comm of pid {pid}")


def kernel_frames(trace):
    """The frames of TRACE without the last one, when that is where user space goes on."""
    frames = trace["frames"]
    return frames[:-1] if frames[-1]["space"].startswith("user") and len(frames) > 1 else frames


def sleeping_stacks(host):
    """Backtraces of sleeping tasks, frame by frame, against /proc/PID/stack."""
    for pid, text in host.inside["stacks"].items():
        trace, = host.kvmdbg.call("bt", pid)
        expect_equal(trace["pid"], pid, "pid")
        harness.expect_stack(kernel_frames(trace), text, host.inside["labels"], f"bt {pid}")
        for frame in trace["frames"]:
            expect(frame["how"] != "guess", f"bt {pid}: a guessed frame {frame}")


def cpu_stacks(host):
    traces = {trace["cpu"]: trace for trace in host.kvmdbg.call("bt", "-a") if trace["cpu"] >= 0}
    expect_equal(sorted(traces), [0, 1], "CPUs")
    for cpu, (kind, pc) in enumerate(host.cpus):
        frames = kernel_frames(traces[cpu])
        expect_equal(number(frames[0]["pc"]), pc, f"cpu {cpu} first frame")
        names = [frame["symbol"] for frame in frames]
        if kind == "guest" and host.args.mode != "nvhe":
            for wanted in host.arch["path"]:
                expect(any(name and name.startswith(wanted) for name in names), f"cpu {cpu}: no {wanted} in {names}")
        if kind == "kernel":
            expect(names[-1].startswith(host.arch["ends"]) or names[-1].startswith("asm_"),
                   f"cpu {cpu}: ends at {names[-1]}: {names}")
        unnamed = [frame["pc"] for frame in frames[1:] if not frame["symbol"] and number(frame["pc"]) >> 48]
        expect(not unnamed, f"cpu {cpu}: no symbol for {unnamed}")


def log(host):
    text = host.kvmdbg.text("log")
    at = 0
    for line in host.inside["log"]:
        found = text.find(line, at)
        expect(found >= 0, f"log lacks {line!r} (or has it earlier)")
        at = found


def percpu(host):
    text = host.kvmdbg.text("percpu", "kvm_running_vcpu")
    loaded = [vcpu["kvm_vcpu"] for vcpu in host.kvmdbg.call("vcpus") if vcpu["loaded"]]
    for address in loaded:
        expect(address.removeprefix("0x") in text, f"percpu kvm_running_vcpu lacks {address}: {text!r}")


def modules(host):
    """The list against /proc/modules, types that only a module has against gdb's reading of its file."""
    got = {module["name"]: module for module in host.kvmdbg.call("modules")}
    expect_equal({name: (module["size"], number(module["base"])) for name, module in got.items()},
                 host.inside["modules"], "modules")
    for module in host.machine.info["modules"]:
        name = module.replace("-", "_")
        file = host.machine.kernel / "debug" / f"{module}.ko"
        whole, = host.kvmdbg.call("modules", name)
        expect_equal((whole["symbols_from"], whole["types_from"], whole["file"], whole["build_id"]),
                     ("kallsyms", "btf", str(file) if host.files else None, harness.elf_build_id(file)), name)
    if "kvm_amd" in got:
        for expression in ("sizeof(struct vcpu_svm)", "&((struct vcpu_svm *)0)->vmcb"):
            expect_equal(host.print_number(expression), host.value(expression), f"print {expression}")
        host.kvmdbg.refused(1, "no module", "modules", "kvm_intel")
        if not host.files:
            return
        sources = {frame["symbol"]: frame["file"] for trace in host.kvmdbg.call("bt", "-a") for frame in trace["frames"]}
        expect(all(file for symbol, file in sources.items() if symbol and symbol.startswith("kvm_")), f"no lines: {sources}")


# What a machine without files says too.
AGREE = ("status", "vms", "vcpus", "memslots", "exits", "modules", "ps", "ps --threads", "log", "regs", "bt -a", "bt 1",
         "vcpu {vcpu}", "gpa {vcpu_vm} 0x40000000", "translate init_task", "translate schedule", "percpu kvm_running_vcpu",
         "percpu __preempt_count", "percpu runqueues.nr_running", "sym schedule", "sym kvm_vcpu_ioctl", "sym -r ^kvm_vm",
         "sym -r ^__per_cpu", "type 'struct kvm' -o", "type 'struct kvm_vcpu' -o", "type 'struct vcpu_svm' -o",
         "type 'enum pid_type'", "print '((struct task_struct *)&init_task)->tasks'", "print 'sizeof(struct kvm)'",
         "print '((struct list_head *)&vm_list)->next'", "print '*(int *)&nr_cpu_ids'",
         "print --list task_struct.tasks -m pid -m comm -- '((struct task_struct *)&init_task)->tasks'", "mem linux_banner 64")
# What needs a file, or says which.
FILES_SAY = {"image", "image_why", "debug", "symbols_from", "lines_from", "unwind_from", "lines", "line", "file", "section",
             "how", "n", "sp", "fp"}


# What only symbols of data say: not where the kernel was built without CONFIG_KALLSYMS_ALL.
NEEDS_DATA = {"sym -r ^kvm_vm", "sym -r ^__per_cpu", "mem linux_banner 64"}


def pruned(tree, what):
    """TREE without what only files know; of frames only those of whole functions."""
    if isinstance(tree, list):
        return [pruned(element, what) for element in tree if not (isinstance(element, dict) and element.get("inlined"))]
    if isinstance(tree, dict):
        # A CPU may be behind a label of assembly.
        gone = FILES_SAY | {"sym": {"size"}, "status": {"symbol"}}.get(what, set())
        return {name: pruned(value, what) for name, value in tree.items() if name not in gone}
    return tree


def answer(host, words):
    """What kvmdbg answers to a line of WORDS, without what only files know."""
    if not hasattr(host, "place"):
        first = host.kvmdbg.call("vcpus")[0]
        host.place = {"vcpu": f"{first['vm']}:{first['id']}", "vcpu_vm": first["vm"]}
    done = host.kvmdbg.run("--json", *shlex.split(words.format(**host.place)))
    return (done.status, done.err if done.status else pruned(json.loads(done.out), words.split()[0]))


def same_frame(host, one, other):
    """A label inside a function of assembly is a symbol of its own to kallsyms, not to a file.

    And only a file still has code that was for the boot alone.
    """
    one, other = dict(one), dict(other)
    for frame in (one, other):  # which of the thunks' names their place has
        frame["note"] = frame["note"] and re.sub(r"\b__x86_indirect_thunk_\w+", "thunk", frame["note"])
    if "in the file" in (one["note"] or ""):
        one["note"], one["proof"] = other["note"], other["proof"]
    if one["symbol"] != other["symbol"] and other["symbol"] in host.labels and other["offset"] < one["offset"]:
        one["symbol"], one["offset"] = other["symbol"], other["offset"]
    return one == other


def agree(host):
    """Every answer is the one that was given with files."""
    out = subprocess.run(["eu-readelf", "-s", str(host.machine.vmlinux)], stdout=subprocess.PIPE, check=True).stdout.decode()
    host.labels = {words[-1] for words in map(str.split, out.splitlines()) if len(words) > 7 and words[3] == "NOTYPE"}
    wrong = []
    for words in AGREE:
        if words in NEEDS_DATA and not host.has_data:
            continue
        one, other = host.agreed[words], answer(host, words)
        if words.startswith("bt") and one[0] == other[0] == 0:
            for a, b in zip(one[1], other[1]):
                if len(a["frames"]) == len(b["frames"]) and all(
                        same_frame(host, x, y) for x, y in zip(a["frames"], b["frames"])):
                    a["frames"] = b["frames"]
        found = harness.first_difference(one, other)
        if found:
            wrong.append(f"{words}{found}")
    expect(not wrong, "\n".join(wrong))


def all_symbols(host):
    """The whole table is the one the machine itself shows: the kernel's own part of /proc/kallsyms."""
    image, = pathlib.Path(host.kvmdbg.env["XDG_CACHE_HOME"]).rglob("*.memory.elf")
    base = harness.elf_symbols(image, ["_text", "_end"])
    whole, code, offset = [], [], host.offset
    for name, address, section in harness.elf_all_symbols(image):
        if base["_text"] <= address <= base["_end"]:
            address += offset
        whole.append(f"{address:016x} {name}\n")
        if section == ".text":
            code.append(whole[-1])
    expect(len(code) > 40000, f"{len(code)} symbols of code")
    expect_equal(hashlib.md5("".join(code).encode()).hexdigest(), host.inside["code"], f"{len(code)} symbols of code")
    if host.has_data:
        expect_equal(hashlib.md5("".join(whole).encode()).hexdigest(), host.inside["all"], f"{len(whole)} symbols")


def damaged_image(host):
    """A file in the cache that was cut or written to is made again; one that cannot be kept is done without."""
    image, = pathlib.Path(host.kvmdbg.env["XDG_CACHE_HOME"]).rglob("*.memory.elf")
    whole = image.read_bytes()
    for damage in (whole[:-100], whole[:1000] + b"?" + whole[1001:], b"", b"\x7fELF"):
        host.kvmdbg.text("detach", "--stopped")
        image.write_bytes(damage)
        attach_bare(host)
        expect_equal(image.read_bytes(), whole, "the file in the cache")
    host.kvmdbg.text("detach", "--stopped")
    image.unlink()
    image.mkdir()
    (image / "file").touch()
    attach_bare(host)
    expect_equal(answer(host, "vms"), host.agreed["vms"], "vms with no room in the cache")
    shutil.rmtree(image)
    done = host.kvmdbg.refused(2, "--no-files with --vmlinux", "attach", host.machine.gdb, "--no-files", "--vmlinux", "x",
                               "--name", "other")
    expect(done, "refused")


def syndromes(host):
    """Decoded as a command, and as `vcpu` has it beside the value that KVM keeps."""
    call = host.kvmdbg.call
    if host.args.arch == "arm64":
        for vcpu in call("vcpus"):
            found = call("vcpu", f"{vcpu['vm']}:{vcpu['id']}")["groups"].get("fault", {}).get("ESR_EL2")
            if found and number(found["value"]):
                expect_equal(call("esr", found["value"])["text"], found["text"], f"ESR_EL2 of vCPU {vcpu['pid']}")
        expect_equal(call("esr", "0xf2000800")["class"], "BRK (AArch64)", "class")
        register = call("esr", "$ESR_EL1" if host.args.mode == "nvhe" else "$ESR_EL2")
        expect(register["kind"] == "ESR", f"{register}")
    else:
        expect_equal(call("esr", "7")["text"], "write of a present page by user: P|W|U", "esr 7")
    host.kvmdbg.refused(1, "bad digit", "esr", "0xzz")
    host.kvmdbg.refused(1, "no symbol", "esr", "zzz")
    host.kvmdbg.refused(2, "another space", "esr", "phys:1")
    host.kvmdbg.refused(2, "VALUE", "esr")


DRGN = """
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.pid import for_each_task
tasks = [[task.pid.value_(), task.tgid.value_(), task.comm.string_().decode(), hex(task.value_()), hex(task.stack.value_())]
         for task in for_each_task(prog)]
modules = [[module.name.string_().decode(), hex(module.value_())]
           for module in list_for_each_entry("struct module", prog["modules"].address_of_(), "list")]
running = [per_cpu(prog["runqueues"], cpu).nr_running.value_() for cpu in for_each_possible_cpu(prog)]
vms = None
if sys.argv[3:]:
    vms = [[hex(vm.value_()), vm.created_vcpus.value_(), vm.userspace_pid.value_()]
           for vm in list_for_each_entry("struct kvm", prog["vm_list"].address_of_(), "vm_list")]
json.dump({"tasks": tasks, "modules": modules, "running": running, "vms": vms, "jiffies": prog["jiffies_64"].value_()},
          sys.stdout)
"""


def beside_drgn(host):
    """Tasks, modules, VMs and per-CPU data as drgn reads them from a dump of this very stop."""
    call = host.kvmdbg.call
    with tempfile.TemporaryDirectory() as folder:
        dump = harness.dump_with_note(host.machine, call, pathlib.Path(folder))
        # Debian's drgn knows no struct module of 6.4 and later.
        modules = host.machine.info["modules"] if host.args.kernel == "6.1" else []
        files = [host.machine.kernel / "debug" / f"{module}.ko" for module in modules]
        drgn = harness.drgn_ask(dump, [host.machine.vmlinux, *files], DRGN)
    # Kernel threads have longer names elsewhere, which `ps` prefers.
    got = sorted([task["pid"], task["tgid"], task["comm"][:15], task["task"], task["stack"]]
                 for task in call("ps", "--threads") if task["pid"])
    expect_equal(got, sorted(drgn["tasks"]), "tasks")
    expect_equal([[module["name"], module["module"]] for module in call("modules")], drgn["modules"], "modules")
    if modules:
        expect_equal(sorted([vm["kvm"], vm["vcpus"], vm["pid"]] for vm in call("vms")), sorted(drgn["vms"]), "vms")
    expect_equal([cpu["value"] for cpu in call("percpu", "runqueues.nr_running")], drgn["running"], "runqueues.nr_running")
    expect_equal(number(call("print", "jiffies_64")["value"]), drgn["jiffies"], "jiffies_64")


def bad_words(host):
    host.kvmdbg.refused(2, "vmz.*vms", "vmz")
    host.kvmdbg.refused(2, "wrong", "vms", "--wrong")
    host.kvmdbg.refused(1, "kvm_vcpu_ioctk.*kvm_vcpu_ioctl", "sym", "kvm_vcpu_ioctk")
    host.kvmdbg.refused(1, "kvm_vcpux", "type", "struct kvm_vcpux")
    host.kvmdbg.refused(1, "comn.*comm", "print", "init_task.comn" if host.files else
                        "((struct task_struct *)&init_task)->comn")
    if not host.files:
        host.kvmdbg.refused(1, "no known type.*cast", "print", "init_task")
        host.kvmdbg.refused(1, "no source|no lines|no line", "list", "schedule")
    host.kvmdbg.refused(1, "not mapped: outside", "mem", "0xdead000000000000", "8")


def detach(host):
    """What was stopped before kvmdbg came is left to the one who stopped it; then it runs on."""
    host.kvmdbg.text("detach")
    host.machine.monitor("cont")
    counters(host)


def counters(host):
    """The guests go on: their counters, read in the machine, move."""
    expect(host.machine.monitor("query-status")["running"], "the machine does not run")
    expect_equal(host.machine.output("echo alive").strip(), "alive", "shell")


def attach_running(host):
    """Attach to a running machine stops it, detach lets it run."""
    done = host.kvmdbg.attach(host.machine)
    expect(done.status == 0, str(done))
    expect(not host.machine.monitor("query-status")["running"], "attach did not stop the machine")
    expect_equal(host.kvmdbg.call("status")["state"], "stopped", "state")
    host.kvmdbg.text("cont")
    counters(host)
    host.kvmdbg.text("stop")
    expect(not host.machine.monitor("query-status")["running"], "stop did not stop the machine")
    host.kvmdbg.text("detach")
    counters(host)


def wrong_vmlinux(host):
    other = machines.assets.kernel(host.args.arch, "6.12" if host.args.kernel == "6.1" else "6.1") / "vmlinux"
    ours = harness.elf_build_id(host.machine.vmlinux)
    done = host.kvmdbg.refused(1, harness.elf_build_id(other), "attach", host.machine.gdb, "--qmp",
                               host.machine.qmp, "--vmlinux", other, "--name", "test")
    expect(ours in done.err and "--force" in done.err, f"names not both ids and --force: {done}")
    counters(host)
    forced_vmlinux(host, other, ours)


def forced_vmlinux(host, other, ours):
    """With --force it is attached to as well as can be: nothing but one line for what cannot be read."""
    for _ in range(100):
        done = host.kvmdbg.run("--json", "attach", host.machine.gdb, "--qmp", host.machine.qmp, "--vmlinux", other,
                               "--name", "test", "--force")
        if done.status == 0:
            break
        # All CPUs were in guests, or at EL2 without VHE.
        expect(done.status == 1 and "another stop" in done.err, str(done))
        time.sleep(0.05)
    expect(done.status == 0, str(done))
    kernel = json.loads(done.out)["kernel"]
    expect_equal((kernel["release"], kernel["build_id"], kernel["file_build_id"]),
                 (host.inside["release"], ours, harness.elf_build_id(other)), "kernel")
    linked = harness.elf_symbols(other, ["_text"])["_text"] - harness.elf_symbols(host.machine.vmlinux, ["_text"])["_text"]
    expect_equal(number(kernel["kaslr_offset"]), host.offset - linked, "kaslr_offset")
    text = host.kvmdbg.text("status")
    expect("of another kernel" in text and kernel["file_build_id"] in text, text)
    for words in ("vms", "vcpus", "memslots", "ps", "ps --threads", "bt -a", "bt 1", "log", "print init_task",
                  "percpu runqueues", "exits", "modules", "vcpu 0:0", "gpa 0 0x40000000", "regs", "list schedule",
                  "translate init_task", "mem _text"):
        done = host.kvmdbg.run(*words.split())
        lines = done.err.strip().splitlines()
        expect(done.status == 0 or (done.status == 1 and len(lines) == 1 and lines[0].startswith("kvmdbg: ")), str(done))
    host.kvmdbg.text("detach")
    counters(host)


def killed_daemon(host):
    """After a daemon's death with a breakpoint set the next attach cleans up."""
    done = host.kvmdbg.attach(host.machine)
    expect(done.status == 0, str(done))
    host.kvmdbg.text("break", "kvm_vcpu_ioctl")
    for pid in host.kvmdbg.processes():
        os.kill(pid, signal.SIGKILL)
    # Until it is gone the kernel takes connections for it.
    deadline = time.monotonic() + 10
    while host.kvmdbg.processes() and time.monotonic() < deadline:
        time.sleep(0.01)
    done = host.kvmdbg.attach(host.machine)
    expect(done.status == 0, str(done))
    expect_equal(host.kvmdbg.call("breaks"), [], "breakpoints after the daemon's death")
    host.kvmdbg.text("detach")
    counters(host)


def no_permission(host):
    """Root without CAP_SYS_PTRACE may not look into a process that has it."""
    prefix = ["setpriv", "--bounding-set=-sys_ptrace"]
    with harness.Kvmdbg(host.args.build, prefix=prefix) as denied:
        done = denied.attach(host.machine)
        expect(done.status == 0, str(done))
        memory = denied.call("status")["memory"]
        expect(memory["path"] != "direct", f"memory.path {memory}")
        expect(re.search("permi", memory["why"]), f"memory.why {memory}")
        expect_equal(sorted(vm["pid"] for vm in denied.call("vms")), sorted(vm["pid"] for vm in host.vms), "vms")
        denied.text("detach")
    counters(host)


def killed_qemu(host):
    done = host.kvmdbg.attach(host.machine)
    expect(done.status == 0, str(done))
    host.machine.process.kill()
    host.machine.process.wait()
    host.kvmdbg.refused(3, "", "mem", f"{host.value('&linux_banner'):#x}", "8")


BARE = [status, agree, all_symbols, vms, vcpus, guest_memory, kernel_memory, translate, symbols, modules, processes,
        sleeping_stacks, cpu_stacks, log, percpu, damaged_image, bad_words]
STOPPED = [attach, status, registers, vms, vcpus, memslots, guest_memory, kernel_memory, translate, symbols,
           types, modules, processes, sleeping_stacks, cpu_stacks, log, percpu, syndromes, bad_words]
RUNNING = [detach, attach_running, wrong_vmlinux, killed_daemon, no_permission, killed_qemu]


def main():
    args = harness.parser(__doc__, arch="arm64", kernel="6.1", qemu="7.2", mode=None).parse_args()
    # What comes behind it needs that.
    tap = harness.Tap(args.only and f"{args.only}|/attach$")
    prefix = f"/host/{args.arch}/{args.kernel}/qemu-{args.qemu}/{args.mode}/"
    with harness.on_machine(Host, args) as host:
        attached = tap.case(prefix + "attach", attach, host)
        # Debian's drgn reads dumps of x86-64 only.
        for case in STOPPED[1:] + ([beside_drgn] if args.arch == "x86_64" else []):
            name = prefix + case.__name__.replace("_", "-")
            if attached:
                tap.case(name, case, host)
            else:
                tap.skip(name, "attach failed")
        bare = attached and tap.case(prefix + "no-files/attach", attach_without_files, host)
        for case in BARE:
            name = prefix + "no-files/" + case.__name__.replace("_", "-")
            if bare:
                tap.case(name, case, host)
            else:
                tap.skip(name, "attach failed")
        host.files = True
        if not attached:
            host.machine.monitor("cont")
        for case in RUNNING:
            name = prefix + case.__name__.replace("_", "-")
            if case is no_permission and os.getuid():
                tap.skip(name, "needs root")
            else:
                tap.case(name, case, host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
