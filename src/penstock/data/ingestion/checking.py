"""The step for CI: files held against a dataset's contract as an ingest would hold them, without making a version."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from penstock.data.contracts.contract import Contract
from penstock.data.contracts.custom import load_functions
from penstock.data.contracts.personal import masked
from penstock.data.contracts.rules import told
from penstock.data.contracts.schema import HEAD, Change, head_changes, schema_changes
from penstock.data.contracts.whole import dataset_faults
from penstock.data.ingestion.dataset_contract import named_contract
from penstock.data.ingestion.downstream import History, downstream, renames
from penstock.data.ingestion.opening import Opened
from penstock.data.ingestion.staging import Staged, broken_rules, reasons_of, rows_read, stage
from penstock.data.reserved import FILE, REASONS, ROW
from penstock.data.sources.directory import directory_rows
from penstock.data.sources.inputs import Input, is_directory
from penstock.data.sources.listing import inputs_of
from penstock.data.sources.readers import Raw, explained, open_input
from penstock.errors import ContractBroken, UsageError
from penstock.scratch import scratch_directory
from penstock.store import Store, Table

if TYPE_CHECKING:
    from penstock.project import ProjectFile

FIRST = 5  # bad rows that are shown


@dataclass(frozen=True)
class Verdict:
    """What a dataset's contract says about files.

    ok        whether an ingest of them would not be stopped
    files     {"file": "new.csv", "rows": 600, "bad_rows": 2} for each
    changes   columns that are not as the contract says: {"file", "column", "change", "contract", "found"}
    effects   what that means for whoever reads the columns: {"column", "change", "read by", "means"}
    broken    what else stops an ingest, a file that cannot be read among it
    reasons   why rows would be set aside: {"reason", "rows", "first"}
    warnings  rows per rule that only warns
    first     the first bad rows: file, row, reasons, and values as texts; personal ones read ***
    """

    dataset: str
    contract: str
    ok: bool
    files: tuple[Change, ...]
    rows: int
    bad_rows: int
    changes: tuple[Change, ...] = ()
    effects: tuple[Change, ...] = ()
    broken: tuple[Change, ...] = ()
    reasons: tuple[Change, ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)
    first: tuple[Mapping[str, object], ...] = ()

    def refuse(self) -> None:
        """ContractBroken with everything that is broken, if something is."""
        if not self.ok:
            names = ", ".join(str(file["file"]) for file in self.files)
            what = f"{names}: not as the contract of {self.dataset!r} says"
            hint = f"correct the data, or edit {self.contract} if the change is meant"
            raise ContractBroken(
                what, table=(*self.changes, *self.effects, *self.broken), where=self.contract, hint=hint
            )


def check_files(
    project: "ProjectFile", dataset: str, files: Sequence[Path | str], *, history: History | None = None
) -> Verdict:
    """Hold files, or what globs match, or directories of files, against a dataset's contract, all of them together.

    Rows pass through as in an ingest, a batch at a time, into a scratch store that is gone afterwards; bad rows may be
    as many as the dataset's `max_quarantined` says. How fresh the rows are is asked only when they are ingested. With a
    `history`, new names of columns are recognised by the newest version's values, and models are among their readers.
    """
    contract = named_contract(project, dataset)
    functions = load_functions(project.root, contract)
    inputs = _inputs(project, dataset, files)
    if not inputs:
        raise UsageError("there is no file to check", expected="at least one path or glob")
    with scratch_directory() as scratch:
        store = Store.open(scratch / "store")
        changes: list[Change] = []
        unread: list[Change] = []
        staged: list[Staged] = []
        for one in inputs:
            try:
                opened = _open(one, scratch)
                different = list(_schema_changes(opened, contract))
                if different:
                    changes += [*different, *renames(project, history, dataset, contract, opened.first, different)]
                else:
                    staged.append(stage(store, opened, contract, functions, hint="", progress=_ignore))
            except ContractBroken as error:
                unread.append({"file": one.name, "rule": "can be read", "found": error.what})
        verdict = _judged(project, dataset, contract, store, staged, changes, unread, [one.name for one in inputs])
    concerned = dict.fromkeys((str(change["column"]), str(change["change"])) for change in changes)
    return replace(verdict, effects=downstream(project, history, dataset, list(concerned)))


def _inputs(project: "ProjectFile", dataset: str, files: Sequence[Path | str]) -> list[Input]:
    """Each once; directories for a dataset whose rows are files."""
    if is_directory(project.config.data.datasets[dataset].source):
        found = [_directory(str(file)) for file in files]
    else:
        found = [one for file in files for one in inputs_of(project.root, str(Path.cwd() / file))]
    return list({one.name: one for one in found}.values())


def _directory(given: str) -> Input:
    path = Path.cwd() / given
    if not path.is_dir():
        what = "is no directory, and in this dataset each file below a directory is a row"
        raise UsageError(what, where=given, expected="a directory such as the `source` of the dataset")
    return Input(f"{given.rstrip('/')}/", path)


def _open(one: Input, scratch: Path) -> Opened:
    if is_directory(one.name):
        rows = directory_rows(Path.cwd(), one.name).lazy().with_row_index(ROW, offset=1)
        return Opened(one, Raw(one.name, rows.with_columns(pl.col(ROW).cast(pl.Int64)), False), iter(()))
    frames = open_input(scratch, one, scratch)
    return Opened(one, next(frames), frames)


def _schema_changes(opened: Opened, contract: Contract) -> Iterator[Change]:
    raw = opened.first
    changes = schema_changes(contract, raw.schema, text=raw.text)
    if not changes and raw.text:
        with explained(raw):
            changes = head_changes(contract, raw.rows.head(HEAD).collect())
    return ({"file": raw.name, **change} for change in changes)


def _ignore(rows: int) -> None:
    """Nobody watches."""


def _judged(
    project: "ProjectFile",
    dataset: str,
    contract: Contract,
    store: Store,
    staged: Sequence[Staged],
    changes: Sequence[Change],
    unread: Sequence[Change],
    names: Sequence[str],
) -> Verdict:
    spec = project.config.data.datasets[dataset]
    rows, bad = rows_read(staged), sum(one.bad.rows for one in staged)
    counted = {one.input.name: {"rows": rows_read([one]), "bad_rows": one.bad.rows} for one in staged}
    broken = [*unread, *broken_rules(staged, contract)]
    if bad > spec.max_quarantined * rows:
        found = f"{bad:,} of {rows:,} ({bad / rows:.1%})"
        broken.append({"rule": "rows set aside", "expected": f"at most {spec.max_quarantined:.1%}", "found": found})
    warnings = told(contract, sum((one.warnings for one in staged), Counter()), rows)
    if len(counted) == len(names):  # a part of the rows says nothing about the whole
        good = store.rows(_together([one.good for one in staged]))
        faults = list(dataset_faults(contract, good, rows - bad))
        broken += [fault.row for fault in faults if fault.fatal]
        warnings |= {fault.sentence: fault.rows for fault in faults if not fault.fatal}
    return Verdict(
        dataset=dataset,
        contract=str(spec.contract),
        ok=not (changes or broken),
        files=tuple({"file": name, **counted.get(name, {})} for name in names),
        rows=rows,
        bad_rows=bad,
        changes=tuple(changes),
        broken=tuple(broken),
        reasons=tuple(reasons_of(staged)),
        warnings=warnings,
        first=_first(store, [one.bad for one in staged if one.bad.rows], contract),
    )


def _first(store: Store, bad: Sequence[Table], contract: Contract) -> tuple[Mapping[str, object], ...]:
    if not bad:
        return ()
    rows = masked(store.rows(_together(bad)).head(FIRST), contract)
    marks = {"file": pl.col(FILE), "row": pl.col(ROW), "reasons": pl.col(REASONS)}
    shown = rows.select(**marks, values=pl.struct(list(contract.columns))).collect()
    return tuple(shown.to_dicts())


def _together(tables: Sequence[Table]) -> Table:
    return Table(tables[0].schema, tuple(part for table in tables for part in table.parts))
