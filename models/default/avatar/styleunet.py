# SPDX-License-Identifier: LGPL-2.1-or-later
"""The StyleUNet of model spec section 11, small, with the published names of the tensors; noise strengths stay 0."""
import math

import torch
import torch.nn.functional as F
from torch import nn

# channels of the unet per side; the decoder has twice these
CHANNELS = {256: 8, 128: 8, 64: 16, 32: 32, 16: 32, 8: 32, 4: 32}
STYLE = 64
IN = 32


def lrelu(x):
    return F.leaky_relu(x, .2)


def half(x):
    return F.avg_pool2d(x, 2)


def twice(x):
    return F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)


class Block(nn.Module):
    def __init__(self, a, b, resize):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(a, a, 3, padding=1), nn.Conv2d(a, b, 3, padding=1)
        self.skip = nn.Conv2d(a, b, 1, bias=False)
        self.resize = resize

    def forward(self, x):
        return lrelu(self.conv2(self.resize(lrelu(self.conv1(x))))) + self.skip(self.resize(x))


class Modulated(nn.Module):
    def __init__(self, a, b, k, demodulate):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, b, a, k, k) / math.sqrt(a * k * k))
        self.modulation = nn.Linear(STYLE, a)
        nn.init.normal_(self.modulation.weight, std=.02)
        nn.init.ones_(self.modulation.bias)
        self.demodulate, self.pad = demodulate, k // 2

    def forward(self, x, w):
        s = self.modulation(w)                                   # [B,a]
        y = F.conv2d(x * s[:, :, None, None], self.weight[0], padding=self.pad)
        if self.demodulate:
            y = y * torch.rsqrt(((self.weight * s[:, None, :, None, None]) ** 2).sum((2, 3, 4)) + 1e-8)[:, :, None, None]
        return y


class StyleConv(nn.Module):
    def __init__(self, a, b, up):
        super().__init__()
        self.modulated_conv = Modulated(a, b, 3, True)
        self.weight = nn.Parameter(torch.zeros(1), requires_grad=False)      # strength of the noise
        self.bias = nn.Parameter(torch.zeros(1, b, 1, 1))
        self.up = up

    def forward(self, x, w):
        return lrelu(self.modulated_conv(twice(x) if self.up else x, w) * math.sqrt(2) + self.bias)


class ToRgb(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.modulated_conv = Modulated(a, 3, 1, False)
        with torch.no_grad():
            self.modulated_conv.weight.mul_(.02)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x, w):
        return self.modulated_conv(x, w) + self.bias


class Decoder(nn.Module):
    def __init__(self, sides):
        super().__init__()
        d = {s: 2 * CHANNELS[s] for s in sides}
        self.style_mlp = nn.Sequential(*[m for _ in range(8) for m in (nn.Identity(), nn.Linear(STYLE, STYLE))])
        self.constant_input = nn.Module()
        self.constant_input.weight = nn.Parameter(torch.randn(1, d[4], 4, 4))
        self.style_conv1, self.to_rgb1 = StyleConv(d[4], d[4], False), ToRgb(d[4])
        convs, rgbs, a = [], [], d[4]
        for s in sides[1:]:
            convs += [StyleConv(a, d[s], True), StyleConv(d[s], d[s], False)]
            rgbs.append(ToRgb(d[s]))
            a = d[s]
        self.style_convs, self.to_rgbs = nn.ModuleList(convs), nn.ModuleList(rgbs)

    def forward(self, code, scales, shifts):
        w = code * torch.rsqrt((code * code).mean(1, keepdim=True) + 1e-8)
        for k in range(1, 16, 2):
            w = lrelu(self.style_mlp[k](w))
        x = self.style_conv1(self.constant_input.weight.expand(len(code), -1, -1, -1), w)
        rgb = self.to_rgb1(x, w)
        for i, to_rgb in enumerate(self.to_rgbs):
            x = self.style_convs[2 * i](x, w)
            x = x * scales[i] + shifts[i]
            x = self.style_convs[2 * i + 1](x, w)
            rgb = to_rgb(x, w) + twice(rgb)
        return rgb


class StyleUNet(nn.Module):
    def __init__(self, side=256):
        super().__init__()
        up = [4 << k for k in range(int(math.log2(side)) - 1)]   # 4 .. side
        c = CHANNELS
        self.conv_body_first = nn.Conv2d(IN, c[side], 1)
        self.conv_body_down = nn.ModuleList([Block(c[s], c[s // 2], half) for s in up[:0:-1]])
        self.final_conv = nn.Conv2d(c[4], c[4], 3, padding=1)
        self.final_linear = nn.Linear(c[4] * 16, STYLE)
        self.conv_body_up = nn.ModuleList([Block(c[s // 2], c[s], twice) for s in up[1:]])
        condition = lambda s: nn.Sequential(nn.Conv2d(c[s], c[s], 3, padding=1), nn.LeakyReLU(.2), nn.Conv2d(c[s], 2 * c[s], 3, padding=1))
        self.condition_scale = nn.ModuleList([condition(s) for s in up[1:]])
        self.condition_shift = nn.ModuleList([condition(s) for s in up[1:]])
        for m in self.condition_scale:
            nn.init.ones_(m[2].bias)
            with torch.no_grad():
                m[2].weight.mul_(.3)
        self.stylegan_decoder = Decoder(up)

    def logits(self, x):
        x = lrelu(self.conv_body_first(x))
        kept = []
        for block in self.conv_body_down:
            x = block(x)
            kept.append(x)
        x = lrelu(self.final_conv(x))
        code = self.final_linear(x.flatten(1))
        scales, shifts = [], []
        for block, k, scale, shift in zip(self.conv_body_up, kept[::-1], self.condition_scale, self.condition_shift):
            x = block(x + k)
            scales.append(scale(x))
            shifts.append(shift(x))
        return self.stylegan_decoder(code, scales, shifts)

    def forward(self, x):
        return torch.sigmoid(self.logits(x))


def multiply_adds(side=256):
    """Per picture: convolutions and linear layers."""
    net, total = StyleUNet(side), [0]

    def count(m, args, out):
        if isinstance(m, nn.Conv2d):
            total[0] += m.weight.numel() * out.shape[2] * out.shape[3]
        elif isinstance(m, Modulated):
            total[0] += m.weight.numel() * out.shape[2] * out.shape[3]
        elif isinstance(m, nn.Linear):
            total[0] += m.weight.numel()
    for m in net.modules():
        m.register_forward_hook(count)
    with torch.no_grad():
        net(torch.zeros(1, IN, side, side))
    return total[0], sum(p.numel() for p in net.parameters())


if __name__ == '__main__':
    print('%d multiply-adds, %d parameters' % multiply_adds())
