# SPDX-License-Identifier: LGPL-2.1-or-later
"""Motion targets [frames, 106] at 25 fps from phone times, by rules.

Mouth: every phone has a shape (visemes.json); its influence falls off exponentially outside its time
(dominance functions after Cohen and Massaro), faster for the lips than for the jaw. Lips are forced shut
on p, b, m. Loudness in a window of 0.4 s splits jaw from lips (after JALI). Blinks, brows, nods, sway and
gaze are drawn from a seed, their amounts from a style. An emotion (`face`, `rest`, `tilt` of a style) lies over all of that. The mouth and lids are pre-emphasised
so that the Savitzky-Golay filter (window 5, order 2) that follows a model gives back what was meant.

Frame i covers samples 640 i ... 640 i + 639 and holds the value at its middle, (i + 0.5) * 40 ms."""
import json
from pathlib import Path

import numpy as np
from scipy.linalg import solveh_banded

HERE = Path(__file__).resolve().parent
CHANNELS = json.loads((HERE.parent / "channels.json").read_text(encoding="utf-8"))["expression"]
CH = {name: i for i, name in enumerate(CHANNELS)}
CLASSES = json.loads((HERE / "phones.json").read_text(encoding="utf-8"))["classes"]
DIM, POSE, JAW = 106, 100, 103
VOWELS = range(CLASSES.index("aa"), CLASSES.index("er") + 1)
SIL, PP, FF = 0, 1, 2
JAW_FULL = 0.431   # jaw angle that mouthClose = 1 makes up for, radians
LAB_JAW, LAB_ROLL = 0.04, 0.9   # most jaw, least rolling in of the lower lip on f, v
LIP_TAU, JAW_TAU = 0.030, 0.045
TAPS = np.array([-3, 12, 17, 12, -3]) / 35.0

# weight of a phone against its neighbours
DOMINANCE = {"sil": 1.2, "PP": 4, "FF": 3.5, "TH": 1.6, "DD": 0.8, "LL": 0.9, "RR": 0.9, "SS": 1.3, "CH": 1.8, "KK": 0.4,
             "HH": 0.25, "WW": 2.4, "JJ": 0.8, "ao": 1.3, "uw": 1.6, "uh": 1.2, "aa": 1.4, "ae": 1.3, "ah": 0.8, "ih": 0.8, "noise": 0.5}

# what a phone looks like, as a mixture of the shapes of visemes.json
MIX = {"PP": {"PP": 1}, "FF": {"FF": 1}, "TH": {"TH": 1}, "DD": {"DD": 1}, "LL": {"DD": 0.8, "AA": 0.25}, "RR": {"RR": 1},
       "SS": {"SS": 1}, "CH": {"CH": 1}, "KK": {"kk": 1}, "HH": {"AA": 0.4}, "WW": {"OU": 1.1}, "JJ": {"EE": 0.75},
       "aa": {"AA": 1}, "ae": {"AA": 0.65, "EE": 0.5}, "ah": {"AA": 0.62}, "eh": {"AA": 0.4, "EE": 0.5}, "ih": {"IH": 1},
       "iy": {"EE": 0.85}, "ao": {"OH": 1}, "uh": {"OU": 0.55, "AA": 0.2}, "uw": {"OU": 1}, "er": {"RR": 0.8, "AA": 0.2},
       "noise": {"AA": 0.1}, "sil": {}}

# jaw angle of a phone, radians
JAW_ANGLE = {"PP": 0.03, "FF": 0.045, "TH": 0.06, "DD": 0.055, "LL": 0.085, "RR": 0.05, "SS": 0.03, "CH": 0.03, "KK": 0.075, "HH": 0.08,
             "WW": 0.03, "JJ": 0.06, "aa": 0.19, "ae": 0.16, "ah": 0.115, "eh": 0.115, "ih": 0.075, "iy": 0.06, "ao": 0.11, "uh": 0.06,
             "uw": 0.04, "er": 0.08, "noise": 0.02, "sil": 0.0}


