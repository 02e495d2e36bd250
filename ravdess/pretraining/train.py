"""A training that survives being killed: every minute and after every epoch its whole state goes into one file.

Order and variation of the pictures are drawn from (seed, epoch, step), the dropout's random states are part of the
state; so a training that was killed and taken up again takes the very steps that it would have taken.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from ravdess.errors import BadParameter, RunMismatch
from ravdess.families import backend
from ravdess.networks import base as bases
from ravdess.pretraining.augment import Augmentation
from ravdess.pretraining.optimiser import Optimiser, Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]
    Labels = NDArray[np.int64]

STATE: Final = "state.npz"
SMALL: Final = 34
MAGNIFIED: Final = 0.8
"""Small views: pixels a side, and their scale; they show 42 of the 48 pixels."""
_CHUNK: Final = 256


class Files(Protocol):
    """Where the state is kept: a folder whose files appear whole, as a store's do."""

    def exists(self, name: str) -> bool: ...
    def read(self, name: str) -> bytes: ...
    def write(self, name: str, data: bytes) -> None: ...


@dataclass
class Curve:
    """How a training went, one entry an epoch.

    Attributes
    ----------
    loss, training : list of float
        Mean loss and accuracy over the epoch's varied training pictures.
    chosen_on : list of float
        Accuracy of the running mean on the pictures that choose.
    seconds : list of float
        Wall time, summed over the processes that did it.
    """

    loss: list[float] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    chosen_on: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """The epoch, counted from 1, that did best on the pictures that choose; the first of equals."""
        return int(np.argmax(self.chosen_on)) + 1


@dataclass(frozen=True)
class Step:
    """Where a training stands; `note` says how it goes in a few words."""

    done: int
    total: int
    note: str = ""


def train(
    images: Images,
    labels: Labels,
    choosers: tuple[Images, Labels],
    *,
    network: str,
    classes: int,
    params: dict[str, Any],
    recipe: Recipe,
    augmentation: Augmentation,
    seed: int,
    folder: Files,
    threads: int = 1,
    every: float = 60.0,
    progress: Callable[[Step], Any] = lambda step: None,
) -> tuple[Any, Curve]:
    """Fit a face base, and give it with the weights of the epoch that the choosers like best.

    Parameters
    ----------
    images, labels : arrays [shape=(n, 48, 48), dtype=uint8], [shape=(n,)]
    choosers : pair of such arrays
        Choose the epoch; nothing else learns from them.
    network : {"plain", "strong"}
    folder : Files
        Holds the state; a training that began there goes on. Its name must tell trainings apart.
    every : float
        Seconds between two states within an epoch.

    Raises
    ------
    BadParameter
        There are fewer pictures than a batch.
    RunMismatch
        The state in `folder` is another training's.
    """
    tf, keras = backend.tensorflow(threads)
    per_epoch = len(images) // recipe.batch
    if not per_epoch:
        raise BadParameter(f"{len(images)} training pictures do not fill a batch of {recipe.batch}; make it smaller")
    total = per_epoch * recipe.epochs
    with tf.device("CPU:0") if not tf.config.list_physical_devices("GPU") else tf.device("GPU:0"):
        result = bases.build(keras, bases.SHAPE, classes, params, seed, network=network)
        settle(keras, result, images, np.random.default_rng([seed, 0]))
        with backend.precision(keras, recipe.precision):
            model = bases.build(keras, bases.SHAPE, classes, params, seed, network=network)
            views = bases.on_small_views(keras, model, SMALL)
        model.set_weights(result.get_weights())
        optimiser = Optimiser(tf, model, recipe, total)
        full, small = optimiser.step(model), optimiser.step(views)
        kept = _Kept(folder, optimiser, model)
        done, curve, spent, sums = kept.take_up()
        progress(Step(done, total, _note(curve)))
        began = saved = time.monotonic()
        while done < total:
            epoch, at = divmod(done, per_epoch)
            order = np.random.default_rng([seed, 1, epoch]).permutation(len(images))
            rows = order[at * recipe.batch : (at + 1) * recipe.batch]
            rng = np.random.default_rng([seed, 2, epoch, at])
            if done < recipe.small * total:
                step, varied = small, augmentation(images[rows], rng, side=SMALL, magnified=MAGNIFIED)
            else:
                step, varied = full, augmentation(images[rows], rng)
            loss, right = step(tf.constant(varied[..., None]), tf.constant(labels[rows]))
            sums += (float(loss), float(right))
            done += 1
            if done % per_epoch == 0:
                with averaged(optimiser):
                    right_share = accuracy(model, *choosers)
                    if right_share > max(curve.chosen_on, default=-1.0):
                        kept.best = [weight.numpy() for weight in optimiser.judged]
                now = time.monotonic()
                curve.loss.append(round(sums[0] / per_epoch, 4))
                curve.training.append(round(sums[1] / per_epoch, 4))
                curve.chosen_on.append(right_share)
                curve.seconds.append(round(spent + now - began, 1))
                spent, began, sums = 0.0, now, np.zeros(2)
            if done % per_epoch == 0 or time.monotonic() - saved >= every:
                kept.write(done, curve, spent + time.monotonic() - began, sums)
                saved = time.monotonic()
            progress(Step(done, total, _note(curve)))
        for variable, value in zip(optimiser.judged, kept.best, strict=True):
            variable.assign(value)
        result.set_weights(model.get_weights())
    return result, curve


