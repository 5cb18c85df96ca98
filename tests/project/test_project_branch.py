import subprocess
from pathlib import Path

import pytest

from penstock.errors import ConfigError, UsageError
from penstock.project import load_project
from penstock.project.branch import branch_of


def git(directory: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--initial-branch", "master")
    git(tmp_path, "commit", "--allow-empty", "-m", "first")
    return tmp_path


def test_the_branch_is_that_of_the_checkout_and_the_default_one_is_main(repository) -> None:
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    assert branch_of(below, "git") == "main"
    git(repository, "switch", "--create", "fix/late-flights")
    assert branch_of(below, "git") == "fix/late-flights"
    git(repository, "switch", "--detach")
    assert branch_of(below, "git") == "main"


def test_a_worktree_has_a_branch_of_its_own(repository) -> None:
    git(repository, "worktree", "add", "-b", "other", "elsewhere")
    assert (repository / "elsewhere" / ".git").is_file()
    assert branch_of(repository / "elsewhere", "git") == "other"
    assert branch_of(repository, "git") == "main"


def test_no_git_is_main(tmp_path) -> None:
    assert branch_of(tmp_path, "git") == "main"


def test_refs_that_cannot_be_read_are_told(repository) -> None:
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/.invalid\n")  # as Git does with reftables
    with pytest.raises(UsageError, match="reftable"):
        branch_of(repository, "git")
    assert branch_of(repository, "main") == "main"


def test_the_project_file_pins_the_branch(repository) -> None:
    git(repository, "switch", "--create", "work")
    file = repository / "penstock.yaml"
    file.write_text("name: lab\n")
    assert load_project(repository).branch == "work"
    file.write_text("name: lab\ndata: {branch: production}\n")
    assert load_project(repository).branch == "production"
    file.write_text("name: lab\ndata: {branch: two words}\n")
    with pytest.raises(ConfigError, match="branch"):
        load_project(repository)
