"""A made voice: a buzzing source through formants, seven syllables long. No one spoke it.

The source-filter model of speech: glottal pulses whose rate is the pitch, plus breath noise, are shaped by the
resonances (formants) of a vocal tract that moves from vowel to vowel. Emotion and actor set pitch, its range,
energy, rate, brightness, breath and jitter; each actor also expresses each emotion a little in their own way, and
each take varies, so that the emotion of an unheard actor can be told well above chance but not perfectly.

Glottal pulse: the derivative of Klatt & Klatt's KLGLOTT88, u'(t) ~ 2t/q - 3(t/q)^2 for t < q, doi 10.1121/1.398894.
Vowel formants after Peterson & Barney (1952), doi 10.1121/1.1906875, rounded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ravdess.clips import Clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SAMPLE_RATE: Final = 48_000
"""Hz, as the publisher's files have it."""

_RATE: Final = 16_000  # the source is made at this rate; the filter bank raises it to SAMPLE_RATE
_WINDOW: Final = 512
_HOP: Final = 256
_FRAME_RATE: Final = _RATE / _HOP

# F1, F2, F3 in Hz of an average adult, F1-F3 alone: higher ones are fixed by the tract's length.
_VOWELS: Final = {
    "i": (300, 2250, 2950),
    "ih": (400, 1950, 2550),
    "a": (720, 1150, 2500),
    "o": (580, 880, 2450),
    "er": (480, 1300, 1700),
    "uh": (540, 1250, 2450),
    "ai": (660, 1600, 2500),
}
_STATEMENTS: Final = {
    "kids": ("ih", "a", "o", "ih", "ai", "uh", "o"),
    "dogs": ("o", "a", "ih", "ih", "ai", "uh", "o"),
}


@dataclass(frozen=True)
class Style:
    """How a take sounds. The neutral style of an average man is pitch 118, range 2, energy -33, rate 4.3."""

    pitch: float
    """Hz, the mean."""
    range: float
    """Semitones, of the melody."""
    energy: float
    """dB relative to full scale, RMS of the voiced part."""
    rate: float
    """Syllables a second."""
    tilt: float
    """dB an octave added above 500 Hz: brightness (pressed voice) or its loss (soft voice)."""
    breath: float
    """Noise relative to the pulses, 0 ... 1."""
    jitter: float
    """Random share of the pitch, 0 ... 0.1."""
    smile: float
    """Factor on the formants: spread lips shorten the tract."""
    fall: float
    """Semitones that the melody falls from first to last syllable."""


# Steps from neutral: pitch (semitones), range (factor), energy (dB), rate (factor), tilt, breath, jitter, smile, fall.
# Directions after Scherer (2003), doi 10.1016/S0167-6393(02)00084-5; sizes chosen for the wanted difficulty.
_EMOTIONS: Final = {
    "neutral": (0.0, 1.0, 0.0, 1.00, 0.0, 0.00, 0.000, 1.00, 1.0),
    "calm": (-0.5, 0.8, -4.0, 0.88, -1.5, 0.06, 0.000, 1.00, 1.0),
    "happy": (4.0, 1.9, 5.0, 1.08, 1.5, 0.00, 0.003, 1.05, -1.0),
    "sad": (0.5, 0.7, -5.0, 0.80, -2.5, 0.10, 0.010, 0.97, 2.5),
    "angry": (3.0, 1.5, 9.0, 1.05, 3.5, -0.02, 0.012, 0.99, 2.0),
    "fearful": (6.0, 1.1, 2.0, 1.20, 0.5, 0.12, 0.020, 1.02, 0.0),
    "disgust": (-1.5, 1.1, -1.0, 0.86, 0.5, 0.03, 0.012, 0.96, 1.5),
    "surprised": (6.0, 2.4, 3.0, 1.12, 0.5, 0.04, 0.002, 1.03, -5.0),
}
_SPREAD: Final = np.array((0.8, 0.17, 1.3, 0.05, 0.55, 0.016, 0.0025, 0.009, 0.7))
"""How far one actor's way of an emotion, and one take, stray from the above (standard deviations)."""


