"""Who reads columns of a dataset: its contract, transforms, features, requests, the target, gates and models."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from penstock.bundle import Manifest as BundleManifest
from penstock.data.contracts.conditions import sql
from penstock.data.contracts.contract import Contract
from penstock.data.contracts.contract_file import load_contract
from penstock.data.contracts.dtypes import type_name
from penstock.data.contracts.evolution import SURE, ColumnChange, Reader, effects, likeness
from penstock.data.contracts.schema import Change
from penstock.data.contracts.text import parsed
from penstock.data.ingestion.code_words import named_columns
from penstock.data.sources.readers import Raw, explained
from penstock.data.versions.refs import current
from penstock.errors import ContractBroken, PenstockError
from penstock.ledger import Ledger, ModelVersion
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.project import ProjectFile

Wanted = Collection[str]


@dataclass(frozen=True)
class History:
    """What was made before, where there is a ledger."""

    ledger: Ledger
    store: Store


def downstream(
    project: "ProjectFile", history: History | None, dataset: str, changes: Sequence[tuple[str, str]]
) -> tuple[dict[str, object], ...]:
    """What changes of columns, as (column, change), mean for whoever reads them; models only with a `history`.

    ({"column": "delay", "change": "removed", "read by": "rule 'sane'", "means": "it cannot be computed"}, ...)
    """
    if not changes or dataset not in project.config.data.datasets:
        return ()
    readers = list(_readers(project, history, dataset, {column for column, _ in changes}))
    return tuple(effects(changes, readers))


def with_downstream(
    broken: ContractBroken,
    project: "ProjectFile",
    history: History,
    dataset: str,
    contract: Contract,
    raws: Sequence[Raw],
) -> ContractBroken:
    """A broken schema with the columns that were renamed, and what the changes mean for whoever reads the columns."""
    found = [row for raw in raws for row in renames(project, history, dataset, contract, raw, broken.table)]
    seen = dict.fromkeys((str(row["column"]), str(row["change"])) for row in broken.table if "change" in row)
    table = (*broken.table, *found, *downstream(project, history, dataset, list(seen)))
    return ContractBroken(broken.what, table=table, where=broken.where, hint=broken.hint)


def renames(
    project: "ProjectFile",
    history: History | None,
    dataset: str,
    contract: Contract,
    raw: Raw,
    changes: Sequence[Change],
) -> Iterator[Change]:
    """Columns that lack in an input and are there under another name, by the values of the newest version."""
    here = {str(row["column"]): str(row["change"]) for row in changes if row.get("file") == raw.name}
    if history is None:
        return
    with history.ledger.read() as reader:
        version = current(reader, dataset, project.branch)
    known = dict(history.store.manifest(version.commit).schema) if version else {}
    lacking = [name for name, change in here.items() if change == "missing" and name in known]
    new = [name for name, change in here.items() if change == "added"]
    if not (version and lacking and new):
        return
    before = history.store.scan(version.commit)
    for old in lacking:
        column = contract.columns[old]
        fitting = [name for name in new if raw.text or type_name(raw.schema[name]) == column.type]
        typed = [parsed(pl.col(name), column).alias(name) if raw.text else pl.col(name) for name in fitting]
        with explained(raw):
            found = likeness(before, raw.rows.select(typed), [(old, name) for name in fitting])
        for (_, name), share in sorted(found.items(), key=lambda one: -one[1])[:1]:
            if share >= SURE:
                yield {"file": raw.name, **ColumnChange(old, "renamed", old, name, share).row}


def _readers(project: "ProjectFile", history: History | None, dataset: str, wanted: Wanted) -> Iterator[Reader]:
    carried = _carried(project, history, dataset, wanted)
    yield from _contract(project, dataset, wanted)
    yield from _code(project, carried)
    examples = project.config.data.examples
    if examples and examples in carried:
        yield from _examples(project, carried[examples])
        yield from _models(project, history, carried[examples]) if history else ()


def _carried(project: "ProjectFile", history: History | None, dataset: str, wanted: Wanted) -> Mapping[str, Wanted]:
    """The dataset and every transform behind it, with those of the columns that it has."""
    transforms = project.config.data.transforms
    carried: dict[str, Wanted] = {dataset: wanted}
    for _ in transforms:  # as long as the longest chain may be
        for name, transform in transforms.items():
            if name not in carried and any(source in carried for source in transform.inputs):
                carried[name] = _passed_on(project, history, name, wanted)
    return carried


def _passed_on(project: "ProjectFile", history: History | None, transform: str, wanted: Wanted) -> Wanted:
    """The columns that a transform's newest version has; before its first version that may be any."""
    if history is None:
        return wanted
    with history.ledger.read() as reader:
        version = current(reader, transform, project.branch)
    schema = dict(history.store.manifest(version.commit).schema) if version else wanted
    return {column for column in wanted if column in schema}


