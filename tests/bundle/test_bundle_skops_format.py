"""Hostile archives: what a file asks for is looked at before skops is."""

import io
import json
import random
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from penstock.bundle import Target, skops_format
from penstock.bundle.allowed import BIT_GENERATORS, allowed
from penstock.bundle.model import Dumped
from penstock.errors import Untrusted, UsageError

RNG = np.random.default_rng(1)
X = pl.DataFrame({"a": RNG.normal(size=200), "b": RNG.normal(size=200)})
Y = (X["a"] > 0).to_numpy()


def dump(estimator: Any) -> Dumped:
    return skops_format.dump(estimator, X, Target("y", "binary", True, (False, True)))


SOUND = dump(LogisticRegression().fit(X, Y)).data
ANSWERS = skops_format.load(SOUND).probabilities(X).tolist()
DRAWING = dump(LogisticRegression().fit(X, Y).set_params(random_state=np.random.default_rng(1))).data


def rebuilt(data: bytes, change: Callable[[dict[str, Any], dict[str, bytes]], None], method: int = ZIP_STORED) -> bytes:
    """The archive after `change(schema, members)`."""
    with ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop("schema.json"))
    change(schema, members)
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        archive.writestr("schema.json", json.dumps(schema))
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def node(schema: Any, loader: str) -> dict[str, Any]:
    return next(found for found in skops_format._nodes(schema) if found.get("__loader__") == loader)


def test_a_sound_archive_loads():
    assert skops_format.load(SOUND).probabilities(X).shape == (200, 2)
    assert skops_format.load(rebuilt(SOUND, lambda schema, members: None)).probabilities(X).shape == (200, 2)


@pytest.mark.parametrize(
    ("loader", "module", "name"),
    [
        ("ObjectNode", "os", "system"),
        ("FunctionNode", "builtins", "eval"),
        ("TypeNode", "subprocess", "Popen"),
        ("MethodNode", "sklearn.linear_model._logistic", "LogisticRegression"),
        ("OperatorFuncNode", "operator", "methodcaller"),
        ("ConstructorFromReduceNode", "builtins", "bytearray"),
        ("CachedNode", "builtins", "str"),
        ("ObjectNode", "sklearn.datasets._base", "Bunch"),
        ("ObjectNode", "builtins", "list"),
        ("DictNode", "builtins", "eval"),
        ("JsonNode", "os", "system"),
        ("SparseMatrixNode", "scipy.sparse", "csr_matrix"),
    ],
)
def test_a_type_that_is_not_on_the_list_is_refused_and_named(loader, module, name):
    def ask(schema, members):
        node(schema, "JsonNode").update({"__loader__": loader, "__module__": module, "__class__": name})

    with pytest.raises(Untrusted, match=f"the model file asks for {module}.{name}"):
        skops_format.load(rebuilt(SOUND, ask))


@pytest.mark.parametrize("name", ["seed", "set_bit_generator", "bit_generator.BitGenerator", "PCG64 "])
def test_a_bit_generator_that_is_not_on_the_list_is_refused_before_skops_looks_it_up(name):
    def ask(schema, members):
        state = node(schema, "RandomGeneratorNode")["content"]["bit_generator"]["content"]
        state["bit_generator"]["content"] = json.dumps(name)

    assert skops_format.load(DRAWING).probabilities(X).shape == (200, 2)
    with pytest.raises(Untrusted, match=f"the model file asks for numpy.random.{name}"):
        skops_format.load(rebuilt(DRAWING, ask))


def test_a_generator_that_hides_its_bit_generator_is_refused():
    def hide(schema, members):
        node(schema, "RandomGeneratorNode")["content"]["bit_generator"]["content"].pop("bit_generator")

    with pytest.raises(Untrusted, match="not a sound skops archive"):
        skops_format.load(rebuilt(DRAWING, hide))


@pytest.mark.parametrize("part", ["__loader__", "__module__", "__class__"])
def test_a_node_that_hides_a_part_is_refused(part):
    def hide(schema, members):
        node(schema, "ObjectNode").pop(part)

    with pytest.raises(Untrusted):
        skops_format.load(rebuilt(SOUND, hide))


@pytest.mark.parametrize("protocol", [0, 1, 3, True, None, "2"])
def test_an_older_protocol_with_weaker_loaders_is_refused(protocol):
    with pytest.raises(Untrusted, match="protocol"):
        skops_format.load(rebuilt(SOUND, lambda schema, members: schema.update(protocol=protocol)))


