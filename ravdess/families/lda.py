"""Linear discriminant analysis (Fisher 1936, doi 10.1111/j.1469-1809.1936.tb02137.x) with a shrunken covariance.

Every emotion is a Gaussian around its own mean, with one covariance for all: that of rows around their emotion's mean,
in which how speakers differ counts as noise like any other. Directions in which the same emotion varies from speaker to
speaker are trusted little, without a voice having to be measured first. With more columns than people such a covariance
is known badly, so it is drawn towards a sphere of the same size (Friedman 1989, doi 10.1080/01621459.1989.10478752)::

    S = (1 - shrinkage) W + shrinkage (trace W / d) I

Columns may first be made normal, each by the training rows' ranks: see `ranks`. The fit is a closed form: it draws
nothing at random, and takes some 0.1 seconds for 1000 rows of 876 columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families import FAMILIES, Family
from ravdess.families.common import encode, even_mean, number, read_about, settle, softmax, whole, write_about
from ravdess.families.npz_file import MODEL, reading
from ravdess.families.ranks import NormalScores
from ravdess.families.space import Choice, Params, Real, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Floats, Labels

NAME: Final = "lda"
SPACE: Final[Space] = {
    "shrinkage": Real(0.05, 0.95, step=0.1),
    "columns": Choice(("plain", "normal")),
}
DEFAULTS: Final[Params] = {"shrinkage": 0.5, "columns": "normal", "temperature": 4}
"""`temperature` divides log likelihoods: columns of one clip err together, and undivided they claim certainty."""


class Discriminant:
    """Linear scores of each emotion, whose softmax is its probability. Nothing is drawn at random."""

    classes_: Labels

    def __init__(self, params: Params, seed: int = 0, threads: int = 1) -> None:
        self.params = settle(NAME, SPACE, DEFAULTS, params)
        self.ranks: NormalScores | None = None
        self.weights: NDArray[np.float64] = np.empty((0, 0))
        """Of each column for each emotion [shape=(d, k)]."""
        self.offsets: NDArray[np.float64] = np.empty(0)
        """Of each emotion [shape=(k,)]."""

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Discriminant:
        self.classes_, codes = encode(y)
        if self.params["columns"] == "normal":
            self.ranks = NormalScores.fit(X)
        rows, weight = self._rows(X), even_mean(sample_weight, len(codes))
        each = weight[:, None] * np.eye(len(self.classes_))[codes]
        share = each.sum(axis=0) / len(codes)
        means = (each.T @ rows) / each.sum(axis=0)[:, None]
        apart = rows - means[codes]
        within = (apart * weight[:, None]).T @ apart / len(codes)
        size = max(np.trace(within) / len(within), np.finfo(np.float64).tiny)
        shrinkage = number(self.params, "shrinkage")
        within = (1 - shrinkage) * within
        within[np.diag_indices_from(within)] += shrinkage * size
        # What all emotions have in common changes no probability, and numbers stay small without it.
        centre = share @ means
        away = means - centre
        self.weights = np.linalg.solve(within, away.T) / whole(self.params, "temperature")
        self.offsets = np.log(share) - ((centre + away / 2) * self.weights.T).sum(axis=1)
        return self

    def _rows(self, X: Floats) -> NDArray[np.float64]:
        rows = np.ascontiguousarray(X, dtype=np.float64)
        return rows if self.ranks is None else self.ranks.transform(rows)

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        return softmax(self._rows(X) @ self.weights + self.offsets)

    def save(self, folder: Path) -> None:
        write_about(folder, NAME, self.classes_, self.params)
        arrays: dict[str, Any] = {"weights": self.weights, "offsets": self.offsets}
        if self.ranks is not None:
            arrays |= {"knots": self.ranks.knots, "scores": self.ranks.scores}
        np.savez(folder / MODEL, **arrays)


def build(params: Params, seed: int = 0, threads: int = 1) -> Discriminant:
    """An unfitted discriminant. `seed` and `threads` change nothing."""
    return Discriminant(params, seed, threads)


def load(folder: Path) -> Discriminant:
    """The inverse of `Discriminant.save`. Raises BadBundle for anything but such a folder; nothing is unpickled."""
    about = read_about(folder, NAME)
    model = Discriminant(about["params"])
    model.classes_ = np.array(about["classes"], dtype=np.str_)
    with reading(folder, "a linear discriminant") as file:
        parts = {name: file[name].astype(np.float64, casting="safe") for name in file.files}
        model.weights, model.offsets = parts["weights"], parts["offsets"]
        if model.params["columns"] == "normal":
            model.ranks = NormalScores(parts["knots"], parts["scores"])
    columns = len(model.weights) if model.ranks is None else model.ranks.knots.shape[1]
    k = len(model.classes_)
    finite = np.isfinite(model.weights).all() and np.isfinite(model.offsets).all()
    if model.weights.shape != (columns, k) or model.offsets.shape != (k,) or not finite:
        raise BadBundle(f"{folder / MODEL} holds a linear discriminant whose arrays do not fit together")
    return model


FAMILIES.register(Family(NAME, SPACE, DEFAULTS, build, load))
