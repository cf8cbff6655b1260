#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""clang-format finds nothing to change in C sources. Skipped where no clang-format 14 or later is installed."""
import re
import shutil
import subprocess
import sys

import tree

root = sys.argv[1]
tool = shutil.which("clang-format-14") or shutil.which("clang-format")
if tool is None:
    print("no clang-format here")
    sys.exit(77)
version = subprocess.run([tool, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
if not re.search(r"version 14\.", version):
    print("the style is checked with clang-format 14, this is " + version.strip())
    sys.exit(77)
sources = tree.files(root, ".c", ".h", ".cu", ".cuh")
if sources:
    sys.exit(subprocess.run([tool, "--dry-run", "-Werror", "--style=file", *sources], cwd=root, check=False).returncode)
