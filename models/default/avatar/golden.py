# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reference numbers of one frame of avatar.safetensors, for tests of the C code:

    python3 golden.py [--avatar FILE] [--out ../../../tests/golden/avatar/builtin.safetensors]

What is in it: README.md beside the file."""
import argparse
import hashlib
import json
import os

import numpy as np

import bind
from headkit import tensors
from poses import turned
from reference import Avatar
from scene import HERE

tensors.CODE.update({'uint32': 'U32'})


def motion(head):
    say = json.load(open(os.path.join(os.path.dirname(HERE), 'visemes.json')))['AA']
    return head.motion(**say, mouthSmile=.3, eyeBlink=.2, eyeLookOutLeft=.4, eyeLookInRight=.4, browInnerUp=.5, turn=turned(.3, .1, -.08)).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--avatar', default=os.path.join(os.path.dirname(HERE), 'avatar.safetensors'))
    parser.add_argument('--out', default=os.path.join(HERE, '..', '..', '..', 'tests', 'golden', 'avatar', 'builtin.safetensors'))
    args = parser.parse_args()
    avatar = Avatar(args.avatar)
    m = motion(avatar.head)
    v = avatar.head.pose(m.astype(np.float64))
    mean, scales, quats, colors = bind.bind(avatar.tensors, avatar.head.f, v, avatar.config['thickness'])
    quats = quats * np.where(quats[:, :1] < 0, -1, 1)
    at = np.arange(0, len(mean), 251)
    r = avatar.draw(m)
    f32, f16 = (lambda x: np.ascontiguousarray(x, np.float32)), (lambda x: np.ascontiguousarray(x, np.float16))
    image = r['image'].transpose(2, 0, 1)
    white = r['rgb'] + r['T'][..., None]
    out = {
        'motion': m, 'vertices_every_13': f32(v[::13]), 'index': at.astype(np.uint32), 'means': f32(mean[at]), 'scales': f32(scales[at]),
        'rotations': f32(quats[at]), 'colors': f32(colors[at]), 'splat_stride16': f16(image[:, 3::16, 5::16]), 'splat_mean': f32(image.mean((1, 2))),
        'final_T_stride4': f16(r['T'][1::4, 2::4]), 'network_stride8': f32(r['output'][:, 1::8, 2::8]),
        'network_mean': f32(r['output'].mean((1, 2))),
        'picture_white_stride4': np.floor(255 * white[1::4, 2::4] + .5).clip(0, 255).astype(np.uint8)}
    tensors.save(args.out, out, {'avatar': hashlib.sha256(open(args.avatar, 'rb').read()).hexdigest(), 'side': str(avatar.config['side'])})
    print(f'{args.out}: {os.path.getsize(args.out)} bytes')


if __name__ == '__main__':
    main()
