"""How every network over takes of frames is trained, kept, and asked.

Everything is drawn from the network's own seed and the place where it is used: (seed, epoch) orders the takes, (seed,
epoch, step) draws and varies the views, each layer has a seed of its own. So a fit depends on nothing that the process
did before; and one that was killed goes on from its last checkpoint with the very steps that it would have taken. The
learning rate depends on the epoch alone, never on how many are asked for: the network after stage s of a long fit is
the one that a fit of s epochs gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families import Family
from ravdess.families import checkpoint as checkpoints
from ravdess.families.adamw import AdamW
from ravdess.families.backend import tensorflow
from ravdess.families.common import (
    encode,
    even_mean,
    number,
    reached,
    read_about,
    settle,
    softmax,
    whole,
    write_about,
)
from ravdess.families.keras_file import load_keras
from ravdess.families.space import Choice, Params, Real, Space
from ravdess.networks import LAYERS
from ravdess.takes import as_takes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ravdess.families import Labels
    from ravdess.families.views import Views
    from ravdess.takes import Shape, Takes

MODEL: Final = "model.keras"
_ASKED: Final = 2_000_000
"""Numbers in the views that are asked about at a time; what a network makes of them within takes many times more."""
SPACE: Final[Space] = {
    "learning_rate": Real(2e-4, 5e-3, step=2.0, log=True),
    "weight_decay": Real(1e-3, 0.3, step=4.0, log=True),
    "label_smoothing": Choice((0.0, 0.05, 0.1, 0.2)),
    "schedule": Choice(("cosine", "constant")),
}
"""What every training draws from, beside its network's own space."""
DEFAULTS: Final[Params] = {
    "learning_rate": 1e-3,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "schedule": "cosine",
    "batch_size": 32,
    "views": 1,
}
"""`views` of each take are drawn an epoch."""
SEEN: Final[Params] = {**DEFAULTS, "batch_size": 16, "views": 2, "least_steps": 32}
"""Those of networks on pictures. An epoch has at least `least_steps` batches: few takes are looked at more often."""


@dataclass(frozen=True)
class Course:
    """A family of networks: its graph, how it looks at takes, and what its training does.

    Attributes
    ----------
    name : str
    network : callable
        ``network(keras, shape, classes, params, seed) -> keras.Model`` of logits; `shape` is a frame's.
    views : Views
    space, defaults : mappings
        Of the network and its training; `stages` count epochs.
    stages : sequence of int
    freeze : callable or None
        ``freeze(model, frozen)``, done with True for the first ``params["frozen"]`` epochs.
    borrow : callable or None
        ``borrow(model, lent, params)``: give a new network weights that others trained.
    work : float
        Multiplications and additions a number of an example, from the picture to the logits.
    """

    name: str
    network: Callable[[Any, Shape, int, Params, int], Any]
    views: Views
    space: Space
    defaults: Params
    stages: Sequence[int]
    freeze: Callable[[Any, bool], None] | None = None
    borrow: Callable[[Any, Any, Params], None] | None = None
    work: float = 0.0

    def family(self, unfit: Callable[[Shape], str], **more: Any) -> Family:
        """The family that this course makes."""

        def build(
            params: Params,
            seed: int = 0,
            threads: int = 1,
            scratch: checkpoints.Scratch | None = None,
            lent: Any = None,
        ) -> Network:
            return Network(self, params, seed, threads, scratch=scratch, lent=lent)

        def load(folder: Path) -> Network:
            return _load(self, folder)

        def work(shape: Shape) -> float:
            return self.work * math.prod(self.views.shape(shape, {**self.defaults}))

        return Family(
            self.name,
            self.space,
            self.defaults,
            build,
            load,
            "epochs",
            self.stages,
            input="frames",
            unfit=unfit,
            work=work,
            **more,
        )


