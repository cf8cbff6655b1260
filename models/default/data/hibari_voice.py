#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Speech with phone times from hibari-tts 0.2.1, its voice changed by warping spectrum and pitch.

Phone durations are read from the network (25 ms steps) and re-timed by -72 ms."""
import argparse
import os

import hibari
import numpy as np
import onnx
import onnxruntime as ort
from hibari import dsp

from common import Phones, Writer, ipa, level, sentences, to_16k

SHIFT = -0.072
DURATIONS = "/Cast_32_output_0"


def session():
    """The network in the wheel with its duration tensor as a seventh output."""
    m = onnx.load(os.path.join(os.path.dirname(hibari.__file__), "assets", "hibari.onnx"))
    m.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.INT64, None))
    so = ort.SessionOptions()
    so.intra_op_num_threads = so.inter_op_num_threads = 1
    so.log_severity_level = 3
    return ort.InferenceSession(m.SerializeToString(), so, providers=["CPUExecutionProvider"])


def warp(x, factor, fill):
    """Move the formants of [601, F] by `factor`: out(f) = x(f / factor)."""
    pos = np.arange(x.shape[0]) / factor
    i = np.minimum(pos.astype(int), x.shape[0] - 2)
    u = (pos - i)[:, None].astype(np.float32)
    y = x[i] * (1 - u) + x[i + 1] * u
    y[pos > x.shape[0] - 1] = fill
    return y.astype(np.float32)


def change(parts, formant, pitch, spread):
    """The five spectral parts and f0 of another voice."""
    lh, th, ln, lr, phi, f0 = parts
    lh, ln, lr = (warp(v, formant, -12.0) for v in (lh, ln, lr))
    th, phi = warp(th, formant, 0.0), warp(phi, formant, 0.0)
    voiced = f0 > 40
    f = f0.copy()
    if voiced.any():
        mid = np.exp(np.mean(np.log(f0[voiced])))
        f[voiced] = np.clip(mid * pitch * (f0[voiced] / mid) ** spread, 55, 450)
    return lh, th, ln, lr, phi, f


def timed(ids_text, durations, longer=""):
    """Phones of one sentence: durations[0] and [-1] belong to the pads; spaces and the signs `longer` keep the phone
    before."""
    ph, t = Phones(), 0.025 * durations[0]
    row = None
    pending = 0.0
    for c, d in zip(ids_text, durations[1:-1]):
        d = 0.025 * d
        classes = ipa(c)
        if classes:
            row = (classes, t - pending, t + d)
            ph.add(*row)
            pending = 0.0
        elif c in longer and ph.rows:
            ph.rows[-1] = (*ph.rows[-1][:2], t + d)
        elif c in "ˈˌ":
            pending += d
        else:
            pending = 0.0
        t += d
    return ph


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--text", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--hours", type=float, default=2.0)
    ap.add_argument("--seed", type=int, default=3)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    tts, sess = hibari.Hibari(), session()
    out = Writer(a.out, "hibari", "en", rng)
    pool = sentences(f"{a.text}/fortunes")
    order = rng.permutation(len(pool))
    n = 0
    while out.seconds < a.hours * 3600:
        text = pool[order[n % len(order)]]
        n += 1
        for sent in tts.phonemize(text):
            sent = "".join(c for c in sent if c in tts.vocab)
            if len(sent) < 12:
                continue
            ids = np.asarray([[0, *[tts.vocab[c] for c in sent], 0]], np.int64)
            *parts, dur = sess.run(None, {"ids": ids, "speed": np.asarray([rng.uniform(0.8, 1.25)], np.float32)})
            parts = [p[0] for p in parts]
            dur = np.asarray(dur).ravel()
            ph = timed(sent, dur)
            # three voices of each reading: a low, a middle and a high one
            for formant, pitch in ((rng.uniform(0.80, 0.92), rng.uniform(0.5, 0.75)),
                                   (rng.uniform(0.92, 1.02), rng.uniform(0.75, 1.15)),
                                   (rng.uniform(1.00, 1.15), rng.uniform(1.0, 1.6)))[:2 + n % 2]:
                w = dsp.synth(*change(parts, formant, pitch, rng.uniform(0.6, 1.5)), rng)
                out.put(level(to_16k(w, 24000), rng.uniform(0.25, 0.9)), ph, SHIFT, source="hibari")
    out.close()


if __name__ == "__main__":
    main()
