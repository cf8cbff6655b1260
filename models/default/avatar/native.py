# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compiles native.c with the C compiler (CC, default cc) and calls it."""
import ctypes
import hashlib
import os
import subprocess
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = ['-O3', '-march=native', '-fno-math-errno', '-fno-trapping-math', '-shared', '-fPIC']


def library():
    source = os.path.join(HERE, 'native.c')
    key = hashlib.sha256(open(source, 'rb').read() + ' '.join(FLAGS).encode()).hexdigest()[:16]
    path = os.path.join(tempfile.gettempdir(), f'avatar-native-{os.getuid()}-{key}.so')
    if not os.path.exists(path):
        part = f'{path}.{os.getpid()}'
        subprocess.run([os.environ.get('CC', 'cc'), *FLAGS, source, '-lm', '-o', part], check=True)
        os.replace(part, path)
    return ctypes.CDLL(path)


LIB = library()


def f32(x):
    return np.ascontiguousarray(x, np.float32)


def i32(x):
    return np.ascontiguousarray(x, np.int32)


def ptr(x):
    return ctypes.c_void_p(x.ctypes.data)


def lighting(mesh, faces, points, normals, wrap, dirs, radiance, key, size=352, bias=.012):
    """Irradiance [P,3] and share of the key lamp [P] at points, shadowed by the mesh."""
    mesh, faces, points, normals, wrap = f32(mesh), i32(faces), f32(points), f32(normals), f32(wrap)
    dirs, radiance, key = f32(dirs), f32(radiance), f32(key)
    out, seen = np.empty((len(points), 3), np.float32), np.empty(len(points), np.float32)
    LIB.lighting(ptr(mesh), len(mesh), ptr(faces), len(faces), ptr(points), ptr(normals), ptr(wrap), len(points), ptr(dirs), ptr(radiance),
                 ptr(key), len(dirs), size, ctypes.c_float(bias), ptr(out), ptr(seen))
    return out, seen


def detail(base, rest, weights, marks):
    """base [P,3] linear with the fine structure of its material."""
    base, rest, weights, marks = f32(base).copy(), f32(rest), f32(weights), f32(marks)
    LIB.detail(ptr(base), ptr(rest), ptr(weights), len(base), ptr(marks))
    return base


def picture(v, attributes, n_mesh, faces, side, samples, lamps, marks):
    """[side,side,4]: display colour times coverage, coverage."""
    v, attributes, faces, lamps, marks = f32(v), f32(attributes), i32(faces), f32(lamps), f32(marks)
    out = np.empty((side, side, 4), np.float32)
    LIB.picture(ptr(v), ptr(attributes), len(v), n_mesh, ptr(faces), len(faces), side, samples, ptr(lamps), ptr(marks), ptr(out))
    return out


def splat(means, scales, quats, opacity, colors, side):
    """Image [side,side,32] and final transmittance [side,side]."""
    means, scales, quats, opacity, colors = map(f32, (means, scales, quats, opacity, colors))
    image, t = np.empty((side, side, 32), np.float32), np.empty((side, side), np.float32)
    splat.entries = LIB.splat(ptr(means), ptr(scales), ptr(quats), ptr(opacity), ptr(colors), len(means), side, ptr(image), ptr(t))
    return image, t
