import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from penstock.ids import new_id, new_ids, time_of


def test_ids_are_uuids_of_version_7_that_no_other_has():
    made = [*new_ids(1000), *(new_id() for _ in range(100))]

    assert len(set(made)) == 1100
    assert {(UUID(each).version, UUID(each).variant) for each in made} == {(7, "specified in RFC 4122")}
    assert new_ids(0) == []


def test_the_time_of_an_id_is_when_it_was_made():
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = new_ids(3)

    assert all(before <= time_of(each) <= datetime.now(UTC) for each in made)


def test_a_later_id_sorts_behind():
    earlier = new_id()
    time.sleep(0.002)

    assert earlier < new_id()


@pytest.mark.parametrize("wrong", ["", "abc", "0" * 32, "z" * 12 + "7" + "0" * 19])
def test_what_is_no_id_has_no_time(wrong):
    with pytest.raises(ValueError, match=r"not an identifier|invalid literal"):
        time_of(wrong)
