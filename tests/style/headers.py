#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every header compiles alone; those of kernels/ without GLib, those of models/ without GStreamer."""
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree


def flags(*packages):
    got = subprocess.run(["pkg-config", "--cflags", *packages], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         check=False)
    return shlex.split(got.stdout.decode()) if got.returncode == 0 else None


def main(root):
    compiler = shlex.split(os.environ.get("CC", "cc"))
    models = flags("gio-2.0", "json-glib-1.0")
    gst = flags("gstreamer-video-1.0", "gstreamer-audio-1.0", "gstreamer-check-1.0", "json-glib-1.0")

    def problem(name):
        if name.startswith(("kernels/", "tests/kernels/")):
            extra = []
        elif name.startswith(("models/", "tests/models/")):
            extra = models
        else:
            extra = gst
        if extra is None:
            return None
        here = ["-I" + root, "-I" + os.path.join(root, "tests")]
        got = subprocess.run([*compiler, "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
                              "-fsyntax-only", *here, *extra, "-x", "c", "-"],
                             input=f'#include "{name}"\n'.encode(), cwd=root, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)
        return None if got.returncode == 0 else f"{name} does not stand alone:\n{got.stdout.decode()}"

    with ThreadPoolExecutor(2) as pool:
        found = pool.map(problem, [n for n in tree.files(root, ".h") if not n.startswith("kernels/cuda/")])
    tree.finish([p for p in found if p], "headers")


main(sys.argv[1])
