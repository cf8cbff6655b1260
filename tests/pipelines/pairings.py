#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Published files with one another and with the built-in ones: pairings.py ARTALK MAKE_PUBLISHED [SYNTH_FLAME]

Without SYNTH_FLAME: a small model in the published format against the built-in head and styles. With it: the same
with a head of FLAME's size and format, made by that script; 77 where it, or numpy, is missing."""
import array
import importlib.util
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

import common
from common import check, run, run_well

ARTALK, MAKE = map(os.path.abspath, sys.argv[1:3])
FOLDER = tempfile.TemporaryDirectory(prefix="artalk-test-")
CONFIG = {
    "AR_CONFIG": {"T_DEPTH": 1, "T_NUM_HEADS": 2},
    "VAE_CONFIG": {"T_DEPTH": 1, "T_NUM_HEADS": 2, "T_HIDDEN_DIM": 64},
    "SIZES": {"AR_WIDTH": 64, "STYLE_WIDTH": 32, "STYLE_HEADS": 2, "STYLE_FFN": 64, "STYLE_LAYERS": 1,
              "AUDIO_WIDTH": 64, "WAV2VEC": {"CONV_DIM": [16] * 7, "HIDDEN": 64, "LAYERS": 1, "HEADS": 2, "FFN": 128,
                                             "POS_KERNEL": 16, "POS_GROUPS": 4}}}


def path(name):
    return os.path.join(FOLDER.name, name)


def make_model():
    """A folder as a user has it: ARTalk_wav2vec.pt and config.json."""
    os.mkdir(path("model"))
    with open(path("model/config.json"), "w", encoding="utf-8") as file:
        json.dump(CONFIG, file)
    run_well([MAKE, path("model/ARTalk_wav2vec.pt"), path("model/config.json")])
    return path("model")


def refused(command, *words):
    got = run([ARTALK, "-q", *command])
    check(got.returncode == 1, f"{command}: exit status {got.returncode}\n{got.stderr}")
    lines = [line for line in got.stderr.splitlines() if line]
    check(len(lines) == 1, f"{command}: not one line:\n{got.stderr}")
    for word in words:
        check(word in lines[0], f"{command}: \"{lines[0]}\" does not say \"{word}\"")


def write_tensor(name, shape, values, metadata=None):
    header = {"t": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * len(values)]}}
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    with open(path(name), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + array.array("f", values).tobytes())
    return path(name)


def opens():
    """The .pt file is read as published, moves in basis flame, in both precisions."""
    for precision in ("f32", "bf16"):
        run_well([ARTALK, "-q", SPEECH, "--model", MODEL, "--precision", precision, "--motion", path(precision)])
        header, data = common.read_safetensors(path(precision))
        check(header["motion"]["shape"] == [25, 106] and header["__metadata__"]["basis"] == "flame", str(header))
        check(all(map(math.isfinite, struct.unpack(f"<{25 * 106}f", data))), "not all is finite")
    check(common.read_safetensors(path("f32"))[1] != common.read_safetensors(path("bf16"))[1], "bf16 changes nothing")


def flame_motion_into_built_in_head():
    refused([SPEECH, "--model", MODEL, "--mesh", path("no")], "arkit-1", "flame", "head=", "model=")


