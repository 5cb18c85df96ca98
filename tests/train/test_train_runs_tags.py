import pytest
from train.train_runs import add_run

from penstock.errors import UsageError
from penstock.ledger import Ledger, Tag
from penstock.train.runs import tag_run


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(f"sqlite:///{tmp_path}/ledger.db")


def test_tags_are_given_changed_and_taken_away(ledger):
    run = add_run(ledger, 1)
    assert tag_run(ledger, run, {"team": "core", "note": "a=b"}) == (
        Tag("run-1", "note", "a=b"),
        Tag("run-1", "team", "core"),
    )
    assert tag_run(ledger, run, {"team": "growth"}, remove=["note"]) == (Tag("run-1", "team", "growth"),)


def test_a_tag_that_is_not_there_changes_nothing(ledger):
    run = add_run(ledger, 1, tags={"team": "core"})
    with pytest.raises(UsageError, match="did you mean 'team'"):
        tag_run(ledger, run, {"new": "x"}, remove=["tem"])
    assert tag_run(ledger, run, {}) == (Tag("run-1", "team", "core"),)


def test_a_tag_needs_a_name(ledger):
    with pytest.raises(UsageError, match="a name"):
        tag_run(ledger, add_run(ledger, 1), {" ": "x"})
