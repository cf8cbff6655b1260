#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a contact sheet, frames of videos side by side, as a PNG file:

    python3 docs/make_sheet.py talk.mp4 docs/talk.png [--columns 6] [--rows 2] [--size 160]
    python3 docs/make_sheet.py happy.mp4 sad.mp4 angry.mp4 surprised.mp4 docs/styles.png --rows 1

Needs the GStreamer tools, no Python packages."""
import argparse
import struct
import subprocess
import zlib


def frames(video, size):
    """All frames as RGB bytes of size x size."""
    line = (f"filesrc location={video} ! decodebin ! videoconvert ! videoscale method=lanczos ! "
            f"video/x-raw,format=RGB,width={size},height={size} ! fdsink fd=1")
    data = subprocess.run(["gst-launch-1.0", "-q", *line.split()], stdout=subprocess.PIPE, check=True).stdout
    stride = (size * 3 + 3) // 4 * 4
    step = stride * size
    for start in range(0, len(data) - step + 1, step):
        frame = data[start:start + step]
        yield [frame[y * stride:y * stride + size * 3] for y in range(size)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="+")
    parser.add_argument("picture")
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--size", type=int, default=160)
    args = parser.parse_args()
    count = args.columns * args.rows
    lines = []
    for video in args.video:
        every = list(frames(video, args.size))
        chosen = [every[int((i + 0.5) * len(every) / count)] for i in range(count)]
        for row in range(args.rows):
            tiles = chosen[row * args.columns:(row + 1) * args.columns]
            lines += [b"\0" + b"".join(tile[y] for tile in tiles) for y in range(args.size)]
    header = struct.pack(">IIBBBBB", args.columns * args.size, len(lines), 8, 2, 0, 0, 0)
    with open(args.picture, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(lines), 9)) +
                   chunk(b"IEND", b""))
    print(f"{args.picture}: {count} frames of each video")


if __name__ == "__main__":
    main()
