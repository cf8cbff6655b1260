#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pipelines as a user types them, from the build tree and from an installed one:
launch.py BUILD_FOLDER PROBE tree|installed"""
import glob
import os
import shlex
import subprocess
import sys
import tempfile
import time

import common
from common import Media, check, run, run_well

BUILD, PROBE = map(os.path.abspath, sys.argv[1:3])
FOLDER = tempfile.TemporaryDirectory(prefix="artalk-test-")
LAUNCH = []  # what comes before the arguments of gst-launch-1.0
SECONDS = 2.5
FRAMES = 63
ENOUGH = 1.5  # times real time, starting included; below that a live source cannot be followed


def path(name):
    return os.path.join(FOLDER.name, name)


def launch(line, **more):
    """Runs a line as typed; speech.wav and out.mp4 lie in the test's folder."""
    return run_well([*LAUNCH, "gst-launch-1.0", *shlex.split(line)], cwd=FOLDER.name, **more)


def use_tree():
    LAUNCH.extend(["meson", "devenv", "-C", BUILD, "-w", FOLDER.name])


def use_installed():
    """Installs below a folder of its own and sets what an installation elsewhere than /usr needs."""
    run_well(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", path("root")])
    plugin = glob.glob(path("root/**/libgstartalk.so"), recursive=True)
    data = glob.glob(path("root/**/share/artalk/head.safetensors"), recursive=True)
    program = glob.glob(path("root/**/bin/artalk"), recursive=True)
    check(len(plugin) == len(data) == len(program) == 1, f"installed are {plugin} {data} {program}")
    check(glob.glob(path("root/**/man1/artalk.1*"), recursive=True), "the manual page is not installed")
    os.environ["GST_PLUGIN_PATH"] = os.path.dirname(plugin[0])
    os.environ["ARTALK_DATA_DIR"] = os.path.dirname(data[0])
    os.environ["GST_REGISTRY"] = path("registry.bin")


def elements_in_a_row():
    launch("-e filesrc location=speech.wav ! decodebin ! tee name=t "
           "t. ! queue ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion ! artalksmooth ! queue "
           "! flamemesh ! videoconvert ! video/x-raw,format=I420 ! x264enc ! h264parse ! mp4mux name=m "
           "! filesink location=out.mp4 "
           "t. ! queue max-size-time=12000000000 max-size-bytes=0 max-size-buffers=0 ! audioconvert ! audioresample "
           "! audio/x-raw,rate=48000 ! avenc_aac ! m.")
    media = Media(PROBE, path("out.mp4"))
    common.check_video(media, FRAMES, 512, 512)
    common.check_sound(media, SECONDS)
    common.check_clicks(media, [0.5, 1, 1.5, 2], 25)  # what nobody compensates: 21 ms of AAC priming


def one_bin():
    launch("-e filesrc location=speech.wav ! decodebin ! artalkavatar name=a ! videoconvert "
           "! video/x-raw,format=I420,width=256,height=256 ! x264enc ! h264parse ! mp4mux name=m "
           "! filesink location=bin.mp4 "
           "a.audio_src ! audioconvert ! audioresample ! audio/x-raw,rate=48000 ! avenc_aac ! m.")
    media = Media(PROBE, path("bin.mp4"))
    common.check_video(media, FRAMES, 256, 256)
    common.check_sound(media, SECONDS)
    common.check_clicks(media, [0.5, 1, 1.5, 2], 25)


def frames_of_y4m(name):
    with open(path(name), "rb") as file:
        return file.read().count(b"FRAME\n")


def playbin_visualisation():
    uri = "file://" + path("speech.wav")
    launch(f"playbin uri={uri} flags=audio+vis vis-plugin=artalkavatar audio-sink='fakesink sync=true' "
           "video-sink='videoconvert ! video/x-raw,format=I420 ! y4menc ! filesink location=vis.y4m'")
    check(abs(frames_of_y4m("vis.y4m") - FRAMES) <= 1, f"{frames_of_y4m('vis.y4m')} frames, not {FRAMES}")


def live():
    """Every frame of a live source is shown, none too late."""
    start = time.monotonic()
    launch("audiotestsrc wave=red-noise samplesperbuffer=160 num-buffers=400 ! audio/x-raw,rate=16000 ! artalkavatar "
           "! video/x-raw,width=256,height=256 ! fakesink sync=false")
    speed = 4 / (time.monotonic() - start)
    if speed < ENOUGH:
        print(f"live: not judged, this machine is too slow or too busy now ({speed:.1f} times real time)")
        return
    got = launch("-v audiotestsrc is-live=true wave=red-noise samplesperbuffer=160 num-buffers=400 "
                 "! audio/x-raw,rate=16000 ! artalkavatar ! video/x-raw,width=256,height=256 "
                 "! fakesink name=show sync=true qos=true max-lateness=20000000 silent=false")
    shown = got.stdout.count("show: last-message = chain")
    check(shown == 100, f"{shown} frames shown in time, of 100")


def recorded_motion():
    launch("filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion "
           "! artalksmooth ! gdppay ! filesink location=motion.gdp")
    launch("-e filesrc location=motion.gdp ! gdpdepay ! flamemesh ! video/x-raw,width=320,height=240 ! videoconvert "
           "! video/x-raw,format=I420 ! y4menc ! filesink location=played.y4m")
    launch("filesrc location=speech.wav ! decodebin ! audioconvert ! audioresample ! artalkaudioenc ! artalkmotion "
           "! artalksmooth ! flamemesh ! video/x-raw,width=320,height=240 ! videoconvert "
           "! video/x-raw,format=I420 ! y4menc ! filesink location=direct.y4m")
    check(frames_of_y4m("played.y4m") == FRAMES, f"{frames_of_y4m('played.y4m')} frames, not {FRAMES}")
    with open(path("played.y4m"), "rb") as played, open(path("direct.y4m"), "rb") as direct:
        check(played.read() == direct.read(), "recorded motion gives other pictures")


def program_finds_its_plugin():
    """GStreamer does not look below a prefix of one's own; the program knows where it was installed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GST_PLUGIN_PATH")}
    environment["GST_REGISTRY"] = path("other-registry.bin")
    program = glob.glob(path("root/**/bin/artalk"), recursive=True)[0]
    run_well([program, "-q", path("speech.wav"), "--motion", path("m.safetensors")], env=environment)
    os.rename(os.environ["GST_PLUGIN_PATH"], path("hidden"))
    got = run([program, "-q", path("speech.wav"), "--motion", path("m.safetensors")], env=environment)
    os.rename(path("hidden"), os.environ["GST_PLUGIN_PATH"])
    check(got.returncode == 1 and "GST_PLUGIN_PATH" in got.stderr, f"without the plugin: {got.stderr}")


def inspects():
    for element in ("artalkaudioenc", "artalkmotion", "artalksmooth", "flamemesh", "artalkavatar"):
        got = subprocess.run([*LAUNCH, "gst-inspect-1.0", "--exists", "--atleast-version=0.0", element], check=False)
        check(got.returncode == 0, f"{element} is not found")


common.need_model()
common.write_wav(path("speech.wav"), common.clicks(SECONDS))
(use_tree if sys.argv[3] == "tree" else use_installed)()
common.main([inspects, elements_in_a_row, one_bin, playbin_visualisation, live, recorded_motion] +
            ([program_finds_its_plugin] if sys.argv[3] == "installed" else []))
