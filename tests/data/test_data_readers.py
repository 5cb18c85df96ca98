import csv
import gzip
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data.sources.listing import inputs_of
from penstock.data.sources.readers import Raw, explained, open_input
from penstock.errors import ContractBroken, FunctionError, PenstockError, UserCodeError


def read(root: Path, source: str, data: bytes | None = None) -> Iterator[Raw]:
    if data is not None:
        (root / source).write_bytes(data)
    (one,) = inputs_of(root, source)
    return open_input(root, one, root)


def rows(raw: Raw) -> list[tuple[object, ...]]:
    with explained(raw):
        return raw.rows.collect().rows()


def test_csv_is_text_with_row_numbers(tmp_path: Path) -> None:
    (raw,) = read(tmp_path, "a.csv", b'\xef\xbb\xbf\na;b\n1;"x;\ny"\n\n;\n3;z\n')
    assert raw.text
    assert rows(raw) == [(1, "1", "x;\ny"), (4, "3", "z")]


def test_a_short_line_lacks_values(tmp_path: Path) -> None:
    (raw,) = read(tmp_path, "a.csv", b"a,b\n1\n3,4\n")
    assert rows(raw) == [(1, "1", None), (2, "3", "4")]


@pytest.mark.parametrize("end", ["3,Ce", "3,Ce\n", "3", '3,"C\ne"\r\n\r\n', '1,"x\ny",z\n3,"C,e"', "3," + "x" * 40_000])
def test_a_last_line_that_is_too_short_is_a_file_cut_off(tmp_path: Path, end: str) -> None:
    for rows_before in ("1,2,3\n", "1,2,3\n" * 20_000):
        with pytest.raises(ContractBroken, match=r"the last line has \d cells?, the header 3"):
            list(read(tmp_path, "a.csv", f"a,b,c\n{rows_before}{end}".encode()))


@pytest.mark.parametrize("end", ["3,,", '3,"x\ny",\n', '3,"x"",\n",z', ",,\n\n", "3,4,5\n \n", "3,4,5\r\n", '3,a",b\n'])
def test_a_file_that_ends_well_is_whole(tmp_path: Path, end: str) -> None:
    for rows_before in ("", "1,2,3\n" * 20_000):
        (raw,) = read(tmp_path, "a.csv", f"a,b,c\n{rows_before}{end}".encode())
        assert raw.csv is not None


def test_a_header_that_is_wider_than_every_line(tmp_path: Path) -> None:
    (raw,) = read(tmp_path, "a.csv", b"a,b,\n1,2\n3,4\n")
    assert rows(raw) == [(1, "1", "2", None), (2, "3", "4", None)]


@pytest.mark.parametrize("header", ["a", "a,b"])
def test_a_line_of_blanks_is_no_row(tmp_path: Path, header: str) -> None:
    line = header.replace("a", "1").replace("b", "2")
    (raw,) = read(tmp_path, "a.csv", f"{header}\n{line}\n  \n{line}\n \t\n".encode())
    assert [row[1] for row in rows(raw)] == ["1", "1"]


def test_a_quote_that_nothing_closes_is_named_with_its_line(tmp_path: Path) -> None:
    (raw,) = read(tmp_path, "a.csv", b'a,b\n1,"x\ny"\n"z,3\n4,5\n')
    with pytest.raises(ContractBroken, match="a cell that begins with a quote in line 4 does not end"):
        rows(raw)


def test_a_line_that_is_too_long_is_named(tmp_path: Path) -> None:
    (raw,) = read(tmp_path, "a.csv", b"a,b\n1,2\n3,4,5\n")
    with pytest.raises(ContractBroken) as broken:
        rows(raw)
    assert str(broken.value).startswith("a.csv: cannot be read: line 3 has 3 cells, the header 2")


def test_a_header_alone_is_no_rows(tmp_path: Path) -> None:
    (raw,) = read(tmp_path, "a.csv", b"a,b\n")
    assert rows(raw) == []
    assert list(raw.schema) == ["a", "b"]


