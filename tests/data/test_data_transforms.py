import pytest

from penstock.data import transform
from penstock.errors import FunctionError, UsageError, UserCodeError
from penstock.ledger import Edge, node


@pytest.fixture
def derived(flights):
    """A lab with a transform `counts` of flights, made of the given function."""

    def make(body: str):
        lab = flights("1,2,AA\n2,3,UA\n3,4,UA\n")
        lab.write("pipeline.py", f"import polars as pl\n\ndef counts(flights):\n    {body}\n")
        lab.more = "  transforms:\n    counts: {function: 'pipeline:counts', from: flights}\n"
        return lab, lab.ingest("flights").commit

    return make


def run(lab, commit: str) -> str:
    return transform(lab.project, lab.ledger, lab.store, "counts", {"flights": commit}).commit


@pytest.mark.parametrize("collected", ["", ".collect()"])
def test_a_transform_makes_a_version_with_its_sources(derived, collected: str) -> None:
    lab, commit = derived(f"return flights.group_by('carrier').len().sort('carrier'){collected}")
    made = run(lab, commit)
    assert lab.rows("counts").rows() == [("AA", 1), ("UA", 2)]
    assert lab.head("counts").commit == made
    with lab.ledger.read() as reader:
        sources = {edge.source.split(":")[0]: edge.source for edge in reader.find(Edge, target=node("data", made))}
    assert sources["data"] == node("data", commit)
    assert set(sources) == {"data", "code"}


def test_a_lazy_transform_without_rows_keeps_its_columns(derived) -> None:
    lab, commit = derived("return flights.filter(pl.col('delay') > 100).select('id')")
    run(lab, commit)
    assert (lab.rows("counts").columns, lab.rows("counts").height) == (["id"], 0)


def test_a_full_disk_is_not_the_users_doing(derived, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, commit = derived("return flights")
    monkeypatch.setattr("penstock.store.tables.to_parquet", lambda frame: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        run(lab, commit)


def test_the_same_inputs_and_code_give_the_same_commit(derived) -> None:
    lab, commit = derived("return flights.select('id')")
    assert run(lab, commit) == run(lab, commit)
    before = run(lab, commit)
    lab.write("pipeline.py", "import polars as pl\n\ndef counts(flights):\n    return flights.select('id', 'delay')\n")
    assert run(lab, commit) != before


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("return 5", FunctionError, "gave a int"),
        ("return flights.select('none')", UserCodeError, r"pipeline.py:3: .* unable to find column"),
        ("return flights.select(pl.col('id').map_elements(lambda i: 1 / 0, pl.Int64))", UserCodeError, "py:4: .* Zero"),
        ("return flights.map_batches(lambda rows: exit(3))", UserCodeError, "py:4: .* SystemExit: 3"),
        ("return pl.scan_parquet('none.parquet')", UserCodeError, "py:3: pipeline:counts raised FileNotFoundError"),
        ("raise ValueError('no')", UserCodeError, "no"),
    ],
)
def test_a_transform_that_does_not_work(derived, body: str, error: type[Exception], message: str) -> None:
    lab, commit = derived(body)
    with pytest.raises(error, match=message):
        run(lab, commit)
    assert lab.head("counts") is None


def test_an_unknown_transform(derived) -> None:
    lab, commit = derived("return flights")
    with pytest.raises(UsageError, match="did you mean 'counts'"):
        transform(lab.project, lab.ledger, lab.store, "count", {"flights": commit})
