"""Sealed bundles of every task, and a serve directory to put them in."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from penstock.bundle import Draft, FeatureSet, FeatureSpec, Sealed, Target, ViewSpec, export, schema_of, seal
from penstock.deliver.serving_state import EndpointState, ServedModel, deploy, read_state, write_view
from penstock.project import load_function, project_sources
from penstock.signing import Signer, load_signer
from penstock.store import Store

START = datetime(2013, 1, 1)
PIPELINE = """
import polars as pl

def schedule(requests):
    return requests.select("carrier", "distance", hour=pl.col("scheduled").dt.hour())

def weather(rows):
    return rows.select("origin", "hour", wind="wind")

def fragile(requests):
    if (requests["distance"] == 13).any():
        raise ValueError("thirteen is secret")
    return requests.select("carrier", "distance", hour=pl.col("scheduled").dt.hour())
"""


@dataclass(frozen=True)
class Foundry:
    """Makes bundles and delivers them."""

    store: Store
    signer: Signer
    bundles: Mapping[str, Sealed]
    weather: pl.DataFrame = field(default_factory=pl.DataFrame)

    def deploy(self, root: Path, name: str, generation: int, *, endpoint: str = "delay") -> ServedModel:
        """Make `endpoint` answer with the bundle `name` from `generation` on."""
        sealed = self.bundles[name]
        export(sealed.digest, self.store, sealed.signature, sealed.public_key, root / "bundles")
        views = {"wind": write_view(root, "wind", self.weather)} if name == "stored" else {}
        model = ServedModel("delay", list(self.bundles).index(name) + 1, sealed.digest, views)
        present = read_state(root).endpoints.get(endpoint)
        previous = (present.current, *present.previous) if present else ()
        others = tuple(served for served in previous if served.bundle != model.bundle)
        assert deploy(root, endpoint, EndpointState(generation, model, others[:2]), trusted=[self.signer.public])
        return model


@pytest.fixture(scope="session")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Foundry:
    """Bundles `yes` and `no` contradict each other; the others are one of each kind."""
    base = tmp_path_factory.mktemp("foundry")
    (base / "pipeline.py").write_text(PIPELINE)
    store, signer = Store.open(base / "store"), load_signer(base / "keys" / "signing")
    requests, weather = _requests(), _weather()
    far = requests["distance"] > 1500
    binary = Target("late", "binary", True, (False, True))
    classes = Target("delay", "multiclass", None, ("long", "none", "short"))
    kinds = pl.Series(np.where(far, "long", np.where(requests["distance"] > 700, "short", "none")))
    drafts = {
        "yes": _draft(base, requests, far, binary),
        "no": _draft(base, requests, ~far, binary),
        "fragile": _draft(base, requests, far, binary, view="fragile"),
        "regression": _draft(base, requests, requests["distance"] / 10, Target("delay", "regression")),
        "multiclass": _draft(base, requests, kinds, classes),
        "stored": _draft(base, requests, far, binary, weather=weather),
    }
    return Foundry(store, signer, {name: seal(draft, store, signer) for name, draft in drafts.items()}, weather)


@pytest.fixture
def row() -> dict[str, Any]:
    """A request that every bundle can answer."""
    return {"flight": "F7", "scheduled": "2013-01-03T10:30:00", "origin": "JFK", "carrier": "UA", "distance": 2400}


@pytest.fixture
def serve(tmp_path: Path) -> Path:
    return tmp_path / "serve"


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Ask until the answer is true; the test fails after two minutes."""
    import time

    def ask(question: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 120
        while not (answer := question()):
            assert time.monotonic() < deadline, "it never became true"
            time.sleep(0.01)
        return answer

    return ask


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount a small file system here: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def _requests() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    n = 300
    return pl.DataFrame(
        {
            "flight": [f"F{number}" for number in range(n)],
            "scheduled": [START + timedelta(minutes=int(m)) for m in rng.integers(60, 60 * 24 * 7, n)],
            "origin": rng.choice(["EWR", "JFK"], n),
            "carrier": pl.Series(rng.choice(["UA", "AA", None], n).tolist(), dtype=pl.String),
            "distance": pl.Series(rng.integers(100, 3000, n), dtype=pl.Int64),
        }
    )


def _weather() -> pl.DataFrame:
    hours = [START + timedelta(hours=hour) for hour in range(24 * 7)]
    rows = {"origin": ["EWR", "JFK"] * len(hours), "hour": [hour for hour in hours for _ in range(2)]}
    rows["wind"] = [float(number % 24) for number in range(len(hours) * 2)]
    frame = pl.DataFrame(rows)
    return frame.with_columns((pl.col("hour") + timedelta(hours=1)).alias("_available_at")).sort(
        "_available_at", "origin"
    )


def _draft(
    base: Path,
    requests: pl.DataFrame,
    y: pl.Series,
    target: Target,
    *,
    view: str = "schedule",
    weather: pl.DataFrame | None = None,
) -> Draft:
    views = [_view(base, ViewSpec(view, f"pipeline:{view}", "request"))]
    if weather is not None:
        views.append(_view(base, ViewSpec("wind", "pipeline:weather", "weather", ("origin",), "hour", 3600.0)))
    features = FeatureSet.load(FeatureSpec(schema_of(requests), "scheduled", "flight", tuple(views)), base)
    rows = {} if weather is None else {"wind": weather}
    vectors = features.vectors(requests, rows)
    return Draft(
        model="delay",
        estimator=_pipeline(vectors, target.task).fit(vectors, y),
        target=target,
        threshold=0.5 if target.task == "binary" else None,
        features=features,
        requests=requests,
        vectors=vectors,
        views=rows,
        sources=project_sources(base, [spec.function for spec in views]),
    )


def _view(base: Path, spec: ViewSpec) -> ViewSpec:
    from dataclasses import replace

    return replace(spec, code=load_function(base, spec.function).code)


def _pipeline(vectors: pl.DataFrame, task: str) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in vectors.columns if name != "carrier"]
    encoder = ColumnTransformer(
        [("n", StandardScaler(), numbers), ("c", OneHotEncoder(handle_unknown="ignore"), ["carrier"])]
    )
    return make_pipeline(encoder, Ridge() if task == "regression" else LogisticRegression())
