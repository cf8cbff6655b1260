#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Speech with phone times from the voices of Debian's festival 2.5 (its segments' end times), eight languages."""
import argparse
import re
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from common import INVENTORY, Phones, Writer, arpa, level, sentences

# voice: (language, encoding, table, share, what its text is made of)
VOICES = {
    "lp_diphone": ("it", "latin-1", "it", 2.0, "fortunes-it"), "pc_diphone": ("it", "latin-1", "it", 2.0, "fortunes-it"),
    "czech_ph": ("cs", "iso-8859-2", "cs", 1.0, "fortunes-cs"), "czech_dita": ("cs", "iso-8859-2", "cs", 1.5, "fortunes-cs"),
    "czech_machac": ("cs", "iso-8859-2", "cs", 1.5, "fortunes-cs"), "czech_krb": ("cs", "iso-8859-2", "cs", 1.5, "fortunes-cs"),
    "suo_fi_lj_diphone": ("fi", "latin-1", "fi", 1.2, "fortunes-eo"), "hy_fi_mv_diphone": ("fi", "latin-1", "fi", 1.2, "fortunes-eo"),
    "upc_ca_ona_hts": ("ca", "latin-1", "ca", 2.0, "fortunes-es"), "cmu_us_slt_arctic_hts": ("en", "latin-1", "en", 1.0, "fortunes"),
    "ked_diphone": ("en", "latin-1", "en", 1.5, "fortunes"), "kal_diphone": ("en", "latin-1", "en", 1.0, "fortunes"),
    "hindi_NSK_diphone": ("hi", "utf-8", "in", 0.8, 0x900), "telugu_NSK_diphone": ("te", "utf-8", "in", 0.8, 0xC00),
    "marathi_NSK_diphone": ("mr", "utf-8", "in", 0.8, 0x900),
}
# Letters of Devanagari, the same places in Telugu's block: consonants, vowel signs.
CONSONANTS = [0x15, 0x17, 0x1A, 0x1C, 0x24, 0x26, 0x28, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F, 0x30, 0x32, 0x35, 0x36, 0x38, 0x39, 0x2A, 0x2C, 0x2E, 0x35]
SIGNS = [None, None, 0x3E, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x47, 0x4B]


def texts(root, what, encoding, rng):
    """An endless supply of text that the encoding can hold."""
    if isinstance(what, str):
        pool = sentences(f"{root}/{what}", 30, 110, r"[^\d@#<>{}\[\]/\\*_=|~^%$&+\"]+")
        while True:
            for i in rng.permutation(len(pool)):
                yield pool[i].encode(encoding, "ignore")
    while True:
        words = []
        for _ in range(rng.integers(5, 12)):
            word = ""
            for _ in range(rng.integers(1, 4)):
                sign = SIGNS[rng.integers(len(SIGNS))]
                word += chr(what + int(rng.choice(CONSONANTS))) + ("" if sign is None else chr(what + sign))
            words.append(word)
        yield " ".join(words).encode(encoding)


def classes_of(name, table):
    """Classes of a segment's name (KeyError: an unknown one)."""
    if table == "en":
        return arpa(name)
    return INVENTORY["festival"][table][re.sub(r"(?<=.)[0-9:*]+$", "", name)]


def say(voice, lines, stretch, folder):
    """[(audio float32 at 16 kHz, [(segment, end)])] of sentences, one run of the program."""
    script = [f"(voice_{voice})", f"(Parameter.set 'Duration_Stretch {stretch:.2f})"]
    script = [s.encode() for s in script]
    for i, line in enumerate(lines):
        script += [b'(set! u (utt.synth (Utterance Text "' + line + b'")))', b"(utt.wave.resample u 16000)",
                   f"(utt.save.wave u \"{folder}/{i}.wav\" 'riff)".encode(), f'(utt.save.segs u "{folder}/{i}.lab")'.encode()]
    path = Path(folder, "say.scm")
    path.write_bytes(b"\n".join(script) + b"\n")
    subprocess.run(["festival", "-b", str(path)], check=False, capture_output=True, timeout=300)
    for i in range(len(lines)):
        sound, labels = Path(folder, f"{i}.wav"), Path(folder, f"{i}.lab")
        if not sound.exists() or not labels.exists():
            continue  # a text that the voice cannot read
        with wave.open(str(sound)) as w:
            audio = np.frombuffer(w.readframes(w.getnframes()), np.int16).astype(np.float32) / 32768
        rows = [r.split() for r in labels.read_text(encoding="latin-1").splitlines()[1:]]
        yield audio, [(r[2], float(r[0])) for r in rows if len(r) == 3]
        sound.unlink(), labels.unlink()


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--text", required=True, help="folder of unpacked text packages")
    ap.add_argument("--out", required=True)
    ap.add_argument("--hours", type=float, default=2.0)
    ap.add_argument("--seed", type=int, default=7)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    out = Writer(a.out, "festival", "mul", rng)
    share = np.array([v[3] for v in VOICES.values()])
    unknown = {}
    supply = {k: texts(a.text, v[4], v[1], rng) for k, v in VOICES.items()}
    with tempfile.TemporaryDirectory() as folder:
        while out.seconds < a.hours * 3600:
            voice = str(rng.choice(list(VOICES), p=share / share.sum()))
            language, _, table, _, _ = VOICES[voice]
            lines = [next(supply[voice]) for _ in range(12)]
            for audio, segments in say(voice, lines, rng.uniform(0.8, 1.2), folder):
                if len(audio) > 14 * 16000 or len(audio) < 16000 or np.abs(audio).max() < 0.01:
                    continue
                ph, t = Phones(), 0.0
                try:
                    for name, end in segments:
                        ph.add(classes_of(name, table), t, end)
                        t = end
                except KeyError as e:
                    unknown[str(e)] = unknown.get(str(e), 0) + 1
                    continue
                ph.rows = [r for r in ph.rows if r[0] != 0]
                out.put(level(audio, rng.uniform(0.25, 0.9)), ph, 0.0, source=f"festival-{voice}", language=language)
    out.close()
    print("festival: segments not in the table, their utterances left out:", unknown)


if __name__ == "__main__":
    main()
