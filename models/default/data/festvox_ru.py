#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recordings of Debian's festvox-ru (one human speaker, phone labels included); the last 30 are held out."""
import argparse
import wave
from pathlib import Path

import numpy as np

from common import INVENTORY, Phones, Writer, level

SHIFT = 0.0


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--root", required=True, help="folder of the unpacked package")
    ap.add_argument("--out", required=True)
    ap.add_argument("--seed", type=int, default=4)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    base = next(Path(a.root).rglob("msu_ru_nsh_clunits/wav")).parent
    out = Writer(a.out, "festvox", "ru", rng)
    names = sorted(p.stem for p in (base / "lab").glob("*.lab"))
    for i, name in enumerate(names):
        path = base / "wav" / f"{name}.wav"
        if not path.exists():
            continue
        with wave.open(str(path)) as w:
            audio = np.frombuffer(w.readframes(w.getnframes()), np.int16).astype(np.float32) / 32768
            if w.getframerate() != 16000 or w.getnchannels() != 1:
                raise SystemExit(f"{path}: 16 kHz mono expected")
        ph, t = Phones(), 0.0
        for line in (base / "lab" / f"{name}.lab").read_text(encoding="latin-1").splitlines():
            f = line.split()
            if len(f) == 3:
                ph.add(INVENTORY["festvox_ru"][f[2]], t, float(f[0]))
                t = float(f[0])
        ph.rows = [r for r in ph.rows if r[0] != 0]
        # cut the long readings at pauses so that one file is at most about 12 s
        out.put(level(audio, rng.uniform(0.3, 0.9)), ph, SHIFT, split="valid" if i >= len(names) - 30 else "train",
                source="festvox-ru", pad=False)
    out.close()


if __name__ == "__main__":
    main()
