"""Names in a filter, an order or a list of columns that no run has: told at once, with what was meant."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from penstock.errors import UsageError, did_you_mean
from penstock.ledger import FIELDS, has_name, has_runs, names_of
from penstock.train.runs.filter import Field

if TYPE_CHECKING:
    from penstock.ledger import Reader

PLACES = ("metrics", "min", "max", "params", "tags", "data")
_KINDS = {
    "metrics": "metric",
    "min": "metric",
    "max": "metric",
    "params": "parameter",
    "tags": "tag",
    "data": "dataset",
}


def check_names(reader: "Reader", fields: Iterable[Field]) -> None:
    """UsageError with every field that no run has, while there are runs."""
    unknown = [each for each in dict.fromkeys(fields) if not _is_known(reader, each)]
    if unknown and has_runs(reader):
        raise UsageError("; ".join(_told(reader, each) for each in unknown), hint="penstock train runs")


def _is_known(reader: "Reader", field: Field) -> bool:
    if field.place == "":
        return field.name in FIELDS
    return field.place in PLACES and (field.name == "*" or has_name(reader, field.place, field.name))


def _told(reader: "Reader", field: Field) -> str:
    if field.place == "":
        return f"unknown field {field.name!r}{_meant(reader, field.name)}"
    if field.place not in PLACES:
        return f"unknown kind of field {field.place!r}{did_you_mean(field.place, PLACES)}"
    known = names_of(reader, field.place)
    return f"no run has the {_KINDS[field.place]} {field.name!r}{did_you_mean(field.name, known)}"


def _meant(reader: "Reader", name: str) -> str:
    """A metric that was named like a field of the run is what most people mean."""
    dotted = [Field(place, name) for place in ("metrics", "params", "tags") if has_name(reader, place, name)]
    return f" (did you mean {str(dotted[0])!r}?)" if dotted else did_you_mean(name, FIELDS)
