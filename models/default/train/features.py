# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the finished encoder over streams and keeps the features of every chunk.

    python features.py --encoder encoder.pt --streams train-c.npz --out c.pt \
        --seed 5 [--share 1.0] [--clean 0.25]

OUT: `feats` float16 [n, 2T, W], `motion` float16 [n, T, 106], `phones` int8
[n, 2T], `stream` and `chunk` int32 [n] (number of the stream, of the chunk).
A share of the chunks once more with silence after a random frame (encoder.py's `cut`): `part` float16 [m, 2T, W],
`part_of` int32 [m], the chunk's index, and `whole` int32 [m], its frames before the silence.
"""

import argparse
import time

import numpy as np
import torch

from audio_encoder import AudioEncoder
from augment import Augment
from encoder import CUT, Windows, cut
from export import load_config
import common
from common import DEVICE


@torch.no_grad()
def main():
    args = argparse.ArgumentParser()
    args.add_argument("--encoder", required=True, help="checkpoint of encoder.py, or an exported model")
    args.add_argument("--streams", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--seed", type=int, default=5)
    args.add_argument("--share", type=float, nargs=2, default=(0.0, 1.0), help="part of the streams, from to")
    args.add_argument("--clean", type=float, default=0.25, help="share of windows left undisturbed")
    args.add_argument("--cut", type=float, default=CUT, help="share of the windows that are also cut")
    args.add_argument("--threads", type=int, default=1)
    args.add_argument("--batch", type=int, default=16)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config = load_config()
    encoder = AudioEncoder(config["SIZES"]["WAV2VEC"]).eval().to(DEVICE)
    encoder.load_state_dict(common.encoder_of(args.encoder))
    windows = Windows([args.streams], config, 0)
    first, t = config["AUDIO_CONTEXT"]["BEFORE"] // 320, windows.frames
    numbers = range(*(int(s * len(windows.data)) for s in args.share))
    where = np.array([(s, c) for s in numbers for c in range(windows.data.frames[s] // t)])
    augment = Augment(640 * (windows.before + t + windows.ahead), args.seed)
    rng = np.random.default_rng(args.seed)
    feats, parts, part_of, wholes, began = [], [], [], [], time.time()
    for i in range(0, len(where), args.batch):
        x = windows.cut(*(where[i : i + args.batch] * (1, t)).T)[0]
        if args.clean < 1:
            x = torch.where(torch.rand(len(x), 1, device=DEVICE) < args.clean, x, augment(x))
        feats.append(encoder(x)[:, first : first + 2 * t].half().cpu())
        some = torch.from_numpy(np.flatnonzero(rng.uniform(size=len(x)) < args.cut))
        if len(some):
            y, whole = cut(x[some.to(DEVICE)], windows.before, t, windows.ahead, 1.0, rng)
            parts.append(encoder(y)[:, first : first + 2 * t].half().cpu())
            part_of.append(i + some)
            wholes.append(whole.cpu())
    rows = windows.data.rows(where[:, 0], where[:, 1] * t, t)[0]
    motion, phones = windows.data.motion[rows].cpu(), windows.data.phones[rows].flatten(1).cpu()
    stream, chunk = torch.from_numpy(where).int().unbind(1)
    cuts = {}
    if parts:
        cuts = {"part": torch.cat(parts), "part_of": torch.cat(part_of).int(), "whole": torch.cat(wholes).int()}
    common.save(args.out, **cuts, feats=torch.cat(feats), motion=motion, phones=phones,
                stream=stream.contiguous(), chunk=chunk.contiguous())
    print(f"{args.out}: {len(where)} chunks in {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
