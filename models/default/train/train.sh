#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Trains the built-in motion model: bash train.sh CORPUS WORK [START.safetensors]
# CORPUS is what ../data/make_corpus.sh makes; WORK takes streams, checkpoints,
# logs (6 GB). Every stage goes on from its checkpoint if it is run again.
# 8 GB of memory; two cores, one process each; about two hours. With START, an
# exported model, every part goes on: WORK/new.safetensors, an hour and a half.
set -euo pipefail
corpus=$(realpath "${1:?folder of the corpus}")
work=$(realpath -m "${2:?folder for the work}")
cd "$(dirname "$(realpath "$0")")"
start=${3:+$(realpath "$3")}
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
  python3.11 -m venv "$work/venv"
  "$work/venv/bin/pip" install -q -r requirements.txt
fi
python="$work/venv/bin/python -u"
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

# Two processes that average their gradients.
both() {
  log=$1 && shift
  RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29512 $python "$@" >>"$log" 2>&1 &
  RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29512 $python "$@" >>"$log" 2>&1
  wait
}

if [ -n "$start" ]; then
  [ -e "$work/valid.npz" ] || $python streams.py "$corpus" valid 900 "$work/valid.npz"
  [ -e "$work/enc-d.npz" ] || $python streams.py "$corpus" train 41 "$work/enc-d.npz" plain=1 hibari=0.35 flite=0.35 espeak=0.5 romance=0.6
  [ -e "$work/enc-e.npz" ] || $python streams.py "$corpus" train 51 "$work/enc-e.npz" plain=1 kokoro=5 prompts=2 hibari=0.25 flite=0.3 espeak=0.3 romance=0.4 festival=0.4
  [ -e "$work/code.npz" ] || $python streams.py "$corpus" train 71 "$work/code.npz" hibari=0.3 flite=0.2 espeak=0.3 romance=0.3 festival=0.3 festvox=0.4
  [ -e "$work/ar-f.npz" ] || $python streams.py "$corpus" train 61 "$work/ar-f.npz" kokoro=3 hibari=0.3 flite=0.3 espeak=0.35 romance=0.6 festival=0.35
  $python train_codec.py --start "$start" --train "$work/code.npz" --valid "$work/valid.npz" \
    --out "$work/codec.pt" --minutes 8 --peak 6e-4 --threads 1 >>"$work/codec.log"
  both "$work/encoder.log" encoder.py --start "$start" --train "$work/enc-*.npz" --valid "$work/valid.npz" \
    --out "$work/encoder.pt" --minutes 43 --peak 8e-4 --threads 1
  $python features.py --encoder "$work/encoder.pt" --streams "$work/ar-f.npz" --out "$work/f1.pt" --seed 5 --share 0 0.38 &
  $python features.py --encoder "$work/encoder.pt" --streams "$work/valid.npz" --out "$work/valid.pt" --clean 1 --cut 0 --share 0 0.2
  $python features.py --encoder "$work/encoder.pt" --streams "$work/ar-f.npz" --out "$work/f2.pt" --seed 6 --share 0.38 0.72
  wait
  both "$work/ar.log" train_ar.py --start "$start" --codec "$work/codec.pt" --encoder "$work/encoder.pt" --train "$work/f1.pt" "$work/f2.pt" \
    --valid "$work/valid.pt" --out "$work/ar.pt" --export "$work/new.safetensors" --minutes 40 --peak 6e-4 --batch 8 --threads 1
  exit
fi

[ -e "$work/valid.npz" ] || $python streams.py "$corpus" valid 900 "$work/valid.npz"
[ -e "$work/train-c.npz" ] || $python streams.py "$corpus" train 11 "$work/train-c.npz"
[ -e "$work/train-d.npz" ] || $python streams.py "$corpus" train 12 "$work/train-d.npz"

$python train_codec.py --train "$work/train-c.npz" --valid "$work/valid.npz" \
  --out "$work/codec.pt" --minutes 12 --threads 1 | tee -a "$work/codec.log"
both "$work/encoder.log" encoder.py --train "$work/train-*.npz" --valid "$work/valid.npz" \
  --out "$work/encoder.pt" --minutes 45
$python features.py --encoder "$work/encoder.pt" --streams "$work/valid.npz" --out "$work/valid.pt" --clean 1 --cut 0 &
$python features.py --encoder "$work/encoder.pt" --streams "$work/train-c.npz" --out "$work/c.pt" --seed 5
$python features.py --encoder "$work/encoder.pt" --streams "$work/train-d.npz" --out "$work/d.pt" --seed 6
wait
both "$work/ar.log" train_ar.py --encoder "$work/encoder.pt" --codec "$work/codec.pt" \
  --train "$work/c.pt" "$work/d.pt" --valid "$work/valid.pt" --out "$work/ar.pt" \
  --export ../artalk.safetensors --minutes 44
$python styles.py "$corpus/valid/hibari-en-00099.npz" ../styles
