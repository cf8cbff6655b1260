#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Speech with phone times from flite 2.2 (`-psdur`: end times, exact), four voices, pitch and pace varied."""
import argparse
import subprocess
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from common import Phones, Writer, arpa, level, sentences, to_16k

VOICES = {"slt": (140, 230), "rms": (75, 130), "awb": (85, 160), "kal16": (80, 150)}


def say(job):
    """Run flite once -> (audio, rate, [(phone, end)])."""
    voice, text, f0, stretch = job
    with tempfile.NamedTemporaryFile(suffix=".wav") as f:
        r = subprocess.run(["flite", "-voice", voice, "--setf", f"int_f0_target_mean={f0:.1f}",
                            "--setf", f"duration_stretch={stretch:.3f}", "-psdur", "-t", text, "-o", f.name],
                           capture_output=True, text=True, check=True)
        with wave.open(f.name) as w:
            audio = np.frombuffer(w.readframes(w.getnframes()), np.int16).astype(np.float32) / 32768
            rate = w.getframerate()
    return audio, rate, [(p.split(":")[0], float(p.split(":")[1])) for p in r.stdout.split()]


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--text", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--hours", type=float, default=1.0)
    ap.add_argument("--seed", type=int, default=2)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    out = Writer(a.out, "flite", "en", rng)
    pool = sentences(f"{a.text}/fortunes")
    pool = [pool[i] for i in rng.permutation(len(pool))][::-1]
    with ThreadPoolExecutor(1) as ex:
        while out.seconds < a.hours * 3600:
            jobs = []
            for _ in range(40):
                v = str(rng.choice(list(VOICES)))
                jobs.append((v, pool[rng.integers(len(pool))], rng.uniform(*VOICES[v]), rng.uniform(0.8, 1.25)))
            for (v, *_), (audio, rate, segs) in zip(jobs, ex.map(say, jobs)):
                ph, t = Phones(), 0.0
                for name, end in segs:
                    ph.add(arpa(name), t, end)
                    t = end
                ph.rows = [r for r in ph.rows if r[0] != 0]
                x = level(to_16k(audio, rate), rng.uniform(0.25, 0.9))
                out.put(x, ph, 0.0, source=f"flite-{v}")
    out.close()


if __name__ == "__main__":
    main()
