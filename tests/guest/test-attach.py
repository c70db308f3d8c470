#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways to attach: over TCP, without QMP, with shared memory; and all that is not our machine."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import assets  # noqa: E402
import harness  # noqa: E402
import machine as machines  # noqa: E402
from harness import expect, expect_equal  # noqa: E402


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def peer(answer):
    """A TCP server on a port of its own that hands each connection to answer(connection)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        answer(connection)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f":{server.getsockname()[1]}"
        # Closing the socket does not end an accept() that waits.
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def web(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def silent(connection):
    while connection.recv(4096):
        pass


def half_packet(connection):
    connection.recv(4096)
    connection.sendall(b"+$PacketSize=10")


class Attach:
    def __init__(self, args):
        self.args = args
        self.port = free_port()
        self.machine = machines.boot(gdb=f":{self.port}", qmp="none", shared=True)
        self.kvmdbg = harness.Kvmdbg(args.build)
        self.files = self.kvmdbg.dir / "files"
        self.files.mkdir()

    def close(self):
        self.kvmdbg.close()
        self.machine.close()

    def attach_to(self, address, *args):
        return ["attach", address, "--vmlinux", str(self.machine.vmlinux), "--name", "test", *args]

    def alive(self):
        """The daemon still answers, and has no session left over."""
        expect_equal(self.kvmdbg.call("sessions"), [], "sessions")

    def runs(self):
        expect_equal(self.machine.output("echo alive").strip(), "alive", "the machine's shell")


def nothing_listens(t):
    t.kvmdbg.refused(1, "refused", *t.attach_to(f":{free_port()}"))
    t.kvmdbg.refused(1, "No such file|no such", *t.attach_to("unix:/nonexistent/gdb.sock"))
    t.alive()


def not_a_stub(t):
    for answer in (web, silent, half_packet):
        with peer(answer) as address:
            started = time.monotonic()
            t.kvmdbg.refused(1, "gdb|stub", *t.attach_to(address))
            expect(time.monotonic() - started < 30, f"{answer.__name__}: took too long")
    t.alive()


def no_session(t):
    t.kvmdbg.refused(3, "attach", "vms")
    t.kvmdbg.refused(3, "attach", "detach")


def bad_vmlinux(t):
    """None of these touches the machine for long: it runs on."""
    vmlinux = t.machine.vmlinux
    truncated = t.files / "truncated"
    with open(vmlinux, "rb") as source:
        truncated.write_bytes(source.read(1 << 20))
    text = t.files / "text"
    text.write_text("not an ELF file\n" * 1000, encoding="utf-8")
    stripped = t.files / "stripped"
    subprocess.run(["eu-strip", "--strip-sections", "-o", stripped, vmlinux], check=True)
    other = shutil.which("true")
    for file in (t.files / "absent", truncated, text, stripped, other):
        t.kvmdbg.refused(1, pathlib.Path(file).name, "attach", t.machine.gdb, "--vmlinux", file, "--name", "test")
        t.runs()
    t.alive()


def bad_qmp(t):
    t.kvmdbg.refused(1, "nonexistent", *t.attach_to(t.machine.gdb, "--qmp", "/nonexistent/qmp.sock"))
    t.runs()
    path = t.files / "qmp.sock"
    with subprocess.Popen([t.machine.program, "-M", "none", "-nodefaults", "-display", "none", "-qmp",
                           f"unix:{path},server=on,wait=off"], preexec_fn=machines.die_with_parent) as other:
        while not path.exists():
            time.sleep(0.05)
        t.kvmdbg.refused(1, "another|other|not the", *t.attach_to(t.machine.gdb, "--qmp", str(path)))
        other.kill()
    t.runs()
    t.alive()


def other_kernel(t):
    """Another kernel's file: refused, and what differs is told."""
    other = assets.kernel("arm64", "6.12") / "vmlinux"
    for identity in (harness.elf_build_id(other), harness.elf_build_id(t.machine.vmlinux), "--force"):
        t.kvmdbg.refused(1, identity, "attach", t.machine.gdb, "--vmlinux", other, "--name", "test")
    t.runs()
    t.alive()
    text = t.kvmdbg.text("attach", t.machine.gdb, "--vmlinux", other, "--name", "test", "--force")
    expect("of another kernel" in text and harness.elf_build_id(other) in text, text)
    t.kvmdbg.text("detach")
    t.runs()


