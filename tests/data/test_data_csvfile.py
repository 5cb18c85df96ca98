import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data.sources.csvfile import describe, plain_text, sniff
from penstock.errors import ContractBroken


def written(directory: Path, data: bytes, name: str = "a.csv") -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


def test_plain_utf8_is_read_where_it_lies(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\né,1\n".encode())
    assert plain_text(path, path.name, tmp_path) == path


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("a,b\né,1\n".encode("latin-1"), "a,b\né,1\n"),
        ("a,b\n“x”,1\n".encode("cp1252"), "a,b\n“x”,1\n"),
        (b"a,b\n\x81\xe9,1\n", "a,b\n\x81é,1\n"),
        ("a,b\né,1\n".encode("utf-16"), "a,b\né,1\n"),
        (b"a,b\r1,2\r", "a,b\n1,2\n"),
        ('a,b\r\n"x\ry",é\r\n'.encode("utf-16"), 'a,b\r\n"x\ry",é\r\n'),
        (gzip.compress("a,b\né,1\n".encode()), "a,b\né,1\n"),
        (gzip.compress("a,b\né,1\n".encode("latin-1")), "a,b\né,1\n"),
    ],
    ids=["latin-1", "windows", "neither", "utf-16", "old-mac", "returns", "gzip", "gzip-latin-1"],
)
def test_other_files_are_copied_as_utf8(tmp_path: Path, data: bytes, text: str) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    copy = plain_text(written(tmp_path, data), "rows.csv", scratch)
    assert copy.parent == scratch
    assert copy.read_bytes().decode() == text


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1;2\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ('a,b\n"x;y;z",2\n"u;v;w",3\n', ","),
        ("just\none\n", ","),
        ("a;b\nx\ry;2\n", ";"),
    ],
)
def test_delimiter(text: str, delimiter: str) -> None:
    assert sniff(text) == delimiter


@given(st.integers(2, 6), st.integers(1, 20), st.sampled_from(",;\t|"))
def test_any_regular_table_shows_its_delimiter(width: int, height: int, delimiter: str) -> None:
    row = delimiter.join(f"c{n}" for n in range(width))
    assert sniff("\n".join([row] * height) + "\n") == delimiter


def test_header_with_a_byte_order_mark_blank_lines_and_an_unnamed_column(tmp_path: Path) -> None:
    csv = describe(written(tmp_path, b"\xef\xbb\xbf\n\n,a,\n1,2,3\n"), "a.csv")
    assert csv.header == ("column_1", "a", "column_3")
    assert csv.blank_lines == 2


def test_a_double_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken) as broken:
        describe(written(tmp_path, b"a,b,a\n1,2,3\n"), "data/a.csv")
    assert broken.value.where == "data/a.csv"
    assert broken.value.table == ({"column": "a", "change": "stands 2 times in the header"},)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_header(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ContractBroken, match="empty"):
        describe(written(tmp_path, data), "a.csv")


def test_a_binary_file_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="not a text file"):
        describe(written(tmp_path, b"PK\x03\x04\x00\x00,"), "a.csv")
