import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data.sources import excelfile
from penstock.data.sources.listing import inputs_of
from penstock.data.sources.readers import open_input
from penstock.errors import ContractBroken, MissingExtra, UsageError
from penstock.project import FileSource

Then = Callable[..., object]


def written(path: Path, rows: list[list[Any]], at: tuple[int, int] = (0, 0), then: Then | None = None) -> Path:
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        sheet = book.add_worksheet("One")
        for number, row in enumerate(rows):
            sheet.write_row(at[0] + number, at[1], row)
        if then:
            then(book, sheet)
    return path


def rewrite(path: Path, old: str, new: str) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    assert old in sheet
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**parts, "xl/worksheets/sheet1.xml": sheet.replace(old, new).encode()}.items():
            archive.writestr(name, data)


def read(path: Path, **told: Any) -> pl.DataFrame:
    (one,) = inputs_of(path.parent, FileSource(path=path.name, **told))
    (raw,) = open_input(path.parent, one, path.parent)
    assert raw.text
    return raw.rows.collect()


def test_a_cell_is_the_text_of_its_value(tmp_path: Path) -> None:
    rows = [
        ["i", "f", "s", "b", "mixed"],
        [1, 0.1234567890123456, "007", True, 7],
        [2.0, 1e-15, " pad ", False, "seven"],
        [-3, 1e300, "1.50", None, 0.1234567890123456],
    ]
    found = read(written(tmp_path / "a.xlsx", rows))
    assert found.columns == ["__row__", "i", "f", "s", "b", "mixed"]
    assert found["i"].to_list() == ["1", "2", "-3"]
    assert [float(value) for value in found["f"]] == [0.1234567890123456, 1e-15, 1e300]
    assert found["s"].to_list() == ["007", " pad ", "1.50"]
    assert found["b"].to_list() == ["true", "false", None]
    assert found["mixed"].to_list() == ["7", "seven", "0.1234567890123456"]


def test_dates_and_times(tmp_path: Path) -> None:
    day, moment = datetime(2024, 2, 29), datetime(2024, 2, 29, 13, 5, 1, 500_000)

    def clock(book: Any, sheet: Any) -> None:
        sheet.write_number(1, 2, 0.25, book.add_format({"num_format": "hh:mm"}))

    found = read(written(tmp_path / "a.xlsx", [["day", "moment", "clock"], [day, moment]], then=clock))
    assert found.row(0) == (2, "2024-02-29", "2024-02-29 13:05:01.500", "06:00:00")


def test_the_header_need_not_stand_in_the_first_row(tmp_path: Path) -> None:
    rows = [["Report 2024"], [], ["id", None, "name", None], [1, "x", "a"], [None, None, None], [2, None, "b", None]]
    found = read(written(tmp_path / "a.xlsx", rows, at=(3, 2)))
    assert found.columns == ["__row__", "id", "column_4", "name"]
    assert found.rows() == [(7, "1", "x", "a"), (9, "2", None, "b")]


def test_a_merged_cell_has_one_value(tmp_path: Path) -> None:
    def merge(book: Any, sheet: Any) -> None:
        sheet.merge_range(0, 0, 0, 2, "A long title")
        sheet.merge_range(2, 0, 3, 0, "both")

    found = read(written(tmp_path / "a.xlsx", [[], ["a", "b", "c"], [None, 1, 2], [None, 3, 4]], then=merge))
    assert found.rows() == [(3, "both", "1", "2"), (4, None, "3", "4")]


def test_a_header_that_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", [["Sales", "2024"], ["id", "n", "m", "o", "p"], [1, 2, 3, 4, 5]])
    with pytest.raises(ContractBroken, match="row 1 names 2 of 5 columns") as error:
        read(path)
    assert "header: 3" in str(error.value.hint)
    assert read(path, header=2).rows() == [(3, "1", "2", "3", "4", "5")]
    for header in (9, 4):
        with pytest.raises(ContractBroken, match=f"row {header} names no column"):
            read(path, header=header)


def test_one_of_several_sheets(tmp_path: Path) -> None:
    def more(book: Any, sheet: Any) -> None:
        book.add_worksheet("Two & more").write_column(0, 0, ["x", 5])
        book.add_chartsheet("Chart")

    path = written(tmp_path / "a.xlsx", [["x"], [1]], then=more)
    assert read(path, sheet="Two & more")["x"].to_list() == ["5"]
    with pytest.raises(UsageError, match="the workbook has 2 sheets: One, Two & more") as error:
        read(path)
    assert 'sheet: "One"' in str(error.value.hint)
    with pytest.raises(UsageError, match="did you mean 'One'"):
        read(path, sheet="one")


