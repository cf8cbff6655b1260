# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes and reads the shipped model file: bfloat16 weights, the configuration
in the header.

    python export.py CHECKPOINT.pt OUT.safetensors
"""

import json
import pathlib
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model import ARTalk

HERE = pathlib.Path(__file__).parent
FLOAT32 = ("motion_mean", "motion_std")  # data, not weights


def load_config():
    return json.loads((HERE / "config.json").read_text())


@torch.no_grad()
def round_weights(model):
    """Rounds everything that is stored as bfloat16 to it, in place."""
    for name, value in model.state_dict().items():
        if not name.endswith(FLOAT32):
            value.copy_(value.bfloat16())


def save(model, path, sources):
    """Writes the model; returns the size in bytes. `sources` holds the strings
    `licence` and `sources` for the header."""
    tensors = {
        k: (v.float() if k.endswith(FLOAT32) else v.bfloat16()).contiguous().cpu()
        for k, v in model.state_dict().items()
    }
    meta = {"config": json.dumps(model.config), "BASIS": model.config["BASIS"], **sources}
    path = pathlib.Path(path)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=meta)
    partial.chmod(0o644)
    partial.rename(path)
    return path.stat().st_size


def load(path):
    """The model of an exported file, weights widened to float32."""
    with safe_open(path, "pt") as f:
        config = json.loads(f.metadata()["config"])
    model = ARTalk(config).eval()
    model.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return model


if __name__ == "__main__":
    trained = ARTalk(load_config())
    trained.load_state_dict(torch.load(sys.argv[1], weights_only=True, map_location="cpu")["model"])
    sources = json.loads((HERE / "sources.json").read_text())
    print(f"{sys.argv[2]}: {save(trained, sys.argv[2], sources)} bytes")
