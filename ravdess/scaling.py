"""Scaling: a standardiser fitted on training rows, and actor normalisation, which is declared enrolment."""

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
        rows = _finite(X)
        if not len(rows):
            raise BadTable("a standardiser needs at least one training row")
        mean = rows.mean(axis=0)
        return cls(mean, _safe(rows.std(axis=0), mean))

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """(X - mean) / scale [shape=(n, d)]."""
        rows = _finite(X)
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


def normalise_by_actor(X: ArrayLike, groups: ArrayLike) -> NDArray[np.float32]:
    """Each actor's rows to mean 0 and standard deviation 1, by that actor's own rows.

    This is **enrolment**: it needs several clips of whoever is judged, though no label of them and nothing of anyone
    else. Every number made with it must say so.

    Parameters
    ----------
    X : array [shape=(n, d)]
    groups : array of str [shape=(n,)]
        Who performed each row, as `splits.groups` says it.

    Returns
    -------
    np.ndarray [shape=(n, d), dtype=float32]
        A column that is constant for an actor is 0 there. So is every column of an actor with a single clip: one clip
        has no spread to be measured by.
    """
    rows, owners = _finite(X), np.asarray(groups, dtype=np.str_)
    if owners.shape != (len(rows),):
        raise BadTable(f"{len(rows)} rows need as many actors, not {owners.shape}")
    names, owner = np.unique(owners, return_inverse=True)
    result = np.empty(rows.shape, dtype=np.float32)
    for number in range(len(names)):
        mine = owner == number
        mean = rows[mine].mean(axis=0)
        result[mine] = (rows[mine] - mean) / _safe(rows[mine].std(axis=0), mean)
    return result


def _safe(deviation: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 in place of a deviation that float32 input cannot tell from rounding."""
    return np.where(deviation > 8 * np.finfo(np.float32).eps * np.abs(mean), deviation, 1.0)


def _finite(X: ArrayLike) -> NDArray[np.float64]:
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2:
        raise BadTable(f"features must be rows by columns, not an array of shape {rows.shape}")
    if not np.all(np.isfinite(rows)):
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        raise BadTable(f"{len(bad)} rows are not finite, the first at position {bad[0]}; remove or recompute them")
    return rows
