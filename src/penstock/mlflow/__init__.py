"""MLflow's tracking and registry protocol: scripts that log to MLflow log here, into our ledger and store.

    mlflow.set_tracking_uri("http://127.0.0.1:5000")       all that a script needs, while `penstock up` runs

A run of a client is a run of ours (`penstock train runs`), its files are blobs, its registered models are versions in
our registry, and production is entered through our gates or not at all. The server is a process of its own; facts of
the protocol are in `wire`, `grammar` and `errors`, what is done for each resource in `handlers`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.mlflow.process import MlflowProcess
    from penstock.mlflow.server import run_server

__all__ = ["MlflowProcess", "run_server"]

_HOMES = {"MlflowProcess": "process", "run_server": "server"}


def __getattr__(name: str) -> object:
    """A name of the door, from its module: who starts the server as a child loads no server."""
    if name not in _HOMES:
        raise AttributeError(f"module 'penstock.mlflow' has no attribute {name!r}")
    return getattr(import_module(f"penstock.mlflow.{_HOMES[name]}"), name)
