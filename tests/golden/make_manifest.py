#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""List the tensors of a small motion model for tests, with a rule to fill each.

    make_manifest.py CASE/config.json SALT > CASE/manifest.json

The rules are those of tests/models/synth.h. Weights are scaled by the number of their inputs, so
that what flows through the network stays of order 1."""
import json
import sys


def add_wav2vec(w, uniform, linear, norm):
    p = "audio_encoder."
    channels = 1
    for i, (o, kernel) in enumerate(zip(w["CONV_DIM"], w["CONV_KERNEL"])):
        q = f"{p}feature_extractor.conv_layers.{i}."
        uniform(q + "conv.weight", [o, channels, kernel], 0, 1.7 / (channels * kernel) ** 0.5)
        uniform(q + "conv.bias", [o], 0, 0.05)
        norm(q + "layer_norm", o)
        channels = o
    hidden = w["HIDDEN"]
    norm(p + "feature_projection.layer_norm", channels)
    linear(p + "feature_projection.projection", hidden, channels)
    q = p + "encoder.pos_conv_embed.conv."
    uniform(q + "weight_g", [1, 1, w["POS_KERNEL"]], 0.8, 0.2)  # the older spelling of these two
    uniform(q + "weight_v", [hidden, hidden // w["POS_GROUPS"], w["POS_KERNEL"]], 0, 0.1)
    uniform(q + "bias", [hidden], 0, 0.05)
    for i in range(w["LAYERS"]):
        q = f"{p}encoder.layers.{i}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            linear(q + "attention." + name, hidden, hidden)
        norm(q + "layer_norm", hidden)
        linear(q + "feed_forward.intermediate_dense", w["FFN"], hidden)
        linear(q + "feed_forward.output_dense", hidden, w["FFN"])
        norm(q + "final_layer_norm", hidden)
    norm(p + "encoder.layer_norm", hidden)


def add_mimi(m, uniform, linear, norm):
    p = "audio_encoder.acoustic_model."
    hidden, inner = m["HIDDEN"], m["HEADS"] * m["HEAD_DIM"]

    def conv(name, o, i, kernel, gain=1.0):
        q = f"{p}encoder.layers.{name}.conv."
        uniform(q + "weight", [o, i, kernel], 0, 1.7 * gain / (i * kernel) ** 0.5)
        uniform(q + "bias", [o], 0, 0.05)

    channels, module = m["FILTERS"], 1
    conv(0, channels, 1, m["KERNEL"], 4)  # speech is far below 1
    for ratio in reversed(m["RATIOS"]):
        for _ in range(m["RESIDUAL_LAYERS"]):
            conv(f"{module}.block.1", channels // m["COMPRESS"], channels, m["RESIDUAL_KERNEL"])
            conv(f"{module}.block.3", channels, channels // m["COMPRESS"], 1)
            module += 1
        conv(module + 1, 2 * channels, channels, 2 * ratio)
        channels *= 2
        module += 2
    conv(module + 1, hidden, channels, m["LAST_KERNEL"])
    for i in range(m["LAYERS"]):
        q = f"{p}encoder_transformer.layers.{i}."
        for name in ("q_proj", "k_proj", "v_proj"):
            linear(q + "self_attn." + name, inner, hidden, 1.5, bias=False)
        linear(q + "self_attn.o_proj", hidden, inner, bias=False)
        linear(q + "mlp.fc1", m["FFN"], hidden, bias=False)
        linear(q + "mlp.fc2", hidden, m["FFN"], bias=False)
        norm(q + "input_layernorm", hidden)
        norm(q + "post_attention_layernorm", hidden)
        uniform(q + "self_attn_layer_scale.scale", [hidden], 0.6, 0.3)
        uniform(q + "mlp_layer_scale.scale", [hidden], 0.6, 0.3)
    uniform(p + "downsample.conv.weight", [hidden, hidden, 4], 0, 1.7 / (4 * hidden) ** 0.5)
    size, dim = m["CODEBOOK_SIZE"], m["CODEBOOK_DIM"]
    for branch, n in (("semantic", m["SEMANTIC"]), ("acoustic", m["QUANTIZERS"] - m["SEMANTIC"])):
        q = f"{p}quantizer.{branch}_residual_vector_quantizer."
        uniform(q + "input_proj.weight", [dim, hidden, 1], 0, 1.7 / hidden ** 0.5)
        uniform(q + "output_proj.weight", [hidden, dim, 1], 0, 1.7 / dim ** 0.5)
        for i in range(n):
            uniform(f"{q}layers.{i}.codebook.embed_sum", [size, dim], 0, 2 * 0.7 ** i)
            uniform(f"{q}layers.{i}.codebook.cluster_usage", [size], 2, 1)


def main():
    c = json.load(open(sys.argv[1]))
    s, v, r = c["SIZES"], c["VAE_CONFIG"], c["AR_CONFIG"]
    nums = v["V_PATCH_NUMS"]
    length, frames, dim, k = sum(nums), nums[-1], v["MOTION_DIM"], v["V_CODE_DIM"]
    out = []

    def uniform(name, shape, base, scale):
        out.append({"name": name, "dtype": "F32", "shape": shape, "rule": "uniform",
                    "base": base, "scale": round(scale, 5)})

    def linear(name, o, i, gain=1.0, bias=True):
        uniform(name + ".weight", [o, i], 0, 1.7 * gain / i ** 0.5)
        if bias:
            uniform(name + ".bias", [o], 0, 0.05)

    def norm(name, n):
        uniform(name + ".weight", [n], 1, 0.1)
        uniform(name + ".bias", [n], 0, 0.05)

    a, width = s["AR_WIDTH"], s["AUDIO_WIDTH"]
    uniform("null_style_cond", [1, 1, a], 0, 0.9)
    uniform("pos_embed", [1, length, a], 0, 0.4)
    uniform("prev_pos_embed", [1, r["PREV_RATIO"] * length, a], 0, 0.4)
    uniform("lvl_embed.weight", [len(nums), a], 0, 0.4)
    linear("vqfeat_embed", a, k, 2)
    for i in range(r["T_DEPTH"]):
        p = f"attn_blocks.{i}."
        uniform(p + "attn.scale_mul_1H11", [1, r["T_NUM_HEADS"], 1, 1], 3.9, 1.3)
        linear(p + "attn.query", a, a)
        linear(p + "attn.key", a, a, bias=False)
        linear(p + "attn.value", a, a)
        linear(p + "attn.proj", a, a)
        linear(p + "ffn.0", 4 * a, a)
        linear(p + "ffn.2", a, 4 * a)
        linear(p + "ada_lin.1", 6 * a, width)
    linear("cond_logits_head.ada_lin.1", 2 * a, width)
    linear("logits_head", 2 * k, a)

    h = v["T_HIDDEN_DIM"]
    uniform("basic_vae.enc_pos_embed", [1, 2 * frames, dim], 0, 0.2)
    uniform("basic_vae.dec_pos_embed", [1, 2 * frames, k], 0, 0.2)
    uniform("basic_vae.motion_mean", [dim], 0, 0.3)
    uniform("basic_vae.motion_std", [dim], 0.3, 0.2)
    for which, i, o, last in (("encoder", dim, k, "code_mapping"), ("decoder", k, dim, "out_mapping")):
        p = f"basic_vae.{which}."
        linear(p + "inp_mapping.0", h, i, 1 if which == "encoder" else 2)
        linear(p + last, o, h)
        for n in range(v["T_DEPTH"]):
            q = f"{p}{which}_transformer.{2 * n}."
            norm(q + "norm", h)
            linear(q + "to_qkv", 3 * h, h, 2, bias=False)
            linear(q + "to_out", h, h, 0.5)
            q = f"{p}{which}_transformer.{2 * n + 1}."
            linear(q + "0", int(1.5 * h), h)
            linear(q + "2", h, int(1.5 * h), 0.6)

    m = s["STYLE_WIDTH"]
    uniform("style_encoder.motion_mean", [dim], 0, 0.3)
    uniform("style_encoder.motion_std", [dim], 0.3, 0.2)
    out.append({"name": "style_encoder.PE.pe", "dtype": "F32", "shape": [1, 60, m], "rule": "sinusoid", "width": m})
    linear("style_encoder.encoder.motion_proj", m, dim)
    for i in range(s["STYLE_LAYERS"]):
        p = f"style_encoder.encoder.transformer.layers.{i}."
        uniform(p + "self_attn.in_proj_weight", [3 * m, m], 0, 1.7 / m ** 0.5)
        uniform(p + "self_attn.in_proj_bias", [3 * m], 0, 0.05)
        linear(p + "self_attn.out_proj", m, m)
        linear(p + "linear1", s["STYLE_FFN"], m)
        linear(p + "linear2", m, s["STYLE_FFN"])
        norm(p + "norm1", m)
        norm(p + "norm2", m)
    linear("style_cond_embed", a, m)

    if r.get("AUDIO_ENCODER") == "mimi":
        add_mimi(s["MIMI"], uniform, linear, norm)
    else:
        add_wav2vec(s["WAV2VEC"], uniform, linear, norm)

    rows = ",\n".join(json.dumps(t) for t in out)
    print('{"format": "synth-weights-1", "salt": %d, "tensors": [\n%s\n]}' % (int(sys.argv[2]), rows))


main()
