# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hair as one shell over the scalp, brows as small tufts on the skin, in their plain form.  Both hang on the skin
below them, vertex by vertex, and so follow it in every direction of shape and expression; a face's own hair moves
the vertices from here (groom.py)."""
import numpy as np

from .mesh import Mesh, hit, nearest

# The hairline as seen from the skull's middle: azimuth (degrees, 0 is the front, 180 the back) and
# elevation.  Forehead, temple, sideburn, above and behind the ear, nape.
LINE = [(0, 38), (12, 38.5), (24, 37.5), (33, 34), (41, 28), (49, 22), (56, 11), (61, -5), (65, -16), (69, -14),
        (73, 0), (80, 9), (90, 12), (100, 8), (108, -5), (116, -20), (128, -30), (145, -36), (165, -39), (180, -40)]
COLUMNS, ROWS = 72, 12


def direction(azimuth, elevation):
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.stack([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], -1)


def wave(u, rng, n):
    """Smooth periodic noise of u in 0..1, about -1..1, with up to n waves."""
    k = np.arange(1, n + 1)
    amp = rng.normal(size=n) / np.sqrt(k)
    ph = rng.uniform(0, 2 * np.pi, n)
    y = (amp * np.sin(2 * np.pi * np.outer(u, k) + ph)).sum(1)
    return y / np.abs(y).max()


def glue(skin, points, source, k=6):
    """Displacement fields at points: those of the k nearest of source (skin vertex numbers), by distance."""
    i, d = nearest(points, skin.v[source], k)
    w = 1 / (d + 1e-3) ** 2
    w /= w.sum(1, keepdims=True)
    return np.einsum('pk,pkfc->pfc', w, skin.a[source][i])


def shell(skin, scalp, centre, part):
    """The hair as a Mesh.  skin: the head in dm; scalp: bool per vertex, what rays may hit; centre: the
    skull's middle; part: (azimuth, elevation) in degrees where the strands start."""
    rng = np.random.default_rng(5)
    n, half = COLUMNS, COLUMNS // 2
    az = np.interp(np.linspace(0, 1, half + 1), [0, .55, 1], [0, 86, 180])   # dense in front
    az = np.r_[az, 360 - az[1:-1][::-1]]
    side = np.abs((az + 180) % 360 - 180)
    tuft = wave(np.arange(n) / n, rng, 30)
    fine = rng.uniform(-1, 1, n)
    # locks: the edge runs in and out, most over the forehead and at the nape
    el = np.interp(side, *np.array(LINE).T)
    el = el + np.interp(side, [0, 45, 62, 120, 180], [3.2, 1.5, .6, 1, 2.6]) * (.7 * tuft + .5 * fine)
    pole, edge = direction(*part), direction(az, el)
    rows = np.linspace(0, 1, ROWS + 1)[1:] ** .85
    ang = np.arccos(np.clip(edge @ pole, -1, 1))[:, None]
    d = [pole[None]] + [(np.sin((1 - t) * ang) * pole + np.sin(t * ang) * edge) / np.sin(ang) for t in rows]
    d = np.concatenate(d + [direction(az, el - 2.5)])
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    t = np.r_[0, np.repeat(rows, n), np.full(n, 1.1)]
    col = np.r_[0, np.tile(np.arange(n), ROWS + 1)]
    faces = skin.f[scalp[skin.f].all(1)]
    face, _, dist = hit(skin.v, faces, centre, d)
    miss = face < 0                                          # behind the ears
    near, gap = nearest(d[miss], d[~miss], 8)
    w = 1 / (gap + 1e-3)
    dist[miss] = (dist[~miss][near] * w).sum(1) / w.sum(1)
    foot = centre + d * dist[:, None]
    # thickness in dm by the height above the hairline: thin at the edge, full on top, most over the forehead
    az_d = np.abs(np.degrees(np.arctan2(d[:, 0], d[:, 2])))
    el_d = np.degrees(np.arcsin(np.clip(d[:, 1], -1, 1)))
    rise = np.clip((el_d - np.interp(az_d, *np.array(LINE).T)) / 38, 0, 1)
    front = np.interp(az_d, [0, 45, 80], [1, .8, 0]) * np.exp(-((el_d - 58) / 20) ** 2)
    flank = np.interp(az_d, [45, 75, 115, 150], [0, 1, 1, 0]) * np.clip((70 - el_d) / 40, 0, 1)
    thick = .030 + (.150 - .055 * flank + .085 * front) * np.sin(rise * np.pi / 2) ** .8
    body = np.sin(np.pi * np.clip(t, 0, 1) * .92)
    thick += (.030 * tuft[col] + .012 * fine[col]) * body * (.35 + .65 * rise)
    # the parting: a shallow dent where the strands start
    thick -= .05 * np.exp(-(np.arccos(np.clip(d @ pole, -1, 1)) / .22) ** 2)
    thick[t > 1.05] = -.05
    p = foot + d * thick[:, None]
    f = []
    for c in range(n):
        c1 = (c + 1) % n
        f.append((0, 1 + c, 1 + c1))
        for r in range(ROWS):
            a, b = 1 + r * n + c, 1 + r * n + c1
            f += [(a, a + n, b + n), (a, b + n, b)]
    a = glue(skin, foot, np.nonzero(scalp)[0])
    a[:, 0] = p
    keep = [k for k, name in enumerate(skin.names) if k == 0 or name.startswith('id:')]
    move = np.zeros_like(a)
    move[:, keep] = a[:, keep]
    # near the forehead's edge the hair goes with the brows
    w = np.clip((t - .6) / .4, 0, 1)[:, None, None] * (az_d < 90)[:, None, None]
    rest = [k for k in range(len(skin.names)) if k not in keep]
    move[:, rest] = a[:, rest] * w
    return Mesh(skin.names, move, np.array(f), material=np.full(len(p), 5, np.uint8), part=np.full(len(p), 5, np.uint8))


