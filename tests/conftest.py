"""Fixtures that many tests share."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import toy
from hypothesis import HealthCheck, settings
from services import s3_server

from penstock import Project
from penstock.bundle.openmp import provide

# How long something takes on a machine that others use too is no property.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

provide()  # as the product does before it loads a model: tests import LightGBM on slim systems too


_prefixes = count(1)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A running S3 server with the bucket `lake`."""
    with s3_server("lake") as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty prefix of a bucket, `s3://lake/NUMBER`, that the environment has endpoint and keys for."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ada")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key of ada")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ALLOW_HTTP", raising=False)
    return f"s3://lake/{next(_prefixes)}"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after its first run: one candidate that passed its gates. Copy it; do not change it."""
    root = toy.make_project(tmp_path_factory.mktemp("trained") / "parcels")
    turn = Project.open(root, actor="ada").run()
    assert turn.evaluation is not None
    assert turn.evaluation.verdict == "PASS", turn.lacks
    return root


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Project:
    """A copy of the trained project, open as ada."""
    return Project.open(toy.copy_project(trained, tmp_path / "parcels"), actor="ada")
