"""Step 2 under its name: `project.data.history("flights")`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.api.step import StepApi
from penstock.errors import ContractBroken, Damaged, UsageError
from penstock.ledger import Ref, SealedBundle, Version

if TYPE_CHECKING:
    import polars as pl

    from penstock.data import (
        Arrival,
        BenchReport,
        CheckedOut,
        Diff,
        Exported,
        Finding,
        Ingested,
        Merged,
        Progress,
        Pulled,
        Pushed,
        Quarantined,
        Readmitted,
        Transferred,
        Verdict,
    )
    from penstock.pipeline import Benched
    from penstock.stats import Profile
    from penstock.store import Damage, Store, Swept

DEPTHS = ("quick", "full")


class DataStep(StepApi):
    """Step 2: datasets and their versions."""

    def ingest(
        self,
        dataset: str | None = None,
        *,
        refresh: bool = False,
        progress: "Callable[[Progress], None] | None" = None,
        on_done: "Callable[[Ingested], None] | None" = None,
    ) -> "tuple[Ingested, ...]":
        """Read what is new in one dataset's source, or in every one's, and search it for what is wrong with it.

        `refresh` reads everything again, and calls a source function again whose code is the same. `progress` is
        told of every batch of rows, `on_done` of every dataset: the first that breaks its contract ends the call, and
        those before it have their versions. ContractBroken also when the search finds what the project file stops at;
        the version is there all the same.
        """
        from penstock.data import ingest
        from penstock.pipeline import refuse_stopped

        work = self._work
        found: list[tuple[Ingested, Benched | None]] = []
        for name in self._chosen(dataset):
            done = ingest(work.project, work.ledger, work.store, name, refresh=refresh, progress=progress)
            found.append(self._searched(done))
            if on_done:
                on_done(found[-1][0])
        refuse_stopped(work.project, [benched for _, benched in found if benched])
        return tuple(done for done, _ in found)

    def watch(
        self,
        dataset: str | None = None,
        *,
        every: timedelta = timedelta(seconds=10),
        on_start: "Callable[[], None] | None" = None,
        on_arrival: "Callable[[Arrival], None] | None" = None,
    ) -> None:
        """Ingest what arrives in one dataset's source, or in every one's, until SIGTERM or Ctrl-C.

        A file is ingested when two looks saw it the same. Conflict when another watch of this project is at work.
        """
        from penstock.api.watch import watch

        def told(arrival: "Arrival") -> None:
            if on_arrival:
                on_arrival(self._searched_arrival(arrival))

        watch(self._work, self._chosen(dataset), every=every, on_start=on_start, on_arrival=told)

    def _searched_arrival(self, arrival: "Arrival") -> "Arrival":
        from penstock.pipeline import refuse_stopped

        if arrival.done is None:
            return arrival
        done, benched = self._searched(arrival.done)
        try:
            refuse_stopped(self._work.project, [benched] if benched else [])
        except ContractBroken as error:
            return replace(arrival, error=error)
        return replace(arrival, done=done)

    def _chosen(self, dataset: str | None) -> list[str]:
        names = self._work.project.config.data.datasets
        if dataset is not None and dataset not in names:
            raise UsageError.unknown("dataset", dataset, names)
        return [dataset] if dataset else list(names)

    def _searched(self, done: "Ingested") -> "tuple[Ingested, Benched | None]":
        """What was ingested, with what the bench warns of."""
        from penstock.pipeline import bench, is_benched

        work = self._work
        if not is_benched(work.project, done.dataset):
            return done, None
        found = bench(work.project, work.ledger, work.store, done.dataset, done.commit)
        findings = [asdict(finding) for finding in found.findings.serious]
        return replace(done, findings=findings, told_before=done.skipped and found.cached), found

    def bench(self, reference: str, *, against: str | None = None, depth: str = "full") -> "BenchReport":
        """Search a version for what is wrong with it, beside `against`, or the version before it if there is one.

        `depth` is quick, or full: also what a model finds on a sample. What was found is not sought twice.
        """
        from penstock.pipeline import bench

        if depth not in DEPTHS:
            raise UsageError.unknown("depth", depth, DEPTHS)
        work = self._work
        version = self.version(reference)
        other = self.version(against).commit if against else None
        done = bench(work.project, work.ledger, work.store, version.dataset, version.commit, against=other, depth=depth)
        return done.findings

    def profile(self, reference: str) -> "Profile":
        """What every column of a version looks like, but those with personal data. Counted once, then kept."""
        from penstock.pipeline import profile_of

        work, version = self._work, self.version(reference)
        return profile_of(work.project, work.ledger, work.store, version.dataset, version.commit)

    def stopping(self, report: "BenchReport") -> "tuple[Finding, ...]":
        """What in a report the project file stops at."""
        from penstock.pipeline import stopping

        return stopping(self._work.project, report)

    def history(self, dataset: str) -> tuple[Version, ...]:
        """Versions that a dataset has had on this branch, newest first."""
        from penstock.data import history

        with self._work.ledger.read() as reader:
            found = tuple(history(reader, dataset, self._work.project.branch))
            known = {ref.dataset for ref in reader.find(Ref)} | set(self._work.project.config.data.datasets)
        if dataset not in known:
            raise UsageError.unknown("dataset", dataset, known, hint="penstock data ingest")
        return found

    def version(self, reference: str) -> Version:
        """The version that `flights`, `flights@TAG` or `flights@COMMIT` names."""
        from penstock.data import resolve

        dataset = reference.partition("@")[0]
        with self._work.ledger.read() as reader:
            if not reader.find(Ref, dataset=dataset, limit=1):
                self._refuse_unborn(dataset)
            return resolve(reader, reference, self._work.project.branch)

    def _refuse_unborn(self, dataset: str) -> None:
        """UsageError when the project file has a dataset or transform that nobody made a version of here."""
        data = self._work.project.config.data
        made = f"penstock data ingest {dataset}" if dataset in data.datasets else "penstock run"
        if dataset in data.datasets or dataset in data.transforms:
            hint = f"{made}   # or: penstock data pull" if data.remote else made
            raise UsageError(f"{dataset} has no version here yet", hint=hint)

    def show(self, reference: str) -> "pl.LazyFrame":
        """The rows of a version: time travel is `show("flights@3f2a")`. Files come with their `content`."""
        from penstock.data import rows_of

        return rows_of(self._work.store, self.version(reference).commit)

    def write_files(self, reference: str, directory: Path | str) -> int:
        """Write the files of a version into a new directory; their number."""
        from penstock.data import write_files

        return write_files(self._work.store, self.version(reference).commit, Path(directory))

    def iceberg(self, reference: str, table: str, *, catalog: str, warehouse: str | None = None) -> "Exported":
        """Make an Iceberg table what a version is; a tag keeps its parts. See `penstock.data.export_iceberg`."""
        from penstock.data import export_iceberg
        from penstock.data.versions.iceberg import tag_name

        commit = self.version(reference).commit

        def keep() -> None:
            self.tag(reference, tag_name(commit))

        done = export_iceberg(self._work.store, commit, table, catalog, warehouse=warehouse, before=keep)
        with self._work.ledger.write() as transaction:
            payload = {"commit": commit, "table": table}
            transaction.audit("data.iceberg", table, actor=self._work.actor, payload=payload)
        return done

    def lineage(self, reference: str) -> "Mapping[str, Sequence[str]] | None":
        """The columns, as INPUT.COLUMN, that each column of a transform's version is computed from.

        None where nobody can know: see `penstock.data.lineage`. UsageError for a version that no transform made.
        """
        from penstock.data import lineage_of

        version = self.version(reference)
        with self._work.ledger.read() as reader:
            return lineage_of(reader, version)

    def diff(self, before: str, after: str, *, key: Sequence[str] = (), distribution: bool = False) -> "Diff":
        """What changed between two versions: columns, parts, rows by `key` or the key of the contract.

        Of columns also what it means for whoever reads them: contract, features, requests, models. With
        `distribution` every row of both is read, and how far each column without personal data has shifted is told too.
        """
        from penstock.data import History, diff, downstream
        from penstock.data.bench.context import private_columns

        work = self._work
        old, new = self.version(before), self.version(after)
        private = {*private_columns(work.project, old.dataset), *private_columns(work.project, new.dataset)}
        found = diff(work.store, old.commit, new.commit, key=key, distribution=distribution, private=private)
        changes = [(str(change["column"]), str(change["change"])) for change in found.schema]
        history = History(work.ledger, work.store)
        return replace(found, downstream=downstream(work.project, history, new.dataset, changes))

    def tag(self, reference: str, name: str) -> Version:
        """Give a version a name that never moves."""
        from penstock.data import tag

        version = self.version(reference)
        with self._work.ledger.write() as transaction:
            tag(transaction, version.dataset, name, version.commit)
            subject = f"{version.dataset}@{name}"
            transaction.audit("data.tag", subject, actor=self._work.actor, payload={"commit": version.commit})
        return version

    def branches(self) -> "tuple[Ref, ...]":
        """Every branch and tag of every dataset, with its head."""
        from penstock.data import branches

        with self._work.ledger.read() as reader:
            return tuple(branches(reader))

    def merge(self, branch: str, dataset: str | None = None) -> "tuple[Merged, ...]":
        """Bring what another branch has into the one that is checked out. Raises Conflict when they have diverged."""
        from penstock.data import merge

        work = self._work
        return merge(work.project, work.ledger, work.store, branch, dataset, actor=work.actor)

    def checkout(self, reference: str | None = None) -> "tuple[CheckedOut, ...]":
        """Put the datasets to what `penstock.lock` pins, or to REF or DATASET@REF; they stay there until an ingest."""
        from penstock.data import checkout

        work = self._work
        return checkout(work.project, work.ledger, work.store, reference, actor=work.actor)

    def push(
        self,
        remote: str | None = None,
        *,
        verify: bool = False,
        progress: "Callable[[Transferred], None] | None" = None,
    ) -> "Pushed":
        """Send this branch's versions to `remote`, or to `data.remote`. Raises Conflict where that has others."""
        from penstock.data import push

        work, url = self._work, self._remote(remote)
        return push(work.project, work.ledger, work.store, url, verify=verify, progress=progress)

    def pull(self, remote: str | None = None, *, progress: "Callable[[Transferred], None] | None" = None) -> "Pulled":
        """Fetch this branch's versions, and what `penstock.lock` pins. Raises Conflict where both have others."""
        from penstock.data import pull

        work = self._work
        return pull(work.project, work.ledger, work.store, self._remote(remote), progress=progress)

    def clone(self, remote: str | None = None, *, progress: "Callable[[Transferred], None] | None" = None) -> "Pulled":
        """Fetch every branch and tag into a project that has no data yet."""
        from penstock.data import clone

        work = self._work
        return clone(work.project, work.ledger, work.store, self._remote(remote), progress=progress)

    def _remote(self, given: str | None) -> str:
        found = given or self._work.project.config.data.remote
        if found is None:
            hint = "data: {remote: s3://BUCKET/PREFIX}, or give it on the command line"
            raise UsageError("the project file names no remote", where=self._work.project.path.name, hint=hint)
        return found

    def infer(self, what: Path | str) -> str:
        """Draft a contract, as commented YAML, from a dataset's source or from a file's rows."""
        from penstock.data import infer_dataset, infer_file

        file = Path(what)
        return infer_file(file) if file.is_file() else infer_dataset(self._work.project, str(what))

    def check(self, files: Path | str | Sequence[Path | str], dataset: str) -> "Verdict":
        """Hold files against a dataset's contract without ingesting them; `verdict.refuse()` raises ContractBroken."""
        from penstock.data import History, check_files

        work = self._work
        listed = [files] if isinstance(files, Path | str) else files
        history = History(work.ledger, work.store) if work.project.home.is_dir() else None  # CI mostly has none
        return check_files(work.project, dataset, listed, history=history)

    def quarantined(self) -> "tuple[Quarantined, ...]":
        """The datasets with rows in quarantine: how many, why, and since when."""
        from penstock.data import quarantined

        return quarantined(self._work.project, self._work.ledger, self._work.store)

    def quarantine(
        self, dataset: str, *, reason: str | None = None, file: str | None = None, whole: bool = True
    ) -> "pl.LazyFrame":
        """Rows that the contract has turned away, as texts, with the reasons, their file and their row in it.

        Without `whole`, personal values read `***`.
        """
        from penstock.data import masked_rows, quarantined_rows

        work = self._work
        rows = quarantined_rows(work.project, work.ledger, work.store, dataset, reason=reason, file=file)
        return rows if whole else masked_rows(work.project, dataset, rows)

    def readmit(
        self, dataset: str, *, note: str, reason: str | None = None, corrected: Path | str | None = None
    ) -> "Readmitted":
        """Rows of the quarantine that keep the contract by now become part of the next version; the rest stays.

        All are tried, or those with a `reason`, or those of an exported file that was `corrected`. ContractBroken when
        none of them passes.
        """
        from penstock.data import readmit

        work = self._work
        file = Path(corrected) if corrected else None
        return readmit(
            work.project,
            work.ledger,
            work.store,
            dataset,
            note=note,
            actor=work.actor,
            reason=reason,
            corrected=file,
        )

    def verify(self) -> "tuple[Damage, ...]":
        """Read every stored byte, and what the ledger says was stored, and compare it with its digest.

        Where a version's manifest is damaged or missing, the refs that point to it are named.
        """
        from penstock.pipeline import recorded

        store = self._work.store
        with self._work.ledger.read() as reader:
            named = recorded(reader)
            bundles = reader.find(SealedBundle)
            refs = reader.find(Ref)
        files = (file for bundle in bundles for file in _files(store, bundle.digest))
        found = store.verify(expected=sorted({*named, *files}))
        names = {one.digest: [f"{ref.dataset}@{ref.name}" for ref in refs if ref.commit == one.digest] for one in found}
        return tuple(replace(one, parts=(*one.parts, *names[one.digest])) for one in found)

    def collect(self) -> "Swept":
        """Delete blobs that no ref, run, bundle or evaluation leads to, older than a day."""
        from penstock.pipeline import roots

        with self._work.ledger.read() as reader:
            kept = roots(reader, self._work.project)
        return self._work.store.collect_garbage(kept)


def _files(store: "Store", bundle: str) -> list[str]:
    """The blobs of a bundle's files; none when its manifest is damaged, which is then told."""
    from penstock.bundle import Manifest

    try:
        return [file.blake3 for file in Manifest.from_json(store.read_json(bundle)).files.values()]
    except (Damaged, ValueError):
        return []
