#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What kvmdbg says of vCPUs, of guest-physical memory and of KVM's counters, beside witnesses.

The witnesses: registers and memory that only our guests have, gdb's values of the same members on the
same stop, /sys/kernel/debug/kvm read in the machine before and after, QEMU's physical memory.
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

GUESTS = "nested.vms=2 nested.vcpus=2 nested.idle=1"
GPA_MMIO = 0x10000000
GPA_STACKS = 0x40008000
GPA_HIGH = 0x4000000000
PATTERN = 0x5aa55aa500000000
# Registers that gdb reads of every CPU too, as the stub names them.
CPU_REGISTERS = [f"x{n}" for n in range(31)] + ["pc", "cpsr", "SP_EL0", "SP_EL1"]
HISTOGRAMS = ("halt_poll_success_hist", "halt_poll_fail_hist", "halt_wait_hist")
DEBUGFS = "for f in /sys/kernel/debug/kvm/{}-*/exits; do cat $f; done"


class Host:
    """One machine, one stop with a CPU in a guest and one in the kernel, seen by kvmdbg and by gdb."""

    def __init__(self, args):
        self.args = args
        self.machine = machines.boot(kernel=args.kernel, qemu=args.qemu, mode=args.mode, append=GUESTS)
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.vms = self.machine.witness["vms"]
        self.exits_before = self.debugfs_exits()
        self.stop()
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))
        self.ids = {vm["pid"]: vm["id"] for vm in self.kvmdbg.call("vms")}
        self.vcpus = {}
        for vm in self.vms:
            for vcpu in vm["vcpus"]:
                place = f"{self.ids[vm['pid']]}:{vcpu['vcpu']}"
                self.vcpus[place] = {**vcpu, "got": self.kvmdbg.call("vcpu", place)}
        self.exits = self.kvmdbg.call("exits")
        self.offset = number(self.kvmdbg.call("status")["kernel"]["kaslr_offset"])
        self.kvmdbg.text("detach")
        self.gdb = self.ask_gdb()
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def stop(self):
        """Through QMP, so that gdb and kvmdbg see one stop."""
        code = self.vms[0]
        for _ in range(3000):
            self.machine.monitor("stop")
            text = self.machine.monitor("human-monitor-command", **{"command-line": "info registers -a"})
            inside = [code["pc_lo"] <= int(pc, 16) < code["pc_hi"] for pc in re.findall(r"PC=([0-9a-f]+)", text)]
            level = [int(level) for level in re.findall(r"\bEL(\d)", text)]
            # gdb reads memory as the other CPU sees it.
            for cpu, other in ((0, 1), (1, 0)):
                if inside[cpu] and level[cpu] == 1 and not inside[other] and \
                        level[other] == (2 if self.args.mode == "vhe" else 1):
                    self.other = other
                    return
            self.machine.monitor("cont")
            time.sleep(0.02)
        raise Failure("no stop with one CPU in a guest and the other in the kernel")

    def debugfs_exits(self):
        return {vm["pid"]: sum(map(int, self.machine.output(DEBUGFS.format(vm["pid"])).split()))
                for vm in self.vms}

    def ask_gdb(self):
        values = []
        for vcpu in self.vcpus.values():
            at = f"((struct kvm_vcpu *){vcpu['got']['kvm_vcpu']})"
            vcpu["at"] = at
            names = [name for name in vcpu["got"]["groups"]["system"]]
            values += [f"{at}->arch.ctxt.sys_regs[{name}]" for name in names]
            values += [f"{at}->arch.ctxt.regs.regs[{n}]" for n in range(31)]
            values += [f"{at}->{path}" for path in (
                "arch.ctxt.regs.sp", "arch.ctxt.regs.pc", "arch.ctxt.regs.pstate", "arch.hcr_el2", "arch.mdcr_el2",
                "arch.fault.esr_el2", "arch.fault.far_el2", "arch.fault.hpfar_el2", "arch.sflags",
                "arch.vgic_cpu.vgic_v3.used_lrs", "arch.vgic_cpu.vgic_v3.vgic_lr[0]",
                "arch.vgic_cpu.vgic_v3.vgic_vmcr", "arch.timer_cpu.timers[TIMER_VTIMER].loaded",
                "kvm->arch.mmu.pgd_phys")]
        for owner in self.exits:
            at = f"((struct {'kvm' if owner['id'] is None else 'kvm_vcpu'} *)" \
                 f"{owner['kvm'] if owner['id'] is None else owner['kvm_vcpu']})"
            owner["at"] = at
            values += [f"{at}->stat.generic.{name}" for name in owner["counters"]]
            values += [f"{at}->stat.{name}" for name in owner["counters"]]
            values += [f"{at}->stat.generic.{name}[{n}]" for name in owner["histograms"] for n in range(32)]
        return harness.gdb_ask(self.machine, self.offset, self.other + 1, [("int", text) for text in values],
                               registers=CPU_REGISTERS)

    def value(self, text):
        got = self.gdb["values"][text]
        expect(isinstance(got, int), f"gdb: {text}: {got}")
        return got


