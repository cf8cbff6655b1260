#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One picture of the StyleUNet in PyTorch and by styleunet-bench, on as many threads: processor time and ratio.

    bench_styleunet_torch.py STYLEUNET_BENCH [--threads N] [--frames N]
    bench_styleunet_torch.py --device cuda

Weights are random, of the published sizes. With --device PyTorch alone runs there, eager, compiled and as a CUDA graph, in
float32 without TF32 and in bfloat16; ours beside it is frames-bench, which draws the splats as well. Skipped (77) where
there is no PyTorch, or no card."""
import argparse
import pathlib
import re
import subprocess
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print("SKIPPED: no PyTorch")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import torch_ways  # noqa: E402

WIDTHS = [256, 256, 256, 256, 128, 64, 32, 16]  # of 4 … 512 pixels; the decoder's are twice these
STYLE = 512


def weight(out, inputs, side):
    return torch.randn(out, inputs, side, side) / (inputs * side * side) ** 0.5


def lrelu(x):
    return F.leaky_relu(x, 0.2)


def resize(x, factor):
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class Block:
    def __init__(self, inputs, out, factor):
        self.conv1, self.conv2, self.skip = weight(inputs, inputs, 3), weight(out, inputs, 3), weight(out, inputs, 1)
        self.bias1, self.bias2, self.factor = torch.randn(inputs), torch.randn(out), factor

    def __call__(self, x):
        y = resize(lrelu(F.conv2d(x, self.conv1, self.bias1, padding=1)), self.factor)
        return lrelu(F.conv2d(y, self.conv2, self.bias2, padding=1)) + F.conv2d(resize(x, self.factor), self.skip)


class Modulated:
    """As published: the weights themselves are scaled for every picture."""

    def __init__(self, out, inputs, side, demodulate):
        self.weight, self.modulation = weight(out, inputs, side), torch.randn(inputs, STYLE) * 0.03
        self.bias, self.demodulate, self.side = torch.randn(out, 1, 1) * 0.2, demodulate, side

    def __call__(self, x, w):
        scaled = self.weight * (1 + self.modulation @ w)[None, :, None, None]
        if self.demodulate:
            scaled = scaled * torch.rsqrt(scaled.pow(2).sum([1, 2, 3], keepdim=True) + 1e-8)
        return F.conv2d(x, scaled, padding=self.side // 2)


class StyleConv(Modulated):
    def __init__(self, out, inputs, side):
        super().__init__(out, inputs, 3, True)
        self.noise = torch.randn(1, 1, side, side) * 0.15

    def __call__(self, x, w):
        return lrelu(super().__call__(x, w) * 2 ** 0.5 + self.noise + self.bias)


class Network:
    def __init__(self):
        n = len(WIDTHS) - 1
        self.first, self.final = weight(WIDTHS[n], 32, 1), weight(WIDTHS[0], WIDTHS[0], 3)
        self.down = [Block(WIDTHS[n - i], WIDTHS[n - 1 - i], 0.5) for i in range(n)]
        self.up = [Block(WIDTHS[i], WIDTHS[i + 1], 2) for i in range(n)]
        self.linear = torch.randn(STYLE, 16 * WIDTHS[0]) / (16 * WIDTHS[0]) ** 0.5
        self.mlp = [torch.randn(STYLE, STYLE) * 0.06 for _ in range(8)]
        self.conditions = [[(weight(c, c, 3), weight(2 * c, c, 3)) for _ in range(2)] for c in WIDTHS[1:]]
        self.constant, self.conv1 = torch.randn(1, 2 * WIDTHS[0], 4, 4), StyleConv(2 * WIDTHS[0], 2 * WIDTHS[0], 4)
        self.rgb1 = Modulated(3, 2 * WIDTHS[0], 1, False)
        self.levels = [(StyleConv(2 * WIDTHS[i + 1], 2 * WIDTHS[i], 8 << i),
                        StyleConv(2 * WIDTHS[i + 1], 2 * WIDTHS[i + 1], 8 << i),
                        Modulated(3, 2 * WIDTHS[i + 1], 1, False)) for i in range(n)]

    def __call__(self, x):
        x, left = lrelu(F.conv2d(x, self.first)), []
        for block in self.down:
            x = block(x)
            left.append(x)
        x = lrelu(F.conv2d(x, self.final, padding=1))
        w = self.linear @ x.flatten()
        w = w * torch.rsqrt(w.pow(2).mean() + 1e-8)
        for layer in self.mlp:
            w = lrelu(layer @ w)
        y = self.conv1(self.constant, w)
        rgb = self.rgb1(y, w) + self.rgb1.bias
        for block, condition, (a, b, to_rgb) in zip(self.up, self.conditions, self.levels):
            x = block(x + left.pop())
            scale, shift = (F.conv2d(lrelu(F.conv2d(x, p, padding=1)), q, padding=1) for p, q in condition)
            y = b(a(resize(y, 2), w) * scale + shift, w)
            rgb = to_rgb(y, w) + to_rgb.bias + resize(rgb, 2)
        return torch.sigmoid(rgb)


def on_device(device):
    if not torch_ways.prepare(device):
        sys.exit(77)
    print(f"| PyTorch {torch.__version__}, {torch_ways.device_name(device)} | a picture of gagsplat's network |\n|---|---|")
    torch.set_default_device(device)
    for dtype in (torch.float32, torch.bfloat16):
        torch.set_default_dtype(dtype)
        for way in torch_ways.WAYS:
            def make_step():
                network, x = Network(), torch.randn(1, 32, 512, 512)
                return lambda: network(x)
            torch_ways.print_way(f"{str(dtype)[6:]}, {way}", make_step, way, device)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", nargs="?")
    parser.add_argument("--device")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=3)
    args = parser.parse_args()

    if args.device:
        on_device(args.device)
        return
    if not args.bench:
        parser.error("STYLEUNET_BENCH or --device is needed")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    best = float("inf")
    with torch.inference_mode():
        network, x = Network(), torch.randn(1, 32, 512, 512)
        for _ in range(args.frames):
            start = time.process_time()
            network(x)
            best = min(best, (time.process_time() - start) / args.threads)
    got = subprocess.run([args.bench, f"--threads={args.threads}", f"--frames={args.frames}"],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    ours = float(re.search(r"picture: ([0-9.]+) ms", got).group(1)) / 1e3
    print(f"PyTorch {torch.__version__}: {1e3 * best:.0f} ms, styleunet-bench: {1e3 * ours:.0f} ms, "
          f"{args.threads} threads: {best / ours:.2f} times as fast")


main()
