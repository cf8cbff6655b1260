# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stage 3: trains the bit transformer and the style encoder on kept features.

    python train_ar.py --encoder encoder.pt --codec codec.pt --train c.pt d.pt \
        --valid v.pt --out ar.pt --export artalk.safetensors --minutes 38

Bits are taught with a share of the earlier bits turned over, so that later
scales learn to correct; the past is decoded and encoded again as when running,
half of the time from the model's own output. From three tenths of the time on (with --start, which goes on from an
exported model, from a twentieth) most steps start from the bits the model itself would take.
"""

import argparse
import functools
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import common
from evaluate import Held, generate, measure
from export import HERE, load_config, round_weights, save
from model import STYLE_FRAMES, ARTalk
from train_codec import loss_of

# How much a frame counts in the loss of the motion by what is heard in it: bilabials, labiodentals, rounded sounds,
# open vowels (where a closure is seen at once).
WORTH = torch.ones(24)
WORTH[1] = 8.0
WORTH[2] = 6.0
WORTH[[11, 19, 20, 21]] = 3.0
WORTH[[13, 14, 16]] = 2.5
PARTS = 0.2  # share of the examples whose sound ends within the window

TAPS = torch.tensor([-3.0, 12.0, 17.0, 12.0, -3.0]) / 35  # of the smoothing that follows the model


class Chunks:
    """Batches of three chunks in a row; those before a stream's start are zeros."""

    def __init__(self, paths, seed):
        parts = [torch.load(p, weights_only=True, mmap=True) for p in paths]
        self.rng = np.random.default_rng(seed)
        self.data = {k: torch.cat([p[k] for p in parts]) for k in ("feats", "motion", "phones", "chunk", "part", "whole")}
        before = np.cumsum([0] + [len(p["chunk"]) for p in parts[:-1]])
        self.part_of = np.concatenate([p["part_of"].numpy() + n for p, n in zip(parts, before)])
        chunk = self.data["chunk"].numpy()
        begin = np.flatnonzero(chunk == 0)
        self.begin = begin[np.searchsorted(begin, np.arange(len(chunk)), side="right") - 1]
        self.end = np.append(begin[1:], len(chunk))[np.searchsorted(begin, np.arange(len(chunk)), side="right") - 1]
        self.length = self.data["motion"].shape[1]

    def batch(self, n):
        i = self.rng.integers(0, len(self.begin), n)
        k = self.rng.integers(0, len(self.part_of), int(n * PARTS + self.rng.uniform()))
        i[: len(k)] = self.part_of[k]
        k = torch.from_numpy(k)
        at = torch.from_numpy(i)
        start = torch.from_numpy(i - self.begin[i])  # chunks since the start

        def motion(back):
            m = self.data["motion"][(at - back).clamp(min=0)].float()
            return m * (start >= back)[:, None, None]

        clips = []
        for j in i:
            frames = (self.end[j] - self.begin[j]) * self.length
            a = self.begin[j] * self.length + self.rng.integers(0, max(1, frames - STYLE_FRAMES))
            c, off = divmod(int(a), self.length)
            rows = self.data["motion"][c : c + 2 + STYLE_FRAMES // self.length].flatten(0, 1)[off : off + STYLE_FRAMES]
            clips.append(F.pad(rows.float(), (0, 0, 0, STYLE_FRAMES - len(rows))))
        heard = self.data["phones"][at].long().unflatten(1, (-1, 2))
        feats, whole = self.data["feats"][at].float(), torch.full((n,), self.length)
        feats[: len(k)], whole[: len(k)] = self.data["part"][k].float(), self.data["whole"][k].long()
        at_end = torch.arange(self.length)[None] - whole[:, None]  # the frames given out last count three times
        frame = WORTH[heard].amax(-1) * torch.where((at_end >= -4) & (at_end < 0) & (whole < self.length)[:, None], 3.0, 1.0)
        return {
            "motion": [motion(2), motion(1), motion(0)], "start": start,
            "whole": whole, "feats": feats, "feats1": self.data["feats"][(at - 1).clamp(min=0)].float(),
            "heard": heard, "frame": frame, "style": torch.stack(clips),
        }


def gentle(model):
    """Starting values: modulations small, gates a little open."""
    width = model.logits_head.in_features
    for block in model.attn_blocks:
        nn.init.normal_(block.ada_lin[1].weight, std=0.02)
        nn.init.zeros_(block.ada_lin[1].bias)
        block.ada_lin[1].bias.data[: 2 * width] = 0.3
    nn.init.normal_(model.cond_logits_head.ada_lin[1].weight, std=0.03)
    nn.init.zeros_(model.cond_logits_head.ada_lin[1].bias)
    nn.init.normal_(model.logits_head.weight, std=0.03)
    nn.init.zeros_(model.logits_head.bias)


@torch.no_grad()
def hold_still(codec):
    """The decoder gives exactly 0 for channels that the corpus never moves: no measure of the mouth may be met by them."""
    out, still = codec.decoder.out_mapping, codec.motion_std == 1.0
    out.weight[still] = 0.0
    out.bias[still] = 0.0


def flips(bsq, n, most):
    """Which bits to turn over [n, L, K]; a rate for every row, 0..most."""
    return torch.rand(n, bsq.tokens, bsq.k) < most * torch.rand(n, 1, 1)


@torch.no_grad()
def past(model, batch, cond, own):
    """Bits of the chunk before, as they are when running, and its last four frames."""
    codec, bsq = model.basic_vae, model.bsq
    m0, m1, _ = batch["motion"]
    first = codec.bits(m0)
    if own:
        bits = model.predict(cond, model.tokens(cond, first), model.audio_cond(batch["feats1"]))
    else:
        bits = bsq.encode(codec.embed(m1), flips(bsq, len(m1), 0.15))[2]
    again = codec.decode(first, bits)
    again = torch.where((batch["start"] == 0)[:, None, None], torch.zeros_like(again), again)
    return codec.bits(again), again[:, -4:]


def contacts(got, want, heard, before):
    """Millimetres by which the smoothed mouth misses what is heard, each kind's mean added up: lips apart on p, b, m,
    near each other in open vowels or, which counts for less, in anything else; on f and v the lower lip away from the teeth,
    or shut lips; wider than the targets in rounded sounds, narrower in open ones; more movement than theirs into the first
    frame. Only where the targets do it. got, want [B, T, 106]; heard [B, T, 2]; before: the four frames before (of `got`,
    of `want`)."""

    def smooth(measure, motion, past):
        return torch.cat([measure(past), measure(motion)], 1).unfold(1, 5, 1) @ TAPS  # frames -2 .. T - 3

    (gap, gap0), (teeth, teeth0), (width, width0) = (
        (smooth(measure, got, before[0]), smooth(measure, want, before[1])) for measure in (common.lip_gap, common.lip_to_teeth, common.lip_width)
    )
    leap = sum(F.relu((x[:, 2] - x[:, 1]).abs() - (y[:, 2] - y[:, 1]).abs() - 0.1).mean() for x, y in ((gap, gap0), (teeth, teeth0), (width, width0)))
    gap, gap0, teeth, teeth0, width, width0 = (x[:, 2:] for x in (gap, gap0, teeth, teeth0, width, width0))
    near = F.max_pool1d((heard == 1).any(-1).float()[:, None], 5, 1, 2)[:, 0, :-2] > 0
    heard = heard[:, :-2]
    shut = (heard == 1).any(-1) & (gap0 < 1.2)
    opened = torch.isin(heard, torch.tensor((13, 14, 16))).all(-1) & (gap0 > 3.5)
    apart = ~near & (heard > 0).all(-1) & (gap0 > 2.3)
    bite = (heard == 2).any(-1) & (teeth0 < 1.8) & (gap0 > 1.6)
    narrow = torch.isin(heard, torch.tensor((11, 19, 20, 21))).all(-1)
    wide = torch.isin(heard, torch.tensor((13, 14, 15, 16))).all(-1)
    return 0.1 * leap + sum(
        worth * F.relu(miss)[mask].sum() / (mask.sum() + 4)
        for worth, miss, mask in ((1.8, gap - 0.6, shut), (2, 3.2 - gap, opened), (0.8, 2.1 - gap, apart), (3, teeth - 1.2, bite), (2, 2.4 - gap, bite),
                                  (0.7, width - width0 - 0.3, narrow), (0.7, width0 - width - 0.3, wide))
    )


def neutral(clips):
    """Which style clips [n, 50, 106] show no emotion."""
    mean = clips.mean(1)
    most = {"mouthFrownLeft": 0.1, "browDownLeft": 0.1, "eyeWideLeft": 0.15, "mouthDimpleLeft": 0.04}
    return torch.stack([mean[:, common.COLUMN[name]] < x for name, x in most.items()]).all(0)


@functools.cache
def ends(patches):
    """[L] first frame after what each token of all scales covers."""
    return torch.tensor([-(-(i + 1) * patches[-1] // p) for p in patches for i in range(p)])


def step_loss(model, batch, weights, own_past, own_bits, drop_style=0.15, most=0.3):
    """Losses of a batch. own_past: the chunk before is the model's; own_bits:
    the earlier scales are, with the bits wanted that correct them best. Where the sound ends within the window, only what
    lies before counts."""
    codec, bsq, n = model.basic_vae, model.bsq, len(batch["feats"])
    this = batch["motion"][2]
    style = model.style_cond_embed(model.style_encoder(batch["style"]))[:, None]
    drop = (torch.rand(n) < drop_style) & neutral(batch["style"])
    cond = torch.where(drop[:, None, None], model.null_style_cond, style)
    prev, last = past(model, batch, cond.detach(), own_past)
    audio = model.audio_cond(batch["feats"])
    with torch.no_grad():
        x = codec.embed(this)
        if own_bits:
            used = model.predict(cond, model.tokens(cond, prev), audio)
            slips = flips(bsq, n, 0.1)
            want, _, used = bsq.encode(x, given=torch.where(slips, 1 - used, used))
        else:
            want, _, used = bsq.encode(x, flips(bsq, n, most))
    logits = model.logits(model.tokens(cond, used), model.tokens(cond, prev), audio, drop=0.05)
    d = logits[..., 1] - logits[..., 0]
    known = (ends(tuple(bsq.patches))[None] <= batch["whole"][:, None]).float()[..., None]
    bce = (F.binary_cross_entropy_with_logits(d, want, reduction="none") * known).sum() / (known.sum() * bsq.k)
    # motion, with the last scale's bits as the model would take them
    t = bsq.length
    soft = torch.tanh(d[:, -t:] / 2)
    hard = soft + ((d[:, -t:] > 0) * 2.0 - 1 - soft).detach()
    values = torch.cat([bsq.value(used)[:, :-t], hard / bsq.k**0.5], 1)
    got = codec.decode_feats(bsq.sum_feat(bsq.value(prev)), bsq.sum_feat(values))
    got = torch.where((torch.arange(t)[None] < batch["whole"][:, None])[..., None], got, this)
    motion = loss_of(got, this, batch["frame"], weights, (last[:, -1], batch["motion"][1][:, -1]))
    motion = motion + 3 * contacts(got, this, batch["heard"], (last, batch["motion"][1][:, -4:]))
    return bce, motion, ((d > 0) == (want > 0)).float().mean()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--encoder", help="default: that of --start")
    args.add_argument("--codec", help="default: that of --start")
    args.add_argument("--start", help="exported model to go on from")
    args.add_argument("--train", nargs="+", required=True)
    args.add_argument("--valid", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--export", required=True)
    args.add_argument("--minutes", type=float, default=38)
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--batch", type=int, default=12)
    args.add_argument("--peak", type=float, default=8e-4)
    args.add_argument("--seed", type=int, default=3)
    args = args.parse_args()
    if not args.start and not (args.encoder and args.codec):
        raise SystemExit("--start, or --encoder and --codec, needed")
    torch.set_num_threads(args.threads)
    team = common.Team()
    torch.manual_seed(args.seed)
    model = ARTalk(load_config())
    gentle(model)
    if args.start:
        model.load_state_dict(common.shipped(args.start, ""))
    if args.encoder:
        model.audio_encoder.load_state_dict(torch.load(args.encoder, weights_only=True)["encoder"])
    if args.codec:
        model.basic_vae.load_state_dict(torch.load(args.codec, weights_only=True)["codec"])
    model.style_encoder.motion_mean.copy_(model.basic_vae.motion_mean)
    model.style_encoder.motion_std.copy_(model.basic_vae.motion_std)
    model.style_encoder.PE.pe.copy_(model.style_encoder.PE.pe.bfloat16())
    model.audio_encoder.requires_grad_(False)
    model.basic_vae.requires_grad_(False)
    # the decoder learns what the transformer's bits mean, not only the encoder's
    model.basic_vae.decoder.requires_grad_(True), model.basic_vae.dec_pos_embed.requires_grad_(True)
    params = [p for p in model.parameters() if p.requires_grad]
    opt, step, done = common.optimiser(params), 0, 0.0
    if os.path.exists(args.out):
        saved = torch.load(args.out, weights_only=True)
        model.load_state_dict(saved["model"]), opt.load_state_dict(saved["opt"])
        step, done = saved["step"], saved["elapsed"]
    hold_still(model.basic_vae)
    seed = args.seed + step + 10007 * team.rank
    torch.manual_seed(seed)
    chunks, held = Chunks(args.train, seed), Held(args.valid, 8)
    print(f"{len(chunks.begin)} chunks, {sum(p.numel() for p in params) / 1e6:.2f} M parameters", flush=True)
    weights = common.channel_weights()
    weights[model.basic_vae.motion_std == 1.0] = 0.0
    sources = json.loads((HERE / "sources.json").read_text())
    clock, recent, first, began, next_look = common.Clock(args.minutes, done), [], step, time.time(), done / 60 + 12

    def look():
        """Saves, exports (rounded) and measures."""
        common.save(args.out, model=model.state_dict(), opt=opt.state_dict(), step=step, elapsed=clock.elapsed())
        model.eval()
        with common.rounded(params, True):
            save(model, args.export, sources)
            print("  style: " + measure(generate(model, held), held), flush=True)
            if clock.progress() == 1:
                print("  none:  " + measure(generate(model, held, False), held), flush=True)
        model.train()

    while clock.progress() < 1:
        batch = chunks.batch(args.batch)
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.peak, step, 50 if args.start else 200)
        own = clock.progress() > (0.05 if args.start else 0.3)
        own_past, own_bits = own and step % 2 == 0, own and step % 4 != 3
        with common.rounded(params, clock.progress() > 0.9):
            bce, motion, right = step_loss(model, batch, weights, own_past, own_bits)
            opt.zero_grad(set_to_none=True)
            (bce + (0.1 if own_bits else 0.03) * motion).backward()
        team.average(params, clock)
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        hold_still(model.basic_vae)
        step += 1
        if own_bits or not own:
            recent.append((bce.item(), motion.item(), right.item()))
        if step % 100 == 0 and team.rank == 0:
            a, b, c = np.mean(recent[-100:], 0)
            rate = team.size * (step - first) * args.batch / (time.time() - began)
            print(f"step {step} {clock.elapsed() / 60:.1f} min: bce {a:.4f} motion {b:.2f} right {c:.3f}, {rate:.1f} chunks/s", flush=True)
        if clock.now / 60 > next_look and team.rank == 0:
            look()
            next_look = clock.elapsed() / 60 + 12
    if team.rank:
        return
    with torch.no_grad():
        round_weights(model)
    look()


if __name__ == "__main__":
    main()
