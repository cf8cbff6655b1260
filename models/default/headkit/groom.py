# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hair, brows and lashes of one face: new places and colours for the vertices that hair.py made.
All lengths in dm, angles in degrees; colours sRGB 0..1."""
import numpy as np

from . import hair
from .mesh import hit, nearest

# a hairstyle: what a face does not name is as here
CUT = {
    'line': 0.0,                # the hairline over forehead and temples, up (+) or down
    'recede': 0.0,              # the corners above the temples, up
    'nape': 0.0,                # the line at the nape, up
    'part': [38, 66],           # where the strands start: azimuth, elevation
    'volume': .15,              # thickness on top
    'flank': .6,                # share of it at the sides
    'front': .4,                # more of it over the forehead
    'edge': .032,               # thickness at the hairline
    'clump': 5,                 # columns in a lock
    'depth': .045,              # how far a lock stands out
    'tip': 4.5,                 # how far its tip runs beyond the line
    'pull': .5,                # how far its strands come together at the tip
    'curl': 0.0,                # waves across the strands
    'curls': 5.0,               # how many from crown to tip
    'soft': .08,                # how much of the skin shows through at the edge
    'streak': .16,              # light and dark strands
    'shine': .30,
    'bare': 0.0,                # share of the scalp's colour: 1 is bald
    'hang': [],                 # [azimuth, drop]: how far below the skull's middle long hair ends
    'width': [.90, .85]}        # half width and half depth of what hangs


def line_of(cut, side):
    """Elevation of the hairline at azimuth side [P], 0..180."""
    line = np.array(hair.LINE).T
    # the line is steep before the ear: the lowest nearby, so that every identity's skin is covered
    el = np.min([np.interp(side + np.interp(side, [58, 66, 84, 92], [0, x, x, 0]), *line) for x in (-3, 0, 3)], 0)
    el = el + cut['line'] * np.interp(side, [0, 45, 60, 75], [1, 1, .4, 0])
    el = el + cut['recede'] * np.exp(-((side - 32) / 10) ** 2)
    return el + cut['nape'] * np.interp(side, [95, 125, 180], [0, 1, 1])


def columns():
    """Azimuth [72] of the shell's columns."""
    half = hair.COLUMNS // 2
    az = np.interp(np.linspace(0, 1, half + 1), [0, .55, 1], [0, 86, 180])
    return np.r_[az, 360 - az[1:-1][::-1]]


def locks(n, size, rng):
    """Splits n columns round the head into locks: the lock's number, the column's place in it (-1..1)
    and the lock's middle column, each [n]."""
    cuts, k = [0], 0
    while k < n:
        k += max(2, int(round(size * rng.uniform(.65, 1.4))))
        cuts.append(min(k, n))
    lock, place, middle = np.zeros(n, int), np.zeros(n), np.zeros(n)
    for i, (a, b) in enumerate(zip(cuts[:-1], cuts[1:])):
        m = (a + b - 1) / 2
        lock[a:b], middle[a:b] = i, m
        place[a:b] = (np.arange(a, b) - m) / max(.5, (b - a) / 2)
    return lock, place, middle


def ground(skin, faces, centre, d):
    """Distance [P] from centre to the skin in directions d; where rays miss, that of the nearest ones."""
    face, _, dist = hit(skin, faces, centre, d)
    miss = face < 0
    if miss.any():
        near, gap = nearest(d[miss], d[~miss], 8)
        w = 1 / (gap + 1e-3)
        dist[miss] = (dist[~miss][near] * w).sum(1) / w.sum(1)
    return dist


