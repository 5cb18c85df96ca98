"""What an MLflow server has, brought into our ledger and store: once, however often it is asked for."""

from penstock.mlflow.importing.bring import Brought, bring

__all__ = ["Brought", "bring"]
