"""Audit: every input that is to be read, held against the contract and written into the store, unreferenced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.data.ingestion.job import Job
from penstock.data.ingestion.plan import Known, Plan
from penstock.data.ingestion.progress import Meter
from penstock.data.sources.inputs import Input, is_directory
from penstock.errors import ContractBroken
from penstock.store import Part, Table

if TYPE_CHECKING:
    from penstock.data.contracts.contract import Contract
    from penstock.data.contracts.custom import Functions
    from penstock.data.ingestion.opening import Opened
    from penstock.data.ingestion.staging import Staged
    from penstock.data.ingestion.watermark import Newer

Open = Callable[[Sequence[Input], object], "list[Opened]"]  # inputs, and since when rows are wanted


def audit(job: Job, plan: Plan, known: Known, open_all: Open) -> "tuple[list[Staged], Contract]":
    """Every input that is to be read, in the store; what an ingest that did not end has staged is not read again."""
    from penstock.data.contracts.custom import load_functions
    from penstock.data.ingestion.dataset_contract import found_contract, given_contract
    from penstock.data.ingestion.opening import refuse_schema_breaks
    from penstock.data.ingestion.resume import binding_of, note_staged, staged_before
    from penstock.data.ingestion.staging import refuse_bad_rows

    given = given_contract(job.project, job.store, job.dataset, known)
    newer = _newer(job, plan, known, given)
    since = known.version.commit if known.version and newer else ""
    staged = staged_before(job, plan.read, binding_of(job, given, since)) if given else {}
    unread = [one for one in plan.read if one.name not in staged]
    opened = open_all(unread, newer.since if newer else None)
    contract = given or found_contract(job.project, job.dataset, opened)
    reading = _Reading(job, plan, known, contract, load_functions(job.project.root, contract), newer)
    raws = [one.first for one in opened]
    try:
        refuse_schema_breaks(contract, raws, hint=job.hint)
    except ContractBroken as broken:
        from penstock.data.ingestion.downstream import History, with_downstream

        history = History(job.ledger, job.store)
        raise with_downstream(broken, job.project, history, job.dataset, contract, raws) from broken
    binding = binding_of(job, contract, since)
    staged |= {} if given else staged_before(job, plan.read, binding)
    meter = Meter(job.dataset, plan.read, job.progress, done=[one.input for one in staged.values()])
    for one in opened:
        if one.input.name not in staged:
            with meter.reading(one.input) as read:
                staged[one.input.name] = reading.stage(one, read)
            note_staged(job, staged[one.input.name], binding)
    every = [staged[one.name] for one in plan.read]
    refuse_bad_rows(every, contract, job.dataset, job.spec.max_quarantined, job.hint)
    return every, contract


@dataclass(frozen=True)
class _Reading:
    """What every input of an ingest is read with."""

    job: Job
    plan: Plan
    known: Known
    contract: "Contract"
    functions: "Functions"
    newer: "Newer | None"

    def stage(self, opened: "Opened", progress: Callable[[int], None]) -> "Staged":
        from penstock.data.ingestion.staging import stage

        job, appends = self.job, self.job.spec.mode == "append"
        # a file that upserts is read whole again, and with it what was set aside
        aside = self._aside(opened.input.name) if self.newer and (appends or opened.first.news) else None
        done = stage(
            job.store,
            opened,
            self.contract,
            self.functions,
            hint=job.hint,
            progress=progress,
            newer=self.newer if appends else None,
            aside=aside,
        )
        if not is_directory(job.spec.source):
            _refuse_moving(opened.input)
        return done

    def _aside(self, name: str) -> Table | None:
        """The bad rows of an input that are set aside already, or were until they were readmitted."""
        (file,) = (file for file in self.plan.files if file["name"] == name)
        if self.known.aside is None:
            return None
        manifest = self.job.store.manifest(self.known.aside.commit)
        there = (part for part in manifest.parts if part.digest in file.get("bad", ()))
        back = (Part(digest, rows, size) for digest, rows, size in file.get("back", ()))
        return Table(manifest.schema, (*there, *back))


def _newer(job: Job, plan: Plan, known: Known, contract: "Contract | None") -> "Newer | None":
    """What is newer than the rows that stay, where the dataset has a watermark."""
    if job.spec.watermark is None or known.version is None or contract is None or plan.everything:
        return None
    from penstock.data.ingestion.watermark import newer_than

    return newer_than(job.store, known.version.commit, job.spec.watermark, contract.keys)


def _refuse_moving(one: Input) -> None:
    if one.changed_since():
        raise ContractBroken(
            "the file changed while it was read",
            where=one.name,
            hint="let it be written under another name and renamed when it is complete",
        )
