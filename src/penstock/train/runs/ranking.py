"""Runs ranked by a metric: only those against each other that were judged on the same rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from penstock.errors import UsageError
from penstock.ledger import (
    All,
    Comparison,
    Condition,
    Evaluation,
    Metric,
    Run,
    SealedBundle,
    Sort,
    find_runs,
    has_name,
    names_of,
    values_of,
)
from penstock.train.runs.filter import fields_of, parse_filter
from penstock.train.runs.judged import Judged, Number, Slice, judged
from penstock.train.runs.names import check_names

if TYPE_CHECKING:
    from penstock.ledger import Reader
    from penstock.store import Store

GOALS = ("minimise", "maximise", "zero")
_AT_ONCE = 1_000


@dataclass(frozen=True)
class Ranked:
    """A run in its place. `as_good`: its interval reaches the best value, so chance may have made the difference."""

    run: Run
    value: float
    low: float | None = None
    high: float | None = None
    as_good: bool = False


@dataclass(frozen=True)
class Ranking:
    """Runs that can be compared, the best first.

    goal      minimise, maximise or zero
    holdout   commit of the rows that all were judged on; "" for runs that were not judged by the metric and told
              it themselves, each of rows of its own
    slice     "" for all rows, else "carrier = UA"
    rows      how many were judged on; None where that is not known
    runs      how many there are in all; `ranked` has the first of them
    """

    metric: str
    goal: str
    holdout: str
    slice: str
    rows: int | None
    runs: int
    ranked: tuple[Ranked, ...]


def leaderboard(
    reader: "Reader",
    store: "Store",
    metric: str,
    *,
    goal: str | None = None,
    where: str = "",
    by: str = "",
    limit: int = 20,
) -> tuple[Ranking, ...]:
    """Rankings by a metric, one for each holdout (the newest first) and slice; runs that nobody judged come last.

    goal    minimise, maximise or zero; otherwise what the evaluations say
    where   a filter
    by      "carrier=UA", or "carrier" for each of its groups

    UsageError for a metric or a slice that nothing was judged by, and where it is not known which way is better.
    """
    condition = parse_filter(where)
    check_names(reader, fields_of(condition))
    runs = _judged_runs(reader, condition)
    found = judged(reader, store, runs.values())
    if not has_name(reader, "metrics", metric) and not any(metric in each.goals for each in found.values()):
        raise _unknown(metric, found.values(), names_of(reader, "metrics"))
    if not found and not find_runs(reader, condition, sort=Sort("metrics", metric), limit=1):
        raise _nothing(metric, by, [])
    better = _goal(metric, goal, found.values())
    groups: dict[tuple[str, str], list[tuple[Run, Slice]]] = {}
    for run, judgement in sorted(found.items(), key=lambda each: each[1].evaluation.at, reverse=True):
        for name, cut in _cuts(judgement, by):
            if metric in cut.metrics:
                groups.setdefault((judgement.evaluation.data, name), []).append((runs[run], cut))
    told = [_ranking(metric, better, *key, each, limit) for key, each in groups.items()]
    if not by:
        judged_by_it = {run for run, judgement in found.items() if metric in judgement.goals}
        told += _unjudged(reader, metric, better, condition, judged_by_it, limit)
    if not told:
        raise _nothing(metric, by, [*found.values()])
    return tuple(told)


def _judged_runs(reader: "Reader", condition: Condition) -> dict[str, Run]:
    """The runs that fit and whose bundle was judged, by id."""
    bundles = iter({each.bundle for each in reader.find(Evaluation)})
    runs: list[Run] = []
    while some := list(islice(bundles, _AT_ONCE)):
        made = tuple(each.run for each in reader.find(SealedBundle, digest=some))
        runs += find_runs(reader, All((Comparison("", "id", "in", made), condition)))
    return {run.id: run for run in runs}


def _goal(metric: str, asked: str | None, found: Iterable[Judged]) -> str:
    """Which way is better."""
    if asked is not None and asked not in GOALS:
        raise UsageError.unknown("goal", asked, GOALS)
    told = (each.goals.get(metric, "none") for each in found)
    goal = asked or next((each for each in told if each != "none"), None)
    if goal is None:
        what = f"whether more or less of {metric} is better is not known"
        raise UsageError(what, hint=f"penstock train leaderboard --metric {metric} --goal minimise   # or maximise")
    return goal


def _cuts(judgement: Judged, by: str) -> Iterator[tuple[str, Slice]]:
    """The rows that are asked for: all of them, one group of a column, or each."""
    if not by:
        yield "", Slice(judgement.record["data"]["rows"], judgement.metrics)
    column, _, wanted = (part.strip() for part in by.partition("="))
    for (name, group), cut in judgement.slices.items() if by else ():
        if name == column and wanted in ("", group):
            yield f"{name} = {group}", cut


def _ranking(
    metric: str, goal: str, holdout: str, cut: str, judged: Sequence[tuple[Run, Slice]], limit: int
) -> Ranking:
    numbers = [(run, each.metrics[metric]) for run, each in judged]
    there = [(run, number, number.value) for run, number in numbers if number.value is not None]
    there.sort(key=lambda each: _distance(goal, each[2]))
    ranked = tuple(
        Ranked(run, value, number.low, number.high, place > 0 and _reaches(number, there[0][2]))
        for place, (run, number, value) in enumerate(there[:limit])
    )
    return Ranking(metric, goal, holdout, cut, judged[0][1].rows, len(there), ranked)


def _distance(goal: str, value: float) -> float:
    """From the best: small is good."""
    return {"minimise": value, "maximise": -value, "zero": abs(value)}[goal]


def _reaches(number: Number, best: float) -> bool:
    return number.low is not None and number.high is not None and number.low <= best <= number.high


def _unjudged(
    reader: "Reader", metric: str, goal: str, condition: Condition, known: set[str], limit: int
) -> Iterator[Ranking]:
    """Runs that told the metric themselves and that no evaluation judged by it."""
    found = find_runs(reader, condition, sort=Sort("metrics", metric))
    rest = [run for run in found if run.id not in known]
    values = {run: each[0].value for run, each in values_of(reader, Metric, rest, name=metric).items()}
    rest.sort(key=lambda run: _distance(goal, values[run.id]))
    if rest:
        ranked = tuple(Ranked(run, values[run.id]) for run in rest[:limit])
        yield Ranking(metric, goal, "", "", None, len(rest), ranked)


def _unknown(metric: str, found: Iterable[Judged], told: Iterable[str]) -> UsageError:
    known = {*told, *(name for each in found for name in each.goals)}
    if not known:
        return UsageError(f"no run has told {metric} or was judged by it yet", hint="penstock run")
    return UsageError.unknown("metric", metric, known)


def _nothing(metric: str, by: str, found: Sequence[Judged]) -> UsageError:
    """What of a question no run was judged by."""
    if not by or not found:
        return UsageError(f"no run that fits was judged by {metric}", hint="penstock train runs")
    cuts = {key: cut for each in found for key, cut in each.slices.items()}
    column, _, group = (part.strip() for part in by.partition("="))
    of_column = {name: cut for (known, name), cut in cuts.items() if known == column}
    if not of_column:
        hint = f"add `slices: [{column}]` under `validate:` and run again"
        return UsageError.unknown("slice", column, {known for known, _ in cuts}, hint=hint)
    if group and group not in of_column:
        return UsageError.unknown(f"group of {column}", group, of_column)
    measured = {name for cut in of_column.values() for name in cut.metrics}
    hint = f"add a gate on {metric} to `validate:`; slices have the metrics that gates judge"
    return UsageError.unknown(f"metric of the slices by {column}", metric, measured, hint=hint)