def memory(entry):
    """KVM's copy of a value."""
    return number(entry.get("memory", entry["value"]))


def in_kernel_memory(host):
    """Every value that says it is KVM's is what gdb has in that member."""
    for place, vcpu in host.vcpus.items():
        groups, at = vcpu["got"]["groups"], vcpu["at"]
        seen = 0
        for name, entry in groups["system"].items():
            wanted = host.gdb["values"][f"{at}->arch.ctxt.sys_regs[{name}]"]
            if isinstance(wanted, dict):
                # Between the first and the last of a row: the enumeration does not name it.
                expect(re.match(r"PMEV(CNTR|TYPER)\d+_EL0", name), f"{name}: gdb: {wanted}")
                continue
            expect_equal(memory(entry), wanted, f"vCPU {place} {name}")
            seen += 1
        expect(seen > 50, f"only {seen} system registers")
        expect_equal(len([name for name in groups["system"] if name.startswith("PMEVCNTR")]), 31, "PMEVCNTR registers")
        for name, path in ([(f"x{n}", f"regs[{n}]") for n in range(31)] +
                           [("sp_el0", "sp"), ("pc", "pc"), ("pstate", "pstate")]):
            expect_equal(memory(groups["general"][name]), host.value(f"{at}->arch.ctxt.regs.{path}"), f"{place} {name}")
        for group, name, path in (
                ("control", "HCR_EL2", "arch.hcr_el2"), ("control", "MDCR_EL2", "arch.mdcr_el2"),
                ("fault", "ESR_EL2", "arch.fault.esr_el2"), ("fault", "FAR_EL2", "arch.fault.far_el2"),
                ("fault", "HPFAR_EL2", "arch.fault.hpfar_el2"), ("flags", "sflags", "arch.sflags"),
                ("interrupts", "ICH_VMCR_EL2", "arch.vgic_cpu.vgic_v3.vgic_vmcr"),
                ("interrupts", "used_lrs", "arch.vgic_cpu.vgic_v3.used_lrs")):
            expect_equal(memory(groups[group][name]), host.value(f"{at}->{path}"), f"{place} {name}")
        # Where the CPU is between guest and host is told; nothing was missing.
        expect_equal([note for note in vcpu["got"]["notes"] if not re.match(r"CPU \d+ ", note)], [], f"{place}: notes")


def in_the_cpu(host):
    """Live values are the CPU's, and there are some where a guest runs and none where none does."""
    inside = 0
    for place, vcpu in host.vcpus.items():
        got = vcpu["got"]
        marks = {name: entry["state"] for group in got["groups"].values() for name, entry in group.items()}
        if not got["loaded"]:
            expect_equal(set(marks.values()), {"cached"}, f"vCPU {place}, which is on no CPU")
            expect_equal(got["source"], "memory", f"{place}: source")
        if not got["in_guest"]:
            continue
        inside += 1
        cpu = host.gdb["threads"][got["cpu"]]
        expect_equal(got["source"], "cpu", f"{place}: source")
        for name, register in ([(f"x{n}", f"x{n}") for n in range(31)] +
                               [("pc", "pc"), ("pstate", "cpsr"), ("sp_el0", "SP_EL0")]):
            entry = got["groups"]["general"][name]
            expect_equal((number(entry["value"]), entry["state"]), (cpu[register], "live"), f"{place} {name}")
        entry = got["groups"]["system"]["SP_EL1"]
        expect_equal((number(entry["value"]), entry["state"]), (cpu["SP_EL1"], "live"), f"{place} SP_EL1")
        for name in ("SCTLR_EL1", "VBAR_EL1", "ELR_EL1", "TPIDR_EL1", "MDSCR_EL1"):
            expect_equal(marks[name], "live", f"{place} {name}")
        for name in ("MPIDR_EL1", "PMCR_EL0", "ESR_EL2"):
            expect_equal(marks[name], "cached", f"{place} {name}")
        expect_equal(marks["HCR_EL2"], "live", f"{place} HCR_EL2")
        expect("VM" in got["groups"]["control"]["HCR_EL2"]["text"].split("|"), f"{place}: HCR_EL2 without VM")
    expect_equal(inside, 1, "vCPUs in the guest")


