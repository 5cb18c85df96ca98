from datetime import UTC, date, datetime, time, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from penstock.bundle import Target
from penstock.monitor.compaction import _text
from penstock.monitor.measures import (
    Judge,
    Measure,
    feature_drift,
    merged,
    quality,
    sample_of,
    score_drift,
    score_table,
    service,
    vectors_of,
)
from penstock.project import Costs
from penstock.stats import Profile, drift
from penstock.validate import METRICS

BINARY = Target("late", "binary", True, (False, True))


def numbers(measures: object) -> dict[tuple[str, str], float]:
    return {(one.metric, one.subject): one.value for one in measures}  # type: ignore[attr-defined]


def answered(scores: list[float], truths: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"score": scores, "truth": pl.Series(truths, dtype=pl.String), "latency_us": [1000] * len(scores)}
    )


def test_volume_latency_and_labels() -> None:
    rows = pl.DataFrame({"latency_us": [1000, 2000, 3000, 10_000], "truth": ["true", None, None, "false"]})
    found = numbers(service(rows))
    assert found[("volume", "")] == 4
    assert found[("labelled", "")] == 0.5
    assert found[("latency_p50", "")] == 2.5
    assert found[("latency_p95", "")] == pytest.approx(np.percentile([1, 2, 3, 10], 95))


def test_drift_is_measured_against_training() -> None:
    random = np.random.default_rng(1)
    training = pl.DataFrame({"same": random.normal(size=4000), "moved": random.normal(size=4000)})
    window = pl.DataFrame({"same": random.normal(size=900), "moved": random.normal(size=900) + 1})
    window = window.with_columns(same=pl.when(pl.int_range(pl.len()) < 90).then(None).otherwise("same"))
    reference = Profile.build(training)
    found = numbers(feature_drift(reference, Profile.build(window, reference)))
    assert found[("missing_rate", "same")] == 0.1
    assert found[("missing_rate", "moved")] == 0
    assert found[("psi", "moved")] > 0.5
    assert found[("psi", "moved")] > found[("psi", "same")] >= 0


def test_scores_drift_too() -> None:
    random = np.random.default_rng(1)
    reference = Profile.build(pl.DataFrame({"score_0": random.random(4000)}))
    (still,) = score_drift(reference, pl.DataFrame({"score_0": random.random(500)}))
    (moved,) = score_drift(reference, pl.DataFrame({"score_0": random.random(500) / 2}))
    assert (still.metric, still.subject, still.n) == ("score_psi", "", 500)
    assert still.value < 0.05 < 0.3 < moved.value


def test_what_chance_explains_is_no_drift() -> None:
    """Forty rows of the training distribution have a psi above 0.1 in one window of ten."""
    random = np.random.default_rng(1)
    reference = Profile.build(pl.DataFrame({"x": random.normal(size=4000)}))

    def window(values: object) -> Profile:
        return Profile.build(pl.DataFrame({"x": values}), reference)

    windows = [window(random.normal(size=40)) for _ in range(300)]
    alone = [drift(reference.columns["x"], one.columns["x"]).debiased > 0.1 for one in windows]
    judged = [numbers(feature_drift(reference, one))[("psi", "x")] > 0.1 for one in windows]
    assert sum(alone) > 15
    assert sum(judged) < 6
    assert numbers(feature_drift(reference, window([5.0] * 40)))[("psi", "x")] > 1


def test_vectors_come_back_as_the_model_saw_them() -> None:
    columns = {
        "number": pl.Series([1.5, float("nan"), None, float("-inf")]),
        "count": pl.Series([1, None, 2**62, -3], dtype=pl.Int64),
        "small": pl.Series([0.5, None, 1.25, 2.0], dtype=pl.Float32),
        "flag": pl.Series([True, None, False, True]),
        "text": pl.Series(["a", None, "ü\n", ""]),
        "level": pl.Series(["x", "y", None, "x"], dtype=pl.Enum(["x", "y"])),
        "moment": pl.Series([datetime(2024, 1, 1, 12, 30, 0, 7), None, None, datetime(1960, 1, 1)]),
        "aware": pl.Series([datetime(2024, 1, 1, tzinfo=UTC), None, None, None], dtype=pl.Datetime("us", "UTC")),
        "day": pl.Series([date(2024, 1, 1), None, None, None], dtype=pl.Date),
        "hour": pl.Series([time(10, 30), None, None, None], dtype=pl.Time),
        "wait": pl.Series([timedelta(hours=1.5), None, timedelta(0), None], dtype=pl.Duration("us")),
    }  # fmt: skip
    vectors = pl.DataFrame(columns)
    logged = msgspec.msgpack.decode(msgspec.msgpack.encode(vectors.to_dicts()))
    found = vectors_of([_text(row) for row in logged], list(vectors.schema.items()))
    assert found.equals(vectors)
    assert found.schema == vectors.schema


def test_a_feature_that_was_not_logged_is_missing() -> None:
    assert vectors_of(["{}"], [("a", pl.Float64())])["a"].to_list() == [None]


def test_quality_is_that_of_the_labelled_rows() -> None:
    rows = answered([0.9, 0.2, 0.6, 0.1, 0.5], ["true", "0", "1", None, "perhaps"])
    judge = Judge(BINARY, 0.3, Costs(false_negative=10, false_positive=2))
    sample = sample_of(rows, judge)
    assert (sample.y.tolist(), sample.scores.tolist()) == ([1, 0, 1], [0.9, 0.2, 0.6])
    assert sample.threshold == 0.3
    assert list(quality(METRICS["roc_auc"], sample)) == [Measure("roc_auc", "", 1.0, 3)]
    assert list(quality(METRICS["cost"], sample)) == [Measure("cost", "", 0.0, 3)]


def test_a_threshold_of_zero_is_a_threshold() -> None:
    assert sample_of(answered([0.1], ["true"]), Judge(BINARY, 0.0, None)).threshold == 0


def test_what_is_not_defined_is_not_measured() -> None:
    sample = sample_of(answered([0.9, 0.2], ["true", "true"]), Judge(BINARY, 0.5, None))
    assert list(quality(METRICS["roc_auc"], sample)) == []


def test_several_classes() -> None:
    target = Target("kind", "multiclass", None, ("long", 2, "short"))
    texts = ['{"long":0.7,"2":0.2,"short":0.1}', '{"short":1.0}', '{"2":0.9,"long":0.1}']
    rows = pl.DataFrame({"score": [0.7, 1.0, 0.9], "probabilities": texts, "truth": ["long", "2", "new"]})
    sample = sample_of(rows, Judge(target, None, None))
    assert sample.y.tolist() == [0, 1, -1]
    assert sample.scores.tolist() == [[0.7, 0.2, 0.1], [0, 0, 1], [0.1, 0.9, 0]]
    assert score_table(rows, target).columns == ["score_0", "score_1", "score_2"]


def test_a_regression_keeps_every_digit() -> None:
    sample = sample_of(
        answered([1.0, 2.0], ["1.0000000000000002", "late"]), Judge(Target("d", "regression"), None, None)
    )
    assert sample.y.tolist() == [1.0000000000000002]


def test_measures_of_several_models_weigh_by_their_rows() -> None:
    parts = [Measure("psi", "a", 0.1, 30), Measure("psi", "a", 0.5, 10), Measure("psi", "b", 1.0, 10)]
    assert list(merged(parts)) == [Measure("psi", "a", pytest.approx(0.2), 40), Measure("psi", "b", 1.0, 10)]
