"""Five trivial steps in every tool: 1,000 numbers -> doubled -> split -> mean of each half -> difference.

All of them run the same functions over tables (`five/steps.py`). Each peer gets its quickest way: no linter, no
project scaffold, no server. A fresh process has nothing to reuse from the last one; ZenML keeps its database, which
takes it seconds to make, while Penstock makes its own anew.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.environments import Environment, described, environment, ourselves
from harness.timing import Job, run

HERE = Path(__file__).resolve().parents[1] / "five"
OURS = "Penstock"

KEDRO = {"fresh": "five_kedro.py", "lists": "kedro_lists.py"}

Made = Mapping[str, Job]  # by kind: fresh, cached; lists: fresh, on lists of numbers in place of tables


def five(tool: str, directory: Path) -> Made:
    """The jobs of one tool, its project in `directory`. Kedro has no cache."""
    place = ourselves() if tool == OURS else environment(tool)
    return MAKERS[tool](place, directory)


def name(tool: str) -> str:
    """How a tool is called in the output."""
    return tool if tool == OURS else described(tool)


def penstock(place: Environment, directory: Path) -> Made:
    """Everything that Penstock made is gone before a fresh run, its ledger and store too."""
    _copy("penstock/penstock.yaml", directory)
    command = [place.program("penstock"), "run"]

    def forget() -> None:
        shutil.rmtree(directory / ".penstock", ignore_errors=True)
        (directory / "penstock.lock").unlink(missing_ok=True)

    run(Job(command, directory))
    shown = run(Job([place.program("penstock"), "data", "show", "difference", "--json"], directory))
    assert "1000.0" in shown, shown
    cached = directory.with_name(f"{directory.name}-cached")
    _copy("penstock/penstock.yaml", cached)
    run(Job(command, cached))
    return {"fresh": Job(command, directory, before=forget), "cached": Job(command, cached)}


def kedro(place: Environment, directory: Path) -> Made:
    """Its runner on a pipeline in memory, without a project; on tables, and on lists of numbers."""
    _copy("five_kedro.py", directory)
    shutil.copy(HERE / "kedro_lists.py", directory)
    variables = {"KEDRO_DISABLE_TELEMETRY": "1"}
    jobs = {kind: Job([place.python, file], directory, variables) for kind, file in KEDRO.items()}
    return {kind: _checked(job) for kind, job in jobs.items()}


def dvc(place: Environment, directory: Path) -> Made:
    """A process per stage."""
    _copy("dvc/stage.py", directory)
    shutil.copy(HERE / "dvc" / "dvc.yaml", directory)
    variables = {"PATH": f"{place.path / 'bin'}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    run(Job([place.program("dvc"), "init", "--quiet", "--no-scm"], directory, variables))
    command = [place.program("dvc"), "repro"]
    _checked(Job(command, directory, variables))
    cached = directory.with_name(f"{directory.name}-cached")
    shutil.copytree(directory, cached)

    def forget() -> None:
        shutil.rmtree(directory / ".dvc" / "cache", ignore_errors=True)
        for made in (*directory.glob("*.parquet"), directory / "dvc.lock"):
            made.unlink(missing_ok=True)

    return {"fresh": Job(command, directory, variables, forget), "cached": Job(command, cached, variables)}


def metaflow(place: Environment, directory: Path) -> Made:
    """A process per step; resuming at the end runs the last step again and clones the others."""
    _copy("five_metaflow.py", directory)
    command = [place.python, "five_metaflow.py", "--no-pylint"]
    variables = {"USERNAME": "benchmark"}
    fresh = _checked(Job([*command, "run"], directory, variables))
    return {"fresh": fresh, "cached": Job([*command, "resume", "end"], directory, variables)}


def zenml(place: Environment, directory: Path) -> Made:
    """The local stack, its database made beforehand."""
    _copy("five_zenml.py", directory)
    variables = {"ZENML_ANALYTICS_OPT_IN": "false", "ZENML_CONFIG_PATH": str(directory / "config")}
    fresh = _checked(Job([place.python, "five_zenml.py"], directory, variables))
    return {"fresh": fresh, "cached": Job([place.python, "five_zenml.py", "cached"], directory, variables)}


MAKERS: Mapping[str, Callable[[Environment, Path], Made]] = {
    OURS: penstock,
    "Kedro": kedro,
    "DVC": dvc,
    "Metaflow": metaflow,
    "ZenML": zenml,
}


def _copy(file: str, directory: Path) -> None:
    """A tool's file, and the steps."""
    directory.mkdir()
    shutil.copy(HERE / file, directory)
    shutil.copy(HERE / "steps.py", directory)


def _checked(job: Job) -> Job:
    """The job, if it comes to the right difference."""
    printed = run(job)
    assert "difference 1000.0" in printed, printed
    return job
