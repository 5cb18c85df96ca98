from pathlib import Path

import production
import pytest
import toy

from penstock import Project


@pytest.fixture(scope="session")
def promoted(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose model answers users. Copy it; do not change it."""
    return production.put_in_production(trained, tmp_path_factory.mktemp("promoted") / "parcels")


@pytest.fixture
def live(promoted: Path, tmp_path: Path) -> Project:
    """A copy of it, open as ada."""
    return Project.open(toy.copy_project(promoted, tmp_path / "live"), actor="ada")


@pytest.fixture(scope="session")
def challenged(promoted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In production with bad numbers, and a candidate that passed waits: a tick has all but the promotion to do."""
    root = toy.copy_project(promoted, tmp_path_factory.mktemp("challenged") / "parcels")
    project = Project.open(root, actor="ada")
    toy.write_parcels(root, "parcels-2.csv", production.february(200))
    assert project.run().version is not None
    rows = production.february(24)
    production.log(project, [*production.answer(project, rows), *production.outcomes(rows)])
    return root


@pytest.fixture
def challenge(challenged: Path, tmp_path: Path) -> Project:
    """A copy of it, open as ada."""
    return Project.open(toy.copy_project(challenged, tmp_path / "challenge"), actor="ada")
