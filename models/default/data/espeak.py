#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Speech with phone times from libespeak-ng 1.51 (its phoneme events, re-timed by -25 ms)."""
import argparse
import ctypes as C
import ctypes.util
import re

import numpy as np

from common import Phones, Writer, ipa, level, sentences, to_16k

SHIFT = -0.025
VARIANTS = ["", "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "klatt", "klatt2", "klatt3",
            "adam", "Alicia", "Andrea", "Andy", "anika", "aunty", "belinda", "benjamin", "boris", "ed", "edward", "Gene", "grandma", "grandpa",
            "iven", "iven2", "john", "kaukovalta", "linda", "marcelo", "Mario", "max", "miguel", "Mike", "pablo", "paul", "pedro",
            "quincy", "rob", "robert", "sandro", "shelby", "steph", "Tweaky", "victor", "Henrique", "Hugo", "Jacky", "Lee", "RicishayMax", "travis"]
TEXTS = {"de": "fortunes-de", "es": "fortunes-es", "it": "fortunes-it", "ru": "fortunes-ru", "pl": "fortunes-pl",
         "pt-br": "fortunes-br", "cs": "fortunes-cs", "eo": "fortunes-eo", "en-us": "fortunes", "en-gb-x-rp": "fortunes", "en-gb-scotland": "fortunes"}
KANA = [c + v for c in ("", "k", "s", "t", "n", "h", "m", "r", "g", "z", "d", "b", "p") for v in "aiueo"] + ["ya", "yu", "yo", "wa"]
# Languages without a text package: syllables put together, enough for the variety of phones.
SYLLABLES = {
    "fr": "ma mon pa pou bé bon beau pre plan fa vou vi fin tou te dan di ne non la le lui sa se si za cha che ju je gran gue ka qui rou ra ré oi eu eur ou an in un ille gne",
    "ja": " ".join(KANA),
    "cmn": "ma pa ba fa ta da na la ga ka ha zhi chi shi ri zi ci si ji qi xi wo mo bo po fo you men ni hao wan bei pei mei fei shuo zhong guo bu mu fu nu lü yuan ping ming bing",
    "sv": "ma på bra fem vad till den nu liv så sju kan gå hur jag om upp mer blå öppna är åka",
    "nl": "maar bij pen vijf wat ten den niet lief zo school kan gaan huis ja om op meer blauw uur eet",
    "hu": "ma meg pár be fel vagy túl de nem le sok zár csak gyors kék ház jó ő űr éj áll",
    "tr": "ma bu pek fazla ve ta dün ne la su zor şey çok cam kar gel hava ya ırmak öz ütü",
    "hi": "ma ba pa bha pha va ta da na la sa sha ka ga ha ya ra ja cha aa ii uu e o",
    "el": "μα μπα πα φα βα θα δα τα να λα ρα σα ζα κα γα χα ου ει οι αι πο μο φω βου πι μη",
    "uk": "мама баба папа фа ва та да на ла ра са за ша жа ча ка га ха ї є ю я мі бо по ву",
    "ko": "마 바 파 빠 나 다 타 라 사 자 차 가 카 하 모 보 포 무 부 푸 미 비 피 우 오 와 위 이 에",
    "sw": "ma mba pa ba fa va ta da na la ra sa za sha cha ka ga ha ya wa mo po bo fu vu mi pi bi",
    "fi": "ma pa va ta na la sa ka ha ja ra yö äiti mä pää puu muu bussi hyvä me pe mo po",
}


class Id(C.Union):
    _fields_ = [("number", C.c_int), ("name", C.c_char_p), ("string", C.c_char * 8)]


class Event(C.Structure):
    _fields_ = [("type", C.c_int), ("unique_identifier", C.c_uint), ("text_position", C.c_int), ("length", C.c_int),
                ("audio_position", C.c_int), ("sample", C.c_int), ("user_data", C.c_void_p), ("id", Id)]


