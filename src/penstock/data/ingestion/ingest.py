"""Ingest: write, audit, publish.

    source ─ unchanged? ─> skipped
           └ staged in the store, unreferenced ─ schema ─ rows ─ the whole ─> ONE transaction moves the refs

Whoever stops in between, by an error or by kill -9, leaves what was there before.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.data.ingestion.assembly import tables_of, with_parts
from penstock.data.ingestion.plan import File, Known, Plan, make_plan
from penstock.data.sources.inputs import Input, function_digest, has_function, inputs_of, is_directory
from penstock.data.versions.checkout import release
from penstock.data.versions.pins import pin
from penstock.data.versions.position import QUARANTINE, cursor_name
from penstock.data.versions.refs import current, publish, version_of
from penstock.digest import digest_file, digest_value
from penstock.errors import ConfigError, Conflict, ContractBroken, Problem, UsageError
from penstock.ledger import Cursor, Execution, Ledger, Version, node, utc_now
from penstock.store import Manifest, Store, Table

if TYPE_CHECKING:
    from penstock.data.contracts.contract import Contract
    from penstock.data.ingestion.staging import Opened, Staged
    from penstock.project import Dataset, ProjectFile

READER = 2  # raised when the same file would be read into other rows than before


@dataclass(frozen=True)
class Progress:
    """How far an ingest is."""

    dataset: str
    input: str
    position: int  # of the input, from 1
    inputs: int
    rows: int  # read so far, of all inputs


@dataclass(frozen=True)
class Ingested:
    """What an ingest did. `reasons` and `warnings`: rows of this ingest per rule that they break."""

    dataset: str
    commit: str
    previous: str | None
    rows: int
    quarantined: int
    skipped: bool
    why: str
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)


def ingest(
    project: "ProjectFile",
    ledger: Ledger,
    store: Store,
    dataset: str,
    *,
    refresh: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Ingested:
    """Bring a dataset up to its source, or find that it is.

    `refresh` reads everything again; it is how a function is asked again while its code is the same.
    ContractBroken when schema, rows or the whole do not keep the contract; nothing is published then.
    Conflict when others keep moving the dataset meanwhile.
    """
    job = _job(project, ledger, store, dataset, progress)
    try:
        done = _ingest(job, refresh)
    except Conflict:
        # somebody published meanwhile, most often the same files: then there is nothing left to do
        done = _ingest(job, refresh)
    release(ledger, dataset, project.branch)
    pin(project, ledger)
    return done


@dataclass(frozen=True)
class _Job:
    """What stays the same during an ingest."""

    project: "ProjectFile"
    ledger: Ledger
    store: Store
    dataset: str
    spec: "Dataset"
    settings: Mapping[str, Any]  # what decides, beside the source's bytes, which rows come out
    progress: Callable[[Progress], None] | None

    @property
    def hint(self) -> str:
        if self.spec.contract is None:
            where = f"data.datasets.{self.dataset}.contract"
            return f"without a contract the first rows say what a column is: write one, and name it under {where}"
        return f"if the change is meant, edit {self.spec.contract}; then: penstock data ingest {self.dataset}"


def _job(
    project: "ProjectFile", ledger: Ledger, store: Store, dataset: str, progress: Callable[[Progress], None] | None
) -> _Job:
    datasets = project.config.data.datasets
    if dataset not in datasets:
        raise UsageError.unknown("dataset", dataset, datasets, where=project.where("data", "datasets"))
    spec = datasets[dataset]
    if spec.mode == "append" and has_function(spec.source):
        where = project.where("data", "datasets", dataset, "mode")
        problem = Problem(
            where,
            "append mode needs files: what a function gave before cannot be told from what is new",
            "mode: snapshot",
        )
        raise ConfigError([problem])
    if spec.mode == "append" and is_directory(spec.source):
        where = project.where("data", "datasets", dataset, "mode")
        raise ConfigError([Problem(where, "a directory is taken as it is", "mode: snapshot")])
    return _Job(project, ledger, store, dataset, spec, _settings(project, spec), progress)


def _settings(project: "ProjectFile", spec: "Dataset") -> dict[str, Any]:
    contract = _contract_digest(project.root, project.root / spec.contract) if spec.contract else ""
    chosen = spec.model_dump(mode="json", include={"source", "mode", "key", "time", "max_quarantined"})
    return {**chosen, "contract": contract, "reader": READER}


def _contract_digest(root: Path, path: Path) -> str:
    """What the rows are held to: the contract's file, and the code of the functions that it names."""
    if not path.exists():
        return ""
    if b"function" not in path.read_bytes():  # most contracts: Polars and pydantic are not loaded for them
        return digest_file(path)
    from penstock.data.contracts.custom import functions_of

    code = {name: function_digest(root, name) for name in functions_of(path)}
    return digest_value({"file": digest_file(path), "functions": code}) if code else digest_file(path)


