# SPDX-License-Identifier: LGPL-2.1-or-later
"""The slit between the lips: measured as seen from the front, closed at rest, and kept closed by
mouthClose while the jaw joint is open."""
import numpy as np

from . import rig


def section(v, f, x0):
    """Points [n,3] where the edges of triangles f cross the plane x = x0."""
    s = v[f][:, :, 0] - x0
    out = []
    for k in range(3):
        a, b = s[:, k], s[:, (k + 1) % 3]
        c = (a * b <= 0) & (a != b)
        t = (a / np.where(a == b, 1, a - b))[c][:, None]
        out.append(v[f[c, k]] * (1 - t) + v[f[c, (k + 1) % 3]] * t)
    return np.concatenate(out)


def gap(v, upper, lower, x0):
    """Height between the lips' triangles upper and lower at x = x0 seen from the front; below 0 they overlap."""
    a, b = section(v, upper, x0), section(v, lower, x0)
    return a[:, 1].min() - b[:, 1].max() if len(a) and len(b) else np.nan


def seal(v, f, lips, lower, overlap=.003, rounds=4):
    """Moves the lips' edges (in place, dm) until they overlap a little everywhere at rest.
    f: the lips' triangles; lips, lower: bool per vertex (lower: goes down with the jaw)."""
    low = lower[f].sum(1) >= 2
    i = np.nonzero(lips)[0]
    width = np.abs(v[i, 0]).max()
    xs = np.linspace(0, width * .96, 24) + 1e-4
    for _ in range(rounds):
        g = np.array([gap(v, f[~low], f[low], x) for x in xs])
        ok = ~np.isnan(g)
        edge_u = np.array([section(v, f[~low], x)[:, 1].min() for x in xs[ok]])
        need = np.interp(np.abs(v[i, 0]), xs[ok], np.maximum(g[ok] + overlap, 0)) / 2
        line = np.interp(np.abs(v[i, 0]), xs[ok], edge_u - g[ok] / 2)
        fall = np.exp(-((v[i, 1] - line) / .035) ** 2)
        v[i, 1] += np.where(lower[i], 1, -1) * need * fall


def close_for_jaw(v, opened, close, joint, w, posedirs, full, angle=.12):
    """mouthClose [V,3] for use with the jaw joint: at the given angle, and about there, the joint with it
    gives what the artist's jawOpen and mouthClose give together at the same share."""
    k = angle / full
    R = rig.rodrigues([angle, 0, 0])
    M = (1 - w)[:, None, None] * np.eye(3) + w[:, None, None] * R
    t = w[:, None] * (joint - R @ joint)
    p = posedirs[:, :, 9:18] @ (R - np.eye(3)).ravel()
    want = v + k * (opened + close)
    got = np.linalg.solve(M, (want - t)[:, :, None])[:, :, 0]
    made = (got - v - p) / k
    size = np.linalg.norm(close, axis=1, keepdims=True)
    share = np.clip(size / (.35 * size.max()) - .1, 0, 1)      # the lips; fading out towards the chin
    share = share * share * (3 - 2 * share)
    return close + share * (made - close)
