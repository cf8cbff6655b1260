# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs an exported model on speech, in float32, recomputing every token at
every scale: what another implementation is compared with.

    python reference.py MODEL.safetensors IN.wav OUT.safetensors [STYLE.safetensors]

IN.wav is 16-bit mono 16 kHz. OUT holds `motion` [frames, 106] as the window
model gives it, `smooth` after smoothing and clean-up (section 7), and `bits`
[chunks, L, K].
"""

import pathlib
import sys
import wave

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from scipy.signal import savgol_filter

from export import load


def read_wav(path):
    with wave.open(str(path)) as w:
        if (w.getnchannels(), w.getsampwidth(), w.getframerate()) != (1, 2, 16000):
            raise SystemExit(f"{path}: 16-bit mono 16 kHz wanted")
        data = np.frombuffer(w.readframes(w.getnframes()), np.int16)
    return torch.from_numpy(data.astype(np.float32) / 32768)


def smooth(motion):
    """Model spec, section 7."""
    motion = np.asarray(motion, np.float64)
    out = motion.copy()
    if len(motion) >= 9:
        out = savgol_filter(motion, 5, 2, axis=0, mode="interp")
        out[:, 100:103] = savgol_filter(motion[:, 100:103], 9, 3, axis=0, mode="interp")
    out[:, 104:106] = 0
    return out.astype(np.float32)


def main(model_path, wav, out, style_path=None):
    torch.set_grad_enabled(False)
    model = load(model_path)
    style = None if style_path is None else torch.from_numpy(load_file(style_path)["style_motion"])
    traces = []
    motion = model.run(read_wav(wav), style, traces).numpy()
    bits = np.concatenate([t["chunk"]["bits"].numpy() for t in traces]).astype(np.uint8)
    save_file({"motion": motion, "smooth": smooth(motion), "bits": bits}, out)
    print(f"{out}: {len(motion)} frames from {pathlib.Path(wav).name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
