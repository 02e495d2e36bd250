"""The training loop that all networks share: it goes on in the middle, and what it is made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ravdess.families import checkpoint, family
from ravdess.families.contract import _takes
from ravdess.families.training import pace, precision
from ravdess.families.views import FRAMES, SEQUENCES, WINDOWS, between, masked, merged, window
from ravdess.takes import HeldTakes

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY: dict[str, Any] = {"epochs": 30, "width": 64, "depth": 2, "batch_size": 8}


class Killed(Exception):
    pass


class Memory:
    """A scratch folder that may kill the training after so many writes."""

    def __init__(self, kill: int | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.writes, self.kill = 0, kill

    def exists(self, name: str) -> bool:
        return name in self.files

    def read(self, name: str) -> bytes:
        return self.files[name]

    def remove(self, name: str) -> None:
        del self.files[name]

    def write(self, name: str, data: bytes) -> None:
        self.files[name] = data
        self.writes += 1
        if self.writes == self.kill:
            raise Killed


def fitted(scratch: Memory | None, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Any:
    X, y = _takes((64, 1, 1))
    network = family("audio_cnn").build({**TINY, **more}, seed=3, scratch=scratch)
    monkeypatch.setattr(type(network), "every", 0.0)
    return network.fit(X, y)


def test_a_killed_training_goes_on_in_the_middle_and_ends_as_if_unbroken(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = _takes((64, 1, 1))
    unbroken = fitted(None, monkeypatch)
    scratch = Memory(kill=2)
    with pytest.raises(Killed):
        fitted(scratch, monkeypatch)
    assert len(scratch.files) == 1
    reached = checkpoint.Checkpoint(scratch, next(iter(scratch.files)).removesuffix(".npz")).read()
    assert reached is not None
    assert 0 < reached[0] < 30 * 3  # in the middle
    scratch.kill = None
    steps: list[int] = []
    from ravdess.families.training import _Plan

    batches = _Plan.batches

    def counted(self: Any, first: int, last: int) -> Any:
        steps.append(first)
        return batches(self, first, last)

    monkeypatch.setattr(_Plan, "batches", counted)
    resumed = fitted(scratch, monkeypatch)
    assert steps == [reached[0]]  # none of the steps before was made again
    pairs = zip(resumed.staged_predict_proba(X), unbroken.staged_predict_proba(X), strict=True)
    assert max(float(np.abs(a - b).max()) for a, b in pairs) < 1e-5
    resumed.kept.remove()
    assert not scratch.files


def test_another_fit_never_takes_up_a_state_and_a_damaged_one_is_none() -> None:
    X, y = _takes((64, 1, 1))
    ones = np.ones(len(y))

    def name(**change: Any) -> str:
        asked: dict[str, Any] = {"family": "f", "params": {"a": 1}, "seed": 0, "takes": X, "y": y, "weight": ones}
        asked.update(change)
        return checkpoint.identity(asked.pop("family"), asked.pop("params"), **asked)

    touched = [X[at].copy() for at in range(len(X))]
    touched[5][0, 0] ^= 1
    others = [
        name(params={"a": 2}), name(seed=1), name(y=y[::-1]), name(weight=ones * np.arange(24)), name(family="g"),
        name(takes=HeldTakes(touched)), name(takes=X[np.arange(23)]),
    ]  # fmt: skip
    assert len({name(), *others}) == 8
    assert name() == name()
    scratch = Memory()
    kept = checkpoint.Checkpoint(scratch, "x")
    assert kept.read() is None
    scratch.files["x.npz"] = b"PK\x03\x04 cut"
    assert kept.read() is None
    kept.write(7, [SimpleNamespace(numpy=lambda: np.zeros((2, 3)))], [])
    assert (kept.read([np.zeros((2, 3))]) or [0])[0] == 7
    assert kept.read([np.zeros((3, 2))]) is None, "the network has changed under its name"


def test_the_learning_rate_depends_on_the_epoch_alone() -> None:
    params: dict[str, Any] = {"learning_rate": 1.0, "schedule": "cosine"}
    assert pace(params, 0, 40) < 0.1
    assert pace(params, 10, 40) == pytest.approx(0.853553, abs=1e-5)
    assert pace(params, 20, 40) == pytest.approx(0.5)
    assert pace(params, 40, 40) == pytest.approx(0.0)
    assert pace({**params, "schedule": "constant"}, 39, 40) == 1.0


def take(count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(1, 255, size=(count, *shape), dtype=np.uint8)


def bands(count: int) -> NDArray[np.float32]:
    return take(count, (16, 1, 1))[:, :, 0, 0].astype(np.float32)


STILL: dict[str, Any] = {
    "length": 12, "step": 1, "gain": 0.0, "shift": 0.0, "stretch": 1.0, "band_mask": 0, "time_mask": 0
}  # fmt: skip


def test_windows_move_a_short_take_within_its_own_silence_and_cut_a_long_one() -> None:
    short, long = bands(5), bands(30)
    view = window(short, 12, 1.0)
    assert view.shape == (12, 16)
    np.testing.assert_array_equal(view[7:], short)
    np.testing.assert_array_equal(view[:7], np.repeat(short.min(axis=0)[None], 7, axis=0))
    np.testing.assert_array_equal(window(long, 12, 0.5), long[9:21])
    few, many = take(5, (16, 1, 1)), take(30, (16, 1, 1))
    assert WINDOWS.all(many, STILL).shape == (3, 12, 16, 1)
    assert WINDOWS.all(few, STILL).shape == (1, 12, 16, 1)
    drawn = {WINDOWS.draw(few, STILL, np.random.default_rng(seed)).tobytes() for seed in range(9)}
    assert len(drawn) > 3


def test_frames_of_sound_are_merged_by_their_mean() -> None:
    sound = take(11, (16, 1, 1))
    np.testing.assert_allclose(merged(sound, 4)[1], sound[4:8, :, 0, 0].mean(axis=0), rtol=1e-6)
    assert merged(sound, 4).shape == (2, 16)
    np.testing.assert_allclose(merged(sound, 20), sound[:, :, 0, 0].mean(axis=0)[None], rtol=1e-6)


def test_a_larger_head_moves_the_bands_and_a_slower_voice_the_frames() -> None:
    slope = np.repeat((np.arange(16, dtype=np.uint8) * 10)[None, :, None, None], 12, axis=0)
    moved = {
        round(float(WINDOWS.draw(slope, {**STILL, "shift": 2.0}, np.random.default_rng(seed))[0, 8, 0] - 80), 3)
        for seed in range(9)
    }
    assert len(moved) == 9
    assert all(abs(by) <= 10 * (2 + 8 * 2 / 16) for by in moved)
    rising = np.repeat((np.arange(12, dtype=np.uint8) * 10)[:, None, None, None], 16, axis=1)
    for seed in range(9):
        view = WINDOWS.draw(rising, {**STILL, "stretch": 1.25}, np.random.default_rng(seed))[:, 0, 0]
        step = np.diff(view)
        speed = step[step > 0].max()
        assert 10 / 1.25 - 0.01 <= speed <= 10 * 1.25 + 0.01
        assert np.count_nonzero(np.abs(step - speed) < 0.01) >= 7  # the same speed throughout
    np.testing.assert_array_equal(between(bands(4), np.array([-3.0, 3.0, 9.0])), bands(4)[[0, 3, 3]])


def test_masks_are_stripes_of_the_mean() -> None:
    view = take(40, (64, 1, 1))[:, :, 0, 0].astype(np.float32)
    before = view.copy()
    masked(view, {"band_mask": 20, "time_mask": 0}, np.random.default_rng(2))
    changed = (view != before).all(axis=0)
    assert 0 < changed.sum() <= 20
    np.testing.assert_allclose(view[0, changed], before.mean(axis=0)[changed], rtol=1e-5)
    np.testing.assert_array_equal(view[:, ~changed], before[:, ~changed])


def test_pictures_are_looked_at_evenly_and_varied_alike_within_a_sequence() -> None:
    many = np.repeat(np.arange(40, dtype=np.uint8)[:, None, None, None], 20, axis=1).repeat(20, axis=2)
    assert FRAMES.all(many, {})[:, 0, 0, 0].tolist() == [2, 7, 12, 17, 22, 27, 32, 37]
    assert len(FRAMES.all(many[:3], {})) == 3
    assert SEQUENCES.all(many, {"frames": 4})[0, :, 0, 0, 0].tolist() == [5, 15, 25, 35]
    assert SEQUENCES.all(many[:2], {"frames": 4})[0, :, 0, 0, 0].tolist() == [0, 0, 1, 1]
    drawn = SEQUENCES.draw(np.full((9, 20, 20, 1), 100, np.uint8), {"frames": 4}, np.random.default_rng(0))
    assert drawn.shape == (4, 20, 20, 1)
    assert np.ptp(drawn) == 0  # one brightness for all frames


def test_half_precision_is_for_layers_that_are_made_on_a_gpu() -> None:
    keras = pytest.importorskip("keras")
    before = keras.config.dtype_policy().name
    with precision(keras, "GPU:0"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    with precision(keras, "CPU:0"):
        assert keras.layers.Dense(1).compute_dtype == "float32"
    assert keras.config.dtype_policy().name == before
