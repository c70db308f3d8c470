#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`kvmdbg run` where nothing boots: job files, programs and machines that fail, and the end of every process."""

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "guest"))

import harness  # noqa: E402
from harness import expect, expect_equal  # noqa: E402

STEP = "[step one]\nrun=status\n"
PASSED, FAILED, USAGE, SKIPPED, BROKEN = 0, 1, 2, 77, 125


class Jobs:
    """A folder of job files, and kvmdbg."""

    def __init__(self, build):
        self.program = str(pathlib.Path(build) / "kvmdbg")
        self.temp = tempfile.TemporaryDirectory(prefix="kvmdbg-test.")
        self.dir = pathlib.Path(self.temp.name)
        self.env = {**os.environ, "XDG_STATE_HOME": str(self.dir / "state"), "TMPDIR": str(self.dir), "TERM": "dumb"}

    def write(self, text, name="x.job"):
        path = self.dir / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *args):
        return subprocess.Popen([self.program, *map(str, args)], env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *args, status):
        process = self.start("run", *args)
        out, err = process.communicate(timeout=60)
        expect_equal(process.returncode, status, f"{args}: {out}{err}")
        left = [path.name for path in self.dir.glob("kvmdbg-run.*")]
        expect_equal(left, [], "folders left")
        return out, err


def bad_files(jobs):
    for text, message in (
            ("[machine]\nqemu=/bin/true\nkernal=x\n" + STEP, "unknown key “kernal” (did you mean kernel?)"),
            ("[machine]\nqemu=/bin/true\nkernel=nowhere/vmlinuz\n" + STEP, "nowhere/vmlinuz: No such file"),
            ("[machine]\nqemu=qemu-of-nobody\n" + STEP, "qemu-of-nobody"),
            ("[machine]\nqemu=/bin/true\noptions='\n" + STEP, "matching quote"),
            ("[machine]\nqemu=${what}\n" + STEP, "nothing sets ${what}")):
        out, err = jobs.run(jobs.write(text), status=BROKEN)
        expect(message.lower() in (out + err).lower(), f"{out}{err}")
    _, err = jobs.run(jobs.dir / "none.job", status=BROKEN)
    expect("none.job" in err, err)
    for args in ((), ("--nothing", "x.job"), ("--jobs", "0", "x.job")):
        _, err = jobs.run(*args, status=USAGE)
        expect(err.startswith("kvmdbg: run: "), err)
    path = jobs.write("[set]\nkernel=a\n[machine]\nqemu=/bin/true\n" + STEP)
    _, err = jobs.run("--set", "kernal=b", path, status=BROKEN)
    expect("did you mean kernel?" in err, err)
    _, err = jobs.run("--set", "kernel", path, status=BROKEN)
    expect("is not KEY=VALUE" in err, err)
    _, err = jobs.run("--matrix", "kernel=" + ",".join(map(str, range(300))), path, status=BROKEN)
    expect("more than 256" in err, err)


def qemu_that_ends(jobs):
    path = jobs.write("[machine]\nqemu=/bin/sh\noptions=-c 'echo no such machine >&2; exit 3'\n" + STEP)
    out, _ = jobs.run(path, status=BROKEN)
    expect("/bin/sh ended with status 3: no such machine" in out, out)
    expect("ok 2 - x: one # SKIP not reached" in out and out.endswith("1..2\n"), out)
    log = re.search("artefacts in (.*)", out)[1]
    expect_equal((pathlib.Path(log) / "qemu.log").read_text(), "no such machine\n", "qemu.log")


def prepared(jobs):
    """What comes before the machine: what is needed, what is built, and what it sets."""
    out, _ = jobs.run(jobs.write("[job]\nneeds=sh;program-of-nobody\n[machine]\nqemu=/bin/true\n" + STEP), status=SKIPPED)
    expect("ok 1 - x: start # SKIP program-of-nobody is not here" in out, out)
    for code, status in ((77, SKIPPED), (5, BROKEN)):
        out, _ = jobs.run(jobs.write(f"[prepare]\nrun=echo why >&2; exit {code}\n[machine]\nqemu=/bin/true\n" + STEP),
                          status=status)
        expect(f"ended with status {code}" in out, out)
    text = ("[set]\nsay=a b\n[prepare]\nrun=echo 'words=-c \"echo ${say} >&2\"'; pwd >&2\n"
            "[machine]\nqemu=/bin/sh\noptions=${words}\n") + STEP
    out, _ = jobs.run("--set", "say=what was set", jobs.write(text), status=BROKEN)
    expect("ended with status 0: what was set" in out, out)
    out, _ = jobs.run(jobs.write("[prepare]\nrun=sleep 100\ntimeout=1\n[machine]\nqemu=/bin/true\n" + STEP), status=BROKEN)
    expect("timed out" in out, out)


