# SPDX-License-Identifier: LGPL-2.1-or-later
"""Motion rows that the avatar is taught with: mouth shapes of speech, faces, blinks, gaze, turned heads."""
import json
import os

import numpy as np

from scene import HERE


def turned(yaw, pitch, roll):
    """Axis-angle of the turn about y, then x, then z (radians)."""
    def quat(axis, a):
        q = np.zeros(4)
        q[0], q[1 + axis] = np.cos(a / 2), np.sin(a / 2)
        return q

    def mul(a, b):
        return np.r_[a[0] * b[0] - a[1:] @ b[1:], a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])]
    q = mul(quat(2, roll), mul(quat(0, pitch), quat(1, yaw)))
    s = np.linalg.norm(q[1:])
    return q[1:] / max(s, 1e-9) * 2 * np.arctan2(s, q[0])


class Poses:
    def __init__(self, head):
        self.h = head
        self.visemes = json.load(open(os.path.join(os.path.dirname(HERE), 'visemes.json')))

    def row(self, rng):
        h, units = self.h, {}
        jaw = 0.0

        def add(name, x):
            units[name] = units.get(name, 0) + x
        kind = rng.random()
        if kind < .78:                                           # speech: between two mouth shapes
            a, b = rng.choice(list(self.visemes), 2)
            t, size = rng.random() ** 1.3, rng.uniform(.5, 1.25)
            for name, x in ((a, 1 - t), (b, t)):
                for k, v in self.visemes[name].items():
                    if k == 'jaw':
                        jaw += v * x * size
                    else:
                        add(k, v * x * size)
        if kind > .70:                                           # any channels
            for c in rng.choice(h.channels, rng.integers(1, 5), replace=False):
                if c not in ('jawOpen', 'tongueOut'):
                    add(c, rng.uniform(0, .8))
            jaw += rng.uniform(0, .22) * (rng.random() < .6)
        if rng.random() < .5:
            s = rng.uniform(0, .7)
            add('mouthSmileLeft', s)
            add('mouthSmileRight', s * rng.uniform(.8, 1))
        lid = rng.random()
        blink = rng.uniform(.95, 1.12) if lid < .10 else rng.uniform(.2, .95) if lid < .28 else rng.uniform(0, .12)
        add('eyeBlinkLeft', blink)
        add('eyeBlinkRight', blink)
        if rng.random() < .6:                                    # gaze
            x, y = rng.normal(size=2) * [.35, .25]
            for name, v in (('eyeLookOutLeft', x), ('eyeLookInRight', x), ('eyeLookInLeft', -x), ('eyeLookOutRight', -x),
                            ('eyeLookUpLeft', y), ('eyeLookUpRight', y), ('eyeLookDownLeft', -y), ('eyeLookDownRight', -y)):
                add(name, max(0, v))
        if rng.random() < .5:
            v = rng.uniform(0, .7)
            for name in (('browInnerUp', 'browOuterUpLeft', 'browOuterUpRight') if rng.random() < .65 else ('browDownLeft', 'browDownRight')):
                add(name, v)
        if rng.random() < .3:
            v = rng.uniform(0, .6)
            for name in ('eyeWideLeft', 'eyeWideRight') if rng.random() < .5 else ('eyeSquintLeft', 'eyeSquintRight'):
                add(name, v)
        wide = 1.0 if rng.random() < .5 else .15                 # speech alone turns the head little
        turn = turned(*(np.clip(rng.normal(size=3) * .5, -1, 1) * np.radians([25, 15, 8]) * wide))
        m = np.zeros(106)
        for c, x in units.items():
            m[h.channels.index(c)] = np.clip(x, 0, 1.15)
        m[100:103], m[103] = turn, min(jaw, .36)
        return m
