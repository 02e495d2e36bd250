"""The numbers of fitted decision trees as plain arrays: walked by NumPy, saved as ``.npz``.

So a saved forest is loaded in milliseconds and needs neither scikit-learn nor its two seconds of imports. The sums are
taken in the same order and the same precision, so the probabilities are scikit-learn's to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families.common import walkable
from ravdess.families.npz_file import MODEL, reading

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

LEAF: Final = -1
_ARRAYS: Final = ("sizes", "feature", "threshold", "left", "right", "values", "columns")
_WHOLE: Final = frozenset(("sizes", "feature", "left", "right", "columns"))
_WALKS: Final = 1 << 20
"""Walks at once, of a row down a tree."""


@dataclass(frozen=True, eq=False)
class Trees:
    """Binary trees, their nodes one after another, each tree's root first.

    Attributes
    ----------
    sizes : np.ndarray [shape=(t,)]
        Nodes of each tree.
    feature, threshold : np.ndarray [shape=(n,)]
        A node sends a row with ``row[feature] <= threshold`` to the left; unused at a leaf.
    left, right : np.ndarray [shape=(n,)]
        Children by their number within the tree; `LEAF` twice at a leaf.
    values : np.ndarray [shape=(leaves, k)]
        What the leaves say, in the order of the nodes.
    columns : int > 0
        Of a row.
    """

    sizes: Places
    feature: Places
    threshold: Floats
    left: Places
    right: Places
    values: Floats
    columns: int

    def __post_init__(self) -> None:
        n = len(self.feature)
        fits = (
            self.sizes.ndim == 1
            and len(self.sizes) > 0
            and int(self.sizes.min()) > 0
            and int(self.sizes.sum()) == n
            and all(part.shape == (n,) for part in (self.feature, self.threshold, self.left, self.right))
            and self.values.ndim == 2
            and len(self.values) == int((self.left == LEAF).sum())
            and bool(np.isfinite(self.threshold).all() and np.isfinite(self.values).all())
        )
        if not fits or not self._walkable():
            raise BadBundle("trees that point outside themselves")

    def _walkable(self) -> bool:
        """Whether every walk stays within its tree and ends: no child is shared, a root, or of another tree."""
        inner = self.left != LEAF
        starts = np.cumsum(self.sizes)[:-1]
        trees = zip(*(np.split(part, starts) for part in (self.left, self.right, inner)), strict=True)
        return bool(
            np.array_equal(self.right != LEAF, inner)
            and np.all((self.feature[inner] >= 0) & (self.feature[inner] < self.columns))
            and all(walkable(np.concatenate([left[here], right[here]]), len(left)) for left, right, here in trees)
        )

    @classmethod
    def of(cls, forest: Any) -> Trees:
        """Of a fitted `sklearn.ensemble.RandomForestClassifier`."""
        grown = [tree.tree_ for tree in forest.estimators_]

        def joined(name: str, kind: type) -> NDArray[Any]:
            return np.concatenate([np.asarray(getattr(tree, name)) for tree in grown]).astype(kind)

        left = joined("children_left", np.intp)
        leaf = left == LEAF
        return cls(
            np.array([tree.node_count for tree in grown], dtype=np.intp),
            np.where(leaf, 0, joined("feature", np.intp)),
            np.where(leaf, 0, joined("threshold", np.float64)),
            left,
            joined("children_right", np.intp),
            joined("value", np.float64)[leaf, 0],
            int(forest.n_features_in_),
        )

    @cached_property
    def _steps(self) -> tuple[Places, Places, Places]:
        """Where each node sends a row, left and right, itself at a leaf; and which leaf it is."""
        leaf, here = self.left == LEAF, np.arange(len(self.left))
        first = np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        return (
            np.where(leaf, here, self.left + first),
            np.where(leaf, here, self.right + first),
            np.cumsum(leaf) - 1,
        )

    def leaves(self, X: ArrayLike) -> Places:
        """Which leaf each row reaches in each tree [shape=(rows, t)]; rows are taken in float32, as they were grown."""
        rows = np.asarray(X, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise ValueError(f"rows of shape {rows.shape}, expected {self.columns} columns")
        left, right, leaf = self._steps
        at: Places = np.tile(np.cumsum(self.sizes) - self.sizes, (len(rows), 1))
        of = np.arange(len(rows))[:, None]
        while True:
            onward = np.where(rows[of, self.feature[at]] <= self.threshold[at], left[at], right[at])
            if np.array_equal(onward, at):
                return leaf[at]
            at = onward

    def mean(self, X: ArrayLike) -> Floats:
        """Mean over the trees of what the leaves say [shape=(rows, k)]."""
        rows = np.asarray(X)
        total = np.zeros((len(rows), self.values.shape[1]))
        step = max(1, _WALKS // len(self.sizes))
        for at in range(0, len(rows), step):
            # One tree after another: the order decides the last bit.
            for reached in self.leaves(rows[at : at + step]).T:
                total[at : at + step] += self.values[reached]
        return total / len(self.sizes)

    def save(self, folder: Path) -> None:
        """Write ``model.npz`` into `folder`."""
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        small = {name: part.astype(np.int32) if name in _WHOLE else part for name, part in arrays.items()}
        np.savez_compressed(folder / MODEL, **small)

    @classmethod
    def load(cls, folder: Path) -> Trees:
        """The inverse of `save`. Raises BadBundle for anything but such a file; nothing is unpickled."""
        with reading(folder, "a forest") as file:
            parts = {name: np.asarray(file[name]) for name in _ARRAYS}
            columns = int(parts.pop("columns"))
            whole = {name: parts[name].astype(np.intp, casting="safe") for name in parts if name in _WHOLE}
            floats = {name: parts[name].astype(np.float64, casting="safe") for name in parts if name not in _WHOLE}
            return cls(
                whole["sizes"],
                whole["feature"],
                floats["threshold"],
                whole["left"],
                whole["right"],
                floats["values"],
                columns,
            )
