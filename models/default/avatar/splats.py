# SPDX-License-Identifier: LGPL-2.1-or-later
"""The splats of the avatar: a skin of discs over the head's triangles, and strokes for hair, brows and lashes."""
import numpy as np

from scene import normals, CLOTH, EYE, HAIR, LIPS, MOUTH, SCALE, SKIN, TEETH, basis, harmonics, unit, FILL, LAMPS

import native

THICKNESS = .0012
# millimetres between discs by material
SPACING = {SKIN: 3.0, LIPS: 1.6, EYE: 1.5, TEETH: 2.0, MOUTH: 5.0, HAIR: 6.5, CLOTH: 9}
GROW = 2.12                       # half-axes as a multiple of the small triangle's own deviation
MM = SCALE / 1000
# highlight: strength, sharpness
GLOSS = {SKIN: (.050, 26), LIPS: (.14, 60), EYE: (1.6, 420), TEETH: (.22, 70), MOUTH: (.10, 50), HAIR: (.02, 14), CLOTH: (.008, 8)}


def subdivided(n):
    """Weights (b1, b2) of the middles of a triangle cut into n*n equal ones."""
    out = []
    for i in range(n):
        for j in range(n - i):
            out.append((i + 1 / 3, j + 1 / 3))
            if i + j < n - 1:
                out.append((i + 2 / 3, j + 2 / 3))
    return np.array(out) / n


def skin(h, spacing):
    """face, place, axes of the discs; spacing [F] in metres times SCALE."""
    v, f = h.rest, h.f
    longest = np.max([np.linalg.norm(v[f[:, a]] - v[f[:, b]], axis=1) for a, b in ((0, 1), (1, 2), (2, 0))], 0)
    n = np.clip(np.ceil(longest / spacing - .15), 1, 12).astype(int)
    face, place, axes = [], [], []
    for k in np.unique(n):
        ids = np.nonzero(n == k)[0]
        b = subdivided(k)
        face.append(np.repeat(ids, len(b)))
        place.append(np.tile(np.c_[b, np.zeros(len(b))], (len(ids), 1)))
        s = GROW * np.sqrt(1 / 12) / k
        axes.append(np.tile([[[.8165 * s, -.4082 * s, 0], [0, .7071 * s, 0]]], (len(b) * len(ids), 1, 1)))
    return np.concatenate(face), np.concatenate(place), np.concatenate(axes)


def in_edges(h, face, d):
    """Directions d [N,3] in the planes of the faces as (along e1, along e2) [N,2]."""
    t = h.f[face]
    e1, e2 = h.rest[t[:, 1]] - h.rest[t[:, 0]], h.rest[t[:, 2]] - h.rest[t[:, 0]]
    a, b, c = (e1 * e1).sum(1), (e1 * e2).sum(1), (e2 * e2).sum(1)
    x, y = (d * e1).sum(1), (d * e2).sum(1)
    det = np.maximum(a * c - b * b, 1e-14)
    return np.stack([(c * x - b * y) / det, (a * y - b * x) / det], 1)


def scatter(h, faces, count, rng, weight=None):
    """count random points on the faces: face numbers and (b1, b2)."""
    t = h.f[faces]
    area = np.linalg.norm(np.cross(h.rest[t[:, 1]] - h.rest[t[:, 0]], h.rest[t[:, 2]] - h.rest[t[:, 0]]), axis=1)
    if weight is not None:
        area = area * weight
    face = rng.choice(faces, count, p=area / area.sum())
    u, w = rng.random((2, count))
    flip = u + w > 1
    return face, np.stack([np.where(flip, 1 - u, u), np.where(flip, 1 - w, w)], 1)


