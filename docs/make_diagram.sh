#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Draws artalkavatar as it runs, into the PNG file $1. Needs the plugin (meson devenv), GStreamer's tools and graphviz.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_DEBUG_DUMP_DOT_DIR=$folder
gst-launch-1.0 -q audiotestsrc num-buffers=50 samplesperbuffer=1600 ! audio/x-raw,rate=48000 ! artalkavatar name=a \
    ! video/x-raw,width=64,height=64 ! fakesink a.audio_src ! fakesink
# only the bin: the pipeline around it, parameters of pads and links are left out
python3 - "$folder"/*PAUSED_PLAYING.dot << 'END' | dot -Tpng -Gdpi=72 -o "$1"
import re
import sys

text = open(sys.argv[1]).read()
kept = []
for line in text.split("\n"):
    line = re.sub(r'\[label="[^"]*"\]', "", line) if "->" in line else line
    kept.append(line)
sys.stdout.write("\n".join(kept))
END
