"""The server of the protocol as a child process, so that clients that log slow no prediction down."""

import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

READY_SECONDS = 30.0


class MlflowProcess:
    """`python -m penstock.mlflow` for a project, as a context manager. What goes wrong in it is told, not raised.

    with MlflowProcess(root, environment=None, host="127.0.0.1", port=0, actor="ada") as server:
        server.said                   "MLflow clients log to http://127.0.0.1:43117"
    """

    def __init__(self, root: Path, *, environment: str | None, host: str, port: int, actor: str) -> None:
        self._command = [sys.executable, "-m", "penstock.mlflow", "--project", str(root), "--host", host]
        self._command += ["--port", str(port), "--actor", actor, "--attached"]
        self._command += ["--env", environment] if environment else []
        self._log = root / ".penstock" / "mlflow.log"
        self._child: subprocess.Popen[bytes] | None = None
        self.said = ""

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        """Start it, without waiting."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as errors:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )  # the input is never written to: that it closes tells the child that we are gone

    def hear(self) -> str:
        """What it says first: where it answers, or why it does not."""
        assert self._child is not None
        assert self._child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            line = self._child.stdout.readline().decode() if selector.select(READY_SECONDS) else ""
        self.said = line.strip() or f"MLflow clients cannot log here: {self._last_words()}"
        return self.said

    def mend(self) -> str:
        """Start it again if it has ended. What is new to tell: "" for nothing."""
        if self.alive:
            return ""
        before = self.said
        self.stop()
        self.start()
        return "" if self.hear() == before else self.said

    def stop(self, timeout: float = 15.0) -> None:
        """SIGTERM: it finishes what is under way and ends."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _last_words(self) -> str:
        deadline = time.monotonic() + 1
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.02)
        words = self._log.read_text(errors="replace").strip().splitlines()[-3:]
        return "; ".join(line.strip() for line in words) or f"no answer within {READY_SECONDS:g} s"
