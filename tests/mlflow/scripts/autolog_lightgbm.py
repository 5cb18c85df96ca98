"""LightGBM's autologging: a value of each metric for each iteration."""

import sys

import lightgbm
import mlflow
import numpy as np

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("boosting")
mlflow.lightgbm.autolog()
X = np.random.default_rng(1).normal(size=(200, 3))
data = lightgbm.Dataset(X, label=(X[:, 0] > 0).astype(int))
lightgbm.train({"objective": "binary", "verbose": -1}, data, num_boost_round=7, valid_sets=[data], valid_names=["seen"])

client = mlflow.MlflowClient()
(run,) = client.search_runs([mlflow.get_experiment_by_name("boosting").experiment_id])
assert run.data.params["num_boost_round"] == "7"
assert [m.step for m in client.get_metric_history(run.info.run_id, "seen-binary_logloss")] == list(range(7))
loaded = mlflow.lightgbm.load_model(f"runs:/{run.info.run_id}/model")
assert loaded.predict(X).shape == (200,)
