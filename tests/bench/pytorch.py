#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our model against PyTorch: pytorch.py [--threads=N | --device=cuda] MODEL_BENCH MAKE_PUBLISHED [CHECKPOINT]

One window (4 s) of the published sizes from samples to motion, float32, 2 threads unless told otherwise, the same pseudo-random weights.
PyTorch runs the modules of models/default/train, which follow the specification, once with every scale recomputing
all tokens (as published) and once with keys and values kept. Programs take turns; the best of each counts, so that
other load disturbs both alike. With --device PyTorch alone runs on that device, eager, compiled and as a CUDA graph, in
float32 without TF32 and in bfloat16; ours beside it is device-bench. Exits with 77 where torch (or a card) is missing."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURNS = 3

try:
    import torch
    import torch.nn.functional as F
except (ImportError, OSError) as error:
    print(f"SKIPPED: PyTorch cannot be imported here: {error}")
    sys.exit(77)
sys.path.insert(0, str(ROOT / "models" / "default" / "train"))
import audio_encoder  # noqa: E402
import torch_ways  # noqa: E402
from model import ARTalk, plain_norm  # noqa: E402

CONFIG = {
    "AR_CONFIG": {"T_DEPTH": 12, "T_NUM_HEADS": 12, "PREV_RATIO": 1, "AUDIO_ENCODER": "wav2vec"},
    "VAE_CONFIG": {"MOTION_DIM": 106, "V_CODE_DIM": 32, "T_DEPTH": 8, "T_NUM_HEADS": 8, "T_HIDDEN_DIM": 512,
                   "V_PATCH_NUMS": [1, 5, 25, 50, 100]},
    "SIZES": {"AR_WIDTH": 768, "STYLE_WIDTH": 128, "STYLE_HEADS": 4, "STYLE_FFN": 512, "STYLE_LAYERS": 4,
              "AUDIO_WIDTH": 1024,
              "WAV2VEC": {"CONV_DIM": [512] * 7, "CONV_KERNEL": [10, 3, 3, 3, 3, 2, 2],
                          "CONV_STRIDE": [5, 2, 2, 2, 2, 2, 2], "HIDDEN": 1024, "LAYERS": 24, "HEADS": 16, "FFN": 4096,
                          "POS_KERNEL": 128, "POS_GROUPS": 16}}}


def conv_layer(self, x):
    """With PyTorch's own convolution, faster than the products that training uses."""
    y = self.conv(x.transpose(1, 2)).transpose(1, 2)
    return F.gelu(self.layer_norm(y))


def predict_kept(self, cond, prev_feat, audio, trace=None):
    """Instead of ARTalk.predict: keys and values of the past and of finished scales are kept, modulations made once."""
    level = self.lvl_embed(self.level)[None]
    positions = level + self.pos_embed
    past = prev_feat + level.repeat(1, self.prev_ratio, 1) + self.prev_pos_embed
    layers = []
    for block in self.attn_blocks:
        a = block.attn
        layers.append((block.ada_lin(audio), a.scale_mul_1H11.clamp(max=4.605170185988092).exp(),
                       [F.normalize(a.split(a.key(past)), dim=-1, eps=1e-12)], [a.split(a.value(past))]))
    scale, shift = self.cond_logits_head.ada_lin(audio).chunk(2, -1)
    bits, at = None, 0
    for s, n in enumerate(self.bsq.patches):
        own = slice(at, at + n)
        x = cond if s == 0 else self.vqfeat_embed(self.bsq.next_feats(self.bsq.value(bits), s)[:, -n:])
        x = x + positions[:, own]
        for block, (modulation, factor, keys, values) in zip(self.attn_blocks, layers):
            a = block.attn
            g1, g2, s1, s2, b1, b2 = modulation[:, own].chunk(6, -1)
            h = plain_norm(x) * (1 + s1) + b1
            q = F.normalize(a.split(a.query(h)), dim=-1, eps=1e-12) * factor
            keys.append(F.normalize(a.split(a.key(h)), dim=-1, eps=1e-12))
            values.append(a.split(a.value(h)))
            y = F.scaled_dot_product_attention(q, torch.cat(keys, 2), torch.cat(values, 2), scale=1.0)
            x = x + g1 * a.proj(y.transpose(1, 2).flatten(2))
            x = x + g2 * block.ffn(plain_norm(x) * (1 + s2) + b2)
        y = self.logits_head(plain_norm(x) * (1 + scale[:, own]) + shift[:, own]).unflatten(-1, (self.bsq.k, 2))
        new = (y[..., 1] > y[..., 0]).to(x.dtype)
        bits = new if bits is None else torch.cat([bits, new], 1)
        at += n
    return bits


