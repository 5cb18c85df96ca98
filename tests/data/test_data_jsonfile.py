import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data.sources import jsonfile
from penstock.data.sources.listing import inputs_of
from penstock.data.sources.readers import open_input
from penstock.errors import ContractBroken


def read(root: Path, data: bytes, name: str = "a.json") -> pl.DataFrame:
    (root / name).write_bytes(data)
    (one,) = inputs_of(root, name)
    (raw,) = open_input(root, one, root)
    assert raw.text
    return raw.rows.collect()


def lines(root: Path, text: str) -> list[Any]:
    (root / "a.json").write_text(text, "utf-8")
    copy = jsonfile.as_lines(root / "a.json", "a.json", root).read_text("utf-8")
    return [json.loads(line) for line in copy.removesuffix("\n").split("\n")]


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a": 1.50, "b": "x"}, {"a": "q", "c": {"k": [1, null]}}]',
        b'[\n  {\n    "a": 1.50,\r\n    "b": "x"\n  },\n  {"a": "q", "c": {"k": [1,\n null]}}\n]\n',
        b'{"a": 1.50, "b": "x"}\n{"a": "q", "c": {"k": [1, null]}}\n',
        b'\xef\xbb\xbf {"a": 1.50, "b": "x"} {"a": "q",\n "c": {"k": [1, null]}}',
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_array_or_objects_one_after_another(tmp_path: Path, data: bytes, pack: Any) -> None:
    found = read(tmp_path, pack(data), "a.json.gz" if pack is gzip.compress else "a.json")
    assert found.columns == ["__row__", "a", "b", "c"]
    assert found.rows() == [(1, "1.5", "x", None), (2, "q", None, '{"k": [1, null]}')]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[", "line 1, column 2: the file is cut off"),
        ('[{"a": 1}', "line 1, column 10: the file is cut off"),
        ('[{"a": 1},\n {"a": "x', "line 2, column 8: the file is cut off"),
        ('[{"a": 1},\n {"a": 2', "line 2, column 9: the file is cut off"),
        ('[{"a": 1},\n {"a" 2}]', "line 2, column 7: Expecting ':' delimiter"),
        ('[{"a": 1}\n {"a": 2}]', "line 2, column 2: `,` or `]` was expected"),
        ('[{"a": 1},\n 7]', "line 2, column 2: an object was expected"),
        ('[{"a": 1},\n]', "line 2, column 1: an object was expected"),
        ('[{"a": 1}]\n{', "line 2, column 1: something follows the end of the array"),
        ('[{"a": NaN}]', "NaN is no value of JSON"),
        ("7", "line 1, column 1: an array of objects was expected"),
        ('"text"', "line 1, column 1: an array of objects was expected"),
        ('{"page": 1,\n "data": [{"a": 1}]}\n', "the file holds one object, not an array of them"),
        (" \n", "line 2, column 1: the file is empty"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_what_is_wrong_is_said_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str, piece: int
) -> None:
    monkeypatch.setattr(jsonfile, "PIECE", piece)
    with pytest.raises(ContractBroken) as error:
        lines(tmp_path, text)
    assert expected in error.value.what
    assert error.value.where == "a.json"


def test_an_empty_array_names_no_column(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="names no column"):
        read(tmp_path, b"[]")


@pytest.mark.parametrize("data", [b"[{}, {}]", b"{}\n{}\n"])
def test_objects_without_a_key_name_no_column(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ContractBroken, match="its objects are empty: they name no column"):
        read(tmp_path, data)


def test_a_zero_byte(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="line 2 holds a zero byte"):
        read(tmp_path, b'[{"a": "x"},\n{"a": "\0"}]')


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b'{"a": 1}\n{"a" 2}\n', "line 2: Expecting ':' delimiter"), (b'{"a": 1}\n\n[7]\n', "line 3 holds no object")],
)
def test_a_wrong_line_of_json_lines_is_named(tmp_path: Path, data: bytes, expected: str) -> None:
    with pytest.raises(ContractBroken, match=expected):
        read(tmp_path, data, "a.ndjson")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(
    st.lists(st.dictionaries(st.text(), values, max_size=4), min_size=1, max_size=5),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.integers(1, 40),
)
def test_every_array_comes_out_as_its_objects(
    objects: list[dict[str, Any]], indent: int | None, ascii_: bool, piece: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonfile, "PIECE", piece)
        assert lines(Path(directory), json.dumps(objects, indent=indent, ensure_ascii=ascii_)) == objects
