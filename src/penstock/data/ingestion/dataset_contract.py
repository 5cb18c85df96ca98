"""Which contract a dataset is held to: the one that it names, or what its rows happen to be."""

from collections.abc import Iterator, Sequence

import polars as pl

from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.contract_file import load_contract
from penstock.data.contracts.dtypes import dtype_of, type_name
from penstock.data.ingestion.opening import Opened, implied_contract
from penstock.data.ingestion.plan import Known
from penstock.data.sources.directory import COLUMNS, KEY
from penstock.data.sources.inputs import is_directory
from penstock.errors import ConfigError, Problem, UsageError, did_you_mean
from penstock.project import Dataset, ProjectFile
from penstock.store import Manifest, Store


def given_contract(project: ProjectFile, store: Store, dataset: str, known: Known) -> Contract | None:
    """The contract that is known before an input is opened: the one named, or the columns of rows that stay."""
    spec = project.config.data.datasets[dataset]
    if spec.contract:
        return named_contract(project, dataset)
    if spec.mode != "snapshot" and known.version:
        return _fitted(project, dataset, contract_of(store.manifest(known.version.commit)))
    return None


def found_contract(project: ProjectFile, dataset: str, opened: Sequence[Opened]) -> Contract:
    """What a dataset without a contract is held to: what its inputs happen to have."""
    return _fitted(project, dataset, implied_contract(opened))


def named_contract(project: ProjectFile, dataset: str) -> Contract:
    """The contract that a dataset names, with the dataset's key in it. UsageError when it names none."""
    datasets = project.config.data.datasets
    where = project.where("data", "datasets", dataset)
    if dataset not in datasets:
        raise UsageError.unknown("dataset", dataset, datasets, where=project.where("data", "datasets"))
    if (contract := datasets[dataset].contract) is None:
        hint = f"penstock data infer {dataset} -o contracts/{dataset}.yaml, and name that file there"
        raise UsageError(f"dataset {dataset!r} has no contract", where=where, hint=hint)
    return _fitted(project, dataset, load_contract(project.root / contract, contract))


def _fitted(project: ProjectFile, dataset: str, contract: Contract) -> Contract:
    spec = project.config.data.datasets[dataset]
    problems = [
        Problem(project.where("data", "datasets", dataset, *path), what, expected)
        for path, what, expected in (*_misfits(dataset, spec, contract), *_no_directory(spec, contract))
    ]
    if problems:
        raise ConfigError(problems, hint=f"correct {project.path.name} or {spec.contract or 'the data'}")
    keys = spec.key or contract.keys or (KEY if is_directory(spec.source) else ())
    columns = {
        name: column.model_copy(update={"nullable": False}) if name == spec.watermark else column
        for name, column in contract.columns.items()
    }
    return contract.model_copy(update={"keys": keys, "columns": columns})


def contract_of(manifest: Manifest) -> Contract:
    """Appended rows without a contract are held to the columns that are there."""
    return Contract(columns={name: Column(type=type_name(dtype_of(dtype))) for name, dtype in manifest.schema})


def _no_directory(spec: Dataset, contract: Contract) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    """What a contract over the files of a directory leaves out."""
    lacking = [name for name in COLUMNS if name not in contract.columns] if is_directory(spec.source) else []
    if lacking:
        yield ("contract",), f"the contract has no column {lacking[0]!r}", f"the columns {', '.join(COLUMNS)}"


def _misfits(name: str, spec: Dataset, contract: Contract) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    """Settings of the dataset that its contract knows nothing of: where, what, what was expected."""
    named = (("time", spec.time), ("watermark", spec.watermark))
    settings = [("key", column) for column in spec.key] + [(setting, column) for setting, column in named if column]
    for setting, column in settings:
        if column not in contract.columns:
            yield (setting,), f"dataset {name!r} has no column {column!r}{did_you_mean(column, contract.columns)}", None
    time = contract.columns.get(spec.time) if spec.time else None
    if time and not time.type.startswith("Date"):
        yield ("time",), f"column {spec.time!r} is {time.type}", "a Date or a Datetime"
    mark = contract.columns.get(spec.watermark) if spec.watermark else None
    if mark and not _has_order(mark):
        yield (
            ("watermark",),
            f"column {spec.watermark!r} is {mark.type}",
            "a number, a time or a text, which has an order",
        )
    if contract.freshness and not spec.time:
        yield (), "the contract asks for freshness, but the dataset names no `time` column", None


def _has_order(column: Column) -> bool:
    dtype = dtype_of(column.type)
    return dtype.is_numeric() or dtype.is_temporal() or dtype == pl.String
