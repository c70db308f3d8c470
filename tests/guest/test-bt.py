#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Backtraces at random stops of a real host with guests: no frame unexplained, with and without tracers.

The witnesses: /proc/PID/stack, read in the machine, for tasks that sleep; for CPUs the call instruction in
front of each return address, and that each stack ends where stacks end; gdb, where return addresses are not
signed.
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

# More to run than there are CPUs, so that stops fall into the scheduler too.
GUESTS = "nested.vms=2 nested.vcpus=2 nested.idle=1"
BOOT = ("arch_call_rest_init", "start_kernel", "__primary_switched", "x86_64_start_kernel", "x86_64_start_reservations")
ENDS = ("user", "thread", "boot")
TRACING = "/sys/kernel/tracing"
WAY_STEPS = 160


class Host:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        append = f"{GUESTS}{' arm64.nopauth' if args.unsigned else ''} {args.append}"
        self.machine = machines.boot(arch=args.arch, kernel=args.kernel, qemu=args.qemu, mode=args.mode,
                                     append=append, cpu=args.cpu or None)
        self.kvmdbg = harness.Kvmdbg(args.build)
        witness = self.machine.witness
        self.sleepers = [witness["sleeper"]["pid"], *(vm["pid"] for vm in witness["vms"])]

        self.labels = {}
        self.files = True

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def attach(self):
        done = self.kvmdbg.attach(self.machine) if self.files else self.kvmdbg.attach_bare(self.machine)
        expect(done.status == 0, str(done))

    def detach(self):
        self.kvmdbg.text("detach")


def describe(trace):
    frames = [f"#{frame['n']} {frame['pc']} {frame['symbol']}+{frame['offset']:#x} [{frame['how']}, {frame['proof']}] "
              f"{frame['note']}" for frame in trace["frames"] if not frame["inlined"]]
    head = f"cpu {trace['cpu']}, pid {trace['pid']}, {trace['context']}, end {trace['end']}: {trace['end_note']}"
    return "\n".join([head, *frames])


def check(trace, files=True):
    """Every frame but the first is proven, and the stack ends where one does."""
    real = [frame for frame in trace["frames"] if not frame["inlined"]]
    expect(trace["end"] in ENDS, describe(trace))
    for frame in real[1:]:
        # What was only for the boot is in a file or nowhere.
        if frame["symbol"] in BOOT and not files:
            continue
        expect(frame["proof"] != "none" and frame["how"] != "guess", describe(trace))
    # Files are named by their place in the tree, those of assembly too.
    expect(not any((frame["file"] or "").startswith("/") for frame in trace["frames"]), f"{trace['frames']}")
    if trace["context"] == "guest":
        names = [frame["symbol"] for frame in real]
        expect(trace["vcpu"] >= 0 and names[0] is None, describe(trace))
        expect("kvm_vcpu_ioctl" in names, describe(trace))
    if trace["end"] == "user":
        expect(real[-1]["space"] == f"user:{trace['pid']}", describe(trace))


def stops(host, count):
    """The stacks of all CPUs at moments nobody chose."""
    contexts, hows = collections.Counter(), collections.Counter()
    for _ in range(count):
        host.attach()
        traces = host.kvmdbg.call("bt", "-a")
        expect_equal([trace["cpu"] for trace in traces], list(range(len(traces))), "CPUs")
        for trace in traces:
            check(trace, host.files)
            contexts[trace["context"]] += 1
            hows.update(frame["how"] for frame in trace["frames"] if not frame["inlined"])
        host.detach()
        time.sleep(host.random.random() * 0.05)
    print(f"# {dict(contexts)}; frames {dict(hows)}")
    return hows


