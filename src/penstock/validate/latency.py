"""How long a model takes to answer one request, measured here and now."""

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from penstock.validate.measuring import Array

if TYPE_CHECKING:
    import polars as pl

    from penstock.bundle import Bundle, ViewRows

CALLS = 100
WARM_UP = 10


def time_requests(bundle: "Bundle", requests: "pl.DataFrame", views: "dict[str, pl.DataFrame]") -> Array:
    """Seconds of each of 100 requests, one at a time, from raw request to decided label."""
    prepared = bundle.prepare(views)
    rows = np.linspace(0, requests.height - 1, CALLS).astype(int)
    for row in rows[:WARM_UP]:
        bundle.predict(requests[int(row)], prepared)
    return np.array([_timed(bundle, requests[int(row)], prepared) for row in rows])


def _timed(bundle: "Bundle", request: "pl.DataFrame", prepared: "dict[str, ViewRows]") -> float:
    started = perf_counter()
    bundle.predict(request, prepared)
    return perf_counter() - started
