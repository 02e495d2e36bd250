"""A bundle as an ONNX file, for programs that know nothing of this project.

One input, ``features`` (n, d): raw numbers of the feature set, as float32. The standardiser stands in the graph. Two
outputs, (n, 8) in the order of the metadata's ``labels``: ``probabilities``, the model's own, and ``calibrated``. How
the features are made from sound is told in the file's metadata and, the same, in a JSON file beside it.

The graphs are written node by node. Converters exist for some of these models, but none knows the coupling of the
machine's pairs, and each would be one more library that must keep step with the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ravdess.errors import BadBundle, MissingExtra
from ravdess.fused import FusedBundle
from ravdess.onnx import dense, linear, pairs, trees
from ravdess.onnx.graph import Graph

if TYPE_CHECKING:
    from ravdess.bundle import Bundle

PARTS: Final[Mapping[str, Callable[[Graph, Any, str], str]]] = {
    "lda": linear.lda,
    "svm": pairs.svm,
    "random_forest": trees.random_forest,
    "xgboost": trees.xgboost,
    "lightgbm": trees.lightgbm,
    "mlp": dense.mlp,
}
"""Family -> what adds its nodes: (graph, estimator, name of the standardised rows) -> name of its probabilities."""


def export(bundle: Bundle | FusedBundle, path: Path) -> tuple[Path, Path]:
    """Write a bundle as ``<path>`` and ``<path>.json``.

    Returns
    -------
    tuple of Path
        Both files.

    Raises
    ------
    BadBundle
        Its family has no export.
    MissingExtra
        The package onnx is not installed.
    """
    if isinstance(bundle, FusedBundle):
        raise BadBundle("a fusion has no ONNX export; export its members one by one")
    data = to_onnx(bundle)
    beside = path.with_name(f"{path.name}.json")
    path.write_bytes(data)
    beside.write_text(json.dumps(about(bundle), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path, beside


def to_onnx(bundle: Bundle) -> bytes:
    """The ONNX file's bytes. Raises as `export` does."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("onnx", "onnx") from error
    if bundle.family not in PARTS or bundle.standardiser is None:
        raise BadBundle(f"models of {bundle.family!r} have no ONNX export, only those of {sorted(PARTS)} on features")
    graph = Graph()
    exact = graph.add("Cast", "features", to=onnx.TensorProto.DOUBLE)
    centred = graph.add("Sub", exact, graph.constant(bundle.standardiser.mean))
    scaled = graph.add("Div", centred, graph.constant(bundle.standardiser.scale))
    known = PARTS[bundle.family](graph, bundle.estimator, graph.add("Cast", scaled, to=onnx.TensorProto.FLOAT))
    place = np.zeros((len(bundle.estimator.classes_), len(bundle.labels)), np.float32)
    for row, label in enumerate(bundle.estimator.classes_.tolist()):
        place[row, bundle.labels.index(label)] = 1
    ordered = graph.add("MatMul", known, graph.constant(place))
    graph.add("Identity", ordered, output="probabilities")
    heat = 1.0 if bundle.calibration is None else bundle.calibration.temperature
    raised = graph.add("Pow", ordered, graph.constant(np.float32(1 / heat)))
    total = graph.add("ReduceSum", raised, graph.constant(np.array([1], np.int64)), keepdims=1)
    graph.add("Div", raised, total, output="calibrated")
    return graph.model(
        inputs={"features": len(bundle.columns)},
        outputs={"probabilities": len(bundle.labels), "calibrated": len(bundle.labels)},
        metadata=about(bundle),
    )


def about(bundle: Bundle) -> dict[str, Any]:
    """All that must be known to use the file, as JSON values."""
    from ravdess.features import FEATURE_SETS

    told: dict[str, Any] = {
        "family": bundle.family,
        "labels": list(bundle.labels),
        "features": bundle.features,
        "fingerprint": bundle.fingerprint,
        "columns": list(bundle.columns),
        "enrolled": bundle.enrolled,
        "threshold": 0.0 if bundle.calibration is None else bundle.calibration.threshold,
        "scores": {name: value for name, value in bundle.scores.items() if isinstance(value, float | int)},
        "protocol": bundle.facts.get("protocol"),
        "licence": bundle.licence,
        "versions": dict(bundle.versions),
    }
    steps = []
    if bundle.features in FEATURE_SETS and not bundle.foreign:
        made = FEATURE_SETS[bundle.features]
        told |= {"sample_rate": made.sample_rate, "parameters": dict(made.parameters)}
        steps += [
            "mono: the mean of the channels, float32, full scale 1",
            f"resampled to {made.sample_rate} Hz by soxr_hq",
            f'ravdess.features.feature_set("{made.name}").extract(y, sr), in the order of columns',
        ]
    else:
        steps.append(f"numbers of the imported table {bundle.features!r}, in the order of columns")
    if bundle.enrolled:
        steps.append("each column less its mean over the clips of the same person, divided by its standard deviation")
    return {**told, "preprocessing": steps, "below_threshold": "a calibrated maximum below threshold means: not sure"}
