import polars as pl
import pytest

from penstock.data import draft_file, infer_dataset, infer_file, parse_contract, read_file
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


def test_a_draft_from_a_datasets_source(lab) -> None:
    lab.write("data/a.csv", "id,x\n1,2\n2,3\n")
    lab.write("data/b.csv", "id,x,y\n3,2.5,a\n")
    lab.datasets["flights"] = "{source: data/*.csv, key: id}"
    columns = parse_contract(draft := infer_dataset(lab.project, "flights")).columns
    assert {name: column.type for name, column in columns.items()} == {"id": "Int64", "x": "Float64", "y": "String"}
    assert "keys: [id]" in draft
    lab.write(
        "source.py", "import polars as pl\ndef rows():\n    yield from [pl.DataFrame({'a': [n]}) for n in (1, 2)]\n"
    )
    lab.datasets["made"] = '{source: "source:rows"}'
    assert "from 2 rows" in infer_dataset(lab.project, "made")
    with pytest.raises(UsageError, match="did you mean 'flights'"):
        infer_dataset(lab.project, "flight")


def test_types_decide_where_only_some_inputs_have_them(lab) -> None:
    lab.write("data/a.csv", "id,x\n1,2\n2,3\n")
    pl.DataFrame({"id": ["a"], "x": [1]}).write_parquet(lab.root / "data/b.parquet")
    lab.datasets["flights"] = "{source: data/*}"
    assert parse_contract(infer_dataset(lab.project, "flights")).columns["id"].type == "String"


def test_a_source_that_cannot_be_read_is_named(lab) -> None:
    lab.write("data/a.csv", "id,x\n1,2\n")
    lab.write("data/b.csv", "id,x\n1,2,3\n")
    lab.write("data/c.csv", "id,x\n1,2\n")
    lab.datasets["flights"] = "{source: data/*}"
    with pytest.raises(ContractBroken) as error:
        infer_dataset(lab.project, "flights")
    assert error.value.where == "data/b.csv"
