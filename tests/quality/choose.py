#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clips for choosing between models (early stopping, comparing recipes): voices of tuxpaint-stamps-default.

    python tests/quality/choose.py --out DIR [--root UNPACKED] [--most 4]

The same form as truth.py's clips, for `quality.py --truth DIR`. Recordings of many speakers in eleven languages
under GPL-2+: no training on them. Phone times by the recogniser (hama 1.7.0, -75 ms)."""
import argparse
import re
import subprocess
from pathlib import Path

import numpy as np

from truth import Out, recognised
from recogniser import Recogniser

PACKAGE = "tuxpaint-stamps-default"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True)
    ap.add_argument("--root", help="folder with the unpacked package; without it the package is fetched (160 MB)")
    ap.add_argument("--most", type=int, default=4, help="clips of about 8 s per language")
    a = ap.parse_args()
    root = Path(a.root or Path(a.out, ".cache").resolve())
    if not (root / PACKAGE).exists():
        root.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", PACKAGE], cwd=root, check=True)
        subprocess.run(["dpkg", "-x", str(next(root.glob(f"{PACKAGE}_*.deb"))), str(root / PACKAGE)], check=True)
    out, rec, rng = Out(a.out), Recogniser(), np.random.default_rng(12)
    by_language = {}
    for path in sorted((root / PACKAGE).rglob("*_desc*.ogg")):
        m = re.fullmatch(r".*_desc(?:_([a-z]{2}))?", path.stem)
        if m:
            by_language.setdefault(m[1] or "en", []).append(path)
    for language, files in sorted(by_language.items()):
        if len(files) >= 50:
            out.joined(f"tux-{language}", recognised(rec, files, rng, ()), most=a.most)
    print(", ".join(f"{g} {n}" for g, n in out.made.items()), "clips")


if __name__ == "__main__":
    main()
