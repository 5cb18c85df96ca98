"""Ingest: write, audit, publish.

    source ─ unchanged? ─> skipped
           └ staged in the store, unreferenced ─ schema ─ rows ─ the whole ─> ONE transaction moves the refs

Whoever stops in between, by an error or by kill -9, leaves what was there before, and what it staged for the next.
"""

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.data.ingestion.audit import audit
from penstock.data.ingestion.job import Job, job_for
from penstock.data.ingestion.plan import Known, Plan, make_plan
from penstock.data.ingestion.progress import Progress
from penstock.data.ingestion.publishing import Ingested, publish_staged, remember, skipped
from penstock.data.sources.inputs import Input, is_directory
from penstock.data.sources.listing import inputs_of
from penstock.data.versions.checkout import release
from penstock.data.versions.pins import pin
from penstock.data.versions.position import QUARANTINE, cursor_name
from penstock.data.versions.refs import current
from penstock.errors import Conflict
from penstock.ledger import Cursor, Ledger
from penstock.scratch import scratch_directory
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.data.ingestion.directory import Directory
    from penstock.data.ingestion.opening import Opened
    from penstock.project import ProjectFile


def ingest(
    project: "ProjectFile",
    ledger: Ledger,
    store: Store,
    dataset: str,
    *,
    refresh: bool = False,
    leave: Collection[str] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Ingested:
    """Bring a dataset up to its source, or find that it is.

    `refresh` reads everything again; it is how a function is asked again while its code is the same. Files to `leave`
    stay what they were to the last ingest: somebody is still writing them.
    ContractBroken when schema, rows or the whole do not keep the contract; nothing is published then.
    Conflict when others keep moving the dataset meanwhile.
    """
    job = job_for(project, ledger, store, dataset, progress)
    try:
        done = _ingest(job, refresh, leave)
    except Conflict:
        # somebody published meanwhile, most often the same files: then there is nothing left to do
        done = _ingest(job, refresh, leave)
    release(ledger, dataset, project.branch)
    pin(project, ledger)
    return done


def look(job: Job, known: Known) -> Plan:
    """What is to be read of the source as it is now. No row is read."""
    if is_directory(job.spec.source):
        inputs: tuple[Input, ...] = (_directory(job, job.spec.source).input,)
    else:
        inputs = _inputs(job, known)
    return make_plan(job.spec, job.settings, inputs, known, refresh=False)


def _ingest(job: Job, refresh: bool, leave: Collection[str]) -> Ingested:
    started = time.perf_counter()
    known = known_of(job)
    if is_directory(job.spec.source):
        return _ingest_directory(job, job.spec.source, known, refresh, started)
    inputs = _inputs(job, known)
    inputs = tuple(_before(one, known) if one.name in leave else one for one in inputs if _counts(one, known, leave))
    plan = make_plan(job.spec, job.settings, inputs, known, refresh=refresh)
    if plan.nothing:
        if plan.moved:
            remember(job, known.version, plan.files)
        return skipped(job, known, plan.why)
    with scratch_directory() as scratch:
        staged, contract = audit(job, plan, known, partial(_opened, job, scratch))
    return publish_staged(job, plan, known, staged, contract, started)


def _inputs(job: Job, known: Known) -> tuple[Input, ...]:
    archived = job.spec.mode != "snapshot" and known.current  # its files may all be gone, its rows stay
    return inputs_of(job.project.root, job.spec.source, known.files, may_be_none=archived)


def _counts(one: Input, known: Known, leave: Collection[str]) -> bool:
    return one.name not in leave or one.name in known.files


def _before(one: Input, known: Known) -> Input:
    """A file as the last ingest found it."""
    was = known.files[one.name]
    return one._replace(size=was["size"], mtime_ns=was["mtime_ns"], digest=was["digest"])


def _opened(job: Job, scratch: Path, inputs: Sequence[Input], since: object) -> "list[Opened]":
    from penstock.data.ingestion.opening import open_all

    return open_all(job.project.root, inputs, scratch, since)


def _ingest_directory(job: Job, source: str, known: Known, refresh: bool, started: float) -> Ingested:
    from penstock.data.ingestion.directory import live_packs

    if refresh:
        _memory(job).unlink(missing_ok=True)
    looked = _directory(job, source)
    plan = make_plan(job.spec, job.settings, [looked.input], known, refresh=refresh)
    if plan.nothing:
        return skipped(job, known, plan.why)
    before = [job.store.manifest(version.commit).packs for version in (known.version, known.aside) if version]
    old = tuple(dict.fromkeys(pack for packs in before for pack in packs))
    found, fresh = looked.read(job.store, old)
    plan = found.plan(plan)
    staged, contract = audit(job, plan, known, lambda inputs, since: [found.opened()] if inputs else [])
    found.remember()
    sides = [job.store.rows(staged[0].good), job.store.rows(staged[0].bad)]
    packs = live_packs(job.store, (*old, *fresh), sides)
    return publish_staged(job, plan, known, staged, contract, started, packs)


def _directory(job: Job, source: str) -> "Directory":
    from penstock.data.ingestion.directory import Directory

    return Directory.look(job.project.root, source, _memory(job))


def _memory(job: Job) -> Path:
    return job.project.home / "seen" / f"{job.dataset}.parquet"


def known_of(job: Job) -> Known:
    """What the last ingest left: the versions, and the files they were made of."""
    with job.ledger.read() as reader:
        version = current(reader, job.dataset, job.project.branch)
        aside = current(reader, job.dataset + QUARANTINE, job.project.branch)
        cursor = reader.get(Cursor, name=cursor_name(job.dataset, version.commit)) if version else None
    position = cursor.position if cursor else {}
    files = {one["name"]: one for one in position.get("files", ())}
    return Known(version, aside, files, position.get("settings", {}), cursor is not None)
