#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs what is missing, builds, and runs all tests:
#   bash tests/run.sh                 everything, as in continuous integration
#   bash tests/run.sh --golden DIR [--weights CASE=PATH]…
#                                     checks the networks against a folder of golden files; large cases
#                                     take their weights from PATH, or make them with --large
#   bash tests/run.sh --benchmark     runs the benchmarks
#   bash tests/run.sh --cuda          on a machine with an NVIDIA card and a CUDA toolkit: checks the card against the
#                                     processor, the elements too if GStreamer's headers are there, and prints what the
#                                     card gives beside the goals
# The last line of a full run is "N passed, N failed, N skipped"; the exit status is 0 if none failed.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
# shellcheck source=pipelines/install.sh
. pipelines/install.sh

usage() {
  sed -n 's/^# \{0,1\}//; 3,12p' "$root/tests/run.sh"
}

# How each build folder is made: the folder names the purpose.
configure() { # FOLDER OPTION...
  local folder=$1
  shift
  if [ -f "$folder/build.ninja" ]; then
    artalk_quietly meson configure "$folder" "$@"
  else
    artalk_quietly meson setup "$folder" "$@"
  fi
}

build() { # FOLDER OPTION...: with $CC
  configure "$@" && artalk_quietly meson compile -C "$1"
}

golden() { # DIR OPTION…
  [ -d "$1" ] || { echo "No such folder: $1" >&2; exit 2; }
  local folder
  folder=$(cd "$1" && pwd)
  shift
  artalk_install "${artalk_packages_run[@]}" || exit 1
  build build-golden -Dbuildtype=release || exit 1
  ARTALK_DATA_DIR=$root/models/default exec build-golden/tests/models/golden-check "$@" "$folder"
}

benchmark() {
  artalk_install "${artalk_packages_run[@]}" || exit 1
  build build-bench -Dbuildtype=release || exit 1
  exec meson test -C build-bench --benchmark --verbose
}

logs=() # testlog.json files, each as NAME=PATH
bad=()  # phases that failed without a test failing (a compiler error, say)

phase() { # NAME COMMAND...
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  "$@" || { bad+=("$name"); echo "   failed: $name"; }
  echo "   $((SECONDS - start)) s"
}

tests() { # NAME FOLDER ARGUMENT...: runs meson test, remembers its log; failures are counted from the log
  local name=$1 folder=$2 setup='' log out
  shift 2
  case " $* " in *" --setup valgrind "*) setup=-valgrind ;; esac
  log=$folder/meson-logs/testlog$setup.json
  rm -f "$log"
  out=$(meson test -C "$folder" --no-rebuild --print-errorlogs "$@" 2>&1)
  local rc=$?
  if [ -s "$log" ]; then
    logs+=("$name=$log")
    [ $rc -eq 0 ] || printf '%s\n' "$out"
    return 0
  fi
  case $out in *'No tests defined'* | *'No suitable tests defined'*) return 0 ;; esac
  printf '%s\n' "$out"
  return $rc
}

gcc_tests() {
  CC=gcc build build-gcc -Dbuildtype=debugoptimized -Dnvcc_arch=90 && tests gcc build-gcc
}

sanitized_tests() {
  CC=clang build build-clang -Dbuildtype=debugoptimized -Dcuda=disabled -Db_sanitize=address,undefined -Db_lundef=false || return 1
  # in one process each: clang 14's leak checker may crash in a forked child, which has fewer threads than it knows of
  CK_FORK=no ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0 \
    tests clang build-clang --suite kernels --suite models --suite elements --suite live --timeout-multiplier 5
}

valgrind_tests() {
  tests valgrind build-gcc --setup valgrind --suite elements
}

core_tests() {
  CC=gcc build build-core -Dgstreamer=false -Dcuda=disabled -Dbuildtype=debugoptimized && tests core build-core --suite models
}

# what the elements need besides the networks; machines with cards often have none of it
has_gstreamer() {
  pkg-config --exists 'gstreamer-1.0 >= 1.22' gstreamer-video-1.0 gstreamer-audio-1.0 gstreamer-check-1.0 gdk-pixbuf-2.0
}

cuda_build() {
  local gstreamer=false
  has_gstreamer && gstreamer=true
  CC=gcc build build-cuda -Dgstreamer=$gstreamer -Dcuda=enabled -Dbuildtype=release
}

# device=auto, which the tests of the elements leave as it is, is the card here
cuda_tests() {
  local elements=()
  if has_gstreamer; then
    elements=(--suite elements --suite gstcuda)
  else
    echo '   skipped: the elements, as there are no headers of GStreamer'
  fi
  tests cuda build-cuda --suite kernels --suite models "${elements[@]}"
}

