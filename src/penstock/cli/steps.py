"""A command group for each of the seven steps; each command is one call on `Project`'s step of that name."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.shell import (
    HERE,
    Actor,
    AsJson,
    Environment,
    Where,
    answer,
    group,
    guarded,
    place_for,
    project_at,
    spinner,
)

if TYPE_CHECKING:
    from penstock.report import Document

GROUPS = {
    "objective": "Step 1: the agreed goal, as a sheet that people sign.",
    "data": "Step 2: datasets, contracts, versions.",
    "train": "Step 3: runs.",
    "validate": "Step 4: gates and model cards.",
    "deliver": "Step 5: the registry and the endpoint.",
    "monitor": "Step 6: what happens in production.",
    "improve": "Step 7: feedback and the loop.",
}
apps = {name: group(name, text) for name, text in GROUPS.items()}
objective, data, train, validate, deliver, monitor, improve = apps.values()

Dataset = Annotated[str, typer.Argument(help="A dataset of the project file.")]
Versioned = Annotated[str, typer.Argument(help="DATASET, DATASET@TAG, DATASET@COMMIT or DATASET@DATE.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file (.html or .md).")]
Now = Annotated[datetime | None, typer.Option("--at", help="Look as of this time (UTC) instead of now.")]


# --- 1 objective ---


@objective.command("show")
def objective_show(
    output: Output = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False
) -> None:
    """The requirements sheet with its signatures, as Markdown or an HTML page.

    Example: penstock objective show -o objective.html
    """
    answer(
        lambda: _written(project_at(where, environment).objective.show(), output),
        lambda sheet: _document(sheet, output),
        as_json,
    )


@objective.command("sign")
def objective_sign(
    role: Annotated[str, typer.Option("--role", help="In which role you agree: owner, risk, legal ...")],
    actor: Actor = None,
    note: Annotated[str, typer.Option("--note", "-m", help="Kept with the signature.")] = "",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Agree to the objective as it stands. Any later change of it needs a new signature.

    Example: penstock objective sign --as ada --role owner
    """
    from penstock.cli import render

    answer(
        lambda: project_at(where, environment, actor=actor).objective.sign(role=role, note=note), render.signed, as_json
    )


# --- 2 data ---


@data.command("ingest")
def data_ingest(
    dataset: Annotated[str | None, typer.Argument(help="A dataset; every one otherwise.")] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read everything again; call source functions again.")
    ] = False,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Read what is new in the sources. Ends with 4 when a contract is broken.

    Example: penstock data ingest flights
    """
    from penstock.cli import render

    def read() -> object:
        with spinner("reading"):
            return project_at(where, environment).data.ingest(dataset, refresh=refresh)

    answer(read, render.ingested, as_json)


@data.command("log")
def data_log(dataset: Dataset, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Versions of a dataset, newest first.

    Example: penstock data log flights
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).data.history(dataset), render.versions, as_json)


@data.command("show")
def data_show(
    reference: Versioned,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows.")] = 10,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write every row to this Parquet or CSV file.")
    ] = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Rows of a version: time travel.

    Example: penstock data show flights@2013-03-31 -n 5
    """
    from penstock.cli import render

    def rows() -> object:
        frame = project_at(where, environment).data.show(reference)
        return render.export(frame, place_for(output)) if output else frame.head(limit).collect()

    answer(rows, render.frame, as_json)


@data.command("diff")
def data_diff(
    before: Versioned, after: Versioned, where: Where = HERE, environment: Environment = None, as_json: AsJson = False
) -> None:
    """What changed between two versions. Columns, parts, rows by key.

    Example: penstock data diff flights@3f9c2a flights
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).data.diff(before, after), render.difference, as_json)


@data.command("tag")
def data_tag(
    reference: Versioned,
    name: Annotated[str, typer.Argument(help="The tag; it never moves.")],
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Give a version a name that never moves.

    Example: penstock data tag flights before-the-fix
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment, actor=actor).data.tag(reference, name), render.version, as_json)


@data.command("infer")
def data_infer(file: Annotated[Path, typer.Argument(help="A CSV, Parquet or NDJSON file.")]) -> None:
    """Draft a contract from a file, with a reason for each line.

    Example: penstock data infer customers.csv > contracts/customers.yaml
    """

    def draft() -> None:
        from penstock.data import infer_file

        typer.echo(infer_file(file), nl=False)

    guarded(draft, False)


@data.command("check")
def data_check(
    file: Annotated[Path, typer.Argument(help="The file to check.")],
    dataset: Annotated[str, typer.Option("--dataset", help="The dataset whose contract counts.")],
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Hold a file against a contract without ingesting it. Ends with 4 when it does not keep it.

    Example: penstock data check new.csv --dataset customers
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).data.check(file, dataset), render.checked, as_json)


@data.command("quarantine")
def data_quarantine(
    dataset: Dataset,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many rows.")] = 10,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Rows that the contract turned away, with the reasons.

    Example: penstock data quarantine flights
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).data.quarantine(dataset).head(limit).collect(), render.frame, as_json)


@data.command("verify")
def data_verify(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Read every stored byte and compare it with its digest. Ends with 1 when something is damaged.

    Example: penstock data verify
    """
    from penstock.cli import render

    damage = answer(lambda: project_at(where, environment).data.verify(), render.damage, as_json)
    raise typer.Exit(1 if damage else 0)


@data.command("collect")
def data_collect(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Delete stored bytes that nothing leads to. What is younger than a day stays.

    Example: penstock data collect
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).data.collect(), render.swept, as_json)


