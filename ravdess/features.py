"""The register of feature sets. A set's name is a promise: the numbers under a name never change.

A better definition gets a new name. What fixes the numbers (name, columns, sample rate, parameters) is hashed
into the **fingerprint**, which the store and every bundle carry; how a set was run is no part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ravdess.errors import UnknownName
from ravdess.registry import Registry, identity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureSet:
    """One fixed-length row of numbers a take.

    Attributes
    ----------
    name : str
        Also the table's name in the store, ``features/<name>``.
    columns : tuple of str
        One explaining name a number, in order.
    sample_rate : int
        The rate that `compute` expects, in Hz.
    compute : callable
        ``compute(y) -> float32 (len(columns),)`` for mono float32 `y` at `sample_rate`, |y| <= 1, shape (n,).
    parameters : mapping
        Everything else that fixes the numbers, as JSON values.
    units : mapping
        Column prefix or column name -> unit, for people.
    source : str
        The definition's publication or reference implementation.
    sources : mapping
        Where columns have sources of their own: column prefix or column name -> source.
    augments : str
        The set of which these are the columns, of the same clips made otherwise: rows to train on beside that set's.
    """

    name: str
    columns: tuple[str, ...]
    sample_rate: int
    compute: Callable[[Floats], Floats]
    parameters: Mapping[str, object] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    augments: str = ""

    def extract(self, y: Floats, sr: int) -> Floats:
        """The set's numbers for one waveform.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)]
            Mono samples in -1 ... 1.
        sr : int > 0
            Rate of `y` in Hz; another rate than the set's own is resampled as `librosa.load` does.

        Returns
        -------
        np.ndarray [shape=(len(columns),), dtype=float32], all finite

        Raises
        ------
        BadClip
            Too short, silent, or not finite.
        """
        from ravdess.sound.read import check, resample

        return self.compute(check(resample(y, sr, self.sample_rate), self.sample_rate))

    def about(self, column: str) -> tuple[str, str]:
        """Unit and source of a column, by its name or the longest prefix of it that is told.

        Raises UnknownName, which lists the columns, when there is no such column.
        """
        if column not in self.columns:
            raise UnknownName(f"column of {self.name}", column, self.columns)
        words = column.split("_")
        prefixes = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
        unit = next((self.units[prefix] for prefix in prefixes if prefix in self.units), "")
        return unit, next((self.sources[prefix] for prefix in prefixes if prefix in self.sources), self.source)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when the numbers could."""
        return identity(
            name=self.name, columns=self.columns, sample_rate=self.sample_rate, parameters=dict(self.parameters)
        )


FEATURE_SETS: Final[Registry[FeatureSet]] = Registry("feature set", ("ravdess.sound",))


def feature_set(name: str) -> FeatureSet:
    """The feature set of that name, e.g. "mfcc_stats". Raises UnknownName, which lists what there is."""
    return FEATURE_SETS[name]
