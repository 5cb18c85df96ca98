"""Audit: one pass over an input that writes its good and its bad rows into the store, unreferenced."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from penstock.data.contracts.contract import Contract
from penstock.data.contracts.custom import Functions, conditions_of, explained_rules
from penstock.data.contracts.rules import annotated, fatal, tally
from penstock.data.contracts.schema import Change
from penstock.data.ingestion.opening import Opened, refuse_schema_breaks
from penstock.data.ingestion.watermark import Newer
from penstock.data.reserved import FILE, RAW, REASONS, ROW, WARNINGS
from penstock.data.sources.inputs import Input
from penstock.data.sources.readers import Raw, explained
from penstock.errors import ContractBroken
from penstock.store import Part, Store, Table

READ = 100_000  # rows in memory at a time
BATCH = 250_000  # bad rows in a part

Example = tuple[str, int]  # input, row

_FINE = pl.col(REASONS).list.len() == 0
_MARKS = {FILE: pl.String(), ROW: pl.Int64(), REASONS: pl.List(pl.String)}


@dataclass(frozen=True)
class Staged:
    """The rows of one input in the store.

    read    its rows, all of them
    passed  those of them that do not count, because they are not newer than what is kept
    again   those of the passed that are kept at the newest watermark, and were given once more
    news    it was asked for what is new only
    """

    input: Input
    good: Table
    bad: Table
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    examples: Mapping[str, Example] = field(default_factory=dict)
    read: int = 0
    passed: int = 0
    again: int = 0
    news: bool = False


def stage(
    store: Store,
    opened: Opened,
    contract: Contract,
    functions: Functions,
    *,
    hint: str,
    progress: Callable[[int], None],
    newer: Newer | None = None,
    aside: Table | None = None,
) -> Staged:
    """Write the good and the bad rows of one input.

    `newer` says which of them count, where not all do; bad rows that are in `aside` were set aside before.
    """
    audit = _Audit(store, contract, functions, hint, progress, newer, aside)
    good = store.write_table(audit.good(opened.frames()))
    return Staged(
        opened.input,
        good,
        audit.bad(),
        audit.reasons,
        audit.warnings,
        audit.examples,
        read=audit.read,
        passed=audit.passed,
        again=min(audit.again, newer.kept) if newer else 0,
        news=opened.first.news,
    )


def refuse_bad_rows(staged: Sequence[Staged], contract: Contract, dataset: str, limit: float, hint: str) -> None:
    """ContractBroken on a rule of severity `error`, or when more than `limit` of the rows are bad."""
    if broken := broken_rules(staged, contract):
        raise ContractBroken(f"{dataset}: more rows break a rule than may", table=broken, hint=hint)
    bad, read = sum(one.bad.rows for one in staged), rows_read(staged)
    if bad > limit * read:
        raise ContractBroken(
            f"{dataset}: {bad:,} of {read:,} rows ({bad / read:.1%}) break the contract; {limit:.1%} may",
            table=reasons_of(staged),
            hint=f"correct the source or the contract, or raise data.datasets.{dataset}.max_quarantined",
        )


def broken_rules(staged: Sequence[Staged], contract: Contract) -> list[Change]:
    """The rules of severity `error` that more rows break than they tolerate, with the first that does."""
    reasons = {str(row["reason"]): row for row in reasons_of(staged)}
    counts = {reason: int(str(row["rows"])) for reason, row in reasons.items()}
    return [reasons[reason] for reason in fatal(contract, counts, rows_read(staged))]


def reasons_of(staged: Sequence[Staged]) -> list[Change]:
    """Why rows were set aside, how many for each reason, and where the first of them stands."""
    reasons = sum((one.reasons for one in staged), Counter[str]())
    first = {reason: at for one in reversed(staged) for reason, at in one.examples.items()}
    return [
        {"reason": reason, "rows": count, "first": f"{first[reason][0]} row {first[reason][1]:,}"}
        for reason, count in reasons.most_common()
    ]


def rows_read(staged: Sequence[Staged]) -> int:
    """Good and bad ones."""
    return sum(one.good.rows + one.bad.rows for one in staged)


class _Audit:
    """One pass over one input. Good rows stream through it; bad rows wait, a part's worth at most."""

    def __init__(
        self,
        store: Store,
        contract: Contract,
        functions: Functions,
        hint: str,
        progress: Callable[[int], None],
        newer: Newer | None,
        aside: Table | None,
    ) -> None:
        self.store = store
        self.contract = contract
        self.functions = functions
        self.names = list(contract.columns)
        self.hint = hint
        self.progress = progress
        self.newer = newer
        self.read = self.passed = self.again = 0
        self.reasons: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.examples: dict[str, Example] = {}
        self._aside = store.rows(aside).select(self.names).unique().collect() if aside and aside.parts else None
        self._waiting: list[pl.DataFrame] = []
        self._parts: list[Part] = []

    def good(self, frames: Iterable[Raw]) -> Iterator[pl.DataFrame]:
        for position, raw in enumerate(frames):
            if position:
                refuse_schema_breaks(self.contract, [raw], hint=self.hint)
            schema = raw.schema
            yield pl.DataFrame(schema=self._marks(raw.rows, raw, schema).select(self.names).collect_schema())
            for batch in _batches(raw, self.names):
                marked = self._marked(batch.lazy(), raw, schema)
                counting = self.newer.of(marked) if self.newer else marked
                self.read += batch.height
                self.passed += batch.height - counting.height
                if self.newer:
                    self.again += self.newer.level(marked) - self.newer.level(counting)
                self._note(counting, schema, raw)
                self.progress(batch.height)
                yield counting.filter(_FINE).select(self.names)

    def bad(self) -> Table:
        """The rows that were set aside, whole, as text, with every reason."""
        self._flush(1)
        empty = pl.DataFrame(schema={**dict.fromkeys(self.names, pl.String), **_MARKS})
        schema = self.store.write_table(empty).schema
        return Table(schema, tuple(self._parts))

    def _marks(self, rows: pl.LazyFrame, raw: Raw, schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        conditions = conditions_of(self.functions)
        return annotated(rows, self.contract, schema, text=raw.text, conditions=conditions)

    def _marked(self, batch: pl.LazyFrame, raw: Raw, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        marks = self._marks(batch, raw, schema)
        with explained_rules(self.contract, self.functions, marks):
            return marks.collect()

    def _note(self, batch: pl.DataFrame, schema: Mapping[str, pl.DataType], raw: Raw) -> None:
        self.warnings.update(tally(batch, WARNINGS))
        texts = [pl.col(RAW + name).alias(name) if raw.text else _as_text(name, schema[name]) for name in self.names]
        bad = batch.filter(~_FINE).select(*texts, pl.lit(raw.name).alias(FILE), pl.col(ROW), pl.col(REASONS))
        if self._aside is not None:
            bad = bad.join(self._aside, on=self.names, how="anti", nulls_equal=True, maintain_order="left")
        if not bad.height:
            return
        self.reasons.update(tally(bad, REASONS))
        for reason, row in (
            bad.explode(REASONS).group_by(REASONS, maintain_order=True).agg(pl.col(ROW).first()).iter_rows()
        ):
            self.examples.setdefault(reason, (raw.name, row))
        self._waiting.append(bad)
        self._flush(BATCH)

    def _flush(self, least: int) -> None:
        """Write waiting bad rows when there are so many; where a part ends does not depend on the batches."""
        while sum(frame.height for frame in self._waiting) >= least:
            whole = pl.concat(self._waiting)
            self._parts += self.store.write_table(whole.head(BATCH)).parts
            self._waiting = [whole.slice(BATCH)]


def _batches(raw: Raw, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    # Rows are marked a batch at a time: from a large CSV file Polars takes more at once, and the marks need the most.
    with explained(raw):
        yield from raw.rows.select(*names, ROW).collect_batches(chunk_size=READ, maintain_order=True)


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Struct):
        return column.struct.json_encode()
    if dtype.is_nested():
        return pl.struct(column).struct.json_encode().alias(name)
    if isinstance(dtype, pl.Binary):
        return column.bin.encode("base64")
    return column.dt.to_string("iso") if dtype.is_temporal() else column.cast(pl.String)
