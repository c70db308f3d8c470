# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot one of our machines: a KVM host in QEMU (TCG) with guests of ours inside."""

import contextlib
import ctypes
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import assets

READY = b"machine: ready"
PANIC = b"Kernel panic - not syncing"
PR_SET_PDEATHSIG = 1
# The kernel of a machine that takes longer hangs, or its computer is very busy.
BOOT_TIMEOUT_S = 600

# One row for each architecture; the first mode is the default.
MACHINES = {
    "arm64": {
        "machine": "virt,virtualization=on,gic-version=3",
        # The architected algorithm of pointer authentication doubles the time of everything on 7.2.
        "cpu": "max,pauth-impdef=on",
        "console": "ttyAMA0",
        "modes": {"vhe": "", "nvhe": "kvm-arm.mode=nvhe"},
    },
    # TCG has no VMX.
    "x86_64": {
        "machine": "q35",
        # 7.2 leaves garbage in the flags behind cmpxchg16b, which 6.12 uses without a lock: it panics sooner or later.
        "cpu": "max,+svm,-cx16",
        # With a thread for each CPU a VMCB gets the host's RIP now and then; the guest dies, and the host soon after.
        "accel": "tcg,thread=single",
        "console": "ttyS0",
        "modes": {"svm": ""},
    },
}


class MachineError(Exception):
    """A machine did not boot or does not answer; the text is for people."""


def parse_witness(text):
    """What the machine said of itself on its console, as a tree (numbers as integers).

    {init: {…}, sleeper: {pid, comm}, vms: [{vm, comm, pid, …, vcpus: [{…}], slots: [{…}]}]}
    """
    tree = {"vms": []}
    for line in text.splitlines():
        if not line.startswith("witness "):
            continue
        fields = {}
        for word in line.split()[1:]:
            key, _, value = word.partition("=")
            with contextlib.suppress(ValueError):
                value = int(value, 0)
            fields[key] = value
        if "sleeper" in fields:
            tree["sleeper"] = {"pid": fields["sleeper"], "comm": fields["comm"]}
        elif "init" in fields:
            tree["init"] = {"pid": fields["init"], "release": fields["release"]}
        elif "slot" in fields:
            tree["vms"][fields["vm"]]["slots"].append(fields)
        elif "vcpu" in fields:
            tree["vms"][fields["vm"]]["vcpus"].append(fields)
        elif "vm" in fields:
            tree["vms"].append({**fields, "vcpus": [], "slots": []})
    return tree


