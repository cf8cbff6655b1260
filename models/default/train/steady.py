# SPDX-License-Identifier: LGPL-2.1-or-later
"""Last stage: the encoder of an exported model learns to hear under noise, music and other talkers what it hears without them.

    python steady.py --start ar.safetensors --train enc-*.npz --valid valid.npz --out steady.pt --export new.safetensors --minutes 70

Its own features of the undisturbed sound, by the weights that it starts from, are what it is to give for the disturbed one; a
third of the windows stay undisturbed, so that little changes there. All else in the model stays, as it goes on understanding
these features. The first convolutions stay, as in encoder.py.
"""

import copy
import json
import os
import time

import torch
from torch import nn

import common
from audio_encoder import AudioEncoder
from augment import Augment
from encoder import FRAME, STAY, Windows
from export import HERE, load, load_config, save

CLEAN = 0.33  # share of windows that stay undisturbed
SOUNDS = {"noise": (0.6, 0, 25), "music": (0.4, 2, 25), "babble": (0.25, 6, 25)}
WARPED = 0.6  # share of windows with another throat, for both
LOOK = 200  # steps between checkpoints


def miss(got, want, phones, std):
    """Mean squared distance of features [B, n, W] in deviations of each channel, rare sounds counting more."""
    frame = FRAME[phones[:, : got.shape[1]]]
    return ((((got - want) / std).square().mean(-1)) * frame).sum() / frame.sum()


@torch.no_grad()
def measure(encoder, held, want, std):
    """By kind of disturbance 10 dB under the speech: the mean distance to `want`, the features of the undisturbed sound."""
    encoder.eval()
    out = []
    for name in ("clean", "noise", "music", "babble"):
        augment, total = Augment(held[0].shape[1], 5), 0.0
        level = {k: (1.0, 10, 10) if k == name else (0, 0, 0) for k in SOUNDS}
        for i in range(0, len(held[0]), 32):
            x = held[0][i : i + 32]
            y = x if name == "clean" else augment.line(x, **level)
            total += miss(encoder(y)[:, : want.shape[1]], want[i : i + 32], held[2][i : i + 32], std).item() * len(x)
        out.append(f"{name} {total / len(held[0]):.4f}")
    encoder.train()
    return ", ".join(out)


def main():
    args = common.arguments(70, 16, 4e-4, 1)
    args.add_argument("--start", required=True, help="exported model")
    args.add_argument("--export", required=True)
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    team = common.Team()
    config = load_config()
    encoder = AudioEncoder(config["SIZES"]["WAV2VEC"]).to(common.DEVICE)
    encoder.load_state_dict(common.shipped(args.start, "audio_encoder"))
    teacher = copy.deepcopy(encoder).eval().requires_grad_(False)
    encoder.feature_extractor["conv_layers"][:STAY].requires_grad_(False)
    params = [p for p in encoder.parameters() if p.requires_grad]
    opt, step, done = common.optimiser(params, 0.0), 0, 0.0
    if os.path.exists(args.out):
        saved = common.load(args.out)
        encoder.load_state_dict(saved["encoder"]), opt.load_state_dict(saved["opt"])
        step, done = saved["step"], saved["elapsed"]
    begun, seed = step, args.seed + 10007 * team.rank + step
    torch.manual_seed(seed)
    windows = Windows(args.train, config, seed)
    held = Windows([args.valid], config, 0).some(12)
    n = held[0].shape[1]
    steps = n // 320 - config["AUDIO_CONTEXT"]["AHEAD"] // 320
    augment = Augment(n, seed + 1000)
    with torch.no_grad():
        wanted = torch.cat([teacher(x)[:, :steps] for x in held[0].split(32)])
    std = wanted[:64].flatten(0, 1).std(0)
    clock, seen, mean, began = common.Clock(args.minutes, args.steps, done, step), 0, [], time.time()

    def keep():
        common.save(args.out, encoder=encoder.state_dict(), opt=opt.state_dict(), step=step, elapsed=clock.elapsed())

    if team.rank == 0:
        print(f"{len(held[0])} windows held out: " + measure(encoder, held, wanted, std), flush=True)
    while clock.progress() < 1:
        x, _, phones = windows.batch(args.batch)
        x = torch.where(torch.rand(len(x), 1, device=x.device) < WARPED, augment.voice(x), x)
        y = torch.where(torch.rand(len(x), 1, device=x.device) < CLEAN, x, augment.line(x, **SOUNDS))
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.peak, step, 50)
        with common.rounded(params, clock.progress() > 0.93):
            with torch.no_grad():
                want = teacher(x)[:, :steps]
            loss = miss(encoder(y)[:, :steps], want, phones, std)
            opt.zero_grad(set_to_none=True)
            loss.backward()
        step += 1
        team.average(params, clock, step)
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        seen += len(x)
        mean.append(loss.detach())
        if step % 50 == 0 and team.rank == 0:
            print(f"step {step} {clock.elapsed() / 60:.1f} min: {torch.stack(mean).mean().item():.4f}, "
                  f"{team.size * seen / (time.time() - began):.1f} windows/s", flush=True)
            mean.clear()
        if step % LOOK == 0 and team.rank == 0:
            print("  " + measure(encoder, held, wanted, std), flush=True)
            keep()
    if team.rank or step == begun:
        return
    with torch.no_grad():
        for p in params:
            p.copy_(p.bfloat16())
    keep()
    model = load(args.start)
    model.audio_encoder.load_state_dict(encoder.state_dict())
    save(model, args.export, json.loads((HERE / "sources.json").read_text()))
    print("at last: " + measure(encoder, held, wanted, std))


if __name__ == "__main__":
    main()