def _tables():
    """[classes, channels] shapes, [classes] jaw angles and weights."""
    visemes = json.loads((HERE.parent / "visemes.json").read_text(encoding="utf-8"))
    m = np.zeros((len(CLASSES), len(CHANNELS)))
    for i, name in enumerate(CLASSES):
        for viseme, share in MIX[name].items():
            for unit, x in visemes[viseme].items():
                if unit in CH and unit != "mouthClose":
                    m[i, CH[unit]] += share * x
    return m, np.array([JAW_ANGLE[c] for c in CLASSES]), np.array([DOMINANCE.get(c, 1.0) for c in CLASSES])


MOUTH, JAW_OPEN, WEIGHT = _tables()
APERTURE = [CH[n] for n in CHANNELS if n.startswith(("mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthShrug", "mouthStretch", "tongue"))]
SHARP = [i for n, i in CH.items() if n.startswith(("mouth", "tongue", "eyeBlink", "jaw"))] + [JAW]


STYLES = json.loads((HERE / "styles.json").read_text(encoding="utf-8"))
PARTS = ("face", "rest")  # of a style: channels, all the time and while nobody speaks


def draw_style(rng, emotions=0.0):
    """A style at random: amounts of articulation (.7-1.3), smile (0-.4), brows, nods, sway, gaze; blinks per second.
    With the chance `emotions` on its way to one of the presets with a `face`, from a third of it to a little beyond."""
    style = _calm_style(rng)
    if rng.uniform() < emotions:
        goal = STYLES[str(rng.choice([n for n, s in STYLES.items() if "face" in s]))]
        u = rng.uniform(0.35, 1.15)
        for key, value in goal.items():
            if key in PARTS:
                style[key] = {name: u * x for name, x in value.items()}
            else:
                style[key] = (1 - u) * style.get(key, 0.0) + u * value
    return style


def _calm_style(rng):
    return {"articulation": rng.uniform(0.7, 1.3), "smile": max(0.0, rng.uniform(-0.15, 0.4)), "brow": rng.uniform(0.1, 1.7),
            "nod": rng.uniform(0.1, 1.7), "sway": rng.uniform(0.2, 1.5), "blink": rng.uniform(0.2, 0.3), "gaze": rng.uniform(0.3, 1.3)}


def named_style(name):
    """A preset of styles.json."""
    return STYLES[name]


def offsets(part):
    """[DIM] what a part of a style adds; its names are the beginnings of channels' names, or `jaw`."""
    out = np.zeros(DIM)
    for name, x in part.items():
        which = [JAW] if name == "jaw" else [i for n, i in CH.items() if n.startswith(name)]
        if not which:
            raise KeyError(name)
        out[which] += x
    return out


def _mean_of(phones, start, end, t, tau, values, weight):
    """Weighted mean over phones at the times t: weight * exp(-distance / tau)."""
    inner = np.minimum(0.012, (end - start) / 4)
    d = np.maximum(np.maximum((start + inner)[None] - t[:, None], t[:, None] - (end - inner)[None]), 0.0)
    w = weight[None] * np.exp(-d / tau)
    return (w @ values) / np.maximum(w.sum(1, keepdims=values.ndim > 1), 1e-9)


def _loudness(audio, n100):
    """Log energy at 100 Hz and its rank (0..1) in windows of 0.4 s."""
    x = np.zeros(n100 * 160)
    a = np.asarray(audio, np.float64)[:n100 * 160]
    x[:len(a)] = a / (32768.0 if np.asarray(audio).dtype == np.int16 else 1.0)
    p = (x.reshape(n100, 160) ** 2).mean(1)
    wide = np.convolve(p, np.ones(40) / 40)[19:19 + n100]
    rank = np.argsort(np.argsort(wide)) / max(n100 - 1, 1)
    return np.log(np.convolve(p, np.ones(8) / 8)[3:3 + n100] + 1e-6), rank


