"""LightGBM, gradient boosted trees grown leaf by leaf (Ke et al. 2017, NeurIPS 30)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families import FAMILIES, Family
from ravdess.families.common import (
    encode,
    even_mean,
    reached,
    read_about,
    settle,
    unit_rows,
    walkable,
    whole,
    write_about,
)
from ravdess.families.space import Integer, Params, Real, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Floats, Labels

NAME: Final = "lightgbm"
SPACE: Final[Space] = {
    "num_leaves": Integer(4, 48, step=1.8, log=True),
    "learning_rate": Real(0.03, 0.3, step=1.8, log=True),
    "min_child_samples": Integer(3, 50, step=1.8, log=True),
    "bagging_fraction": Real(0.5, 1.0, step=0.15),
    "feature_fraction": Real(0.05, 0.6, step=2.0, log=True),
    "reg_lambda": Real(0.01, 10.0, step=5.0, log=True),
}
DEFAULTS: Final[Params] = {
    "n_estimators": 200,
    "num_leaves": 15,
    "learning_rate": 0.1,
    "min_child_samples": 20,
    "bagging_fraction": 0.8,
    "feature_fraction": 0.3,
    "reg_lambda": 1.0,
}
STAGES: Final = (25, 50, 100, 150, 200, 300)
MODEL: Final = "model.txt"


class Boosted:
    """A native LightGBM booster on the families' contract."""

    classes_: Labels

    def __init__(self, params: Params, seed: int = 0, threads: int = 1) -> None:
        self.params = settle(NAME, SPACE, DEFAULTS, params)
        self.seed, self.threads = seed, threads
        self._booster: Any = None

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Boosted:
        import lightgbm

        self.classes_, codes = encode(y)
        options = {name: value for name, value in self.params.items() if name != "n_estimators"}
        options |= {
            "objective": "multiclass",
            "num_class": len(self.classes_),
            "max_bin": 63,
            "bagging_freq": 1,
            "seed": self.seed,
            "num_threads": self.threads,
            "verbosity": -1,
            # Together these make the sums, and so the trees, the same for any number of threads.
            "deterministic": True,
            "force_row_wise": True,
        }
        rows = lightgbm.Dataset(np.asarray(X), codes, weight=even_mean(sample_weight, len(codes)), params=options)
        self._booster = lightgbm.train(options, rows, num_boost_round=self._rounds)
        return self

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        return self._predict(X, self._rounds)

    def staged_predict_proba(self, X: Floats) -> Iterator[NDArray[np.float64]]:
        for stage in reached(STAGES, self._rounds):
            yield self._predict(X, stage)

    def save(self, folder: Path) -> None:
        write_about(folder, NAME, self.classes_, self.params, seed=self.seed)
        self._booster.save_model(folder / MODEL, num_iteration=-1)

    @property
    def _rounds(self) -> int:
        return whole(self.params, "n_estimators")

    def _predict(self, X: Floats, rounds: int) -> NDArray[np.float64]:
        rows = np.asarray(X, dtype=np.float32)
        return unit_rows(self._booster.predict(rows, num_iteration=rounds, num_threads=self.threads))


def build(params: Params, seed: int = 0, threads: int = 1) -> Boosted:
    """An unfitted booster."""
    return Boosted(params, seed, threads)


def load(folder: Path) -> Boosted:
    """The inverse of `Boosted.save`. Raises BadBundle for anything but such a folder."""
    import lightgbm

    about = read_about(folder, NAME)
    boosted = Boosted(about["params"], about.get("seed", 0))
    boosted.classes_ = np.array(about["classes"], dtype=np.str_)
    path = folder / MODEL
    try:
        text = path.read_text(encoding="utf-8")
        _inspect(text)
        booster = lightgbm.Booster(model_str=text)
        outputs, rounds = booster.num_model_per_iteration(), booster.current_iteration()
    except (lightgbm.basic.LightGBMError, OSError, ValueError, KeyError) as error:
        raise BadBundle(f"{path} cannot be read as a LightGBM model: {error}") from error
    if outputs != len(boosted.classes_) or rounds > boosted._rounds:
        raise BadBundle(
            f"{path} holds {rounds} rounds for {outputs} classes, "
            f"expected {boosted._rounds} for {len(boosted.classes_)}"
        )
    boosted._booster = booster
    return boosted


def _inspect(text: str) -> None:
    """Raise ValueError or KeyError unless the trees are whole and point inside themselves.

    LightGBM reads trees in parallel by the sizes that the header gives, and walks them without looking: of a file cut
    in half it makes an abort of the whole process.
    """
    header, _, body = text.partition("\n\n")
    head = _fields(header)
    features = int(head["max_feature_idx"]) + 1
    start = 0
    for number, size in enumerate(map(int, head["tree_sizes"].split())):
        tree = body[start : start + size]
        start += size
        if len(tree) != size or not tree.startswith(f"Tree={number}\n"):
            raise ValueError(f"tree {number} is not where the header says")
        _inspect_tree(_fields(tree), features)
    if not body.startswith("end of trees", start):
        raise ValueError("the trees do not end where the header says")


def _inspect_tree(tree: dict[str, str], features: int) -> None:
    leaves = int(tree["num_leaves"])
    if int(tree["num_cat"]) != 0 or int(tree["is_linear"]) != 0 or len(tree["leaf_value"].split()) != leaves:
        raise ValueError("a tree is of no kind that this family grows")
    if leaves == 1:
        return
    split, left, right = (
        np.array(tree[name].split(), dtype=np.int64) for name in ("split_feature", "left_child", "right_child")
    )
    lengths = {len(split), len(left), len(right), *(len(tree[name].split()) for name in ("threshold", "decision_type"))}
    children = np.concatenate([left, right])
    inner, ends = children[children >= 0], ~children[children < 0]  # a leaf is written as its complement
    if not (
        lengths == {leaves - 1}
        and np.all((split >= 0) & (split < features))
        and np.all(ends < leaves)
        and walkable(inner, leaves - 1)
    ):
        raise ValueError("a tree points outside itself")


def _fields(lines: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)


FAMILIES.register(Family(NAME, SPACE, DEFAULTS, build, load, "n_estimators", STAGES))
