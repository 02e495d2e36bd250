"""Scaling: a standardiser fitted on training rows. What an actor's own clips are scaled by is in `enrolment`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.errors import BadBundle, BadTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Columns to mean 0 and standard deviation 1, as of the rows it was fitted on.

    Attributes
    ----------
    mean, scale : np.ndarray [shape=(d,), dtype=float64]
        In the columns' own units. A column that is constant in training has scale 1: it becomes 0 and stays finite.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, X: ArrayLike) -> Standardiser:
        """Fit on training rows only [shape=(n, d)]. Raises BadTable when there are none or one is not finite."""
        rows = finite(X)
        if not len(rows):
            raise BadTable("a standardiser needs at least one training row")
        mean = rows.mean(axis=0)
        return cls(mean, safe(rows.std(axis=0), mean))

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """(X - mean) / scale [shape=(n, d)]."""
        rows = finite(X)
        if rows.shape[1] != self.mean.size:
            raise BadTable(f"rows have {rows.shape[1]} columns, expected {self.mean.size}")
        return ((rows - self.mean) / self.scale).astype(np.float32)

    def to_json(self) -> dict[str, list[float]]:
        """As JSON values, from which `from_json` makes the same numbers to the last bit."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Standardiser:
        """The inverse of `to_json`. Raises BadBundle when it is no such thing."""
        try:
            mean, scale = (np.array(saved[name], dtype=np.float64) for name in ("mean", "scale"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadBundle(f"a saved standardiser needs lists of numbers 'mean' and 'scale': {error}") from error
        if mean.ndim != 1 or mean.shape != scale.shape or not np.all(np.isfinite(mean) & (scale > 0)):
            raise BadBundle("a saved standardiser's mean and scale must be finite, positive in scale and of one length")
        return cls(mean, scale)


def safe(deviation: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 in place of a deviation that float32 input cannot tell from rounding."""
    return np.where(deviation > 8 * np.finfo(np.float32).eps * np.abs(mean), deviation, 1.0)


def finite(X: ArrayLike) -> NDArray[np.float64]:
    """`X` as rows by columns. Raises BadTable when it is no such thing or a number is not finite."""
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2:
        raise BadTable(f"features must be rows by columns, not an array of shape {rows.shape}")
    if not np.all(np.isfinite(rows)):
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        raise BadTable(f"{len(bad)} rows are not finite, the first at position {bad[0]}; remove or recompute them")
    return rows
