"""Pages about runs, as blocks: what a terminal, Markdown and HTML show alike."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from penstock.digest import short
from penstock.report import Document, Heading, Patch, Plot, Table, Text
from penstock.train.runs.comparison import Row, RunComparison
from penstock.train.runs.pictures import SYSTEM, bars_picture, curve_pictures
from penstock.train.runs.ranking import Ranked, Ranking

Block = Heading | Text | Table | Plot | Patch
_MOST_BARS = 12  # metrics drawn
_WORDS = {"minimise": "less is better", "maximise": "more is better", "zero": "nearer to 0 is better"}


# --- comparison ----------------------------------------------------------------------------------


def comparison_page(found: RunComparison, *, every: bool = False) -> Document:
    """Runs side by side: what differs, or `every` row."""
    names = ", ".join(f"run {run.number}" for run in found.runs)
    return Document(f"Comparison of {names}", tuple(_comparison(found, every)))


def _comparison(found: RunComparison, every: bool) -> Iterator[Block]:
    if not every and not _inputs_differ(found):
        yield Text("The same data, parameters, code and environment went into all of them.", note=True)
    yield from _side_by_side("Runs", found, found.facts, every)
    yield from _side_by_side("Parameters", found, found.params, every)
    yield from _side_by_side("Tags", found, found.tags, every)
    yield from _side_by_side("Data", found, found.data, every)
    for run, changes in zip(found.runs[1:], found.changes, strict=True):
        yield from (Text(f"run {run.number} against run {found.runs[0].number}: {each}") for each in changes)
    yield from _side_by_side("Features", found, found.features, every)
    yield from _code(found)
    yield from _environments(found)
    yield from _side_by_side("Metrics", found, found.metrics, every, differences=True)
    yield from _slices(found, every)
    yield from _pictures(found, every)


def _inputs_differ(found: RunComparison) -> bool:
    rows = (*found.params, *found.data, *found.features, *(row for row in found.facts if row.name in _INPUTS))
    return any(row.differs for row in rows)


_INPUTS = ("function", "seed", "threads", "deterministic", "threshold", "code", "environment")


def _side_by_side(
    title: str, found: RunComparison, rows: Sequence[Row], every: bool, *, differences: bool = False
) -> Iterator[Block]:
    shown = [row for row in rows if every or row.differs]
    if not shown:
        return
    told = differences and len(found.runs) == 2
    columns = ["", *(f"run {run.number}" for run in found.runs), *(["difference"] if told else [])]
    yield Heading(title)
    yield Table(columns, [[row.name, *map(_shown, row.values), *([_difference(row)] if told else [])] for row in shown])


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return short(value) if isinstance(value, str) and len(value) == 64 else value


def _difference(row: Row) -> float | None:
    then, now = row.values
    return None if then is None or now is None else float(now - then)


def _code(found: RunComparison) -> Iterator[Block]:
    if any(found.code):
        yield Heading("Code")
        yield from (Patch(patch) for patch in found.code if patch)


def _environments(found: RunComparison) -> Iterator[Block]:
    if any(found.environments):
        yield Heading("Environment")
    for run, changes in zip(found.runs[1:], found.environments, strict=True):
        yield from (Text(f"run {run.number} against run {found.runs[0].number}: {each}") for each in changes)


def _slices(found: RunComparison, every: bool) -> Iterator[Block]:
    shown = list(_side_by_side("Slices", found, found.slices, every, differences=True))
    yield from shown[:1]
    if shown and found.holdout.differs:
        yield Text("They were not judged on the same rows: these numbers do not compare.", note=True)
    yield from shown[1:]


def _pictures(found: RunComparison, every: bool) -> Iterator[Block]:
    curves = [curve for curve in found.curves if every or not curve.metric.startswith(SYSTEM)]
    drawn = [Plot(picture, f"{name} by step") for name, picture in curve_pictures(curves)]
    lined = {curve.metric for curve in curves}
    numbers = [run.number for run in found.runs]
    judged = [row for row in found.metrics if row.name not in lined and not row.name.startswith(SYSTEM)]
    rows = [row for row in judged if row.differs][:_MOST_BARS]
    drawn += [Plot(bars_picture(row.name, numbers, row.values), row.name) for row in rows]
    if drawn:
        yield Heading("Pictures")
        yield from drawn


# --- leaderboard ---------------------------------------------------------------------------------


def leaderboard_page(rankings: Sequence[Ranking]) -> Document:
    """Rankings under one another; each is of runs that can be compared."""
    first = rankings[0]
    blocks = [block for ranking in rankings for block in _ranking(ranking, alone=len(rankings) == 1)]
    return Document(f"Leaderboard by {first.metric}, {_WORDS[first.goal]}", tuple(blocks))


def _ranking(ranking: Ranking, *, alone: bool) -> Iterator[Block]:
    yield Heading(_judged_on(ranking))
    if not ranking.holdout:
        yield Text("No evaluation judged these runs by it: each told its own number, of rows of its own.", note=True)
    columns = ("place", "run", ranking.metric, "interval", "", "experiment", "name")
    kept = [0, 1, 2, *([3, 4] if ranking.holdout else []), *_named(ranking)]
    rows = [_place(place, each) for place, each in enumerate(ranking.ranked, 1)]
    yield Table([columns[index] for index in kept], [[row[index] for index in kept] for row in rows])
    if ranking.runs > len(ranking.ranked):
        yield Text(f"{ranking.runs - len(ranking.ranked):,} more", note=True)


def _judged_on(ranking: Ranking) -> str:
    if not ranking.holdout:
        return "Not judged by it"
    of = f"{ranking.slice}, " if ranking.slice else ""
    return f"{of}{ranking.rows:,} rows of holdout {short(ranking.holdout)}"


def _named(ranking: Ranking) -> list[int]:
    """The columns that some run has something for."""
    there = {5: any(each.run.experiment for each in ranking.ranked), 6: any(each.run.name for each in ranking.ranked)}
    return [column for column, some in there.items() if some]


def _place(place: int, ranked: Ranked) -> list[Any]:
    interval = "" if ranked.low is None or ranked.high is None else f"{ranked.low:.4g} to {ranked.high:.4g}"
    as_good = "may be as good as the first" if ranked.as_good else ""
    return [place, ranked.run.number, ranked.value, interval, as_good, ranked.run.experiment, ranked.run.name]
