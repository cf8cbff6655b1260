# SPDX-License-Identifier: LGPL-2.1-or-later
"""Steps 2 and 3 of FORMAT.md in NumPy: splats from posed vertices."""
import numpy as np

from scene import normals, basis

import native


def quaternions(R):
    """(w,x,y,z) [N,4] of rotation matrices [N,3,3]."""
    m = R
    t = np.stack([1 + m[:, 0, 0] + m[:, 1, 1] + m[:, 2, 2], 1 + m[:, 0, 0] - m[:, 1, 1] - m[:, 2, 2],
                  1 - m[:, 0, 0] + m[:, 1, 1] - m[:, 2, 2], 1 - m[:, 0, 0] - m[:, 1, 1] + m[:, 2, 2]], 1)
    a, b, c = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    d, e, f = m[:, 1, 0] + m[:, 0, 1], m[:, 0, 2] + m[:, 2, 0], m[:, 2, 1] + m[:, 1, 2]
    q = np.stack([np.stack([t[:, 0], a, b, c], 1), np.stack([a, t[:, 1], d, e], 1),
                  np.stack([b, d, t[:, 2], f], 1), np.stack([c, e, f, t[:, 3]], 1)], 1)
    q = q[np.arange(len(q)), t.argmax(1)]
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def places(s, faces, v, m):
    """mean, p, q, n of the splats s (dict of arrays) for vertices v and vertex normals m."""
    t = faces[s['splat.face'].astype(int)]
    place, axes = s['splat.place'].astype(np.float64), s['splat.axes'].astype(np.float64)
    b = np.stack([1 - place[:, 0] - place[:, 1], place[:, 0], place[:, 1]], 1)[:, :, None]
    n = (m[t] * b).sum(1)
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-6)
    mean = (v[t] * b).sum(1) + place[:, 2:] * n
    e1, e2 = v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]]
    p, q = (axes[:, k, 0, None] * e1 + axes[:, k, 1, None] * e2 + axes[:, k, 2, None] * n for k in (0, 1))
    return mean, p, q, n


def bind(s, faces, v, thickness):
    """means, scales [N,3], quaternions [N,4], colours [N,32] of the posed vertices v [V,3]."""
    mean, p, q, n = places(s, faces, v, normals(v, faces))
    theta = .5 * np.arctan2(2 * (p * q).sum(1), (p * p).sum(1) - (q * q).sum(1))[:, None]
    u, w = np.cos(theta) * p + np.sin(theta) * q, np.cos(theta) * q - np.sin(theta) * p
    lu, lw = np.linalg.norm(u, axis=1), np.linalg.norm(w, axis=1)
    a, b = u / np.maximum(lu, 1e-9)[:, None], w / np.maximum(lw, 1e-9)[:, None]
    R = np.stack([a, b, np.cross(a, b)], 2)
    scales = np.stack([lu, lw, np.full(len(lu), thickness)], 1)
    E = np.maximum(basis(n) @ s['light.sh'].astype(np.float64), 0)
    L = s['splat.albedo'].astype(np.float64) * E
    g = s['splat.gloss'].astype(np.float64)
    for lobe in s['light.lobe'].astype(np.float64):
        L += (g[:, 0] * np.exp(g[:, 1] * (n @ lobe[:3] - 1)))[:, None] * lobe[3:]
    rgb = np.minimum(1, np.sqrt(np.maximum(L, 0)))
    return mean, scales, quaternions(R), np.concatenate([rgb, s['splat.feature'].astype(np.float64), n], 1)


def draw(s, faces, v, config, side=None):
    """Image [S,S,32] and transmittance [S,S]."""
    mean, scales, quats, colors = bind(s, faces, v, config['thickness'])
    return native.splat(mean, scales, quats, s['splat.opacity'], colors, side or config['side'])
