"""The server as a child process: started, waited for, ended."""

import http.client
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from penstock.deliver.serving_state import Applied, read_applied, read_state
from penstock.errors import Conflict, PenstockError, UsageError
from penstock.serve.limits import MAX_BODY, MAX_ROWS
from penstock.serve.log import Durability


class ServerError(PenstockError):
    """The server process ended or did not become ready; `hint` holds its last words."""


class ServerProcess:
    """`python -m penstock.serve`, as a context manager.

    with ServerProcess(directory, port=0) as server:
        httpx.post(f"{server.url}/predict/flight-delay", json=row)
    """

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        durability: Durability = "process",
        max_rows: int = MAX_ROWS,
        max_body: int = MAX_BODY,
        timeout: float = 60.0,
    ) -> None:
        self.root = root
        self._command = [
            sys.executable,
            "-m",
            "penstock.serve",
            "--dir",
            str(root),
            "--host",
            host,
            "--port",
            str(port),
        ]
        self._command += [
            "--durability",
            durability,
            "--max-rows",
            str(max_rows),
            "--max-body",
            str(max_body),
            "--attached",
        ]
        self._timeout = timeout
        self._said = 0  # bytes of the output that are of earlier servers
        self._child: subprocess.Popen[bytes] | None = None
        self._applied: Applied | None = None

    @property
    def output(self) -> Path:
        """What the server printed."""
        return self.root / "server.log"

    @property
    def said(self) -> list[str]:
        """The lines that this server printed so far."""
        with self.output.open("rb") as output:
            output.seek(self._said)
            return output.read().decode(errors="replace").strip().splitlines()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:43117`"""
        return self._running().url

    @property
    def port(self) -> int:
        """The port that it got."""
        return self._running().port

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> Self:
        """Start it and wait: until it is ready when something is deployed, else until it is healthy."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self._said = output.tell()
            self._child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=output, stderr=output)
        try:
            self._wait("/ready" if read_state(self.root).endpoints else "/health")
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, timeout: float = 40.0) -> int:
        """SIGTERM: it answers what is under way and ends. Its exit code."""
        assert self._child is not None
        if self.alive:
            self._child.send_signal(signal.SIGTERM)
        try:
            code = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(
                f"the server did not end within {timeout:g} s and was killed", where=str(self.root)
            ) from None
        self._close()
        return code

    def kill(self) -> None:
        """SIGKILL."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()
        self._close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.alive:
            self.stop()

    def _running(self) -> Applied:
        if self._applied is None:
            raise ServerError("the server was not started", where=str(self.root))
        return self._applied

    def _wait(self, path: str) -> None:
        deadline = time.monotonic() + self._timeout
        while not self._answers(path):
            if not self.alive:
                raise self._ended()
            if time.monotonic() >= deadline:
                what = f"the server was not ready within {self._timeout:g} s"
                raise ServerError(what, where=str(self.root), hint=self._refusals() or self._last_words())
            time.sleep(0.02)

    def _answers(self, path: str) -> bool:
        assert self._child is not None
        applied = read_applied(self.root)
        if applied is None or applied.pid != self._child.pid:
            return False
        self._applied = applied
        connection = http.client.HTTPConnection(applied.host, applied.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _refusals(self) -> str:
        applied = read_applied(self.root)
        endpoints = applied.endpoints.items() if applied else ()
        return "; ".join(f"{name}: {endpoint.error}" for name, endpoint in endpoints if endpoint.error)

    def _ended(self) -> PenstockError:
        """Why it ended before it was ready; in its own words when the call was wrong or another one serves."""
        assert self._child is not None
        kind = {UsageError.exit_code: UsageError, Conflict.exit_code: Conflict}.get(self._child.returncode)
        if kind:
            return kind(self._last_words())
        return ServerError("the server ended before it was ready", where=str(self.root), hint=self._last_words())

    def _last_words(self) -> str:
        return "\n".join(self.said[-10:])

    def _close(self) -> None:
        if self._child and self._child.stdin:
            self._child.stdin.close()
