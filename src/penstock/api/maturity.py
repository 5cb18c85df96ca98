"""How far the project has come, with the evidence for each item and the step to take next.

Level 0 is a model made by hand; level 1 trains and judges by itself; level 2 delivers, watches and
rolls back by itself. The levels follow "MLOps: Continuous delivery and automation pipelines in
machine learning" (Google Cloud architecture centre).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from penstock.errors import Damaged
from penstock.ledger import Deployment, Evaluation, ModelVersion, Reader, Run, SeriesPoint
from penstock.objective import agreement
from penstock.project import ProjectFile

CI_FILES = (".github/workflows", ".gitlab-ci.yml", ".ci")


@dataclass(frozen=True)
class Item:
    """One thing a mature project has."""

    level: int
    name: str
    done: bool
    evidence: str
    next: str


@dataclass(frozen=True)
class Maturity:
    """The level reached: every item of it and of the ones below is done."""

    level: int
    items: tuple[Item, ...]

    @property
    def missing(self) -> tuple[Item, ...]:
        """What stands between here and level 2."""
        return tuple(item for item in self.items if not item.done)


def maturity(reader: Reader, project: ProjectFile) -> Maturity:
    """Judge every item from the ledger and the project's files."""
    items = tuple(check(reader, project) for check in CHECKS)
    level = 0
    while level < 2 and all(item.done for item in items if item.level <= level + 1):
        level += 1
    return Maturity(level, items)


def _contracts(reader: Reader, project: ProjectFile) -> Item:
    bare = [name for name, dataset in project.config.data.datasets.items() if not dataset.contract]
    done = not bare and bool(project.config.data.datasets)
    evidence = "every dataset has one" if done else f"none for {', '.join(bare) or 'any dataset'}"
    return Item(1, "data contracts", done, evidence, f"penstock data infer {bare[0] if bare else 'DATASET'}")


def _pinned(reader: Reader, project: ProjectFile) -> Item:
    done = (project.root / "penstock.lock").exists()
    return Item(1, "data versions pinned", done, "penstock.lock" if done else "no penstock.lock", "penstock run")


def _trained(reader: Reader, project: ProjectFile) -> Item:
    count = reader.count(Run, kind="training", status="finished")
    return Item(1, "automated training", count > 0, f"{count} recorded runs", "penstock run")


def _gated(reader: Reader, project: ProjectFile) -> Item:
    count = reader.count(Evaluation)
    return Item(1, "gates on every candidate", count > 0, f"{count} evaluations", "penstock run")


def _code(reader: Reader, project: ProjectFile) -> Item:
    newest = reader.find(Run, kind="training", status="finished", order_by="-started_at", limit=1)
    commit = (newest[0].git_commit or _committed_since(project, newest[0].code)) if newest else None
    evidence = f"last run at commit {commit[:10]}" if commit else "the last run's code is in no Git commit"
    step = "git init && git add -A && git commit -m start"
    return Item(1, "code under version control", commit is not None, evidence, step)


def _committed_since(project: ProjectFile, code: str) -> str | None:
    """The commit with the code of a run that was made before it: a run is not made again for a commit alone."""
    from penstock.store import Store
    from penstock.train import commit_of

    with suppress(Damaged):
        return commit_of(project.root, code, Store.open(project.store_path))
    return None


def _triggers(reader: Reader, project: ProjectFile) -> Item:
    names = [trigger.name for trigger in project.config.improve.retrain.on]
    return Item(
        1,
        "retraining triggers",
        bool(names),
        ", ".join(names) or "none declared",
        "add improve.retrain.on to penstock.yaml",
    )


def _signed(reader: Reader, project: ProjectFile) -> Item:
    signed = project.config.objective is not None and agreement(reader, project).signed
    evidence = "signed as it stands" if signed else "not signed as it stands"
    return Item(2, "objective signed", signed, evidence, "penstock objective sign --as NAME --role ROLE")


def _ci(reader: Reader, project: ProjectFile) -> Item:
    found = [
        name for place in (project.root, *project.root.parents[:2]) for name in CI_FILES if (place / name).exists()
    ]
    return Item(
        2,
        "continuous integration",
        bool(found),
        found[0] if found else "no pipeline file found",
        "run `penstock run` in your CI",
    )


def _production(reader: Reader, project: ProjectFile) -> Item:
    count = reader.count(Deployment)
    return Item(2, "gated delivery", count > 0, f"{count} deployments", "penstock promote")


def _rollback(reader: Reader, project: ProjectFile) -> Item:
    earlier = {d.number for d in reader.find(Deployment, endpoint=project.config.deliver.endpoint)}
    done = len(earlier) > 1 and reader.count(ModelVersion) > 1
    evidence = "an earlier version can be put back" if done else "no earlier version to go back to"
    return Item(2, "rollback", done, evidence, "promote a second version")


def _watched(reader: Reader, project: ProjectFile) -> Item:
    count = reader.count(SeriesPoint, endpoint=project.config.deliver.endpoint)
    return Item(2, "monitoring", count > 0, f"{count} points", "penstock up, or penstock improve tick from cron")


def _alerts(reader: Reader, project: ProjectFile) -> Item:
    count = len(project.config.monitor.alerts)
    return Item(2, "alert rules", count > 0, f"{count} rules", "add monitor.alerts to penstock.yaml")


CHECKS: tuple[Callable[[Reader, ProjectFile], Item], ...] = (
    _contracts, _pinned, _trained, _gated, _code, _triggers,
    _signed, _ci, _production, _rollback, _watched, _alerts,
)  # fmt: skip
