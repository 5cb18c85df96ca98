"""Values of a run's metrics: each is kept, and a summary of all of them is what runs are searched by."""

from collections.abc import Iterable
from datetime import datetime
from math import isnan
from typing import NamedTuple

from penstock.ledger.ledger import Reader, Transaction
from penstock.ledger.records import Metric, MetricPoint
from penstock.ledger.statements import quote
from penstock.ledger.tables import table_of
from penstock.ledger.values import decode


class Point(NamedTuple):
    """A value that came in."""

    name: str
    value: float
    step: int
    at: datetime


def add_points(transaction: Transaction, run: str, points: Iterable[Point]) -> None:
    """Append values to the metrics of a run, in the order they came."""
    came = list(points)
    known = {each.name: each for each in transaction.find(Metric, run=run, name=list({each.name for each in came}))}
    summaries = dict(known)
    rows = []
    for point in came:
        summary = summaries[point.name] = _with(summaries.get(point.name), run, point)
        rows.append(MetricPoint(run, point.name, summary.n, point.step, point.value, point.at))
    transaction.add(*rows)
    transaction.add(*(each for name, each in summaries.items() if name not in known))
    for name in known:
        transaction.change(Metric, {"run": run, "name": name}, **summaries[name]._asdict())


def _with(known: Metric | None, run: str, point: Point) -> Metric:
    if known is None:
        return Metric(run, point.name, point.value, point.step, point.at, point.value, point.value, 1)
    low, high = known.low, known.high
    if isnan(low) or point.value < low:
        low = point.value
    if isnan(high) or point.value > high:
        high = point.value
    # The newest value is the one of the highest step: processes may report out of order.
    if point.step < known.step:
        return known._replace(low=low, high=high, n=known.n + 1)
    return Metric(run, point.name, point.value, point.step, point.at, low, high, known.n + 1)


def curve(reader: Reader, metric: Metric, *, most: int = 500) -> list[MetricPoint]:
    """The values of a metric in the order they came; of more than `most`, evenly chosen ones and the last."""
    every = -(-metric.n // most)
    table = table_of(MetricPoint)
    names = ", ".join(quote(column.name) for column in table.columns)
    text = (
        f"SELECT {names} FROM {table.name} WHERE run = ? AND name = ? "
        "AND ((number - 1) % CAST(? AS INTEGER) = 0 OR number = ?) ORDER BY number"
    )
    return decode(table, reader.session.rows(text, [metric.run, metric.name, every, metric.n]))
