"""`voice_stats_slower`, `voice_stats_faster`: `voice_stats` of the same clip, played at another speed.

A slower voice is lower, its mouth larger: it could be another speaker's. So a search may train on these beside the clip
itself (`python jobs/tune.py --augment`), while whoever judges is heard as recorded. Speed perturbation: Ko et al. 2015,
"Audio augmentation for speech recognition", Interspeech, doi 10.21437/Interspeech.2015-711.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.features import FEATURE_SETS, FeatureSet
from ravdess.sound import frames, voice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SPEEDS: Final = {"slower": 0.92, "faster": 1.08}
"""Chosen by inner folds among one and two of each side, from 0.85 to 1.15."""
SHORTEST: Final = 4096
"""Samples to which what has become too short is filled up with silence."""


def played(y: Floats, speed: float) -> Floats:
    """A clip at so many times its speed: [shape=(n,)] -> [shape=(about n / speed, at least SHORTEST,)]."""
    import soxr

    other: Floats = soxr.resample(y, frames.SAMPLE_RATE * speed, frames.SAMPLE_RATE)
    return np.pad(other, (0, max(SHORTEST - len(other), 0)))


def _stats(y: Floats, speed: float) -> Floats:
    made: Floats = _BASE.compute(played(y, speed))
    return made


_BASE: Final = voice.SET
for _name, _speed in SPEEDS.items():
    FEATURE_SETS.register(
        FeatureSet(
            name=f"{_BASE.name}_{_name}",
            columns=_BASE.columns,
            sample_rate=_BASE.sample_rate,
            compute=partial(_stats, speed=_speed),
            parameters={**_BASE.parameters, "speed": _speed},
            units=_BASE.units,
            source=_BASE.source,
            sources=_BASE.sources,
            augments=_BASE.name,
        )
    )