def probabilities(model: Any, images: Images, *, mirrored: bool = False) -> NDArray[np.float64]:
    """Probabilities [shape=(n, classes)] of pictures [shape=(n, h, w)]; with `mirrored`, the mean with their mirror."""
    if mirrored:
        return (probabilities(model, images) + probabilities(model, images[:, :, ::-1])) / 2
    import tensorflow as tf

    said = [
        tf.nn.softmax(model(tf.constant(images[start : start + _CHUNK, ..., None]), training=False)).numpy()
        for start in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(said).astype(np.float64)


def accuracy(model: Any, images: Images, labels: Labels, *, mirrored: bool = False) -> float:
    """The share of pictures whose likeliest label is theirs, 0 … 1."""
    return float((probabilities(model, images, mirrored=mirrored).argmax(axis=1) == labels).mean())


@contextmanager
def averaged(optimiser: Optimiser) -> Iterator[None]:
    """For a while, the model's weights are their running means."""
    trained = [variable.numpy() for variable in optimiser.judged]
    for variable, mean in zip(optimiser.judged, optimiser.means, strict=True):
        variable.assign(mean)
    try:
        yield
    finally:
        for variable, value in zip(optimiser.judged, trained, strict=True):
            variable.assign(value)


class _Kept:
    """The state file: the optimiser's variables, the best weights so far, and where the training stands."""

    def __init__(self, folder: Files, optimiser: Optimiser, model: Any) -> None:
        self._folder, self._state = folder, optimiser.state
        self.best: list[NDArray[np.float32]] = [variable.numpy() for variable in optimiser.judged]
        self._mark = f"{model.name} {model.count_params()}"

    def take_up(self) -> tuple[int, Curve, float, NDArray[np.float64]]:
        """Steps done, the curve, seconds spent in the epoch, its sums; from the start where there is no state."""
        if not self._folder.exists(STATE):
            return 0, Curve(), 0.0, np.zeros(2)
        with np.load(io.BytesIO(self._folder.read(STATE)), allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            if about["mark"] != self._mark:
                raise RunMismatch(
                    f"the state kept is of {about['mark']}, not of {self._mark}; use another run or store"
                )
            for at, variable in enumerate(self._state):
                variable.assign(file[f"state_{at}"])
            self.best = [file[f"best_{at}"] for at in range(len(self.best))]
        return about["done"], Curve(**about["curve"]), about["spent"], np.array(about["sums"])

    def write(self, done: int, curve: Curve, spent: float, sums: NDArray[np.float64]) -> None:
        told = {"mark": self._mark, "done": done, "curve": vars(curve), "spent": spent, "sums": sums.tolist()}
        arrays = {f"state_{at}": variable.numpy() for at, variable in enumerate(self._state)}
        arrays |= {f"best_{at}": value for at, value in enumerate(self.best)}
        sink = io.BytesIO()
        np.savez(sink, about=np.frombuffer(json.dumps(told).encode(), dtype=np.uint8), **arrays)
        self._folder.write(STATE, sink.getvalue())


def settle(keras: Any, model: Any, images: Images, rng: np.random.Generator) -> None:
    """Scale and shift a plain network's first weights: each map starts at mean 0 and deviation 1 on real pictures.

    Layer by layer, as Krähenbühl et al. 2016 (arXiv 1511.06856): it gives a network without normalisation the start
    that normalisation would. Networks with norms, and the last layer's scale, are left alone.
    """
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        return
    some = images[rng.choice(len(images), min(256, len(images)), replace=False), ..., None]
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in layers:
        active, layer.activation = layer.activation, keras.activations.linear
        try:
            maps = np.asarray(keras.Model(model.input, layer.output)(some, training=False))
        finally:
            layer.activation = active
        kernel, bias = (np.asarray(weight) for weight in layer.get_weights())
        mean, deviation = maps.mean(axis=(0, 1, 2)), maps.std(axis=(0, 1, 2)) + 1e-3
        size = 0.3 if layer is layers[-1] else 1.0
        layer.set_weights([kernel * size / deviation, (bias - mean) * size / deviation])


def _note(curve: Curve) -> str:
    if not curve.chosen_on:
        return "first epoch"
    return f"epoch {len(curve.loss)}: {curve.chosen_on[-1]:.4f}, best {max(curve.chosen_on):.4f} of epoch {curve.best}"
