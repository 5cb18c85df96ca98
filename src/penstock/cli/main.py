"""`penstock`: the daily verbs, and a group for each of the seven steps."""

import io
import sys
from collections import UserDict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

import typer
from typer.main import get_group

from penstock.cli import render
from penstock.cli.process import brief
from penstock.cli.progress import Shown
from penstock.cli.shell import (
    HERE,
    Actor,
    AsJson,
    Environment,
    Reason,
    Sections,
    Sets,
    Where,
    answer,
    fail,
    guarded,
    print_json,
    project_at,
    spinner,
)
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.pipeline import Event, Turn
    from penstock.train import Place, Reproduction


STEPS = ("objective", "data", "train", "validate", "deliver", "monitor", "improve")
GROUPS = (*STEPS, "audit")  # each a module of this package


class Commands(UserDict[str, Any]):
    """Commands by name. A group is loaded when it is asked for: a daily verb does without all of them."""

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = get_group(import_module(f"penstock.cli.{name}").app)
        return self.data[name]


class Help(Sections):
    """The front page of the command line."""

    headings: ClassVar = {
        "Every day": (
            "init", "run", "status", "serve", "up", "promote", "approve", "rollback", "trace", "reproduce",
        ),
        "Step by step": STEPS,
        "Besides": ("audit", "schema", "version"),
    }  # fmt: skip

    def __init__(self, *, commands: dict[str, Any], **options: Any) -> None:
        super().__init__(commands=cast("dict[str, Any]", Commands(commands | dict.fromkeys(GROUPS))), **options)


app = typer.Typer(
    name="penstock",
    cls=Help,
    help="The whole loop: objective, data, train, validate, deliver, monitor, improve.",
    epilog="Ends with 0 done, 1 failed, 2 wrong call or file, 3 gate refused, 4 contract broken, 5 conflict.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


# Click's UsageError, from whichever click Typer brings along.
WrongCall = cast("type[Exception]", typer.BadParameter.__base__)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a mark that a terminal does not know is no reason to fail
    with brief():
        try:
            sys.exit(app(standalone_mode="--json" not in sys.argv))
        except (KeyboardInterrupt, typer.Abort):
            sys.exit(130)
        except WrongCall as error:
            print_json(wrong_call(error).as_dict())
            sys.exit(UsageError.exit_code)


def wrong_call(error: Any) -> UsageError:
    """Click's error as one of ours."""
    command = error.ctx.command_path if error.ctx else "penstock"
    return UsageError(error.format_message(), hint=f"{command} --help")


def show_version(asked: bool) -> None:
    """The installed version, and no more."""
    if asked:
        from penstock import __version__

        typer.echo(f"penstock {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the installed version.")
    ] = False,
) -> None:
    """The whole loop: objective, data, train, validate, deliver, monitor, improve."""


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The new project's directory.")],
    data: Annotated[Path, typer.Option("--data", help="A CSV or Parquet file with one row per example.")],
    target: Annotated[str, typer.Option("--target", help="The column to predict.")],
    time: Annotated[str | None, typer.Option("--time", help="The column that says when the row happened.")] = None,
    entity: Annotated[str | None, typer.Option("--entity", help="The column that names the example.")] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a file into a working project.

    Example: penstock init churn --data customers.csv --target churned
    """
    from penstock.api import Project

    answer(lambda: Project.init(name, data=data, target=target, time=time, entity=entity), render.scaffolded, as_json)


@app.command()
def run(
    check_determinism: Annotated[
        bool,
        typer.Option("--check-determinism", help="Then train once more, and end with 1 if that gives another model."),
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what would run and why, and do nothing.")] = False,
    where: Where = HERE,
    environment: Environment = None,
    sets: Sets = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Run what has changed, from the data to the registry. Ends with 3 when a gate refuses.

    Example: penstock run --set train.params.max_iter=200
    """
    if explain:
        if check_determinism:
            fail(UsageError("--explain trains nothing that could be repeated", expected="one of the two"), as_json)
        answer(lambda: project_at(where, environment, sets).explain(), render.explanation, as_json)
        raise typer.Exit

    def turn() -> "Turn":
        project = project_at(where, environment, sets)
        with Shown(quiet=as_json) as progress:

            def told(event: "Event") -> None:
                progress.close()
                render.step(event)

            return project.run(on_event=None if as_json else told, progress=progress)

    def again() -> "Reproduction":
        if result.run_id is None:
            raise UsageError("nothing was trained, so there is no training to repeat")
        with spinner("training once more"):
            return project_at(where, environment, sets).reproduce(result.run_id, environment="here")

    result = guarded(turn, as_json)
    if not as_json:
        render.turn(result)
    second = guarded(again, as_json) if check_determinism else None
    if as_json:
        print_json(result if second is None else {"turn": result, "determinism": second})
    elif second:
        render.reproduction(second)
    raise typer.Exit(result.exit_code or (0 if second is None or second.same else 1))