def shell(cut, skin, faces, centre, color, tone, seed):
    """Places [937,3] and colours [937,3] of the hair.  skin [V,3], faces: the scalp; tone: the skin's colour."""
    cut = {**CUT, **cut}
    rng = np.random.default_rng(seed)
    n, rows = hair.COLUMNS, hair.ROWS
    az = columns()
    side = np.abs((az + 180) % 360 - 180)
    lock, place, middle = locks(n, cut['clump'], rng)
    bulge = 1 - place ** 2
    lively = rng.uniform(-1, 1, lock.max() + 1)[lock]         # per lock
    fine = rng.uniform(-1, 1, n)
    # strands of a lock come together at its tip
    turn = np.interp(middle, np.arange(n + 1), np.r_[np.unwrap(np.radians(az)), 2 * np.pi])
    own = np.unwrap(np.radians(az))
    tip_az = np.degrees(own + cut['pull'] * (turn - own))
    el = line_of(cut, side)
    free = np.interp(side, [0, 40, 62, 78, 118, 180], [1, .8, .35, .1, .6, 1])  # round the ears the edge is trimmed
    el_tip = el - cut['tip'] * free * (bulge - .35 + .35 * lively)
    el_tip -= np.interp(side, [58, 66, 120, 130], [0, 1.5, 1.5, 0])
    # never so high that the skin which the plain hair hides, and which is not there, would show
    el_tip = np.minimum(el_tip, np.interp(side, *np.array(hair.LINE).T) + np.interp(side, [55, 64, 122, 130], [4, 1, 1, 4]))
    pole = hair.direction(*cut['part'])
    t = np.r_[0, np.repeat(np.linspace(0, 1, rows + 1)[1:] ** .85, n), np.full(n, 1.1)]
    col = np.r_[0, np.tile(np.arange(n), rows + 1)]
    d = np.empty((len(t), 3))
    d[0] = pole
    for r in range(rows):
        u = t[1 + r * n]
        edge = hair.direction(az + (tip_az - az) * u ** 2, el + (el_tip - el) * u ** 3)
        ang = np.arccos(np.clip(edge @ pole, -1, 1))[:, None]
        d[1 + r * n:1 + (r + 1) * n] = (np.sin((1 - u) * ang) * pole + np.sin(u * ang) * edge) / np.sin(ang)
    d[1 + rows * n:] = hair.direction(tip_az, el_tip - 1.5)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    dist = ground(skin, faces, centre, d)
    az_d = np.abs(np.degrees(np.arctan2(d[:, 0], d[:, 2])))
    el_d = np.degrees(np.arcsin(np.clip(d[:, 1], -1, 1)))
    rise = np.clip((el_d - line_of(cut, az_d)) / 42, 0, 1)
    up = np.sin(rise * np.pi / 2)
    flank = np.interp(az_d, [45, 75, 115, 180], [0, 1, 1, .6]) * np.clip((70 - el_d) / 40, 0, 1)
    front = np.interp(az_d, [0, 45, 80], [1, .8, 0]) * np.exp(-((el_d - 56) / 18) ** 2)
    thick = cut['edge'] + cut['volume'] * (1 - (1 - cut['flank']) * flank + cut['front'] * front) * up ** .75
    body = np.sin(np.pi * np.clip(t, 0, 1) * .93) ** .8
    thick += cut['depth'] * body * (.25 + .75 * up) * (bulge[col] - .55 + .35 * lively[col])
    wave = np.sin(2 * np.pi * (cut['curls'] * t + lock[col] * .37 + place[col] * .25) + lively[col] * 2)
    thick += cut['curl'] * wave * np.clip(4 * t, 0, 1) * (.35 + .65 * up)
    thick -= .30 * cut['volume'] * np.exp(-(np.arccos(np.clip(d @ pole, -1, 1)) / .16) ** 2)
    thick = np.maximum(thick, min(.004, cut['edge']))
    thick[t > 1.05] = -.04
    p = centre + d * (dist + thick)[:, None]
    # colour: light and dark strands, dark between locks and at the roots, a broken band of shine
    light = 1 + cut['streak'] * (lively[col] + .8 * fine[col] + .45 * rng.uniform(-1, 1, len(t)))
    light *= 1 - .38 * min(1, cut['depth'] / .03) * np.clip(np.abs(place[col]) - .55, 0, 1) / .45 * np.clip(3 * t, 0, 1)
    band = np.exp(-((el_d - 50 - 5 * fine[col] - 3 * lively[col]) / 11) ** 2)
    light *= 1 + cut['shine'] * band * (.55 + .45 * bulge[col])
    light *= 1 + .12 * cut['curl'] / .03 * wave * (cut['curl'] > 0)
    light *= np.interp(t, [0, .10, .8, 1.0, 1.1], [.70, 1, .97, .85, .6])
    c = np.clip(np.asarray(color) * light[:, None], 0, 1)
    if cut['hang']:
        p, c = hang(cut, p, c, t, col, az, side, bulge, lively, centre)
        open_ = np.interp(side, *np.array(cut['hang']).T)[col] < -.5
    else:
        open_ = np.ones(len(t), bool)
    c = c * (1 - cut['bare']) + np.asarray(tone) * cut['bare']
    # at the hairline the skin shows between the hairs
    w = cut['soft'] * np.interp(t, [.80, 1.0], [0, 1]) * np.interp(side, [0, 70, 90, 115], [1, 1, .7, .8])[col] * open_
    c = c * (1 - w[:, None]) + np.asarray(tone) * w[:, None]
    return p, c


