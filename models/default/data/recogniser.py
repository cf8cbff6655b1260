# SPDX-License-Identifier: LGPL-2.1-or-later
"""Phone times of human speech without a transcript: hama 1.7.0 (Apache-2.0), re-timed by -75 ms.

Its phones are English; bilabials and vowels of other languages are found usefully well."""
import re
import subprocess

import numpy as np
from hama.asr import ASRModel
from scipy.signal import butter, sosfiltfilt

from common import INVENTORY, Phones, ipa

SHIFT = -0.075
_SOS = butter(4, [300, 3500], "bp", fs=16000, output="sos")


def decode(path):
    """Any audio file -> float32 mono 16 kHz, by ffmpeg."""
    raw = ["-f", "g722"] if str(path).endswith(".g722") else []
    r = subprocess.run(["ffmpeg", "-v", "error", *raw, "-i", str(path), "-f", "s16le", "-ar", "16000", "-ac", "1", "-"],
                       capture_output=True, check=True)
    return np.frombuffer(r.stdout, np.int16).astype(np.float32) / 32768


def energy(x, step=80):
    """Log power of 300-3500 Hz every 5 ms, in 10 ms windows."""
    y = sosfiltfilt(_SOS, np.pad(x, 400)) ** 2
    return 10 * np.log10(np.convolve(y, np.ones(160) / 160, "same")[400:-400:step] + 1e-9)


def active(x, below=38.0, gap=0.15):
    """[(start, end)] in seconds of speech: louder than the loud part less `below` dB; shorter gaps are joined."""
    e = energy(x)
    on = e > max(np.percentile(e, 98) - below, -75)
    spans = []
    for i in np.flatnonzero(on):
        t = i * 0.005
        if spans and t - spans[-1][1] < gap:
            spans[-1][1] = t + 0.005
        else:
            spans.append([t, t + 0.005])
    return [(a, b) for a, b in spans if b - a > 0.06]


def classes_of(phone):
    """Classes of a phone of hama (ARPAbet or IPA)."""
    key = re.sub(r"[0-9ˈˌ]", "", phone)
    if key.lower() in INVENTORY["arpabet"] and (key.isupper() or key.isascii()):
        return INVENTORY["arpabet"][key.lower()]
    return ipa(key)


class Recogniser:
    """One hama network."""

    def __init__(self):
        self.model = ASRModel()

    def emissions(self, x):
        """[(seconds after re-timing, phone)]."""
        r = self.model(np.concatenate([x, np.zeros(4000, np.float32)]), 16000)
        return [(s.start_ms / 1000 + SHIFT, s.phoneme) for s in self.model.phoneme_spans(r)]

    def phones(self, x, snap=0.04):
        """Phone times: from emission to emission inside speech; bilabials moved to the dip of energy near by."""
        em = [(t, classes_of(p)) for t, p in self.emissions(x)]
        em = [(t, c) for t, c in em if c]
        e, out = energy(x), Phones()
        spans = active(x)
        k = int(snap / 0.005)
        moved = []
        for t, c in em:
            if c == ["PP"]:
                i = int((t + 0.03) / 0.005)
                lo, hi = max(i - k, 0), min(i + k + 1, len(e))
                if hi - lo > 3:
                    t += 0.5 * ((lo + int(np.argmin(e[lo:hi]))) * 0.005 - (t + 0.03))
            moved.append((t, c))
        for i, (t, c) in enumerate(moved):
            end = moved[i + 1][0] if i + 1 < len(moved) else t + 0.3
            longest = 0.11 if c == ["PP"] else 0.3
            span = next((s for s in spans if s[0] - 0.12 <= t <= s[1]), None)
            if span is None:
                continue
            out.add(c, max(t, span[0] - 0.06), min(end, t + longest, span[1]))
        return out
