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