def hang(cut, p, c, t, col, az, side, bulge, lively, centre):
    """Strands whose tip belongs below the hairline are spread out along curves that fall from the head."""
    n = hair.COLUMNS
    low = centre[1] - np.interp(side, *np.array(cut['hang']).T) + .08 * lively
    a = np.radians((az + 180) % 360 - 180)
    half, deep = cut['width']
    axis = np.array([0, 0, centre[2] + .10])
    for k in range(n):
        rows = 1 + np.arange(hair.ROWS + 1) * n + k
        old = p[rows].copy()
        edge = old[-2]
        long = edge[1] - low[k]
        if long < .02:
            continue
        path = np.r_[0, np.cumsum(np.linalg.norm(np.diff(old[:-1], axis=0), axis=1))]
        fold = np.interp(side[k], [50, 74, 180], [1, 0, 0])  # the front edge turns in to the cheek
        goal = np.array([np.sin(a[k]) * half * (1 - .18 * fold), 0, axis[2] + np.cos(a[k]) * deep - .10 * fold])
        last = 0.0
        for i, r in enumerate(rows[:-1]):
            s = t[r] ** .9 * (path[-1] + long)
            h = max(0, s - path[-1])
            q = np.array([np.interp(s, path, old[:-1, j]) for j in range(3)])
            w = min(1, h / .60)
            w = w * w * (3 - 2 * w)
            q += (goal - edge) * w * [1, 0, 1] - np.array([0, h, 0])
            # it falls from where the head is widest, over the ears, and turns in a little at its end
            out = (q - axis) * [1, 0, 1]
            wide = np.linalg.norm(out)
            least = .965 * last if side[k] > 62 else 0
            ear = 1.05 * half * np.exp(-((q[1] - centre[1] + .22) / .42) ** 2) * np.interp(side[k], [56, 70, 98, 128], [0, 1, 1, 0])
            grow = max(1, least / max(wide, 1e-6), ear / max(abs(out[0]), 1e-6) if ear > .3 else 1)
            last = wide * grow
            curve = cut['depth'] * (bulge[k] - .5) * min(1, h / .3) - .10 * max(0, h / long - .75) ** 2
            p[r] = q + out * (grow - 1) + out / max(wide, 1e-6) * curve
        p[rows[-1]] = p[rows[-2]] * .5 + np.array([0, p[rows[-2], 1] + .02, centre[2] + .1]) * .5
        c[rows[-1]] *= .6
    return p, c


# the left brow from the inner to the outer end, relative to the eye's middle: x, y, half width
BROW = [(-.150, .190, .020), (-.115, .204, .030), (-.04, .226, .031), (.05, .246, .027), (.12, .250, .021),
        (.18, .234, .014), (.235, .200, .004)]


