# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the training stages share: the device, weights of the channels, the
schedule, checkpoints, averages, training with weights rounded to bfloat16."""

import argparse
import contextlib
import json
import math
import os
import pathlib
import time

import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).resolve().parent
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cuda":  # ten bits of mantissa do for training
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
CHANNELS = json.loads((HERE.parent / "channels.json").read_text())["expression"]
COLUMN = {name: i for i, name in enumerate(CHANNELS)}
JAW = 103

# Millimetres that the built-in head's fastest vertex near the mouth or the eye
# moves by at 1 (names are prefixes); inside the mouth and on the brows by eye.
MILLIMETRES = {
    "eyeBlink": 11, "eyeLook": 4, "eyeSquint": 3, "eyeWide": 3.5, "mouthClose": 32, "mouthFunnel": 10,
    "mouthPucker": 9, "mouthSmile": 11, "mouthStretch": 5, "mouthRollLower": 5.5, "mouthRollUpper": 9,
    "mouthShrug": 5, "mouthPress": 5, "mouthLowerDown": 3.5, "mouthUpperUp": 4, "brow": 5, "cheekSquint": 3,
    "noseSneer": 3, "mouthFrown": 6.5, "mouthDimple": 7, "tongueOut": 8, "tongueUp": 5,
}
# Millimetres of lip gap at 1 on the built-in head (measured; linear to 0.1 mm).
GAP_AT_REST = 1.2
GAP = {
    "mouthClose": -36.7, "mouthFunnel": 6.1, "mouthPucker": -0.7, "mouthSmileLeft": -1.7, "mouthSmileRight": -1.7,
    "mouthRollLower": -3.4, "mouthRollUpper": -2.6, "mouthShrugLower": -4.4, "mouthPressLeft": -1.2,
    "mouthPressRight": -1.2, "mouthLowerDownLeft": 2.0, "mouthLowerDownRight": 2.0, "mouthUpperUpLeft": 2.5,
    "mouthUpperUpRight": 2.5, "jawForward": 1.3,
}


# Millimetres of distance between the corners of the mouth at 1 (measured alike).
WIDTH = {
    "jawOpen": -3.2, "mouthClose": 3.4, "mouthFunnel": -4.4, "mouthPucker": -8.0, "mouthSmileLeft": 6.6, "mouthSmileRight": 6.6,
    "mouthFrownLeft": 1.4, "mouthFrownRight": 1.4, "mouthDimpleLeft": 4.9, "mouthDimpleRight": 4.9, "mouthStretchLeft": 5.0,
    "mouthStretchRight": 5.0, "mouthRollUpper": 0.4, "mouthPressLeft": 5.5, "mouthPressRight": 5.5, "cheekPuff": -5.6,
}
# Millimetres that the lower lip moves down from the edge of the upper teeth at 1 (measured alike).
TEETH_AT_REST = 1.9
TEETH = {
    "jawForward": 1.5, "jawOpen": 33.7, "mouthClose": -31.6, "mouthFunnel": 4.0, "mouthSmileLeft": -3.3, "mouthSmileRight": -3.3,
    "mouthRollLower": -4.9, "mouthShrugLower": -5.1, "mouthPressLeft": -2.0, "mouthPressRight": -2.0, "mouthLowerDownLeft": 1.8,
    "mouthLowerDownRight": 1.8,
}


def channel_weights():
    """[106] millimetres per unit; 0 for channels that the corpus never moves."""
    w = torch.zeros(106)
    for prefix, mm in MILLIMETRES.items():
        for name, i in COLUMN.items():
            if name.startswith(prefix):
                w[i] = mm
    w[100:103] = 30.0
    w[JAW] = 86.0
    return w.to(DEVICE)


def _linear(table, jaw):
    w = torch.zeros(106)
    for name, mm in table.items():
        w[COLUMN[name]] = mm
    w[JAW] = jaw
    return w.to(DEVICE)


GAP_WEIGHTS, WIDTH_WEIGHTS, TEETH_WEIGHTS = _linear(GAP, 82.0), _linear(WIDTH, -7.6), _linear(TEETH, 86.7)


def lip_gap(motion):
    """Distance of the lips in mm, negative where pressed: [..., 106] to [...]."""
    return motion @ GAP_WEIGHTS.to(motion.device) + GAP_AT_REST


def lip_width(motion):
    """Distance of the mouth's corners in mm less that at rest: [..., 106] to [...]."""
    return motion @ WIDTH_WEIGHTS.to(motion.device)


def lip_to_teeth(motion):
    """How far the lower lip is below the edge of the upper teeth in mm: [..., 106] to [...]."""
    return motion @ TEETH_WEIGHTS.to(motion.device) + TEETH_AT_REST


def classes(*numbers):
    """[24] which phone classes are among `numbers`."""
    table = torch.zeros(24, dtype=torch.bool, device=DEVICE)
    table[list(numbers)] = True
    return table


