# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the style clips: two seconds of speaking motion in every preset of
../data/styles.json, all of the same utterance.

    python styles.py UTTERANCE.npz OUT_FOLDER
"""

import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

from life import Fixed, add_life
from streams import PRESETS, rules

FRAMES = 50


def clip(u, style, first):
    motion = rules.targets(u["phones"], u["start"], u["end"], u["audio"], Fixed(), style)
    t = (np.arange(len(motion)) + 0.5) / 25
    phone = u["phones"][np.clip(np.searchsorted(u["start"], t, side="right") - 1, 0, None)]
    add_life(motion, (phone != rules.SIL).astype(float), style, rules.CH)
    return motion[first : first + FRAMES].astype(np.float32)


if __name__ == "__main__":
    with np.load(sys.argv[1]) as z:
        utterance = {k: z[k] for k in ("audio", "phones", "start", "end")}
    start = int(utterance["start"][1] * 25)  # after the silence that comes first
    out = pathlib.Path(sys.argv[2])
    out.mkdir(exist_ok=True)
    for name in PRESETS:
        style_motion = clip(utterance, rules.named_style(name), start)
        if len(style_motion) < FRAMES:
            raise SystemExit(f"{sys.argv[1]}: shorter than two seconds of speech")
        save_file({"style_motion": np.ascontiguousarray(style_motion)}, out / f"{name}.safetensors", metadata={"BASIS": "arkit-1", "name": name})
        (out / f"{name}.safetensors").chmod(0o644)
        print(f"{name}: jaw {style_motion[:, 103].std():.3f} rad, smile {style_motion[:, 23].mean():.2f}")
