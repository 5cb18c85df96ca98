"""Which runs a client asks for: its filter and order in the ledger's terms, and pages of what fits."""

from collections.abc import Sequence
from datetime import datetime
from math import inf

from penstock.ledger import All, AnyOf, Comparison, Condition, Has, Not, Reader, Run, Sort, count_runs, find_runs
from penstock.ledger.mlflow import DatasetInput
from penstock.mlflow.errors import invalid
from penstock.mlflow.experiments import by_id, carried
from penstock.mlflow.grammar import Clause, Order, parse_filter, parse_order
from penstock.mlflow.matching import like, offset, token_of
from penstock.mlflow.runs import DELETED, LIFECYCLE, OURS, USER
from penstock.mlflow.wire import moment

PAGE = 1000  # runs in a reply at most, so that the server's memory stays small; clients ask for the rest
_GONE = Comparison("tags", LIFECYCLE, "=", DELETED)
_VIEWS: dict[str, Condition] = {"ACTIVE_ONLY": Not(_GONE), "DELETED_ONLY": _GONE, "ALL": All()}
_FIELDS = {
    "run_id": "id", "status": "status", "run_name": "name", "Run name": "name", "run name": "name",
    "start_time": "started", "end_time": "finished", "Created": "started", "created": "started",
}  # fmt: skip
_TIMES = ("started", "finished")
_NEWEST = Sort("", "started", falling=True)


def found_runs(
    reader: Reader, experiments: Sequence[str], text: str, view: str, order: Sequence[str], size: int, token: str
) -> tuple[list[Run], str]:
    """A page of runs, and the token of the next page."""
    if view not in _VIEWS:
        raise invalid(f"{view!r} is no view", expected=", ".join(_VIEWS))
    if not experiments:
        return [], ""
    names = tuple(carried(by_id(reader, number)) for number in dict.fromkeys(experiments))
    fits = All(
        (Comparison("", "experiment", "in", names), _VIEWS[view], *(condition(reader, c) for c in parse_filter(text)))
    )
    size, start = max(1, min(size, PAGE)), offset(token)
    found = _page(reader, fits, [_sort(parse_order(one)) for one in order], size + 1, start)
    return found[:size], token_of(start + size) if len(found) > size else ""


def _page(reader: Reader, fits: Condition, sorts: Sequence[Sort], size: int, start: int) -> list[Run]:
    """Runs in order, newest first at last. By a metric, param or tag its index is walked, and runs without follow."""
    first, *then = sorts or [_NEWEST]
    found = find_runs(reader, fits, sort=first, then=then, limit=size, offset=start)
    if first.place == "" or len(found) == size:
        return found
    has = _sorted_by(reader, first)
    before = start + len(found) if found else count_runs(reader, All((fits, has)))
    return found + _page(reader, All((fits, Not(has))), then, size - len(found), max(0, start - before))


def _sorted_by(reader: Reader, sort: Sort) -> Condition:
    """The runs that have a place in an order: a metric that is a number, a param that is one where others are."""
    number = Comparison(sort.place, sort.name, "<=", inf)
    if sort.place == "metrics" or (sort.place == "params" and find_runs(reader, number, limit=1)):
        return number
    return Has(sort.place, sort.name)


def condition(reader: Reader, clause: Clause) -> Condition:
    """A comparison in the ledger's terms."""
    if clause.operator in ("IS NULL", "IS NOT NULL"):
        return _presence(clause)
    if clause.operator == "NOT IN":
        return Not(condition(reader, clause._replace(operator="IN")))
    if clause.place == "datasets":
        return _reads(reader, clause)
    if clause.place == "metrics":
        return Comparison("metrics", clause.name, clause.operator, _number(clause))
    if clause.place in ("params", "tags"):
        return _compared(clause.place, clause.name, clause)
    return _of_run(clause)


def _presence(clause: Clause) -> Condition:
    if clause.place not in ("metrics", "params", "tags"):
        raise invalid(f"every run has {clause.name!r}", expected="IS NULL of a metric, param or tag")
    has = Has(clause.place, clause.name)
    return Not(has) if clause.operator == "IS NULL" else has


