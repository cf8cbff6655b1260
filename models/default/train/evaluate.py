# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the chunk loop over held-out streams and measures the motion.

    python evaluate.py MODEL.safetensors VALID_FEATURES.pt [null]

Figures are of the smoothed motion, lips by the linear measure of common.py.
"""

import sys

import numpy as np
import torch

import common
from reference import smooth

SIL, PP = 0, 1
OPEN, ROUND, WIDE = (13, 14, 16), (11, 19, 20, 21), (13, 14, 15, 16)


class Held:
    """Chunks of features kept by features.py, by stream."""

    def __init__(self, path, most=None):
        self.data = torch.load(path, weights_only=True, map_location="cpu")
        numbers = self.data["stream"].unique()[:most]
        self.streams = [(self.data["stream"] == s).nonzero()[:, 0] for s in numbers]


@torch.no_grad()
def generate(model, held, style=True):
    """Motion [frames, 106] of every stream, all in one batch."""
    data, streams, device = held.data, held.streams, model.pos_embed.device
    n = max(len(s) for s in streams)
    index = torch.stack([torch.cat([s, s[-1:].expand(n - len(s))]) for s in streams])
    if style:
        clips = torch.stack([data["motion"][s[1:3]].flatten(0, 1).float() for s in streams])
        cond = model.style_cond(clips.to(device))
    else:
        cond = model.style_cond(None).expand(len(streams), -1, -1)
    state, out = model.start(cond), []
    for c in range(n):
        state, motion = model.chunk(state, cond, data["feats"][index[:, c]].to(device).float())
        out.append(motion)
    out = torch.stack(out, 1).cpu()
    return [out[i, : len(s)].flatten(0, 1).numpy() for i, s in enumerate(streams)]


def lag_of(got, want, most=6):
    """Frames by which `got` is late, from cross-correlation, parabola fitted."""
    r = [np.corrcoef(got[most + d : len(got) - most + d], want[most:-most])[0, 1] for d in range(-most, most + 1)]
    k = int(np.clip(np.argmax(r), 1, 2 * most - 1))
    bend = r[k - 1] - 2 * r[k] + r[k + 1]
    return k - most + (0.5 * (r[k - 1] - r[k + 1]) / bend if bend else 0.0), r[k]


def measure(motions, held):
    data, gaps, wants, widths, labels, blinks, still, frames, turn = held.data, [], [], [], [], 0, [], 0, []
    edge, inner = [], []
    for motion, s in zip(motions, held.streams):
        m = smooth(motion)
        gap = common.lip_gap(torch.from_numpy(m)).numpy()
        wants.append(common.lip_gap(torch.from_numpy(smooth(data["motion"][s].flatten(0, 1).numpy()))).numpy())
        label = data["phones"][s].flatten().numpy().reshape(-1, 2)
        gaps.append(gap)
        widths.append(common.lip_width(torch.from_numpy(m)))
        step = np.abs(np.diff(gap)) + np.abs(np.diff(widths[-1].numpy()))
        at = np.arange(1, len(gap)) % data["motion"].shape[1] == 0
        edge.append(step[at])
        inner.append(step[~at])
        labels.append(label)
        lid = m[:, common.COLUMN["eyeBlinkLeft"]] > 0.6
        blinks += (lid[1:] & ~lid[:-1]).sum()
        frames += len(m)
        quiet = np.convolve((label == SIL).all(1), np.ones(9), "same") == 9
        still.append(m[quiet, common.JAW])
        turn.append(m[:, 101].std())
    lag, corr = lag_of(np.concatenate(gaps), np.concatenate(wants))
    shut = hit = false = away = hit_want = 0
    for gap, want, label in zip(gaps, wants, labels):
        pp = (label == PP).any(1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], pp.astype(int), [0]])))
        near = np.convolve(pp | (label == SIL).any(1), np.ones(5), "same") > 0
        for a, b in zip(edges[::2], edges[1::2]):
            span = slice(max(a - 1, 0), b + 1)
            shut += 1
            hit += gap[span].min() < 1.5
            hit_want += want[span].min() < 1.5
        false += (gap[~near] < 1.5).sum()
        away += (~near).sum()
    gap, label = np.concatenate(gaps), np.concatenate(labels)[:, 0]
    t = torch.from_numpy(gap)
    opened, closed, silent = t[np.isin(label, OPEN)], t[label == PP], t[label == SIL]
    width = torch.cat(widths)
    narrow, wide = (width[np.isin(label, c)] for c in (ROUND, WIDE))
    still = np.concatenate(still)
    return (f"lag {40 * lag:+.0f} ms corr {corr:.3f}; AUC open/PP {common.auc(closed, opened):.3f} open/sil {common.auc(silent, opened):.3f} width {common.auc(narrow, wide):.3f}; "
            f"closures {hit / max(shut, 1):.3f} of {shut} (targets {hit_want / max(shut, 1):.3f}), false {false / max(away, 1):.3f}; "
            f"gap PP {closed.mean():.1f} open {opened.mean():.1f} sil {silent.mean():.1f} mm; jaw in silence {still.mean():.4f} +- {still.std():.4f} rad; "
            f"edge {np.concatenate(edge).mean() / np.concatenate(inner).mean():.2f}; blinks {blinks / frames * 1500:.1f}/min; yaw sd {np.mean(turn):.3f}")


if __name__ == "__main__":
    from export import load

    torch.set_grad_enabled(False)
    kept = Held(sys.argv[2])
    print(measure(generate(load(sys.argv[1]), kept, len(sys.argv) < 4), kept))
