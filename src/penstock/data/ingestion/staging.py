"""Audit: hold inputs against a contract and write good and bad rows into the store, unreferenced.

One streaming pass per input. Nothing that is written here is visible until `ingest` publishes it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import polars as pl

from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.custom import Functions, conditions_of, explained_rules
from penstock.data.contracts.dtypes import type_name
from penstock.data.contracts.infer import infer_contract
from penstock.data.contracts.rules import annotated, fatal, tally
from penstock.data.contracts.schema import HEAD, Change, head_changes, schema_changes
from penstock.data.reserved import FILE, RAW, REASONS, ROW, WARNINGS
from penstock.data.sources.inputs import Input
from penstock.data.sources.readers import Raw, explained, open_input
from penstock.errors import ContractBroken
from penstock.store import Part, Store, Table

BATCH = 250_000  # rows in memory at a time

Example = tuple[str, int]  # input, row


@dataclass(frozen=True)
class Opened:
    """An input of which the first frame is known and no row is read yet."""

    input: Input
    first: Raw
    rest: Iterator[Raw]

    def frames(self) -> Iterator[Raw]:
        """All of its frames."""
        return chain((self.first,), self.rest)


@dataclass(frozen=True)
class Staged:
    """The rows of one input in the store."""

    input: Input
    good: Table
    bad: Table
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Example] = field(default_factory=dict)


def open_all(root: Path, inputs: Iterable[Input], scratch: Path) -> list[Opened]:
    """Look at the schema of every input."""
    opened = []
    for one in inputs:
        frames = open_input(root, one, scratch)
        opened.append(Opened(one, next(frames), frames))
    return opened


def implied_contract(opened: Sequence[Opened]) -> Contract:
    """What a dataset without a contract is held to: the columns and types that it happens to have."""
    first = opened[0].first
    if len({one.first.text for one in opened}) > 1:
        what = "text files and inputs with types of their own feed one dataset: what its columns are is not known"
        raise ContractBroken(what, where=opened[0].input.name, hint=f"penstock data infer {opened[0].input.name}")
    if first.text:
        frames = [one.first.rows.drop(ROW) for one in opened]
        with explained(first):
            drafted = infer_contract(pl.concat(frames, how="diagonal"), text=True).contract
        columns = {name: column.model_copy(update={"nullable": True}) for name, column in drafted.columns.items()}
    else:
        schemas = [one.first.schema for one in opened]
        columns = {name: Column(type=_implied_type(name, schemas)) for name in schemas[0]}
    return Contract(columns=columns)


def _implied_type(name: str, schemas: Sequence[Mapping[str, pl.DataType]]) -> str:
    """The type of the first input in which the column has a value."""
    found = (schema.get(name) for schema in schemas)
    dtype = next((dtype for dtype in found if dtype is not None and not isinstance(dtype, pl.Null)), None)
    return type_name(dtype) if dtype is not None else "String"


def refuse_schema_breaks(contract: Contract, raws: Iterable[Raw], *, hint: str) -> None:
    """ContractBroken with a row for every column of every input that is not as declared. Nothing was cast yet."""
    table: list[Change] = []
    for raw in raws:
        changes = schema_changes(contract, raw.schema, text=raw.text)
        if not changes and raw.text:
            with explained(raw):
                head = raw.rows.head(HEAD).collect()
            changes = head_changes(contract, head)
        table += [{"file": raw.name, **change} for change in changes]
    if table:
        count = f"{len(table)} column" + ("s are" if len(table) > 1 else " is")
        raise ContractBroken(f"the schema broke: {count} not as the contract says", table=table, hint=hint)


def stage(
    store: Store,
    opened: Opened,
    contract: Contract,
    functions: Functions,
    *,
    hint: str,
    progress: Callable[[int], None],
) -> Staged:
    """Write the good and the bad rows of one input."""
    audit = _Audit(store, contract, functions, opened.input, hint, progress)
    good = store.write_table(audit.good(opened.frames()))
    return Staged(opened.input, good, audit.bad(), audit.reasons, audit.warnings, audit.examples)


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
        one: Input,
        hint: str,
        progress: Callable[[int], None],
    ) -> None:
        self.store = store
        self.contract = contract
        self.functions = functions
        self.input = one
        self.hint = hint
        self.progress = progress
        self.reasons: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.examples: dict[str, Example] = {}
        self._waiting: list[pl.DataFrame] = []
        self._parts: list[Part] = []

    def good(self, frames: Iterable[Raw]) -> Iterator[pl.DataFrame]:
        names = list(self.contract.columns)
        for position, raw in enumerate(frames):
            if position:
                refuse_schema_breaks(self.contract, [raw], hint=self.hint)
            schema = raw.schema
            conditions = conditions_of(self.functions)
            marked = annotated(raw.rows, self.contract, schema, text=raw.text, conditions=conditions)
            yield pl.DataFrame(schema=marked.select(names).collect_schema())
            for batch in self._batches(raw, marked):
                fine = pl.col(REASONS).list.len() == 0
                self._note(batch.filter(~fine), batch, schema, raw)
                self.progress(batch.height)
                yield batch.filter(fine).select(names)

    def bad(self) -> Table:
        """The rows that were set aside, whole, as text, with every reason."""
        self._flush(1)
        empty = pl.DataFrame(schema={**dict.fromkeys(self.contract.columns, pl.String), **_MARKS})
        schema = self.store.write_table(empty).schema
        return Table(schema, tuple(self._parts))

    def _note(self, bad: pl.DataFrame, batch: pl.DataFrame, schema: dict[str, pl.DataType], raw: Raw) -> None:
        self.warnings.update(tally(batch, WARNINGS))
        if not bad.height:
            return
        self.reasons.update(tally(bad, REASONS))
        for reason, row in (
            bad.explode(REASONS).group_by(REASONS, maintain_order=True).agg(pl.col(ROW).first()).iter_rows()
        ):
            self.examples.setdefault(reason, (raw.name, row))
        texts = [
            pl.col(RAW + name).alias(name) if raw.text else _as_text(name, schema[name])
            for name in self.contract.columns
        ]
        marks = [pl.lit(raw.name).alias(FILE), pl.col(ROW), pl.col(REASONS)]
        self._waiting.append(bad.select(*texts, *marks))
        self._flush(BATCH)

    def _batches(self, raw: Raw, marked: pl.LazyFrame) -> Iterator[pl.DataFrame]:
        with explained(raw), explained_rules(self.contract, self.functions, marked):
            yield from marked.collect_batches(chunk_size=BATCH, maintain_order=True)

    def _flush(self, least: int) -> None:
        """Write waiting bad rows when there are so many; where a part ends does not depend on the batches."""
        while sum(frame.height for frame in self._waiting) >= least:
            whole = pl.concat(self._waiting)
            self._parts += self.store.write_table(whole.head(BATCH)).parts
            self._waiting = [whole.slice(BATCH)]


_MARKS = {FILE: pl.String(), ROW: pl.Int64(), REASONS: pl.List(pl.String)}


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Struct):
        return column.struct.json_encode()
    if dtype.is_nested():
        return pl.struct(column).struct.json_encode().alias(name)
    if isinstance(dtype, pl.Binary):
        return column.bin.encode("base64")
    return column.dt.to_string("iso") if dtype.is_temporal() else column.cast(pl.String)
