#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How well a mouth follows human speech: the table of docs/, against `truth.py`'s clips.

    python tests/quality/quality.py --truth DIR --motion-dir M [--smooth]   motion [frames,106] per clip (.npy, .safetensors)
    python tests/quality/quality.py --truth DIR --mesh-dir M                what `artalk NAME.wav --mesh NAME.safetensors` wrote
    python tests/quality/quality.py --truth DIR --artalk PROGRAM [--artalk-args "--style calm"] [--before OLD.json]
    python tests/quality/quality.py --truth DIR --artalk PROGRAM --disturbed    loss by noise, lines, music (disturb.py)

Beside it stand two references made here: `rules`, the motion rules of models/default/data fed with the true phones
(what a perfect listener would do), and `energy`, a jaw that only follows loudness.

Rows: open/bilabial and open/silence AUC: chance that the lip gap in the middle of an open vowel (aa ae eh) is larger than in the
middle of p b m, or than in silence. closure: smallest gap in p b m, one frame more on each side, under max(1.5 mm,
15 % of the clip's 95th percentile); chance: the same events at other times of speech. false closure: the same limit in
the middle half of an open vowel. correlation and lag: gap against that of `rules` (lag positive: late). rounded AUC: mouth
narrower in ao uh uw w than in aa ae ah eh. labiodental contact: smallest distance of the lower lip below the upper
teeth's edge in f v, one frame more on each side, at most 2 mm (1.9 with the mouth at rest) with the lips apart; chance: the
same at other times of speech. head: its turning over a clip in degrees (deviation, all axes), the share of that
slower than 0.5 Hz and faster than 2 Hz (power of the spectrum). silence: mean movement of the mouth per frame and mean gap, 0.1 s away from
speech. boundary: mean movement over window edges against all other frames. The regions must be those of the head."""
import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).resolve().parent), str(ROOT / "models/default/data")]
import targets as rules  # noqa: E402
from disturb import KINDS, disturb, pairs, read, write  # noqa: E402
from head import Head, measures_of, read_safetensors, upright  # noqa: E402

OPEN, ROUND, WIDE = ("aa", "ae", "eh"), ("ao", "uh", "uw", "WW"), ("aa", "ae", "ah", "eh")
FPS, CONTACT = 25, 2.0


def smooth(x):
    """Savitzky-Golay as the model's output gets it (model spec, section 7), edges by polynomial fit."""
    from scipy.signal import savgol_filter
    if len(x) < 9:
        return x
    y = savgol_filter(x, 5, 2, axis=0, mode="interp")
    y[:, 100:103] = savgol_filter(x[:, 100:103], 9, 3, axis=0, mode="interp")
    y[:, 104:106] = 0
    return y


class Clip:
    """A clip of the truth set."""

    def __init__(self, path):
        d = json.loads(path.read_text(encoding="utf-8"))
        self.name, self.group, self.wav = path.stem, d["group"], path.with_suffix(".wav")
        self.phones = [(c, a, b) for c, a, b in d["phones"]]
        self.audio = read(self.wav)

    def spans(self, names, least=0.0):
        """(start, end) of the phones named."""
        return [(a, b) for c, a, b in self.phones if c in names and b - a >= least]

    def rules(self):
        """Motion by rule from the true phones, smoothed."""
        p = np.array([rules.CLASSES.index(c) for c, _, _ in self.phones])
        a, b = np.array([[a, b] for _, a, b in self.phones]).T
        return smooth(rules.targets(p, a, b, self.audio, 7, rules.named_style("neutral")).astype(float))

    def energy(self):
        """Motion of a jaw that follows loudness alone, smoothed."""
        n = -(-len(self.audio) // 640)
        x = np.zeros(n * 640)
        x[:len(self.audio)] = self.audio / 32768
        e = np.log(np.convolve((x ** 2).reshape(n, 640).mean(1), [0.25, 0.5, 0.25], "same") + 1e-7)
        lo, hi = np.percentile(e, 5), np.percentile(e, 97)
        m = np.zeros((n, 106))
        m[:, 103] = 0.19 * np.clip((e - lo - 0.35 * (hi - lo)) / (0.65 * (hi - lo) + 1e-9), 0, 1)
        return smooth(m)


def auc(high, low):
    """P(high > low), ties half."""
    if not len(high) or not len(low):
        return np.nan
    high, low = np.asarray(high), np.sort(low)
    return float(np.mean(np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")) / (2 * len(low)))


def frame(t, n):
    """The frame whose middle is nearest to time t."""
    return int(np.clip(round(t * FPS - 0.5), 0, n - 1))


def covered(a, b, n, more=0):
    """Frames that time a..b touches, and `more` on each side."""
    return slice(max(int(a * FPS) - more, 0), min(int(np.ceil(b * FPS)) + more, n))


class Tally:
    """Measures gathered over clips."""

    def __init__(self, window):
        self.window = window
        self.v = {k: [] for k in ("open", "bilabial", "silence", "round", "wide", "closed", "chance", "false", "contact", "contact chance",
                                  "corr", "still", "edge", "inner", "turn", "slow", "fast")}
        self.cross, self.norm = 0.0, 1e-9
        self.blinks, self.seconds = 0, 0.0

    def add(self, clip, m, ref, rng):
        """m, ref: measures of the subject and of the rules."""
        n = min(len(m["gap"]), len(ref["gap"]))
        g, w, v = m["gap"][:n], m["width"][:n], self.v
        limit = max(1.5, 0.15 * float(np.percentile(g, 95)))
        for key, names, what in (("open", OPEN, g), ("bilabial", ("PP",), g), ("round", ROUND, w), ("wide", WIDE, w)):
            v[key] += [what[frame((a + b) / 2, n)] for a, b in clip.spans(names, 0.03)]
        rest = np.zeros(n, bool)
        for a, b in clip.spans(("sil",), 0.3):
            a = a if a == 0 else a + 0.1
            rest[frame(a, n) + 1:frame(b - 0.1, n)] = True
        speech = [a for a in np.arange(0, n / FPS, 0.01) if any(s <= a < e for c, s, e in clip.phones if c != "sil")]
        v["silence"] += list(g[rest])
        bil = clip.spans(("PP",), 0.03)
        v["closed"] += [g[covered(a, b, n, 1)].min() < limit for a, b in bil]
        for a, b in bil:
            t = [x for x in rng.choice(speech, 20) if all(x + (b - a) < s - 0.06 or x > e + 0.06 for s, e in bil)]
            v["chance"] += [g[covered(x, x + b - a, n, 1)].min() < limit for x in t if x * FPS < n]
        teeth = np.where(g < limit, np.inf, m["lip_to_teeth"][:n])
        lab = clip.spans(("FF",), 0.03)
        v["contact"] += [teeth[covered(a, b, n, 1)].min() <= CONTACT for a, b in lab]
        for a, b in lab:
            t = [x for x in rng.choice(speech, 20) if all(x + (b - a) < s - 0.06 or x > e + 0.06 for s, e in lab)]
            v["contact chance"] += [teeth[covered(x, x + b - a, n, 1)].min() <= CONTACT for x in t if x * FPS < n]
        turn = m["turn"][:n] - m["turn"][:n].mean(0)
        spectrum = (np.abs(np.fft.rfft(turn * np.hanning(n)[:, None], axis=0)) ** 2).sum(1)
        f = np.fft.rfftfreq(n, 1 / FPS)
        v["turn"].append(np.sqrt((turn ** 2).sum(1).mean()))
        v["slow"].append(spectrum[f < 0.5].sum() / max(spectrum.sum(), 1e-12))
        v["fast"].append(spectrum[f > 2].sum() / max(spectrum.sum(), 1e-12))
        for a, b in clip.spans(OPEN, 0.06):
            v["false"].append(g[covered(a + (b - a) / 4, b - (b - a) / 4, n)].min() < limit)
        step = np.linalg.norm(np.diff(m["mouth"][:n], axis=0).reshape(n - 1, -1, 3), axis=2).mean(1)
        v["still"] += list(step[rest[1:] & rest[:-1]])
        at = np.arange(1, n) % self.window == 0
        busy = ~(rest[1:] & rest[:-1])
        v["edge"] += list(step[at & busy])
        v["inner"] += list(step[~at & busy])
        r = ref["gap"][:n]
        talk = ~rest
        if talk.sum() > 10 and g[talk].std() > 1e-6:
            v["corr"].append(np.corrcoef(g[talk], r[talk])[0, 1])
        fine = np.arange(0, n - 1, 0.125)
        gf, rf = (np.interp(fine, np.arange(n), x - x.mean()) for x in (g, r))
        k = 96
        self.cross = self.cross + np.array([np.dot(gf[k + s:len(gf) - k + s], rf[k:len(rf) - k]) for s in range(-k, k + 1)])
        lid = m["lid"][:n]
        shut = lid < 0.3 * np.median(lid)
        self.blinks += int(np.count_nonzero(shut[1:] & ~shut[:-1]))
        self.seconds += n / FPS

    def rows(self):
        """[(name, value, format, count)]."""
        v = self.v
        c = self.cross
        i = int(np.argmax(c)) if np.ndim(c) else 0
        lag = np.nan if not np.ndim(c) or c.max() <= 0 else (i - 96) * 5.0
        if 0 < i < len(np.atleast_1d(c)) - 1 and np.isfinite(lag):
            lag += 5 * 0.5 * (c[i - 1] - c[i + 1]) / (c[i - 1] - 2 * c[i] + c[i + 1] - 1e-12)

        def mean(key, scale=1.0):
            return float(np.mean(v[key])) * scale if v[key] else np.nan
        return [("open/bilabial AUC", auc(v["open"], v["bilabial"]), "%.3f", len(v["open"])),
                ("open/silence AUC", auc(v["open"], v["silence"]), "%.3f", len(v["silence"])),
                ("bilabial closure %", mean("closed", 100), "%.0f", len(v["closed"])),
                ("  by chance %", mean("chance", 100), "%.0f", len(v["chance"])),
                ("false closure %", mean("false", 100), "%.1f", len(v["false"])),
                ("labiodental contact %", mean("contact", 100), "%.0f", len(v["contact"])),
                ("  contact by chance %", mean("contact chance", 100), "%.0f", len(v["contact chance"])),
                ("correlation", mean("corr"), "%.2f", len(v["corr"])),
                ("lag ms", lag, "%+.0f", len(v["corr"])),
                ("rounded AUC", auc(v["wide"], v["round"]), "%.3f", len(v["round"])),
                ("open gap mm", mean("open"), "%.1f", len(v["open"])),
                ("silence gap mm", mean("silence"), "%.2f", len(v["silence"])),
                ("silence move mm/frame", mean("still"), "%.3f", len(v["still"])),
                ("blinks per minute", self.blinks * 60 / max(self.seconds, 1e-9), "%.1f", self.blinks),
                ("boundary ratio", mean("edge") / mean("inner") if mean("inner") else np.nan, "%.2f", len(v["edge"])),
                ("head turns, degrees", mean("turn"), "%.1f", len(v["turn"])),
                ("  under 0.5 Hz %", mean("slow", 100), "%.0f", len(v["slow"])),
                ("  over 2 Hz %", mean("fast", 100), "%.1f", len(v["fast"]))]


def subject(a, clip, head, tmp, kind=None, other=None):
    """Measures of the mouth under test for a clip (disturbed if `kind` is given, by the clip `other`), or None where
    there is no file."""
    if a.motion_dir:
        base = Path(a.motion_dir, kind or "", clip.name)
        if base.with_suffix(".npy").exists():
            m = np.load(base.with_suffix(".npy"))
        elif base.with_suffix(".safetensors").exists():
            m = read_safetensors(base.with_suffix(".safetensors"))[0]["motion"]
        else:
            return None
        m = np.asarray(m, float)
        return head.measures(smooth(m) if a.smooth else m)
    path = Path(a.mesh_dir or tmp, clip.name + ".safetensors")
    if a.artalk:
        wav = clip.wav
        if kind:
            wav = Path(tmp, clip.name + ".wav")
            write(wav, disturb(kind, clip.audio, other.audio, len(clip.audio)))
        subprocess.run([a.artalk, str(wav), *shlex.split(a.artalk_args), "--mesh", str(path)], check=True, stdout=subprocess.DEVNULL)
    if not path.exists():
        return None
    t, _ = read_safetensors(path)
    if a.artalk:
        path.unlink()
    regions = {k[7:]: x.ravel().astype(int) for k, x in t.items() if k.startswith("region.")}
    v, turn = upright(t["vertices"].astype(float))
    return {**measures_of(v, regions), "turn": turn}


def disturbed(a, clips, head):
    """Prints a table of some rows for the clips undisturbed and disturbed in every way."""
    keep = ("open/bilabial AUC", "open/silence AUC", "bilabial closure %", "by chance %", "false closure %", "correlation", "lag ms", "rounded AUC")
    out = {}
    with tempfile.TemporaryDirectory() as tmp:
        refs = [head.measures(c.rules()) for c in clips]
        for kind in (None, *KINDS):
            if a.motion_dir and kind and not Path(a.motion_dir, kind).exists():
                continue
            tally = Tally(a.window)
            for (clip, other), ref in zip(pairs(clips), refs):
                tally.add(clip, subject(a, clip, head, tmp, kind, other), ref, np.random.default_rng(5))
            out[kind or "clean"] = {r[0].strip(): r for r in tally.rows()}
            if kind is None:
                print("| |" + "".join(f" {k} |" for k in keep) + "\n|---|" + "---:|" * len(keep))
            print(f"| {KINDS[kind] if kind else 'undisturbed'} |" + "".join(f" {r[2] % r[1]} |" for r in (out[kind or 'clean'][k] for k in keep)), flush=True)
    return {k: {n: r[1] for n, r in rows.items()} for k, rows in out.items()}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--truth", required=True)
    ap.add_argument("--motion-dir")
    ap.add_argument("--mesh-dir")
    ap.add_argument("--artalk")
    ap.add_argument("--artalk-args", default="")
    ap.add_argument("--smooth", action="store_true", help="the motion is a model's raw output: smooth it first")
    ap.add_argument("--head", default=str(ROOT / "models/default/head.safetensors"))
    ap.add_argument("--window", type=int, default=25, help="frames of a model's window (for the boundary ratio)")
    ap.add_argument("--groups", help="only these, separated by commas")
    ap.add_argument("--check", action="store_true", help="exit with 1 if the model misses a goal: both AUCs 0.9, lag within 40 ms")
    ap.add_argument("--json", help="also write the numbers here")
    ap.add_argument("--before", help="numbers of another model by --json: one more column")
    ap.add_argument("--disturbed", action="store_true", help="only the table of disturbed speech (--artalk, or --motion-dir with a folder for every kind in it)")
    a = ap.parse_args()
    head = Head(a.head)
    clips = [Clip(p) for p in sorted(Path(a.truth).glob("*.json"))]
    clips = [c for c in clips if not a.groups or c.group in a.groups.split(",")]
    if not clips:
        raise SystemExit(f"{a.truth}: no clips (run tests/quality/truth.py)")
    if a.disturbed:
        if not (a.artalk or a.motion_dir):
            raise SystemExit("--disturbed needs --artalk or --motion-dir")
        out = disturbed(a, clips, head)
        if a.json:
            Path(a.json).write_text(json.dumps(out, indent=1), encoding="utf-8")
        return
    has = a.motion_dir or a.mesh_dir or a.artalk
    names = (["model"] if has else []) + ["rules", "energy"]
    tally, missing = {}, 0
    with tempfile.TemporaryDirectory() as tmp:
        for clip in clips:
            ref = head.measures(clip.rules())
            all_m = {"rules": ref, "energy": head.measures(clip.energy())}
            if has:
                m = subject(a, clip, head, tmp)
                if m is None or len(m["gap"]) < 10:
                    missing += 1
                    continue
                all_m["model"] = m
            for name in names:
                for group in (clip.group, "all"):
                    t = tally.setdefault((name, group), Tally(a.window))
                    t.add(clip, all_m[name], ref, np.random.default_rng(5))
    if missing:
        print(f"{missing} of {len(clips)} clips have no result and were left out")
    if not tally:
        raise SystemExit("nothing to measure")
    groups = [g for g in dict.fromkeys(c.group for c in clips) if (names[0], g) in tally]
    columns = [(names[0], g) for g in groups] + [(n, "all") for n in names]
    table = {c: tally[c].rows() for c in columns}
    if a.before:
        old = json.loads(Path(a.before).read_text(encoding="utf-8"))["model all"]
        columns.append(("before", "all"))
        table["before", "all"] = [(n, old.get(n.strip(), np.nan), f, k) for n, _, f, k in table[columns[0]]]
    print(f"| {'':22s} |" + "".join(f" {n + ' ' + g:>15s} |" for n, g in columns))
    print("|" + "-" * 24 + "|" + ("-" * 16 + ":|") * len(columns))
    for i, row in enumerate(table[columns[0]]):
        print(f"| {row[0]:22s} |" + "".join(f" {('%s (%d)' % (row_[2] % row_[1], row_[3])):>15s} |" for row_ in (table[c][i] for c in columns)))
    if a.json:
        out = {f"{n} {g}": {r[0].strip(): r[1] for r in rows} for (n, g), rows in table.items()}
        Path(a.json).write_text(json.dumps(out, indent=1), encoding="utf-8")
    if a.check and has:
        got = {r[0]: r[1] for r in table["model", "all"]}
        goals = {"open/bilabial AUC": got["open/bilabial AUC"] >= 0.9, "open/silence AUC": got["open/silence AUC"] >= 0.9,
                 "lag ms": abs(got["lag ms"]) <= 40}
        for name, met in goals.items():
            print(f"{name}: {got[name]:.3g} {'meets' if met else 'MISSES'} its goal")
        sys.exit(0 if all(goals.values()) else 1)


if __name__ == "__main__":
    main()
