# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pairs of a splat image (averaged to the network's side) and the renderer's picture, into a folder:

    python3 dataset.py FOLDER [--count 400] [--seed 1]

NUMBER.npz each; goes on where it was stopped."""
import argparse
import os

import numpy as np
from scipy import ndimage

import bind
import make
from poses import Poses
from render import Renderer


def halved(x):
    return .25 * (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2])


def pair(head, tensors, renderer, config, motion):
    """splat image [32,R,R] f16, coverage [R,R] f16, wanted straight colour [3,R,R] f16, its weight [R,R]."""
    v = head.pose(motion)
    image, t = bind.draw(tensors, head.f, v, config)
    wanted = renderer.draw(v, config['side'])
    cover = 1 - t
    while len(image) > config['network_side']:
        image, cover, wanted = halved(image), halved(cover), halved(wanted)
    a = wanted[..., 3]
    straight = wanted[..., :3] / np.maximum(a, 1e-3)[..., None]
    near = ndimage.distance_transform_edt(a < .5, return_distances=False, return_indices=True)
    straight = np.where((a < .5)[..., None], straight[near[0], near[1]], straight)
    half = lambda x: np.ascontiguousarray(x).astype(np.float16)
    return half(image.transpose(2, 0, 1)), half(cover), half(straight.transpose(2, 0, 1)), half(np.minimum(1, .25 + a))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder')
    parser.add_argument('--count', type=int, default=400)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    head, scene, tensors, n_skin, config = make.parts()
    renderer, poses = Renderer(scene, tensors, n_skin), Poses(head)
    for k in range(args.count):
        path = os.path.join(args.folder, f'{args.seed}-{k:05d}.npz')
        motion = poses.row(np.random.default_rng([args.seed, k]))
        if not os.path.exists(path):
            g, a, c, w = pair(head, tensors, renderer, config, motion)
            np.savez(path + '.part.npz', g=g, a=a, c=c, w=w, motion=motion)
            os.replace(path + '.part.npz', path)


if __name__ == '__main__':
    main()
