#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`kvmdbg run` on real machines: the job this project was made for, and every kind of step."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402
from harness import expect, expect_equal  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JOB = ROOT / "tests" / "jobs" / "vhe-ftrace.job"
PASSED, FAILED = 0, 1

MACHINE = f"""
[set]
kernel=6.1
where=nowhere
[prepare]
run={ROOT}/scripts/machine x86_64 --kernel ${{kernel}} --print-job
[machine]
qemu=${{qemu}}
options=${{options}}
kernel=${{linux}}
initrd=${{initrd}}
append=${{append}}
vmlinux=${{vmlinux}}
debug-dir=${{debug-dir}}
ready=${{ready}}
"""

EVERY_STEP = MACHINE + """
[step a command that fails]
run=sym no_such_symbol_at_all
status=1
expect=$.message ~ no_such_symbol_at_all
[step what runs]
run=status
expect.state=$.state == stopped
expect.cpus=$.ncpus == 2
save.release=$.kernel.release
[step go]
run=cont
[step the shell]
shell=uname -r; echo second line
expect.release=$.output ~ ^${release}\\nsecond line\\n$
[step the shell's status]
shell=exit_with() { return $1; }; exit_with 3
status=3
[step a line of the console]
send=echo "what" the console says
[step which comes]
wait=console ^what the console \\w+
expect=$.match == what the console says
[step stop]
run=stop
[step a breakpoint]
run=break ksys_write
[step go again]
run=cont
[step something that hits it]
send=echo
[step the hit]
wait=event stopped
expect=$.stop.reason == breakpoint
[step gdb on it]
gdb=test.gdb
expect.where=$.output ~ #0 .*ksys_write
expect.cpus=$.output ~ CPUs: 2
[step no breakpoint]
run=delete --all
[step a changed byte]
run=write panic+8 --bytes cc
save.old=$.old
[step an answer that is no]
run=text panic
status=1
expect=$.nr_unexplained > 0
[step put back]
run=write panic+8 --bytes ${old}
[step the answer is yes]
run=text panic
[step a condition that holds]
wait=condition jiffies_64 > 0
[step on]
run=cont
[step the machine's clock runs]
wait=condition jiffies_64 % 100 == 7
"""


