#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Licence lines, blanks, tabs, invisible characters, file lengths, marks of unfinished work, the last commit's title."""
import re
import subprocess
import sys

import tree

SOURCES = (".c", ".h", ".cu", ".cuh", ".py", ".sh")
TEXTS = SOURCES + (".md", ".build", ".txt", ".json", ".1", ".supp", "/run")
INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
OPEN = re.compile("TO" + r"DO|FIX" + "ME|XX" + "X|not imple" + "mented")
MACHINE = re.compile(r"/(?:work|farm)/")
MAX_LINES = 800
MAX_BYTES = 25 * 1024 * 1024


def check(root, name):
    text = tree.read(root, name)
    lines = text.split("\n")
    if name.endswith(SOURCES) and not any("SPDX-License-Identifier:" in line for line in lines[:3]):
        yield f"{name}: no SPDX-License-Identifier in the first three lines"
    if text and not text.endswith("\n"):
        yield f"{name}: no newline at the end"
    if text.endswith("\n\n"):
        yield f"{name}: blank lines at the end"
    if name.endswith(SOURCES) and len(lines) > MAX_LINES:
        yield f"{name}: {len(lines)} lines; does it do one thing?"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield f"{name}:{number}: blank or carriage return at the end of the line"
        if "\t" in line:
            yield f"{name}:{number}: tab"
        if INVISIBLE.search(line):
            yield f"{name}:{number}: invisible character"
        if name.endswith(SOURCES) and OPEN.search(line):
            yield f"{name}:{number}: left open: {line.strip()}"
        if MACHINE.search(line):
            yield f"{name}:{number}: path of one machine"


def title(root):
    got = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "log", "-1", "--no-merges", "--format=%s"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    text = got.stdout.decode().strip()
    if got.returncode == 0 and text and not re.fullmatch(r"[\w.,/ -]+: .{1,70}[^.]", text) or len(text) > 72:
        yield f"title of the last commit is not of the form 'area: what changes': {text}"


def main(root):
    import os
    problems = []
    for name in tree.files(root):
        if os.path.getsize(os.path.join(root, name)) > MAX_BYTES:
            problems.append(f"{name}: larger than {MAX_BYTES} bytes")
        if ("/" + name).endswith(TEXTS) and not name.startswith("models/default/data/"):
            problems += check(root, name)
    problems += title(root)
    tree.finish(problems, "text")


main(sys.argv[1])
