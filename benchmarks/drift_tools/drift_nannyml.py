import nannyml
import pandas as pd
from facts import tell

reference, current = (pd.read_parquet(f"{name}.parquet") for name in ("reference", "current"))
calculator = nannyml.UnivariateDriftCalculator(
    column_names=list(reference),
    continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein"],
    categorical_methods=["jensen_shannon"],
    chunk_number=10,
)
found = calculator.fit(reference).calculate(current).filter(period="analysis").to_df()
alarms = found.xs("alert", axis=1, level=2).any()
tell("NannyML", {column for (column, _), alarm in alarms.items() if alarm and column != "chunk"})