def die_with_parent():
    """In the child before exec: end when the process that started us ends, however it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """A machine that is to run, runs or has run. Use it with `with`, or call close()."""

    def __init__(self, arch="arm64", kernel="6.1", qemu="7.2", mode=None, smp=2, memory="1G", gdb=None,
                 qmp=None, directory=None, shared=False, append="", initrd=None, refresh=False, nic="none",
                 cpu=None):
        row = MACHINES.get(arch)
        if not row:
            raise MachineError(f"no machine {arch} (known: {', '.join(MACHINES)})")
        mode = mode or next(iter(row["modes"]))
        if mode not in row["modes"]:
            raise MachineError(f"{arch} has no mode {mode} (known: {', '.join(row['modes'])})")
        self.arch, self.mode, self.row = arch, mode, row
        self.kernel = assets.kernel(arch, kernel, refresh)
        self.info = json.loads((self.kernel / "info.json").read_text(encoding="utf-8"))
        self.vmlinux = self.kernel / "vmlinux"
        self.program, self.program_options = assets.qemu(arch, qemu, refresh)
        made = assets.initrd(arch, self.kernel, refresh)
        self.nested = made / "nested"
        self.initrd = pathlib.Path(initrd) if initrd else made / "initrd"
        self.smp, self.memory, self.shared, self.append, self.nic = smp, memory, shared, append, nic
        self.cpu = cpu or row["cpu"]
        self.own_directory = directory is None
        if directory:
            pathlib.Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not under a long path: a UNIX socket's name is at most 107 bytes.
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix="kvmdbg-machine."))
        self.gdb_option = gdb
        self.gdb = gdb or f"unix:{self.dir}/gdb.sock"
        # "none": a machine that only its gdb stub can reach.
        self.qmp = None if qmp == "none" else pathlib.Path(qmp or self.dir / "qmp.sock")
        # A monitor serves one client, and an attached kvmdbg stays that one: tests have another.
        self.witness_qmp = self.qmp and self.dir / "witness.sock"
        self.serial = self.dir / "serial.sock"
        self.console = self.dir / "console.log"
        self.process = None
        self.shell = None
        self.witness = {}

    def job(self):
        """The machine as the variables of a job of `kvmdbg run`."""
        append = ["console=" + self.row["console"], self.row["modes"][self.mode], self.append]
        options = [*self.program_options, "-nodefaults", "-no-user-config", "-display", "none",
                   "-nic", self.nic, "-no-reboot", "-accel", self.row.get("accel", "tcg"), "-M", self.row["machine"],
                   "-cpu", self.cpu, "-smp", str(self.smp), "-m", self.memory]
        if self.shared:
            options += ["-object", f"memory-backend-memfd,id=mem,size={self.memory},share=on",
                        "-machine", "memory-backend=mem"]
        return {"qemu": self.program, "options": shlex.join(options), "linux": str(self.kernel / "vmlinuz"),
                "initrd": str(self.initrd), "append": " ".join(word for word in append if word),
                "vmlinux": str(self.vmlinux), "debug-dir": str(self.kernel / "debug") if self.info["modules"] else "",
                "ready": READY.decode()}

    def command(self, console_on_terminal=False):
        """The command line of QEMU."""
        job = self.job()
        argv = [job["qemu"], *shlex.split(job["options"]), "-kernel", job["linux"], "-initrd", job["initrd"],
                "-append", job["append"]]
        if self.gdb_option:
            address = self.gdb_option.removeprefix("tcp:")
            argv += ["-gdb", f"tcp:{'127.0.0.1' if address.startswith(':') else ''}{address}"]
        else:
            argv += ["-chardev", f"socket,path={self.gdb.removeprefix('unix:')},server=on,wait=off,id=gdb0",
                     "-gdb", "chardev:gdb0"]
        if self.qmp:
            argv += ["-qmp", f"unix:{self.qmp},server=on,wait=off",
                     "-qmp", f"unix:{self.witness_qmp},server=on,wait=off"]
        if console_on_terminal:
            argv += ["-chardev", f"stdio,id=serial0,mux=on,signal=off,logfile={self.console}",
                     "-mon", "chardev=serial0,mode=readline"]
        else:
            argv += ["-chardev", f"socket,id=serial0,path={self.serial},server=on,wait=off,"
                                 f"logfile={self.console}"]
        return argv + ["-serial", "chardev:serial0"]

    def start(self, detached=False):
        """Start QEMU; it ends with this process, unless DETACHED."""
        # An earlier machine's "ready" is not this one's.
        self.console.unlink(missing_ok=True)
        with open(self.dir / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=detached, preexec_fn=None if detached else die_with_parent)
        return self

    def run_on_terminal(self):
        """Run QEMU with its console on our terminal until it ends; its exit status."""
        self.process = subprocess.Popen(self.command(True), preexec_fn=die_with_parent)
        return self.process.wait()

    def wait_ready(self, timeout=BOOT_TIMEOUT_S):
        """Wait until the guests run and the machine has a shell; fills `witness`."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            text = b""
            with contextlib.suppress(FileNotFoundError):
                text = self.console.read_bytes()
            if READY in text:
                self.witness = parse_witness(text.decode(errors="replace"))
                return self
            if PANIC in text:
                line = text[text.index(PANIC):].splitlines()[0].decode(errors="replace")
                raise MachineError(line)
            if self.process.poll() is not None:
                log = (self.dir / "qemu.log").read_text(errors="replace").strip().splitlines()
                raise MachineError(f"QEMU ended with {self.process.returncode}: {log[0] if log else ''}")
            time.sleep(0.1)
        tail = self.console.read_text(errors="replace").strip().splitlines()[-1:]
        raise MachineError(f"not ready after {timeout} s; the console ends with {tail}")

    def describe(self):
        """What a script needs to know, as plain data."""
        return {"pid": self.process.pid, "gdb": self.gdb, "qmp": self.qmp and str(self.qmp), "serial": str(self.serial),
                "console": str(self.console), "vmlinux": str(self.vmlinux),
                "module_debug": str(self.kernel / "debug") if self.info["modules"] else None, "nested": str(self.nested),
                "dir": str(self.dir), "arch": self.arch, "mode": self.mode, "kernel": self.info["release"],
                "qemu": self.program, "witness": self.witness}

    def run(self, command, timeout=300):
        """Run COMMAND in the shell of the machine, which must be running: (output, status)."""
        if not self.shell:
            self.shell = Shell(self.serial)
        return self.shell.run(command, timeout)

    def output(self, command, timeout=300):
        """Output of COMMAND in the machine; MachineError when it fails there."""
        text, status = self.run(command, timeout)
        if status:
            raise MachineError(f"in the machine: {command}: status {status}: {text[-200:]}")
        return text

    def monitor(self, command, **arguments):
        """One QMP command on a connection of its own, whoever holds the monitor at `qmp`: its `return`."""
        with Qmp(self.witness_qmp) as qmp:
            return qmp.call(command, **arguments)

    def close(self):
        if self.shell:
            self.shell.close()
            self.shell = None
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        if self.own_directory:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(address):
    """A socket that is connected to a path, or to (host, port)."""
    if isinstance(address, tuple):
        return socket.create_connection(address)
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(address))
    return connected


