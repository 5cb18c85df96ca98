from pathlib import Path

import polars as pl
import pytest
import toy
from cli.command import document, invoke, replaced

from penstock.data import BenchReport


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = toy.make_project(tmp_path / "parcels")
    heavy = toy.parcels(300, seed=2, start=toy.datetime(2024, 3, 1)).with_columns(weight=pl.col("weight") * 3)
    assert invoke("data", "ingest", "-C", root).exit_code == 0
    toy.write_parcels(root, "parcels-2.csv", heavy)
    return root


def test_ingest_tells_what_is_wrong_with_what_is_new(root: Path) -> None:
    done = invoke("data", "ingest", "parcels", "-C", root)
    assert done.exit_code == 0
    assert "warn  shift: 'weight' is spread otherwise than before" in done.stdout
    assert "shift" not in invoke("data", "ingest", "depots", "-C", root).stdout


def test_what_was_told_is_not_told_again_where_nothing_is_new(root: Path) -> None:
    invoke("data", "ingest", "parcels", "-C", root)
    again = invoke("data", "ingest", "parcels", "-C", root).stdout.splitlines()
    assert again[1:] == ["  1 finding of before stands: penstock data bench parcels"]
    (told,) = document(invoke("data", "ingest", "parcels", "-C", root, "--json"))
    assert (told["told_before"], [finding["kind"] for finding in told["findings"]]) == (True, ["shift"])


def test_bench_says_what_why_and_what_to_do(root: Path) -> None:
    invoke("data", "ingest", "-C", root)
    done = invoke("data", "bench", "parcels", "-C", root)
    assert done.exit_code == 0
    assert "900 rows, 300 new" in done.stdout
    assert "why: a model is asked about rows unlike those that it learned from" in done.stdout


def test_bench_of_the_first_version_and_against_another(root: Path) -> None:
    first = document(invoke("data", "log", "parcels", "-C", root, "--json"))[0]["commit"]
    invoke("data", "ingest", "-C", root)
    alone = document(invoke("data", "bench", f"parcels@{first[:12]}", "-C", root, "--json"))
    assert (alone["against"], alone["rows"]) == (None, 600)
    back = document(invoke("data", "bench", f"parcels@{first[:12]}", "--against", "parcels", "-C", root, "--json"))
    assert back["rows_before"] == 900


def test_the_json_is_the_report(root: Path) -> None:
    invoke("data", "ingest", "-C", root)
    printed = document(invoke("data", "bench", "parcels", "--depth", "quick", "-C", root, "--json"))
    found = BenchReport.from_json(printed)
    assert [finding.kind for finding in found.serious] == ["shift"]


def test_bench_ends_with_4_at_what_the_project_file_stops_at(root: Path) -> None:
    invoke("data", "ingest", "-C", root)
    replaced(
        root / "penstock.yaml",
        ("contract: contracts/parcels.yaml}", "contract: contracts/parcels.yaml, bench: {stop: shift}}"),
    )
    assert invoke("data", "bench", "parcels", "-C", root).exit_code == 4
    stopped = invoke("run", "-C", root)
    assert stopped.exit_code == 4
    assert "kind: shift" in stopped.stderr


def test_bench_writes_a_page_or_markdown(root: Path, tmp_path: Path) -> None:
    invoke("data", "ingest", "-C", root)
    for name, start in (("found.html", "<!doctype html>"), ("found.md", "# parcels@")):
        done = invoke("data", "bench", "parcels", "--depth", "quick", "-o", tmp_path / name, "-C", root)
        assert done.stdout == f"wrote {tmp_path / name}\n"
        assert (tmp_path / name).read_text().startswith(start)
    assert invoke("data", "bench", "parcels", "-o", tmp_path / "found.pdf", "-C", root).exit_code == 2


def test_wrong_calls(root: Path) -> None:
    assert "did you mean 'parcels'" in invoke("data", "bench", "parcles", "-C", root).stderr
    wrong = invoke("data", "bench", "parcels", "--depth", "fulll", "-C", root)
    assert (wrong.exit_code, "did you mean 'full'" in wrong.stderr) == (2, True)
