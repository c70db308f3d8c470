#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Page walks of x86-64 while a CPU is in user mode: with and without PTI, of four and of five levels.

The witness is QEMU's own walk (gva2gpa), and what lies at the physical address it and kvmdbg come to.
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

KERNEL = ("linux_banner", "init_task", "schedule", "entry_SYSCALL_64")
USER_PTI = 1 << 12  # PTI_USER_PGTABLE_BIT of CR3


class Host:
    def __init__(self, args, append):
        self.append = append
        self.machine = machines.boot(arch="x86_64", kernel=args.kernel, qemu=args.qemu,
                                     append=f"nested.vms=1 nested.vcpus=1 {append}")
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.machine.output("(while :; do :; done) & sleep 1; true")
        self.cpus = self.stop()
        done = self.kvmdbg.attach(self.machine)
        expect(done.status == 0, str(done))

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def monitor(self, line, **arguments):
        return self.machine.monitor("human-monitor-command", **{"command-line": line, **arguments})

    def stop(self, timeout=120):
        """Stop with one CPU in user mode; [{mode, pc, cr3, cr4}] by QEMU's monitor."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.machine.monitor("stop")
            cpus = []
            for part in self.monitor("info registers -a").split("CPU#")[1:]:
                values = {name: int(re.search(rf"\b{name}=([0-9a-f]+)", part)[1], 16) for name in ("RIP", "CR3", "CR4")}
                cpus.append({"user": "CPL=3" in part, **values})
            if any(cpu["user"] for cpu in cpus):
                return cpus
            self.machine.monitor("cont")
            time.sleep(0.02)
        raise Failure("no stop in user mode")

    def qemu_walk(self, address, cpu):
        """Where QEMU finds an address with the tables of CPU; None: not mapped."""
        found = re.search(r"gpa: 0x([0-9a-f]+)", self.monitor(f"gva2gpa {address:#x}", **{"cpu-index": cpu}))
        return int(found[1], 16) if found else None


def levels(host):
    """As many as the CPU's CR4.LA57 says, and the boot options."""
    user = next(cpu for cpu in host.cpus if cpu["user"])
    wanted = 5 if user["CR4"] >> 12 & 1 else 4
    expect_equal(wanted, 4 if "no5lvl" in host.append else 5, "what the machine booted with")
    for symbol in KERNEL:
        walk = host.kvmdbg.call("translate", symbol)
        # Large pages end it early.
        expect(wanted - 2 <= len(walk["levels"]) <= wanted, f"{symbol}: {walk['levels']}")
        expect_equal(walk["levels"][0]["name"], f"PML{wanted}", f"{symbol}: first level")


def user_root(host):
    """With PTI the tables in CR3 of a CPU in user mode are not the kernel's."""
    for cpu in host.cpus:
        if cpu["user"]:
            expect_equal(bool(cpu["CR3"] & USER_PTI), "pti=on" in host.append, f"CR3 {cpu['CR3']:#x}")


def user_addresses(host):
    """The code a CPU is in, by its process's tables: QEMU walks those that the CPU has."""
    status = {cpu["cpu"]: cpu for cpu in host.kvmdbg.call("status")["cpus"]}
    for n, cpu in enumerate(host.cpus):
        if not cpu["user"]:
            continue
        expect_equal(status[n]["mode"], "ring 3", f"mode of CPU {n}")
        wanted = host.qemu_walk(cpu["RIP"], n)
        expect(wanted is not None, f"QEMU finds nothing at {cpu['RIP']:#x}")
        walk = host.kvmdbg.call("translate", f"user:{status[n]['pid']}:{cpu['RIP']:#x}")
        expect_equal(number(walk["pa"]), wanted, f"pa of {cpu['RIP']:#x}")


def kernel_addresses(host):
    """The kernel's addresses are the same whatever the CPUs do; where QEMU's walk ends is where ours does."""
    checked = 0
    for symbol in KERNEL:
        walk = host.kvmdbg.call("translate", symbol)
        for n, cpu in enumerate(host.cpus):
            wanted = host.qemu_walk(number(walk["va"]), n)
            # The user's tables have no more of the kernel than its entry code; a guest's have none.
            if wanted is not None and (cpu["user"] or cpu["RIP"] >> 63):
                expect_equal(number(walk["pa"]), wanted, f"{symbol} by CPU {n}")
                checked += 1
    expect(checked, "no CPU has an address of the kernel")
    banner = host.kvmdbg.call("translate", "linux_banner")
    text = bytes(int(byte, 16) for byte in re.findall(r"\b0x([0-9a-f]{2})\b", host.monitor(f"xp/13xb {number(banner['pa']):#x}")))
    expect_equal(text, b"Linux version", "linux_banner")
    bytes_read = host.kvmdbg.call("mem", "linux_banner", 13)["bytes"]
    expect_equal(bytes.fromhex(bytes_read), text, "mem linux_banner")


def main():
    args = harness.parser(__doc__, kernel="6.1", qemu="7.2").parse_args()
    tap = harness.Tap(args.only)
    for append in ("pti=off", "pti=on", "pti=on no5lvl"):
        with harness.on_machine(Host, args, append) as host:
            tap.cases(f"/translate/{args.kernel}/{append.replace(' ', '-')}/",
                      (levels, user_root, user_addresses, kernel_addresses), host)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
