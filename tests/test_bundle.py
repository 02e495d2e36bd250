"""The bundle: nothing lost by saving and loading, and nothing loaded that was changed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravdess.bundle import Bundle
from ravdess.bundle_files import INDEX
from ravdess.clips import EMOTIONS
from ravdess.enrolment import Enrolment
from ravdess.errors import BadBundle, BadTable
from ravdess.families import family
from ravdess.features import FEATURE_SETS, FeatureSet
from ravdess.scaling import Standardiser

COLUMNS = tuple(f"mfcc_{i}" for i in range(6))


def rows(n: int = 60) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    y = np.array(["sad", "calm", "angry"] * (n // 3))
    X = rng.normal(size=(n, 6)) * [1, 10, 100, 1, 1, 1] + (y == "sad")[:, None] * 3
    return X, y, np.repeat(["ravdess/01", "ravdess/02"], n // 2)


def made(name: str = "svm", **change: Any) -> Bundle:
    X, y, owner = rows()
    if change.get("enrolled"):
        change["speakers"] = Enrolment.fit(X, owner)
        X = change["speakers"].transform(X, owner)
    scale = Standardiser.fit(X)
    estimator = family(name).build({}).fit(scale.transform(X), y)
    whole: dict[str, Any] = {
        "estimator": estimator,
        "family": name,
        "params": {"C": 1.0},
        "features": "no_registered_set",
        "fingerprint": "0123456789abcdef",
        "columns": COLUMNS,
        "standardiser": scale,
        "scores": {"protocol": "loao", "uar": 0.5},
        "facts": {"seed": 0, "actors": {1: "one"}},
    }
    return Bundle(**{**whole, **change})


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change `bundle.json` as someone would who knows how its checksum is made."""
    told = json.loads((folder / INDEX).read_text())
    del told["sha256"]
    change(told)
    told["sha256"] = hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    (folder / INDEX).write_text(json.dumps(told))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    made().save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_loading_gives_back_all_that_was_saved(tmp_path: Path) -> None:
    first = made()
    first.save(tmp_path)
    again = Bundle.load(tmp_path)
    X, _, _ = rows()
    assert np.abs(first.predict_proba(X) - again.predict_proba(X)).max() <= 1e-6
    for field in dataclasses.fields(Bundle):
        if field.name not in {"estimator", "standardiser", "facts"}:
            assert getattr(again, field.name) == getattr(first, field.name), field.name
    assert again.facts == {"seed": 0, "actors": {"1": "one"}}, "JSON has no whole numbers as keys"
    told = json.loads((tmp_path / INDEX).read_text())
    assert {"python", "numpy", "scikit-learn", "skops"} <= set(told["versions"])


def test_probabilities_stand_in_label_order_and_an_unseen_emotion_has_none() -> None:
    X, y, _ = rows()
    bundle = made()
    p = bundle.predict_proba(X)
    assert p.shape == (60, 8)
    assert np.abs(p.sum(axis=1) - 1).max() < 1e-9
    known = [EMOTIONS.index(word) for word in ("calm", "sad", "angry")]
    assert (p[:, [i for i in range(8) if i not in known]] == 0).all()
    assert (p[:, known] > 0).all()
    assert (bundle.predict(X) == y).mean() > 0.6
    assert bundle.predict(X).tolist() == [EMOTIONS[i] for i in p.argmax(axis=1)]


def test_no_rows_get_no_probabilities() -> None:
    assert made().predict_proba(np.zeros((0, 6))).shape == (0, 8)
    assert made().predict(np.zeros((0, 6))).tolist() == []


def test_a_frames_columns_are_taken_by_name_and_others_are_ignored() -> None:
    X, _, _ = rows()
    bundle = made()
    frame = pd.DataFrame(X, columns=list(COLUMNS))[list(COLUMNS[::-1])].assign(take="x")
    assert np.array_equal(bundle.predict_proba(frame), bundle.predict_proba(X))


def test_wrong_columns_are_named() -> None:
    X, _, _ = rows()
    bundle = made()
    with pytest.raises(BadTable, match="1 of 6 columns of 'no_registered_set' are missing: mfcc_3"):
        bundle.predict_proba(pd.DataFrame(X, columns=list(COLUMNS)).drop(columns="mfcc_3"))
    with pytest.raises(BadTable, match=r"expected rows of the 6 columns .* not an array of shape \(60, 5\)"):
        bundle.predict_proba(X[:, :5])
    with pytest.raises(BadTable, match="not finite"):
        bundle.predict_proba(np.where(X[3, 0] == X, np.nan, X))


def test_an_enrolled_model_normalises_by_actor_and_wants_to_know_them() -> None:
    X, _, owner = rows()
    bundle = made(enrolled=True)
    p = bundle.predict_proba(X, owner)
    frame = pd.DataFrame(X, columns=list(COLUMNS)).assign(corpus="ravdess", actor=[name[-2:] for name in owner])
    assert np.array_equal(p, bundle.predict_proba(frame))
    moved = np.where((owner == "ravdess/01")[:, None], X * 7 + 100, X)
    assert np.abs(p - bundle.predict_proba(moved, owner))[owner == "ravdess/02"].max() == 0, "nobody else's do matter"
    with pytest.raises(BadTable, match=r"this model is enrolled.*pass groups"):
        bundle.predict_proba(X)


