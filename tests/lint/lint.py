#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What compiler and formatter do not see: layers, file heads, calls we do not use, sizes. Prints TAP.

lint.py ROOT [FILE...]: checks the tree at ROOT, or only the files given.
"""
import os
import re
import shutil
import subprocess
import sys

# Layer -> layers it may include; the table of src/README.md. proto is a folder at the root, "kvmdbg" is
# include/kvmdbg.
BELOW_DEBUG = {"kvm", "kernel", "image", "target", "arch", "proto", "base"}
LAYERS = {
    "base": set(),
    "proto": {"base"},
    "arch": {"base"},
    "image": {"arch", "base"},
    "target": {"proto", "arch", "base"},
    "kernel": {"image", "target", "arch", "base"},
    "kvm": {"kernel", "image", "target", "arch", "base"},
    "debug": BELOW_DEBUG,
    "command": BELOW_DEBUG | {"debug"},
    "daemon": BELOW_DEBUG | {"debug", "command"},
    "client": {"kvmdbg", "proto", "base"},
    "run": {"kvmdbg", "base"},
    "cli": {"kvmdbg", "run"},
    "kvmdbg": set(),
}

# Library headers (by their start) -> the only layers that may use them.
LIBRARIES = {
    "capstone/": {"arch"},
    "elfutils/": {"image"},
    "libelf.h": {"image"},
    "gelf.h": {"image"},
    "dwarf.h": {"image"},
    "bpf/": {"image"},
    "readline/": {"cli"},
    "libkdumpfile/": {"target"},
}
# proto is bytes <-> messages: nothing that could do IO.
NOT_IN_PROTO = ("gio/", "sys/", "unistd.h", "fcntl.h", "netinet/", "netdb.h", "poll.h", "stdio.h")

BANNED = {
    r"strto(l|ul|ll|ull|d|f|imax|umax)": "use kd_parse_u64 () or the cursor",
    r"v?f?sscanf": "use kd_parse_u64 () or the cursor",
    r"ato(i|l|ll|f)": "use kd_parse_u64 ()",
    r"v?sprintf|strcpy|strcat|gets": "has no bound",
}
LINES_MAX = 800
FILE_BYTES_MAX = 1 << 20
LEAVINGS = re.compile(r"core(\.\d+)?|.*\.(o|a|so|d|gcda|gcno|orig|rej|bak|swp|pyc|log|vmcore)|.*~|#.*#|\.#.*")
# Programs for the guest stand alone: no GLib, no house rules but the head and the format.
ALONE = ("tests/guest/",)


def find_files(root):
    for top in ("src", "proto", "include", "tests", "scripts"):
        for folder, subs, names in os.walk(os.path.join(root, top)):
            subs[:] = [s for s in subs if s not in ("corpus", "data", "__pycache__")]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), root)
    yield "meson.build"


def strip_c(text):
    """The code alone: comments and literals blanked, lines kept."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[0] == "proto":
        return "proto"
    if parts[:2] == ["include", "kvmdbg"]:
        return "kvmdbg"
    return None


def check_layers(root, path, text):
    layer = layer_of(path)
    if layer is None:
        return
    if layer not in LAYERS:
        yield 1, f"{layer} is in no layer table (tests/lint/lint.py, src/README.md)"
        return
    for at, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not m:
            continue
        quote, name = m.groups()
        first = name.split("/")[0]
        # The public header includes its neighbours as its users do.
        if quote == '"' or first in LAYERS and os.path.exists(os.path.join(root, "include", name)):
            if "/" not in name:
                # src is not in cli's include path, so that it cannot reach the other layers at all.
                if layer == "cli" and os.path.exists(os.path.join(root, "src/cli", name)):
                    continue
                if not os.path.exists(os.path.join(root, os.path.dirname(path), name + ".in")):
                    yield at, f'"{name}" does not name its layer'
            elif first not in LAYERS:
                yield at, f'"{name}" is of no layer; a library goes in <>'
            elif first != layer and first not in LAYERS[layer]:
                yield at, f"{layer} may not use {first}"
            continue
        for start, users in LIBRARIES.items():
            if name.startswith(start) and layer not in users:
                yield at, f"<{name}> is for {', '.join(sorted(users))}"
        if layer == "proto" and name.startswith(NOT_IN_PROTO):
            yield at, f"<{name}>: proto does no IO"


