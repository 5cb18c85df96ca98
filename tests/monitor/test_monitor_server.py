"""With a real server: asked over HTTP, told over HTTP, looked at."""

from datetime import UTC, datetime

import httpx
import polars as pl
from production import february, noon, values

from penstock import Project
from penstock.serve import ServerProcess


def test_predictions_and_feedback_of_a_running_server(live: Project) -> None:
    rows = february(30)
    requests = rows.drop("late").with_columns(pl.col("sent").dt.to_string("iso:strict")).to_dicts()
    with ServerProcess(live._workspace.serve_directory) as server, httpx.Client(base_url=server.url) as client:
        reply = client.post("/predict/parcels", json={"rows": requests}).raise_for_status().json()
        ids = [prediction["id"] for prediction in reply["predictions"]]
        by_key = [{"key": key, "label": late} for key, late in rows[:20].select("parcel_id", "late").iter_rows()]
        client.post("/feedback/parcels", json={"rows": by_key}).raise_for_status()
        live.monitor.look(now=noon(2))
        assert values(live, "volume") == [(1, 24.0, 24)]
        assert values(live, "labelled") == [(1, round(20 / 24, 6), 24)]
        by_id = [{"prediction": i, "label": late} for i, late in zip(ids[20:], rows["late"][20:], strict=True)]
        client.post("/feedback/parcels", json={"rows": by_id}).raise_for_status()
        found = live.monitor.look(now=noon(3))
        assert {point.window_start.day for point in found.points} == {1, 2}
    assert values(live, "labelled") == [(1, 1.0, 24), (2, 1.0, 6)]
    (latency,) = [p for p in live.monitor.series("latency_p95") if p.window_start == datetime(2024, 2, 1, tzinfo=UTC)]
    assert latency.value > 0
    whole = live.monitor.predictions(limit=30)
    truth = dict(whole.select("key", "truth").iter_rows())
    assert truth == {key: str(late).lower() for key, late in rows.select("parcel_id", "late").iter_rows()}
