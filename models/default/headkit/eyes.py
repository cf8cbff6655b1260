# SPDX-License-Identifier: LGPL-2.1-or-later
"""Round eyeballs in place of the 72-vertex ones: rings around the line of sight, so that pupil,
iris and limbal ring have crisp round edges, and gaze as true rotations."""
import numpy as np

from .mesh import Mesh

SEGMENTS = 24
# ring angle from the line of sight (degrees) and what is there (coloured by tone.py), one ring each
RINGS = [
    (5.0, 'pupil'), (8.6, 'pupil'), (9.3, 'iris0'), (12.5, 'iris1'), (16.5, 'iris2'), (20.5, 'iris3'),
    (23.3, 'iris4'), (24.8, 'limbus'), (26.0, 'limbus'), (27.6, 'edge'), (29.5, 'white'), (36, 'white'),
    (45, 'white'), (56, 'white'), (68, 'white'), (82, 'rim'), (100, 'back')]
# degrees at 1, in the order of the ARKit names; positive turns are chosen per eye below
GAZE = {'Up': 17.0, 'Down': 19.0, 'In': 24.0, 'Out': 24.0}


def rotation(axis, angle):
    """3x3 matrix of a turn by angle (radians) about a unit axis."""
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def affine(p, d):
    """Least-squares (shift [3], matrix [3,3]) with d = shift + p @ matrix."""
    x = np.linalg.lstsq(np.c_[np.ones(len(p)), p], d, rcond=None)[0]
    return x[0], x[1:]


def eyeball(names, fields, side, old, centre):
    """One eye as a Mesh.  fields [19158,K,3]; old: the source's eyeball vertices; side 'Left' or 'Right';
    centre [3].  Also the fields [K,3] of its middle.  Identity and base-shape fields follow the old eyeball as affine maps; gaze is a rotation."""
    p = fields[old, 0] - centre
    half = np.abs(p).max(0)                                  # a slightly long ball (cornea)
    out = [np.array([0, 0, half[2]])]
    for angle, _ in RINGS:
        t = np.radians(angle)
        for k in range(SEGMENTS):
            a = 2 * np.pi * (k + 0.5) / SEGMENTS
            x, y = np.cos(a), np.sin(a)
            out.append(np.array([half[0] * np.sin(t) * x, half[1] * np.sin(t) * y, half[2] * np.cos(t)]))
    q = np.array(out)
    if side == 'Right':                                     # a mirror image of the left eye
        q = q * [-1, 1, 1]
    f = []
    n = SEGMENTS
    for k in range(n):
        f.append((0, 1 + k, 1 + (k + 1) % n))
        for r in range(len(RINGS) - 1):
            a, b = 1 + r * n + k, 1 + r * n + (k + 1) % n
            f += [(a, a + n, b + n), (a, b + n, b)]
    f = np.array(f)
    if side == 'Right':
        f = f[:, [0, 2, 1]]
    a = np.zeros((len(q), len(names), 3))
    a[:, 0] = q + centre
    middle = np.zeros((len(names), 3))
    middle[0] = centre
    for k, name in enumerate(names):
        if name.startswith('id:') or name == 'shape':
            shift, m = affine(p, fields[old, k])
            a[:, k], middle[k] = shift + q @ m, shift
    shape = names.index('shape')
    c1 = centre + middle[shape]
    ball = a[:, 0] + a[:, shape] - c1
    sign = 1 if side == 'Left' else -1                      # 'In' is towards the nose
    for way, axis in (('Up', (-1, 0, 0)), ('Down', (1, 0, 0)), ('In', (0, -sign, 0)), ('Out', (0, sign, 0))):
        r = rotation(np.array(axis, float), np.radians(GAZE[way]))
        a[:, names.index(f'eyeLook{way}{side}')] = ball @ r.T - ball
    return Mesh(names, a, f, material=np.full(len(q), 2, np.uint8), part=np.full(len(q), 2, np.uint8)), middle
