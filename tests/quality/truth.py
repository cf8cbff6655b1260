#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Human speech with phone times, for measuring only: never for training, nor for choosing between models.

    python tests/quality/truth.py --out DIR [--root UNPACKED]

DIR gets NAME.wav (16 kHz mono) and NAME.json ({"group", "phones": [[class, start, end], ...]}). Without --root
the four Debian packages are fetched with `apt-get download` and unpacked below DIR/.cache.

librivox, cards  pocketsphinx-testdata, read sentences with transcript, forced alignment (pocketsphinx 5.1.1)
en-words         asterisk-core-sounds-en, digits, letters, spelling words known by file name, aligned alike
en, es, fr       other prompts of the asterisk packages, a phone recogniser (hama 1.7.0, -75 ms)

Needs the environment of models/default/data (requirements.txt, voices.txt) and ffmpeg."""
import argparse
import json
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models/default/data"))
from common import CLASSES, RATE, Phones, arpa, level  # noqa: E402
from recogniser import Recogniser, active, decode  # noqa: E402

PACKAGES = ["pocketsphinx-testdata", "asterisk-core-sounds-en-g722", "asterisk-core-sounds-es-g722", "asterisk-core-sounds-fr-g722"]
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
ONES = "zero one two three four five six seven eight nine".split()
TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}
NTH = ("zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
       "sixteenth seventeenth eighteenth nineteenth").split()
SPELL = ("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra "
         "tango uniform victor whiskey x-ray yankee zulu").split()
DAYS = "sunday monday tuesday wednesday thursday friday saturday".split()
MONTHS = "january february march april may june july august september october november december".split()
WORDS = {"billion", "million", "thousand", "hundred", "dollars", "minus", "pound", "star", "today", "tomorrow", "yesterday", "asterisk",
         "dash", "dollar", "dot", "equals", "plus", "slash", "space", "at"}


def words_of(folder, stem):
    """What a file of `digits`, `letters` or `phonetic` says, or None."""
    if folder == "phonetic":
        return "niner" if stem[0] == "9" else SPELL[ord(stem[0]) - 97]
    if folder == "letters":
        return stem if len(stem) == 1 else (stem if stem in WORDS else None)
    if stem.isdigit():
        n = int(stem)
        return ONES[n] if n < 10 else TEENS[n - 10] if n < 20 else TENS.get(n)
    m = re.fullmatch(r"(day|mon|h)-(\w+)", stem)
    if m and m[1] == "day":
        return DAYS[int(m[2])]
    if m and m[1] == "mon":
        return MONTHS[int(m[2])]
    if m and m[2].isdigit():
        n = int(m[2])
        return NTH[n] if n < 20 else TENS[n][:-1] + "ieth"
    return stem if stem in WORDS else None


class Aligner:
    """Forced alignment of known words with pocketsphinx."""

    def __init__(self):
        self.decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def align(self, x, text):
        """`Phones` of float audio saying `text`, or None where words are unknown or do not fit."""
        d = self.decoder
        words = text.lower().replace("-", " ").split()
        if any(d.lookup_word(w) is None for w in words):
            return None
        raw = np.clip(np.concatenate([np.zeros(3200), x, np.zeros(3200)]) * 32767, -32768, 32767).astype(np.int16).tobytes()

        def run():
            d.start_utt()
            d.process_raw(raw, full_utt=True)
            d.end_utt()
        try:
            d.set_align_text(" ".join(words))
            run()
            if d.hyp() is None:
                return None
            d.set_alignment()
            run()
        except RuntimeError:
            return None
        ph = Phones()
        for word in d.get_alignment():
            for p in word:
                a = p.start * 0.01 - 0.2
                ph.add([] if p.name == "SIL" else arpa(p.name), a, a + p.duration * 0.01)
        ph.rows = [r for r in ph.rows if r[0] != 0]
        return ph if len(ph.rows) > 1 else None


class Out:
    """Writes clips."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.made = {}

    def put(self, group, x, ph):
        """One clip: 0.5 s of quiet before and after."""
        quiet = np.random.default_rng(len(x)).normal(0, 1e-4, 8000).astype(np.float32)
        x = np.concatenate([quiet, x, quiet])
        p, a, b = ph.arrays(len(x) / RATE, 0.5)
        n = self.made[group] = self.made.get(group, 0) + 1
        name = f"{group}-{n:02d}"
        with wave.open(str(self.folder / f"{name}.wav"), "wb") as w:
            w.setnchannels(1)
            w.setsampwidth(2)
            w.setframerate(RATE)
            w.writeframes(np.clip(np.round(x * 32767), -32768, 32767).astype("<i2").tobytes())
        rows = [[CLASSES[int(c)], round(float(s), 4), round(float(e), 4)] for c, s, e in zip(p, a, b)]
        (self.folder / f"{name}.json").write_text(json.dumps({"group": group, "phones": rows}), encoding="utf-8")

    def joined(self, group, items, seconds=8.0, most=24):
        """Clips of about `seconds` out of many (audio, Phones), at most `most`."""
        audio, ph, t = [], Phones(), 0.0
        for x, p in items:
            if self.made.get(group, 0) >= most:
                return
            audio += [x, np.zeros(4800, np.float32)]
            ph.rows += [(c, a + t, b + t) for c, a, b in p.rows]
            t += len(x) / RATE + 0.3
            if t > seconds:
                self.put(group, np.concatenate(audio), ph)
                audio, ph, t = [], Phones(), 0.0


