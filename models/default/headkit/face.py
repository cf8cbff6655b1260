# SPDX-License-Identifier: LGPL-2.1-or-later
"""One face: the head of one identity with its own hair, brows, lashes and colours (faces.json)."""
import numpy as np

from . import groom, lipwork, paint, rig, tensors, tone as toning
from .mesh import nearest
from .raster import normals

BROW, LASH = {'color': [.16, .105, .075]}, {'color': [.10, .07, .055]}
HAIR_COLOR = [.30, .195, .125]


def shaped(mesh, names, directions, identity):
    """Vertices [V,3] of mesh (fields by names) for identity {direction: value}."""
    v = mesh.v.copy()
    for key, x in identity.items():
        if key not in directions:
            raise ValueError(f'{key} is no direction of identity')
        v += x * mesh.a[:, names.index('id:' + key)]
    return v


def pieces(base):
    """The rows of the head that belong to each piece, by slot: {(part, side): rows}."""
    s, x = base.head.s, base.head.v[:, 0]
    out = {}
    for part, parts, count in ((2, 2, 409), (5, 1, 937), (6, 2, 84), (7, 2, 65)):
        for side in (1, -1)[:parts]:
            rows = np.nonzero((s['part'] == part) & ((x * side > 0) | (parts == 1)))[0]
            rows = rows[s['slot'][rows].argsort()]
            if len(rows) != count:
                raise ValueError(f'part {part} has {len(rows)} vertices instead of {count}')
            out[part, side] = rows
    return out


def shut(base, v):
    """Makes lids and lips of an identity (v [V,3], in place) meet as they do in the head's own: the lids rest a little
    further down or up the way of their blink, the lips are sealed."""
    head, s = base.head, base.head.s
    for side, word in (('Left', 'left'), ('Right', 'right')):
        blink = head.field('eyeBlink' + side)
        rows = [[np.nonzero(s['number'] == n)[0][0] for n in base.eyelids[f'eyelid_{which}_{word}']] for which in ('upper', 'lower')]
        gap = lambda x: x[rows[0], 1].mean() - x[rows[1], 1].mean()
        v += blink * (gap(v + blink) - gap(head.v + blink)) / -gap(blink)
    lips = s['material'] == 1
    f, lower = head.f[lips[head.f].all(1)], head.field('jawOpen')[:, 1] < -.12
    lipwork.seal(v, f, lips, lower, overlap=.006)
    for jaw in (.1, .2, .3):                                 # and where mouthClose holds them while the jaw is open
        p = 10 * closed(base, v, jaw)
        q = p.copy()
        lipwork.seal(q, f, lips, lower, overlap=.001)
        v += q - p


def closed(base, v, jaw):
    """v (dm) posed with the jaw at an angle and the lips shut, metres."""
    W, a, _, _, pos, R, origin = base.rig
    vs = (v - origin) / 10 + jaw / rig.JAW_FULL * a[:, base.names.index('mouthClose')]
    return rig.skin(vs, R @ vs, W, pos, [[0, 0, 0], [0, 0, 0], [jaw, 0, 0], [0, 0, 0], [0, 0, 0]])


def landmarks(base, whole, eye):
    left = np.nonzero(base.ears & (whole[:, 0] > 0))[0]
    return dict(eye=eye, nose=whole[297], mouth=whole[466], chin=whole[5171], ear=whole[left].mean(0))


