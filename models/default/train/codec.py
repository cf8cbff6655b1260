# SPDX-License-Identifier: LGPL-2.1-or-later
"""The motion codec. Model spec, section 4."""

import torch
import torch.nn.functional as F
from torch import nn

from bsq import Bsq


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.scale = heads, width**-0.5  # of the whole width, as trained
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x, mask):
        q, k, v = self.to_qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).unbind(2)
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, scale=self.scale
        )
        return self.to_out(y.transpose(1, 2).flatten(2))


def blocks(width, heads, depth):
    layers = nn.ModuleList()
    for _ in range(depth):
        inner = int(1.5 * width)
        layers.append(Attention(width, heads))
        layers.append(
            nn.Sequential(nn.Linear(width, inner), nn.GELU("tanh"), nn.Linear(inner, width))
        )
    return layers


def run(layers, x, mask=None, trace=None):
    for i in range(0, len(layers), 2):
        if trace is not None:
            trace.append(x)
        x = x + layers[i](x, mask)
        x = x + layers[i + 1](x)
    if trace is not None:
        trace.append(x)
    return x


class Half(nn.Module):
    """Encoder or decoder: Linear, LeakyReLU, blocks, Linear."""

    def __init__(self, kind, cin, cout, width, heads, depth):
        super().__init__()
        self.inp_mapping = nn.Sequential(nn.Linear(cin, width), nn.LeakyReLU(0.2))
        self.names = (f"{kind}_transformer", {"encoder": "code_mapping", "decoder": "out_mapping"}[kind])
        setattr(self, self.names[0], blocks(width, heads, depth))
        setattr(self, self.names[1], nn.Linear(width, cout))

    def forward(self, x, mask=None, trace=None):
        x = run(getattr(self, self.names[0]), self.inp_mapping(x), mask, trace)
        return getattr(self, self.names[1])(x)


class Codec(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bsq = Bsq(c["V_PATCH_NUMS"], c["V_CODE_DIM"])
        dim, k, t = c["MOTION_DIM"], c["V_CODE_DIM"], self.bsq.length
        size = (c["T_HIDDEN_DIM"], c["T_NUM_HEADS"], c["T_DEPTH"])
        self.encoder = Half("encoder", dim, k, *size)
        self.decoder = Half("decoder", k, dim, *size)
        self.enc_pos_embed = nn.Parameter(torch.randn(1, 2 * t, dim) * 0.02)
        self.dec_pos_embed = nn.Parameter(torch.randn(1, 2 * t, k) * 0.02)
        self.register_buffer("motion_mean", torch.zeros(dim))
        self.register_buffer("motion_std", torch.ones(dim))
        mask = torch.ones(2 * t, 2 * t, dtype=torch.bool)
        mask[:t, t:] = False
        self.register_buffer("mask", mask, persistent=False)

    def embed(self, motion):
        """Motion [B, T, 106] to the quantiser's input [B, T, K]."""
        x = (motion - self.motion_mean) / self.motion_std
        return self.encoder(x + self.enc_pos_embed[:, : x.shape[1]])

    def bits(self, motion):
        """Motion [B, T, 106] to bits [B, L, K] (0 or 1, float)."""
        return self.bsq.encode(self.embed(motion))[0]

    def decode_feats(self, prev, this, trace=None):
        """Two sums of quantised values [B, T, K] to motion [B, T, 106]."""
        x = torch.cat([prev, this], 1) + self.dec_pos_embed
        if trace is not None:
            trace["dec_in"] = x
        stream = None if trace is None else trace.setdefault("stream", [])
        y = self.decoder(x, self.mask, stream)[:, self.bsq.length :]
        return y * self.motion_std + self.motion_mean

    def decode(self, prev_bits, bits, trace=None):
        q = self.bsq
        return self.decode_feats(q.sum_feat(q.value(prev_bits)), q.sum_feat(q.value(bits)), trace)
