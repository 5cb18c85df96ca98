from datetime import datetime, timedelta

import polars as pl
import pytest

from penstock.bundle import FeatureSet, FeatureSpec
from penstock.data import TARGET, TrainingSet, load_holdout, load_train, training_set
from penstock.errors import UsageError

PIPELINE = """\
import polars as pl

def calendar(requests):
    return requests.select(hour=pl.col("scheduled").dt.hour())

def weather(rows):
    return rows.select("origin", "hour", "temp")

def fit(X, y, *, seed):
    return None
"""
FEATURES = """\
  features:
    calendar: {function: "pipeline:calendar", from: request}
    weather: {function: "pipeline:weather", from: weather, entity: origin, time: hour, available: 1h}
"""
START = datetime(2013, 1, 1)


def rows(count: int = 50) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": range(count),
            "scheduled": [START + timedelta(hours=n) for n in range(count)],
            "origin": ["EWR", "JFK"] * (count // 2),
            "late": [None if n % 10 == 9 else n % 3 == 0 for n in range(count)],
            "arrival": ["known too late"] * count,
        }
    )


@pytest.fixture
def made(lab):
    """A training set from frames and settings."""

    def make(
        examples: pl.DataFrame,
        *,
        target: str = "{column: late, task: binary, positive: true}",
        holdout: str = "last 20%",
        request: str = "[id, scheduled, origin]",
        features: str = "",
        since: str = "",
    ) -> TrainingSet:
        lab.write("pipeline.py", PIPELINE)
        examples.write_parquet(lab.root / "flights.parquet")
        hours = [START + timedelta(hours=n - 5) for n in range(60)]
        pl.DataFrame({"origin": ["EWR"] * 60, "hour": hours, "temp": [float(n) for n in range(60)]}).write_parquet(
            lab.root / "weather.parquet"
        )
        lab.datasets = {"flights": "{source: flights.parquet}", "weather": "{source: weather.parquet}"}
        lab.more = (
            f"  examples: flights\n  request: {request}\n  key: id\n  time: scheduled\n{features}"
            f"train: {{function: 'pipeline:fit', holdout: {holdout}{since}}}\n"
            f"objective: {{problem: p, decision: d, owner: o, target: {target}}}\n"
        )
        commits = {name: lab.ingest(name).commit for name in lab.datasets}
        return training_set(lab.project, lab.store, commits, examples="flights")

    return make


def test_train_holds_features_and_the_holdout_raw_requests(made, lab) -> None:
    result = made(rows(), features=FEATURES)
    X, y = load_train(lab.store, result.train)
    requests, labels = load_holdout(lab.store, result.holdout, "late")
    assert (X.columns, y.name) == (["hour", "temp"], TARGET)
    assert (requests.columns, labels.name) == (["id", "scheduled", "origin"], "late")
    assert (result.train_rows, result.holdout_rows, result.unlabelled) == (X.height, requests.height, 5) == (36, 9, 5)


def test_stored_features_are_what_was_known_then(made, lab) -> None:
    X, _ = load_train(lab.store, made(rows(), features=FEATURES).train)
    # scheduled at hour n, the report of n - 1 is available: number n + 4 of the table; JFK has none
    assert X["temp"].to_list()[:4] == [4.0, None, 6.0, None]


def test_the_holdout_can_be_asked_with_the_recorded_features(made, lab) -> None:
    result = made(rows(), features=FEATURES)
    features = FeatureSet.load(FeatureSpec.from_json(result.to_json()["features"]), lab.root)
    requests, _ = load_holdout(lab.store, result.holdout, "late")
    views = {name: lab.store.scan(commit).collect() for name, commit in result.views.items()}
    assert features.vectors(requests, views).columns == ["hour", "temp"]


def test_the_same_commits_give_the_same_tables(made) -> None:
    assert made(rows(), features=FEATURES) == made(rows(), features=FEATURES)


def test_without_views_the_request_is_the_vector(made, lab) -> None:
    result = made(rows())
    X, _ = load_train(lab.store, result.train)
    assert X.columns == ["origin"]
    assert result.views == {}


