#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interactive shell on a terminal, and as a script, without any machine."""

import argparse
import contextlib
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "guest"))

import harness  # noqa: E402
from harness import Failure, expect, expect_equal  # noqa: E402

PROMPT = "kvmdbg> "


class Terminal:
    """kvmdbg on a terminal of its own."""

    def __init__(self, tool, *args):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = {**tool.env, "XDG_STATE_HOME": str(tool.dir / "state"), "TERM": "xterm", "LC_ALL": "C.UTF-8",
                   "INPUTRC": "/dev/null"}
            try:
                os.execve(tool.program, [tool.program, *args], env)
            finally:
                os._exit(127)

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, pattern, timeout=20):
        """What is shown up to PATTERN, without escape sequences; it counts as seen."""
        end = time.monotonic() + timeout
        while True:
            plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.seen).replace("\r", "")
            match = re.search(pattern, plain)
            if match:
                self.seen = plain[match.end():]
                return plain[:match.end()]
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            data = b""
            if ready:
                with contextlib.suppress(OSError):
                    data = os.read(self.fd, 65536)
            if not data:
                raise Failure(f"{pattern!r} is not shown; {plain!r} is")
            self.seen += data.decode(errors="replace")

    def status(self):
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def talks(build):
    with harness.Kvmdbg(build) as tool, Terminal(tool) as shell:
        shell.until(PROMPT)
        shell.type("sessions\n")
        shell.until("no sessions")
        shell.until(PROMPT)
        shell.type("status\n")
        shell.until("kvmdbg: no session")
        shell.type("statsu\n")
        shell.until("did you mean status")
        shell.type("help detach\n")
        shell.until("usage: kvmdbg detach")
        shell.type("detach --help\n")
        shell.until("usage: kvmdbg detach")
        shell.type("attach 'unclosed\n")
        shell.until("a quote is not closed")
        shell.type("sessions | tr a-z A-Z\n")
        shell.until("NO SESSIONS")
        shell.type("--json sessions\n")
        shell.until(r"\[\s*\]")
        shell.type("!echo $((6 * 7))\n")
        shell.until("\n42")
        shell.until(PROMPT)
        shell.type("quit\n")
        expect_equal(shell.status(), 0, "status")


def completes(build):
    with harness.Kvmdbg(build) as tool, Terminal(tool, "shell") as shell:
        shell.until(PROMPT)
        shell.type("stat\t\n")
        shell.until("status ")
        shell.until("no session")
        shell.until(PROMPT)
        shell.type("attach --vm\t")
        shell.until("--vmlinux ")
        shell.type(f"{tool.dir}/ca\t")
        shell.until("/cache")
        shell.type("\x15quit\n")
        expect_equal(shell.status(), 0, "status")


def history(build):
    with harness.Kvmdbg(build) as tool:
        with Terminal(tool) as shell:
            shell.until(PROMPT)
            shell.type("help sessions\nsessions\nsessions\n")
            for _ in range(3):
                shell.until(PROMPT)
            shell.type("\x04")
            expect_equal(shell.status(), 0, "status at the end of input")
        file = tool.dir / "state" / "kvmdbg" / "history"
        expect_equal(file.read_text(), "help sessions\nsessions\n", "history")
        expect_equal(file.stat().st_mode & 0o777, 0o600, "mode")
        with Terminal(tool) as shell:
            shell.until(PROMPT)
            shell.type("\x1b[A\x1b[A\n")
            shell.until("usage: kvmdbg sessions")


def interrupts(build):
    """Ctrl-C empties the line being typed, and cancels a command under way."""
    with harness.Kvmdbg(build) as tool, socket.create_server(("127.0.0.1", 0)) as silent, Terminal(tool) as shell:
        shell.until(PROMPT)
        shell.type("nonsense\x03")
        shell.until(re.escape("^C"))
        shell.until(PROMPT)
        shell.type(f"attach :{silent.getsockname()[1]}\n")
        shell.until("attach :")
        deadline = time.monotonic() + 10
        while "attaching" not in tool.run("sessions").out and time.monotonic() < deadline:
            time.sleep(0.05)
        shell.type("\x03")
        shell.until("(?i)cancelled")
        shell.until(PROMPT)
        shell.type("sessions\n")
        shell.until("no sessions")


def daemon_dies(build):
    with harness.Kvmdbg(build) as tool, Terminal(tool) as shell:
        shell.until(PROMPT)
        for pid in tool.processes():
            if pid != shell.pid:
                os.kill(pid, signal.SIGKILL)
        shell.until("the daemon went away")
        shell.type("sessions\n")
        shell.until("no sessions")


def script(build):
    rows = [
        ("sessions\n# a comment\n\nhelp\n", 0),
        ("sessions\nstatsu\nsessions\n", 2),
        ("status\n", 3),
        ("quit\nstatsu\n", 0),
    ]
    with harness.Kvmdbg(build) as tool:
        for text, status in rows:
            done = subprocess.run([tool.program, "shell"], env=tool.env, input=text.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=20, check=False)
            expect_equal(done.returncode, status, f"{text!r}: {done.stderr}")
            expect(PROMPT not in done.stdout.decode(), "no prompt without a terminal")


def color(build):
    with harness.Kvmdbg(build) as tool:
        for env, args, wanted in (({}, ["--color", "always"], True), ({}, [], False),
                                  ({"NO_COLOR": "1"}, ["--color=always"], True)):
            tool.env.pop("NO_COLOR", None)
            tool.env.update(env)
            tool.run("attach", ":1")  # The daemon renders.
            expect_equal("\x1b[" in tool.text(*args, "sessions"), wanted, f"{env} {args}")


CASES = [talks, completes, history, interrupts, daemon_dies, script, color]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="folder with kvmdbg and kvmdbgd")
    parser.add_argument("--only", help="only cases whose name matches")
    args = parser.parse_args()
    tap = harness.Tap(args.only)
    for case in CASES:
        tap.case("/shell/" + case.__name__.replace("_", "-"), case, args.build)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