def load(checkpoint):
    for rule in ("kaiming_uniform_", "kaiming_normal_", "uniform_", "normal_", "xavier_uniform_"):
        setattr(torch.nn.init, rule, lambda tensor, *_, **__: tensor)  # nobody needs random numbers here
    model = ARTalk(CONFIG).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True, mmap=True))
    torch.nn.utils.parametrize.remove_parametrizations(model.audio_encoder.encoder["pos_conv_embed"].conv, "weight")
    return model


def window(model, samples, state, cond):
    """Returns motion, wall seconds, processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    _, motion = model.chunk(state, cond, model.encode_audio(samples))
    return motion, time.perf_counter() - wall, time.process_time() - cpu


def ours(bench, checkpoint, threads):
    """Wall and processor seconds of one window."""
    text = subprocess.run([bench, f"--threads={threads}", "--windows=1", "--wall", checkpoint], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    times = re.findall(r"^whole window: ([0-9.]+) ms, processors ([0-9.]+) ms$", text, re.M)
    return tuple(float(t) / 1e3 for t in times[0])


def main(bench, checkpoint, threads):
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    audio_encoder.ConvLayer.forward = conv_layer
    model = load(checkpoint)
    ways = {"as published": ARTalk.predict, "keys kept": predict_kept}
    t = torch.arange(64000.0)
    samples = (0.3 * torch.sin(t * 0.05) * torch.sin(t * 0.0007))[None]
    cond = model.style_cond(None)
    state = model.start(cond)
    best, motion = {}, {}
    for turn in range(TURNS + 1):
        for name, predict in ways.items():
            model.predict = types.MethodType(predict, model)
            motion[name], *took = window(model, samples, state, cond)
            if turn:  # the first only warms up
                best[name] = [min(pair) for pair in zip(took, best.get(name, took))]
        took = ours(bench, checkpoint, threads)
        best["ours"] = [min(pair) for pair in zip(took, best.get("ours", took))]
        print(f"turn {turn} of {TURNS}", flush=True)
    a, b = motion.values()
    print(f"PyTorch {torch.__version__}, threads: {threads}, one window of 4 s; its two ways differ by "
          f"{((a - b).square().mean() / a.square().mean()).sqrt().item():.1e}")
    wall, cpu = best["ours"]
    print(f"ours, one window: {1e3 * wall:.0f} ms, processors {1e3 * cpu:.0f} ms")
    for name in ways:
        print(f"PyTorch, {name}, one window: {1e3 * best[name][0]:.0f} ms ({best[name][0] / wall:.2f} times ours), "
              f"processors {1e3 * best[name][1]:.0f} ms ({best[name][1] / cpu:.2f} times ours)")


def on_device(checkpoint, device):
    """PyTorch's ways on a card: milliseconds of one window, without copies to and from the host."""
    if not torch_ways.prepare(device):
        sys.exit(77)
    audio_encoder.ConvLayer.forward = conv_layer
    t = torch.arange(64000.0)
    samples = (0.3 * torch.sin(t * 0.05) * torch.sin(t * 0.0007))[None]
    print(f"| PyTorch {torch.__version__}, {torch_ways.device_name(device)} | one window |\n|---|---|")
    for dtype in (torch.float32, torch.bfloat16):
        for predict, name, way in ((ARTalk.predict, "as published", "eager"), (predict_kept, "keys kept", "eager"),
                                   (predict_kept, "keys kept", "compiled"), (predict_kept, "keys kept", "a CUDA graph")):
            def make_step():
                model = load(checkpoint).to(device, dtype)
                model.predict = types.MethodType(predict, model)
                audio = samples.to(device, dtype)
                cond = model.style_cond(None)
                state = model.start(cond)
                return lambda: model.chunk(state, cond, model.encode_audio(audio))[1]
            torch_ways.print_way(f"{str(dtype)[6:]}, {name}, {way}", make_step, way, device)


def start(arguments):
    threads, device = 2, None
    if arguments[0].startswith("--device="):
        device = arguments.pop(0)[len("--device="):]
    if arguments[0].startswith("--threads="):
        threads = int(arguments.pop(0)[len("--threads="):])
    with tempfile.TemporaryDirectory(prefix="artalk-bench-") as folder:
        checkpoint = arguments[2] if len(arguments) > 2 else os.path.join(folder, "checkpoint.pt")
        if len(arguments) <= 2:
            subprocess.run([arguments[1], checkpoint], check=True)
        if device:
            on_device(checkpoint, device)
        else:
            main(arguments[0], checkpoint, threads)


if __name__ == "__main__":
    start(sys.argv[1:])
