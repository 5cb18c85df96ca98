"""What is looked at before any row is read: the schema of every input."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl

from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.dtypes import type_name
from penstock.data.contracts.infer import infer_contract
from penstock.data.contracts.schema import HEAD, Change, head_changes, schema_changes
from penstock.data.reserved import ROW
from penstock.data.sources.inputs import Input
from penstock.data.sources.readers import Raw, explained, open_input
from penstock.errors import ContractBroken


class Opened(NamedTuple):
    """An input of which the first frame is known and no row is read yet."""

    input: Input
    first: Raw
    rest: Iterator[Raw]

    def frames(self) -> Iterator[Raw]:
        """All of its frames."""
        return chain((self.first,), self.rest)


def open_all(root: Path, inputs: Iterable[Input], scratch: Path, since: object = None) -> list[Opened]:
    """Look at the schema of every input. `since` is told to functions that ask for it."""
    opened = []
    for one in inputs:
        frames = open_input(root, one, scratch, since)
        opened.append(Opened(one, next(frames), frames))
    return opened


def implied_contract(opened: Sequence[Opened]) -> Contract:
    """What a dataset without a contract is held to: the columns and types that it happens to have."""
    first = opened[0].first
    if len({one.first.text for one in opened}) > 1:
        what = "text files and inputs with types of their own feed one dataset: what its columns are is not known"
        raise ContractBroken(what, where=opened[0].input.name, hint=f"penstock data infer {opened[0].input.name}")
    if first.text:
        drafted = _drafted([one.first for one in opened])
        columns = {name: column.model_copy(update={"nullable": True}) for name, column in drafted.columns.items()}
    else:
        schemas = [one.first.schema for one in opened]
        columns = {name: Column(type=_implied_type(name, schemas)) for name in schemas[0]}
    return Contract(columns=columns)


def _drafted(raws: Sequence[Raw]) -> Contract:
    try:
        return infer_contract(pl.concat([raw.rows.drop(ROW) for raw in raws], how="diagonal"), text=True).contract
    except pl.exceptions.PolarsError:
        for raw in raws:  # which of them it was
            with explained(raw):
                raw.rows.select(pl.all().count()).collect()
        raise


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