def of_the_guest(host):
    """What the guest's program put into its registers."""
    for place, vcpu in host.vcpus.items():
        general = vcpu["got"]["groups"]["general"]
        for name in ("x19", "x28", "sp_el0"):
            expect_equal(number(general[name]["value"]), vcpu[name], f"vCPU {place} {name}")
        stack = number(vcpu["got"]["groups"]["system"]["SP_EL1"]["value"])
        low = GPA_STACKS + vcpu["vcpu"] * 0x1000
        expect(low < stack <= low + 0x1000, f"vCPU {place}: SP_EL1 {stack:#x}")
        # As it is after reset: the guest's MMU is off.
        expect_equal(number(vcpu["got"]["groups"]["system"]["SCTLR_EL1"]["value"]) & 1, 0, f"{place} SCTLR_EL1.M")
        expect_equal(vcpu["got"]["groups"]["flags"]["mp_state"]["text"], "RUNNABLE", f"{place}: mp_state")


def interrupts(host):
    """The one interrupt that is pending, at vCPU 0 of each VM."""
    for place, vcpu in host.vcpus.items():
        lists = vcpu["got"]["lists"]
        expect_equal([irq["intid"] for irq in lists["pending_interrupts"]], [vcpu["pending"]] if vcpu["pending"] else [],
                     f"vCPU {place}: pending")
        for irq in lists["pending_interrupts"]:
            expect_equal((irq["line_level"], irq["enabled"], irq["active"], irq["hw"], irq["group"]),
                         (True, True, False, False, 1), f"vCPU {place}: interrupt {irq}")
            expect_equal(irq["target_vcpu"], vcpu["got"]["kvm_vcpu"], f"vCPU {place}: target")
        used = host.value(f"{vcpu['at']}->arch.vgic_cpu.vgic_v3.used_lrs")
        expect_equal(len(lists["list_registers"]), used, f"vCPU {place}: list registers")
        for lr in lists["list_registers"]:
            expect_equal(number(lr["value"]), host.value(f"{vcpu['at']}->arch.vgic_cpu.vgic_v3.vgic_lr[0]"), "LR 0")
            expect_pending(lr, vcpu)


def expect_pending(lr, vcpu):
    """A list register that holds the interrupt: in the CPU too, which has its own of it by then."""
    expect_equal((lr["index"], lr["intid"], lr["state"], lr["group"], lr["hw"]),
                 (0, vcpu["pending"], "pending", 1, False), f"vCPU {vcpu['comm']}: {lr}")


def timers(host):
    for place, vcpu in host.vcpus.items():
        timers_got = {timer["timer"]: timer for timer in vcpu["got"]["lists"]["timers"]}
        expect({"vtimer", "ptimer"} <= set(timers_got), f"timers {sorted(timers_got)}")
        vtimer = timers_got["vtimer"]
        expect_equal(int(vtimer["loaded"]), host.value(f"{vcpu['at']}->arch.timer_cpu.timers[TIMER_VTIMER].loaded"),
                     f"{place}: loaded")
        # No guest of ours starts a timer; KVM gives all vCPUs of a VM one offset.
        expect_equal((vtimer["enabled"], vtimer["irq_level"]), (False, False), f"{place}: vtimer")
        expect(number(vtimer["offset"]) > 0, f"{place}: offset {vtimer['offset']}")


