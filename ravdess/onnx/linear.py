"""The linear discriminant: each column along its curve of ranks, then one matrix product, all in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ravdess.onnx.graph import Graph


def lda(graph: Graph, estimator: Any, rows: str) -> str:
    """Probabilities as `ravdess.families.lda` gives them."""
    import onnx

    x = graph.add("Cast", rows, to=onnx.TensorProto.DOUBLE)
    if estimator.ranks is not None:
        # A piecewise linear curve is a sum of ramps, one for each stretch between two knots.
        knots, scores = estimator.ranks.knots.T, estimator.ranks.scores.T
        width, rise = np.diff(knots, axis=1), np.diff(scores, axis=1)
        slope = np.divide(rise, width, out=np.zeros_like(rise), where=width > 0)
        last = graph.constant(np.array([2], np.int64))
        past = graph.add("Sub", graph.add("Unsqueeze", x, last), graph.constant(knots[:, :-1]))
        ramp = graph.add("Min", graph.add("Max", past, graph.constant(np.float64(0))), graph.constant(width))
        climbed = graph.add("ReduceSum", graph.add("Mul", ramp, graph.constant(slope)), last, keepdims=0)
        x = graph.add("Add", climbed, graph.constant(scores[:, 0]))
    decided = graph.add("MatMul", x, graph.constant(estimator.weights))
    decided = graph.add("Add", decided, graph.constant(estimator.offsets))
    return graph.add("Cast", graph.add("Softmax", decided, axis=1), to=onnx.TensorProto.FLOAT)
