# SPDX-License-Identifier: LGPL-2.1-or-later
"""Face units that the source lacks or that need work: lids that just meet, a tongue that passes between
the teeth, round lips."""
import numpy as np


def ease(x):
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def tongue_place(v, tongue):
    """(along, tip): how far to the front each vertex of the tongue is (0..1), and the middle of its tip."""
    p = v[tongue]
    t = (p[:, 2] - p[:, 2].min()) / (p[:, 2].max() - p[:, 2].min())
    return t, p[t > .93].mean(0)


def tongue_up(v, tongue, ridge):
    """The tip raised to the ridge (y, z in ridge[1:]) behind the upper teeth: displacement of all vertices."""
    d = np.zeros_like(v)
    t, tip = tongue_place(v, tongue)
    lift = ease((t - .40) / .60)
    top = v[tongue][t > .85][:, 1].max()
    d[tongue, 1] = lift * (ridge[1] - top)
    d[tongue, 2] = lift * (ridge[2] - tip[2])
    return d


def tongue_out(v, tongue, lip, reach=.40):
    """The tongue put out over the lower teeth and lip: its underside passes lip (y, z), then droops a little."""
    d = np.zeros_like(v)
    t, tip = tongue_place(v, tongue)
    s = ease((t - .15) / .75)
    under = v[tongue][t > .85][:, 1].min()
    d[tongue, 2] = s * (lip[2] + .22 - tip[2])
    d[tongue, 1] = ease((t - .10) / .55) * (lip[1] + .012 - under) - .030 * ease((t - .75) / .25)
    return d


def meet(blink, v, upper, lower, overlap=.004):
    """Scales the upper lid's part of blink [V,3] (in place) so that the edges upper and lower (vertex numbers)
    meet at 1 all along, instead of passing one another."""
    x_low = np.argsort(v[lower, 0])
    low = np.array(lower)[x_low]
    target = v[low] + blink[low]
    up = np.array(upper)[np.argsort(v[upper, 0])]
    travel = blink[up, 1]
    goal = np.interp(v[up, 0] + blink[up, 0], target[:, 0], target[:, 1]) - overlap - v[up, 1]
    go = np.abs(travel) > .3 * np.abs(travel).max()
    share = np.clip(goal[go] / travel[go], .4, 1.3)
    for _ in range(2):                                       # even it out along the lid
        share = np.convolve(np.r_[share[0], share, share[-1]], [.25, .5, .25], 'valid')
    # the lower lid's own small move stays; what moves down is scaled
    down = blink[:, 1] < -.002
    scale = np.interp(v[:, 0], v[up, 0][go], share)
    blink[down] *= scale[down, None]
    return share


def soften(d, f, rows, rounds):
    """Displacement d [V,3] averaged over the edges of triangles f among the vertices rows (bool), in place."""
    g = f[rows[f].all(1)]
    e = np.unique(np.sort(np.concatenate([g[:, [0, 1]], g[:, [1, 2]], g[:, [2, 0]]]), 1), axis=0)
    i = np.r_[e[:, 0], e[:, 1]]
    j = np.r_[e[:, 1], e[:, 0]]
    for _ in range(rounds):
        s, n = d.copy(), np.ones(len(d))
        np.add.at(s, i, d[j])
        np.add.at(n, i, 1)
        d[rows] = (s / n[:, None])[rows]
