"""One file and a contract, without a version being made: drafts, and the check that CI runs."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from penstock.data.contracts.contract_file import load_contract
from penstock.data.contracts.custom import conditions_of, load_functions
from penstock.data.contracts.infer import Draft, infer_contract
from penstock.data.contracts.rules import Checked, annotated, check
from penstock.data.contracts.schema import HEAD, Change, head_changes
from penstock.data.reserved import ROW
from penstock.data.sources.inputs import inputs_of
from penstock.data.sources.readers import Raw, explained, open_input
from penstock.errors import ContractBroken, UsageError

if TYPE_CHECKING:
    from penstock.project import ProjectFile


def draft_file(path: Path, *, keys: Sequence[str] = ()) -> Draft:
    """A contract drafted from a file's rows."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as scratch:
        raw = _open(path, Path(scratch))
        with explained(raw):
            return infer_contract(raw.rows.drop(ROW), keys=keys, text=raw.text)


def read_file(path: Path, *, keys: Sequence[str] = ()) -> tuple[pl.DataFrame, Draft]:
    """A file's rows with the types that they turn out to have, as an ingest under the draft would store them."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as scratch:
        raw = _open(path, Path(scratch))
        with explained(raw):
            rows = raw.rows.drop(ROW).collect()
            draft = infer_contract(rows, keys=keys, text=raw.text)
            typed = annotated(rows.lazy(), draft.contract, rows.schema, text=raw.text, conditions={})
            return typed.select(*draft.contract.columns).collect(), draft


def infer_file(path: Path, *, keys: Sequence[str] = ()) -> str:
    """The draft as commented YAML."""
    return draft_file(path, keys=keys).text


def check_file(project: "ProjectFile", dataset: str, path: Path) -> Checked:
    """Hold a file against a dataset's contract. ContractBroken with every reason when it does not keep it.

    As in an ingest, bad rows may be as many as the dataset's `max_quarantined` says.
    """
    datasets = project.config.data.datasets
    if dataset not in datasets:
        raise UsageError.unknown("dataset", dataset, datasets, where=project.where("data", "datasets"))
    spec = datasets[dataset]
    if spec.contract is None:
        where = project.where("data", "datasets", dataset)
        raise UsageError(f"dataset {dataset!r} has no contract", where=where, hint=f"penstock data infer {path}")
    contract = load_contract(project.root / spec.contract)
    contract = contract.model_copy(update={"keys": spec.key or contract.keys})
    functions = load_functions(project.root, contract)
    with tempfile.TemporaryDirectory(prefix="penstock-") as scratch:
        raw = _open(path, Path(scratch))
        with explained(raw):
            checked = check(contract, raw.rows.drop(ROW), text=raw.text, conditions=conditions_of(functions))
            changes = checked.changes or (head_changes(contract, raw.rows.head(HEAD).collect()) if raw.text else ())
    table: list[Change] = [*changes, *checked.broken]
    if checked.bad_rows > spec.max_quarantined * checked.rows:
        table += [{"reason": reason, "rows": count} for reason, count in checked.reasons.items()]
    if table:
        raise ContractBroken(f"{path.name} does not keep the contract of {dataset!r}", table=table, where=spec.contract)
    return checked


def _open(path: Path, scratch: Path) -> Raw:
    (one,) = inputs_of(path.parent.resolve(), path.name)
    return next(open_input(path.parent, one, scratch))