def _bumps(t, times, rise, fall, gains):
    """Sum of smooth bumps with their peaks at `times`."""
    out = np.zeros_like(t)
    for c, g in zip(times, gains):
        u = np.where(t < c, (t - c) / rise, (t - c) / fall)
        out += g * np.where(np.abs(u) < 1, 0.5 + 0.5 * np.cos(np.pi * u), 0.0)
    return out


def _sway(t, rng, amount):
    """Slow wandering: sines of 0.06-0.6 Hz, falling amplitude, rms about `amount`."""
    f = np.exp(rng.uniform(np.log(0.06), np.log(0.6), 6))
    w = rng.normal(size=6) / np.sqrt(f)
    y = (w[:, None] * np.sin(2 * np.pi * f[:, None] * t[None] + rng.uniform(0, 6.3, 6)[:, None])).sum(0)
    return amount * y / (np.sqrt((w ** 2).sum() / 2) + 1e-9)


def accents(phones, start, end, energy, spacing=0.45):
    """Times of the stressed vowels: the loud and long ones, at least `spacing` seconds apart."""
    v = np.flatnonzero(np.isin(phones, list(VOWELS)))
    if len(v) < 3:
        return np.zeros(0)
    mid = (start[v] + end[v]) / 2
    loud = energy[np.clip((mid * 100).astype(int), 0, len(energy) - 1)]
    length = np.log(end[v] - start[v] + 1e-3)
    z = (loud - loud.mean()) / (loud.std() + 1e-6) + 0.7 * (length - length.mean()) / (length.std() + 1e-6)
    chosen = []
    for i in np.argsort(-z):
        if z[i] < 0.5:
            break
        if all(abs(mid[i] - c) > spacing for c in chosen):
            chosen.append(mid[i])
    return np.sort(np.array(chosen))


def _blinks(t, seconds, rng, rate, pauses):
    """Lid closure 0..1 at the times t."""
    times, c = [], rng.exponential(1 / rate) * 0.7
    while c < seconds:
        times.append(c)
        c += 0.7 + rng.exponential(max(1 / rate - 0.7, 0.3))
    for p in pauses:
        if rng.uniform() < 0.3 and all(abs(p - q) > 1.0 for q in times):
            times.append(p + rng.uniform(0, 0.15))
    out = np.zeros_like(t)
    for c in times:
        u = t - c
        out = np.maximum(out, np.clip(np.minimum((u + 0.10) / 0.06, (0.19 - u) / 0.13), 0, 1))
    return out


def _gaze(t, seconds, rng, amount):
    """Yaw and pitch of the eyes, radians: fixations of 0.6-3 s, mostly at the viewer."""
    yaw, pitch, c = np.zeros_like(t), np.zeros_like(t), 0.0
    while c < seconds:
        away = rng.uniform() < 0.35
        a, b = rng.normal(0, 0.10 if away else 0.025, 2) * amount
        yaw[t >= c], pitch[t >= c] = np.clip(a, -0.3, 0.3), np.clip(0.6 * b, -0.2, 0.2)
        c += 0.6 + rng.exponential(0.5 if away else 1.4)
    return yaw, pitch


def sharpen(x, weight=None, keep=0.2):
    """y that minimises |w (S y - x)|^2 + keep |y - x|^2, S the smoothing with window 5 order 2.

    x [frames, channels]; weight [frames] says how much a frame matters (default 1)."""
    n = len(x)
    if n < 9:
        return x
    w = np.ones(n) if weight is None else weight
    # rows of S; the ends are left as they are
    rows = np.zeros((n, 5))
    rows[:] = TAPS
    rows[:2] = rows[-2:] = (0, 0, 1, 0, 0)
    bands = np.zeros((5, n))
    for d in range(5):
        for a in range(5 - d):
            b = a + d
            k = np.arange(n)
            col = k + a - 2
            ok = (col >= 0) & (col + d < n)
            bands[4 - d, col[ok] + d] += w[ok] * rows[ok, a] * rows[ok, b]
    bands[4] += keep
    rhs = keep * x
    for a in range(5):
        k = np.arange(n)
        col = k + a - 2
        ok = (col >= 0) & (col < n)
        np.add.at(rhs, col[ok], (w * rows[:, a])[ok, None] * x[ok])
    return solveh_banded(bands, rhs)


