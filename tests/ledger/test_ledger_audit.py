import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.errors import Damaged, UsageError
from penstock.ledger import AuditEntry, Break, Ledger, verify_audit
from penstock.ledger.audit import Signing, remember, remembered
from penstock.signing import load_signer


@pytest.fixture
def trail(ledger):
    for number in range(1, 6):
        with ledger.write() as transaction:
            transaction.audit("promote", f"model:m@{number}", actor="ada", reason="é \0", payload={"auc": 0.1 * number})
    return ledger


def broken(ledger, **how):
    with ledger.read() as reader:
        return verify_audit(reader, **how).broken


def test_an_entry_comes_back_as_it_was_given(trail):
    with trail.write() as transaction:
        given = transaction.audit("rollback", "model:m@1", actor="bob", payload={"rows": (1, 2), "b": 1e22, "a": None})
        assert transaction.get(AuditEntry, seq=6) == given
    assert given.previous != given.digest


def test_a_whole_trail_is_whole(trail, signing_key):
    assert broken(trail, trusted=[load_signer(signing_key).public]) == ()
    with trail.read() as reader:
        assert verify_audit(reader).entries == 5
        assert verify_audit(reader).whole


@pytest.mark.parametrize(
    "change", ["reason = 'nicer'", "actor = 'eve'", "payload = '{}'", "at = '2020-01-01T00:00:00.000000+00:00'"]
)
def test_an_edited_entry_is_found(trail, tamper, change):
    tamper(f"UPDATE audit SET {change} WHERE seq = 3")
    assert broken(trail) == (Break(3, "was changed after it was signed"),)


def test_a_removed_entry_is_found(trail, tamper):
    tamper("DELETE FROM audit WHERE seq = 2")
    assert broken(trail) == (Break(2, "entry 2 is missing"),)


def test_a_removed_beginning_is_found(trail, tamper):
    tamper("DELETE FROM audit WHERE seq <= 3")
    assert broken(trail) == (Break(1, "entry 1 to 3 is missing"),)


def test_renumbering_does_not_hide_a_removal(trail, tamper):
    tamper("DELETE FROM audit WHERE seq = 2")
    for number in (3, 4, 5):
        tamper(f"UPDATE audit SET seq = {number - 1} WHERE seq = {number}")
    assert {found.seq for found in broken(trail)} == {2, 3, 4, 5}


def test_a_cut_off_end_is_found_by_whoever_wrote_it(trail, tamper, url):
    tamper("DELETE FROM audit WHERE seq >= 4")
    assert broken(trail) == (Break(5, "the end of the trail was cut off: this entry was written here and is gone"),)
    assert broken(Ledger.open(url)) == ()


def test_one_key_may_sign_several_ledgers(trail, tmp_path, signing_key):
    other = Ledger.open(f"sqlite:///{tmp_path}/other.db", signing_key=signing_key)
    with other.write() as transaction:
        transaction.audit("promote", "model:m@1", actor="ada")
    assert broken(other) == broken(trail) == ()


def test_the_end_is_remembered_when_the_project_moves(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    with Ledger.open(f"sqlite:///{before}/ledger.db", signing_key=before / "keys/signing").write() as transaction:
        transaction.audit("promote", "model:m@1", actor="ada")
    before.rename(after)
    with sqlite3.connect(after / "ledger.db") as connection:
        connection.execute("DELETE FROM audit")
    assert len(broken(Ledger.open(f"sqlite:///{after}/ledger.db", signing_key=after / "keys/signing"))) == 1


@pytest.fixture
def memory(trail, signing_key):
    (file,) = signing_key.parent.glob("*.audit")
    return file


@pytest.mark.parametrize("left", [b"", b'{"seq":', b"[]", b'{"seq": 5}', b"\xff"])
def test_a_damaged_memory_is_named_and_fails_no_decision(trail, memory, left):
    memory.write_bytes(left)
    with pytest.raises(Damaged, match="the end of the audit trail") as caught:
        broken(trail)
    assert str(memory) in str(caught.value)
    with trail.write() as transaction:
        transaction.audit("rollback", "model:m@1", actor="ada")
    assert broken(trail) == ()


def test_a_memory_that_cannot_be_written_fails_no_decision(trail, memory):
    memory.unlink()
    memory.mkdir()
    (memory / "file").touch()
    with trail.write() as transaction:
        transaction.audit("rollback", "model:m@1", actor="ada")
    with trail.read() as reader:
        assert reader.count(AuditEntry) == 6
    assert {file.suffix for file in memory.parent.iterdir()} == {"", ".audit"}


def test_the_latest_of_many_writers_is_remembered(trail, memory, signing_key):
    with trail.read() as reader:
        entries = reader.find(AuditEntry, order_by="seq")
    signing = Signing(signing_key, memory)
    for _ in range(20):
        memory.unlink()
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(remember, reversed(entries), [signing] * 5))
        assert remembered(memory).seq == 5


