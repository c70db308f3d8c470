#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs image-witness.py over a real kernel's vmlinux; TAP. usage: test-image.py PROBE SERIES"""
import pathlib
import subprocess
import sys

import assets

print("1..1")
witness = pathlib.Path(__file__).with_name("image-witness.py")
vmlinux = assets.kernel("arm64", sys.argv[2]) / "vmlinux"
done = subprocess.run([sys.executable, witness, sys.argv[1], vmlinux], stdout=subprocess.PIPE, text=True)
for line in done.stdout.splitlines():
    print(f"# {line}")
print("ok 1" if done.returncode == 0 else "not ok 1", f"- image layer of {sys.argv[2]} and its witnesses")
sys.exit(done.returncode)