def targets(phones, start, end, audio, seed, style):
    """Motion [frames, 106] float32 of one utterance.

    phones [P] classes, start and end [P] seconds, audio [n] 16 kHz (int16 or float), seed of the random
    parts, style a dict as draw_style gives. frames = ceil(n / 640)."""
    rng = np.random.default_rng(seed)
    phones = np.asarray(phones).astype(int)
    start, end = np.asarray(start, float), np.asarray(end, float)
    frames = -(-len(audio) // 640)
    n100, seconds = frames * 4, frames * 0.04
    t = (np.arange(n100) + 0.5) / 100
    tf = (np.arange(frames) + 0.5) / 25
    energy, rank = _loudness(audio, n100)
    art = style["articulation"]

    length = end - start
    rest = (phones == SIL) & (length > 0.15)
    weight = WEIGHT[phones] * np.where((phones == SIL) & ~rest, 0.3, 1.0)
    lips = _mean_of(phones, start, end, t, LIP_TAU, MOUTH[phones], weight)
    jaw = _mean_of(phones, start, end, t, JAW_TAU, JAW_OPEN[phones], weight)
    speech = 1 - np.clip(sum((np.clip(np.minimum(t - a, b - t) / 0.05, 0, 1) for a, b in zip(start[rest], end[rest])), np.zeros(n100)), 0, 1)
    jaw *= art * (0.72 + 0.5 * rank)
    lips *= (0.6 + 0.4 * art) * (0.85 + 0.25 * rank)[:, None]

    # to frames: the mean of the four values round the middle
    lips = lips.reshape(frames, 4, -1).mean(1)
    jaw = jaw.reshape(frames, 4).mean(1)
    speech = speech.reshape(frames, 4).mean(1)
    out = np.zeros((frames, DIM))
    out[:, :len(CHANNELS)] = lips
    out[:, JAW] = jaw
    rounding = np.clip(lips[:, CH["mouthPucker"]] + lips[:, CH["mouthFunnel"]], 0, 1)

    # expression: smile, brows
    t_acc = accents(phones, start, end, energy)
    smile = style["smile"] * (1 + 0.15 * _sway(tf, rng, 1.0)) * (1 - 0.55 * rounding)
    for side in ("Left", "Right"):
        out[:, CH["mouthSmile" + side]] += smile
        out[:, CH["cheekSquint" + side]] += 0.5 * smile
        out[:, CH["eyeSquint" + side]] += 0.3 * smile
    raised = t_acc[rng.uniform(size=len(t_acc)) < 0.45]
    brow = style["brow"] * (_bumps(tf, raised, 0.2, 0.35, rng.uniform(0.15, 0.45, len(raised))) + 0.05 * _sway(tf, rng, 1.0))
    brow = np.clip(brow, -0.1, 0.8)
    up, down = np.maximum(brow, 0), np.maximum(-brow, 0)
    out[:, CH["browInnerUp"]] += 0.8 * up
    for side in ("Left", "Right"):
        out[:, CH["browOuterUp" + side]] += up
        out[:, CH["browDown" + side]] += down
        out[:, CH["eyeWide" + side]] += 0.2 * up

    # head
    nods = t_acc[rng.uniform(size=len(t_acc)) < 0.8]
    nod = _bumps(tf, nods + 0.04, 0.22, 0.4, rng.uniform(0.012, 0.05, len(nods)))
    deg = np.pi / 180
    sway = [np.clip(_sway(tf, rng, a * deg * style["sway"]), -3 * deg, 3 * deg) for a in (0.8, 1.3, 0.7)]
    out[:, POSE] = sway[0] + style["nod"] * nod - 0.006 * style["nod"]
    out[:, POSE + 1] = sway[1]
    out[:, POSE + 2] = sway[2]

    # eyes: gaze less the head's turn, lids follow, blinks
    yaw, pitch = _gaze(tf, seconds, rng, style["gaze"])
    yaw, pitch = (yaw - 0.6 * out[:, POSE + 1]) / 0.5, (pitch + 0.6 * out[:, POSE]) / 0.5
    for side, s in (("Left", 1.0), ("Right", -1.0)):
        out[:, CH["eyeLookOut" + side]] = np.maximum(s * yaw, 0)
        out[:, CH["eyeLookIn" + side]] = np.maximum(-s * yaw, 0)
        out[:, CH["eyeLookUp" + side]] = np.maximum(pitch, 0)
        out[:, CH["eyeLookDown" + side]] = np.maximum(-pitch, 0)
    lid = _blinks(tf, seconds, rng, style["blink"], start[rest])
    for side in ("Left", "Right"):
        out[:, CH["eyeBlink" + side]] = np.maximum(lid, 0.3 * out[:, CH["eyeLookDown" + side]])
        out[:, CH["eyeWide" + side]] *= 1 - lid

    # closures: two frames at least, the lips meet whatever the jaw does
    shut = np.zeros(frames)
    for a, b in zip(start[phones == PP], end[phones == PP]):
        b = max(b - 0.008, a + 0.05)
        hit = np.flatnonzero((tf > a - 0.012) & (tf < b + 0.012))
        if len(hit) < 2:
            k = int(np.clip(np.floor(((a + b) / 2) * 25 - 0.5), 0, max(frames - 2, 0)))
            hit = np.arange(k, min(k + 2, frames))
        shut[hit] = 1
    lab = np.zeros(frames)
    for a, b in zip(start[phones == FF], end[phones == FF]):
        hit = np.flatnonzero((tf > a) & (tf < b))
        lab[hit if len(hit) else np.clip(int(round((a + b) / 2 * 25 - 0.5)), 0, frames - 1)] = 1
    keep = 1 - shut
    lab *= keep
    out[:, APERTURE] *= keep[:, None]
    out[:, JAW] *= keep + 0.45 * shut
    # the lower lip meets the upper teeth on f, v
    out[:, JAW] = np.where(lab > 0, np.minimum(out[:, JAW], LAB_JAW), out[:, JAW])
    out[:, CH["mouthRollLower"]] = np.maximum(out[:, CH["mouthRollLower"]], LAB_ROLL * lab)
    out[:, CH["mouthClose"]] = shut * out[:, JAW] / JAW_FULL
    for i, n in enumerate(CHANNELS):
        if n.startswith("mouth") and not n.startswith(("mouthSmile",)):
            out[:, i] *= np.maximum(speech, shut)
    out[:, CH["tongueUp"]] *= speech
    out[:, JAW] *= np.maximum(speech, shut)

    # emotion: the whole face; rounding narrows a drawn mouth, and lips that must meet do
    face = offsets(style.get("face", {}))
    drawn = [i for n, i in CH.items() if n.startswith("mouth")]
    out += face * np.where(np.isin(np.arange(DIM), drawn), (1 - 0.5 * rounding)[:, None], 1.0)
    out += offsets(style.get("rest", {})) * (1 - np.maximum(speech, shut))[:, None]
    out[:, POSE] += style.get("tilt", 0.0)

    weight = 1 + 5 * shut + 3 * lab + 3 * (lid > 0.9)
    out[:, SHARP] = np.clip(sharpen(out[:, SHARP], weight), -0.12, 1.25)
    return out.astype(np.float32)