def matrix(jobs):
    """Every combination, side by side, each in a folder of its own; one report of all."""
    path = jobs.write("[set]\na=0\nb=0\n[machine]\nqemu=/bin/sh\noptions=-c 'echo ${a}${b} >&2'\n" + STEP)
    junit = jobs.dir / "out.xml"
    out, _ = jobs.run("--matrix", "a=1,2", "--matrix", "b=3,4", "--jobs", "4", "--junit", junit, "--artefacts",
                      jobs.dir / "artefacts", path, status=BROKEN)
    expect_equal(sorted(re.findall(r"ended with status 0: (\d+)", out)), ["13", "14", "23", "24"], "combinations")
    names = {f"x.a-{a}.b-{b}" for a in "12" for b in "34"}
    expect_equal({path.name for path in (jobs.dir / "artefacts").iterdir()}, names, "folders")
    suites = xml.etree.ElementTree.parse(junit).getroot().findall("testsuite")
    expect_equal({suite.get("name") for suite in suites}, names, "suites")
    expect_equal({(suite.get("errors"), suite.get("skipped")) for suite in suites}, {("1", "1")}, "counts")
    out, _ = jobs.run("--json", path, path, status=BROKEN)
    done = json.loads(out)
    expect_equal([(job["name"], job["outcome"]) for job in done],
                 [("x", "could not be run"), ("x~2", "could not be run")], "as JSON")
    expect_equal([step["outcome"] for step in done[0]["steps"]], ["could not be run", "not reached"], "its steps")


def in_shell(jobs):
    """The shell runs jobs too, as a program of their own."""
    path = jobs.write("[machine]\nqemu=/bin/sh\noptions=-c 'echo here >&2'\n" + STEP)
    (jobs.dir / "run").mkdir(mode=0o700)
    env = {**jobs.env, "XDG_RUNTIME_DIR": str(jobs.dir / "run")}
    done = subprocess.run([jobs.program, "shell"], input=f"run {path}\n", env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    expect("/bin/sh ended with status 0: here" in done.stdout and "1..2" in done.stdout, f"{done}")


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def ended(jobs):
    """However the run ends, what it started ends with it: its QEMU, its daemon."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        pid_file = jobs.dir / "pid"
        pid_file.unlink(missing_ok=True)
        path = jobs.write(f"[machine]\nqemu=/bin/sh\noptions=-c 'echo $$ >{pid_file}; exec sleep 100'\n" + STEP)
        process = jobs.start("run", path)
        deadline = time.monotonic() + 20
        while not (pid_file.exists() and pid_file.read_text().strip()):
            expect(time.monotonic() < deadline and process.poll() is None, "it has not started")
            time.sleep(0.02)
        children = pathlib.Path(f"/proc/{process.pid}/task")
        pids = [int(pid) for task in children.iterdir() for pid in (task / "children").read_text().split()]
        expect(int(pid_file.read_text()) in pids and len(pids) == 2, f"{pids}")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        expect_equal(process.returncode, -number if number == signal.SIGKILL else BROKEN, out + err)
        while any(alive(pid) for pid in pids):
            expect(time.monotonic() < deadline, f"signal {number}: still there: {pids}")
            time.sleep(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--only")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    for name, case in (("bad-files", bad_files), ("qemu-that-ends", qemu_that_ends), ("prepared", prepared),
                       ("matrix", matrix), ("in-shell", in_shell), ("ended", ended)):
        jobs = Jobs(args.build)
        tap.case(f"/run/{name}", case, jobs)
        jobs.temp.cleanup()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
