"""What the project knows about flights: plain functions over Polars frames."""

import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

CATEGORIES = ["carrier", "origin", "dest"]


def arrivals(flights: pl.LazyFrame) -> pl.LazyFrame:
    """Flights that arrived, and whether more than 15 minutes late. Cancelled ones have no answer."""
    return flights.filter(pl.col("arr_delay").is_not_null()).with_columns(late=pl.col("arr_delay") > 15)


def schedule(requests: pl.DataFrame) -> pl.DataFrame:
    """What the timetable says."""
    return requests.select(
        *CATEGORIES,
        pl.col("distance").cast(pl.Float64),
        (pl.col("local_hour") * 60 + pl.col("local_minute")).cast(pl.Float64).alias("minute_of_day"),
        pl.col("scheduled").dt.weekday().cast(pl.Float64).alias("weekday"),
    )


def weather_at_origin(weather: pl.LazyFrame) -> pl.LazyFrame:
    """The last hourly report of each airport."""
    columns = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
    return weather.select("origin", "hour", pl.col(columns).cast(pl.Float64))


def fit(
    X: pl.DataFrame, y: pl.Series, *, seed: int, max_iter: int, learning_rate: float, max_leaf_nodes: int
) -> Pipeline:
    """Gradient-boosted trees; airlines and airports that training never saw count as missing."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = ColumnTransformer([("categories", encoder, CATEGORIES)], remainder="passthrough")
    trees = HistGradientBoostingClassifier(
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        categorical_features=list(range(len(CATEGORIES))),
        random_state=seed,
    )
    return make_pipeline(columns, trees).fit(X, y)