# --- 3 train ---

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's number, or the beginning of its id.")]


@train.command("runs")
def train_runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """The newest runs.

    Example: penstock train runs
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).train.runs(limit=limit), render.runs, as_json)


@train.command("show")
def train_show(run: RunName, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Everything recorded about a run.

    Example: penstock train show 3
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).train.show(run), render.run_details, as_json)


@train.command("log")
def train_log(run: RunName, where: Where = HERE, environment: Environment = None) -> None:
    """What a training printed.

    Example: penstock train log 3
    """
    answer(lambda: project_at(where, environment).train.log(run), lambda text: typer.echo(text, nl=False), False)


# --- 4 validate ---

ModelName = Annotated[str | None, typer.Argument(metavar="VERSION", help="3, NAME@3 or a state; the newest otherwise.")]


@validate.command("show")
def validate_show(
    version: ModelName = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False
) -> None:
    """Each gate's outcome, with its interval and reason. Ends with 3 when the verdict is not PASS.

    Example: penstock validate show 3
    """
    from penstock.cli import render

    judgement = answer(lambda: project_at(where, environment).validate.show(version), render.judgement, as_json)
    raise typer.Exit(0 if judgement.evaluation.verdict == "PASS" else 3)


@validate.command("card")
def validate_card(
    version: ModelName = None,
    output: Output = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """The model card, as Markdown or an HTML page.

    Example: penstock validate card 3 -o card.html
    """
    answer(
        lambda: _written(project_at(where, environment).validate.card(version), output),
        lambda card: _document(card, output),
        as_json,
    )


# --- 5 deliver ---


@deliver.command("models")
def deliver_models(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Every model version and its state.

    Example: penstock deliver models
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).deliver.models(), render.models, as_json)


@deliver.command("history")
def deliver_history(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Every change of state: who, when, why.

    Example: penstock deliver history
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).deliver.history(), render.transitions, as_json)


@deliver.command("lacks")
def deliver_lacks(
    version: ModelName = None,
    to: Annotated[str, typer.Option("--to", help="staging or production")] = "production",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """What still stands between a version and a state. Ends with 3 when something does.

    Example: penstock deliver lacks 3
    """
    from penstock.cli import render

    missing = answer(lambda: project_at(where, environment).deliver.lacks(version, to=to), render.lacking, as_json)
    raise typer.Exit(3 if missing else 0)


@deliver.command("refresh")
def deliver_refresh(
    actor: Actor = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False
) -> None:
    """Give the endpoint the newest rows of its feature views.

    Example: penstock deliver refresh
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment, actor=actor).deliver.refresh(), render.refreshed, as_json)


# --- 6 monitor ---


@monitor.command("look")
def monitor_look(at: Now = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Measure the windows that changed; open and resolve alerts.

    Example: penstock monitor look
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).monitor.look(now=_utc(at)), render.look, as_json)


@monitor.command("alerts")
def monitor_alerts(
    state: Annotated[str | None, typer.Option("--state", help="firing or resolved")] = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first.

    Example: penstock monitor alerts --state firing
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).monitor.alerts(state=state), render.alerts, as_json)


@monitor.command("series")
def monitor_series(
    metric: Annotated[str, typer.Argument(help="roc_auc, psi, latency_p95, volume ...")],
    subject: Annotated[str, typer.Option("--of", help="A feature, for psi and missing_rate.")] = "",
    model: Annotated[str, typer.Option("--model", help="One model version; all together otherwise.")] = "*",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """A monitored number, window by window.

    Example: penstock monitor series roc_auc
    """
    from penstock.cli import render

    answer(
        lambda: project_at(where, environment).monitor.series(metric, subject=subject, model=model),
        render.series,
        as_json,
    )


@monitor.command("predictions")
def monitor_predictions(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """The newest logged predictions, with the truth where it is known.

    Example: penstock monitor predictions -n 5
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).monitor.predictions(limit=limit), render.predictions, as_json)


# --- 7 improve ---


@improve.command("feedback")
def improve_feedback(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with `label`, `prediction` or `key`, perhaps `at`.")],
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Take labels from a file.

    Example: penstock improve feedback outcomes.csv
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).improve.feedback(file), render.feedback, as_json)


@improve.command("tick")
def improve_tick(at: Now = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Look once and do what is due: for cron or a Kubernetes CronJob. Ends with 5 when another one is at work.

    Example: penstock improve tick
    """
    from penstock.cli import render

    def once() -> object:
        with spinner("looking"):
            return project_at(where, environment).improve.tick(now=_utc(at))

    answer(once, render.ticked, as_json)


@improve.command("actions")
def improve_actions(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """What the loop has done by itself, and why.

    Example: penstock improve actions
    """
    from penstock.cli import render

    answer(lambda: project_at(where, environment).improve.actions(), render.actions, as_json)


def _written(document: "Document", output: Path | None) -> "Document":
    """The document, and a file of it where one was asked for."""
    from penstock.report import to_html, to_markdown

    if output is not None:
        text = to_html(document) if output.suffix == ".html" else to_markdown(document)
        place_for(output).write_text(text, encoding="utf-8")
    return document


def _document(document: "Document", output: Path | None) -> None:
    from penstock.report import to_markdown

    typer.echo(f"wrote {output}\n" if output else to_markdown(document), nl=False)


def _utc(at: datetime | None) -> datetime | None:
    from datetime import UTC

    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
