"""Every registered family passes the suite, and the suite notices one that breaks a promise."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ravdess.enrolment import Enrolment
from ravdess.errors import BadParameter, NameTaken, UnknownName
from ravdess.families import FAMILIES, Family, family
from ravdess.families.random_forest import Forest
from ravdess.families.space import Integer, Real
from ravdess.families.svm import SVM
from ravdess.scaling import Standardiser
from ravdess.splits import groups, split
from ravdess.testing import check_family

TABLES = [name for name in FAMILIES if FAMILIES[name].input == "table"]


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].needs is None])
def test_every_family_keeps_its_promises(name: str) -> None:
    check_family(family(name))


def test_the_zoo_holds_the_five_that_the_readme_names() -> None:
    assert {"svm", "random_forest", "xgboost", "lightgbm", "mlp"} <= set(FAMILIES)


def test_an_unknown_family_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        UnknownName, match=r"unknown family 'smv', expected one of \['audio_cnn', .*'svm', .*'xgboost'\]"
    ):
        family("smv")


def test_a_name_taken_twice_raises() -> None:
    with pytest.raises(NameTaken, match="'svm' is registered already"):
        FAMILIES.register(dataclasses.replace(family("svm")))


@pytest.mark.parametrize("name", list(FAMILIES))
def test_parameters_are_checked_by_name_and_domain(name: str) -> None:
    some = family(name)
    with pytest.raises(UnknownName, match=f"unknown parameter of {name} 'depth_of_thought', expected one of"):
        some.build({"depth_of_thought": 3})
    key = next(key for key, domain in some.space.items() if isinstance(domain, Real | Integer))
    with pytest.raises(BadParameter, match=rf"{name}: {key}=1000000.* is outside its domain"):
        some.build({key: 1000000})
    if some.stage_parameter is not None:
        with pytest.raises(BadParameter, match=f"{name}: {some.stage_parameter}=0 must be a whole number"):
            some.build({some.stage_parameter: 0})


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("enrolled", [False, True])
def test_a_fit_sees_nothing_of_the_judged_actor(name: str, *, enrolled: bool) -> None:
    """Whatever the judged actor's rows and labels are, the model fitted without that actor says the same of others."""
    rng = np.random.default_rng(0)
    actor = np.repeat(["01", "02", "03", "04"], 24)
    table = {"corpus": ["c"] * 96, "actor": actor, "take": [str(i) for i in range(96)]}
    y = np.tile(["sad", "calm", "angry", "happy"], 24)
    X = (rng.normal(size=(96, 8)) + (y == "sad")[:, None]).astype(np.float32)
    judged = actor == "02"

    def fitted(X: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        some, owner = split(table, ["c/02"]), groups(table)
        ready = Enrolment.fit(X[some.train], owner[some.train]).transform(X, owner) if enrolled else X
        scale = Standardiser.fit(ready[some.train])
        stage = {} if family(name).stage_parameter is None else {str(family(name).stage_parameter): 10}
        model = family(name).build(stage, seed=0).fit(scale.transform(ready[some.train]), y[some.train])
        return model.predict_proba(scale.transform(ready[~judged]))

    before = fitted(X, y)
    garbage, words = X.copy(), y.copy()
    garbage[judged] = rng.normal(size=(24, 8)) * 1e6 + 1e6
    words[judged] = "disgust"
    assert np.array_equal(before, fitted(garbage, words))


def test_no_family_imports_its_library_before_it_is_used() -> None:
    code = (
        "import sys; from ravdess.families import FAMILIES; [FAMILIES[name].build({}) for name in list(FAMILIES)];"
        "print([m for m in ('tensorflow', 'keras', 'xgboost', 'lightgbm', 'sklearn', 'skops', 'pandas', 'ray') "
        "if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


class Heedless(SVM):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SVM:
        return super().fit(X, y)


class Restless(Forest):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Forest:
        self.seed += next(COUNTER)
        return super().fit(X, y, sample_weight)


class Scribbler(SVM):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SVM:
        X = np.asarray(X)
        X.flags.writeable = True
        X -= X.mean(axis=0)
        return super().fit(X, y, sample_weight)


class Unfair(SVM):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X) * 1.01


class Herd(SVM):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X - np.mean(X, axis=0))


COUNTER: Iterator[int] = iter(range(1000))


@pytest.mark.parametrize(
    ("kind", "of", "message"),
    [
        (Heedless, "svm", "ignores sample_weight"),
        (Restless, "random_forest", "the same seed gives another model"),
        (Scribbler, "svm", "writes into its input"),
        (Unfair, "svm", "do not sum to 1"),
        (Herd, "svm", "judges a row by its company"),
    ],
)
def test_the_suite_notices_a_broken_promise(
    kind: Callable[..., Any], of: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: Family = dataclasses.replace(family(of), name="broken", build=kind)
    monkeypatch.setitem(FAMILIES._items, "broken", broken)
    with pytest.raises(AssertionError, match=message):
        check_family(broken)
