# SPDX-License-Identifier: LGPL-2.1-or-later
"""Vertex colours of one face (sRGB 0..1): skin with its variation, lips, beard, eyes, mouth; soft shadow baked in."""
import numpy as np

from . import eyes
from .paint import blob, mix, smooth
from .raster import normals

# what a face does not name is as here
TONE = {
    'skin': [.845, .660, .560], 'blush': [.815, .490, .430], 'lips': [.735, .440, .415], 'makeup': 0.0,
    'rosy': 1.0, 'freckles': 0.0, 'shadow': 1.0, 'stubble': 0.0, 'beard': 0.0, 'age': 0.0,
    'iris': [.36, .25, .15], 'white': [.93, .915, .90], 'pupil': 1.0,
    'teeth': [.955, .93, .87], 'cloth': [.205, .260, .335]}
GUM = np.array([.62, .28, .27])
TONGUE = np.array([.74, .39, .38])


def noise(v, f, rounds, seed):
    """Smooth noise [V] over the mesh, about -1..1."""
    x = smooth(np.random.default_rng(seed).uniform(-1, 1, len(v)), f, rounds)
    return x / max(np.abs(x).max(), 1e-9)


def creases(v, f):
    """Mean curvature [V] times edge length: above 0 in hollows, below 0 on ridges."""
    n = normals(v, f)
    s, c, e = np.zeros_like(v), np.zeros(len(v)), np.zeros(len(v))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        for i, j in ((a, b), (b, a)):
            d = v[f[:, j]] - v[f[:, i]]
            np.add.at(s, f[:, i], d)
            np.add.at(c, f[:, i], 1)
            np.add.at(e, f[:, i], np.linalg.norm(d, axis=1))
    return (s / np.maximum(c, 1)[:, None] * n).sum(1) / np.maximum(e / np.maximum(c, 1), 1e-9)


def skin_color(v, f, marks, tone, seed):
    """Colours of the skin at v (dm).  marks: eye, nose, mouth, corner, chin, ear of the left side [3]."""
    base, blush = np.array(tone['skin']), np.array(tone['blush'])
    c = np.tile(base, (len(v), 1))
    s = v.copy()
    s[:, 0] = np.abs(s[:, 0])
    eye, nose, mouth, chin, ear = (np.array(marks[k]) for k in ('eye', 'nose', 'mouth', 'chin', 'ear'))
    deep = base * [.80, .70, .68]
    light = np.minimum(base * [1.05, 1.07, 1.06], .95)
    k = tone['rosy']
    # bone under thin skin is paler, blood shows in cheeks, nose, ears and chin
    c = mix(c, light, .50 * blob(s, [0, eye[1] + .42, eye[2] + .25], [.40, .22, .5]))
    c = mix(c, light, .40 * blob(s, [0, eye[1] - .10, eye[2] + .30], [.07, .25, .4]))
    c = mix(c, light, .35 * blob(s, eye + [.12, -.20, .10], [.18, .09, .3]))
    c = mix(c, blush, k * .40 * blob(s, eye + [.14, -.36, .0], [.25, .22, .5]))
    c = mix(c, blush, k * .40 * blob(s, nose, [.16, .13, .22]))
    c = mix(c, blush, k * .26 * blob(s, chin, [.20, .12, .3]))
    c = mix(c, blush, k * .50 * blob(s, ear, [.18, .32, .22]))
    c = mix(c, blush, k * .22 * blob(s, mouth, [.34, .20, .3]))
    # thin skin of the lids, deeper under the brow and in the inner corner; rings under the eyes
    d = tone['shadow']
    c = mix(c, deep, d * .42 * blob(s, eye + [0, -.090, .10], [.19, .055, .3]))
    c = mix(c, deep, d * .50 * blob(s, eye + [.01, .09, .10], [.20, .055, .3]))
    c = mix(c, deep, d * .45 * blob(s, eye + [-.155, .01, .10], [.06, .08, .2]))
    c = mix(c, deep, .35 * blob(s, mouth + [0, -.17, 0], [.16, .04, .3]))
    n1, n2 = noise(v, f, 2, seed), noise(v, f, 9, seed + 1)
    c *= (1 + .016 * n1 + .020 * n2)[:, None]
    c += (noise(v, f, 5, seed + 2) * .010)[:, None] * [1, -.4, -.5]
    if tone['freckles']:
        where = blob(s, nose + [.24, .02, -.1], [.28, .13, .5]) + .7 * blob(s, nose + [0, .10, 0], [.12, .2, .4])
        spots = np.random.default_rng(seed + 3).uniform(0, 1, len(v)) ** 3
        c = mix(c, base * [.80, .66, .55], np.clip(tone['freckles'] * where * spots * 1.3, 0, .8))
    if tone['age']:
        a = tone['age']
        spots = np.clip(noise(v, f, 1, seed + 4) - .35, 0, 1) * blob(s, eye + [.30, -.1, -.3], [.35, .6, .6])
        c = mix(c, deep, a * spots * .9)
    return np.clip(c, 0, 1)


