#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program artalk, from outside: program.py ARTALK PROBE"""
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

import common
from common import Media, check, run, run_well

ARTALK, PROBE = map(os.path.abspath, sys.argv[1:3])
FOLDER = tempfile.TemporaryDirectory(prefix="artalk-test-")
SMALL = ["--size", "64x64"]


def path(name):
    return os.path.join(FOLDER.name, name)


def sound(name, samples, **more):
    return common.write_wav(path(name), samples, **more)


def convert(source, name, launch):
    """Encodes a wave file with GStreamer elements."""
    run_well(["gst-launch-1.0", "-q", "filesrc", f"location={source}", "!", "wavparse", "!", "audioconvert", "!",
              "audioresample", "!", *launch.split(), "!", "filesink", f"location={path(name)}"])
    return path(name)


def video_of_clicks():
    """Size, rate, length and sync of an MP4 file; a mono file of 16 kHz."""
    source = sound("clicks.wav", common.clicks(3.01))
    got = run_well([ARTALK, source, "-o", path("clicks.mp4"), "--size", "128x96"])
    check("76 frames" in got.stdout and " real time" in got.stdout, f"says: {got.stdout}")
    media = Media(PROBE, path("clicks.mp4"))
    common.check_video(media, 76, 128, 96)
    common.check_sound(media, 3.01)
    common.check_clicks(media, [0.5, 1, 1.5, 2, 2.5, 3], 1)


def other_containers():
    source = sound("c.wav", common.clicks(2))
    for name, video, audio in (("c.mkv", "video/x-h264", "audio/mpeg"), ("c.webm", "video/x-vp9", "audio/x-opus"),
                               ("c.mov", "video/x-h264", "audio/mpeg")):
        run_well([ARTALK, "-q", source, "-o", path(name), *SMALL])
        media = Media(PROBE, path(name))
        common.check_video(media, 50, 64, 64, video)
        common.check_sound(media, 2, audio)
        common.check_clicks(media, [0.5, 1, 1.5], 1)


def many_inputs():
    """Rates, channels, codecs."""
    wav = sound("in48.wav", common.clicks(2, 48000), rate=48000)
    inputs = [
        (sound("in8.wav", common.clicks(2, 8000), rate=8000, channels=2), 50, 50),
        (sound("in44.wav", common.clicks(2, 44100), rate=44100, channels=2), 50, 51),
        (convert(wav, "in.ogg", "vorbisenc ! oggmux"), 50, 51),
        (convert(wav, "in.flac", "flacenc"), 50, 51),
        (convert(wav, "in.mp3", "lamemp3enc"), 50, 55),
        (convert(wav, "in.m4a", "avenc_aac ! aacparse ! mp4mux"), 50, 52),
    ]
    for source, low, high in inputs:
        run_well([ARTALK, "-q", source, "-o", path("in.mp4"), *SMALL])
        media = Media(PROBE, path("in.mp4"))
        check(low <= media.video["frames"] <= high, f"{source}: {media.video['frames']} frames")
        check(len(media.clicks) == 3, f"{source}: clicks at {media.clicks}")
        gaps = [b - a for a, b in zip(media.clicks, media.clicks[1:])]
        check(all(abs(gap - 500) < 1 for gap in gaps), f"{source}: clicks at {media.clicks}")


def sound_of_a_film():
    """A film with two sound tracks whose sound begins late: the first track counts, sync stays."""
    film = path("film.mkv")
    run_well(["gst-launch-1.0", "-q", "matroskamux", "name=m", "!", "filesink", f"location={film}",
              "videotestsrc", "num-buffers=75", "!", "video/x-raw,width=64,height=64,framerate=25/1", "!", "vp8enc",
              "deadline=1", "!", "m.",
              "audiotestsrc", "wave=ticks", "num-buffers=75", "samplesperbuffer=1764", "timestamp-offset=700000000", "!",
              "audio/x-raw,rate=44100", "!", "vorbisenc", "!", "m.",
              "audiotestsrc", "wave=silence", "num-buffers=75", "samplesperbuffer=1764", "!",
              "audio/x-raw,rate=44100", "!", "vorbisenc", "!", "m."])
    run_well([ARTALK, "-q", film, "-o", path("film.mp4"), *SMALL])
    media = Media(PROBE, path("film.mp4"))
    check(abs(media.video["frames"] - 75) <= 1, f"{media.video['frames']} frames")
    check(abs(media.video["first"]) < 1, "the picture begins late")
    check(len(media.clicks) >= 2, f"clicks at {media.clicks}")


