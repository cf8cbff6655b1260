#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first command of the README: talk.py SOURCE_ROOT PROBE"""
import os
import sys
import tempfile

import common
from common import Media, check, run_well

ROOT, PROBE = map(os.path.abspath, sys.argv[1:3])
SAMPLE_SECONDS = 10.35


def talk():
    with tempfile.TemporaryDirectory(prefix="artalk-test-") as folder:
        got = run_well(["bash", os.path.join(ROOT, "pipelines", "talk.sh")], cwd=folder, timeout=1500,
                       env={**os.environ, "ARTALK_NO_INSTALL": "1"})
        target = os.path.join(folder, "talk.mp4")
        check(" real time" in got.stdout and os.path.realpath(target) in got.stdout,
              f"says: {got.stdout}")
        media = Media(PROBE, target)
        common.check_video(media, 259, 512, 512)
        common.check_sound(media, SAMPLE_SECONDS)
        check(media.video["spread"] > 10 and media.video["moving"] > 0.005, f"picture: {media.video}")


common.need_model()
common.main([talk])