def _ingest(job: _Job, refresh: bool) -> Ingested:
    started = time.perf_counter()
    known = _known(job)
    if is_directory(job.spec.source):
        return _ingest_directory(job, job.spec.source, known, refresh, started)
    archived = job.spec.mode == "append" and known.current  # its files may all be gone, its rows stay
    inputs = inputs_of(job.project.root, job.spec.source, known.files, may_be_none=archived)
    plan = make_plan(job.spec, job.settings, inputs, known, refresh=refresh)
    if plan.nothing:
        if plan.moved:
            _remember(job, known.version, plan.files)
        return _skipped(job, known, plan.why)
    with tempfile.TemporaryDirectory(prefix="penstock-") as scratch:
        staged, contract = _audit(job, _opened(job, plan, Path(scratch)), known)
    _refuse_moving_files(plan.read)
    return _publish(job, plan, known, staged, contract, started)


def _ingest_directory(job: _Job, source: str, known: Known, refresh: bool, started: float) -> Ingested:
    from penstock.data.ingestion.directory import Directory, live_packs

    memory = job.project.home / "seen" / f"{job.dataset}.parquet"
    if refresh:
        memory.unlink(missing_ok=True)
    found = Directory.look(job.project.root, source, memory)
    plan = make_plan(job.spec, job.settings, [found.input], known, refresh=refresh)
    if plan.nothing:
        return _skipped(job, known, plan.why)
    before = [job.store.manifest(version.commit).packs for version in (known.version, known.aside) if version]
    old = tuple(dict.fromkeys(pack for packs in before for pack in packs))
    found, fresh = found.read(job.store, old)
    staged, contract = _audit(job, [found.opened()], known)
    found.remember()
    sides = [job.store.rows(staged[0].good), job.store.rows(staged[0].bad)]
    packs = live_packs(job.store, (*old, *fresh), sides)
    return _publish(job, found.plan(plan), known, staged, contract, started, packs)


def _known(job: _Job) -> Known:
    """What the last ingest left: the versions, and the files they were made of."""
    with job.ledger.read() as reader:
        version = current(reader, job.dataset, job.project.branch)
        aside = current(reader, job.dataset + QUARANTINE, job.project.branch)
        cursor = reader.get(Cursor, name=cursor_name(job.dataset, version.commit)) if version else None
    position = cursor.position if cursor else {}
    files = {one["name"]: one for one in position.get("files", ())}
    return Known(version, aside, files, position.get("settings", {}), cursor is not None)


# --- audit ---------------------------------------------------------------------------------------


def _opened(job: _Job, plan: Plan, scratch: Path) -> "list[Opened]":
    from penstock.data.ingestion.staging import open_all

    return open_all(job.project.root, plan.read, scratch)


def _audit(job: _Job, opened: "Sequence[Opened]", known: Known) -> "tuple[list[Staged], Contract]":
    from penstock.data.contracts.custom import load_functions
    from penstock.data.ingestion.dataset_contract import contract_for
    from penstock.data.ingestion.staging import refuse_bad_rows, refuse_schema_breaks, stage

    contract = contract_for(job.project, job.store, job.dataset, known, opened)
    functions = load_functions(job.project.root, contract)
    refuse_schema_breaks(contract, (one.first for one in opened), hint=job.hint)
    rows = 0
    staged = []
    for position, one in enumerate(opened, start=1):

        def report(more: int, position: int = position, name: str = one.input.name) -> None:
            nonlocal rows
            rows += more
            if job.progress:
                job.progress(Progress(job.dataset, name, position, len(opened), rows))

        report(0)
        staged.append(stage(job.store, one, contract, functions, hint=job.hint, progress=report))
    refuse_bad_rows(staged, contract, job.dataset, job.spec.max_quarantined, job.hint)
    return staged, contract


def _refuse_moving_files(inputs: Sequence[Input]) -> None:
    moving = [one.name for one in inputs if one.changed_since()]
    if moving:
        raise ContractBroken(
            "the file changed while it was read",
            where=moving[0],
            hint="let it be written under another name and renamed when it is complete",
        )


# --- publish -------------------------------------------------------------------------------------


