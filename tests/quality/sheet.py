#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two models side by side, frame by frame: for each clip of `truth.py` a PNG file with the lower half of the face in every
frame, fifteen in a strip, the first model above the second, and the phone that is heard below; and a video of both with the
sound.

    python tests/quality/sheet.py --truth DIR --artalk build/pipelines/artalk --out SHEETS --before OLD.safetensors [CLIP ...]

Without clips ten are taken, spread over the groups. Needs numpy, matplotlib and the GStreamer tools."""
import argparse
import json
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
from make_sheet import frames  # noqa: E402

SIZE = 384
CROP = slice(204, 312), slice(126, 258)  # mouth and chin of the built-in head
RATE = 25
COLUMNS = 15


def render(artalk, wav, out, model):
    command = [artalk, "-q", "--fix-pose", f"--size={SIZE}x{SIZE}", "-o", str(out), str(wav)]
    subprocess.run(command + ([f"--model={model}"] if model else []), check=True)
    return np.array([np.frombuffer(b"".join(rows), np.uint8).reshape(SIZE, SIZE, 3) for rows in frames(out, SIZE)])


def phone_at(phones, time):
    return next((name for name, start, end in phones if start <= time < end), "")


def sheet(videos, phones, path):
    count = min(len(v) for v in videos)
    strips = (count + COLUMNS - 1) // COLUMNS
    height, width = (s.stop - s.start for s in CROP)
    figure, axes = pyplot.subplots(strips, 1, squeeze=False,
                                 figsize=(COLUMNS * width / 100, strips * (2 * height + 24) / 100), dpi=100)
    for strip, axis in enumerate(axes[:, 0]):
        first = strip * COLUMNS
        shown = range(first, min(first + COLUMNS, count))
        picture = np.full((2 * height, COLUMNS * width, 3), 255, np.uint8)
        for k, i in enumerate(shown):
            for row, video in enumerate(videos):
                picture[row * height:(row + 1) * height, k * width:(k + 1) * width] = video[i][CROP]
        axis.imshow(picture)
        axis.set_yticks([])
        axis.set_xticks([(k + 0.5) * width for k in range(len(shown))],
                        [phone_at(phones, (i + 0.5) / RATE) for i in shown], fontsize=14)
    figure.subplots_adjust(0, 0.02, 1, 1, hspace=0.12)
    figure.savefig(path)
    pyplot.close(figure)


def side_by_side(before, after, out):
    line = (f"compositor name=c sink_1::xpos={SIZE} ! videoconvert ! x264enc ! matroskamux name=m ! filesink location={out} "
            f"filesrc location={before} ! decodebin ! videoconvert ! c.sink_0 "
            f"filesrc location={after} ! decodebin name=d ! queue ! videoconvert ! c.sink_1 "
            f"d. ! queue ! audioconvert ! audioresample ! avenc_aac ! m.")
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True)


def choose(folder, count):
    """`count` clips, the groups in turns."""
    groups = {}
    for wav in sorted(folder.glob("*.wav")):
        groups.setdefault(wav.stem.rsplit("-", 1)[0], []).append(wav.stem)
    order = [group[i] for i in range(count) for group in groups.values() if i < len(group)]
    return order[:count]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--truth", type=Path, required=True)
    ap.add_argument("--artalk", required=True)
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--before", required=True, help="the model above")
    ap.add_argument("--after", help="the one below (the built-in one)")
    ap.add_argument("clips", nargs="*")
    a = ap.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for clip in a.clips or choose(a.truth, 10):
        wav, phones = a.truth / f"{clip}.wav", json.loads((a.truth / f"{clip}.json").read_text())["phones"]
        files = [a.out / f"{clip}-{name}.mkv" for name in ("before", "after")]
        videos = [render(a.artalk, wav, file, model) for file, model in zip(files, (a.before, a.after))]
        sheet(videos, phones, a.out / f"{clip}.png")
        side_by_side(*files, a.out / f"{clip}.mkv")
        print(a.out / f"{clip}.png")


if __name__ == "__main__":
    main()
