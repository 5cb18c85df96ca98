"""The report of many runs: a table, a line for each across its parameters, the curves of the first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.digest import short
from penstock.ledger import Metric, Param, Run, curve, values_of
from penstock.report import Document, Heading, Plot, Table, Text
from penstock.train.runs.comparison import Curve, curve_of
from penstock.train.runs.filter import parse_sort
from penstock.train.runs.pictures import SYSTEM, curve_pictures, parallel_picture
from penstock.train.runs.table import RunTable, plain, run_table

if TYPE_CHECKING:
    from penstock.ledger import Reader

_DRAWN = 10  # runs that have lines of their own
_MOST_CURVES = 8  # metrics drawn by step


def runs_report(
    reader: "Reader",
    where: str = "",
    *,
    sort: str = "",
    columns: str = "",
    favourites: Sequence[str] = (),
    limit: int | None = 50,
) -> Document:
    """The runs that fit a filter as a page. UsageError as for `run_table`.

    favourites   metrics that are shown, without `columns`; lines are coloured by the first, or by what is sorted by
    """
    found = run_table(reader, where, sort=sort, columns=columns, favourites=favourites, limit=limit)
    order = parse_sort(sort)
    wanted = (order.name, *favourites) if order.place == "metrics" else tuple(favourites)
    return Document("Runs", tuple(_blocks(reader, found, where, wanted)))


def _blocks(
    reader: "Reader", found: RunTable, where: str, wanted: Sequence[str]
) -> Iterator[Heading | Text | Table | Plot]:
    fit = f" for the filter {where}" if where else ""
    number = f"{len(found):,} run" + ("" if len(found) == 1 else "s")
    yield Text(f"{number}{fit}{', and there are more' if found.more else ''}.", note=True)
    if len(found) == 0:
        return
    yield Table(found.columns, [[_shown(name, value) for name, value in each.items()] for each in found.to_dicts()])
    metrics = values_of(reader, Metric, found.runs)
    yield from _across(reader, found.runs, metrics, wanted)
    drawn = list(curve_pictures(list(_curves(reader, found.runs[:_DRAWN], metrics))))
    if drawn:
        yield Heading("By step")
        yield from (Plot(picture, _of(name, len(found))) for name, picture in drawn[:_MOST_CURVES])


def _across(
    reader: "Reader", runs: Sequence[Run], metrics: Mapping[str, list[Metric]], wanted: Sequence[str]
) -> Iterator[Heading | Plot]:
    """A line for each run across the parameters that differ, to the metric that matters."""
    told = {run.id: {each.name: each.value for each in metrics[run.id]} for run in runs}
    names = [name for name in dict.fromkeys(wanted) if any(name in each for each in told.values())]
    params = values_of(reader, Param, runs)
    given = {run.id: {each.name: plain(each) for each in params[run.id]} for run in runs}
    every = sorted({name for each in given.values() for name in each})
    columns = {f"params.{name}": [given[run.id].get(name) for run in runs] for name in every}
    columns |= {f"metrics.{name}": [told[run.id].get(name) for run in runs] for name in names}
    picture = parallel_picture(columns, f"metrics.{names[0]}") if names else None
    if picture:
        yield Heading("Parameters and metrics")
        yield Plot(picture, f"A line for each run, coloured by {names[0]}; an axis can be dragged over to choose runs.")


def _curves(reader: "Reader", runs: Sequence[Run], metrics: Mapping[str, list[Metric]]) -> Iterator[Curve]:
    for run in runs:
        for metric in metrics[run.id]:
            if metric.n > 1 and not metric.name.startswith(SYSTEM):
                yield curve_of(run, curve(reader, metric))


def _of(name: str, runs: int) -> str:
    return f"{name} by step" + (f", of the first {_DRAWN} runs" if runs > _DRAWN else "")


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if name in ("number", "seed") and value is not None:
        return str(value)  # a name, not a quantity
    return short(value) if isinstance(value, str) and len(value) == 64 else value