@pytest.mark.parametrize("name", ["../../evil.npy", "/etc/cron.d/evil", "model.pkl", "0.pkl", "a/0.npy", "0.npy/"])
def test_a_member_of_another_name_is_refused(name):
    with pytest.raises(Untrusted, match="unexpected member"):
        skops_format.load(rebuilt(SOUND, lambda schema, members: members.update({name: b"\x80\x04."})))


def test_a_pickle_under_an_arrays_name_is_refused():
    def swap(schema, members):
        buffer = io.BytesIO()
        np.save(buffer, np.array([object()], dtype=object), allow_pickle=True)
        members["0.npy"] = buffer.getvalue()

    with pytest.raises(Untrusted, match="holds Python objects"):
        skops_format.load(rebuilt(SOUND, swap))


def test_a_compressed_archive_cannot_grow():
    bomb = rebuilt(SOUND, lambda schema, members: members.update({"9.bin": b"\0" * (64 << 20)}), ZIP_DEFLATED)

    assert len(bomb) < 1 << 20
    with pytest.raises(Untrusted, match="compressed"):
        skops_format.load(bomb)


def test_a_small_array_cannot_claim_to_be_huge():
    def claim(schema, members):
        header = np.lib.format.magic(1, 0)
        text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }\n"
        members["0.npy"] = header + len(text).to_bytes(2, "little") + text + b"\0" * 64

    with pytest.raises(Untrusted, match="not as long as its header says"):
        skops_format.load(rebuilt(SOUND, claim))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused():
    buffer = io.BytesIO(SOUND)
    with ZipFile(buffer, "a") as archive:
        archive.writestr("schema.json", "{}")

    with pytest.raises(Untrusted, match="a member twice"):
        skops_format.load(buffer.getvalue())


def test_a_schema_nested_without_end_is_refused():
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", "[" * 100_000)

    with pytest.raises(Untrusted):
        skops_format.load(buffer.getvalue())


def test_a_state_that_no_estimator_has_is_refused():
    def break_state(schema, members):
        schema["content"] = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "[1]"}

    with pytest.raises(Untrusted, match="does not load"):
        skops_format.load(rebuilt(SOUND, break_state))


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_archive_is_refused_or_harmless(data):
    whole = SOUND
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    cut = damaged[: data.draw(st.sampled_from([len(damaged), at]))]

    with suppress(Untrusted):
        assert skops_format.load(cut).probabilities(X).tolist() == ANSWERS


@given(seed=st.integers(0, 2**32), hostile=st.sampled_from([("os", "system"), ("builtins", "eval"), ("penstock", "x")]))
@settings(max_examples=60, deadline=None)
def test_no_place_in_the_tree_takes_a_stranger(seed, hostile):
    def change(schema, members):
        nodes = list(skops_format._nodes(schema))
        random.Random(seed).choice(nodes).update({"__module__": hostile[0], "__class__": hostile[1]})

    with pytest.raises(Untrusted, match=rf"asks for {hostile[0]}\.{hostile[1]}"):
        skops_format.load(rebuilt(DRAWING, change))


# Parts of a spline in SciPy 1.17 and 1.18: the first needs Python 3.11, where the second does not run.
EITHER = {"scipy._lib.array_api_compat.numpy._aliases.asarray", "scipy.interpolate._bsplines._BSpline"}


def test_every_type_on_the_list_exists():
    absent = {name for names in (*allowed().values(), BIT_GENERATORS) for name in names if not exists(name)}
    optional = {name for name in absent if name.startswith("xgboost.") and find_spec("xgboost") is None}
    assert absent - optional < EITHER


def exists(name):
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(import_module(module), attribute)
    except ModuleNotFoundError:
        return False


def test_nothing_on_the_list_is_for_loaders_that_call_what_a_file_names():
    assert not {"MethodNode", "OperatorFuncNode", "ConstructorFromReduceNode"} & set(allowed())


def test_thread_counts_are_neither_kept_nor_told_apart():
    one, two = (dump(RandomForestClassifier(5, random_state=0, n_jobs=jobs).fit(X, Y)) for jobs in (None, 2))

    assert one.data == two.data
    assert skops_format.load(two.data).estimator.n_jobs == 1


def test_few_rows_do_not_change_the_callers_thread_count():
    from threadpoolctl import threadpool_info

    model = skops_format.load(dump(HistGradientBoostingClassifier(max_iter=2).fit(X, Y)).data)
    before = [pool["num_threads"] for pool in threadpool_info()]
    model.probabilities(X[:1])

    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_a_search_is_refused_with_advice():
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, Y)

    with pytest.raises(UsageError, match="GridSearchCV") as caught:
        dump(search)

    assert "best_estimator_" in (caught.value.hint or "")
