from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from penstock.bundle import AVAILABLE, FeatureSet, FeatureSpec, ViewSpec, feature_set, schema_of
from penstock.errors import FunctionError, UsageError, UserCodeError
from penstock.project import Data

NOON = datetime(2013, 1, 1, 12)
REQUESTS = pl.DataFrame(
    {"id": ["a", "b"], "at": [NOON, NOON + timedelta(hours=1)], "airport": ["JFK", "LGA"], "n": [1, 2]}
)
HOURLY = pl.DataFrame(
    {"airport": ["JFK", "JFK", "LGA"], "hour": [NOON, NOON - timedelta(hours=2), NOON], "wind": [9.0, 5.0, 7.0]}
)


def made(root: Path, source: str, *views: ViewSpec, key: str | None = "id", time: str | None = "at") -> FeatureSet:
    (root / "pipeline.py").write_text("import polars as pl\n" + source)
    return FeatureSet.load(FeatureSpec(schema_of(REQUESTS), time, key, views), root)


def stored(name: str = "wind", **settings: object) -> ViewSpec:
    return ViewSpec(name, f"pipeline:{name}", "weather", ("airport",), "hour", **settings)


ON_DEMAND = ViewSpec("double", "pipeline:double", "request")
SAME = "def wind(rows): return rows\n"
DOUBLE = "def double(requests): return requests.select(twice=pl.col('n') * 2)\n"


def test_without_views_the_request_is_the_vector_but_not_its_key_and_time(tmp_path):
    assert made(tmp_path, "").vectors(REQUESTS, {}).columns == ["airport", "n"]


def test_a_view_of_the_request_takes_its_place(tmp_path):
    vectors = made(tmp_path, DOUBLE, ON_DEMAND).vectors(REQUESTS, {})

    assert vectors.to_dict(as_series=False) == {"twice": [2, 4]}


def test_a_stored_view_is_joined_as_of_the_time_of_the_request(tmp_path):
    features = made(tmp_path, SAME, stored())

    vectors = features.vectors(REQUESTS, {"wind": features.view_rows("wind", HOURLY.lazy())})

    assert vectors.to_dict(as_series=False) == {"airport": ["JFK", "LGA"], "n": [1, 2], "wind": [9.0, 7.0]}


def test_a_row_counts_from_the_moment_it_is_available(tmp_path):
    features = made(tmp_path, SAME, stored(available_s=3600.0))
    rows = features.view_rows("wind", HOURLY.lazy())

    assert rows[AVAILABLE].to_list() == [
        NOON - timedelta(hours=1),
        NOON + timedelta(hours=1),
        NOON + timedelta(hours=1),
    ]
    assert features.vectors(REQUESTS, {"wind": rows})["wind"].to_list() == [5.0, 7.0]


def test_the_time_to_live_counts_from_the_rows_own_time(tmp_path):
    features = made(tmp_path, SAME, stored(available_s=3600.0, ttl_s=2 * 3600.0))
    later = REQUESTS.with_columns(pl.col("at") + pl.duration(minutes=61))

    rows = {"wind": features.view_rows("wind", HOURLY.lazy())}

    assert features.vectors(REQUESTS, rows)["wind"].to_list() == [5.0, 7.0]
    assert features.vectors(later, rows)["wind"].to_list() == [9.0, None]


def test_of_rows_for_the_same_moment_the_last_stays_and_rows_without_a_place_go(tmp_path):
    features = made(tmp_path, SAME, stored())
    rows = pl.DataFrame(
        {"airport": ["JFK", "JFK", None, "LGA"], "hour": [NOON, NOON, NOON, None], "wind": [1, 2, 3, 4]}
    )

    assert features.view_rows("wind", rows.lazy())["wind"].to_list() == [2]


def test_indexed_rows_answer_as_rows_do(tmp_path):
    features = made(tmp_path, SAME + DOUBLE, ON_DEMAND, stored())
    rows = features.view_rows("wind", HOURLY.lazy())

    indexed = features.vectors(REQUESTS, {"wind": features.prepare("wind", rows)})

    assert indexed.equals(features.vectors(REQUESTS, {"wind": rows}))
    assert indexed.columns == ["twice", "wind"]


def test_columns_that_are_not_of_the_request_never_reach_a_view(tmp_path):
    features = made(tmp_path, "def double(requests): return requests", ON_DEMAND)

    vectors = features.vectors(REQUESTS.with_columns(target=pl.lit(1)), {})

    assert vectors.columns == ["airport", "n"]


def test_two_views_of_one_name_are_told_apart(tmp_path):
    source = "def double(requests): return requests.select(wind='n')\n" + SAME
    features = made(tmp_path, source, ON_DEMAND, stored())

    with pytest.raises(FunctionError, match="feature 'wind' comes from both 'double' and 'wind'"):
        features.vectors(REQUESTS, {"wind": features.view_rows("wind", HOURLY.lazy())})


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("requests.filter(pl.col('n') > 1)", "got 2 requests and gave 1 rows"),
        ("requests.select(pl.col('n').sum())", "got 2 requests and gave 1 rows"),
        ("7", "gave a int"),
    ],
)
def test_a_view_of_the_request_gives_a_row_per_request(tmp_path, body, what):
    with pytest.raises(FunctionError, match=what) as caught:
        made(tmp_path, f"def double(requests): return {body}", ON_DEMAND).vectors(REQUESTS, {})

    assert caught.value.where == "pipeline.py:2"


