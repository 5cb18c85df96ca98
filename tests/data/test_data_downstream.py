import polars as pl
import pytest

from penstock.data import History, check_files, downstream, publish_derived
from penstock.errors import ContractBroken
from penstock.store import Manifest

REST = """\
  transforms:
    arrivals: {function: "steps:arrivals", from: flights}
  examples: arrivals
  request: [carrier, day]
  time: day
  features:
    schedule: {function: "steps:schedule", from: request}
objective:
  problem: x
  decision: y
  owner: z
  target: {column: late, task: binary, positive: true}
validate:
  slices: [carrier]
"""
STEPS = """\
import polars as pl

def arrivals(flights):
    return flights.with_columns(late=pl.col("delay") > 15)

def schedule(requests):
    return requests.select(pl.col("day").dt.weekday())
"""
CONTRACT = """\
columns:
  id: {type: Int64}
  delay: {type: Float64, unit: min}
  carrier: {type: String}
  day: {type: Date}
rules: [{name: sane, expression: delay < 3000}]
ratios: [{name: united, expression: carrier = 'UA', max: 99%}]
"""
ROWS = "".join(f"{n},{n % 7},{'AA' if n % 3 else 'UA'},2013-01-{n % 28 + 1:02}\n" for n in range(200))
OTHER = "".join(f"{n},{900 + n % 7},{'AA' if n % 3 else 'UA'},2013-01-{n % 28 + 1:02}\n" for n in range(200))


@pytest.fixture
def project(lab):
    lab.write("steps.py", STEPS)
    lab.write("contracts/flights.yaml", CONTRACT)
    lab.write("data/a.csv", "id,delay,carrier,day\n" + ROWS)
    lab.datasets["flights"] = "{source: data/*.csv, key: id, contract: contracts/flights.yaml}"
    lab.more = REST
    return lab


def readers(lab, *changes: tuple[str, str]) -> list[str]:
    history = History(lab.ledger, lab.store)
    return [str(one["read by"]) for one in downstream(lab.project, history, "flights", changes)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("id", ["key of flights"]),
        ("delay", ["rule 'sane'", "transform arrivals"]),
        ("carrier", ["ratio 'united'", "requests", "groups of gates and reports"]),
        ("day", ["feature view schedule", "requests"]),
        ("gate", []),
    ],
)
def test_who_reads_a_column(project, column: str, expected: list[str]) -> None:
    assert readers(project, (column, "removed")) == expected


def test_a_transform_passes_on_what_its_newest_version_has(project) -> None:
    table = project.store.write_table(pl.DataFrame({"id": [1], "late": [True], "day": ["x"]}))
    commit = project.store.commit(Manifest(table.schema, table.parts))
    publish_derived(project.ledger, project.store, "arrivals", commit, {})
    assert readers(project, ("carrier", "removed")) == ["ratio 'united'"]
    assert readers(project, ("late", "removed")) == ["the target"]


def test_a_broken_schema_tells_new_names_and_readers(project) -> None:
    project.ingest("flights")
    project.write("data/b.csv", "id,verspaetung,carrier,day\n" + ROWS)
    with pytest.raises(ContractBroken) as broken:
        project.ingest("flights")
    rows = broken.value.table
    renamed = {"column": "delay", "change": "renamed", "before": "delay"}
    assert {**renamed, "file": "data/b.csv", "after": "verspaetung (100% of the values in common)"} in rows
    assert ("delay", "rule 'sane'") in [(row["column"], row.get("read by")) for row in rows]
    history = History(project.ledger, project.store)
    verdict = check_files(project.project, "flights", [project.root / "data/b.csv"], history=history)
    assert [row["change"] for row in verdict.changes] == ["missing", "added", "renamed"]
    assert "transform arrivals" in [row["read by"] for row in verdict.effects]
    alone = check_files(project.project, "flights", [project.root / "data/b.csv"])
    assert [row["change"] for row in alone.changes] == ["missing", "added"]
    assert alone.effects


def test_other_values_are_no_new_name(project) -> None:
    project.ingest("flights")
    project.write("data/b.csv", "id,other,carrier,day\n" + OTHER)
    with pytest.raises(ContractBroken) as broken:
        project.ingest("flights")
    assert "renamed" not in [row.get("change") for row in broken.value.table]


def test_units_are_kept_with_a_version(project) -> None:
    done = project.ingest("flights")
    assert project.store.manifest(done.commit).notes["columns"] == {"delay": {"unit": "min"}}
