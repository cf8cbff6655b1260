#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Human telephone prompts of asterisk-core-sounds-it and -ru (CC-BY-3.0), phone times by a recogniser.

Several prompts are joined to one utterance of 4-9 seconds, with pauses."""
import argparse
import re
from pathlib import Path

import numpy as np

from common import RATE, Phones, Writer, level
from recogniser import Recogniser, active, decode

SKIP = re.compile(r"beep|tone|silence|ascending|descending|ring|music|laugh|scream")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--root", required=True, help="folder with both unpacked packages")
    ap.add_argument("--out", required=True)
    ap.add_argument("--seed", type=int, default=6)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    rec = Recogniser()
    out = Writer(a.out, "prompts", "mul", rng)
    left_out = 0
    for lang in ("it", "ru"):
        files = sorted(Path(a.root, f"asterisk-core-sounds-{lang}-g722").rglob("*.g722"))
        files = [files[i] for i in rng.permutation(len(files)) if not SKIP.search(files[i].stem)]
        audio, ph, t = [], Phones(), 0.0
        for path in files:
            x = decode(path)
            if len(x) < 4000 or len(x) > 12 * RATE or np.abs(x).max() < 0.02:
                left_out += 1
                continue
            x = level(x, 0.6)
            got = rec.phones(x)
            spoken = sum(b - s for s, b in active(x))
            named = sum(b - s for _, s, b in got.rows)
            if len(got.rows) < 3 or named < 0.6 * spoken:
                left_out += 1
                continue
            gap = np.zeros(int(rng.uniform(0.1, 0.6) * RATE), np.float32)
            audio += [x, gap]
            ph.rows += [(c, s + t, b + t) for c, s, b in got.rows]
            t += (len(x) + len(gap)) / RATE
            if t > 4.5:
                out.put(np.concatenate(audio), ph, 0.0, source=f"prompts-{lang}", language=lang)
                audio, ph, t = [], Phones(), 0.0
    out.close()
    print(f"prompts: {left_out} files left out (no speech, or phones and sound do not fit)")


if __name__ == "__main__":
    main()
