"""Drafts of contracts, and rows as a draft types them, from a file or from a dataset's source."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from penstock.data.contracts.infer import Draft, infer_contract
from penstock.data.contracts.rules import annotated
from penstock.data.ingestion.opening import open_all
from penstock.data.ingestion.staging import READ
from penstock.data.reserved import ROW
from penstock.data.sources.directory import KEY, directory_rows
from penstock.data.sources.inputs import is_directory
from penstock.data.sources.listing import inputs_of
from penstock.data.sources.readers import Raw, explained, open_input
from penstock.errors import UsageError
from penstock.scratch import scratch_directory

if TYPE_CHECKING:
    from penstock.project import ProjectFile


def draft_file(path: Path, *, keys: Sequence[str] = ()) -> Draft:
    """A contract drafted from a file's rows."""
    with scratch_directory() as scratch:
        raw = _open(path, scratch)
        with explained(raw):
            return infer_contract(raw.rows.drop(ROW), keys=keys, text=raw.text)


def read_file(path: Path, *, keys: Sequence[str] = ()) -> tuple[pl.DataFrame, Draft]:
    """A file's rows with the types that they turn out to have, as an ingest under the draft would store them."""
    with scratch_directory() as scratch:
        raw = _open(path, scratch)
        with explained(raw):
            rows = raw.rows.drop(ROW).collect()
            draft = infer_contract(rows, keys=keys, text=raw.text)
            typed = annotated(rows.lazy(), draft.contract, rows.schema, text=raw.text, conditions={})
            return typed.select(*draft.contract.columns).collect(), draft


def infer_file(path: Path, *, keys: Sequence[str] = ()) -> str:
    """The draft as commented YAML."""
    return draft_file(path, keys=keys).text


def infer_dataset(project: "ProjectFile", dataset: str) -> str:
    """A contract drafted from all that a dataset's source has now, as commented YAML.

    Where some inputs have types and others are texts, those with types decide.
    """
    datasets = project.config.data.datasets
    if dataset not in datasets:
        raise UsageError.unknown("dataset or file", dataset, datasets, where=project.where("data", "datasets"))
    spec = datasets[dataset]
    if is_directory(spec.source):
        return infer_contract(directory_rows(project.root, spec.source), keys=spec.key or KEY).text
    with scratch_directory() as scratch:
        inputs = inputs_of(project.root, spec.source)
        raws = [raw for one in open_all(project.root, inputs, scratch) for raw in one.frames()]
        chosen = [raw for raw in raws if not raw.text] or raws
        with _explained(chosen):
            rows = pl.concat([raw.rows.drop(ROW) for raw in chosen], how="diagonal_relaxed")
            return infer_contract(rows, keys=spec.key, text=chosen[0].text).text


@contextmanager
def _explained(raws: Sequence[Raw]) -> Iterator[None]:
    """Name the input that cannot be read: each is read alone, once something was raised."""
    try:
        yield
    except Exception:
        for raw in raws:
            with explained(raw):
                for _ in raw.rows.collect_batches(chunk_size=READ):
                    pass
        raise


def _open(path: Path, scratch: Path) -> Raw:
    (one,) = inputs_of(path.parent.resolve(), path.name)
    return next(open_input(path.parent, one, scratch))
