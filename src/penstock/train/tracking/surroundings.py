"""What a process that trains by itself can tell of it: its code, its environment, where Git stands."""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError
from penstock.train.code import git_state
from penstock.train.environment.capture import capture, threadpools

if TYPE_CHECKING:
    from penstock.store import Store

NOTEBOOK = "notebook.py"  # the cells that were run, in their order


class Surroundings:
    """Captured once for a process, beside its work, since that takes a good part of a second.

    What changes while the process runs (files and cells of the user's, native thread pools) is looked at again
    whenever the fields are asked for.
    """

    def __init__(self, root: Path, store: "Callable[[], Store]") -> None:
        self._root = root.resolve()
        self._store = store
        self._thread: threading.Thread | None = None
        self._environment: dict[str, Any] = {}
        self._modules = 0
        self._sources: Mapping[str, Path] = {}
        self._seen: object = None
        self._fixed: dict[str, str] = {}
        self._known: dict[str, str] = {}

    def begin(self) -> None:
        """Start to capture, unless that has been done."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._capture, name="penstock-surroundings", daemon=True)
            self._thread.start()

    def known(self) -> Mapping[str, str]:
        """What is known already, without waiting."""
        if self._thread is None or self._thread.is_alive():
            return {}
        return {**self._fixed, **self._known}

    def fields(self) -> Mapping[str, str]:
        """Fields of a run's record, as things are now; of what cannot be kept, nothing."""
        self.begin()
        if self._thread:
            self._thread.join()
        self._look_again()
        return {**self._fixed, **self._known}

    def _capture(self) -> None:
        with suppress(OSError, PenstockError):  # a run goes on without them where nothing can be kept
            self._ask()

    def _ask(self) -> None:
        store = self._store()
        commit, patch = git_state(self._root)
        if commit:
            self._fixed["git_commit"] = commit
        if patch:
            self._fixed["patch"] = store.put_bytes(patch)
        self._environment = capture(store.put_bytes)

    def _look_again(self) -> None:
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            self._sources = dict(_sources(self._root))
            if self._environment:
                self._environment["threads"] = threadpools()
                self._known["environment"] = self._store().put_json(self._environment)
        cells = notebook_cells()
        seen = [file.stat().st_mtime_ns for file in self._sources.values()], len(cells)
        if seen != self._seen and any(seen):
            self._seen = seen
            self._known["code"] = self._keep(self._sources, cells)

    def _keep(self, sources: Mapping[str, Path], cells: list[str]) -> str:
        store = self._store()
        kept = {path: store.put_file(file) for path, file in sorted(sources.items())}
        if cells:
            kept[NOTEBOOK] = store.put_bytes("\n\n# %%\n".join(cells).encode())
        return store.put_json(kept)


def _sources(root: Path) -> Iterator[tuple[str, Path]]:
    """The files of the project that this process has imported, and the script that it runs."""
    prefix = f"{root}/"
    script = _script()
    if script:
        yield (script.relative_to(root).as_posix() if script.is_relative_to(root) else script.name), script
    for module in list(sys.modules.values()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and file.startswith(prefix) and file.endswith(".py"):
            path = Path(file)
            inside = path.relative_to(root)
            if not any(part.startswith(".") or part == "site-packages" for part in inside.parts) and path.is_file():
                yield inside.as_posix(), path


def _script() -> Path | None:
    """The file that this process was started with."""
    file = vars(sys.modules["__main__"]).get("__file__")
    path = Path(file).resolve() if file else None
    return path if path and path.is_file() else None


def notebook_cells() -> list[str]:
    """The cells that this process has run; none outside a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return [cell for cell in shell.user_ns.get("In", [])[1:] if cell] if shell else []


def what_runs(root: Path) -> str:
    """`research/try.py`, `notebook`, or `python` for a program that is no file."""
    if notebook_cells():
        return "notebook"
    script = _script()
    if script is None:
        return "python"
    return script.relative_to(root).as_posix() if script.is_relative_to(root) else script.name
