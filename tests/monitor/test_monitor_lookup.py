from hypothesis import given
from hypothesis import strategies as st
from production import answer, february, log, parts, told

from penstock import Project
from penstock.ids import new_id
from penstock.monitor import find_prediction, predictions
from penstock.monitor.lookup import newest
from penstock.store import Part

BOUNDS = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted)


def test_the_newest_predictions_with_their_truth(live: Project) -> None:
    rows = february(30)
    answers = sorted(answer(live, rows), key=lambda record: record.id)
    log(live, answers[10:])
    log(live, answers[:10])  # another worker's segment, read later
    log(live, [told(True, prediction=answers[-1].id), told(False, key=answers[-2].key)])
    found = predictions(*parts(live), limit=5)
    assert found["id"].to_list() == [record.id for record in reversed(answers[-5:])]
    assert found["truth"].to_list() == ["true", "false", None, None, None]
    assert live.monitor.predictions(limit=500).height == 30


def test_before_the_first_prediction(live: Project) -> None:
    assert live.monitor.predictions().is_empty()
    assert find_prediction(*parts(live), new_id()) is None


def test_one_prediction_whole(live: Project) -> None:
    rows = february(4)
    answers = answer(live, rows)
    log(live, [*answers, told(True, key=answers[2].key)])
    found = find_prediction(*parts(live), answers[2].id)
    assert found is not None
    assert found["request"]["parcel_id"] == answers[2].key
    assert found["vector"] == answers[2].vector
    assert (found["model"], found["truth"]) == ("parcels@1", "true")
    assert found["logged_in"].startswith("predictions.parcels@")
    assert find_prediction(*parts(live), new_id()) is None
    assert find_prediction(*parts(live), "not an id") is None


@given(st.lists(BOUNDS, min_size=1, max_size=12), st.integers(1, 40))
def test_the_newest_ids_are_in_the_newest_parts(bounds: list[list[int]], limit: int) -> None:
    """Parts overlap where several workers wrote at once; each holds its bounds and everything between."""
    held = [[f"{n:03}" for n in range(low, high + 1)] for low, high in bounds]
    parts = [
        Part(str(at), len(ids), 0, {"id": {"nulls": 0, "min": ids[0], "max": ids[-1]}}) for at, ids in enumerate(held)
    ]
    chosen = newest(parts, limit)
    all_ids = sorted((name for ids in held for name in ids), reverse=True)[:limit]
    found = sorted((name for part in chosen for name in held[int(part.digest)]), reverse=True)[:limit]
    assert found == all_ids
