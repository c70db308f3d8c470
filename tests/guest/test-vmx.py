#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`vcpu` of a vCPU under VMX, which QEMU's own CPU does not have: out of memory that gdb fills in.

gdb knows struct vcpu_vmx from kvm-intel's debug information, which is not kvmdbg's reading of it; it writes
recognisable values into kernel memory that nothing else needs (the log's buffer) of a real machine.
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import assets  # noqa: E402
import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import Failure, expect, expect_equal, number  # noqa: E402

X86_REGISTERS = ["rip", "rsp"]
# Where in the buffer each structure is put.
VCPU, CACHED, PAGE = 0x4000, 0x8000, 0xa000
REVISION = 0x11e57ed0
# (structure, member, value, text that kvmdbg must have beside it)
VALUES = [
    ("vcpu_vmx", "exit_reason.full", 28, "CR_ACCESS"),
    ("vcpu_vmx", "exit_qualification", 0x300, "mov to CR0 from rbx"),
    ("vcpu_vmx", "idt_vectoring_info", 0x80000b0e, "exception #PF14, with error code"),
    ("vcpu_vmx", "emulation_required", 1, None),
    ("vcpu_vmx", "ple_window", 4096, None),
    ("vcpu_vmx", "rflags", 0x246, "PF|ZF|IF"),
    ("vmcs01", "launched", 1, None),
    ("vmcs01", "soft_vnmi_blocked", 1, None),
    ("vmcs01", "vnmi_blocked_time", 77, None),
    ("nested", "vmxon", 1, None),
    ("nested", "current_vmptr", 0x12345000, None),
    ("vmcs12", "vm_exit_reason", 48, "EPT_VIOLATION"),
    ("vmcs12", "exit_qualification", 0x182, "write|linear-valid|translated"),
    ("vmcs12", "guest_cr0", 0x80000031, "PE|ET|NE|PG"),
    ("vmcs12", "guest_rip", 0xffffffff81000123, None),
    ("vmcs12", "launch_state", 1, None),
    ("vmcs01 page", "guest_rip", 0xffffffff82000456, None),
    ("vmcs01 page", "vm_entry_intr_info_field", 0x80000020, "INTR vector 32"),
]


class Host:
    def __init__(self, args):
        self.machine = machines.boot(arch="x86_64", kernel=args.kernel, qemu=args.qemu)
        self.module = assets.debug_module("x86_64", args.kernel, "kvm-intel")
        self.kvmdbg = harness.Kvmdbg(args.build)
        expect_equal(self.attach().status, 0, "attach")
        status = self.kvmdbg.call("status")
        self.offset = number(status["kernel"]["kaslr_offset"])
        self.buffer = number(self.kvmdbg.call("sym", "__log_buf")["symbols"][0]["addr"])
        self.kvmdbg.text("detach")

    def attach(self):
        return self.kvmdbg.attach(self.machine, "--types", self.module)

    def write(self):
        """Let gdb set all of VALUES, at a moment when one of its CPUs sees the kernel's memory."""
        vmx = f"((struct vcpu_vmx *){self.buffer + VCPU:#x})"
        places = {"vcpu_vmx": f"{vmx}->", "vmcs01": f"{vmx}->vmcs01.", "nested": f"{vmx}->nested.",
                  "vmcs12": f"((struct vmcs12 *){self.buffer + CACHED:#x})->",
                  "vmcs01 page": f"((struct vmcs12 *){self.buffer + PAGE:#x})->"}
        lines = [f"set var {places[where]}{member} = {value:#x}" for where, member, value, _ in VALUES]
        lines += [f"set var {vmx}->loaded_vmcs = &{vmx}->vmcs01",
                  f"set var {vmx}->vmcs01.vmcs = (void *){self.buffer + PAGE:#x}",
                  f"set var {vmx}->nested.cached_vmcs12 = (void *){self.buffer + CACHED:#x}",
                  f"set var ((struct vmcs12 *){self.buffer + PAGE:#x})->hdr.revision_id = {REVISION:#x}"]
        load = f"add-symbol-file {self.module} 0xffffffffc0e00000"
        for _ in range(20):
            self.machine.monitor("stop")
            for thread in (1, 2):
                answer = harness.gdb_ask(self.machine, self.offset, thread,
                                         [("text", load)] + [("text", line) for line in lines], X86_REGISTERS)
                failed = [f"{text}: {value['error']}" for text, value in answer["values"].items()
                          if isinstance(value, dict)]
                if not failed:
                    return
            self.machine.monitor("cont")
        raise Failure(f"gdb could not write: {failed[0]}")

    def close(self):
        self.kvmdbg.close()
        self.machine.close()


def values(host):
    host.write()
    expect_equal(host.attach().status, 0, "attach")
    got = host.kvmdbg.call("vcpu", "--as", "vmx", hex(host.buffer + VCPU))
    for where, member, value, text in VALUES:
        found = got["groups"].get(where, {}).get(member)
        expect(found, f"{where}: no {member} in {list(got['groups'].get(where, {}))}")
        expect_equal((number(found["value"]), found.get("text")), (value, text), f"{where}.{member}")
    expect(any("VMCS is the CPU's own" in note for note in got["notes"]), f"notes: {got['notes']}")
    text = host.kvmdbg.text("vcpu", "--as", "vmx", hex(host.buffer + VCPU))
    expect("EPT_VIOLATION" in text, text)


def bad_words(host):
    host.kvmdbg.refused(2, "svm or vmx", "vcpu", "--as", "tdx", hex(host.buffer))
    host.kvmdbg.refused(2, "needs the address", "vcpu", "--as", "vmx")
    # Nothing is there: said, and nothing else.
    got = host.kvmdbg.call("vcpu", "--as", "vmx", "0xffff900000000000")
    expect(got["notes"], "nowhere: no notes")
    # A VMCS page of the CPU's own format, and a vmcs12 that lies nowhere.
    host.kvmdbg.text("detach")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2").parse_args()
    tap = harness.Tap(args.only)
    with harness.on_machine(Host, args) as host:
        tap.cases(f"/vmx/{args.kernel}/", (values, bad_words), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
