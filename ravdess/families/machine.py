"""The numbers of a fitted support vector machine as plain arrays: judged by NumPy, saved as ``.npz``.

So a saved machine is loaded in milliseconds and needs neither scikit-learn nor its two seconds of imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families.npz_file import MODEL, reading

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_ARRAYS: Final = ("vectors", "coefficients", "intercepts", "counts", "gamma")
_CHUNK: Final = 4096


@dataclass(frozen=True, eq=False)
class Machine:
    """Decision functions of each class against each other, as libsvm lays them out.

    Attributes
    ----------
    vectors : np.ndarray [shape=(m, d)]
        Support vectors, those of the first class first.
    coefficients : np.ndarray [shape=(k - 1, m)]
        Of a vector of class i against class j: row j - 1 where j > i, row j where j < i.
    intercepts : np.ndarray [shape=(k (k - 1) / 2,)]
        Of the pairs i < j in lexical order.
    counts : np.ndarray [shape=(k,)]
        Support vectors of each class.
    gamma : float
        Of the kernel exp(-gamma |x - v|²); 0: the kernel is x · v.
    """

    vectors: Floats
    coefficients: Floats
    intercepts: Floats
    counts: NDArray[np.int64]
    gamma: float

    def __post_init__(self) -> None:
        k, m = len(self.counts), len(self.vectors)
        fits = (
            self.vectors.ndim == 2
            and k >= 2
            and int(self.counts.sum()) == m
            and int(self.counts.min()) >= 0
            and self.coefficients.shape == (k - 1, m)
            and self.intercepts.shape == (k * (k - 1) // 2,)
            and self.gamma >= 0
            and all(np.isfinite(part).all() for part in (self.vectors, self.coefficients, self.intercepts, self.gamma))
        )
        if not fits:
            raise BadBundle("a support vector machine whose arrays do not fit together")

    @classmethod
    def of(cls, model: Any) -> Machine:
        """Of a fitted `sklearn.svm.SVC` with an RBF or linear kernel, of which it reads libsvm's own signs."""
        return cls(
            np.array(model.support_vectors_, dtype=np.float64),
            np.array(model._dual_coef_, dtype=np.float64),
            np.array(model._intercept_, dtype=np.float64),
            np.array(model._n_support, dtype=np.int64),
            0.0 if model.kernel == "linear" else float(model._gamma),
        )

    def decisions(self, X: ArrayLike) -> Floats:
        """Values of the pairs i < j for each row, above 0 for i [shape=(n, k (k - 1) / 2)]."""
        rows = np.ascontiguousarray(X, dtype=np.float64)  # the order in memory decides the last bit of a product
        if rows.ndim != 2 or rows.shape[1] != self.vectors.shape[1]:
            raise ValueError(f"rows of shape {rows.shape}, expected {self.vectors.shape[1]} columns")
        weights = self.weights()
        parts = [self._kernel(rows[at : at + _CHUNK]) @ weights for at in range(0, max(len(rows), 1), _CHUNK)]
        values: Floats = np.concatenate(parts) + self.intercepts
        return values

    def weights(self) -> Floats:
        """Weight of each vector in each pair [shape=(m, k (k - 1) / 2)]; 0 where it is of neither class."""
        ends = np.cumsum(self.counts)
        starts = ends - self.counts
        pairs = list(zip(*np.triu_indices(len(self.counts), 1), strict=True))
        weights = np.zeros((len(self.vectors), len(pairs)))
        for at, (i, j) in enumerate(pairs):
            weights[starts[i] : ends[i], at] = self.coefficients[j - 1, starts[i] : ends[i]]
            weights[starts[j] : ends[j], at] = self.coefficients[i, starts[j] : ends[j]]
        return weights

    def _kernel(self, rows: Floats) -> Floats:
        dots = rows @ self.vectors.T
        if self.gamma == 0:
            return dots
        apart = np.square(rows).sum(axis=1)[:, None] + np.square(self.vectors).sum(axis=1) - 2 * dots
        alike: Floats = np.exp(-self.gamma * np.maximum(apart, 0))
        return alike

    def save(self, folder: Path) -> None:
        """Write ``model.npz`` into `folder`."""
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        np.savez(folder / MODEL, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Machine:
        """The inverse of `save`. Raises BadBundle for anything but such a file; nothing is unpickled."""
        with reading(folder, "a support vector machine") as file:
            parts = {name: np.asarray(file[name]) for name in _ARRAYS}
            counts = parts.pop("counts").astype(np.int64, casting="safe")
            gamma = float(parts.pop("gamma"))
            floats = {name: part.astype(np.float64, casting="safe") for name, part in parts.items()}
            return cls(counts=counts, gamma=gamma, **floats)
