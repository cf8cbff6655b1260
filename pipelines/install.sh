# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Which Debian packages building, running and testing need, and installing those that are missing.
# To be sourced; needs nothing but bash and dpkg.

# shellcheck disable=SC2034  # used by talk.sh and tests/run.sh
artalk_packages_run=(
  gcc libc6-dev meson ninja-build pkg-config
  libglib2.0-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libjson-glib-dev libgdk-pixbuf-2.0-dev zlib1g-dev
  libdnnl-dev
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav
)
# shellcheck disable=SC2034
artalk_packages_gstcuda=(libgstreamer-plugins-bad1.0-dev) # large; of use only beside a CUDA toolkit
# shellcheck disable=SC2034
artalk_packages_core=( # for -Dgstreamer=false
  gcc g++ libc6-dev meson ninja-build pkg-config libglib2.0-dev libjson-glib-dev zlib1g-dev libdnnl-dev python3
)
# shellcheck disable=SC2034
artalk_packages_test=(
  g++ python3 python3-numpy python3-scipy clang llvm libclang-rt-dev clang-format valgrind libc6-dbg shellcheck
)

# artalk_install PACKAGE...: apt-get install for those that are missing; does nothing where none is.
# With ARTALK_NO_INSTALL set it only says what is missing.
artalk_install() {
  local missing=() package sudo=()
  if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian system: please install what corresponds to: $*" >&2
    return 0
  fi
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ -n "${ARTALK_NO_INSTALL:-}" ]; then
    echo "These packages are missing: ${missing[*]}" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These packages are missing; install them as root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    sudo=(sudo)
  fi
  echo "Installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${sudo[@]}" apt-get -q update &&
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get -q -y install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    echo "Installing packages failed: ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
}

# artalk_quietly COMMAND...: shows what the command prints only if it fails
artalk_quietly() {
  local log rc=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || rc=$?
  [ $rc -eq 0 ] || cat "$log" >&2
  rm -f "$log"
  return $rc
}
