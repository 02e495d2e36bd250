"""A nested search beside scikit-learn's own nested grid search over joblib: wall time, fits, time beyond the fits.

    python tests/benchmarks/search.py --candidates 40 --repeat 3

Both try the same candidates of an SVM on the same made table with EmoBox's folds, and judge each fold by what the
others chose. `GridSearchCV` inside a loop over judges fits K(K-1) times a candidate, ours K(K-1)/2 times. Both are
whole processes, run in turn; Ray's start is ours to pay.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ravdess.families import Family, family
from ravdess.search.plan import random_candidates
from tests.search import toys


def table(columns: int) -> Any:
    """384 takes of 24 actors."""
    return toys.table(range(1, 25), columns=columns, noise=9)


def candidates(count: int) -> list[dict[str, Any]]:
    return [dict(candidate.params) for candidate in random_candidates(family("svm"), samples=count, seed=0)]


def ours(count: int, columns: int) -> None:
    """The search, without a grid, so that both try the same; print what it cost."""
    from ravdess.search import search
    from storage import Store

    with tempfile.TemporaryDirectory() as home:
        result = search(table(columns), Store(home), families=["svm"], features="toy", samples=count, grid=0)
        print(json.dumps({"uar": float(result.results["uar"][0]), **result.summary["effort"]}))


class Plain:
    """The same machine with scikit-learn's interface, standardised by its training rows."""

    def __init__(self, one: Family | None = None, params: dict[str, Any] | None = None) -> None:
        self.one, self.params = one, params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"one": self.one, "params": self.params}

    def set_params(self, **new: Any) -> Plain:
        self.__dict__.update(new)
        return self

    def fit(self, X: Any, y: Any) -> Plain:
        from sklearn.preprocessing import StandardScaler
        from sklearn.utils.class_weight import compute_sample_weight

        assert self.one is not None
        self.scaler = StandardScaler().fit(X)
        self.model = self.one.build(self.params or {})
        self.model.fit(
            self.scaler.transform(X).astype(np.float32), y, sample_weight=compute_sample_weight("balanced", y)
        )
        self.classes_ = self.model.classes_
        return self

    def predict(self, X: Any) -> Any:
        scores = self.model.predict_proba(self.scaler.transform(X).astype(np.float32))
        return self.classes_[scores.argmax(axis=1)]


def plain(count: int, columns: int) -> None:
    """GridSearchCV inside a loop over judges."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

    from ravdess.splits import folds, groups

    rows = table(columns).sort_values("take", ignore_index=True)
    X, y = rows[[f"f{at}" for at in range(columns)]].to_numpy(), rows["emotion"].to_numpy(dtype=str)
    people = groups(rows)
    fold = np.empty(len(rows), dtype=object)
    for name, members in folds("emobox", people).judges.items():
        fold[np.isin(people, members)] = name
    estimator = type("Estimator", (ClassifierMixin, Plain, BaseEstimator), {})
    predicted = np.empty(len(rows), dtype=object)
    for judge in sorted(set(fold)):
        train = fold != judge
        search = GridSearchCV(
            estimator(family("svm"), {}), {"params": candidates(count)}, scoring="balanced_accuracy",
            cv=LeaveOneGroupOut(), n_jobs=-1,
        )  # fmt: skip
        search.fit(X[train], y[train], groups=fold[train])
        predicted[~train] = search.predict(X[~train])
    fits = 6 * 5 * count
    print(json.dumps({"uar": balanced_accuracy_score(y, predicted.astype(str)), "fits": fits}))


def process(what: str, count: int, columns: int) -> tuple[float, dict[str, Any]]:
    """Wall time of a whole process, and what it printed."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "tests.benchmarks.search", what, str(count), str(columns)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return time.perf_counter() - began, dict(json.loads(ran.stdout.splitlines()[-1]))


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    ratios, beyond = [], []
    for run in range(args.repeat):
        (mine, cost), (theirs, other) = (process(what, args.candidates, args.columns) for what in ("ours", "plain"))
        if abs(cost["uar"] - other["uar"]) > 0.02:
            raise SystemExit(f"the two do not find the same: UAR {cost['uar']:.3f} and {other['uar']:.3f}")
        ratios.append(mine / theirs)
        beyond.append(cost["beyond_the_fits_a_trial"])
        print(f"pair {run + 1}: wall {ratios[-1]:.2f}, {beyond[-1]:.2f} s a trial beyond the fits", file=sys.stderr)
    print(f"| nested search beside GridSearchCV, {args.candidates} candidates | median (least to most) |")
    print("| --- | --- |")
    print(f"| wall time, Ray's start included | {spread(ratios)} |")
    print(f"| fits | {cost['fits'] / other['fits']:.2f} |")
    print(f"| seconds a trial beyond the fits | {spread(beyond)} |")


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in ("ours", "plain"):
        {"ours": ours, "plain": plain}[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
