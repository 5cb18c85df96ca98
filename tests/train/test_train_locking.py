from pathlib import Path

import pytest
from train.train_environments import environment, index, only, run_in, wheel
from train.train_toy import Toy

from penstock.ledger import Artifact
from penstock.train import find_run
from penstock.train.environment.capture import distributions
from penstock.train.environment.locking import LOCK, locked_here
from penstock.train.environment.uv import normal
from penstock.train.environment.wheels import origin

SCRIPT = """
import sys
from pathlib import Path
from penstock.train.environment import capture, locking
found = {name: each for name, each in capture.distributions().items() if name == "rounding"}
locking.distributions = lambda: found
made = locking.locked_here(Path(sys.argv[1]))
print([*made.wheels], made.text)
"""


def test_what_was_locked_once_is_not_locked_again(tmp_path: Path) -> None:
    one = wheel(tmp_path / "wheels", "rounding", "1.0", "")
    python = environment(tmp_path / "one", one)
    known = only(index(tmp_path / "index", one))
    first = run_in(python, SCRIPT, tmp_path, UV_CONFIG_FILE=known)
    assert first.startswith("[] rounding==1.0 ")
    gone = only(index(tmp_path / "empty"))
    assert run_in(python, SCRIPT, tmp_path, UV_CONFIG_FILE=gone) == first


def test_what_no_index_has_is_kept_as_a_wheel(tmp_path: Path) -> None:
    one = wheel(tmp_path / "wheels", "rounding", "1.0", "")
    told = run_in(environment(tmp_path / "one", one), SCRIPT, tmp_path, UV_CONFIG_FILE=only(index(tmp_path / "empty")))
    assert told.startswith("['rounding-1.0-py3-none-any.whl'] ")
    assert not (tmp_path / "locks").exists()  # an index may have it tomorrow


def test_without_uv_there_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.train.environment.uv.sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert locked_here(tmp_path) is None


def test_a_run_keeps_its_lock(trained: Toy) -> None:
    """Where uv can say the hashes: what it installed it remembers, so it can say them here."""
    with trained.ledger.read() as reader:
        run = find_run(reader, "1")
        artifact = reader.get(Artifact, run=run.id, name=LOCK)
        imported = reader.get(Artifact, run=run.id, name="imported.json")
    assert imported is not None
    assert {"numpy", "penstock", "polars", "scikit-learn"} <= {*trained.store.read_json(imported.digest)}
    if artifact is None:
        pytest.skip("uv knows no hashes here, and no index answers")
    text = trained.store.read_bytes(artifact.digest).decode()
    pinned = {line.split()[0] for line in text.splitlines() if line[0].isalnum()}
    assert pinned == {f"{normal(name)}=={each.version}" for name, each in distributions().items() if not origin(each)}
    assert text.count("--hash=sha256:") >= len(pinned)
