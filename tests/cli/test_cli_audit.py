"""`penstock audit`: whose keys signed is told, and a stranger's in the project's own ledger is a break."""

from pathlib import Path

from cli.command import invoke

from penstock import Project
from penstock.ledger import Ledger
from penstock.signing import load_signer


def test_a_strangers_entry_is_a_break_until_somebody_knows_the_key(project: Project, tmp_path: Path) -> None:
    project.objective.sign(role="owner", note="agreed")
    root = project._workspace.project.root
    whole = invoke("audit", "verify", "-C", root)
    assert whole.exit_code == 0
    assert "1 signature by this project's key" in whole.stdout

    key = tmp_path / "stranger"
    with Ledger.open(project._workspace.project.ledger_url, signing_key=key).write() as transaction:
        transaction.audit("promote", "parcels@666", actor="alice")
    found = invoke("audit", "verify", "-C", root)
    public = load_signer(key).public
    assert found.exit_code == 1
    assert f"1 signature by {public}, another key" in found.stdout
    assert "next: penstock audit verify --trust KEY" in found.stdout

    known = invoke("audit", "verify", "-C", root, "--trust", public)
    assert known.exit_code == 0
    assert f"{public}, a key that is trusted here" in known.stdout
