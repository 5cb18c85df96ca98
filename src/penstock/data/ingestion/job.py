"""What stays the same during an ingest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.data.ingestion.progress import Progress
from penstock.data.sources.inputs import is_asked, is_directory
from penstock.data.sources.listing import function_digest
from penstock.digest import digest_file, digest_value
from penstock.errors import ConfigError, Problem, UsageError
from penstock.ledger import Ledger
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.project import Dataset, ProjectFile

READER = 2  # raised when the same file would be read into other rows than before


@dataclass(frozen=True)
class Job:
    """A dataset, where it is kept, and what decides, beside the source's bytes, which rows come out (`settings`)."""

    project: "ProjectFile"
    ledger: Ledger
    store: Store
    dataset: str
    spec: "Dataset"
    settings: Mapping[str, Any]
    progress: Callable[[Progress], None] | None

    @property
    def hint(self) -> str:
        """What to do about data that the contract does not know."""
        if self.spec.contract is None:
            where = f"data.datasets.{self.dataset}.contract"
            return f"without a contract the first rows say what a column is: write one, and name it under {where}"
        return f"if the change is meant, edit {self.spec.contract}; then: penstock data ingest {self.dataset}"


def job_for(
    project: "ProjectFile", ledger: Ledger, store: Store, dataset: str, progress: Callable[[Progress], None] | None
) -> Job:
    """The job of ingesting a dataset. UsageError when there is none of that name."""
    datasets = project.config.data.datasets
    if dataset not in datasets:
        raise UsageError.unknown("dataset", dataset, datasets, where=project.where("data", "datasets"))
    spec = datasets[dataset]
    where = project.where("data", "datasets", dataset, "mode")
    if spec.mode == "append" and spec.watermark is None and is_asked(spec.source):
        what = "append mode needs files or a watermark: what a function or query gave before is not known"
        raise ConfigError([Problem(where, what, "watermark: COLUMN, or mode: snapshot")])
    if spec.mode != "snapshot" and is_directory(spec.source):
        raise ConfigError([Problem(where, "a directory is taken as it is", "mode: snapshot")])
    return Job(project, ledger, store, dataset, spec, _settings(project, spec), progress)


def _settings(project: "ProjectFile", spec: "Dataset") -> dict[str, Any]:
    contract = _contract_digest(project.root, project.root / spec.contract) if spec.contract else ""
    chosen = spec.model_dump(mode="json", include={"source", "mode", "key", "time", "max_quarantined"})
    watermark = {"watermark": spec.watermark} if spec.watermark else {}
    return {**chosen, **watermark, "contract": contract, "reader": READER}


def _contract_digest(root: Path, path: Path) -> str:
    """What the rows are held to: the contract's file, and the code of the functions that it names."""
    if not path.exists():
        return ""
    code = {name: function_digest(root, name) for name in contract_functions(path)}
    return digest_value({"file": digest_file(path), "functions": code}) if code else digest_file(path)


def contract_functions(path: Path) -> tuple[str, ...]:
    """The functions of the project that a contract's file names."""
    if b"function" not in path.read_bytes():  # most contracts: Polars and pydantic are not loaded for them
        return ()
    from penstock.data.contracts.custom import functions_of

    return functions_of(path)