def generator(*key: object) -> np.random.Generator:
    """A random generator that depends on `key` alone: the same on every machine, in every order of calls."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def length(clip: Clip, seed: int) -> int:
    """Samples of a clip at SAMPLE_RATE, known without making it: 3 to 4.6 s spoken, 1 s more sung."""
    digest = hashlib.blake2b(f"length/{seed}/{clip.take}".encode(), digest_size=8).digest()
    chance = int.from_bytes(digest, "little") / 2**64
    slow = 0.5 * (1.0 - _EMOTIONS[clip.emotion][3])
    seconds = 3.3 + slow + 0.8 * chance + (1.0 if clip.channel == "song" else 0.0)
    return int(seconds * _FRAME_RATE) * _HOP * (SAMPLE_RATE // _RATE)


def style(clip: Clip, seed: int) -> Style:
    """What actor, emotion, intensity and chance make of a take."""
    actor = generator("actor", seed, clip.actor)
    male = clip.gender == "male"
    base = (118.0 if male else 205.0) * 2 ** (actor.normal(0, 2.0) / 12)
    energy, rate = -33.0 + actor.normal(0, 2.0), 4.3 * (1 + actor.normal(0, 0.06))
    tilt, breath = actor.normal(0, 1.2), abs(actor.normal(0.04, 0.02))
    own = generator("expression", seed, clip.actor, clip.emotion).normal(0, 1, 9) * _SPREAD
    now = generator("take", seed, clip.take).normal(0, 1, 9) * _SPREAD
    size = 1.45 if clip.intensity == "strong" else 1.0
    neutral = np.array(_EMOTIONS["neutral"])
    step = neutral + size * (np.array(_EMOTIONS[clip.emotion]) - neutral) + own + now
    return Style(
        pitch=float(base * 2 ** (step[0] / 12)),
        range=float(2.0 * max(step[1], 0.3)),
        energy=float(min(energy + step[2], -12.0)),
        rate=float(rate * max(step[3], 0.5)),
        tilt=float(tilt + step[4]),
        breath=float(np.clip(breath + step[5], 0.005, 0.5)),
        jitter=float(np.clip(0.004 + step[6], 0.0005, 0.06)),
        smile=float(step[7]),
        fall=float(step[8]),
    )


def speak(clip: Clip, seed: int = 0) -> NDArray[np.int16]:
    """The sound of a take.

    Parameters
    ----------
    clip : Clip
        Its modality does not matter: the files of a take sound alike.
    seed : int
        Another seed is another cast of actors.

    Returns
    -------
    np.ndarray [shape=(length(clip, seed),), dtype=int16], mono at SAMPLE_RATE
    """
    how = style(clip, seed)
    chance = generator("sound", seed, clip.take)
    samples = length(clip, seed)
    frames = samples * _RATE // SAMPLE_RATE // _HOP
    vowels = _STATEMENTS[clip.statement]
    sung = clip.channel == "song"
    rhythm = _rhythm(frames, len(vowels), how, sung, chance)
    pitch, loud, noise = _contours(frames, rhythm, how, sung, chance)
    source = _source(pitch, loud, noise, how, chance)
    tract = (1.0 if clip.gender == "male" else 1.16) * how.smile
    tract *= 1 + generator("tract", seed, clip.actor).normal(0, 0.035)
    formants = np.array([_VOWELS[vowel] for vowel in vowels], float) * chance.normal(1, 0.03, (len(vowels), 3))
    higher = np.tile((3500.0, 4500.0, 5600.0, 6700.0), (len(vowels), 1))
    resonances = tract * np.concatenate((formants, higher), axis=1)
    sound = _filter(source, _envelopes(frames, rhythm, resonances, how.tilt))
    power = np.square(sound).sum() / samples * frames / (rhythm.ends[-1] - rhythm.onsets[0])
    sound *= 32767 * min(10 ** (how.energy / 20) / np.sqrt(power), 0.95 / np.abs(sound).max())  # never clipped
    hiss = np.frombuffer(chance.bytes(samples), np.int8) * 0.02  # the room: about -84 dB, up to the highest frequency
    loudest = np.clip(np.rint(sound + hiss), -32768, 32767)
    return np.asarray(loudest.astype(np.int16))


def loudness(sound: NDArray[np.int16], rate: float, frames: int) -> Floats:
    """How loud a clip is at each picture, 0 ... 1 [shape=(frames,)], smoothed as lips are."""
    edges = np.minimum((np.arange(frames + 1) * (SAMPLE_RATE / rate)).astype(int), len(sound) - 1)
    power = np.add.reduceat(sound.astype(np.float64) ** 2, edges[:-1]) / np.maximum(np.diff(edges), 1)
    level = np.convolve(np.sqrt(power), (0.25, 0.5, 0.25), mode="same")
    return np.asarray(np.clip(level / (np.quantile(level, 0.97) + 1.0), 0, 1) ** 0.7)


class Rhythm(NamedTuple):
    """First and last frame of each syllable."""

    onsets: Floats
    ends: Floats


def _rhythm(frames: int, count: int, how: Style, sung: bool, chance: np.random.Generator) -> Rhythm:
    """Silence, then uneven beats at the style's rate, then silence."""
    weights = np.array((1.1, 0.7, 1.2, 0.8, 0.9, 0.6, 1.5))[:count] * chance.normal(1, 0.12, count).clip(0.6, 1.4)
    spoken = count / how.rate * _FRAME_RATE * (1.6 if sung else 1.0)
    spoken = min(spoken, 0.75 * frames)
    start = (frames - spoken) * chance.uniform(0.5, 0.62)
    edges = start + np.concatenate(((0,), np.cumsum(weights / weights.sum()))) * spoken
    gaps = np.diff(edges) * chance.uniform(0.04, 0.16, count)
    return Rhythm(edges[:-1], edges[1:] - gaps)


