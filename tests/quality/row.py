#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Motion that a row of elements makes of `truth.py`'s clips, for `quality.py --motion-dir`.

    python tests/quality/row.py --truth DIR --out M "artalkaudioenc hop=-1 ! artalkmotion ! artalksmooth delay=2"

Prints the median step between frames (the length of the change in all numbers), and that over seams, where a hop's
frames begin, for --hop frames a hop and --window frames a window. GST_PLUGIN_PATH must name the folder of the plugin."""
import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--truth", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--groups", help="only these, separated by commas")
    ap.add_argument("--hop", type=int, default=2)
    ap.add_argument("--window", type=int, default=25)
    ap.add_argument("row")
    a = ap.parse_args()
    Path(a.out).mkdir(parents=True, exist_ok=True)
    seams, steps = [], []
    for wav in sorted(Path(a.truth).glob("*.wav")):
        if a.groups and wav.stem.rsplit("-", 1)[0] not in a.groups.split(","):
            continue
        with tempfile.NamedTemporaryFile() as raw:
            subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={wav}", "!", "wavparse", "!", "audioconvert", "!",
                            "audioresample", "!", *a.row.split(), "!", "filesink", f"location={raw.name}"], check=True)
            motion = np.fromfile(raw.name, np.float32).reshape(-1, 106)
        np.save(Path(a.out, wav.stem + ".npy"), motion)
        step = np.linalg.norm(np.diff(motion, axis=0), axis=1)
        steps += list(step)
        seams += list(step[np.arange(1, len(motion)) % a.window % a.hop == 0])
    print(f"{len(steps)} steps: median {np.median(steps):.4f}, over seams {np.median(seams):.4f}, ratio {np.median(seams) / np.median(steps):.2f}")


if __name__ == "__main__":
    main()
