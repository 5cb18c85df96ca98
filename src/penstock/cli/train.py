"""`penstock train`: runs."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from penstock.cli.shell import HERE, AsJson, Environment, Where, answer, group, project_at, say, table, when
from penstock.digest import short

app = group("train", "Step 3: runs.")

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's number, or the beginning of its id.")]


@app.command()
def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """The newest runs.

    Example: penstock train runs
    """
    answer(lambda: project_at(where, environment).train.runs(limit=limit), _runs, as_json)


def _runs(found: Any) -> None:
    """The newest runs."""
    rows = [
        [r.number, r.status, r.function, when(r.started_at), _seconds(r), short(r.bundle or ""), r.id] for r in found
    ]
    names = ["run", "status", "function", "started (UTC)", "seconds", "bundle", "id"]
    table(names, rows, empty="no runs yet: penstock run")


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


@app.command()
def log(run: RunName, where: Where = HERE, environment: Environment = None) -> None:
    """What a training printed.

    Example: penstock train log 3
    """
    answer(lambda: project_at(where, environment).train.log(run), lambda text: typer.echo(text, nl=False), False)
