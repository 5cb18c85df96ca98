"""The bench as a step: what is found in a version is remembered with it, and what must stop a run stops it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.data import history
from penstock.data.bench.finding import ABOUT_TARGET, VERSION
from penstock.digest import digest_file
from penstock.engine import Step, run_step
from penstock.errors import ContractBroken
from penstock.ledger import Ledger, Version
from penstock.pipeline.profile_step import kept_profile
from penstock.project import Bench, ProjectFile
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.data import BenchReport, Context, Finding

MOST_LINES = 10


@dataclass(frozen=True)
class Benched:
    """What a bench came to. `report` and `profile` are blobs in the store; a first version needs no profile."""

    dataset: str
    report: str
    profile: str | None
    errors: int
    warnings: int
    cached: bool
    why: str
    seconds: float
    store: Store

    @cached_property
    def findings(self) -> "BenchReport":
        """The whole report."""
        from penstock.data import BenchReport

        return BenchReport.from_json(self.store.read_json(self.report))

    @property
    def result(self) -> str:
        """`2 errors, 1 warning`, or that there is nothing to tell."""
        counts = ((self.errors, "error"), (self.warnings, "warning"))
        said = ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count)
        return f"{said} (penstock data bench {self.dataset})" if said else "nothing to warn of"

    @property
    def lines(self) -> tuple[str, ...]:
        """A line for each warning and error, the worst first."""
        if not self.errors + self.warnings:
            return ()
        serious = self.findings.serious
        more = len(serious) - MOST_LINES
        rest = (f"and {more} more: penstock data bench {self.dataset}",) if more > 0 else ()
        return (*(f"{one.severity:<5} {one.kind}: {one.what}" for one in serious[:MOST_LINES]), *rest)


def is_benched(project: ProjectFile, table: str) -> bool:
    """Whether each new version of a dataset or transform is searched."""
    data = project.config.data
    if table in data.datasets:
        return data.datasets[table].bench.depth != "off"
    own = data.transforms[table].bench
    return own.depth != "off" if own else table == data.examples and project.config.objective is not None


def bench(
    project: ProjectFile,
    ledger: Ledger,
    store: Store,
    table: str,
    commit: str,
    *,
    against: str | None = None,
    depth: str | None = None,
) -> Benched:
    """Search a version for what is wrong with it, beside `against` or the version before; or find that it was.

    Without a `depth` it is the project file's, and a transform that has none there is searched for what concerns the
    target alone: the rest was found in what it reads.
    """
    from penstock.data import context_of

    with ledger.read() as reader:
        version = reader.get(Version, dataset=table, commit=commit)
        previous = against or previous_version(history(reader, table, project.branch), version)
    context = context_of(project, table, version.created_at if version else None)
    inputs = bench_inputs(project, table, commit, previous, context, depth)

    def work() -> dict[str, Any]:
        from penstock.data import bench_version
        from penstock.data.bench.context import private_columns

        known = replace(context, private=private_columns(project, table))
        chosen = {name: inputs[name] for name in ("dataset", "depth", "kinds")}
        kept = kept_profile(ledger, store, table, previous) if previous else None
        report, profile = bench_version(store, commit, previous, known, kept=kept, **chosen)
        severities = [finding.severity for finding in report.findings]
        return {
            "report": store.put_json(report.to_json()),
            "profile": store.put_json(profile.to_json()) if profile else None,
            "errors": severities.count("error"),
            "warnings": severities.count("warn"),
        }

    outcome = run_step(ledger, Step(f"bench {table}", inputs, work))
    return Benched(
        table, **outcome.outputs, cached=outcome.cached, why=outcome.why, seconds=outcome.seconds, store=store
    )


def kept_bench(store: Store, table: str, outputs: Mapping[str, Any]) -> Benched:
    """What a bench came to, from the outputs of its step."""
    return Benched(table, **outputs, cached=True, why="inputs unchanged", seconds=0.0, store=store)


def bench_inputs(
    project: ProjectFile,
    table: str,
    commit: str,
    previous: str | None,
    context: "Context",
    depth: str | None = None,
) -> dict[str, Any]:
    """The version, the one before it, and everything in the project that decides what is found."""
    return {
        "dataset": table,
        "commit": commit,
        "against": previous,
        "depth": depth or settings_of(project, table).depth,
        "kinds": list(_kinds(project, table)) if depth is None else [],
        "known": context.settings(),
        "contracts": _contracts(project, table),
        "bench": VERSION,
    }


def settings_of(project: ProjectFile, table: str) -> Bench:
    """How the project file wants a table searched."""
    data = project.config.data
    if table in data.datasets:
        return data.datasets[table].bench
    own = data.transforms[table].bench if table in data.transforms else None
    return own or Bench()


def stopping(project: ProjectFile, report: "BenchReport") -> "tuple[Finding, ...]":
    """The warnings and errors of kinds that the project file stops at."""
    kinds = settings_of(project, report.dataset).stop
    return tuple(one for one in report.serious if one.kind in kinds)


def refuse_stopped(project: ProjectFile, benched: Sequence[Benched]) -> None:
    """ContractBroken with a row for each finding of a kind that its dataset stops at."""
    reports = [done.findings for done in benched if done.errors + done.warnings]
    found = [(report.dataset, one) for report in reports for one in stopping(project, report)]
    if not found:
        return
    names = list(dict.fromkeys(dataset for dataset, _ in found))
    table: list[dict[str, object]] = [
        {"dataset": dataset, "kind": one.kind, "found": one.what, "filter": one.filter or "-"} for dataset, one in found
    ]
    raise ContractBroken(
        f"the bench of {', '.join(names)} found what the project file stops at",
        table=table,
        where=project.where("data", "datasets" if names[0] in project.config.data.datasets else "transforms", names[0]),
        hint=f"penstock data bench {names[0]}   # every finding; mend the data, or take its kind out of `bench.stop`",
    )


def _contracts(project: ProjectFile, table: str) -> dict[str, str]:
    """The contracts behind a table by digest: they say which columns are personal data."""
    data = project.config.data
    if table in data.transforms:
        inputs = data.transforms[table].inputs
        return {path: digest for source in inputs for path, digest in _contracts(project, source).items()}
    named = data.datasets[table].contract if table in data.datasets else None
    return {named: digest_file(project.root / named)} if named and (project.root / named).exists() else {}


def previous_version(past: Sequence[Version], version: Version | None) -> str | None:
    """The commit that was there when this one was made: the same one again after a checkout has come back to it."""
    earlier = [one for one in past if version is None or one.created_at < version.created_at]
    return max(earlier, key=lambda one: one.created_at).commit if earlier else None


def _kinds(project: ProjectFile, table: str) -> tuple[str, ...]:
    own = project.config.data.transforms.get(table)
    return ABOUT_TARGET if own is not None and own.bench is None else ()
