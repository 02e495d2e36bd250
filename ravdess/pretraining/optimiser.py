"""One training step, written out so that all of its state can be kept and taken up again.

Kernels of the trunk follow Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): the momentum of a
kernel, seen as a matrix, is replaced by the nearest orthogonal one, scaled as AdamW's steps are (Liu et al. 2025,
arXiv 2502.16982). The rest, the head among it, follows AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101). Kernels
decay. The judged weights are a running mean of the trained ones (Polyak & Juditsky 1992).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ravdess.networks.base import TRUNK

_QUINTIC: Final = (3.4445, -4.7750, 2.0315)
"""Muon's polynomial, which pulls singular values towards 1."""


@dataclass(frozen=True)
class Recipe:
    """What a training does.

    Attributes
    ----------
    epochs, batch : int
    rate : float
        The greatest learning rate. It rises over the first `warmup` of all steps and falls evenly to 0 over the last
        `cooling`.
    decay, smoothing : float
        Weight decay, label smoothing.
    memory : float
        Of the running mean: how much of it stays at each step, once warm.
    small : float
        Share of all steps, the first ones, that see views of 34 pixels: they cost two fifths.
    muon : bool
        Whether the trunk's kernels follow Muon rather than AdamW.
    precision : {"float32", "bfloat16"}
        What layers compute in. Weights, their steps and the trained network are float32 either way.
    """

    epochs: int
    batch: int = 64
    rate: float = 2e-3
    warmup: float = 0.02
    cooling: float = 0.6
    decay: float = 0.05
    smoothing: float = 0.1
    memory: float = 0.998
    small: float = 0.7
    muon: bool = True
    precision: str = "float32"


class Optimiser:
    """A model's training step, and the variables that make up its state.

    ``step(of)`` compiles it for `of`: the model, or another one of the same layers on smaller pictures.
    """

    def __init__(self, tf: Any, model: Any, recipe: Recipe, steps: int) -> None:
        self._tf, self._recipe, self._steps = tf, recipe, steps
        weights = [variable.value for variable in model.trainable_variables]
        rest = [variable.value for variable in model.non_trainable_variables]
        kernels = [len(weight.shape) > 1 for weight in weights]
        orthogonal = [
            recipe.muon and kernel and variable.path.startswith(TRUNK)
            for kernel, variable in zip(kernels, model.trainable_variables, strict=True)
        ]
        floats = [variable for variable in rest if variable.dtype == tf.float32]
        self.judged = [*weights, *floats]
        self.means = [tf.Variable(variable) for variable in self.judged]
        first = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
        second: list[Any] = [
            None if muon else tf.Variable(tf.zeros_like(w)) for w, muon in zip(weights, orthogonal, strict=True)
        ]
        self.count = tf.Variable(0, dtype=tf.int64)
        self.state = [*weights, *rest, *self.means, *first, *(one for one in second if one is not None), self.count]
        """Everything that a step reads and changes, the dropout's random states among it."""

        self._weights, self._kernels, self._first, self._second = weights, kernels, first, second

    def step(self, of: Any) -> Callable[[Any, Any], Any]:
        """``step(pictures, labels) -> loss, accuracy`` of one batch, after which the weights have moved."""
        tf, recipe = self._tf, self._recipe
        weights, kernels, first, second = self._weights, self._kernels, self._first, self._second

        def step(pictures: Any, labels: Any) -> Any:
            self.count.assign_add(1)
            t = tf.cast(self.count, tf.float32)
            with tf.GradientTape() as tape:
                logits = of(pictures, training=True)
                k = logits.shape[-1]
                targets = tf.one_hot(labels, k) * (1 - recipe.smoothing) + recipe.smoothing / k
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
            pace = self.pace(t)
            for w, g, m, v, kernel in zip(weights, tape.gradient(loss, weights), first, second, kernels, strict=True):
                if v is None:
                    m.assign(0.95 * m + 0.05 * g)
                    change = orthogonal(tf, 0.95 * m + 0.05 * g)
                else:
                    m.assign(0.9 * m + 0.1 * g)
                    v.assign(0.999 * v + 0.001 * g**2)
                    change = m / (1 - 0.9**t) / (tf.sqrt(v / (1 - 0.999**t)) + 1e-7)
                w.assign(w * (1 - pace * recipe.decay * kernel) - pace * change)
            stays = tf.minimum(recipe.memory, (1 + t) / (10 + t))
            for mean, now in zip(self.means, self.judged, strict=True):
                mean.assign(stays * mean + (1 - stays) * now)
            return loss, tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == labels, tf.float32))

        shape = (None, *of.input_shape[1:])
        signature = [tf.TensorSpec(shape, tf.uint8), tf.TensorSpec((None,), tf.int64)]
        compiled: Callable[[Any, Any], Any] = tf.function(step, input_signature=signature)
        return compiled

    def pace(self, t: Any) -> Any:
        """The learning rate of step `t`, counted from 1."""
        tf, recipe = self._tf, self._recipe
        rise = t / max(1.0, recipe.warmup * self._steps)
        fall = (self._steps + 1 - t) / max(1.0, recipe.cooling * self._steps)
        return recipe.rate * tf.clip_by_value(tf.minimum(rise, fall), 0.0, 1.0)


def orthogonal(tf: Any, kernel: Any) -> Any:
    """The nearest orthogonal matrix, roughly, to a kernel [shape=(h, w, in, out)], scaled to AdamW's usual step."""
    shape = kernel.shape.as_list()
    x = tf.transpose(tf.reshape(kernel, (-1, shape[-1])))  # (out, h w in)
    tall = x.shape[0] > x.shape[1]
    x = tf.transpose(x) if tall else x
    wide = max(x.shape.as_list())
    x /= tf.norm(x) + 1e-7
    a, b, c = _QUINTIC
    for _ in range(5):
        square = x @ tf.transpose(x)
        x = a * x + (b * square + c * square @ square) @ x
    x = tf.transpose(x) if tall else x
    return tf.reshape(tf.transpose(x), shape) * (0.2 * wide**0.5)