def check_spdx(root, path, text):
    lines = text.split("\n")
    at = 1 if lines[0].startswith("#!") else 0
    spdx = "SPDX-License-Identifier: GPL-2.0-or-later"
    if path.endswith((".c", ".h", ".in")):
        wanted = (f"/* {spdx} */",)
    elif path.endswith((".py", ".sh", "meson.build")) or lines[0].startswith("#!"):
        wanted = (f"# {spdx}",)
    else:
        return
    if len(lines) <= at or lines[at] not in wanted:
        yield at + 1, f"is not {wanted[0]}"


def check_pragma(root, path, text):
    if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.M):
        yield 1, "no #pragma once"


def check_banned(root, path, text):
    if not path.endswith((".c", ".h")) or path.startswith(ALONE):
        return
    for at, line in enumerate(strip_c(text).split("\n"), 1):
        for pattern, why in BANNED.items():
            m = re.search(rf"(?<![\w.>])({pattern})\s*\(", line)
            if m:
                yield at, f"{m.group(1)}: {why}"
        if re.search(r"(?<!\w)goto\s+\w", line):
            yield at, "goto: use g_autoptr, or another function"


def check_length(root, path, text):
    if path.endswith((".c", ".h", ".py")) and text.count("\n") > LINES_MAX:
        yield LINES_MAX, f"{text.count(chr(10))} lines, over {LINES_MAX}"


def check_space(root, path, text):
    if not path.endswith((".c", ".h", ".py", ".sh", ".build", ".md")):
        return
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"
    for at, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip() and not path.endswith(".md"):
            yield at, "white space at the end"


def check_leavings(root):
    """What is no source: cores, an editor's or a build's leavings, large files. As git knows the tree, where it does."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root,
                            capture_output=True, text=True, check=False)
    for path in sorted(set(filter(None, listed.stdout.split("\0")))):
        name, full = os.path.basename(path), os.path.join(root, path)
        if not os.path.isfile(full):
            continue
        if os.path.getsize(full) > FILE_BYTES_MAX:
            yield path, 1, f"{os.path.getsize(full)} bytes, over {FILE_BYTES_MAX}"
        elif LEAVINGS.fullmatch(name):
            yield path, 1, "is no source"
        else:
            with open(full, "rb") as f:
                head = f.read(18)
            # ELF's e_type ET_CORE, of either byte order.
            if head[:4] == b"\x7fELF" and b"\4" in head[16:18]:
                yield path, 1, "is a core"


def check_format(root, paths):
    """Returns (problems, reason to skip)."""
    program = next((p for p in ("clang-format-14", "clang-format") if shutil.which(p)), None)
    if not program:
        return [], "no clang-format"
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if " 14." not in version:
        return [], "clang-format is not version 14: others format differently"
    paths = [p for p in paths if p.endswith((".c", ".h"))]
    # In a few runs side by side: most of the time is clang-format's own.
    groups = [g for g in (paths[i::2] for i in range(2)) if g]
    runs = [
        subprocess.Popen([program, "--dry-run", "-Werror", "-ferror-limit=1", *group], cwd=root,
                         stderr=subprocess.PIPE, text=True)
        for group in groups
    ]
    problems = []
    for run in runs:
        for line in run.communicate()[1].split("\n"):
            m = re.match(r"(.*?):(\d+):\d+: error: ", line)
            if m and not any(p == m.group(1) for p, _, _ in problems):
                problems.append((m.group(1), int(m.group(2)), f"run {program} -i"))
    return problems, None


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    paths = sorted(sys.argv[2:] or find_files(root))
    texts = {}
    for path in paths:
        try:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                texts[path] = f.read()
        except UnicodeDecodeError:
            continue
    checks = [("layers", check_layers), ("spdx", check_spdx), ("pragma-once", check_pragma),
              ("banned-calls", check_banned), ("file-length", check_length),
              ("white-space", check_space)]
    print(f"1..{len(checks) + 2}")
    failed = False
    for number, (name, check) in enumerate(checks, 1):
        problems = [(p, at, what) for p, t in texts.items() for at, what in check(root, p, t)]
        failed |= report(number, name, problems)
    problems, skip = check_format(root, texts)
    failed |= report(len(checks) + 1, "format", problems, skip)
    failed |= report(len(checks) + 2, "leavings", list(check_leavings(root)))
    return 1 if failed else 0


def report(number, name, problems, skip=None):
    for path, at, what in problems:
        print(f"# {path}:{at}: {what}")
    print(f"{'not ok' if problems else 'ok'} {number} {name}" + (f" # SKIP {skip}" if skip else ""))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
