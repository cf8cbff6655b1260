#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Speech in, talking head out:
#   bash pipelines/talk.sh                     renders the sample speech to talk.mp4
#   bash pipelines/talk.sh IN [OUT [OPTION…]]  renders any audio file; options as in artalk --help
#   bash pipelines/talk.sh --avatar [IN [OUT [OPTION…]]]  shows the built-in Gaussian avatar
# Installs the Debian packages that are missing and builds the program first, if need be.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
# shellcheck source=pipelines/install.sh
. "$here/install.sh"

case ${1:-} in
  -h | --help)
    sed -n 's/^# \{0,1\}//; 3,7p' "$here/talk.sh"
    exit 0
    ;;
esac
renderer=()
if [ "${1:-}" = --avatar ]; then
  renderer=(--renderer splat)
  shift
fi
in=${1:-$here/sample.flac}
out=${2:-talk.mp4}
shift $(($# < 2 ? $# : 2))

artalk_install "${artalk_packages_run[@]}"
build=$root/build
if [ ! -f "$build/build.ninja" ]; then
  echo "Configuring in $build"
  artalk_quietly meson setup "$build" "$root" --buildtype=release -Dwerror=false
fi
echo "Building"
artalk_quietly ninja -C "$build" plugins/libgstartalk.so pipelines/artalk

export GST_PLUGIN_PATH=$build/plugins${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
export GST_REGISTRY=$build/registry.bin
export ARTALK_DATA_DIR=${ARTALK_DATA_DIR:-$root/models/default}
"$build/pipelines/artalk" "$in" -o "$out" "${renderer[@]}" "$@"
echo "To watch it: $(realpath "$out")"
