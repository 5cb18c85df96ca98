"""Five trivial steps in every tool: 1,000 numbers -> doubled -> split -> mean of each half -> difference.

Each peer gets its quickest way: no linter, no project scaffold, no server. A fresh process has nothing to reuse
from the last one; ZenML keeps its database, which takes it seconds to make, while Penstock makes its own anew.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.environments import Environment, described, environment, ourselves
from harness.timing import Job, run

HERE = Path(__file__).resolve().parents[1] / "five"
OURS = "Penstock"

Made = Mapping[str, Job]  # by kind: fresh, cached


def five(tool: str, directory: Path) -> Made:
    """The jobs of one tool, its project in `directory`. Kedro has no cache."""
    place = ourselves() if tool == OURS else environment(tool)
    return MAKERS[tool](place, directory)


def name(tool: str) -> str:
    """How a tool is called in the output."""
    return tool if tool == OURS else described(tool)


def penstock(place: Environment, directory: Path) -> Made:
    """Everything that Penstock made is gone before a fresh run, its ledger and store too."""
    shutil.copytree(HERE / "penstock", directory)
    command = [place.program("penstock"), "run"]

    def forget() -> None:
        shutil.rmtree(directory / ".penstock", ignore_errors=True)
        (directory / "penstock.lock").unlink(missing_ok=True)

    run(Job(command, directory))
    shown = run(Job([place.program("penstock"), "data", "show", "difference", "--json"], directory))
    assert "1000.0" in shown, shown
    cached = directory.with_name(f"{directory.name}-cached")
    shutil.copytree(HERE / "penstock", cached)
    run(Job(command, cached))
    return {"fresh": Job(command, directory, before=forget), "cached": Job(command, cached)}


def kedro(place: Environment, directory: Path) -> Made:
    """Its runner on a pipeline in memory, without a project."""
    _copy("five_kedro.py", directory)
    fresh = Job([place.python, "five_kedro.py"], directory, {"KEDRO_DISABLE_TELEMETRY": "1"})
    return {"fresh": _checked(fresh)}


def dvc(place: Environment, directory: Path) -> Made:
    """A process per stage."""
    shutil.copytree(HERE / "dvc", directory)
    variables = {"PATH": f"{place.path / 'bin'}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    run(Job([place.program("dvc"), "init", "--quiet", "--no-scm"], directory, variables))
    command = [place.program("dvc"), "repro"]
    _checked(Job(command, directory, variables))
    cached = directory.with_name(f"{directory.name}-cached")
    shutil.copytree(directory, cached)

    def forget() -> None:
        shutil.rmtree(directory / ".dvc" / "cache", ignore_errors=True)
        for made in (*directory.glob("*.json"), directory / "dvc.lock"):
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
    directory.mkdir()
    shutil.copy(HERE / file, directory)


def _checked(job: Job) -> Job:
    """The job, if it comes to the right difference."""
    printed = run(job)
    assert "difference 1000.0" in printed, printed
    return job