def brow(style, skin, normals, faces, eye, sign, seed):
    """Places [84,3] of one brow and how dark each is [84]: 21 slanted breadths of four points each.
    style: width, lift, arch, droop, dense."""
    rng = np.random.default_rng(seed)
    x, y, w = np.array(BROW).T
    t = np.linspace(0, 1, len(x))
    y = y + style.get('lift', 0) + style.get('arch', 0) * np.sin(np.pi * np.clip(t * 1.15 - .1, 0, 1)) - style.get('droop', 0) * t
    w = w * style.get('width', 1.0)
    dense = style.get('dense', 1.0)
    xy, lift, cover = [], [], []
    for k in range(21):
        u = k / 20
        p, h = np.array([np.interp(u, t, x), np.interp(u, t, y)]), np.interp(u, t, w)
        q = np.array([np.interp(min(1, u + .04), t, x) - np.interp(max(0, u - .04), t, x),
                      np.interp(min(1, u + .04), t, y) - np.interp(max(0, u - .04), t, y)])
        q = np.array([-q[1], q[0]]) / np.linalg.norm(q)
        steep = np.interp(u, [0, .25, 1], [1.0, .5, .1])     # hairs stand upright at the nose and lie flat at the end
        for s, up, c in ((-1, .003, 0), (-.38, .008, 1.0), (.30, .008, .90), (1, .003, 0)):
            r = s * (rng.uniform(1.18, 1.40) if abs(s) == 1 else 1)
            lean = np.array([.022 * (1 - steep), .005 * steep]) * (s + 1)
            xy.append(p + q * h * r + lean)
            lift.append(up)
            thin = np.interp(u, [0, .06, .22, .85, 1], [0, .55, 1, .9, .1])
            cover.append(np.clip(c * thin * dense * (1.0 if k % 2 else .78) * rng.uniform(.92, 1.03), 0, 1))
    xy = np.array(xy)
    o = np.c_[eye[0] + sign * xy[:, 0], eye[1] + xy[:, 1], np.full(84, eye[2] + 2)]
    face, bary, _ = hit(skin, faces, o, np.tile([0, 0, -1.0], (84, 1)))
    if (face < 0).any():
        raise ValueError('brow: a point is not above the skin')
    f = faces[face]
    p = (skin[f] * bary[:, :, None]).sum(1)
    nrm = (normals[f] * bary[:, :, None]).sum(1)
    return p + nrm / np.linalg.norm(nrm, axis=1, keepdims=True) * np.array(lift)[:, None], np.array(cover)


def lash_grid(quads, skin):
    """A lash strip as rows [5,13] of vertex numbers: row 0 stands on the lid (the side nearest to the points skin)."""
    count, near = {}, {}
    for q in quads:
        for a, b in zip(q, np.roll(q, -1)):
            key = (min(a, b), max(a, b))
            count[key] = count.get(key, 0) + 1
    for (a, b), k in count.items():
        if k == 1:
            near.setdefault(a, []).append(b)
            near.setdefault(b, []).append(a)
    inner = {x for e, k in count.items() if k == 2 for x in e}
    corners = [a for a in near if a not in inner]
    sides = []
    for corner in corners:
        for step in near[corner]:
            path = [corner, step]
            while path[-1] not in corners:
                path.append([x for x in near[path[-1]] if x != path[-2]][0])
            sides.append(path)
    longest = max(len(x) for x in sides)
    rows = [min((x for x in sides if len(x) == longest), key=lambda x: skin(np.array(x)))]
    used = set(rows[0])
    while True:
        now, new = rows[-1], [None] * longest
        for q in quads:
            q = [int(x) for x in q]
            for k in range(4):
                a, b, c, d = q[k], q[(k + 1) % 4], q[(k + 2) % 4], q[(k + 3) % 4]
                if a in now and b in now and c not in used and d not in used:
                    new[now.index(a)], new[now.index(b)] = d, c
        if None in new:
            return np.array(rows)
        rows.append(new)
        used.update(new)


def lash(style, place):
    """Places [5,13,3] of one lash strip and how dark each is [5,13].  place: as hair hangs on the lid now, row 0 on it."""
    out, cover = place.copy(), np.zeros(place.shape[:2])
    for k in range(13):
        long = style.get('long', .8) * np.interp(k, [0, 3, 10, 12], [.55, .9, 1.15, 1.0])
        for r in range(5):
            out[r, k] = place[0, k] + (place[r, k] - place[0, k]) * long
            cover[r, k] = np.interp(r / 4, [0, .45, 1], [1, .95, .40 if k % 2 else .10]) * style.get('dense', 1.0)
    return out, cover
