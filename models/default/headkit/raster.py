# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small z-buffer renderer in numpy: the camera of model spec section 9, vertex colours,
smooth shading, supersampling.  Slow (about a second a picture) and for looking only."""
import numpy as np


def normals(v, f):
    """Area-weighted vertex normals [V,3] of vertices v [V,3] and triangles f [F,3]."""
    a, b, c = v[f[:, 0]], v[f[:, 1]], v[f[:, 2]]
    fn = np.cross(b - a, c - a)
    n = np.zeros_like(v)
    for k in range(3):
        np.add.at(n, f[:, k], fn)
    return n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-12)


def zbuffer(x, y, z, f, w, h):
    """Nearest triangle per pixel.  x, y in pixels, z depth (smaller is nearer), f [F,3].
    Returns (face [h,w], -1 where nothing is; screen barycentrics [h,w,3])."""
    fx, fy = x[f], y[f]
    x0 = np.clip(np.ceil(fx.min(1) - 0.5), 0, w).astype(int)
    x1 = np.clip(np.ceil(fx.max(1) - 0.5), 0, w).astype(int)
    y0 = np.clip(np.ceil(fy.min(1) - 0.5), 0, h).astype(int)
    y1 = np.clip(np.ceil(fy.max(1) - 0.5), 0, h).astype(int)
    area = (fx[:, 1] - fx[:, 0]) * (fy[:, 2] - fy[:, 0]) - (fx[:, 2] - fx[:, 0]) * (fy[:, 1] - fy[:, 0])
    n = (x1 - x0) * (y1 - y0)
    n[np.abs(area) < 1e-9] = 0
    ids = np.nonzero(n > 0)[0]
    face = np.full(h * w, -1)
    best = np.full(h * w, np.inf)
    bary = np.zeros((h * w, 3), np.float32)
    for part in np.array_split(ids, max(1, int(n[ids].sum() // 4_000_000) + 1)):
        t = np.repeat(part, n[part])
        if not len(t):
            continue
        k = np.arange(len(t)) - np.repeat(np.cumsum(n[part]) - n[part], n[part])
        bw = x1[t] - x0[t]
        px, py = x0[t] + k % bw, y0[t] + k // bw
        cx, cy = px + 0.5, py + 0.5
        X, Y = fx[t], fy[t]
        w0 = ((X[:, 1] - cx) * (Y[:, 2] - cy) - (X[:, 2] - cx) * (Y[:, 1] - cy)) / area[t]
        w1 = ((X[:, 2] - cx) * (Y[:, 0] - cy) - (X[:, 0] - cx) * (Y[:, 2] - cy)) / area[t]
        w2 = 1 - w0 - w1
        ok = (w0 >= 0) & (w1 >= 0) & (w2 >= 0)
        t, w0, w1, w2 = t[ok], w0[ok], w1[ok], w2[ok]
        p = (py * w + px)[ok]
        d = w0 * z[f[t, 0]] + w1 * z[f[t, 1]] + w2 * z[f[t, 2]]
        order = np.lexsort((d, p))
        p, d, t = p[order], d[order], t[order]
        b = np.stack([w0, w1, w2], 1)[order]
        first = np.r_[True, p[1:] != p[:-1]] if len(p) else np.zeros(0, bool)
        p, d, t, b = p[first], d[first], t[first], b[first]
        near = d < best[p]
        best[p[near]], face[p[near]], bary[p[near]] = d[near], t[near], b[near]
    return face.reshape(h, w), bary.reshape(h, w, 3)


def turn(v, yaw=0.0, pitch=0.0, pivot=(0, 0, 0)):
    """v turned about the y axis by yaw, then about x by pitch (radians)."""
    c, s = np.cos(yaw), np.sin(yaw)
    ry = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(pitch), np.sin(pitch)
    rx = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return (v - pivot) @ (rx @ ry).T + pivot


def shade(v, f, color, size=512, samples=2, background=(0.80, 0.83, 0.86), zoom=1.0,
          look=(0.0, 0.0), gloss=None):
    """A picture [size,size,3] uint8 of the head.  zoom and look (metres) move the picture only."""
    n = normals(v, f)
    s = size * samples
    depth = 2.0 - v[:, 2]
    x = (12 * zoom * (v[:, 0] - look[0]) / depth + 1) * s / 2
    y = (1 - 12 * zoom * (v[:, 1] - look[1]) / depth) * s / 2
    face, b = zbuffer(x, y, depth, f, s, s)
    hit = face >= 0
    t = f[face[hit]]
    w = b[hit] / depth[t]
    w = (w / w.sum(1, keepdims=True))[:, :, None]
    P, N, C = (v[t] * w).sum(1), (n[t] * w).sum(1), (color[t] * w).sum(1)
    N /= np.maximum(np.linalg.norm(N, axis=1, keepdims=True), 1e-9)
    L = np.array([0, 1, 3.0]) - P
    L /= np.linalg.norm(L, axis=1, keepdims=True)
    E = np.array([0, 0, 2.0]) - P
    E /= np.linalg.norm(E, axis=1, keepdims=True)
    c = (N * L).sum(1)
    R = 2 * c[:, None] * N - L
    spec = 0.12 * np.maximum((R * E).sum(1), 0) ** 10 * (c > 0)
    if gloss is not None:
        spec = spec * (gloss[t][:, :, None] * w).sum(1)[:, 0]
    out = np.empty((s, s, 3))
    out[:] = background
    out[hit] = np.clip(C * (0.55 + 0.42 * np.maximum(c, 0))[:, None] + spec[:, None] * 0.8, 0, 1)
    out = out.reshape(size, samples, size, samples, 3).mean((1, 3))
    return (out * 255 + 0.5).astype(np.uint8)