def stage2(host):
    """Both ways to guest memory end at one page, which QEMU sees with the guest's words in it."""
    for vm in host.vms:
        vm_id = host.ids[vm["pid"]]
        got = host.kvmdbg.call("gpa", vm_id, f"{vm['pattern']:#x}")
        expect_equal((got["status"], got["same"], got["memslot"]["id"]), ("mapped", True, 0), f"VM {vm_id} pattern")
        any_vcpu = host.vcpus[f"{vm_id}:0"]
        expect_equal(number(got["root"]), host.value(f"{any_vcpu['at']}->kvm->arch.mmu.pgd_phys"), "root")
        text = host.machine.monitor("human-monitor-command", **{"command-line": f"xp/2xg {number(got['pa']):#x}"})
        expect_equal([int(word, 16) for word in re.findall(r"\b0x[0-9a-f]{16}\b", text)], [PATTERN, PATTERN + 1],
                     f"VM {vm_id}: what QEMU has at {got['pa']}")
        expect_equal(host.kvmdbg.call("gpa", f"{vm_id}:1", f"{vm['pattern']:#x}")["pa"], got["pa"], "by vCPU")
        for slot in vm["slots"]:
            got = host.kvmdbg.call("gpa", vm_id, f"{slot['gpa']:#x}")
            expect_equal((got["memslot"]["id"], number(got["hva"])), (slot["slot"], slot["hva"]), f"slot {slot['slot']}")
            if slot["gpa"] == GPA_HIGH:
                expect_equal((got["status"], got["pa"]), ("not mapped", None), "a page nobody touched")
                continue
            expect_equal((got["status"], got["same"]), ("mapped", True), f"slot {slot['slot']}")
            expect_equal(got["attrs"].split()[0], "r-" if slot["flags"] & 2 else "rw", f"slot {slot['slot']}: attributes")
        got = host.kvmdbg.call("gpa", vm_id, f"{GPA_MMIO:#x}")
        expect_equal((got["status"], got["memslot"]), ("not mapped", None), "device")
        got = host.kvmdbg.call("gpa", vm_id, hex(1 << got["gpa_bits"]))
        expect(got["status"].startswith("outside"), f"beyond the guest's memory: {got['status']}")
    for vcpu in host.vcpus.values():
        control = vcpu["got"]["groups"]["control"]
        if "VTTBR_EL2" in control:
            got = host.kvmdbg.call("gpa", vcpu["got"]["vm"], "0x40000000")
            expect_equal(number(control["VTTBR_EL2"]["value"]) & 0xfffffffffffe, number(got["root"]), "VTTBR_EL2")
            expect_equal(64 - (number(control["VTCR_EL2"]["value"]) & 0x3f), got["gpa_bits"], "VTCR_EL2.T0SZ")


def exits(host):
    """All counters as gdb reads them, and between those of debugfs before and after."""
    sums = {}
    for owner in host.exits:
        expect(owner["counters"], f"no counters: {owner}")
        for name, value in owner["counters"].items():
            plain = host.gdb["values"][f"{owner['at']}->stat.{name}"]
            wanted = plain if isinstance(plain, int) else host.value(f"{owner['at']}->stat.generic.{name}")
            expect_equal(value, wanted, f"{owner['vm']}:{owner['id']} {name}")
        if owner["id"] is None:
            continue
        expect_equal(sorted(owner["histograms"]), sorted(HISTOGRAMS), "histograms")
        for name, values in owner["histograms"].items():
            expect_equal(values, [host.value(f"{owner['at']}->stat.generic.{name}[{n}]") for n in range(32)], name)
        sums[owner["vm"]] = sums.get(owner["vm"], 0) + owner["counters"]["exits"]
    for pid, before in host.exits_before.items():
        expect(0 < before <= sums[host.ids[pid]], f"VM of {pid}: {sums[host.ids[pid]]} exits, before {before}")
    one = host.kvmdbg.call("exits", "0:1")
    expect_equal([(owner["vm"], owner["id"]) for owner in one], [(0, 1)], "exits 0:1")


def text(host):
    """What people see has the same values."""
    for place, vcpu in host.vcpus.items():
        shown = host.kvmdbg.text("vcpu", place)
        for group, name in (("general", "x19"), ("system", "SP_EL1"), ("control", "HCR_EL2")):
            entry = vcpu["got"]["groups"][group][name]
            expect(re.search(rf"^{name} +{entry['value']} +{entry['state']}\b", shown, re.M), f"{place} {name}: {shown}")
        by_address = host.kvmdbg.text("vcpu", vcpu["got"]["kvm_vcpu"])
        expect_equal(by_address, shown, "by address")
    total = sum(owner["counters"].get("exits", 0) for owner in host.exits if owner["vm"] == 0)
    numbers = re.search(r"^exits +(.*)$", host.kvmdbg.text("exits", "0"), re.M)[1].split()
    expect_equal(sum(int(word) for word in numbers if word != "-"), total, "exits of VM 0")


def bad_words(host):
    host.kvmdbg.refused(1, r"no VM 9: there are VMs 0 to 1", "vcpu", "9:0")
    host.kvmdbg.refused(1, r"VM 1 has no vCPU 9", "vcpu", "1:9")
    host.kvmdbg.refused(1, r"no VM has a struct kvm_vcpu at 0x", "vcpu", "init_task")
    host.kvmdbg.refused(2, r'"x"', "gpa", "x", "0")
    host.kvmdbg.refused(2, "not a guest-physical address", "gpa", "0", "phys:0x40")
    host.kvmdbg.refused(1, "no VM 7", "gpa", "7", "0")
    host.kvmdbg.refused(1, "VM 0 has no vCPU 5", "exits", "0:5")
    host.kvmdbg.refused(2, '"0:"', "exits", "0:")


