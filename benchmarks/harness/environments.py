"""Throw-away virtual environments, made on first use and kept in the user's cache."""

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# The versions that the published numbers are about. Raise them when the peers release.
PEERS = {
    "Kedro": "kedro==1.7.0",
    "DVC": "dvc==3.67.1",
    "Metaflow": "metaflow==2.19.39",
    "ZenML": "zenml[local]==0.98.0",
    "Evidently": "evidently==0.7.23",
    "NannyML": "nannyml==0.13.1",
    "whylogs": "whylogs==1.6.4",
    "Great Expectations": "great_expectations==1.24.1",
    "pandera": "pandera[polars]==0.35.0",
    "pointblank": "pointblank==1.1.1",
    "MLflow": "mlflow==3.17.2",
}
# What a peer needs and does not ask for, or does not work with in its newest version.
BESIDE = {
    "Evidently": ("pandas==2.3.3", "pyarrow==22.0.0"),
    "NannyML": ("statsmodels==0.14.6", "pyarrow==22.0.0"),
    "whylogs": ("pandas==2.3.3", "pyarrow==22.0.0"),
}
TABLES = f"polars=={version('polars')}"  # what the steps of a benchmark work with, in every tool
ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-benchmarks"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with one tool in it."""

    path: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    def program(self, name: str) -> Path:
        """A program of the tool."""
        return self.path / "bin" / name


def environment(peer: str) -> Environment:
    """The environment of a peer, made if it is not there."""
    wanted = PEERS[peer]
    place = Environment(CACHE / f"{wanted}-{TABLES}-python{sys.version_info.major}.{sys.version_info.minor}")
    ready = place.path / "ready"
    if not ready.exists():
        print(f"installing {wanted} ...", file=sys.stderr, flush=True)
        _make(place, wanted, TABLES, *BESIDE.get(peer, ()))
        ready.touch()
    return place


def ourselves() -> Environment:
    """Penstock as it is in the working tree, installed as a user installs it, with the locked dependencies."""
    place = Environment(CACHE / f"penstock-python{sys.version_info.major}.{sys.version_info.minor}")
    constraints = ("--constraint", str(ROOT / "requirements.lock"))
    _make(place, str(ROOT), "--reinstall-package", "penstock", *constraints)
    return place


def described(peer: str) -> str:
    """The name with the version: Kedro 1.7.0"""
    return f"{peer} {PEERS[peer].partition('==')[2]}"


def _make(place: Environment, wanted: str, *options: str) -> None:
    if not place.python.exists():
        _uv("venv", "--clear", "--python", sys.executable, str(place.path))
    _uv("pip", "install", "--python", str(place.python), "--compile-bytecode", *options, wanted)


def _uv(*arguments: str) -> None:
    done = subprocess.run([UV, "--quiet", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"uv {' '.join(arguments)} failed:\n{done.stderr}")
