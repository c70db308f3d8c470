#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `vcpu` and `gpa` say of a real x86-64 host whose KVM was changed in memory.

A VMCB that lies nowhere; and the root of the guest's tables made that of EPT's, written by this test, under the
name of the module that has EPT, since QEMU's own CPU has no VMX. All is put back.
"""

import contextlib
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal, number  # noqa: E402

NOWHERE = ("0xffff800000000000", "0x1234567812345678", "0")
SECONDS_MAX = 1
GPA = 0x40000000
GPA_MMIO = 0x10000000  # as nested/nested.h has it
# Bits of union kvm_mmu_page_role; that they are those is checked.
DIRECT, AD_DISABLED = 1 << 7, 1 << 16
RWX, WB, IGNORE_PAT, PS, ACCESSED, DIRTY = 7, 6 << 3, 1 << 6, 1 << 7, 1 << 8, 1 << 9


class Host:
    def __init__(self, args):
        self.machine = machines.boot(arch="x86_64", kernel=args.kernel, qemu=args.qemu,
                                     append="nested.vms=1 nested.vcpus=1")
        self.kvmdbg = harness.Kvmdbg(args.build)
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))
        self.vcpu = self.kvmdbg.call("vcpus")[0]["kvm_vcpu"]
        self.svm = f"((struct vcpu_svm *){self.vcpu})"
        self.mmu = f"((struct kvm_vcpu *){self.vcpu})->arch.root_mmu"

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def value(self, expression):
        return int(re.search(r"0x[0-9a-f]+|\d+", self.kvmdbg.text("print", f"(unsigned long)({expression})"))[0], 0)

    @contextlib.contextmanager
    def changed(self, *changes):
        """With (place, size, value) written, and put back at the end."""
        with contextlib.ExitStack() as stack:
            for place, size, value in changes:
                done = self.kvmdbg.call("write", "--size", size, place, value)
                where = done["addr"] if done["space"] == "kernel" else f"{done['space']}:{done['addr']}"
                stack.callback(self.kvmdbg.text, "write", where, "--bytes", done["old"])
            yield


def vmcb_to_nowhere(host):
    """One line says so; the rest of the vCPU and all other commands answer as ever."""
    others = ("vms", "memslots", "exits", "bt -a", "gpa 0 0x40000000")
    before = host.kvmdbg.call("vcpu", "0:0")
    answers = {command: host.kvmdbg.text(*command.split()) for command in others}
    for value in NOWHERE:
        with host.changed((f"&{host.svm}->vmcb", 8, value), (f"&{host.svm}->vmcb01.ptr", 8, value)):
            done = host.kvmdbg.run("vcpu", "0:0")
            expect(done.status == 0 and done.seconds < SECONDS_MAX, f"{done}: {done.seconds} s")
            got = host.kvmdbg.call("vcpu", "0:0")
            new = [note for note in got["notes"] if note not in before["notes"]]
            expect(len(new) == 1 and new[0].startswith("vmcb"), f"{value}: {new}")
            lost = set(before["groups"]) - set(got["groups"])
            expect_equal(lost, {"vmcb01 control", "vmcb01 save"}, f"{value}: groups that are not there")
            for command in others:
                expect_equal(host.kvmdbg.text(*command.split()), answers[command], f"{value}: {command}")
            expect_equal(len(host.kvmdbg.call("vcpus")), 1, f"{value}: vcpus")
    # Only what KVM runs with: what it keeps is still shown.
    with host.changed((f"&{host.svm}->vmcb", 8, NOWHERE[0])):
        got = host.kvmdbg.call("vcpu", "0:0")
        expect(any("neither vmcb01's nor vmcb02's" in note for note in got["notes"]), f"{got['notes']}")
        expect_equal(set(got["groups"]), set(before["groups"]), "groups")
    expect_equal(host.kvmdbg.call("vcpu", "0:0"), before, "vcpu after all was put back")


def mmio(host):
    """What the guest stores to without a slot, as KVM itself marked it; not what it has never used."""
    got = host.kvmdbg.call("gpa", "0", f"{GPA_MMIO:#x}")
    generation = host.value(f"((struct kvm_vcpu *){host.vcpu})->kvm->memslots[0]->generation")
    expect_equal((got["pa"], got["entry"], got["memslot"]), (None, f"MMIO, generation {generation}", None), "MMIO")
    expect("MMIO, generation" in host.kvmdbg.text("gpa", "0", f"{GPA_MMIO:#x}"), "text")
    for address in (GPA, GPA_MMIO + 0x1000):
        expect_equal(host.kvmdbg.call("gpa", "0", f"{address:#x}")["entry"], None, f"entry of {address:#x}")


def shadow_paging(host):
    """Tables whose role says that they shadow the guest's map no guest-physical addresses."""
    word = host.value(f"{host.mmu}.root_role.word")
    with host.changed((f"&{host.mmu}.root_role.word", 4, f"{word & ~DIRECT:#x}")):
        expect_equal(host.value(f"{host.mmu}.root_role.direct"), 0, "direct")
        host.kvmdbg.refused(1, "shadows the guest's own tables", "gpa", "0", f"{GPA:#x}")


