#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks head.safetensors and its faces, and draws a contact sheet.

    python3 check_head.py [--head head.safetensors] [--faces faces] [--face NAME] [--sheet sheet.png]

Needs numpy; the sheet is PNG through zlib.  Fails with a message at the first number out of bounds."""
import argparse
import copy
import json
import os
import struct
import zlib

import numpy as np

from headkit import lipwork, rig, tensors
from headkit.mesh import nearest
from headkit.raster import normals, shade, turn

HERE = os.path.dirname(os.path.abspath(__file__))
ACROSS = np.array([-18, -12, -6, .3, 6, 12, 18]) / 1000      # where the lips are measured, metres


class Head:
    """The file, opened and posable."""

    def __init__(self, path):
        t, self.meta = tensors.load(path)
        self.t, self.f = t, t['flame_model.f']
        self.v = t['flame_model.v_template'].astype(float)
        self.dirs = t['flame_model.shapedirs'].astype(float)
        self.pos = t['flame_model.posedirs'].astype(float)
        self.w, self.reg = t['flame_model.weights'].astype(float), t['flame_model.J_regressor'].astype(float)
        self.channels, self.ids = self.meta['channels'].split(','), self.meta['identity'].split(',')
        self.n_id = self.dirs.shape[2] - 100
        lip = t['material'] == 1
        self.lips = self.f[lip[self.f].all(1)]
        low = self.w[self.lips, 2].mean(1) > .5
        self.upper, self.lower = self.lips[~low], self.lips[low]
        self.groom = self.groomed(t)

    def groomed(self, t):
        """How far [V,3] hair, brows and lashes of a file lie from where the head has them."""
        out = np.zeros_like(self.v)
        out[t['groom.vertex'].astype(int)] = t['groom.offset']
        return out

    def wearing(self, path):
        """This head with the face in a file: another rest shape, colours and materials."""
        face, meta = tensors.load(path)
        h = copy.copy(self)
        h.meta = {**self.meta, **meta}
        h.v = self.v + self.dirs[:, :, :self.n_id] @ face['shape'].astype(float) + face['offset'].astype(float)
        h.groom = h.groomed(face)
        h.t = {**self.t, 'color': face['color'] / 255, 'material': face['material']}
        return h

    def column(self, name):
        return self.dirs[:, :, self.n_id + self.channels.index(name)]

    def pose(self, jaw=0.0, shape=None, **units):
        """Posed vertices; a name without Left or Right stands for both."""
        vs = self.v + self.groom
        if shape is not None:
            vs += self.dirs[:, :, :self.n_id] @ shape
        for name, x in units.items():
            for c in [name] if name in self.channels else [name + 'Left', name + 'Right']:
                vs += x * self.column(c)
        return rig.skin(vs, self.reg @ (vs - self.groom), self.w, self.pos, [[0, 0, 0], [0, 0, 0], [jaw, 0, 0], [0, 0, 0], [0, 0, 0]])

    def gaps(self, v):
        """Millimetres between the lips at ACROSS; below 0 they overlap as seen from the front."""
        return np.array([lipwork.gap(v, self.upper, self.lower, x) for x in ACROSS]) * 1000

    def region(self, v, name):
        return v[self.t['region.' + name]].mean(0)


def check(ok, text):
    print(('ok    ' if ok else 'FAILS ') + text)
    if not ok:
        raise SystemExit(1)


def numbers(h):
    v, f, rest = h.v, h.f, h.pose()
    check(f.min() >= 0 and f.max() < len(v) and len(f) <= 13000, f'{len(v)} vertices, {len(f)} triangles')
    for name, x in h.t.items():
        check(np.isfinite(np.asarray(x, float)).all(), f'{name} {x.dtype} {list(x.shape)} is finite')
    check(np.abs(h.w.sum(1) - 1).max() < 1e-5 and h.w.min() > -1e-6, 'weights are not negative and sum to 1')
    e0, e1 = v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]]
    area = np.linalg.norm(np.cross(e0, e1), axis=1) / 2
    check(area.min() > 1e-10, f'no degenerate triangle (smallest {area.min() * 1e6:.5f} mm2)')
    eye = (h.t['material'] == 2)
    n = normals(v, f)
    for side, sign in (('left', 1), ('right', -1)):
        i = eye & (v[:, 0] * sign > 0)
        c = h.reg[3 if sign > 0 else 4] @ v
        check((((v[i] - c) * n[i]).sum(1) > 0).all() and i.sum() >= 400, f'{side} eye: {i.sum()} vertices, normals outwards')
    skin = (h.t['material'] == 0) & (v[:, 2] > .06) & (np.abs(v[:, 0]) < .05)
    check((n[skin, 2] > 0).mean() > .85, f'face normals outwards ({(n[skin, 2] > 0).mean():.2f} of them to the front)')
    # left and right: every vertex but hair, lashes and garment has a partner
    part = v[~np.isin(h.t['material'], (5, 6, 7))]
    off = nearest(part * [-1, 1, 1], part)[1][:, 0] * 1000
    check((off > .1).mean() < .005, f'symmetric: {(off > .1).sum()} of {len(part)} vertices off by more than 0.1 mm, worst {off.max():.2f}')
    # joints
    joints = h.reg @ v
    worst = 0.0
    for k in range(100):
        j = h.reg @ (v + h.dirs[:, :, h.n_id + k])
        worst = max(worst, np.abs(j - joints).max())
    check(worst < 3e-5, f'no expression moves a joint ({worst * 1000:.4f} mm)')
    for side, j in (('left', 3), ('right', 4)):
        i = eye & (v[:, 0] * (1 if side == 'left' else -1) > 0)
        worst = 0.0
        for k in range(h.n_id):
            d = h.dirs[i, :, k]
            X = np.c_[np.ones(i.sum()), v[i] - joints[j]]
            shift = np.linalg.lstsq(X, d, rcond=None)[0][0]
            worst = max(worst, np.abs(h.reg[j] @ h.dirs[:, :, k] - shift).max())
        check(worst < 5e-5, f'{side} eye joint follows the eyeball in {h.n_id} directions of identity ({worst * 1000:.4f} mm)')
    teeth = np.nonzero((h.t['material'] == 3) & (h.w[:, 2] > .99))[0]
    for k, name in [(-1, 'mean')] + list(enumerate(h.ids)):
        s = np.zeros(h.n_id)
        if k >= 0:
            s[k] = 1
        base = v + (h.dirs[:, :, k] if k >= 0 else 0)
        R = rig.rodrigues([.2, 0, 0])
        want = (base[teeth] - h.reg[2] @ base) @ R.T + h.reg[2] @ base
        got = h.pose(.2, s)[teeth]
        check(np.abs(want - got).max() < 1.2e-3, f'jaw turns the lower teeth about its joint: {name} '
              f'({np.abs(want - got).max() * 1000:.2f} mm)') if k < 0 or np.abs(want - got).max() >= 1.2e-3 else None
    full = h.pose(np.radians(24.7))
    d = np.abs(full - h.pose(jawOpen=1)).max()
    check(d < 6e-4, f'jaw at 24.7 degrees is jawOpen at 1 ({d * 1000:.3f} mm)')
    # lids
    for side in ('left', 'right'):
        gap = lambda p: (h.region(p, 'eyelid_upper_' + side) - h.region(p, 'eyelid_lower_' + side))[1] * 1000
        shut, wide = gap(h.pose(eyeBlink=1)), gap(rest)
        check(-1.5 < shut < .5 and wide > 5, f'{side} eye: {wide:.1f} mm open at rest, {shut:.2f} mm at blink')
    # lips
    g = h.gaps(rest)
    check(g.max() < .1 and g.min() > -1, f'lips meet at rest: {g.round(2)} mm')
    for jaw in (.05, .1, .15, .2, .3):
        g = h.gaps(h.pose(jaw, mouthClose=jaw / np.radians(24.7)))
        check(g.max() < .5 and g.min() > -1.5, f'mouthClose shuts the lips at jaw {jaw}: {g.round(2)} mm')


def face(h, name):
    """A face's lids shut, its lips seal, its jaw turns about its own joint, its eyes stand where the head's do."""
    rest = h.pose()
    check(len(h.meta['description']) > 10 and np.isfinite(h.v).all(), f'{name}: {h.meta["description"]}')
    for side in ('left', 'right'):
        gap = lambda p: (h.region(p, 'eyelid_upper_' + side) - h.region(p, 'eyelid_lower_' + side))[1] * 1000
        shut, wide = gap(h.pose(eyeBlink=1)), gap(rest)
        check(-1.5 < shut < .2 and wide > 5, f'{name}: {side} eye {wide:.1f} mm open at rest, {shut:.2f} mm at blink')
    for jaw in (0, .05, .1, .15, .2, .3):
        g = h.gaps(h.pose(jaw, mouthClose=jaw / np.radians(24.7)))
        check(g.max() < .5 and g.min() > -4, f'{name}: lips shut at jaw {jaw}: {g.min():.2f} to {g.max():.2f} mm')
    check(np.nanmax(h.gaps(h.pose(**json.load(open(os.path.join(HERE, 'visemes.json')))['PP']))) < .2, f'{name}: PP is shut')
    check(h.gaps(h.pose(.25))[3] > 8, f'{name}: jaw 0.25 opens the mouth')
    teeth = np.nonzero((h.t['material'] == 3) & (h.w[:, 2] > .99))[0]
    joint = h.reg @ h.v
    want = (h.v[teeth] - joint[2]) @ rig.rodrigues([.2, 0, 0]).T + joint[2]
    off = np.abs(want - h.pose(.2)[teeth]).max() * 1000
    check(off < 1.2, f'{name}: the jaw turns the lower teeth about its joint ({off:.2f} mm)')
    for side, j in (('left', 3), ('right', 4)):
        i = (h.t['material'] == 2) & (h.v[:, 0] * (1 if side == 'left' else -1) > 0)
        ball = h.v[i] - joint[j]
        radius = np.linalg.norm(ball, axis=1) * 1000
        check(radius.max() - radius.min() < 4, f'{name}: the {side} eye is round about its joint, {radius.min():.1f} to {radius.max():.1f} mm')


def visemes(h):
    """Prints the lip gaps of visemes.json; p must be shut, f must touch the teeth."""
    edge = lambda v: h.region(v, 'upper_teeth_edge')
    for name, r in json.load(open(os.path.join(HERE, 'visemes.json'))).items():
        v = h.pose(**r)
        g = h.gaps(v)
        lip = lipwork.section(v, h.lower, .0003)[:, 1].max()
        width = np.abs(h.t['region.mouth_corners'].astype(float) * 0 + v[h.t['region.mouth_corners'], 0]).sum() * 1000
        print(f'{name:4s} gap middle {np.nanmax(g[3:4]):6.2f} mm, mean {np.nanmean(np.maximum(g, 0)):6.2f} mm, width {width:5.1f} mm, '
              f'upper teeth to lower lip {(edge(v)[1] - lip) * 1000:6.2f} mm')
        if name == 'PP':
            check(np.nanmax(g) < .2, 'PP is shut')
        if name == 'FF':
            check(abs(edge(v)[1] - lip) < 1.5e-3, 'FF: the lower lip is at the upper teeth')


def png(path, picture):
    """Writes [h,w,3] uint8."""
    h, w, _ = picture.shape
    raw = np.concatenate([np.zeros((h, 1), np.uint8), picture.reshape(h, -1)], 1).tobytes()
    chunk = lambda k, d: struct.pack('>I', len(d)) + k + d + struct.pack('>I', zlib.crc32(k + d))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0))
                   + chunk(b'IDAT', zlib.compress(raw, 6)) + chunk(b'IEND', b''))


def sheet(h, path, size=320):
    pivot = [0, 0, -.02]
    face, mouth, eyes = dict(), dict(zoom=2.4, look=(0, -.045)), dict(zoom=2.6, look=(0, .01))
    cells = [({}, 0, face), ({}, .6, face), ({}, -.6, face), ({}, 1.4, face), ({}, 3.1, face), ({'jaw': .25}, .5, face),
             ({'jaw': .15}, 0, mouth), ({'jaw': .3}, 0, mouth), ({'mouthSmile': .8}, 0, face), ({'mouthPucker': 1}, 0, mouth),
             ({'mouthFunnel': 1, 'jaw': .1}, 0, mouth), ({'jaw': .2, 'mouthClose': .46}, 0, mouth),
             ({'mouthPress': .8, 'mouthRollLower': .4, 'mouthRollUpper': .4}, 0, mouth),
             ({'jaw': .055, 'mouthRollLower': .75, 'mouthUpperUp': .22}, 0, mouth), ({'jaw': .15, 'tongueUp': 1}, 0, mouth),
             ({'jaw': .25, 'tongueOut': 1}, 0, mouth), ({'jaw': .25, 'tongueOut': 1}, .7, face), ({'jaw': .2, 'mouthSmile': .8}, 0, face),
             ({'eyeBlink': 1}, 0, eyes), ({'eyeBlink': .6}, 0, eyes), ({'eyeLookOutLeft': 1, 'eyeLookInRight': 1}, 0, eyes),
             ({'eyeLookUp': 1}, 0, eyes), ({'browInnerUp': 1, 'browOuterUp': 1, 'eyeWide': .5}, 0, eyes), ({'browDown': 1}, 0, eyes)]
    rows = [shade(turn(h.pose(**p), yaw, 0, pivot), h.f, h.t['color'], size, **view) for p, yaw, view in cells]
    for r in json.load(open(os.path.join(HERE, 'visemes.json'))).values():
        rows.append(shade(turn(h.pose(**r), .25, 0, pivot), h.f, h.t['color'], size, zoom=2.4, look=(.01, -.045)))
    while len(rows) % 6:
        rows.append(np.full_like(rows[0], 255))
    png(path, np.concatenate([np.concatenate(rows[i:i + 6], 1) for i in range(0, len(rows), 6)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--head', default=os.path.join(HERE, 'head.safetensors'))
    parser.add_argument('--faces', default=os.path.join(HERE, 'faces'))
    parser.add_argument('--face', help='draw this face')
    parser.add_argument('--sheet', help='write a contact sheet (PNG) here; takes a minute')
    args = parser.parse_args()
    h = Head(args.head)
    numbers(h)
    visemes(h)
    files = sorted(f for f in os.listdir(args.faces) if f.endswith('.safetensors'))
    check(len(files) >= 6, f'{len(files)} faces')
    for name in files:
        face(h.wearing(os.path.join(args.faces, name)), name.removesuffix('.safetensors'))
    if args.sheet:
        sheet(h.wearing(os.path.join(args.faces, args.face + '.safetensors')) if args.face else h, args.sheet)


if __name__ == '__main__':
    main()
