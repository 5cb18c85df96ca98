"""scikit-learn's autologging: a fit is a run with params, metrics, a model and plots."""

import sys

import mlflow
import numpy as np
from sklearn.ensemble import RandomForestClassifier

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("forest")
mlflow.sklearn.autolog()
X = np.random.default_rng(1).normal(size=(80, 3))
RandomForestClassifier(n_estimators=3, random_state=1).fit(X, (X[:, 0] > 0).astype(int))

(run,) = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name("forest").experiment_id])
assert run.info.status == "FINISHED"
assert run.data.params["n_estimators"] == "3"
assert run.data.metrics["training_accuracy_score"] > 0.8
loaded = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")
assert loaded.predict(X).shape == (80,)