def clip_length():
    source = sound("long.wav", common.clicks(4, 44100), rate=44100)
    run_well([ARTALK, "-q", source, "-o", path("clip.mp4"), "--clip-length", "30", *SMALL])
    media = Media(PROBE, path("clip.mp4"))
    common.check_video(media, 30, 64, 64)
    common.check_sound(media, 1.2)


def very_short():
    """A hundredth of a second gives one frame."""
    source = sound("short.wav", common.hum(0.01))
    run_well([ARTALK, "-q", source, "-o", path("short.mp4"), *SMALL])
    check(Media(PROBE, path("short.mp4")).video["frames"] == 1, "not one frame")


def moves():
    """The head fills a part of the picture and moves when there is a voice."""
    source = sound("hum.wav", common.hum(2))
    run_well([ARTALK, "-q", source, "-o", path("hum.mp4"), "--size", "256x256"])
    video = Media(PROBE, path("hum.mp4")).video
    check(video["spread"] > 10, f"the picture is nearly empty: brightness varies by {video['spread']}")
    check(video["moving"] > 0.005, f"nothing moves: {video['moving']}")


def motion_and_mesh():
    """Data without a video, then all three at once: the same motion."""
    source = sound("data.wav", common.hum(1.5))
    run_well([ARTALK, "-q", source, "--motion", path("m.safetensors")])
    header, data = common.read_safetensors(path("m.safetensors"))
    check(header["motion"]["shape"] == [38, 106] and header["motion"]["dtype"] == "F32", str(header["motion"]))
    names = header["__metadata__"]["channels"].split(",")
    check(len(names) == 106 == len(set(names)) and "jawOpen" in names and names[-1] == "jawZ", f"channels: {names}")
    check(header["__metadata__"]["framerate"] == "25/1", "no frame rate")
    run_well([ARTALK, "-q", source, "--motion", path("m2.safetensors"), "--mesh", path("v.safetensors"), "-o",
              path("all.mp4"), *SMALL])
    check(common.read_safetensors(path("m2.safetensors"))[1] == data, "the motion differs from run to run")
    check(Media(PROBE, path("all.mp4")).video["frames"] == 38, "not 38 frames of video")

    header, data = common.read_safetensors(path("v.safetensors"))
    frames, vertices, three = header["vertices"]["shape"]
    check((frames, three) == (38, 3) and header["vertices"]["dtype"] == "F32", str(header["vertices"]))
    check(header["faces"]["dtype"] == "U32" and header["faces"]["shape"][1] == 3, str(header["faces"]))
    begin, end = header["faces"]["data_offsets"]
    faces = struct.unpack(f"<{(end - begin) // 4}I", data[begin:end])
    check(max(faces) < vertices, "a face names a vertex that is not there")
    regions = ["inner_lip_upper", "inner_lip_lower", "mouth_corners", "upper_teeth_edge", "lower_lip"]
    regions += [f"eyelid_{lid}_{side}" for lid in ("upper", "lower") for side in ("left", "right")]
    for region in regions:
        check(f"region.{region}" in header, f"region.{region} is missing")
    check(header["region.mouth_corners"]["shape"] == [2], "mouth_corners is not left and right")
    begin = header["vertices"]["data_offsets"][0]
    first = struct.unpack(f"<{vertices * 3}f", data[begin:begin + vertices * 12])
    for axis in range(3):
        extent = max(first[axis::3]) - min(first[axis::3])
        check(0.1 < extent < 0.6, f"the head is {extent} m large along axis {axis}")


