"""From a PyTorch module to ONNX, and the module itself as a model, to compare with.

What the exporter notes beside the graph (paths of this machine, lines of source, its version) is left out: equal
networks are equal bytes.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from penstock.bundle.matrix import matrix
from penstock.bundle.model import Floats
from penstock.bundle.onnx_format import columns_of
from penstock.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from penstock.bundle.manifest import Target

CHECKED_ROWS = 1000
_TAKES = "forward takes one tensor of (rows, features), X's columns in their order, and gives one of as many rows"
_PROBABILITIES = (
    "return the network with its last layer: nn.Sequential(network, nn.Sigmoid()), or nn.Softmax(dim=1) for several "
    "classes; train without it if the loss takes logits"
)
_SHAPING = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


class Network:
    """A trained module as it answers, on the CPU. The module that it is made from stays as it is."""

    tolerance = 1e-5

    def __init__(self, estimator: Any) -> None:
        from copy import deepcopy

        import torch

        module = estimator if isinstance(estimator, torch.nn.Module) else _of_skorch(estimator)
        module = getattr(module, "_orig_mod", module)  # of torch.compile
        self._module = deepcopy(module).to("cpu").eval()
        double = any(each.dtype == torch.float64 for each in self._module.parameters())
        self._dtype = torch.float64 if double else torch.float32

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        """(rows, classes)"""
        return columns_of(self._run(vectors))

    def values(self, vectors: pl.DataFrame) -> Floats:
        """(rows,)"""
        return self._run(vectors).reshape(vectors.height)

    def _run(self, vectors: pl.DataFrame) -> Floats:
        import torch

        rows = torch.from_numpy(matrix(vectors, "PyTorch")).to(self._dtype)
        with torch.no_grad():
            return np.asarray(self._module(rows).numpy(), dtype=np.float64)

    def check(self, vectors: pl.DataFrame, target: "Target") -> None:
        """UsageError when the network cannot be asked about X, or gives no probabilities where they are wanted."""
        asked = vectors.head(CHECKED_ROWS)
        try:
            output = self._run(asked)
        except UsageError:
            raise
        except Exception as error:  # whatever forward raises
            what = f"the network cannot answer X: {type(error).__name__}: {str(error).splitlines()[0]}"
            raise UsageError(what, hint=_TAKES) from error
        if len(output) != asked.height:
            raise UsageError(f"the network gives {len(output)} rows for {asked.height}", hint=_TAKES)
        if target.task != "regression":
            _check_probabilities(columns_of(output))

    def to_onnx(self, width: int, target: "Target") -> bytes:
        """The network's graph and weights."""
        graph = _export(self._module, width, self._dtype)
        if target.task != "regression" and _last_operator(graph.graph) == "Gemm":
            what = "the network ends with a linear layer, so its output is no probability"
            raise UsageError(what, hint=_PROBABILITIES)
        _forget_the_machine(graph)
        return bytes(graph.SerializeToString(deterministic=True))


def _of_skorch(net: Any) -> Any:
    """The module, and behind it what skorch puts there to get probabilities, by the loss."""
    import torch

    if not hasattr(net, "module_"):
        raise UsageError(f"the {type(net).__name__} is not fitted", hint="return net.fit(rows, wanted) from fit")

    class Answering(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = net.module_
            self.end = net._get_predict_nonlinearity()

        def forward(self, rows: Any) -> Any:
            output = self.module(rows)
            return self.end(output[0] if isinstance(output, tuple) else output)

    return Answering()


def _check_probabilities(columns: Floats) -> None:
    known = columns[np.isfinite(columns).all(axis=1)]  # NaN is told elsewhere
    if not known.size:
        return
    if known.min() < 0 or known.max() > 1:
        span = f"between {known.min():.3g} and {known.max():.3g}"
        raise UsageError(f"the network's scores lie {span}: no probabilities", hint=_PROBABILITIES)
    if abs(known.sum(axis=1) - 1).max() > 1e-3:
        raise UsageError("the network's scores of the classes do not sum to 1", hint=_PROBABILITIES)


def _export(module: Any, width: int, dtype: Any) -> Any:
    import torch

    example = torch.zeros(2, width, dtype=dtype)
    rows = torch.export.Dim("rows")
    try:
        with _quiet():
            exported = torch.onnx.export(
                module, (example,), dynamo=True, input_names=["rows"], output_names=["scores"],
                dynamic_shapes=({0: rows},), verbose=False,
            )  # fmt: skip
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "torch") from error
    except Exception as error:  # whatever in a module cannot be traced
        what = f"PyTorch cannot export the network to ONNX: {str(error).strip().splitlines()[0]}"
        hint = "no branches on values and no loops over rows in forward; torch.onnx.export(..., report=True) tells more"
        raise UsageError(what, hint=hint) from error
    assert exported is not None  # it is for dynamo=True
    return exported.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's words about libraries that are not needed."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _last_operator(graph: Any) -> str:
    """What makes the output, but for its shape."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(graph.output[0].name)
    while node is not None and node.op_type in _SHAPING:
        node = makers.get(node.input[0])
    return "" if node is None else str(node.op_type)


def _forget_the_machine(model: Any) -> None:
    model.ClearField("producer_version")
    model.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
