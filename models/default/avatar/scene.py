# SPDX-License-Identifier: LGPL-2.1-or-later
"""The head, posed, with what the renderer and the splats need to know of it, and the studio's light.
Units: metres times SCALE, x to the head's left, y up, z to the camera, which stands at (0, 0, 10)."""
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from headkit import rig, tensors  # noqa: E402
from headkit.raster import normals  # noqa: E402
from headkit.tone import shade  # noqa: E402
from check_head import png  # noqa: E402,F401

import native  # noqa: E402

SCALE = 5
SKIN, LIPS, EYE, TEETH, MOUTH, HAIR, CLOTH, LASH = range(8)
HEAD_FILE = os.path.join(os.path.dirname(HERE), 'head.safetensors')
JAW_FULL = rig.JAW_FULL


def unit(x):
    x = np.asarray(x, np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


class Head:
    """head.safetensors, posable by motion rows of 106 numbers."""

    def __init__(self, path=HEAD_FILE):
        t, self.meta = tensors.load(path)
        self.f = t['flame_model.f'].astype(np.int32)
        self.rest = t['flame_model.v_template'].astype(np.float64) * SCALE
        self.v0 = t['flame_model.v_template'].astype(np.float64)
        dirs = t['flame_model.shapedirs'].astype(np.float32)
        self.dirs = dirs[:, :, dirs.shape[2] - 100:].reshape(-1, 100)
        self.pos, self.w = t['flame_model.posedirs'].astype(np.float64), t['flame_model.weights'].astype(np.float64)
        self.joints = t['flame_model.J_regressor'].astype(np.float64) @ self.v0
        self.channels = self.meta['channels'].split(',')
        self.material, self.color = np.where(t['material'] == LASH, HAIR, t['material']).astype(int), t['color'].astype(np.float64)
        self.eyes = self.joints[3:5] * SCALE
        self.parts()

    def motion(self, jaw=0.0, turn=(0, 0, 0), **units):
        """A row [106]; a name without Left or Right stands for both."""
        m = np.zeros(106)
        for name, x in units.items():
            for c in [name] if name in self.channels else [name + 'Left', name + 'Right']:
                m[self.channels.index(c)] += x
        m[100:103] = turn
        m[103] = jaw
        return m

    def pose(self, m):
        """Vertices [V,3] in metres times SCALE (no expression moves a joint)."""
        vs = self.v0 + (self.dirs @ m[:100].astype(np.float32)).reshape(-1, 3)
        z = [0, 0, 0]
        return rig.skin(vs, self.joints, self.w, self.pos, [m[100:103], z, m[103:106], z, z]) * SCALE

    def parts(self):
        """Numbers of the connected pieces that are told apart: hair shell, brows, lashes."""
        p = np.arange(len(self.rest))
        for _ in range(200):
            low = p[self.f].min(1)
            old = p.copy()
            for k in range(3):
                np.minimum.at(p, self.f[:, k], low)
            if (p == old).all():
                break
        self.piece = p
        ids = [k for k in np.unique(p) if self.material[k] == HAIR]
        size = {k: (p == k).sum() for k in ids}
        self.shell = p == max(ids, key=size.get)
        self.brows = [p == k for k in ids if size[k] == 84]
        self.lashes = [p == k for k in ids if size[k] == 65]
        extra = np.any(self.brows, 0)                            # strokes take the place of these
        self.extra = extra
        self.solid = self.f[~extra[self.f].any(1)]


# --- light ---
KEY, RIM, FILL = unit([-.50, .52, .70]), unit([.74, .35, -.52]), unit([.80, .10, .60])


def studio(count=84):
    """Directions [D,3], radiance [D,3] (weights of the integral included), share of the key lamp [D]."""
    k = np.arange(count) + .5
    y = 1 - 2 * k / count
    phi = np.pi * (1 + 5 ** .5) * k
    d = np.stack([np.cos(phi) * np.sqrt(1 - y * y), y, np.sin(phi) * np.sqrt(1 - y * y)], 1)
    lobe = lambda at, sharp: np.exp(sharp * (d @ at - 1))[:, None]
    key = lobe(KEY, 8)
    L = 3.3 * key * [1.0, .945, .875]
    L = L + .28 * lobe(FILL, 3) * [.86, .94, 1.05]
    L += 1.15 * lobe(RIM, 7) * [.95, 1.0, 1.1] + 0.65 * lobe(unit([-.85, .3, -.45]), 7) * [1.0, .97, .93]
    L += (.185 * (.5 + .5 * d[:, 1:2]) * [.96, 1.0, 1.06] + .17 * (.5 - .5 * d[:, 1:2]) * [1.08, .96, .88]) * (.55 + .45 * np.clip(d[:, 2:], 0, 1))
    return d, L * (4 * np.pi / count) / np.pi * 1.47, key[:, 0]


DIRS, RADIANCE, KEYS = studio()
LAMPS = np.r_[KEY, 1.0, .95, .88, RIM, .95, 1.0, 1.1, FILL, .86, .94, 1.05]
WRAP = np.array([[.32, .17, .11], [.34, .17, .13], [.15, .13, .12], [.30, .27, .24], [.32, .2, .16], [.25, .25, .25], [.12, .12, .12]])


def basis(n):
    x, y, z = n[:, 0], n[:, 1], n[:, 2]
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], 1)


