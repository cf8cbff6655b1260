#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every gst-launch-1.0 line in documents and doc comments names elements, properties and links that exist."""
import re
import subprocess
import sys

import tree

START = re.compile(r"^[\s*#$`]*(gst-launch-1\.0\s.*)$")


def launch_lines(text):
    """Pairs of line number and whole line, continuation lines joined."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        found = START.match(lines[at])
        number, at = at + 1, at + 1
        if not found:
            continue
        line = found.group(1)
        while line.rstrip().endswith("\\") and at < len(lines):
            line = line.rstrip()[:-1] + " " + re.sub(r"^\s*\*? ?", "", lines[at])
            at += 1
        yield number, line.rstrip("` ")


def main(root, program):
    problems = []
    count = 0
    for name in tree.files(root, ".md", ".c", ".1"):
        for number, line in launch_lines(tree.read(root, name)):
            count += 1
            got = subprocess.run([program, line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if got.returncode != 0:
                problems.append(f"{name}:{number}: {line}\n    {got.stdout.decode().strip()}")
    tree.finish(problems, f"{count} launch lines")


main(sys.argv[1], sys.argv[2])