def styles():
    clip = [0.1 * math.sin(i) for i in range(50 * 106)]
    refused([SPEECH, "--model", MODEL, "--style", "calm", "--motion", path("no")], "calm", "arkit-1", "flame")
    flame = write_tensor("flame.safetensors", [50, 106], clip)
    run_well([ARTALK, "-q", SPEECH, "--model", MODEL, "--style", flame, "--motion", path("styled")])
    refused([SPEECH, "--style", flame, "--motion", path("no")], "flame.safetensors", "arkit-1", "artalk style")
    short = write_tensor("short.safetensors", [49, 106], clip[:49 * 106])
    refused([SPEECH, "--model", MODEL, "--style", short, "--motion", path("no")], "[50,106]", "[49,106]")
    narrow = write_tensor("narrow.safetensors", [50, 56], clip[:50 * 56])
    refused([SPEECH, "--model", MODEL, "--style", narrow, "--motion", path("no")], "[50,106]", "[50,56]")
    run_well([ARTALK, "-q", LONG, "--model", MODEL, "--motion", path("long")])
    run_well([ARTALK, "style", path("long"), "-o", path("own.safetensors")])
    run_well([ARTALK, "-q", SPEECH, "--model", MODEL, "--style", path("own.safetensors"), "--motion", path("styled")])
    refused([SPEECH, "--style", path("own.safetensors"), "--motion", path("no")], "own.safetensors", "flame", "arkit-1")


def shapes_of_the_built_in_head():
    def vertices(*options):
        run_well([ARTALK, "-q", SPEECH, "--mesh", path("mesh"), *options])
        return common.read_safetensors(path("mesh"))[1]

    plain = vertices()
    check(vertices("--shape", write_tensor("s.safetensors", [2], [0.5, -0.5])) != plain, "--shape changes nothing")
    check(vertices("--shape", write_tensor("z.safetensors", [1, 2], [0, 0])) == plain, "a shape of 0 changes something")
    refused([SPEECH, "--mesh", path("no"), "--shape", write_tensor("m.safetensors", [4000], [0.1] * 4000)], "4000", "head")
    refused([SPEECH, "--mesh", path("no"), "--shape", path("absent.pt")], "absent.pt")
    refused([SPEECH, "--mesh", path("no"), "--shape", os.path.join(os.environ["ARTALK_DATA_DIR"], "head.safetensors")],
            "shape")


def make_head(size):
    head = path("FLAME_with_eye.pt")
    subprocess.run([sys.executable, sys.argv[3], head, "--size", size], check=True, stdout=subprocess.DEVNULL)
    return head


def flame_head():
    """The published files together, at the published head's size; the built-in model does not move it."""
    for size, count in (("small", 633), ("real", 5023)):
        head = make_head(size)
        check(f"flame_model.v_template F32 [{count},3]" in run_well([ARTALK, "inspect", head]).stdout, "not listed")
        run_well([ARTALK, "-q", SPEECH, "--model", MODEL, "--head", head, "--mesh", path("mesh")])
        header, data = common.read_safetensors(path("mesh"))
        check(header["vertices"]["shape"] == [25, count, 3], str(header["vertices"]))
        begin, end = header["vertices"]["data_offsets"]
        values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
        check(all(map(math.isfinite, values)), "not all vertices are finite")
        check(values[:count * 3] != values[-count * 3:], "the head does not move")
        refused([SPEECH, "--head", head, "--mesh", path("no")], "flame", "arkit-1", "head=")
        shape = write_tensor("shape.safetensors", [1, 300], [0.3] + [0] * 299)
        run_well([ARTALK, "-q", SPEECH, "--model", MODEL, "--head", head, "--shape", shape, "--mesh", path("shaped")])
        check(common.read_safetensors(path("shaped"))[1] != data, "--shape changes nothing")
        more = write_tensor("more.safetensors", [301], [0] * 301)
        refused([SPEECH, "--model", MODEL, "--head", head, "--shape", more, "--mesh", path("no")], "301", "300")


if len(sys.argv) > 3 and (not os.path.exists(sys.argv[3]) or importlib.util.find_spec("numpy") is None):
    print(f"SKIPPED: {sys.argv[3]} is not there, or numpy")
    sys.exit(77)
common.need_model()
SPEECH = common.write_wav(path("speech.wav"), common.hum(1))
LONG = common.write_wav(path("long.wav"), common.hum(2.5))
MODEL = make_model()
common.main([flame_head] if len(sys.argv) > 3 else
            [opens, flame_motion_into_built_in_head, styles, shapes_of_the_built_in_head])
