"""AdamW with gradient clipping and a running mean of the weights, written out so that all its state can be kept.

AdamW: Loshchilov & Hutter 2019, arXiv 1711.05101. The mean of the weights over the last steps judges (Polyak & Juditsky
1992, doi 10.1137/0330046), so that a stage in the middle of a schedule is worth something, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

MEMORY: Final = 0.995
"""How much of the mean stays at each step, once there were enough."""
CLIP: Final = 5.0
"""Longest gradient, over all variables."""


class AdamW:
    """A model's training step. Kernels decay, biases and norms do not.

    The graph of Keras's own optimizer, traced afresh for every fit, is never freed; a search makes thousands.
    """

    def __init__(self, tf: Any, model: Any, decay: float) -> None:
        self._tf, self._decay = tf, decay
        self._weights = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        self.judged = self.judged_of(tf, model)
        self.means = [tf.Variable(one) for one in self.judged]
        self._first, self._second = ([tf.Variable(tf.zeros_like(one)) for one in self._weights] for _ in range(2))
        self._count = tf.Variable(0.0)
        self.state = [*self._weights, *others, *self.means, *self._first, *self._second, self._count]
        """Everything that a step reads and changes; the dropout's random states are among it."""

    @staticmethod
    def judged_of(tf: Any, model: Any) -> list[Any]:
        """The variables of a model that `means` stand for, in that order: weights and the norms' statistics."""
        every = [*model.trainable_variables, *model.non_trainable_variables]
        return [one.value for one in every if one.value.dtype == tf.float32]

    def step(self, model: Any, shape: Sequence[int | None]) -> Callable[[Any, Any, Any], None]:
        """``step(pictures [shape=(None, *shape)], targets, rate)``: one compiled step of those weights that may learn.

        `targets` [shape=(batch, classes)] are weighted: each row's loss is multiplied by the row's sum.
        """
        tf = self._tf
        learning = {id(variable.value) for variable in model.trainable_variables}
        own = zip(self._weights, self._first, self._second, strict=True)
        moved = [(weight, m, v) for weight, m, v in own if id(weight) in learning]
        kernels = [weight for weight, _, _ in moved]
        classes = model.output_shape[-1]

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[tf.TensorSpec(shape), tf.TensorSpec((None, classes)), tf.TensorSpec(())]
        )
        def step(pictures: Any, targets: Any, rate: Any) -> None:
            self._count.assign_add(1.0)
            count = self._count
            with tf.GradientTape() as tape:
                logits = model(pictures, training=True)
                # The library's gradient takes targets to sum to 1, so the weight stays apart.
                weight = tf.reduce_sum(targets, axis=1)
                shares = targets / tf.maximum(weight, 1e-12)[:, tf.newaxis]
                loss = tf.reduce_mean(weight * tf.nn.softmax_cross_entropy_with_logits(shares, logits))
            gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, kernels), CLIP)
            pace = rate * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            for (weight, m, v), gradient in zip(moved, gradients, strict=True):
                m.assign(0.9 * m + 0.1 * gradient)
                v.assign(0.999 * v + 0.001 * gradient**2)
                if len(weight.shape) > 1:
                    weight.assign(weight * (1 - rate * self._decay))
                weight.assign_sub(pace * m / (tf.sqrt(v) + 1e-7))
            stays = tf.minimum(MEMORY, (1 + count) / (10 + count))
            for mean, now in zip(self.means, self.judged, strict=True):
                mean.assign(stays * mean + (1 - stays) * now)

        compiled: Callable[[Any, Any, Any], None] = step.get_concrete_function()
        return compiled
