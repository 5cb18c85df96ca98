"""NannyML's distances of reference.parquet and current.parquet in one chunk, as JSON."""

import json

import nannyml
import pandas as pd

reference, current = (pd.read_parquet(f"{name}.parquet") for name in ("reference", "current"))
calculator = nannyml.UnivariateDriftCalculator(
    column_names=["number", "level"],
    continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein"],
    categorical_methods=["jensen_shannon", "chi2"],
    chunk_number=1,
)
found = calculator.fit(reference).calculate(current).filter(period="analysis").to_df()
values = found.xs("value", axis=1, level=2).iloc[0]
print(json.dumps({f"{column} {method}": float(value) for (column, method), value in values.items()}))  # noqa: T201
