# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wav2vec-2.0-shaped audio encoder. Model spec, section 1."""

import torch
import torch.nn.functional as F
from torch import nn


class ConvLayer(nn.Module):
    """Strided convolution over [B, steps, channels], LayerNorm, GELU (erf)."""

    def __init__(self, cin, cout, kernel, stride):
        super().__init__()
        self.conv = nn.Conv1d(cin, cout, kernel, stride)
        self.layer_norm = nn.LayerNorm(cout, eps=1e-5)
        self.kernel, self.stride = kernel, stride
        # He's rule; PyTorch's default is too small through seven GELU layers.
        nn.init.kaiming_normal_(self.conv.weight)

    def forward(self, x):
        n = (x.shape[1] - self.kernel) // self.stride + 1
        span = self.stride * (n - 1) + 1
        taps = [x[:, j : j + span : self.stride] for j in range(self.kernel)]
        weight = self.conv.weight.permute(0, 2, 1).reshape(self.conv.weight.shape[0], -1)
        return F.gelu(self.layer_norm(F.linear(torch.cat(taps, -1), weight, self.conv.bias)))


class PosConv(nn.Module):
    """Grouped convolution along time, weight-normalised over the kernel axis."""

    def __init__(self, width, kernel, groups):
        super().__init__()
        conv = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups)
        nn.init.normal_(conv.weight, std=2.0 * (1.0 / (kernel * width)) ** 0.5)
        nn.init.zeros_(conv.bias)
        self.conv = nn.utils.parametrizations.weight_norm(conv, dim=2)
        self.even = kernel % 2 == 0

    def forward(self, h):
        y = self.conv(h.transpose(1, 2))
        if self.even:
            y = y[..., :-1]
        return F.gelu(y).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            setattr(self, name, nn.Linear(width, width))

    def forward(self, x):
        def heads(y):
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        y = F.scaled_dot_product_attention(
            heads(self.q_proj(x)), heads(self.k_proj(x)), heads(self.v_proj(x))
        )
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.attention = Attention(width, heads)
        self.layer_norm = nn.LayerNorm(width, eps=1e-5)
        self.feed_forward = nn.ModuleDict(
            {
                "intermediate_dense": nn.Linear(width, inner),
                "output_dense": nn.Linear(inner, width),
            }
        )
        self.final_layer_norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, h, drop=0.0):
        h = h + F.dropout(self.attention(self.layer_norm(h)), drop)
        y = F.gelu(self.feed_forward["intermediate_dense"](self.final_layer_norm(h)))
        return h + F.dropout(self.feed_forward["output_dense"](y), drop)


class AudioEncoder(nn.Module):
    """Samples [B, n] to features [B, steps, HIDDEN]."""

    def __init__(self, c):
        super().__init__()
        dims = [1] + list(c["CONV_DIM"])
        self.feature_extractor = nn.ModuleDict(
            {
                "conv_layers": nn.ModuleList(
                    ConvLayer(dims[i], dims[i + 1], k, s)
                    for i, (k, s) in enumerate(zip(c["CONV_KERNEL"], c["CONV_STRIDE"]))
                )
            }
        )
        self.feature_projection = nn.ModuleDict(
            {
                "layer_norm": nn.LayerNorm(dims[-1], eps=1e-5),
                "projection": nn.Linear(dims[-1], c["HIDDEN"]),
            }
        )
        self.encoder = nn.ModuleDict(
            {
                "pos_conv_embed": PosConv(c["HIDDEN"], c["POS_KERNEL"], c["POS_GROUPS"]),
                "layer_norm": nn.LayerNorm(c["HIDDEN"], eps=1e-5),
                "layers": nn.ModuleList(
                    Layer(c["HIDDEN"], c["HEADS"], c["FFN"]) for _ in range(c["LAYERS"])
                ),
            }
        )

    def forward(self, samples, trace=None, drop=0.0):
        x = samples.unsqueeze(-1)
        for layer in self.feature_extractor["conv_layers"]:
            x = layer(x)
        proj = self.feature_projection
        h = proj["projection"](proj["layer_norm"](x))
        if trace is not None:
            trace["conv"], trace["proj"] = x, h
        h = h + self.encoder["pos_conv_embed"](h)
        if trace is not None:
            trace["posconv"] = h
        for i, layer in enumerate(self.encoder["layers"]):
            h = layer(h, drop if self.training else 0.0)
            if trace is not None:
                trace[f"layer/{i}"] = h
        return self.encoder["layer_norm"](h)


def normalise(x: torch.Tensor) -> torch.Tensor:
    """AUDIO_NORM "window": zero mean, unit deviation (n-1) of each row."""
    std = x.std(-1, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / (std + 1e-6)
