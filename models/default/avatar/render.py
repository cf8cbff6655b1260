# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pictures that the network is taught: the posed head with soft light from all sides, shadows, skin that light
creeps into, wet eyes and lips, strands, lashes."""
import numpy as np

import native
from bind import places
from scene import normals, HAIR, LAMPS, unit

STROKE = np.array([[-1.6, -.9], [1.6, -.9], [1.6, .9], [-1.6, .9]])


class Renderer:
    def __init__(self, scene, tensors, n_skin):
        self.s, self.h = scene, scene.h
        self.strokes = {k: x[n_skin:] for k, x in tensors.items() if k.startswith('splat.')}
        self.base = np.sqrt(self.strokes['splat.feature'][:, 9:12] ** 2)
        n = len(self.base)
        q = len(self.h.rest) + 4 * np.arange(n)[:, None]
        quads = np.concatenate([q + [0, 1, 2], q + [0, 2, 3]])
        self.faces = np.concatenate([self.h.solid, quads])
        extra = self.h.extra
        self.loose = np.nonzero(extra)[0]
        firm = np.nonzero(~extra & (self.h.material == 0))[0]
        self.near = np.array([firm[((self.h.rest[firm] - self.h.rest[i]) ** 2).sum(1).argmin()] for i in self.loose])

    def draw(self, v, side=512, samples=2):
        """[side,side,4] display colour times coverage, coverage; v from Head.pose()."""
        h, s = self.h, self.s
        n, E, key = s.light(v)
        all_n = normals(v, h.f)
        E[self.loose], key[self.loose] = E[self.near], key[self.near]
        mean, p, q, m = places(self.strokes, h.f, v, all_n)
        t = h.f[self.strokes['splat.face'].astype(int)]
        place = self.strokes['splat.place']
        b = np.stack([1 - place[:, 0] - place[:, 1], place[:, 0], place[:, 1]], 1)[:, :, None]
        corner = mean[:, None] + STROKE[None, :, :1] * p[:, None] + STROKE[None, :, 1:] * q[:, None]
        each = lambda x: np.repeat(x, 4, 0)
        points = np.concatenate([v, corner.reshape(-1, 3)])
        a = np.zeros((len(points), 17), np.float32)
        V = len(v)
        tangent = s.tangent - n * (s.tangent * n).sum(1, keepdims=True)
        a[:V] = np.c_[n, E, key, h.rest, s.base, tangent, h.material]
        a[V:] = np.c_[each(m), each((E[t] * b).sum(1)), each((key[t] * b[:, :, 0]).sum(1)), each((h.rest[t] * b).sum(1)), each(self.base),
                      each(unit(p)), np.full(4 * len(mean), HAIR)]
        return native.picture(points, a, V, self.faces, side, samples, LAMPS, s.marks)
