# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests on real machines share: kvmdbg itself, gdb as the witness beside it, and TAP."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import traceback

import assets
import machine as machines

# Read by gdb's own Python: asks what GDB_ASK says of the machine and prints the answers.
GDB_SCRIPT = """
import json, os, gdb
ask = json.load(open(os.environ["GDB_ASK"]))
out = {"threads": [], "values": {}}

def frames():
    # The selected thread's, as far as gdb gets: {thread, frames: [{name, pc, line, inlined}], error}.
    found = {"thread": gdb.selected_thread().num, "frames": [], "error": None}
    try:
        frame = gdb.newest_frame()
        while frame and len(found["frames"]) < 100:
            found["frames"].append({"name": frame.name(), "pc": frame.pc(), "line": frame.find_sal().line,
                                    "inlined": frame.type() == gdb.INLINE_FRAME})
            frame = frame.older()
    except gdb.error as error:
        found["error"] = str(error)
    return found

for line in ask["setup"]:
    gdb.execute(line, to_string=True)
for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
    thread.switch()
    frame = gdb.newest_frame()
    values = {name: frame.read_register(name) for name in ask["registers"]}
    # gdb has narrow ones (cpsr) as signed.
    out["threads"].append({name: int(value) & (1 << 8 * value.type.sizeof) - 1
                           for name, value in values.items()})
for thread in gdb.selected_inferior().threads():
    if thread.num == ask["thread"]:
        thread.switch()
for kind, text in ask["values"]:
    try:
        if kind == "bytes":
            address, size = text
            value = bytes(gdb.selected_inferior().read_memory(int(address, 0), size)).hex()
        elif kind == "string":
            value = gdb.parse_and_eval(text).string()
        elif kind == "text":
            value = gdb.execute(text, to_string=True)
        elif kind == "frames":
            value = frames()
        else:
            value = int(gdb.parse_and_eval(text)) & (1 << 64) - 1
    except Exception as error:
        value = {"error": str(error)}
    out["values"][text if kind != "bytes" else text[0]] = value
for line in ask["end"]:
    gdb.execute(line, to_string=True)
print("ANSWER" + json.dumps(out))
"""

REGISTERS = [f"x{n}" for n in range(31)] + ["sp", "pc", "cpsr"]


class Failure(Exception):
    """A test case's expectation did not hold."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def expect_equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")


def number(value):
    """A JSON number, or an address as kvmdbg writes it ("0x…")."""
    return int(value, 0) if isinstance(value, str) else value


def parser(description, **more):
    """For the arguments of a guest test: --build, --only, and what MORE has defaults for."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--build", required=True, help="folder with kvmdbg and kvmdbgd")
    made.add_argument("--only", help="only cases whose name matches")
    for name, default in more.items():
        made.add_argument(f"--{name}", default=default, type=type(default or ""))
    return made


@contextlib.contextmanager
def on_machine(make, *args):
    """What MAKE boots, closed in the end. Where it cannot boot, the test ends as TAP has it."""
    try:
        host = make(*args)
    except (machines.MachineError, assets.AssetError, Failure) as error:
        print(f"Bail out! {error}", flush=True)
        raise SystemExit(1) from error
    try:
        yield host
    finally:
        host.close()


def left_behind(kvmdbg):
    """What a case that failed leaves, told; the machine is stopped and without breakpoints for the next one."""
    said = []
    asked = (("status",), ("breaks",), ("stop",), ("delete", "--all"), ("status",), ("bt", "-a"), ("log",))
    for words in asked if kvmdbg else ():
        try:
            done = kvmdbg.run(*words, timeout=20)
        except Failure as error:
            return [*said, str(error)]
        lines = (done.out + done.err).splitlines()
        said += [f"> {' '.join(words)}: {done.status}", *(lines[-20:] if words == ("log",) else lines[:40])]
    return said


