#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Trains the built-in motion model: bash train.sh CORPUS WORK [START.safetensors]
# CORPUS is what ../data/make_corpus.sh makes; WORK takes streams, checkpoints,
# logs (6 GB). Every stage goes on from its checkpoint if it is run again.
# 8 GB of memory; two cores, one process each, about two hours.
# With START, an exported model, its encoder, then its transformer and decoder, then
# the encoder under noise go on by numbers of steps: WORK/new.safetensors. 12 GB of
# memory and of disk; two cores some eight hours, by the rates in ../MODEL.md.
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

# steps LOG WINDOWS ARGUMENT...: so many windows a step, in one process on a card, two on cores.
steps() {
  log=$1 windows=$2 && shift 2
  if $python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    $python "$@" --batch "$windows" >>"$log" 2>&1
  else
    both "$log" "$@" --batch $((windows / 2))
  fi
}

# Streams under their name only when they are whole: streams NAME SPLIT SEED [SOURCE=SHARE ...]
streams() {
  [ -e "$work/$1.npz" ] && return
  $python streams.py "$corpus" "$2" "$3" "$work/part-$1.npz" "${@:4}"
  mv "$work/part-$1.npz" "$work/$1.npz"
}

features() {
  [ -e "$work/$1.pt" ] || $python features.py --encoder "$work/encoder.pt" --streams "$work/$2.npz" --out "$work/$1.pt" "${@:3}"
}

# real voices (festvox, prompts) and Kokoro count most, each pass warps them otherwise
encoder_streams() {
  streams "enc-$1" train $((100 + $1)) plain=1 festvox=0.45 prompts=1 kokoro=1.2 hibari=0.2 flite=0.25 espeak=0.2 romance=0.35 festival=0.25
}

motion_streams() {
  plain=()
  if [ "$1" = 1 ]; then plain=(plain=1); fi
  streams "ar-$1" train $((200 + $1)) "${plain[@]}" festvox=0.35 prompts=0.7 kokoro=0.8 hibari=0.2 flite=0.25 espeak=0.2 romance=0.4 festival=0.25
}

motion_features() {
  features "f$1" "ar-$1" --seed $((10 + $1))
}

# two FUNCTION COUNT: for 1 ... COUNT, odd numbers beside even ones
two() {
  (for i in $(seq 1 2 "$2"); do "$1" "$i"; done) &
  other=$!
  for i in $(seq 2 2 "$2"); do "$1" "$i"; done
  wait "$other"
}

if [ -n "$start" ]; then
  streams valid valid 900
  two encoder_streams 8
  two motion_streams 5
  steps "$work/encoder.log" 64 encoder.py --start "$start" --train "$work/enc-*.npz" --valid "$work/valid.npz" \
    --out "$work/encoder.pt" --steps 3000 --minutes 480 --peak 1e-3 --threads 1 --back 0.5
  features valid valid --clean 1 --cut 0
  two motion_features 5
  steps "$work/ar.log" 64 train_ar.py --start "$start" --encoder "$work/encoder.pt" --train "$work"/f[1-5].pt --valid "$work/valid.pt" \
    --out "$work/ar.pt" --export "$work/ar.safetensors" --steps 2000 --minutes 480 --peak 8e-4 --threads 1 --ema 0.999 \
    --seed 4 --back -0.25 \
    --worth shut=4,opened=9,early=8,apart=1.8,follow=2,bite=2.5,loose=1.2,rest=2,still=3,leap=0.4,narrow=1,wide=1
  steps "$work/steady.log" 16 steady.py --start "$work/ar.safetensors" --train "$work/enc-*.npz" --valid "$work/valid.npz" \
    --out "$work/steady.pt" --export "$work/new.safetensors" --steps 3092 --minutes 480 --threads 1
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
