"""What every command shares: its options, how a result is printed, how an error ends."""

import errno
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from penstock.errors import PenstockError, UsageError

if TYPE_CHECKING:
    from penstock.api import Project
    from penstock.report import Document

T = TypeVar("T")

Where = Annotated[Path, typer.Option("--project", "-C", help="The project's directory, or one below it.")]
Environment = Annotated[str | None, typer.Option("--env", help="A section of `environments:` in the project file.")]
Sets = Annotated[list[str], typer.Option("--set", help="Override a key of the project file: train.params.depth=6")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Actor = Annotated[str | None, typer.Option("--as", help="Who you are; $USER otherwise.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the audit trail.")]
Version = Annotated[str | None, typer.Argument(metavar="VERSION", help="3, NAME@3 or a state; the newest otherwise.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file (.html or .md).")]
At = Annotated[datetime | None, typer.Option("--at", help="Look as of this time (UTC) instead of now.")]

HERE = Path()
HELP = {
    errno.ENOENT: "put it back, or correct its name; then run the command again",
    errno.EACCES: "see who owns it (ls -ld) and who you are (id)",
    errno.EPERM: "see who owns it (ls -ld) and who you are (id)",
    errno.ENOTDIR: "a file stands where a directory is needed: move it away",
    errno.EROFS: "this file system can only be read: work in another directory",
    errno.ENOSPC: "the disk is full: penstock data collect, or make room",
    errno.EDQUOT: "your share of the disk is full: penstock data collect, or make room",
}


class Sections(TyperGroup):
    """Commands under headings: the daily verbs apart from the steps."""

    headings: ClassVar[Mapping[str, Sequence[str]]] = {}

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """What `--help` lists, with the first sentence of each."""
        width = max(map(len, self.commands))
        for heading, names in self.headings.items():
            with formatter.section(heading):
                rows = ((name, self.commands[name].get_short_help_str(formatter.width - width - 6)) for name in names)
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


def group(name: str, text: str, kind: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A command group named after a step."""
    return typer.Typer(
        name=name, help=text, cls=kind, no_args_is_help=True, rich_markup_mode=None, add_completion=False
    )


def answer(call: Callable[[], T], render: Callable[[T], None], as_json: bool) -> T:
    """Make the library call and print what it returns; a PenstockError ends with its own exit code."""

    def shown() -> T:
        value = call()
        render(value)
        return value

    if not as_json:
        return guarded(shown, as_json)
    value = guarded(call, as_json)
    guarded(lambda: print_json(value), False)
    return value


def guarded(call: Callable[[], T], as_json: bool) -> T:
    """The result of `call`; its errors are printed and end the process with their exit code."""
    # what the user's functions print is not part of the one document
    aside = redirect_stdout(sys.stderr) if as_json else nullcontext()
    try:
        with aside:
            return call()
    except PenstockError as error:
        fail(error, as_json)
    except BrokenPipeError:
        raise  # whoever read our output has seen enough: no error
    except OSError as error:
        fail(_refused(error), as_json)
    except KeyboardInterrupt:
        rub_out()
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None


def _refused(error: OSError) -> PenstockError:
    """What the operating system did not allow, in words."""
    where = str(error.filename) if error.filename else None
    return PenstockError(error.strerror or str(error), where=where, hint=HELP.get(error.errno or 0))


def fail(error: PenstockError, as_json: bool) -> NoReturn:
    """Print an error for a person or a machine, and end."""
    if as_json:
        print_json(error.as_dict())
    else:
        rub_out()
        typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(str(error), err=True)
    raise typer.Exit(error.exit_code) from error


def project_at(
    where: Path, environment: str | None = None, sets: list[str] | None = None, actor: str | None = None
) -> "Project":
    """Open the project that a command works on."""
    from penstock.api import Project

    return Project.open(where, environment=environment, sets=tuple(sets or ()), actor=actor)


def place_for(output: Path) -> Path:
    """A file that a command is about to write; UsageError when it has no directory."""
    if not output.parent.is_dir():
        raise UsageError("there is no such directory", where=str(output.parent), hint=f"mkdir -p {output.parent}")
    return output


def written(document: "Document", output: Path | None) -> "Document":
    """The document, and a file of it where one was asked for."""
    from penstock.report import to_html, to_markdown

    if output is not None:
        text = to_html(document) if output.suffix == ".html" else to_markdown(document)
        place_for(output).write_text(text, encoding="utf-8")
    return document


def print_document(document: "Document", output: Path | None) -> None:
    """A document as Markdown, or where it was written."""
    from penstock.report import to_markdown

    typer.echo(f"wrote {output}\n" if output else to_markdown(document), nl=False)


def show_document(document: "Document") -> None:
    """A document as a person reads it on a terminal; pictures are for pages."""
    from penstock.report import Figure, Heading, Patch, Plot, Table, Text

    typer.secho(document.title, bold=True)
    heading = ""
    for block in document.blocks:
        if isinstance(block, Heading):
            heading = block.text
        elif heading and not isinstance(block, Plot | Figure):
            typer.secho(f"\n{heading}", bold=True)
            heading = ""
        if isinstance(block, Table):
            table(list(block.columns), [list(row) for row in block.rows])
        elif isinstance(block, Patch):
            show_patch(block.text)
        elif isinstance(block, Text):
            typer.secho(block.text, fg="bright_black" if block.note else None)


def show_patch(text: str) -> None:
    """A unified difference, what came in green and what went in red."""
    for line in text.splitlines():
        names = line.startswith(("+++", "---"))
        typer.secho(line, fg=None if names else {"+": "green", "-": "red", "@": "cyan"}.get(line[:1]), bold=names)


def utc(at: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def say(text: str = "") -> None:
    """A line."""
    typer.echo(text)


def counted(number: int, noun: str) -> str:
    """`1 label`, `2,000 labels`"""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def when(moment: datetime | None) -> str:
    """2013-04-01 06:00"""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def print_json(value: object) -> None:
    """A value as one JSON document with stable keys."""
    import json

    readable = (sys.stdout.encoding or "").lower() in ("utf-8", "utf8")
    sys.stdout.write(json.dumps(jsonable(value), indent=2, ensure_ascii=not readable, allow_nan=False) + "\n")


def jsonable(value: Any) -> Any:
    """Dataclasses and named tuples as objects, times as ISO text, frames as rows, everything else as it is."""
    import math
    from dataclasses import fields, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "to_dicts"):
        return jsonable(value.to_dicts())
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def table(columns: list[str], rows: list[list[object]], *, title: str = "", empty: str = "no rows") -> None:
    """A table on the terminal, as wide as it needs in a pipe; without rows the sentence `empty`."""
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    from penstock.report import cell

    sheet = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="dim",
        show_header=any(columns),
    )
    for name in columns:
        sheet.add_column(name, overflow="fold")
    for row in rows:
        sheet.add_row(*(_coloured(cell(value)) for value in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(sheet)


def show_rows(rows: Any) -> None:
    """Rows as a table, their values as they are; a text as it is."""
    if isinstance(rows, str):
        say(rows)
        return
    table(rows.columns, [[_exact(value) for value in row] for row in rows.rows()])


def _exact(value: object) -> object:
    """A value of a row: no digit is rounded away, and no mark is set into a number that somebody may look for."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(str(_exact(one)) for one in value)
    return value if value is None else str(value)


def _coloured(text: str) -> str:
    from rich.markup import escape

    colours = {
        "PASS": "green",
        "FAIL": "red",
        "UNDECIDED": "yellow",
        "firing": "red",
        "production": "green",
        "page": "red",
    }
    safe = escape(text)
    return f"[{colours[text]}]{safe}[/]" if text in colours else safe


def pencil(text: str) -> None:
    """What is under way, on a terminal, until the next line takes its place."""
    if sys.stdout.isatty():
        typer.echo(f"\r  … {text}", nl=False)


def rub_out() -> None:
    """Take away what `pencil` wrote."""
    if sys.stdout.isatty():
        typer.echo("\r\033[K", nl=False)


def spinner(text: str) -> AbstractContextManager[object]:
    """A spinner on a terminal, nothing in a pipe or in CI."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(text)


@contextmanager
def transfer(text: str) -> Iterator[Callable[[Any], None]]:
    """A bar of bytes on a terminal, nothing in a pipe or in CI; what it gives takes how far a transfer is."""
    if not sys.stderr.isatty():
        yield lambda at: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress("{task.description}", *columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda at: bar.update(task, completed=at.done, total=at.total)
