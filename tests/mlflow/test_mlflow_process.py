import os
import signal
import socket
import time

from mlflow_client import Client

from penstock.ledger import Metric, Tag
from penstock.mlflow import MlflowProcess


def test_a_port_that_is_taken_is_told_and_tried_again(root):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = MlflowProcess(root, environment=None, host="127.0.0.1", port=port, actor="ada")
        server.start()
        assert server.hear().startswith(f"MLflow clients cannot log here: cannot listen on 127.0.0.1:{port}")
        assert server.mend() == ""
    assert server.mend() == f"MLflow clients log to http://127.0.0.1:{port}"
    server.stop()
    assert not server.alive


def test_what_clients_wrote_survives_the_death_of_the_server(server, opened):
    client = Client(server.said.rpartition(" ")[2])
    run = client.start_run()
    client.post("runs/log-metric", run_id=run, key="loss", value=0.5, timestamp=1)
    os.kill(server.pid, signal.SIGKILL)
    with opened._workspace.ledger.read() as reader:
        assert [metric.value for metric in reader.find(Metric, run=run)] == [0.5]
        assert reader.find(Tag, run=run) == []
    while server.alive:
        time.sleep(0.01)
    assert server.mend().startswith("MLflow clients log to")
