# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts parts of checkpoints into an exported model, rounded to bfloat16.

    python mix.py MODEL.safetensors OUT.safetensors [--encoder encoder.pt SHARE] [--codec codec.pt]

The encoder's weights become (1 - SHARE) times the model's and SHARE times the checkpoint's: gone on with from
the same weights, it may be mixed in without the transformer having seen its features.
"""

import argparse
import json

import torch

from export import HERE, load, round_weights, save


def main():
    args = argparse.ArgumentParser()
    args.add_argument("model")
    args.add_argument("out")
    args.add_argument("--encoder", nargs=2, metavar=("CHECKPOINT", "SHARE"))
    args.add_argument("--codec")
    args = args.parse_args()
    model = load(args.model)
    if args.encoder:
        new, share = torch.load(args.encoder[0], weights_only=True)["encoder"], float(args.encoder[1])
        old = model.audio_encoder.state_dict()
        model.audio_encoder.load_state_dict({k: (1 - share) * old[k] + share * new[k] for k in old})
    if args.codec:
        model.basic_vae.load_state_dict(torch.load(args.codec, weights_only=True)["codec"])
    round_weights(model)
    print(f"{args.out}: {save(model, args.out, json.loads((HERE / 'sources.json').read_text()))} bytes")


if __name__ == "__main__":
    main()
