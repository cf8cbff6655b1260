# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stage 1: trains the audio encoder to tell phones and mouth motion.

    python encoder.py --train train-*.npz --valid valid.npz --out encoder.pt \
        --minutes 40 [--steps 3000] [--threads 2] [--start ../artalk.safetensors]

Linear heads, thrown away afterwards: phone class at 50 Hz (also from layers
on the way), motion at 25 Hz, spectra from the convolutions. The encoder learns on every step of its span but those ahead.
With --start it goes on from the encoder of an exported model, the heads learn alone at first, or from a checkpoint
with its heads. The first convolutions, which work at the highest rates, stay then.
A share of the windows is cut: silence for the rest of their sound, as where windows are computed before all is there;
then only what lies before the cut, less what the model hears ahead, is learned.
"""

import glob
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import common
from audio_encoder import AudioEncoder
from augment import Augment
from export import load_config
from windows import Streams
from common import DEVICE, classes

SIL, PP, FF = 0, 1, 2
OPEN = (13, 14, 16)  # aa ae eh
ROUND, WIDE = (11, 19, 20, 21), (13, 14, 15, 16)  # w ao uh uw; aa ae ah eh
ALONE = 80  # steps of the heads before an encoder that is gone on with
MOOD = ("eye", "brow", "cheek", "nose", "mouthFrown", "mouthDimple")  # channels that no sound tells of
LOOK = 600  # steps between checkpoints
CUT = 0.2  # share of windows with silence for the rest of their sound
STAY = 3  # convolutions that stay with --start
# what a phone counts: those that the lips make, which are rare
WORTH = {1: 1.8, 2: 2.0, 11: 1.8, 19: 1.7, 20: 1.7, 21: 1.9, 8: 1.3}


class Heads(nn.Module):
    def __init__(self, width, conv, classes=24):
        super().__init__()
        self.phone = nn.Linear(width, classes)
        self.motion = nn.Linear(width, 106)
        self.mel = nn.Linear(conv, 40)
        self.early = nn.ModuleDict({k: nn.Linear(width, classes) for k in ("posconv", "layer/1", "layer/3")})


class Windows:
    """Random windows with their context and targets."""

    def __init__(self, patterns, config, seed):
        self.rng = np.random.default_rng(seed)
        context = config["AUDIO_CONTEXT"]
        self.before, self.ahead = context["BEFORE"] // 640, context["AHEAD"] // 640
        self.frames = config["VAE_CONFIG"]["V_PATCH_NUMS"][-1]
        self.data = Streams(sorted(p for g in patterns for p in glob.glob(g)))
        self.chance = self.data.frames / self.data.frames.sum()
        print(f"{self.data.hours():.1f} h of streams", flush=True)

    def cut(self, streams, frames):
        """Samples, motion and phones of frames frame-before ... +ahead, in [n] streams."""
        return self.data.window(streams, np.asarray(frames) - self.before, self.before + self.frames + self.ahead)

    def batch(self, n):
        streams = self.rng.choice(len(self.chance), n, p=self.chance)
        return self.cut(streams, self.rng.integers(0, np.maximum(1, self.data.frames[streams] - self.frames)))

    def some(self, every):
        """One in `every` of the windows that follow each other in all streams."""
        where = [(s, f) for s in range(len(self.data)) for f in range(0, self.data.frames[s] - self.frames, self.frames)]
        return self.cut(*np.array(where[::every]).T)


class Mel:
    """Shapes of log spectra in 40 bands, one row per step of the encoder: a
    target for its convolutions, which otherwise learn slowly at first."""

    def __init__(self):
        edge = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 42)
        edge = torch.from_numpy(700 * (10 ** (edge / 2595) - 1)).float()[:, None]
        f = torch.arange(257)[None] * 31.25
        up, down = (f - edge[:-2]) / (edge[1:-1] - edge[:-2]), (edge[2:] - f) / (edge[2:] - edge[1:-1])
        self.bands = torch.minimum(up, down).clamp(min=0).to(DEVICE)
        self.window = torch.hann_window(400, device=DEVICE)

    def __call__(self, x):
        power = torch.fft.rfft(x.unfold(1, 400, 320) * self.window, 512).abs().square()
        mel = torch.log(power @ self.bands.T + 1e-5)
        return (mel - mel.mean(-1, keepdim=True)).clamp(-6, 6)


WORTHS = torch.tensor([WORTH.get(i, 1.0) for i in range(24)], device=DEVICE)
# what a frame counts in the loss of the motion by what is heard in it: closures, teeth on the lip, rounded lips
FRAME = torch.ones(24, device=DEVICE)
FRAME[[PP, FF]] = 3.0
FRAME[list(ROUND)] = 3.0


def cut(x, first, frames, ahead, share, rng):
    """Silence after a random frame of the window in a share of the samples [B, n]; frames of 640, the window's
    `first` and how many it has, whole pairs. Returns the samples and the frames [B] that stay whole."""
    whole = torch.from_numpy(np.where(rng.uniform(size=len(x)) < share, 2 * rng.integers(1, (frames + 1) // 2, len(x)), frames))
    whole, at = whole.to(x.device, non_blocking=True), torch.arange(x.shape[1], device=x.device)[None]
    return x * ((at < 640 * (first + whole + ahead)[:, None]) | (whole == frames)[:, None]), whole


def phone_loss(logits, phones):
    return F.cross_entropy(logits.flatten(0, 1), phones[:, : logits.shape[1]].flatten(), WORTHS, label_smoothing=0.1)


def losses(feats, heads, motion, phones, weights, std):
    """Both losses over the steps `feats` [B, n, W] covers (an even number); phones below 0 are not learned."""
    n = feats.shape[1] // 2 * 2
    feats = feats[:, :n]
    logits = heads.phone(feats)
    ce = phone_loss(logits, phones)
    got = heads.motion(feats.unflatten(1, (-1, 2)).mean(2)) * std
    want = motion[:, : n // 2]
    heard = phones[:, :n].unflatten(1, (-1, 2))
    frame = FRAME[heard.clamp(min=0)].amax(-1) * (heard >= 0).all(-1)
    mm = F.smooth_l1_loss(got * weights, want * weights, reduction="none").sum(-1)
    gap = F.smooth_l1_loss(common.lip_gap(got), common.lip_gap(want), reduction="none")
    width = F.smooth_l1_loss(common.lip_width(got), common.lip_width(want), reduction="none")
    return ce, (frame * (0.3 * mm + gap + 2 * width)).mean() / frame.mean(), logits, got


@torch.no_grad()
def measure(encoder, heads, batch, augment, weights, std, first):
    """Phone accuracy, bilabial recall and precision, AUC of the lips' gap and width."""
    encoder.eval()
    x, motion, phones = batch
    steps = slice(first, first + 50)
    hits = total = tp = fp = fn = 0
    gaps, labels, gap_want, widths = [], [], [], []
    for i in range(0, len(x), 32):
        y = augment(x[i : i + 32]) if augment else x[i : i + 32]
        feats = encoder(y)[:, steps]
        want = phones[i : i + 32, steps]
        _, _, logits, got = losses(feats, heads, motion[i : i + 32, first // 2 :], want, weights, std)
        guess = logits.argmax(-1)
        hits, total = hits + (guess == want).sum().item(), total + want.numel()
        tp += ((guess == PP) & (want == PP)).sum().item()
        fp += ((guess == PP) & (want != PP)).sum().item()
        fn += ((guess != PP) & (want == PP)).sum().item()
        gaps.append(common.lip_gap(got).flatten())
        gap_want.append(common.lip_gap(motion[i : i + 32, first // 2 : first // 2 + 25]).flatten())
        labels.append(want[:, ::2].flatten())
        widths.append(common.lip_width(got).flatten())
    gaps, labels, gap_want, widths = torch.cat(gaps), torch.cat(labels), torch.cat(gap_want), torch.cat(widths)
    narrow, wide, opened = widths[classes(*ROUND)[labels]], widths[classes(*WIDE)[labels]], gaps[classes(*OPEN)[labels]]
    shut = gaps[labels == PP]
    encoder.train()
    return (f"phones {hits / total:.3f}, PP recall {tp / max(tp + fn, 1):.3f} precision {tp / max(tp + fp, 1):.3f}, "
            f"gap AUC PP {common.auc(shut, opened):.3f} sil {common.auc(gaps[labels == SIL], opened):.3f}, width AUC {common.auc(narrow, wide):.3f}, "
            f"gap at PP {shut.mean():.1f} mm, open {opened.mean():.1f} mm, corr {torch.corrcoef(torch.stack([gaps, gap_want]))[0, 1]:.3f}")


def main():
    args = common.arguments(40, 8, 1e-3, 1)
    args.add_argument("--back", type=float, default=0.0, help="share of the way back to the weights of --start that the trained encoder goes at last")
    args.add_argument("--start", help="exported model or checkpoint to go on from")
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    team = common.Team()
    seed = args.seed + 10007 * team.rank
    torch.manual_seed(args.seed)
    config = load_config()
    sizes = config["SIZES"]["WAV2VEC"]
    encoder, heads = AudioEncoder(sizes), Heads(sizes["HIDDEN"], sizes["CONV_DIM"][-1])
    encoder.to(DEVICE), heads.to(DEVICE)
    alone = 0
    if args.start and args.start.endswith(".pt"):
        saved = common.load(args.start)
        encoder.load_state_dict(saved["encoder"]), heads.load_state_dict(saved["heads"])
    elif args.start:
        encoder.load_state_dict(common.shipped(args.start, "audio_encoder"))
        alone = ALONE
    params = list(encoder.parameters()) + list(heads.parameters())
    started = [p.detach().clone() for p in encoder.parameters()]
    opt, step, done = common.optimiser(params), 0, 0.0
    if os.path.exists(args.out):
        saved = common.load(args.out)
        encoder.load_state_dict(saved["encoder"]), heads.load_state_dict(saved["heads"]), opt.load_state_dict(saved["opt"])
        step, done = saved["step"], saved["elapsed"]
    begun = step
    windows = Windows(args.train, config, seed + step)
    torch.manual_seed(seed + step)
    held = Windows([args.valid], config, 0).some(4)
    n = held[0].shape[1]
    augment = Augment(n, seed + 1000 + step)
    weights = common.channel_weights()
    weights[[i for name, i in common.COLUMN.items() if name.startswith(MOOD)]] = 0.0
    weights[101:103] = 0.0
    std = windows.data.motion[: windows.data.frames[:200].sum()].float().std(0)
    std[std < 1e-4] = 1.0
    first = config["AUDIO_CONTEXT"]["BEFORE"] // 320
    steps = n // 320 - config["AUDIO_CONTEXT"]["AHEAD"] // 320
    clock, mel = common.Clock(args.minutes, args.steps, done, step), Mel()
    mean, seen, began = [], 0, time.time()

    def keep():
        common.save(args.out, encoder=encoder.state_dict(), heads=heads.state_dict(), opt=opt.state_dict(),
                    step=step, elapsed=clock.elapsed())

    while clock.progress() < 1:
        x, motion, phones = windows.batch(args.batch)
        share = 0.75 if args.start else 0.4 + 0.45 * min(1.0, 3 * clock.progress())
        x = torch.where(torch.rand(len(x), 1, device=DEVICE) < share, augment(x), x)
        x, whole = cut(x, windows.before, windows.frames, windows.ahead, CUT, windows.rng)
        past = torch.arange(phones.shape[1], device=DEVICE)[None] >= 2 * (windows.before + whole)[:, None]
        phones = phones.masked_fill(past & (whole < windows.frames)[:, None], -100)
        for group in opt.param_groups:
            group["lr"] = 3e-3 if step < alone else clock.rate(args.peak, step - alone, 100 if args.start else 200)
        encoder.requires_grad_(step >= alone)
        if args.start:
            encoder.feature_extractor["conv_layers"][:STAY].requires_grad_(False)
        with common.rounded(params, clock.progress() > 0.93):
            trace = {}
            feats = encoder(x, trace, drop=0.05)[:, :steps]
            ce, mm, _, _ = losses(feats, heads, motion, phones, weights, std)
            shape = F.l1_loss(heads.mel(trace["conv"]), mel(x))
            early = sum(phone_loss(head(trace[k][:, :steps]), phones) for k, head in heads.early.items())
            opt.zero_grad(set_to_none=True)
            (ce + 0.15 * mm + 0.5 * shape + 0.25 * early).backward()
        step += 1
        team.average(params, clock, step)
        nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        seen += len(x)
        mean.append(torch.stack([ce, mm, shape]).detach())
        if step % 100 == 0 and team.rank == 0:
            a, b, c = torch.stack(mean).mean(0).tolist()
            mean.clear()
            print(f"step {step} {clock.elapsed() / 60:.1f} min: phones {a:.3f} mm {b:.3f} mel {c:.3f}, {team.size * seen / (time.time() - began):.1f} windows/s", flush=True)
        if (step % LOOK == 0 or step == alone) and team.rank == 0:
            print("  clean: " + measure(encoder, heads, held, None, weights, std, first), flush=True)
            keep()
    if team.rank or step == begun:
        return
    common.back(encoder.parameters(), started, args.back)
    with torch.no_grad():
        for p in params:
            p.copy_(p.bfloat16())
    keep()
    print("clean: " + measure(encoder, heads, held, None, weights, std, first))
    print("disturbed: " + measure(encoder, heads, held, Augment(n, 5), weights, std, first))


if __name__ == "__main__":
    main()
