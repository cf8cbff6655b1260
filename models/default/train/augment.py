# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disturbs windows of speech as other throats, microphones, rooms and lines do."""

import math
import random

import torch

from common import DEVICE

SPEECH_RMS = 0.06  # of the corpus, while somebody speaks


class Augment:
    """Callable on samples [B, n] in [-1, 1]; own random generators."""

    def __init__(self, n, seed):
        self.n = n
        self.size = 1 << math.ceil(math.log2(n + 4096))
        self.rng, self.shifts = torch.Generator(DEVICE).manual_seed(seed), random.Random(seed)
        self.freq = torch.arange(self.size // 2 + 1, device=DEVICE) * (16000 / self.size)
        self.octaves = torch.arange(8.0, device=DEVICE)
        # hat functions over octaves, 62.5 Hz ... 8 kHz
        octave = torch.log2(self.freq.clamp(min=62.5) / 62.5)
        self.hats = (1 - (octave[None] - self.octaves[:, None]).abs()).clamp(min=0)
        self.hann = torch.hann_window(512, device=DEVICE)
        quefrency = torch.arange(512, device=DEVICE)
        self.lifter = (torch.minimum(quefrency, 512 - quefrency) <= 30).float()[:, None]
        self.bins, self.times = torch.arange(257.0, device=DEVICE), torch.arange(4096, device=DEVICE) / 16000

    def uniform(self, low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=self.rng, device=DEVICE)

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.rng, device=DEVICE)

    def chance(self, p, b):
        return (torch.rand(b, 1, generator=self.rng, device=DEVICE) < p).float()

    def voice(self, x):
        """Other throats: the envelope of the spectrum (cepstrum up to 30 samples) stretched or squeezed along the
        frequencies below 6.4 kHz, pitch and pace as they are; some breathe or whisper, which is noise of that envelope."""
        b, f = len(x), self.bins
        spectrum = torch.stft(x, 512, 128, window=self.hann, return_complex=True)
        log = torch.log(spectrum.abs() + 1e-5)
        envelope = torch.fft.rfft(torch.fft.irfft(log, dim=1) * self.lifter, dim=1).real
        ratio = torch.exp(self.uniform(-0.28, 0.28, b, 1) * self.chance(0.8, b))
        at = f / ratio
        knee = 205.0 / ratio
        at = torch.where(f < 205, at, knee + (f - 205) * (256 - knee) / 51).clamp(max=256)
        other = (1 - (at[:, :, None] - f).abs()).clamp(min=0) @ envelope
        air = torch.view_as_complex(self.normal(*log.shape, 2)) * (2.0 * torch.exp(other))
        share = (self.uniform(0.1, 1.2, b, 1) * self.chance(0.2, b)).clamp(max=1)[:, :, None]
        spectrum = (1 - share) * spectrum * torch.exp((other - envelope).clamp(-3, 3)) + share * air
        return torch.istft(spectrum, 512, 128, window=self.hann, length=self.n)

    def equaliser(self, b):
        """Amplitude responses [B, F]: random curves, band limits of lines."""
        gain = (self.normal(b, 8) * 4 + self.normal(b, 1) * (self.octaves - 3.5)) * self.chance(0.85, b)
        high = torch.where(self.chance(0.35, b) > 0, self.uniform(2600, 7500, b, 1), 1e5)
        low = torch.where(self.chance(0.3, b) > 0, self.uniform(60, 250, b, 1), -1e3)
        line = self.chance(0.2, b) > 0
        high, low = torch.where(line, 3400.0, high), torch.where(line, 300.0, low)
        mask = torch.sigmoid((self.freq - low) / 25) * torch.sigmoid((high - self.freq) / 80)
        return 10 ** (gain.clamp(-18, 18) @ self.hats / 20) * mask

    def room(self, b):
        """Spectra [B, F] of a direct sound and a decaying tail."""
        decay = 6.9 / self.uniform(0.12, 0.6, b, 1)
        tail = self.normal(b, 4096) * torch.exp(-decay * self.times) * (self.times > 0.002)
        ratio = 10 ** (-self.uniform(-1, 15, b, 1) / 20) * self.chance(0.4, b)
        tail = tail * ratio / tail.square().sum(-1, keepdim=True).sqrt()
        tail[:, 0] += 1
        return torch.fft.rfft(tail, self.size)

    def noise(self, b):
        """Coloured, sometimes unsteady noise [B, n] of rms 1."""
        db = self.normal(b, 8) * 5 - self.uniform(0, 6, b, 1) * self.octaves
        spectrum = torch.fft.rfft(self.normal(b, self.size)) * (10 ** (db @ self.hats / 20))
        x = torch.fft.irfft(spectrum)[:, : self.n]
        knots = (self.normal(b, 1, 12) * 0.6 * self.chance(0.4, b)[:, None]).exp()
        x = x * torch.nn.functional.interpolate(knots, self.n, mode="linear")[:, 0]
        return x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-9)

    def babble(self, x):
        out = torch.zeros_like(x)
        for _ in range(4):
            order = torch.randperm(len(x), generator=self.rng, device=DEVICE)
            out += torch.roll(x[order], self.shifts.randrange(self.n), 1)
        return out / (out.square().mean(-1, keepdim=True).sqrt() + 1e-3)

    def music(self, b):
        """Four parts of notes that ring off, and beats [B, n], of rms 1: each has its pace, pitches, harmonics, loudness."""
        time = torch.arange(self.n, device=DEVICE) / 16000
        beats = (time / self.uniform(0.18, 0.8, b, 1, 1) + self.uniform(0, 1, b, 1, 1)) * 2 ** torch.randint(-1, 2, (b, 4, 1), generator=self.rng, device=DEVICE)
        beat, pitch = beats.long(), 70 * 2 ** (torch.randint(0, 48, (b, 4, 32), generator=self.rng, device=DEVICE) / 12)
        ring = torch.exp(-(beats - beat) * self.uniform(0.3, 5, b, 4, 1)) * self.uniform(0.1, 1, b, 4, 1)
        phase = torch.cumsum(pitch.gather(2, beat % 32) / 16000, 2) * math.tau
        fall = self.uniform(0.6, 2, b, 4, 1)
        notes = sum(torch.sin(h * phase) / h**fall for h in range(1, 9))
        hits = self.normal(b, self.n) * torch.exp(-(beats - beat)[:, 0] * self.uniform(4, 20, b, 1)) * self.uniform(0, 1.5, b, 1)
        x = (notes * ring).sum(1) + hits
        return x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-9)

    def __call__(self, x):
        return self.line(self.voice(x))

    def line(self, x, noise=(0.8, 4, 40), music=(0, 0, 0), babble=(0.25, 10, 30)):
        """Speech as it comes from a room, with sounds under it, over a line: of each kind the share of windows that have it, and
        from how many dB to how many it is under the speech."""
        b = len(x)
        response = self.equaliser(b) * self.room(b)
        y = torch.fft.irfft(torch.fft.rfft(x, self.size) * response)[:, : self.n]
        rms = x.square().mean(-1, keepdim=True).sqrt()
        y = y * (rms / (y.square().mean(-1, keepdim=True).sqrt() + 1e-6)).clamp(max=8)
        level = torch.maximum(rms, SPEECH_RMS * self.chance(0.6, b))
        for sound, (share, low, high) in ((self.noise, noise), (self.music, music), (lambda _: self.babble(x), babble)):
            if share:
                y = y + sound(b) * level * 10 ** (-self.uniform(low, high, b, 1) / 20) * self.chance(share, b)
        companded = y.clamp(-1, 1).sign() * torch.log1p(255 * y.clamp(-1, 1).abs()) / math.log(256)
        coarse = ((companded * 127).round() / 127).abs().mul(math.log(256)).expm1() / 255 * companded.sign()
        y = torch.where(self.chance(0.1, b) > 0, coarse, y)
        gain = 10 ** (self.uniform(-18, 8, b, 1) / 20) * (2 * self.chance(0.5, b) - 1)
        return (y * gain).clamp(-1, 1)
