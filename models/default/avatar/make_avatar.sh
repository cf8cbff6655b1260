#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes models/default/avatar.safetensors from models/default/head.safetensors (AVATAR.md):
#   make_avatar.sh WORK [PAIRS [MINUTES]]      WORK: a folder for pairs of pictures (5 MB each) and the checkpoint
# Python 3.11 with ../train/requirements.txt, and a C compiler. It goes on where it was stopped.
set -eu
work=$1 pairs=${2:-320} minutes=${3:-60}
here=$(dirname "$(readlink -f "$0")")
mkdir -p "$work"
python3 "$here/dataset.py" "$work/data" --count "$pairs"
python3 "$here/train.py" "$work" --until "$(date -d "+$minutes min" +%Y-%m-%dT%H:%M:%S)" --final
python3 "$here/make.py" --network "$work/checkpoint.pt"
python3 "$here/golden.py"