def _contract(project: "ProjectFile", dataset: str, wanted: Wanted) -> Iterator[Reader]:
    spec = project.config.data.datasets[dataset]
    contract = Contract(columns={})
    if spec.contract:
        with suppress(PenstockError):  # what is wrong with it is told where it is used
            contract = load_contract(project.root / spec.contract)
    yield Reader("key", f"key of {dataset}", frozenset(spec.key or contract.keys))
    yield Reader("time", f"time of {dataset}", frozenset([spec.time] if spec.time else []))
    for rule in contract.rules:
        columns = named_columns(project.root, rule.function, wanted) if rule.function else _roots(str(rule.expression))
        yield Reader("rule", f"rule {rule.name!r}", columns)
    for ratio in contract.ratios:
        yield Reader("ratio", f"ratio {ratio.name!r}", _roots(ratio.expression))


def _roots(expression: str) -> frozenset[str]:
    return frozenset(sql(expression).meta.root_names())


def _code(project: "ProjectFile", carried: Mapping[str, Wanted]) -> Iterator[Reader]:
    """Transforms and views whose code names a column; of views also the entity and the time."""
    data = project.config.data
    for name, transform in data.transforms.items():
        wanted = {column for source in transform.inputs for column in carried.get(source, ())}
        yield Reader("transform", f"transform {name}", named_columns(project.root, transform.function, wanted))
    for name, view in data.features.items():
        source = data.examples if view.source == "request" else view.source
        wanted = set(carried.get(source or "", ()))
        joined = wanted & {*view.entity, *([view.time] if view.time else [])}
        columns = named_columns(project.root, view.function, wanted) | joined
        yield Reader("feature view", f"feature view {name}", columns)


def _examples(project: "ProjectFile", wanted: Wanted) -> Iterator[Reader]:
    """What the examples are for: requests, the answer, groups that gates and reports look at."""
    config = project.config
    there = frozenset(wanted)
    yield Reader("request", "requests", there & frozenset(config.data.request))
    if config.objective:
        yield Reader("target", "the target", there & {config.objective.target.column})
    gates = config.validation.gates
    groups = {*config.validation.slices, *(name for gate in gates for name in gate.slices)}
    groups |= {gate.by for gate in gates if gate.by}
    yield Reader("group", "groups of gates and reports", there & groups)


def _models(project: "ProjectFile", history: History, wanted: Wanted) -> Iterator[Reader]:
    """Registered versions that are or may come into use, by the columns of their signature."""
    with history.ledger.read() as reader:
        versions = reader.find(ModelVersion, model=project.config.name, state=["candidate", "staging", "production"])
    for version in versions:
        with suppress(PenstockError):  # a damaged bundle is told where it is opened
            fields = BundleManifest.from_json(history.store.read_json(version.bundle)).signature.fields
            columns = frozenset(field.name for field in fields) & frozenset(wanted)
            yield Reader("model", f"{version.state} model {version.name} (run {version.run[:8]})", columns)