def _publish(
    job: _Job,
    plan: Plan,
    known: Known,
    staged: "Sequence[Staged]",
    contract: "Contract",
    started: float,
    packs: tuple[str, ...] = (),
) -> Ingested:
    files = with_parts(plan, staged)
    good, bad = tables_of(job.store, known, files, staged)
    if known.version and known.holds(good, bad):
        _refuse_broken_whole(job, contract, known.version.commit, good.rows)
        _remember(job, known.version, files)
        return _skipped(job, known, f"{plan.why}, but the rows are the same")
    previous = known.version.commit if known.version else None
    inputs = {"dataset": job.dataset, "previous": previous, "files": _digests(files), **job.settings}
    key = digest_value({"step": "ingest", "inputs": inputs})
    aside, aside_manifest = _commit(job, bad, known.aside, key, {"dataset": job.dataset + QUARANTINE}, packs)
    notes = {"dataset": job.dataset, "key": list(contract.keys), "quarantine": aside, **_provenance(inputs)}
    commit, manifest = _commit(job, good, known.version, key, notes, packs)
    told = _refuse_broken_whole(job, contract, commit, manifest.rows)
    seconds = time.perf_counter() - started
    with job.ledger.write() as tx:
        branch = job.project.branch
        publish(tx, version_of(job.dataset, commit, manifest), expected=previous, branch=branch)
        publish(
            tx,
            version_of(job.dataset + QUARANTINE, aside, aside_manifest),
            expected=known.aside.commit if known.aside else None,
            branch=branch,
        )
        tx.put(
            Execution(key, f"ingest {job.dataset}", inputs, {"data": commit, "quarantine": aside}, seconds, utc_now())
        )
        tx.put(_cursor(job, commit, files))
        tx.link(node("data", commit), node("data", aside), "quarantine")
        if previous and job.spec.mode == "append":
            tx.link(node("data", previous), node("data", commit), "append")
        for one in plan.read:
            if one.is_function:
                tx.link(node("code", one.digest), node("data", commit), "source")
    reasons = sum((one.reasons for one in staged), Counter())
    warnings = {**_warnings(staged, contract), **told}
    return Ingested(
        job.dataset,
        commit,
        previous,
        manifest.rows,
        aside_manifest.rows,
        False,
        plan.why,
        dict(reasons),
        warnings,
    )


def _commit(
    job: _Job, table: Table, previous: Version | None, key: str, notes: Mapping[str, Any], packs: tuple[str, ...]
) -> tuple[str, Manifest]:
    parents = (previous.commit,) if previous else ()
    manifest = Manifest(table.schema, table.parts, parents=parents, producer=key, notes=notes, packs=packs)
    return job.store.commit(manifest), manifest


def _provenance(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: inputs[name] for name in ("source", "contract", "files")}


def _digests(files: Sequence[File]) -> list[list[str]]:
    return [[file["name"], file["digest"]] for file in files]


def _refuse_broken_whole(job: _Job, contract: "Contract", commit: str, rows: int) -> dict[str, int]:
    """Stop on the rules about all rows: how many, unique, shares, fresh. A new commit is not referenced yet.

    What is broken and does not stop is returned: rows per warning.
    """
    from penstock.data.contracts.whole import dataset_faults, stale

    good = job.store.scan(commit)
    faults = [*dataset_faults(contract, good, rows)]
    if job.spec.time:
        faults += stale(good, contract, job.spec.time, utc_now())
    if table := [fault.row for fault in faults if fault.fatal]:
        raise ContractBroken(
            f"{job.dataset}: the data as a whole break the contract",
            table=table,
            where=job.spec.contract,
            hint=job.hint,
        )
    return {fault.sentence: fault.rows for fault in faults}


def _warnings(staged: "Sequence[Staged]", contract: "Contract") -> dict[str, int]:
    from penstock.data.contracts.rules import told
    from penstock.data.ingestion.staging import rows_read

    return told(contract, sum((one.warnings for one in staged), Counter()), rows_read(staged))


def _cursor(job: _Job, commit: str, files: Sequence[File]) -> Cursor:
    position = {"settings": dict(job.settings), "files": [dict(file) for file in files]}
    return Cursor(cursor_name(job.dataset, commit), position, utc_now())


def _remember(job: _Job, version: Version | None, files: Sequence[File]) -> None:
    """Note times and digests that changed while the rows did not."""
    if version is None:
        return
    with job.ledger.write() as tx:
        now = current(tx, job.dataset, job.project.branch)
        if now and now.commit == version.commit:
            tx.put(_cursor(job, version.commit, files))


def _skipped(job: _Job, known: Known, why: str) -> Ingested:
    assert known.version
    assert known.aside
    return Ingested(
        job.dataset, known.version.commit, known.version.commit, known.version.rows, known.aside.rows, True, why
    )