def make(base, look, directions):
    """A face's vertices [V,3] in dm without and with its own hair, brows and lashes, its colours [V,3] and materials [V].
    look: see faces.json; {} is the head's own."""
    names, identity = base.names, look.get('identity', {})
    head, s = base.head, base.head.s
    seed = look.get('seed', 5)
    v = shaped(head, names, directions, identity)
    if identity:
        shut(base, v)
    plain = v.copy()
    skin = shaped(base.skin, names, directions, identity)
    whole = shaped(base.whole, names, directions, identity)
    eyes = {side: sum(x * base.joint[key][names.index(k)] for k, x in [('v', 1)] + [('id:' + d, x) for d, x in identity.items()])
            for side, key in ((1, 'l-eye'), (-1, 'r-eye'))}
    marks = landmarks(base, whole, eyes[1])
    tone = {**toning.TONE, **look.get('tone', {})}
    rows = pieces(base)

    color = skin_colors(base, v, marks, tone, look, seed)
    centre = np.array([0, eyes[1][1] + .10, eyes[1][2] - .95])
    faces = base.skin.f[base.scalp[base.skin.f].all(1)]
    cut, hair_color = look.get('hair', {}), np.array(look.get('hair_color', HAIR_COLOR))
    v[rows[5, 1]], color[rows[5, 1]] = groom.shell(cut, skin, faces, centre, hair_color, np.array(tone['skin']), seed)
    for side in (1, -1):
        color[rows[2, side]] = toning.eye_color(side, tone, seed)
    material = s['material'].copy()
    if cut.get('bare'):
        material[rows[5, 1]] = 0
    ao = paint.occlusion(v, head.f)
    if cut.get('bare'):                                      # a bare scalp does not lie in its own shadow
        d = v - centre
        up = d[:, 1] / np.linalg.norm(d, axis=1) > np.sin(np.radians(groom.line_of({**groom.CUT, **cut}, np.degrees(np.arctan2(np.abs(d[:, 0]), d[:, 2])))))
        ao[up & (s['part'] == 0)] = np.maximum(ao[up & (s['part'] == 0)], .85)
    color *= toning.shade(ao, material)
    # between the hairs of brows and lashes the skin shows
    open_skin = np.nonzero((s['part'] == 0) & (s['mouth'] < .5) & ~np.isin(s['number'], base.lids))[0]
    n = normals(skin, base.skin.f)
    brow, lash = {**BROW, **look.get('brows', {})}, {**LASH, **look.get('lashes', {})}

    def blend(at, points, cover, dark):
        i, d = nearest(points, v[open_skin], 3)
        w = 1 / (d + 1e-3)
        under = (color[open_skin][i] * (w / w.sum(1, keepdims=True))[:, :, None]).sum(1)
        v[at], color[at] = points, under * (1 - cover[:, None]) + np.array(dark) * cover[:, None]

    for side in (1, -1):
        points, cover = groom.brow(brow, skin, n, base.face, eyes[side], side, seed)
        blend(rows[6, side], points, cover, brow['color'])
        at = rows[7, side][lash_grid(base, side)]
        points, cover = groom.lash(lash, v[at])
        blend(at.ravel(), points.reshape(-1, 3), cover.ravel(), lash['color'])
    # the eyes stay where the camera looks
    middle = lambda x: (x[1] + x[-1]) / 2
    shift = (base.joint['l-eye'][0] + base.joint['r-eye'][0]) / 2 - middle(eyes)
    return plain + shift, v + shift, np.clip(color, 0, 1), material


def groomed(base, plain, v):
    """The tensors that say how hair, brows and lashes lie: from plain to v [V,3], dm."""
    rows = np.sort(np.concatenate([r for (part, _), r in pieces(base).items() if part != 2]))
    return {'groom.vertex': rows.astype(np.uint16), 'groom.offset': ((v - plain)[rows] / 10).astype(np.float16)}


def lash_grid(base, side):
    """Slots [5,13] of a lash strip; row 0 stands on the lid."""
    quads = base.groups[f'helper-{"l" if side > 0 else "r"}-eyelashes-2']
    body = base.whole.v[:13380]
    grid = groom.lash_grid([[int(x) for x in q] for q in quads], lambda i: nearest(base.whole.v[i], body)[1][:, 0].mean())
    if base.whole.v[grid[0, 0], 0] ** 2 > base.whole.v[grid[0, -1], 0] ** 2:
        grid = grid[:, ::-1]                                 # from the nose outwards
    return np.searchsorted(np.unique(quads), grid)


