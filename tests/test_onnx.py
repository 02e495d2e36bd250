"""An exported model says what the bundle says, by another library that knows nothing of this project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess.bundle import Bundle
from ravdess.calibration import Calibration
from ravdess.errors import BadBundle
from ravdess.families import FAMILIES
from ravdess.onnx import PARTS, export, to_onnx
from ravdess.onnx.trees import round_down
from tests.test_bundle import COLUMNS, made, rows


def ask(data: bytes, X: Any) -> dict[str, Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == ["features"]
    names = [one.name for one in session.get_outputs()]
    said = dict(zip(names, session.run(None, {"features": np.asarray(X, dtype=np.float32)}), strict=True))
    return {**said, "metadata": session.get_modelmeta().custom_metadata_map}


def test_every_family_on_features_has_an_export() -> None:
    assert set(PARTS) == {name for name in FAMILIES if FAMILIES[name].input == "table" and name != "fusion"}


@pytest.mark.parametrize("name", sorted(PARTS))
def test_an_exported_model_says_the_same(name: str, tmp_path: Path) -> None:
    bundle = made(name, calibration=Calibration(temperature=0.6, threshold=0.4))
    X, _, _ = rows()
    X = np.concatenate([X, X * 3, np.random.default_rng(1).normal(size=(500, 6)) * [1, 10, 100, 1, 1, 1]])
    X = X.astype(np.float32)
    path, beside = export(bundle, tmp_path / "model.onnx")
    said = ask(path.read_bytes(), X)
    expected = bundle.predict_proba(X)
    assert np.abs(said["probabilities"] - expected).max() <= 1e-4
    assert np.abs(said["calibrated"] - bundle.calibrated(expected)).max() <= 1e-4
    assert ask(path.read_bytes(), X[:1])["probabilities"] == pytest.approx(said["probabilities"][:1], abs=1e-6)
    told = json.loads(beside.read_text())
    assert told["columns"] == list(COLUMNS)
    assert told["threshold"] == 0.4
    assert json.loads(said["metadata"]["labels"]) == told["labels"] == list(bundle.labels)
    assert said["metadata"]["fingerprint"] == bundle.fingerprint


@pytest.mark.parametrize("params", [{"kernel": "linear"}, {"kernel": "rbf", "C": 50.0, "gamma": 3.0}])
def test_machines_of_both_kernels_and_of_two_classes(params: dict[str, Any]) -> None:
    from ravdess.families import family

    X, y, _ = rows()
    for keep in (np.ones(len(y), dtype=bool), y != "calm"):
        scale = made().standardiser
        assert scale is not None
        fitted = family("svm").build(params).fit(scale.transform(X[keep]), y[keep])
        bundle = made(estimator=fitted)
        X32 = X.astype(np.float32)
        assert np.abs(ask(to_onnx(bundle), X32)["probabilities"] - bundle.predict_proba(X32)).max() <= 1e-5


def test_a_real_feature_set_tells_how_its_numbers_are_made(made_store: Path) -> None:
    from storage import Store

    store = Store(made_store)
    bundle = Bundle.load(Path(store.model("made-lightgbm-mfcc_stats").path()))
    X = store.features("mfcc_stats")[list(bundle.columns)].to_numpy()
    said = ask(to_onnx(bundle), X)
    assert np.abs(said["probabilities"] - bundle.predict_proba(X)).max() <= 1e-4
    assert said["metadata"]["sample_rate"] == "22050"
    assert 'feature_set("mfcc_stats").extract(y, sr)' in json.loads(said["metadata"]["preprocessing"])[2]
    assert "made by a program" in said["metadata"]["licence"]


def test_a_threshold_is_never_rounded_up() -> None:
    t = np.random.default_rng(0).normal(size=10_000) * np.logspace(-20, 20, 10_000)
    down = round_down(t)
    assert (down.astype(np.float64) <= t).all()
    assert (np.nextafter(down, np.float32(np.inf)).astype(np.float64) > t).all()


def test_a_family_without_an_export_says_so() -> None:
    import dataclasses

    with pytest.raises(BadBundle, match=r"models of 'oracle' have no ONNX export, only those of \['lda', 'lightgbm'"):
        to_onnx(dataclasses.replace(made(), family="oracle"))
