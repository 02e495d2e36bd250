"""The dense network: each layer as a matrix product; what only trains (dropout) is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ravdess.errors import BadBundle

if TYPE_CHECKING:
    from ravdess.onnx.graph import Graph


def mlp(graph: Graph, estimator: Any, rows: str) -> str:
    """Probabilities as `ravdess.families.mlp` gives them."""
    at = rows
    for layer in estimator._model.layers:
        kind = type(layer).__name__
        weights = [np.asarray(weight, dtype=np.float32) for weight in layer.get_weights()]
        if kind == "Dense":
            at = graph.add("Gemm", at, *map(graph.constant, weights))
        elif kind == "BatchNormalization":
            gamma, beta, mean, variance = (weight.astype(np.float64) for weight in weights)
            scale = gamma / np.sqrt(variance + layer.epsilon)
            at = graph.add("Mul", at, graph.constant(scale.astype(np.float32)))
            at = graph.add("Add", at, graph.constant((beta - mean * scale).astype(np.float32)))
        elif kind == "Activation":
            at = graph.add("Relu", at)
        elif kind not in ("InputLayer", "Dropout"):
            raise BadBundle(f"the network has a layer {kind}, which no {estimator.params} is made of")
    return graph.add("Softmax", at, axis=1)
