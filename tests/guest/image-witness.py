#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares what kvmdbg's image layer says of a real vmlinux with nm, gdb, addr2line and readelf.

usage: image-witness.py PROBE VMLINUX [--count N] [--seed S]

PROBE is the build's tests/image/image-probe. Exit 0: all agree.
"""
import argparse
import bisect
import random
import re
import subprocess
import sys
import tempfile
import time


def probe(args, questions, *options):
    start = time.monotonic()
    done = subprocess.run([args.probe, *options, "--cache-dir", args.cache, args.vmlinux],
                          input="\n".join(questions) + "\n", capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), time.monotonic() - start


def output(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


class Report:
    def __init__(self):
        self.bad = 0

    def compare(self, what, pairs):
        """pairs: (question, ours, witness's)."""
        wrong = [pair for pair in pairs if pair[1] != pair[2]]
        print(f"{what}: {len(pairs) - len(wrong)} of {len(pairs)} agree")
        for question, ours, theirs in wrong[:10]:
            for who, said in ((question, ""), ("  kvmdbg ", ours), ("  witness", theirs)):
                print(f"  {who} {said!s:.300}")
        if wrong or not pairs:
            self.bad += 1


def check_symbols(args, report):
    by_name, ranges = {}, []
    for line in output("nm", "-S", args.vmlinux).splitlines():
        fields = line.split()
        name, kind, addr = fields[-1], fields[-2], int(fields[0], 16)
        if re.match(r"\$[xd](\.|$)", name) or kind in "Nn?":
            continue
        by_name.setdefault(name, []).append((addr, kind))
        if len(fields) == 4 and kind in "tTW":
            ranges.append((addr, int(fields[1], 16), name))
    names = args.random.sample(sorted(name for name in by_name if len(by_name[name]) == 1), args.count)
    answers, _ = probe(args, [f"name {name}" for name in names])
    pairs = []
    for name, answer in zip(names, answers):
        addr, kind = by_name[name][0]
        match = re.search(r"kind=(.) addr=0x([0-9a-f]+)$", answer)
        pairs.append((name, (int(match[2], 16), match[1]) if match else None, (addr, kind)))
    report.compare("symbols by name (nm)", pairs)

    aliases = {}
    for addr, size, name in ranges:
        aliases.setdefault(addr, set()).add(name)
    chosen = [(addr, args.random.randrange(size), name)
              for addr, size, name in args.random.sample(ranges, args.count) if size]
    answers, _ = probe(args, [f"sym 0x{addr + at:x}" for addr, at, _ in chosen])
    pairs = []
    for (addr, at, _), answer in zip(chosen, answers):
        match = re.match(r"(\S+)\+0x([0-9a-f]+) ", answer)
        ours = (match[1] in aliases[addr], int(match[2], 16)) if match else answer
        pairs.append((f"0x{addr + at:x} {answer}", ours, (True, at)))
    report.compare("symbols by address (nm)", pairs)
    return ranges


GDB_MEMBERS = r"""
import gdb
def walk(type, base, out, depth):
    for field in type.fields():
        bits = base + field.bitpos
        plain = field.type
        while plain.code == gdb.TYPE_CODE_ARRAY:
            plain = plain.target()
        out.append(f"{bits}:{field.bitsize}:{field.type.sizeof} {field.name or ''}")
        inner = field.type
        if inner.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) and not inner.tag and depth < 16:
            walk(inner, bits, out, depth + 1)
for name in NAMES:
    try:
        type = gdb.lookup_type(name)
    except gdb.error:
        continue
    out = []
    walk(type, 0, out, 0)
    print("T " + name + " " + str(type.sizeof))
    for line in out:
        print("M " + line)
print("end")
"""


def gdb_members(args, names):
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(f"NAMES = {names!r}\n" + GDB_MEMBERS)
        script.flush()
        text = output("gdb-multiarch", "-nx", "-batch", "-x", script.name, args.vmlinux)
    found, current = {}, None
    for line in text.splitlines():
        if line.startswith("T "):
            _, tag, name, size = line.split()
            current = found.setdefault(f"{tag} {name}", [size])
        elif line.startswith("M "):
            current.append(line[2:].strip())
    return found


def probe_members(args, names, *options):
    lines, _ = probe(args, [f"members {name}" for name in names], *options)
    found, at = {}, 0
    for name in names:
        if lines[at] == "none":
            at += 1
            continue
        members = [lines[at].rsplit("=", 1)[1]]
        at += 1
        while lines[at] != ".":
            place, text = lines[at].strip().split(" ", 1)
            match = re.search(r"\(\*+(?:const )?(\w+)(?:\[\d*\])*\)", text) or re.search(r"(\w+)(?:\[\d*\])*$", text)
            anonymous = re.fullmatch(r"(?:const )?(?:struct|union|enum) \{\.\.\.\}", text)
            members.append(f"{place} {'' if anonymous else match[1] if match else text}".strip())
            at += 1
        at += 1
        found[name] = members
    return found


def check_types(args, report):
    all_names, _ = probe(args, ["names"])
    counts = {}
    for name in all_names:
        counts[name] = counts.get(name, 0) + 1
    # A name with several definitions is another one for each tool.
    tags = sorted(name for name in counts if counts[name] == 1 and re.match("struct|union", name))
    names = args.random.sample(tags, min(args.count, len(tags)))
    names += [name for name in {"struct kvm", "struct kvm_vcpu", "struct task_struct", "struct page",
                                "struct tcphdr", "struct sk_buff", "struct file", "struct rq"} - set(names) if counts.get(name) == 1]
    theirs = gdb_members(args, names)
    for label, options in (("BTF", []), ("DWARF", ["--no-btf"])):
        ours = probe_members(args, names, *options)
        report.compare(f"types from {label} (gdb)",
                       [(name, ours.get(name), theirs[name]) for name in names if name in theirs])


def check_lines(args, report, ranges):
    # The patchable entry (8 bytes here) is outside what DWARF covers: there the witness answers with
    # the function before, and kvmdbg with the one whose entry it is.
    addrs = [addr + args.random.randrange(8, size) // 4 * 4
             for addr, size, _ in args.random.sample(ranges, args.count) if size > 8]
    answers, spent = probe(args, [f"lines 0x{addr:x}" for addr in addrs])
    text = output("addr2line", "-e", args.vmlinux, "-a", "-f", "-i", text="".join(f"0x{a:x}\n" for a in addrs))
    theirs, current = {}, None
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        if lines[at].startswith("0x"):
            current = theirs.setdefault(int(lines[at], 16), [])
            at += 1
            continue
        place = re.sub(r" \(discriminator \d+\)$", "", lines[at + 1])
        path, line = place.rsplit(":", 1)
        # Not the file: of inlined headers addr2line names the unit, llvm-symbolizer what kvmdbg says.
        current.append((lines[at], line))
        at += 2
    pairs = []
    for addr, answer in zip(addrs, answers):
        if answer == "":
            # No unit has it: assembly without line information, or a patchable entry.
            continue
        ours = []
        for frame in answer.split(" < "):
            function, place = frame.strip().split(" ", 1)
            ours.append((function, place.rsplit(":", 1)[1]))
        pairs.append((f"0x{addr:x}", ours, theirs[addr]))
    report.compare(f"lines and inlined frames (addr2line), {spent * 1e3 / len(addrs):.2f} ms each", pairs)


# Where readelf calls a register otherwise than "x" and its DWARF number.
REGISTER_NAMES = {
    "AArch64": {"x31": "sp"},
    "Advanced Micro Devices X86-64": {
        "x0": "rax", "x1": "rdx", "x2": "rcx", "x3": "rbx", "x4": "rsi", "x5": "rdi", "x6": "rbp", "x7": "rsp",
        **{f"x{n}": f"r{n}" for n in range(8, 16)}},
}


def read_frames(vmlinux):
    rows, columns, end = [], None, 0
    for line in output("readelf", "-wF", vmlinux).splitlines():
        match = re.search(r" FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)", line)
        if match:
            end, columns = int(match[2], 16), None
        elif " CIE " in line:
            columns, end = None, 0
        elif line.strip().startswith("LOC"):
            columns = line.split()[2:]
        elif columns is not None and end and re.match(r"[0-9a-f]{16} ", line):
            fields = line.split()
            rows.append((int(fields[0], 16), end, fields[1], dict(zip(columns, fields[2:]))))
    rows.sort(key=lambda row: row[0])
    return rows


def check_cfi(args, report):
    rows = read_frames(args.vmlinux)
    machine = re.search(r"Machine:\s+(.*)", output("readelf", "-h", args.vmlinux))[1]
    starts = [row[0] for row in rows]
    chosen = []
    for row in args.random.sample(rows, args.count):
        at = bisect.bisect_right(starts, row[0])
        limit = min(row[1], starts[at] if at < len(starts) else row[1])
        if limit > row[0]:
            chosen.append((args.random.randrange(row[0], limit), row))
    answers, spent = probe(args, [f"cfi 0x{addr:x}" for addr, _ in chosen])
    pairs = []
    for (addr, row), answer in zip(chosen, answers):
        theirs = {"cfa": row[2]}
        for name, rule in row[3].items():
            if rule.startswith("c"):
                theirs[name] = rule
        ours = dict(item.split("=") for item in answer.split()) if "=" in answer else {}
        ra = f"x{ours.pop('ra', '')}"
        ours = {"ra" if key == ra else REGISTER_NAMES[machine].get(key, key): value for key, value in ours.items()}
        if "cfa" in ours:
            match = re.match(r"r(\d+)(.*)", ours["cfa"])
            if match:
                ours["cfa"] = REGISTER_NAMES[machine].get(f"x{match[1]}", f"x{match[1]}") + match[2]
        pairs.append((f"0x{addr:x}", ours, theirs))
    report.compare(f"unwind rules (readelf), {spent * 1e3 / len(chosen):.3f} ms each", pairs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("probe")
    parser.add_argument("vmlinux")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    args.random = random.Random(args.seed)
    report = Report()
    with tempfile.TemporaryDirectory() as args.cache:
        _, cold = probe(args, [])
        _, warm = probe(args, [])
        print(f"open: {cold * 1e3:.0f} ms without cache, {warm * 1e3:.0f} ms with")
        ranges = check_symbols(args, report)
        check_types(args, report)
        check_lines(args, report, ranges)
        check_cfi(args, report)
    return 1 if report.bad else 0


if __name__ == "__main__":
    sys.exit(main())