def ways(host):
    """Each instruction into a guest, out of it and into an interrupt: registers are put away, or come back, one by one."""
    # nVHE's way goes through the hypervisor's own entry first.
    enter = {"nvhe": "kvm_arm_vcpu_enter_exit", "vhe": "__guest_enter"}.get(host.args.mode, "__svm_vcpu_run")
    host.attach()
    cpu = next((vcpu["cpu"] for vcpu in host.kvmdbg.call("vcpus") if vcpu["cpu"] >= 0), 0)
    for where in ([enter], ["--exit"], ["kvm_vcpu_ioctl"], ["--vector", "--irq"]):
        host.kvmdbg.text("until", *where, "--cpu", cpu)
        names = collections.Counter()
        for trace, in host.kvmdbg.calls([f"bt --cpu {cpu}", f"step --cpu {cpu}"] * WAY_STEPS)[::2]:
            check(trace, host.files)
            names[trace["frames"][0]["symbol"]] += 1
            if trace["context"] == "guest":
                break
        print(f"# {' '.join(where)}: {dict(names)}")
        expect(len(names) > 1, f"{WAY_STEPS} steps are all in {names}")
    host.detach()


def trampoline(host):
    """Each instruction of the way in from user space and back, where the kernel's tables are taken away in between."""
    host.machine.output("(while :; do :; done) & (while :; do :; done) &")
    host.attach()
    vbar = None
    for _ in range(100):
        in_user = [row["cpu"] for row in host.kvmdbg.call("status")["cpus"] if row["el"] == 0]
        if in_user:
            register = "VBAR_EL1" if host.args.mode == "nvhe" else "VBAR_EL2"
            vbar, = map(number, host.kvmdbg.call("regs", register, "--cpu", in_user[0])[0]["regs"].values())
            break
        host.kvmdbg.text("cont")
        time.sleep(0.05)
        host.kvmdbg.text("stop")
    expect(vbar and vbar != number(host.kvmdbg.call("sym", "vectors")["symbols"][0]["addr"]), f"vectors at {vbar}: no trampoline")
    kernel = {name: number(host.kvmdbg.call("sym", name)["symbols"][0]["addr"]) for name in ("tramp_vectors", "tramp_exit_native")}
    away = kernel["tramp_exit_native"] - (kernel["tramp_vectors"] & ~0xfff)
    for place, steps in ((vbar + 0x480, 110), ((vbar & ~0xfff) + away, 14)):
        row = host.kvmdbg.call("break", f"{place:#x}")
        stop = host.kvmdbg.call("cont", "--wait", "--timeout-ms", 60000)["stop"]
        host.kvmdbg.text("delete", row["number"])
        names = collections.Counter()
        for trace, in host.kvmdbg.calls([f"bt --cpu {stop['cpu']}", f"step --cpu {stop['cpu']}"] * steps)[::2]:
            check(trace)
            expect(trace["frames"][-1]["space"].startswith("user:"), describe(trace))
            names[trace["frames"][0]["symbol"]] += 1
        print(f"# {place:#x}: {dict(names)}")
        expect(any((name or "").startswith("tramp_") for name in names), f"{names}")
    host.detach()


def all_tasks(host):
    """Every task there is, at one stop."""
    host.attach()
    tasks = host.kvmdbg.call("ps", "--threads")
    for task in tasks:
        # Swapper 1's pid is 0 as swapper 0's is: both are on their CPUs or nowhere.
        if task["pid"] == 0:
            continue
        trace, = host.kvmdbg.call("bt", task["pid"])
        check(trace, host.files)
    host.detach()
    print(f"# {len(tasks)} tasks")


def sleeping(host):
    """Tasks that sleep, against what the kernel itself finds."""
    texts = {pid: host.machine.output(f"cat /proc/{pid}/stack") for pid in host.sleepers}
    names = sorted({name for text in texts.values() for name in re.findall(r"\] (\S+?)\+0x", text)})
    for line in host.machine.output("grep -F -w " + " ".join(f"-e {name}" for name in names) + " /proc/kallsyms").splitlines():
        address, _, name = line.split()[:3]
        host.labels.setdefault(name, int(address, 16))
    host.attach()
    for pid, text in texts.items():
        trace, = host.kvmdbg.call("bt", pid)
        harness.expect_stack([frame for frame in trace["frames"] if frame["space"] == "kernel"], text, host.labels,
                             f"bt {pid}")
    host.detach()


def plain_stops(host):
    stops(host, host.args.stops)


def without_files(case):
    """CASE with nothing but the machine."""
    def run(host):
        host.files = False
        try:
            case(host)
        finally:
            host.files = True
    run.__name__ = f"{case.__name__}_no_files"
    return run