def test_an_error_of_a_formula_is_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def formulas(book: Any, sheet: Any) -> None:
        sheet.write_formula(2, 2, "=A1/0", value="#DIV/0!")
        sheet.write_formula(3, 2, "=1+1", value=2)

    path = written(tmp_path / "a.xlsx", [["id", "n"], [1], [2]], at=(1, 1), then=formulas)
    for chunk in (64, 1 << 22):
        monkeypatch.setattr(excelfile, "CHUNK", chunk)
        assert read(path)["n"].to_list() == ["#DIV/0!", "2"]


@pytest.mark.parametrize("prefix", ["", "x:"])
def test_wherever_a_piece_of_a_sheet_ends_its_errors_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    def formulas(book: Any, sheet: Any) -> None:
        for row in range(1, 4):
            sheet.write_formula(row, 0, f"=B{row}/0", value="#DIV/0!")

    path = written(tmp_path / "a.xlsx", [["n", "m"], *[[None, 2]] * 3], then=formulas)
    rewrite(path, "<", f"<{prefix}")
    rewrite(path, f"<{prefix}/", f"</{prefix}")
    rewrite(path, f"<{prefix}?xml", "<?xml")
    rewrite(path, "xmlns=", "xmlns:x=" if prefix else "xmlns=")
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    (sheet,) = excelfile._sheets(path)

    def seen(chunk: int) -> list[str]:
        monkeypatch.setattr(excelfile, "CHUNK", chunk)
        return [one.cell for one in excelfile._oddities(path, sheet)]

    assert read(path)["n"].to_list() == ["#DIV/0!"] * 3
    assert [chunk for chunk in range(1, size + 1) if seen(chunk) != ["A2", "A3", "A4"]] == []


def test_a_formula_that_was_never_computed(tmp_path: Path) -> None:
    def formula(book: Any, sheet: Any) -> None:
        sheet.write_formula(1, 1, "=1+1", value=2)

    path = written(tmp_path / "a.xlsx", [["id", "n"], [1]], then=formula)
    rewrite(path, "<v>2</v></c>", "</c>")  # as libraries write it that do not compute
    with pytest.raises(ContractBroken, match="1 formulas have no result, the first in B2"):
        read(path)


@pytest.mark.parametrize("rows", [[], [["a", "a"], [1, 2]], [["a", "__row__"], [1, 2]]])
def test_a_sheet_without_proper_columns(tmp_path: Path, rows: list[list[Any]]) -> None:
    with pytest.raises(ContractBroken, match=r"empty|more than once|reserved"):
        read(written(tmp_path / "a.xlsx", rows))


def test_a_header_alone_is_no_rows(tmp_path: Path) -> None:
    found = read(written(tmp_path / "a.xlsx", [["a", "b"]]))
    assert (found.columns, found.height) == (["__row__", "a", "b"], 0)


@pytest.mark.parametrize("cut", [0, 100, -100])
def test_what_is_no_workbook(tmp_path: Path, cut: int) -> None:
    data = written(tmp_path / "a.xlsx", [["a"], [1]]).read_bytes()
    (tmp_path / "a.xlsx").write_bytes(data[:cut])
    with pytest.raises(ContractBroken, match="cannot be read") as error:
        read(tmp_path / "a.xlsx")
    assert error.value.where == "a.xlsx"


def test_whole_numbers_here_and_fractions_there_are_one_column(lab: Any) -> None:
    written(lab.root / "a.xlsx", [["n", "day"], [1, datetime(2024, 1, 1)], [2, None]])
    written(lab.root / "b.xlsx", [["n", "day"], [1.5, datetime(2024, 1, 2)], ["x", None]])
    lab.write("c.yaml", "columns:\n  n: {type: Float64}\n  day: {type: Date}\n")
    lab.datasets["rows"] = "{source: '*.xlsx', contract: c.yaml, max_quarantined: 0.5}"
    assert lab.ingest("rows").quarantined == 1
    assert lab.rows("rows")["n"].to_list() == [1, 2, 1.5]
    aside = lab.store.scan(lab.head("rows.quarantine").commit).collect()
    assert (aside["n"].item(), aside["__file__"].item(), aside["__row__"].item()) == ("x", "b.xlsx", 3)


numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@settings(max_examples=40)
@given(st.lists(numbers | words, min_size=1))
def test_no_digit_is_lost(tmp_path_factory: pytest.TempPathFactory, values: list[float | str]) -> None:
    path = tmp_path_factory.mktemp("excel") / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "v")
        for row, value in enumerate(values, start=1):
            (sheet.write_string if isinstance(value, str) else sheet.write_number)(row, 0, value)
    found = read(path)["v"].to_list()
    for value, text in zip(values, found, strict=True):
        # xlsxwriter writes 16 digits
        assert text == value if isinstance(value, str) else float(text) == float(f"{value:.16G}")


def test_the_library_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.xlsx", [["a"], [1]])
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(MissingExtra) as error:
        read(path)
    assert error.value.hint == "pip install 'penstock[excel]'"
