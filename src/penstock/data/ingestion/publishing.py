"""Publish: one transaction moves the refs, and remembers which files the rows came from."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.data.ingestion.assembly import Assembled, assemble
from penstock.data.ingestion.job import Job
from penstock.data.ingestion.kept import keep
from penstock.data.ingestion.plan import File, Known, Plan
from penstock.data.ingestion.resume import forget_staged
from penstock.data.versions.position import QUARANTINE, cursor_name
from penstock.data.versions.refs import current, publish, version_of
from penstock.digest import digest_value
from penstock.errors import ContractBroken
from penstock.ledger import Cursor, Execution, Transaction, Version, node, utc_now
from penstock.store import Manifest, Table

if TYPE_CHECKING:
    from penstock.data.contracts.contract import Contract
    from penstock.data.ingestion.staging import Staged


@dataclass(frozen=True)
class Ingested:
    """What an ingest did.

    reasons, warnings   rows of this ingest per rule that they break
    counts              what became of its rows: late, of a dataset that appends by watermark; inserted, updated,
                        unchanged, superseded, of one that upserts
    findings            what the bench warns of in the version, as JSON
    told_before         whether nothing is new and the bench had found the same already
    """

    dataset: str
    commit: str
    previous: str | None
    rows: int
    quarantined: int
    skipped: bool
    why: str
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    findings: Sequence[Mapping[str, Any]] = ()
    told_before: bool = False


def publish_staged(
    job: Job,
    plan: Plan,
    known: Known,
    staged: "Sequence[Staged]",
    contract: "Contract",
    started: float,
    packs: tuple[str, ...] = (),
) -> Ingested:
    """Make what was staged a version, unless it is the one that is there. ContractBroken when the whole is not well."""
    made = assemble(job.store, job.spec, plan, known, staged, contract.keys)
    if known.version and known.holds(made.good, made.bad):
        _refuse_broken_whole(job, contract, known.version.commit, made)
        remember(job, known.version, made.files)
        return skipped(job, known, f"{plan.why}, but the rows are the same", made.counts)
    previous = known.version.commit if known.version else None
    inputs = {"dataset": job.dataset, "previous": previous, "files": _digests(made.files), **job.settings}
    key = digest_value({"step": "ingest", "inputs": inputs})
    aside, aside_manifest = _commit(job, made.bad, known.aside, key, {"dataset": job.dataset + QUARANTINE}, packs)
    notes = {
        "dataset": job.dataset,
        "key": list(contract.keys),
        "quarantine": aside,
        **contract.said,
        **_provenance(inputs),
    }
    commit, manifest = _commit(job, made.good, known.version, key, notes, packs)
    told = _refuse_broken_whole(job, contract, commit, made)
    outputs = {"data": commit, "quarantine": aside, **({"rows": dict(made.counts)} if made.counts else {})}
    keep(job, plan.read)
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
        tx.put(Execution(key, f"ingest {job.dataset}", inputs, outputs, seconds, utc_now()))
        tx.put(_cursor(job, commit, made.files))
        forget_staged(job, tx)
        _link(job, tx, plan, previous, commit, aside)
    return Ingested(
        job.dataset,
        commit,
        previous,
        manifest.rows,
        aside_manifest.rows,
        False,
        plan.why,
        dict(sum((one.reasons for one in staged), Counter())),
        {**_warnings(staged, contract), **told},
        made.counts,
    )


def remember(job: Job, version: Version | None, files: Sequence[File]) -> None:
    """Note times and digests that changed while the rows did not."""
    if version is None:
        return
    with job.ledger.write() as tx:
        now = current(tx, job.dataset, job.project.branch)
        if now and now.commit == version.commit:
            tx.put(_cursor(job, version.commit, files))
            forget_staged(job, tx)


def skipped(job: Job, known: Known, why: str, counts: Mapping[str, int] | None = None) -> Ingested:
    """Nothing was to be done."""
    assert known.version
    assert known.aside
    commit = known.version.commit
    return Ingested(
        job.dataset, commit, commit, known.version.rows, known.aside.rows, True, why, counts=dict(counts or {})
    )


def _link(job: Job, tx: Transaction, plan: Plan, previous: str | None, commit: str, aside: str) -> None:
    tx.link(node("data", commit), node("data", aside), "quarantine")
    if previous and job.spec.mode != "snapshot":
        tx.link(node("data", previous), node("data", commit), job.spec.mode)
    for one in plan.read:
        if one.is_function:
            tx.link(node("code", one.digest), node("data", commit), "source")


def _commit(
    job: Job, table: Table, previous: Version | None, key: str, notes: Mapping[str, Any], packs: tuple[str, ...]
) -> tuple[str, Manifest]:
    parents = (previous.commit,) if previous else ()
    manifest = Manifest(table.schema, table.parts, parents=parents, producer=key, notes=notes, packs=packs)
    return job.store.commit(manifest), manifest


def _provenance(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: inputs[name] for name in ("source", "contract", "files")}


def _digests(files: Sequence[File]) -> list[list[str]]:
    return [[file["name"], file["digest"]] for file in files]


def _refuse_broken_whole(job: Job, contract: "Contract", commit: str, made: Assembled) -> dict[str, int]:
    """Stop on the rules about all rows: how many, unique, shares, fresh. A new commit is not referenced yet.

    What is broken and does not stop is returned: rows per warning.
    """
    from penstock.data.contracts.whole import dataset_faults, key_rule, stale

    good = job.store.scan(commit)
    faults = [*dataset_faults(contract, good, made.good.rows)]
    if job.spec.time:
        faults += stale(good, contract, job.spec.time, utc_now())
    if table := [fault.row for fault in faults if fault.fatal]:
        twice = any(fault.rule == key_rule(contract) for fault in faults)
        raise ContractBroken(
            f"{job.dataset}: the data as a whole break the contract",
            table=table,
            where=job.spec.contract,
            hint=_upsert_hint(job) if twice and _come_again(job, made, contract) else job.hint,
        )
    return {fault.sentence: fault.rows for fault in faults}


def _come_again(job: Job, made: Assembled, contract: "Contract") -> bool:
    """Whether it is later inputs that bring rows of a key again, each input having it once."""
    from penstock.data.contracts.unique import repeated

    if job.spec.mode == "append" and job.spec.watermark:
        return True  # the parts of a file that grew are several inputs
    parts = {part.digest: part for part in made.good.parts}
    files = [Table(made.good.schema, tuple(parts[digest] for digest in file["good"])) for file in made.files]
    return len(files) > 1 and not any(repeated(job.store.rows(file), contract.keys) for file in files)


def _upsert_hint(job: Job) -> str:
    where = f"data.datasets.{job.dataset}"
    return f"later inputs bring rows of a key again: `mode: upsert` in {where} keeps the newest of each key"


def _warnings(staged: "Sequence[Staged]", contract: "Contract") -> dict[str, int]:
    from penstock.data.contracts.rules import told
    from penstock.data.ingestion.staging import rows_read

    return told(contract, sum((one.warnings for one in staged), Counter()), rows_read(staged))


def _cursor(job: Job, commit: str, files: Sequence[File]) -> Cursor:
    position = {"settings": dict(job.settings), "files": [dict(file) for file in files]}
    return Cursor(cursor_name(job.dataset, commit), position, utc_now())
