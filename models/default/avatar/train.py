# SPDX-License-Identifier: LGPL-2.1-or-later
"""Teaches the network the difference between splats and renderer:

    python3 train.py WORK --until 2026-01-01T12:00 [--threads 1] [--batch 1] [--rate 2e-3] [--final]

WORK/data holds pairs (dataset.py; new ones are taken as they come), WORK/checkpoint.pt is written now and then and gone on from.
--final: the rate falls to 0 at the end."""
import argparse
import datetime
import glob
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

from styleunet import StyleUNet

HELD = 6                                                         # pairs kept for testing


def load(path):
    with np.load(path) as x:
        return [torch.from_numpy(x[k].astype(np.float32)) for k in ('g', 'a', 'c', 'w')]


def importance(g, w):
    """Weight [B,1,R,R] of each pixel: eyes, lips, teeth, mouth, lashes count more."""
    fine = (g[:, 4:8].sum(1) + g[:, 27]).clamp(0, 1)
    near = F.max_pool2d(fine[:, None], 5, 1, 2)
    return w[:, None] * (1 + 3 * near)


def picture(net, g, a):
    """Premultiplied picture of FORMAT.md step 5 before clamping, background black."""
    return g[:, :3] + a[:, None] * (2 * net(g) - 1)


def loss(p, g, a, c, w):
    want, m = c * a[:, None], importance(g, w)
    total = (m * (p - want).abs()).mean()
    for k in (1, 2, 4):
        if k > 1:
            p, want, m = (F.avg_pool2d(x, 2) for x in (p, want, m))
            total = total + (m * (p - want).abs()).mean()
        d = p - want
        total = total + .7 * ((m[..., 1:] * (d[..., 1:] - d[..., :-1]).abs()).mean() + (m[..., 1:, :] * (d[..., 1:, :] - d[..., :-1, :]).abs()).mean())
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('work')
    parser.add_argument('--until', required=True)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--rate', type=float, default=2e-3)
    parser.add_argument('--final', action='store_true')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    end = datetime.datetime.fromisoformat(args.until).timestamp()
    net, average = StyleUNet(), StyleUNet()
    params = [p for p in net.parameters() if p.requires_grad]
    opt = torch.optim.Adam(params, args.rate, betas=(.9, .99))
    path, step = os.path.join(args.work, 'checkpoint.pt'), 0
    if os.path.exists(path):
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state['net'])
        average.load_state_dict(state['average'])
        opt.load_state_dict(state['opt'])
        step = state['step']
    else:
        average.load_state_dict(net.state_dict())
    start = saved = tested = time.time()
    rng = np.random.default_rng(step)
    sums = []
    while time.time() < end:
        files = sorted(glob.glob(os.path.join(args.work, 'data', '*-[0-9]*[0-9].npz')))
        batch = [load(f) for f in rng.choice(files[HELD:], args.batch, replace=False)]
        g, a, c, w = (torch.stack(x) for x in zip(*batch))
        rate = args.rate * min(1, (step + 1) / 60)
        if args.final:
            rate *= max(.02, (end - time.time()) / (end - start))
        for group in opt.param_groups:
            group['lr'] = rate
        value = loss(picture(net, g, a), g, a, c, w)
        opt.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        step += 1
        keep = min(.995, step / (step + 20))
        with torch.no_grad():
            for x, y in zip(average.parameters(), net.parameters()):
                x.lerp_(y, 1 - keep)
        sums.append(value.item())
        last = time.time() >= end
        if time.time() - saved > 90 or last:
            saved = time.time()
            torch.save({'net': net.state_dict(), 'average': average.state_dict(), 'opt': opt.state_dict(), 'step': step}, path + '.part')
            os.replace(path + '.part', path)
        if time.time() - tested > 300 or last:
            tested = time.time()
            held = []
            for f in files[:HELD]:
                g, a, c, w = (x[None] for x in load(f))
                with torch.no_grad():
                    p, want = picture(average, g, a), c * a[:, None]
                    held.append([loss(p, g, a, c, w), loss(g[:, :3], g, a, c, w), 255 * (p - want).abs().mean(), 255 * (g[:, :3] - want).abs().mean()])
            held = np.mean(held, 0)
            print(f'{datetime.datetime.now():%H:%M:%S} step {step} pairs {len(files)} loss {np.mean(sums):.5f} held out {held[0]:.5f} '
                  f'(splats alone {held[1]:.5f}) mean error {held[2]:.2f} ({held[3]:.2f}) of 255', flush=True)
            sums = []


if __name__ == '__main__':
    main()
