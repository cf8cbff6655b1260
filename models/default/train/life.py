# SPDX-License-Identifier: LGPL-2.1-or-later
"""Blinks, sway and gaze as functions of the time and of pauses.

The model takes the likelier value of every bit, so motion drawn at random
would average out to none. Here idle motion goes round in four chunks of a
second: the model reads off the chunk before where it is and carries on, and
because only four places exist, small errors do not add up. A blink comes each
time round, and one when a pause begins in the middle of a round.
"""

import numpy as np

START, PERIOD = 1.2, 100  # phase of a stream's first frame, radians; frames of a round
DEG = np.pi / 180
# phase from which a fixation holds, yaw and pitch of the eyes in radians
FIXATIONS = ((0.0, 0.0, 0.0), (1.0, 0.09, -0.03), (2.2, 0.0, 0.02), (3.6, -0.11, -0.02), (4.4, 0.03, 0.0), (5.6, 0.0, 0.0))


class Fixed(np.random.Generator):
    """Stands in for the random draws of targets(): always the middle."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def uniform(self, low=0.0, high=None, size=None):
        value = 0.3 if high is None else (low + high) / 2
        return value if size is None else np.full(size, value)

    def normal(self, loc=0.0, scale=1.0, size=None):
        return 0.0 if size is None else np.zeros(size)

    def exponential(self, scale=1.0, size=None):
        return 1e9


def blink_times(phi, speech):
    """Seconds of the blinks: where the phase passes 0, and 0.16 s into pauses of 0.4 s or more if that is in the
    middle quarter of a round: speech full of pauses does not blink at each, and the phase alone says whether."""
    lap = np.floor(phi / (2 * np.pi))
    times = list(((lap[1:] > lap[:-1]).nonzero()[0] + 1) / 25)
    quiet = np.concatenate([[0], (speech == 0).astype(int), [0]])
    edge = np.diff(quiet)
    for a, b in zip((edge == 1).nonzero()[0], (edge == -1).nonzero()[0]):
        t = a / 25 + 0.16
        if a > 0 and b - a >= 10 and abs(phi[a] / (2 * np.pi) % 1 - 0.5) < 0.125:
            times.append(t)
    return times


def add_life(motion, speech, style, channel):
    """Adds idle motion to `motion` [frames, 106] in place; speech [frames] is 0
    where nobody speaks; `channel` maps names of expression channels to columns.
    An emotion's brows stay, its `look` lowers the gaze and its `lid` the lids."""
    frames = len(motion)
    phi = START + 2 * np.pi * np.arange(frames) / PERIOD
    lap = phi % (2 * np.pi)
    sway, gaze = DEG * (0.4 + 0.6 * style["sway"]), 0.4 + 0.6 * style["gaze"]
    yaw, roll = 2.0 * sway * np.sin(phi), 1.0 * sway * np.cos(phi + 0.4)
    motion[:, 100] += 0.7 * sway * np.sin(2 * phi + 1.0)
    motion[:, 101] += yaw
    motion[:, 102] += roll
    k = np.searchsorted([f[0] for f in FIXATIONS], lap, side="right") - 1
    look = np.array(FIXATIONS)[k, 1:] * gaze + (0.0, style.get("look", 0.0))
    across = (look[:, 0] - 0.6 * yaw) / 0.5
    up = (look[:, 1] + 0.6 * motion[:, 100]) / 0.5
    lid, t = np.zeros(frames), (np.arange(frames) + 0.5) / 25
    for blink in blink_times(phi, speech):
        lid = np.maximum(lid, np.clip(np.minimum((t - blink + 0.11) / 0.06, (0.20 - t + blink) / 0.12), 0, 1.05))
    for side, s in (("Left", 1.0), ("Right", -1.0)):
        motion[:, channel["eyeLookOut" + side]] = np.maximum(s * across, 0)
        motion[:, channel["eyeLookIn" + side]] = np.maximum(-s * across, 0)
        motion[:, channel["eyeLookUp" + side]] = np.maximum(up, 0)
        motion[:, channel["eyeLookDown" + side]] = np.maximum(-up, 0)
        motion[:, channel["eyeBlink" + side]] = np.maximum(lid, style.get("lid", 0.0) + 0.3 * np.maximum(-up, 0))
        motion[:, channel["eyeWide" + side]] *= 1 - np.minimum(lid, 1)
    gain = np.maximum(0.55 + 0.55 * np.cos(phi), 0.0)
    for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"):
        still = sum(x for start, x in style.get("face", {}).items() if name.startswith(start))
        motion[:, channel[name]] = still + gain * (motion[:, channel[name]] - still)
    return motion