CALLBACK = C.CFUNCTYPE(C.c_int, C.POINTER(C.c_short), C.c_int, C.POINTER(Event))


class Espeak:
    """One process-wide espeak-ng giving audio and its phoneme events."""

    def __init__(self):
        self.lib = C.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(2, 500, None, 3)  # synchronous; phoneme events, as IPA
        self.audio, self.events = [], []
        self.callback = CALLBACK(self._take)
        self.lib.espeak_SetSynthCallback(self.callback)

    def _take(self, wav, n, ev):
        if wav and n > 0:
            self.audio.append(np.ctypeslib.as_array(wav, (n,)).copy())
        i = 0
        while ev[i].type != 0:
            if ev[i].type == 7:
                self.events.append((ev[i].audio_position / 1000.0, ev[i].id.string.decode("utf-8", "ignore")))
            i += 1
        return 0

    def say(self, voice, text, rate, pitch, pitch_range):
        """(audio float32, [(start seconds, IPA)]) or None where the voice is unknown."""
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        for what, value in ((1, rate), (3, pitch), (4, pitch_range)):
            self.lib.espeak_SetParameter(what, int(value), 0)
        self.audio, self.events = [], []
        data = text.encode("utf-8") + b"\0"
        self.lib.espeak_Synth(data, len(data), 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        if not self.audio:
            return None
        return np.concatenate(self.audio).astype(np.float32) / 32768, list(self.events)


def texts(root, language, rng):
    """An endless supply of text of a language."""
    if language in TEXTS:
        pool = sentences(f"{root}/{TEXTS[language]}", 25, 120, r"[^\d@#<>{}\[\]/\\*_=|~^%$&+]+")
        while True:
            for i in rng.permutation(len(pool)):
                yield pool[i]
    parts = SYLLABLES[language].split()
    while True:
        words = ["".join(rng.choice(parts, rng.integers(1, 4))) for _ in range(rng.integers(5, 14))]
        if len(words) > 8:
            words[rng.integers(2, 6)] += ","
        yield " ".join(words) + "."


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--text", required=True, help="folder of unpacked text packages")
    ap.add_argument("--out", required=True)
    ap.add_argument("--hours", type=float, default=1.2)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--name", default="espeak")
    ap.add_argument("--only", help="languages, separated by commas (default: all)")
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    es = Espeak()
    out = Writer(a.out, a.name, "mul", rng)
    languages = [x for x in [*TEXTS, *SYLLABLES] if not a.only or x in a.only.split(",")]
    weight = np.array([2.0 if l in ("es", "it", "ru", "de", "fr", "en-us") else 1.0 for l in languages])
    supply = {l: texts(a.text, l, rng) for l in languages}
    unknown = {}
    while out.seconds < a.hours * 3600:
        lang = str(rng.choice(languages, p=weight / weight.sum()))
        variant = str(rng.choice(VARIANTS))
        voice = lang + ("+" + variant if variant else "")
        got = es.say(voice, next(supply[lang]), rng.uniform(120, 210), rng.uniform(20, 80), rng.uniform(20, 90))
        if got is None:
            raise SystemExit(f"espeak: no voice {voice} (espeak-ng 1.51 with its data is needed)")
        audio, events = got
        if len(audio) > 14 * es.rate:
            continue
        ends = [t for t, _ in events[1:]] + [len(audio) / es.rate]
        ph = Phones()
        for (t, name), end in zip(events, ends):
            if not name or re.fullmatch(r"[_\s:;|]*", name) or name.startswith("("):
                continue
            ph.add(ipa(name, unknown), t, end)
        x = level(to_16k(audio, es.rate), rng.uniform(0.25, 0.9))
        out.put(x, ph, SHIFT, source="espeak", language=lang)
    out.close()
    print("espeak: signs not in the table:", unknown)


if __name__ == "__main__":
    main()
