"""The support vector machine: kernel, decisions of the pairs, and their coupling, all in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ravdess.onnx.graph import Graph


def svm(graph: Graph, estimator: Any, rows: str) -> str:
    """Probabilities as `ravdess.families.svm` gives them."""
    import onnx

    machine = estimator.machine
    x = graph.add("Cast", rows, to=onnx.TensorProto.DOUBLE)
    alike = graph.add("MatMul", x, graph.constant(machine.vectors.T))
    if machine.gamma:
        last = graph.constant(np.array([1], np.int64))
        own = graph.add("ReduceSum", graph.add("Mul", x, x), last, keepdims=1)
        theirs = graph.constant(np.square(machine.vectors).sum(axis=1))
        twice = graph.add("Mul", alike, graph.constant(np.float64(2)))
        apart = graph.add("Sub", graph.add("Add", own, theirs), twice)
        near = graph.add("Mul", apart, graph.constant(np.float64(-machine.gamma)))
        alike = graph.add("Exp", graph.add("Min", near, graph.constant(np.float64(0))))
    decided = graph.add("MatMul", alike, graph.constant(machine.weights()))
    decided = graph.add("Add", decided, graph.constant(machine.intercepts))
    against = graph.add("Exp", graph.add("Mul", decided, graph.constant(np.float64(-2))))
    one = graph.constant(np.float64(1))
    wins = graph.add("Div", one, graph.add("Add", against, one))
    return graph.add("Cast", couple(graph, wins, len(machine.counts)), to=onnx.TensorProto.FLOAT)


def couple(graph: Graph, wins: str, k: int) -> str:
    """Of pairwise probabilities (n, k (k - 1) / 2) one for each class (n, k), as `ravdess.families.svm.couple`.

    The p sought has Q p = -b e and e' p = 1, so (Q + e e') p is a multiple of e. That matrix is positive definite, so
    elimination needs no pivoting and can be written out, k steps of it.
    """
    i, j = np.triu_indices(k, 1)
    spread, offset = np.zeros((len(i), k, k)), np.zeros((k, k))
    spread[range(len(i)), i, j], spread[range(len(i)), j, i], offset[j, i] = 1, -1, 1
    flat = graph.add("MatMul", wins, graph.constant(spread.reshape(len(i), k * k)))
    flat = graph.add("Add", flat, graph.constant(offset.reshape(k * k)))
    r = graph.add("Reshape", flat, graph.constant(np.array([-1, k, k], np.int64)))
    crossed = graph.add("Mul", r, graph.add("Transpose", r, perm=[0, 2, 1]))
    squares = graph.add("ReduceSum", graph.add("Mul", r, r), graph.constant(np.array([1], np.int64)), keepdims=1)
    diagonal = graph.add("Mul", squares, graph.constant(np.eye(k)))
    q = graph.add("Add", graph.add("Sub", diagonal, crossed), graph.constant(np.ones((k, k))))
    ones = graph.add("Add", graph.add("Mul", squares, graph.constant(np.float64(0))), graph.constant(np.float64(1)))
    m = graph.add("Concat", q, graph.add("Transpose", ones, perm=[0, 2, 1]), axis=2)
    for at in range(k):
        here = graph.constant(np.array([at], np.int64))
        unit = np.zeros((k, 1))
        unit[at] = 1
        row = graph.add("Gather", m, here, axis=1)
        row = graph.add("Div", row, graph.add("Gather", row, here, axis=2))
        column = graph.add("Sub", graph.add("Gather", m, here, axis=2), graph.constant(unit))
        m = graph.add("Sub", m, graph.add("MatMul", column, row))
    solved = graph.add("Gather", m, graph.constant(np.array(k, np.int64)), axis=2)
    shares = graph.add("Max", solved, graph.constant(np.float64(0)))
    total = graph.add("ReduceSum", shares, graph.constant(np.array([1], np.int64)), keepdims=1)
    return graph.add("Div", shares, total)
