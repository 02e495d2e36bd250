"""Takes of frames -> a shuffled stream of batches for Keras, as a `tf.data.Dataset`.

What `fit_generator` over files was for, without its costs: batches are gathered from mapped shards, several at once,
while the network trains on those before, and TensorFlow cuts them apart without copying.
"""

from __future__ import annotations

import bisect
import itertools
import math
import weakref
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ravdess.takes import Takes

GROUP: Final = 12_000_000
"""Bytes of frames that are read at once, unless a single batch has more: few groups stay in a processor's cache."""
LARGEST: Final = 64
"""Batches that are read at once, at most: the first waits for all. Handing a group over costs 0.3 ms."""
ALIGNED: Final = 64
"""Bytes: TensorFlow takes over without a copy what begins at a multiple of them."""


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
    skip: int = 0,
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
    skip : int >= 0
        Batches that this worker has had already, which are not read: with `seed` and `epochs` it goes on where a
        training broke off.
    shuffle : bool
        Every frame of all takes once an epoch, in a new order; else take by take.
    worker : (int, int)
        Which one of how many: worker k of n gets every n-th batch from the k-th; together they get each frame once.
    prefetch : int >= 0
        Groups of batches (of `GROUP` bytes) that are read ahead, each by a thread; with 0 they are read when asked for.

    Returns
    -------
    tf.data.Dataset
        Of ``(frames, *targets)``: uint8 (b, h, w, c), then each target's rows. With no target the frames alone.
        For Keras: ``fit(stream(…, epochs=10), epochs=10, steps_per_epoch=steps(…))``.

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
    if skip < 0:
        raise ValueError(f"no fewer than 0 batches can be skipped, not {skip}")
    wanted = range(epochs) if isinstance(epochs, int) else epochs
    order = _Order(takes, batch=batch, seed=seed, shuffle=shuffle, worker=_worker(worker))
    reader = _Reader(takes, beside, order, wanted, skip=skip, spare=prefetch + 2)
    _READERS[number := next(_NUMBERS)] = reader

    def read(at: Any) -> Any:
        kinds = [tf.uint8, *(target.dtype for target in beside)]
        got = tf.numpy_function(_read, [number, at], kinds, stateful=False)
        for one, shape in zip(got, (takes.shape, *(target.shape[1:] for target in beside)), strict=True):
            one.set_shape((None, None, *shape))
        return tuple(got) if beside else got[0]

    def apart(*group: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(group if beside else group[0])

    ahead: dict[str, Any] = {"num_parallel_calls": prefetch, "deterministic": True} if prefetch else {}
    groups = tf.data.Dataset.range(reader.begin, len(wanted) * len(order)).map(read, **ahead)
    count = max(0, len(wanted) * order.steps - skip)
    options = tf.data.Options()
    options.autotune.enabled = False  # there is nothing to tune, and looking costs each batch as much as its frames
    batches = groups.flat_map(apart).apply(tf.data.experimental.assert_cardinality(count)).with_options(options)
    batches.reader = reader  # whatever is made of this dataset holds it, and so what it reads with
    return batches


_NUMBERS: Final = itertools.count()
_READERS: Final[weakref.WeakValueDictionary[int, _Reader]] = weakref.WeakValueDictionary()
"""By number, since TensorFlow never lets go of a function that it was given, nor of what that one holds."""


def _read(number: Any, at: Any) -> list[Any]:
    """The group of that place in the stream of that number."""
    return _READERS[int(number)](int(at))


class _Reader:
    """A stream's groups of batches, by their place in all its epochs; `begin` is the first."""

    def __init__(
        self, takes: Takes, beside: Sequence[Any], order: _Order, epochs: range, *, skip: int, spare: int
    ) -> None:
        self._takes, self._beside, self._order, self._epochs = takes, beside, order, epochs
        self._ends = np.cumsum(takes.counts)
        self._memory = _Memory(order.largest * math.prod(takes.shape), spare=spare)
        self.begin, self._late = order.after(skip)

    def __call__(self, at: int) -> list[Any]:
        """Frames (batches, frames of each, h, w, c), and what stands beside them."""
        epoch, group = divmod(at, len(self._order))
        places = self._order.places(self._epochs[epoch], group)[self._late if at == self.begin else 0 :]
        frames = self._memory.array((places.size, *self._takes.shape))
        _gather(self._takes, self._ends, places.ravel(), frames)
        of = np.searchsorted(self._ends, places, side="right")
        return [frames.reshape(*places.shape, *self._takes.shape), *(target[of] for target in self._beside)]


class _Order:
    """Which frames a batch holds, and which batches are read together. Of an epoch in work one permutation is kept."""

    def __init__(self, takes: Takes, *, batch: int, seed: int, shuffle: bool, worker: tuple[int, int]) -> None:
        self._frames = int(takes.counts.sum())
        self._batch, self._seed, self._shuffle = batch, seed, shuffle
        self._mine = range(worker[0], -(-self._frames // batch), worker[1])
        whole = len(range(worker[0], self._frames // batch, worker[1]))
        each = max(1, min(LARGEST, GROUP // (batch * math.prod(takes.shape))))
        # What is left of an epoch is a group by itself: batches that are read together are of one size.
        self._cuts = [*range(0, whole, each), *range(whole, self.steps + 1)]
        self._known: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Groups of an epoch."""
        return len(self._cuts) - 1

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self._mine)

    @property
    def largest(self) -> int:
        """Frames of the largest group."""
        return max(np.diff(self._cuts), default=0) * self._batch

    def after(self, batches: int) -> tuple[int, int]:
        """Which group follows on so many batches, counted from the first epoch, and how many of it are had already."""
        if not len(self):
            return 0, 0
        epoch, step = divmod(batches, self.steps)
        group = bisect.bisect_right(self._cuts, step) - 1
        return epoch * len(self) + group, step - self._cuts[group]

    def places(self, epoch: int, group: int) -> NDArray[np.int64]:
        """Numbers of frames [shape=(batches, frames of each)]."""
        known = self._known  # read once: another thread may be an epoch ahead
        if known is None or known[0] != epoch:
            rng = np.random.default_rng([self._seed, epoch])
            known = (epoch, rng.permutation(self._frames) if self._shuffle else np.arange(self._frames))
            self._known = known
        batches = self._mine[self._cuts[group] : self._cuts[group + 1]]
        return np.stack([known[1][at * self._batch : (at + 1) * self._batch] for at in batches])


class _Memory:
    """Arrays for groups. Where the last batch of one is let go of, the next is read: new memory costs as much again."""

    def __init__(self, size: int, *, spare: int) -> None:
        self._size = size
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=spare)

    def array(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array of any content, at most of the size that was said, which begins where TensorFlow likes it."""
        try:
            store = self._free.pop()
        except IndexError:
            raw = np.empty(self._size + ALIGNED, np.uint8)
            store = raw[-raw.ctypes.data % ALIGNED :][: self._size]
        lent = np.frombuffer(store.data, np.uint8, math.prod(shape))  # every view of it holds it, not `store`
        weakref.finalize(lent, self._free.append, store).atexit = False
        return lent.reshape(shape)


def _worker(worker: tuple[int, int]) -> tuple[int, int]:
    number, workers = worker
    if not 0 <= number < workers:
        raise ValueError(f"there is no worker {number} of {workers}; the first of {workers} is 0")
    return number, workers


def _gather(takes: Takes, ends: NDArray[np.int64], places: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """Read the frames of those numbers."""
    gather = getattr(takes, "gather", None)
    if gather is not None:
        gather(places, out)
        return
    of = np.searchsorted(ends, places, side="right")
    rows = places - (ends - takes.counts)[of]
    for take in np.unique(of):
        out[of == take] = takes[int(take)][rows[of == take]]
