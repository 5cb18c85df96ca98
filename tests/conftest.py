"""Fixtures that many tests share."""

from pathlib import Path

import pytest
import toy
from hypothesis import HealthCheck, settings

from penstock import Project
from penstock.bundle.openmp import provide

# How long something takes on a machine that others use too is no property.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

provide()  # as the product does before it loads a model: tests import LightGBM on slim systems too


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
