#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plots what tests/pipelines/endurance has written, as a PNG file:

    python3 docs/plot_endurance.py live.csv docs/endurance-live.png
    python3 docs/plot_endurance.py simulated.csv docs/endurance-simulated.png

Needs matplotlib."""
import csv
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

START = 5  # seconds of a live run that are left out: sinks are not yet in step
LINEAR = 100  # ms; what is larger is drawn smaller


def read(path):
    with open(path, encoding="ascii") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    if rows and "second" in rows[0]:
        rows = [row for row in rows if row["second"] > START]
    return {key: [row[key] for row in rows] for key in rows[0]}


def plot(data, path):
    live = "second" in data
    time = [s / 60 for s in data["second"]] if live else data["hour"]
    panels = [("memory, MB", ["rss_mb"]), ("threads, descriptors", ["threads", "descriptors"])]
    if live:
        panels = [("worst lateness\nof a second, ms", ["video_late_ms", "sound_late_ms"]),
                  ("pictures against\nsound, ms", ["offset_ms"]), ("late pictures,\nleft out", ["dropped"]),
                  ("load of the machine", ["load"])] + panels
    else:
        panels.append(("offset, ms", ["offset_ms"]))
    figure, axes = pyplot.subplots(len(panels), 1, sharex=True, figsize=(9, 1.5 * len(panels)))
    for axis, (label, columns) in zip(axes, panels):
        for column in columns:
            axis.plot(time, data[column], linewidth=0.8, label=column.replace("_", " "))
        axis.set_ylabel(label, fontsize=8)
        axis.grid(linewidth=0.3)
        if columns[0] in ("rss_mb", "threads", "load"):
            axis.set_ylim(0, 1.2 * max(max(data[column]) for column in columns))
        elif max(abs(x) for column in columns for x in data[column]) > LINEAR:
            axis.set_yscale("symlog", linthresh=LINEAR)
        if len(columns) > 1:
            axis.legend(fontsize=7, loc="upper right")
    axes[-1].set_xlabel("minutes" if live else "hours")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    plot(read(sys.argv[1]), sys.argv[2])


main()
