"""An exam: the candidate's answers to requests that training never saw, and the champion's to the same ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.data import has_label, load_holdout, load_train
from penstock.errors import PenstockError, UsageError
from penstock.ledger import Ledger, SealedBundle
from penstock.project import ProjectFile
from penstock.signing import load_signer
from penstock.validate.measuring import Sample
from penstock.validate.samples import baseline_of, truth

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Answers, Bundle
    from penstock.store import Store


@dataclass(frozen=True)
class Material:
    """What a model is judged on.

    holdout   commit: requests and the target, in rows that training never saw
    sources   dataset -> commit: the examples, and what the rows of stored feature views are computed from
    train     commit: the training examples, for the baseline
    """

    holdout: str
    sources: Mapping[str, str]
    train: str | None = None


@dataclass(frozen=True)
class Exam:
    """A model and what it is asked."""

    bundle: "Bundle"
    requests: "pl.DataFrame"
    labels: "pl.Series"
    views: "dict[str, pl.DataFrame]"
    answers: "Answers"
    unlabelled: int


@dataclass(frozen=True)
class Rival:
    """The champion's answers to the same requests, or why there are none."""

    bundle: "Bundle | None" = None
    answers: "Answers | None" = None
    why_not: str = ""  # there is one, and it cannot be compared with
    unrivalled: str = ""  # there is none to be compared with

    @classmethod
    def of(
        cls,
        project: ProjectFile,
        ledger: Ledger,
        store: "Store",
        exam: Exam,
        material: Material,
        champion: str | None,
    ) -> "Rival":
        """Ask the champion what the candidate was asked; what goes wrong is the reason, not an error."""
        if champion is None:
            return cls(unrivalled="no champion yet")
        if champion == exam.bundle.id:
            return cls(unrivalled="this is the champion")
        try:
            bundle = open_sealed(project, ledger, store, champion)
            _require_same_target(exam.bundle, bundle)
            return cls(bundle, bundle.predict(exam.requests, _view_rows(store, bundle, material)))
        except PenstockError as error:
            return cls(why_not=f"the champion cannot be compared with on these rows: {error.what}")


def open_sealed(project: ProjectFile, ledger: Ledger, store: "Store", digest: str) -> "Bundle":
    """A bundle of the project, verified, from the cache of exports."""
    from penstock.bundle import export, open_bundle

    with ledger.read() as reader:
        sealed = reader.get(SealedBundle, digest=digest)
    if sealed is None:
        raise UsageError(f"there is no bundle {digest} in the ledger", hint="penstock run")
    directory = export(digest, store, sealed.signature, sealed.public_key, project.home / "bundles")
    return open_bundle(directory, trusted=[load_signer(project.signing_key).public])


def sit(store: "Store", bundle: "Bundle", material: Material) -> Exam:
    """Ask the model for every labelled row of the holdout."""
    rows, labels = load_holdout(store, material.holdout, bundle.target.column)
    known = labels.is_not_null()
    if not known.any():
        raise UsageError(
            f"no row of the holdout has a value of {bundle.target.column!r}: there is nothing to judge by",
            hint="take more rows for `train.holdout`, or wait for labels",
        )
    requests = rows.filter(known)
    views = _view_rows(store, bundle, material)
    answers = bundle.predict(requests, views)
    return Exam(bundle, requests, labels.filter(known), views, answers, int((~known).sum()))


def _view_rows(store: "Store", bundle: "Bundle", material: Material) -> "dict[str, pl.DataFrame]":
    """The rows of a model's stored views, made by its own functions."""
    rows = {}
    for view in bundle.features.spec.stored:
        if view.source not in material.sources:
            raise UsageError(f"dataset {view.source!r} of its feature view {view.name!r} is not at hand")
        rows[view.name] = bundle.features.view_rows(view.name, store.scan(material.sources[view.source]))
    return rows


def baseline(store: "Store", bundle: "Bundle", material: Material, candidate: Sample) -> Sample | None:
    """What always answering the training examples' prior or mean gives; None when they are not at hand."""
    if material.train is None:
        return None
    _, labels = load_train(store, material.train)
    return baseline_of(candidate, truth(labels.drop_nulls(), bundle.target))


def is_fresh(
    project: ProjectFile, store: "Store", *, holdout: str, sources: Mapping[str, str], now: datetime
) -> bool | None:
    """Whether the training rows are as new as the objective promises; None without a promise or a known age."""
    objective = project.config.objective
    if objective is None or objective.slas.freshness is None:
        return None
    until = trained_until(project, store, Material(holdout, sources))
    return None if until is None else now - until <= objective.slas.freshness


def trained_until(project: ProjectFile, store: "Store", material: Material) -> datetime | None:
    """Time of the newest labelled example outside a holdout that is cut by time; else of the newest one."""
    import polars as pl

    config = project.config
    time, examples = config.data.time, config.data.examples or next(iter(config.data.datasets), "")
    if config.objective is None or time is None or examples not in material.sources:
        return None
    target, rows = config.objective.target.column, store.scan(material.sources[examples])
    labelled = has_label(target, rows.collect_schema()[target])
    rows = rows.filter(labelled)
    if config.train and config.train.holdout.startswith("last"):
        held_out = store.scan(material.holdout).filter(labelled).select(pl.col(time).min()).collect()
        rows = rows.filter(pl.col(time) < held_out.item())
    newest = rows.select(pl.col(time).cast(pl.Datetime("us"), strict=False).max()).collect().item()
    return newest.replace(tzinfo=UTC) if isinstance(newest, datetime) else None


def _require_same_target(candidate: "Bundle", champion: "Bundle") -> None:
    ours, theirs = candidate.target, champion.target
    if (ours.column, ours.task, ours.positive) != (theirs.column, theirs.task, theirs.positive):
        raise UsageError(f"it predicts {theirs.column!r} ({theirs.task}), not {ours.column!r} ({ours.task})")