def stop_at(host, where):
    """Run to WHERE; the vCPU that is on the CPU that stopped."""
    host.kvmdbg.text("break", where)
    host.kvmdbg.text("cont", "--wait", timeout=300)
    got = host.kvmdbg.call("vcpu")
    host.kvmdbg.text("delete", "--all")
    wanted = host.vcpus[f"{got['vm']}:{got['id']}"]
    expect(got["loaded"] and not got["in_guest"], f"at {where}: loaded {got['loaded']}, in guest {got['in_guest']}")
    return got, wanted


def after_an_exit(host):
    """In the host's kernel with a vCPU loaded: VHE leaves its EL1 registers in the CPU."""
    faults = 0
    for _ in range(20):
        got, wanted = stop_at(host, "handle_exit")
        groups = got["groups"]
        expect_equal((groups["general"]["x19"]["state"], number(groups["general"]["x19"]["value"])),
                     ("cached", wanted["x19"]), "x19")
        stack = groups["system"]["SP_EL1"]
        low = GPA_STACKS + wanted["vcpu"] * 0x1000
        expect(low < number(stack["value"]) <= low + 0x1000, f"SP_EL1 {stack}")
        expect_equal(stack["state"], "live" if host.args.mode == "vhe" else "cached", "SP_EL1")
        expect_equal(number(groups["system"]["SCTLR_EL1"]["value"]) & 1, 0, "SCTLR_EL1.M: the host's?")
        if groups["fault"]["ESR_EL2"]["text"].startswith("data abort"):
            expect_equal(number(groups["fault"]["IPA"]["value"]), GPA_MMIO, "address of the device")
            expect(re.search("write, translation fault, level [0-3], 4 bytes, w11", groups["fault"]["ESR_EL2"]["text"]),
                   groups["fault"]["ESR_EL2"]["text"])
            faults += 1
            break
    expect(faults, "no store to the device in 20 exits")


def in_the_vectors(host):
    """The first instruction after the guest: its registers are all still in the CPU."""
    for _ in range(20):
        got, wanted = stop_at(host, "__kvm_hyp_vector+0x400")
        if wanted["pending"]:
            break
    expect_equal([lr["mark"] for lr in got["lists"]["list_registers"]], ["stale"], "list registers")
    expect_pending(got["lists"]["list_registers"][0], wanted)
    general = got["groups"]["general"]
    expect_equal((general["x19"]["state"], number(general["x19"]["value"])), ("live", wanted["x19"]), "x19")
    expect_equal(number(general["sp_el0"]["value"]), wanted["sp_el0"], "sp_el0")
    code = host.vms[0]
    expect(code["pc_lo"] <= number(general["pc"]["value"]) < code["pc_hi"], f"pc {general['pc']}")
    expect_equal(got["source"], "cpu", "source")
    expect(any("vectors" in note for note in got["notes"]), f"notes {got['notes']}")


def while_moved(host):
    """Half of the registers are in memory: none of them is sold as good."""
    got, _ = stop_at(host, "__guest_exit")
    expect_equal({entry["state"] for entry in got["groups"]["general"].values()}, {"stale"}, "general registers")
    expect_equal(got["groups"]["system"]["SP_EL1"]["state"], "live", "SP_EL1")
    expect(any("moved" in note for note in got["notes"]), f"notes {got['notes']}")


def counters_after(host):
    host.kvmdbg.text("detach")
    host.machine.monitor("cont")
    after = host.debugfs_exits()
    sums = {}
    for owner in host.exits:
        sums[owner["vm"]] = sums.get(owner["vm"], 0) + owner["counters"].get("exits", 0)
    for pid, count in after.items():
        expect(sums[host.ids[pid]] <= count, f"VM of {pid}: {sums[host.ids[pid]]} exits, after {count}")


CASES = [in_kernel_memory, in_the_cpu, of_the_guest, interrupts, timers, stage2, exits, text, bad_words, after_an_exit]
# nVHE's vectors are at addresses of EL2's own tables, where no breakpoint can be.
VHE_CASES = [in_the_vectors, while_moved]


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2", mode="vhe").parse_args()
    tap = harness.Tap(args.only)
    with harness.on_machine(Host, args) as host:
        tap.cases(f"/vcpu/{args.kernel}/qemu-{args.qemu}/{args.mode}/",
                  CASES + (VHE_CASES if args.mode == "vhe" else []) + [counters_after], host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
