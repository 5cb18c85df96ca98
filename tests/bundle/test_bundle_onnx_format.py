"""PyTorch and ONNX Runtime, which are extras: these run in `make test-frameworks`."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from penstock.bundle import Target, formats, onnx_format
from penstock.bundle.model import Dumped, Floats, Model
from penstock.errors import Untrusted, UsageError

torch = pytest.importorskip("torch", reason="runs in make test-frameworks")
onnx = pytest.importorskip("onnx", reason="runs in make test-frameworks")
nn = torch.nn

RNG = np.random.default_rng(5)
X = pl.DataFrame({"a": RNG.normal(size=300), "b": pl.Series(RNG.integers(0, 9, 300)), "c": RNG.normal(size=300) > 0})
M = X.select(pl.all().cast(pl.Float32)).to_numpy()
BINARY = Target("late", "binary", True, (False, True))
VALUE = Target("late", "regression")
THREE = Target("late", "multiclass", None, ("x", "y", "z"))


def network(*ends: object, width: int = 1, seed: int = 1) -> object:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, width), *ends)


def dumped(model: object, target: Target = BINARY, vectors: pl.DataFrame = X) -> Dumped:
    name, found = formats.dump(model, vectors, target)
    assert name == "onnx"
    return found


def loaded(model: object, target: Target = BINARY) -> Model:
    return formats.load("onnx", dumped(model, target).data)


def own(model: object, rows: Floats = M) -> Floats:
    with torch.no_grad():
        return model.eval()(torch.from_numpy(rows)).double().numpy()


SIGMOID = network(nn.Sigmoid())
SOUND = dumped(SIGMOID).data


def test_a_network_of_one_probability_comes_back():
    found = formats.load("onnx", SOUND).probabilities(X)
    assert np.allclose(found[:, 1:], own(SIGMOID), rtol=1e-5, atol=1e-6)
    assert np.array_equal(found.sum(axis=1), np.ones(300))


def test_a_network_of_several_probabilities_and_one_of_values_come_back():
    several, value = network(nn.Softmax(dim=1), width=3), network(nn.Flatten(0))
    assert np.allclose(loaded(several, THREE).probabilities(X), own(several), rtol=1e-5, atol=1e-6)
    assert np.allclose(loaded(value, VALUE).values(X), own(value), rtol=1e-5, atol=1e-6)


def test_weights_of_double_precision_stay_so():
    model = network(nn.Sigmoid()).double()
    expected = own(model, M.astype(np.float64))
    assert np.allclose(loaded(model).probabilities(X)[:, 1:], expected, rtol=1e-13)


def test_one_row_answers_as_many_do():
    model = formats.load("onnx", SOUND)
    alone = [model.probabilities(X[row])[0, 1] for row in range(X.height)]
    assert np.allclose(alone, model.probabilities(X)[:, 1], rtol=1e-6)


def test_a_null_reaches_the_network_as_nan():
    class Filling(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network(nn.Sigmoid())

        def forward(self, rows):
            return self.inner(torch.nan_to_num(rows, nan=4.0))

    holed = X.with_columns(b=pl.when(pl.col("b") > 4).then("b"))
    model = loaded(Filling())
    assert np.array_equal(model.probabilities(holed), model.probabilities(holed.fill_null(4)))


def test_a_category_reaches_the_network_as_its_place():
    class Embedding(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.end = nn.Embedding(3, 4), nn.Linear(5, 1)

        def forward(self, rows):
            parts = torch.cat([self.words(rows[:, 0].long()), rows[:, 1:]], dim=1)
            return torch.sigmoid(self.end(parts)).squeeze(1)

    kinds = pl.Enum(["wet", "dry", "fog"])
    rows = pl.DataFrame({"k": pl.Series(["fog", "wet", "dry"], dtype=kinds), "a": [0.5, 1.5, 2.5]})
    model = Embedding()
    found = formats.load("onnx", dumped(model, vectors=rows).data).probabilities(rows)[:, 1]
    assert np.allclose(found, own(model, np.array([[2, 0.5], [0, 1.5], [1, 2.5]], dtype=np.float32)), rtol=1e-5)


def test_the_module_stays_as_it_was():
    model = network(nn.Sigmoid()).train()
    dumped(model)
    assert model.training


def test_what_skorch_trained_answers_as_skorch_does():
    skorch = pytest.importorskip("skorch", reason="runs in make test-frameworks")
    y = (X["a"] > 0).cast(pl.Int64).to_numpy()
    two = skorch.NeuralNetClassifier(network(width=2), criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0).fit(M, y)
    one = skorch.NeuralNetBinaryClassifier(network(nn.Flatten(0)), max_epochs=2, verbose=0).fit(M, y.astype(np.float32))
    value = skorch.NeuralNetRegressor(network(), max_epochs=2, verbose=0).fit(M, M[:, :1])
    assert np.allclose(loaded(two).probabilities(X), two.predict_proba(M), rtol=1e-5, atol=1e-6)
    assert np.allclose(loaded(one).probabilities(X), one.predict_proba(M), rtol=1e-5, atol=1e-6)
    assert np.allclose(loaded(value, VALUE).values(X), value.predict(M).reshape(-1), rtol=1e-5, atol=1e-6)
    assert dumped(two).labels == (0, 1)
    with pytest.raises(UsageError, match="NeuralNetRegressor is not fitted"):
        dumped(skorch.NeuralNetRegressor(network()), VALUE)


TRAINED_ELSEWHERE = """
import sys
sys.path.insert(0, sys.argv[1])
import test_bundle_onnx_format as test
print(test.dumped(test.SIGMOID).content_hash)
"""


def test_the_same_network_is_the_same_bytes_in_another_process(tmp_path):
    command = [sys.executable, "-c", TRAINED_ELSEWHERE, __file__.rpartition("/")[0]]
    there = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.strip()
    assert there == dumped(SIGMOID).content_hash != dumped(network(nn.Sigmoid(), seed=2)).content_hash


def test_the_file_says_nothing_of_this_machine():
    assert b"site-packages" not in SOUND
    assert b"/" not in b"".join(node.SerializeToString() for node in onnx.ModelProto.FromString(SOUND).graph.node)


# --- what cannot be served ---


def test_logits_are_refused_with_the_layer_that_is_missing():
    with pytest.raises(UsageError, match="no probabilities") as caught:
        dumped(nn.Linear(3, 1))
    assert "nn.Sigmoid()" in str(caught.value.hint)
    with pytest.raises(UsageError, match="do not sum to 1"):
        dumped(network(nn.Sigmoid(), width=3), THREE)


def test_logits_that_look_like_probabilities_are_refused():
    model = nn.Linear(3, 1)
    nn.init.zeros_(model.weight)
    nn.init.constant_(model.bias, 0.5)
    with pytest.raises(UsageError, match="ends with a linear layer"):
        dumped(model)


def test_a_network_of_another_width_is_refused():
    with pytest.raises(UsageError, match="the network cannot answer X: RuntimeError: mat1 and mat2"):
        dumped(nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()))


def test_a_network_that_mixes_rows_is_refused():
    class Pooled(nn.Module):
        def forward(self, rows):
            return torch.sigmoid(rows.mean(dim=0))

    with pytest.raises(UsageError, match="gives 3 rows for 300"):
        dumped(Pooled())


def test_a_network_that_branches_on_values_is_refused():
    class Branching(nn.Module):
        def forward(self, rows):
            return torch.sigmoid(rows[:, 0] if rows.sum() > 0 else rows[:, 1])

    with pytest.raises(UsageError, match="cannot export the network to ONNX") as caught:
        dumped(Branching())
    assert "branches" in str(caught.value.hint)


def test_text_is_no_number():
    with pytest.raises(UsageError, match="feature 'b' is String; PyTorch takes numbers"):
        dumped(SIGMOID, vectors=X.with_columns(pl.col("b").cast(pl.String)))


# --- hostile files ---


def changed(change: object) -> bytes:
    model = onnx.ModelProto.FromString(SOUND)
    change(model)
    return bytes(model.SerializeToString())


def stranger(model):
    model.graph.node[0].domain = "com.microsoft"


def inside(model):
    branch = onnx.GraphProto()
    branch.node.add(op_type="Evil", domain="evil")
    model.graph.node.add(op_type="If").attribute.add(name="then_branch", type=5, g=branch)


def elsewhere(model):
    weights = model.graph.initializer[0]
    weights.data_location = 1
    weights.external_data.add(key="location", value="/etc/passwd")


def constant_elsewhere(model):
    constant = onnx.TensorProto(name="secret", data_location=1)
    model.graph.node.add(op_type="Constant").attribute.add(name="value", type=4, t=constant)


def function(model):
    model.functions.add(name="evil", domain="evil")


def second_input(model):
    model.graph.input.append(model.graph.input[0])
    model.graph.input[1].name = "more"


def unknown(model):
    model.graph.node[0].op_type = "Nothing"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (stranger, "asks for com.microsoft.Gemm"),
        (inside, "asks for evil.Evil"),
        (elsewhere, "lie in another file"),
        (constant_elsewhere, "'secret' lie in another file"),
        (function, "not ONNX with one graph"),
        (second_input, "one tensor"),
        (unknown, "ONNX Runtime cannot read"),
    ],
)
def test_what_is_not_plain_onnx_is_refused(change, what):
    with pytest.raises(Untrusted, match=what):
        onnx_format.load(changed(change))


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"\x00" * 99, SOUND[: len(SOUND) // 2]])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(Untrusted):
        onnx_format.load(data)


def test_a_model_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(onnx_format, "MAX_BYTES", len(SOUND) - 1)
    with pytest.raises(Untrusted, match="at most"):
        onnx_format.load(SOUND)
    monkeypatch.undo()
    monkeypatch.setattr(onnx_format, "MAX_NODES", 1)
    with pytest.raises(Untrusted, match="too many operators"):
        onnx_format.load(SOUND)
