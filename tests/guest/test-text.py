#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The code of a real host beside its file's: every difference explained, whatever tracer is on, and no other byte.

The witnesses are the kernel's own files (enabled_functions, current_tracer), and bytes that the test changes itself.
"""

import json
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal, number  # noqa: E402

TRACING = "/sys/kernel/tracing"
# In a module where KVM is one.
FUNCTION = "kvm_vcpu_ioctl"
# Functions of a module.
OF_MODULE = {"arm64": "ovl_*", "x86_64": "svm_*"}
# To load where KVM is none.
MODULES = {"arm64": "overlay"}


class Host:
    def __init__(self, args):
        self.temp = tempfile.TemporaryDirectory(prefix="kvmdbg-text.")
        more = self.add_module(args) if args.arch in MODULES else {}
        self.machine = machines.boot(arch=args.arch, kernel=args.kernel, qemu=args.qemu, mode=args.mode or None, smp=args.smp,
                                     append=args.append, **more)
        self.kvmdbg = harness.Kvmdbg(args.build)
        if more:
            self.machine.output(f"insmod /modules/{MODULES[args.arch]}.ko")
        done = self.kvmdbg.attach(self.machine, *(["--debug-dir", self.temp.name] if more else []))
        expect(done.status == 0, str(done))

    def add_module(self, args):
        """An initrd that has a module too, where the machine would load none; its file in our folder."""
        name = MODULES[args.arch] + ".ko"
        data = machines.assets.debug_module(args.arch, args.kernel, MODULES[args.arch]).read_bytes()
        made = machines.assets.initrd(args.arch, machines.assets.kernel(args.arch, args.kernel))
        folder = pathlib.Path(self.temp.name)
        (folder / name).write_bytes(data)
        # The kernel unpacks one archive behind the other.
        initrd = (made / "initrd").read_bytes()
        initrd += b"\0" * (-len(initrd) % 4) + machines.assets.cpio({f"modules/{name}": (0o100644, data)})
        (folder / "initrd").write_bytes(initrd)
        return {"initrd": folder / "initrd"}

    def close(self):
        self.kvmdbg.close()
        self.machine.close()
        self.temp.cleanup()

    def shell(self, *commands):
        """Output of each of them in the machine, which is stopped again when they are done."""
        self.kvmdbg.call("cont")
        out = [self.machine.output(command) for command in commands]
        self.kvmdbg.call("stop")
        return out

    def text(self, *args):
        """What `text` says, and its exit status, which must be that of its answer."""
        done = self.kvmdbg.run("--json", "text", *args)
        expect(done.status in (0, 1) and done.out, str(done))
        found = json.loads(done.out)
        expect_equal(done.status, 0 if found["nr_unexplained"] == 0 else 1, "exit status")
        return found


def whole(host):
    """All code, or what is not explained of it."""
    found = host.text("--all")
    expect(found["ok"] and not found["differences"] and not found["tables_missing"] and not found["not_compared"],
           f"{found!r:.3000}")
    return found


def off(host):
    found = whole(host)
    expect(found["bytes"] > 4 << 20, f"{found}")
    loaded = {row["name"] for row in host.kvmdbg.call("modules")}
    expect_equal({part["module"] for part in found["ranges"]} - {None}, loaded, "modules")
    expect(found["causes"].get("alternative") and found["causes"].get("ftrace"), f"{found}")


def changed(host):
    """One byte of a function that no table has, and one of each kind of place that the kernel patches itself."""
    insns = host.kvmdbg.call("dis", FUNCTION)["insns"]
    text = host.text(FUNCTION)
    known = [range(number(row["addr"]), number(row["addr"]) + row["length"]) for row in text["differences"]]
    plain = next(insn for insn in reversed(insns)
                 if not insn.get("was") and not any(number(insn["addr"]) in part for part in known))
    places = {"unexplained": number(plain["addr"])}
    for cause in host.text("--all")["causes"]:
        if cause != "relocation":
            row = host.text("--all", "--cause", cause)["differences"][0]
            places[cause] = number(row["addr"]) + row["length"] - 1
    for cause, place in places.items():
        old = bytes.fromhex(host.kvmdbg.call("mem", hex(place), "1")["bytes"])
        # No instruction of a patched place has this bit another way.
        new = bytes([old[0] ^ 0x20])
        host.kvmdbg.call("write", hex(place), "--bytes", new.hex())
        try:
            found = host.text("--all")
        finally:
            host.kvmdbg.call("write", hex(place), "--bytes", old.hex())
        rows = [(number(row["addr"]), row["length"]) for row in found["differences"]]
        # All of a place that the kernel patches is in doubt then.
        expect(any(addr <= place < addr + length for addr, length in rows) and
               all(abs(addr - place) < 64 for addr, _ in rows) and not found["ok"],
               f"{cause}: a byte changed at {place:#x}: {found['differences']}")
    whole(host)


def tracer(host, name):
    host.shell(f"[ -e {TRACING}/current_tracer ] || mount -t tracefs nodev {TRACING}",
               f"echo {name} > {TRACING}/current_tracer")
    try:
        whole(host)
    finally:
        host.shell(f"echo nop > {TRACING}/current_tracer")
    whole(host)


def ftrace(host):
    """Who traces what, by the kernel's own lists."""
    found = host.kvmdbg.call("ftrace", "--all")
    expect_equal((found["tracers"][0]["tracer"], found["nr_patched"], found["graph"]), ("nop", 0, []), "without a tracer")
    for name in ("function", "function_graph"):
        enabled = host.shell(f"[ -e {TRACING}/current_tracer ] || mount -t tracefs nodev {TRACING}",
                             f"echo 'vfs_*' > {TRACING}/set_ftrace_filter",
                             f"echo '{OF_MODULE[host.machine.arch]}' >> {TRACING}/set_ftrace_filter", f"echo {name} > {TRACING}/current_tracer",
                             f"cat {TRACING}/enabled_functions")[-1]
        try:
            found = host.kvmdbg.call("ftrace", "--all")
            whole(host)
        finally:
            host.shell(f"echo nop > {TRACING}/current_tracer", f"echo > {TRACING}/set_ftrace_filter")
        wanted = sorted(line.split()[0] for line in enabled.splitlines() if line.strip())
        expect(len(wanted) > 10 and "[" in enabled, f"{name}: {enabled!r}")
        expect_equal(found["tracers"][0]["tracer"], name, "tracer")
        expect_equal(sorted(row["symbol"] for row in found["functions"]), wanted, f"{name}: functions")
        expect_equal(found["nr_patched"], len(wanted), f"{name}: patched")
        expect(all(row["ops"] and "ftrace" in row["calls_symbol"] for row in found["functions"]), f"{found['functions'][:3]}")
        expect(any(ops["nr_filter"] == len(wanted) for ops in found["ops"]), f"{name}: {found['ops']!r:.500}")
        graph = [pair["entry_symbol"] for pair in found["graph"]]
        expect_equal(graph, ["trace_graph_entry"] if name == "function_graph" else [], "graph")
    row, = host.kvmdbg.call("ftrace", "vfs_read")["functions"]
    expect(row["symbol"] == "vfs_read" and "calls" not in row, f"{row}")


