from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PenstockError
from penstock.project.document import as_written, read_document
from penstock.project.editing import edited, flow

TEXT = """\
# about flights
train:   # step 3
  function: pipeline:fit   # the fit
  params: {max_iter: 100, learning_rate: 0.1}   # tuned by hand
  other:
    # what is written above
    a: 1   # one

    b: [1, 2]
  seed: 7
last: true   # the end
"""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=6,
)


def values(text: str) -> Any:
    return as_written(read_document(text, "t").values)


def test_only_the_value_changes() -> None:
    found = edited(TEXT, {("train", "params"): {"max_iter": 100, "learning_rate": 0.05}})
    assert found == TEXT.replace("0.1}", "0.05}")


def test_a_parameter_is_added_to_those_that_are_there() -> None:
    found = edited(TEXT, {("train", "params"): {"max_iter": 200, "learning_rate": 0.1, "loss": "log"}})
    assert "params: {max_iter: 200, learning_rate: 0.1, loss: log}   # tuned by hand" in found


def test_parameters_that_are_gone_are_gone() -> None:
    found = edited(TEXT, {("train", "params"): {"C": 1.5}})
    assert "  params: {C: 1.5}   # tuned by hand\n  other:" in found


def test_a_key_is_added_to_its_section() -> None:
    found = edited(TEXT, {("train", "without"): ["weather"]})
    assert values(found)["train"]["without"] == ["weather"]
    assert "train:   # step 3\n  without: [weather]\n  function:" in found


def test_a_block_keeps_its_comments_when_its_keys_stay() -> None:
    found = edited(TEXT, {("train", "other"): {"a": 2, "b": [1, 2]}})
    assert found == TEXT.replace("a: 1 ", "a: 2 ")


def test_a_block_is_replaced_whole_when_its_keys_go() -> None:
    found = edited(TEXT, {("train", "other"): {"c": 3}})
    assert "  other: {c: 3}\n  seed: 7\n" in found


@given(VALUES)
def test_every_value_comes_back(value: Any) -> None:
    try:
        found = edited(TEXT, {("train", "seed"): value})
    except PenstockError:
        alone = read_document(f"a: {flow(value)}", "t")  # what YAML cannot hold, such as a NUL
        assert alone.problems or as_written(alone.values)["a"] != value
        return
    assert values(found)["train"]["seed"] == value
    assert values(found)["last"] is True


def test_what_other_places_share_is_not_changed_for_them() -> None:
    text = "train:\n  params: &p {a: 1}\nother: *p\n"
    with pytest.raises(PenstockError, match="cannot be changed without a change elsewhere"):
        edited(text, {("train", "params"): {"a": 2}})
