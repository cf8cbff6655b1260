# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes avatar.safetensors (FORMAT.md): splats, and the network if a checkpoint is given.

    python3 make.py [--network checkpoint.pt] [--out ../avatar.safetensors]"""
import argparse
import hashlib
import json
import os

import numpy as np

import splats
from scene import HEAD_FILE, HERE, SCALE, Head, Scene

CODE = {'U16': 2, 'F16': 2, 'BF16': 2, 'F32': 4}


def bf16(x):
    """Bits [..] uint16, rounded to nearest even."""
    u = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((u + 0x7fff + ((u >> 16) & 1)) >> 16).astype(np.uint16)


def unbf16(b):
    return (b.astype(np.uint32) << 16).view(np.float32)


def dtype(name):
    if name == 'splat.face':
        return 'U16'
    return 'F16' if name in ('splat.place', 'splat.axes') else 'F32' if name.startswith('light.') else 'BF16'


def rounded(name, x):
    """The value that a reader of the file sees."""
    kind = dtype(name)
    if kind == 'U16':
        return x.astype(np.int64)
    return x.astype(np.float16).astype(np.float32) if kind == 'F16' else unbf16(bf16(x)) if kind == 'BF16' else x.astype(np.float32)


def save(path, tensors, metadata):
    header, data = {'__metadata__': metadata}, []
    offset = 0
    for name in sorted(tensors, key=lambda k: (dtype(k) != 'F32', k)):
        x, kind = tensors[name], dtype(name)
        raw = (x.astype('<u2') if kind == 'U16' else x.astype('<f2') if kind == 'F16' else bf16(x) if kind == 'BF16' else x.astype('<f4')).tobytes()
        header[name] = {'dtype': kind, 'shape': list(x.shape), 'data_offsets': [offset, offset + len(raw)]}
        data.append(raw)
        offset += len(raw)
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path + '.part', 'wb') as file:
        file.write(len(text).to_bytes(8, 'little') + text + b''.join(data))
    os.replace(path + '.part', path)


def load(path):
    """({name: array as a reader sees it}, config)."""
    with open(path, 'rb') as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
        data = file.read()
    meta, out = header.pop('__metadata__'), {}
    for name, h in header.items():
        b, e = h['data_offsets']
        x = np.frombuffer(data[b:e], {'U16': '<u2', 'F16': '<f2', 'BF16': '<u2', 'F32': '<f4'}[h['dtype']]).reshape(h['shape'])
        out[name] = unbf16(x) if h['dtype'] == 'BF16' else x.astype(np.int64) if h['dtype'] == 'U16' else x.astype(np.float32)
    return out, json.loads(meta['config'])


def parts():
    """Head, Scene, splat tensors as a reader sees them, number of discs, config."""
    head = Head()
    scene = Scene(head)
    tensors, n_skin = splats.build(scene)
    tensors = {k: rounded(k, x) for k, x in tensors.items()}
    config = {'side': 512, 'network_side': 256, 'scale': SCALE, 'basis': head.meta['basis'], 'channels': 32, 'vertices': len(head.rest),
              'faces': len(head.f), 'distance': 10, 'thickness': splats.THICKNESS, 'noise': 0, 'alpha': 'splats', 'residual': True}
    return head, scene, tensors, n_skin, config


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--network', help='checkpoint of train.py; without it a network that changes nothing')
    parser.add_argument('--out', default=os.path.join(os.path.dirname(HERE), 'avatar.safetensors'))
    args = parser.parse_args()
    import torch

    import styleunet
    _, _, tensors, n_skin, config = parts()
    torch.manual_seed(0)
    net = styleunet.StyleUNet(config['network_side'])
    if args.network:
        net.load_state_dict(torch.load(args.network, weights_only=True)['average'])
    else:
        for m in [net.stylegan_decoder.to_rgb1, *net.stylegan_decoder.to_rgbs]:
            torch.nn.init.zeros_(m.modulated_conv.weight)
    tensors.update({'upsampler.' + k: x.detach().numpy() for k, x in net.state_dict().items()})
    for k in range(2 * len(net.stylegan_decoder.to_rgbs) + 1):       # the published names; their strength is 0
        side = 2 ** ((k + 5) // 2)
        tensors[f'upsampler.stylegan_decoder.noises.noise{k}'] = np.zeros((1, 1, side, side))
    config['multiply_adds'] = styleunet.multiply_adds(config['network_side'])[0]
    save(args.out, tensors, {'format': 'artalk-avatar-1', 'config': json.dumps(config), 'licence': 'LGPL-2.1-or-later',
                             'head': hashlib.sha256(open(HEAD_FILE, 'rb').read()).hexdigest(), 'source': 'models/default/avatar'})
    print(f'{args.out}: {len(tensors["splat.face"])} splats ({n_skin} discs), {os.path.getsize(args.out) / 1e6:.2f} MB')


if __name__ == '__main__':
    main()
