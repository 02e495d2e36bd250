"""One clip in, numbers or a reason out. What a worker does; knows neither Ray nor the store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ravdess.errors import BadClip

if TYPE_CHECKING:
    from ravdess.features import FeatureSet, Floats


class Reject(NamedTuple):
    """Why a clip gives no row: the stage that refused it ("read", "extract", "worker") and the reason."""

    stage: str
    reason: str


class Extracted(NamedTuple):
    """What one clip gave.

    Attributes
    ----------
    digest : str
        SHA-256 of the file's bytes, hexadecimal; empty when they could not be read.
    values : tuple, one a feature set
        float32 (columns,), or the Reject that stands for it.
    """

    digest: str
    values: tuple[Floats | Reject, ...]


def extract(source: str, sets: Sequence[FeatureSet], *, name: str = "") -> Extracted:
    """Read one file once and compute every feature set from it.

    Parameters
    ----------
    source : str
        An address that `ravdess.corpora.read_bytes` understands.
    sets : sequence of FeatureSet
        A shared sample rate is resampled to once.
    name : str
        The clip's name, for errors.

    Returns
    -------
    Extracted
        Never raises for what a file holds: a clip that cannot be used becomes Rejects.
    """
    from ravdess.corpora import read_bytes
    from ravdess.sound.read import read, resample

    digest = ""
    try:
        content = read_bytes(source)
        digest = hashlib.sha256(content).hexdigest()
        y, sr = read(content, name=name or source)
    except BadClip as error:
        return Extracted(digest, (Reject("read", str(error)),) * len(sets))
    except MemoryError:
        return Extracted(digest, (Reject("read", "too large for this machine's memory"),) * len(sets))
    waves = {rate: resample(y, sr, rate) for rate in {one.sample_rate for one in sets}}
    return Extracted(digest, tuple(_compute(one, waves[one.sample_rate]) for one in sets))


def _compute(one: FeatureSet, y: Floats) -> Floats | Reject:
    try:
        return one.extract(y, one.sample_rate)
    except BadClip as error:
        return Reject("extract", str(error))
    except (ValueError, ArithmeticError, MemoryError) as error:  # a clip nobody thought of costs one clip
        return Reject("extract", f"{type(error).__name__}: {error}")
