# SPDX-License-Identifier: LGPL-2.1-or-later
"""What may lie between a voice and the model: audio at 16 kHz to disturbed audio, by a seed.

    python tests/quality/disturb.py --truth DIR --out OUT     OUT/KIND/NAME.wav of truth.py's clips, for a model run elsewhere"""
import argparse
import json
import wave
from pathlib import Path

import numpy as np
from scipy.signal import butter, lfilter, sosfiltfilt

RATE = 16000


def power(x):
    """Mean power of the loud half of 20 ms blocks: the level of speech without its pauses."""
    n = len(x) // 320
    e = np.sort((x[:n * 320].reshape(n, 320) ** 2).mean(1))
    return float(e[n // 2:].mean()) + 1e-12


def under(x, y, db):
    """x with y mixed in `db` below it."""
    y = np.resize(y, len(x))
    return x + y * np.sqrt(power(x) / power(y)) * 10 ** (-db / 20)


def pink(n, rng):
    """Noise whose power falls by 3 dB an octave."""
    f = np.fft.rfftfreq(n, 1 / RATE)
    s = np.fft.rfft(rng.normal(size=n)) / np.sqrt(np.maximum(f, 40))
    return np.fft.irfft(s, n)


def telephone(x):
    """300-3400 Hz, 8 bit mu-law."""
    y = sosfiltfilt(butter(6, [300, 3400], "bp", fs=RATE, output="sos"), x)
    y = np.clip(y, -1, 1)
    c = np.round(127 * np.sign(y) * np.log1p(255 * np.abs(y)) / np.log(256)) / 127
    return np.sign(c) * np.expm1(np.abs(c) * np.log(256)) / 255


def music(n, rng):
    """Chords of plucked tones over a bass and a beat, 110 in a minute."""
    out, beat = np.zeros(n + RATE * 2), int(RATE * 60 / 110)
    t = np.arange(RATE) / RATE
    for i, at in enumerate(range(0, n, beat)):
        root = 110 * 2 ** (rng.choice([0, 3, 5, 7, 8]) / 12)
        for step, gain in ((0, 1.2), (12, 0.6), (16, 0.6), (19, 0.6), (24 + rng.choice([0, 4, 7]), 0.8)):
            for h in range(1, 7):
                f = root * 2 ** (step / 12) * h
                out[at:at + RATE] += gain / h * np.sin(2 * np.pi * f * t) * np.exp(-4 * t) if f < 7000 else 0
        hit = rng.normal(size=1600) * np.exp(-np.arange(1600) / (300 if i % 2 else 120))
        out[at:at + 1600] += 1.5 * hit
    return out[:n]


def resound(x, source, order=18, block=480):
    """x's formants on another source, which `source` cuts out of a block's place: linear prediction in 30 ms, half
    overlapping blocks."""
    window = np.hanning(block)
    x = np.append(x, np.zeros(block))
    out = np.zeros(len(x))
    for at in range(0, len(x) - block, block // 2):
        y = x[at:at + block] * window
        r = np.correlate(y, y, "full")[block - 1:block + order]
        if r[0] < 1e-7:
            continue
        r[0] *= 1.0001
        a, e = np.array([1.0]), r[0]
        for k in range(1, order + 1):  # Levinson and Durbin
            g = -np.dot(a, r[k:0:-1][:k]) / e
            a = np.append(a, 0) + g * np.append(a, 0)[::-1]
            e *= 1 - g * g
        z = lfilter([1.0], a, source(slice(at, at + block))) * window
        out[at:at + block] += z * np.sqrt(np.dot(y, y) / (np.dot(z, z) + 1e-12))
    return out[:-block]


def whisper(x, rng):
    """Its formants on noise in place of the voice."""
    # a whisper has more of the high
    return 0.5 * resound(np.diff(x, prepend=0.0), lambda part: rng.normal(size=part.stop - part.start))


def sung(x, rng):
    """Its formants on notes of half a second, an octave of a major scale up from 165 Hz, with vibrato, in place of the
    voice; what has no pitch stays noise. Its pace stays too: sung vowels are longer."""
    n = len(x) + 480
    note = 165 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12], n // 8000 + 1) / 12)
    f = np.convolve(np.repeat(note, 8000)[:n], np.ones(800) / 800, "same")
    f *= 2 ** (0.4 / 12 * np.sin(2 * np.pi * 5.5 * np.arange(n) / RATE))
    pulses = np.diff(np.floor(np.cumsum(f) / RATE), prepend=0.0)
    padded = np.append(x, np.zeros(480))

    def source(part):
        y = padded[part] * np.hanning(480)
        r = np.correlate(y, y, "full")[479:]
        return pulses[part] if r[40:230].max() > 0.25 * r[0] else rng.normal(size=480)

    return lfilter([1.0], [1.0, -0.95], resound(np.diff(x, prepend=0.0), source))


KINDS = {
    "noise": "pink noise, 10 dB under the speech", "telephone": "300 to 3400 Hz, mu-law", "music": "music, 10 dB under the speech",
    "crowd": "another clip, 6 dB under the speech", "whisper": "whispered (formants of the voice on noise)",
    "sung": "sung (formants of the voice on notes with vibrato)", "faint": "20 dB fainter",
}


def disturb(kind, audio, other, seed):
    """int16 audio disturbed (`other`: int16 of another speaker), as loud at its loudest as before unless `faint`."""
    rng = np.random.default_rng(seed)
    x = audio / 32768.0
    y = {"noise": lambda: under(x, pink(len(x), rng), 10), "telephone": lambda: telephone(x),
         "music": lambda: under(x, music(len(x), rng), 10), "crowd": lambda: under(x, other / 32768.0, 6),
         "whisper": lambda: whisper(x, rng), "sung": lambda: sung(x, rng), "faint": lambda: 0.1 * x}[kind]()
    if kind != "faint":
        y = y * np.abs(x).max() / (np.abs(y).max() + 1e-9)
    return np.clip(np.round(y * 32768), -32768, 32767).astype(np.int16)


def read(path):
    """Samples of a 16-bit mono file."""
    with wave.open(str(path)) as w:
        return np.frombuffer(w.readframes(w.getnframes()), np.int16)


def write(path, audio):
    """16-bit mono at 16 kHz."""
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(RATE)
        w.writeframes(audio.astype("<i2").tobytes())


def pairs(clips):
    """(clip, somebody else): the next clip of another group; clips have .name and .group."""
    return [(c, next((o for o in clips[i:] + clips[:i] if o.group != c.group), clips[i - 1])) for i, c in enumerate(clips)]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--truth", required=True)
    ap.add_argument("--out", required=True)
    a = ap.parse_args()

    class Named:
        def __init__(self, path):
            self.name, self.group = path.stem, json.loads(path.read_text(encoding="utf-8"))["group"]
            self.audio = read(path.with_suffix(".wav"))

    clips = [Named(p) for p in sorted(Path(a.truth).glob("*.json"))]
    for kind in KINDS:
        folder = Path(a.out, kind)
        folder.mkdir(parents=True, exist_ok=True)
        for clip, other in pairs(clips):
            write(folder / f"{clip.name}.wav", disturb(kind, clip.audio, other.audio, len(clip.audio)))


if __name__ == "__main__":
    main()