def tracer(host, name):
    shell = host.machine.output
    shell(f"[ -e {TRACING}/current_tracer ] || mount -t tracefs nodev {TRACING}")
    expect(name in shell(f"cat {TRACING}/available_tracers").split(), f"the kernel has no {name} tracer")
    shell(f"echo {name} > {TRACING}/current_tracer", timeout=120)
    expect_equal(shell(f"cat {TRACING}/current_tracer").strip(), name, "current_tracer")


def function_stops(host):
    tracer(host, "function")
    stops(host, host.args.stops)


def function_graph_stops(host):
    tracer(host, "function_graph")
    hows = stops(host, host.args.stops)
    expect(hows["graph"], "no frame was found by what function_graph put aside")


def function_graph_sleeping(host):
    # Traced calls that began before the tracer did are not put aside: new ones are wanted.
    sleeping(host)


def beside_gdb(host):
    """Return addresses that are not signed are in gdb's reach too: the same functions, places and lines, as far
    as it gets. That is to the exception entry at most."""
    text = host.machine.output("grep -w _stext /proc/kallsyms")
    offset = int(text.split()[0], 16) - harness.elf_symbols(host.machine.vmlinux, ["_stext"])["_stext"]
    compared = 0
    for place in host.args.places.split(","):
        host.machine.monitor("stop")
        answers = harness.gdb_ask(host.machine, offset, 1, [
            ("text", f"tbreak {place}"), ("text", "continue"), ("frames", "frames")], registers=())["values"]
        gdb = answers["frames"]
        expect_equal(plain(gdb["frames"][0]["name"]), place.lstrip("*"), "where gdb stopped")
        host.attach()
        trace = host.kvmdbg.call("bt", "--cpu", gdb["thread"] - 1)[0]
        host.machine.monitor("cont")
        check(trace)
        # A thread of the kernel's has none.
        entry = next((n for n, frame in enumerate(trace["frames"]) if frame["proof"] == "entry"), len(trace["frames"]))
        got = [(plain(frame["symbol"]), number(frame["pc"]), frame["line"], frame["inlined"])
               for frame in trace["frames"][:entry]]
        wanted = [(plain(frame["name"]), frame["pc"], frame["line"], frame["inlined"]) for frame in gdb["frames"]]
        # Where a function begins several lines share an address, or none has it (room for a tracer's call).
        got[0], wanted[0] = got[0][:2], wanted[0][:2]
        wanted = wanted[:entry]
        # gdb may lose itself before that, in the entry code at the latest.
        expect(len(wanted) >= min(entry, 5), f"{place}: gdb has {gdb}, kvmdbg\n{describe(trace)}")
        expect_equal(got[:len(wanted)], wanted, f"{place}:\n{describe(trace)}\n")
        compared += len(wanted)
        print(f"# {place}: {len(wanted)} frames of {len(trace['frames'])}; gdb {gdb['error'] or 'ends'}")
        host.kvmdbg.text("detach")
    expect(compared >= 20, f"only {compared} frames compared")


def plain(name):
    """Without what gcc adds to names of functions that it splits or changes (".constprop.0")."""
    return name and name.partition(".")[0]


CASES = [plain_stops, ways, all_tasks, sleeping,
         *map(without_files, (plain_stops, ways, all_tasks, sleeping)), function_stops,
         without_files(function_stops), function_graph_stops, without_files(function_graph_stops),
         function_graph_sleeping]


def main():
    parser = harness.parser(__doc__, arch="arm64", kernel="6.1", qemu="7.2", mode=None, stops=40, seed=int(time.time()),
                            append="", cpu="", places="kvm_arch_vcpu_ioctl_run,schedule,*schedule,do_nanosleep,hrtimer_interrupt")
    parser.add_argument("--unsigned", action="store_true",
                        help="a kernel without pointer authentication, beside gdb, which stops it in --places")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    prefix = f"/bt/{args.arch}/{args.kernel}/qemu-{args.qemu}/{args.mode or 'default'}/"
    print(f"# --seed {args.seed}")
    with harness.on_machine(Host, args) as host:
        for case in [beside_gdb] if args.unsigned else [trampoline] if args.cpu else CASES:
            if not tap.case(prefix + case.__name__.replace("_", "-"), case, host):
                # The next one needs a machine that runs.
                host.kvmdbg.run("detach")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
