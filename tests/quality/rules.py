#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the motion rules on phones made up here: shape, seed, shut lips, stillness, blinks, styles. 77 without numpy and scipy."""
import sys
from pathlib import Path

try:
    import numpy as np
    from scipy.signal import savgol_filter
except ImportError:
    print("skipped: needs numpy and scipy")
    sys.exit(77)

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).resolve().parent), str(ROOT / "models/default/data")]
import targets as rules  # noqa: E402
from head import Head  # noqa: E402


def speech(seed, seconds=20):
    """Random syllables with pauses: phones, start, end and noise as loud as the phones are open."""
    rng = np.random.default_rng(seed)
    names = [n for n in rules.CLASSES if n not in ("sil", "noise")]
    consonants, vowels = names[:12], names[12:]
    rows, t = [("sil", 0.0, 1.0)], 1.0
    while t < seconds - 2:
        for n in (rng.choice(consonants), rng.choice(vowels)):
            d = rng.uniform(0.05, 0.14)
            rows.append((str(n), t, t + d))
            t += d
        if rng.uniform() < 0.08:
            rows.append(("sil", t, t + 0.6))
            t += 0.6
    rows.append(("sil", t, seconds))
    audio = np.zeros(seconds * 16000)
    for n, a, b in rows:
        audio[int(a * 16000):int(b * 16000)] = 0.3 * (n in vowels) + 0.05 * (n in consonants)
    audio *= rng.normal(size=len(audio))
    return ([rules.CLASSES.index(n) for n, _, _ in rows], [a for _, a, _ in rows], [b for _, _, b in rows],
            np.clip(audio * 32767, -32768, 32767).astype(np.int16))


def main():
    head = Head(ROOT / "models/default/head.safetensors")
    phones, start, end, audio = speech(1)
    energy, face = {}, {}
    assert {"neutral", "lively", "calm", "happy", "sad", "angry", "surprised"} == set(rules.STYLES), "styles"
    for name in rules.STYLES:
        style = rules.named_style(name)
        raw = rules.targets(phones, start, end, audio, 3, style)
        assert raw.shape == (500, 106) and raw.dtype == np.float32 and np.isfinite(raw).all(), "shape"
        assert np.array_equal(raw, rules.targets(phones, start, end, audio, 3, style)), "the seed does not fix the motion"
        assert not np.array_equal(raw, rules.targets(phones, start, end, audio, 4, style)), "the seed has no effect"
        assert not raw[:, len(rules.CHANNELS):100].any() and not raw[:, 104:].any(), "unnamed channels move"
        m = head.measures(savgol_filter(raw.astype(float), 5, 2, axis=0))
        limit = max(1.5, 0.15 * np.percentile(m["gap"], 95))
        for p, a, b in zip(phones, start, end):
            if p == rules.PP:
                gap = m["gap"][max(int(a * 25) - 1, 0):int(b * 25) + 2].min()
                assert gap < limit, f"{name}: lips {gap:.1f} mm apart on a bilabial at {a:.2f} s"
        quiet = m["mouth"][3:20]
        assert np.abs(np.diff(quiet, axis=0)).max() < 0.2, f"{name}: the mouth moves in silence"
        assert (m["gap"][3:20] < (6 if name == "surprised" else 1.5)).all(), f"{name}: the mouth is open in silence"
        shut = m["lid"] < 0.3 * np.median(m["lid"])
        assert 1 <= np.count_nonzero(shut[1:] & ~shut[:-1]) <= 14, f"{name}: blinks"
        assert np.abs(raw[:, 100:103]).max() < 0.25, f"{name}: the head turns too far"
        energy[name] = (m["gap"].std(), raw[:, 100].std(), raw[:, rules.CH["mouthSmileLeft"]].mean())
        face[name] = raw.mean(0)
    assert energy["lively"][0] > 1.2 * energy["calm"][0], "lively and calm mouths are alike"
    assert energy["lively"][1] > 1.5 * energy["calm"][1], "lively and calm heads are alike"
    assert energy["happy"][2] > energy["neutral"][2] + 0.2, "happy does not smile"
    for name, more in (("happy", ("mouthSmile", "cheekSquint", "browOuterUp")), ("sad", ("browInnerUp", "mouthFrown", "eyeSquint")),
                       ("angry", ("browDown", "noseSneer", "eyeSquint")), ("surprised", ("browInnerUp", "browOuterUp", "eyeWide"))):
        for start in more:
            for channel in (n for n in rules.CHANNELS if n.startswith(start)):
                i = rules.CH[channel]
                assert face[name][i] > face["neutral"][i] + 0.05, f"{name} does not move {channel}"
    rng = np.random.default_rng(2)
    drawn = [rules.draw_style(rng, 0.5) for _ in range(400)]
    moved = [s for s in drawn if "face" in s]
    assert 150 < len(moved) < 250 and all(0 < s["articulation"] < 1.4 for s in drawn), "drawn styles"
    for n in (0.03, 0.2):
        assert rules.targets([0], [0.0], [n], np.zeros(int(n * 16000), np.int16), 1, rules.named_style("neutral")).shape[0] == int(np.ceil(n * 25))
    print("rules: passed")


if __name__ == "__main__":
    main()