def test_a_speaker_is_enrolled_by_clips_beside_the_ones_asked_about(tmp_path: Path) -> None:
    X, _, owner = rows()
    first = made(enrolled=True)
    first.save(tmp_path)
    bundle = Bundle.load(tmp_path)
    mine = X[owner == "ravdess/01"]
    p = bundle.predict_proba(mine, enrolment=bundle.enrol(mine))
    among_others = bundle.predict_proba(X, owner)[owner == "ravdess/01"]
    np.testing.assert_allclose(p, among_others, rtol=1e-9)  # a product of more rows may be summed in another order
    who = bundle.enrol(pd.DataFrame(mine, columns=list(COLUMNS)))
    np.testing.assert_allclose(p[:1], bundle.predict_proba(mine[:1], enrolment=who), rtol=1e-9)
    unknown = bundle.predict_proba(mine[:1], enrolment=bundle.enrol(mine[:0]))
    assert np.abs(unknown.sum() - 1) < 1e-9
    assert np.abs(unknown - p[:1]).max() > 1e-6
    with pytest.raises(BadTable, match="expected rows of the 6 columns"):
        bundle.enrol(mine[:, :5])
    with pytest.raises(BadTable, match="not enrolled"):
        made().enrol(mine)


@functools.cache
def files_once() -> dict[str, bytes]:
    return made().to_files()


@given(st.data())
@settings(max_examples=60)
def test_no_changed_byte_is_loaded(data: st.DataObject) -> None:
    files = files_once()
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    changed = bytearray(files[name])
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        Bundle.from_files({**files, name: bytes(changed)})
    except BadBundle:
        return
    assert name == INDEX, f"byte {at} of {name} changed and was not seen"
    assert json.loads(changed) == json.loads(files[INDEX]), "white space alone may change"


@pytest.mark.parametrize("gone", ["model.npz", "model.json", INDEX])
def test_a_missing_file_is_named(saved: Path, gone: str) -> None:
    (saved / gone).unlink()
    with pytest.raises(BadBundle, match=gone):
        Bundle.load(saved)


def test_an_unfinished_save_is_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made().save(tmp_path)
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target).name == INDEX:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        made().save(tmp_path)
    with pytest.raises(BadBundle, match="no bundle or an unfinished one"):
        Bundle.load(tmp_path)


@pytest.mark.parametrize("trick", ["../outside", "/etc/passwd", "..", "a/b", ".hidden", "", INDEX])
def test_a_listed_path_that_leads_elsewhere_is_refused(saved: Path, trick: str) -> None:
    (saved.parent / "outside").write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    rewrite(saved, lambda told: told["files"].update({trick: {"sha256": digest, "bytes": 1}}))
    with pytest.raises(BadBundle, match="no plain file name"):
        Bundle.load(saved)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("went_off"),)


def test_nothing_is_unpickled(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an unlisted pickle nor one in the model's place, correctly listed, is executed."""
    monkeypatch.chdir(saved)
    bomb = pickle.dumps(Bomb())
    (saved / "extra.pkl").write_bytes(bomb)
    Bundle.load(saved)
    for name in ("model.npz", "model.json"):
        kept = (saved / name).read_bytes()
        (saved / name).write_bytes(bomb)
        digest = hashlib.sha256(bomb).hexdigest()
        rewrite(saved, lambda told, name=name, digest=digest: told["files"][name].update(sha256=digest))  # type: ignore[misc]
        with pytest.raises(BadBundle):
            Bundle.load(saved)
        (saved / name).write_bytes(kept)
    assert not Path("went_off").exists()


def test_a_model_of_other_features_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(FEATURE_SETS)  # all that there are, before one is added
    other = FeatureSet("no_registered_set", COLUMNS, 22050, lambda y: y)
    monkeypatch.setitem(FEATURE_SETS._items, other.name, other)
    with pytest.raises(BadBundle, match=f"fingerprint 0123456789abcdef, which here is {other.fingerprint}"):
        Bundle.load(saved)
    rewrite(saved, lambda told: told.update(fingerprint=other.fingerprint))
    assert Bundle.load(saved).fingerprint == other.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "has format 2, this version of ravdess reads 1"),
        ({"family": "oracle"}, "unknown family 'oracle', expected one of"),
        ({"family": "xgboost"}, "describes a model of family 'svm'"),
        ({"columns": ["one"]}, "1 columns .* do not fit"),
        ({"labels": ["sad"]}, r"labels \['angry', 'calm'\], which are not among"),
        ({"standardiser": {}}, "standardiser"),
        ({"probe": [[0.2, 0.3, 0.5]] * 4}, "says something else here .* than with python"),
        ({"probe": "?"}, "does not hang together"),
        ({"files": {"model.json": "?"}}, "incomplete"),
    ],
)
def test_what_does_not_hang_together_is_refused(saved: Path, change: dict[str, Any], message: str) -> None:
    rewrite(saved, lambda told: told.update(change))
    with pytest.raises(BadBundle, match=message):
        Bundle.load(saved)


def test_the_licence_follows_the_corpus() -> None:
    assert "CC BY-NC-SA 4.0" in made().licence
    assert "inherits" in made().licence
    assert "made by a program" in made(corpora=("sample",)).licence
    assert "NC" not in made(corpora=("sample",)).licence
    both = made(corpora=("ravdess", "elsewhere")).licence
    assert "CC BY-NC-SA 4.0" in both
    assert "ask for its terms" in both


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for bad in (float("nan"), np.zeros(3)):
        with pytest.raises(BadBundle, match="finite JSON values"):
            made(scores={"uar": bad}).save(tmp_path / "new")
    assert not (tmp_path / "new" / INDEX).exists()


@pytest.mark.parametrize("name", ["random_forest", "xgboost", "lightgbm", "mlp"])
def test_every_family_fits_into_a_bundle(name: str, tmp_path: Path) -> None:
    X, _, _ = rows()
    first = made(name)
    first.save(tmp_path)
    assert np.abs(first.predict_proba(X) - Bundle.load(tmp_path).predict_proba(X)).max() <= 1e-6
