# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stage 2: trains the motion codec and measures motion_mean and motion_std.

    python train_codec.py --train train-*.npz --valid valid.npz --out codec.pt \
        --minutes 18 [--threads 2] [--start ../artalk.safetensors]

With --start it goes on from an exported model's codec: channels that move now and did not then come in with mean 0 and
their deviation, those that move more than twice as much get the new deviation, all others' mean and deviation stay, and
motion without the new channels keeps its bits, so that what the transformer knows of them holds.
"""

import copy
import glob
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import common
from codec import Codec
from common import DEVICE, classes
from export import load_config
from windows import Streams

PP, FF = 1, 2
SHUT, TEETH = classes(PP), classes(FF)


def name(column):
    return common.CHANNELS[column] if column < len(common.CHANNELS) else str(int(column))


def named(mask):
    return ", ".join(name(i) for i in mask.nonzero()[:, 0])


class Pairs:
    """Two chunks of motion in a row: [n, 2T, 106], whether lips are shut in the frames of the second [n, T], and
    how much these count. The first is zeros at a stream's start."""

    def __init__(self, data, length, seed):
        self.data, self.length, self.rng = data, length, np.random.default_rng(seed)
        self.chance = data.frames / data.frames.sum()

    def cut(self, streams, frames):
        t = self.length
        rows, inside = self.data.rows(streams, np.asarray(frames) - t, 2 * t)
        heard = self.data.phones[rows[:, t:]].long()
        shut = SHUT[heard].any(-1)
        return self.data.motion[rows].float() * inside[..., None], shut, 1 + 3.0 * (shut | TEETH[heard].any(-1))

    def batch(self, n):
        streams = self.rng.choice(len(self.chance), n, p=self.chance)
        last = self.data.frames[streams] - self.length
        start = (self.rng.uniform(size=n) < 0.06) | (last <= self.length)
        return self.cut(streams, np.where(start, 0, self.rng.integers(self.length, np.maximum(last, self.length + 1))))

    def all(self):
        t = self.length
        return self.cut(*np.array([(s, f) for s in range(len(self.data)) for f in range(0, self.data.frames[s] - t, t)]).T)


def through(codec, x, flips):
    """Quantises [n, T, K] with a share of bits turned over; gradients pass."""
    flip = None
    if flips:
        rate = flips * torch.rand(len(x), 1, 1, device=DEVICE) * 2
        flip = torch.rand(len(x), codec.bsq.tokens, codec.bsq.k, device=DEVICE) < rate
    with torch.no_grad():
        bits, _, used = codec.bsq.encode(x, flip)
        q = codec.bsq.sum_feat(codec.bsq.value(used))
    return x + (q - x).detach(), q, bits


def loss_of(got, want, frame, weights, before=None):
    """Loss of motion [B, T, 106] in mm; `frame` [B, T] says how much each frame counts, `before` (of `got`, of `want`;
    [B, 106] both) is the frame that came before: the step from it counts eight times."""
    mm = F.smooth_l1_loss(got * weights, want * weights, reduction="none").sum(-1)
    gap = F.smooth_l1_loss(common.lip_gap(got), common.lip_gap(want), reduction="none", beta=0.5)
    width = F.smooth_l1_loss(common.lip_width(got), common.lip_width(want), reduction="none", beta=0.5)
    speed = F.smooth_l1_loss(got.diff(dim=1) * weights, want.diff(dim=1) * weights).mul(106)
    if before is not None:
        first = F.smooth_l1_loss((got[:, 0] - before[0]) * weights, (want[:, 0] - before[1]) * weights).mul(106)
        speed = speed + 8 / got.shape[1] * first
    return ((mm + 3 * gap + 2 * width) * frame).mean() / frame.mean() + 0.5 * speed


class Kept:
    """The codec that was gone on from: how far another one's embedding has left its own."""

    def __init__(self, codec, new):
        self.codec, self.new = copy.deepcopy(codec).requires_grad_(False), new

    def drift(self, motion, x):
        """Mean square distance, motion that has the new channels counts little."""
        moved = (motion[..., self.new].abs() > 1e-3).any(-1).any(-1)
        near = torch.where(moved, 0.1, 3.0)[:, None, None]
        return (near * (x - self.codec.embed(motion * ~self.new)).square()).mean()