class Shell:
    """The root shell on the serial console of a running machine."""

    def __init__(self, address):
        self.socket = connect(address)
        self.pending = b""
        self.count = 0
        # Echo and prompt would be among the output; the first command's answer ends what they left.
        self.socket.sendall(b"\nstty -echo -onlcr; PS1=; PS2=\n")
        self.run(":")

    def run(self, command, timeout=300):
        self.count += 1
        # The marks are in two pieces, so that an echo of the command is not taken for them.
        line = (f"printf '\\nbegin''-{self.count}\\n'; {{ {command}\n}} 2>&1 </dev/null; "
                f"printf '\\nend''-{self.count} %d\\n' $?\n")
        self.socket.sendall(line.encode())
        self._until(f"\nbegin-{self.count}\n".encode(), timeout)
        text = self._until(f"\nend-{self.count} ".encode(), timeout)
        status = self._until(b"\n", timeout)
        return text.decode(errors="replace"), int(status)

    def _until(self, mark, timeout):
        deadline = time.monotonic() + timeout
        parts = [self.pending]
        tail = self.pending
        while mark not in tail:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError as error:
                raise MachineError(f"no answer from the machine's shell in {timeout} s") from error
            if not data:
                raise MachineError("the machine's console closed")
            parts.append(data)
            tail = tail[-len(mark):] + data
        before, _, self.pending = b"".join(parts).partition(mark)
        return before

    def close(self):
        self.socket.close()


class Qmp:
    """A QMP connection, as little of it as tests need."""

    def __init__(self, address):
        self.socket = connect(address)
        self.socket.settimeout(120)
        self.file = self.socket.makefile("rwb")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise MachineError(f"QMP closed in {command}")
            reply = json.loads(line)
            if "error" in reply:
                raise MachineError(f"QMP {command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()


def boot(*args, timeout=BOOT_TIMEOUT_S, **kwargs):
    """A Machine that is up, and ends with this process at the latest."""
    machine = Machine(*args, **kwargs)
    try:
        return machine.start().wait_ready(timeout)
    except BaseException:
        machine.close()
        raise
