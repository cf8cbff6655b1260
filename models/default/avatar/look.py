# SPDX-License-Identifier: LGPL-2.1-or-later
"""A quick look: the renderer's pictures over the splats' own, a few poses."""
import sys
import time

import numpy as np

import bind
import render
import splats
from scene import Head, Scene, png

if __name__ == '__main__':
    h = Head()
    s = Scene(h)
    t0 = time.time()
    t, n = splats.build(s)
    print(len(t['splat.face']), 'splats', n, 'discs', time.time() - t0)
    r = render.Renderer(s, t, n)
    rows = [[], []]
    for m in (h.motion(), h.motion(jaw=.16, mouthStretch=.2, turn=(.05, .35, 0)), h.motion(eyeBlink=1, mouthSmile=.6, jaw=.05, turn=(-.1, -.3, 0))):
        v = h.pose(m)
        t0 = time.time()
        a = r.draw(v)
        t1 = time.time()
        g, T = bind.draw(t, h.f, v, {'thickness': splats.THICKNESS, 'side': 512})
        print('renderer', t1 - t0, 'splats', time.time() - t1, 'coverage', (T < .02).mean())
        bg = np.array([.80, .83, .86])
        rows[0].append(a[..., :3] + (1 - a[..., 3:]) * bg)
        rows[1].append(g[..., :3] + T[..., None] * bg)
    crop = lambda x, y, n: np.repeat(np.repeat(x[y:y + n, 156:156 + 200], 3, 0), 3, 1)
    eyes = [np.concatenate([crop(a, 190, 60) for a in x], 1) for x in rows]
    mouths = [np.concatenate([crop(a, 295, 80) for a in x], 1) for x in rows]
    png(sys.argv[1] + '.zoom.png', (np.clip(np.concatenate(eyes + mouths), 0, 1) * 255 + .5).astype(np.uint8))
    png(sys.argv[1], (np.clip(np.concatenate([np.concatenate(x, 1) for x in rows]), 0, 1) * 255 + .5).astype(np.uint8))
