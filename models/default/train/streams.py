# SPDX-License-Identifier: LGPL-2.1-or-later
"""Strings utterances of the corpus together to streams of some 24 s, with
pauses, voices changed by resampling, and motion targets.

    python streams.py CORPUS SPLIT SEED OUT.npz [SOURCE=SHARE ...]

One pass over the split, or over shares of the sources named (as file names begin: hibari=0.4, kokoro=3 for three times);
with plain=1 all in the style neutral: for an encoder, which cannot hear a smile. OUT holds `audio` int16, `motion` float16 [., 106],
`phones` int8 at 50 Hz, all concatenated, and `first` [streams + 1], the first
frame of every stream (frame f is samples 640 f .. 640 f + 639).
"""

import pathlib
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "data"))
import targets as rules  # noqa: E402
from life import Fixed, add_life  # noqa: E402

SECONDS = 24.0
PRESETS = list(rules.STYLES)


def warp(utterance, ratio):
    """Pitch, formants and speed times `ratio`."""
    audio = utterance["audio"].astype(np.float32)
    at = np.arange(int(len(audio) / ratio)) * ratio
    audio = np.interp(at, np.arange(len(audio)), audio).astype(np.float32)
    return audio, utterance["phones"], utterance["start"] / ratio, utterance["end"] / ratio


def draw_style(rng):
    if rng.uniform() < 0.3:
        return rules.named_style(PRESETS[rng.integers(len(PRESETS))])
    return rules.draw_style(rng, 0.4)


def build(utterances, rng, plain):
    """One stream of the given utterances: audio, motion, phones at 50 Hz."""
    sounds, rows, at = [], [], 0

    def pause(seconds):
        nonlocal at
        n = int(seconds * 16000)
        sounds.append(rng.normal(0, 32767 * 10 ** rng.uniform(-5, -3.3), n).astype(np.float32))
        rows.append(([rules.SIL], [at / 16000], [(at + n) / 16000]))
        at += n

    pause(rng.uniform(0.02, 1.5))
    for u in utterances:
        ratio = rng.uniform(0.84, 1.2) if rng.uniform() < 0.7 else 1.0
        audio, phones, start, end = warp(u, ratio)
        sounds.append(audio * 10 ** (rng.uniform(-4, 2) / 20))
        rows.append((phones, start + at / 16000, end + at / 16000))
        at += len(audio)
        pause(rng.uniform(2, 8) if rng.uniform() < 0.1 else rng.uniform(0.05, 0.9))
    audio = np.clip(np.concatenate(sounds), -32768, 32767).astype(np.int16)
    frames = len(audio) // 640
    audio = audio[: frames * 640]
    phones, start, end = (np.concatenate([r[i] for r in rows]) for i in range(3))
    keep = start < frames / 25 - 0.01
    phones, start, end = phones[keep].astype(int), start[keep], np.minimum(end[keep], frames / 25)
    style = draw_style(rng)
    if plain:
        style = rules.named_style("neutral")
    motion = rules.targets(phones, start, end, audio, Fixed(), style)
    t50 = (np.arange(2 * frames) + 0.5) / 50
    labels = phones[np.clip(np.searchsorted(start, t50, side="right") - 1, 0, None)]
    speech = (labels != rules.SIL).reshape(frames, 2).mean(1)
    add_life(motion, speech, style, rules.CH)
    return audio, motion.astype(np.float16), labels.astype(np.int8)


def make(corpus, split, seed, shares):
    plain = shares.pop("plain", 0)
    rng = np.random.default_rng(seed)
    files = sorted(pathlib.Path(corpus, split).glob("*.npz"))
    if not files:
        raise SystemExit(f"{corpus}/{split}: no utterances")
    files = [f for f in files for _ in range(int(shares.get(f.name.split("-")[0], 1.0) + rng.uniform()))]
    rng.shuffle(files)
    parts, batch, seconds = [], [], 0.0
    for i, path in enumerate(files):
        with np.load(path) as z:
            batch.append({k: z[k] for k in ("audio", "phones", "start", "end")})
        seconds += len(batch[-1]["audio"]) / 16000
        if seconds > SECONDS or i == len(files) - 1:
            parts.append(build(batch, rng, plain))
            batch, seconds = [], 0.0
    first = np.concatenate([[0], np.cumsum([len(p[1]) for p in parts])])
    audio, motion, phones = (np.concatenate([p[i] for p in parts]) for i in range(3))
    return {"audio": audio, "motion": motion, "phones": phones, "first": first}


if __name__ == "__main__":
    began = time.time()
    parts = {k: float(v) for k, v in (a.split("=") for a in sys.argv[5:])}
    data = make(sys.argv[1], sys.argv[2], int(sys.argv[3]), parts)
    np.savez(sys.argv[4], **data)
    print(f"{sys.argv[4]}: {len(data['first']) - 1} streams, {len(data['motion']) / 90000:.2f} h, {time.time() - began:.0f} s")