def test_a_feature_may_be_called_like_the_column_of_the_target(made, lab) -> None:
    frame = rows().with_columns(pl.col("id").cast(pl.Int64).alias(TARGET))
    result = made(frame, request=f"[id, scheduled, origin, {TARGET}]")
    X, y = load_train(lab.store, result.train)
    assert X.columns == ["origin", TARGET]
    assert X[TARGET].to_list()[:3] == [0, 1, 2]
    assert y.dtype == pl.Boolean


@pytest.mark.parametrize("positive", ["1", "1.0", "true"])
def test_an_event_is_the_same_number_however_it_is_written(made, lab, positive: str) -> None:
    frame = rows().with_columns(pl.col("late").cast(pl.Float64))
    result = made(frame, target=f"{{column: late, task: binary, positive: {positive}}}")
    assert result.train_rows == 36


@pytest.mark.parametrize(("since", "first"), [("2013-01-01T06:00", 6), ("2013-01-02", 24)])
def test_since(made, lab, since: str, first: int) -> None:
    result = made(rows(), since=f", since: '{since}'", features=FEATURES)
    X, _ = load_train(lab.store, result.train)
    assert X["hour"][0] == first % 24
    assert result.train_rows + result.holdout_rows + result.unlabelled == 50 - first


@pytest.mark.parametrize("since", ["2013-01-01T12:00", "2013-01-01T14:00+02:00"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
def test_since_in_any_zone(made, since: str, zone: str | None) -> None:
    moments = pl.col("scheduled").dt.replace_time_zone("UTC")
    frame = rows().with_columns(moments.dt.convert_time_zone(zone) if zone else "scheduled")
    result = made(frame, since=f", since: '{since}'")
    assert result.train_rows + result.holdout_rows + result.unlabelled == 50 - 12


@pytest.mark.parametrize("how", [{"holdout": "last 3d"}, {"holdout": "random 20%", "since": ", since: '2013-01-02'"}])
def test_a_time_that_is_text_is_no_time(made, how: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="the time 'scheduled' is String") as refused:
        made(rows().with_columns(pl.col("scheduled").cast(pl.String)), **how)
    assert refused.value.where == "penstock.yaml:9:9"


def test_a_random_holdout_has_both_classes_and_keeps_its_rows_when_others_come(made, lab) -> None:
    before, after = (made(rows(count), holdout="random 25%") for count in (200, 250))
    held, _ = load_holdout(lab.store, before.holdout, "late")
    later, late = load_holdout(lab.store, after.holdout, "late")
    assert late.n_unique() == 2
    assert set(later["id"].to_list()) & set(rows(200)["id"].to_list()) == set(held["id"].to_list())


def test_a_regression_drops_nan(made, lab) -> None:
    frame = rows().with_columns(late=pl.col("id").cast(pl.Float64).replace(3.0, float("nan")))
    result = made(frame, target="{column: late, task: regression}")
    assert result.unlabelled == 1


@pytest.mark.parametrize(
    ("frame", "settings", "message"),
    [
        (rows(0), {}, "leaves 0 rows to train on and 0 to judge by"),
        (rows(2).head(1), {"holdout": "random 20%"}, "leaves 1 rows to train on and 0"),
        (rows(), {"target": "{column: lte, task: binary, positive: true}"}, "did you mean 'late'"),
        (rows(), {"target": "{column: late, task: binary, positive: delayed}"}, "has late = 'delayed'"),
        (rows().with_columns(late=pl.lit(True)), {}, "nothing to tell apart"),
        (rows(), {"target": "{column: arrival, task: regression}"}, "is String"),
        (rows(), {"since": ", since: '2014-01-01'"}, "leaves 0 rows"),
        (rows(), {"since": ", since: spring"}, "train.since is 'spring'"),
    ],
)
def test_what_cannot_end_well_stops_before_training(made, frame: pl.DataFrame, settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made(frame, **settings)