class Run:
    """A kvmdbg run with a state folder and a temporary folder of its own."""

    def __init__(self, build):
        self.program = str(pathlib.Path(build) / "kvmdbg")
        self.temp = tempfile.TemporaryDirectory(prefix="kvmdbg-test.")
        self.dir = pathlib.Path(self.temp.name)
        self.env = {**os.environ, "XDG_STATE_HOME": str(self.dir / "state"), "TMPDIR": str(self.dir), "TERM": "dumb"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temp.cleanup()

    def write(self, text):
        path = self.dir / "test.job"
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *args):
        return subprocess.Popen([self.program, "run", "--artefacts", str(self.dir / "artefacts"), *map(str, args)],
                                env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, *args, status, timeout=900):
        """Standard output."""
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
            process.wait()
        expect_equal(process.returncode, status, f"{args}: {out}{err}")
        expect_equal(self.qemus(), [], "QEMU left")
        return out

    def qemus(self):
        """Those whose command line has this folder in it."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"qemu" in words[0] and any(str(self.dir).encode() in word for word in words):
                found.append(int(path.parent.name))
        return found


def vhe_ftrace(args):
    """The panic caught and explained, under both tracers, two machines side by side."""
    with Run(args.build) as run:
        out = run.run("--matrix", "tracer=function,function_graph", "--jobs", "2", "--json", JOB, status=PASSED)
        jobs = json.loads(out)
        expect_equal({(job["name"], job["outcome"]) for job in jobs},
                     {(f"vhe-ftrace.tracer-{tracer}", "passed") for tracer in ("function", "function_graph")}, "jobs")
        for job in jobs:
            expect_equal({step["outcome"] for step in job["steps"]}, {"passed"}, job["name"])


def vhe_good(args):
    """The same on the kernel as it should be: nothing is caught, nothing explained."""
    with Run(args.build) as run:
        out = run.run("--set", "kernel=vhe-good", JOB, status=FAILED)
        bad = re.findall(r"^not ok \d+ - vhe-ftrace: (.*)", out, re.M)
        expect_equal(bad, ["the first access faults"], out)
        folder = pathlib.Path(re.search("artefacts in (.*)", out)[1])
        texts = [path.read_text() for path in folder.glob("*-explain.txt")]
        expect(texts and not any("host-current" in text or "fatal" in text for text in texts), f"{texts}")
        expect(any("function" in text for text in [(folder / "console.log").read_text(errors="replace")]), "console")


def every_step(args):
    with Run(args.build) as run:
        (run.dir / "test.gdb").write_text("bt 2\nprintf \"CPUs: %d\\n\", __num_online_cpus.counter\n", encoding="utf-8")
        out = run.run(run.write(EVERY_STEP), status=PASSED)
        expect_equal(len(re.findall("^ok ", out, re.M)), EVERY_STEP.count("[step "), out)


def what_fails(args):
    """A wrong expectation, a console that says nothing, a QEMU that ends: told, with what was collected."""
    with Run(args.build) as run:
        job = MACHINE + ("[collect]\non-failure=bt -a;no-such-command;dump ${artefacts}/vmcore\n"
                         "[step one]\nrun=status\nexpect=$.ncpus == 17\n[step two]\nrun=status\n")
        out = run.run(run.write(job), status=FAILED)
        expect("# expected $.ncpus == 17; found “2”" in out, out)
        folder = pathlib.Path(re.search("artefacts in (.*)", out)[1])
        names = {re.sub(r"^\d+-", "", path.name) for path in folder.iterdir()}
        expect({"bt--a.txt", "no-such-command.txt", "one.json", "console.log", "qemu.log"} <= names, f"{names}")
        expect("CPU" in next(folder.glob("*bt--a.txt")).read_text(), "backtraces")
        with open(folder / "vmcore", "rb") as vmcore:
            expect_equal(vmcore.read(4), b"\x7fELF", "the dump")
        expect((folder / "vmcore").stat().st_size > 1 << 30, "the dump has not all of the memory")
        (run.dir / "bad.gdb").write_text("print no_such_thing\n", encoding="utf-8")
        out = run.run(run.write(MACHINE + "[step one]\ngdb=bad.gdb\n"), status=FAILED)
        expect("bad.gdb: gdb ended with status 1, wanted 0" in out, out)
        expect("no_such_thing" in (pathlib.Path(re.search("artefacts in (.*)", out)[1]) / "gdb.log").read_text(), out)
        out = run.run(run.write(MACHINE + "[step one]\nrun=cont\n[step two]\nwait=console never said\ntimeout=2\n"),
                      status=FAILED)
        expect("timed out: the console did not say “never said”" in out, out)
        out = run.run(run.write(MACHINE + "[step one]\nrun=cont\n[step two]\nshell=poweroff -f\ntimeout=30\n"
                                "[step three]\nrun=status\n"), status=125)
        expect("ended with status 0" in out, out)


def killed(args):
    """A run that is killed leaves no machine."""
    with Run(args.build) as run:
        process = run.start(run.write(MACHINE + "[step one]\nrun=cont\n[step two]\nwait=console never said\n"))
        deadline = time.monotonic() + 300
        while not (run.qemus() and list(run.dir.glob("artefacts/test/*one.json"))):
            expect(process.poll() is None and time.monotonic() < deadline, "it did not start")
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        deadline = time.monotonic() + 20
        while run.qemus():
            expect(time.monotonic() < deadline, "QEMU is still there")
            time.sleep(0.1)


def kept(args):
    """--keep: the machine that a job failed on is there for whoever looks, until Ctrl-C."""
    with Run(args.build) as run:
        process = run.start("--keep", run.write(MACHINE + "[step one]\nrun=status\nexpect=$.ncpus == 17\n"))
        for line in process.stderr:
            told = re.match(r"  kvmdbg attach (\S+) --qmp (\S+)", line)
            if told:
                break
        expect(told, "nothing was told")
        other = harness.Kvmdbg(args.build)
        try:
            other.text("attach", told[1], "--qmp", told[2], "--no-files", "--name", "test")
            expect_equal(other.call("status")["state"], "stopped", "the kept machine")
            other.text("detach", "--stopped")
        finally:
            other.close()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        expect_equal((process.returncode, run.qemus()), (FAILED, []), "its end")


def main():
    args = harness.parser(__doc__).parse_args()
    tap = harness.Tap(args.only)
    tap.cases("/jobs/", (vhe_ftrace, vhe_good, every_step, what_fails, killed, kept), args)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
