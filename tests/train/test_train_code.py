import subprocess
from pathlib import Path

import pytest

from penstock.errors import Damaged
from penstock.store import Store
from penstock.train.code import commit_of, git_state, keep, snapshot, unpack


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two modules of which one is imported, and one that nothing needs."""
    root = tmp_path / "repository" / "project"
    root.mkdir(parents=True)
    (root / "pipeline.py").write_text("import helper\n\n\ndef fit(X, y, *, seed):\n    return helper.model(seed)\n")
    (root / "helper.py").write_text("def model(seed):\n    return seed\n")
    (root / "other.py").write_text("")
    return root


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


def test_the_sources_come_back_as_they_were(project: Path, store: Store, tmp_path: Path) -> None:
    code = snapshot(project, ["pipeline:fit"], store)
    (project / "helper.py").write_text("changed")
    unpack(store, code.digest, tmp_path / "clean")
    assert sorted(file.name for file in (tmp_path / "clean").iterdir()) == ["helper.py", "pipeline.py"]
    assert "return seed" in (tmp_path / "clean" / "helper.py").read_text()


def test_the_digest_is_of_what_is_needed(project: Path, store: Store) -> None:
    before = snapshot(project, ["pipeline:fit"], store).digest
    (project / "other.py").write_text("changed")
    assert snapshot(project, ["pipeline:fit"], store).digest == before
    (project / "helper.py").write_text("def model(seed):\n    return -seed\n")
    assert snapshot(project, ["pipeline:fit"], store).digest != before


def test_what_was_committed_later_is_found(project: Path, store: Store) -> None:
    code = snapshot(project, ["pipeline:fit"], store).digest
    assert commit_of(project, code, store) is None
    git(project.parent, "init", "--quiet")
    git(project.parent, "add", "project/pipeline.py")
    git(project.parent, "commit", "--quiet", "--message", "half of it")
    assert commit_of(project, code, store) is None
    git(project.parent, "add", "--all")
    git(project.parent, "commit", "--quiet", "--message", "all of it")
    assert commit_of(project, code, store) == git(project.parent, "rev-parse", "HEAD")
    (project / "helper.py").write_text("def model(seed):\n    return -seed\n")
    assert commit_of(project, snapshot(project, ["pipeline:fit"], store).digest, store) is None


def test_a_damaged_source_is_not_run(project: Path, store: Store, tmp_path: Path) -> None:
    digest = keep({"pipeline.py": project / "pipeline.py"}, store)
    blob = store.blobs.location(store.read_json(digest)["pipeline.py"])
    blob.chmod(0o644)
    blob.write_text("import os")
    with pytest.raises(Damaged):
        unpack(store, digest, tmp_path / "clean")


def test_a_list_of_sources_cannot_leave_its_directory(project: Path, store: Store, tmp_path: Path) -> None:
    digest = keep({"../escaped.py": project / "pipeline.py"}, store)
    with pytest.raises(Damaged, match="outside"):
        unpack(store, digest, tmp_path / "clean")
    assert not (tmp_path / "escaped.py").exists()


def test_without_git_there_is_no_commit(project: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(project) == (None, None)
    git(project.parent, "init", "-q")
    assert git_state(project) == (None, None)  # nothing committed yet
    monkeypatch.setenv("PATH", "")
    code = snapshot(project, ["pipeline:fit"], store)
    assert (code.commit, code.patch) == (None, None)


def test_a_dirty_file_is_kept_as_a_patch_that_applies(project: Path, store: Store, tmp_path: Path) -> None:
    repository = project.parent
    (repository / "elsewhere.txt").write_text("before\n")
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "first")
    assert snapshot(project, ["pipeline:fit"], store).patch is None
    (repository / "elsewhere.txt").write_text("after\n")
    (project / "helper.py").write_text("def model(seed):\n    return -seed\n")
    code = snapshot(project, ["pipeline:fit"], store)
    assert code.commit == git(repository, "rev-parse", "HEAD")
    assert code.patch is not None
    assert b"elsewhere" not in store.read_bytes(code.patch)
    git(tmp_path, "clone", "-q", str(repository), "clone")
    git(tmp_path / "clone", "apply", str(store.path(code.patch)))
    assert (tmp_path / "clone/project/helper.py").read_text() == (project / "helper.py").read_text()


def test_a_hook_of_another_repository_does_not_misdirect(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(project.parent, "init", "-q")
    git(project.parent, "add", "-A")
    git(project.parent, "commit", "-q", "-m", "first")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    commit, patch = git_state(project)
    assert commit is not None
    assert not patch