def ept(host):
    """Tables of EPT with the same leaf: the walk comes to the same page, by EPT's bits."""
    npt = host.kvmdbg.call("gpa", "0", f"{GPA:#x}")
    expect(npt["same"], f"{npt}")
    buffer = number(host.kvmdbg.call("sym", "__log_buf")["symbols"][0]["addr"])
    name = buffer + 64
    first = (number(host.kvmdbg.call("translate", f"{buffer:#x}")["pa"]) + 0x2fff) & ~0xfff
    tables = [first + 0x1000 * n for n in range(len(npt["levels"]))]
    leaf = number(npt["pa"]) & ~(npt["map_size"] - 1) | RWX | WB | IGNORE_PAT | ACCESSED | DIRTY
    if npt["map_size"] > 4096:
        leaf |= PS
    entries = [table | RWX for table in tables[1:]] + [leaf]
    places = [table + 8 * level["index"] for table, level in zip(tables, npt["levels"])]
    tree = [(f"phys:{place:#x}", 8, f"{entry:#x}") for place, entry in zip(places, entries)]
    text = b"kvm_intel".ljust(16, b"\0")
    intel = [(f"{name + n:#x}", 8, f"{int.from_bytes(text[n:n + 8], 'little'):#x}") for n in (0, 8)]
    intel += [("&kvm_x86_ops.name", 8, f"{name:#x}"), (f"&{host.mmu}.root.hpa", 8, f"{tables[0]:#x}")]
    last, size = f"phys:{places[-1]:#x}", npt["map_size"]
    with host.changed(*tree, *intel):
        got = host.kvmdbg.call("gpa", "0", f"{GPA + 0x123:#x}")
        expect_equal(([number(level["entry"]) for level in got["levels"]], [level["name"] for level in got["levels"]]),
                     (entries, [level["name"] for level in npt["levels"]]), "levels")
        expect_equal((number(got["pa"]), got["map_size"], got["attrs"], got["same"]),
                     (number(npt["pa"]) + 0x123, size, "rwx wb ignore-pat accessed dirty", True), "leaf")
        word = host.value(f"{host.mmu}.root_role.word")
        with host.changed((f"&{host.mmu}.root_role.word", 4, f"{word | AD_DISABLED:#x}")):
            expect_equal(host.value(f"{host.mmu}.root_role.ad_disabled"), 1, "ad_disabled")
            expect_equal(host.kvmdbg.call("gpa", "0", f"{GPA:#x}")["attrs"], "rwx wb ignore-pat", "without A/D")
        # Not there, and as KVM marks MMIO (writable, not readable).
        for entry, status in ((0, "not mapped"), (6, "an entry that no table may hold")):
            with host.changed((last, 8, entry)):
                got = host.kvmdbg.call("gpa", "0", f"{GPA:#x}")
                expect_equal((got["status"], got["pa"]), (status, None), f"entry {entry}")
    expect_equal(host.kvmdbg.call("gpa", "0", f"{GPA:#x}"), npt, "gpa after all was put back")


def alive(host):
    host.kvmdbg.text("detach")
    expect_equal(host.machine.output("echo here").strip(), "here", "the machine's shell")
    expect("Oops" not in host.machine.output("dmesg"), "the kernel met the damage")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2").parse_args()
    tap = harness.Tap(args.only)
    with harness.on_machine(Host, args) as host:
        # 6.1's kvm_x86_ops has no name that could be another module's.
        tap.cases(f"/svm/{args.kernel}/",
                  (vmcb_to_nowhere, mmio, shadow_paging, *([] if args.kernel == "6.1" else [ept]), alive), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
