"""Random forest (Breiman 2001, doi 10.1023/A:1010933404324)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families import FAMILIES, Family
from ravdess.families.common import encode, even_mean, read_about, settle, unit_rows, write_about
from ravdess.families.npz_file import MODEL
from ravdess.families.space import Choice, Integer, Params, Real, Space
from ravdess.families.trees import Trees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Floats, Labels

NAME: Final = "random_forest"
SPACE: Final[Space] = {
    "max_features": Real(0.02, 0.3, step=1.7, log=True),
    "min_samples_leaf": Integer(1, 12, step=2.0, log=True),
    "max_depth": Choice((6, 10, 16, None)),
    "max_samples": Real(0.4, 1.0, step=0.2),
    "criterion": Choice(("gini", "entropy")),
}
"""`max_features` and `max_samples` are shares. More trees never hurt, so their number is fixed and not searched."""
DEFAULTS: Final[Params] = {
    "n_estimators": 200,
    "max_features": 0.1,
    "min_samples_leaf": 1,
    "max_depth": None,
    "max_samples": 1.0,
    "criterion": "gini",
}
_TREE: Final = "sklearn.tree._tree.Tree"


class Forest:
    """`sklearn.ensemble.RandomForestClassifier` on the families' contract."""

    classes_: Labels

    def __init__(self, params: Params, seed: int = 0, threads: int = 1) -> None:
        self.params = settle(NAME, SPACE, DEFAULTS, params)
        self.seed, self.threads = seed, threads
        self._trees: Trees | None = None

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Forest:
        from sklearn.ensemble import RandomForestClassifier

        self.classes_, codes = encode(y)
        model = RandomForestClassifier(**self.params, random_state=self.seed, n_jobs=self.threads)
        self._trees = Trees.of(model.fit(X, codes, sample_weight=even_mean(sample_weight, len(codes))))
        return self

    @property
    def trees(self) -> Trees:
        """The fitted numbers."""
        if self._trees is None:
            raise ValueError("this forest is not fitted")
        return self._trees

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        return unit_rows(self.trees.mean(X))

    def save(self, folder: Path) -> None:
        write_about(folder, NAME, self.classes_, self.params, seed=self.seed)
        self.trees.save(folder)


def build(params: Params, seed: int = 0, threads: int = 1) -> Forest:
    """An unfitted forest."""
    return Forest(params, seed, threads)


def load(folder: Path) -> Forest:
    """The inverse of `Forest.save`. Raises BadBundle for anything but such a folder."""
    about = read_about(folder, NAME)
    forest = Forest(about["params"], about.get("seed", 0))
    forest.classes_ = np.array(about["classes"], dtype=np.str_)
    forest._trees = Trees.load(folder) if (folder / MODEL).exists() else _older(folder)
    if (k := forest.trees.values.shape[1]) != len(forest.classes_):
        raise BadBundle(f"{folder} holds a forest of {k} classes, not {len(forest.classes_)}")
    return forest


def _older(folder: Path) -> Trees:
    """As forests were saved before: scikit-learn's object, by skops."""
    from sklearn.ensemble import RandomForestClassifier

    from ravdess.families import skops_file

    try:
        return Trees.of(skops_file.load(folder, RandomForestClassifier, trusted=(_TREE,)))
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise BadBundle(f"{folder} holds no forest: {error}") from error


FAMILIES.register(Family(NAME, SPACE, DEFAULTS, build, load))
