"""What evaluations say of runs: the numbers of the newest record of each bundle, whole and by slice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.ledger import Evaluation, Run

if TYPE_CHECKING:
    from penstock.ledger import Reader
    from penstock.store import Store

_AT_ONCE = 1_000  # values in one statement


class Number(NamedTuple):
    """A judged number with its interval; None where it was not defined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Judged:
    """The newest judgement of a run's bundle; `record` is the evaluation's, as `validate` wrote it."""

    evaluation: Evaluation
    record: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, Number]:
        """On all rows."""
        return {row["metric"]: _number(row) for row in self.record["metrics"]}

    @property
    def goals(self) -> dict[str, str]:
        """Which way each metric is better: maximise, minimise, zero or none."""
        return {row["metric"]: row["goal"] for row in self.record["metrics"]}

    @property
    def slices(self) -> "dict[tuple[str, str], Slice]":
        """(column, group) -> its numbers: ("carrier", "UA")."""
        return {
            (cut["column"], group["name"]): Slice(group["n"], _numbers(group["metrics"]))
            for cut in self.record["slices"]
            for group in cut["groups"]
        }


class Slice(NamedTuple):
    """The numbers of the rows of one group."""

    rows: int
    metrics: Mapping[str, Number]


def judged(reader: "Reader", store: "Store", runs: Iterable[Run]) -> dict[str, Judged]:
    """The newest judgement of each run that has one: run id -> judgement."""
    runs_of = {run.bundle: run.id for run in runs if run.bundle}
    newest = {each.bundle: each for each in _evaluations(reader, list(runs_of))}
    return {runs_of[bundle]: Judged(each, store.read_json(each.record)) for bundle, each in newest.items()}


def _evaluations(reader: "Reader", bundles: Sequence[str]) -> Iterator[Evaluation]:
    """Of these bundles, the oldest first."""
    rest = iter(bundles)
    while some := list(islice(rest, _AT_ONCE)):
        yield from reader.find(Evaluation, bundle=some, order_by="at")


def _numbers(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Number]:
    return {name: _number(row) for name, row in rows.items()}


def _number(row: Mapping[str, Any]) -> Number:
    return Number(row["value"], row["low"], row["high"])
