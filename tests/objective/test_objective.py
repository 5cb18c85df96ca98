from pathlib import Path

import pytest
import toy

from penstock import Project
from penstock.errors import UsageError
from penstock.ledger import AuditEntry, Ledger
from penstock.objective import agreement, objective_digest, sheet, sign
from penstock.project import ProjectFile, load_project
from penstock.report import to_html, to_markdown


@pytest.fixture
def file(tmp_path: Path) -> ProjectFile:
    return load_project(toy.make_project(tmp_path, rows=1))


@pytest.fixture
def ledger(file: ProjectFile) -> Ledger:
    return Ledger.open(file.ledger_url, signing_key=file.signing_key)


def test_a_signature_holds_until_a_word_of_the_objective_changes(file: ProjectFile, ledger: Ledger) -> None:
    sign(ledger, file, name="ada", role="owner", note="agreed")
    with ledger.read() as reader:
        assert agreement(reader, file).signed
    changed = load_project(file.root, sets=["objective.costs.false_negative=11"])
    with ledger.read() as reader:
        now = agreement(reader, changed)
    assert not now.signed
    assert [old.name for old in now.outdated] == ["ada"]


def test_what_is_not_the_objective_needs_no_new_signature(file: ProjectFile) -> None:
    assert file.config.objective is not None
    changed = load_project(file.root, sets=["train.params.C=2.0", "monitor.window=1w"]).config.objective
    assert changed is not None
    assert objective_digest(changed) == objective_digest(file.config.objective)


def test_signing_twice_is_signing_once(file: ProjectFile, ledger: Ledger) -> None:
    first = sign(ledger, file, name="ada", role="owner")
    assert sign(ledger, file, name="ada", role="owner") == first
    assert sign(ledger, file, name=" ada ", role="owner ") == first
    with ledger.read() as reader:
        assert [entry.action for entry in reader.find(AuditEntry)] == ["objective.sign"]


def test_the_sheet_says_what_was_agreed(file: ProjectFile, ledger: Ledger) -> None:
    sign(ledger, file, name="ada", role="owner", note="with <operations>")
    with ledger.read() as reader:
        assert file.config.objective is not None
        page = sheet("parcels", file.config.objective, agreement(reader, file))
    text = to_markdown(page)
    for part in ("Customers wait", "A missed event costs: 10 EUR", "roc_auc | at least 0.7", "| ada | owner |"):
        assert part in text
    assert "cost_per_parcel (cost) | at most 3" in text
    assert "&lt;operations&gt;" in to_html(page)


def test_a_project_without_an_objective_says_how_to_write_one(tmp_path: Path) -> None:
    (tmp_path / "penstock.yaml").write_text("name: bare\n")
    with pytest.raises(UsageError, match="no objective") as caught:
        Project.open(tmp_path, actor="ada").objective.sign(role="owner")
    assert caught.value.hint is not None


def test_a_signature_names_a_role(file: ProjectFile, ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="needs a role"):
        sign(ledger, file, name="ada", role=" ")


def test_a_signature_names_a_person(file: ProjectFile, ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        sign(ledger, file, name="  ", role="owner")
