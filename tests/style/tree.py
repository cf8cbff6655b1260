# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of the source tree, for the checks beside this file."""
import os
import subprocess
import sys


def files(root, *suffixes):
    """Paths relative to root of the files that belong to the tree (all of them if no suffix is named)."""
    if os.path.exists(os.path.join(root, ".git")):
        out = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard"], stdout=subprocess.PIPE, check=True).stdout.decode()
        names = [n for n in out.split("\0") if n and os.path.isfile(os.path.join(root, n))]
    else:
        names = []
        for folder, subfolders, here in os.walk(root):
            subfolders[:] = [s for s in subfolders if not s.startswith((".", "build"))]
            names += [os.path.relpath(os.path.join(folder, n), root) for n in here]
    return sorted(n for n in set(names) if not suffixes or n.endswith(suffixes))


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def finish(problems, what):
    """Prints the problems and ends the program: 0 if there are none."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problems")
    sys.exit(1 if problems else 0)
