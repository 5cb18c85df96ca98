"""MLflow's own client, of two versions, run unmodified against the server."""

import pytest

from penstock.ledger import ModelVersion


def test_a_script_that_tracks(script, client):
    script("tracking", client.url)


def test_a_script_that_registers(script, client, opened):
    script("registry", client.url)
    work = opened._workspace
    with work.ledger.read() as reader:
        assert [(v.number, v.state) for v in reader.find(ModelVersion, model="spam")] == [
            (1, "archived"), (2, "candidate")
        ]  # fmt: skip


@pytest.mark.parametrize("library", ["sklearn", "lightgbm", "pytorch"])
def test_a_script_that_logs_by_itself(script, client, opened, library):
    script(f"autolog_{library}", client.url)
    (run,) = opened.train.runs()
    assert (run.kind, run.status) == ("tracked", "finished")
