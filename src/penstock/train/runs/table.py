"""A page of runs as a table: which runs, which of their fields, in which order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.ledger import FIELDS, Metric, Param, Run, Tag, find_runs, values_of
from penstock.train.runs.filter import Field, fields_of, parse_columns, parse_filter, parse_sort
from penstock.train.runs.names import check_names

if TYPE_CHECKING:
    import polars as pl

    from penstock.ledger import Reader

_FIRST = ("number", "name", "status", "started", "duration", "experiment")
_OPTIONAL = ("name", "experiment")  # shown by themselves only where some run has one


@dataclass(frozen=True)
class RunTable:
    """A page of runs: their records, and a row of values for each.

    columns   ("number", "status", "metrics.roc_auc"): fields as a filter names them
    rows      a value per column, None where the run has none; `duration` is in seconds
    more      whether runs come behind this page
    """

    runs: tuple[Run, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, index: int) -> Run:
        return self.runs[index]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A mapping for each run: column -> value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def frame(self) -> "pl.DataFrame":
        """The table as a frame of Polars; numbers beside texts in one column become texts."""
        import polars as pl

        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.columns)
        alike = (_alike(values) for values in columns)
        return pl.DataFrame(
            [pl.Series(name, values, strict=False) for name, values in zip(self.columns, alike, strict=True)]
        )


def run_table(
    reader: "Reader",
    where: str = "",
    *,
    sort: str = "",
    columns: str = "",
    favourites: Sequence[str] = (),
    limit: int | None = 20,
    offset: int = 0,
) -> RunTable:
    """The runs that fit a filter. UsageError, all of them at once, for names that no run has.

    favourites   metrics that are shown, without `columns`, if one of the runs has them
    """
    condition, order = parse_filter(where), parse_sort(sort)
    asked = parse_columns(columns) if columns else ()
    ordered_by = Field(order.place, order.name)
    check_names(reader, [*fields_of(condition), ordered_by, *asked])
    found = find_runs(reader, condition, sort=order, limit=None if limit is None else limit + 1, offset=offset)
    runs = tuple(found[:limit])
    values = _values(reader, runs)
    fields = _expanded(asked, values) or _usual(values, favourites, ordered_by)
    rows = tuple(tuple(values[run.id].get(field) for field in fields) for run in runs)
    return RunTable(runs, tuple(map(str, fields)), rows, more=len(found) > len(runs))


Values = Mapping[str, Mapping[Field, Any]]  # run -> field -> value


def _values(reader: "Reader", runs: Sequence[Run]) -> Values:
    """Everything that a page of runs has, by field."""
    params, tags, metrics = (values_of(reader, kind, runs) for kind in (Param, Tag, Metric))
    return {
        run.id: {
            **{Field("", name): value for name, value in _own(run).items()},
            **{Field("params", each.name): plain(each) for each in params[run.id]},
            **{Field("metrics", each.name): each.value for each in metrics[run.id]},
            **{Field("min", each.name): each.low for each in metrics[run.id]},
            **{Field("max", each.name): each.high for each in metrics[run.id]},
            **{Field("tags", each.name): each.value for each in tags[run.id]},
            **{Field("data", name): commit for name, commit in run.data.items()},
        }
        for run in runs
    }


def _own(run: Run) -> dict[str, Any]:
    """The fields of a run itself; what nobody told is None."""
    known = {name: getattr(run, attribute) for name, attribute in FIELDS.items() if name != "duration"}
    return {**{name: None if value == "" else value for name, value in known.items()}, "duration": duration(run)}


def duration(run: Run) -> float | None:
    """Seconds from start to end; None while it runs."""
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at else None


def plain(param: Param) -> str | float:
    """A parameter as a number where it is one: 6, 0.05, else its text."""
    if param.number is None:
        return param.value
    whole = param.value.lstrip("-").isdecimal() and len(param.value) < 19  # more does not fit 64 bits
    return int(param.value) if whole else param.number


def _expanded(asked: Sequence[Field], values: Values) -> list[Field]:
    """The columns asked for, `params.*` as every parameter that one of the runs has."""
    there = {field for each in values.values() for field in each}
    every = {place: sorted(field for field in there if field.place == place) for place in {f.place for f in asked}}
    columns = [each for field in asked for each in (every[field.place] if field.name == "*" else [field])]
    return list(dict.fromkeys(columns))


def _usual(values: Values, favourites: Sequence[str], sorted_by: Field) -> list[Field]:
    """What is shown when nobody says what: the run, what it was sorted by, and what the objective judges by."""
    first = [Field("", name) for name in _FIRST]
    there = {field for each in values.values() for field, value in each.items() if value is not None}
    always = {sorted_by, *(field for field in first if field.name not in _OPTIONAL)}
    wanted = [*first, sorted_by, *(Field("metrics", name) for name in favourites)]
    return list(dict.fromkeys(field for field in wanted if field in always | there))


def _alike(values: Sequence[Any]) -> list[Any]:
    """Values of one type."""
    if any(isinstance(each, str) for each in values):
        return [None if each is None else str(each) for each in values]
    return list(values)