def test_ndjson_is_text_whatever_the_values_are(tmp_path: Path) -> None:
    data = b'{"a": 1, "b": "x"}\n{"a": "q", "c": true}\n{"a": 2.5, "b": null, "d": {"k": [1]}}\n'
    (raw,) = read(tmp_path, "a.ndjson", data)
    assert raw.text
    assert rows(raw) == [
        (1, "1", "x", None, None),
        (2, "q", None, "true", None),
        (3, "2.5", None, None, '{"k": [1]}'),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_ndjson_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    (raw,) = read(tmp_path, "a.ndjson", '{"a": "é"}\n\n{"a": 2}\n'.encode(encoding))
    assert [row[1] for row in rows(raw)] == ["é", "2"]


def test_broken_ndjson(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="cannot be read"):
        list(read(tmp_path, "a.jsonl", b'{"a": 1}\nnot json\n'))
    with pytest.raises(ContractBroken, match="empty"):
        list(read(tmp_path, "b.jsonl", b""))


def test_parquet_has_types(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    (raw,) = read(tmp_path, "a.parquet")
    assert not raw.text
    assert raw.schema == {"a": pl.Int64()}
    assert rows(raw) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("name", ["a.arrow", "a.feather", "a.ipc"])
@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_arrow_has_types(tmp_path: Path, name: str, compression: Any) -> None:
    frame = pl.DataFrame({"id": [1, 2], "at": [datetime(2024, 1, 1), None], "kind": ["a", "b"]})
    frame.write_ipc(tmp_path / name, compression=compression)
    (raw,) = read(tmp_path, name)
    assert not raw.text
    assert raw.schema == frame.schema
    assert raw.rows.drop("__row__").collect().equals(frame)


def test_a_file_that_is_not_parquet(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="cannot be read"):
        list(read(tmp_path, "a.parquet", b"no parquet at all"))


@pytest.mark.parametrize("name", ["__row__", "*", "^a.*$"])
def test_a_reserved_column(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractBroken, match="reserved"):
        list(read(tmp_path, "a.csv", f"a,{name}\n1,2\n".encode()))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_parquet_file_that_is_cut_off_is_named(tmp_path: Path, kept: float) -> None:
    pl.DataFrame({"a": range(10_000)}).write_parquet(tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(ContractBroken, match="cannot be read") as error:
        [rows(raw) for raw in read(tmp_path, "a.parquet", data[: int(len(data) * kept)])]
    assert error.value.where == "a.parquet"


@pytest.mark.parametrize(
    "result", ["pl.DataFrame(d)", "pl.LazyFrame(d)", "iter([pl.DataFrame(d)])", "[pl.DataFrame(d)]"]
)
def test_a_function_gives_frames(tmp_path: Path, result: str) -> None:
    (tmp_path / "pipeline.py").write_text(
        f"import polars as pl\ndef rows():\n    d = {{'a': [1]}}\n    return {result}\n"
    )
    (raw,) = read(tmp_path, "pipeline:rows")
    assert rows(raw) == [(1, 1)]


def test_a_generator_is_numbered_through(tmp_path: Path) -> None:
    code = "import polars as pl\ndef rows():\n    for n in range(2):\n        yield pl.DataFrame({'a': [n, n]})\n"
    (tmp_path / "pipeline.py").write_text(code)
    assert [rows(raw) for raw in read(tmp_path, "pipeline:rows")] == [[(1, 0), (2, 0)], [(3, 1), (4, 1)]]


def test_a_generator_that_raises_names_the_line(tmp_path: Path) -> None:
    code = "import polars as pl\ndef rows():\n    yield pl.DataFrame({'a': [1]})\n    raise ValueError('no more')\n"
    (tmp_path / "pipeline.py").write_text(code)
    with pytest.raises(UserCodeError, match="no more") as error:
        list(read(tmp_path, "pipeline:rows"))
    assert error.value.where == "pipeline.py:4"


@pytest.mark.parametrize("body", ["return 5", "return iter([])", "return iter([5])"])
def test_a_function_that_gives_something_else(tmp_path: Path, body: str) -> None:
    (tmp_path / "pipeline.py").write_text(f"def rows():\n    {body}\n")
    with pytest.raises(FunctionError) as error:
        list(read(tmp_path, "pipeline:rows"))
    assert error.value.where == "pipeline.py:1"


@pytest.mark.parametrize(
    "lazy",
    [
        "select('b')",
        "select(pl.col('a').map_elements(lambda a: 1 / 0, pl.Int64))",
        "map_batches(lambda frame: exit(3))",
    ],
)
def test_a_lazy_frame_that_fails_when_it_is_read(tmp_path: Path, lazy: str) -> None:
    (tmp_path / "pipeline.py").write_text(
        f"import polars as pl\ndef rows():\n    return pl.LazyFrame({{'a': [1]}}).{lazy}\n"
    )
    with pytest.raises(PenstockError) as error:
        [rows(raw) for raw in read(tmp_path, "pipeline:rows")]
    assert error.value.where in ("pipeline.py:2", "pipeline.py:3")


cells = st.one_of(
    st.sampled_from(["", "NA", "007", "a,b", 'q"', "x\ny", "x\ry", "'", ";", "|", "\t", "\u2028", " pad "]), st.text()
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(cells, cells, cells), max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_pythons_csv_writes_is_read_back(
    table: list[tuple[str, str, str]], delimiter: str, end: str, encoding: str, quoting: int
) -> None:
    # unquoted at the end of a line, a carriage return is half of a line end
    rows_ = [[cell.replace("\0", "").rstrip("\r") for cell in row] for row in table]
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        with (root / "a.csv").open("w", encoding=encoding, errors="ignore", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
            writer.writerows([["a", "b", "c"], *rows_])
        (raw,) = read(root, "a.csv")
        found = [[cell or "" for cell in row[1:]] for row in rows(raw)]
    expected = [[cell.encode(errors="ignore").decode() for cell in row] for row in rows_]

    def valued(table: list[list[str]]) -> list[list[str]]:
        # a line of blanks is no row, and looks like one with a blank first cell
        return [row for row in table if row[0].strip() or any(row[1:])]

    assert valued(found) == valued(expected)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.csv.gz", gzip.compress(b"a,b\n" + os.urandom(9000))[:-900], "cannot be unpacked"),
        ("noise.csv.gz", b"\x1f\x8b\x08" + bytes(range(200)), "cannot be unpacked"),
        ("cut.csv", "a,b\n1,2\n".encode("utf-16")[:-1], "not a text file in utf-16"),
        ("report.csv", b"Sales report 2024\n\na,b\n1,2\n", "remove what stands above"),
        ("prose.csv", b"x" * 300 + b",b\n1,2\n", "has 300 characters"),
        ("long.csv", b"x" * 70_000 + b",b\n1,2\n", "the first line has more than 65,536 characters"),
        ("noise.parquet", b"PAR1" + bytes(200), "it is cut off, damaged or of another kind"),
        ("noise.arrow", b"ARROW1\0\0" + bytes(200), "it is cut off, damaged or of another kind"),
    ],
)
def test_a_file_that_is_not_what_it_seems(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(ContractBroken) as error:
        [rows(raw) for raw in read(tmp_path, name, content)]
    assert message in str(error.value)
