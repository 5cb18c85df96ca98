"""Evidently's distances of reference.parquet and current.parquet, as JSON."""

import json

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

METHODS = {"number": ("psi", "jensenshannon", "wasserstein"), "level": ("psi", "jensenshannon", "chisquare")}

definition = DataDefinition(numerical_columns=["number"], categorical_columns=["level"])
reference, current = (
    Dataset.from_pandas(pd.read_parquet(f"{name}.parquet"), data_definition=definition)
    for name in ("reference", "current")
)
found = {}
for column, methods in METHODS.items():
    for method in methods:
        report = Report([ValueDrift(column=column, method=method)]).run(current, reference)
        found[f"{column} {method}"] = float(report.dict()["metrics"][0]["value"])
print(json.dumps(found))  # noqa: T201