@app.command()
def status(where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """The loop at a glance. Production and its numbers against the objective, alerts, what is due, maturity.

    Example: penstock status
    """
    answer(lambda: project_at(where, environment).status(), render.status, as_json)


@app.command()
def serve(
    where: Where = HERE,
    environment: Environment = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; the project file's otherwise.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
) -> None:
    """Answer predictions over HTTP until SIGTERM or Ctrl-C.

    Example: penstock serve --port 8080
    """
    guarded(lambda: project_at(where, environment).serve(host=host, port=port), False)


@app.command()
def up(
    where: Where = HERE,
    environment: Environment = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; the project file's otherwise.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
) -> None:
    """Server and loop together: answer, watch, retrain. Until SIGTERM or Ctrl-C.

    Example: penstock up
    """
    guarded(lambda: project_at(where, environment).up(host=host, port=port, on_tick=render.tick_line), False)


@app.command()
def promote(
    version: Annotated[str | None, typer.Argument(help="3, NAME@3 or a state; the newest otherwise.")] = None,
    to: Annotated[str, typer.Option("--to", help="staging or production")] = "production",
    actor: Actor = None,
    reason: Reason = "",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Move a model version up, if everything that must hold does. Ends with 3 and the list of what lacks.

    Example: penstock promote 3 --to production -m "better on every slice"
    """
    answer(
        lambda: project_at(where, environment, actor=actor).promote(version, to=to, reason=reason),
        render.promoted,
        as_json,
    )


@app.command()
def approve(
    version: Annotated[str | None, typer.Argument(help="3 or NAME@3; the newest otherwise.")] = None,
    role: Annotated[str, typer.Option("--role", help="The role that the project file asks for.")] = "owner",
    to: Annotated[str, typer.Option("--to", help="staging or production")] = "production",
    actor: Actor = None,
    reason: Reason = "",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Say yes, as a person, to a version entering a state.

    Example: penstock approve 3 --as ada --role owner -m "seen the slices"
    """
    answer(
        lambda: project_at(where, environment, actor=actor).approve(version, role=role, to=to, reason=reason),
        render.approved,
        as_json,
    )


@app.command()
def rollback(
    to: Annotated[str | None, typer.Option("--to", help="A version; the one before otherwise.")] = None,
    actor: Actor = None,
    reason: Reason = "",
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Put the previous production version back, at once.

    Example: penstock rollback -m "false alarms at JFK"
    """
    answer(lambda: project_at(where, environment, actor=actor).rollback(to=to, reason=reason), render.promoted, as_json)


@app.command()
def trace(
    start: Annotated[
        str, typer.Argument(help="A prediction id, run, model version, dataset@ref, or any id or its start.")
    ],
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """What led to a prediction, model, run or version, and came of it.

    Example: penstock trace flight-delay@3
    """
    answer(lambda: project_at(where, environment).trace(start), render.trace, as_json)


@app.command()
def reproduce(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's number or id.")],
    here: Annotated[bool, typer.Option("--here", help="In the environment at hand, whatever it is.")] = False,
    rebuilt: Annotated[
        bool, typer.Option("--rebuilt", help="In the recorded environment, built again even where it is at hand.")
    ] = False,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Train a run again from its record, and compare the models. Ends with 1 when it gives another model.

    Where the environment at hand is not the recorded one, uv builds that again.

    Example: penstock reproduce 4
    """

    def again() -> "Reproduction":
        if here and rebuilt:
            raise UsageError("the environment is either the one at hand or built again", expected="--here or --rebuilt")
        place: Place = "here" if here else "rebuilt" if rebuilt else "recorded"
        with spinner("training again from the record"):
            return project_at(where, environment).reproduce(run_id, environment=place)

    found = answer(again, render.reproduction, as_json)
    raise typer.Exit(0 if found.same else 1)


@app.command()
def schema() -> None:
    """The JSON Schema of penstock.yaml, for editors.

    Example: penstock schema > penstock.schema.json
    """
    from penstock.project import json_schema

    answer(json_schema, print_json, True)


@app.command()
def version() -> None:
    """The installed version.

    Example: penstock version
    """
    show_version(True)