def marks(host):
    """`dis` says what may be patched where, and how it stands: a tracer's call, a jump that a sysctl switches."""
    def sites(function, cause):
        return [site["detail"] for insn in host.kvmdbg.call("dis", function)["insns"] for site in insn.get("sites", [])
                if site["cause"] == cause]

    if host.machine.arch == "arm64":
        states = [site for function in ("__schedule", "kvm_vcpu_ioctl", "do_futex", "try_to_wake_up")
                  for site in sites(function, "alternative") if "Virtualization Host Extensions" in site]
        expect(states and all(site.endswith(": not chosen") == (host.machine.mode != "vhe") for site in states), f"{states}")
    host.shell("echo 0 > /proc/sys/kernel/sched_schedstats")
    expect_equal(sites("vfs_read", "ftrace"), ["off"], "without a tracer")
    labels = [label for label in sites("__schedule", "jump label") if label.startswith("sched_schedstats ")]
    expect(labels and all("is off" in label for label in labels), f"{labels}")
    host.shell("echo 1 > /proc/sys/kernel/sched_schedstats", f"echo vfs_read > {TRACING}/set_ftrace_filter",
               f"echo function > {TRACING}/current_tracer")
    try:
        expect_equal(sites("vfs_read", "ftrace"), ["calls ftrace_caller, for global_ops (function_trace_call)"], "with the tracer")
        changed_labels = [label for label in sites("__schedule", "jump label") if label.startswith("sched_schedstats ")]
        expect_equal(changed_labels, [label.replace("is off", "is on") for label in labels], "jump labels")
        whole(host)
    finally:
        host.shell(f"echo nop > {TRACING}/current_tracer", f"echo > {TRACING}/set_ftrace_filter",
                   "echo 0 > /proc/sys/kernel/sched_schedstats")


def probes(host):
    """Probes of the kernel's own, one inside a function, one at its start."""
    insns = host.kvmdbg.call("dis", "vfs_read")["insns"]
    offset = number(insns[6]["addr"]) - number(insns[0]["addr"])
    host.shell(f"[ -e {TRACING}/current_tracer ] || mount -t tracefs nodev {TRACING}",
               f"echo 'p:inside vfs_read+{offset}' > {TRACING}/kprobe_events",
               f"echo 'p:start vfs_write' >> {TRACING}/kprobe_events",
               f"echo 1 > {TRACING}/events/kprobes/enable", "sleep 1")
    try:
        whole(host)
        row, = host.text("vfs_read", "--cause", "kprobe")["differences"]
        expect(number(row["addr"]) == number(insns[6]["addr"]) and row["detail"], f"{row}")
        marks = {insn["addr"]: insn.get("sites", []) for insn in host.kvmdbg.call("dis", "vfs_read")["insns"]}
        expect(any(site["cause"] == "kprobe" and "kprobe_dispatcher" in site["detail"] for site in marks[insns[6]["addr"]]),
               f"{marks}")
    finally:
        host.shell(f"echo 0 > {TRACING}/events/kprobes/enable", f"echo > {TRACING}/kprobe_events", "sleep 1")
    whole(host)


def refusals(host):
    host.kvmdbg.refused(2, "either", "text", "--all", FUNCTION)
    host.kvmdbg.refused(1, "no function", "text", "0x1000")


def no_files(host):
    """Nothing to compare with is no answer."""
    host.kvmdbg.text("detach")
    done = host.kvmdbg.attach_bare(host.machine)
    expect(done.status == 0, str(done))
    host.kvmdbg.refused(1, "no file to compare with", "text", "--all")


def main():
    args = harness.parser(__doc__, arch="arm64", kernel="6.1", qemu="7.2", mode=None, append="", smp=2).parse_args()
    tap = harness.Tap(args.only)
    where = f"/text/{args.arch}/{args.kernel}/"
    with harness.on_machine(Host, args) as host:
        tap.cases(where, (off, changed, ftrace, marks, probes, refusals), host)
        for name in ("function", "function_graph"):
            tap.case(where + name, tracer, host, name)
        tap.cases(where, (no_files,), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