def test_what_a_view_raises_points_into_the_users_file(tmp_path):
    with pytest.raises(UserCodeError) as caught:
        made(tmp_path, "def double(requests):\n    return requests['nothing']", ON_DEMAND).vectors(REQUESTS, {})

    assert caught.value.where == "pipeline.py:3"


@pytest.mark.parametrize(
    "lazy",
    [
        "rows.lazy().select('nothing')",
        "rows.lazy().select(pl.col('wind').map_elements(lambda wind: wind / nothing, return_dtype=pl.Float64))",
    ],
)
def test_what_a_views_lazy_frame_raises_later_points_there_too(tmp_path, lazy):
    with pytest.raises(UserCodeError, match="nothing") as caught:
        made(tmp_path, f"def wind(rows):\n    return {lazy}", stored()).view_rows("wind", HOURLY.lazy())

    assert (caught.value.where or "").startswith("pipeline.py:")
    assert "Resolved plan" not in caught.value.what


def test_a_stored_view_keeps_its_entity_and_time(tmp_path):
    features = made(tmp_path, "def wind(rows): return rows.drop('airport')", stored())

    with pytest.raises(FunctionError, match=r"pipeline.py:2: .* gave no column 'airport'"):
        features.view_rows("wind", HOURLY.lazy())


def test_an_entity_of_another_kind_is_refused(tmp_path):
    features = made(tmp_path, "def wind(rows): return rows.with_columns(airport=pl.lit(1))", stored())

    with pytest.raises(FunctionError, match="'airport' as Int32, the request holds String"):
        features.vectors(REQUESTS, {"wind": features.view_rows("wind", HOURLY.lazy())})


def test_rows_of_every_stored_view_are_needed(tmp_path):
    with pytest.raises(UsageError, match="no rows of feature view 'wind'"):
        made(tmp_path, SAME, stored()).vectors(REQUESTS, {})


def test_a_request_without_a_column_is_refused(tmp_path):
    with pytest.raises(FunctionError, match="the request lacks 'n'"):
        made(tmp_path, "").vectors(REQUESTS.drop("n"), {})


def test_declared_features_keep_their_columns_and_types(tmp_path):
    source = "def double(requests): return requests.select(a=pl.when(pl.col('n') > 1).then('n').cast(pl.Float64))\n"
    features = made(tmp_path, source, ON_DEMAND)
    declared = features.declare(features.vectors(REQUESTS, {}))

    assert declared.vectors(REQUESTS[0], {}).schema == {"a": pl.Float64}
    assert FeatureSpec.from_json(declared.spec.to_json()) == declared.spec


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("requests.to_dummies('airport').drop('id', 'at', 'n')", "lacks 'airport_LGA'"),
        ("requests.select('n', **{f'x{requests.height}': 'n'})", "beyond what the model was trained on"),
    ],
)
def test_columns_that_depend_on_the_rows_are_refused(tmp_path, body, what):
    features = made(tmp_path, f"def double(requests): return {body}", ON_DEMAND)
    declared = features.declare(features.vectors(REQUESTS, {}))

    with pytest.raises(FunctionError, match=what):
        declared.vectors(REQUESTS[0], {})


def test_a_type_that_would_lose_something_is_refused(tmp_path):
    features = made(tmp_path, DOUBLE, ON_DEMAND).declare(pl.DataFrame({"twice": ["text"]}))

    with pytest.raises(FunctionError, match="column 'twice' of the feature vector is Int64"):
        features.vectors(REQUESTS, {})


def test_a_view_that_can_never_have_a_value_is_refused():
    with pytest.raises(UsageError, match="never has a value"):
        stored(available_s=7200.0, ttl_s=3600.0)


def test_stored_views_need_a_time_and_columns_that_are_there():
    with pytest.raises(UsageError, match=r"data\.time is not set"):
        FeatureSpec(schema_of(REQUESTS), None, None, (stored(),))
    with pytest.raises(UsageError, match="unknown request column 'idd'"):
        FeatureSpec(schema_of(REQUESTS), "at", "idd")


def test_a_view_is_named_by_its_code_and_settings(tmp_path):
    assert stored().digest == stored().digest
    assert len({stored().digest, stored(available_s=1.0).digest, stored(name="other").digest}) == 3


def test_features_come_from_the_project_file(tmp_path):
    (tmp_path / "pipeline.py").write_text("import polars as pl\n" + SAME + DOUBLE)
    data = Data.model_validate(
        {
            "request": ["id", "at", "airport", "n"],
            "key": "id",
            "time": "at",
            "features": {
                "double": {"function": "pipeline:double", "from": "request"},
                "wind": {
                    "function": "pipeline:wind",
                    "from": "weather",
                    "entity": "airport",
                    "time": "hour",
                    "ttl": "3h",
                },
            },
        }
    )

    features = feature_set(data, tmp_path, REQUESTS.schema)

    assert [view.name for view in features.spec.views] == ["double", "wind"]
    assert features.spec.view("wind").ttl_s == 3 * 3600
    assert features.spec.view("wind").code == features.functions["wind"].code
    with pytest.raises(UsageError, match="unknown column 'airprot'"):
        feature_set(data.model_copy(update={"request": ("airprot",)}), tmp_path, REQUESTS.schema)


def test_two_versions_of_the_users_module_live_side_by_side(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    first = made(old, DOUBLE, ON_DEMAND)
    second = made(new, DOUBLE.replace("* 2", "* 3"), ON_DEMAND)

    assert first.vectors(REQUESTS, {})["twice"].to_list() == [2, 4]
    assert second.vectors(REQUESTS, {})["twice"].to_list() == [3, 6]
    assert first.functions["double"].code != second.functions["double"].code
