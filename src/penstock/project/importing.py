"""Importing the modules of a project under a private name.

They find each other through that name, not through `sys.path`: what one project calls `helpers`
never meets another project's `helpers`, and two versions of `pipeline.py` live side by side in one
process. Bytecode is neither read nor written, so the code that runs is the source that was digested.
"""

import builtins
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import RLock
from typing import Any

from penstock.digest import digest_value
from penstock.project.sources import find_module

# Concurrency: a server loads a bundle's functions in one thread while another one answers.
_IMPORTS = RLock()


def import_module(root: Path, name: str, *, version: str) -> types.ModuleType:
    """The project's module `name`, run once for each `version` of its sources."""
    scope = Scope(root, f"penstock_project_{digest_value([str(root), version])[:16]}")
    with _IMPORTS:
        return scope.load(name)


class _Loader(SourceFileLoader):
    """Runs a module of a project with an `import` that looks in the project first."""

    def __init__(self, fullname: str, path: str, scope: "Scope") -> None:
        super().__init__(fullname, path)
        self.scope = scope

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self.scope.import_}
        super().exec_module(module)


@dataclass(frozen=True)
class Scope:
    """The modules of one version of one project: `helpers` is `prefix.helpers` in `sys.modules`."""

    root: Path
    prefix: str

    def load(self, name: str) -> types.ModuleType:
        """Import the project's module `name`, and the packages around it."""
        full = f"{self.prefix}.{name}" if name else self.prefix
        if full in sys.modules:
            return sys.modules[full]
        parent, _, last = name.rpartition(".")
        around = self.load(parent) if name else None
        module = self._new(name, full)
        sys.modules[full] = module
        try:
            if module.__spec__ is not None and module.__spec__.loader is not None:
                module.__spec__.loader.exec_module(module)
        except BaseException:
            del sys.modules[full]
            raise
        if around is not None:
            setattr(around, last, module)
        return module

    def _new(self, name: str, full: str) -> types.ModuleType:
        path = find_module(self.root, name) if name else self.root
        if path is None:
            raise ModuleNotFoundError(f"no module named {name!r} in the project", name=name)
        if path.is_dir():  # a folder without __init__.py, or the project itself
            package = types.ModuleType(full)
            package.__path__ = [str(path)]
            return package
        inside = [str(path.parent)] if path.name == "__init__.py" else None
        loader = _Loader(full, str(path), self)
        spec = spec_from_file_location(full, path, loader=loader, submodule_search_locations=inside)
        assert spec is not None
        return module_from_spec(spec)

    def import_(
        self,
        name: str,
        namespace: Mapping[str, Any] | None = None,
        local_names: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
        /,
    ) -> types.ModuleType:
        """What an `import` statement of the project does."""
        local = self._own_name(name, namespace or {}, level)
        if local is None:
            return builtins.__import__(name, namespace, local_names, fromlist or (), level)
        with _IMPORTS:
            module = self.load(local)
            for item in fromlist or ():
                inner = f"{local}.{item}" if local else item
                if not hasattr(module, item) and find_module(self.root, inner) is not None:
                    self.load(inner)
            return module if fromlist else self.load(local.partition(".")[0])

    def _own_name(self, name: str, namespace: Mapping[str, Any], level: int) -> str | None:
        """The project's own name of what is imported; None if it is not the project's."""
        if level == 0:
            return name if find_module(self.root, name.partition(".")[0]) is not None else None
        package = str(namespace.get("__package__") or self.prefix).split(".")
        if level > len(package):
            raise ImportError("attempted relative import beyond the project")
        base = package[1 : len(package) - level + 1]
        return ".".join([*base, *([name] if name else [])])