def beard_mask(v, marks):
    """(beard, moustache) [V], 0..1: where they grow."""
    s = v.copy()
    s[:, 0] = np.abs(s[:, 0])
    nose, mouth, chin, ear = (np.array(marks[k]) for k in ('nose', 'mouth', 'chin', 'ear'))
    x = [0, .16, .30, .45, .60, .72, .85]
    top = np.array([mouth[1] - .13, mouth[1] - .09, mouth[1] - .02, mouth[1] - .06, mouth[1] + .10, ear[1] + .10, ear[1] + .2])
    line = np.interp(s[:, 0], x, top)
    ease = lambda t: np.clip(t, 0, 1) ** 2 * (3 - 2 * np.clip(t, 0, 1))
    side = ease((line - s[:, 1]) / .17 + .5) * ease((s[:, 2] - (ear[2] - .12)) / .12)
    side *= ease((s[:, 1] - (chin[1] - .50 + .25 * np.clip(s[:, 0] / .6, 0, 1))) / .22)
    lip = np.exp(-((s[:, 1] - (mouth[1] * .52 + nose[1] * .48 - .045)) / .055) ** 2) * ease((.34 - s[:, 0]) / .10)
    lip = np.maximum(lip, .9 * np.exp(-((s[:, 0] - .325) / .045) ** 2) * ease((mouth[1] + .08 - s[:, 1]) / .08)
                     * ease((s[:, 1] - (mouth[1] - .25)) / .08))
    return side, np.clip(lip * (s[:, 2] > mouth[2] - .35), 0, 1)


def eye_color(side, tone, seed):
    """Colours [409,3] of one eyeball, in the order of eyes.eyeball(); side 1 left, -1 right."""
    iris = np.array(tone['iris'])
    rng = np.random.default_rng(seed)
    n = eyes.SEGMENTS
    fibre = rng.uniform(-1, 1, n)
    fibre = .6 * fibre + .4 * np.roll(fibre, 1)
    dark = np.clip(iris * .22, 0, 1)
    ring = {'pupil': np.array([.020, .018, .020]), 'iris0': iris * .55, 'iris1': iris * 1.18 + .03, 'iris2': iris * 1.10,
            'iris3': iris * .88, 'iris4': iris * .50, 'limbus': dark + .02, 'edge': np.array(tone['white']) * .52 + dark * .3,
            'white': np.array(tone['white']), 'rim': np.array(tone['white']) * [.93, .82, .79],
            'back': np.array(tone['white']) * [.80, .65, .62]}
    out = [ring['pupil']]
    for angle, name in eyes.RINGS:
        for k in range(n):
            a = 2 * np.pi * (k + .5) / n
            x, y = np.cos(a) * side, np.sin(a)              # as the viewer sees it, x to the head's left
            c = ring[name].copy()
            up = np.sin(np.radians(min(angle, 60))) * y      # the lid's shadow falls on the upper part
            if name.startswith('iris'):
                c = c * (1 + .22 * fibre[k]) * (1 - .30 * y) # and light gathers opposite to where it comes in
            if name in ('white', 'edge'):
                c = c * (1 - .85 * np.clip(up - .02, 0, .35)) - np.array([0, .035, .04]) * min(1, max(0, angle - 34) / 25)
            glint = np.exp(-((angle - 13.5) / 4.5) ** 2) * np.exp(-((np.degrees(np.arctan2(y, x)) - 118) / 17) ** 2)
            c = c + (np.array([1, 1, 1]) - c) * min(1, 1.25 * glint)
            c = c + .16 * np.exp(-((angle - 15) / 5) ** 2) * np.exp(-((np.degrees(np.arctan2(y, x)) + 55) / 24) ** 2)
            out.append(c)
    return np.clip(out, 0, 1)


def shade(ao, material):
    """The light [V,3] that reaches vertices of which the share ao [V] of the sky is open: in skin red goes further."""
    m = np.asarray(material)[:, None]
    low = np.array([.50, .36, .32])
    skin = low + (1 - low) * np.clip(1.22 * ao, 0, 1)[:, None] ** np.array([.75, 1.0, 1.08])
    grey = np.clip(.42 + .72 * ao, 0, 1)[:, None]
    eye = np.clip(.66 + .50 * ao, 0, 1)[:, None]
    return np.where(m < 2, skin, np.where(m == 2, eye, np.where((m == 5) | (m == 6), grey, 1.0)))