def auc(low, high):
    """Chance that a value of `high` is above one of `low`."""
    if not len(low) or not len(high):
        return float("nan")
    order = torch.cat([low, high]).double().argsort().argsort().double()
    n, m = len(low), len(high)
    return ((order[n:].sum() - m * (m - 1) / 2) / (n * m)).item()


def arguments(minutes, batch, peak, seed):
    """Parser of what all stages of training are told, with a stage's own defaults."""
    args = argparse.ArgumentParser()
    args.add_argument("--train", nargs="+", required=True)
    args.add_argument("--valid", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--minutes", type=float, default=minutes)
    args.add_argument("--steps", type=int, default=0, help="end the schedule after so many, if the minutes are not over before")
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--batch", type=int, default=batch)
    args.add_argument("--peak", type=float, default=peak)
    args.add_argument("--seed", type=int, default=seed)
    return args


def shipped(path, part):
    """Tensors of a part of an exported model (`audio_encoder`, `basic_vae`; "" for all), float32."""
    prefix = part + "." if part else ""
    return {k[len(prefix):]: v.float() for k, v in load_file(path).items() if k.startswith(prefix)}


def encoder_of(path):
    """Tensors of the encoder in a checkpoint of encoder.py or in an exported model."""
    return shipped(path, "audio_encoder") if str(path).endswith(".safetensors") else load(path)["encoder"]


@torch.no_grad()
def back(parameters, start, share):
    """Takes trained parameters a share of the way back to those they started from: what training learned is mostly kept,
    what it forgot of voices it did not hear comes back (Wortsman et al., Robust fine-tuning of zero-shot models). Below 0:
    further the way that they went."""
    for p, before in zip(parameters, start):
        p.lerp_(before, share)


class Team:
    """One or several processes that train together, each with one thread and
    own data (RANK and WORLD_SIZE in the environment, as torchrun sets them):
    on a busy machine that wastes less than threads do."""

    def __init__(self):
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        if self.size > 1:
            torch.distributed.init_process_group("gloo")

    def average(self, parameters, clock, step):
        """Averages gradients and the clock's time over the processes after step number `step`."""
        clock.tick(step)
        if self.size == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads] + [torch.tensor([clock.now], device=DEVICE)])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        clock.now = flat[-1].item()
        for g, part in zip(grads, flat[:-1].split([g.numel() for g in grads])):
            g.copy_(part.view_as(g))


class Clock:
    """Schedule by elapsed time, or by steps if their number is given and the time is not over before; it goes on over
    restarts. `now` is the time of the last step, the same in all processes."""

    def __init__(self, minutes, steps=0, done=0.0, step=0):
        self.total, self.steps, self.done, self.began = minutes * 60, steps, done, time.time()
        self.now, self.step = done, step

    def elapsed(self):
        return self.done + time.time() - self.began

    def tick(self, step):
        self.now, self.step = self.elapsed(), step

    def progress(self):
        share = self.now / self.total
        return min(max(share, self.step / self.steps) if self.steps else share, 1.0)

    def rate(self, peak, step, warm=200, last=0.02):
        """Learning rate: linear warm-up, then half a cosine."""
        p = self.progress()
        return peak * min(1.0, (step + 1) / warm) * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * p)))


@contextlib.contextmanager
def rounded(parameters, on):
    """Within: parameters rounded to bfloat16 (gradients go to the full ones)."""
    if not on:
        yield
        return
    parameters = list(parameters)
    with replaced(parameters, [p.data.bfloat16().float() for p in parameters]):
        yield


@contextlib.contextmanager
def replaced(parameters, by):
    """Within: the parameters hold the tensors `by`."""
    kept = [p.data for p in parameters]
    for p, data in zip(parameters, by):
        p.data = data
    try:
        yield
    finally:
        for p, data in zip(parameters, kept):
            p.data = data


class Average:
    """Exponential moving average of parameters over steps; the first steps count less, as there are few."""

    def __init__(self, parameters, decay):
        self.parameters, self.decay, self.steps = list(parameters), decay, 0
        self.mean = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def add(self):
        self.steps += 1
        weight = max(1 - self.decay, 9 / (9 + self.steps))
        torch._foreach_lerp_(self.mean, [p.detach() for p in self.parameters], weight)

    def state(self):
        return {"mean": self.mean, "steps": self.steps}

    def restore(self, state):
        self.steps = state["steps"]
        for mean, kept in zip(self.mean, state["mean"]):
            mean.copy_(kept)


def optimiser(parameters, decay=0.02):
    parameters = [p for p in parameters if p.requires_grad]
    matrices = [p for p in parameters if p.ndim > 1]
    rest = [p for p in parameters if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}], betas=(0.9, 0.98),
        fused=DEVICE.type == "cuda",
    )


def load(path):
    """What `save` kept, on the device."""
    return torch.load(path, weights_only=True, map_location=DEVICE)


def save(path, **what):
    partial = pathlib.Path(str(path) + ".partial")
    torch.save(what, partial)
    partial.rename(path)
