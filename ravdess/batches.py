"""Takes of frames -> a shuffled stream of batches for Keras, as a `tf.data.Dataset`.

What `fit_generator` over files was for, without its costs: a batch is one gather from mapped shards in the order in
which the frames lie, made while the network trains on the batch before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ravdess.takes import Takes

READERS: Final = 2
"""Batches that are read at once."""


def steps(takes: Takes, *, batch: int = 64, worker: tuple[int, int] = (0, 1)) -> int:
    """Batches that `stream` gives a worker in one epoch."""
    whole = -(-int(takes.counts.sum()) // batch)
    number, workers = _worker(worker)
    return len(range(number, whole, workers))


def stream(
    takes: Takes,
    *targets: ArrayLike,
    batch: int = 64,
    seed: int = 0,
    epochs: int | range = 1,
    shuffle: bool = True,
    worker: tuple[int, int] = (0, 1),
    prefetch: int = 2,
) -> Any:
    """Batches of single frames, each with what belongs to its take.

    Parameters
    ----------
    takes : Takes
        uint8 (n, h, w, c) each, n >= 1. One that can `gather` (the store's can) reads only the frames of a batch.
    *targets : array [shape=(len(takes), ...)]
        Labels, soft labels, weights: whatever Keras is to be given beside the frames.
    batch : int > 0
        Frames a batch; the last one of an epoch has what is left.
    seed : int >= 0
        Fixes the order, together with the epoch's number alone.
    epochs : int > 0, or range
        How many, or which: ``range(3, 10)`` goes on where three epochs ended.
    shuffle : bool
        Every frame of all takes once an epoch, in a new order; else take by take.
    worker : (int, int)
        Which one of how many: worker k of n gets every n-th batch from the k-th; together they get each frame once.
    prefetch : int >= 0
        Batches kept ready.

    Returns
    -------
    tf.data.Dataset
        Of ``(frames, *targets)``: uint8 (b, h, w, c), then each target's rows. With no target the frames alone.
        The frames of a batch stand in the order in which they were read, which is the same every time. For Keras:
        ``fit(stream(…, epochs=10), epochs=10, steps_per_epoch=steps(…))``.

    Raises
    ------
    ValueError
        A target of another length than `takes`, no such worker, or a batch of no frame.
    """
    import tensorflow as tf

    beside = [np.asarray(target) for target in targets]
    if wrong := [target.shape for target in beside if target.shape[:1] != (len(takes),)]:
        raise ValueError(f"{len(takes)} takes need targets of as many rows, not of shape {wrong[0]}")
    if batch < 1:
        raise ValueError(f"a batch has at least one frame, not {batch}")
    order = _Order(int(takes.counts.sum()), batch=batch, seed=seed, shuffle=shuffle)
    number, workers = _worker(worker)
    ends = np.cumsum(takes.counts)

    wanted = range(epochs) if isinstance(epochs, int) else epochs
    mine = range(number, order.steps, workers)

    def load(at: NDArray[np.int64]) -> list[Any]:
        epoch, step = divmod(int(at), len(mine))
        places = order.places(wanted[epoch], mine[step])
        frames, by = _gather(takes, ends, places)
        of = np.searchsorted(ends, places[by], side="right")
        return [frames, *(target[of] for target in beside)]

    def read(at: Any) -> Any:
        got = tf.numpy_function(load, [at], [tf.uint8, *(target.dtype for target in beside)], stateful=False)
        for one, shape in zip(got, (takes.shape, *(target.shape[1:] for target in beside)), strict=True):
            one.set_shape((None, *shape))
        return tuple(got) if beside else got[0]

    numbers = tf.data.Dataset.range(len(wanted) * len(mine))
    return numbers.map(read, num_parallel_calls=READERS, deterministic=True).prefetch(prefetch)


class _Order:
    """Which frames a batch holds. Of each epoch in work one permutation is kept."""

    def __init__(self, frames: int, *, batch: int, seed: int, shuffle: bool) -> None:
        self._frames, self._batch, self._seed, self._shuffle = frames, batch, seed, shuffle
        self._known: tuple[int, NDArray[np.int64]] | None = None

    @property
    def steps(self) -> int:
        return -(-self._frames // self._batch)

    def places(self, epoch: int, step: int) -> NDArray[np.int64]:
        known = self._known  # read once: another thread may be an epoch ahead
        if known is None or known[0] != epoch:
            rng = np.random.default_rng([self._seed, epoch])
            known = (epoch, rng.permutation(self._frames) if self._shuffle else np.arange(self._frames))
            self._known = known
        return known[1][step * self._batch : (step + 1) * self._batch]


def _worker(worker: tuple[int, int]) -> tuple[int, int]:
    number, workers = worker
    if not 0 <= number < workers:
        raise ValueError(f"there is no worker {number} of {workers}; the first of {workers} is 0")
    return number, workers


def _gather(takes: Takes, ends: NDArray[np.int64], places: NDArray[np.int64]) -> tuple[Any, NDArray[np.intp]]:
    """The frames of those numbers, and which is which: ``frames[k]`` is ``places[order[k]]``."""
    gather = getattr(takes, "gather", None)
    if gather is not None:
        frames, by = gather(places)
        return frames, by
    order = np.argsort(places, kind="stable")
    of = np.searchsorted(ends, places[order], side="right")
    parts = [takes[int(take)][places[order[of == take]] - (ends - takes.counts)[take]] for take in np.unique(of)]
    return np.concatenate(parts), order