def on_skin(skin, faces, xy, z0):
    """All fields [P,K,3] and the normal at the front of the skin, at positions xy [P,2]."""
    o = np.c_[xy, np.full(len(xy), z0)]
    face, bary, _ = hit(skin.v, faces, o, np.tile([0, 0, -1.0], (len(xy), 1)))
    if (face < 0).any():
        raise ValueError('brow: a point is not above the skin')
    t = faces[face]
    n = (skin.normals()[t] * bary[:, :, None]).sum(1)
    return np.einsum('pk,pkfc->pfc', bary, skin.a[t]), n / np.linalg.norm(n, axis=1, keepdims=True)


# The left brow from the inner to the outer end, relative to the eye's middle (dm): x, y, half width
BROW = [(-.150, .186, .016), (-.115, .202, .028), (-.04, .226, .030), (.05, .246, .027), (.12, .250, .022),
        (.18, .232, .015), (.235, .196, .004)]


def brow(skin, faces, eye, side):
    """One brow: a ribbon of four points across."""
    rng = np.random.default_rng(11)
    x, y, w = np.array(BROW).T
    t = np.linspace(0, 1, len(x))
    sign = 1 if side == 'Left' else -1

    def at(u):
        return np.stack([np.interp(u, t, x), np.interp(u, t, y)], -1)

    xy, f, lift = [], [], []
    n = 20
    for k in range(n + 1):
        u = k / n
        p, h = at(u), np.interp(u, t, w)
        q = at(min(1, u + .04)) - at(max(0, u - .04))
        q = np.array([-q[1], q[0]]) / np.linalg.norm(q)
        jag = rng.uniform(.9, 1.1)
        for s, up in ((-1, .003), (-.4, .011), (.35, .011), (1, .003)):
            lean = np.array([.012, .003]) * (s + 1) / 2      # hairs lean outwards
            xy.append(p + q * h * s * (jag if abs(s) == 1 else 1) + lean)
            lift.append(up)
            rng.uniform(.88, 1)
        if k < n:
            a = 4 * k
            for j in range(3):
                f += [(a + j, a + j + 4, a + j + 5), (a + j, a + j + 5, a + j + 1)]
    xy = np.array(xy)
    a, nrm = on_skin(skin, faces, np.c_[eye[0] + sign * xy[:, 0], eye[1] + xy[:, 1]], eye[2] + 2)
    a[:, 0] += nrm * np.array(lift)[:, None]
    f = np.array(f)
    if side == 'Right':
        f = f[:, [0, 2, 1]]
    return Mesh(skin.names, a, f, material=np.full(len(a), 7, np.uint8), part=np.full(len(a), 6, np.uint8))
