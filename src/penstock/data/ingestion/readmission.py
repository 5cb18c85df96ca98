"""Readmission: rows of the quarantine that keep the contract by now become part of the dataset's next version.

    quarantine ─ chosen rows, as they are or as corrected ─ the contract as it is now ─ pass ─> parts of their file
                                                                                      └ fail ─> stay, with new reasons

The parts hang on the file that the rows came from: they stay as long as that file stays what it is, and go with it
when it changes. When everything is read again (another contract, --refresh), rows are what their source says.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from penstock.data.contracts.contract import Contract
from penstock.data.contracts.custom import Functions, load_functions
from penstock.data.contracts.dtypes import dtype_of, logical
from penstock.data.contracts.text import readable
from penstock.data.contracts.whole import dataset_faults
from penstock.data.ingestion.dataset_contract import contract_of, named_contract
from penstock.data.ingestion.opening import Opened
from penstock.data.ingestion.plan import File
from penstock.data.ingestion.quarantine import quarantined_rows, read_corrected, refuse_strangers
from penstock.data.ingestion.replacing import Replaced, replace_rows
from penstock.data.ingestion.staging import BATCH, Staged, reasons_of, stage
from penstock.data.reserved import FILE, REASONS, ROW
from penstock.data.sources.inputs import Input, gives_text
from penstock.data.sources.readers import Raw
from penstock.data.versions.pins import pin
from penstock.data.versions.position import QUARANTINE, cursor_name
from penstock.data.versions.refs import current, publish, version_of
from penstock.digest import digest_file, digest_value, short
from penstock.errors import Conflict, ContractBroken, UsageError
from penstock.ledger import Cursor, Execution, Ledger, Version, node, utc_now
from penstock.store import Manifest, Part, Store, Table

if TYPE_CHECKING:
    from penstock.project import ProjectFile


@dataclass(frozen=True)
class Readmitted:
    """What a readmission did.

    superseded  chosen rows that keep the contract, but a row of their key is there that came later: they are gone
    reasons     why chosen rows stay where they are, rows per reason
    """

    dataset: str
    commit: str
    previous: str
    readmitted: int
    superseded: int
    quarantined: int
    rows: int
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class _Known:
    """The versions that are there, their manifests, and the cursor of the ingest that made them."""

    version: Version
    aside: Version
    good: Manifest
    bad: Manifest
    position: Mapping[str, Any]


@dataclass(frozen=True)
class _File:
    """A file of the dataset, the rows that come back, parts of those that stay aside, and what the contract said."""

    entry: File
    back: Table
    left: tuple[Part, ...]
    staged: tuple[Staged, ...]


# the bad rows of a file in, those that were chosen and those that stay out
_Choose = Callable[[pl.LazyFrame], tuple[pl.LazyFrame, pl.LazyFrame]]


def readmit(
    project: "ProjectFile",
    ledger: Ledger,
    store: Store,
    dataset: str,
    *,
    note: str,
    actor: str,
    reason: str | None = None,
    corrected: Path | None = None,
) -> Readmitted:
    """Hold rows of the quarantine against the contract as it is now; those that keep it become the next version.

    Chosen are all of them, those with a `reason`, or those of a file that was exported and `corrected`. ContractBroken
    when none of them passes, or when the new version as a whole would break the contract; nothing is changed then.
    """
    started = time.perf_counter()
    if not note.strip():
        raise UsageError("a readmission needs a note", hint="say with --note why these rows are good")
    known = _known(project, ledger, store, dataset)
    if not known.aside.rows:
        raise UsageError(f"no row of {dataset} is in quarantine", hint="penstock data quarantine list")
    contract = named_contract(project, dataset) if project.config.data.datasets[dataset].contract else None
    contract = contract or contract_of(known.good)
    _refuse_other_columns(contract, known.good, dataset)
    chosen = quarantined_rows(project, ledger, store, dataset, reason=reason)
    rows = read_corrected(corrected, list(contract.columns)) if corrected else None
    if corrected and rows is not None:
        refuse_strangers(rows, chosen, corrected)
    choose = partial(_chosen, reason=reason, corrected=rows)
    files = list(_audited(store, known, contract, load_functions(project.root, contract), choose))
    return _publish(project, ledger, store, known, contract, files, started, _asked(reason, corrected, note, actor))


def _known(project: "ProjectFile", ledger: Ledger, store: Store, dataset: str) -> _Known:
    with ledger.read() as reader:
        version = current(reader, dataset, project.branch)
        aside = current(reader, dataset + QUARANTINE, project.branch)
        cursor = reader.get(Cursor, name=cursor_name(dataset, version.commit)) if version else None
    if dataset not in project.config.data.datasets or version is None or aside is None:
        datasets = project.config.data.datasets
        raise UsageError.unknown("dataset with a quarantine", dataset, datasets, hint="penstock data ingest")
    if cursor is None:
        what = "the dataset was moved by something else than its ingest, so nobody knows which files its rows came from"
        raise Conflict(what, hint=f"penstock data ingest {dataset} --refresh")
    return _Known(version, aside, store.manifest(version.commit), store.manifest(aside.commit), cursor.position)


def _refuse_other_columns(contract: Contract, good: Manifest, dataset: str) -> None:
    columns = [(name, str(logical(dtype_of(column.type)))) for name, column in contract.columns.items()]
    if columns != [(name, str(logical(dtype_of(dtype)))) for name, dtype in good.schema]:
        what = f"the contract gives other columns than {dataset} has"
        raise UsageError(what, hint=f"penstock data ingest {dataset}: under another contract it reads everything again")


def _asked(reason: str | None, corrected: Path | None, note: str, actor: str) -> dict[str, str]:
    chosen = str(corrected.name) if corrected else reason or "all"
    digest = digest_file(corrected) if corrected else ""
    return {"chosen": chosen, "corrected": digest, "note": note, "actor": actor}


# --- audit ---------------------------------------------------------------------------------------


def _audited(store: Store, known: _Known, contract: Contract, functions: Functions, choose: _Choose) -> Iterator[_File]:
    """Every file of the dataset; those without a chosen row as they are."""
    parts = {part.digest: part for part in known.bad.parts}
    for entry in known.position["files"]:
        bad = store.rows(Table(known.bad.schema, tuple(parts[digest] for digest in entry["bad"])))
        names = bad.select(FILE).unique().sort(FILE).collect()[FILE].to_list() if entry["bad"] else []
        taken, stays = choose(bad)
        if not taken.select(pl.len()).collect().item():
            yield _File(entry, Table(known.good.schema, ()), (), ())
            continue
        staged = [_staged(store, entry, name, contract, functions, taken) for name in names]
        left = [stays, *(store.rows(one.bad) for one in staged)]
        kept = store.write_table(pl.concat(left).sort(FILE, ROW), rows_per_part=BATCH)
        back = Table(known.good.schema, tuple(part for one in staged for part in one.good.parts))
        # a file that grows is read again, and with it rows that were corrected here but not there
        was = [[part.digest, part.rows, part.bytes] for part in (parts[digest] for digest in entry["bad"])]
        changed = {**entry, "bad": [part.digest for part in kept.parts], "back": [*entry.get("back", ()), *was]}
        yield _File(changed, back, kept.parts, tuple(staged))


def _chosen(
    bad: pl.LazyFrame, *, reason: str | None, corrected: pl.DataFrame | None
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Of a file's bad rows those that were chosen, as they are or as corrected, and those that stay.

    What is asked again counts its rows from 1 again, so several may stand at one place; `refuse_strangers` has seen
    that no corrected one is among them.
    """
    if corrected is None:
        fits = pl.lit(True) if reason is None else pl.col(REASONS).list.contains(reason)
        return bad.filter(fits), bad.filter(~fits)
    place, rows = [FILE, ROW], corrected.lazy()
    return rows.join(bad.select(place), on=place, how="semi"), bad.join(rows.select(place), on=place, how="anti")


