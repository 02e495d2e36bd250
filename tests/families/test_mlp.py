"""The dense network: what a saved file may hold, and that it is quiet, small and blind to its process."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ravdess.errors import BadBundle
from ravdess.families import family

QUICK = {"epochs": 10}


def rows() -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    rng = np.random.default_rng(3)
    y = np.array(["angry", "calm", "sad"] * 30)
    return (rng.normal(size=(90, 6)) + np.arange(90)[:, None] % 3).astype(np.float32), y


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    X, y = rows()
    family("mlp").build(QUICK).fit(X, y).save(tmp_path)
    return tmp_path


@pytest.fixture
def old(saved: Path) -> Path:
    """As networks were kept before they were arrays: a Keras file."""
    import keras

    from ravdess.families.mlp import DEFAULTS, _network

    (saved / "model.npz").unlink()
    model = _network(keras, 6, 3, {**DEFAULTS, **QUICK}, 0)
    rng = np.random.default_rng(5)  # a normalisation that has seen something
    model.set_weights(
        [
            rng.normal(0, 0.1, one.shape) if one.ndim > 1 else rng.uniform(0.5, 2, one.shape)
            for one in model.get_weights()
        ]
    )
    model.save(saved / "model.keras")
    return saved


def test_a_keras_file_of_an_earlier_version_answers_as_keras_does(old: Path) -> None:
    import keras

    X, _ = rows()
    logits = np.array(keras.saving.load_model(old / "model.keras", compile=False)(X, training=False), np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loaded = family("mlp").load(old)
    assert np.abs(loaded.predict_proba(X) - expected).max() < 1e-5
    (old / "model.keras").unlink()
    loaded.save(old)
    assert np.array_equal(family("mlp").load(old).predict_proba(X), loaded.predict_proba(X))


def test_it_answers_without_tensorflow(saved: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; from ravdess.families import family;"
        f"family('mlp').load(Path({str(saved)!r})).predict_proba(np.ones((2, 6), 'f4')); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"tensorflow", "keras", "sklearn", "scipy"} & set(loaded)


@pytest.mark.parametrize(
    "change",
    [
        {"kernel_1": np.zeros((5, 3), np.float32)},
        {"scale_0": np.full(128, np.nan)},
        {"shift_0": np.array([object()])},
        {"kernel_0": np.zeros((6, 128), np.complex64)},
    ],
)
def test_arrays_that_make_no_network_are_refused(saved: Path, change: dict[str, Any]) -> None:
    with np.load(saved / "model.npz") as file:
        arrays = dict(file)
    np.savez(saved / "model.npz", **{**arrays, **change})
    with pytest.raises(BadBundle, match=r"do not fit together|cannot be read"):
        family("mlp").load(saved)


def rewrite(path: Path, change: Callable[[Any], Any], **more: bytes) -> None:
    """Rewrite the configuration inside a `.keras` file, and add members."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["config.json"] = json.dumps(change(json.loads(members["config.json"]))).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in {**members, **more}.items():
            file.writestr(name, data)


def test_a_lambda_is_refused(old: Path) -> None:
    import keras

    inputs = keras.Input((6,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x[:, :3])(inputs)).save(old / "model.keras")
    with pytest.raises(BadBundle, match=r"names .*'Lambda'.* not loaded"):
        family("mlp").load(old)


@pytest.mark.parametrize(
    "foreign",
    [
        {"module": "os", "class_name": "system", "config": {"command": "true"}, "registered_name": None},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}, "registered_name": None},
        {"module": "subprocess", "class_name": "Dense", "config": {}, "registered_name": None},
        {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "mine>Dense"},
        {"class_name": ["Dense"], "config": {}},
    ],
)
def test_a_foreign_class_is_refused_wherever_it_stands(old: Path, foreign: dict[str, Any]) -> None:
    def change(config: Any) -> Any:
        config["config"]["layers"][1]["config"]["noise_shape"] = [foreign]
        return config

    rewrite(old / "model.keras", change)
    with pytest.raises(BadBundle, match="which no mlp is made of"):
        family("mlp").load(old)


def test_a_member_that_keras_does_not_write_is_refused(old: Path) -> None:
    rewrite(old / "model.keras", lambda config: config, **{"assets/../../evil": b"x"})
    with pytest.raises(BadBundle, match="unexpected members"):
        family("mlp").load(old)


def test_another_number_of_classes_is_refused(saved: Path) -> None:
    about = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps({**about, "classes": ["angry", "calm"]}))
    with pytest.raises(BadBundle, match="expected 2 classes"):
        family("mlp").load(saved)


def test_fewer_rows_than_a_batch_and_a_batch_left_over_are_fitted() -> None:
    X, y = rows()
    for n in (3, 63, 65):
        assert np.isfinite(family("mlp").build(QUICK).fit(X[:n], y[:n]).predict_proba(X)).all()


def test_a_hundred_thousand_rows_are_judged_as_one_would_be() -> None:
    X, y = rows()
    model = family("mlp").build(QUICK).fit(X, y)
    many = np.tile(X, (200, 1))
    assert model.predict_proba(many) == pytest.approx(np.tile(model.predict_proba(X), (200, 1)), abs=1e-6)
    assert model.predict_proba(X[:0]).shape == (0, 3)


def test_fits_do_not_pile_up_in_memory() -> None:
    """Keras's own optimizers leave 7 MB and 7000 objects behind for each fit of a process."""
    X, y = rows()

    def objects_after(fits: int) -> int:
        for _ in range(fits):
            family("mlp").build({"epochs": 1}).fit(X, y).predict_proba(X)
        gc.collect()
        return len(gc.get_objects())

    before = objects_after(2)
    assert objects_after(5) - before < 5 * 100


def test_tensorflow_is_quiet_and_gets_the_threads_it_was_given() -> None:
    code = (
        "import numpy as np; from ravdess.families import family;"
        "X = np.random.default_rng(0).normal(size=(90, 4)).astype('f4'); y = np.array(['sad', 'calm', 'angry'] * 30);"
        "[family('mlp').build({'epochs': 1}, threads=2).fit(X, y).predict_proba(X) for _ in range(7)];"
        "import tensorflow as tf; print(tf.config.threading.get_intra_op_parallelism_threads())"
    )
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "KERAS"))}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=quiet)
    assert said.stdout.strip() == "2"
    assert said.stderr == ""


def test_tensorflow_greets_nobody() -> None:
    code = "from ravdess.families import backend; tf, _ = backend.tensorflow(1); tf.zeros(1)"
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "KERAS"))}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=quiet)
    assert said.stderr == ""
