# SPDX-License-Identifier: LGPL-2.1-or-later
"""A mesh whose vertices carry many linear fields at once: the position and every displacement.
What is cut, interpolated or glued on keeps all of them, so each expression follows."""
import numpy as np

from .raster import normals


class Mesh:
    """a [V,K,3]: field 0 is the position, the others displacements (K names in names).
    f [F,3] triangles; s: {name: [V] or [V,n]} further values per vertex."""

    def __init__(self, names, a, f, **scalars):
        self.names, self.a, self.f, self.s = list(names), a, f, scalars

    @property
    def v(self):
        return self.a[:, 0]

    def field(self, name):
        return self.a[:, self.names.index(name)]

    def normals(self):
        return normals(self.v, self.f)

    def take(self, rows):
        """The mesh without the vertices for which rows (bool) is false, and without their faces."""
        new = np.cumsum(rows) - 1
        f = new[self.f[rows[self.f].all(1)]]
        return Mesh(self.names, self.a[rows], f, **{k: x[rows] for k, x in self.s.items()})

    def faces(self, keep):
        """The mesh with only the faces in keep (bool), and the vertices they use."""
        rows = np.zeros(len(self.a), bool)
        rows[self.f[keep]] = True
        new = np.cumsum(rows) - 1
        return Mesh(self.names, self.a[rows], new[self.f[keep]], **{k: x[rows] for k, x in self.s.items()})

    def add(self, other):
        f = np.concatenate([self.f, other.f + len(self.a)])
        s = {k: np.concatenate([x, other.s[k]]) for k, x in self.s.items()}
        return Mesh(self.names, np.concatenate([self.a, other.a]), f, **s)


def triangles(quads):
    """Two triangles a quad, split so that left and right halves mirror one another is up to the caller."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def split_quads(quads, v):
    """Two triangles a quad along its shorter diagonal (mirror quads are split alike)."""
    d0 = np.linalg.norm(v[quads[:, 0]] - v[quads[:, 2]], axis=1)
    d1 = np.linalg.norm(v[quads[:, 1]] - v[quads[:, 3]], axis=1)
    one = d0 <= d1 + 1e-4
    # on a tie the diagonal through the vertex nearest the middle plane
    tie = np.abs(d0 - d1) < 1e-4
    near = np.abs(v[quads][:, :, 0]).argmin(1) % 2 == 0
    one = np.where(tie, near, one)
    a = np.where(one[:, None], quads[:, [0, 1, 2]], quads[:, [1, 2, 3]])
    b = np.where(one[:, None], quads[:, [0, 2, 3]], quads[:, [1, 3, 0]])
    return np.concatenate([a, b])


def cut(mesh, value, snap=0.2):
    """Inserts vertices where value [V] crosses zero.  Returns (mesh, side [F] of -1 or 1,
    line [V] bool: vertices on the cut).  Crossings close to a vertex are moved onto it."""
    value = value.copy()
    e = np.unique(np.sort(np.concatenate([mesh.f[:, [0, 1]], mesh.f[:, [1, 2]], mesh.f[:, [2, 0]]]), 1), axis=0)
    cross = value[e[:, 0]] * value[e[:, 1]] < 0
    for i, j in e[cross]:
        t = value[i] / (value[i] - value[j]) if value[i] * value[j] < 0 else 0.5
        if t < snap:
            value[i] = 0
        elif t > 1 - snap:
            value[j] = 0
    made, parents, weights = {}, [], []

    def middle(i, j):
        key = (min(i, j), max(i, j))
        if key not in made:
            made[key] = len(mesh.a) + len(parents)
            i, j = key
            parents.append(key)
            weights.append(value[i] / (value[i] - value[j]))
        return made[key]

    out, side = [], []
    sign = np.sign(value).astype(int)
    for t in mesh.f:
        s = sign[t]
        if s.min() >= 0 or s.max() <= 0:
            out.append(tuple(t))
            side.append(1 if s.sum() > 0 else -1)
            continue
        if (s == 0).any():
            k = int(np.nonzero(s == 0)[0][0])
            a, b, c = t[k], t[(k + 1) % 3], t[(k + 2) % 3]
            m = middle(b, c)
            out += [(a, b, m), (a, m, c)]
            side += [sign[b], sign[c]]
            continue
        k = int(np.nonzero(s == -s.sum())[0][0])
        a, b, c = t[k], t[(k + 1) % 3], t[(k + 2) % 3]
        p, q = middle(a, b), middle(a, c)
        out += [(a, p, q), (p, b, c), (p, c, q)]
        side += [sign[a], sign[b], sign[b]]
    line = np.r_[value == 0, np.ones(len(parents), bool)]
    a, s = mesh.a, dict(mesh.s)
    if parents:
        p, w = np.array(parents), np.array(weights)
        a = np.concatenate([a, a[p[:, 0]] * (1 - w)[:, None, None] + a[p[:, 1]] * w[:, None, None]])
        for k, x in s.items():
            u = w.reshape((-1,) + (1,) * (x.ndim - 1))
            s[k] = np.concatenate([x, (x[p[:, 0]] * (1 - u) + x[p[:, 1]] * u).astype(x.dtype)])
    return Mesh(mesh.names, a, np.array(out), **s), np.array(side), line


def hit(v, f, origin, direction):
    """First hit of rays: origin, direction [R,3] on triangles.  (face [R] or -1, bary [R,3], t [R])."""
    a = v[f[:, 0]]
    e1, e2 = v[f[:, 1]] - a, v[f[:, 2]] - a
    face, where, dist = np.full(len(direction), -1), np.zeros((len(direction), 3)), np.full(len(direction), np.inf)
    for r, (o, d) in enumerate(zip(np.broadcast_to(origin, direction.shape), direction)):
        p = np.cross(d, e2)
        det = (e1 * p).sum(1)
        det = np.where(np.abs(det) < 1e-12, 1e-12, det)
        s = o - a
        u = (s * p).sum(1) / det
        q = np.cross(s, e1)
        w = (q @ d) / det
        t = (e2 * q).sum(1) / det
        ok = (u >= -1e-6) & (w >= -1e-6) & (u + w <= 1 + 1e-6) & (t > 1e-6)
        if ok.any():
            k = np.nonzero(ok)[0][t[ok].argmin()]
            face[r], where[r], dist[r] = k, (1 - u[k] - w[k], u[k], w[k]), t[k]
    return face, where, dist


def nearest(points, targets, k=1):
    """Indices [P,k] of the k targets nearest to each point, and their distances."""
    out, dist = [], []
    for part in np.array_split(points, max(1, len(points) // 256)):
        d = np.linalg.norm(part[:, None] - targets[None], axis=2)
        i = np.argpartition(d, min(k, d.shape[1] - 1), axis=1)[:, :k]
        di = np.take_along_axis(d, i, 1)
        o = di.argsort(1)
        out.append(np.take_along_axis(i, o, 1))
        dist.append(np.take_along_axis(di, o, 1))
    return np.concatenate(out), np.concatenate(dist)
