"""`penstock train runs` and its neighbours: what is asked of runs."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.shell import HERE, AsJson, Environment, Where, answer, project_at, say, table, when
from penstock.digest import short

if TYPE_CHECKING:
    from penstock.train.runs import RunTable

app = typer.Typer()

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's number, or the beginning of its id.")]
Filter = Annotated[str, typer.Argument(metavar="[FILTER]", help="Such as: metrics.roc_auc > 0.7 and params.depth <= 6")]
Sort = Annotated[str, typer.Option("--sort", "-s", help="A field, falling with `-` in front or ` desc` behind.")]
_NAMES = {"number": "run", "started": "started (UTC)", "finished": "finished (UTC)", "duration": "seconds"}


@app.command()
def runs(
    condition: Filter = "",
    sort: Sort = "",
    columns: Annotated[
        str, typer.Option("--columns", "-c", help="Fields: number,params.depth,metrics.*; what matters by itself.")
    ] = "",
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
def show(run: RunName, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Everything recorded about a run.

    Example: penstock train show 3
    """
    answer(lambda: project_at(where, environment).train.show(run), _details, as_json)


def _details(found: Any) -> None:
    """Everything about a run."""
    one = found.run
    typer.secho(f"run {one.number}  {one.status}", bold=True, nl=False)
    say(f"  {one.id}")
    code = (
        f"commit {one.git_commit}" + (" with an uncommitted patch" if one.patch else "")
        if one.git_commit
        else "not in Git"
    )
    for name, value in (
        ("function", one.function), ("code", f"{short(one.code)}, {code}"), ("seed", one.seed),
        ("started", when(one.started_at)),
        ("seconds", _seconds(one)), ("bundle", short(one.bundle or "")), ("content", short(one.content_hash or "")),
        ("probe", short(one.probe_hash or "")), ("environment", short(one.environment)), ("error", one.error or ""),
    ):  # fmt: skip
        say(f"  {name:<12} {value}") if value != "" else None
    for title, pairs in (
        ("data", one.data.items()), ("features", one.features.items()),
        ("params", [(p.name, p.value) for p in found.params]),
        ("tags", [(tag.name, tag.value) for tag in found.tags]),
        ("metrics", [(m.name, f"{m.value:g}") for m in found.metrics]),
        ("host", _host(one.host)),
    ):  # fmt: skip
        for name, value in pairs:
            shown = short(str(value)) if title in ("data", "features") else value
            say(f"  {title:<12} {name} = {shown}")
    for evaluation in found.evaluations:
        say(f"  {'judged':<12} {evaluation.verdict}, {when(evaluation.at)}")


def _host(host: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Of where it ran, what a person asks for."""
    yield "name", host.get("name", "")
    yield "kernel", host.get("kernel", "")
    yield "cpus", host.get("cpus", "")
    yield "memory", f"{host.get('memory', 0) / 2**30:.1f} GiB"


def _seconds(run: Any) -> str:
    return f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else ""


@app.command()
def diff(
    before: RunName, after: RunName, where: Where = HERE, environment: Environment = None, as_json: AsJson = False
) -> None:
    """What went into two runs and is not the same. Data, parameters, seed, threads, code, libraries.

    Example: penstock train diff 3 4
    """
    answer(lambda: project_at(where, environment).train.diff(before, after), _differences, as_json)


def _differences(found: Any) -> None:
    for difference in found or ("nothing: the same data, parameters, code and environment",):
        say(difference)
