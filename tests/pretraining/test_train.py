"""A training's steps, that a killed one takes the very same, and that a kept base is checked before it is used."""

from __future__ import annotations

import importlib.util
import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess import bundle_files
from ravdess.errors import BadBundle, BadParameter, NoModel, RunMismatch
from ravdess.families import backend
from ravdess.networks import base as bases
from ravdess.networks import transfer_cnn
from ravdess.pretraining import base, fer2013, train
from ravdess.pretraining.augment import Augmentation
from ravdess.pretraining.optimiser import Optimiser, Recipe, orthogonal
from ravdess.search.shelf import kept_models
from storage import Store

JOB = Path(__file__).parents[2] / "jobs" / "pretrain.py"
tf, keras = backend.tensorflow(1)

spec = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
assert spec is not None
assert spec.loader is not None
fakes: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fakes)


class Memory:
    """A folder in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def exists(self, name: str) -> bool:
        return name in self.files

    def read(self, name: str) -> bytes:
        return self.files[name]

    def write(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def path(self, name: str = "") -> str:
        return f"memory/{name}"


class Killed(Exception):
    pass


def fit(
    folder: Memory, *, until: int | None = None, network: str = "plain", precision: str = "float32"
) -> tuple[Any, train.Curve]:
    def look(step: train.Step) -> None:
        if step.done == until:
            raise Killed

    faces = [(picture, emotion) for _, emotion, usage, picture in fakes.rows(42, 14) if usage == "Training"]
    tests = [(picture, emotion) for _, emotion, usage, picture in fakes.rows(42, 14) if usage != "Training"]
    (images, labels), choosers = (
        (np.stack([one[0] for one in some]), np.array([one[1] for one in some])) for some in (faces, tests)
    )
    return train.train(
        images,
        labels,
        choosers,
        network=network,
        classes=7,
        params={"dropout": 0.5},
        recipe=Recipe(epochs=3, batch=14, small=0.5, precision=precision),
        augmentation=Augmentation(hidden=0.2),
        seed=4,
        folder=folder,
        every=0.0,
        progress=look,
    )


def test_a_killed_training_takes_the_steps_that_it_would_have_taken() -> None:
    model, curve = fit(Memory())
    folder = Memory()
    for until in (2, 5):  # within the first epoch, and within the second, where the views change
        with pytest.raises(Killed):
            fit(folder, until=until)
    again, resumed = fit(folder)
    assert resumed.loss == curve.loss
    assert resumed.chosen_on == curve.chosen_on
    assert len(curve.loss) == 3
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(RunMismatch, match="base_plain"):
        fit(folder, network="strong")


def test_layers_may_compute_in_bfloat16_but_what_comes_of_it_is_a_network_of_float32() -> None:
    model, curve = fit(Memory(), precision="bfloat16")
    _, exact = fit(Memory())
    assert curve.loss != exact.loss
    np.testing.assert_allclose(curve.loss, exact.loss, rtol=0.2)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_more_pictures_in_a_batch_than_there_are_is_refused() -> None:
    images, labels = np.zeros((3, 48, 48), dtype=np.uint8), np.zeros(3, dtype=np.int64)
    with pytest.raises(BadParameter, match="do not fill a batch of 64"):
        train.train(
            images,
            labels,
            (images, labels),
            network="plain",
            classes=7,
            params={},
            recipe=Recipe(1),
            augmentation=Augmentation(),
            seed=0,
            folder=Memory(),
        )


@pytest.mark.parametrize("shape", [(3, 3, 4, 32), (3, 3, 32, 8), (1, 1, 8, 64)])
def test_a_kernel_step_has_even_singular_values(shape: tuple[int, ...]) -> None:
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    step = np.asarray(orthogonal(tf, tf.constant(kernel))).reshape(-1, shape[-1])
    values = np.linalg.svd(step, compute_uv=False) / (0.2 * max(step.shape) ** 0.5)
    assert 0.6 < values.min() <= values.max() < 1.3
    # Its own directions: an orthogonal matrix that leans the same way as the kernel.
    left, _, right = np.linalg.svd(kernel.reshape(-1, shape[-1]), full_matrices=False)
    assert np.vdot(step, left @ right) / np.linalg.norm(step) / np.linalg.norm(left @ right) > 0.97


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    model = bases.plain(keras, (48, 48, 1), 7, {}, 0)
    optimiser = Optimiser(tf, model, Recipe(1, rate=0.5, warmup=0.1, cooling=0.4), 100)
    rates = [float(optimiser.pace(tf.constant(float(t)))) for t in (1, 5, 10, 60, 80, 100)]
    assert rates == pytest.approx([0.05, 0.25, 0.5, 0.5, 0.5 * 21 / 40, 0.5 / 40])


def test_a_plain_network_starts_as_if_it_were_normalised() -> None:
    model = bases.plain(keras, (48, 48, 1), 7, {}, 0)
    images = np.stack([picture for _, _, _, picture in fakes.rows(70, 0)])
    train.settle(keras, model, images, np.random.default_rng(0))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            active, layer.activation = layer.activation, keras.activations.linear
            maps = np.asarray(keras.Model(model.input, layer.output)(images[..., None]))
            layer.activation = active
            size = 0.3 if layer.name == "head_conv_2" else 1.0
            np.testing.assert_allclose(maps.mean(axis=(0, 1, 2)), 0, atol=0.02)
            np.testing.assert_allclose(maps.std(axis=(0, 1, 2)), size, rtol=0.05)


@pytest.mark.parametrize("network", bases.NETWORKS)
def test_small_views_go_through_the_same_weights(network: str) -> None:
    model = bases.build(keras, (48, 48, 1), 7, {}, 0, network=network)
    small = bases.on_small_views(keras, model, train.SMALL)
    assert small.input_shape == (None, 34, 34, 1)
    assert small.output_shape == (None, 7)
    assert {id(weight) for weight in small.weights} == {id(weight) for weight in model.weights}


LEFT = {"left_out": {"trained_on": 1, "two_usages": 0, "conflicting": 0, "repeated": 0, "constant": 0, "damaged": 0}}
FACTS = {**LEFT, "judged": "Nobody judged it.", "epoch": 1, "epochs": 1, "recipe": {}}


@pytest.fixture(scope="module")
def kept() -> dict[str, bytes]:
    model = bases.plain(keras, (48, 48, 1), 7, {}, 0)
    return base.to_files(model, "plain", scores={"PublicTest": 0.5}, facts=FACTS)


def in_memory(files: dict[str, bytes]) -> Memory:
    folder = Memory()
    folder.files = dict(files)
    return folder


def test_a_kept_base_comes_back_and_lends_its_trunk(kept: dict[str, bytes]) -> None:
    found = base.load_base(in_memory(kept))
    assert found.network == "plain"
    model = transfer_cnn.build(keras, (48, 48, 1), 8, {}, 1)
    transfer_cnn.borrow(model, found.model)
    np.testing.assert_array_equal(
        model.get_layer("trunk_conv_3").get_weights()[0], found.model.get_layer("trunk_conv_3").get_weights()[0]
    )
    strong = transfer_cnn.build(keras, (48, 48, 1), 8, {"base": "strong"}, 1)
    with pytest.raises(BadBundle, match="not that of this transfer_cnn"):
        transfer_cnn.borrow(strong, found.model)
    card = kept["card.md"].decode()
    assert "241,950 parameters" in card
    assert "for research" in card
    assert list(kept)[-1] == bundle_files.INDEX


def test_a_changed_or_foreign_base_is_refused(kept: dict[str, bytes], tmp_path: Path) -> None:
    flipped = bytearray(kept["model.keras"])
    flipped[len(flipped) // 2] ^= 1
    with pytest.raises(BadBundle, match="has changed since it was saved"):
        base.load_base(in_memory({**kept, "model.keras": bytes(flipped)}))
    # A well-sealed bundle whose model would run code: refused by its configuration, before Keras reads it.
    told = json.loads(kept["bundle.json"])
    for name in ("format", "files", "sha256"):
        told.pop(name)
    sink = io.BytesIO()
    mark = tmp_path / "ran"
    with zipfile.ZipFile(io.BytesIO(kept["model.keras"])) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                layer = config["config"]["layers"][1]
                layer.update(module="os", class_name="system", config={"command": f"touch {mark}"})
                data = json.dumps(config).encode()
            new.writestr(name, data)
    sealed = bundle_files.sealed(told, {"card.md": kept["card.md"], "model.keras": sink.getvalue()})
    with pytest.raises(BadBundle, match="which no face base is made of"):
        base.load_base(in_memory(sealed))
    assert not mark.exists()
    other = bundle_files.sealed(
        {**told, "probe": np.full((2, 7), 1 / 7).tolist()}, {"model.keras": kept["model.keras"]}
    )
    with pytest.raises(BadBundle, match="says something else"):
        base.load_base(in_memory(other))
    with pytest.raises(BadBundle, match="no face base"):
        base.load_base(in_memory(bundle_files.sealed({**told, "family": "svm"}, {"model.keras": b""})))


def test_a_kept_base_is_found_but_is_no_judge_of_takes(kept: dict[str, bytes], tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(2):
        folder = store.new_model("base-fer2013")
        for name, data in kept.items():
            folder.write(name, data)
    assert base.find_base(store).path().endswith("models/base-fer2013/2")
    assert kept_models(store) == []


def test_a_store_without_a_base_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match=r"python jobs/pretrain.py --source fer2013.parquet --network strong --store"):
        base.find_base(Store(tmp_path), "strong")


def test_the_job_survives_kill_9_and_does_nothing_twice(tmp_path: Path) -> None:
    source = fakes.parquet(tmp_path / "f.parquet", fakes.rows(70, 14, 14), Training_3=b"no picture")
    store = Store(tmp_path / "store")
    command = [sys.executable, str(JOB), "--source", str(source), "--store", store.url, "--json"]
    command += ["--epochs", "30", "--batch", "23", "--threads", "1", "--rate", "0.003"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("store/runs/*/state.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not list(tmp_path.glob("store/models/base-fer2013/*/bundle.json"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr  # one picture could not be read
    assert "skipped Training_3.png: cannot be decoded" in done.stderr
    said = json.loads(done.stdout)
    assert len(said["curve"]["chosen_on"]) == 30
    assert ": 0 of 90" not in done.stderr  # it went on, not from the start
    assert said["scores"]["PublicTest"] > 0.5  # chance is 1/7
    assert said["left_out"]["damaged"] == 1
    assert "looked at once" in said["judged"]
    assert base.load_base(base.find_base(store)).told["scores"] == said["scores"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 3
    assert json.loads(again.stdout)["found"]
    assert store.model_numbers("base-fer2013") == [1]


@pytest.mark.data
def test_what_is_left_out_of_the_real_set(real_data: Path) -> None:
    path = real_data / "fer2013.parquet"
    if not path.is_file():
        pytest.skip(f"no {path}")
    faces = fer2013.read(path)
    cleaned = fer2013.clean(faces)
    assert len(faces.of("Training")[0]) == 28_709
    assert len(faces.of("PublicTest")[0]) == 3_589
    assert sum(cleaned.counts.values()) == 28_709
    held_out = {image.tobytes() for image in faces.of("PublicTest")[0]}
    assert not any(image.tobytes() in held_out for image in cleaned.images)
    assert cleaned.counts["two_usages"] > 300
