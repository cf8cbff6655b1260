#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the elements promise of their latency is what a frame takes, by GStreamer's latency tracer:
latency.py BUILD_FOLDER

A window's first frame is as old at the sink as the audio that the window begins with. (Where smoothing waits for the next
window, a later one is older, which this tracer does not see: tests/elements/latency.c.) Computing takes real time, so a run that something
else disturbed proves nothing: the best of several counts, and on a machine that is too busy the test says so."""
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

import common
from common import check

BUILD = os.path.abspath(sys.argv[1])
FOLDER = tempfile.TemporaryDirectory(prefix="artalk-test-")
ATTEMPTS = 5
ENOUGH = 1.3  # times real time, starting included; below that a live source cannot be followed
FIELD = re.compile(r"(\w[\w-]*)=\((?:string|guint64|boolean)\)([^,;]*)")


def traced(line):
    """Plays a line; returns the latency of the first frame of every window at the sink, and the latest promise of every
    element, in ns; and how often an element warned."""
    log = os.path.join(FOLDER.name, "trace.log")
    env = dict(os.environ, GST_TRACERS="latency(flags=pipeline+element+reported)", GST_DEBUG="GST_TRACER:7",
               GST_DEBUG_FILE=log, GST_DEBUG_NO_COLOR="1")
    got = subprocess.run(["meson", "devenv", "-C", BUILD, "-w", FOLDER.name, "gst-launch-1.0", "-v", *shlex.split(line)],
                         env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
    check(got.returncode == 0, got.stdout.decode(errors="replace"))
    took, promised = [], {}
    with open(log, encoding="utf-8", errors="replace") as file:
        for text in file:
            fields = dict(FIELD.findall(text))
            if ":: latency," in text and fields.get("sink-element") == "fakesink0":
                took.append(int(fields["time"]))
            elif "element-reported-latency," in text and fields["min"].isdigit():
                promised[fields["element"]] = int(fields["min"])
    return took, promised, got.stdout.decode(errors="replace").count("WARNING")


def judge(name, source, row, windows, waits):
    """A row of elements after a source of 3 s, which makes so many windows; `waits`: what is promised besides
    computing, in ms."""
    start = time.monotonic()
    traced(source.format("false") + row)
    speed = 3 / (time.monotonic() - start)
    if speed < ENOUGH:
        print(f"{name}: not judged, this machine is too slow or too busy now ({speed:.1f} times real time)")
        return
    for _ in range(ATTEMPTS):
        took, promised, warnings = traced(source.format("true") + row)
        check(len(took) == windows, f"{name}: {len(took)} windows, not {windows}")
        computing = promised["audioenc"] + promised["motion"] + promised.get("smooth", 0) - waits * 1_000_000
        check(computing > 0, f"{name}: promised are {promised}, of which {waits} ms are not computing")
        # the tracer looks at audio from the moment that its source lets go of it
        total = sum(t for element, t in promised.items() if not element.startswith("audiotestsrc"))
        worst = max(took)
        text = (f"{name}: {total / 1e6:.0f} ms promised, {computing / 1e6:.0f} of them for computing, at most "
                f"{worst / 1e6:.0f} ms taken, {warnings} warnings")
        print(text, flush=True)
        if warnings == 0 and worst <= total <= worst + max(40e6, 0.25 * computing):
            return
    raise common.Failure(text)


SOURCE = "audiotestsrc is-live={} wave=red-noise samplesperbuffer=160 num-buffers=300 ! audio/x-raw,rate=16000 "
BIN = "! artalkavatar {} ! video/x-raw,width=128,height=128 ! fakesink sync=false"
ROW = "! queue max-size-time=0 ! artalkaudioenc name=audioenc {} ! artalkmotion name=motion ! fakesink sync=false"


def low():
    judge("low", SOURCE, BIN.format("latency-mode=low"), 39, 80 + 160 + 80)


def windows():
    judge("windows", SOURCE, ROW.format(""), 3, 1000 + 160)


def hops():
    judge("hop of 200 ms", SOURCE, ROW.format("hop=200000000 lookahead=100000000"), 15, 200 + 100)


common.need_model()
common.main([windows, hops, low])