def _contours(
    frames: int, rhythm: Rhythm, how: Style, sung: bool, chance: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Pitch (Hz), loudness (0 ... 1) and consonant noise (0 ... 1), each a frame [shape=(frames,)]."""
    onsets, ends = rhythm
    count, time = len(onsets), np.arange(frames)
    middles = (onsets + ends) / 2
    accents = np.array((0.7, -0.2, 1.0, -0.1, 0.3, -0.6, -0.3))[:count] + chance.normal(0, 0.35, count)
    melody = accents * how.range - how.fall * np.linspace(-0.5, 0.5, count)
    if sung:
        melody = np.round(melody)
    points = np.concatenate((onsets, middles, ends))
    order = np.argsort(points, kind="stable")
    glide = 0.0 if sung else 0.35 * how.range
    tones = np.concatenate((melody - glide, melody, melody - 0.5 * glide))
    semitones = np.interp(time, points[order], tones[order])
    wander = np.convolve(chance.normal(0, 1, frames + 8), np.full(9, 1 / 3), mode="valid")
    semitones += wander * (0.12 + 14 * how.jitter)
    if sung:
        semitones += 0.5 * np.sin(2 * np.pi * 5.5 * time / _FRAME_RATE)
    inside = (time[:, None] - onsets) / (ends - onsets)
    swell = np.where((inside > 0) & (inside < 1), np.sin(np.pi * inside.clip(0, 1) ** 0.7) ** 0.6, 0.0)
    stress = chance.normal(1, 0.15, count).clip(0.5, 1.5) * np.array((1.1, 0.8, 1.2, 0.8, 1.0, 0.6, 1.0))[:count]
    noise = np.exp(-(((time[:, None] - onsets) / 2.2) ** 2)) * chance.uniform(0.1, 1.0, count)
    return how.pitch * 2 ** (semitones / 12), (swell * stress).max(1), noise.max(1)


def _source(pitch: Floats, loud: Floats, noise: Floats, how: Style, chance: np.random.Generator) -> Floats:
    """Glottal pulses and noise at 16 kHz [shape=(frames * _HOP,)]."""
    rough = pitch * (1 + chance.normal(0, how.jitter, len(pitch)))
    phase = np.cumsum(_ramps(rough / _RATE))
    phase -= np.floor(phase)
    part = phase / 0.6
    pulses = np.where(part < 1, part * (2 - 3 * part), 0.0)
    hiss = chance.standard_normal(len(pulses))
    return np.asarray(pulses * _ramps(loud) + hiss * _ramps(0.5 * how.breath * loud + 0.12 * noise))


def _ramps(values: Floats) -> Floats:
    """One value a frame to one a sample, by straight lines; the last is held."""
    step = np.diff(values, append=values[-1])
    return np.asarray((values[:, None] + step[:, None] * (np.arange(_HOP) / _HOP)).ravel())


def _envelopes(frames: int, rhythm: Rhythm, resonances: Floats, tilt: float) -> Floats:
    """The tract's gain a frame and frequency [shape=(frames, _WINDOW // 2 + 1)]: one a vowel, blended between.

    `resonances` are the formants of each vowel in Hz [shape=(vowels, formants)].
    """
    hertz = np.arange(_WINDOW // 2 + 1) * (_RATE / _WINDOW)
    centres = resonances[:, :, None]
    widths = 50 + 0.05 * centres
    # A resonance with unit gain at 0 Hz, as in a cascade synthesizer.
    gain = centres**2 / np.sqrt((centres**2 - hertz**2) ** 2 + (widths * hertz) ** 2)
    shaped = gain.prod(axis=1) * (np.maximum(hertz, 500.0) / 500.0) ** (tilt / 6.02)
    shaped *= np.minimum(hertz / 120.0, 1.0)  # lips radiate no steady pressure
    place = np.interp(np.arange(frames), (rhythm.onsets + rhythm.ends) / 2, np.arange(len(resonances)))
    low = np.minimum(place.astype(int), len(resonances) - 2)
    share = (place - low)[:, None]
    share = share * share * (3 - 2 * share)
    return np.asarray(shaped[low] * (1 - share) + shaped[low + 1] * share)


def _filter(source: Floats, envelopes: Floats) -> Floats:
    """`source` through `envelopes`, frame by frame, overlapped and added at SAMPLE_RATE.

    Each half-overlapping Hann window is filtered in the frequency domain, where a longer inverse transform
    also raises the rate.
    """
    from scipy import fft

    frames, up = len(envelopes), SAMPLE_RATE // _RATE
    window = np.hanning(_WINDOW + 1)[:-1]
    padded = np.concatenate((source, np.zeros(_WINDOW)))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:frames] * window
    spectra = np.zeros((frames, _WINDOW * up // 2 + 1), complex)
    np.multiply(fft.rfft(pieces), envelopes, out=spectra[:, : envelopes.shape[1]])
    wide = fft.irfft(spectra, overwrite_x=True)
    half = _HOP * up
    sound = wide[:, :half]
    sound[1:] += wide[:-1, half:]
    return np.asarray(sound.ravel())
