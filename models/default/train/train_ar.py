# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stage 3: trains the bit transformer and the style encoder on kept features.

    python train_ar.py --encoder encoder.pt --codec codec.pt --train c.pt d.pt \
        --valid v.pt --out ar.pt --export artalk.safetensors --minutes 38

Bits are taught with a share of the earlier bits turned over, so that later
scales learn to correct; the past is decoded and encoded again as when running,
half of the time from the model's own output. From three tenths of the time on (with --start, which goes on from an
exported model, from a twentieth) most steps start from the bits the model itself would take. With --ema what is measured
and exported are the weights' moving average.
"""

import argparse
import contextlib
import functools
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import common
from common import DEVICE, classes
from evaluate import Held, generate, measure
from export import HERE, load_config, round_weights, save
from model import STYLE_FRAMES, ARTalk
from train_codec import loss_of

# How much a frame counts in the loss of the motion by what is heard in it: bilabials, labiodentals, rounded sounds,
# open vowels (where a closure is seen at once).
WORTH = torch.ones(24, device=DEVICE)
WORTH[1] = 8.0
WORTH[2] = 6.0
WORTH[[11, 19, 20, 21]] = 3.0
WORTH[[13, 14, 16]] = 2.5
PARTS = 0.2  # share of the examples whose sound ends within the window

TAPS = torch.tensor([-3.0, 12.0, 17.0, 12.0, -3.0], device=DEVICE) / 35  # of the smoothing that follows the model
SPEECH, BILABIAL, LABIODENTAL = classes(*range(1, 24)), classes(1), classes(2)
OPEN, ROUND, WIDE = classes(13, 14, 16), classes(11, 19, 20, 21), classes(13, 14, 15, 16)
# What the kinds of `contacts` count.
MISSES = {"shut": 1.8, "opened": 2.0, "apart": 0.8, "early": 0.0, "bite": 3.0, "parted": 2.0, "loose": 0.0, "narrow": 0.7, "wide": 0.7, "rest": 0.0,
          "leap": 0.1, "still": 0.0, "follow": 0.0}


class Chunks:
    """Batches of three chunks in a row; those before a stream's start are zeros."""

    def __init__(self, paths, seed):
        parts = [torch.load(p, weights_only=True, mmap=True) for p in paths]
        self.rng = np.random.default_rng(seed)
        self.data = {k: torch.cat([p[k] for p in parts]).to(DEVICE) for k in ("feats", "motion", "phones", "part", "whole")}
        before = np.cumsum([0] + [len(p["chunk"]) for p in parts[:-1]])
        self.part_of = np.concatenate([p["part_of"].numpy() + n for p, n in zip(parts, before)])
        chunk = torch.cat([p["chunk"] for p in parts]).numpy()
        begin = np.flatnonzero(chunk == 0)
        self.begin = begin[np.searchsorted(begin, np.arange(len(chunk)), side="right") - 1]
        self.end = np.append(begin[1:], len(chunk))[np.searchsorted(begin, np.arange(len(chunk)), side="right") - 1]
        self.length = self.data["motion"].shape[1]
        self.steps, self.clip = torch.arange(self.length, device=DEVICE)[None], torch.arange(STYLE_FRAMES, device=DEVICE)[None]

    def batch(self, n):
        i = self.rng.integers(0, len(self.begin), n)
        k = self.rng.integers(0, len(self.part_of), int(n * PARTS + self.rng.uniform()))
        i[: len(k)] = self.part_of[k]
        first, last = self.begin[i] * self.length, self.end[i] * self.length
        clip = first + self.rng.integers(0, np.maximum(1, last - first - STYLE_FRAMES))
        k = torch.from_numpy(k).to(DEVICE, non_blocking=True)
        # in one piece: the chunk, chunks since the start, the clip's first frame, the stream's end
        at, start, clip, last = torch.from_numpy(np.stack([i, i - self.begin[i], clip, last])).to(DEVICE, non_blocking=True)

        def motion(back):
            m = self.data["motion"][(at - back).clamp(min=0)].float()
            return m * (start >= back)[:, None, None]

        rows, last = clip[:, None] + self.clip, last[:, None]
        style = self.data["motion"].flatten(0, 1)[torch.minimum(rows, last - 1)].float() * (rows < last)[..., None]
        heard = self.data["phones"][at].long().unflatten(1, (-1, 2))
        feats, whole = self.data["feats"][at].float(), torch.full((n,), self.length, device=DEVICE)
        feats[: len(k)], whole[: len(k)] = self.data["part"][k].float(), self.data["whole"][k].long()
        at_end = self.steps - whole[:, None]  # the frames given out last count three times
        frame = WORTH[heard].amax(-1) * torch.where((at_end >= -4) & (at_end < 0) & (whole < self.length)[:, None], 3.0, 1.0)
        return {
            "motion": [motion(2), motion(1), motion(0)], "start": start,
            "whole": whole, "feats": feats, "feats1": self.data["feats"][(at - 1).clamp(min=0)].float(),
            "heard": heard, "frame": frame, "style": style,
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
    out, moves = codec.decoder.out_mapping, codec.motion_std != 1.0
    out.weight.mul_(moves[:, None])
    out.bias.mul_(moves)


def flips(bsq, n, most):
    """Which bits to turn over [n, L, K]; a rate for every row, 0..most."""
    return torch.rand(n, bsq.tokens, bsq.k, device=DEVICE) < most * torch.rand(n, 1, 1, device=DEVICE)


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


def contacts(got, want, heard, before, worth):
    """Millimetres by which the smoothed mouth misses what is heard, each kind's mean added up, `worth` times: lips apart on
    p, b, m (`shut`), near each other in open vowels (`opened`), in anything that is not beside p, b, m (`apart`), in what
    is (`early`: they shut too soon, or open too late); on f and v the lower lip away from the teeth (`bite`), or shut lips
    (`parted`), and elsewhere the lip at the teeth (`loose`); wider than the targets in rounded sounds (`narrow`), narrower in
    open ones (`wide`); wider open than they in silence (`rest`); more movement than theirs into the first frame (`leap`) and
    in silence (`still`). Only where the targets do it. `follow`: how far the gap is from theirs in speech, by its square where that is little. got, want [B, T, 106]; heard
    [B, T, 2]; before: the four frames before (of `got`, of `want`)."""

    def smooth(measure, motion, past):
        return torch.cat([measure(past), measure(motion)], 1).unfold(1, 5, 1) @ TAPS  # frames -2 .. T - 3

    (gap, gap0), (teeth, teeth0), (width, width0) = (
        (smooth(measure, got, before[0]), smooth(measure, want, before[1])) for measure in (common.lip_gap, common.lip_to_teeth, common.lip_width)
    )
    leap = sum(F.relu((x[:, 2] - x[:, 1]).abs() - (y[:, 2] - y[:, 1]).abs() - 0.1).mean() for x, y in ((gap, gap0), (teeth, teeth0), (width, width0)))
    gap, gap0, teeth, teeth0, width, width0 = (x[:, 2:] for x in (gap, gap0, teeth, teeth0, width, width0))
    bilabial = BILABIAL[heard].any(-1)
    near, bitten = (F.max_pool1d(x.float()[:, None], 5, 1, 2)[:, 0, :-2] > 0 for x in (bilabial, LABIODENTAL[heard].any(-1)))
    heard, bilabial = heard[:, :-2], bilabial[:, :-2]
    speech, silence = SPEECH[heard].all(-1), ~SPEECH[heard].any(-1)
    away = speech & (gap0 > 2.3)
    bite = LABIODENTAL[heard].any(-1) & (teeth0 < 1.8) & (gap0 > 1.6)
    kinds = {
        "shut": (gap - 0.6, bilabial & (gap0 < 1.2)), "opened": (3.2 - gap, OPEN[heard].all(-1) & (gap0 > 3.5)),
        "apart": (2.1 - gap, away & ~near), "early": (2.1 - gap, away & near & ~bilabial),
        "bite": (teeth - 1.2, bite), "parted": (2.4 - gap, bite), "loose": (2.6 - teeth, away & ~bitten & (teeth0 > 3.0)),
        "narrow": (width - width0 - 0.3, ROUND[heard].all(-1)), "wide": (width0 - width - 0.3, WIDE[heard].all(-1)),
        "rest": (gap - gap0 - 0.2, silence),
    }
    total = worth["leap"] * leap
    for kind, (miss, mask) in kinds.items():
        if worth[kind]:
            total = total + worth[kind] * (F.relu(miss) * mask).sum() / (mask.sum() + 4)
    if worth["still"]:
        quiet = silence[:, 1:] & silence[:, :-1]
        moved = sum(F.relu(x.diff().abs() - y.diff().abs() - 0.02) for x, y in ((gap, gap0), (teeth, teeth0), (width, width0)))
        total = total + worth["still"] * (moved * quiet).sum() / (quiet.sum() + 4)
    if worth["follow"]:
        far = F.smooth_l1_loss(gap, gap0, reduction="none", beta=4.0)
        total = total + worth["follow"] * (far * speech).sum() / (speech.sum() + 4)
    return total


def neutral(clips):
    """Which style clips [n, 50, 106] show no emotion."""
    mean = clips.mean(1)
    most = {"mouthFrownLeft": 0.1, "browDownLeft": 0.1, "eyeWideLeft": 0.15, "mouthDimpleLeft": 0.04}
    return torch.stack([mean[:, common.COLUMN[name]] < x for name, x in most.items()]).all(0)


@functools.cache
def ends(patches):
    """[L] first frame after what each token of all scales covers."""
    return torch.tensor([-(-(i + 1) * patches[-1] // p) for p in patches for i in range(p)], device=DEVICE)


def step_loss(model, batch, weights, worth, own_past, own_bits, drop_style=0.15, most=0.3):
    """Losses of a batch. own_past: the chunk before is the model's; own_bits:
    the earlier scales are, with the bits wanted that correct them best. Where the sound ends within the window, only what
    lies before counts."""
    codec, bsq, n = model.basic_vae, model.bsq, len(batch["feats"])
    this = batch["motion"][2]
    style = model.style_cond_embed(model.style_encoder(batch["style"]))[:, None]
    drop = (torch.rand(n, device=DEVICE) < drop_style) & neutral(batch["style"])
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
    got = torch.where((torch.arange(t, device=DEVICE)[None] < batch["whole"][:, None])[..., None], got, this)
    motion = loss_of(got, this, batch["frame"], weights, (last[:, -1], batch["motion"][1][:, -1]))
    motion = motion + 3 * contacts(got, this, batch["heard"], (last, batch["motion"][1][:, -4:]), worth)
    return bce, motion, ((d > 0) == (want > 0)).float().mean()


def misses(text):
    """MISSES with those named in KIND=NUMBER,... set."""
    given = {k: float(v) for k, v in (item.split("=") for item in text.split(","))}
    if given.keys() - MISSES:
        raise argparse.ArgumentTypeError(f"kinds are {', '.join(MISSES)}")
    return MISSES | given


def main():
    args = common.arguments(38, 12, 8e-4, 3)
    args.add_argument("--encoder", help="default: that of --start")
    args.add_argument("--codec", help="default: that of --start")
    args.add_argument("--start", help="exported model to go on from")
    args.add_argument("--export", required=True)
    args.add_argument("--ema", type=float, default=0.0, help="how much of the average stays each step, 0.999 say; 0 for the last weights")
    args.add_argument("--back", type=float, default=0.0, help="share of the way back to the weights of --start at last; below 0: further away from them")
    args.add_argument("--worth", type=misses, default=MISSES, help=f"what kinds of misses count, as shut=2.2,early=1; else {MISSES}")
    args.add_argument("--look", type=float, default=12, help="minutes between measures")
    args = args.parse_args()
    if not args.start and not (args.encoder and args.codec):
        raise SystemExit("--start, or --encoder and --codec, needed")
    torch.set_num_threads(args.threads)
    team = common.Team()
    torch.manual_seed(args.seed)
    model = ARTalk(load_config()).to(DEVICE)
    gentle(model)
    if args.start:
        model.load_state_dict(common.shipped(args.start, ""))
    if args.encoder:
        model.audio_encoder.load_state_dict(common.encoder_of(args.encoder))
    if args.codec:
        model.basic_vae.load_state_dict(common.load(args.codec)["codec"])
    model.style_encoder.motion_mean.copy_(model.basic_vae.motion_mean)
    model.style_encoder.motion_std.copy_(model.basic_vae.motion_std)
    model.style_encoder.PE.pe.copy_(model.style_encoder.PE.pe.bfloat16())
    model.audio_encoder.requires_grad_(False)
    model.basic_vae.requires_grad_(False)
    # the decoder learns what the transformer's bits mean, not only the encoder's
    model.basic_vae.decoder.requires_grad_(True), model.basic_vae.dec_pos_embed.requires_grad_(True)
    params = [p for p in model.parameters() if p.requires_grad]
    started = [p.detach().clone() for p in params]
    opt, step, done = common.optimiser(params), 0, 0.0
    saved = common.load(args.out) if os.path.exists(args.out) else {}
    if saved:
        model.load_state_dict(saved["model"]), opt.load_state_dict(saved["opt"])
        step, done = saved["step"], saved["elapsed"]
    hold_still(model.basic_vae)
    average = common.Average(params, args.ema)
    if "average" in saved:
        average.restore(saved["average"])
    del saved
    seed = args.seed + step + 10007 * team.rank
    torch.manual_seed(seed)
    chunks, held = Chunks(args.train, seed), Held(args.valid, 8)
    print(f"{len(chunks.begin)} chunks, {sum(p.numel() for p in params) / 1e6:.2f} M parameters", flush=True)
    weights = common.channel_weights()
    weights[model.basic_vae.motion_std == 1.0] = 0.0
    sources = json.loads((HERE / "sources.json").read_text())
    warm = 50 if args.start else 200
    clock, recent, first, began = common.Clock(args.minutes, args.steps, done, step), [], step, time.time()
    next_look = done / 60 + args.look

    def averaged():
        """Within: the weights that are measured and exported."""
        return common.replaced(params, average.mean) if args.ema and average.steps else contextlib.nullcontext()

    def look():
        """Saves, exports (rounded) and measures."""
        common.save(args.out, model=model.state_dict(), opt=opt.state_dict(), step=step, elapsed=clock.elapsed(),
                    **({"average": average.state()} if args.ema else {}))
        model.eval()
        with averaged(), common.rounded(params, True):
            save(model, args.export, sources)
            print("  style: " + measure(generate(model, held), held), flush=True)
            if clock.progress() == 1:
                print("  none:  " + measure(generate(model, held, False), held), flush=True)
        model.train()

    while clock.progress() < 1:
        batch = chunks.batch(args.batch)
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.peak, step, warm)
        own = clock.progress() > (0.05 if args.start else 0.3)
        own_past, own_bits = own and step % 2 == 0, own and step % 4 != 3
        with common.rounded(params, clock.progress() > 0.9):
            bce, motion, right = step_loss(model, batch, weights, args.worth, own_past, own_bits)
            opt.zero_grad(set_to_none=True)
            (bce + (0.1 if own_bits else 0.03) * motion).backward()
        step += 1
        team.average(params, clock, step)
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        hold_still(model.basic_vae)
        if args.ema and step > warm:
            average.add()
        if own_bits or not own:
            recent.append(torch.stack([bce, motion, right]).detach())
        if step % 100 == 0 and team.rank == 0:
            a, b, c = torch.stack(recent).mean(0).tolist()
            recent.clear()
            rate = team.size * (step - first) * args.batch / (time.time() - began)
            print(f"step {step} {clock.elapsed() / 60:.1f} min: bce {a:.4f} motion {b:.2f} right {c:.3f}, {rate:.1f} chunks/s", flush=True)
        if clock.now / 60 > next_look and team.rank == 0:
            look()
            next_look = clock.elapsed() / 60 + args.look
    if team.rank or step == first:
        return
    with torch.no_grad():
        for p, mean in zip(params, average.mean if args.ema and average.steps else params):
            p.copy_(mean)
        common.back(params, started, args.back)
        hold_still(model.basic_vae)
        average.steps = 0  # they are in the weights now
        round_weights(model)
    look()


if __name__ == "__main__":
    main()
