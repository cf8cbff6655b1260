#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the contact sheets of the built-in head: heads.png (itself and its faces, from the front and from the side),
expressions.png and visemes.png (in the order that this script names them):

    meson devenv -C build -w "$PWD" python3 docs/make_heads.py [--folder docs]

Needs the GStreamer tools and the elements, no Python packages."""
import argparse
import json
import math
import os
import struct
import subprocess
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "models", "default")
CHANNELS = json.load(open(os.path.join(DATA, "channels.json"), encoding="utf-8"))["expression"]
VISEMES = json.load(open(os.path.join(DATA, "visemes.json"), encoding="utf-8"))
FACES = json.load(open(os.path.join(DATA, "faces.json"), encoding="utf-8"))
EXPRESSIONS = [
    {}, {"mouthSmile": 0.8, "cheekSquint": 0.5}, {"mouthSmile": 1, "jaw": 0.16, "cheekSquint": 0.7, "eyeSquint": 0.3},
    {"browInnerUp": 1, "browOuterUp": 1, "eyeWide": 0.7, "jaw": 0.2}, {"browDown": 1, "mouthPress": 0.5, "noseSneer": 0.4},
    {"mouthFrown": 0.9, "browInnerUp": 0.8}, {"eyeBlink": 1}, {"eyeBlink": 0.5},
    {"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8}, {"cheekPuff": 0.8}, {"eyeBlinkLeft": 1, "mouthSmileLeft": 0.7},
    {"jaw": 0.25, "tongueOut": 1}]
# side of the picture, and left and top of the part of it that is shown, three times as wide as a tile
WHOLE, FACE, MOUTH = (620, 58, 2), (860, 178, 185), (1612, 554, 756)
SIZE, FINE = 168, 3


def motion(turn=0.0, jaw=0.0, **units):
    """A frame of motion, its head turned by degrees; a name without Left or Right stands for both."""
    frame = [0.0] * 106
    for name, value in units.items():
        for channel in [name] if name in CHANNELS else [name + "Left", name + "Right"]:
            frame[CHANNELS.index(channel)] += value
    frame[101], frame[103] = math.radians(turn), jaw
    return struct.pack("<106f", *frame)


def shrunk(picture, side, left, top):
    """The lines of a tile: means of FINE x FINE pixels of the RGB bytes of a square picture."""
    stride = (side * 3 + 3) // 4 * 4
    lines = []
    for y in range(top, top + FINE * SIZE, FINE):
        rows = [picture[(y + k) * stride + 3 * left:][:3 * FINE * SIZE] for k in range(FINE)]
        sums = [sum(column) for column in zip(*rows)]
        mean = bytearray(3 * SIZE)
        for c in range(3):
            parts = [sums[c + 3 * k::3 * FINE] for k in range(FINE)]
            mean[c::3] = bytes((sum(p) + FINE * FINE // 2) // (FINE * FINE) for p in zip(*parts))
        lines.append(bytes(mean))
    return lines


def pictures(frames, view, head=None):
    """Frames drawn by flamemesh, as tiles."""
    side = view[0]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "motion")
        with open(path, "wb") as file:
            file.write(b"".join(frames))
        face = f"head={head} " if head else ""
        line = (f"filesrc location={path} blocksize=424 ! motion/x-flame,format=F32LE,expression=100,pose=6,basis=arkit-1,framerate=25/1 ! "
                f"flamemesh {face}! video/x-raw,format=RGB,width={side},height={side} ! fdsink fd=1")
        data = subprocess.run(["gst-launch-1.0", "-q", *line.split()], stdout=subprocess.PIPE, check=True).stdout
    step = (side * 3 + 3) // 4 * 4 * side
    if len(data) != step * len(frames):
        raise SystemExit(f"{len(data)} bytes for {len(frames)} pictures")
    return [shrunk(data[i:i + step], *view) for i in range(0, len(data), step)]


def packed(line, above):
    """A line of RGB bytes with the filter (none, left, above) that leaves least."""
    left = bytes(3) + line[:-3]
    kinds = [line, bytes((a - b) & 255 for a, b in zip(line, left)), bytes((a - b) & 255 for a, b in zip(line, above))]
    cost = [sum(min(x, 256 - x) for x in kind) for kind in kinds]
    best = cost.index(min(cost))
    return bytes([best]) + kinds[best]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def save(path, tiles, columns):
    size = len(tiles[0])
    blank = [b"\xff" * 3 * size] * size
    tiles = tiles + [blank] * (-len(tiles) % columns)
    lines = [b"".join(tile[y] for tile in tiles[i:i + columns]) for i in range(0, len(tiles), columns) for y in range(size)]
    above = [bytes(len(lines[0]))] + lines[:-1]
    header = struct.pack(">IIBBBBB", columns * size, len(lines), 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                   + chunk(b"IDAT", zlib.compress(b"".join(map(packed, lines, above)), 9)) + chunk(b"IEND", b""))
    print(f"{path}: {os.path.getsize(path)} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=HERE)
    args = parser.parse_args()
    heads = []
    for name in [None, *FACES]:
        heads += pictures([motion(mouthSmile=0.12), motion(-38, mouthSmile=0.12)], WHOLE, name)
    save(os.path.join(args.folder, "heads.png"), heads, 6)
    save(os.path.join(args.folder, "expressions.png"), pictures([motion(**e) for e in EXPRESSIONS], FACE), 6)
    save(os.path.join(args.folder, "visemes.png"), pictures([motion(**v) for v in VISEMES.values()], MOUTH), 7)


main()
