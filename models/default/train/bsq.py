# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interpolation along time and the multi-scale binary spherical quantiser.

Model spec, sections 2 and 3. Time is the second axis: [batch, steps, channels].
"""

import functools
import math

import torch
import torch.nn.functional as F


@functools.lru_cache(maxsize=None)
def area_matrix(length: int, n: int) -> torch.Tensor:
    """[n, length]: output i averages inputs floor(i*L/n) .. ceil((i+1)*L/n)-1."""
    m = torch.zeros(n, length, dtype=torch.float64)
    for i in range(n):
        a, b = i * length // n, -((-(i + 1) * length) // n)
        m[i, a:b] = 1.0 / (b - a)
    return m


@functools.lru_cache(maxsize=None)
def linear_matrix(length: int, n: int) -> torch.Tensor:
    """[n, length]: half-pixel linear interpolation, edges clamped."""
    m = torch.zeros(n, length, dtype=torch.float64)
    for i in range(n):
        pos = max((i + 0.5) * length / n - 0.5, 0.0)
        lo = min(int(math.floor(pos)), length - 1)
        hi = min(lo + 1, length - 1)
        m[i, lo] += 1.0 - (pos - lo)
        m[i, hi] += pos - lo
    return m


@functools.lru_cache(maxsize=None)
def _cast(make, length, n, dtype, device):
    return make(length, n).to(device, dtype)


def area(x: torch.Tensor, n: int) -> torch.Tensor:
    return _cast(area_matrix, x.shape[1], n, x.dtype, x.device) @ x


def linear(x: torch.Tensor, n: int) -> torch.Tensor:
    return _cast(linear_matrix, x.shape[1], n, x.dtype, x.device) @ x


class Bsq:
    """Scales `patches` (the last is the chunk length T), `bits` per token."""

    def __init__(self, patches, bits):
        self.patches = list(patches)
        self.k = bits
        self.length = self.patches[-1]
        self.tokens = sum(self.patches)

    def value(self, bits: torch.Tensor) -> torch.Tensor:
        return (2.0 * bits - 1.0) / math.sqrt(self.k)

    def encode(self, x: torch.Tensor, flip: torch.Tensor | None = None, given: torch.Tensor | None = None):
        """Returns (bits, z, used): [B, L, K] the wanted bits as 0/1, the unit
        rows they are signs of, and the bits used (with `flip` [B, L, K] bool
        turned over, or those `given` in their stead; the wanted bits of the
        later scales correct the error)."""
        r, bits, zs, used, at = x, [], [], [], 0
        for p in self.patches:
            z = F.normalize(r if p == self.length else area(r, p), dim=-1, eps=1e-12)
            b = (z > 0).to(x.dtype)
            u = b if flip is None else torch.where(flip[:, at : at + p], 1 - b, b)
            u = u if given is None else given[:, at : at + p]
            q = self.value(u)
            r = r - (q if p == self.length else linear(q, self.length))
            bits.append(b)
            zs.append(z)
            used.append(u)
            at += p
        return torch.cat(bits, 1), torch.cat(zs, 1), torch.cat(used, 1)

    def split(self, tokens: torch.Tensor):
        return torch.split(tokens, self.patches, dim=1)

    def sum_feat(self, values: torch.Tensor) -> torch.Tensor:
        """Values [B, L, K] of all scales to [B, T, K]."""
        parts = self.split(values)
        return sum(linear(v, self.length) for v in parts[:-1]) + parts[-1]

    def next_feats(self, values: torch.Tensor, scales: int | None = None):
        """Values of the first scales to the rows of scales 1 .. `scales`
        (default all but the first): [B, rows, K]."""
        n = len(self.patches) - 1 if scales is None else scales
        f, out, at = 0.0, [], 0
        for i in range(n):
            p = self.patches[i]
            f = f + linear(values[:, at : at + p], self.length)
            at += p
            nxt = self.patches[i + 1]
            out.append(f if nxt == self.length else area(f, nxt))
        return torch.cat(out, 1)
