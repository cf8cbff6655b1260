#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes pipelines/sample.flac, the speech that talk.sh renders when it is given none.

    pip install hibari-tts==0.2.1 onnxruntime==1.32.0 numpy==2.4.6 soundfile==0.14.0
    python3 pipelines/make_sample.py pipelines/sample.flac

The same versions make the same samples. What the text is made of: sample.md."""
import sys

import numpy
import soundfile
from hibari import Hibari

PARTS = [  # a sentence, and the silence after it in seconds
    ("Hello! I am a head, made from nothing but this voice.", 0.7),
    ("My lips meet for people, bubbles and moonbeams, and they move very smoothly.", 0.3),
]
RATE = 24000
RMS = 0.1  # of the voiced parts: -20 dB
PEAK = 0.84


def main(path):
    voice = Hibari()
    pieces = [numpy.zeros(int(0.25 * RATE), numpy.float32)]
    for text, pause in PARTS:
        pieces += [voice(text, seed=0), numpy.zeros(int(pause * RATE), numpy.float32)]
    samples = numpy.concatenate(pieces)
    voiced = samples[numpy.abs(samples) > 0.01]
    samples *= min(RMS / numpy.sqrt(numpy.mean(voiced**2)), PEAK / numpy.abs(samples).max())
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    print(f"{path}: {len(samples) / RATE:.2f} s, peak {numpy.abs(samples).max():.2f}, "
          f"rms {20 * numpy.log10(numpy.sqrt(numpy.mean(samples**2))):.1f} dB")


main(sys.argv[1])
