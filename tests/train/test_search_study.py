from typing import Any

import pytest

from penstock.errors import UsageError
from penstock.project import Train
from penstock.train.search import Aim, Choice, Limit, Space, Trial
from penstock.train.search.study import Study

FREE: dict[str, Any] = {"space": {"x": {"min": -4.0, "max": 4.0}, "y": {"min": -4.0, "max": 4.0}}}
AIM = Aim("loss", "minimise", (Limit("size at most 1", "size", "max", 1.0),))


def study(search: dict[str, Any] = FREE, *, first: Choice | None = None, aim: Aim = AIM) -> Study:
    train = Train.model_validate({"function": "p:fit", "search": {"pruner": "none", **search}})
    assert train.search
    return Study(Space.of(train), train.search, aim, first=first)


def trial(
    number: int, choice: Choice, status: str = "finished", folds: tuple[float, ...] = (), **metrics: float
) -> Trial:
    return Trial(number, number, str(number), status, choice, folds, metrics or None)


def loss(choice: Choice) -> dict[str, float]:
    x, y = choice.params["x"], choice.params["y"]
    return {"loss": (x - 1) ** 2 + (y + 2) ** 2, "size": abs(x)}


def played(one: Study, numbers: range) -> list[tuple[int, Choice, dict[str, float]]]:
    """Trials one after another."""
    done = []
    for number in numbers:
        choice = one.ask(number)
        assert choice
        one.tell(number, "finished", loss(choice))
        done.append((number, choice, loss(choice)))
    return done


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_seed_asks_for_the_same(sampler: str) -> None:
    one, other = (played(study({**FREE, "sampler": sampler}), range(15)) for _ in range(2))
    assert one == other
    assert one != played(study({**FREE, "sampler": sampler, "seed": 8}), range(15))


def test_a_search_that_was_broken_off_asks_for_what_it_would_have_asked_for() -> None:
    whole = played(study(), range(24))
    resumed = study()
    resumed.add(trial(number, choice, **metrics) for number, choice, metrics in whole[:16])
    assert played(resumed, range(16, 24)) == whole[16:]


def test_what_failed_and_what_was_pruned_is_remembered_too() -> None:
    one = study({**FREE, "pruner": "median"})
    choices = []
    for number, (status, folds) in enumerate([("finished", [1.0, 1.0]), ("failed", []), ("pruned", [9.0])]):
        choice = one.ask(number)
        assert choice
        choices.append(trial(number, choice, status, tuple(folds), **({"loss": 1.0} if status == "finished" else {})))
        for count in range(1, len(folds) + 1):
            one.report(number, folds[:count])
        one.tell(number, status, {"loss": 1.0, "size": 0.0} if status == "finished" else None)
    other = study({**FREE, "pruner": "median"})
    other.add(choices)
    assert other.ask(3) == one.ask(3)


def test_the_first_choice_can_be_told() -> None:
    first = Choice("fit", "everything", {"x": 0.5, "y": 0.25})
    assert study(first=first).ask(0) == first


def test_nothing_is_tried_twice_and_everything_once() -> None:
    small = {"space": {"x": {"values": [1, 2, 3]}, "y": {"min": 0, "max": 1}}}
    for sampler in ("tpe", "random", "grid"):
        one = study({**small, "sampler": sampler})
        asked = []
        while choice := one.ask(len(asked)):
            asked.append(choice)
            one.tell(len(asked) - 1, "finished", loss(choice))
        assert len(asked) == len({each.key for each in asked}) == 6


def test_a_grid_without_an_end_is_refused() -> None:
    with pytest.raises(UsageError, match="the grid has 100,000,000 combinations"):
        study({"space": {"x": {"min": 1, "max": 10**8}}, "sampler": "grid"}).ask(0)


def test_tpe_finds_what_random_does_not() -> None:
    """On a bowl, over five seeds, at the same budget."""
    best = {
        sampler: [
            min(
                metrics["loss"]
                for _, _, metrics in played(study({**FREE, "sampler": sampler, "seed": seed}), range(40))
            )
            for seed in range(5)
        ]
        for sampler in ("tpe", "random")
    }
    assert sum(best["tpe"]) < sum(best["random"])


def test_what_breaks_a_limit_is_searched_less() -> None:
    """The best place breaks the limit: within it is x = 1."""
    aim = Aim("loss", "minimise", (Limit("size at most 0.5", "size", "max", 0.5),))
    limited = played(study(aim=aim), range(40))[20:]
    free = played(study(aim=Aim("loss", "minimise")), range(40))[20:]
    kept, without = (sum(metrics["size"] <= 0.5 for _, _, metrics in each) for each in (limited, free))
    assert kept > without


@pytest.mark.parametrize("pruner", ["median", "halving", "wilcoxon"])
def test_a_trial_that_is_worse_in_every_fold_is_pruned_and_a_better_one_is_not(pruner: str) -> None:
    one = study({**FREE, "pruner": pruner})
    for number in range(8):
        assert one.ask(number)
        for count in range(1, 6):
            one.report(number, [1.0 + number / 100 + fold / 50 for fold in range(count)])
        one.tell(number, "finished", {"loss": 1.0 + number / 100, "size": 0.0})
    assert one.ask(8)
    assert one.ask(9)
    worse = [one.report(8, [9.0 + fold / 50 for fold in range(count)]) for count in range(1, 6)]
    better = [one.report(9, [0.5 + fold / 50 for fold in range(count)]) for count in range(1, 6)]
    assert any(worse)
    assert not any(better)