@contextlib.contextmanager
def debuginfod(identity, file, asked):
    """A server that has the one FILE, as debuginfod serves it; ASKED gets the paths asked for."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # the name is http.server's
            asked.append(self.path)
            if self.path != f"/buildid/{identity}/debuginfo":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            with open(file, "rb") as source, contextlib.suppress(OSError):
                shutil.copyfileobj(source, self.wfile, 1 << 20)

        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def by_build_id(t):
    """No vmlinux is named: found by build-id, below --debug-dir and /usr/lib/debug or by debuginfod; else memory
    stands for it, and it is said what to give."""
    file, identity, asked = t.machine.vmlinux, harness.elf_build_id(t.machine.vmlinux), []
    place = pathlib.Path(".build-id") / identity[:2] / (identity[2:] + ".debug")
    below = t.files / "debug"
    (below / place).parent.mkdir(parents=True)
    (below / place).symlink_to(file)
    in_usr = f'mount -t tmpfs none /usr/lib/debug && cp -a {below}/.build-id /usr/lib/debug && exec "$0" "$@"'

    def attach(wanted, *args, urls="", prefix=()):
        with harness.Kvmdbg(t.args.build, prefix=prefix) as kvmdbg:
            kvmdbg.env["DEBUGINFOD_URLS"] = urls
            done = kvmdbg.run("--json", "attach", t.machine.gdb, "--name", "test", *args)
            expect(done.status == 0, str(done))
            status = json.loads(done.out)
            if wanted:
                expect_equal(status["kernel"]["build_id"], identity, "build-id")
                expect(wanted in status["kernel"]["image"], f"image {status['kernel']['image']}")
                expect_equal(len(kvmdbg.call("vms")), 1, "vms")
            else:
                expect_equal((status["kernel"]["image"], status["kernel"]["symbols_from"], status["kernel"]["build_id"]),
                             (None, "kallsyms", identity), "kernel")
                expect(status["kernel"]["image_why"] in kvmdbg.text("status"), "status does not say why")
            kvmdbg.text("detach")
            return status["kernel"]["image_why"]

    attach(str(below), "--debug-dir", below)
    if os.geteuid() == 0 and os.path.isdir("/usr/lib/debug"):
        attach("/usr/lib/debug/", prefix=["unshare", "--mount", "sh", "-c", in_usr])
    else:
        print("# /usr/lib/debug: only as root")
    why = attach(None)
    for text in (identity, "/usr/lib/debug", "DEBUGINFOD_URLS", "--vmlinux", "--debug-dir"):
        expect(text in why, why)
    with debuginfod(identity, file, asked) as url:
        attach("debuginfod_client", urls=url)
        expect_equal(asked, [f"/buildid/{identity}/debuginfo"], "what the server was asked for")
        why = attach(None, urls=f"{url}/nothing")
        expect(f"{url}/nothing" in why and "No such file" in why, why)
    why = attach(None, urls=url)
    expect("refused" in why, why)
    t.runs()


def killed_daemon(t):
    """A daemon dies with a breakpoint set and the machine stopped: the next attach cleans up."""
    done = t.kvmdbg.attach(t.machine)
    expect(done.status == 0, str(done))
    t.kvmdbg.text("break", "kvm_vcpu_ioctl")
    expect_equal(t.kvmdbg.call("cont", "--timeout-ms", "30000")["stop"]["reason"], "breakpoint", "stop.reason")
    for pid in t.kvmdbg.processes():
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while t.kvmdbg.run("sessions").status != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    done = t.kvmdbg.attach(t.machine)
    expect(done.status == 0, str(done))
    expect("1 breakpoint" in (json.loads(done.out).get("notice") or ""), f"no notice: {done.out}")
    expect_equal(t.kvmdbg.call("breaks"), [], "breaks")
    # Nothing of it stops the machine, on any CPU.
    t.kvmdbg.text("cont")
    t.runs()
    expect_equal(t.kvmdbg.call("status")["state"], "running", "state")
    t.kvmdbg.text("detach")
    t.runs()


def wrong_words(t):
    """Unknown and out of range: one line, the nearest names, the right status, the session as it was."""
    done = t.kvmdbg.attach(t.machine)
    expect(done.status == 0, str(done))
    for status, pattern, *args in (
            (2, "vcpus", "vcups"), (2, "--cpu", "bt", "--cup", "1"), (2, "number", "step", "12x"),
            (1, "kvm_vcpu", "type", "kvm_vcpux"), (1, "pid", "print", "init_task.pdi"),
            (1, "init_task", "print", "init_tusk"), (1, "bt: no CPU 99", "bt", "--cpu", "99"),
            (1, "no CPU 99", "percpu", "runqueues", "--cpu", "99"), (1, "no CPU 99", "regs", "--cpu", "99"),
            (1, "not mapped.*level", "mem", "0xffffffffffffff00", "16"), (1, "not RAM", "mem", "phys:0x10", "16"),
            (1, "no breakpoint 7", "delete", "7"), (3, "no session", "--session", "nope", "vms")):
        t.kvmdbg.refused(status, pattern, *args)
    expect_equal(t.kvmdbg.call("status")["state"], "stopped", "state")
    t.kvmdbg.text("detach")
    t.runs()


def over_rsp_alone(t):
    """Without QMP, over TCP: everything works. The stub's own monitor tells where memory is; without that too
    it is read through the stub, and status says why."""
    done = t.kvmdbg.attach(t.machine)
    expect(done.status == 0, str(done))
    status = t.kvmdbg.call("status")
    expect_equal(status["memory"]["how"], "direct-file", f"memory.path {status['memory']}")
    t.kvmdbg.text("detach")
    done = t.kvmdbg.attach(t.machine, "--no-direct")
    expect(done.status == 0, str(done))
    status = t.kvmdbg.call("status")
    expect_equal(status["memory"]["path"], "rsp", f"memory.path {status['memory']}")
    expect(status["memory"]["why"], f"memory.why {status['memory']}")
    expect_equal(sorted(vm["pid"] for vm in t.kvmdbg.call("vms")), [t.machine.witness["vms"][0]["pid"]], "vms")
    expect_equal(sorted(vcpu["pid"] for vcpu in t.kvmdbg.call("vcpus")),
                 sorted(vcpu["tid"] for vcpu in t.machine.witness["vms"][0]["vcpus"]), "vcpus")


def second_client(t):
    """The stub serves one at a time: the second is told so, the first works on."""
    with harness.Kvmdbg(t.args.build, session="second") as second:
        second.refused(1, "is attached to by session test", "attach", t.machine.gdb, "--vmlinux", t.machine.vmlinux,
                       "--name", "second", timeout=60)
    expect_equal(t.kvmdbg.call("status")["state"], "stopped", "state")
    t.kvmdbg.text("detach")
    t.runs()


def several_clients(t):
    """One session, many commands at once: each gets its own answer."""
    done = t.kvmdbg.attach(t.machine)
    expect(done.status == 0, str(done))
    wanted = t.kvmdbg.call("vcpus")
    results = []
    threads = [threading.Thread(target=lambda: results.append(t.kvmdbg.call("vcpus"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect_equal(results, [wanted] * 8, "vcpus, eight at once")
    t.kvmdbg.text("detach")
    t.runs()


def killed_while_running(t):
    """QEMU dies between two commands: target lost, and the daemon lives."""
    done = t.kvmdbg.attach(t.machine)
    expect(done.status == 0, str(done))
    t.kvmdbg.text("cont")
    t.machine.process.kill()
    t.machine.process.wait()
    t.kvmdbg.refused(3, "", "stop")
    t.kvmdbg.run("detach")
    t.alive()


CASES = [no_session, nothing_listens, not_a_stub, bad_vmlinux, other_kernel, by_build_id, bad_qmp, over_rsp_alone,
         second_client, several_clients, wrong_words, killed_daemon, killed_while_running]


def main():
    args = harness.parser(__doc__).parse_args()
    tap = harness.Tap(args.only)
    with harness.on_machine(Attach, args) as attach:
        tap.cases("/attach/", CASES, attach)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
