"""Networks as ONNX: operators and weights, no code; ONNX Runtime answers, PyTorch is not needed for it.

    holds     a trained torch.nn.Module, or skorch's NeuralNet around one
    takes     float32 (rows, features): X's columns in their order; float64 if the weights are
    gives     (rows,) or (rows, 1): the probability of the event, or the value; (rows, classes): a probability of each
              of the target's classes, in ascending order (binary: no, yes)

One thread answers, so that a sum has one order whatever the machine's cores.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from penstock.bundle.matrix import matrix
from penstock.bundle.model import Dumped, Floats, Model, labels_or_places
from penstock.digest import digest_bytes
from penstock.errors import MissingExtra, Untrusted

if TYPE_CHECKING:
    from penstock.bundle.manifest import Target

FILE = "model.onnx"
MAX_BYTES = 1 << 30
MAX_NODES = 100_000
_BASES = frozenset({("torch.nn.modules.module", "Module"), ("skorch.net", "NeuralNet")})
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})  # the standard's own; others name operators of some library
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}
_DATA_ELSEWHERE = 1  # TensorProto.EXTERNAL


def holds(estimator: Any) -> bool:
    """Whether the estimator is a PyTorch module, or skorch's."""
    return any((base.__module__, base.__name__) in _BASES for base in type(estimator).__mro__)


def dump(estimator: Any, vectors: pl.DataFrame, target: "Target") -> Dumped:
    """The network as ONNX, as it answers when it is not being trained."""
    from penstock.bundle.torch_export import Network

    network = Network(estimator)
    network.check(vectors, target)
    data = network.to_onnx(vectors.width, target)
    return Dumped(FILE, data, digest_bytes(data), labels_or_places(estimator, target), network)


def load(data: bytes) -> Model:
    """The network in a file. Untrusted, with the reason, if it is not standard ONNX that holds all of its weights."""
    if len(data) > MAX_BYTES:
        raise Untrusted(f"the model file is {len(data):,} bytes", expected=f"at most {MAX_BYTES:,}")
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("onnxruntime", "onnx") from error
    _audit(_parsed(onnx, data))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised
    try:
        return _Graph(onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"]))
    except Untrusted:
        raise
    except Exception as error:  # ONNX Runtime has an exception of its own for each of its status codes
        raise Untrusted(f"ONNX Runtime cannot read the model file: {str(error).splitlines()[0]}") from error


def _parsed(onnx: Any, data: bytes) -> Any:
    try:
        return onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf's DecodeError, which has moved between its versions
        raise Untrusted(f"the model file is not ONNX: {error}") from error


def _audit(model: Any) -> None:
    """Only operators of the standard, and no weights in files that lie elsewhere."""
    if not model.HasField("graph") or model.functions or model.training_info:
        raise Untrusted("the model file is not ONNX with one graph")
    for count, node in enumerate(_nodes(model.graph)):
        if count >= MAX_NODES:
            raise Untrusted("the model file has too many operators", expected=f"at most {MAX_NODES:,}")
        if node.domain not in _DOMAINS:
            expected = "operators of the standard"
            raise Untrusted(f"the model file asks for {node.domain}.{node.op_type}", expected=expected)
    for tensor in _tensors(model.graph):
        if tensor.data_location == _DATA_ELSEWHERE or tensor.external_data:
            raise Untrusted(f"the weights of {tensor.name!r} lie in another file", expected="all of them in this one")


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph and those inside its operators: branches and loops."""
    pending = [graph]
    while pending:
        each = pending.pop()
        yield each
        for attribute in _attributes(each):
            pending += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]


def _nodes(graph: Any) -> Iterator[Any]:
    return (node for each in _graphs(graph) for node in each.node)


def _attributes(graph: Any) -> Iterator[Any]:
    return (attribute for node in graph.node for attribute in node.attribute)


def _tensors(graph: Any) -> Iterator[Any]:
    for each in _graphs(graph):
        yield from each.initializer
        for sparse in each.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for attribute in _attributes(each):
            yield from attribute.tensors
            yield attribute.t
            for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
                yield from (sparse.values, sparse.indices)


class _Graph:
    """A session that is given Polars frames."""

    tolerance = 1e-5

    def __init__(self, session: Any) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in _TYPES:
            raise Untrusted("the network does not take one tensor of numbers and give one")
        self._session = session
        self._input, self._dtype = inputs[0].name, _TYPES[inputs[0].type]

    def probabilities(self, vectors: pl.DataFrame) -> Floats:
        return columns_of(self._run(vectors))

    def values(self, vectors: pl.DataFrame) -> Floats:
        return self._run(vectors).reshape(vectors.height)

    def _run(self, vectors: pl.DataFrame) -> Floats:
        rows = matrix(vectors, "PyTorch").astype(self._dtype)
        return np.asarray(self._session.run(None, {self._input: rows})[0], dtype=np.float64)


def columns_of(output: Floats) -> Floats:
    """A network's output as (rows, classes): of one probability the other one is what is left."""
    rows = output.reshape(len(output), -1)
    return np.column_stack([1 - rows[:, 0], rows[:, 0]]) if rows.shape[1] == 1 else rows
