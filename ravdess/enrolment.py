"""Enrolment: a speaker's features, normalised by that speaker's own unlabelled clips, few or many.

Of many clips, a speaker's mean and deviation can be measured; of one or two they cannot. So both are drawn towards
what is usual among the training actors, by the linear credibility estimate (Bühlmann 1969, doi
10.1017/S0515036100008023): with n clips, and k clips' worth of prior knowledge::

    mean     = (n m + k_m M) / (n + k_m)                       k_m = E[s²] / Var[speakers' means]
    variance = ((n - 1) s² + k_v S²) / (n - 1 + k_v)           k_v = E[Var of squares] / Var[speakers' variances]

M and S² are the training actors' mean of means and of variances, and k_m, k_v, one a column, are measured on the
training actors alone. No label is looked at anywhere. With no clip at all a speaker is taken to be the usual one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle, BadTable
from ravdess.scaling import Standardiser, finite, safe

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Column = NDArray[np.float64]

_MOST: Final = 1000.0
"""Prior knowledge is worth at most so many clips: where speakers do not differ, or nothing varies at all."""
_PARTS: Final = ("mean", "variance", "mean_worth", "variance_worth")


@dataclass(frozen=True, eq=False)
class Enrolment:
    """What is usual among speakers, by which a new one is normalised.

    Attributes
    ----------
    mean, variance : np.ndarray [shape=(d,), dtype=float64]
        Means over training actors of an actor's mean and variance, in the columns' own units (squared).
    mean_worth, variance_worth : np.ndarray [shape=(d,), dtype=float64]
        How many clips of a speaker these are worth, >= 0.
    """

    mean: Column
    variance: Column
    mean_worth: Column
    variance_worth: Column

    @classmethod
    def fit(cls, X: ArrayLike, groups: ArrayLike) -> Enrolment:
        """Fit on training rows only.

        Parameters
        ----------
        X : array [shape=(n, d)]
        groups : array of str [shape=(n,)]
            Who performed each row, as `splits.groups` says it.

        Raises
        ------
        BadTable
            A number is not finite, or no actor has two clips: nothing tells how far one actor's clips spread.
        """
        rows, owners = finite(X), _owners(X, groups)
        each = [rows[owners == name] for name in np.unique(owners)]
        count = np.array([[len(mine)] for mine in each], dtype=np.float64)
        several = count[:, 0] > 1
        if not several.any():
            raise BadTable("enrolment needs training actors of at least two clips each")
        means = np.array([mine.mean(axis=0) for mine in each])
        squares = [(mine - mean) ** 2 for mine, mean in zip(each, means, strict=True)]
        spread = np.array([s.sum(axis=0) / max(len(s) - 1, 1) for s in squares])[several]
        wander = np.array([s.var(axis=0) for s in squares])[several]
        usual = spread.mean(axis=0)
        return cls(
            mean=means.mean(axis=0),
            variance=usual,
            mean_worth=_worth(usual, _between(means, usual * (1 / count).mean())),
            variance_worth=_worth(wander.mean(axis=0), _between(spread, (wander / count[several]).mean(axis=0))),
        )

    def of(self, clips: ArrayLike) -> Standardiser:
        """A speaker's mean and deviation from that speaker's clips [shape=(n, d)], n >= 0."""
        rows = finite(clips)
        if rows.shape[1] != self.mean.size:
            raise BadTable(f"enrolled clips have {rows.shape[1]} columns, expected {self.mean.size}")
        n = len(rows)
        own = rows.mean(axis=0) if n else self.mean
        spread = rows.var(axis=0, ddof=1) if n > 1 else np.zeros(self.mean.size)
        mean = _weighted(own, n, self.mean, self.mean_worth)
        variance = _weighted(spread, max(n - 1, 0), self.variance, self.variance_worth)
        return Standardiser(mean, safe(np.sqrt(variance), mean))

    def transform(self, X: ArrayLike, groups: ArrayLike) -> NDArray[np.float32]:
        """Each actor's rows normalised by all rows of that actor that stand in `X` [shape=(n, d)]."""
        rows, owners = finite(X), _owners(X, groups)
        result = np.empty(rows.shape, dtype=np.float32)
        for name in np.unique(owners):
            mine = owners == name
            result[mine] = self.of(rows[mine]).transform(rows[mine])
        return result

    def to_json(self) -> dict[str, list[float]]:
        """As JSON values, from which `from_json` makes the same numbers to the last bit."""
        return {name: getattr(self, name).tolist() for name in _PARTS}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Enrolment:
        """The inverse of `to_json`. Raises BadBundle when it is no such thing."""
        try:
            parts = [np.array(saved[name], dtype=np.float64) for name in _PARTS]
        except (KeyError, TypeError, ValueError) as error:
            raise BadBundle(f"a saved enrolment needs lists of numbers {', '.join(_PARTS)}: {error}") from error
        sound = all(part.ndim == 1 and part.shape == parts[0].shape and np.isfinite(part).all() for part in parts)
        if not sound or any((part < 0).any() for part in parts[1:]):
            raise BadBundle("a saved enrolment's numbers must be finite, of one length, and none but means negative")
        return cls(*parts)


def _between(values: Column, by_chance: Column) -> Column:
    """The variance of speakers' values [shape=(actors, d)] beyond what measuring on few clips makes of itself."""
    if len(values) < 2:
        return np.zeros(values.shape[1])
    beyond: Column = np.maximum(values.var(axis=0, ddof=1) - by_chance, 0)
    return beyond


def _worth(within: Column, between: Column) -> Column:
    with np.errstate(divide="ignore", invalid="ignore"):
        worth: Column = np.nan_to_num(np.minimum(within / between, _MOST), nan=_MOST)
    return worth


def _weighted(own: Column, n: int, usual: Column, worth: Column) -> Column:
    total = n + worth
    weighted: Column = np.where(total > 0, (n * own + worth * usual) / np.where(total > 0, total, 1), own)
    return weighted


def _owners(X: ArrayLike, groups: ArrayLike) -> NDArray[np.str_]:
    owners = np.asarray(groups, dtype=np.str_)
    if owners.shape != (len(np.asarray(X)),):
        raise BadTable(f"{len(np.asarray(X))} rows need as many actors, not {owners.shape}")
    return owners