def harmonics():
    """[9,3]: the irradiance without shadows, skin's softness in it."""
    rng = np.random.default_rng(0)
    n = unit(rng.normal(size=(1500, 3)))
    c = n @ DIRS.T
    E = np.stack([np.maximum(0, (c + a) / (1 + a)) @ RADIANCE[:, k] for k, a in enumerate(WRAP[SKIN])], 1)
    return np.linalg.lstsq(basis(n), E, rcond=None)[0]


class Scene:
    """Colours and places at rest of a Head, and light for its poses."""

    def __init__(self, head):
        self.h = h = head
        self.wrap = WRAP[h.material]
        n = normals(h.rest, h.solid)
        white = np.full((len(DIRS), 3), 4.0 / len(DIRS))
        open_, _ = native.lighting(h.rest, h.solid, h.rest, n, np.zeros_like(h.rest), DIRS, white, KEYS)
        ao = np.clip(open_[:, 0], 0, 1)
        lash = (h.material == HAIR) & ~h.shell
        base = np.clip(h.color / shade(ao, np.where(lash, LASH, h.material)), 0, 1)
        base[h.shell] = [.33, .225, .15]
        for lash in h.lashes:
            base[lash] = [.13, .085, .07]
        self.base = base
        self.base[h.material == SKIN] = np.clip(self.base[h.material == SKIN] * [1.0, 1.0, .985], 0, .93)
        # smoothed over the triangles: the division is coarse
        self.base = self.smooth(self.base, np.isin(h.material, (SKIN,)), 2)
        skull = (np.array([0, h.eyes[0][1] / SCALE + .010, h.eyes[0][2] / SCALE - .095]) * SCALE)
        az, el = np.radians(38.0), np.radians(66.0)
        self.pole = np.array([np.sin(az) * np.cos(el), np.sin(el), np.cos(az) * np.cos(el)])
        mouth = h.rest[h.material == LIPS].mean(0)
        self.marks = np.r_[h.eyes[0], h.eyes[1], self.pole, skull, mouth]
        self.skull = skull
        d = unit(h.rest - skull)
        self.tangent = unit(d * (d @ self.pole)[:, None] - self.pole)       # away from the pole
        self.tangent -= n * (self.tangent * n).sum(1, keepdims=True)
        self.tangent = unit(self.tangent)

    def smooth(self, x, on, rounds):
        f = self.h.f[on[self.h.f].all(1)]
        for _ in range(rounds):
            s, c = x.copy(), np.ones(len(x))
            for a, b in ((0, 1), (1, 2), (2, 0)):
                for i, j in ((a, b), (b, a)):
                    np.add.at(s, f[:, i], x[f[:, j]])
                    np.add.at(c, f[:, i], 1)
            x = np.where(on[:, None], s / c[:, None], x)
        return x

    def light(self, v):
        """Normals, irradiance [V,3], key share [V] of posed vertices."""
        n = normals(v, self.h.solid)
        E, key = native.lighting(v, self.h.solid, v, n, self.wrap, DIRS, RADIANCE, KEYS)
        E = self.smooth(E.astype(np.float64), np.isin(self.h.material, (SKIN, LIPS)), 1)
        for part, gain, least in ((TEETH, 1.2, .26), (MOUTH, 1.6, .42)):   # the mouth's inside sends light back
            i = self.h.material == part
            E[i] = np.maximum(E[i] * gain, least)
        E[self.h.material == CLOTH] *= .9
        return n, E, key
