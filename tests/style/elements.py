#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reference part of docs/elements.md says what the elements themselves say.

    elements.py SOURCE_ROOT DESCRIBE [--update]

With --update it is written anew (ninja -C build docs-elements). Caps in the memory of a card are written by builds with
GstCuda; others leave out those lines when they compare."""
import os
import subprocess
import sys

ELEMENTS = ["artalkaudioenc", "artalkmotion", "artalksmooth", "artalkidle", "flamemesh", "gagsplat", "artalkavatar"]
CUDA = "(memory:CUDAMemory)"
MARK = "<!-- what follows is written by the build target docs-elements -->\n"

path = os.path.join(sys.argv[1], "docs", "elements.md")
made = subprocess.run([sys.argv[2], *ELEMENTS], stdout=subprocess.PIPE, check=True).stdout.decode()
with open(path, encoding="utf-8") as file:
    head, mark, tail = file.read().partition(MARK)
if not mark:
    sys.exit(f"{path} has no line {MARK}")
if CUDA not in made:
    if "--update" in sys.argv:
        sys.exit("these elements are built without GstCuda (docs/devices.md), so some caps would be missing")
    tail = "".join(line for line in tail.splitlines(True) if CUDA not in line)
if "--update" in sys.argv:
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + mark + made)
elif tail != made:
    print("docs/elements.md differs from the elements; run: ninja -C build docs-elements")
    sys.exit(1)
