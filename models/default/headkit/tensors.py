# SPDX-License-Identifier: LGPL-2.1-or-later
"""Safetensors files: the little that is needed."""
import json

import numpy as np

CODE = {'float32': 'F32', 'float16': 'F16', 'int64': 'I64', 'uint8': 'U8', 'uint16': 'U16', 'float64': 'F64'}
TYPE = {v: k for k, v in CODE.items()}


def save(path, tensors, metadata):
    """tensors: {name: array}; metadata: {name: text}."""
    header, offset = {'__metadata__': metadata}, 0
    order = sorted(tensors, key=lambda k: (-tensors[k].dtype.itemsize, k))
    for name in order:
        x = tensors[name]
        header[name] = {'dtype': CODE[x.dtype.name], 'shape': list(x.shape),
                        'data_offsets': [offset, offset + x.nbytes]}
        offset += x.nbytes
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(len(text).to_bytes(8, 'little') + text)
        for name in order:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())


def load(path):
    """({name: array}, metadata)."""
    with open(path, 'rb') as file:
        size = int.from_bytes(file.read(8), 'little')
        header = json.loads(file.read(size))
        data = file.read()
    meta = header.pop('__metadata__', {})
    out = {}
    for name, h in header.items():
        b, e = h['data_offsets']
        out[name] = np.frombuffer(data[b:e], TYPE[h['dtype']]).reshape(h['shape'])
    return out, meta
