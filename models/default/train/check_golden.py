# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks this implementation against golden cases of the model.

    python check_golden.py DIR...      (folders with config.json,
                                        weights.safetensors, io.safetensors)
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file

from model import ARTalk

SKIP = ("attn_bias_for_masking", "lvl_idx", "basic_vae.attn_mask", "audio_encoder.masked_spec_embed")
LIMITS = {"bits": 0.0, "prev_bits": 0.0, "norm": 2e-5, "tokens": 3e-5, "prev_feat": 3e-5, "dec_in": 1e-5, "motion": 1e-4}


def check(folder, dtype):
    config = json.loads((folder / "config.json").read_text())
    weights = {k: v for k, v in load_file(folder / "weights.safetensors").items() if k not in SKIP}
    model = ARTalk(config).eval()
    model.load_state_dict(weights)
    model.to(dtype)
    io = load_file(folder / "io.safetensors")
    samples = io["samples"].to(dtype) / 32768
    worst, count = {}, 0

    def compare(name, got):
        nonlocal count
        if name not in io:
            return
        want = io[name].double()
        got = got.double().reshape(want.shape)
        rms = want.square().mean().sqrt().clamp(min=1e-30)
        diff = (got - want).abs().max().item()
        diff = diff if "bits" in name else diff / rms.item()
        kind = name.split("/")[-2] if name.split("/")[-1].isdigit() else name.split("/")[-1]
        worst[kind] = max(worst.get(kind, 0.0), diff)
        count += 1

    for kind in ("plain", "style"):
        style = io["style_motion"].to(dtype) if kind == "style" else None
        traces = []
        motion = model.run(samples, style, traces)
        compare(f"{kind}/cond", model.style_cond(None if style is None else style[None]))
        for c, trace in enumerate(traces):
            for name, value in trace["audio"].items():
                compare(f"audio/{c}/{name}", value)
            for name, value in trace["chunk"].items():
                compare(f"{kind}/{c}/{name}", value)
        want = io[f"{kind}/motion"]
        compare(f"{kind}/motion", motion[: len(want)])
    bad = 0
    for kind, diff in sorted(worst.items()):
        ok = diff <= LIMITS.get(kind, 3e-4)
        bad += not ok
        print(f"{folder.name} {str(dtype)[6:]}: {kind} {diff:.2e}{'' if ok else '  TOO FAR'}")
    print(f"{folder.name} {str(dtype)[6:]}: {count} tensors compared, {bad} kinds too far")
    return bad


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    failed = sum(check(pathlib.Path(d), t) for d in sys.argv[1:] for t in (torch.float64, torch.float32))
    sys.exit(1 if failed else 0)
