"""`penstock data bench`: what is wrong with a version."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.shell import (
    HERE,
    AsJson,
    Environment,
    Where,
    answer,
    counted,
    place_for,
    project_at,
    say,
    spinner,
)
from penstock.digest import short
from penstock.errors import ContractBroken, UsageError

if TYPE_CHECKING:
    from penstock.data import BenchReport, Finding

app = typer.Typer()

COLOURS = {"error": "red", "warn": "yellow", "info": "bright_black"}


@app.command()
def bench(
    reference: Annotated[
        str, typer.Argument(metavar="DATASET", help="DATASET, DATASET@TAG, DATASET@COMMIT or DATASET@DATE.")
    ],
    against: Annotated[
        str | None, typer.Option("--against", help="The version to compare with; the one before otherwise.")
    ] = None,
    depth: Annotated[
        str, typer.Option("--depth", help="quick, or full: also what a model finds on a sample.")
    ] = "full",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file (.html or .md).")] = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Search a version for what is wrong with it. Ends with 4 when it finds what the project file stops at.

    Example: penstock data bench flights --against flights@2013-03-31 -o bench.html
    """

    def search() -> "BenchReport":
        with spinner("searching"):
            report = project_at(where, environment).data.bench(reference, against=against, depth=depth)
        if output:
            _write(report, output)
        return report

    report = answer(search, lambda found: say(f"wrote {output}") if output else _report(found), as_json)
    if project_at(where, environment).data.stopping(report):
        raise typer.Exit(ContractBroken.exit_code)


def _write(report: "BenchReport", output: Path) -> None:
    """The report as a page, or as Markdown."""
    from penstock.data import bench_document, bench_html
    from penstock.report import to_markdown

    if output.suffix not in (".html", ".md"):
        what = f"{output.suffix or 'no suffix'} is no format of a report"
        raise UsageError(what, where=str(output), expected="a file that ends in .html or .md")
    text = bench_html(report) if output.suffix == ".html" else to_markdown(bench_document(report))
    place_for(output).write_text(text, encoding="utf-8")


def _report(report: "BenchReport") -> None:
    """Every finding, the worst first."""
    beside = f" beside {report.dataset}@{short(report.against)}" if report.against else ""
    rows = counted(report.rows, "row") if report.batch == report.rows else f"{report.rows:,} rows, {report.batch:,} new"
    typer.secho(f"{report.dataset}@{short(report.commit)}{beside}: {rows}, {report.depth} bench", bold=True)
    for finding in report.findings:
        _finding(finding)
    if not report.findings:
        typer.secho("  nothing found", fg="green")


def _finding(finding: "Finding") -> None:
    typer.secho(f"  {finding.severity:<5} ", fg=COLOURS[finding.severity], nl=False)
    say(f"{finding.kind}: {finding.what}")
    if finding.serious:
        say(f"        why: {finding.why}")
        say(f"        do:  {finding.do}")
    if finding.filter and len(finding.filter) <= 200:
        say(f"        rows: {finding.filter}")
