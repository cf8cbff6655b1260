# SPDX-License-Identifier: LGPL-2.1-or-later
"""Regions of the base mesh, soft weights on it, and how much of the sky each vertex sees."""
import numpy as np

from .raster import normals, zbuffer

# Regions of the hm08 base mesh as in its CC0 masks mpfb_lips and mpfb_inside-mouth: the left half and
# the middle, as ranges of vertex numbers; the right half is its mirror image.
LIP_RANGES = [(405, 406), (409, 421), (424, 425), (427, 449), (451, 455), (457, 478), (480, 484), (487, 490),
              (492, 539), (3704, 3709), (3731, 3735), (5351, 5354), (5359, 5362)]
MOUTH_RANGES = [(540, 710), (3710, 3730), (5347, 5350), (5355, 5358), (5365, 5366)]

EAR_RANGES = [(5412, 5423), (5425, 5426), (5428, 5543), (5567, 5726), (5728, 5734)]


def region(ranges, mirror):
    """bool [19158] of the ranges and their mirror images."""
    out = np.zeros(len(mirror), bool)
    for a, b in ranges:
        out[a:b + 1] = True
    out[mirror[out]] = True
    return out


def blob(v, at, size):
    """Gaussian weight [V] around at; size per axis."""
    return np.exp(-(((v - at) / size) ** 2).sum(1))


def mix(color, other, w):
    return color * (1 - w[:, None]) + np.asarray(other) * w[:, None]


def occlusion(v, f, count=48, size=280, bias=.022):
    """Share [V] of the sky above each vertex that is open, by depth pictures from count directions."""
    k = np.arange(count) + .5
    y = 1 - 2 * k / count
    phi = np.pi * (1 + 5 ** .5) * k
    dirs = np.stack([np.cos(phi) * np.sqrt(1 - y * y), y, np.sin(phi) * np.sqrt(1 - y * y)], 1)
    n = normals(v, f)
    seen, total = np.zeros(len(v)), np.zeros(len(v))
    centre, radius = (v.max(0) + v.min(0)) / 2, np.linalg.norm(v.max(0) - v.min(0)) / 2
    for d in dirs:
        side = np.cross(d, [.3, 1, .2])
        side /= np.linalg.norm(side)
        up = np.cross(side, d)
        p = (v - centre) / radius
        x, yy, z = (p @ side + 1) * size / 2, (p @ up + 1) * size / 2, -(p @ d)
        face, b = zbuffer(x, yy, z, f, size, size)
        depth = np.where(face >= 0, (z[f[face]] * b).sum(2), 9)
        ix, iy = np.clip(x.astype(int), 0, size - 1), np.clip(yy.astype(int), 0, size - 1)
        w = np.maximum(n @ d, 0)
        total += w
        seen += w * (z <= depth[iy, ix] + bias)
    return seen / np.maximum(total, 1e-6)


def smooth(values, f, rounds=1):
    """values [V] averaged over the edges."""
    for _ in range(rounds):
        s, n = values.copy(), np.ones(len(values))
        for a, b in ((0, 1), (1, 2), (2, 0)):
            for i, j in ((a, b), (b, a)):
                np.add.at(s, f[:, i], values[f[:, j]])
                np.add.at(n, f[:, i], 1)
        values = s / n
    return values
