"""The server as its users meet it: a real process and real sockets."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.serve import PredictionRecord, ServerProcess, read_segments


def test_smoke(foundry: Any, serve: Path, row: dict[str, Any]) -> None:
    foundry.deploy(serve, "yes", 1)
    with ServerProcess(serve) as server:
        reply = httpx.post(f"{server.url}/predict/delay", json=row)
        print(reply.status_code, reply.text)
        for p in ["/health", "/ready", "/metrics", "/openapi.json"]:
            print(p, httpx.get(server.url + p).text[:3000])
    print((serve / "server.log").read_text())
    assert 0
