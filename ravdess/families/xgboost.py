"""XGBoost, gradient boosted trees by histograms (Chen & Guestrin 2016, doi 10.1145/2939672.2939785)."""

from __future__ import annotations

import json
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

NAME: Final = "xgboost"
SPACE: Final[Space] = {
    "max_depth": Integer(2, 7, step=1.0),
    "learning_rate": Real(0.03, 0.3, step=1.8, log=True),
    "min_child_weight": Real(0.5, 16.0, step=2.0, log=True),
    "subsample": Real(0.5, 1.0, step=0.15),
    "colsample_bynode": Real(0.05, 0.6, step=2.0, log=True),
    "reg_lambda": Real(0.1, 10.0, step=3.0, log=True),
}
"""A low `colsample_bynode` is what makes 1000 columns affordable, and it decorrelates the trees."""
DEFAULTS: Final[Params] = {
    "n_estimators": 200,
    "max_depth": 4,
    "learning_rate": 0.1,
    "min_child_weight": 1.0,
    "subsample": 0.8,
    "colsample_bynode": 0.3,
    "reg_lambda": 1.0,
}
STAGES: Final = (25, 50, 100, 150, 200, 300)
MODEL: Final = "model.ubj"


class Boosted:
    """A native XGBoost booster on the families' contract."""

    classes_: Labels

    def __init__(self, params: Params, seed: int = 0, threads: int = 1) -> None:
        self.params = settle(NAME, SPACE, DEFAULTS, params)
        self.seed, self.threads = seed, threads
        self._booster: Any = None

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Boosted:
        import xgboost

        self.classes_, codes = encode(y)
        options = {name: value for name, value in self.params.items() if name != "n_estimators"}
        options |= {
            "objective": "multi:softprob",
            "num_class": len(self.classes_),
            "tree_method": "hist",
            "max_bin": 64,
            "device": "cpu",
            "seed": self.seed,
            "nthread": self.threads,
            "verbosity": 1,
        }
        rows = xgboost.DMatrix(X, codes, weight=even_mean(sample_weight, len(codes)), nthread=self.threads)
        self._booster = xgboost.train(options, rows, num_boost_round=self._rounds)
        return self

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        return self._predict(self._rows(X), self._rounds)

    def staged_predict_proba(self, X: Floats) -> Iterator[NDArray[np.float64]]:
        rows = self._rows(X)
        for stage in reached(STAGES, self._rounds):
            yield self._predict(rows, stage)

    def save(self, folder: Path) -> None:
        write_about(folder, NAME, self.classes_, self.params, seed=self.seed)
        self._booster.save_model(folder / MODEL)

    @property
    def _rounds(self) -> int:
        return whole(self.params, "n_estimators")

    def _rows(self, X: Floats) -> Any:
        import xgboost

        return xgboost.DMatrix(np.asarray(X, dtype=np.float32), nthread=self.threads)

    def _predict(self, rows: Any, rounds: int) -> NDArray[np.float64]:
        return unit_rows(self._booster.predict(rows, iteration_range=(0, rounds)))


def build(params: Params, seed: int = 0, threads: int = 1) -> Boosted:
    """An unfitted booster."""
    return Boosted(params, seed, threads)


def load(folder: Path) -> Boosted:
    """The inverse of `Boosted.save`. Raises BadBundle for anything but such a folder."""
    import xgboost

    about = read_about(folder, NAME)
    boosted = Boosted(about["params"], about.get("seed", 0))
    boosted.classes_ = np.array(about["classes"], dtype=np.str_)
    path = folder / MODEL
    try:
        booster = xgboost.Booster({"nthread": 1}, model_file=path)
        rounds, outputs = booster.num_boosted_rounds(), _inspect(booster)
    except (xgboost.core.XGBoostError, OSError, ValueError, KeyError) as error:
        raise BadBundle(f"{path} cannot be read as an XGBoost model: {error}") from error
    if rounds != boosted._rounds or outputs != len(boosted.classes_):
        raise BadBundle(
            f"{path} holds {rounds} rounds for {outputs} classes, "
            f"expected {boosted._rounds} for {len(boosted.classes_)}"
        )
    boosted._booster = booster
    return boosted


def _inspect(booster: Any) -> int:
    """The number of classes. Raises ValueError or KeyError unless every tree points inside itself."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    model, sizes = learner["gradient_booster"]["model"], learner["learner_model_param"]
    classes, features = int(sizes["num_class"]), int(sizes["num_feature"])
    for tree, output in zip(model["trees"], model["tree_info"], strict=True):
        left, right, split = (np.array(tree[k]) for k in ("left_children", "right_children", "split_indices"))
        inner = left != -1
        if not (
            len(left)
            == len(right)
            == len(split)
            == len(tree["split_conditions"])
            == int(tree["tree_param"]["num_nodes"])
            and np.all((right != -1) == inner)
            and walkable(np.concatenate([left[inner], right[inner]]), len(left))
            and np.all((split[inner] >= 0) & (split[inner] < features))
            and not any(tree["split_type"])
            and 0 <= output < classes
        ):
            raise ValueError("a tree points outside itself")
    return classes


FAMILIES.register(Family(NAME, SPACE, DEFAULTS, build, load, "n_estimators", STAGES))
