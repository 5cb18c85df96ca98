"""Step 2: datasets, their contracts and their versions, and the training set.

    source ─ ingest ─> version of NAME, and of NAME.quarantine ─ transform ─> version ─ training_set ─> train, holdout

`ingest` writes into the store where nobody looks, holds what it wrote against the contract, and only then
moves the dataset's ref: a broken schema stops before anything is cast, a bad row is set aside whole with
its reasons, and an input that did not change is not read. Every version is a commit that never changes.

    sources     what a source has now, and its rows, unparsed
    contracts   what a dataset promises, and its rules as expressions over rows
    ingestion   from source to version
    bench       what is wrong with a version, found before anything trains
    versions    the names that point to versions, and what changed between two
"""

from importlib import import_module
from typing import TYPE_CHECKING

# bound here: every run needs them, and the function `training_set` would be hidden by its module
from penstock.data.ingestion.ingest import ingest
from penstock.data.ingestion.progress import Progress
from penstock.data.ingestion.publishing import Ingested
from penstock.data.training_set import (
    TARGET,
    TrainingSet,
    has_label,
    load_holdout,
    load_train,
    training_rows,
    training_set,
)
from penstock.data.versions.checkout import CheckedOut, checked_out, checkout
from penstock.data.versions.pins import pin
from penstock.data.versions.refs import MAIN, current, diff, head, publish, publish_derived, tag, version_of
from penstock.data.versions.resolve import branches, history, resolve

if TYPE_CHECKING:
    from penstock.data.bench.benching import bench_frames, bench_version
    from penstock.data.bench.context import Context, context_of
    from penstock.data.bench.finding import BenchReport, Finding
    from penstock.data.bench.page import bench_document, bench_html
    from penstock.data.contracts.contract import Column, Contract, Rule
    from penstock.data.contracts.contract_file import load_contract, parse_contract
    from penstock.data.contracts.infer import Draft, infer_contract
    from penstock.data.contracts.rules import Checked, check
    from penstock.data.ingestion.checking import Verdict, check_files
    from penstock.data.ingestion.downstream import History, downstream
    from penstock.data.ingestion.files import draft_file, infer_dataset, infer_file, read_file
    from penstock.data.ingestion.preview import Preview, preview
    from penstock.data.ingestion.quarantine import Quarantined, as_export, masked_rows, quarantined, quarantined_rows
    from penstock.data.ingestion.readmission import Readmitted, readmit
    from penstock.data.ingestion.verdict_page import verdict_document
    from penstock.data.ingestion.watch import Arrival, Watch
    from penstock.data.lineage import lineage_of
    from penstock.data.transforms import Transformed, transform
    from penstock.data.versions.comparison import Diff
    from penstock.data.versions.contents import rows_of, write_files
    from penstock.data.versions.iceberg import Exported, export_iceberg
    from penstock.data.versions.merge import Merged, merge
    from penstock.data.versions.pull import Pulled, clone, pull
    from penstock.data.versions.push import Moved, Pushed, push
    from penstock.data.versions.transfer import Transferred

__all__ = [
    "MAIN",
    "TARGET",
    "Arrival",
    "BenchReport",
    "Checked",
    "CheckedOut",
    "Column",
    "Context",
    "Contract",
    "Diff",
    "Draft",
    "Exported",
    "Finding",
    "History",
    "Ingested",
    "Merged",
    "Moved",
    "Preview",
    "Progress",
    "Pulled",
    "Pushed",
    "Quarantined",
    "Readmitted",
    "Rule",
    "TrainingSet",
    "Transferred",
    "Transformed",
    "Verdict",
    "Watch",
    "as_export",
    "bench_document",
    "bench_frames",
    "bench_html",
    "bench_version",
    "branches",
    "check",
    "check_files",
    "checked_out",
    "checkout",
    "clone",
    "context_of",
    "current",
    "diff",
    "downstream",
    "draft_file",
    "export_iceberg",
    "has_label",
    "head",
    "history",
    "infer_contract",
    "infer_dataset",
    "infer_file",
    "ingest",
    "lineage_of",
    "load_contract",
    "load_holdout",
    "load_train",
    "masked_rows",
    "merge",
    "parse_contract",
    "pin",
    "preview",
    "publish",
    "publish_derived",
    "pull",
    "push",
    "quarantined",
    "quarantined_rows",
    "read_file",
    "readmit",
    "resolve",
    "rows_of",
    "tag",
    "training_rows",
    "training_set",
    "transform",
    "verdict_document",
    "version_of",
    "write_files",
]

_MODULES = {
    "bench.benching": ("bench_frames", "bench_version"),
    "bench.context": ("Context", "context_of"),
    "bench.finding": ("BenchReport", "Finding"),
    "bench.page": ("bench_document", "bench_html"),
    "versions.comparison": ("Diff",),
    "versions.pull": ("Pulled", "clone", "pull"),
    "versions.push": ("Moved", "Pushed", "push"),
    "versions.transfer": ("Transferred",),
    "contracts.contract": ("Column", "Contract", "Rule"),
    "contracts.contract_file": ("load_contract", "parse_contract"),
    "ingestion.checking": ("Verdict", "check_files"),
    "ingestion.downstream": ("History", "downstream"),
    "ingestion.files": ("draft_file", "infer_dataset", "infer_file", "read_file"),
    "ingestion.preview": ("Preview", "preview"),
    "ingestion.quarantine": ("Quarantined", "as_export", "masked_rows", "quarantined", "quarantined_rows"),
    "ingestion.readmission": ("Readmitted", "readmit"),
    "ingestion.verdict_page": ("verdict_document",),
    "ingestion.watch": ("Arrival", "Watch"),
    "contracts.infer": ("Draft", "infer_contract"),
    "contracts.rules": ("Checked", "check"),
    "lineage": ("lineage_of",),
    "transforms": ("Transformed", "transform"),
    "versions.contents": ("rows_of", "write_files"),
    "versions.iceberg": ("Exported", "export_iceberg"),
    "versions.merge": ("Merged", "merge"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: Polars and pydantic load with the first name that needs them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.data' has no attribute {name!r}")
    return getattr(import_module(f"penstock.data.{_HOMES[name]}"), name)