class Tap:
    """Runs cases one after the other and says how each ended."""

    def __init__(self, only=None):
        self.count = self.failed = 0
        self.only = only

    def case(self, name, function, *args):
        """Run one case; TRUE when it passed."""
        if self.only and not re.search(self.only, name):
            return True
        self.count += 1
        started = time.monotonic()
        try:
            function(*args)
        except Exception as error:  # whatever a case raises is its failure, and the next one runs
            self.failed += 1
            print(f"not ok {self.count} - {name}")
            lines = [str(error)] if isinstance(error, Failure) else traceback.format_exc().splitlines()
            lines += left_behind(getattr(next(iter(args), None), "kvmdbg", None))
            for line in "\n".join(lines).splitlines():
                print(f"# {line}")
            passed = False
        else:
            print(f"ok {self.count} - {name}")
            passed = True
        print(f"# {time.monotonic() - started:.1f} s", flush=True)
        return passed

    def cases(self, prefix, functions, *args):
        """Run them, each under its own name behind PREFIX."""
        for function in functions:
            self.case(prefix + function.__name__.replace("_", "-"), function, *args)

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    def end(self):
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def expect_stack(frames, text, labels, what):
    """FRAMES of a backtrace end with those of TEXT, what /proc/PID/stack says; LABELS: {name: address}."""
    wanted = [(name, int(offset, 16)) for name, offset in re.findall(r"\] (\S+?)\+(0x[0-9a-f]+)/", text)]
    expect(wanted, f"{what}: /proc has {text!r}")
    got = [(frame["symbol"], number(frame["offset"]), number(frame["pc"])) for frame in frames if not frame["inlined"]]
    # /proc leaves out the scheduler's own functions at the top.
    got = got[max(len(got) - len(wanted), 0):]
    expect_equal(len(got), len(wanted), f"{what}: frames that /proc has")
    for (symbol, offset, pc), (name, start) in zip(got, wanted, strict=True):
        # Several names may be of one place, and labels inside a function of assembly are symbols too.
        if (symbol, offset) != (name, start):
            expect_equal(pc, labels.get(name, 0) + start, f"{what}: {symbol}+{offset:#x}, /proc has {name}+{start:#x}")


class Done:
    """How one kvmdbg command ended."""

    def __init__(self, argv, status, out, err, seconds):
        self.argv, self.status, self.out, self.err, self.seconds = argv, status, out, err, seconds

    def __str__(self):
        return f"{' '.join(self.argv)}: status {self.status}, stderr {self.err.strip()!r}"