def unpack(out):
    """Fetch and unpack the packages; returns their folder."""
    cache = Path(out, ".cache").resolve()
    for p in PACKAGES:
        if not (cache / p).exists():
            cache.mkdir(parents=True, exist_ok=True)
            subprocess.run(["apt-get", "download", "-q", p], cwd=cache, check=True)
            subprocess.run(["dpkg", "-x", str(next(cache.glob(f"{p}_*.deb"))), str(cache / p)], check=True)
    return cache


def recognised(rec, files, rng, used):
    """(audio, Phones) of prompts whose sound the recogniser accounts for."""
    for i in rng.permutation(len(files)):
        path = files[i]
        if path in used or re.search(r"beep|tone|silence|ring|music", path.stem):
            continue
        x = decode(path)
        if not 0.8 * RATE < len(x) < 12 * RATE or np.abs(x).max() < 0.02:
            continue
        x = level(x, 0.6)
        ph = rec.phones(x)
        if len(ph.rows) >= 4 and sum(b - a for _, a, b in ph.rows) > 0.6 * sum(b - a for a, b in active(x)):
            yield x, ph


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--out", required=True)
    ap.add_argument("--root")
    ap.add_argument("--most", type=int, default=12, help="clips of about 8 s per recognised group")
    a = ap.parse_args()
    root = Path(a.root) if a.root else unpack(a.out)
    out, al, rec = Out(a.out), Aligner(), Recogniser()
    rng = np.random.default_rng(11)

    for group in ("librivox", "cards"):
        for folder in root.rglob(f"test/data/{group}"):
            for line in sorted([*folder.glob("transcription"), *folder.glob("*.transcription")])[0].read_text().splitlines():
                m = re.fullmatch(r"\s*(?:<s>)?(.*?)(?:</s>)?\s*\((\S+)\)\s*", line)
                x = level(decode(folder / f"{m[2]}.wav"), 0.6)
                ph = al.align(x, m[1])
                if ph is None:
                    print(f"{m[2]}: the words do not fit", file=sys.stderr)
                else:
                    out.put(group, x, ph)

    english = sorted(Path(root, PACKAGES[1]).rglob("*.g722"))
    items, used = [], set()
    for path in english:
        text = words_of(path.parent.name, path.stem) if path.parent.name in ("digits", "letters", "phonetic") else None
        if text:
            x = level(decode(path), 0.6)
            ph = al.align(x, text)
            used.add(path)
            if ph is not None:
                items.append((x, ph))
    items = [items[i] for i in rng.permutation(len(items))]
    print(f"en-words: {len(items)} of {len(used)} words aligned")
    out.joined("en-words", items)
    used |= {p for p in english if p.parent.name in ("digits", "letters", "phonetic")}
    for group, package in zip(("en", "es", "fr"), PACKAGES[1:]):
        out.joined(group, recognised(rec, sorted(Path(root, package).rglob("*.g722")), rng, used), most=a.most)
    print(", ".join(f"{g} {n}" for g, n in out.made.items()), "clips")


if __name__ == "__main__":
    main()
