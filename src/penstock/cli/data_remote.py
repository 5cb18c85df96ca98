"""`penstock data`: versions elsewhere."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.shell import (
    HERE,
    Actor,
    AsJson,
    Environment,
    Where,
    answer,
    counted,
    project_at,
    say,
    transfer,
)
from penstock.digest import short

if TYPE_CHECKING:
    pass

app = typer.Typer()

Versioned = Annotated[str, typer.Argument(help="DATASET, DATASET@TAG, DATASET@COMMIT or DATASET@DATE.")]
Remote = Annotated[
    str | None, typer.Argument(help="A URL or a directory; `data.remote` of the project file otherwise.")
]


@app.command()
def push(
    remote: Remote = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read it again there; send what is damaged once more.")
    ] = False,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Send this branch's versions elsewhere. Ends with 5 when others are there that are not here.

    Example: penstock data push s3://team/flights
    """

    def send() -> object:
        with transfer("sending") as progress:
            return project_at(where, environment).data.push(remote, verify=verify, progress=progress)

    answer(send, _pushed, as_json)


@app.command()
def pull(remote: Remote = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Fetch this branch's versions, and what penstock.lock pins. Ends with 5 when both sides have moved.

    Example: penstock data pull
    """

    def fetch() -> object:
        with transfer("fetching") as progress:
            return project_at(where, environment).data.pull(remote, progress=progress)

    answer(fetch, _pulled, as_json)


@app.command()
def clone(remote: Remote = None, where: Where = HERE, environment: Environment = None, as_json: AsJson = False) -> None:
    """Fetch every branch and tag into a project that has no data yet.

    Example: penstock data clone s3://team/flights
    """

    def fetch() -> object:
        with transfer("fetching") as progress:
            return project_at(where, environment).data.clone(remote, progress=progress)

    answer(fetch, _pulled, as_json)


def _pushed(done: Any) -> None:
    """Each ref, and how much was sent."""
    _refs_moved(done)
    for digest in done.repaired:
        say(f"blob {digest} was damaged there and is whole again")
    say(f"{counted(done.blobs, 'blob')} sent, {done.bytes:,} bytes, to {done.remote}")


def _pulled(done: Any) -> None:
    """Each ref, and how much came."""
    _refs_moved(done)
    for name in done.pinned:
        say(f"{name}  pinned by penstock.lock (penstock data checkout)")
    say(f"{counted(done.blobs, 'blob')} fetched, {done.bytes:,} bytes, from {done.remote}")


def _refs_moved(done: Any) -> None:
    for one in done.refs:
        was = f", was at {short(one.before)}" if one.how == "moved" else ""
        say(f"{one.dataset}@{one.name} {short(one.commit)}  {one.how}{was}")


@app.command()
def iceberg(
    reference: Versioned,
    name: Annotated[str, typer.Argument(metavar="TABLE", help="NAMESPACE.TABLE in the catalog.")],
    catalog: Annotated[
        str, typer.Option("--catalog", help="A catalog of PyIceberg's configuration, or the URL of an SQL database.")
    ],
    warehouse: Annotated[
        str | None, typer.Option("--warehouse", help="Where metadata go; needed with the URL of a database.")
    ] = None,
    actor: Actor = None,
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Make an Iceberg table what a version is, without copying a row.

    Example: penstock data iceberg flights@2013-03-31 airlines.flights --catalog lake
    """

    def export() -> object:
        data = project_at(where, environment, actor=actor).data
        return data.iceberg(reference, name, catalog=catalog, warehouse=warehouse)

    answer(export, _exported, as_json)


def _exported(done: Any) -> None:
    """What the table is now."""
    parts = f"{counted(done.added, 'part')} added{', those it had before are gone' if done.replaced else ''}"
    say(f"{done.table} is {short(done.commit)} now: {done.rows:,} rows, {parts}")