# every memory access of the operations, convolutions by our own kernels; a card is needed
cuda_sanitizer() {
  local tool
  tool=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
  [ -n "$tool" ] || { echo '   skipped: there is no compute-sanitizer here'; return 0; }
  env ARTALK_MODULE_DIR="$root/build-cuda/kernels/cuda" ARTALK_CONV2D=own "$tool" --error-exitcode 9 \
    build-cuda/tests/kernels/kernels-check --device=cuda || [ $? -eq 77 ]
}

# Convolutions of images by our own kernels and by cuDNN, on the same line.
cuda_convolutions() { # FOLDER
  local by
  for by in own cudnn; do
    ARTALK_CONV2D=$by build-cuda/tests/kernels/kernels-check --device=cuda --only=conv2d --bench \
      | sed -n 's/^\(conv2d .*\): \([0-9.]* ms\), .*/| \1 |\t\2/p' >"$1/$by"
  done
  [ -s "$1/cudnn" ] || return 0
  echo '| convolution | our own | cuDNN |'
  echo '|---|---|---|'
  paste "$1/own" "$1/cudnn" | awk -F'\t' '{ print $1, $2, "|", $4, "|" }'
}

# The built-in model and one of the published sizes with pseudo-random weights, the avatar of the published size, and the
# mesh; PyTorch beside them where it is installed. The avatar also with each way to compute its convolutions.
cuda_table() {
  local folder rc=0 precision by bench=build-cuda/tests/models
  export ARTALK_DATA_DIR=$root/models/default ARTALK_MODULE_DIR=$root/build-cuda/kernels/cuda
  "$bench/device-bench" --streams=1 --windows=1 --alone || { [ $? -eq 77 ]; return; }
  folder=$(mktemp -d)
  "$bench/make-published" "$folder/published.pt" || rc=1
  for precision in f32 bf16; do
    "$bench/device-bench" --precision=$precision || rc=1
    "$bench/device-bench" --precision=$precision "$folder/published.pt" || rc=1
  done
  echo '| frames | | |'
  echo '|---|---|---|'
  "$bench/frames-bench" --mesh || rc=1
  "$bench/frames-bench" --precision=bf16 || rc=1
  for by in own cudnn; do
    ARTALK_CONV2D=$by "$bench/frames-bench" --precision=bf16 --streams=1 || [ $? -eq 77 ] || rc=1
  done
  for by in auto own cudnn; do
    ARTALK_CONV2D=$by "$bench/frames-bench" --precision=f32 --streams=1 || [ $? -eq 77 ] || rc=1
  done
  cuda_convolutions "$folder" || rc=1
  python3 tests/bench/pytorch.py --device=cuda "$bench/model-bench" "$bench/make-published" "$folder/published.pt" \
    || [ $? -eq 77 ] || rc=1
  python3 tests/models/bench_styleunet_torch.py --device=cuda || [ $? -eq 77 ] || rc=1
  rm -r "$folder"
  return $rc
}

cuda() {
  phase 'packages' artalk_install "${artalk_packages_core[@]}"
  phase 'CUDA: build' cuda_build
  phase 'CUDA: tests' cuda_tests
  phase 'CUDA: accesses to memory' cuda_sanitizer
  phase 'CUDA: table' cuda_table
  python3 tests/summary.py "${logs[@]/#/--log=}" "${bad[@]/#/--bad=}"
  exit
}

fuzz_tests() {
  [ -f tests/fuzz/meson.build ] || return 0
  CC=clang build build-fuzz -Dfuzz=true -Dgstreamer=false -Dcuda=disabled -Dbuildtype=debugoptimized -Db_lundef=false \
    -Db_sanitize=address,undefined && tests fuzz build-fuzz --suite fuzz
}

case ${1:-} in
  '') ;;
  --golden) [ $# -ge 2 ] || { usage >&2; exit 2; }; shift; golden "$@" ;;
  --benchmark) benchmark ;;
  --cuda) cuda ;;
  --help | -h) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

has_nvcc() {
  command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]
}
has_nvcc || artalk_packages_gstcuda=()
phase 'packages' artalk_install "${artalk_packages_run[@]}" "${artalk_packages_test[@]}" "${artalk_packages_gstcuda[@]}"
phase 'gcc: build, all tests' gcc_tests
phase 'clang, address and undefined sanitizers: kernels, models, elements' sanitized_tests
phase 'valgrind: elements' valgrind_tests
phase 'without GStreamer: build, models' core_tests
phase 'fuzzing of the readers' fuzz_tests
python3 tests/summary.py "${logs[@]/#/--log=}" "${bad[@]/#/--bad=}"