class Network:
    """A Keras model over takes of frames, on the families' contract.

    Parameters
    ----------
    course : Course
    params : Params
    seed, threads : int
    scratch : Scratch, optional
        Where the training is kept while it is under way, by the identity of the fit.
    lent : object, optional
        What `Course.borrow` borrows from.
    """

    classes_: Labels
    every = checkpoints.EVERY

    def __init__(
        self,
        course: Course,
        params: Params,
        seed: int = 0,
        threads: int = 1,
        *,
        scratch: checkpoints.Scratch | None = None,
        lent: Any = None,
    ) -> None:
        self.params = settle(course.name, course.space, course.defaults, params)
        self.seed, self.threads = seed, threads
        self._course, self._scratch, self._lent = course, scratch, lent
        self.kept = checkpoints.Checkpoint()
        self._model: Any = None
        self._stages: list[list[NDArray[Any]]] = []

    def fit(self, X: Takes | Sequence[Any], y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Network:
        tf, keras = tensorflow(self.threads)
        takes, course, params = as_takes(X), self._course, self.params
        self.classes_, codes = encode(y)
        k, smooth = len(self.classes_), number(params, "label_smoothing")
        weight = even_mean(sample_weight, len(codes))
        # Each row's loss is weighted by the sum of its target, which mixing keeps right.
        targets = ((np.eye(k)[codes] * (1 - smooth) + smooth / k) * weight[:, None]).astype(np.float32)
        plan = _Plan(course, params, takes, targets, self.seed)
        where = device(tf)
        with tf.device(where), precision(keras, where):
            model = course.network(keras, takes.shape, k, params, self.seed)
            if course.borrow is not None:
                course.borrow(model, self._lent, params)
            optimiser = AdamW(tf, model, number(params, "weight_decay"))
            if self._scratch is not None:
                words = np.asarray(y, dtype=np.str_)
                name = checkpoints.identity(course.name, params, seed=self.seed, takes=takes, y=words, weight=weight)
                self.kept = checkpoints.Checkpoint(self._scratch, name, self.every)
            weights = self._train(tf, model, optimiser, plan)
        self._judged = optimiser.judged
        if where != "CPU:0":  # what was trained in half precision is asked in whole
            with tf.device(where):
                model = course.network(keras, takes.shape, k, params, self.seed)
                self._judged = AdamW.judged_of(tf, model)
        elif course.freeze is not None:
            course.freeze(model, False)  # as it is saved
        self._model = model
        self._set(weights)
        return self

    def _train(self, tf: Any, model: Any, optimiser: AdamW, plan: _Plan) -> list[NDArray[Any]]:
        """The weights of the last stage; `_stages` gets those of all."""
        course = self._course
        epochs, frozen = whole(self.params, "epochs"), int(number(self.params, "frozen")) if course.freeze else 0
        stages, done, self._stages = reached(course.stages, epochs), 0, []
        if (kept := self.kept.read(optimiser.state)) is not None:
            done, state, self._stages = kept
            for variable, value in zip(optimiser.state, state, strict=True):
                variable.assign(value)
        shape = (None, *course.views.shape(plan.takes.shape, self.params))
        steps: dict[bool, Callable[[Any, Any, Any], None]] = {}
        for at, (pictures, targets) in plan.batches(done, epochs * plan.steps):
            epoch = at // plan.steps
            if (cold := epoch < frozen) not in steps:
                if course.freeze is not None:
                    course.freeze(model, cold)
                steps[cold] = optimiser.step(model, shape)
            rate = pace(self.params, at / plan.steps, course.stages[-1])
            steps[cold](tf.constant(pictures), tf.constant(targets), tf.constant(rate, tf.float32))
            if (at + 1) % plan.steps == 0 and epoch + 1 in stages:
                self._stages.append([mean.numpy() for mean in optimiser.means])
            if self.kept.due or at + 1 == epochs * plan.steps:
                self.kept.write(at + 1, optimiser.state, self._stages)
        return self._stages[-1]

    def predict_proba(self, X: Takes | Sequence[Any]) -> NDArray[np.float64]:
        tf, _ = tensorflow(self.threads)
        takes = as_takes(X)
        result = np.zeros((len(takes), len(self.classes_)))
        waiting: list[tuple[int, NDArray[Any]]] = []
        with tf.device(device(tf)):
            for at in range(len(takes)):
                waiting.append((at, self._course.views.all(takes[at], self.params)))
                if sum(views.size for _, views in waiting) >= _ASKED or at + 1 == len(takes):
                    views = tf.constant(np.concatenate([some for _, some in waiting]), tf.float32)
                    scores = self._model(views, training=False).numpy().astype(np.float64)
                    said = softmax(scores)
                    ends = np.cumsum([len(some) for _, some in waiting])[:-1]
                    for (row, _), part in zip(waiting, np.split(said, ends), strict=True):
                        result[row] = part.mean(axis=0)
                    waiting = []
        return result

    def staged_predict_proba(self, X: Takes | Sequence[Any]) -> Iterator[NDArray[np.float64]]:
        """As of each stage. A network that was loaded has its last stage only."""
        for weights in self._stages[:-1]:
            self._set(weights)
            try:
                said = self.predict_proba(X)
            finally:
                self._set(self._stages[-1])
            yield said
        yield self.predict_proba(X)

    def _set(self, weights: list[NDArray[Any]]) -> None:
        for variable, value in zip(self._judged, weights, strict=True):
            variable.assign(value)

    def save(self, folder: Path) -> None:
        write_about(folder, self._course.name, self.classes_, self.params, seed=self.seed)
        self._model.save(folder / MODEL)


class _Plan:
    """Which views are seen in which order: a pure function of the seed, the epoch and the step."""

    def __init__(self, course: Course, params: Params, takes: Takes, targets: NDArray[np.float32], seed: int) -> None:
        self._course, self._params, self.takes, self._targets, self._seed = course, params, takes, targets, seed
        batch, least = whole(params, "batch_size"), whole({"least_steps": 1, **params}, "least_steps")
        views = max(whole(params, "views"), -(-least * batch // len(targets)))
        self._rows = np.repeat(np.arange(len(targets)), views)
        self._batch = min(batch, len(self._rows))
        # Rows that do not fill a batch wait for another epoch: a batch of one has no variance to normalise by.
        self.steps = len(self._rows) // self._batch

    def batches(self, first: int, last: int) -> Iterator[tuple[int, tuple[NDArray[np.float32], NDArray[np.float32]]]]:
        """Steps `first` … `last` - 1 with their batches; the next one is made while the network learns from one."""
        with ThreadPoolExecutor(1) as beside:
            ahead = beside.submit(self._batch_of, first) if first < last else None
            for at in range(first, last):
                assert ahead is not None
                batch = ahead.result()
                ahead = beside.submit(self._batch_of, at + 1) if at + 1 < last else None
                yield at, batch

    def _batch_of(self, at: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        epoch, step = divmod(at, self.steps)
        order = np.random.default_rng([self._seed, 0, epoch]).permutation(self._rows)
        rows = order[step * self._batch : (step + 1) * self._batch]
        rng = np.random.default_rng([self._seed, 1, epoch, step])
        views = np.stack([self._course.views.draw(self.takes[int(row)], self._params, rng) for row in rows])
        targets = self._targets[rows]
        if mixup := float(self._params.get("mixup") or 0):
            # Zhang et al. 2018, arXiv 1710.09412
            share = rng.beta(mixup, mixup, size=(len(rows), 1)).astype(np.float32)
            other = rng.permutation(len(rows))
            targets = share * targets + (1 - share) * targets[other]
            share = share.reshape(-1, *(1 for _ in views.shape[1:]))
            views = share * views + (1 - share) * views[other]
        return views.astype(np.float32, copy=False), targets


def pace(params: Params, epochs: float, horizon: int) -> float:
    """The learning rate after so many epochs: a rise over the first two; constant, or a cosine down to the horizon."""
    rate = number(params, "learning_rate") * min(1.0, (epochs + 0.1) / 2)
    if params["schedule"] == "cosine":
        rate *= 0.5 + 0.5 * math.cos(math.pi * min(1.0, epochs / horizon))
    return rate


def device(tf: Any) -> str:
    """Where networks are computed: on the GPU where there is one."""
    return "GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"


@contextmanager
def precision(keras: Any, where: str) -> Iterator[None]:
    """On a GPU, layers that are made within compute in bfloat16, whose range needs no scaling of losses."""
    before = keras.config.dtype_policy()
    if where != "CPU:0":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _load(course: Course, folder: Path) -> Network:
    """The inverse of `Network.save`. Raises BadBundle for anything but such a folder."""
    about = read_about(folder, course.name)
    network = Network(course, about["params"], about.get("seed", 0))
    network.classes_ = np.array(about["classes"], dtype=np.str_)
    _, keras = tensorflow(network.threads)
    model = load_keras(keras, folder / MODEL, LAYERS, course.name)
    if model.output_shape != (None, len(network.classes_)):
        raise BadBundle(f"{folder / MODEL} gives {model.output_shape}, expected {len(network.classes_)} classes")
    network._model = model
    return network
