"""`penstock train runs` and its neighbours: what is asked of runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.shell import (
    HERE,
    AsJson,
    Environment,
    Output,
    Where,
    answer,
    project_at,
    say,
    show_document,
    table,
    when,
    written,
)
from penstock.digest import short
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.report import Document
    from penstock.train.runs import Ranking, RunComparison, RunDetails, RunTable

app = typer.Typer()

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's number, or the beginning of its id.")]
Filter = Annotated[str, typer.Argument(metavar="[FILTER]", help="Such as: metrics.roc_auc > 0.7 and params.depth <= 6")]
Sort = Annotated[str, typer.Option("--sort", "-s", help="A field, falling with `-` in front or ` desc` behind.")]
Columns = Annotated[
    str, typer.Option("--columns", "-c", help="Fields: number,params.depth,metrics.*; what matters otherwise.")
]
_NAMES = {"number": "run", "started": "started (UTC)", "finished": "finished (UTC)", "duration": "seconds"}


@app.command()
def runs(
    condition: Filter = "",
    sort: Sort = "",
    columns: Columns = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    offset: Annotated[int, typer.Option("--offset", min=0, help="How many to pass over.")] = 0,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Runs, the newest first; those that fit a filter over metrics, parameters, tags, data and time.

    Fields are metrics.NAME (the newest value), min.NAME and max.NAME (of all values), params.NAME, tags.NAME,
    data.DATASET (a commit), and number, id, name, status, kind, experiment, function, seed, code, commit, bundle,
    started, finished, duration (seconds). They are compared with =, !=, <, <=, >, >=, like and in, and combined
    with and, or, not and parentheses.

    Example: penstock train runs "metrics.roc_auc > 0.7 and params.depth <= 6" --sort -metrics.roc_auc
    """

    def find() -> "RunTable":
        step = project_at(where, environment).train
        return step.runs(condition, sort=sort, columns=columns, limit=limit, offset=offset)

    if as_json:
        answer(lambda: find().to_dicts(), lambda _: None, as_json)
    else:
        answer(find, lambda found: _runs(found, condition, offset), as_json)


def _runs(found: "RunTable", condition: str, offset: int) -> None:
    """A page of runs, and how to get the next."""
    names = [_NAMES.get(name, name) for name in found.columns]
    rows = [[_shown(name, value) for name, value in zip(found.columns, row, strict=True)] for row in found.rows]
    table(names, rows, empty="no run fits" if condition or offset else "no runs yet: penstock run")
    if found.more:
        say(f"more: --offset {offset + len(found)}")


def _shown(name: str, value: Any) -> object:
    """A value as a person reads it in a table."""
    if value is None:
        return ""
    if name in ("started", "finished"):
        return when(value)
    if name == "duration":
        return f"{value:.1f}"
    if name in ("code", "bundle", "commit") or name.startswith("data."):
        return short(value)
    return value


@app.command()
def show(
    run: RunName, output: Output = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False
) -> None:
    """Everything recorded about a run. Curves are drawn in a page.

    Example: penstock train show 3
    """
    from penstock.train.runs import run_page

    def found() -> "RunDetails":
        result = project_at(where, environment).train.show(run)
        if output:
            written(run_page(result), output)
        return result

    answer(found, lambda result: _page(run_page(result), output), as_json)


@app.command()
def report(
    condition: Filter = "",
    sort: Sort = "",
    columns: Columns = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 50,
    output: Output = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Many runs in one page: a table, a line for each across parameters and metrics, the curves of the first ten.

    Example: penstock train report "experiment = 'search'" --sort -metrics.roc_auc -o runs.html
    """

    def made() -> "Document":
        return project_at(where, environment).train.report(condition, sort=sort, columns=columns, limit=limit)

    answer(lambda: written(made(), output), lambda document: _page(document, output), as_json)


@app.command()
def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more, by number or id.")],
    every: Annotated[bool, typer.Option("--all", help="Also what is the same in all of them.")] = False,
    output: Output = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Runs side by side: parameters, data, code, environment, metrics and slices; what differs. Plots in a page.

    The first run is what the others are held against.

    Example: penstock train compare 3 4 -o comparison.html
    """
    from penstock.train.runs import comparison_page

    def found() -> "RunComparison":
        result = project_at(where, environment).train.compare(*names)
        if output:
            written(comparison_page(result, every=every), output)
        return result

    answer(found, lambda result: _page(comparison_page(result, every=every), output), as_json)


@app.command()
def leaderboard(
    metric: Annotated[
        str | None, typer.Option("--metric", help="A metric or a KPI; the objective's first otherwise.")
    ] = None,
    by: Annotated[str, typer.Option("--slice", help="COLUMN=VALUE, or COLUMN for each of its groups.")] = "",
    condition: Filter = "",
    experiment: Annotated[str | None, typer.Option("--experiment", help="Runs of this experiment only.")] = None,
    goal: Annotated[
        str | None, typer.Option("--goal", help="minimise, maximise or zero; known for what the objective judges.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of each ranking.")] = 20,
    output: Output = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Runs ranked by a metric, whole or by slice. Only runs that were judged on the same rows stand in one ranking.

    Example: penstock train leaderboard --metric roc_auc --slice carrier=UA
    """
    from penstock.train.runs import leaderboard_page

    def found() -> "tuple[Ranking, ...]":
        step = project_at(where, environment).train
        result = step.leaderboard(metric, goal=goal, where=_of(condition, experiment), by=by, limit=limit)
        if output:
            written(leaderboard_page(result), output)
        return result

    answer(found, lambda result: _page(leaderboard_page(result), output), as_json)


def _of(condition: str, experiment: str | None) -> str:
    """A filter, and the experiment that runs belong to."""
    if experiment is None:
        return condition
    named = "experiment = '" + experiment.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"({condition}) and {named}" if condition.strip() else named


def _page(document: "Document", output: Path | None) -> None:
    """A document, or where it was written."""
    say(f"wrote {output}") if output else show_document(document)


@app.command()
def tag(
    run: RunName,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Tags to give the run.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag to take away.")] = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Give a run tags that it can be found by. Without one: those it has.

    Example: penstock train tag 3 team=growth reviewed=yes
    """
    answer(
        lambda: project_at(where, environment).train.tag(run, _pairs(tags or ()), remove=remove or ()),
        lambda found: table(["tag", "value"], [[each.name, each.value] for each in found], empty="no tags"),
        as_json,
    )


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """`team=growth` as a name and a value."""
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise UsageError(f"{', '.join(map(repr, wrong))} is no tag", expected="NAME=VALUE: team=growth")
    return dict(text.split("=", 1) for text in texts)