def skin_colors(base, v, marks, tone, look, seed):
    """Colours of skin, lips, mouth, teeth, tongue and garment."""
    head, s = base.head, base.head.s
    on = (s['part'] == 0)
    f = head.f[on[head.f].all(1)]
    c = toning.skin_color(v, f, marks, tone, seed)
    # hollows are darker and redder, ridges lighter
    bend = paint.smooth(toning.creases(v, f), f, 1)
    hollow, ridge = np.clip(bend / .16, 0, 1), np.clip(-bend / .16, 0, 1)
    c *= 1 - hollow[:, None] * [.16, .24, .26]
    c += (np.minimum(c * 1.06, .97) - c) * ridge[:, None]
    beard, lip = toning.beard_mask(v, marks)
    face = on & (s['mouth'] < .5)
    grown = np.maximum(beard, lip) * (1 - s['lips']) * ~base.ears[np.maximum(s['number'], 0)]
    whiskers = np.array(look.get('beard_color', look.get('hair_color', HAIR_COLOR)))
    grain = 1 + .10 * np.random.default_rng(seed + 9).uniform(-1, 1, len(v))
    if tone['stubble']:
        c = paint.mix(c, c * [.66, .68, .72], np.clip(grown * tone['stubble'] * (1 + .3 * (grain - 1)), 0, 1) * face)
    if tone['beard']:
        w = np.clip(1.15 * grown * grain - .05, 0, 1) * tone['beard'] * face
        c = c * (1 - w[:, None]) + whiskers * (1 + .8 * (grain[:, None] - 1)) * w[:, None]
    # the scalp shades the skin near the hair
    lips = np.array(tone['lips'])
    inner = np.clip(s['lips'], 0, 1)
    c = paint.mix(c, lips, inner * .92)
    edge = np.exp(-((v[:, 1] - marks['mouth'][1]) / .030) ** 2) * inner
    c *= 1 - .22 * edge[:, None] * [.6, 1, 1]
    deep = np.clip((marks['mouth'][2] - .07 - v[:, 2]) / .35, 0, 1)
    c = np.where(s['mouth'][:, None] > .5, toning.GUM * (1 - .9 * deep[:, None]), c)
    t = s['part'] == 4
    back = np.clip((marks['mouth'][2] - .22 - v[:, 2]) / .42, 0, 1)[:, None]
    c = np.where(t[:, None], toning.TONGUE * (1 - .8 * back), c)
    t = s['part'] == 3
    back = np.clip((marks['mouth'][2] - .22 - v[:, 2]) / .25, 0, 1)[:, None]
    side = np.clip(np.abs(v[:, :1]) / .22, 0, 1)
    c = np.where(t[:, None], np.array(tone['teeth']) * (1 - .8 * back) * (1 - .18 * side ** 2), c)
    c = np.where((s['part'] == 1)[:, None], np.array(tone['cloth']), c)
    lid = np.isin(s['number'], base.lids)
    dark = np.array(look.get('lashes', LASH).get('color', LASH['color']))
    return paint.mix(c, .5 * dark + .5 * np.array(tone['skin']) * [.55, .40, .38], (.68 + .3 * tone['makeup']) * lid)


def write(path, base, look, directions):
    """A face's file."""
    plain, v, color, material = make(base, look, directions)
    identity = look.get('identity', {})
    offset = (plain - shaped(base.head, base.names, directions, identity)) / 10
    tensors.save(path, {'shape': np.array([identity.get(d, 0) for d in directions], np.float32), 'offset': offset.astype(np.float16),
                        'color': np.round(color * 255).astype(np.uint8), 'material': material.astype(np.uint8),
                        **groomed(base, plain, v)},
                 {'description': look['description'], 'licence': 'CC0-1.0'})
