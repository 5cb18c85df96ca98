import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from facts import tell

frames = [pd.read_parquet(f"{name}.parquet") for name in ("current", "reference")]
levels = list(frames[0].select_dtypes(["object", "category", "string"]))
columns = DataDefinition(
    numerical_columns=[name for name in frames[0] if name not in levels], categorical_columns=levels
)
current, reference = (Dataset.from_pandas(frame, data_definition=columns) for frame in frames)
metrics = Report([DataDriftPreset()]).run(current, reference).dict()["metrics"]
each = [(metric["config"], metric["value"]) for metric in metrics if "column" in metric["config"]]
# of more than 1,000 rows the value is a distance, and drift from the threshold on
tell("Evidently", [config["column"] for config, value in each if value >= config["threshold"]])
