from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.project import Dimension, Train
from penstock.train.search.space import Choice, Space, decoded, distribution, encoded, holds

TREES: dict[str, Any] = {"depth": {"min": 2, "max": 9}, "rate": {"min": 0.01, "max": 0.3, "log": True}}
TWO: dict[str, Any] = {
    "space": TREES,
    "algorithms": {
        "linear": {"function": "pipeline:line", "params": {"tol": 1e-3}, "space": {"C": {"min": 0.1, "max": 9.0}}}
    },
    "feature_sets": {"all": [], "no_weather": ["weather"]},
}


def train(search: dict[str, Any], **fields: Any) -> Train:
    return Train.model_validate({"function": "pipeline:fit", "search": search, **fields})


def choices(space: Space, count: int = 40) -> list[Choice]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [space.suggest(study.ask()) for _ in range(count)]


def test_a_parameter_is_chosen_only_for_its_algorithm() -> None:
    found = choices(Space.of(train(TWO, params={"max_iter": 100, "depth": 3})))
    assert {one.algorithm for one in found} == {"fit", "linear"}
    assert {one.features for one in found} == {"all", "no_weather"}
    for one in found:
        expected = {"max_iter", "depth", "rate"} if one.algorithm == "fit" else {"tol", "C"}
        assert {*one.params} == expected


def test_values_keep_their_kind() -> None:
    values = [None, True, 1, "1", [64, 32]]
    found = choices(Space.of(train({"space": {"x": {"values": values}}})), 60)
    assert {repr(one.params["x"]) for one in found} == {repr(value) for value in values}


def test_whole_numbers_are_whole_when_both_ends_are() -> None:
    (one, *_) = choices(Space.of(train({"space": {"n": {"min": 1, "max": 9}, "x": {"min": 1.0, "max": 9}}})))
    assert isinstance(one.params["n"], int)
    assert isinstance(one.params["x"], float)


@given(st.sampled_from([{}, {"step": 2}, {"log": True}]), st.integers(1, 5), st.integers(3, 20))
def test_what_the_sampler_draws_is_in_the_space_and_can_be_told_to_it_again(
    shape: dict[str, Any], least: int, steps: int
) -> None:
    space = Space.of(train({"space": {"n": {"min": least, "max": least + 2 * steps, **shape}}}))
    for choice in choices(space, 5):
        drawn = space.drawn(choice)
        assert drawn is not None
        values, distributions = drawn
        assert values == choice.params
        assert distributions["n"]._contains(values["n"])


def test_what_is_not_in_the_space_cannot_be_told_to_the_sampler() -> None:
    space = Space.of(train({"space": {"depth": {"min": 2, "max": 8, "step": 2}}}))
    for depth in (1, 3, 9, 2.0, True, None):
        assert space.drawn(Choice("fit", "everything", {"depth": depth})) is None
    assert space.drawn(Choice("fit", "everything", {"depth": 8})) is not None
    assert space.drawn(Choice("other", "everything", {"depth": 8})) is None


@pytest.mark.parametrize("value", [None, True, 1, 0.5, "a", [1, 2], {"a": [1]}])
def test_a_value_comes_back_as_the_one_of_the_project_file(value: Any) -> None:
    dimension = Dimension(values=(value, "another"))
    assert holds(dimension, value)
    assert decoded(dimension, encoded(dimension, value)) == value
    assert distribution(dimension)


def test_the_present_parameters_are_a_choice_when_they_are_in_the_space() -> None:
    space = Space.of(now := train({"space": TREES}, params={"depth": 4, "rate": 0.1, "max_iter": 50}))
    assert space.present(now) == Choice("fit", "everything", {"depth": 4, "rate": 0.1, "max_iter": 50})
    outside = train({"space": TREES}, params={"depth": 40, "rate": 0.1})
    assert Space.of(outside).present(outside) is None
    lacking = train({"space": TREES}, params={"depth": 4})
    assert Space.of(lacking).present(lacking) is None


def test_the_present_features_are_found_among_the_sets() -> None:
    now = train(TWO, params={"depth": 3, "rate": 0.1}, without=["weather"])
    present = Space.of(now).present(now)
    assert present
    assert present.features == "no_weather"


def test_equal_choices_have_one_key() -> None:
    one, other = Choice("a", "b", {"x": 1, "y": 2}), Choice("a", "b", {"y": 2, "x": 1})
    assert one.key == other.key
    assert one.key != Choice("a", "b", {"x": 1, "y": 3}).key
