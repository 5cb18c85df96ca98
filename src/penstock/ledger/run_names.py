"""The names that runs really have, of metrics, parameters, tags and data: what a name in a filter may mean."""

from collections.abc import Mapping

from penstock.ledger.ledger import Reader
from penstock.ledger.records import Metric, Param, Run, Tag, Version
from penstock.ledger.tables import Table, table_of

_TABLES: Mapping[str, Table] = {
    "metrics": table_of(Metric),
    "min": table_of(Metric),
    "max": table_of(Metric),
    "params": table_of(Param),
    "tags": table_of(Tag),
}
_NEWEST = 1_000  # runs that are asked for the names of their data


def has_runs(reader: Reader) -> bool:
    """Whether there is any run."""
    return bool(reader.session.rows("SELECT 1 FROM runs LIMIT 1"))


def has_name(reader: Reader, place: str, name: str) -> bool:
    """Whether any run has this metric, parameter, tag or dataset."""
    if place == "data":
        return reader.find(Version, dataset=name, limit=1) != [] or name in names_of(reader, place)
    return bool(reader.session.rows(f"SELECT 1 FROM {_TABLES[place].name} WHERE name = ? LIMIT 1", [name]))


def names_of(reader: Reader, place: str) -> list[str]:
    """Every name that runs have in a place (metrics, min, max, params, tags, data), sorted."""
    if place == "data":
        newest = reader.find(Run, order_by="-number", limit=_NEWEST)
        return sorted({name for run in newest for name in run.data} | {each.dataset for each in reader.find(Version)})
    # One look into the index for each name: `DISTINCT` would read the names of every run.
    table = _TABLES[place].name
    text = (
        f"WITH RECURSIVE known(name) AS (SELECT min(name) FROM {table} UNION ALL SELECT "
        f"(SELECT min(t.name) FROM {table} t WHERE t.name > known.name) FROM known WHERE known.name IS NOT NULL) "
        "SELECT name FROM known WHERE name IS NOT NULL"
    )
    return [name for (name,) in reader.session.rows(text)]
