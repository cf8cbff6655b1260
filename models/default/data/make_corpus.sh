#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the speech corpus: bash models/default/data/make_corpus.sh OUT [WORK]
# OUT gets train/*.npz, valid/*.npz and index.json (about 11 h, 1.3 GB); WORK (default OUT.work) keeps the
# downloads (0.5 GB) and the Python environment. Needs Debian 12, Python 3.11 with venv, about 0.9 GB of
# memory. About 15 minutes on one idle core, and an hour more for the slow Kokoro voices (left out with KOKORO=0).
set -euo pipefail
out=$(realpath -m "${1:?folder of the corpus}")
work=$(realpath -m "${2:-$out.work}")
here=$(dirname "$(realpath "$0")")
mkdir -p "$out" "$work/deb" "$work/x"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
as_root apt-get update -q
as_root apt-get install -y -q --no-install-recommends flite libespeak-ng1 espeak-ng-data ffmpeg python3-venv \
  festival festlex-ifd festvox-italp16k festvox-itapc16k festival-czech festvox-czech-{dita,krb,machac,ph} \
  festvox-suopuhe-{common,lj,mv} festival-ca festvox-ca-ona-hts festvox-us-slt-hts festvox-kallpc16k festvox-kdlpc16k \
  festival-hi festvox-hi-nsk festival-te festvox-te-nsk festival-mr festvox-mr-nsk

# Texts and recordings are only unpacked, not installed.
packages="festvox-ru asterisk-core-sounds-it-g722 asterisk-core-sounds-ru-g722 fortunes fortunes-min fortunes-de
  fortunes-es fortunes-it fortunes-ru fortunes-pl fortunes-br fortunes-cs fortunes-eo"
for p in $packages; do
  if [ ! -d "$work/x/$p" ]; then
    (cd "$work/deb" && apt-get download -q "$p")
    mkdir -p "$work/x/$p"
    dpkg -x "$work"/deb/"$p"_*.deb "$work/x/$p"
  fi
done

bash "$here/environment.sh" "$work/venv"
export KOKORO_JA_CACHE="$work/kokoro" OMP_NUM_THREADS=1
python="$work/venv/bin/python"

"$python" "$here/festvox_ru.py" --root "$work/x/festvox-ru" --out "$out"
"$python" "$here/hibari_voice.py" --text "$work/x" --out "$out" --hours 2.2
"$python" "$here/espeak.py" --text "$work/x" --out "$out" --hours 1.2
"$python" "$here/espeak.py" --text "$work/x" --out "$out" --hours 1.2 --name romance --seed 8 --only es,fr,it,pt-br
"$python" "$here/flite.py" --text "$work/x" --out "$out" --hours 1.0
"$python" "$here/festival_voice.py" --text "$work/x" --out "$out" --hours 2.0
"$python" "$here/index.py" "$out"
"$python" "$here/prompts.py" --root "$work/x" --out "$out"
[ "${KOKORO:-1}" = 0 ] || "$python" "$here/kokoro_voice.py" --text "$work/x" --out "$out" --hours 0.95
"$python" "$here/index.py" "$out"
