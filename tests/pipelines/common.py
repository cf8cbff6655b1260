# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests beside this file share: running programs, making sounds, looking into media files."""
import array
import json
import math
import os
import struct
import subprocess
import sys
import time
import wave

CLICK_EVERY = 0.5  # seconds


class Failure(Exception):
    """Something is not as it should be; the text says what."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def run(command, timeout=300, **more):
    """Runs a command to its end. Returns the finished process with .stdout and .stderr as text."""
    got = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False, **more)
    got.stdout = got.stdout.decode(errors="replace")
    got.stderr = got.stderr.decode(errors="replace")
    return got


def run_well(command, **more):
    got = run(command, **more)
    check(got.returncode == 0, f"{command} ended with {got.returncode}:\n{got.stdout}{got.stderr}")
    return got


def write_wav(path, samples, rate=16000, channels=1):
    """samples: floats for one channel; every channel gets them."""
    values = array.array("h", (int(max(-1, min(1, x)) * 32767) for x in samples for _ in range(channels)))
    with wave.open(path, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.tobytes())
    return path


def clicks(seconds, rate=16000):
    """A short burst every half second, the first after half a second; the rest is silent."""
    samples = [0.0] * int(seconds * rate)
    for k in range(1, int(seconds / CLICK_EVERY + 0.999)):
        start = int(k * CLICK_EVERY * rate)
        for i in range(rate // 500):
            if start + i < len(samples):
                samples[start + i] = 0.7 * math.copysign(1, math.sin(2 * math.pi * (i + 0.5) * 1000 / rate))
    return samples


def hum(seconds, rate=16000):
    """Something voice-like: a buzz of 120 Hz whose loudness goes up and down three times a second."""
    return [0.3 * abs(math.sin(2 * math.pi * 1.5 * i / rate)) * (2 * ((120 * i / rate) % 1) - 1)
            for i in range(int(seconds * rate))]


class Media:
    """A decoded media file; .video and .audio are dictionaries of what probe.c prints."""

    def __init__(self, probe, path):
        self.video = self.audio = None
        for line in run_well([probe, path]).stdout.splitlines():
            kind, *fields = line.split()
            values = dict(field.split("=", 1) for field in fields)
            for key, value in values.items():
                try:
                    values[key] = float(value)
                except ValueError:
                    pass
            if kind == "file":
                self.duration = values["duration"]
            else:
                setattr(self, kind, values)
        if self.audio is not None:
            text = str(self.audio["clicks"])
            self.clicks = [float(t) for t in text.split(",")] if text else []


def check_video(media, frames, width, height, codec="video/x-h264"):
    video = media.video
    check(video is not None, "there is no video")
    check(video["codec"] == codec, f"video is {video['codec']}, not {codec}")
    if codec == "video/x-h264":
        check(video["profile"] in ("high", "main", "constrained-baseline", "baseline"), f"profile {video['profile']}")
    check(video["chroma"] == "4:2:0", f"chroma {video['chroma']}")
    check((video["width"], video["height"]) == (width, height), f"size {video['width']}x{video['height']}")
    check(video["fps"] == "25/1", f"frame rate {video['fps']}")
    check(video["frames"] == frames, f"{video['frames']} frames, {frames} expected")
    check(abs(video["first"]) < 1, f"the first frame is shown at {video['first']} ms")
    check(abs(video["last"] - frames * 40) < 2, f"the last frame ends at {video['last']} ms, not {frames * 40}")


def check_sound(media, seconds, codec="audio/mpeg"):
    audio = media.audio
    check(audio is not None, "there is no sound")
    check(audio["codec"] == codec, f"sound is {audio['codec']}, not {codec}")
    check(audio["rate"] == 48000, f"sound has {audio['rate']} samples a second")
    check(abs(audio["samples"] / 48 - seconds * 1000) < 45, f"{audio['samples'] / 48:.0f} ms of sound, not {seconds * 1000}")


def check_clicks(media, expected, tolerance):
    """Clicks (seconds) are heard within tolerance (milliseconds) of the picture of the same time."""
    heard = media.clicks
    check(len(heard) == len(expected), f"{len(heard)} clicks heard, {len(expected)} expected: {heard}")
    worst = max(abs(h - e * 1000) for h, e in zip(heard, expected))
    check(worst <= tolerance, f"sound is off by {worst:.2f} ms: {heard}")


def read_safetensors(path):
    """Header of a safetensors file, and the file's bytes from the first tensor on."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def write_safetensors(path, tensors):
    """A safetensors file of name -> (type, shape, bytes)."""
    header, end = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def main(tests):
    """Runs functions; prints a line for each. Exit status 1 if any fails."""
    failed = 0
    for test in tests:
        start = time.monotonic()
        try:
            test()
            word = "ok"
        except (Failure, subprocess.TimeoutExpired) as failure:
            failed += 1
            word = f"FAILED: {failure}"
        print(f"{test.__name__} ({time.monotonic() - start:.1f} s): {word}", flush=True)
    print(f"{len(tests) - failed} of {len(tests)} good")
    sys.exit(1 if failed else 0)


def need_model():
    """Ends the program with 77, skipped, where the built-in model is not there."""
    path = os.path.join(os.environ["ARTALK_DATA_DIR"], "artalk.safetensors")
    if not os.path.exists(path):
        print(f"skipped: {path} is not there")
        sys.exit(77)
