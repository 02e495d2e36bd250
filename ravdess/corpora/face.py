"""A drawn face that speaks: brows, eyes and mouth follow emotion and actor, the lips follow the sound.

No one was filmed.

An expression is a handful of facial actions in the sense of Ekman & Friesen's coding system; which emotion moves
which of them, and which way, follows their prototypes, the sizes are chosen here. Each actor has a look (proportions,
colours, hair) and an own way of each emotion, and each take varies. `ravdess.corpora.painter` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.corpora.voice import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.clips import Clip

    Floats = NDArray[np.float64]
    Colour = tuple[int, int, int]

_ACTIONS: Final = ("inner", "outer", "knit", "open", "cheek", "nose", "corner", "stretch", "lip", "jaw", "press", "nod")
"""Inner and outer brow up, brows together and down, eyes wide, cheeks up, nose wrinkled, mouth corners up, mouth wide,
upper lip up, jaw down, lips pressed, head down."""

_EMOTIONS: Final = {
    #            inner outer  knit  open  cheek nose corner stretch lip  jaw  press  nod
    "neutral": (+0.0, +0.0, 0.0, +0.0, 0.0, 0.0, +0.0, +0.0, 0.0, 0.0, 0.0, +0.0),
    "calm": (+0.1, +0.1, 0.0, -0.2, 0.1, 0.0, +0.3, +0.0, 0.0, 0.0, 0.1, +0.1),
    "happy": (+0.2, +0.2, 0.0, -0.1, 0.9, 0.1, +1.0, +0.6, 0.3, 0.2, 0.0, -0.1),
    "sad": (+1.0, -0.3, 0.4, -0.4, 0.0, 0.0, -0.8, -0.1, 0.0, 0.0, 0.1, +0.6),
    "angry": (-0.8, +0.1, 1.0, +0.2, 0.1, 0.4, -0.4, +0.1, 0.2, 0.1, 0.8, +0.2),
    "fearful": (+1.0, +0.5, 0.5, +0.8, 0.0, 0.0, -0.3, +0.8, 0.0, 0.3, 0.0, -0.3),
    "disgust": (-0.4, -0.3, 0.5, -0.5, 0.5, 1.0, -0.5, +0.1, 1.0, 0.1, 0.1, -0.3),
    "surprised": (+0.9, +1.0, 0.0, +1.0, 0.0, 0.0, +0.1, -0.3, 0.0, 0.7, 0.0, -0.2),
}
_SKINS: Final[tuple[Colour, ...]] = ((236, 203, 180), (224, 182, 152), (208, 160, 126), (176, 124, 90), (128, 86, 62))
_HAIRS: Final[tuple[Colour, ...]] = ((38, 30, 28), (72, 48, 34), (112, 76, 46), (176, 136, 84), (132, 62, 38))
_EYES: Final[tuple[Colour, ...]] = ((84, 56, 38), (70, 98, 130), (82, 106, 76), (58, 42, 34))


@dataclass(frozen=True)
class Look:
    """What an actor looks like. Lengths in the painter's units (half the head's height), colours as RGB."""

    width: float
    jaw: float
    eyes: float
    eye: float
    brow: float
    nose: float
    mouth: float
    lips: float
    skin: Colour
    hair: Colour
    iris: Colour
    long_hair: bool
    beard: bool
    glasses: bool


def look(clip: Clip, seed: int) -> Look:
    """The actor's face: the same in all takes."""
    chance = generator("look", seed, clip.actor)
    male = clip.gender == "male"
    tone = int(chance.integers(len(_SKINS)))
    hair = _HAIRS[chance.integers(len(_HAIRS) if tone < 3 else 2)]
    return Look(
        width=chance.uniform(0.70, 0.78) + (0.03 if male else 0.0),
        jaw=chance.uniform(0.08, 0.18) + (0.0 if male else 0.12),
        eyes=chance.uniform(0.30, 0.35),
        eye=chance.uniform(0.135, 0.165) + (0.0 if male else 0.015),
        brow=chance.uniform(0.030, 0.045) + (0.018 if male else 0.0),
        nose=chance.uniform(0.26, 0.33),
        mouth=chance.uniform(0.22, 0.27),
        lips=chance.uniform(0.045, 0.06) + (0.0 if male else 0.02),
        skin=_SKINS[tone],
        hair=hair,
        iris=_EYES[chance.integers(len(_EYES)) if tone < 3 else 3 * chance.integers(2)],
        long_hair=bool(chance.random() < (0.1 if male else 0.85)),
        beard=bool(male and chance.random() < 0.3),
        glasses=bool(chance.random() < 0.15),
    )


def actions(clip: Clip, seed: int, loud: Floats) -> dict[str, Floats]:
    """The facial actions at each picture.

    Parameters
    ----------
    clip : Clip
    seed : int
    loud : np.ndarray [shape=(frames,)]
        Loudness of the sound, 0 ... 1: the jaw follows it, and the face comes alive when the voice does.

    Returns
    -------
    dict of action -> np.ndarray [shape=(frames,)], about -1 ... 1; also "blink" 0 ... 1, "turn" (radians), "x", "y"
    """
    frames = len(loud)
    chance = generator("acting", seed, clip.take)
    own = generator("mimic", seed, clip.actor, clip.emotion).normal(0, 0.18, len(_ACTIONS))
    size = 1.1 if clip.intensity == "strong" else 0.7
    peak = size * np.array(_EMOTIONS[clip.emotion]) + own + chance.normal(0, 0.12, len(_ACTIONS))
    voiced = np.flatnonzero(loud > 0.15)
    start, end = (int(voiced[0]), int(voiced[-1])) if len(voiced) else (frames // 4, 3 * frames // 4)
    time = np.arange(frames)
    course = _rise(time, start - 14, start + 4) * (1 - 0.7 * _rise(time, end + 2, end + 22))
    moved = {
        name: top * course * (1 + 0.12 * _wander(frames, chance)) for name, top in zip(_ACTIONS, peak, strict=True)
    }
    moved["jaw"] = np.clip(moved["jaw"] + (0.55 + 0.25 * size) * loud * course.clip(0.2, 1), 0, 1.3)
    moved["blink"] = np.zeros(frames)
    for at in np.cumsum(chance.uniform(35, 90, 6)):
        moved["blink"] = np.maximum(moved["blink"], np.exp(-(((time - at) / 1.6) ** 2)))
    moved["turn"] = 0.03 * _wander(frames, chance) + 0.02 * chance.normal()
    moved["x"] = 0.03 * _wander(frames, chance)
    moved["y"] = 0.02 * _wander(frames, chance) + 0.10 * moved["nod"] - 0.02 * loud
    return moved


def _rise(time: NDArray[np.int64], start: float, end: float) -> Floats:
    part = ((time - start) / (end - start)).clip(0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float64)


def _wander(frames: int, chance: np.random.Generator) -> Floats:
    """A slow random curve, about -1 ... 1."""
    points = chance.normal(0, 0.7, frames // 15 + 3)
    place = np.arange(frames) / 15
    left = place.astype(int)
    part = (1 - np.cos(np.pi * (place - left))) / 2
    return np.asarray(points[left] * (1 - part) + points[left + 1] * part)
