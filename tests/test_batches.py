"""The stream that trains a network: every frame once an epoch, with its own label, the same for the same seed."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from ravdess.batches import steps, stream


class Numbered:
    """Takes whose frames tell take and place; it can gather, or cannot."""

    shape = (2, 1, 1)

    def __init__(self, counts: list[int]) -> None:
        self.counts = np.array(counts, np.int64)
        self.every = [
            np.array([(take, place) for place in range(n)], np.uint8).reshape(n, 2, 1, 1)
            for take, n in enumerate(counts)
        ]
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, at: int) -> Any:
        self.read.append(at)
        return self.every[at]


class Gathering(Numbered):
    def gather(self, places: Any, out: Any) -> None:
        out[:] = np.concatenate(self.every)[places]


@pytest.fixture(params=[Numbered, Gathering])
def takes(request: pytest.FixtureRequest) -> Any:
    return request.param([3, 1, 7, 2, 12])


def frames(dataset: Any) -> list[tuple[int, int]]:
    return [tuple(frame.ravel().tolist()) for x, *_ in dataset.as_numpy_iterator() for frame in x]


EVERY = [(take, place) for take, count in enumerate([3, 1, 7, 2, 12]) for place in range(count)]


def test_every_frame_comes_once_an_epoch_with_what_belongs_to_its_take(takes: Any) -> None:
    soft = np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2)
    dataset = stream(takes, np.arange(5), soft, batch=4, seed=1)
    assert [tuple(spec.shape) for spec in dataset.element_spec] == [(None, 2, 1, 1), (None,), (None, 2)]
    seen = []
    for x, y, p in dataset.as_numpy_iterator():
        assert x.dtype == np.uint8
        np.testing.assert_array_equal(x[:, 0, 0, 0], y)
        np.testing.assert_array_equal(p, soft[y])
        seen.append(len(x))
    assert seen == [4, 4, 4, 4, 4, 4, 1]
    assert len(dataset) == steps(takes, batch=4) == 7
    assert sorted(frames(dataset)) == EVERY


def test_seed_and_epoch_fix_the_order(takes: Any) -> None:
    def order(**how: Any) -> list[tuple[int, int]]:
        return frames(stream(takes, np.arange(5), batch=4, **how))

    three = order(seed=5, epochs=3)
    assert three == order(seed=5, epochs=3, prefetch=0)
    assert order(seed=5, epochs=range(1, 3)) == three[25:], "what is gone on with is what would have come"
    assert all(sorted(three[at : at + 25]) == EVERY for at in (0, 25, 50))
    assert len({tuple(three[:25]), tuple(three[25:50]), tuple(order(seed=6))}) == 3
    assert order(shuffle=False) == EVERY


def test_workers_share_the_frames(takes: Any) -> None:
    parts = [stream(takes, np.arange(5), batch=3, seed=2, worker=(k, 4)) for k in range(4)]
    assert [len(part) for part in parts] == [steps(takes, batch=3, worker=(k, 4)) for k in range(4)] == [3, 2, 2, 2]
    shares = [frames(part) for part in parts]
    assert sorted(frame for share in shares for frame in share) == EVERY
    alone = frames(stream(takes, np.arange(5), batch=3, seed=2))
    assert shares[1][:3] == alone[3:6]


def test_a_training_goes_on_where_it_broke_off(takes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ravdess.batches.GROUP", 3 * 4 * 2)  # so that it may break off within a group of three batches
    for worker in ((0, 1), (1, 3)):
        every = steps(takes, batch=4, worker=worker)
        whole = [x.tobytes() for x in stream(takes, batch=4, seed=3, epochs=2, worker=worker).as_numpy_iterator()]
        assert len(whole) == 2 * every
        for skip in range(2 * every + 2):
            rest = stream(takes, batch=4, seed=3, epochs=2, worker=worker, skip=skip)
            assert [x.tobytes() for x in rest.as_numpy_iterator()] == whole[skip:]
            assert len(rest) == len(whole[skip:])


def test_batches_that_are_kept_do_not_change() -> None:
    takes = Gathering([200])
    batches = list(stream(takes, batch=32, seed=4, epochs=40))  # type: ignore[arg-type]
    seen = np.concatenate(batches).reshape(40, 200, 2)
    assert all(sorted(epoch[:, 1]) == list(range(200)) for epoch in seen)


def test_only_takes_of_the_batch_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ravdess.batches.GROUP", 2 * 4 * 2)
    takes = Numbered([3, 1, 7, 9, 30])
    iterator = iter(stream(takes, batch=4, shuffle=False, prefetch=0).take(1))  # type: ignore[arg-type]
    assert next(iterator).shape == (4, 2, 1, 1)
    assert set(takes.read) <= {0, 1, 2}  # the first two batches, which are read together


def test_a_stream_lets_go_of_its_takes_when_nobody_holds_it() -> None:
    alone: Any = Numbered([40])
    iterator = iter(stream(alone, np.arange(1), batch=4).map(lambda x, y: (x, y + 1)).take(9))
    held: Any = Numbered([3, 1])
    dataset: Any = stream(held, np.arange(2), batch=4)
    gone = weakref.ref(held)
    del held
    assert len(frames(dataset)) == 4
    assert gone() is not None
    del dataset
    gc.collect()
    assert gone() is None
    assert sum(len(x) for x, _ in iterator) == 36, "one that is made of a stream holds it"


def test_keras_fits_on_it(takes: Any) -> None:
    import keras

    net = keras.Sequential([keras.Input((2, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(5)])
    net.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    net.fit(stream(takes, np.arange(5), batch=4, epochs=2), epochs=2, steps_per_epoch=steps(takes, batch=4), verbose=0)
    assert len(net.history.epoch) == 2


def test_what_does_not_fit_is_refused(takes: Any) -> None:
    with pytest.raises(ValueError, match="5 takes need targets of as many rows, not of shape"):
        stream(takes, np.arange(4))
    with pytest.raises(ValueError, match="at least one frame"):
        stream(takes, batch=0)
    with pytest.raises(ValueError, match="no fewer than 0 batches"):
        stream(takes, skip=-1)
    with pytest.raises(ValueError, match="no worker 2 of 2"):
        stream(takes, worker=(2, 2))
