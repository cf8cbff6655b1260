# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the corpus makers share: phone classes, text, audio helpers, the utterance writer."""
import json
import re
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

HERE = Path(__file__).resolve().parent
RATE = 16000
INVENTORY = json.loads((HERE / "phones.json").read_text(encoding="utf-8"))
CLASSES = INVENTORY["classes"]
INDEX = {name: i for i, name in enumerate(CLASSES)}
SIL = INDEX["sil"]


def arpa(phone):
    """Classes of an ARPAbet phone (`b`, `ay1`), one or two, in order of time."""
    return INVENTORY["arpabet"][re.sub(r"[0-9]", "", phone).lower()]


def ipa(text, unknown=None):
    """Classes of a piece of IPA (one phone of a synthesiser; may hold stress, length, a diphthong).

    Signs not in the table are left out and counted in the dict `unknown` if given."""
    table = INVENTORY["ipa"]
    out, i = [], 0
    while i < len(text):
        for n in (2, 1):
            key = text[i:i + n]
            if len(key) == n and key in table:
                out += table[key]
                i += n
                break
        else:
            if unknown is not None and text[i] not in INVENTORY["ipa_ignored"]:
                unknown[text[i]] = unknown.get(text[i], 0) + 1
            i += 1
    return out


class Phones:
    """Phone times of one utterance being put together: (class, start, end) in seconds."""

    def __init__(self):
        self.rows = []

    def add(self, classes, start, end):
        """Share the time start..end out among the classes (a diphthong: 60 % to its first half)."""
        if end <= start or not classes:
            return
        n = len(classes)
        w = np.full(n, 1.0 / n) if n != 2 else np.array([0.6, 0.4])
        edge = start + (end - start) * np.concatenate([[0.0], np.cumsum(w)])
        for c, a, b in zip(classes, edge[:-1], edge[1:]):
            self.rows.append((INDEX[c], float(a), float(b)))

    def arrays(self, seconds, shift=0.0):
        """phones, start, end: moved by `shift`, cut to the audio, gaps filled with silence, equal
        neighbours of silence joined, pauses of at most 100 ms given to the phone before."""
        rows = sorted((c, max(a + shift, 0.0), min(b + shift, seconds)) for c, a, b in self.rows)
        rows = sorted((r for r in rows if r[2] - r[1] > 1e-4), key=lambda r: r[1])
        full, t = [], 0.0
        for c, a, b in rows:
            a = max(a, t)
            if b <= a:
                continue
            if a > t + 1e-4:
                full.append([SIL, t, a])
            full.append([c, a, b])
            t = b
        if seconds > t + 1e-4:
            full.append([SIL, t, seconds])
        out = []
        for c, a, b in full:
            last = out[-1] if out else None
            inner = 0 < a and b < seconds
            if c == SIL and inner and last and last[0] != SIL and b - a <= 0.1:
                last[2] = b
            elif last and c == SIL and last[0] == SIL:
                last[2] = b
            else:
                out.append([c, a, b])
        return (np.array([r[0] for r in out], np.int16), np.array([r[1] for r in out], np.float32),
                np.array([r[2] for r in out], np.float32))


def to_16k(audio, rate):
    """Float audio at `rate` -> float32 at 16 kHz (polyphase)."""
    if rate == RATE:
        return np.asarray(audio, np.float32)
    g = np.gcd(RATE, int(rate))
    return resample_poly(np.asarray(audio, np.float32), RATE // g, int(rate) // g).astype(np.float32)


def level(audio, peak=0.5):
    """Bring the loudest sample to `peak`."""
    m = float(np.max(np.abs(audio))) if len(audio) else 0.0
    return audio * (peak / m) if m > 0 else audio


class Writer:
    """Writes utterances under root/train and root/valid; every `hold`-th goes to valid unless told.

    Each is padded with near silence before and after (length drawn from `rng`), so that rest is seen."""

    def __init__(self, root, name, language, rng, hold=20):
        self.root, self.name, self.language, self.rng, self.hold = Path(root), name, language, rng, hold
        self.count = 0
        self.seconds = 0.0
        self.entries = []
        for split in ("train", "valid"):
            (self.root / split).mkdir(parents=True, exist_ok=True)

    def put(self, audio, phones, shift=0.0, split=None, source=None, language=None, pad=True):
        """audio float 16 kHz, phones a `Phones` (times in audio's seconds)."""
        before, after = (self.rng.uniform(0.15, 0.7, 2) * pad).tolist()
        nb, na = int(before * RATE), int(after * RATE)
        x = np.concatenate([np.zeros(nb, np.float32), np.asarray(audio, np.float32), np.zeros(na, np.float32)])
        x += self.rng.normal(0, 10 ** self.rng.uniform(-4.5, -3.3), len(x)).astype(np.float32)
        seconds = len(x) / RATE
        p, a, b = phones.arrays(seconds, shift + nb / RATE)
        if seconds < 1.0 or np.count_nonzero(p != SIL) < 3:
            return
        if split is None:
            split = "valid" if self.count % self.hold == self.hold - 1 else "train"
        language = language or self.language
        path = f"{split}/{self.name}-{language}-{self.count:05d}.npz"
        np.savez(self.root / path, audio=np.clip(np.round(x * 32767), -32768, 32767).astype(np.int16),
                 phones=p, start=a, end=b, source=np.array(source or self.name))
        self.entries.append({"path": path, "seconds": round(seconds, 3), "source": source or self.name,
                             "language": language, "split": split})
        self.count += 1
        self.seconds += seconds

    def close(self):
        """Write this source's part of the index."""
        (self.root / f"part-{self.name}.json").write_text(json.dumps(self.entries), encoding="utf-8")
        print(f"{self.name}: {self.count} utterances, {self.seconds / 3600:.2f} h", flush=True)


def sentences(folder, lo=35, hi=140, letters=None):
    """Clean sentences out of every plain text below `folder` (fortune files), in a fixed order.

    letters: a regular expression class of the characters allowed (default: English prose)."""
    allowed = re.compile(letters or r"[A-Za-z ,.;:!?'\-\"]+")
    seen, out = set(), []
    for path in sorted(Path(folder).rglob("*")):
        if not path.is_file() or path.is_symlink() or path.suffix in (".dat", ".gz", ".u8", ".png"):
            continue
        if "/doc/" in str(path) or "off" in path.parts:
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        for item in re.split(r"\n%+\n", text):
            item = re.sub(r"\n\s+--.*", "", item, flags=re.S)
            item = re.sub(r"\s+", " ", item).strip()
            for s in re.split(r"(?<=[.!?。！？])\s*", item):
                s = s.strip(" \"'-")
                if lo <= len(s) <= hi and allowed.fullmatch(s) and s not in seen and not s.isupper():
                    seen.add(s)
                    out.append(s)
    return out
