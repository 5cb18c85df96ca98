import polars as pl
import pytest

from penstock.data import check_file, draft_file, infer_file, parse_contract, read_file
from penstock.errors import ContractBroken, UsageError


def test_a_draft_from_a_hostile_csv(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffid;Größe (cm);mixed;empty;weiß\n1;1,5;a;;x\n2;;3;;y\n\n".encode())
    draft = draft_file(path, keys=["id"])
    assert {name: column.type for name, column in draft.contract.columns.items()} == {
        "id": "Int64",
        "Größe (cm)": "Float64",
        "mixed": "String",
        "empty": "String",
        "weiß": "String",
    }
    assert draft.contract.keys == ("id",)
    assert parse_contract(infer_file(path, keys=["id"])) == draft.contract


def test_a_draft_is_kept_by_its_own_file_when_it_is_ingested(lab) -> None:
    frame = pl.DataFrame(
        {"id": range(300), "x": [None, 1.5, float("inf")] * 100, "t: é": ["2013-01-01 05:00", "", "?"] * 100}
    )
    frame.write_csv(lab.root / "a.csv")
    lab.write("c.yaml", infer_file(lab.root / "a.csv"))
    lab.datasets["flights"] = "{source: a.csv, contract: c.yaml}"
    done = lab.ingest("flights")
    assert (done.rows, done.quarantined) == (300, 0)


def test_a_file_is_read_as_it_would_be_stored(lab) -> None:
    path = lab.write("a.csv", "id,x\n1,NA\n2,2.5\n")
    frame, draft = read_file(path)
    lab.write("c.yaml", draft.text)
    lab.datasets["flights"] = "{source: a.csv, contract: c.yaml}"
    lab.ingest("flights")
    assert frame.equals(lab.rows("flights"))
    frame.write_parquet(lab.root / "a.parquet")
    assert read_file(lab.root / "a.parquet")[0].equals(frame)


def test_check_holds_a_file_against_a_contract(flights) -> None:
    lab = flights("1,2,AA\n")
    good = lab.write("new.csv", "id,delay,carrier\n" + "1,2,AA\n" * 50 + "2,-61,AA\n")
    checked = check_file(lab.project, "flights", good)
    assert (checked.rows, checked.bad_rows) == (51, 1)
    for text in ("id,late,carrier\n1,2,AA\n", "id,delay,carrier\nx,2,AA\n", "id,delay,carrier\n1,-61,AA\n"):
        with pytest.raises(ContractBroken, match=r"new.csv does not keep the contract of 'flights'") as broken:
            check_file(lab.project, "flights", lab.write("new.csv", text))
        assert broken.value.table
    assert lab.head("flights") is None


def test_check_of_what_cannot_be_checked(lab) -> None:
    lab.datasets["flights"] = "{source: a.csv}"
    path = lab.write("a.csv", "a\n1\n")
    with pytest.raises(UsageError, match="has no contract"):
        check_file(lab.project, "flights", path)
    with pytest.raises(UsageError, match="did you mean"):
        check_file(lab.project, "flight", path)
