# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ARTalk model: style encoder, bit transformer and chunk loop.

Model spec, sections 0, 5 and 6. Parameter names are those of the published
state dict, so `load_state_dict` reads a published file.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from audio_encoder import AudioEncoder, normalise
from bsq import area
from codec import Codec

STYLE_FRAMES = 50


class StyleEncoder(nn.Module):
    """Style motion [B, 50, 106] to [B, STYLE_WIDTH]. Section 5."""

    def __init__(self, dim, width, heads, inner, layers):
        super().__init__()
        self.register_buffer("motion_mean", torch.zeros(dim))
        self.register_buffer("motion_std", torch.ones(dim))
        pos = torch.arange(600.0)[:, None]
        freq = torch.exp(-torch.arange(0, width, 2) * math.log(10000.0) / width)
        table = torch.stack([(pos * freq).sin(), (pos * freq).cos()], -1).flatten(1)
        self.PE = nn.Module()
        self.PE.register_buffer("pe", table[None, :, :width])
        layer = nn.TransformerEncoderLayer(
            width, heads, inner, dropout=0.0, activation="gelu", batch_first=True
        )
        self.encoder = nn.Module()
        self.encoder.motion_proj = nn.Linear(dim, width)
        self.encoder.transformer = nn.TransformerEncoder(
            layer, layers, enable_nested_tensor=False
        )

    def forward(self, motion):
        x = self.encoder.motion_proj((motion - self.motion_mean) / self.motion_std)
        x = x + self.PE.pe[:, motion.shape[1]]  # one row for all steps, as trained
        return self.encoder.transformer(x).mean(1)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.scale_mul_1H11 = nn.Parameter(torch.full((1, heads, 1, 1), math.log(4.0)))
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, past, mask):
        kv = torch.cat([past, x], 1)
        scale = self.scale_mul_1H11.clamp(max=math.log(100.0)).exp()
        q = F.normalize(self.split(self.query(x)), dim=-1, eps=1e-12) * scale
        k = F.normalize(self.split(self.key(kv)), dim=-1, eps=1e-12)
        y = F.scaled_dot_product_attention(
            q, k, self.split(self.value(kv)), attn_mask=mask, scale=1.0
        )
        return self.proj(y.transpose(1, 2).flatten(2))


def ada_lin(width_in, width, n):
    return nn.Sequential(nn.SiLU(), nn.Linear(width_in, n * width))


def plain_norm(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


class Block(nn.Module):
    def __init__(self, width, heads, audio):
        super().__init__()
        self.attn = Attention(width, heads)
        self.ffn = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )
        self.ada_lin = ada_lin(audio, width, 6)

    def forward(self, x, a, past, mask, drop=0.0):
        g1, g2, s1, s2, b1, b2 = self.ada_lin(a).chunk(6, -1)
        x = x + g1 * F.dropout(self.attn(plain_norm(x) * (1 + s1) + b1, past, mask), drop)
        return x + g2 * F.dropout(self.ffn(plain_norm(x) * (1 + s2) + b2), drop)


