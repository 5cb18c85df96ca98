"""`penstock data profile`: what the columns of a version look like."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.shell import HERE, AsJson, Environment, Where, answer, counted, project_at, say, spinner, table

if TYPE_CHECKING:
    from penstock.stats import Column, LevelColumn, NumericColumn, Profile

app = typer.Typer()

FREQUENT = 3  # levels named
DATES = 1e8  # seconds since 1970 or before: three years; less is a time of day or a duration


@app.command()
def profile(
    reference: Annotated[
        str, typer.Argument(metavar="DATASET", help="DATASET, DATASET@TAG, DATASET@COMMIT or DATASET@DATE.")
    ],
    where: Where = HERE,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """What the columns of a version look like. Columns with personal data are left out.

    Example: penstock data profile flights@2013-03-31
    """

    def count() -> "Profile":
        with spinner("counting"):
            return project_at(where, environment).data.profile(reference)

    if as_json:
        answer(lambda: count().to_json(), lambda _: None, as_json)
    else:
        answer(count, lambda found: _shown(reference, found), as_json)


def _shown(reference: str, found: "Profile") -> None:
    rows = [[name, *_row(column)] for name, column in found.columns.items()]
    table(["column", "missing", "different", "lowest", "mean", "highest", "most frequent"], rows, empty="no columns")
    say(f"{reference}: {counted(found.rows, 'row')}; different values beyond 256 are an estimate")


def _row(column: "Column") -> list[object]:
    from penstock.stats import NumericColumn, missing_rate

    spread = _numbers(column) if isinstance(column, NumericColumn) else ["", "", "", _levels(column)]
    # an estimate does not know that there cannot be more values than rows that have one
    different = min(column.distinct.count, column.rows - column.nulls)
    return [f"{missing_rate(column):.1%}", f"{different:,}", *spread]


def _numbers(column: "NumericColumn") -> list[object]:
    mean = column.moments.mean if column.moments.count else None
    return [*(_number(value, temporal=column.temporal) for value in (column.minimum, mean, column.maximum)), ""]


def _number(value: float | None, *, temporal: bool) -> str:
    if value is None:
        return "-"
    if temporal:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M}" if abs(value) >= DATES else f"{value:,.0f} s"
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _levels(column: "LevelColumn") -> str:
    there = column.rows - column.nulls
    ranked = sorted(zip(column.levels, column.counts, strict=True), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{level} {_share(count / there)}" for level, count in ranked[:FREQUENT] if count)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"
