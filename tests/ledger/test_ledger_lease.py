import time
from datetime import timedelta

import pytest

from penstock.errors import Conflict
from penstock.ledger import Lease, hold_lease, utc_now


def test_only_one_holds_a_lease(ledger):
    with hold_lease(ledger, "tick"):
        with pytest.raises(Conflict, match="is being done by"), hold_lease(ledger, "tick"):
            pass
        with hold_lease(ledger, "another"):
            pass


def test_a_lease_that_is_given_back_leaves_nothing(ledger):
    with hold_lease(ledger, "tick"):
        pass
    with ledger.read() as reader:
        assert reader.count(Lease) == 0
    with hold_lease(ledger, "tick"):
        pass


def test_a_lease_is_given_back_when_the_block_raises(ledger):
    with pytest.raises(RuntimeError, match="crash"), hold_lease(ledger, "tick"):
        raise RuntimeError("crash")
    with hold_lease(ledger, "tick"):
        pass


def test_a_lease_is_renewed_while_it_is_held(ledger):
    with hold_lease(ledger, "tick", seconds=0.3) as lease:
        time.sleep(0.8)
        with ledger.read() as reader:
            assert reader.get(Lease, name="tick").expires_at > lease.expires_at
        with pytest.raises(Conflict), hold_lease(ledger, "tick"):
            pass


def test_a_lease_that_ran_out_is_taken_over(ledger):
    with ledger.write() as transaction:
        transaction.add(Lease("tick", "elsewhere/pid:[1]/7/abc", 4, utc_now() - timedelta(seconds=1)))
    with hold_lease(ledger, "tick") as lease:
        assert lease.token == 5


def test_a_holder_on_another_machine_is_believed_alive(ledger):
    with ledger.write() as transaction:
        transaction.add(Lease("tick", "elsewhere/pid:[1]/999999999/abc", 4, utc_now() + timedelta(minutes=1)))
    with pytest.raises(Conflict, match="elsewhere"), hold_lease(ledger, "tick"):
        pass


def test_who_lost_a_lease_is_told(ledger):
    with pytest.raises(Conflict, match="was lost"), hold_lease(ledger, "tick"), ledger.write() as transaction:
        assert transaction.change(Lease, {"name": "tick"}, expect={"token": 1}, token=2, holder="another")
    with ledger.read() as reader:
        assert reader.get(Lease, name="tick").holder == "another"


@pytest.mark.parametrize("seconds", [0.1, 60])
def test_an_old_holder_leaves_alone_what_was_taken_given_back_and_taken_again(ledger, seconds):
    """Then the token is what it was."""
    later = Lease("tick", "another", 1, utc_now() + timedelta(minutes=1))
    with pytest.raises(Conflict, match="was lost"), hold_lease(ledger, "tick", seconds=seconds):
        pass_to(ledger, later)
    with ledger.read() as reader:
        assert reader.get(Lease, name="tick") == later


def pass_to(ledger, lease):
    with ledger.write() as transaction:
        transaction.put(lease)
    time.sleep(0.2)
