"""Columns made normal by their ranks: van der Waerden's normal scores.

What a linear model sees is then the same for any monotone scale of a column (seconds or their logarithm, intensities
or their roots), and no single value is far out.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.errors import BadBundle

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

KNOTS: Final = 33


@dataclass(frozen=True, eq=False)
class NormalScores:
    """A piecewise linear curve a column, flat beyond its ends, from quantiles to the normal distribution's.

    Attributes
    ----------
    knots : np.ndarray [shape=(k, d)]
        Each column's quantiles, ascending.
    scores : np.ndarray [shape=(k, d)]
        What they become. Equal knots, of values that many rows share, have one score, the mean of their places.
    """

    knots: Floats
    scores: Floats

    def __post_init__(self) -> None:
        fits = (
            self.knots.ndim == 2
            and self.knots.shape == self.scores.shape
            and len(self.knots) > 0
            and all(
                np.isfinite(part).all() and (np.diff(part, axis=0) >= 0).all() for part in (self.knots, self.scores)
            )
            and not np.diff(self.scores, axis=0)[np.diff(self.knots, axis=0) == 0].any()
        )
        if not fits:
            raise BadBundle("curves of ranks that do not rise")

    @classmethod
    def fit(cls, X: ArrayLike) -> NormalScores:
        """Fit on training rows [shape=(n, d)]."""
        places = (np.arange(KNOTS) + 0.5) / KNOTS
        knots = np.quantile(np.asarray(X, dtype=np.float64), places, axis=0)
        normal = np.array([NormalDist().inv_cdf(place) for place in places.tolist()])
        scores = np.empty_like(knots)
        for column in range(knots.shape[1]):
            shared = np.unique(knots[:, column], return_inverse=True)[1]
            scores[:, column] = (np.bincount(shared, normal) / np.bincount(shared))[shared]
        return cls(knots, scores)

    def transform(self, X: Floats) -> Floats:
        """Normal scores of rows [shape=(n, d)]."""
        if X.ndim != 2 or X.shape[1] != self.knots.shape[1]:
            raise ValueError(f"rows of shape {X.shape}, expected {self.knots.shape[1]} columns")
        curves = zip(X.T, self.knots.T, self.scores.T, strict=True)
        return np.stack([np.interp(column, knots, scores) for column, knots, scores in curves], axis=1)