def interrupted():
    """Ctrl-C in the middle leaves a file that plays, and says so by its exit status."""
    source = path("minutes.wav")
    run_well(["gst-launch-1.0", "-q", "audiotestsrc", "wave=red-noise", "samplesperbuffer=16000", "num-buffers=600", "!",
              "audio/x-raw,rate=16000,channels=1", "!", "wavenc", "!", "filesink", f"location={source}"])
    target = path("minutes.mp4")
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = subprocess.Popen([ARTALK, "-q", source, "-o", target, "--size", "128x128"])
        start = time.monotonic()
        part = target + ".part"
        while time.monotonic() - start < 60 and not (os.path.exists(part) and os.path.getsize(part) > 5000):
            time.sleep(0.05)
        process.send_signal(number)
        check(process.wait(60) == status, f"exit status {process.returncode}, not {status}")
        media = Media(PROBE, target)
        seconds = media.video["frames"] / 25
        check(0.5 <= seconds < 590, f"{seconds} s of video")
        check(abs(media.audio["last"] - media.video["last"]) < 100, "sound and picture end at different times")
        os.remove(target)
        check(not os.path.exists(part), "a .part file is left")


def complains(command, status, *words):
    """The command fails with one line that has these words, and leaves nothing."""
    before = sorted(os.listdir(FOLDER.name))
    got = run(command)
    check(got.returncode == status, f"{command}: exit status {got.returncode}, not {status}\n{got.stderr}")
    lines = [line for line in got.stderr.splitlines() if line]
    check(len(lines) == 1 and lines[0].startswith("artalk: "), f"{command}: not one clear line:\n{got.stderr}")
    for word in words:
        check(word in lines[0], f"{command}: \"{lines[0]}\" does not say \"{word}\"")
    check(sorted(os.listdir(FOLDER.name)) == before, f"{command} leaves {os.listdir(FOLDER.name)}")


def bad_inputs():
    good = sound("good.wav", common.hum(0.5))
    out = ["-q", "-o", path("bad.mp4")]
    with open(path("empty.wav"), "wb"):
        pass
    with open(path("text.wav"), "w", encoding="utf-8") as file:
        file.write("This is no sound.\n" * 100)
    sound("none.wav", [])
    run_well(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=5", "!", "vp8enc", "!", "webmmux", "!", "filesink",
              f"location={path('silent.webm')}"])
    for name in ("empty.wav", "text.wav", "none.wav", "silent.webm", "absent.wav"):
        complains([ARTALK, path(name), *out], 1, name)
    with open(good, "rb") as whole, open(path("header.wav"), "wb") as header:
        header.write(whole.read(44))
    got = run([ARTALK, path("header.wav"), *out], timeout=60)  # GStreamer complains in lines of its own
    check(got.returncode == 1 and "no sound" in got.stderr, f"a header alone: {got.stderr}")
    complains([ARTALK, FOLDER.name, *out], 1, "folder")
    complains([ARTALK, good, "-q", "-o", path("no/such/folder.mp4")], 1, "folder.mp4")
    complains([ARTALK, good, "-q", "-o", path("bad.avi")], 1, "bad.avi")
    complains([ARTALK, good, "-q", "-o", FOLDER.name], 1)
    complains([ARTALK, good, "-q", "--motion", path("no/such/m.safetensors")], 1, "m.safetensors")
    with open(path("copy.mp4"), "wb") as file, open(good, "rb") as source:
        file.write(source.read())
    complains([ARTALK, path("copy.mp4"), "-q", "-o", path("copy.mp4")], 1, "same file")
    for option in ("--motion", "--mesh"):
        complains([ARTALK, good, "-q", option, good], 1, "same file")
    check(open(good, "rb").read(4) == b"RIFF", "the recording was written over")


