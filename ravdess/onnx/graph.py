"""An ONNX graph that is written node by node: names are given by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET: Final = 17
OPSET_ML: Final = 3
IR: Final = 8


class Graph:
    """Nodes and constants in the order in which they are added."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(value), name))
        return name

    def model(self, *, inputs: Mapping[str, int], outputs: Mapping[str, int], metadata: Mapping[str, Any]) -> bytes:
        """The checked model; inputs and outputs are float32 (n, columns), strings in the metadata stay strings."""
        import onnx
        from onnx import helper

        def told(some: Mapping[str, int]) -> list[Any]:
            return [
                helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", columns])
                for name, columns in some.items()
            ]

        graph = helper.make_graph(self._nodes, "ravdess", told(inputs), told(outputs), self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
        made = helper.make_model(graph, producer_name="ravdess", opset_imports=opsets, ir_version=IR)
        words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
        helper.set_model_props(made, words)
        onnx.checker.check_model(made)
        return bytes(made.SerializeToString())
