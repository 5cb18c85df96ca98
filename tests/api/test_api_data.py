"""What a change of the data's columns means for the models that are there."""

from pathlib import Path

import polars as pl
import pytest

from penstock import Project
from penstock.errors import ContractBroken


def without_weight(project: Project) -> Path:
    root = project._workspace.project.root
    path = root / "data" / "parcels-2.csv"
    pl.read_csv(root / "data" / "parcels-1.csv").drop("weight").write_csv(path)
    return path


def test_a_vanished_column_names_the_model_and_the_features_that_read_it(project: Project) -> None:
    file = without_weight(project)
    with pytest.raises(ContractBroken) as broken:
        project.data.ingest("parcels")
    assert file.exists()
    readers = {str(row.get("read by")) for row in broken.value.table if row.get("column") == "weight"}
    assert any(one.startswith("candidate model parcels@1 (run ") for one in readers)
    assert "requests" in readers


def test_a_check_says_the_same_without_an_ingest(project: Project) -> None:
    verdict = project.data.check(without_weight(project), "parcels")
    effects = {str(row["read by"]): row["means"] for row in verdict.effects}
    assert effects["requests"] == "examples lack a column that requests have: training stops"
    assert any(one.startswith("candidate model") for one in effects)


def test_a_difference_of_versions_says_it_too(project: Project) -> None:
    work = project._workspace
    before = project.data.version("parcels").commit
    contract = work.project.root / "contracts" / "parcels.yaml"
    lines = contract.read_text().splitlines(keepends=True)
    contract.write_text("".join(line for line in lines if not line.strip().startswith("weight:")))
    file = work.project.root / "data" / "parcels-1.csv"
    pl.read_csv(file).drop("weight").write_csv(file)
    project.data.ingest("parcels", refresh=True)
    found = project.data.diff(f"parcels@{before}", "parcels")
    assert [(one["column"], one["change"]) for one in found.schema] == [("weight", "removed")]
    assert any(str(one["read by"]).startswith("candidate model") for one in found.downstream)