class ARTalk(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        ar, vae, sizes = config["AR_CONFIG"], config["VAE_CONFIG"], config["SIZES"]
        width, audio, dim = sizes["AR_WIDTH"], sizes["AUDIO_WIDTH"], vae["MOTION_DIM"]
        self.audio_encoder = AudioEncoder(sizes["WAV2VEC"])
        self.basic_vae = Codec(vae)
        self.bsq = self.basic_vae.bsq
        self.style_encoder = StyleEncoder(
            dim, *(sizes["STYLE_" + k] for k in ("WIDTH", "HEADS", "FFN", "LAYERS"))
        )
        tokens, self.prev_ratio = self.bsq.tokens, ar["PREV_RATIO"]

        def small(*shape):
            return nn.Parameter(torch.randn(*shape) * 0.02)

        self.null_style_cond = small(1, 1, width)
        self.pos_embed = small(1, tokens, width)
        self.prev_pos_embed = small(1, self.prev_ratio * tokens, width)
        self.lvl_embed = nn.Embedding(len(self.bsq.patches), width)
        nn.init.normal_(self.lvl_embed.weight, std=0.02)
        self.vqfeat_embed = nn.Linear(self.bsq.k, width)
        self.style_cond_embed = nn.Linear(sizes["STYLE_WIDTH"], width)
        self.attn_blocks = nn.ModuleList(
            Block(width, ar["T_NUM_HEADS"], audio) for _ in range(ar["T_DEPTH"])
        )
        self.cond_logits_head = nn.Module()
        self.cond_logits_head.ada_lin = ada_lin(audio, width, 2)
        self.logits_head = nn.Linear(width, 2 * self.bsq.k)
        level = torch.repeat_interleave(
            torch.arange(len(self.bsq.patches)), torch.tensor(self.bsq.patches)
        )
        self.register_buffer("level", level, persistent=False)
        past = torch.ones(tokens, self.prev_ratio * tokens, dtype=torch.bool)
        mask = torch.cat([past, level[:, None] >= level[None]], 1)
        self.register_buffer("mask", mask, persistent=False)

    # Windows of audio ------------------------------------------------------

    def window(self):
        """(samples before, of the window itself, ahead)."""
        context = self.config.get("AUDIO_CONTEXT", {})
        return context.get("BEFORE", 0), 640 * self.bsq.length, context.get("AHEAD", 0)

    def encode_audio(self, samples, trace=None):
        """Samples [B, before + window + ahead] to features of the window."""
        before, window, _ = self.window()
        norm = self.config.get("AUDIO_NORM", "window")
        if norm == "window":
            samples = normalise(samples)
        elif norm != "none":
            raise ValueError(f"AUDIO_NORM {norm}")
        if trace is not None:
            trace["norm"] = samples
        feats = self.audio_encoder(samples, trace)
        first, count = before // 320, -(-window // 320)
        return feats[:, first : first + count] if before or self.window()[2] else feats

    def audio_cond(self, feats):
        return torch.cat([area(feats, p) for p in self.bsq.patches], 1)

    # Style ------------------------------------------------------------------

    def style_cond(self, motion, guidance=(1.1, -0.1)):
        """Style motion [B, 50, 106] or None to the condition [B, 1, A]."""
        if motion is None:
            return self.null_style_cond
        style = self.style_cond_embed(self.style_encoder(motion))[:, None]
        return guidance[0] * style + guidance[1] * self.null_style_cond

    # Transformer ------------------------------------------------------------

    def tokens(self, cond, bits, scales=None):
        """Input tokens of scales 0..scales (default all) from `bits` [B, L, K]
        (only scales before the last wanted are read)."""
        n = len(self.bsq.patches) - 1 if scales is None else scales
        if n == 0:
            return cond
        feats = self.bsq.next_feats(self.bsq.value(bits), n)
        return torch.cat([cond, self.vqfeat_embed(feats)], 1)

    def logits(self, tokens, prev_feat, audio, trace=None, drop=0.0):
        """Tokens [B, n, A], past [B, R*L, A], audio condition [B, L, W] to
        logits [B, n, K, 2]."""
        n = tokens.shape[1]
        lvl = self.lvl_embed(self.level)[None]
        x = tokens + (lvl + self.pos_embed)[:, :n]
        past = prev_feat + lvl.repeat(1, self.prev_ratio, 1) + self.prev_pos_embed
        a = audio[:, :n]
        past_len = past.shape[1]
        mask = self.mask[:n, : past_len + n]
        drop = drop if self.training else 0.0
        for block in self.attn_blocks:
            x = block(x, a, past, mask, drop)
            if trace is not None:
                trace.append(x)
        s, b = self.cond_logits_head.ada_lin(a).chunk(2, -1)
        y = self.logits_head(plain_norm(x) * (1 + s) + b)
        return y.unflatten(-1, (self.bsq.k, 2))

    def predict(self, cond, prev_feat, audio, trace=None):
        """Greedy bits [B, L, K] of one chunk; every scale recomputes all."""
        bits = None
        for s in range(len(self.bsq.patches)):
            tokens = self.tokens(cond, bits, s)
            layers = [] if trace is not None else None
            logits = self.logits(tokens, prev_feat, audio, layers)
            bits = (logits[..., 1] > logits[..., 0]).to(tokens.dtype)
            if trace is not None:
                trace[f"s{s}/tokens"] = tokens
                trace[f"s{s}/logits"] = logits.flatten(2)
                trace[f"s{s}/bits"] = bits
        if trace is not None:
            for i, x in enumerate(layers):
                trace[f"ar_layer/{i}"] = x
        return bits

    # Chunk loop ---------------------------------------------------------------

    def start(self, cond):
        """State before the first chunk: (prev_bits, prev_feat)."""
        zeros = cond.new_zeros(cond.shape[0], self.bsq.length, self.config["VAE_CONFIG"]["MOTION_DIM"])
        bits = self.basic_vae.bits(zeros)
        return bits, self.tokens(cond, bits).repeat(1, self.prev_ratio, 1)

    def chunk(self, state, cond, feats, trace=None):
        """One chunk from its audio features: (new state, motion [B, T, 106])."""
        prev_bits, prev_feat = state
        bits = self.predict(cond, prev_feat, self.audio_cond(feats), trace)
        inner = {} if trace is not None else None
        motion = self.basic_vae.decode(prev_bits, bits, inner)
        if trace is not None:
            trace["bits"], trace["motion"], trace["dec_in"] = bits, motion, inner["dec_in"]
            for i, x in enumerate(inner["stream"]):
                trace[f"dec_stream/{i}"] = x
            trace["enc_out"] = self.basic_vae.embed(motion)
            trace["prev_bits"], trace["z"], _ = self.bsq.encode(trace["enc_out"])
        prev_bits = self.basic_vae.bits(motion)
        tokens = self.bsq.tokens
        prev_feat = torch.cat([prev_feat[:, tokens:], self.tokens(cond, prev_bits)], 1)
        if trace is not None:
            trace["prev_feat"] = prev_feat
        return (prev_bits, prev_feat), motion

    @torch.no_grad()
    def run(self, samples, style=None, traces=None):
        """Samples [n] float and a style motion [50, 106] or None to motion
        [frames, 106] before smoothing; frames = ceil(samples / 640)."""
        before, window, ahead = self.window()
        frames = -(-len(samples) // 640)
        chunks = -(-frames // self.bsq.length)
        padded = F.pad(samples, (before, chunks * window - len(samples) + ahead))
        cond = self.style_cond(None if style is None else style[None])
        state, out = self.start(cond), []
        for c in range(chunks):
            trace = {} if traces is not None else None
            part = padded[c * window : c * window + before + window + ahead]
            feats = self.encode_audio(part[None], trace)
            if trace is not None:
                trace["final"], trace["cond"] = feats, self.audio_cond(feats)
                traces.append({"audio": trace})
                trace = traces[-1]["chunk"] = {}
            state, motion = self.chunk(state, cond, feats, trace)
            out.append(motion[0])
        return torch.cat(out)[:frames]
