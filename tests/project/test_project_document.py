import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.project.document import Document, fill_in, overlay, read_document, read_value

keys = st.sampled_from(["a", "b", "c"])
texts = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=30)  # JSON escapes the others
leaves = st.one_of(st.none(), st.booleans(), st.integers(), texts)
trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(keys, leaves, max_size=3),
    lambda inner: st.dictionaries(keys, inner | leaves, max_size=3),
    max_leaves=8,
)


def over(base: dict[str, Any], *layers: dict[str, Any]) -> dict[str, Any]:
    document = Document(base)
    for layer in layers:
        document = overlay(document, layer, {})
    return document.values


@given(trees, trees)
def test_a_layer_over_itself_or_nothing_changes_nothing(base: dict[str, Any], layer: dict[str, Any]) -> None:
    assert over(base, base) == over(base, {}) == base
    assert over(base, layer, layer) == over(base, layer)


@given(trees, trees)
def test_what_a_layer_says_holds(base: dict[str, Any], layer: dict[str, Any]) -> None:
    result = over(base, layer)
    assert all(result[key] == value for key, value in layer.items() if not isinstance(value, dict))
    assert all(result[key] == value for key, value in base.items() if key not in layer)


@given(texts, st.text(min_size=1, max_size=10).filter(lambda text: "\0" not in text))
def test_what_a_variable_holds_is_never_read_as_yaml_structure_or_filled_in_again(before: str, value: str) -> None:
    before = before.replace("$", "")
    text = json.dumps({"key": before + "${X}"})
    document = fill_in(read_document(text, "f"), {"X": value, "Y": "no"})

    assert document.problems == ()
    assert document.values == {"key": before + value}


@given(st.one_of(leaves, st.lists(st.integers(), max_size=3)))
def test_read_value_reads_json(value: Any) -> None:
    if not isinstance(value, str) or "${" not in value:
        assert read_value(json.dumps(value)) == value


def test_places_are_those_of_keys_and_values() -> None:
    document = read_document("a:\n  - {b: 1}\n  - c\n", "f.yaml")

    assert document.where(("a", 0, "b")) == "f.yaml:2:9"
    assert document.where(("a", 0, "b"), key=True) == "f.yaml:2:6"
    assert document.where(("a", 0, "b", "not there")) == "f.yaml:2:9"
    assert document.where(("z",)) == "f.yaml:1:1"