@torch.no_grad()
def measure(codec, pairs, weights):
    motion, shut, _ = pairs
    t = codec.bsq.length
    prev, this = codec.bits(motion[:, :t]), codec.bits(motion[:, t:])
    got, want = codec.decode(prev, this), motion[:, t:]
    mm = ((got - want) * weights).abs().mean((0, 1))
    gap, true = common.lip_gap(got), common.lip_gap(want)
    used = this.mean((0, 1))
    top = mm.topk(6)
    names = ", ".join(f"{name(i)} {v:.2f}" for v, i in zip(top.values, top.indices))
    return (f"gap error {(gap - true).abs().mean():.2f} mm, at PP {(gap - true)[shut].abs().mean():.2f} mm "
            f"(PP gap {gap[shut].mean():.2f}, wanted {true[shut].mean():.2f}); sum {mm.sum():.2f} mm; worst {names}; "
            f"bits on {used.min():.2f}..{used.max():.2f}")


def main():
    args = common.arguments(18, 48, 1.5e-3, 2)
    args.add_argument("--start", help="exported model to go on from")
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config = load_config()["VAE_CONFIG"]
    codec = Codec(config).to(DEVICE)
    data = Streams(sorted(p for g in args.train for p in glob.glob(g)))
    print(f"{data.hours():.1f} h of streams", flush=True)
    third = data.motion[::3].float()
    mean, std = third.mean(0), third.std(0)
    still = std < 1e-4
    mean[still], std[still] = 0.0, 1.0
    kept = None
    if args.start:
        codec.load_state_dict(common.shipped(args.start, "basic_vae"), strict=False)
        before = codec.motion_std != 1.0
        kept = Kept(codec, ~before & ~still)
        wider = (std > 2 * codec.motion_std) & before
        mean, std = codec.motion_mean.clone(), torch.where(before & ~wider, codec.motion_std, std)
        ratio = torch.where(wider, codec.motion_std / std, 1.0)
        codec.decoder.out_mapping.weight.data *= ratio[:, None]
        codec.decoder.out_mapping.bias.data *= ratio
        print("more: " + named(wider))
        still &= ~before
        print("new: " + named(kept.new), flush=True)
    codec.motion_mean.copy_(mean), codec.motion_std.copy_(std)
    del third
    params = list(codec.parameters())
    opt, step, done = common.optimiser(params, 0.01), 0, 0.0
    if os.path.exists(args.out):
        saved = common.load(args.out)
        codec.load_state_dict(saved["codec"]), opt.load_state_dict(saved["opt"])
        step, done = saved["step"], saved["elapsed"]
    pairs = Pairs(data, codec.bsq.length, args.seed + step)
    held = Pairs(Streams([args.valid]), codec.bsq.length, 0).all()
    weights = common.channel_weights()
    weights[still] = 0.0
    clock, recent, began, first = common.Clock(args.minutes, args.steps, done, step), [], time.time(), step
    t = codec.bsq.length

    def keep():
        common.save(args.out, codec=codec.state_dict(), opt=opt.state_dict(), step=step, elapsed=clock.elapsed())

    while clock.progress() < 1:
        clock.tick(step)
        motion, _, frame = pairs.batch(args.batch)
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.peak, step)
        with common.rounded(params, clock.progress() > 0.9):
            # bits turned over now and then: the decoder learns to bear them
            flips = 0.03 if np.random.default_rng(step).uniform() < 0.5 else 0.0
            x = codec.embed(motion.unflatten(1, (2, t)).flatten(0, 1))
            passed, q, _ = through(codec, x, flips)
            passed = passed.unflatten(0, (-1, 2))
            got = codec.decode_feats(passed[:, 0], passed[:, 1])
            rec = loss_of(got, motion[:, t:], frame, weights)
            # the channels that never move stay at their mean: pull them there
            rest = got[..., still].square().mean() if still.any() else 0.0
            commit = F.mse_loss(x, q) * codec.bsq.k
            drift = kept.drift(motion.unflatten(1, (2, t)).flatten(0, 1), x) * codec.bsq.k if kept else 0.0
            opt.zero_grad(set_to_none=True)
            (rec + 10 * rest + 0.5 * commit + drift).backward()
        nn.utils.clip_grad_norm_(params, 2.0)
        opt.step()
        step += 1
        recent.append(torch.stack([rec, commit, drift if kept else torch.zeros_like(rec)]).detach())
        if step % 100 == 0:
            a, b, c = torch.stack(recent).mean(0).tolist()
            recent.clear()
            rate = (step - first) * args.batch / (time.time() - began)
            print(f"step {step} {clock.elapsed() / 60:.1f} min: rec {a:.2f} commit {b:.3f} drift {c:.3f}, {rate:.0f} pairs/s", flush=True)
        if step % 500 == 0:
            print("  " + measure(codec, held, weights), flush=True)
            keep()
    with torch.no_grad():
        for p in params:
            p.copy_(p.bfloat16())
    keep()
    print(measure(codec, held, weights))


if __name__ == "__main__":
    main()
