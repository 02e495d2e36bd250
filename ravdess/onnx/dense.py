"""The dense network: each layer as a matrix product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ravdess.onnx.graph import Graph


def mlp(graph: Graph, estimator: Any, rows: str) -> str:
    """Probabilities as `ravdess.families.mlp` gives them."""
    at = rows
    for place, (kernel, scale, shift) in enumerate(estimator.dense.layers):
        if place:
            at = graph.add("Relu", at)
        at = graph.add("MatMul", at, graph.constant(kernel))
        at = graph.add("Mul", at, graph.constant(scale.astype(np.float32)))
        at = graph.add("Add", at, graph.constant(shift.astype(np.float32)))
    return graph.add("Softmax", at, axis=1)
