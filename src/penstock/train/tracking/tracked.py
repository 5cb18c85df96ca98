"""A run that a notebook or a script logs to."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from penstock.errors import UsageError
from penstock.train.tracking.artifacts import figure_bytes, kept_files, table_bytes
from penstock.train.tracking.journal import Journal, Params, Tags, Used
from penstock.train.tracking.plain import named, plain, text
from penstock.train.tracking.reporting import Reporter

if TYPE_CHECKING:
    import polars as pl

    from penstock.ledger import Version
    from penstock.store import Store

STATUSES = ("finished", "failed", "killed")

End = Callable[["TrackedRun", str, BaseException | str | None], None]


class TrackedRun:
    """A run in progress; made by `project.train.run()` and `project.train.attach()`.

        with project.train.run("idea 7", params={"depth": 6}) as run:
            run.log_metric("loss", 0.31)

    Every call may come from any thread, and from processes that were forked. When a `log_…` call returns, the system
    has what was logged: it survives the death of this process. It is in the ledger about a second later.

    The block ends the run: `failed` with the traceback when it raises, `killed` when it is interrupted. A run that
    nobody ends is ended with the program; one whose process dies first reads `killed`.
    """

    def __init__(
        self,
        identifier: str,
        journal: Journal,
        *,
        store: "Callable[[], Store]",
        find_data: "Callable[[str], Version]",
        flush: "Callable[[TrackedRun], None]",
        end: End,
        params: Mapping[str, Any] = {},
    ) -> None:
        self.id = identifier
        self.report = Reporter(journal)
        self._journal = journal
        self._process = os.getpid()
        self._store = store
        self._find_data = find_data
        self._flush = flush
        self._end = end
        self._params = dict(params)
        self._ended = False
        self._ending = threading.Lock()  # once and for all

    # --- metrics ---

    def log_metric(self, name: str, value: float, *, step: int | None = None, at: datetime | None = None) -> None:
        """Log a value at `step`; without it each metric counts its values from 1."""
        self.log_metrics({name: value}, step=step, at=at)

    def log_metrics(self, values: Mapping[str, float], *, step: int | None = None, at: datetime | None = None) -> None:
        """Log values of several metrics at one step."""
        self._check_open()
        self.report.log(named("metric", values), step, at)

    def log_series(self, name: str, values: Iterable[float], *, first: int = 1) -> None:
        """Log many values of one metric at once: a curve, at the steps `first`, `first` + 1, ..."""
        self._check_open()
        (checked,) = named("metric", {name: values})
        self.report.log_series(checked, values, first)

    # --- words about the run ---

    def log_param(self, name: str, value: Any) -> None:
        """Log a parameter. UsageError when it has another value already: what went in does not change."""
        self.log_params({name: value})

    def log_params(self, values: Mapping[str, Any]) -> None:
        """Log parameters, all or none. UsageError when one has another value already."""
        self._check_open()
        new = {name: plain(value) for name, value in named("parameter", values).items()}
        changed = sorted(name for name in new if self._params.get(name, new[name]) != new[name])
        if changed:
            told = ", ".join(f"{name} is {self._params[name]!r}, not {new[name]!r}" for name in changed)
            raise UsageError(f"parameters of a run do not change: {told}", hint="start another run")
        self._params |= new
        self._journal.append(Params(new))

    def set_tag(self, name: str, value: Any) -> None:
        """Say something about the run that may change; the value is kept as text."""
        self.set_tags({name: value})

    def set_tags(self, values: Mapping[str, Any]) -> None:
        """Set several tags."""
        self._check_open()
        self._journal.append(Tags({name: text(str(value)) for name, value in named("tag", values).items()}))

    def use_data(self, reference: str) -> "pl.LazyFrame":
        """The rows of `flights`, `flights@TAG` or `flights@COMMIT`; the run is known to have read that version."""
        from penstock.data import rows_of

        self._check_open()
        version = self._find_data(reference)
        self._journal.append(Used(version.dataset, version.commit))
        return rows_of(self._store(), version.commit)

    # --- files ---

    def log_artifact(self, source: Path | str | bytes, name: str | None = None) -> None:
        """Keep a file, a directory with all in it, or bytes, under `name`. It is in the store when this returns."""
        self._check_open()
        for file in kept_files(self._store(), source, name):
            self._journal.append(file)

    def log_text(self, value: str, name: str) -> None:
        """Keep a text as a file."""
        self.log_artifact(text(value).encode(), name)

    def log_dict(self, value: Mapping[str, Any], name: str) -> None:
        """Keep a mapping as a JSON file."""
        import json

        self.log_artifact(json.dumps(plain(value), indent=2).encode(), name)

    def log_figure(self, figure: Any, name: str) -> None:
        """Keep a figure: of Matplotlib as `roc.png` or `roc.svg`, of Plotly as `roc.html`."""
        self.log_artifact(figure_bytes(figure, name), name)

    def log_table(self, table: Any, name: str) -> None:
        """Keep a table as Parquet: a Polars frame, or what Polars makes one of."""
        self.log_artifact(table_bytes(table), name)

    # --- its end ---

    def flush(self) -> None:
        """Wait until the ledger has everything that was logged until now; who looks at the run sees it.

        PenstockError when the ledger does not take it: it is delivered later.
        """
        self._check_open()
        self._flush(self)

    def end(self, status: str = "finished", *, error: BaseException | str | None = None) -> None:
        """End the run as `finished`, `failed` or `killed`, and say why; again does nothing.

        What was logged is in the ledger when this returns. Is the ledger away, a warning says so: it is delivered
        later, by this process or by the next command that looks at runs. In a forked process this does nothing.
        """
        if status not in STATUSES:
            raise UsageError(f"a run does not end as {status!r}", expected=" or ".join(STATUSES))
        if self._process != os.getpid():
            return
        if self._ending.acquire(blocking=False):
            self._ended = True
            self._end(self, status, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = status_of(error)
        self.end(status, error=None if status == "finished" else error)

    def __repr__(self) -> str:
        return f"<TrackedRun {self.id}{' ended' if self._ended else ''}>"

    def _check_open(self) -> None:
        if self._ended:
            raise UsageError(f"run {self.id} has ended", hint=f"project.train.attach({self.id!r}) to add to it")


def status_of(error: BaseException | None) -> str:
    """How a run ends that an error ended, or none."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "finished"
    return "failed" if isinstance(error, Exception | SystemExit) else "killed"
