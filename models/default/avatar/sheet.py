# SPDX-License-Identifier: LGPL-2.1-or-later
"""A contact sheet: flamemesh above, the avatar below.

    GST_PLUGIN_PATH=build/plugins python3 sheet.py SHEET.png [--avatar FILE] [--size 136] [--splats] [--renderer]

--splats and --renderer add rows without the network, and of what it is taught."""
import argparse
import json
import os
import struct
import subprocess
import tempfile
import zlib

import numpy as np

import make
from poses import turned
from reference import Avatar
from scene import HERE

BACKGROUND = np.array([.93, .945, .955])
CROPS = {'face': (70, 15, 400), 'mouth': (176, 262, 160), 'eyes': (176, 150, 160)}     # x, y, side at 512


def poses(head):
    visemes = json.load(open(os.path.join(os.path.dirname(HERE), 'visemes.json')))
    say = lambda name, **more: head.motion(**{**visemes[name], **more})
    t = lambda yaw, pitch=0, roll=0: turned(*np.radians([yaw, pitch, roll]))
    return [(head.motion(mouthSmile=.25), 'face'), (say('AA', turn=t(20, 4)), 'face'), (say('OU', turn=t(-22, -8), browInnerUp=.4), 'face'),
            (say('EE', mouthSmile=.5, cheekSquint=.4, turn=t(8, 3, 6)), 'face'), (say('AA'), 'mouth'), (say('FF', turn=t(-10)), 'mouth'),
            (say('TH', turn=t(6)), 'mouth'), (head.motion(eyeLookOutLeft=.7, eyeLookInRight=.7), 'eyes'), (head.motion(eyeBlink=1), 'eyes')]


def flamemesh(motions):
    """The element's pictures [n,512,512,3] uint8."""
    with tempfile.TemporaryDirectory() as folder:
        np.asarray(motions, '<f4').tofile(os.path.join(folder, 'motion'))
        color = '0xff%02x%02x%02x' % tuple((BACKGROUND * 255).astype(int))
        line = (f'filesrc location={folder}/motion blocksize=424 ! motion/x-flame,format=F32LE,expression=100,pose=6,basis=arkit-1,'
                f'framerate=25/1 ! flamemesh background={color} ! video/x-raw,format=RGB,width=512,height=512 ! filesink location={folder}/rgb')
        subprocess.run(['gst-launch-1.0', '-q', *line.split()], check=True)
        return np.fromfile(os.path.join(folder, 'rgb'), np.uint8).reshape(-1, 512, 512, 3)


def resized(x, size):
    """Square picture uint8 averaged or enlarged to size."""
    import torch
    import torch.nn.functional as F
    t = torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None]
    t = F.interpolate(t, size=(size, size), mode='bicubic', align_corners=False, antialias=True)
    return t[0].permute(1, 2, 0).clamp(0, 255).round().numpy().astype(np.uint8)


def png(path, picture):
    """Writes [h,w,3] uint8, each line by the filter that leaves least."""
    h, w, _ = picture.shape
    x = np.pad(picture.astype(np.int32), ((1, 0), (1, 0), (0, 0)))
    now, left, up, corner = x[1:, 1:], x[1:, :-1], x[:-1, 1:], x[:-1, :-1]
    p = left + up - corner
    a, b, c = abs(p - left), abs(p - up), abs(p - corner)
    paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
    kinds = np.stack([(now - y).astype(np.uint8).reshape(h, -1) for y in (0 * now, left, up, (left + up) // 2, paeth)])
    best = abs(kinds.astype(np.int8).astype(int)).sum(2).argmin(0)
    lines = np.concatenate([best[:, None].astype(np.uint8), kinds[best, np.arange(h)]], 1)
    chunk = lambda k, d: struct.pack('>I', len(d)) + k + d + struct.pack('>I', zlib.crc32(k + d))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0))
                   + chunk(b'IDAT', zlib.compress(lines.tobytes(), 9)) + chunk(b'IEND', b''))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('sheet')
    parser.add_argument('--avatar', default=os.path.join(os.path.dirname(HERE), 'avatar.safetensors'))
    parser.add_argument('--size', type=int, default=136)
    parser.add_argument('--splats', action='store_true')
    parser.add_argument('--renderer', action='store_true')
    args = parser.parse_args()
    avatar = Avatar(args.avatar)
    cells = poses(avatar.head)
    rows = [list(flamemesh([m for m, _ in cells]))]
    if args.renderer:
        from render import Renderer
        head, scene, tensors, n_skin, _ = make.parts()
        r = Renderer(scene, tensors, n_skin)
        draw = lambda m: r.draw(head.pose(m))
        rows.append([((a[..., :3] + (1 - a[..., 3:]) * BACKGROUND).clip(0, 1) * 255 + .5).astype(np.uint8) for a in (draw(m) for m, _ in cells)])
    if args.splats:
        rows.append([avatar.picture(m, BACKGROUND, network=False) for m, _ in cells])
    rows.append([avatar.picture(m, BACKGROUND) for m, _ in cells])
    out = []
    for row in rows:
        line = []
        for x, (_, crop) in zip(row, cells):
            a, b, s = CROPS[crop]
            line.append(resized(x[b:b + s, a:a + s], args.size))
        out.append(np.concatenate(line, 1))
    png(args.sheet, np.concatenate(out))


if __name__ == '__main__':
    main()
