"""Forests and boosted trees as one tree ensemble.

ONNX compares in float32. The libraries compare a float32 with a threshold of their own precision, so a threshold of
``x <= t`` is rounded down to the next float32: no float32 lies between, and every row takes the same way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ravdess.families.trees import LEAF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ravdess.onnx.graph import Graph


class Tree(NamedTuple):
    """A binary tree, all arrays one a node.

    Attributes
    ----------
    feature, threshold : np.ndarray [shape=(m,)]
        Of inner nodes.
    left, right : np.ndarray [shape=(m,)]
        Children; -1 of a leaf. Left is where the comparison is true.
    value : np.ndarray [shape=(m, targets)]
        What a leaf adds to each target.
    """

    feature: NDArray[Any]
    threshold: NDArray[Any]
    left: NDArray[Any]
    right: NDArray[Any]
    value: NDArray[Any]


def random_forest(graph: Graph, estimator: Any, rows: str) -> str:
    """The mean of the trees' shares."""
    grown = estimator.trees
    ends = np.cumsum(grown.sizes)[:-1]
    leaf = grown.left == LEAF
    value = np.zeros((len(leaf), grown.values.shape[1]))
    value[leaf] = grown.values / grown.values.sum(axis=1, keepdims=True) / len(grown.sizes)
    parts = (grown.feature, round_down(grown.threshold), grown.left, grown.right, value)
    some = [Tree(*nodes) for nodes in zip(*(np.split(part, ends) for part in parts), strict=True)]
    shares = ensemble(graph, some, rows, comparison="BRANCH_LEQ", base=np.zeros(len(estimator.classes_)))
    total = graph.add("ReduceSum", shares, graph.constant(np.array([1], np.int64)), keepdims=1)
    return graph.add("Div", shares, total)


def xgboost(graph: Graph, estimator: Any, rows: str) -> str:
    """The softmax of the summed leaves."""
    learner = json.loads(estimator._booster.save_raw("json"))["learner"]
    model = learner["gradient_booster"]["model"]
    k = len(estimator.classes_)
    some = []
    for tree, target in zip(model["trees"], model["tree_info"], strict=True):
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        conditions = np.array(tree["split_conditions"], dtype=np.float32)  # a leaf's is its value
        value = np.zeros((len(left), k))
        value[left == -1, target] = conditions[left == -1]
        some.append(Tree(np.array(tree["split_indices"]), conditions, left, right, value))
    base = np.array(json.loads(learner["learner_model_param"]["base_score"]), dtype=np.float64)
    scores = ensemble(graph, some, rows, comparison="BRANCH_LT", base=np.broadcast_to(base, (k,)))
    return graph.add("Softmax", scores, axis=1)


def lightgbm(graph: Graph, estimator: Any, rows: str) -> str:
    """The softmax of the summed leaves."""
    k = len(estimator.classes_)
    told = estimator._booster.dump_model()["tree_info"]
    some = [_lightgbm_tree(tree["tree_structure"], number % k, k) for number, tree in enumerate(told)]
    return graph.add("Softmax", ensemble(graph, some, rows, comparison="BRANCH_LEQ", base=np.zeros(k)), axis=1)


def _lightgbm_tree(root: dict[str, Any], target: int, targets: int) -> Tree:
    nodes: list[dict[str, Any]] = []
    children: list[tuple[int, int]] = []

    def walk(node: dict[str, Any]) -> int:
        at = len(nodes)
        nodes.append(node)
        children.append((-1, -1))
        if "left_child" in node:
            children[at] = (walk(node["left_child"]), walk(node["right_child"]))
        return at

    walk(root)
    value = np.zeros((len(nodes), targets))
    value[:, target] = [node.get("leaf_value", 0.0) for node in nodes]
    left, right = np.array(children).T
    value[left != -1] = 0
    feature = np.array([node.get("split_feature", 0) for node in nodes])
    return Tree(feature, round_down(np.array([node.get("threshold", 0.0) for node in nodes])), left, right, value)


def round_down(threshold: NDArray[Any]) -> NDArray[np.float32]:
    """The largest float32 that is not above each number."""
    near = np.asarray(threshold, dtype=np.float32)
    lower = np.nextafter(near, np.float32(-np.inf))
    down: NDArray[np.float32] = np.where(near.astype(np.float64) > threshold, lower, near)
    return down


def ensemble(graph: Graph, some: Sequence[Tree], rows: str, *, comparison: str, base: NDArray[Any]) -> str:
    """Sums of the leaves that each row reaches, plus `base` [shape=(targets,)]."""
    sizes = [len(tree.left) for tree in some]
    leaf = np.concatenate([tree.left == -1 for tree in some])

    def inner(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return np.where(leaf, 0, np.concatenate(parts))

    value = np.concatenate([tree.value for tree in some])
    of_tree, of_node = np.repeat(np.arange(len(some)), sizes), np.concatenate([np.arange(size) for size in sizes])
    node, target = np.nonzero((value != 0) & leaf[:, None])
    return graph.add(
        "TreeEnsembleRegressor",
        rows,
        domain="ai.onnx.ml",
        n_targets=value.shape[1],
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=base.astype(np.float32).tolist(),
        nodes_treeids=of_tree.tolist(),
        nodes_nodeids=of_node.tolist(),
        nodes_featureids=inner([tree.feature for tree in some]).tolist(),
        nodes_values=inner([tree.threshold for tree in some]).astype(np.float32).tolist(),
        nodes_modes=np.where(leaf, "LEAF", comparison).tolist(),
        nodes_truenodeids=inner([tree.left for tree in some]).tolist(),
        nodes_falsenodeids=inner([tree.right for tree in some]).tolist(),
        target_treeids=of_tree[node].tolist(),
        target_nodeids=of_node[node].tolist(),
        target_ids=target.tolist(),
        target_weights=value[node, target].astype(np.float32).tolist(),
    )