def _compared(place: str, name: str, clause: Clause) -> Comparison:
    """Texts are compared as texts, and LIKE ignores the case of letters, as ILIKE does."""
    if clause.operator in ("LIKE", "ILIKE", "IN"):
        value = clause.value if isinstance(clause.value, tuple) else str(clause.value)
        return Comparison(place, name, "in" if clause.operator == "IN" else "like", value)
    if not isinstance(clause.value, str):
        raise invalid(f"{clause.name!r} is a text, and {clause.value!r} is none", expected="a text in quotes")
    return Comparison(place, name, clause.operator, clause.value)


def _number(clause: Clause) -> float:
    if isinstance(clause.value, float):
        return clause.value
    raise invalid(f"metric {clause.name!r} is a number, and {clause.value!r} is none")


def _of_run(clause: Clause) -> Condition:
    if clause.name == "user_id":
        return _compared("tags", USER, clause)
    name = _field(clause.name)
    if name in _TIMES:
        return Comparison("", name, clause.operator, _time(clause))
    if name == "status":
        return _status(clause)
    return _compared("", name, clause)


def _field(name: str) -> str:
    if name not in _FIELDS:
        raise invalid(f"runs have no attribute {name!r}", expected=", ".join(sorted({*_FIELDS, "user_id"})))
    return _FIELDS[name]


def _time(clause: Clause) -> datetime:
    if not isinstance(clause.value, float) or clause.operator not in ("=", "!=", "<", "<=", ">", ">="):
        raise invalid(f"{clause.name!r} is compared with {clause.value!r}", expected="milliseconds since 1970")
    return moment(int(clause.value))


def _status(clause: Clause) -> Condition:
    """A pruned run is one that was killed, to clients."""
    if not isinstance(clause.value, str):
        raise invalid(f"a status is a text, and {clause.value!r} is none")
    named = clause.value.upper()
    if clause.operator in ("LIKE", "ILIKE"):
        pattern = like(named)
        wanted = {ours for theirs, ours in OURS.items() if pattern.fullmatch(theirs)}
    elif clause.operator in ("=", "!="):
        wanted = {OURS.get(named, named)}
    else:
        raise invalid(f"a status is not compared with {clause.operator}", expected="=, !=, LIKE or ILIKE")
    states = tuple(wanted | ({"pruned"} if "killed" in wanted else set()))
    chosen = Comparison("", "status", "in", states) if states else AnyOf(())
    return Not(chosen) if clause.operator == "!=" else chosen


def _reads(reader: Reader, clause: Clause) -> Condition:
    """Runs by what they read."""
    if clause.name == "context":
        known = reader.find(DatasetInput)
        texts = [(each.run, each.tags.get("mlflow.data.context", "")) for each in known]
    elif clause.name in ("name", "digest"):
        texts = [(each.run, getattr(each, clause.name)) for each in _candidates(reader, clause)]
    else:
        raise invalid(f"datasets have no {clause.name!r}", expected="name, digest or context")
    return Comparison("", "id", "in", tuple({run for run, text in texts if _holds(text, clause)}))


def _candidates(reader: Reader, clause: Clause) -> list[DatasetInput]:
    if clause.operator != "=":
        return reader.find(DatasetInput)
    return reader.find(DatasetInput, order_by="run", limit=None, **{clause.name: str(clause.value)})


def _holds(text: str, clause: Clause) -> bool:
    match clause.operator:
        case "=" | "!=":
            return (text == clause.value) == (clause.operator == "=")
        case "IN":
            return isinstance(clause.value, tuple) and text in clause.value
        case "LIKE":
            return like(str(clause.value)).fullmatch(text) is not None
        case "ILIKE":
            return like(str(clause.value).lower()).fullmatch(text.lower()) is not None
    raise invalid(f"datasets are not compared with {clause.operator}", expected="=, !=, LIKE, ILIKE, IN or NOT IN")


def _sort(order: Order) -> Sort:
    if order.place == "":
        return Sort("", _field(order.name), order.falling)
    if order.place == "datasets":
        raise invalid("runs are not sorted by datasets")
    return Sort(order.place, order.name, order.falling)
