# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams as streams.py writes them, on the device that trains: windows of many streams are gathered at once."""

import numpy as np
import torch

from common import DEVICE


class Streams:
    """`audio` int16 [frames, 640], `motion` float16 [frames, 106] and `phones` int8 [frames, 2] of all streams of one or
    several files, one after another; `frames` has every stream's length."""

    def __init__(self, paths):
        firsts = []
        for path in paths:
            with np.load(path) as z:
                firsts.append(z["first"])
        if not firsts:
            raise SystemExit("no streams")
        self.frames = np.concatenate([np.diff(f) for f in firsts])
        self.first = np.cumsum(self.frames) - self.frames
        total, at = int(self.frames.sum()), 0
        self.audio = torch.empty(total, 640, dtype=torch.int16, device=DEVICE)
        self.motion = torch.empty(total, 106, dtype=torch.float16, device=DEVICE)
        self.phones = torch.empty(total, 2, dtype=torch.int8, device=DEVICE)
        for path, first in zip(paths, firsts):
            n = int(first[-1])
            with np.load(path) as z:
                for name in ("audio", "motion", "phones"):
                    getattr(self, name)[at : at + n] = torch.from_numpy(z[name]).view(n, -1)
            at += n
        self.lengths, self.begin = (torch.from_numpy(x).to(DEVICE) for x in (self.frames, self.first))

    def __len__(self):
        return len(self.frames)

    def hours(self):
        return self.frames.sum() / 90000

    def rows(self, streams, frames, count):
        """Rows [n, count] of `frames`, `frames` + 1, ... of `streams` (both [n]), the nearest ones where these are outside
        the stream, and which are inside."""
        streams, frames = (torch.from_numpy(np.asarray(x)).to(DEVICE, non_blocking=True) for x in (streams, frames))
        at, length = frames[:, None] + torch.arange(count, device=DEVICE), self.lengths[streams][:, None]
        inside = (at >= 0) & (at < length)
        return self.begin[streams][:, None] + torch.minimum(at.clamp(min=0), length - 1), inside

    def window(self, streams, frames, count):
        """Samples [n, 640 count], silence outside; motion [n, count, 106], the nearest outside; phones [n, 2 count]."""
        rows, inside = self.rows(streams, frames, count)
        inside = inside[..., None]
        samples = (self.audio[rows] * inside).flatten(1).float() / 32768
        return samples, self.motion[rows].float(), (self.phones[rows] * inside).flatten(1).long()
