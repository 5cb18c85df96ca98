"""A verdict as a document: what a pull request shows."""

from collections.abc import Iterator, Sequence

from penstock.data.ingestion.checking import Verdict
from penstock.report import Document, Heading, Table, Text

MOST = 20  # rows of a table
Block = Heading | Table | Text


def verdict_document(verdict: Verdict) -> Document:
    """The verdict, what is broken first; at most 20 rows of each table."""
    outcome = "keeps its contract" if verdict.ok else "breaks its contract"
    return Document(f"{verdict.dataset} {outcome}", list(_blocks(verdict)))


def _blocks(verdict: Verdict) -> Iterator[Block]:
    share = f" ({verdict.bad_rows / verdict.rows:.2%})" if verdict.rows else ""
    yield Text(f"{verdict.rows:,} rows held against {verdict.contract}, {verdict.bad_rows:,} of them bad{share}.")
    yield from _table("Columns that changed", verdict.changes)
    yield from _table("Who reads them", verdict.effects)
    yield from _table("What stops an ingest", verdict.broken)
    yield from _table("Rows that would be set aside", verdict.reasons)
    yield from _table("Warnings", [{"warning": told, "rows": rows} for told, rows in verdict.warnings.items()])
    yield from _table("The first of them", [_flat(row) for row in verdict.first])
    yield from _table("Files", verdict.files)


def _table(title: str, rows: Sequence[dict[str, object]]) -> Iterator[Block]:
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    yield Heading(title)
    yield Table(columns, [[row.get(name, "") for name in columns] for row in rows[:MOST]])
    if len(rows) > MOST:
        yield Text(f"and {len(rows) - MOST:,} more", note=True)


def _flat(row: object) -> dict[str, object]:
    assert isinstance(row, dict)
    values = "; ".join(f"{name}={value}" for name, value in row["values"].items() if value is not None)
    return {"file": row["file"], "row": row["row"], "reasons": "; ".join(row["reasons"]), "values": values}
