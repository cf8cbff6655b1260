# SPDX-License-Identifier: LGPL-2.1-or-later
"""Parameters and multiply-adds of one window.   python count.py [config.json]"""

import json
import pathlib
import sys

from model import ARTalk


def multiply_adds(c):
    """Multiply-adds per window by part, with keys and values kept per scale."""
    s, w, vae, ar = c["SIZES"], c["SIZES"]["WAV2VEC"], c["VAE_CONFIG"], c["AR_CONFIG"]
    t, k = vae["V_PATCH_NUMS"][-1], vae["V_CODE_DIM"]
    context = c.get("AUDIO_CONTEXT", {})
    n = 640 * t + context.get("BEFORE", 0) + context.get("AHEAD", 0)
    out, cin = {"encoder convolutions": 0}, 1
    for cout, kernel, stride in zip(w["CONV_DIM"], w["CONV_KERNEL"], w["CONV_STRIDE"]):
        n = (n - kernel) // stride + 1
        out["encoder convolutions"] += n * cin * cout * kernel
        cin = cout
    h = w["HIDDEN"]
    out["encoder projection, positions"] = n * cin * h + n * h * h // w["POS_GROUPS"] * w["POS_KERNEL"]
    out["encoder layers"] = w["LAYERS"] * n * (4 * h * h + 2 * h * w["FFN"] + 2 * n * h)
    tokens, a, audio = sum(vae["V_PATCH_NUMS"]), s["AR_WIDTH"], s["AUDIO_WIDTH"]
    past = ar["PREV_RATIO"] * tokens
    out["transformer"] = ar["T_DEPTH"] * (
        tokens * (12 * a * a + 6 * a * audio) + past * 2 * a * a + tokens * (past + tokens) * 2 * a
    ) + tokens * (2 * a * audio + 2 * k * a + k * a)
    d = vae["T_HIDDEN_DIM"]
    pair = lambda m: m * (4 * d * d + 2 * d * int(1.5 * d) + 2 * m * d)
    out["codec"] = vae["T_DEPTH"] * (pair(2 * t) + pair(t)) + 3 * t * d * (k + vae["MOTION_DIM"])
    return out


if __name__ == "__main__":
    default = pathlib.Path(__file__).parent / "config.json"
    config = json.loads(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default).read_text())
    model = ARTalk(config)
    for name in ("audio_encoder", "basic_vae", "style_encoder", "attn_blocks"):
        part = sum(p.numel() for p in getattr(model, name).parameters())
        print(f"{name}: {part / 1e6:.2f} M parameters")
    print(f"all: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
    parts = multiply_adds(config)
    for name, n in parts.items():
        print(f"{name}: {n / 1e6:.0f} M multiply-adds")
    seconds = config["VAE_CONFIG"]["V_PATCH_NUMS"][-1] / 25
    total = sum(parts.values())
    print(f"window of {seconds:g} s: {total / 1e6:.0f} M multiply-adds, {total / seconds / 1e9:.2f} G per second of speech")