class Kvmdbg:
    """The built kvmdbg, with a runtime folder (and so a daemon) and a cache of its own."""

    def __init__(self, build, session="test", prefix=()):
        self.program = str(pathlib.Path(build) / "kvmdbg")
        self.prefix = list(prefix)
        self.session = session
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kvmdbg-test."))
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(self.dir / "run"),
                    "XDG_CACHE_HOME": str(self.dir / "cache"), "TERM": "dumb"}
        for name in ("run", "cache"):
            (self.dir / name).mkdir(mode=0o700)

    def run(self, *args, timeout=120):
        """One command line; never raises for its status."""
        argv = ["--session", self.session, *map(str, args)]
        started = time.monotonic()
        try:
            done = subprocess.run([*self.prefix, self.program, *argv], stdin=subprocess.DEVNULL, env=self.env, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"kvmdbg {' '.join(argv)}: no end after {timeout} s") from error
        return Done(argv, done.returncode, done.stdout.decode(errors="replace"),
                    done.stderr.decode(errors="replace"), time.monotonic() - started)

    def text(self, *args, **kwargs):
        """What a command prints for people."""
        done = self.run(*args, **kwargs)
        expect(done.status == 0, str(done))
        return done.out

    def call(self, *args, **kwargs):
        """A command's result as a tree."""
        done = self.run("--json", *args, **kwargs)
        expect(done.status == 0, str(done))
        try:
            return json.loads(done.out)
        except ValueError as error:
            raise Failure(f"{done}: not JSON: {done.out[:200]!r}") from error

    def calls(self, lines, timeout=120):
        """The results of many commands, by one shell: a tenth of the time that as many processes take."""
        argv = ["--session", self.session, "--json", "shell"]
        done = subprocess.run([*self.prefix, self.program, *argv], input="".join(f"{line}\n" for line in lines), text=True,
                              env=self.env, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        expect(done.returncode == 0, f"{lines[:4]}…: status {done.returncode}, stderr {done.stderr!r}")
        results = [json.loads(line) for line in done.stdout.splitlines()]
        expect_equal(len(results), len(lines), f"results of {lines[:4]}…")
        return results

    def attach(self, machine, *args):
        qmp = ["--qmp", machine.qmp] if machine.qmp else []
        if machine.info["modules"]:
            args = ["--debug-dir", machine.kernel / "debug", *args]
        return self.run("--json", "attach", machine.gdb, *qmp, "--vmlinux", machine.vmlinux,
                        "--name", self.session, *args)

    def attach_bare(self, machine):
        """Attach with nothing but the machine."""
        return self.run("--json", "attach", machine.gdb, "--qmp", machine.qmp, "--no-files", "--name", self.session)

    def refused(self, status, pattern, *args, **kwargs):
        """A command that must fail with STATUS and one line of stderr that matches PATTERN."""
        done = self.run(*args, **kwargs)
        expect_equal(done.status, status, str(done))
        lines = done.err.strip().splitlines()
        expect(len(lines) == 1 and lines[0].startswith("kvmdbg: "), f"not one line: {done}")
        expect(re.search(pattern, lines[0]), f"does not say {pattern!r}: {done}")
        return done

    def processes(self):
        """Ids of the processes that work in our runtime folder: the daemon."""
        mark = f"XDG_RUNTIME_DIR={self.env['XDG_RUNTIME_DIR']}".encode()
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    def close(self):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def gdb_ask(machine, offset, thread, values, registers=tuple(REGISTERS), timeout=300, setup=()):
    """What gdb sees on the present stop of MACHINE, which stays stopped.

    VALUES is a list of (kind, text): "int" and "string" expressions, "text" commands (which may run the
    machine to another stop), "bytes" with (address, size), "frames" with any name. Memory is read as thread number THREAD sees it. {threads: [{register: value}],
    values: {text: value}}.
    """
    ask = {
        # Without its index gdb reads a vmlinux for a minute.
        "setup": [f"set index-cache directory {assets.cache_dir() / 'gdb-index'}", "set index-cache enabled on",
                  "set confirm off", "set pagination off", "set print repeats 0", "set width 0",
                  f"symbol-file {machine.vmlinux} -o {offset:#x}",
                  *setup, f"target remote {machine.gdb.removeprefix('unix:')}"],
        # Not "detach": that would let the machine run.
        "end": ["disconnect"],
        "thread": thread, "values": values, "registers": list(registers),
    }
    # Files: an argument or a variable of the environment has at most 128 KiB.
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script, tempfile.NamedTemporaryFile("w") as asked:
        script.write(GDB_SCRIPT)
        script.flush()
        json.dump(ask, asked)
        asked.flush()
        done = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-x", script.name], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False,
                              env={**os.environ, "GDB_ASK": asked.name, "DEBUGINFOD_URLS": ""})
    for line in done.stdout.decode(errors="replace").splitlines():
        if line.startswith("ANSWER"):
            return json.loads(line[len("ANSWER"):])
    raise Failure(f"gdb: {done.stderr.decode(errors='replace')[-500:]}")


