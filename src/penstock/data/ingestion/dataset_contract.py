"""Which contract a dataset is held to: the one that it names, or what its rows happen to be."""

from collections.abc import Iterator, Sequence

from penstock.data.contracts.contract import Column, Contract
from penstock.data.contracts.contract_file import load_contract
from penstock.data.contracts.dtypes import dtype_of, type_name
from penstock.data.ingestion.plan import Known
from penstock.data.ingestion.staging import Opened, implied_contract
from penstock.data.sources.directory import COLUMNS, KEY
from penstock.data.sources.inputs import is_directory
from penstock.errors import ConfigError, Problem, UsageError, did_you_mean
from penstock.project import Dataset, ProjectFile
from penstock.store import Manifest, Store


def contract_for(project: ProjectFile, store: Store, dataset: str, known: Known, opened: Sequence[Opened]) -> Contract:
    """The contract with the dataset's key in it. ConfigError when dataset and contract do not fit together."""
    spec = project.config.data.datasets[dataset]
    if spec.contract:
        return named_contract(project, dataset)
    if spec.mode == "append" and known.version:
        contract = contract_of(store.manifest(known.version.commit))
    else:
        contract = implied_contract(opened)
    return _fitted(project, dataset, contract)


def named_contract(project: ProjectFile, dataset: str) -> Contract:
    """The contract that a dataset names, with the dataset's key in it. UsageError when it names none."""
    datasets = project.config.data.datasets
    where = project.where("data", "datasets", dataset)
    if dataset not in datasets:
        raise UsageError.unknown("dataset", dataset, datasets, where=project.where("data", "datasets"))
    if (contract := datasets[dataset].contract) is None:
        hint = f"penstock data infer {dataset} -o contracts/{dataset}.yaml, and name that file there"
        raise UsageError(f"dataset {dataset!r} has no contract", where=where, hint=hint)
    return _fitted(project, dataset, load_contract(project.root / contract))


def _fitted(project: ProjectFile, dataset: str, contract: Contract) -> Contract:
    spec = project.config.data.datasets[dataset]
    problems = [
        Problem(project.where("data", "datasets", dataset, *path), what, expected)
        for path, what, expected in (*_misfits(dataset, spec, contract), *_no_directory(spec, contract))
    ]
    if problems:
        raise ConfigError(problems, hint=f"correct {project.path.name} or {spec.contract or 'the data'}")
    keys = spec.key or contract.keys or (KEY if is_directory(spec.source) else ())
    return contract.model_copy(update={"keys": keys})


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
    settings = [("key", column) for column in spec.key] + ([("time", spec.time)] if spec.time else [])
    for setting, column in settings:
        if column not in contract.columns:
            yield (setting,), f"dataset {name!r} has no column {column!r}{did_you_mean(column, contract.columns)}", None
    time = contract.columns.get(spec.time or "")
    if time and not time.type.startswith("Date"):
        yield ("time",), f"column {spec.time!r} is {time.type}", "a Date or a Datetime"
    if contract.freshness and not spec.time:
        yield (), "the contract asks for freshness, but the dataset names no `time` column", None
