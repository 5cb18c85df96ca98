"""`penstock data`: datasets, contracts, versions."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from penstock.cli import data_bench, data_profile, data_quarantine, data_remote, data_versions
from penstock.cli.progress import Shown
from penstock.cli.shell import (
    HERE,
    AsJson,
    Environment,
    Sections,
    Where,
    answer,
    counted,
    group,
    guarded,
    place_for,
    print_document,
    project_at,
    say,
)
from penstock.digest import short
from penstock.errors import ContractBroken, UsageError


class Help(Sections):
    """The front page of the group."""

    headings: ClassVar = {
        "From sources to versions": ("ingest", "watch", "bench", "quarantine"),
        "Contracts": ("infer", "check"),
        "Versions": ("log", "show", "profile", "diff", "lineage", "tag", "branches", "merge", "checkout"),
        "Elsewhere": ("push", "pull", "clone", "iceberg"),
        "The store": ("verify", "collect"),
    }


app = group("data", "Step 2: datasets, contracts, versions.", Help)
app.add_typer(data_versions.app)
app.add_typer(data_remote.app)
app.add_typer(data_quarantine.app)
app.add_typer(data_bench.app)
app.add_typer(data_profile.app)

Dataset = Annotated[str, typer.Argument(help="A dataset of the project file.")]
Versioned = Annotated[str, typer.Argument(help="DATASET, DATASET@TAG, DATASET@COMMIT or DATASET@DATE.")]


@app.command()
def ingest(
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

    def read() -> object:
        with Shown(quiet=as_json) as progress:

            def tell(one: object) -> None:
                progress.close()
                _ingested([one])

            data = project_at(where, environment).data
            return data.ingest(dataset, refresh=refresh, progress=progress, on_done=None if as_json else tell)

    answer(read, lambda _: None, as_json)


@app.command()
def watch(
    dataset: Annotated[str | None, typer.Argument(help="A dataset; every one otherwise.")] = None,
    every: Annotated[str, typer.Option("--every", help="How often to look: 10s, 5m, 1h.")] = "10s",
    where: Where = HERE,
    environment: Environment = None,
) -> None:
    """Ingest what arrives in the sources, until Ctrl-C. A file that still grows from one look to the next has to wait.

    Example: penstock data watch --every 1m
    """
    from penstock.project import parse_duration

    try:
        interval = parse_duration(every)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--every") from None

    def begun() -> None:
        typer.echo(f"looking every {every}")
        sys.stdout.flush()

    def look() -> None:
        data = project_at(where, environment).data
        data.watch(dataset, every=interval, on_start=begun, on_arrival=_arrived)

    guarded(look, False)


def _arrived(one: Any) -> None:
    """A line for each version, and for what stopped one."""
    typer.echo(f"{datetime.now():%H:%M:%S}  ", nl=False)
    if one.done:
        _ingested([one.done])
    if one.error:
        typer.secho(f"{one.dataset}: ", fg="red", nl=False)
        typer.echo(str(one.error))
    sys.stdout.flush()


def _counted(counts: Any) -> dict[str, int]:
    """What became of the rows, in words."""
    words = {
        "late": "too late: not after the newest row that is kept (penstock data ingest --refresh takes them)",
        "superseded": "superseded by another row of the same key",
    }
    return {words.get(name, name): count for name, count in counts.items()}


def _ingested(done: Any) -> None:
    """Each dataset."""
    for one in done:
        quarantined = f", {one.quarantined:,} quarantined" if one.quarantined else ""
        say(f"{one.dataset}@{short(one.commit)}  {counted(one.rows, 'row')}{quarantined}  ({one.why})")
        for reason, count in {**one.reasons, **one.warnings, **_counted(one.counts)}.items():
            if count:
                say(f"  {count:,}  {reason}")
        _findings(one)


def _findings(one: Any) -> None:
    """What the bench warns of: in words where it is new, else how much of it stands."""
    if one.findings and one.told_before:
        count = f"{counted(len(one.findings), 'finding')} of before {'stand' if len(one.findings) > 1 else 'stands'}"
        typer.secho(f"  {count}: penstock data bench {one.dataset}", fg="yellow")
        return
    for finding in one.findings:
        typer.secho(f"  {finding['severity']:<5} {finding['kind']}: {finding['what']}", fg="yellow")


@app.command()
def infer(
    what: Annotated[str, typer.Argument(help="A dataset of the project file, or a file.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    where: Where = HERE,
    environment: Environment = None,
) -> None:
    """Draft a contract from a dataset's source or from a file, with a reason for each line.

    Example: penstock data infer customers.csv -o contracts/customers.yaml
    """

    def draft() -> None:
        from penstock.data import infer_file

        file = Path(what)
        text = infer_file(file) if file.is_file() else project_at(where, environment).data.infer(what)
        typer.echo(_kept(text, output, force) if output else text, nl=output is not None)

    guarded(draft, False)


def _kept(text: str, output: Path, force: bool) -> str:
    """Write a draft where no other is."""
    try:
        with place_for(output).open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        hint = "another name, or --force to write over it"
        raise UsageError("there is such a file", where=str(output), hint=hint) from None
    return f"wrote {output}"


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(help="Files, globs in quotes, or directories of a dataset of files.")],
    dataset: Annotated[str, typer.Option("--dataset", help="The dataset whose contract counts.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Hold files against a contract without ingesting them. Ends with 4 when they do not keep it.

    Example: penstock data check "deliveries/*.csv" --dataset customers
    """
    render = _verdict_page if markdown else _verdict
    verdict = answer(lambda: project_at(where, environment).data.check(files, dataset), render, as_json)
    raise typer.Exit(0 if verdict.ok else ContractBroken.exit_code)


def _verdict_page(verdict: Any) -> None:
    """A verdict for a pull request."""
    from penstock.data import verdict_document

    print_document(verdict_document(verdict), None)


def _verdict(verdict: Any) -> None:
    """What a contract says about files."""
    for row in verdict.reasons:
        say(f"  {row['rows']:,}  {row['reason']}  (first: {row['first']})")
    for reason, count in verdict.warnings.items():
        say(f"  {count:,}  {reason}  (warns)")
    verdict.refuse()
    kept = f"{verdict.rows - verdict.bad_rows:,} of {counted(verdict.rows, 'row')} keep the contract"
    typer.secho(f"{kept}, {verdict.bad_rows:,} would be set aside", fg="green")
