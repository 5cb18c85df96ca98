"""`penstock train search`."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.progress import Shown
from penstock.cli.shell import (
    HERE,
    AsJson,
    Environment,
    Sets,
    Where,
    answer,
    counted,
    place_for,
    project_at,
    rub_out,
    say,
    table,
)

if TYPE_CHECKING:
    from penstock.api import Project
    from penstock.train.search import Found, Trial

app = typer.Typer()
SHOWN = 10  # trials of the table at the end


@app.command()
def search(
    status: Annotated[
        bool, typer.Option("--status", help="Only show what the newest search has found so far.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write the best trial into the project file.")] = False,
    report: Annotated[Path | None, typer.Option("--report", "-o", help="Write a page of it (.html).")] = None,
    name: Annotated[str | None, typer.Option("--name", help="With --status: the search of this name.")] = None,
    sets: Sets = [],  # noqa: B006
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Try parameters, algorithms and feature sets, judged on folds of the training rows.

    What is tried stands under `train.search` in the project file. Each trial is a run. A search that was interrupted
    goes on where it was. The holdout takes no part in it: `penstock run` judges the winner by it.

    Example: penstock train search --apply && penstock run
    """
    if name and not status:
        raise typer.BadParameter("--name goes with --status", param_hint="--name")

    wanted: dict[str, Any] = {}

    def find() -> "Found":
        project = project_at(where, environment, sets)
        found = project.train.searched(name) if status else _searched(project, quiet=as_json)
        if report:
            from penstock.train.search.page import search_html

            place_for(report).write_text(search_html(found), encoding="utf-8")
        if apply:
            project.train.write_best(found)
        elif found.best:
            wanted.update(project.train.would_write(found))
        return found

    answer(find, lambda found: _found(found, wanted, applied=apply, report=report), as_json)


def _searched(project: "Project", *, quiet: bool) -> "Found":
    with ExitStack() as stack:
        progress = stack.enter_context(Shown(quiet=quiet))
        tell = _Told(quiet=quiet)
        return project.train.search(on_event=tell.event, on_trial=tell.trial, progress=progress)


class _Told:
    """What is said while it goes on: a line for each step that did something, and for each trial."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def event(self, event: Any) -> None:
        if not self._quiet and event.state == "done":
            say(f"{event.step}: {event.result}")

    def trial(self, trial: "Trial", found: "Found") -> None:
        if not self._quiet:
            rub_out()
            mark = " *" if trial is found.best else ""
            say(f"trial {trial.number:<4} {_outcome(trial):<30} {_chosen(trial, found)}{mark}")


def _outcome(trial: "Trial") -> str:
    if trial.status == "failed":
        return f"failed: {trial.error.splitlines()[0]}"
    mean = sum(trial.folds) / len(trial.folds)
    return f"{mean:.6g}" + (f"  pruned after fold {len(trial.folds)}" if trial.status == "pruned" else "")


def _chosen(trial: "Trial", found: "Found") -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in found.said(trial))


def _short(value: Any) -> str:
    from penstock.project import flow

    return f"{value:.4g}" if isinstance(value, float) else flow(value)


def _found(found: "Found", wanted: Mapping[str, Any], *, applied: bool, report: Path | None) -> None:
    """The best trials, and what to do with the first."""
    best = found.ranked()[:SHOWN]
    names = [name for name, _ in found.said(best[0])] if best else []
    rows = [_row(found, trial, names) for trial in best]
    columns = ["trial", "run", *found.aim.metrics, *names, "seconds"]
    if any(row[-1] for row in rows):
        columns.append("breaks")
    rows = [row[: len(columns)] for row in rows]
    table(columns, rows, empty="no trial has come to its end")
    say()
    say(_summary(found))
    if report:
        say(f"wrote {report}")
    _advice(found, wanted, applied=applied)


def _row(found: "Found", trial: "Trial", names: list[str]) -> list[object]:
    metrics, said = trial.metrics or {}, dict(found.said(trial))
    numbers = [f"{metrics[name]:.6g}" if name in metrics else "" for name in found.aim.metrics]
    broken = ", ".join(limit.name for limit in found.aim.broken(metrics))
    values = [_short(said[name]) if name in said else "" for name in names]
    return [trial.number, trial.run, *numbers, *values, f"{trial.seconds:.1f}", broken]


def _summary(found: "Found") -> str:
    counts = {
        status: sum(trial.status == status for trial in found.trials) for status in ("finished", "pruned", "failed")
    }
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    text = f"{found.experiment}: {counted(len(found.trials), 'trial')} ({', '.join(parts)})"
    return f"{text}; {found.ended}" if found.ended else text


def _advice(found: "Found", wanted: Mapping[str, Any], *, applied: bool) -> None:
    from penstock.project import flow

    if found.best is None:
        kept = " and ".join(limit.name for limit in found.aim.limits)
        say(f"no trial keeps {kept}: try more, or look at the objective" if found.ranked() else "there is no best one")
        return
    say(f"best: trial {found.best.number}, {found.aim.metric} {found.best.value(found.aim):.6g} over the folds")
    if not wanted:
        say("which is written in the project file now" if applied else "which is what the project file says already")
        say("next: penstock run")
        return
    say("under `train` in the project file that would be:")
    for name, value in wanted.items():
        say(f"  {name}: {flow(value)}")
    say("next: penstock train search --status --apply && penstock run")
