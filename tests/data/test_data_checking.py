import json

import polars as pl
import pytest

from penstock.cli.shell import jsonable
from penstock.data import Verdict, check_files, verdict_document
from penstock.errors import ContractBroken, UsageError
from penstock.report import to_markdown

HEADER = "id,delay,carrier\n"


def verdict_on(lab, *texts: str) -> Verdict:
    files = [lab.write(f"new/{number}.csv", text) for number, text in enumerate(texts)]
    return check_files(lab.project, "flights", files)


def test_a_file_that_keeps_its_contract(flights) -> None:
    lab = flights("1,2,AA\n")
    verdict = verdict_on(lab, HEADER + "1,2,AA\n" * 50 + "2,-61,AA\n")
    assert (verdict.ok, verdict.rows, verdict.bad_rows) == (True, 51, 1)
    assert verdict.reasons == ({"reason": "delay: below -60", "rows": 1, "first": "new/0.csv row 51"},)
    assert verdict.first[0]["values"] == {"id": "2", "delay": "-61", "carrier": "AA"}
    verdict.refuse()
    assert lab.head("flights") is None


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("id,late,carrier\n1,2,AA\n", {"column": "delay", "change": "missing"}),
        (HEADER + "x,2,AA\ny,2,AA\n", {"column": "id", "change": "type changed"}),
        (HEADER + "1,-61,AA\n", {"rule": "rows set aside", "expected": "at most 5.0%"}),
        (HEADER + "1,2,AA,4\n", {"rule": "can be read"}),
    ],
)
def test_a_file_that_does_not(flights, text: str, broken: dict[str, str]) -> None:
    verdict = verdict_on(flights("1,2,AA\n"), text)
    assert any(broken.items() <= row.items() for row in (*verdict.changes, *verdict.broken))
    with pytest.raises(ContractBroken, match=r"new/0.csv: not as the contract of 'flights' says") as error:
        verdict.refuse()
    assert error.value.table


def test_several_files_are_judged_together_and_all_is_told_at_once(flights) -> None:
    contract = (
        "columns: {id: {type: Int64, unique: true}, delay: {type: Float64}, carrier: {type: String}}\nrows: {min: 3}\n"
    )
    lab = flights("1,2,AA\n", contract=contract)
    whole = verdict_on(lab, HEADER + "1,2,AA\n", HEADER + "1,2,AA\n")
    assert [row["rule"] for row in whole.broken] == ["rows", "id is unique"]
    parted = verdict_on(lab, HEADER + "1,2,AA\n", "id\n1\n", HEADER + "1,2,AA,9\n")
    assert [row["file"] for row in parted.changes] == ["new/1.csv", "new/1.csv"]
    assert [row["rule"] for row in parted.broken] == ["can be read"]
    assert [file.get("rows") for file in parted.files] == [1, None, None]


def test_a_glob_and_a_file_that_it_matches_are_one(flights) -> None:
    lab = flights("1,2,AA\n")
    lab.write("new/0.csv", HEADER + "1,2,AA\n")
    verdict = check_files(lab.project, "flights", [lab.root / "new" / "*.csv", lab.root / "new" / "0.csv"])
    assert [file["file"] for file in verdict.files] == ["new/0.csv"]


def test_what_cannot_be_checked(lab) -> None:
    lab.datasets["flights"] = "{source: a.csv}"
    path = lab.write("a.csv", "a\n1\n")
    with pytest.raises(UsageError, match="has no contract"):
        check_files(lab.project, "flights", [path])
    with pytest.raises(UsageError, match="did you mean"):
        check_files(lab.project, "flight", [path])


def test_no_file_at_all_is_told(flights) -> None:
    with pytest.raises(UsageError, match="there is no file to check"):
        check_files(flights("1,2,AA\n").project, "flights", [])


def test_personal_values_stand_in_no_output(flights) -> None:
    contract = (
        "columns: {id: {type: Int64, pii: direct_identifier, unique: true}, delay: {type: Float64, max: 3}, "
        "carrier: {type: String, pii: sensitive}}\n"
    )
    lab = flights("1,2,AA\n", contract=contract)
    verdict = verdict_on(lab, HEADER + "4711,9,SECRET\n4712,2,SECRET\n4712,2,SECRET\n")
    said = [json.dumps(jsonable(verdict)), to_markdown(verdict_document(verdict))]
    with pytest.raises(ContractBroken) as error:
        verdict.refuse()
    assert not any(value in text for text in [*said, str(error.value)] for value in ("471", "SECRET"))
    assert all("***" in text for text in said)


def test_markdown_holds_the_reasons_and_stays_short(flights) -> None:
    columns = "".join(f"  c{number}: {{type: Int64}}\n" for number in range(40))
    lab = flights("1,2,AA\n", contract="columns:\n" + columns)
    text = to_markdown(verdict_document(verdict_on(lab, HEADER + "1,2,AA\n")))
    assert text.startswith("# flights breaks its contract\n")
    assert "| new/0.csv | c0 | missing | Int64 | nothing |" in text
    assert "*and 23 more*" in text


def test_a_file_of_several_batches(flights, tmp_path) -> None:
    contract = "columns: {id: {type: Int64, nullable: false}, x: {type: Float64, min: 0}}"
    lab = flights("1,2,AA\n", contract=contract)
    rows = 600_000
    pl.select(id=pl.int_range(rows), x=pl.int_range(rows).cast(pl.Float64) - 10).write_parquet(tmp_path / "big.parquet")
    verdict = check_files(lab.project, "flights", [tmp_path / "big.parquet"])
    assert (verdict.ok, verdict.rows, verdict.bad_rows) == (True, rows, 10)
