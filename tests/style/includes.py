#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which folder may include what: kernels <- models <- plugins <- pipelines, with gst between (docs/architecture.md)."""
import os
import re
import sys

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
GLIB = r"^<(glib|gio|gobject|gmodule|json-glib)\b"
GSTREAMER = r"^<gst/"
KERNEL_INNER = r"^kernels/(cpu|cuda)/|^kernels/.*_priv\.h$"
READERS = r"error|head|known|motion|paths|pickle|safetensors|tracked|weights"

# folder -> what its files may not include, as a pattern of "path from the root" or "<system header>"
RULES = [
    (r"kernels/", [GLIB, GSTREAMER, r"^(models|gst|plugins|pipelines|tests)/"]),
    (r"kernels/cpu/", [r"^kernels/cuda/"]),
    (r"kernels/cuda/", [r"^kernels/cpu/"]),
    (r"models/", [GSTREAMER, KERNEL_INNER, r"^(gst|plugins|pipelines|tests)/"]),
    (r"gst/", [r"^kernels/(?!device\.h$)", r"^models/.*_priv\.h$", r"^(plugins|pipelines|tests)/"]),
    (r"plugins/", [r"^kernels/", r"^models/.*_priv\.h$", r"^(pipelines|tests)/"]),
    (r"pipelines/", [r"^(kernels|plugins|gst|tests)/", r"^models/(?!(" + READERS + r")\.h$)"]),
    (r"tests/kernels/", [GSTREAMER, r"^(models|gst|plugins|pipelines)/"]),
    (r"tests/models/", [GSTREAMER, r"^(gst|plugins|pipelines)/"]),
    (r"tests/elements/", [r"^kernels/(cpu|cuda)/", r"^(models|kernels)/.*_priv\.h$", r"^(plugins|pipelines)/"]),
]


def resolve(root, name, quote, target):
    if quote == "<":
        return f"<{target}>"
    beside = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return beside if os.path.exists(os.path.join(root, beside)) else os.path.normpath(target)


def main(root):
    problems = []
    dnnl = []
    for name in tree.files(root, ".c", ".h", ".cu", ".cuh"):
        for quote, target in INCLUDE.findall(tree.read(root, name)):
            path = resolve(root, name, quote, target)
            if path.startswith("<oneapi/dnnl") or path.startswith("<dnnl"):
                dnnl.append(name)
            if quote == '"' and not os.path.exists(os.path.join(root, path)) and target != "config.h":
                problems.append(f"{name}: no such file: {target}")
            for folder, forbidden in RULES:
                if name.startswith(folder) and any(re.search(p, path) for p in forbidden):
                    problems.append(f"{name}: {folder} may not include {path}")
            parts, own = path.split("/"), name.split("/")
            if name.startswith("plugins/") and len(own) > 2 and len(parts) > 2 and parts[0] == "plugins" \
                    and parts[1] != own[1]:
                problems.append(f"{name}: an element may not include another element's {path}")
    problems += [f"{name}: oneDNN is to be named in kernels/cpu/onednn* only" for name in sorted(set(dnnl))
                 if not name.startswith("kernels/cpu/onednn")]
    tree.finish(problems, "includes")


main(sys.argv[1])
