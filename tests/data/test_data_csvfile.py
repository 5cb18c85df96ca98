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


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"PK\x03\x04\x00\x00,", 1),
        ("a,b\n1,2\n".encode("utf-16-le"), 1),
        (b"a,b\n" + b"1,2\n" * 600_000 + b"3,\0\n", 600_002),
    ],
)
def test_a_zero_byte_is_named_with_its_line(tmp_path: Path, data: bytes, line: int) -> None:
    with pytest.raises(ContractBroken, match=f"not a text file: line {line:,} holds a zero byte"):
        plain_text(written(tmp_path, data), "a.csv", tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "UTF8", "cp1250", "utf-32", "latin-1"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_named_encoding_is_used(tmp_path: Path, encoding: str, packed: bool) -> None:
    data = "é,b\n1,á\n".encode(encoding)
    file = written(tmp_path, gzip.compress(data) if packed else data)
    assert plain_text(file, "a.csv", tmp_path, encoding=encoding).read_text("utf-8") == "é,b\n1,á\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("named", [False, True])
def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path, encoding: str, named: bool) -> None:
    file = written(tmp_path, "a,b\n1,2\n".encode(encoding))
    told = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[encoding]
    plain = plain_text(file, "a.csv", tmp_path, mark=False, encoding=told if named else None)
    assert plain.read_bytes() == b"a,b\n1,2\n"


def test_a_wrong_encoding_is_said(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="not a text file in utf-8"):
        plain_text(written(tmp_path, "é\n".encode("latin-1")), "a.csv", tmp_path, encoding="utf-8")


def test_a_named_delimiter_is_used(tmp_path: Path) -> None:
    file = written(tmp_path, b"a~b,c\n1~2,3\n")
    assert describe(file, "a.csv").header == ("a~b", "c")
    assert describe(file, "a.csv", "~").header == ("a", "b,c")
