import pytest
from train.train_toy import Toy, toy


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A project trained twice, the second time for an objective, whose sources are different now."""
    project = toy(tmp_path_factory.mktemp("trained") / "toy")
    project.train()
    project.train(objective="f" * 64)
    (project.root / "pipeline.py").write_text("raise SystemExit('not what was recorded')")
    (project.root / "steps.py").unlink()
    return project
