"""Random forest (Breiman 2001, doi 10.1023/A:1010933404324)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families import FAMILIES, Family
from ravdess.families.common import encode, even_mean, read_about, settle, unit_rows, walkable, write_about
from ravdess.families.space import Choice, Integer, Params, Real, Space

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
        self._model: Any = None

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Forest:
        from sklearn.ensemble import RandomForestClassifier

        self.classes_, codes = encode(y)
        self._model = RandomForestClassifier(**self.params, random_state=self.seed, n_jobs=self.threads)
        self._model.fit(X, codes, sample_weight=even_mean(sample_weight, len(codes)))
        return self

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        # Threads would add up the trees in the order in which they end, so that the last bits change from call to call.
        self._model.n_jobs = 1
        return unit_rows(self._model.predict_proba(np.asarray(X, dtype=np.float32)))

    def save(self, folder: Path) -> None:
        from ravdess.families import skops_file

        write_about(folder, NAME, self.classes_, self.params, seed=self.seed)
        skops_file.dump(self._model, folder)


def build(params: Params, seed: int = 0, threads: int = 1) -> Forest:
    """An unfitted forest."""
    return Forest(params, seed, threads)


def load(folder: Path) -> Forest:
    """The inverse of `Forest.save`. Raises BadBundle for anything but such a folder."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    from ravdess.families import skops_file

    about = read_about(folder, NAME)
    forest = Forest(about["params"], about.get("seed", 0))
    forest.classes_ = np.array(about["classes"], dtype=np.str_)
    model = skops_file.load(folder, RandomForestClassifier, trusted=(_TREE,))
    k = len(forest.classes_)
    fits = model.n_classes_ == k == len(model.classes_) and len(model.estimators_) > 0
    for tree in model.estimators_ if fits else ():
        fits = fits and type(tree) is DecisionTreeClassifier and _sound(tree.tree_, k, model.n_features_in_)
    if not fits:
        raise BadBundle(f"{folder} holds a forest whose trees point outside themselves")
    forest._model = model
    return forest


def _sound(tree: Any, classes: int, features: int) -> bool:
    left, right, n = tree.children_left, tree.children_right, tree.node_count
    inner = left != -1
    return bool(
        n > 0
        and tree.n_features == features
        and tree.value.shape == (n, 1, classes)
        and np.all((right != -1) == inner)
        and walkable(np.concatenate([left[inner], right[inner]]), n)
        and np.all((tree.feature[inner] >= 0) & (tree.feature[inner] < features))
    )


FAMILIES.register(Family(NAME, SPACE, DEFAULTS, build, load))
