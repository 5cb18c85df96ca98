"""The project file, typed, and the user's functions.

`load_project` finds `penstock.yaml`, puts the environment's overlay and `--set` over it, fills in
`${VAR}` and returns a frozen `ProjectFile`, or raises one `ConfigError` with every problem at its
line and column. `load_function` loads a `module:function` of the project, checks its signature and
names its code by a digest; two versions of the same module can be loaded in one process.
"""

from penstock.project.config import (
    AlertRule,
    Approvals,
    Bound,
    Config,
    Costs,
    Deliver,
    Gate,
    Improve,
    Kpi,
    Mlflow,
    Monitor,
    Objective,
    Retrain,
    Server,
    Slas,
    Target,
    Train,
    Trigger,
    Validate,
)
from penstock.project.data_config import (
    BENCH_KINDS,
    Bench,
    Data,
    Dataset,
    FeatureView,
    FileSource,
    Source,
    SqlSource,
    Transform,
)
from penstock.project.document import Document, as_written, read_document, read_text
from penstock.project.editing import edit_project, flow
from penstock.project.engine_config import Engine, Resources, format_size
from penstock.project.functions import Function, call, load_function
from penstock.project.load import FILE_NAME, ProjectFile, load_project
from penstock.project.metrics import METRICS
from penstock.project.schema import json_schema
from penstock.project.search_config import Algorithm, Dimension, Folds, Search
from penstock.project.settings import Duration, Names, Reference, Section, Share, format_duration, parse_duration
from penstock.project.sources import code_digest, project_sources

__all__ = [
    "BENCH_KINDS",
    "FILE_NAME",
    "METRICS",
    "AlertRule",
    "Algorithm",
    "Approvals",
    "Bench",
    "Bound",
    "Config",
    "Costs",
    "Data",
    "Dataset",
    "Deliver",
    "Dimension",
    "Document",
    "Duration",
    "Engine",
    "FeatureView",
    "FileSource",
    "Folds",
    "Function",
    "Gate",
    "Improve",
    "Kpi",
    "Mlflow",
    "Monitor",
    "Names",
    "Objective",
    "ProjectFile",
    "Reference",
    "Resources",
    "Retrain",
    "Search",
    "Section",
    "Server",
    "Share",
    "Slas",
    "Source",
    "SqlSource",
    "Target",
    "Train",
    "Transform",
    "Trigger",
    "Validate",
    "as_written",
    "call",
    "code_digest",
    "edit_project",
    "flow",
    "format_duration",
    "format_size",
    "json_schema",
    "load_function",
    "load_project",
    "parse_duration",
    "project_sources",
    "read_document",
    "read_text",
]
