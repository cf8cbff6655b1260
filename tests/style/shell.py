#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shell scripts parse and please shellcheck (where it is installed); Python scripts compile."""
import os
import shutil
import subprocess
import sys

import tree


def main(root):
    problems = []
    scripts = tree.files(root, ".sh") + [n for n in tree.files(root) if n == ".ci/run"]
    checker = shutil.which("shellcheck")
    for name in scripts:
        commands = [["bash", "-n", name]]
        if checker:
            commands.append([checker, "-x", "-P", "SCRIPTDIR/..", "-P", ".", name])
        for command in commands:
            got = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if got.returncode != 0:
                problems.append(f"{name}:\n{got.stdout.decode()}")
    for name in tree.files(root, ".py"):
        try:
            compile(tree.read(root, name), os.path.join(root, name), "exec")
        except SyntaxError as error:
            problems.append(f"{name}: {error}")
    tree.finish(problems, "shell")


main(sys.argv[1])
