"""Transforms: tables that a function of the project computes from tables.

The commit of a computed table names its inputs and its code and nothing else, so the same inputs give
the same commit, wherever and whenever it is computed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from penstock.data.ingestion.staging import BATCH
from penstock.data.lineage import Lineage, columns_read
from penstock.data.versions.contents import rows_of
from penstock.data.versions.refs import publish_derived
from penstock.errors import FunctionError, PenstockError, UsageError
from penstock.ledger import Ledger, node
from penstock.store import Manifest, Store

if TYPE_CHECKING:
    from penstock.project import Function, ProjectFile


@dataclass(frozen=True)
class Transformed:
    """What a transform made. `columns`: what each column is computed from, as INPUT.COLUMN; None if nobody can know."""

    commit: str
    columns: Lineage | None


def transform(
    project: "ProjectFile", ledger: Ledger, store: Store, name: str, inputs: Mapping[str, str]
) -> Transformed:
    """Compute a transform from the commits of its inputs, and publish what comes out."""
    from penstock.project import call, load_function

    transforms = project.config.data.transforms
    if name not in transforms:
        raise UsageError.unknown("transform", name, transforms, where=project.where("data", "transforms"))
    spec = transforms[name]
    function = load_function(project.root, spec.function, parameters=spec.inputs)
    given = {source: rows_of(store, inputs[source]) for source in spec.inputs}
    result = call(function, *given.values())
    if not isinstance(result, pl.DataFrame | pl.LazyFrame):
        expected = "a Polars LazyFrame or DataFrame"
        raise FunctionError(
            f"transform {name!r} gave a {type(result).__name__}", where=function.where, expected=expected
        )
    used = {source: inputs[source] for source in spec.inputs}
    commit = _written(store, name, result, used, function)
    edges = {node("data", source): "transform" for source in used.values()}
    publish_derived(
        ledger, store, name, commit, {**edges, node("code", function.code): "transform"}, branch=project.branch
    )
    schemas = {source: rows.collect_schema() for source, rows in given.items()}
    return Transformed(commit, columns_read(partial(call, function), schemas))


def _frames(rows: pl.DataFrame | pl.LazyFrame, function: "Function") -> Iterator[pl.DataFrame]:
    """The result piece by piece. What a lazy one raises now is the doing of the user's function."""
    from penstock.project import call

    if isinstance(rows, pl.DataFrame):
        yield rows
        return
    yield call(replace(function, call=rows.collect_schema)).to_frame()  # its columns, where it has no rows
    yield from function.each(rows.collect_batches(chunk_size=BATCH, maintain_order=True))


def _written(
    store: Store, name: str, rows: pl.DataFrame | pl.LazyFrame, inputs: Mapping[str, str], function: "Function"
) -> str:
    """Write rows and commit them. What cannot be kept is the doing of the user's function, a full disk is not."""
    try:
        table = store.write_table(_frames(rows, function))
    except (OSError, PenstockError):
        raise
    except Exception as error:
        raise function.blame(error) from error
    notes = {"dataset": name, "function": function.reference, "code": function.code, "inputs": dict(inputs)}
    return store.commit(Manifest(table.schema, table.parts, producer=function.reference, notes=notes))
