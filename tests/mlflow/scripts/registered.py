"""A model that is registered, for an import."""

import sys

import mlflow
import numpy as np
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("models")
X = np.random.default_rng(1).normal(size=(60, 3))
with mlflow.start_run():
    model = LogisticRegression().fit(X, (X[:, 0] > 0).astype(int))
    mlflow.sklearn.log_model(model, "model", registered_model_name="spam", pip_requirements=["scikit-learn"])