def _staged(
    store: Store, entry: File, name: str, contract: Contract, functions: Functions, taken: pl.LazyFrame
) -> Staged:
    """The chosen rows of one file held against the contract, as an ingest of them would."""
    source = str(entry["name"])
    rows = taken.filter(pl.col(FILE) == name).sort(ROW).select(*contract.columns, ROW)
    opened = Opened(Input(source, None), Raw(name, rows, text=True), iter(()))
    return stage(store, opened, _as_written(contract, source), functions, hint="", progress=lambda _: None)


def _as_written(contract: Contract, source: str) -> Contract:
    """The contract for texts of the quarantine: values that had a type stand there as ISO 8601 and plain numbers."""
    if gives_text(source):
        return contract
    if unread := [name for name, column in contract.columns.items() if not readable(column.type)]:
        what = f"{', '.join(unread)}: values of this type cannot be read back from the quarantine"
        raise UsageError(what, where=source, hint="correct the source, and ingest it again")
    plain = {"format": None, "decimal": None, "missing": ()}
    columns = {name: column.model_copy(update=plain) for name, column in contract.columns.items()}
    return contract.model_copy(update={"columns": columns})


# --- publish -------------------------------------------------------------------------------------


def _publish(
    project: "ProjectFile",
    ledger: Ledger,
    store: Store,
    known: _Known,
    contract: Contract,
    files: Sequence[_File],
    started: float,
    asked: Mapping[str, str],
) -> Readmitted:
    dataset = known.version.dataset
    staged = [one for file in files for one in file.staged]
    hint = f"penstock data quarantine export {dataset} -o rows.csv, correct them there, then readmit --file rows.csv"
    if not any(one.good.rows for one in staged):
        raise ContractBroken(f"{dataset}: no chosen row keeps the contract", table=reasons_of(staged), hint=hint)
    placed = _placed(project, store, known, contract, files)
    count = sum(one.good.rows for one in staged) - placed.superseded
    inputs = {"dataset": dataset, "previous": known.version.commit, "quarantine": known.aside.commit, **asked}
    key = digest_value({"step": "readmit", "inputs": inputs, "content": [dict(file) for file in placed.files]})
    bad = _named(known.bad, "bad", placed.files, [part for file in files for part in file.left])
    aside = replace(bad, parents=(known.aside.commit,), producer=key)
    good = _named(known.good, "good", placed.files, placed.parts)
    notes = {**good.notes, "quarantine": store.commit(aside), "readmitted": {"from": known.aside.commit, "rows": count}}
    manifest = replace(good, parents=(known.version.commit,), producer=key, notes=notes)
    commit = store.commit(manifest)
    if broken := [fault.row for fault in dataset_faults(contract, store.scan(commit), manifest.rows) if fault.fatal]:
        what = f"{dataset}: with these rows the data as a whole would break the contract"
        raise ContractBroken(what, table=broken, hint=hint)
    seconds = time.perf_counter() - started
    aside_commit = str(notes["quarantine"])
    with ledger.write() as tx:
        branch = project.branch
        publish(tx, version_of(dataset, commit, manifest), expected=known.version.commit, branch=branch)
        left = version_of(dataset + QUARANTINE, aside_commit, aside)
        publish(tx, left, expected=known.aside.commit, branch=branch)
        outputs = {"data": commit, "quarantine": aside_commit}
        tx.put(Execution(key, f"readmit {dataset}", inputs, outputs, seconds, utc_now()))
        position = {**known.position, "files": [dict(file) for file in placed.files]}
        tx.put(Cursor(cursor_name(dataset, commit), position, utc_now()))
        tx.link(node("data", known.version.commit), node("data", commit), "readmit")
        tx.link(node("data", known.aside.commit), node("data", commit), "readmit")
        tx.link(node("data", commit), node("data", aside_commit), "quarantine")
        payload = {"commit": commit, "previous": known.version.commit, "rows": count, "chosen": asked["chosen"]}
        subject = f"{dataset}@{short(commit)}"
        tx.audit("data.readmit", subject, actor=asked["actor"], reason=asked["note"], payload=payload)
    pin(project, ledger)
    reasons = {str(row["reason"]): int(str(row["rows"])) for row in reasons_of(staged)}
    previous = known.version.commit
    return Readmitted(dataset, commit, previous, count, placed.superseded, aside.rows, manifest.rows, reasons)


def _placed(
    project: "ProjectFile", store: Store, known: _Known, contract: Contract, files: Sequence[_File]
) -> Replaced:
    """The rows that come back, with their files; in the place of older ones where the dataset upserts."""
    spec = project.config.data.datasets[known.version.dataset]
    entries = [file.entry for file in files]
    if spec.mode == "upsert":
        back = {str(file.entry["name"]): file.back for file in files if file.back.rows}
        return replace_rows(store, known.good, entries, back, contract.keys, spec.watermark)
    added = [{**file.entry, "good": [*file.entry["good"], *(p.digest for p in file.back.parts)]} for file in files]
    return Replaced(tuple(added), tuple(part for file in files for part in file.back.parts), 0)


def _named(before: Manifest, side: str, files: Sequence[File], fresh: Sequence[Part]) -> Manifest:
    """The parts that the files name now, in their order."""
    parts = {part.digest: part for part in (*before.parts, *fresh)}
    return replace(before, parts=tuple(parts[digest] for file in files for digest in file[side]))