def dump_with_note(machine, call, folder):
    """An ELF dump of the present stop of MACHINE in FOLDER, with the note without which drgn refuses it.

    QEMU adds it only for kernels that have the fw_cfg driver; the kernel holds its text in any case, and
    CALL, kvmdbg's answer to some words, tells where.
    """
    raw, whole = folder / "raw.elf", folder / "dump.elf"
    machine.monitor("dump-guest-memory", paging=False, protocol=f"file:{raw}")
    size = call("print", "vmcoreinfo_size")["value"]
    place = f"{number(call('print', 'vmcoreinfo_data')['value']):#x}"
    text = bytes.fromhex(call("mem", place, str(size))["bytes"])
    note = struct.pack("<III", 11, len(text), 0) + b"VMCOREINFO\0\0" + text + b"\0" * (-len(text) % 4)
    # drgn starts from the kernel's own tables, so it must find where the kernel's image is: as a segment.
    text_va, end_va = (number(call("sym", name)["symbols"][0]["addr"]) for name in ("_text", "_end"))
    text_pa = number(call("translate", hex(text_va))["pa"])
    with raw.open("rb") as source, whole.open("wb") as target:
        head = source.read(64)
        entry, each, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
        source.seek(entry)
        headers, parts, at = [struct.unpack("<IIQQQQQQ", source.read(each)) for _ in range(count)], [], 0x10000
        for kind, flags, offset, va, pa, length, memory, align in headers:
            source.seek(offset)
            data = source.read(length) + (note if kind == 4 else b"")
            target.seek(at)
            target.write(data)
            parts.append((kind, flags, at, va, pa, len(data), memory if kind == 1 else len(data), 0))
            if kind == 1 and pa <= text_pa < pa + length:
                size = end_va - text_va
                parts.append((kind, flags, at + text_pa - pa, text_va, text_pa, size, size, 0))
            at += len(data)
        target.seek(0)
        target.write(head[:32] + struct.pack("<Q", 64) + head[40:56] + struct.pack("<H", len(parts)) + head[58:])
        for part in parts:
            target.write(struct.pack("<IIQQQQQQ", *part))
    raw.unlink()
    return whole


def drgn_ask(dump, files, script):
    """What SCRIPT makes of DUMP in drgn: it has `prog` and prints one JSON value. FILES: the vmlinux, then modules'.

    Debian's drgn reads dumps of x86-64 only.
    """
    lines = ["import json, sys, drgn", "prog = drgn.Program()", "prog.set_core_dump(sys.argv[1])",
             # Modules are found with what the kernel's own file says.
             "prog.load_debug_info(sys.argv[2:3])", "if sys.argv[3:]:\n\tprog.load_debug_info(sys.argv[3:])", script]
    # Debian's own Python: its packages are for that one.
    done = subprocess.run(["/usr/bin/python3", "-c", "\n".join(lines), str(dump), *map(str, files)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
    if done.returncode:
        raise Failure(f"drgn: {done.stderr.decode(errors='replace')[-500:]}")
    return json.loads(done.stdout)


def first_difference(one, other, place=""):
    """Where two trees differ first, and what is there; None: nowhere."""
    if type(one) is type(other) and isinstance(one, dict):
        pairs = [(f"{place}.{name}", one.get(name, "(none)"), other.get(name, "(none)")) for name in sorted({*one, *other})]
    elif type(one) is type(other) and isinstance(one, (list, tuple)) and len(one) == len(other):
        pairs = [(f"{place}[{n}]", *both) for n, both in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, list) and isinstance(other, list):
        return f"{place}: {len(one)} elements, without files {len(other)}: {one!r:.1000} {other!r:.1000}"
    else:
        return None if one == other else f"{place}: {one!r:.300}, without files {other!r:.300}"
    return next((found for found in (first_difference(a, b, where) for where, a, b in pairs) if found), None)


def elf_all_symbols(path):
    """(name, value, section) of all symbols of an ELF file in its own order, as elfutils reads them."""
    out = subprocess.run(["eu-nm", "-f", "sysv", "-p", str(path)], stdout=subprocess.PIPE, check=True).stdout.decode()
    for line in out.splitlines():
        words = [word.strip() for word in line.split("|")]
        if len(words) == 7 and words[0] != "Name":
            yield words[0], int(words[1], 16), words[6]


def elf_symbols(path, names):
    """{name: value} of the wanted symbols in an ELF file, as elfutils reads them."""
    out = subprocess.run(["eu-nm", "-P", str(path)], stdout=subprocess.PIPE, check=True).stdout.decode()
    found = {}
    for line in out.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] in names:
            found[words[0]] = int(words[2], 16)
    return found


def elf_build_id(path):
    out = subprocess.run(["eu-readelf", "-n", str(path)], stdout=subprocess.PIPE, check=True).stdout.decode()
    match = re.search(r"Build ID: ([0-9a-f]+)", out)
    return match[1] if match else None
