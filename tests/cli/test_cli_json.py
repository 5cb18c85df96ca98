"""`--json`: standard output is one document, whatever happens, and every command has it that can."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import production
import pytest
import typer
from cli.command import document, ends, invoke, replaced

from penstock import Project
from penstock.cli import app

# Why a command has no --json.
WITHOUT = {
    "data watch": "looks until it is told to stop",
    "data infer": "writes a contract, in YAML, for a file",
    "schema": "is a JSON document",
    "serve": "answers until it is told to stop",
    "train log": "is what the training printed",
    "train mlflow serve": "answers until it is told to stop",
    "up": "answers until it is told to stop",
    "version": "is one word",
}

# Every other command, called so that it works in a project with one version in production.
# {prediction} is an id, {data} a CSV file, {outcomes} labels, {again} a directory that is not there.
CALLS = {
    "approve": "1 --role owner --to staging",
    "audit log": "",
    "audit verify": "",
    "data bench": "parcels",
    "data branches": "",
    "data check": "{data} --dataset parcels",
    "data checkout": "",
    "data clone": "{remote}",
    "data collect": "",
    "data diff": "parcels parcels",
    "data profile": "parcels",
    "data iceberg": "parcels lake.parcels --catalog sqlite:///{again}",
    "data ingest": "",
    "data lineage": "parcels",
    "data log": "parcels",
    "data merge": "main",
    "data pull": "{remote}",
    "data push": "{remote}",
    "data quarantine export": "parcels -o {rows}",
    "data quarantine list": "",
    "data quarantine readmit": "parcels --all --note right",
    "data quarantine show": "parcels",
    "data show": "parcels -n 5",
    "data tag": "parcels first",
    "data verify": "",
    "deliver history": "",
    "deliver lacks": "1 --to staging",
    "deliver models": "",
    "deliver refresh": "",
    "improve actions": "",
    "improve feedback": "{outcomes}",
    "improve tick": "",
    "init": "{again} --data {data} --target late",
    "monitor alerts": "",
    "monitor look": "",
    "monitor predictions": "",
    "monitor series": "volume",
    "objective show": "",
    "objective sign": "--role risk",
    "promote": "1",
    "reproduce": "1",
    "rollback": "--to 1",
    "run": "",
    "status": "",
    "trace": "{prediction}",
    "train compare": "1 1",
    "train report": "",
    "train leaderboard": "",
    "train tag": "1 team=core",
    "train mlflow import": "http://127.0.0.1:1",
    "train runs": "",
    "train image": "--containerfile-only",
    "train search": "--set train.search.space.C.min=0.5 --set train.search.space.C.max=1.0 --set train.search.trials=1",
    "train show": "1",
    "validate card": "",
    "validate show": "",
}
# What they say instead of working here, where there is nothing that they could do.
REFUSALS = {
    "train mlflow import": 1,  # nobody answers there
    "approve": 2,
    "data clone": 2,
    "data iceberg": 1,  # its library is not in the lock
    "data lineage": 2,
    "data quarantine readmit": 2,
    "promote": 2,
    "rollback": 2,
    "train compare": 2,
}


def commands(group: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command of the line, by the words that call it."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def has_json(command: Any) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


@pytest.fixture(scope="module")
def serving(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = production.put_in_production(trained, tmp_path_factory.mktemp("json") / "parcels")
    project = Project.open(root, actor="ada")
    production.log(project, production.answer(project, production.february(30)))
    project.monitor.look()
    return project


@pytest.fixture(scope="module")
def words(serving: Project) -> dict[str, str]:
    root = serving._workspace.project.root
    serving.data.push(str(root.parent / "remote"))
    asked = serving.monitor.predictions(limit=1)
    outcomes = root.parent / "outcomes.csv"
    asked.select(prediction="id", label=pl.lit("true")).write_csv(outcomes)
    return {
        "prediction": asked["id"][0],
        "outcomes": str(outcomes),
        "data": str(root / "data" / "parcels-1.csv"),
        "remote": str(root.parent / "remote"),
        "again": str(root.parent / "again"),
        "rows": str(root.parent / "rows.csv"),
    }


def test_every_command_prints_json_or_has_a_reason_not_to() -> None:
    known = dict(commands())
    assert {name for name, command in known.items() if not has_json(command)} == set(WITHOUT)
    assert {name for name, command in known.items() if has_json(command)} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_what_a_command_gives_is_one_document(serving: Project, words: dict[str, str], name: str) -> None:
    place = [] if name == "init" else ["-C", str(serving._workspace.project.root)]
    call = [*name.split(), *(word.format_map(words) for word in CALLS[name].split()), *place, "--json"]
    result = invoke(*call)
    assert result.exit_code == REFUSALS.get(name, 0), result.stdout
    found = document(result)
    assert (isinstance(found, dict) and "error" in found) == (name in REFUSALS)
    assert result.stderr == ""


@pytest.mark.parametrize("name", [name for name in CALLS if name != "init"])
def test_an_error_is_one_document_with_the_same_exit_code(tmp_path: Path, words: dict[str, str], name: str) -> None:
    call = [*name.split(), *(word.format_map(words) for word in CALLS[name].split()), "-C", str(tmp_path)]
    told, document_ = invoke(*call), document(result := invoke(*call, "--json"))
    assert told.exit_code == result.exit_code == document_["exit_code"] == 2
    assert (document_["error"], document_["where"]) == ("UsageError", str(tmp_path))
    assert document_["what"] in told.stderr
    assert document_["next"] in told.stderr
    assert (told.stdout, result.stderr) == ("", "")


@pytest.mark.parametrize(
    "call", ["nonsense", "promote --nonsense", "trace", "train runs -n many", "data show parcels -n 0", "data nonsense"]
)
def test_a_wrong_call_is_one_document_too(call: str) -> None:
    code, output, errors = ends(*call.split(), "--json")
    assert (code, errors) == (2, "")
    found = json.loads(output)
    assert (found["error"], found["exit_code"]) == ("UsageError", 2)
    assert found["next"].endswith("--help")


@pytest.mark.parametrize("fails", [False, True])
def test_what_the_users_functions_print_is_not_in_the_document(project: Project, fails: bool) -> None:
    root = project._workspace.project.root
    end = "raise ValueError('no')" if fails else "weekday"
    before = '    weekday = pl.col("sent").dt.weekday().alias("weekday")\n'
    replaced(root / "pipeline.py", (before, f'{before}    print("looking at", requests.height)\n    {end}\n'))
    result = invoke("run", "-C", root, "--json")
    assert "error" in document(result) if fails else document(result)["evaluation"]["verdict"] == "PASS"
    assert "looking at" in result.stderr
