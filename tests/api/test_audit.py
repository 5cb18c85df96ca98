"""Who may sign the audit trail of a project."""

from pathlib import Path

import pytest
import toy

from penstock import Project
from penstock.ledger import Ledger
from penstock.signing import load_signer


def project(place: Path, ledger: str | None = None) -> Project:
    """A project with one decision of its own and one that was appended with another key in the same name."""
    root = toy.make_project(place, rows=1)
    opened = Project.open(root, actor="alice", sets=[f"ledger={ledger}"] if ledger else [])
    opened.objective.sign(role="owner")
    with Ledger.open(opened._workspace.project.ledger_url, signing_key=place / "stranger").write() as transaction:
        transaction.audit("promote", "parcels@1", actor="alice")
    return opened


@pytest.mark.parametrize("ledger", [None, "sqlite:///{}/project/audit.db"])
def test_in_its_own_ledger_only_the_project_signs(tmp_path: Path, ledger: str | None) -> None:
    opened = project(tmp_path / "project", ledger and ledger.format(tmp_path))
    stranger = load_signer(tmp_path / "project" / "stranger").public
    check = opened.audit.verify()
    assert [found.seq for found in check.broken] == [2]
    assert stranger in check.broken[0].why
    assert opened.audit.verify(trusted=[stranger]).whole


def test_in_a_shared_ledger_any_key_signs_and_is_told(tmp_path: Path) -> None:
    opened = project(tmp_path / "project", f"sqlite:///{tmp_path}/shared.db")
    stranger = load_signer(tmp_path / "project" / "stranger").public
    check = opened.audit.verify()
    assert check.whole
    assert check.own is not None
    assert check.signers == {check.own: 1, stranger: 1}
    assert not opened.audit.verify(trusted=["0" * 64]).whole
