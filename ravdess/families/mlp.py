"""A small dense network, trained by Keras 3 (batch normalisation, dropout, label smoothing, AdamW), kept as arrays.

It draws everything at random (weights, dropout, order of rows) from its own seed, never from a global one, and its
layers carry fixed names. So a process may build many, in any order, and each comes out the same. The learning rate
is constant: the network after stage s of a long fit is the very network that a fit of s epochs gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle
from ravdess.families import FAMILIES, Family
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
from ravdess.families.dense import Dense
from ravdess.families.keras_file import load_keras
from ravdess.families.space import Choice, Integer, Params, Real, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.families import Floats, Labels

NAME: Final = "mlp"
SPACE: Final[Space] = {
    "layers": Integer(1, 3, step=1.0),
    "units": Choice((64, 128, 256, 512)),
    "dropout": Real(0.0, 0.6, step=0.15),
    "input_dropout": Real(0.0, 0.4, step=0.1),
    "learning_rate": Real(3e-4, 5e-3, step=2.0, log=True),
    "weight_decay": Real(1e-4, 0.1, step=5.0, log=True),
    "label_smoothing": Choice((0.0, 0.1, 0.2)),
}
DEFAULTS: Final[Params] = {
    "epochs": 60,
    "layers": 2,
    "units": 128,
    "dropout": 0.4,
    "input_dropout": 0.1,
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "label_smoothing": 0.1,
    "batch_size": 64,
}
STAGES: Final = (10, 20, 30, 40, 60, 80)
OLD: Final = "model.keras"
"""As networks were kept before they were arrays; still read."""
_LAYERS: Final = frozenset({"Functional", "InputLayer", "Dense", "BatchNormalization", "Activation", "Dropout"})
"""All that `_network` is made of; a saved file that names anything else is refused before Keras sees it."""


class Network:
    """A Keras model on the families' contract."""

    classes_: Labels

    def __init__(self, params: Params, seed: int = 0, threads: int = 1) -> None:
        self.params = settle(NAME, SPACE, DEFAULTS, params)
        self.seed, self.threads = seed, threads
        self._stages: list[Dense] = []

    def fit(self, X: Floats, y: Labels, sample_weight: NDArray[np.float64] | None = None) -> Network:
        tf, keras = tensorflow(self.threads, onednn=False)
        self.classes_, codes = encode(y)
        rate, decay, smooth = (number(self.params, n) for n in ("learning_rate", "weight_decay", "label_smoothing"))
        epochs, batch = (whole(self.params, n) for n in ("epochs", "batch_size"))
        k, n = len(self.classes_), len(codes)
        target = np.eye(k)[codes] * (1 - smooth) + smooth / k
        weight = even_mean(sample_weight, n)
        batch = min(batch, n)
        rng = np.random.default_rng(self.seed)
        self._stages = []
        with tf.device("CPU:0"):
            model = _network(keras, X.shape[1], k, self.params, self.seed)
            variables = [variable.value for variable in model.trainable_variables]
            step = _adamw(tf, variables, rate, decay)
            rows, targets, weights = (tf.constant(a, dtype=tf.float32) for a in (X, target, weight))

            # A whole epoch is one graph: for 1000 rows, a call from Python for each batch costs more than its sums.
            @tf.function(input_signature=[tf.TensorSpec((None, batch), tf.int32)])  # type: ignore[untyped-decorator]
            def epoch(batches: Any) -> None:
                for at in batches:
                    with tf.GradientTape() as tape:
                        logits = model(tf.gather(rows, at), training=True)
                        losses = tf.nn.softmax_cross_entropy_with_logits(tf.gather(targets, at), logits)
                        loss = tf.reduce_mean(tf.gather(weights, at) * losses)
                    step(tape.gradient(loss, variables))

            train = epoch.get_concrete_function()
            stages = reached(STAGES, epochs)
            for passed in range(1, epochs + 1):
                # Rows that do not fill a batch wait for another epoch: a batch of one has no variance to normalise by.
                order = rng.permutation(n)[: n // batch * batch].astype(np.int32)
                train(tf.constant(order.reshape(-1, batch)))
                if passed in stages:
                    self._stages.append(Dense.of(model))
        return self

    @property
    def dense(self) -> Dense:
        """The network as it is after its last stage."""
        return self._stages[-1]

    def predict_proba(self, X: Floats) -> NDArray[np.float64]:
        return softmax(self.dense.logits(X))

    def staged_predict_proba(self, X: Floats) -> Iterator[NDArray[np.float64]]:
        """As of each stage. A network that was loaded has its last stage only."""
        for stage in self._stages:
            yield softmax(stage.logits(X))

    def save(self, folder: Path) -> None:
        write_about(folder, NAME, self.classes_, self.params, seed=self.seed)
        self.dense.save(folder)


def _network(keras: Any, columns: int, classes: int, params: Params, seed: int) -> Any:
    """Logits of `classes` from `columns`, every random part seeded by its place."""
    layers, start = keras.layers, keras.initializers
    seeds = iter(np.random.SeedSequence(seed).generate_state(16).tolist())
    x = inputs = keras.Input((columns,), name="features", dtype="float32")
    x = layers.Dropout(params["input_dropout"], seed=next(seeds), name="input_dropout", dtype="float32")(x)
    for place in range(1, whole(params, "layers") + 1):
        kernel = start.HeNormal(seed=next(seeds))
        x = layers.Dense(params["units"], kernel_initializer=kernel, name=f"dense_{place}", dtype="float32")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{place}", dtype="float32")(x)
        x = layers.Activation("relu", name=f"relu_{place}", dtype="float32")(x)
        x = layers.Dropout(params["dropout"], seed=next(seeds), name=f"dropout_{place}", dtype="float32")(x)
    kernel = start.GlorotUniform(seed=next(seeds))
    logits = layers.Dense(classes, kernel_initializer=kernel, name="logits", dtype="float32")(x)
    return keras.Model(inputs, logits, name=NAME)


def _adamw(tf: Any, variables: list[Any], rate: float, decay: float) -> Callable[[list[Any]], None]:
    """A step of AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101); matrices decay, biases and norms do not.

    The graph of Keras's own optimizer, traced afresh for every fit, is never freed: 7 MB a fit were measured, and a
    search makes thousands in one process.
    """
    first, second = ([tf.Variable(tf.zeros_like(variable)) for variable in variables] for _ in range(2))
    count = tf.Variable(0.0)

    def step(gradients: list[Any]) -> None:
        count.assign_add(1.0)
        pace = rate * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        for variable, gradient, m, v in zip(variables, gradients, first, second, strict=True):
            m.assign(0.9 * m + 0.1 * gradient)
            v.assign(0.999 * v + 0.001 * gradient**2)
            if len(variable.shape) > 1:
                variable.assign(variable * (1 - rate * decay))
            variable.assign_sub(pace * m / (tf.sqrt(v) + 1e-7))

    return step


def build(params: Params, seed: int = 0, threads: int = 1) -> Network:
    """An unfitted network. The first network of a process fixes TensorFlow's threads for all of them."""
    return Network(params, seed, threads)


def load(folder: Path) -> Network:
    """The inverse of `Network.save`. Raises BadBundle for anything but such a folder."""
    about = read_about(folder, NAME)
    network = Network(about["params"], about.get("seed", 0))
    network.classes_ = np.array(about["classes"], dtype=np.str_)
    dense = _of_keras(folder / OLD, network.threads) if (folder / OLD).exists() else Dense.load(folder)
    if dense.classes != len(network.classes_):
        raise BadBundle(f"{folder} gives {dense.classes} numbers, expected {len(network.classes_)} classes")
    network._stages = [dense]
    return network


def _of_keras(path: Path, threads: int) -> Dense:
    """Of a file that an earlier version of the project wrote."""
    _, keras = tensorflow(threads, onednn=False)
    return Dense.of(load_keras(keras, path, _LAYERS, NAME))


FAMILIES.register(Family(NAME, SPACE, DEFAULTS, build, load, "epochs", STAGES))