def test_an_emptied_trail_is_found(trail, tamper):
    tamper("DELETE FROM audit")
    assert [found.seq for found in broken(trail)] == [5]


def test_an_entry_forged_by_another_key_is_found(trail, tamper, tmp_path, url, signing_key):
    tamper("DELETE FROM audit WHERE seq = 5")
    stranger = Ledger.open(url, signing_key=tmp_path / "stranger")
    with stranger.write() as transaction:
        transaction.audit("promote", "model:evil@1", actor="ada")
    known = load_signer(signing_key).public
    assert [found.seq for found in broken(Ledger.open(url), trusted=[known])] == [5]
    assert broken(trail) == (Break(5, "is another entry than the one that was written here"),)


def test_who_signed_how_much_is_told(trail, signing_key, tmp_path, url):
    other = Ledger.open(url, signing_key=tmp_path / "other")
    with other.write() as transaction:
        transaction.audit("promote", "model:m@6", actor="ada")
    ours, theirs = load_signer(signing_key).public, load_signer(tmp_path / "other").public
    with trail.read() as reader:
        check = verify_audit(reader)
        strict = verify_audit(reader, trusted=[])
    assert (check.whole, check.own, check.signers) == (True, ours, {ours: 5, theirs: 1})
    assert strict.broken == (Break(6, f"signed by a key that is not trusted: {theirs}"),)
    assert broken(trail, trusted=[theirs]) == ()


def test_a_trail_that_was_signed_anew_with_another_key_is_found(trail, tamper, memory, tmp_path, url):
    tamper("DELETE FROM audit")
    memory.unlink()
    with Ledger.open(url, signing_key=tmp_path / "stranger").write() as transaction:
        transaction.audit("promote", "model:evil@1", actor="ada")
    assert [found.seq for found in broken(trail, trusted=[])] == [1]


def test_without_its_key_a_trail_is_not_trusted_and_no_key_is_made(trail, signing_key):
    signing_key.unlink()
    assert [found.seq for found in broken(trail, trusted=[])] == [1, 2, 3, 4, 5]
    assert not signing_key.exists()


def test_a_recomputed_digest_does_not_fit_its_signature(trail, tamper):
    from penstock.ledger.audit import digest_of

    with trail.read() as reader:
        edited = reader.get(AuditEntry, seq=5)._replace(reason="nicer")
    tamper(f"UPDATE audit SET reason = 'nicer', digest = '{digest_of(edited)}' WHERE seq = 5")
    assert Break(5, "the signature does not fit") in broken(trail)


def test_an_undone_decision_leaves_no_entry(trail):
    def fail(transaction):
        transaction.audit("promote", "model:m@9", actor="ada")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"), trail.write() as transaction:
        fail(transaction)
    assert broken(trail) == ()
    with trail.read() as reader:
        assert reader.count(AuditEntry) == 5


def test_several_entries_of_one_decision_follow_each_other(trail):
    with trail.write() as transaction:
        transaction.audit("retire", "model:m@5", actor="ada")
        transaction.audit("promote", "model:m@6", actor="ada")
    assert broken(trail) == ()


def test_a_ledger_without_a_key_cannot_sign(url):
    with pytest.raises(UsageError, match="without a signing key"), Ledger.open(url).write() as transaction:
        transaction.audit("promote", "m", actor="ada")


def test_payloads_that_are_not_json_are_refused(trail):
    with pytest.raises((TypeError, ValueError, UsageError)), trail.write() as transaction:
        transaction.audit("promote", "m", actor="ada", payload={"x": float("nan")})
    assert json.dumps([str(found) for found in broken(trail)]) == "[]"


def test_what_others_write_during_the_check_is_no_break(trail, monkeypatch):
    def slow(memory):
        known = remembered(memory)
        with trail.write() as transaction:
            transaction.audit("promote", "model:m@9", actor="bob")
        return known

    monkeypatch.setattr("penstock.ledger.audit_check.remembered", slow)
    for _ in range(3):
        assert broken(trail) == ()