def bad_assets():
    good = sound("good2.wav", common.hum(0.5))
    out = [good, "-q", "-o", path("bad.mp4"), *SMALL]
    model = os.path.join(os.environ["ARTALK_DATA_DIR"], "artalk.safetensors")
    head = os.path.join(os.environ["ARTALK_DATA_DIR"], "head.safetensors")
    for name, whole in (("model.safetensors", model), ("head.safetensors", head)):
        with open(whole, "rb") as source, open(path(name), "wb") as target:
            target.write(source.read(os.path.getsize(whole) // 2))
    complains([ARTALK, *out, "--model", path("absent.safetensors")], 1, "absent.safetensors")
    complains([ARTALK, *out, "--model", path("model.safetensors")], 1, "model.safetensors")
    complains([ARTALK, *out, "--model", head], 1)
    complains([ARTALK, *out, "--head", path("absent.safetensors")], 1, "absent.safetensors")
    complains([ARTALK, *out, "--head", path("head.safetensors")], 1, "head.safetensors")
    complains([ARTALK, *out, "--head", model], 1)
    complains([ARTALK, *out, "--head", "no-such-face"], 1, "no-such-face")
    complains([ARTALK, *out, "--style", "no-such-style"], 1, "no-such-style")
    complains([ARTALK, *out, "--style", model], 1)
    complains([ARTALK, *out, "--device", "cuda:99"], 1, "cuda:99")
    for option in (["--style", "no-such-style"], ["--style", path("absent.pt")], ["--device", "abacus"]):
        error = run([ARTALK, good, "-q", "--motion", path("bad.safetensors"), *option]).stderr
        check("model=" not in error, f"advice on something else: {error}")


def keeps_old_file():
    """A rendering that fails leaves what was there before."""
    with open(path("old.mp4"), "w", encoding="utf-8") as file:
        file.write("old")
    complains([ARTALK, path("absent.wav"), "-q", "-o", path("old.mp4")], 1)
    with open(path("old.mp4"), encoding="utf-8") as file:
        check(file.read() == "old", "the old file is gone")


def usage():
    complains([ARTALK], 2)
    complains([ARTALK, "a.wav"], 2)
    complains([ARTALK, "a.wav", "b.wav", "-o", "c.mp4"], 2)
    complains([ARTALK, "a.wav", "-o", "c.mp4", "--no-such-option"], 2)
    complains([ARTALK, "a.wav", "-o", "c.mp4", "--size", "3x3"], 2, "--size")
    complains([ARTALK, "a.wav", "-o", "c.mp4", "--background", "mauve-ish"], 2, "--background")
    complains([ARTALK, "a.wav", "-o", "c.mp4", "--clip-length", "-1"], 2, "--clip-length")
    for precision in ("f99", "int8"):
        complains([ARTALK, "a.wav", "-o", "c.mp4", "--precision", precision], 2, "--precision", "bf16")
    complains([ARTALK, "a.wav", "-o", "c.mp4", "--motion", "c.mp4"], 2, "c.mp4")
    complains([ARTALK, "a.wav", "--motion", "c.st", "--mesh", "c.st"], 2, "c.st")
    complains([ARTALK, "inspect"], 2)
    complains([ARTALK, "inspect", "--verify"], 2)
    complains([ARTALK, "style"], 2)
    complains([ARTALK, "style", "m.safetensors"], 2, "-o")
    complains([ARTALK, "style", "m.safetensors", "-o", "s.safetensors", "--start", "1", "--start-frame", "1"], 2)
    check("--start" in run_well([ARTALK, "style", "--help"]).stdout, "style --help does not help")
    check("--output" in run_well([ARTALK, "--help"]).stdout, "--help does not help")
    for command in ("inspect", "avatars", "styles", "heads"):
        check(f"artalk {command}" in run_well([ARTALK, command, "--help"]).stdout, f"{command} --help does not help")
    check(run_well([ARTALK, "--version"]).stdout.startswith("artalk "), "--version")


def inspects():
    data = os.environ["ARTALK_DATA_DIR"]
    got = run_well([ARTALK, "inspect", os.path.join(data, "head.safetensors")]).stdout
    check("flame_model.v_template F32 [" in got, got)
    complains([ARTALK, "inspect", path("absent.safetensors")], 1, "absent.safetensors")
    with open(path("junk.pt"), "wb") as file:
        file.write(b"PK\x03\x04 not really")
    complains([ARTALK, "inspect", path("junk.pt")], 1, "junk.pt")
    styles = run_well([ARTALK, "styles"]).stdout.split()
    check(styles == ["angry", "calm", "happy", "lively", "neutral", "sad", "surprised"], f"styles: {styles}")
    heads = run_well([ARTALK, "heads"]).stdout
    check("vertices" in heads and "basis" in heads, heads)
    faces = [line.split(": ", 1) for line in heads.splitlines()[1:]]
    check(len(faces) >= 6 and all(len(face) == 2 and len(face[1]) > 10 for face in faces), heads)
    files = os.listdir(os.path.join(data, "faces"))
    check(sorted(name + ".safetensors" for name, _ in faces) == sorted(files), f"{faces}: {files}")


def verifies():
    """Only a published file is one; the table itself is tested with the function (tests/models/known.c)."""
    name = path("ARTalk_wav2vec.pt")
    complains([ARTALK, "inspect", "--verify", path("absent.pt")], 1, "absent.pt")
    with open(name, "wb") as file:
        file.write(b"PK")
    complains([ARTALK, "inspect", "--verify", name], 1, "2 bytes", "1959150898")
    os.remove(name)
    complains([ARTALK, "inspect", "--verify", sound("published.wav", [0])], 1, "published.wav", "not a published file")


def makes_styles():
    """A clip is 50 frames of what was recorded, and moves the head where it is used."""
    source = sound("style.wav", common.hum(4))
    motion, clip = path("motion.safetensors"), path("clip.safetensors")
    run_well([ARTALK, "-q", source, "--motion", motion])
    header, recorded = common.read_safetensors(motion)
    for option, frame in (([], 0), (["--start-frame", "7"], 7), (["--start", "1.2"], 30), (["--start-frame", "50"], 50)):
        run_well([ARTALK, "style", motion, "-o", clip, *option])
        header, data = common.read_safetensors(clip)
        check(header["motion"]["shape"] == [50, 106] and header["__metadata__"]["basis"] == "arkit-1", str(header))
        check(data == recorded[frame * 106 * 4:(frame + 50) * 106 * 4], f"{option}: not frames {frame} to {frame + 50}")
    run_well([ARTALK, "-q", source, "--style", clip, "--motion", path("styled.safetensors")])
    check(common.read_safetensors(path("styled.safetensors"))[1] != recorded, "the clip changes nothing")

    recording, again = path("motion.gdp"), path("again.safetensors")
    run_well(["gst-launch-1.0", "-q", "filesrc", f"location={source}", "!", "wavparse", "!", "audioconvert", "!",
              "audioresample", "!", "artalkaudioenc", "!", "artalkmotion", "!", "artalksmooth", "!", "gdppay", "!",
              "filesink", f"location={recording}"])
    run_well([ARTALK, "style", recording, "-o", again, "--start-frame", "50"])
    check(common.read_safetensors(again) == common.read_safetensors(clip), "a recording gives another clip")

    unwritten = ["-o", path("no.safetensors")]
    complains([ARTALK, "style", motion, *unwritten, "--start-frame", "51"], 1, "too short", "100 frames", "51")
    complains([ARTALK, "style", clip, *unwritten, "--start", "0.04"], 1, "too short")
    complains([ARTALK, "style", path("absent.safetensors"), *unwritten], 1, "absent.safetensors")
    complains([ARTALK, "style", source, *unwritten], 1, "style.wav")
    complains([ARTALK, "style", os.path.join(os.environ["ARTALK_DATA_DIR"], "head.safetensors"), *unwritten], 1, "motion")
    with open(recording, "rb") as file:
        whole = file.read()
    with open(path("cut.gdp"), "wb") as file:
        file.write(whole[:2000])
    complains([ARTALK, "style", path("cut.gdp"), *unwritten], 1, "cut.gdp")
    complains([ARTALK, "style", motion, "-o", path("no/such/clip.safetensors")], 1, "clip.safetensors")


def styles_differ():
    source = sound("styled.wav", common.hum(1))
    motions = []
    for style in run_well([ARTALK, "styles"]).stdout.split()[:2]:
        run_well([ARTALK, "-q", source, "--style", style, "--motion", path(style + ".safetensors")])
        motions.append(common.read_safetensors(path(style + ".safetensors"))[1])
    check(len(motions) == 2 and motions[0] != motions[1], "two styles give the same motion")


def emotions_show():
    """Every emotion moves its part of the face, the whole time and more than a neutral face does."""
    with open(os.path.join(os.environ["ARTALK_DATA_DIR"], "channels.json"), encoding="utf-8") as file:
        channels = json.load(file)["expression"]
    source = sound("moved.wav", common.hum(4))
    face = {}
    for style in ("neutral", "happy", "sad", "angry", "surprised"):
        run_well([ARTALK, "-q", source, "--style", style, "--motion", path("moved.safetensors")])
        data = common.read_safetensors(path("moved.safetensors"))[1]
        frames = [struct.unpack_from("<106f", data, 424 * i) for i in range(25, len(data) // 424)]
        face[style] = [sum(column) / len(frames) for column in zip(*frames)]
    for style, most in (("happy", {"mouthSmileLeft": 0.2, "cheekSquintRight": 0.15}), ("sad", {"browInnerUp": 0.4, "mouthFrownLeft": 0.35}),
                        ("angry", {"browDownRight": 0.5, "noseSneerLeft": 0.25}), ("surprised", {"browOuterUpLeft": 0.4, "eyeWideRight": 0.4})):
        for name, least in most.items():
            more = face[style][channels.index(name)] - face["neutral"][channels.index(name)]
            check(more > least, f"{style}: {name} is {more:.2f} more than in neutral")


def avatars():
    """The built-in Gaussian avatar; lists of people, with a picture of them."""
    source = sound("splat.wav", common.hum(0.2))
    run_well([ARTALK, "-q", source, "-o", path("splat.mp4"), "--renderer", "splat", "--size", "128x96"])
    media = Media(PROBE, path("splat.mp4"))
    common.check_video(media, 5, 128, 96)
    check(media.video["spread"] > 10, f"the picture is nearly empty: brightness varies by {media.video['spread']}")
    complains([ARTALK, source, "-q", "-o", path("no.mp4"), "--renderer", "mesh", "--avatar", "anna"], 2, "--renderer")
    complains([ARTALK, source, "-q", "-o", path("no.mp4"), "--renderer", "oils"], 2, "oils")
    complains([ARTALK, source, "-q", "-o", path("no.mp4"), "--avatar", "anna"], 1, "anna")
    complains([ARTALK, source, "-q", "-o", path("no.mp4"), "--avatar-model", path("absent.pt")], 1, "absent.pt")

    people = {}
    for name, (height, width), transform in (("anna", (8, 8), 1), ("berta", (4, 6), 1), ("carl", (8, 8), 3)):
        people[name + ".image"] = ("F32", [3, height, width], struct.pack("<f", 0.25) * (3 * height * width))
        people[name + ".transform_matrix"] = (
            "F32", [3, 4], struct.pack("<12f", transform, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 5))
        people[name + ".shapecode"] = ("F32", [4], bytes(16))
    common.write_safetensors(path("people.safetensors"), people)
    got = run([ARTALK, "avatars", path("people.safetensors"), path("people.png")])
    check(got.returncode == 1 and "carl" in got.stderr, f"takes a camera that is not rigid: {got.stderr}")
    check(got.stdout.split() == ["anna", "berta", "carl"], f"says: {got.stdout}")
    with open(path("people.png"), "rb") as file:
        png = file.read()
    check(png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (512, 176), "not three thumbnails")
    del people["carl.image"], people["carl.transform_matrix"], people["carl.shapecode"]
    common.write_safetensors(path("two.safetensors"), people)
    check(run_well([ARTALK, "avatars", path("two.safetensors")]).stdout.split() == ["anna", "berta"], "not two names")
    complains([ARTALK, "avatars", path("absent.pt")], 1, "absent.pt")
    complains([ARTALK, "avatars"], 2)


TESTS = [video_of_clicks, other_containers, many_inputs, sound_of_a_film, clip_length, very_short, moves,
         motion_and_mesh, interrupted, bad_inputs, bad_assets, keeps_old_file, usage, inspects, verifies,
         makes_styles, styles_differ, emotions_show, avatars]

common.need_model()
common.main(TESTS)
