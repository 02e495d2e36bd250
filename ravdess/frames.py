"""The register of frame sets: what a take looks or sounds like, as a sequence of uint8 pictures.

Like a feature set's, a frame set's name is a promise: the bytes under a name never change. What fixes them (name,
shape, modality, columns, sample rate, parameters) is hashed into the **fingerprint**, which the store and every
bundle carry.

A set is made either from a take's picture, by `ravdess.picture.pictures`, which decodes a file once for all sets,
or from its sound, by the set's own `compute`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from ravdess.registry import Registry, identity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MODALITIES: Final = ("picture", "sound")
"""What a frame set may be made from; the words of `ravdess.corpora.choose`."""

LARGEST_TAKE: Final = 256_000_000
"""Bytes of a take in a set: it must fit in one shard."""
INDEX_COLUMNS: Final = ("shard", "first", "count", "crc32")
"""Where a take lies: the columns of every index that follow the clip's (storage/SPEC.md, 6.2)."""


class Pictures(NamedTuple):
    """One take in one frame set.

    Attributes
    ----------
    frames : np.ndarray [shape=(n, h, w, c), dtype=uint8], n >= 1
    facts : tuple of float
        One number a column of the set.
    """

    frames: NDArray[np.uint8]
    facts: tuple[float, ...]


@dataclass(frozen=True)
class FrameSet:
    """A sequence of uint8 pictures a take, all of one shape.

    Attributes
    ----------
    name : str
        Also the table's name in the store, ``frames/<name>``.
    shape : tuple of int
        Height, width and channels (h, w, c) of one frame.
    modality : {"picture", "sound"}
        What it is made from, so which of a take's files is read.
    columns : tuple of str
        What else stands in a take's index row: one finite number each, float32, such as ``frame_rate``.
    parameters : mapping
        Everything else that fixes the bytes, as JSON values.
    sample_rate : int
        Of a set made from sound: the rate that `compute` expects, in Hz; else 0.
    compute : callable or None
        Of a set made from sound: ``compute(y) -> Pictures`` for mono float32 `y` at `sample_rate`, shape (n,).
    units : mapping
        Column name -> unit; ``frames`` tells what a frame's byte means.
    source : str
        The definition's publication or reference implementation.
    """

    name: str
    shape: tuple[int, int, int]
    modality: str
    columns: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    sample_rate: int = 0
    compute: Callable[[Floats], Pictures] | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def extract(self, y: Floats, sr: int) -> Pictures:
        """The take that one waveform is, for a set made from sound.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)]
            Mono samples in -1 ... 1.
        sr : int > 0
            Rate of `y` in Hz; another rate than the set's own is resampled as `librosa.load` does.

        Raises
        ------
        BadClip
            Too short, silent, or not finite.
        TypeError
            The set is made from pictures.
        """
        from ravdess.sound.read import check, resample

        if self.compute is None:
            raise TypeError(f"the frame set {self.name!r} is made from pictures: use ravdess.picture.pictures")
        return self.compute(check(resample(y, sr, self.sample_rate), self.sample_rate))

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        height, width, channels = self.shape
        return height * width * channels

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when the bytes could."""
        return identity(
            name=self.name,
            shape=self.shape,
            modality=self.modality,
            columns=self.columns,
            sample_rate=self.sample_rate,
            parameters=dict(self.parameters),
        )


FRAME_SETS: Final[Registry[FrameSet]] = Registry("frame set", ("ravdess.picture", "ravdess.sound"))


def frame_set(name: str) -> FrameSet:
    """The frame set of that name, e.g. "face_96". Raises UnknownName, which lists what there is."""
    return FRAME_SETS[name]


def fingerprint_of(name: str) -> str:
    """The fingerprint of the feature set or frame set of that name; "" when none is registered."""
    from ravdess.features import FEATURE_SETS

    if name in FEATURE_SETS:
        return FEATURE_SETS[name].fingerprint
    return FRAME_SETS[name].fingerprint if name in FRAME_SETS else ""