def stroke(h, n, face, b, along, length, width, lift, tilt):
    """place and axes of strokes in the direction along [N,3]; length and width are deviations, lift and tilt (the
    rise of the half-axis) heights, all in metres times SCALE."""
    t = h.f[face]
    m = unit((n[t] * np.stack([1 - b.sum(1), b[:, 0], b[:, 1]], 1)[:, :, None]).sum(1))
    along = unit(along - m * (along * m).sum(1, keepdims=True))
    across = np.cross(m, along)
    place = np.c_[b, lift]
    p = np.c_[in_edges(h, face, along * length[:, None]), tilt]
    q = np.c_[in_edges(h, face, across * width[:, None]), np.zeros(len(face))]
    return place, np.stack([p, q], 1)


def strokes(scene, rng):
    """Hair, brows, lashes: lists of face, place, axes, opacity, display colour, kind (HAIR 0, brow 1, lash 2)."""
    h = scene.h
    n = normals(h.rest, h.f)
    out = []
    which = lambda mask: np.nonzero(mask[h.f].all(1))[0]
    # hair: most where the camera looks
    faces = which(h.shell)
    mid = h.rest[h.f[faces]].mean(1)
    weight = np.interp(mid[:, 2], [-.55, -.3, .05], [.15, .35, 1])
    count = 8000
    face, b = scatter(h, faces, count, rng, weight)
    d = scene.tangent[h.f[face]].mean(1)
    d = unit(d + rng.normal(size=d.shape) * .10)
    length, width = rng.uniform(2.5, 5.5, count) * MM, rng.uniform(.22, .42, count) * MM
    lift = np.abs(rng.normal(size=count)) * .8 * MM
    place, axes = stroke(h, n, face, b, d, length, width, lift, rng.normal(size=count) * .35 * MM)
    tone = np.exp(rng.normal(size=count) * .20)[:, None]
    out.append((face, place, axes, rng.uniform(.45, .85, count), np.clip(np.array([.33, .225, .15]) * tone, 0, 1), np.zeros(count)))
    # brows: inner hairs stand up, outer ones lie along
    for mask in h.brows:
        first = np.nonzero(mask)[0].min()
        faces = which(mask)
        count = 260
        face, b = scatter(h, faces, count, rng)
        local = h.f[face] - first
        bb = np.stack([1 - b.sum(1), b[:, 0], b[:, 1]], 1)
        u = ((local // 4) * bb).sum(1) / 20
        across = np.array([-1, -.4, .35, 1])[local % 4]
        s = (across * bb).sum(1)
        k = np.clip((u * 20).astype(int), 0, 19)
        col = h.rest[first + 4 * np.arange(21)[:, None] + np.arange(4)]
        lengthwise = unit(col[k + 1].mean(1) - col[k].mean(1))
        upward = unit(col[k, 3] - col[k, 0])
        rise = np.interp(u, [0, .15, .5, 1], [1.6, .9, .35, -.05])[:, None] - .25 * s[:, None]
        d = unit(lengthwise + rise * upward + rng.normal(size=(count, 3)) * .12)
        keep = rng.random(count) < (1 - .55 * np.abs(s) ** 3) * np.interp(u, [0, .1, .25], [.55, .85, 1])
        length, width = rng.uniform(1.1, 1.9, count) * MM * np.interp(u, [0, .2, .9, 1], [.8, 1, 1, .7]), np.full(count, .15) * MM
        place, axes = stroke(h, n, face, b, d, length, width, np.full(count, .1 * MM), rng.uniform(0, .25, count) * MM)
        tone = np.exp(rng.normal(size=count) * .15)[:, None]
        col_ = np.clip(np.array([.25, .165, .115]) * tone, 0, 1)
        out.append(tuple(x[keep] for x in (face, place, axes, rng.uniform(.35, .65, count), col_, np.ones(count))))
    # lashes: along the strip from the lid to its edge
    for mask in h.lashes:
        faces = which(mask)
        ids = np.nonzero(mask)[0]
        eye = h.eyes[0] if h.rest[ids, 0].mean() > 0 else h.eyes[1]
        reach = np.linalg.norm(h.rest - eye, axis=1)
        count = 130
        face, b = scatter(h, faces, count, rng)
        t = h.f[face]
        # direction in the face along which the distance from the eye grows
        e1, e2 = h.rest[t[:, 1]] - h.rest[t[:, 0]], h.rest[t[:, 2]] - h.rest[t[:, 0]]
        g1, g2 = reach[t[:, 1]] - reach[t[:, 0]], reach[t[:, 2]] - reach[t[:, 0]]
        a, bb, c = (e1 * e1).sum(1), (e1 * e2).sum(1), (e2 * e2).sum(1)
        det = np.maximum(a * c - bb * bb, 1e-14)
        d = ((c * g1 - bb * g2) / det)[:, None] * e1 + ((a * g2 - bb * g1) / det)[:, None] * e2
        d = unit(unit(d) + unit((h.rest[t].mean(1) - eye) * [1, 0, 0]) * .25)
        length = rng.uniform(.9, 1.5, count) * MM
        place, axes = stroke(h, n, face, b, d, length, np.full(count, .09 * MM), np.zeros(count), np.zeros(count))
        out.append((face, place, axes, rng.uniform(.30, .55, count), np.tile([.085, .06, .05], (count, 1)), np.full(count, 2.)))
    return [np.concatenate(x) for x in zip(*out)]


def rest_light(scene):
    """Irradiance [V,3] to be painted into the colours: that of several poses where the rest hides a part."""
    h = scene.h
    at = lambda **units: scene.light(h.pose(h.motion(**units)))[1]
    rest, blink = at(), at(eyeBlink=1, mouthSmile=.2)
    talk = at(jaw=.16, mouthStretch=.2, mouthUpperUp=.25, mouthLowerDown=.3)
    E = .5 * rest + .5 * np.maximum(rest, blink)
    inside = np.isin(h.material, (TEETH, MOUTH))
    E[inside] = .85 * talk[inside] + .15 * rest[inside]
    eye = h.material == EYE
    gaze = (at(eyeWide=.3) + at(eyeLookUp=.6) + at(eyeLookDown=.6) + at(eyeLookOutLeft=.8, eyeLookInRight=.8) + at(eyeLookInLeft=.8, eyeLookOutRight=.8)) / 5
    E[eye] = gaze[eye]
    lips = h.material == LIPS
    E[lips] = .5 * rest[lips] + .5 * np.maximum(rest, talk)[lips]
    return E


def build(scene):
    """All splat tensors as float arrays, and the strokes' number."""
    h = scene.h
    rng = np.random.default_rng(3)
    v, f = h.rest, h.f
    extra = h.extra
    mat = np.sort(h.material[f], 1)[:, 1]                        # the material of most corners
    spacing = np.array([SPACING[k] for k in range(7)])[mat]
    mid = v[f].mean(1)
    for e in h.eyes:                                             # finer round the eyes, coarser behind
        near = np.linalg.norm(mid - e, axis=1)
        lid = (mat == SKIN) & (near < 24 * MM)
        spacing[lid] = np.minimum(spacing[lid], np.interp(near[lid], [14 * MM, 24 * MM], [1.15, 2.6]))
    lipsnear = np.linalg.norm((mid - v[h.material == LIPS].mean(0)) * [1, 1.3, 1], axis=1)
    spacing[(mat == SKIN) & (lipsnear < 32 * MM)] = 2.3
    back = mid[:, 2] < -.02 * SCALE
    spacing[back & (mat == SKIN)] = 8
    spacing[back & (mat == HAIR)] = 12
    low = (mat == SKIN) & (mid[:, 1] < -.085 * SCALE)
    spacing[low] = 5
    collar = (mat == CLOTH) & (mid[:, 1] > -.150 * SCALE) & (mid[:, 2] > -.08 * SCALE)
    spacing[np.any(h.lashes, 0)[f].all(1)] = 1.6
    spacing[collar] = 3.6
    spacing[extra[f].all(1)] = 1e9
    eyeback = (mat == EYE) & (np.minimum(*[unit(mid - e)[:, 2] + 9 * (np.linalg.norm(mid - e, axis=1) > .1) for e in h.eyes]) < .15)
    spacing[eyeback] = 8
    front = (mat == EYE) & (np.max([unit(mid - e)[:, 2] * (np.linalg.norm(mid - e, axis=1) < .1) for e in h.eyes], 0) > .86)
    spacing[front] = .8
    face, place, axes = skin(h, spacing * MM)
    keep = ~extra[f[face]].all(1)
    face, place, axes = face[keep], place[keep], axes[keep]
    n_skin = len(face)
    lash = np.any(h.lashes, 0)[f[face]].all(1)
    axes[lash] *= .55
    opacity = np.full(n_skin, .96)
    opacity[lash] = .62
    s = strokes(scene, rng)
    kind = np.r_[np.full(n_skin, -1), s[5]]
    face, place, axes, opacity = (np.concatenate([a, b]) for a, b in zip((face, place, axes, opacity), s[:4]))
    b = np.stack([1 - place[:, 0] - place[:, 1], place[:, 0], place[:, 1]], 1)[:, :, None]
    t = f[face]
    w = np.zeros((len(face), 7))
    for k in range(3):
        w[np.arange(len(face)), h.material[t[:, k]]] += b[:, k, 0]
    rest = (v[t] * b).sum(1)
    base = ((scene.base[t] * b).sum(1)) ** 2
    base[:n_skin] = native.detail(base[:n_skin], rest[:n_skin], w[:n_skin], scene.marks)
    base[n_skin:] = s[4] ** 2
    # the light at rest, painted in relative to what the harmonics will give
    sh = harmonics()
    E = rest_light(scene)
    # strokes take their light from the solid surface next to them
    loose = np.nonzero(extra)[0]
    firm = np.nonzero(~extra & (h.material == SKIN))[0]
    for i in loose:
        E[i] = E[firm[((v[firm] - v[i]) ** 2).sum(1).argmin()]]
    normal = unit((normals(v, f)[t] * b).sum(1))
    ratio = np.clip((E[t] * b).sum(1) / np.maximum(basis(normal) @ sh, .05), 0, 1.6)
    albedo = np.clip(base * ratio, 0, 1)
    gloss = np.array([GLOSS[k] for k in range(7)])
    strength = w @ gloss[:, 0] * np.clip(ratio.mean(1), 0, 1)
    sharp = w @ gloss[:, 1]
    strength[kind > 0] = 0
    # channels 3..28
    x = rest / (.14 * SCALE)
    line = np.zeros((len(face), 26))
    line[:, 0:7] = w
    line[:, 7] = 1                                               # coverage
    line[:, 8] = ratio.mean(1)
    line[:, 9:12] = np.sqrt(base)
    line[:, 12:15] = x
    line[:, 15:18] = np.sin(6 * x)
    line[:, 18:21] = np.cos(6 * x)
    d = np.where((rest[:, :1] > 0), rest - h.eyes[0], rest - h.eyes[1])
    line[:, 21:23] = np.where(w[:, EYE:EYE + 1] > .5, unit(d)[:, :2], 0)
    line[:, 23] = kind == 0
    line[:, 24] = kind > 0
    line[:, 25] = unit(rest - scene.skull)[:, 1] * w[:, HAIR]
    lobe = np.stack([np.r_[unit([-.15, .085, .985]), LAMPS[3:6]], np.r_[unit(FILL + [0, 0, 1]), .12 * LAMPS[15:18]]])
    return {'splat.face': face.astype(np.int64), 'splat.place': place, 'splat.axes': axes, 'splat.opacity': opacity, 'splat.albedo': albedo,
            'splat.gloss': np.stack([strength, sharp], 1), 'splat.feature': line, 'light.sh': sh, 'light.lobe': lobe}, n_skin
